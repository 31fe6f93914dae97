/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A queue pair against a controller played by this file in plain memory: it fetches what the
 * submission doorbell covers, and posts completions in whatever order and with whatever identifier
 * a test wants. It never posts to a full completion queue, as no controller may.
 */

#include "unit.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "brg_base.h"
#include "ctrl.h"
#include "prp.h"

#define MAX_TRANSFER (128 * 1024u)

/* A page of them, of which those of one queue pair are used. */
struct doorbells {
	uint32_t sq, cq;
	uint8_t others[BRG_PRP_PAGE - 8];
};

/* The controller's side of the rings. */
struct fake {
	struct brg_nvme_qpair *qp;
	struct brg_nvme_cqe *cq;
	void *dma;
	uint32_t depth, cq_depth;
	uint32_t sq_doorbell, cq_doorbell;
	uint32_t sq_head, cq_tail;
	uint16_t phase;

	bool shadows; /* these are looked at, and doorbells are to be rung where an event index is
		       */
	bool asleep;
	struct doorbells shadow, event; /* side by side */
};

/* A fake that differs from the usual one. */
struct kind {
	uint32_t cq_depth;
	bool shadows, manual;
};

static const struct brg_nvme_ns ns = {
	.nsid = 1, .block_size = 512, .blocks = 1000, .simple_end = BRG_SIMPLE_END(512)};

static struct fake *fake_of(uint16_t depth, const struct kind *kind)
{
	struct brg_queue_opts opts = {
		.depth = depth,
		.cq_depth = kind->cq_depth,
		.max_transfer = MAX_TRANSFER,
		.manual = kind->manual,
	};
	struct fake *f = calloc(1, sizeof(*f));
	size_t bytes = RTE_ALIGN_CEIL(brg_queue_bytes(depth), RTE_CACHE_LINE_SIZE);
	size_t dma_bytes = brg_queue_dma_bytes(&opts);

	assert_non_null(f);
	f->qp = aligned_alloc(RTE_CACHE_LINE_SIZE, bytes);
	f->dma = aligned_alloc(BRG_PRP_PAGE, dma_bytes);
	assert_non_null(f->qp);
	assert_non_null(f->dma);
	memset(f->qp, 0, bytes);
	memset(f->dma, 0, dma_bytes);
	opts.dma = f->dma;
	opts.sq_doorbell = &f->sq_doorbell;
	opts.cq_doorbell = &f->cq_doorbell;
	if (kind->shadows) {
		opts.sq_shadow = &f->shadow.sq;
		opts.cq_shadow = &f->shadow.cq;
	}
	brg_queue_init(f->qp, &opts);
	f->cq = (struct brg_nvme_cqe *)(uintptr_t)f->qp->cq;
	f->depth = depth;
	f->cq_depth = kind->cq_depth;
	f->shadows = kind->shadows;
	f->phase = 1;
	return f;
}

/* Rings of the same length: a doorbell for every poll. */
static struct fake *fake_new(uint16_t depth)
{
	return fake_of(depth, &(struct kind){.cq_depth = depth});
}

static void fake_free(struct fake *f)
{
	free(f->dma);
	free(f->qp);
	free(f);
}

/* The tail that the controller knows of. One that has gone to sleep waits for its doorbell. */
static uint32_t sq_tail(const struct fake *f)
{
	if (!f->shadows)
		return f->sq_doorbell;
	if (f->asleep && f->shadow.sq != f->sq_head)
		assert_int_not_equal(f->sq_doorbell, UINT32_MAX);
	return f->shadow.sq;
}

/* The next command that has been handed over; NULL when there is none. */
static const struct brg_nvme_sqe *fetch(struct fake *f)
{
	uint32_t tail = sq_tail(f);
	const struct brg_nvme_sqe *sqe = &f->qp->path.sq[f->sq_head];

	assert_in_range(tail, 0, f->depth - 1);
	if (f->sq_head == tail) {
		f->event.sq = f->sq_head;
		f->asleep = f->shadows;
		if (f->asleep)
			f->sq_doorbell = UINT32_MAX; /* has it been rung? */
		return NULL;
	}
	f->asleep = false;
	f->sq_head = (f->sq_head + 1) % f->depth;
	return sqe;
}

static bool cq_is_full(const struct fake *f)
{
	uint32_t head = f->shadows ? f->shadow.cq : f->cq_doorbell;

	assert_in_range(head, 0, f->cq_depth - 1);
	return (f->cq_tail + 1) % f->cq_depth == head;
}

static void post(struct fake *f, uint16_t cid, uint16_t status)
{
	assert_false(cq_is_full(f));
	f->cq[f->cq_tail] = (struct brg_nvme_cqe){
		.dw0 = cid * 3u,
		.cid = cid,
		.status = status << 1 | f->phase,
	};
	f->cq_tail = (f->cq_tail + 1) % f->cq_depth;
	if (!f->cq_tail)
		f->phase ^= 1;
}

/* What a callback has seen. */
struct call {
	struct fake *f;
	unsigned int count;
	uint16_t cid, status;
};

static void on_done(void *arg, const struct brg_nvme_cqe *cqe)
{
	struct call *call = arg;

	call->count++;
	call->cid = cqe->cid;
	call->status = brg_nvme_status(cqe);
}

static int flush(struct fake *f, struct call *call)
{
	return brg_nvme_flush(f->qp, &ns, on_done, call);
}

static uint16_t submit_and_fetch(struct fake *f, struct call *call)
{
	const struct brg_nvme_sqe *sqe;

	assert_int_equal(flush(f, call), 0);
	sqe = fetch(f);
	assert_non_null(sqe);
	assert_int_equal(sqe->opcode, nvme_cmd_flush);
	assert_int_equal(sqe->nsid, ns.nsid);
	return sqe->cid;
}

/* Submit by one call each, or by one for all; false when the queue pair had no room. */
static void submit_burst(struct fake *f, struct call *calls, unsigned int burst, bool many)
{
	struct brg_nvme_io ios[256];
	unsigned int i;

	for (i = 0; i < burst; i++) {
		ios[i] = (struct brg_nvme_io){f->dma, i, 1, on_done, &calls[i]};
		if (!many)
			assert_int_equal(
				brg_nvme_read(f->qp, &ns, f->dma, i, 1, on_done, &calls[i]), 0);
	}
	if (many)
		assert_int_equal(brg_nvme_read_many(f->qp, &ns, ios, burst), burst);
	if (f->qp->path.publish == &f->qp->unread) {
		assert_null(fetch(f)); /* nothing is handed over before */
		brg_nvme_ring(f->qp);
	}
}

/* Submit, complete and poll in bursts of random length, oldest command last, over many wraps. */
static void wraps(uint16_t depth, const struct kind *kind)
{
	struct fake *f = fake_of(depth, kind);
	struct call *calls = calloc(depth, sizeof(*calls));
	uint16_t *cids = calloc(depth, sizeof(*cids));
	unsigned int round, i;

	assert_non_null(calls);
	assert_non_null(cids);
	srand(depth);
	for (round = 0; round < 40u * depth; round++) {
		unsigned int burst = 1 + (unsigned int)rand() % (depth - 1);

		memset(calls, 0, depth * sizeof(*calls));
		submit_burst(f, calls, burst, rand() % 2);
		for (i = 0; i < burst; i++) {
			const struct brg_nvme_sqe *sqe = fetch(f);

			assert_non_null(sqe);
			assert_int_equal(sqe->cdw10, i);
			cids[i] = sqe->cid;
		}
		assert_int_equal(brg_nvme_outstanding(f->qp), burst);
		if (rand() % 2) /* else the controller does not sleep */
			assert_null(fetch(f));
		assert_int_equal(brg_nvme_poll(f->qp, 0), 0);
		for (i = burst; i-- > 0;)
			post(f, cids[i], i % 7);
		assert_int_equal(brg_nvme_poll(f->qp, 0), burst);
		for (i = 0; i < burst; i++) {
			assert_int_equal(calls[i].count, 1);
			assert_int_equal(calls[i].cid, cids[i]);
			assert_int_equal(calls[i].status, i % 7);
		}
		assert_int_equal(brg_nvme_outstanding(f->qp), 0);
		assert_int_equal(brg_nvme_poll(f->qp, 0), 0);
		if (kind->cq_depth == depth)
			assert_false(cq_is_full(f));
	}
	free(cids);
	free(calls);
	fake_free(f);
}

static void wraps_and_phases(void **state)
{
	static const uint16_t depths[] = {2, 3, 4, 5, 16, 17, 31, 256};
	unsigned int i, k;

	for (i = 0; i < RTE_DIM(depths); i++) {
		uint32_t depth = depths[i];
		const struct kind kinds[] = {
			{.cq_depth = depth},
			{.cq_depth = depth + 1},
			{.cq_depth = 2 * depth - 1},
			{.cq_depth = 2 * depth},
			{.cq_depth = 5 * depth},
			{.cq_depth = depth, .manual = true},
			{.cq_depth = depth, .shadows = true},
			{.cq_depth = 2 * depth, .shadows = true},
			{.cq_depth = 2 * depth, .shadows = true, .manual = true},
		};

		for (k = 0; k < RTE_DIM(kinds); k++)
			wraps(depth, &kinds[k]);
	}
}

/* Some commands stay in flight for long, while others pass them by. */
static void out_of_order(void **state)
{
	struct fake *f = fake_new(9);
	struct call calls[8] = {0};
	uint16_t cids[8];
	unsigned int i, expected[8] = {0};

	for (i = 0; i < 8; i++)
		cids[i] = submit_and_fetch(f, &calls[i]);
	srand(1);
	for (i = 0; i < 5000; i++) {
		unsigned int pick = (unsigned int)rand() % 8;

		post(f, cids[pick], 0);
		expected[pick]++;
		assert_int_equal(brg_nvme_poll(f->qp, 0), 1);
		assert_int_equal(calls[pick].count, expected[pick]);
		cids[pick] = submit_and_fetch(f, &calls[pick]);
		assert_int_equal(brg_nvme_outstanding(f->qp), 8);
	}
	for (i = 0; i < 8; i++)
		assert_int_equal(calls[i].count, expected[i]);
	fake_free(f);
}

static void full_is_eagain(void **state)
{
	struct fake *f = fake_new(4);
	struct call call = {0};
	uint16_t cid = submit_and_fetch(f, &call);
	uint32_t rung;

	submit_and_fetch(f, &call);
	submit_and_fetch(f, &call);
	rung = f->sq_doorbell;
	assert_int_equal(flush(f, &call), -EAGAIN);
	assert_int_equal(brg_nvme_read(f->qp, &ns, f->dma, 0, 1, on_done, &call), -EAGAIN);
	assert_int_equal(f->sq_doorbell, rung);
	post(f, cid, 0);
	assert_int_equal(flush(f, &call), -EAGAIN); /* completed, but not yet polled */
	assert_int_equal(brg_nvme_poll(f->qp, 0), 1);
	submit_and_fetch(f, &call);
	assert_int_equal(flush(f, &call), -EAGAIN);
	fake_free(f);
}

static void poll_takes_no_more_than_max(void **state)
{
	struct fake *f = fake_new(8);
	struct call call = {0};
	unsigned int i;

	for (i = 0; i < 7; i++)
		post(f, submit_and_fetch(f, &call), 0);
	assert_int_equal(brg_nvme_poll(f->qp, 1), 1);
	assert_int_equal(f->cq_doorbell, 1);
	assert_int_equal(brg_nvme_poll(f->qp, 3), 3);
	assert_int_equal(f->cq_doorbell, 4);
	assert_int_equal(call.count, 4);
	assert_int_equal(brg_nvme_outstanding(f->qp), 3);
	assert_int_equal(brg_nvme_poll(f->qp, 100), 3);
	assert_int_equal(call.count, 7);
	assert_int_equal(brg_nvme_poll(f->qp, 100), 0);
	fake_free(f);
}

/* Submit from within the callback until enough; the ring has no room but what that one freed. */
static void on_done_again(void *arg, const struct brg_nvme_cqe *cqe)
{
	struct call *call = arg;
	uint32_t acknowledged = call->f->cq_doorbell;

	assert_int_equal(brg_nvme_outstanding(call->f->qp), call->f->depth - 2);
	call->cid = cqe->cid;
	if (++call->count > 1000)
		return;
	assert_int_equal(brg_nvme_flush(call->f->qp, &ns, on_done_again, call), 0);
	assert_int_equal(flush(call->f, call), -EAGAIN);
	/* The entry is ours until poll rings, and submitting did not change it. */
	assert_int_equal(cqe->cid, call->cid);
	assert_int_equal(call->f->cq_doorbell, acknowledged);
}

static void callback_may_submit(void **state)
{
	static const uint16_t depths[] = {2, 3, 8};
	unsigned int i, k;

	for (i = 0; i < RTE_DIM(depths); i++) {
		struct fake *f = fake_new(depths[i]);
		struct call call = {.f = f}, others = {0};
		const struct brg_nvme_sqe *sqe;

		for (k = 2; k < depths[i]; k++)
			submit_and_fetch(f, &others);
		assert_int_equal(brg_nvme_flush(f->qp, &ns, on_done_again, &call), 0);
		while ((sqe = fetch(f))) {
			post(f, sqe->cid, 0);
			assert_int_equal(brg_nvme_poll(f->qp, 0), 1);
		}
		assert_int_equal(call.count, 1001);
		assert_int_equal(others.count, 0);
		fake_free(f);
	}
}

/* With the stray completion next in the ring: an error, now and ever after, and nothing called. */
static void assert_dead(struct fake *f, unsigned int outstanding)
{
	struct call call = {0};
	uint32_t rung = f->sq_doorbell, acknowledged = f->cq_doorbell;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		assert_fails(brg_nvme_poll(f->qp, 0), EIO, "not in flight");
		assert_fails(flush(f, &call), EIO, "takes no more commands");
		assert_int_equal(brg_nvme_read(f->qp, &ns, f->dma, 0, 1, on_done, &call), -EIO);
		assert_int_equal(brg_nvme_outstanding(f->qp), outstanding);
	}
	assert_int_equal(f->sq_doorbell, rung);
	assert_int_equal(f->cq_doorbell, acknowledged);
	assert_int_equal(call.count, 0);
}

static void stray_identifiers(void **state)
{
	/* One short of the depth there is a tracker that is never handed out. */
	static const uint16_t cids[] = {3, 4, 5, 6, 7, 8, 255, 0x7fff, 0x8000, 0x8001, 0xffff};
	unsigned int i;

	for (i = 0; i < RTE_DIM(cids); i++) {
		struct fake *f = fake_new(6);
		struct call calls[3] = {0};
		unsigned int k;

		for (k = 0; k < 3; k++)
			assert_int_not_equal(submit_and_fetch(f, &calls[k]), cids[i]);
		post(f, cids[i], 0);
		assert_dead(f, 3);
		for (k = 0; k < 3; k++)
			assert_int_equal(calls[k].count, 0);
		fake_free(f);
	}
}

static void completed_twice(void **state)
{
	struct fake *f = fake_new(6);
	struct call call = {0}, other = {0};
	uint16_t cid = submit_and_fetch(f, &call);

	submit_and_fetch(f, &other);
	post(f, cid, 0);
	post(f, cid, 0);
	post(f, cid, 0);
	/* The good one is delivered and acknowledged first. */
	assert_int_equal(brg_nvme_poll(f->qp, 0), 1);
	assert_int_equal(f->cq_doorbell, 1);
	assert_int_equal(call.count, 1);
	assert_dead(f, 1);
	assert_int_equal(call.count, 1);
	assert_int_equal(other.count, 0);
	fake_free(f);
}

static void nothing_submitted_yet(void **state)
{
	struct fake *f = fake_new(2);

	assert_int_equal(brg_nvme_poll(f->qp, 0), 0);
	post(f, 0, 0);
	assert_dead(f, 0);
	fake_free(f);
}

static void on_abort(void *arg, const struct brg_nvme_cqe *cqe)
{
	struct call *call = arg;

	on_done(arg, cqe);
	if (call->status)
		assert_int_equal(brg_nvme_flush(call->f->qp, &ns, on_abort, call), -EIO);
}

static void abort_calls_back(void **state)
{
	struct fake *f = fake_new(16);
	struct call calls[15] = {0};
	unsigned int i;

	for (i = 0; i < 15; i++) {
		calls[i].f = f;
		assert_int_equal(brg_nvme_flush(f->qp, &ns, on_abort, &calls[i]), 0);
	}
	for (i = 0; i < 5; i++)
		post(f, fetch(f)->cid, 0);
	assert_int_equal(brg_nvme_poll(f->qp, 0), 5);
	brg_queue_abort(f->qp);
	for (i = 0; i < 15; i++) {
		assert_int_equal(calls[i].count, 1);
		assert_int_equal(calls[i].status, i < 5 ? 0 : NVME_SC_ABORT_QUEUE);
	}
	assert_int_equal(brg_nvme_outstanding(f->qp), 0);
	brg_queue_abort(f->qp);
	assert_int_equal(calls[14].count, 1);
	fake_free(f);
}

static void commands_are_encoded(void **state)
{
	struct fake *f = fake_new(4);
	struct brg_nvme_ns big = {.nsid = 7,
				  .block_size = 4096,
				  .blocks = UINT64_MAX,
				  .simple_end = BRG_SIMPLE_END(4096)};
	uint64_t buf = (uintptr_t)f->dma + 8;
	struct call call = {0};
	const struct brg_nvme_sqe *sqe;

	memset(f->qp->path.sq, 0xff, 4 * sizeof(*sqe)); /* leftovers must not get into a command */
	assert_int_equal(
		brg_nvme_read(f->qp, &big, (void *)buf, 0x123456789abcdef0, 3, on_done, &call), 0);
	sqe = fetch(f);
	assert_non_null(sqe);
	assert_memory_equal(sqe,
			    (&(struct brg_nvme_sqe){
				    .opcode = nvme_cmd_read,
				    .cid = sqe->cid,
				    .nsid = 7,
				    .prp1 = buf,
				    .prp2 = sqe->prp2,
				    .cdw10 = 0x9abcdef0,
				    .cdw11 = 0x12345678,
				    .cdw12 = 2,
			    }),
			    sizeof(*sqe));
	assert_int_equal(((uint64_t *)sqe->prp2)[0], (uintptr_t)f->dma + 4096);
	assert_int_equal(((uint64_t *)sqe->prp2)[2], (uintptr_t)f->dma + 3 * 4096);

	assert_int_equal(brg_nvme_write(f->qp, &ns, f->dma, 999, 1, on_done, &call), 0);
	sqe = fetch(f);
	assert_non_null(sqe);
	assert_memory_equal(sqe,
			    (&(struct brg_nvme_sqe){
				    .opcode = nvme_cmd_write,
				    .cid = sqe->cid,
				    .nsid = 1,
				    .prp1 = (uintptr_t)f->dma,
				    .cdw10 = 999,
			    }),
			    sizeof(*sqe));
	fake_free(f);
}

static void bad_requests_are_refused(void **state)
{
	struct fake *f = fake_new(4);
	struct call call = {0};
	uint8_t *buf = f->dma;

	assert_fails(brg_nvme_read(f->qp, &ns, buf + 1, 0, 1, on_done, &call), EINVAL, "dword");
	assert_fails(brg_nvme_read(f->qp, &ns, buf + 2, 0, 1, on_done, &call), EINVAL, "dword");
	assert_fails(brg_nvme_read(f->qp, &ns, buf, 0, 0, on_done, &call), EINVAL, "no blocks");
	assert_fails(brg_nvme_read(f->qp, &ns, buf, 0, MAX_TRANSFER / 512 + 1, on_done, &call),
		     EINVAL, "257 blocks of 512 bytes are more than the 131072");
	assert_fails(brg_nvme_read(f->qp, &ns, buf, 0, UINT32_MAX, on_done, &call), EINVAL,
		     "are more than");
	assert_fails(brg_nvme_write(f->qp, &ns, buf, 1000, 1, on_done, &call), EINVAL,
		     "blocks 1000 to 1000 are beyond the namespace's 1000");
	assert_fails(brg_nvme_write(f->qp, &ns, buf, 999, 2, on_done, &call), EINVAL, "beyond");
	assert_fails(brg_nvme_write(f->qp, &ns, buf, UINT64_MAX, 1, on_done, &call), EINVAL,
		     "beyond");
	assert_int_equal(f->sq_doorbell, 0);
	assert_int_equal(brg_nvme_outstanding(f->qp), 0);
	assert_int_equal(brg_nvme_read(f->qp, &ns, buf, 744, 256, on_done, &call), 0);
	fake_free(f);
}

/* In one of fewer blocks than a page has, more may be asked for than there are. */
static void small_namespaces_end_as_well(void **state)
{
	const struct brg_nvme_ns small = {.nsid = 1, .block_size = 512, .blocks = 4};
	struct fake *f = fake_new(8);
	struct call call = {0};
	struct brg_nvme_io io = {f->dma, 0, 5, on_done, &call};

	for (uint32_t n = 5; n <= 8; n++) {
		assert_fails(brg_nvme_read(f->qp, &small, f->dma, 0, n, on_done, &call), EINVAL,
			     "beyond the namespace's 4");
		assert_fails(brg_nvme_write(f->qp, &small, f->dma, 0, n, on_done, &call), EINVAL,
			     "beyond the namespace's 4");
	}
	assert_fails(brg_nvme_read_many(f->qp, &small, &io, 1), EINVAL, "beyond");
	assert_fails(brg_nvme_read(f->qp, &small, f->dma, 4, 1, on_done, &call), EINVAL, "beyond");
	assert_int_equal(brg_nvme_outstanding(f->qp), 0);
	assert_int_equal(brg_nvme_read(f->qp, &small, f->dma, 0, 4, on_done, &call), 0);
	io.nblocks = 3;
	io.lba = 1;
	assert_int_equal(brg_nvme_read_many(f->qp, &small, &io, 1), 1);
	assert_int_equal(brg_nvme_outstanding(f->qp), 2);
	fake_free(f);
}

static struct brg_nvme_io io_of(struct fake *f, uint64_t lba, uint32_t nblocks, struct call *call)
{
	return (struct brg_nvme_io){f->dma, lba, nblocks, on_done, call};
}

/* Of all kinds and lengths, stopped by one that is refused, and by a full queue. */
static void many_at_once(void **state)
{
	struct fake *f = fake_new(8);
	struct call call = {0};
	struct brg_nvme_io ios[9];
	unsigned int i;

	for (i = 0; i < RTE_DIM(ios); i++)
		ios[i] = io_of(f, i, 1 + i % 3 * 20, &call);
	ios[5].lba = 1000;
	assert_int_equal(brg_nvme_write_many(f->qp, &ns, ios, RTE_DIM(ios)), 5);
	assert_int_equal(f->sq_doorbell, 5);
	for (i = 0; i < 5; i++) {
		const struct brg_nvme_sqe *sqe = fetch(f);

		assert_non_null(sqe);
		assert_int_equal(sqe->opcode, nvme_cmd_write);
		assert_int_equal(sqe->cdw10, i);
		assert_int_equal(sqe->cdw12, i % 3 * 20);
		assert_int_equal(!!sqe->prp2, i % 3 > 0);
	}
	assert_fails(brg_nvme_write_many(f->qp, &ns, ios + 5, 1), EINVAL, "beyond");
	ios[5].lba = 5;
	assert_int_equal(brg_nvme_write_many(f->qp, &ns, ios + 5, 4), 2);
	assert_int_equal(brg_nvme_write_many(f->qp, &ns, ios + 7, 2), -EAGAIN);
	assert_int_equal(brg_nvme_write_many(f->qp, &ns, ios, 0), 0);
	ios[0].nblocks = 0;
	assert_fails(brg_nvme_read_many(f->qp, &ns, ios, 1), EINVAL, "no blocks");
	assert_int_equal(brg_nvme_outstanding(f->qp), 7);
	fake_free(f);
}

static void prepared_commands(void **state)
{
	struct fake *f = fake_new(4);
	struct brg_nvme_ctrl ctrl = {.max_transfer = MAX_TRANSFER};
	const struct brg_nvme_sqe *fetched;
	uint64_t list[32], buf = 0x123450000;
	struct call call = {0};
	struct brg_nvme_prepared prepared = {.cb = on_done, .arg = &call};
	struct brg_nvme_sqe *sqe = &prepared.sqe;
	unsigned int i;

	assert_int_equal(brg_nvme_prepare(&ctrl, &ns, nvme_cmd_write, (void *)buf, 7, 8, NULL, sqe),
			 0);
	for (i = 0; i < 20; i++) {
		sqe->cdw10 = i;
		assert_int_equal(brg_nvme_submit_prepared(f->qp, &prepared), 0);
		fetched = fetch(f);
		assert_non_null(fetched);
		assert_int_equal(fetched->opcode, nvme_cmd_write);
		assert_int_equal(fetched->cdw10, i);
		assert_int_equal(fetched->cdw12, 7);
		assert_true(fetched->prp1 == buf && !fetched->prp2);
		post(f, fetched->cid, 0);
		assert_int_equal(brg_nvme_poll(f->qp, 0), 1);
	}
	assert_int_equal(call.count, 20);
	assert_int_equal(
		brg_nvme_prepare(&ctrl, &ns, nvme_cmd_read, (void *)(buf + 4), 0, 8, NULL, sqe), 0);
	assert_true(sqe->prp2 == buf + 4096);
	assert_fails(
		brg_nvme_prepare(&ctrl, &ns, nvme_cmd_read, (void *)(buf + 4), 0, 16, NULL, sqe),
		EINVAL, "a list is needed");
	assert_int_equal(
		brg_nvme_prepare(&ctrl, &ns, nvme_cmd_read, (void *)(buf + 4), 0, 16, list, sqe),
		0);
	assert_true(sqe->prp2 == (uintptr_t)list && list[1] == buf + 8192);
	assert_fails(brg_nvme_prepare(&ctrl, &ns, nvme_cmd_read, (void *)buf, 0, 257, list, sqe),
		     EINVAL, "more than");
	assert_fails(brg_nvme_prepare(&ctrl, &ns, nvme_cmd_read, (void *)buf, 999, 2, list, sqe),
		     EINVAL, "beyond");
	fake_free(f);
}

/* A list that crossed a page would have to say where it goes on. */
static void lists_stay_in_their_pages(void **state)
{
	static const uint16_t depths[] = {2, 3, 255, 256, 1000};
	unsigned int i, cid;
	size_t max;

	for (i = 0; i < RTE_DIM(depths); i++) {
		for (max = 8192; max <= BRG_PRP_MAX_TRANSFER; max *= 2) {
			struct brg_queue_opts opts = {
				.depth = depths[i],
				.cq_depth = depths[i],
				.max_transfer = max,
				.dma = (void *)0x100000000, /* never touched */
			};
			size_t dma_bytes = brg_queue_dma_bytes(&opts);
			struct brg_nvme_qpair *qp = calloc(1, brg_queue_bytes(depths[i]) + 64);
			struct brg_nvme_qpair *aligned = RTE_PTR_ALIGN_CEIL(qp, 64);
			size_t list = max / 4096 * sizeof(uint64_t);
			uint64_t dma = (uintptr_t)opts.dma;
			uint64_t end = (uintptr_t)&aligned->path.sq[0];

			assert_non_null(qp);
			brg_queue_init(aligned, &opts);
			for (cid = 0; cid < depths[i] - 1u; cid++) {
				uint64_t at = (uintptr_t)brg_queue_list(aligned, cid);

				assert_true(at / 4096 == (at + list - 1) / 4096);
				assert_true(at >= (uintptr_t)aligned->cq_end);
				assert_true(at >= end);
				end = at + list;
				assert_true(end <= dma + dma_bytes);
			}
			free(qp);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wraps_and_phases),
		cmocka_unit_test(out_of_order),
		cmocka_unit_test(full_is_eagain),
		cmocka_unit_test(poll_takes_no_more_than_max),
		cmocka_unit_test(callback_may_submit),
		cmocka_unit_test(stray_identifiers),
		cmocka_unit_test(completed_twice),
		cmocka_unit_test(nothing_submitted_yet),
		cmocka_unit_test(abort_calls_back),
		cmocka_unit_test(commands_are_encoded),
		cmocka_unit_test(bad_requests_are_refused),
		cmocka_unit_test(small_namespaces_end_as_well),
		cmocka_unit_test(many_at_once),
		cmocka_unit_test(prepared_commands),
		cmocka_unit_test(lists_stay_in_their_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
