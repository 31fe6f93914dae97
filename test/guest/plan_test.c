/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every policy on every BAR of the guest, held against the plan: faults are counted while a BAR is
 * mapped, and there must be none left afterwards.
 */

#include "guest.h"

#include <errno.h>
#include <rte_lcore.h>
#include <sched.h>
#include <sys/mman.h>

#include "brg_bar.h"

#define PAGE  4096u
#define MIB_2 (UINT64_C(2) << 20)
#define GIB   (UINT64_C(1) << 30)
#define MOST  8

static struct brg_bar_handler handler;
static struct brg_device *devices[MOST];
static unsigned int count;

static int open_device(const char *bdf)
{
	if (count == MOST || brg_device_open(bdf, &devices[count])) {
		fprintf(stderr, "%s: %s\n", bdf, brg_errmsg());
		return -1;
	}
	count++;
	return 0;
}

static int open_all(void **state)
{
	char *more = getenv("BARRAGE_DEVICES");

	if (brg_env_init(NULL) || brg_bar_handler_detect(NULL, &handler) || open_device(test_bdf()))
		return -1;
	for (char *bdf = more ? strtok(more, " ,") : NULL; bdf; bdf = strtok(NULL, " ,"))
		if (open_device(bdf))
			return -1;
	return 0;
}

static int close_all(void **state)
{
	while (count)
		brg_device_close(devices[--count]);
	brg_env_cleanup();
	return 0;
}

static long faults_of_touching_all(const struct brg_bar *bar)
{
	long before = faults();

	for (uint64_t off = bar->offset; off < bar->offset + bar->length; off += PAGE)
		if (brg_bar_ptr(bar, off, 4))
			(void)brg_bar_read32(bar, off);
	return faults() - before;
}

/* Map twice: the first time makes the program's own code and data fault as well. */
static long faults_of_mapping(struct brg_device *dev, unsigned int index,
			      const struct brg_bar_opts *opts)
{
	struct brg_bar *bar;
	long before;
	long taken;

	for (int i = 0;; i++) {
		before = faults();
		assert_works(brg_bar_map(dev, index, opts, &bar));
		taken = faults() - before;
		assert_int_equal(faults_of_touching_all(bar), 0);
		brg_bar_unmap(bar);
		if (i)
			return taken;
	}
}

static void check(struct brg_device *dev, unsigned int index, enum brg_bar_policy policy)
{
	struct brg_bar_opts opts = {.policy = policy};
	struct brg_bar_plan plan;
	long taken;

	assert_works(brg_bar_plan(dev, index, &opts, &plan));
	taken = faults_of_mapping(dev, index, &opts);
	printf("%s BAR %u, %llu KiB, %s: %s, %ld faults, %llu planned\n",
	       brg_device_get_info(dev)->bdf, index, (unsigned long long)plan.length >> 10,
	       brg_bar_policy_name(policy), brg_bar_policy_name(plan.policy), taken,
	       (unsigned long long)plan.faults);
	if (plan.policy == BRG_BAR_TOUCH)
		assert_int_equal(taken, plan.faults);
}

static void for_each_bar(void (*call)(struct brg_device *dev, unsigned int index))
{
	for (unsigned int i = 0; i < count; i++) {
		for (unsigned int bar = 0; bar < BRG_PCI_BARS; bar++) {
			const struct brg_region *region = brg_device_region(devices[i], bar);

			if (region && region->nareas)
				call(devices[i], bar);
		}
	}
}

static void check_policies(struct brg_device *dev, unsigned int index)
{
	check(dev, index, BRG_BAR_AUTO);
	check(dev, index, BRG_BAR_TOUCH);
	check(dev, index, BRG_BAR_IOMMU);
	if (!handler.vulnerable)
		check(dev, index, BRG_BAR_PARALLEL);
}

static void policies_leave_no_fault(void **state)
{
	for_each_bar(check_policies);
}

static void check_lazy(struct brg_device *dev, unsigned int index)
{
	struct brg_bar_opts opts = {.policy = BRG_BAR_LAZY};
	struct brg_bar_plan plan;
	struct brg_bar *bar;
	long taken;

	/* As many faults as touching plans, but for smaller VMAs where those are safer. */
	opts.policy = BRG_BAR_TOUCH;
	assert_works(brg_bar_plan(dev, index, &opts, &plan));
	opts.policy = BRG_BAR_LAZY;
	assert_works(brg_bar_map(dev, index, &opts, &bar));
	taken = faults_of_touching_all(bar);
	assert_int_equal(taken, handler.vulnerable ? 1 : plan.faults);
	assert_int_equal(faults_of_touching_all(bar), 0);
	brg_bar_unmap(bar);
}

static void lazy_leaves_all_faults(void **state)
{
	for_each_bar(check_lazy);
}

static void check_part(struct brg_device *dev, unsigned int index)
{
	const struct brg_region *region = brg_device_region(dev, index);
	struct brg_bar_opts opts = {.offset = region->size / 4, .length = region->size / 2};
	struct brg_bar_plan plan;

	if (opts.offset % PAGE || !opts.length)
		return;
	assert_works(brg_bar_plan(dev, index, &opts, &plan));
	assert_int_equal(faults_of_mapping(dev, index, &opts), plan.faults);
}

static void parts_take_their_share(void **state)
{
	for_each_bar(check_part);
}

/* The BAR of 1 GiB that one of the guest's devices has. */
static struct brg_device *device_with_gib(unsigned int *index)
{
	for (unsigned int i = 0; i < count; i++) {
		for (*index = 0; *index < BRG_PCI_BARS; ++*index) {
			const struct brg_region *region = brg_device_region(devices[i], *index);

			if (region && region->nareas && region->size == GIB)
				return devices[i];
		}
	}
	fail_msg("no device has a BAR of 1 GiB: it takes --device ivshmem:1G");
	return NULL;
}

/*
 * A page of 1 GiB (PUD) is one fault, and one less 2 MiB is 511 of 2 MiB (PMD) where a fault makes
 * a page. A handler that fills all has one fault for each VMA, which where it is vulnerable has
 * 2 MiB.
 */
static void a_gib_is_few_faults(void **state)
{
	struct brg_bar_opts whole = {.policy = BRG_BAR_TOUCH};
	struct brg_bar_opts rest = {
		.policy = BRG_BAR_TOUCH, .offset = MIB_2, .length = GIB - MIB_2};
	bool huge = handler.era == BRG_BAR_ERA_HUGE;
	unsigned int bar;
	struct brg_device *dev = device_with_gib(&bar);

	assert_int_equal(faults_of_mapping(dev, bar, &whole), handler.vulnerable ? 512 : 1);
	assert_int_equal(faults_of_mapping(dev, bar, &rest), handler.vulnerable || huge ? 511 : 1);
}

/* Registers and memory alike: a mapped BAR reads all-ones while memory decode is off. */
static void check_guard(struct brg_device *dev, unsigned int index)
{
	const struct brg_bar_opts opts = {.lcores = 1};
	struct brg_bar *bar;
	uint32_t value;

	assert_works(brg_bar_map(dev, index, &opts, &bar));
	brg_bar_guard(); /* cmocka has put a handler of its own in place */
	value = brg_bar_read32(bar, bar->offset);
	assert_works(brg_device_set_memory_decode(dev, false));
	assert_int_equal(brg_bar_read32(bar, bar->offset), UINT32_MAX);
	brg_bar_write32(bar, bar->offset + bar->length - 4, 0);
	assert_true(brg_bar_lost(bar));
	assert_works(brg_device_set_memory_decode(dev, true));
	assert_int_equal(brg_bar_read32(bar, bar->offset), value);
	assert_false(brg_bar_lost(bar));
	brg_bar_unmap(bar);
}

static void every_bar_is_guarded(void **state)
{
	for_each_bar(check_guard);
}

static void where_it_runs_is_restored(void **state)
{
	struct brg_bar_opts opts = {.policy = BRG_BAR_TOUCH};
	cpu_set_t before, after;
	struct brg_bar *bar;

	sched_getaffinity(0, sizeof(before), &before);
	for (opts.policy = BRG_BAR_TOUCH;
	     opts.policy <= (handler.vulnerable ? BRG_BAR_IOMMU : BRG_BAR_PARALLEL);
	     opts.policy++) {
		assert_works(brg_bar_map(devices[0], 0, &opts, &bar));
		brg_bar_unmap(bar);
		sched_getaffinity(0, sizeof(after), &after);
		assert_true(CPU_EQUAL(&before, &after));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(policies_leave_no_fault),
		cmocka_unit_test(lazy_leaves_all_faults),
		cmocka_unit_test(parts_take_their_share),
		cmocka_unit_test(a_gib_is_few_faults),
		cmocka_unit_test(every_bar_is_guarded),
		cmocka_unit_test(where_it_runs_is_restored),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
