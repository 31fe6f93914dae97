/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One handler in guests of its own, by test/guest/handler_test.c; or "ends": how guests end where a
 * handler is wrong, and that fail_after gets where it belongs.
 */

#include "lab_test.h"

static const char *handler;

/* Run $TEST under a handler. */
static int run_guest(char *out, size_t size, const char *name, const char *options)
{
	char command[512];

	snprintf(command, sizeof(command), "$LAB exec --timeout 120 -e HANDLER=%s %s -- $TEST 2>&1",
		 name, options);
	return shell(out, size, command);
}

static void assert_passes(const char *extra)
{
	char out[16384], options[192];
	int status;

	snprintf(options, sizeof(options), "%s%s %s",
		 strcmp(handler, "stock") ? "--fail-after 0 --handler " : "",
		 strcmp(handler, "stock") ? handler : "", extra);
	status = run_guest(out, sizeof(out), handler, options);
	if (status)
		fail_msg("status %d: %s", status, out);
}

/* In one thread, see test/guest/meson.build: memory goes and comes while others use it. */
static void does_what_it_should(void **state)
{
	assert_passes("--one-thread");
}

static void two_threads_side_by_side(void **state)
{
	assert_passes("-e HANDLER_TEST=two_threads_touch_first");
}

static void two_threads_are_a_bug(void **state)
{
	char out[8192];

	assert_int_equal(run_guest(out, sizeof(out), "unfixed",
				   "--handler unfixed -e HANDLER_TEST=two_threads_touch_first"),
			 125);
	assert_says(out, "kernel BUG at mm/memory.c:");
}

/* Nothing is zapped when a fill fails: the second meets what the first has left. */
static void retry_is_a_bug(void **state)
{
	char out[8192];

	assert_int_equal(run_guest(out, sizeof(out), "skip-existing",
				   "--handler skip-existing --fail-after 0 "
				   "-e HANDLER_TEST=retry_after_a_failure"),
			 125);
	assert_says(out, "[ RUN      ] retry_after_a_failure");
	assert_says(out, "kernel BUG at mm/memory.c:");
}

static void retry_recovers(void **state)
{
	char out[8192];

	assert_int_equal(run_guest(out, sizeof(out), "fixed",
				   "--handler fixed --fail-after 0 "
				   "-e HANDLER_TEST=retry_after_a_failure"),
			 0);
	assert_says(out, "[       OK ] retry_after_a_failure");
}

static void fail_after_is_set_at_start(void **state)
{
	char out[4096];

	assert_ends(out, sizeof(out),
		    "$LAB exec --handler fixed --fail-after 3 -- "
		    "cat /sys/module/vfio_pci_core/parameters/fail_after",
		    0);
	assert_string_equal(out, "3\n");
}

/* A handler that was not asked to fail is the code that it was. */
static void no_fail_after_unasked(void **state)
{
	char out[4096];

	assert_ends(out, sizeof(out),
		    "$LAB exec --handler insert-pfn -- "
		    "ls /sys/module/vfio_pci_core/parameters 2>&1",
		    2);
	assert_says(out, "No such file or directory");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest unsafe[] = {
		cmocka_unit_test(does_what_it_should),
	};
	const struct CMUnitTest safe[] = {
		cmocka_unit_test(does_what_it_should),
		cmocka_unit_test(two_threads_side_by_side),
	};
	const struct CMUnitTest ends[] = {
		cmocka_unit_test(two_threads_are_a_bug),
		cmocka_unit_test(retry_is_a_bug),
		cmocka_unit_test(retry_recovers),
		cmocka_unit_test(fail_after_is_set_at_start),
		cmocka_unit_test(no_fail_after_unasked),
	};

	if (argc != 4 || setenv("LAB", argv[1], 1) < 0 || setenv("TEST", argv[2], 1) < 0) {
		fprintf(stderr, "usage: test_handlers BARRAGE-LAB HANDLER-TEST HANDLER|ends\n");
		return 2;
	}
	handler = argv[3];
	if (!strcmp(handler, "ends"))
		return cmocka_run_group_tests(ends, NULL, NULL);
	if (!strcmp(handler, "unfixed"))
		return cmocka_run_group_tests(unsafe, NULL, NULL);
	return cmocka_run_group_tests(safe, NULL, NULL);
}
