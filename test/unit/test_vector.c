/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What commands say of data in pieces, of where it is placed, and of protection information,
 * without a device: the entry that a submission leaves in the ring, and the bytes that it leaves in
 * memory.
 */

#include "unit.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl.h"
#include "device.h"
#include "prp.h"

#define DEPTH 8
#define PAGE  4096

static struct brg_nvme_ctrl ctrl;
static struct brg_nvme_qpair *qp;
static uint32_t sq_doorbell, cq_doorbell;
static uint8_t *memory;
static void *dma;
static const struct brg_nvme_ns ns = {
	.nsid = 1, .block_size = 512, .blocks = 100000, .simple_end = BRG_SIMPLE_END(512)};

static int make_queue(void **state)
{
	struct brg_queue_opts opts = {
		.depth = DEPTH,
		.cq_depth = DEPTH,
		.max_transfer = 8 * PAGE,
		.sq_doorbell = &sq_doorbell,
		.cq_doorbell = &cq_doorbell,
	};
	size_t bytes = RTE_ALIGN_CEIL(brg_queue_bytes(DEPTH), RTE_CACHE_LINE_SIZE);

	dma = aligned_alloc(PAGE, brg_queue_dma_bytes(&opts));
	qp = aligned_alloc(RTE_CACHE_LINE_SIZE, bytes);
	memory = aligned_alloc(PAGE, 64 * PAGE);
	if (!dma || !qp || !memory)
		return -1;
	memset(dma, 0, brg_queue_dma_bytes(&opts));
	memset(qp, 0, bytes);
	opts.dma = dma;
	brg_queue_init(qp, &opts);
	ctrl = (struct brg_nvme_ctrl){.bdf = "0000:00:1f.7"};
	qp->ctrl = &ctrl;
	return 0;
}

static int free_queue(void **state)
{
	free(memory);
	free(qp);
	free(dma);
	return 0;
}

static void never(void *arg, const struct brg_nvme_cqe *cqe)
{
	fail_msg("nothing completes here");
}

static const struct brg_nvme_sqe *last(void)
{
	return (const struct brg_nvme_sqe *)qp->path.sq +
	       (brg_nvme_tail(&qp->path) + DEPTH - 1) % DEPTH;
}

static int read_pieces(const struct iovec *iov, unsigned int n)
{
	return brg_nvme_readv(qp, &ns, iov, n, 5, never, NULL);
}

static void pages_need_no_sgl(void **state)
{
	const struct iovec two[] = {{memory + 512, PAGE - 512}, {memory + 8 * PAGE, 512}};
	const struct iovec many[] = {
		{memory + 4, PAGE - 4}, {memory + 8 * PAGE, 2 * PAGE}, {memory + 4 * PAGE, 4}};
	const uint64_t *list;

	assert_int_equal(read_pieces(two, 2), 0);
	assert_int_equal(last()->flags, 0);
	assert_int_equal(last()->cdw10, 5);
	assert_int_equal(last()->cdw12, 7);
	assert_true(last()->prp1 == (uintptr_t)two[0].iov_base);
	assert_true(last()->prp2 == (uintptr_t)two[1].iov_base);
	assert_int_equal(read_pieces(many, 3), 0);
	assert_int_equal(last()->cdw12, 3 * 8 - 1);
	list = (const uint64_t *)(uintptr_t)last()->prp2;
	assert_true(list[0] == (uintptr_t)memory + 8 * PAGE);
	assert_true(list[1] == (uintptr_t)memory + 9 * PAGE);
	assert_true(list[2] == (uintptr_t)memory + 4 * PAGE);
}

static void others_take_an_sgl(void **state)
{
	const struct iovec odd[] = {{memory + 100, 100}, {memory + 300, 412}};
	const uint64_t *list;

	assert_fails(read_pieces(odd, 2), ENOTSUP, "no scatter gather lists (SGLS 0)");
	assert_int_equal(qp->path.sq_at, 0);
	ctrl.id.sgls = 1;
	assert_int_equal(read_pieces(odd, 2), 0);
	assert_int_equal(last()->flags, 0x40);
	assert_int_equal(last()->cdw12, 0);
	assert_true(last()->prp2 == (UINT64_C(0x30) << 56 | 2 * 16));
	list = (const uint64_t *)(uintptr_t)last()->prp1;
	assert_true(list[0] == (uintptr_t)memory + 100);
	assert_true(list[1] == 100); /* and type 0: data */
	assert_true(list[2] == (uintptr_t)memory + 300);
	assert_true(list[3] == 412);
}

static void bad_pieces(void **state)
{
	struct iovec iov[17];

	ctrl.id.sgls = 1;
	for (unsigned int i = 0; i < 17; i++)
		iov[i] = (struct iovec){memory + 1024 * i, 512};
	assert_int_equal(read_pieces(iov, 16), 0);
	assert_fails(read_pieces(iov, 17), EINVAL,
		     "piece 16 is one too many: a command has room for 16");
	assert_fails(read_pieces(iov, 0), EINVAL, "no pieces");
	iov[1].iov_len = 0;
	assert_fails(read_pieces(iov, 2), EINVAL, "piece 1 is empty");
	iov[1].iov_len = 510;
	assert_fails(read_pieces(iov, 2), EINVAL, "piece 1: 510 bytes");
	iov[1].iov_len = 508;
	assert_fails(read_pieces(iov, 2), EINVAL, "1020 bytes are no multiple");
	iov[1].iov_len = SIZE_MAX - 3;
	assert_fails(read_pieces(iov, 2), EINVAL, "more than the 32768 bytes");
	iov[1].iov_len = 512;
	assert_fails(brg_nvme_writev(qp, &ns, iov, 2, ns.blocks - 1, never, NULL), EINVAL,
		     "beyond");
}

/* Pages in any order, each twice as far as it is long; then one that begins where none does. */
struct walk {
	unsigned int asked, pages;
	bool odd, endless;
};

static bool next_page(void *pieces, struct iovec *piece)
{
	struct walk *w = pieces;
	unsigned int i = w->asked++;

	*piece = (struct iovec){memory + 2 * PAGE * i, PAGE};
	if (i == 0)
		*piece = (struct iovec){memory + 512, PAGE - 512};
	if (i == w->pages)
		*piece = (struct iovec){memory + 40 * PAGE + 4, 512};
	return w->endless || i < w->pages || (w->odd && i == w->pages);
}

static int read_walk(struct walk *w)
{
	return brg_nvme_read_pieces(qp, &ns, next_page, w, 5, never, NULL);
}

static void pieces_from_a_callback(void **state)
{
	struct walk pages = {.pages = 7};
	struct walk odd = {.pages = 7, .odd = true};
	const uint64_t *list;

	assert_int_equal(read_walk(&pages), 0);
	assert_int_equal(pages.asked, 8); /* seven, and that there are no more */
	assert_int_equal(last()->flags, 0);
	assert_int_equal(last()->cdw12, 7 * 8 - 2);
	assert_true(last()->prp1 == (uintptr_t)memory + 512);
	list = (const uint64_t *)(uintptr_t)last()->prp2;
	for (unsigned int i = 1; i < 7; i++)
		assert_true(list[i - 1] == (uintptr_t)memory + 2 * PAGE * i);
	/* The last piece turns all before it into descriptors. */
	assert_fails(read_walk(&odd), ENOTSUP, "no scatter gather lists");
	odd.asked = 0;
	ctrl.id.sgls = 1;
	assert_int_equal(read_walk(&odd), 0);
	assert_int_equal(last()->flags, 0x40);
	assert_int_equal(last()->cdw12, 7 * 8 - 1);
	assert_true(last()->prp2 == (UINT64_C(0x30) << 56 | 8 * 16));
	list = (const uint64_t *)(uintptr_t)last()->prp1;
	assert_true(list[0] == (uintptr_t)memory + 512 && list[1] == PAGE - 512);
	for (unsigned int i = 1; i < 7; i++)
		assert_true(list[2 * i] == (uintptr_t)memory + 2 * PAGE * i &&
			    list[2 * i + 1] == PAGE);
	assert_true(list[14] == (uintptr_t)memory + 40 * PAGE + 4 && list[15] == 512);
	pages.asked = 0;
	assert_int_equal(brg_nvme_write_pieces(qp, &ns, next_page, &pages, 5, never, NULL), 0);
	assert_int_equal(last()->opcode, nvme_cmd_write);
}

/* What lies next to each other is one piece, also among descriptors. */
static void neighbours_are_one_piece(void **state)
{
	struct iovec iov[24];
	const uint64_t *list;

	for (unsigned int i = 0; i < 24; i++)
		iov[i] = (struct iovec){memory + 100 + 512 * i, 512};
	assert_int_equal(read_pieces(iov, 24), 0);
	assert_int_equal(last()->flags, 0);
	assert_int_equal(last()->cdw12, 23);
	assert_true(last()->prp1 == (uintptr_t)memory + 100);
	list = (const uint64_t *)(uintptr_t)last()->prp2;
	for (unsigned int i = 1; i <= 3; i++)
		assert_true(list[i - 1] == (uintptr_t)memory + i * PAGE);
	/* The same with a gap: two descriptors, the first across three pages. */
	ctrl.id.sgls = 1;
	iov[20].iov_base = memory + 20 * PAGE + 4;
	for (unsigned int i = 21; i < 24; i++)
		iov[i].iov_base = (uint8_t *)iov[i - 1].iov_base + 512;
	assert_int_equal(read_pieces(iov, 24), 0);
	assert_true(last()->prp2 == (UINT64_C(0x30) << 56 | 2 * 16));
	list = (const uint64_t *)(uintptr_t)last()->prp1;
	assert_true(list[0] == (uintptr_t)memory + 100 && list[1] == 20 * 512);
	assert_true(list[2] == (uintptr_t)memory + 20 * PAGE + 4 && list[3] == 4 * 512);
}

/* As many entries as there is room for, one byte beyond them, and pieces without an end. */
static void as_much_as_fits(void **state)
{
	struct walk w = {.pages = 100, .endless = true};
	const struct iovec most[] = {{memory + PAGE - 4, 4},
				     {memory + 4 * PAGE, 7 * PAGE},
				     {memory + 20 * PAGE, PAGE - 4}};
	const struct iovec more[] = {most[0], most[1], {memory + 20 * PAGE, PAGE}};
	const uint64_t *list;

	assert_int_equal(read_pieces(most, 3), 0);
	list = (const uint64_t *)(uintptr_t)last()->prp2;
	assert_true(list[7] == (uintptr_t)memory + 20 * PAGE);
	assert_fails(read_pieces(more, 3), EINVAL, "with piece 2 the data is more than the 32768");
	assert_fails(read_walk(&w), EINVAL, "more than the 32768 bytes");
	assert_int_equal(w.asked, 9);
}

/* Where byte @p at of the last command's data is, by its PRPs or its descriptors. */
static uint64_t where_is(uint64_t at)
{
	const uint64_t *first = (const uint64_t *)(uintptr_t)last()->prp1;
	uint64_t total = (last()->cdw12 + 1) * UINT64_C(512), in_first = PAGE - last()->prp1 % PAGE;
	uint64_t page;

	if (last()->flags) {
		for (; at >= first[1]; first += 2)
			at -= first[1];
		return first[0] + at;
	}
	if (at < in_first)
		return last()->prp1 + at;
	page = (at - in_first) / PAGE;
	if (total <= in_first + PAGE)
		return last()->prp2 + at - in_first;
	return ((const uint64_t *)(uintptr_t)last()->prp2)[page] + (at - in_first) % PAGE;
}

static uint64_t random_state = 1;

static unsigned int random_below(unsigned int limit)
{
	random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (random_state >> 33) % limit;
}

/* Mostly such as PRPs can say, some next to each other, and a few anywhere. */
static unsigned int random_pieces(struct iovec *iov, unsigned int most)
{
	unsigned int n = 1 + random_below(most), odd = random_below(2) ? 20 : 1000;
	uint8_t *at = memory + 4 * random_below(1024);
	size_t total = 0;

	for (unsigned int i = 0; i < n; i++) {
		size_t to_page = PAGE - (uintptr_t)at % PAGE;

		if (i && random_below(odd) == 0)
			at = memory + 4 * random_below(40 * 1024);
		else if (i && (uintptr_t)at % PAGE == 0 && random_below(2))
			at = memory + (size_t)PAGE * random_below(40);
		iov[i] = (struct iovec){at, random_below(3) ? to_page : 512};
		at += iov[i].iov_len;
		total += iov[i].iov_len;
	}
	iov[n - 1].iov_len += -total % 512; /* whole blocks */
	return n;
}

/* Whatever the pieces are: each byte is where they say. */
static void all_bytes_are_where_they_belong(void **state)
{
	unsigned int submitted = 0, lists = 0;
	struct iovec iov[12];

	ctrl.id.sgls = 1;
	for (unsigned int round = 0; round < 5000; round++) {
		unsigned int n = random_pieces(iov, 12);
		uint64_t at = 0;

		if (read_pieces(iov, n))
			continue;
		for (unsigned int i = 0; i < n; i++)
			for (size_t byte = 0; byte < iov[i].iov_len; byte += 4, at += 4)
				if (where_is(at) != (uintptr_t)iov[i].iov_base + byte)
					fail_msg("round %u: byte %zu of piece %u", round, byte, i);
		assert_int_equal(at, (last()->cdw12 + 1) * 512);
		submitted++;
		lists += last()->flags != 0;
		brg_queue_trackers(qp)->cb = NULL; /* the one in flight */
		brg_queue_restart(qp);
	}
	assert_in_range(lists, 500, submitted - 500);
}

/* Nobody is asked for pieces that there is no command for. */
static void full_queues_ask_nobody(void **state)
{
	struct walk w = {.pages = 7};

	for (unsigned int i = 0; i < DEPTH - 1; i++)
		assert_int_equal(brg_nvme_flush(qp, &ns, never, NULL), 0);
	assert_int_equal(read_walk(&w), -EAGAIN);
	assert_int_equal(w.asked, 0);
}

static int write_placed(const void *buf, uint64_t lba, uint32_t nblocks)
{
	return brg_nvme_write_placed(qp, &ns, buf, lba, nblocks, 0xbeef, never, NULL);
}

/* The directive is nobody else's bits; data of any size has its list. */
static void writes_are_placed(void **state)
{
	const uint64_t *list;

	assert_fails(write_placed(memory, 5, 1), ENOTSUP, "flexible data placement (CTRATT 0)");
	ctrl.id.ctratt = NVME_CTRL_CTRATT_FDPS;
	assert_int_equal(write_placed(memory, UINT64_C(5), 24), 0);
	assert_int_equal(last()->opcode, nvme_cmd_write);
	assert_int_equal(last()->nsid, 1);
	assert_int_equal(last()->cdw10, 5);
	assert_int_equal(last()->cdw12, 2 << 20 | 23);
	assert_true(last()->cdw13 == 0xbeef0000u);
	list = (const uint64_t *)(uintptr_t)last()->prp2;
	assert_true(list[1] == (uintptr_t)memory + 2 * PAGE);
	assert_fails(write_placed(memory, ns.blocks, 1), EINVAL, "beyond");
	assert_fails(write_placed(memory, 0, 0), EINVAL, "no blocks");
	assert_fails(write_placed(memory, 0, 65), EINVAL, "33280 bytes of data");
	assert_fails(write_placed(memory + 1, 0, 1), EINVAL, "aligned");
	assert_int_equal(brg_nvme_tail(&qp->path), 1);
}

static void what_was_built_is_placed(void **state)
{
	struct brg_nvme_sqe sqe;

	ctrl.max_transfer = 8 * PAGE;
	assert_int_equal(brg_nvme_prepare(&ctrl, &ns, nvme_cmd_write, memory, 7, 3, NULL, &sqe), 0);
	sqe.cdw12 |= UINT32_C(1) << 30; /* force unit access */
	sqe.cdw13 = 0x12;		/* dataset management */
	brg_nvme_place(&sqe, 0xffff);
	brg_nvme_place(&sqe, 0x8001);
	assert_true(sqe.cdw12 == (UINT32_C(1) << 30 | 2 << 20 | 2));
	assert_true(sqe.cdw13 == 0x80010012u);
	assert_int_equal(sqe.cdw10, 7);
}

static void reclaim_unit_handles(void **state)
{
	const uint16_t *pids = (const uint16_t *)memory;

	assert_fails(brg_nvme_ruh_status(qp, &ns, memory, 512, never, NULL), ENOTSUP, "CTRATT");
	assert_fails(brg_nvme_ruh_update(qp, &ns, pids, 1, never, NULL), ENOTSUP, "CTRATT");
	ctrl.id.ctratt = NVME_CTRL_CTRATT_FDPS;
	assert_int_equal(brg_nvme_ruh_status(qp, &ns, memory, 512, never, NULL), 0);
	assert_int_equal(last()->opcode, nvme_cmd_io_mgmt_recv);
	assert_int_equal(last()->cdw10, 1);
	assert_int_equal(last()->cdw11, 127);
	assert_true(last()->prp1 == (uintptr_t)memory);
	assert_int_equal(brg_nvme_ruh_update(qp, &ns, pids, 2048, never, NULL), 0);
	assert_int_equal(last()->opcode, nvme_cmd_io_mgmt_send);
	assert_int_equal(last()->cdw10, 2047 << 16 | 1);
	assert_fails(brg_nvme_ruh_status(qp, &ns, memory, 12, never, NULL), EINVAL, "12 bytes");
	assert_fails(brg_nvme_ruh_status(qp, &ns, memory, 18, never, NULL), EINVAL, "18 bytes");
	assert_fails(brg_nvme_ruh_update(qp, &ns, pids, 0, never, NULL), EINVAL, "takes 1 to 2048");
	assert_fails(brg_nvme_ruh_update(qp, &ns, pids, 2049, never, NULL), EINVAL, "2049");
	assert_string_equal(brg_nvme_status_str(BRG_NVME_SC_FDP_DISABLED),
			    "Flexible Data Placement Disabled");
	assert_int_equal(brg_nvme_status_errno(BRG_NVME_SC_FDP_DISABLED), -EOPNOTSUPP);
	assert_int_equal(brg_nvme_status_errno(BRG_NVME_SC_INVALID_PLACEMENT), -EINVAL);
}

/* The CRC's check value; a guard of the data alone, and of metadata before it. */
static void guards(void **state)
{
	const struct brg_nvme_ns nine = {.block_size = 9};
	const struct brg_nvme_meta only = {.bytes = 8, .pi_type = 1};
	const struct brg_nvme_meta behind = {.bytes = 12, .pi_type = 1};
	const struct brg_nvme_protect p = {.app_tag = 0x1122, .ref_tag = 0x33445566};
	uint8_t md[12] = {'6', '7', '8', '9'};
	const struct brg_nvme_ns five = {.block_size = 5};

	brg_nvme_protect_fill(&nine, &only, &p, "123456789", md, 1);
	assert_memory_equal(md, "\xd0\xdb\x11\x22\x33\x44\x55\x66", 8);
	memcpy(md, "6789", 4);
	brg_nvme_protect_fill(&five, &behind, &p, "12345", md, 1);
	assert_memory_equal(md, "6789\xd0\xdb\x11\x22\x33\x44\x55\x66", 12);
}

/* Types 1 and 2 count the reference tag, type 3 does not; all-ones turn checks off. */
static void tags(void **state)
{
	struct brg_nvme_meta meta = {.bytes = 8, .extended = true, .pi_type = 2, .pi_first = true};
	struct brg_nvme_protect p = {.app_tag = 7,
				     .app_mask = 0xffff,
				     .ref_tag = UINT32_MAX,
				     .check_guard = true,
				     .check_app = true,
				     .check_ref = true};

	memset(memory, 0x5a, 3 * 520);
	brg_nvme_protect_fill(&ns, &meta, &p, memory, NULL, 3);
	assert_memory_equal(memory + 520 + 512 + 4, "\0\0\0\0", 4); /* it wraps */
	assert_int_equal(brg_nvme_protect_check(&ns, &meta, &p, memory, NULL, 3), 0);
	memory[2 * 520] ^= 1;
	assert_fails(brg_nvme_protect_check(&ns, &meta, &p, memory, NULL, 3), EILSEQ, "block 2");
	memset(memory + 2 * 520 + 512 + 2, 0xff, 2);
	assert_int_equal(brg_nvme_protect_check(&ns, &meta, &p, memory, NULL, 3), 0);
	meta.pi_type = 3; /* wants the reference tag all-ones as well */
	assert_fails(brg_nvme_protect_check(&ns, &meta, &p, memory + 520, NULL, 2), EILSEQ,
		     "block 0: its reference tag");
	p.check_ref = false;
	assert_fails(brg_nvme_protect_check(&ns, &meta, &p, memory + 520, NULL, 2), EILSEQ,
		     "block 1: its guard");
}

/* No memory is mapped for this device: it is told of the first that is not, if it is transferred.
 */
static void buffers_of_metadata_are_checked(void **state)
{
	const struct brg_nvme_meta meta = {.bytes = 8, .pi_type = 1};
	struct brg_nvme_protect p = {0};
	uint8_t *md = memory + 8 * PAGE;
	max_align_t group[16] = {0}; /* of no container, and so nothing is mapped for it */
	struct brg_device dev = {.group = (struct brg_group *)group};
	char words[64];

	ctrl.dev = &dev;
	qp->checks_buffers = true;
	snprintf(words, sizeof(words), "%p + 24 is not mapped", (void *)md);
	assert_fails(brg_nvme_read_meta(qp, &ns, &meta, &p, memory, md, 0, 3, never, NULL), EFAULT,
		     words);
	p.action = true;
	snprintf(words, sizeof(words), "%p + 1536 is not mapped", (void *)memory);
	assert_fails(brg_nvme_read_meta(qp, &ns, &meta, &p, memory, md, 0, 3, never, NULL), EFAULT,
		     words);
	assert_int_equal(qp->path.sq_at, 0);
}

static void flags_of_commands(void **state)
{
	const uint16_t both = NVME_IO_FUA | NVME_IO_LR;
	const uint64_t *list;

	assert_int_equal(brg_nvme_write_flags(qp, &ns, memory, 7, 8, NVME_IO_FUA, never, NULL), 0);
	assert_int_equal(last()->opcode, nvme_cmd_write);
	assert_int_equal(last()->nsid, 1);
	assert_int_equal(last()->cdw10, 7);
	assert_true(last()->cdw12 == (UINT32_C(1) << 30 | 7));
	assert_true(last()->prp1 == (uintptr_t)memory && !last()->prp2);
	assert_int_equal(
		brg_nvme_read_flags(qp, &ns, memory + 512, 99984, 16, NVME_IO_LR, never, NULL), 0);
	assert_int_equal(last()->opcode, nvme_cmd_read);
	assert_true(last()->cdw12 == (UINT32_C(1) << 31 | 15));
	assert_true(last()->prp1 == (uintptr_t)memory + 512);
	list = (const uint64_t *)(uintptr_t)last()->prp2;
	assert_true(list[0] == (uintptr_t)memory + PAGE && list[1] == (uintptr_t)memory + 2 * PAGE);
	assert_int_equal(brg_nvme_read_flags(qp, &ns, memory, 0, 1, both, never, NULL), 0);
	assert_true(last()->cdw12 == UINT32_C(3) << 30);
	assert_int_equal(brg_nvme_read_flags(qp, &ns, memory, 0, 1, 0, never, NULL), 0);
	assert_int_equal(last()->cdw12, 0);

	assert_fails(brg_nvme_read_flags(qp, &ns, memory, 0, 1, NVME_IO_PRINFO_PRACT, never, NULL),
		     EINVAL, "flags 0x2000");
	assert_fails(brg_nvme_read_flags(qp, &ns, memory, 99999, 2, both, never, NULL), EINVAL,
		     "beyond");
	assert_fails(brg_nvme_read_flags(qp, &ns, memory, 0, 0, both, never, NULL), EINVAL,
		     "no blocks");
	assert_fails(brg_nvme_read_flags(qp, &ns, memory + 2, 0, 1, both, never, NULL), EINVAL,
		     "dword");
	assert_fails(brg_nvme_read_flags(qp, &ns, memory, 0, 65, both, never, NULL), EINVAL,
		     "65 blocks of 512 bytes");
	assert_int_equal(brg_nvme_outstanding(qp), 4);
}

#define assert_has_metadata(call) \
	assert_fails((call), ENOTSUP, "namespace 3 has 8 bytes of metadata per block")

/* Data without it, as all calls but two have it, is not what such a namespace transfers. */
static void metadata_is_not_for_plain_calls(void **state)
{
	const struct brg_nvme_ns with = {
		.nsid = 3, .block_size = 512, .blocks = 1000, .metadata = 8};
	const struct brg_nvme_zoned zoned = {.zone_blocks = 100, .append_blocks = 8};
	const struct brg_nvme_meta meta = {.bytes = 8, .extended = true};
	const struct brg_nvme_protect none = {0};
	const struct brg_nvme_io io = {memory, 0, 1, never, NULL};
	const struct iovec piece = {memory, 512};
	struct brg_nvme_long l;
	struct brg_nvme_sqe sqe;
	uint64_t list[8];

	ctrl.id.oncs = NVME_CTRL_ONCS_COMPARE;
	ctrl.id.fuses = NVME_CTRL_FUSES_COMPARE_AND_WRITE;
	ctrl.max_transfer = 8 * PAGE;
	assert_int_equal(brg_fused_init(qp), 0);
	assert_has_metadata(brg_nvme_read(qp, &with, memory, 0, 1, never, NULL));
	assert_has_metadata(brg_nvme_read(qp, &with, memory, 0, 16, never, NULL));
	assert_has_metadata(brg_nvme_write(qp, &with, memory, 0, 1, never, NULL));
	assert_has_metadata(brg_nvme_read_flags(qp, &with, memory, 0, 1, NVME_IO_FUA, never, NULL));
	assert_has_metadata(
		brg_nvme_write_flags(qp, &with, memory, 0, 1, NVME_IO_FUA, never, NULL));
	assert_has_metadata(brg_nvme_read_many(qp, &with, &io, 1));
	assert_has_metadata(brg_nvme_write_many(qp, &with, &io, 1));
	assert_has_metadata(brg_nvme_compare(qp, &with, memory, 0, 1, never, NULL));
	assert_has_metadata(
		brg_nvme_compare_and_write(qp, &with, memory, memory, 0, 1, never, NULL));
	assert_has_metadata(brg_nvme_zone_append(qp, &with, &zoned, memory, 0, 1, never, NULL));
	assert_has_metadata(brg_nvme_read_long(qp, &with, memory, 0, 100, &l, never, NULL));
	assert_has_metadata(brg_nvme_write_long(qp, &with, memory, 0, 100, &l, never, NULL));
	assert_has_metadata(brg_nvme_readv(qp, &with, &piece, 1, 0, never, NULL));
	assert_has_metadata(brg_nvme_writev(qp, &with, &piece, 1, 0, never, NULL));
	assert_has_metadata(
		brg_nvme_prepare(&ctrl, &with, nvme_cmd_read, memory, 0, 1, list, &sqe));
	assert_int_equal(qp->path.sq_at, 0);
	assert_int_equal(
		brg_nvme_read_meta(qp, &with, &meta, &none, memory, NULL, 0, 1, never, NULL), 0);
	assert_true(qp->path.sq_at != 0);
	free(qp->halves);
}

#define with_queue(test) cmocka_unit_test_setup_teardown(test, make_queue, free_queue)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_queue(pages_need_no_sgl),
		with_queue(others_take_an_sgl),
		with_queue(bad_pieces),
		with_queue(pieces_from_a_callback),
		with_queue(neighbours_are_one_piece),
		with_queue(as_much_as_fits),
		with_queue(full_queues_ask_nobody),
		with_queue(all_bytes_are_where_they_belong),
		with_queue(writes_are_placed),
		with_queue(what_was_built_is_placed),
		with_queue(reclaim_unit_handles),
		cmocka_unit_test(guards),
		with_queue(tags),
		with_queue(buffers_of_metadata_are_checked),
		with_queue(flags_of_commands),
		with_queue(metadata_is_not_for_plain_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
