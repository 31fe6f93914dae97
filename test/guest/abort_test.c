/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Aborts on a real controller, which abort.steps keeps from answering meanwhile. QEMU's finishes
 * what it has begun, and says so: the command is called back once, with its data.
 */

#include "disk.h"

#include <errno.h>
#include <rte_cycles.h>
#include <rte_malloc.h>

#include "pattern.h"

#define BLOCKS 8

static struct brg_device *dev;
static struct brg_nvme_ctrl *ctrl;
static struct brg_nvme_qpair *qp;
static struct brg_nvme_ns ns;
static uint8_t *buf;

static int open_all(void **state)
{
	if (brg_env_init(NULL) || brg_device_open(test_bdf(), &dev) ||
	    brg_nvme_open(dev, NULL, &ctrl) || brg_nvme_qpair_create(ctrl, NULL, &qp) ||
	    brg_nvme_ns_get(ctrl, 1, &ns)) {
		fprintf(stderr, "%s\n", brg_errmsg());
		return -1;
	}
	buf = rte_malloc(NULL, BLOCKS * ns.block_size, 4096);
	return buf ? 0 : -1;
}

static int close_all(void **state)
{
	rte_free(buf);
	brg_nvme_close(ctrl);
	brg_device_close(dev);
	brg_env_cleanup();
	return 0;
}

/* Read again and again, until one read is not answered for a second; that one is in flight. */
static void read_until_stalled(struct io *io)
{
	uint64_t since = 0, limit = rte_rdtsc() + 60 * rte_get_tsc_hz();

	do {
		assert_true(rte_rdtsc() < limit);
		if (!brg_nvme_outstanding(qp)) {
			*io = (struct io){0};
			memset(buf, 0, BLOCKS * ns.block_size);
			assert_works(brg_nvme_read(qp, &ns, buf, 0, BLOCKS, io_done, io));
			since = rte_rdtsc();
		}
		assert_works(brg_nvme_poll(qp, 0));
	} while (!brg_nvme_outstanding(qp) || rte_rdtsc() < since + rte_get_tsc_hz());
}

static void what_is_not_aborted_is_done(void **state)
{
	struct brg_nvme_stats stats;
	struct io io, other = {0};

	pattern_fill(buf, BLOCKS * ns.block_size, 1, 0);
	assert_int_equal(write_blocks(qp, &ns, buf, 0, BLOCKS), 0);
	assert_fails(brg_nvme_abort(qp, io_done, &other), ENOENT, "no command in flight");
	tell("to be stalled");
	read_until_stalled(&io);
	assert_fails(brg_nvme_abort(qp, io_done, &other), ENOENT, "no command in flight");
	assert_int_equal(brg_nvme_abort(qp, io_done, &io), 0);
	brg_nvme_stats_get(qp, &stats);
	assert_int_equal(stats.aborts, 1);
	assert_int_equal(brg_nvme_outstanding(qp), 1);
	assert_int_equal(io.calls, 0);
	tell("asked");
	drain(qp);
	assert_int_equal(io.calls, 1);
	assert_int_equal(io.status, 0);
	assert_true(pattern_is(buf, BLOCKS * ns.block_size, 1, 0));
	assert_fails(brg_nvme_abort(qp, io_done, &io), ENOENT, "no command in flight");
	brg_nvme_stats_get(qp, &stats);
	assert_int_equal(stats.aborts, 1);
	assert_int_equal(stats.cancelled, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_aborted_is_done),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
