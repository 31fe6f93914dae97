/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * BAR mappings of a real NVMe controller: lazy and prefaulted, from one lcore and from all at once,
 * with memory decode taken away and given back, and over a reset.
 */

#include "guest.h"

#include <errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <stdatomic.h>

#include "brg_bar.h"

/* Registers of NVMe 2.0, 3.1.3. Capabilities and version never change. */
#define CAP   0x00
#define VS    0x08
#define INTMS 0x0c /* ones written to it mask interrupts */
#define CC    0x14

static struct brg_device *dev;
static uint64_t cap; /* as read first */

static const struct brg_bar_opts lazy = {.policy = BRG_BAR_LAZY};

static int open_all(void **state)
{
	struct brg_bar *bar;

	if (brg_env_init(NULL) || brg_device_open(test_bdf(), &dev) ||
	    brg_bar_map(dev, 0, NULL, &bar)) {
		fprintf(stderr, "%s\n", brg_errmsg());
		return -1;
	}
	cap = brg_bar_read64(bar, CAP);
	brg_bar_unmap(bar);
	return 0;
}

static int close_all(void **state)
{
	brg_device_close(dev);
	brg_env_cleanup();
	return 0;
}

/* How many faults one read of a register takes. */
static long faults_of_read(const struct brg_bar *bar, uint64_t offset)
{
	long before = faults();

	(void)brg_bar_read32(bar, offset);
	return faults() - before;
}

static void registers_make_sense(void **state)
{
	struct brg_bar *bar;

	assert_works(brg_bar_map(dev, 0, NULL, &bar));
	assert_int_equal(bar->size, brg_device_get_info(dev)->bar_size[0]);
	assert_true(cap != 0 && cap != UINT64_MAX);
	assert_int_equal(brg_bar_read32(bar, VS) >> 16, 1); /* major version of QEMU's: 1.4 */
	assert_int_equal(brg_bar_read32(bar, CAP), (uint32_t)cap);
	assert_int_equal(brg_bar_read32(bar, CAP + 4), (uint32_t)(cap >> 32));
	assert_ptr_equal(brg_bar_ptr(bar, VS, 4), bar->base + VS);
	brg_bar_unmap(bar);
}

static void lazy_faults_once_prefault_never(void **state)
{
	struct brg_bar *bar;

	assert_works(brg_bar_map(dev, 0, &lazy, &bar));
	assert_int_equal(faults_of_read(bar, VS), 1);
	assert_int_equal(faults_of_read(bar, VS), 0);
	brg_bar_unmap(bar);

	assert_works(brg_bar_map(dev, 0, NULL, &bar));
	for (uint64_t off = 0; off < bar->length; off += 4096)
		assert_int_equal(faults_of_read(bar, off), 0);
	brg_bar_unmap(bar);
}

static void many_mappings_read_alike(void **state)
{
	struct brg_bar *bars[200];

	for (int i = 0; i < 200; i++)
		assert_works(brg_bar_map(dev, 0, i % 2 ? &lazy : NULL, &bars[i]));
	for (int i = 0; i < 200; i++)
		assert_true(brg_bar_read64(bars[i], CAP) == cap);
	for (int i = 0; i < 200; i++)
		brg_bar_unmap(bars[i]);
}

static void a_part_reads_alike(void **state)
{
	struct brg_bar_opts second = {.offset = 4096};
	struct brg_bar_opts first = {.length = 64};
	struct brg_bar *bar;

	assert_works(brg_bar_map(dev, 0, &first, &bar));
	assert_int_equal(bar->length, 4096);
	assert_true(brg_bar_read64(bar, CAP) == cap);
	assert_null(brg_bar_ptr(bar, 4096, 4));
	brg_bar_unmap(bar);

	assert_works(brg_bar_map(dev, 0, &second, &bar));
	assert_null(brg_bar_ptr(bar, CAP, 8));
	assert_non_null(brg_bar_ptr(bar, 4096, 4)); /* doorbells */
	brg_bar_unmap(bar);
}

static void no_such_bar(void **state)
{
	struct brg_bar *bar;

	assert_fails(brg_bar_map(dev, 5, NULL, &bar), ENOENT, "no memory BAR 5");
	assert_fails(brg_bar_map(dev, BRG_REGION_CONFIG, NULL, &bar), ENOENT, "no memory BAR 7");
}

static atomic_int arrived;

/* All lcores leave at the same moment. */
static void meet(int all)
{
	atomic_fetch_add(&arrived, 1);
	while (atomic_load(&arrived) < all)
		;
}

/* Each lcore makes and drops mappings of its own. @return how often CAP was read wrong. */
static int map_for_itself(void *arg)
{
	static const struct brg_bar_opts by_iommu = {.policy = BRG_BAR_IOMMU};
	const struct brg_bar_opts *const ways[] = {&lazy, NULL, &by_iommu};
	int wrong = 0;

	meet((int)rte_lcore_count());
	for (int i = 0; i < 300; i++) {
		struct brg_bar *bar;

		if (brg_bar_map(dev, 0, ways[i % 3], &bar))
			return -1;
		wrong += brg_bar_read64(bar, CAP) != cap;
		brg_bar_unmap(bar);
	}
	return wrong;
}

static int touch_shared(void *arg)
{
	const struct brg_bar *bar = arg;

	meet((int)rte_lcore_count());
	return brg_bar_read64(bar, CAP) != cap;
}

static int on_all_lcores(lcore_function_t *function, void *arg)
{
	unsigned int lcore;
	int bad = 0;

	atomic_store(&arrived, 0);
	rte_eal_mp_remote_launch(function, arg, CALL_MAIN);
	RTE_LCORE_FOREACH_WORKER (lcore) {
		bad |= rte_eal_wait_lcore(lcore);
	}
	return bad;
}

static void all_lcores_map_at_once(void **state)
{
	assert_in_range(rte_lcore_count(), 2, RTE_MAX_LCORE);
	assert_int_equal(on_all_lcores(map_for_itself, NULL), 0);
}

/* The kernel under test has the fix: lcores that fault one VMA together all succeed. */
static void all_lcores_touch_one_mapping(void **state)
{
	for (int i = 0; i < 100; i++) {
		struct brg_bar *bar;

		assert_works(brg_bar_map(dev, 0, &lazy, &bar));
		assert_int_equal(on_all_lcores(touch_shared, bar), 0);
		brg_bar_unmap(bar);
	}
}

static void reset_zaps_the_mapping(void **state)
{
	struct brg_bar *bar;

	assert_works(brg_bar_map(dev, 0, NULL, &bar));
	assert_works(brg_device_reset(dev));
	assert_int_equal(faults_of_read(bar, VS), 1);
	assert_true(brg_bar_read64(bar, CAP) == cap);
	brg_bar_unmap(bar);
}

static void no_decode_reads_all_ones(void **state)
{
	struct brg_bar *bar;
	struct brg_bar *other;

	assert_works(brg_bar_map(dev, 0, NULL, &bar));
	brg_bar_guard(); /* cmocka has put a handler of its own in place */
	assert_works(brg_device_set_memory_decode(dev, false));
	assert_false(brg_bar_lost(bar));
	assert_true(brg_bar_read64(bar, CAP) == UINT64_MAX);
	assert_int_equal(brg_bar_read32(bar, VS), UINT32_MAX);
	brg_bar_write32(bar, CC, 0);
	assert_true(brg_bar_lost(bar));
	assert_works(brg_bar_map(dev, 0, NULL, &other));
	assert_true(brg_bar_lost(other));
	assert_true(brg_bar_read64(other, CAP) == UINT64_MAX);

	assert_works(brg_device_set_memory_decode(dev, true));
	assert_true(brg_bar_read64(bar, CAP) == cap);
	assert_true(brg_bar_read64(other, CAP) == cap);
	assert_false(brg_bar_lost(bar));
	brg_bar_unmap(other);
	brg_bar_unmap(bar);
}

static struct {
	const struct brg_bar *bar;
	atomic_bool stop;
	atomic_ulong right, ones, wrong;
} load;

/* The main lcore takes memory decode away and gives it back; the others keep reading. */
static int read_until_stopped(void *arg)
{
	while (!atomic_load(&load.stop)) {
		uint64_t value = brg_bar_read64(load.bar, CAP);
		atomic_ulong *seen = value == cap	   ? &load.right
				     : value == UINT64_MAX ? &load.ones
							   : &load.wrong;

		atomic_fetch_add(seen, 1);
		brg_bar_write32(load.bar, INTMS, 0); /* masks no interrupt: has no effect */
	}
	return 0;
}

static void decode_goes_and_comes_under_load(void **state)
{
	struct brg_bar *bar;

	assert_works(brg_bar_map(dev, 0, NULL, &bar));
	brg_bar_guard();
	load.bar = bar;
	rte_eal_mp_remote_launch(read_until_stopped, NULL, SKIP_MAIN);
	for (int i = 0; i < 1000; i++) {
		unsigned long ones = atomic_load(&load.ones);
		unsigned long right = atomic_load(&load.right);

		assert_works(brg_device_set_memory_decode(dev, false));
		while (atomic_load(&load.ones) == ones)
			;
		assert_true(brg_bar_read64(bar, CAP) == UINT64_MAX);
		assert_works(brg_device_set_memory_decode(dev, true));
		while (atomic_load(&load.right) == right)
			;
		assert_true(brg_bar_read64(bar, CAP) == cap);
	}
	atomic_store(&load.stop, true);
	rte_eal_mp_wait_lcore();
	assert_int_equal(load.wrong, 0);
	assert_true(brg_bar_lost(bar));
	assert_false(brg_bar_lost(bar));
	brg_bar_unmap(bar);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers_make_sense),
		cmocka_unit_test(lazy_faults_once_prefault_never),
		cmocka_unit_test(many_mappings_read_alike),
		cmocka_unit_test(a_part_reads_alike),
		cmocka_unit_test(no_such_bar),
		cmocka_unit_test(all_lcores_map_at_once),
		cmocka_unit_test(all_lcores_touch_one_mapping),
		cmocka_unit_test(reset_zaps_the_mapping),
		cmocka_unit_test(no_decode_reads_all_ones),
		cmocka_unit_test(decode_goes_and_comes_under_load),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
