/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The driver on a real controller: brought up again and again, its namespaces, data of many sizes
 * and alignments there and back, queues filled and used up, lcores side by side, and what goes
 * wrong on purpose.
 */

#include "opened.h"

#include <errno.h>
#include <poll.h>
#include <rte_common.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <sys/mman.h>

#include "brg_dma.h"
#include "pattern.h"

#define PAGE   4096
#define CANARY 0xc5

/* Every test has a controller of its own, and so brings one up and shuts it down. */
static int open_ctrl(void **state)
{
	const struct brg_nvme_opts opts = {.io_queues = 4, .admin_timeout_ms = 3000};

	return open_ctrl_with(&opts);
}

static struct brg_nvme_qpair *qpair_of(uint16_t depth)
{
	const struct brg_nvme_qpair_opts opts = {.depth = depth};
	struct brg_nvme_qpair *qp;

	assert_works(brg_nvme_qpair_create(ctrl, &opts, &qp));
	return qp;
}

static uint8_t *memory(size_t bytes)
{
	uint8_t *p = rte_malloc(NULL, bytes, PAGE);

	assert_non_null(p);
	return p;
}

static void opens_again_and_again(void **state)
{
	unsigned int i;

	for (i = 0; i < 5; i++) {
		close_ctrl(NULL);
		assert_int_equal(open_ctrl(NULL), 0);
		brg_nvme_qpair_free(qpair_of(0));
	}
}

static void identifies_itself(void **state)
{
	const struct nvme_id_ctrl *id = brg_nvme_id_ctrl(ctrl);
	const struct brg_device_info *info = brg_device_get_info(dev);
	size_t max = brg_nvme_max_transfer(ctrl);

	assert_int_equal(id->vid, info->vendor);
	assert_int_equal(id->ssvid, info->subvendor);
	assert_in_range(id->sn[0], ' ' + 1, '~');
	assert_true(RTE_IS_POWER_OF_2(max));
	assert_in_range(max, 2 * PAGE, PAGE / 8 * PAGE);
	if (id->mdts && id->mdts < 9)
		assert_int_equal(max, PAGE << id->mdts);
	assert_int_equal(brg_nvme_max_qpairs(ctrl), 4);
	assert_int_equal(brg_nvme_bar(ctrl)->index, 0);
}

static void namespaces(void **state)
{
	struct brg_nvme_ns other;
	uint32_t nsids[8] = {0};

	assert_int_equal(brg_nvme_ns_list(ctrl, nsids, RTE_DIM(nsids)), 1);
	assert_int_equal(nsids[0], 1);
	assert_int_equal(nsids[1], 0);
	assert_int_equal(brg_nvme_ns_list(ctrl, nsids, 0), 0);
	assert_int_equal(ns.nsid, 1);
	assert_true(RTE_IS_POWER_OF_2(ns.block_size));
	assert_true(ns.blocks * ns.block_size >= 16 << 20);
	assert_fails(brg_nvme_ns_get(ctrl, 2, &other), ENOENT, "namespace 2");
	assert_fails(brg_nvme_ns_get(ctrl, 0, &other), ENOENT, "not a namespace");
	assert_fails(brg_nvme_ns_get(ctrl, NVME_NSID_ALL, &other), ENOENT, "not a namespace");
	assert_int_equal(brg_nvme_ns_get(ctrl, 0xfffffff0, &other), -ENOENT);
}

/* Write from one misaligned buffer and read into another: nothing before or behind may change. */
static void round_trip(struct brg_nvme_qpair *qp, uint8_t *out, uint8_t *in, size_t room,
		       uint64_t lba, uint32_t nblocks, uint64_t seed)
{
	size_t len = (size_t)nblocks * ns.block_size, i;
	uint8_t *guarded = in - PAGE;

	pattern_fill(out, len, seed, lba * ns.block_size);
	memset(guarded, CANARY, room);
	assert_int_equal(write_blocks(qp, &ns, out, lba, nblocks), 0);
	assert_int_equal(read_blocks(qp, &ns, in, lba, nblocks), 0);
	assert_true(pattern_is(in, len, seed, lba * ns.block_size));
	for (i = 0; i < PAGE; i++)
		assert_int_equal(guarded[i], CANARY);
	for (i = PAGE + len; i < room; i++)
		if (guarded[i] != CANARY)
			fail_msg("byte %zu behind %zu is not what it was", i - PAGE - len, len);
}

static void data_of_any_size_and_alignment(void **state)
{
	static const uint32_t offsets[] = {0, 4, 8, 508, 512, 2044, 2048, 3588, 4088, 4092};
	uint32_t max = brg_nvme_max_transfer(ctrl) / ns.block_size;
	const uint32_t sizes[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 64, 65, 97, 255, max - 1, max};
	size_t room = brg_nvme_max_transfer(ctrl) + 3 * PAGE;
	uint8_t *out = memory(room), *in = memory(room);
	struct brg_nvme_qpair *qp = qpair_of(0);
	unsigned int s, o, seed = 1;

	for (s = 0; s < RTE_DIM(sizes); s++) {
		for (o = 0; o < RTE_DIM(offsets); o++, seed++) {
			uint32_t from = offsets[o];
			uint32_t to = offsets[RTE_DIM(offsets) - 1 - o];

			round_trip(qp, out + from, in + PAGE + to, room - to, 11 * seed, sizes[s],
				   seed);
		}
	}
	rte_free(out);
	rte_free(in);
	brg_nvme_qpair_free(qp);
}

static void last_blocks_of_the_namespace(void **state)
{
	uint8_t *out = memory(8 * PAGE), *in = memory(8 * PAGE);
	struct brg_nvme_qpair *qp = qpair_of(0);
	struct io io = {0};

	round_trip(qp, out, in + PAGE, 8 * PAGE, ns.blocks - 3, 3, 77);
	assert_fails(brg_nvme_read(qp, &ns, in, ns.blocks - 2, 3, io_done, &io), EINVAL, "beyond");
	assert_fails(brg_nvme_read(qp, &ns, in, 0, brg_nvme_max_transfer(ctrl) / ns.block_size + 1,
				   io_done, &io),
		     EINVAL, "more than");
	drain(qp);
	assert_int_equal(io.calls, 0);
	rte_free(out);
	rte_free(in);
	brg_nvme_qpair_free(qp);
}

/* Memory of the application's own: registered, it is as good as EAL's. It is put where a 39-bit
 * IOMMU reaches; mmap() by itself goes higher. */
static void registered_memory(void **state)
{
	void *low = (void *)0x10000000; /* EAL has all from 4 GiB up */
	size_t room = 64 * PAGE;
	uint8_t *own = mmap(low, 2 * room, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	struct brg_nvme_qpair *qp = qpair_of(0);

	assert_ptr_equal(own, low);
	assert_works(brg_dma_register(dev, own, 2 * room));
	round_trip(qp, own + 4, own + room + PAGE + 12, room - 12, 5000, 48, 99);
	assert_works(brg_dma_unregister(dev, own, 2 * room));
	munmap(own, 2 * room);
	brg_nvme_qpair_free(qp);
}

/* The IOMMU would refuse the controller's access; the library does so before, with a reason. */
static void unregistered_memory_is_refused(void **state)
{
	const struct brg_nvme_qpair_opts opts = {.check_buffers = true};
	uint32_t nblocks = PAGE / ns.block_size;
	void *low = (void *)0x10000000; /* any IOMMU reaches it */
	uint8_t *mine = mmap(low, 4 * PAGE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	uint8_t *eal = memory(2 * PAGE);
	struct brg_nvme_long l;
	struct brg_nvme_qpair *qp;
	struct iovec iov[2] = {{eal, PAGE}, {mine, PAGE}};
	struct io io = {0};

	assert_ptr_equal(mine, low);
	assert_works(brg_nvme_qpair_create(ctrl, &opts, &qp));
	assert_fails(brg_nvme_read(qp, &ns, mine, 0, nblocks, io_done, &io), EFAULT,
		     "is not mapped for DMA");
	assert_fails(brg_nvme_write_long(qp, &ns, mine, 0, nblocks, &l, io_done, &io), EFAULT,
		     "is not mapped for DMA");
	assert_fails(brg_nvme_readv(qp, &ns, iov, 2, 0, io_done, &io), EFAULT,
		     "is not mapped for DMA");
	assert_int_equal(brg_nvme_outstanding(qp), 0);

	/* Now it may, but no further than it was registered. */
	assert_works(brg_dma_register(dev, mine, 2 * PAGE));
	assert_int_equal(read_blocks(qp, &ns, mine, 0, 2 * nblocks), 0);
	assert_fails(brg_nvme_read(qp, &ns, mine + PAGE, 0, 2 * nblocks, io_done, &io), EFAULT,
		     "is not mapped for DMA");
	assert_int_equal(read_blocks(qp, &ns, eal, 0, 2 * nblocks), 0);
	assert_memory_equal(eal, mine, 2 * PAGE);
	assert_int_equal(io.calls, 0);
	brg_nvme_qpair_free(qp);
	assert_works(brg_dma_unregister(dev, mine, 2 * PAGE));
	munmap(mine, 4 * PAGE);
	rte_free(eal);
}

static void many_in_flight(void **state)
{
	enum {
		COMMANDS = 255,
		LEN = 2 * PAGE
	};
	struct brg_nvme_qpair *qp = qpair_of(COMMANDS + 1);
	uint8_t *buf = memory(COMMANDS * LEN);
	uint32_t nblocks = LEN / ns.block_size;
	struct io io[COMMANDS];
	unsigned int round, i;

	for (round = 0; round < 4; round++) {
		memset(io, 0, sizeof(io));
		for (i = 0; i < COMMANDS; i++) {
			pattern_fill(buf + i * LEN, LEN, round, i * LEN);
			assert_works(brg_nvme_write(qp, &ns, buf + i * LEN, i * nblocks, nblocks,
						    io_done, &io[i]));
		}
		assert_int_equal(brg_nvme_write(qp, &ns, buf, 0, 1, io_done, NULL), -EAGAIN);
		drain(qp);
		memset(buf, 0, COMMANDS * LEN);
		for (i = 0; i < COMMANDS; i++)
			assert_works(brg_nvme_read(qp, &ns, buf + i * LEN, i * nblocks, nblocks,
						   io_done, &io[i]));
		drain(qp);
		for (i = 0; i < COMMANDS; i++) {
			assert_int_equal(io[i].calls, 2);
			assert_int_equal(io[i].status, 0);
			assert_true(pattern_is(buf + i * LEN, LEN, round, i * LEN));
		}
	}
	rte_free(buf);
	brg_nvme_qpair_free(qp);
}

static void flush_completes(void **state)
{
	struct brg_nvme_qpair *qp = qpair_of(2);
	struct io io = {0};

	assert_works(brg_nvme_flush(qp, &ns, io_done, &io));
	assert_int_equal(brg_nvme_flush(qp, &ns, io_done, &io), -EAGAIN);
	drain(qp);
	assert_int_equal(io.calls, 1);
	assert_int_equal(io.status, 0);
	brg_nvme_qpair_free(qp);
}

static void depths(void **state)
{
	struct brg_nvme_qpair_opts opts = {.depth = 1};
	struct brg_nvme_qpair *qp;
	uint64_t cap = brg_bar_read64(brg_nvme_bar(ctrl), NVME_REG_CAP);

	assert_fails(brg_nvme_qpair_create(ctrl, &opts, &qp), EINVAL, "depth 1");
	if (NVME_CAP_MQES(cap) < UINT16_MAX - 1) {
		opts.depth = NVME_CAP_MQES(cap) + 2;
		assert_fails(brg_nvme_qpair_create(ctrl, &opts, &qp), EINVAL, "is not within 2 to");
	}
	opts.depth = NVME_CAP_MQES(cap) + 1;
	assert_works(brg_nvme_qpair_create(ctrl, &opts, &qp));
	brg_nvme_qpair_free(qp);
}

static void queues_run_out(void **state)
{
	struct brg_nvme_qpair *qps[4], *one_more;
	uint8_t *buf = memory(PAGE);
	unsigned int i;

	for (i = 0; i < 4; i++)
		qps[i] = qpair_of(8);
	assert_fails(brg_nvme_qpair_create(ctrl, NULL, &one_more), ENOSPC, "all 4 queue pairs");
	brg_nvme_qpair_free(qps[2]);
	qps[2] = qpair_of(16);
	for (i = 0; i < 4; i++)
		assert_int_equal(read_blocks(qps[i], &ns, buf, i, 1), 0);
	for (i = 0; i < 4; i++)
		brg_nvme_qpair_free(qps[i]);
	rte_free(buf);
}

/* What only the controller can know: a namespace that is not there, blocks that are not. */
static void errors_of_commands(void **state)
{
	struct brg_nvme_qpair *qp = qpair_of(0);
	struct brg_nvme_ns wrong = ns;
	uint8_t *buf = memory(PAGE);
	uint16_t status;

	wrong.blocks *= 2;
	status = read_blocks(qp, &wrong, buf, ns.blocks, 1);
	assert_string_equal(brg_nvme_status_str(status), "LBA Out of Range");
	assert_int_equal(brg_nvme_status_errno(status), -ERANGE);
	wrong.nsid = 5;
	status = write_blocks(qp, &wrong, buf, 0, 1);
	assert_int_equal(brg_nvme_status_errno(status) < 0, 1);
	assert_int_equal(read_blocks(qp, &ns, buf, 0, 1), 0);
	rte_free(buf);
	brg_nvme_qpair_free(qp);
}

static void errors_of_admin_commands(void **state)
{
	struct brg_nvme_sqe sqe = {.opcode = nvme_admin_identify, .cdw10 = 0xf7};
	struct brg_nvme_cqe cqe;
	uint8_t page[PAGE];

	assert_fails(brg_nvme_admin(ctrl, &sqe, page, sizeof(page), &cqe), EINVAL,
		     "Invalid Field in Command");
	assert_int_equal(brg_nvme_status(&cqe) & 0x7ff, NVME_SC_INVALID_FIELD);
	sqe = (struct brg_nvme_sqe){.opcode = 0xee};
	assert_fails(brg_nvme_admin(ctrl, &sqe, NULL, 0, &cqe), EOPNOTSUPP,
		     "Invalid Command Opcode");
	sqe = (struct brg_nvme_sqe){.opcode = nvme_admin_delete_sq, .cdw10 = 3};
	assert_fails(brg_nvme_admin(ctrl, &sqe, NULL, 0, &cqe), EINVAL, "Invalid Queue Identifier");
	/* And no harm done. */
	assert_works(brg_nvme_ns_get(ctrl, 1, &ns));
}

static void freeing_calls_back(void **state)
{
	struct brg_nvme_qpair *qp = qpair_of(32);
	uint8_t *buf = memory(31 * PAGE);
	struct io io[31] = {0};
	unsigned int i;

	for (i = 0; i < 31; i++)
		assert_works(brg_nvme_read(qp, &ns, buf + i * PAGE, i, 1, io_done, &io[i]));
	brg_nvme_qpair_free(qp);
	for (i = 0; i < 31; i++) {
		assert_int_equal(io[i].calls, 1);
		assert_int_equal(io[i].status, NVME_SC_ABORT_QUEUE);
	}
	rte_free(buf);
}

static void closing_frees_queue_pairs(void **state)
{
	uint8_t *buf = memory(PAGE);
	struct io io = {0};

	assert_works(brg_nvme_read(qpair_of(0), &ns, buf, 0, 1, io_done, &io));
	qpair_of(0);
	close_ctrl(NULL);
	assert_int_equal(io.calls, 1);
	assert_int_equal(io.status, NVME_SC_ABORT_QUEUE);
	rte_free(buf);
	assert_int_equal(open_ctrl(NULL), 0);
}

/* The function is reset behind the driver's back: the admin queue is gone, nothing must hang. */
static void reset_behind_our_back(void **state)
{
	struct brg_nvme_qpair *qp;
	struct brg_nvme_ns again;

	qpair_of(0);
	assert_works(brg_device_reset(dev));
	assert_works(brg_device_set_memory_decode(dev, true));
	assert_int_equal(brg_nvme_ns_get(ctrl, 1, &again), -ETIMEDOUT);
	assert_fails(brg_nvme_ns_get(ctrl, 1, &again), EIO, "open it again");
	assert_fails(brg_nvme_qpair_create(ctrl, NULL, &qp), EIO, "open it again");
	close_ctrl(NULL);
	assert_int_equal(open_ctrl(NULL), 0);
	brg_nvme_qpair_free(qpair_of(0));
}

static void wrong_mapping_is_refused(void **state)
{
	const struct brg_nvme_opts no_registers = {.bar.offset = PAGE};
	const struct brg_nvme_opts no_doorbells = {.bar.length = PAGE};
	struct brg_nvme_qpair_opts opts = {0};
	struct brg_nvme_qpair *qp;
	struct brg_bar *bar;

	assert_works(brg_bar_map(dev, 0, &no_doorbells.bar, &bar));
	opts.bar = bar;
	assert_fails(brg_nvme_qpair_create(ctrl, &opts, &qp), EINVAL, "doorbells of queue pair 1");
	brg_bar_unmap(bar);
	close_ctrl(NULL);
	assert_fails(brg_nvme_open(dev, &no_registers, &ctrl), EINVAL, "leaves out registers");
	assert_fails(brg_nvme_open(dev, &no_doorbells, &ctrl), EINVAL, "doorbells of queue pair 0");
	assert_int_equal(open_ctrl(NULL), 0);
}

/* The guard turns what would be SIGBUS into what the driver knows: registers of all-ones. */
static void without_memory_decode(void **state)
{
	uint8_t *buf = memory(PAGE);
	struct brg_nvme_qpair *qp = qpair_of(0);
	struct io io = {0};

	brg_bar_guard(); /* cmocka has put a handler of its own in place */
	assert_works(brg_device_set_memory_decode(dev, false));
	assert_works(brg_nvme_read(qp, &ns, buf, 0, 1, io_done, &io)); /* rings a doorbell */
	assert_true(brg_bar_read64(brg_nvme_bar(ctrl), 0) == UINT64_MAX);
	brg_nvme_qpair_free(qp);
	assert_int_equal(io.calls,
			 0); /* it could still be writing to the buffer, for all we know */
	close_ctrl(NULL);
	assert_int_equal(io.calls, 1);
	assert_fails(brg_nvme_open(dev, NULL, &ctrl), ENODEV, "all-ones");

	assert_works(brg_device_set_memory_decode(dev, true));
	assert_int_equal(open_ctrl(NULL), 0);
	assert_int_equal(read_blocks(qp = qpair_of(0), &ns, buf, 0, 1), 0);
	brg_nvme_qpair_free(qp);
	rte_free(buf);
}

/* One lcore's share: blocks of its own, written and read with a few commands in flight. */
struct share {
	struct brg_nvme_qpair *qp;
	uint8_t *buf;
	uint64_t first;
	unsigned int seed;
};

/* Runs on an lcore, where cmocka's asserts must not: they would jump onto the main lcore's stack.
 */
static int work_on_share(void *arg)
{
	enum {
		COMMANDS = 16,
		ROUNDS = 40
	};
	struct share *share = arg;
	unsigned int round, i;
	struct io io = {0};

	for (round = 0; round < ROUNDS; round++) {
		for (i = 0; i < COMMANDS; i++) {
			uint64_t lba = share->first + i * (PAGE / ns.block_size);

			pattern_fill(share->buf + i * PAGE, PAGE, share->seed + round,
				     lba * ns.block_size);
			if (brg_nvme_write(share->qp, &ns, share->buf + i * PAGE, lba,
					   PAGE / ns.block_size, io_done, &io))
				return -1;
		}
		while (brg_nvme_outstanding(share->qp))
			if (brg_nvme_poll(share->qp, 0) < 0 || io.status)
				return -2;
		memset(share->buf, 0, COMMANDS * PAGE);
		for (i = 0; i < COMMANDS; i++)
			if (brg_nvme_read(share->qp, &ns, share->buf + i * PAGE,
					  share->first + i * (PAGE / ns.block_size),
					  PAGE / ns.block_size, io_done, &io))
				return -3;
		while (brg_nvme_outstanding(share->qp))
			if (brg_nvme_poll(share->qp, 0) < 0 || io.status)
				return -4;
		if (!pattern_is(share->buf, COMMANDS * PAGE, share->seed + round,
				share->first * ns.block_size))
			return -5;
	}
	return io.calls == 2 * COMMANDS * ROUNDS ? 0 : -6;
}

static void all_lcores(bool own_mapping)
{
	struct share shares[RTE_MAX_LCORE] = {0};
	struct brg_bar *bars[RTE_MAX_LCORE] = {0};
	unsigned int lcore;

	assert_in_range(rte_lcore_count(), 2, 4);
	RTE_LCORE_FOREACH (lcore) {
		struct brg_nvme_qpair_opts opts = {.depth = 32};

		if (own_mapping)
			assert_works(brg_bar_map(dev, 0, NULL, &bars[lcore]));
		opts.bar = bars[lcore];
		assert_works(brg_nvme_qpair_create(ctrl, &opts, &shares[lcore].qp));
		shares[lcore].buf = memory(16 * PAGE);
		shares[lcore].first = 1000 + lcore * 16 * (PAGE / ns.block_size);
		shares[lcore].seed = 100 * lcore;
	}
	RTE_LCORE_FOREACH_WORKER (lcore)
		assert_int_equal(rte_eal_remote_launch(work_on_share, &shares[lcore], lcore), 0);
	assert_int_equal(work_on_share(&shares[rte_lcore_id()]), 0);
	RTE_LCORE_FOREACH_WORKER (lcore)
		assert_int_equal(rte_eal_wait_lcore(lcore), 0);
	RTE_LCORE_FOREACH (lcore) {
		brg_nvme_qpair_free(shares[lcore].qp);
		brg_bar_unmap(bars[lcore]);
		rte_free(shares[lcore].buf);
	}
}

static void lcores_with_their_own_mappings(void **state)
{
	all_lcores(true);
}

static void lcores_on_one_mapping(void **state)
{
	all_lcores(false);
}

/* Sleep after each command and between the commands of a batch; be woken by a reset as well. */
static void interrupts(void **state)
{
	const struct brg_nvme_opts opts = {.io_queues = 2, .interrupts = true};
	struct brg_nvme_qpair_opts with = {.depth = 32, .interrupts = true};
	struct brg_nvme_qpair *qp, *polled = qpair_of(0), *other;
	uint8_t *buf = memory(31 * PAGE);
	struct io io = {0};
	unsigned int i;

	assert_fails(brg_nvme_wait(polled, 0), ENOTSUP, "without interrupts");
	assert_fails(brg_nvme_qpair_create(ctrl, &with, &qp), EINVAL, "none for queue pair 2");
	close_ctrl(NULL);
	assert_works(brg_nvme_open(dev, &opts, &ctrl));
	assert_works(brg_nvme_qpair_create(ctrl, &with, &qp));
	assert_works(brg_nvme_qpair_create(ctrl, &with, &other));
	assert_int_not_equal(brg_nvme_qpair_fd(qp), brg_nvme_qpair_fd(other));
	assert_int_equal(brg_nvme_poll(qp, 0), 0);
	assert_int_equal(brg_nvme_wait(qp, 0), 0);

	for (i = 1; i <= 600; i++) { /* more than the rings have room for */
		assert_int_equal(brg_nvme_poll(qp, 0), 0);
		assert_works(brg_nvme_read(qp, &ns, buf, i, 1, io_done, &io));
		while (io.calls < i) {
			assert_int_equal(brg_nvme_wait(qp, 20000), 1);
			assert_works(brg_nvme_poll(qp, 0));
		}
		assert_int_equal(io.status, 0);
	}
	for (i = 0; i < 31; i++)
		assert_works(brg_nvme_read(qp, &ns, buf + i * PAGE, i, 1, io_done, &io));
	while (io.calls < 631) {
		assert_int_equal(brg_nvme_wait(qp, 20000), 1);
		assert_works(brg_nvme_poll(qp, 0));
	}

	assert_int_equal(brg_nvme_arm(qp), 0);
	assert_int_equal(brg_nvme_read(qp, &ns, buf, 0, 1, io_done, &io), -EAGAIN);
	assert_works(brg_nvme_reset(ctrl));
	assert_int_equal(poll(&(struct pollfd){brg_nvme_qpair_fd(qp), POLLIN, 0}, 1, 0), 1);
	assert_int_equal(brg_nvme_poll(qp, 0), 0);
	assert_works(brg_nvme_read(qp, &ns, buf, 0, 1, io_done, &io));
	while (io.calls < 632) {
		assert_int_equal(brg_nvme_wait(qp, 20000), 1);
		assert_works(brg_nvme_poll(qp, 0));
	}
	assert_int_equal(io.status, 0);
	rte_free(buf);
	brg_nvme_qpair_free(qp);
	brg_nvme_qpair_free(other);
}

#define ON_A_CONTROLLER(test) cmocka_unit_test_setup_teardown(test, open_ctrl, close_ctrl)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_A_CONTROLLER(opens_again_and_again),
		ON_A_CONTROLLER(identifies_itself),
		ON_A_CONTROLLER(namespaces),
		ON_A_CONTROLLER(data_of_any_size_and_alignment),
		ON_A_CONTROLLER(last_blocks_of_the_namespace),
		ON_A_CONTROLLER(registered_memory),
		ON_A_CONTROLLER(unregistered_memory_is_refused),
		ON_A_CONTROLLER(many_in_flight),
		ON_A_CONTROLLER(flush_completes),
		ON_A_CONTROLLER(depths),
		ON_A_CONTROLLER(queues_run_out),
		ON_A_CONTROLLER(errors_of_commands),
		ON_A_CONTROLLER(errors_of_admin_commands),
		ON_A_CONTROLLER(freeing_calls_back),
		ON_A_CONTROLLER(closing_frees_queue_pairs),
		ON_A_CONTROLLER(reset_behind_our_back),
		ON_A_CONTROLLER(without_memory_decode),
		ON_A_CONTROLLER(wrong_mapping_is_refused),
		ON_A_CONTROLLER(interrupts),
		ON_A_CONTROLLER(lcores_with_their_own_mappings),
		ON_A_CONTROLLER(lcores_on_one_mapping),
	};

	test_bdf(); /* or exit */
	return cmocka_run_group_tests(tests, open_device, close_device);
}
