/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Long reads and writes on a controller with a disk in memory: what its commands are, that the data
 * is all there, and that there is one callback whatever happens on the way.
 */

#include "unit.h"

#include <errno.h>

#include "fake_ctrl.h"

#define BLOCK  512u
#define BLOCKS 1000u /* of the disk: all of ns */

static uint8_t disk[BLOCKS * BLOCK];
static uint8_t *memory; /* as much */
static atomic_uint most_blocks, crossings, commands;
static atomic_uint bad_lba; /* a command that begins there fails */
static uint32_t boundary;

/* What a command is about lies in one piece in memory. */
static void io(struct fake *f, struct ring *r, const struct brg_nvme_sqe *sqe)
{
	uint32_t lba = sqe->cdw10, n = (sqe->cdw12 & 0xffff) + 1;
	void *data = (void *)(uintptr_t)sqe->prp1;

	if (f->mood == HOLD || sqe->opcode == nvme_cmd_flush) {
		run_io(f, r, sqe);
		return;
	}
	commands++;
	if (n > most_blocks)
		most_blocks = n;
	if (boundary && lba / boundary != (lba + n - 1) / boundary)
		crossings++;
	if (lba == bad_lba) {
		post(r, sqe->cid, NVME_SCT_MEDIA << 8 | NVME_SC_READ_ERROR, 0);
		return;
	}
	if (sqe->opcode == nvme_cmd_read)
		memcpy(data, disk + lba * BLOCK, n * BLOCK);
	else
		memcpy(disk + lba * BLOCK, data, n * BLOCK);
	post(r, sqe->cid, 0, 0);
}

static struct fake *long_new(void)
{
	struct fake *f = fake_new();

	f->io = io;
	f->ctrl.io_timeout_ms = 100000;
	most_blocks = crossings = commands = 0;
	bad_lba = UINT32_MAX;
	boundary = 0;
	memory = aligned_alloc(4096, RTE_ALIGN_CEIL(sizeof(disk), 4096u));
	assert_non_null(memory);
	return f;
}

static void long_free(struct fake *f)
{
	fake_free(f);
	free(memory);
}

static void fill(uint8_t *bytes, uint8_t seed)
{
	for (size_t i = 0; i < sizeof(disk); i++)
		bytes[i] = (uint8_t)(i / BLOCK * 7 + i + seed);
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

static void go_through(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *n)
{
	struct brg_nvme_long state;
	struct call call = {0};

	fill(memory, 1);
	memset(disk, 0, sizeof(disk));
	assert_int_equal(brg_nvme_write_long(qp, n, memory, 0, BLOCKS, &state, on_call, &call), 0);
	assert_int_equal(drain(qp), 0);
	assert_int_equal(call.count, 1);
	assert_int_equal(call.status, 0);
	assert_memory_equal(disk, memory, sizeof(disk));

	fill(disk, 2);
	assert_int_equal(
		brg_nvme_read_long(qp, n, memory + 3 * BLOCK, 3, 995, &state, on_call, &call), 0);
	assert_int_equal(drain(qp), 0);
	assert_int_equal(call.count, 2);
	assert_int_equal(call.status, 0);
	assert_memory_equal(disk + 3 * BLOCK, memory + 3 * BLOCK, 995 * BLOCK);
}

static void in_parts_of_a_command(void **state)
{
	struct fake *f = long_new();
	struct brg_nvme_qpair *qp = qpair(f);

	go_through(qp, &ns);
	assert_int_equal(most_blocks, f->ctrl.max_transfer / BLOCK);
	assert_int_equal(commands, 125 + 125); /* 1000 and 995 blocks of 8 each */
	long_free(f);
}

static void not_across_boundaries(void **state)
{
	struct fake *f = long_new();
	struct brg_nvme_qpair *qp = qpair(f);
	struct brg_nvme_ns bounded = ns;

	for (boundary = 1; boundary <= 21; boundary += 4) {
		bounded.id.noiob = boundary;
		go_through(qp, &bounded);
		assert_int_equal(crossings, 0);
	}
	long_free(f);
}

/* What follows a failure is not begun. */
static void ends_with_what_fails(void **state)
{
	struct fake *f = long_new();
	struct brg_nvme_qpair *qp = qpair(f);
	struct brg_nvme_long l;
	struct call call = {0};

	bad_lba = 400;
	assert_int_equal(brg_nvme_read_long(qp, &ns, memory, 0, BLOCKS, &l, on_call, &call), 0);
	assert_int_equal(drain(qp), 0);
	assert_int_equal(call.count, 1);
	assert_int_equal(call.status, NVME_SCT_MEDIA << 8 | NVME_SC_READ_ERROR);
	assert_in_range(commands, 400 / 8 + 1, 400 / 8 + COMMANDS);
	assert_works(qp);
	long_free(f);
}

static void survives_a_reset(void **state)
{
	struct fake *f = long_new();
	struct brg_nvme_qpair *qp = qpair(f);
	struct brg_nvme_long l;
	struct call call = {0};

	f->mood = HOLD;
	assert_int_equal(brg_nvme_write_long(qp, &ns, memory, 0, BLOCKS, &l, on_call, &call), 0);
	assert_int_equal(brg_nvme_outstanding(qp), COMMANDS);
	assert_int_equal(brg_nvme_poll(qp, 0), 0);
	f->mood = OBEY;
	assert_int_equal(brg_nvme_reset(&f->ctrl), 0);
	assert_int_equal(drain(qp), 0);
	assert_int_equal(call.count, 1);
	assert_int_equal(brg_nvme_status_errno(call.status), -EAGAIN);
	go_through(qp, &ns);
	long_free(f);
}

static void refusals(void **state)
{
	struct fake *f = long_new();
	struct brg_nvme_qpair *qp = qpair(f);
	struct brg_nvme_long l;
	struct call call = {0};
	struct calls c = {0};

	assert_fails(brg_nvme_read_long(qp, &ns, memory + 2, 0, 9, &l, on_call, &call), EINVAL,
		     "not dword-aligned");
	assert_fails(brg_nvme_read_long(qp, &ns, memory, 0, 0, &l, on_call, &call), EINVAL,
		     "no blocks");
	assert_fails(brg_nvme_read_long(qp, &ns, memory, 1, BLOCKS, &l, on_call, &call), EINVAL,
		     "beyond");
	assert_int_equal(brg_nvme_outstanding(qp), 0);
	f->mood = HOLD;
	submit(qp, &c, COMMANDS);
	assert_int_equal(brg_nvme_read_long(qp, &ns, memory, 0, BLOCKS, &l, on_call, &call),
			 -EAGAIN);
	assert_int_equal(brg_nvme_outstanding(qp), COMMANDS);
	assert_int_equal(call.count, 0);
	long_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_parts_of_a_command),
		cmocka_unit_test(not_across_boundaries),
		cmocka_unit_test(ends_with_what_fails),
		cmocka_unit_test(survives_a_reset),
		cmocka_unit_test(refusals),
	};

	return cmocka_run_group_tests(tests, start_small_eal, NULL);
}
