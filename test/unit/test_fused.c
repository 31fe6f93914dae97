/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Compare and Write on a controller that has a disk of one block for it, completes its two commands
 * in either order, one of them, or none. Whatever becomes of them, there is one callback.
 */

#include "unit.h"

#include <errno.h>
#include <signal.h>

#include "fake_ctrl.h"

#define FUSE_FIRST  1
#define FUSE_SECOND 2

/* What the controller does with the next pairs. */
enum order {
	IN_ORDER,
	WRITE_FIRST,
	ONLY_COMPARE, /* the write is never completed */
	ONLY_WRITE,
	BAD_WRITE, /* it is refused, and the compare for its sake */
};

static atomic_int order;
static uint8_t disk[512];
static atomic_uint pairs, alone; /* second commands that came behind a first one, or did not */
static struct brg_nvme_sqe first;
static uint8_t *old_data, *new_data; /* of a block */

/* The second command of a pair is to be there when the first is taken: one doorbell for both. */
static void take_first(struct fake *f, struct ring *r, const struct brg_nvme_sqe *sqe)
{
	first = *sqe;
	if (r->head == get(f, BRG_REG_DOORBELLS + 8))
		alone++;
}

static void run_pair(struct ring *r, const struct brg_nvme_sqe *write)
{
	bool same = !memcmp(disk, (void *)(uintptr_t)first.prp1, sizeof(disk));
	uint16_t compared = same ? 0 : NVME_SC_DNR | NVME_SCT_MEDIA << 8 | NVME_SC_COMPARE_FAILED;
	uint16_t written = same ? 0 : NVME_SC_FUSED_FAIL;

	if (order == BAD_WRITE) {
		compared = NVME_SC_DNR | NVME_SC_FUSED_FAIL;
		written = NVME_SC_DNR | NVME_SC_LBA_RANGE;
	} else if (same) {
		memcpy(disk, (void *)(uintptr_t)write->prp1, sizeof(disk));
	}
	if (order == WRITE_FIRST || order == ONLY_WRITE)
		post(r, write->cid, written, 0);
	if (order != ONLY_WRITE)
		post(r, first.cid, compared, 0);
	if (order == IN_ORDER || order == BAD_WRITE)
		post(r, write->cid, written, 0);
	pairs++;
}

static void io(struct fake *f, struct ring *r, const struct brg_nvme_sqe *sqe)
{
	if (sqe->flags == FUSE_FIRST) {
		take_first(f, r, sqe);
		return;
	}
	if (sqe->flags == FUSE_SECOND && first.opcode == nvme_cmd_compare &&
	    first.cdw10 == sqe->cdw10 && first.cdw12 == sqe->cdw12)
		run_pair(r, sqe);
	else
		run_io(f, r, sqe);
	first.opcode = 0;
}

static struct fake *fused_new(void)
{
	struct fake *f = fake_new();

	f->io = io;
	f->ctrl.io_timeout_ms = 100000;
	f->ctrl.id.fuses = NVME_CTRL_FUSES_COMPARE_AND_WRITE;
	order = IN_ORDER;
	pairs = alone = 0;
	old_data = aligned_alloc(4096, 4096);
	new_data = aligned_alloc(4096, 4096);
	assert_non_null(old_data);
	assert_non_null(new_data);
	memset(disk, 1, sizeof(disk));
	memset(old_data, 1, 512);
	memset(new_data, 2, 512);
	return f;
}

static void fused_free(struct fake *f)
{
	fake_free(f);
	free(old_data);
	free(new_data);
}

struct call {
	unsigned int count;
	uint16_t status;
};

static void on_call(void *arg, const struct brg_nvme_cqe *cqe)
{
	struct call *call = arg;

	call->count++;
	call->status = brg_nvme_status(cqe);
}

static int swap(struct brg_nvme_qpair *qp, struct call *call)
{
	*call = (struct call){0};
	return brg_nvme_compare_and_write(qp, &ns, old_data, new_data, 7, 1, on_call, call);
}

/* Its status, without Do Not Retry. */
static uint16_t swapped(struct brg_nvme_qpair *qp)
{
	struct call call;

	assert_int_equal(swap(qp, &call), 0);
	assert_int_equal(brg_nvme_outstanding(qp), 2);
	assert_int_equal(drain(qp), 0);
	assert_int_equal(call.count, 1);
	return call.status & 0x7ff;
}

/* Around the ring's end too, and whichever completes first. */
static void writes_what_compares(void **state)
{
	struct fake *f = fused_new();
	struct brg_nvme_qpair *qp = qpair(f);

	for (unsigned int i = 0; i < 3 * DEPTH; i++) {
		struct calls c = {0};

		order = i % 2 ? WRITE_FIRST : IN_ORDER;
		memset(disk, 1, sizeof(disk));
		assert_int_equal(swapped(qp), 0);
		assert_memory_equal(disk, new_data, sizeof(disk));
		assert_int_equal(swapped(qp), NVME_SCT_MEDIA << 8 | NVME_SC_COMPARE_FAILED);
		assert_memory_equal(disk, new_data, sizeof(disk));
		submit(qp, &c, i % 3);
		assert_int_equal(drain(qp), 0);
	}
	assert_int_equal(pairs, 6 * DEPTH);
	assert_int_equal(alone, 0);
	order = BAD_WRITE;
	assert_int_equal(swapped(qp), NVME_SC_LBA_RANGE);
	fused_free(f);
}

/* Many at once: an identifier that is free again is taken while the other half is in flight. */
static void full_of_pairs(void **state)
{
	struct fake *f = fused_new();
	struct brg_nvme_qpair *qp = qpair(f);
	struct call calls[COMMANDS], odd;
	struct calls c = {0};

	for (unsigned int round = 0; round < 20; round++) {
		for (unsigned int i = 0; i < COMMANDS / 2; i++) {
			order = (round + i) % 2 ? WRITE_FIRST : IN_ORDER;
			assert_int_equal(swap(qp, &calls[i]), 0);
			if (brg_nvme_outstanding(qp) % 3)
				brg_nvme_poll(qp, 1);
		}
		assert_int_equal(drain(qp), 0);
		for (unsigned int i = 0; i < COMMANDS / 2; i++)
			assert_int_equal(calls[i].count, 1);
	}
	/* Room for one is not enough, and stays. */
	f->mood = HOLD;
	submit(qp, &c, COMMANDS - 1);
	assert_int_equal(swap(qp, &odd), -EAGAIN);
	assert_int_equal(brg_nvme_outstanding(qp), COMMANDS - 1);
	submit(qp, &c, 1);
	assert_int_equal(swap(qp, &odd), -EAGAIN);
	assert_int_equal(brg_nvme_reset(&f->ctrl), 0);
	assert_int_equal(drain(qp), 0);
	assert_int_equal(c.again, COMMANDS);
	assert_int_equal(odd.count, 0);
	fused_free(f);
}

/* A reset between the two, and the end of the queue pair. */
static void cut_in_half(void **state)
{
	static const enum order halves[] = {ONLY_COMPARE, ONLY_WRITE};
	struct fake *f = fused_new();
	struct brg_nvme_qpair *qp = qpair(f);
	struct call call;

	for (unsigned int i = 0; i < 4; i++) {
		order = halves[i % 2];
		memset(disk, 1, sizeof(disk));
		assert_int_equal(swap(qp, &call), 0);
		while (brg_nvme_outstanding(qp) == 2)
			assert_true(brg_nvme_poll(qp, 0) >= 0);
		assert_int_equal(call.count, 0);
		if (i == 3)
			break;
		assert_int_equal(brg_nvme_reset(&f->ctrl), 0);
		assert_int_equal(drain(qp), 0);
		assert_int_equal(call.count, 1);
		assert_int_equal(brg_nvme_status_errno(call.status), -EAGAIN);
	}
	brg_nvme_qpair_free(qp);
	assert_int_equal(call.count, 1);
	assert_int_equal(brg_nvme_status_errno(call.status), -ECANCELED);
	qp = qpair(f);
	order = IN_ORDER;
	memset(disk, 1, sizeof(disk));
	assert_int_equal(swapped(qp), 0);
	fused_free(f);
}

static unsigned int left; /* to submit from callbacks */

static void swap_again(void *arg, const struct brg_nvme_cqe *cqe)
{
	assert_int_equal(brg_nvme_status(cqe), 0);
	memset(disk, 1, sizeof(disk));
	if (left-- > 1)
		assert_int_equal(brg_nvme_compare_and_write(arg, &ns, old_data, new_data, 7, 1,
							    swap_again, arg),
				 0);
}

/* With times taken: another callback in between. */
static void from_callbacks(void **state)
{
	struct brg_nvme_qpair_opts opts = {.depth = 6};
	struct fake *f = fused_new();
	struct brg_nvme_qpair *qp;

	opts.bar = &f->own.bar;
	for (unsigned int i = 0; i < 2; i++) {
		opts.latency = i;
		assert_int_equal(brg_nvme_qpair_create(&f->ctrl, &opts, &qp), 0);
		left = 40;
		memset(disk, 1, sizeof(disk));
		assert_int_equal(brg_nvme_compare_and_write(qp, &ns, old_data, new_data, 7, 1,
							    swap_again, qp),
				 0);
		assert_int_equal(drain(qp), 0);
		assert_int_equal(left, 0);
		assert_int_equal(stats_of(qp).completed, 80);
		brg_nvme_qpair_free(qp);
	}
	fused_free(f);
}

/* The word that takes the tail is read only at first: whoever writes to it comes by here. */
static struct brg_nvme_qpair *watched;
static volatile uint32_t *tail_word;
static uint8_t flags_at_first_write[2];
static unsigned int first_writes;

static void on_write_to_tail(int signal)
{
	first_writes++;
	flags_at_first_write[0] = watched->path.sq[0].flags;
	flags_at_first_write[1] = watched->path.sq[1].flags;
	mprotect((void *)(uintptr_t)tail_word, 4096, PROT_READ | PROT_WRITE);
}

/* Both commands are there before the controller is told of either. */
static void one_doorbell(void **state)
{
	const struct sigaction action = {.sa_handler = on_write_to_tail};
	struct fake *f = fused_new();
	struct sigaction before;
	struct call call;

	watched = qpair(f);
	tail_word = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(tail_word != MAP_FAILED);
	watched->path.publish = tail_word;
	first_writes = 0;
	assert_int_equal(sigaction(SIGSEGV, &action, &before), 0);
	assert_int_equal(swap(watched, &call), 0);
	assert_int_equal(sigaction(SIGSEGV, &before, NULL), 0);
	assert_int_equal(first_writes, 1);
	assert_int_equal(*tail_word, 2);
	assert_int_equal(flags_at_first_write[0], FUSE_FIRST);
	assert_int_equal(flags_at_first_write[1], FUSE_SECOND);
	assert_int_equal(watched->path.sq[0].opcode, nvme_cmd_compare);
	assert_int_equal(watched->path.sq[1].opcode, nvme_cmd_write);
	assert_int_equal(watched->path.sq[1].cdw10, 7);
	brg_queue_abort(watched);
	assert_int_equal(call.count, 1);
	munmap((void *)(uintptr_t)tail_word, 4096);
	fused_free(f);
}

static void refusals(void **state)
{
	const struct brg_nvme_qpair_opts small = {.depth = 2};
	struct brg_nvme_qpair_opts own = small;
	struct fake *f = fused_new();
	struct brg_nvme_qpair *qp = qpair(f), *tiny;
	struct call call;

	assert_fails(
		brg_nvme_compare_and_write(qp, &ns, old_data + 2, new_data, 0, 1, on_call, &call),
		EINVAL, "not dword-aligned");
	assert_fails(
		brg_nvme_compare_and_write(qp, &ns, old_data, new_data + 2, 0, 1, on_call, &call),
		EINVAL, "not dword-aligned");
	assert_fails(
		brg_nvme_compare_and_write(qp, &ns, old_data, new_data, 999, 2, on_call, &call),
		EINVAL, "beyond");
	assert_int_equal(brg_nvme_outstanding(qp), 0);
	own.bar = &f->own.bar;
	assert_int_equal(brg_nvme_qpair_create(&f->ctrl, &own, &tiny), 0);
	assert_fails(swap(tiny, &call), EINVAL, "a depth of 3");
	brg_nvme_qpair_free(tiny);
	f->ctrl.id.fuses = 0;
	tiny = qpair(f);
	assert_fails(swap(tiny, &call), ENOTSUP, "Compare and Write (FUSES 0)");
	fused_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_what_compares), cmocka_unit_test(full_of_pairs),
		cmocka_unit_test(cut_in_half),		cmocka_unit_test(from_callbacks),
		cmocka_unit_test(one_doorbell),		cmocka_unit_test(refusals),
	};

	return cmocka_run_group_tests(tests, start_small_eal, NULL);
}
