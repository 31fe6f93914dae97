/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory on a real controller: data in its CMB and PMR, there and back, submission queues in the
 * CMB, all of it over a reset; and the controller at the address in BARRAGE_DEVICES, which has
 * none.
 */

#include "opened.h"

#include <errno.h>
#include <rte_common.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>

#include "command.h"
#include "pattern.h"

#define PAGE  4096
#define CMB   (16u << 20)
#define PMR   (4u << 20)
#define DEPTH 16

static int open_ctrl(void **state)
{
	const struct brg_nvme_opts opts = {.io_queues = 4};

	return open_ctrl_with(&opts);
}

static struct brg_nvme_qpair *qpair_of(bool sq_in_cmb)
{
	/* The half that looks at buffers is to let these pass. */
	const struct brg_nvme_qpair_opts opts = {
		.depth = DEPTH, .sq_in_cmb = sq_in_cmb, .check_buffers = !sq_in_cmb};
	struct brg_nvme_qpair *qp;

	assert_works(brg_nvme_qpair_create(ctrl, &opts, &qp));
	return qp;
}

static void *in_cmb(size_t bytes)
{
	void *buf;

	assert_works(brg_nvme_cmb_alloc(ctrl, bytes, &buf));
	return buf;
}

/* From device memory to the namespace and into host memory, and the other way round. */
static void there_and_back(struct brg_nvme_qpair *qp, uint8_t *device, size_t bytes, uint64_t seed)
{
	uint32_t nblocks = bytes / ns.block_size;
	uint8_t *host = rte_zmalloc(NULL, bytes, PAGE);

	assert_non_null(host);
	pattern_fill(device, bytes, seed, 0);
	assert_int_equal(write_blocks(qp, &ns, device, 0, nblocks), 0);
	assert_int_equal(read_blocks(qp, &ns, host, 0, nblocks), 0);
	assert_true(pattern_is(host, bytes, seed, 0));

	pattern_fill(host, bytes, seed + 1, 0);
	assert_int_equal(write_blocks(qp, &ns, host, nblocks, nblocks), 0);
	assert_int_equal(read_blocks(qp, &ns, device, nblocks, nblocks), 0);
	assert_true(pattern_is(device, bytes, seed + 1, 0));
	rte_free(host);
}

static void says_what_it_has(void **state)
{
	struct brg_nvme_cmb cmb;

	assert_works(brg_nvme_cmb_get(ctrl, &cmb));
	assert_int_equal(cmb.bar, 2);
	assert_int_equal(cmb.offset, 0);
	assert_int_equal(cmb.size, CMB);
	assert_false(cmb.legacy);
	assert_true(cmb.submission_queues);
	assert_true(cmb.read_data);
	assert_true(cmb.write_data);
}

/* One page, two, and a list of them. */
static void data_in_the_cmb(void **state)
{
	static const size_t sizes[] = {PAGE, 2 * PAGE, 16 * PAGE};
	struct brg_nvme_qpair *qp = qpair_of(false);
	void *buf;

	assert_fails(brg_nvme_cmb_alloc(ctrl, PAGE, &buf), ENXIO, "brg_nvme_cmb_enable");
	assert_works(brg_nvme_cmb_enable(ctrl, NULL));
	assert_fails(brg_nvme_cmb_enable(ctrl, NULL), EALREADY, "already");
	brg_nvme_cmb_free(ctrl, NULL);
	for (size_t i = 0; i < RTE_DIM(sizes); i++) {
		buf = in_cmb(sizes[i]);
		there_and_back(qp, buf, sizes[i], 10 * i);
		brg_nvme_cmb_free(ctrl, buf);
	}
	brg_nvme_qpair_free(qp);
}

/* What the BAR holds, through a mapping that has nothing to do with the controller's. */
static uint32_t cmb_dword(uint64_t offset)
{
	const struct brg_bar_opts opts = {.length = PAGE, .lcores = 1};
	struct brg_bar *bar;
	uint32_t value;

	assert_works(brg_bar_map(dev, 2, &opts, &bar));
	value = brg_bar_read32(bar, offset);
	brg_bar_unmap(bar);
	return value;
}

static void queues_in_the_cmb(void **state)
{
	const struct brg_nvme_qpair_opts opts = {.depth = DEPTH, .sq_in_cmb = true};
	struct brg_nvme_qpair *qp, *none;
	void *all;

	assert_fails(brg_nvme_qpair_create(ctrl, &opts, &qp), ENXIO, "brg_nvme_cmb_enable");
	assert_works(brg_nvme_cmb_enable(ctrl, NULL));
	qp = qpair_of(true);
	all = in_cmb(CMB - PAGE);
	assert_fails(brg_nvme_qpair_create(ctrl, &opts, &none), ENOSPC, "16384 KiB");
	for (unsigned int i = 0; i < 2 * DEPTH; i++) /* around the ring */
		there_and_back(qp, all, PAGE, 100 + i);
	assert_int_equal((uint8_t)cmb_dword(0), nvme_cmd_write);
	assert_int_equal((uint8_t)cmb_dword(64), nvme_cmd_read);
	assert_int_equal(cmb_dword(4), ns.nsid);

	assert_works(brg_nvme_reset(ctrl));
	assert_works(brg_nvme_poll(qp, 0));
	there_and_back(qp, all, 16 * PAGE, 200);
	brg_nvme_qpair_free(qp);
	brg_nvme_cmb_free(ctrl, all);
	brg_nvme_cmb_free(ctrl, in_cmb(CMB)); /* the ring's page is back */
}

static int work(void *arg)
{
	for (unsigned int i = 0; i < 50; i++) {
		struct io io = {0};
		void **job = arg;

		if (brg_nvme_read(job[0], &ns, job[1], i, 1, io_done, &io))
			return -1;
		while (brg_nvme_outstanding(job[0]))
			if (brg_nvme_poll(job[0], 0) < 0)
				return -1;
		if (io.calls != 1 || io.status)
			return -1;
	}
	return 0;
}

/* A queue each, and the pages of the CMB that they are in first touched side by side, after the
 * function was reset, too. */
static void lcores_side_by_side(void **state)
{
	unsigned int other = rte_get_next_lcore(rte_lcore_id(), 1, 0);
	uint8_t *bufs = rte_zmalloc(NULL, 2 * PAGE, PAGE);
	void *mine[2], *theirs[2];

	assert_works(brg_nvme_cmb_enable(ctrl, NULL));
	mine[0] = qpair_of(true);
	mine[1] = bufs;
	theirs[0] = qpair_of(true);
	theirs[1] = bufs + PAGE;
	for (unsigned int round = 0; round < 3; round++) {
		assert_int_equal(rte_eal_remote_launch(work, theirs, other), 0);
		assert_int_equal(work(mine), 0);
		assert_int_equal(rte_eal_wait_lcore(other), 0);
	}
	brg_nvme_qpair_free(theirs[0]);
	brg_nvme_qpair_free(mine[0]);
	rte_free(bufs);
}

static void persistent_memory(void **state)
{
	struct brg_nvme_qpair *qp = qpair_of(false);
	struct brg_nvme_pmr pmr;
	uint8_t *memory;

	assert_fails(brg_nvme_pmr_flush(ctrl), ENXIO, "brg_nvme_pmr_enable");
	assert_works(brg_nvme_pmr_enable(ctrl, NULL, &pmr));
	assert_fails(brg_nvme_pmr_enable(ctrl, NULL, &pmr), EALREADY, "already");
	assert_int_equal(pmr.bar->size, PMR);
	assert_true(pmr.read_data && pmr.write_data);
	memory = (uint8_t *)(uintptr_t)pmr.bar->base;
	there_and_back(qp, memory, 16 * PAGE, 300);
	assert_works(brg_nvme_reset(ctrl));
	assert_works(brg_nvme_poll(qp, 0));
	there_and_back(qp, memory + PMR - PAGE, PAGE, 400);
	assert_works(brg_nvme_pmr_flush(ctrl));
	brg_nvme_qpair_free(qp);

	/* It keeps what it has. */
	close_ctrl(NULL);
	assert_int_equal(open_ctrl(NULL), 0);
	assert_works(brg_nvme_pmr_enable(ctrl, NULL, &pmr));
	memory = (uint8_t *)(uintptr_t)pmr.bar->base;
	assert_true(pattern_is(memory, 16 * PAGE, 301, 0));
	assert_true(pattern_is(memory + PMR - PAGE, PAGE, 401, 0));
}

/* Both at once: each has its address. */
static void cmb_and_pmr(void **state)
{
	struct brg_nvme_qpair *qp;
	struct brg_nvme_pmr pmr;

	assert_works(brg_nvme_cmb_enable(ctrl, NULL));
	assert_works(brg_nvme_pmr_enable(ctrl, NULL, &pmr));
	qp = qpair_of(true);
	there_and_back(qp, in_cmb(PAGE), PAGE, 500);
	there_and_back(qp, (uint8_t *)(uintptr_t)pmr.bar->base, PAGE, 600);
	brg_nvme_qpair_free(qp);
}

static void a_controller_without(void **state)
{
	const char *bdf = getenv("BARRAGE_DEVICES");
	struct brg_nvme_ctrl *other;
	struct brg_nvme_pmr pmr;
	struct brg_nvme_cmb cmb;
	struct brg_device *d;

	assert_non_null(bdf);
	assert_works(brg_device_open(bdf, &d));
	assert_works(brg_nvme_open(d, NULL, &other));
	assert_fails(brg_nvme_cmb_get(other, &cmb), ENOTSUP, "no Controller Memory Buffer");
	assert_fails(brg_nvme_cmb_enable(other, NULL), ENOTSUP, "no Controller Memory Buffer");
	assert_fails(brg_nvme_pmr_enable(other, NULL, &pmr), ENOTSUP, "no Persistent Memory");
	brg_nvme_close(other);
	brg_device_close(d);
}

/* For the command to open it, the device must not be open here. */
static void the_command_tells(void **state)
{
	const char *barrage = getenv("BARRAGE");
	int status;

	assert_non_null(barrage);
	brg_device_close(dev);
	status = run(barrage, "identify", test_bdf(), NULL);
	assert_works(brg_device_open(test_bdf(), &dev));
	assert_int_equal(status, 0);
	assert_printed("16 MiB in BAR 2, submission queues, data of reads, data of writes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(says_what_it_has, open_ctrl, close_ctrl),
		cmocka_unit_test_setup_teardown(data_in_the_cmb, open_ctrl, close_ctrl),
		cmocka_unit_test_setup_teardown(queues_in_the_cmb, open_ctrl, close_ctrl),
		cmocka_unit_test_setup_teardown(lcores_side_by_side, open_ctrl, close_ctrl),
		cmocka_unit_test_setup_teardown(persistent_memory, open_ctrl, close_ctrl),
		cmocka_unit_test_setup_teardown(cmb_and_pmr, open_ctrl, close_ctrl),
		cmocka_unit_test(a_controller_without),
		cmocka_unit_test(the_command_tells),
	};

	return cmocka_run_group_tests(tests, open_device, close_device);
}
