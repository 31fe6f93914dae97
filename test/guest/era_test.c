/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The fault handler of the kernel that runs: told from its module, held against counted faults, and
 * what barrage-bench makes of it. In the environment: ERA and FAULTS, as they must come out, and
 * BENCH, the path of barrage-bench, if it was built.
 */

#include "guest.h"

#include <errno.h>

#include "brg_bar.h"
#include "command.h"

static struct brg_bar_handler handler;
static const char *era;

static int detect(void **state)
{
	return brg_bar_handler_detect(NULL, &handler);
}

static struct brg_device *dev;

static int detect_and_open(void **state)
{
	return detect(state) || brg_device_open(test_bdf(), &dev);
}

static int close_device(void **state)
{
	brg_device_close(dev);
	return 0;
}

static void check_era(const char *expected)
{
	if (strcmp(brg_bar_era_name(handler.era), expected) != 0)
		fail_msg("%s: %s", brg_bar_era_name(handler.era), handler.evidence);
}

static void is_told_from_the_module(void **state)
{
	check_era(era);
	assert_true(handler.loaded);
	assert_int_equal(handler.vulnerable,
			 !strcmp(era, "unfixed") || !strcmp(era, "skip-existing"));
	assert_non_null(strstr(handler.module, "/lib/modules/"));
}

static void counted_faults_confirm_it(void **state)
{
	char counts[64];

	assert_works(brg_bar_handler_confirm(&handler, dev, 0));
	snprintf(counts, sizeof(counts), "; faults per page touched: %s", getenv("FAULTS"));
	if (!strstr(handler.evidence, counts))
		fail_msg("\"%s\" does not say \"%s\"", handler.evidence, counts);
	check_era(era);
}

/* Whatever the file says: what was counted has the last word. */
static void counted_faults_contradict_another(void **state)
{
	handler.era = !strcmp(era, "eager") ? BRG_BAR_ERA_HUGE : BRG_BAR_ERA_EAGER;
	handler.vulnerable = false;
	assert_works(brg_bar_handler_confirm(&handler, dev, 0));
	check_era("unknown");
	assert_true(handler.vulnerable);
}

static void faults_are_not_counted_without_decode(void **state)
{
	assert_works(brg_device_set_memory_decode(dev, false));
	assert_fails(brg_bar_handler_confirm(&handler, dev, 0), EIO, "memory decode");
	check_era(era);
	assert_works(brg_device_set_memory_decode(dev, true));
	assert_fails(brg_bar_handler_confirm(&handler, dev, 5), ENOENT, "no memory BAR 5");
}

static void bench_refuses_where_it_may_crash(void **state)
{
	const char *bench = getenv("BENCH");
	char reason[64];
	int status;

	if (!bench)
		skip();
	status = run(bench, "--lcores=2", "--sharing=shared", "--trials=3",
		     "--benchmark_filter=first_fault", NULL);
	if (handler.vulnerable) {
		assert_int_equal(status, 1);
		snprintf(reason, sizeof(reason), "vfio-pci is %s (vfio_pci_mmap_fault calls", era);
		assert_printed(reason);
	} else {
		assert_int_equal(status, 0);
		assert_printed("first_fault/shared/lcores:2");
	}
}

#define ON_DEVICE(test) cmocka_unit_test_setup_teardown(test, detect_and_open, close_device)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(is_told_from_the_module, detect),
		ON_DEVICE(counted_faults_confirm_it),
		ON_DEVICE(counted_faults_contradict_another),
		ON_DEVICE(faults_are_not_counted_without_decode),
		cmocka_unit_test_setup(bench_refuses_where_it_may_crash, detect),
	};

	era = getenv("ERA");
	if (!era || !getenv("FAULTS")) {
		fprintf(stderr, "ERA and FAULTS are not set: they are what must come out\n");
		return 2;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
