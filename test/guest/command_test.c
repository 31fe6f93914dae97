/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * I/O commands beyond read and write, on a controller with a small MDTS that has three namespaces:
 * blocks of 512 bytes, blocks of 4,096, and zones of 4 MiB with a capacity of 3, of which two may
 * be open and three active. In the end the kernel's driver has them, and tells what is there.
 */

#include "disk.h"

#include <errno.h>
#include <linux/blkzoned.h>
#include <rte_common.h>
#include <rte_malloc.h>
#include <sys/ioctl.h>

#include "pattern.h"

#define PAGE   4096
#define BUFFER (64 * PAGE) /* bytes */

static struct brg_device *dev;
static struct brg_nvme_ctrl *ctrl;
static struct brg_nvme_qpair *qp;
static struct brg_nvme_ns ns, large, zns;
static struct brg_nvme_zoned zoned;
static uint8_t *buf, *other;

static int open_ctrl(void)
{
	if (brg_device_open(test_bdf(), &dev) || brg_nvme_open(dev, NULL, &ctrl) ||
	    brg_nvme_qpair_create(ctrl, NULL, &qp) || brg_nvme_ns_get(ctrl, 1, &ns) ||
	    brg_nvme_ns_get(ctrl, 2, &large) || brg_nvme_ns_get(ctrl, 3, &zns) ||
	    brg_nvme_zoned_get(ctrl, &zns, &zoned)) {
		fprintf(stderr, "%s\n", brg_errmsg());
		return -1;
	}
	return 0;
}

static int open_all(void **state)
{
	if (brg_env_init(NULL)) {
		fprintf(stderr, "%s\n", brg_errmsg());
		return -1;
	}
	buf = rte_malloc(NULL, BUFFER, PAGE);
	other = rte_malloc(NULL, BUFFER, PAGE);
	return buf && other ? open_ctrl() : -1;
}

static int close_all(void **state)
{
	rte_free(buf);
	rte_free(other);
	brg_nvme_close(ctrl);
	brg_device_close(dev);
	brg_env_cleanup();
	return 0;
}

static struct io io;
static uint64_t appended_at;

static void on_append(void *arg, const struct brg_nvme_cqe *cqe)
{
	appended_at = brg_nvme_appended(cqe);
	io_done(arg, cqe);
}

/* The status of a command that was submitted with io_done(&io). */
#define status_of(call)                                         \
	({                                                      \
		io = (struct io){0};                            \
		assert_works(call);                             \
		drain(qp);                                      \
		assert_int_equal(io.calls, 1);                  \
		io.status & 0x7ff; /* without the retry bits */ \
	})

static bool is_zero(const uint8_t *p, size_t len)
{
	return !p[0] && !memcmp(p, p + 1, len - 1);
}

static void fill(const struct brg_nvme_ns *n, uint64_t lba, uint32_t nblocks, uint64_t seed)
{
	pattern_fill(buf, (size_t)nblocks * n->block_size, seed, 0);
	assert_int_equal(write_blocks(qp, n, buf, lba, nblocks), 0);
}

static void small_transfers(void **state)
{
	size_t max = brg_nvme_max_transfer(ctrl);

	assert_int_equal(max, 8 * PAGE);
	assert_int_equal(ns.block_size, 512);
	assert_int_equal(large.block_size, PAGE);
	fill(&large, 100, 8, 1);
	assert_int_equal(read_blocks(qp, &large, other, 100, 8), 0);
	assert_true(pattern_is(other, max, 1, 0));
	assert_fails(brg_nvme_write(qp, &large, buf, 100, 9, io_done, &io), EINVAL, "more than");
	assert_fails(brg_nvme_read(qp, &ns, buf, 0, 65, io_done, &io), EINVAL, "more than");
}

/* In one call, whatever a command may carry: all of both buffers. */
static void long_transfers(void **state)
{
	struct brg_nvme_long l;
	uint32_t nblocks = BUFFER / ns.block_size;

	pattern_fill(buf, BUFFER, 20, 0);
	assert_int_equal(
		status_of(brg_nvme_write_long(qp, &ns, buf, 333, nblocks, &l, io_done, &io)), 0);
	assert_int_equal(
		status_of(brg_nvme_read_long(qp, &ns, other, 333, nblocks, &l, io_done, &io)), 0);
	assert_true(pattern_is(other, BUFFER, 20, 0));
}

/* The controller takes them, and the data is what it is without. */
static void flags(const struct brg_nvme_ns *n)
{
	size_t bytes = 5 * n->block_size;

	pattern_fill(buf, bytes, 30, 0);
	assert_int_equal(
		status_of(brg_nvme_write_flags(qp, n, buf, 77, 5, NVME_IO_FUA, io_done, &io)), 0);
	assert_int_equal(
		status_of(brg_nvme_read_flags(qp, n, other, 77, 5, NVME_IO_FUA, io_done, &io)), 0);
	assert_true(pattern_is(other, bytes, 30, 0));
	memset(other, 0, bytes);
	assert_int_equal(status_of(brg_nvme_read_flags(qp, n, other, 77, 5,
						       NVME_IO_FUA | NVME_IO_LR, io_done, &io)),
			 0);
	assert_true(pattern_is(other, bytes, 30, 0));
}

static void forced_to_the_media(void **state)
{
	struct brg_nvme_sqe sqe;

	flags(&ns);
	flags(&large);
	/* One that was built. */
	pattern_fill(buf, PAGE, 31, 0);
	assert_works(brg_nvme_prepare(ctrl, &large, nvme_cmd_write, buf, 78, 1, NULL, &sqe));
	sqe.cdw12 |= (uint32_t)NVME_IO_FUA << 16;
	assert_int_equal(status_of(brg_nvme_submit(qp, &sqe, io_done, &io)), 0);
	assert_int_equal(read_blocks(qp, &large, other, 78, 1), 0);
	assert_true(pattern_is(other, PAGE, 31, 0));
}

static void compare(const struct brg_nvme_ns *n)
{
	fill(n, 40, 5, 2);
	assert_int_equal(status_of(brg_nvme_compare(qp, n, buf, 40, 5, io_done, &io)), 0);
	buf[4 * n->block_size + 17] ^= 1;
	assert_int_equal(status_of(brg_nvme_compare(qp, n, buf, 40, 5, io_done, &io)),
			 NVME_SCT_MEDIA << 8 | NVME_SC_COMPARE_FAILED);
	assert_int_equal(status_of(brg_nvme_compare(qp, n, buf, 40, 4, io_done, &io)), 0);
}

static void compares(void **state)
{
	compare(&ns);
	compare(&large);
}

static void zeroes(void **state)
{
	fill(&ns, 1000, 40, 3);
	assert_int_equal(status_of(brg_nvme_write_zeroes(qp, &ns, 1010, 20, false, io_done, &io)),
			 0);
	assert_int_equal(read_blocks(qp, &ns, other, 1000, 40), 0);
	assert_memory_equal(other, buf, 10 * 512);
	assert_true(is_zero(other + 10 * 512, 20 * 512));
	assert_memory_equal(other + 30 * 512, buf + 30 * 512, 10 * 512);
	/* Far more than MDTS, since none of it is transferred. */
	fill(&ns, 65535, 1, 4);
	assert_int_equal(status_of(brg_nvme_write_zeroes(qp, &ns, 0, 65536, true, io_done, &io)),
			 0);
	assert_int_equal(read_blocks(qp, &ns, other, 65535, 1), 0);
	assert_true(is_zero(other, 512));
}

/* Blocks that are deallocated may read as anything, but their neighbours may not. */
static void deallocates(void **state)
{
	struct nvme_dsm_range *ranges = (void *)other;

	fill(&ns, 2000, 40, 5);
	ranges[0] = (struct nvme_dsm_range){.slba = 2010, .nlb = 5};
	ranges[1] = (struct nvme_dsm_range){.slba = 2030, .nlb = 2};
	assert_int_equal(status_of(brg_nvme_deallocate(qp, &ns, ranges, 2, io_done, &io)), 0);
	assert_int_equal(read_blocks(qp, &ns, other, 2000, 40), 0);
	assert_memory_equal(other, buf, 10 * 512);
	assert_memory_equal(other + 15 * 512, buf + 15 * 512, 15 * 512);
	assert_memory_equal(other + 32 * 512, buf + 32 * 512, 8 * 512);
}

/* Two pieces, in the other order, behind each other. */
static void copies(void **state)
{
	struct nvme_copy_range *ranges = (void *)other;

	fill(&large, 300, 8, 6);
	memset(ranges, 0, 2 * sizeof(*ranges));
	ranges[0].slba = 305;
	ranges[0].nlb = 2; /* 0's based */
	ranges[1].slba = 300;
	ranges[1].nlb = 1;
	assert_int_equal(status_of(brg_nvme_copy(qp, &large, ranges, 2, 500, io_done, &io)), 0);
	assert_int_equal(read_blocks(qp, &large, other, 500, 5), 0);
	assert_memory_equal(other, buf + 5 * PAGE, 3 * PAGE);
	assert_memory_equal(other + 3 * PAGE, buf, 2 * PAGE);
}

static void refused_before_they_are_sent(void **state)
{
	static struct nvme_dsm_range ranges[257];
	struct nvme_copy_range copy = {.slba = 0, .nlb = 7};

	assert_fails(brg_nvme_write_zeroes(qp, &ns, 0, 0, false, io_done, &io), EINVAL,
		     "no blocks");
	assert_fails(brg_nvme_write_zeroes(qp, &ns, 0, 65537, false, io_done, &io), EINVAL,
		     "65537");
	assert_fails(brg_nvme_write_zeroes(qp, &ns, ns.blocks - 1, 2, false, io_done, &io), EINVAL,
		     "beyond");
	assert_fails(brg_nvme_write_zeroes(qp, &ns, UINT64_MAX, 2, false, io_done, &io), EINVAL,
		     "beyond");
	assert_fails(brg_nvme_deallocate(qp, &ns, ranges, 0, io_done, &io), EINVAL, "0 ranges");
	assert_fails(brg_nvme_deallocate(qp, &ns, ranges, 257, io_done, &io), EINVAL, "257 ranges");
	assert_fails(brg_nvme_deallocate(qp, &ns, ranges, 1, io_done, &io), EINVAL, "no blocks");
	assert_fails(brg_nvme_copy(qp, &large, &copy, 1, large.blocks - 7, io_done, &io), EINVAL,
		     "beyond");
	assert_fails(brg_nvme_write_placed(qp, &ns, buf, 0, 1, 0, io_done, &io), ENOTSUP,
		     "does not support flexible data placement (CTRATT");
	assert_fails(brg_nvme_ruh_status(qp, &ns, buf, PAGE, io_done, &io), ENOTSUP, "CTRATT");
	copy.nlb = large.id.mssrl;
	assert_fails(brg_nvme_copy(qp, &large, &copy, 1, 1000, io_done, &io), EINVAL, "more than");
	assert_fails(brg_nvme_copy(qp, &large, &copy, large.id.msrc + 2u, 0, io_done, &io), EINVAL,
		     "ranges");
	assert_fails(brg_nvme_compare(qp, &ns, buf + 2, 0, 1, io_done, &io), EINVAL, "aligned");
	/* What this controller does not claim to have. */
	assert_fails(brg_nvme_write_uncorrectable(qp, &ns, 0, 1, io_done, &io), ENOTSUP, "ONCS");
	assert_fails(brg_nvme_verify(qp, &ns, 0, 1, io_done, &io), ENOTSUP, "ONCS");
	assert_fails(brg_nvme_compare_and_write(qp, &ns, buf, other, 0, 1, io_done, &io), ENOTSUP,
		     "Compare and Write (FUSES 0)");
	assert_fails(brg_nvme_resv_register(qp, &ns, NVME_RESERVATION_RREGA_REGISTER_KEY, 0, 1,
					    false, NVME_RESERVATION_CPTPL_NO_CHANGE, io_done, &io),
		     ENOTSUP, "reservations (ONCS");
	assert_fails(brg_nvme_resv_acquire(qp, &ns, NVME_RESERVATION_RACQA_ACQUIRE,
					   NVME_RESERVATION_RTYPE_WE, 1, 0, io_done, &io),
		     ENOTSUP, "reservations (ONCS");
	assert_fails(brg_nvme_resv_release(qp, &ns, NVME_RESERVATION_RRELA_RELEASE,
					   NVME_RESERVATION_RTYPE_WE, 1, io_done, &io),
		     ENOTSUP, "reservations (ONCS");
	assert_fails(brg_nvme_resv_report(qp, &ns, false, (void *)other, PAGE, io_done, &io),
		     ENOTSUP, "reservations (ONCS");
	assert_int_equal(brg_nvme_outstanding(qp), 0);
}

/* As it is: QEMU's has Verify after all. And one that no controller has. */
static void any_command(void **state)
{
	struct brg_nvme_sqe sqe = {.opcode = nvme_cmd_verify, .nsid = 1, .cdw12 = 7};

	assert_int_equal(status_of(brg_nvme_submit(qp, &sqe, io_done, &io)), 0);
	sqe = (struct brg_nvme_sqe){.opcode = nvme_cmd_read, .nsid = 2, .cdw10 = 100, .cdw12 = 7};
	memset(other, 0, 9 * PAGE);
	fill(&large, 100, 8, 7);
	assert_int_equal(
		status_of(brg_nvme_submit_data(qp, &sqe, other + 512, 8 * PAGE, io_done, &io)), 0);
	assert_true(pattern_is(other + 512, 8 * PAGE, 7, 0));
	sqe.opcode = 0x6f;
	assert_int_equal(status_of(brg_nvme_submit(qp, &sqe, io_done, &io)),
			 NVME_SC_INVALID_OPCODE);
	assert_fails(brg_nvme_submit_data(qp, &sqe, other + 1, 512, io_done, &io), EINVAL,
		     "aligned");
	assert_fails(brg_nvme_submit_data(qp, &sqe, other, 0, io_done, &io), EINVAL, "0 bytes");
	assert_fails(brg_nvme_submit_data(qp, &sqe, other, 9 * PAGE, io_done, &io), EINVAL,
		     "36864");
}

/* Where the pieces are, and how long, out of one stretch of memory each. */
static void pieces(struct iovec *iov, uint8_t *memory, const size_t *lengths, unsigned int n,
		   size_t gap)
{
	for (unsigned int i = 0; i < n; i++) {
		iov[i] = (struct iovec){memory, lengths[i]};
		memory += lengths[i] + gap;
	}
}

static void vectored(const struct brg_nvme_ns *n, const size_t *lengths, unsigned int count,
		     size_t gap)
{
	struct iovec iov[32];
	size_t total = 0, at = 0;

	for (unsigned int i = 0; i < count; i++)
		total += lengths[i];
	/* Written whole and read in pieces, then the reverse. */
	fill(n, 700, (uint32_t)(total / n->block_size), 11 + gap);
	memset(other, 0xee, 64 * PAGE);
	pieces(iov, other, lengths, count, gap);
	assert_int_equal(status_of(brg_nvme_readv(qp, n, iov, count, 700, io_done, &io)), 0);
	for (unsigned int i = 0; i < count; at += lengths[i++]) {
		assert_memory_equal(iov[i].iov_base, buf + at, lengths[i]);
		assert_int_equal(((uint8_t *)iov[i].iov_base)[lengths[i]] == 0xee,
				 gap || i + 1 == count);
	}
	assert_int_equal(status_of(brg_nvme_writev(qp, n, iov, count, 900, io_done, &io)), 0);
	memset(other, 0, total);
	assert_int_equal(read_blocks(qp, n, other, 900, (uint32_t)(total / n->block_size)), 0);
	assert_memory_equal(other, buf, total);
}

static void pieces_of_memory(void **state)
{
	const size_t pages[] = {PAGE, 2 * PAGE, PAGE};
	const size_t odd[] = {100, 412, 4, 508, 1024};
	const size_t blocks[] = {512, 512, 512, 512, 512, 512, 512, 512};
	const size_t one[] = {1024};
	struct iovec iov[2] = {{buf, 512}, {buf + PAGE + 8, 500}};

	vectored(&ns, pages, RTE_DIM(pages), 0);	   /* PRP */
	vectored(&large, pages, RTE_DIM(pages), 2 * PAGE); /* PRP with holes between */
	vectored(&ns, odd, RTE_DIM(odd), 8);
	vectored(&ns, blocks, RTE_DIM(blocks), 12);
	vectored(&ns, one, 1, 0);
	assert_fails(brg_nvme_readv(qp, &ns, iov, 2, 0, io_done, &io), EINVAL,
		     "1012 bytes are no multiple of the block size, 512");
	assert_fails(brg_nvme_readv(qp, &ns, iov, 0, 0, io_done, &io), EINVAL, "no pieces");
	iov[1].iov_len = 9 * PAGE;
	assert_fails(brg_nvme_readv(qp, &ns, iov, 2, 0, io_done, &io), EINVAL, "more than");
	iov[1] = (struct iovec){buf + 1026, 512};
	assert_fails(brg_nvme_readv(qp, &ns, iov, 2, 0, io_done, &io), EINVAL, "aligned");
}

/* A chain of buffers, as packets are in. */
struct chain {
	struct chain *next;
	uint8_t *data;
	size_t len;
};

static bool next_of_chain(void *pieces, struct iovec *piece)
{
	struct chain **at = pieces;

	if (!*at)
		return false;
	*piece = (struct iovec){(*at)->data, (*at)->len};
	*at = (*at)->next;
	return true;
}

/* Whole pages, by PRP; then such that the fourth one ends within a page, and all is an SGL. */
static void chains_of_memory(void **state)
{
	static const size_t lengths[2][6] = {{PAGE, PAGE, PAGE, 1024},
					     {PAGE, PAGE, PAGE, 512, 4, 508}};

	for (unsigned int round = 0; round < 2; round++) {
		struct chain links[6], *at = links;
		size_t total = 0, done = 0;

		for (unsigned int i = 0; i < 6 && lengths[round][i]; i++) {
			links[i] = (struct chain){&links[i + 1], other + (10 - 2 * i) * PAGE,
						  lengths[round][i]};
			if (i == 5 || !lengths[round][i + 1])
				links[i].next = NULL;
			total += lengths[round][i];
		}
		fill(&ns, 1200, (uint32_t)(total / ns.block_size), 20 + round);
		memset(other, 0xee, 64 * PAGE);
		assert_int_equal(status_of(brg_nvme_read_pieces(qp, &ns, next_of_chain, &at, 1200,
								io_done, &io)),
				 0);
		for (at = links; at; done += at->len, at = at->next) {
			assert_memory_equal(at->data, buf + done, at->len);
			assert_int_equal(at->data[at->len], 0xee);
		}
		at = links;
		assert_int_equal(status_of(brg_nvme_write_pieces(qp, &ns, next_of_chain, &at, 1400,
								 io_done, &io)),
				 0);
		memset(other, 0, 16 * PAGE);
		assert_int_equal(
			read_blocks(qp, &ns, other, 1400, (uint32_t)(total / ns.block_size)), 0);
		assert_memory_equal(other, buf, total);
	}
}

static const struct nvme_zns_desc *zone(unsigned int i)
{
	struct nvme_zone_report *report = (void *)other;

	assert_int_equal(status_of(brg_nvme_zone_report(qp, &zns, i * zoned.zone_blocks,
							NVME_ZNS_ZRAS_REPORT_ALL, report, PAGE,
							io_done, &io)),
			 0);
	assert_in_range(report->nr_zones, 1, zoned.zones - i);
	return &report->entries[0];
}

static unsigned int state_of(unsigned int i)
{
	return zone(i)->zs >> 4;
}

static uint16_t manage(unsigned int i, enum nvme_zns_send_action action)
{
	return status_of(
		brg_nvme_zone_manage(qp, &zns, i * zoned.zone_blocks, action, false, io_done, &io));
}

static uint16_t append(unsigned int i, uint32_t nblocks)
{
	return status_of(brg_nvme_zone_append(qp, &zns, &zoned, buf, i * zoned.zone_blocks, nblocks,
					      on_append, &io));
}

static void zones_and_their_limits(void **state)
{
	struct brg_nvme_zoned none;

	assert_int_equal(zoned.zone_blocks, 4 << 20 >> 9);
	assert_int_equal(zoned.zones, 16);
	assert_int_equal(zoned.max_open, 2);
	assert_int_equal(zoned.max_active, 3);
	assert_int_equal(zoned.append_blocks, 8192 / 512);
	assert_fails(brg_nvme_zoned_get(ctrl, &ns, &none), ENOTSUP, "not zoned");
	assert_int_equal(zone(5)->zcap, 3 << 20 >> 9);
	assert_int_equal(zone(5)->zslba, 5 * zoned.zone_blocks);
	assert_int_equal(((struct nvme_zone_report *)other)->nr_zones, 11);
	assert_int_equal(state_of(0), NVME_ZNS_ZS_EMPTY);
}

static void zones_are_written_in_order(void **state)
{
	uint64_t start = zoned.zone_blocks;

	fill(&zns, start, 4, 8);
	assert_int_equal(state_of(1), NVME_ZNS_ZS_IMPL_OPEN);
	assert_int_equal(zone(1)->wp, start + 4);
	assert_int_equal(write_blocks(qp, &zns, buf, start + 8, 4) & 0x7ff,
			 NVME_SCT_CMD_SPECIFIC << 8 | NVME_SC_ZNS_INVALID_WRITE);
	pattern_fill(buf, 16 * 512, 9, 0);
	assert_int_equal(append(1, 16), 0);
	assert_int_equal(appended_at, start + 4);
	assert_int_equal(append(1, 1), 0);
	assert_int_equal(appended_at, start + 20);
	assert_int_equal(read_blocks(qp, &zns, other, start + 4, 16), 0);
	assert_true(pattern_is(other, 16 * 512, 9, 0));
	assert_fails(brg_nvme_zone_append(qp, &zns, &zoned, buf, start, 17, io_done, &io), EINVAL,
		     "17 blocks");
	assert_fails(brg_nvme_zone_append(qp, &zns, &zoned, buf, start + 1, 1, io_done, &io),
		     EINVAL, "not the first of a zone");
	assert_int_equal(manage(1, NVME_ZNS_ZSA_FINISH), 0);
	assert_int_equal(state_of(1), NVME_ZNS_ZS_FULL);
	assert_int_equal(append(1, 1), NVME_SCT_CMD_SPECIFIC << 8 | NVME_SC_ZNS_FULL);
	assert_int_equal(manage(1, NVME_ZNS_ZSA_RESET), 0);
	assert_int_equal(state_of(1), NVME_ZNS_ZS_EMPTY);
}

static void zones_open_and_close(void **state)
{
	assert_int_equal(manage(2, NVME_ZNS_ZSA_OPEN), 0);
	assert_int_equal(state_of(2), NVME_ZNS_ZS_EXPL_OPEN);
	assert_int_equal(manage(3, NVME_ZNS_ZSA_OPEN), 0);
	assert_int_equal(manage(4, NVME_ZNS_ZSA_OPEN),
			 NVME_SCT_CMD_SPECIFIC << 8 | NVME_SC_ZNS_TOO_MANY_OPENS);
	assert_int_equal(manage(2, NVME_ZNS_ZSA_RESET), 0);
	assert_int_equal(state_of(2), NVME_ZNS_ZS_EMPTY);
	assert_int_equal(append(4, 2), 0);
	assert_int_equal(manage(4, NVME_ZNS_ZSA_CLOSE), 0);
	assert_int_equal(state_of(4), NVME_ZNS_ZS_CLOSED);
	assert_int_equal(append(5, 2), 0);
	/* Two open and one closed are active: no more. */
	assert_int_equal(append(6, 2), NVME_SCT_CMD_SPECIFIC << 8 | NVME_SC_ZNS_TOO_MANY_ACTIVE);
	assert_int_equal(status_of(brg_nvme_zone_manage(qp, &zns, 0, NVME_ZNS_ZSA_RESET, true,
							io_done, &io)),
			 0);
	for (unsigned int i = 2; i < 6; i++)
		assert_int_equal(state_of(i), NVME_ZNS_ZS_EMPTY);
	assert_fails(brg_nvme_zone_report(qp, &zns, zns.blocks, 0, other, PAGE, io_done, &io),
		     EINVAL, "beyond");
	assert_fails(brg_nvme_zone_report(qp, &zns, 0, 0, other, 60, io_done, &io), EINVAL,
		     "60 bytes");
}

/* What the kernel's block layer reads, into the other buffer. */
static void kernel_reads(const char *disk, const struct brg_nvme_ns *n, uint64_t lba,
			 uint32_t nblocks)
{
	size_t bytes = (size_t)nblocks * n->block_size;
	int fd = open(disk, O_RDONLY | O_CLOEXEC);

	memset(other, 0xee, bytes);
	assert_int_equal(pread(fd, other, bytes, (off_t)(lba * n->block_size)), bytes);
	close(fd);
}

/* Data of every command that writes, each where nothing else is. */
static void write_for_the_kernel(void)
{
	struct nvme_dsm_range *gone = (void *)other;
	struct nvme_copy_range *copied = (void *)other;
	struct iovec iov[2] = {{buf, 100}, {buf + 108, 924}};
	struct brg_nvme_long l;

	fill(&ns, 70000, 40, 30);
	assert_int_equal(status_of(brg_nvme_write_zeroes(qp, &ns, 70010, 20, false, io_done, &io)),
			 0);
	fill(&ns, 71000, 40, 31);
	gone[0] = (struct nvme_dsm_range){.slba = 71010, .nlb = 5};
	assert_int_equal(status_of(brg_nvme_deallocate(qp, &ns, gone, 1, io_done, &io)), 0);
	pattern_fill(buf, BUFFER, 32, 0);
	assert_int_equal(status_of(brg_nvme_write_long(qp, &ns, buf, 72000, BUFFER / ns.block_size,
						       &l, io_done, &io)),
			 0);
	pattern_fill(buf, 100, 33, 0);
	pattern_fill(buf + 108, 924, 33, 100);
	assert_int_equal(status_of(brg_nvme_writev(qp, &ns, iov, 2, 73000, io_done, &io)), 0);
	fill(&large, 600, 8, 34);
	memset(copied, 0, 2 * sizeof(*copied));
	copied[0].slba = 605;
	copied[0].nlb = 2; /* 0's based */
	copied[1].slba = 600;
	copied[1].nlb = 1;
	assert_int_equal(status_of(brg_nvme_copy(qp, &large, copied, 2, 800, io_done, &io)), 0);
}

static void write_zones_for_the_kernel(void)
{
	fill(&zns, 7 * zoned.zone_blocks, 4, 35);
	pattern_fill(buf, 16 * 512, 35, 4 * 512);
	assert_int_equal(append(7, 16), 0);
	assert_int_equal(append(8, 1), 0);
	assert_int_equal(manage(8, NVME_ZNS_ZSA_FINISH), 0);
	assert_int_equal(append(9, 1), 0);
	assert_int_equal(manage(9, NVME_ZNS_ZSA_RESET), 0);
}

static void check_blocks(void)
{
	kernel_reads("/dev/nvme0n1", &ns, 70000, 40);
	assert_true(pattern_is(other, 10 * 512, 30, 0));
	assert_true(is_zero(other + 10 * 512, 20 * 512));
	assert_true(pattern_is(other + 30 * 512, 10 * 512, 30, 30 * 512));
	kernel_reads("/dev/nvme0n1", &ns, 71000, 40);
	assert_true(pattern_is(other, 10 * 512, 31, 0));
	assert_true(pattern_is(other + 15 * 512, 25 * 512, 31, 15 * 512));
	kernel_reads("/dev/nvme0n1", &ns, 72000, BUFFER / 512);
	assert_true(pattern_is(other, BUFFER, 32, 0));
	kernel_reads("/dev/nvme0n1", &ns, 73000, 2);
	assert_true(pattern_is(other, 1024, 33, 0));
	kernel_reads("/dev/nvme0n2", &large, 800, 5);
	assert_true(pattern_is(other, 3 * PAGE, 34, 5 * PAGE));
	assert_true(pattern_is(other + 3 * PAGE, 2 * PAGE, 34, 0));
}

/* Sectors are blocks of this namespace. The zone that was open was closed by the shutdown. */
static void check_zones(void)
{
	static const unsigned int conditions[] = {BLK_ZONE_COND_CLOSED, BLK_ZONE_COND_FULL,
						  BLK_ZONE_COND_EMPTY};
	struct {
		struct blk_zone_report head;
		struct blk_zone zones[3];
	} report = {.head = {.sector = 7 * zoned.zone_blocks, .nr_zones = 3}};
	int fd = open("/dev/nvme0n3", O_RDONLY | O_CLOEXEC);

	assert_int_equal(ioctl(fd, BLKREPORTZONE, &report), 0);
	close(fd);
	assert_int_equal(report.head.nr_zones, 3);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(report.zones[i].start, (7 + i) * zoned.zone_blocks);
		assert_int_equal(report.zones[i].cond, conditions[i]);
	}
	assert_int_equal(report.zones[0].wp, 7 * zoned.zone_blocks + 20);
	kernel_reads("/dev/nvme0n3", &zns, 7 * zoned.zone_blocks, 20);
	assert_true(pattern_is(other, 20 * 512, 35, 0));
}

/* And the reverse: what the kernel writes is the same to Compare, but for a byte. */
static void kernel_writes(void)
{
	int fd = open("/dev/nvme0n1", O_WRONLY | O_CLOEXEC);

	pattern_fill(buf, 8 * 512, 36, 0);
	assert_int_equal(pwrite(fd, buf, 8 * 512, 74000 * 512), 8 * 512);
	assert_int_equal(fsync(fd), 0);
	close(fd);
}

static void the_kernel_has_the_same(void **state)
{
	write_for_the_kernel();
	write_zones_for_the_kernel();
	brg_nvme_close(ctrl);
	brg_device_close(dev);
	ctrl = NULL;
	dev = NULL;
	assert_works(brg_device_bind(test_bdf(), "nvme"));
	wait_for_disk("/dev/nvme0n1");
	wait_for_disk("/dev/nvme0n2");
	wait_for_disk("/dev/nvme0n3");
	check_blocks();
	check_zones();
	kernel_writes();
	assert_works(brg_device_bind(test_bdf(), "vfio-pci"));
	assert_int_equal(open_ctrl(), 0);
	assert_int_equal(status_of(brg_nvme_compare(qp, &ns, buf, 74000, 8, io_done, &io)), 0);
	buf[5 * 512 + 3] ^= 1;
	assert_int_equal(status_of(brg_nvme_compare(qp, &ns, buf, 74000, 8, io_done, &io)),
			 NVME_SCT_MEDIA << 8 | NVME_SC_COMPARE_FAILED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_transfers),
		cmocka_unit_test(long_transfers),
		cmocka_unit_test(forced_to_the_media),
		cmocka_unit_test(compares),
		cmocka_unit_test(zeroes),
		cmocka_unit_test(deallocates),
		cmocka_unit_test(copies),
		cmocka_unit_test(refused_before_they_are_sent),
		cmocka_unit_test(any_command),
		cmocka_unit_test(pieces_of_memory),
		cmocka_unit_test(chains_of_memory),
		cmocka_unit_test(zones_and_their_limits),
		cmocka_unit_test(zones_are_written_in_order),
		cmocka_unit_test(zones_open_and_close),
		cmocka_unit_test(the_kernel_has_the_same),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
