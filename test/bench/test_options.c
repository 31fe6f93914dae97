/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * barrage-bench without a device: what it registers, what it refuses, and that no mistake exits
 * with 0 or leaves a report that is not JSON.
 */

#include "unit.h"

#include <brg_bar.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shell.h"

static const char *bench;
static char output[65536]; /* of the last run, standard output and error */

/* Run barrage-bench; returns its exit status. */
static int run(const char *arguments)
{
	char command[4096];

	snprintf(command, sizeof(command), "exec '%s' %s 2>&1", bench, arguments);
	return shell(output, sizeof(output), command);
}

static bool says(const char *words)
{
	return strstr(output, words) != NULL;
}

static void assert_says(const char *words)
{
	if (!says(words))
		fail_msg("\"%s\" is not in:\n%s", words, output);
}

static void registers_the_cross_product(void **state)
{
	assert_int_equal(run("--benchmark_list_tests --lcores 1,2,3 --queue-depth 8,16 --bar 4 "
			     "--trials 7"),
			 0);
	assert_says("first_fault/single/lcores:1/bar:4/iterations:7");
	assert_says("first_fault/shared/lcores:2/bar:4/");
	assert_says("first_fault/per-lcore/lcores:3/bar:4/");
	assert_says("nvme_io/single/lcores:1/qd:8/");
	assert_says("nvme_io/shared/lcores:3/qd:16/");
	assert_false(says("shared/lcores:1")); /* that is single */

	assert_int_equal(run("--benchmark_list_tests --lcores 1,2 --sharing shared"), 0);
	assert_says("first_fault/shared/lcores:1/");
	assert_false(says("single"));
	assert_false(says("per-lcore"));

	assert_int_equal(run("--benchmark_list_tests --lcores 2 --policy auto,lazy"), 0);
	assert_says("first_fault/shared/lcores:2/bar:0/policy:auto");
	assert_says("first_fault/shared/lcores:2/bar:0/manual_time");
	assert_false(says("policy:lazy")); /* the name without one */
	assert_false(says("policy:touch"));
}

static void help_has_an_example_and_all_flags(void **state)
{
	assert_int_equal(run("--help"), 0);
	assert_says("barrage-bench --device 0000:01:00.0");
	assert_says("--trials-out");
	assert_says("--benchmark_repetitions");
}

static void mistakes_are_named(void **state)
{
	static const char *const mistakes[][2] = {
		{"--lcores 0", "'0' is not a number from 1"},
		{"--lcores 1,,2", "'' is not a number"},
		{"--lcores -1", "'-1' is not a number"},
		{"--lcores 2x", "'2x' is not a number"},
		{"--lcores 1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1", "more than 16"},
		{"--sharing all", "'all' is none of"},
		{"--policy eager", "'eager' is none of lazy, auto"},
		{"--fail-after 0", "'0' is not a number from 1"},
		{"--bar 6", "'6' is not a number from 0 to 5"},
		{"--offset 2", "not a multiple of 4"},
		{"--queue-depth 65535", "from 1 to 65534"},
		{"--seconds nan", "'nan' is not a time"},
		{"--seconds 0", "'0' is not a time"},
		{"--no-such-option", "no-such-option"},
		{"--benchmark_no_such_flag=1", "benchmark_no_such_flag"},
		{"--benchmark_repetitions=many", "benchmark_repetitions"},
		{"stray", "stray"},
	};

	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		assert_int_equal(run(mistakes[i][0]), 2);
		assert_says(mistakes[i][1]);
	}
}

static void a_device_that_cannot_be_used_is_an_error(void **state)
{
	assert_int_equal(run("--lcores 1 --sharing single"), 1);
	assert_says("no device: give --device BDF or set BARRAGE_BDF");
	assert_int_equal(run("--lcores 1 --sharing single --device nonsense"), 1);
	assert_says("nonsense");
	assert_int_equal(run("--lcores 1 --sharing single --device ffff:ff:1f.7"), 1);
	assert_says("ffff:ff:1f.7");
	assert_says("2 runs failed");
}

/* Refused or not: what this machine's kernel makes of it, the library tells. */
static void several_lcores_on_one_vma_may_be_refused(void **state)
{
	struct brg_bar_handler handler;

	brg_bar_handler_detect(NULL, &handler);
	assert_int_equal(run("--lcores 2 --sharing shared --benchmark_filter=first_fault"), 1);
	assert_int_equal(says("--allow-kernel-bug"), handler.vulnerable);
	assert_says(handler.vulnerable ? handler.evidence : "no device");
	assert_int_equal(run("--lcores 2 --policy auto --benchmark_filter=shared/.*policy"), 1);
	assert_says("no device");
	assert_int_equal(run("--lcores 2 --sharing per-lcore --benchmark_filter=first_fault"), 1);
	assert_says("no device"); /* not refused: it got as far as the device */
	assert_int_equal(run("--lcores 2 --sharing shared --allow-kernel-bug "
			     "--benchmark_filter=first_fault"),
			 1);
	assert_says("no device");
}

static void a_filter_that_selects_nothing_is_an_error(void **state)
{
	assert_int_equal(run("--benchmark_filter=no_such_benchmark"), 1);
}

static void a_trial_stream_that_cannot_be_opened_is_an_error(void **state)
{
	assert_int_equal(run("--trials-out /no/such/folder/trials"), 1);
	assert_says("/no/such/folder/trials: No such file or directory");
}

static void the_report_is_json_even_of_errors(void **state)
{
	char path[] = "/tmp/test_options_XXXXXX", arguments[256];
	int fd = mkstemp(path);
	json_t *report, *context;

	assert_true(fd >= 0);
	close(fd);
	snprintf(arguments, sizeof(arguments),
		 "--lcores 1 --device '\"odd\\' --benchmark_out=%s --benchmark_repetitions=2",
		 path);
	assert_int_equal(run(arguments), 1);
	report = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
	unlink(path);
	assert_non_null(report);
	context = json_object_get(report, "context");
	assert_true(json_is_string(json_object_get(context, "barrage_version")));
	assert_true(json_is_string(json_object_get(context, "barrage_build_type")));
	assert_string_equal(json_string_value(json_object_get(context, "device")), "\"odd\\");
	json_decref(report);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers_the_cross_product),
		cmocka_unit_test(help_has_an_example_and_all_flags),
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(a_device_that_cannot_be_used_is_an_error),
		cmocka_unit_test(several_lcores_on_one_vma_may_be_refused),
		cmocka_unit_test(a_filter_that_selects_nothing_is_an_error),
		cmocka_unit_test(a_trial_stream_that_cannot_be_opened_is_an_error),
		cmocka_unit_test(the_report_is_json_even_of_errors),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: test_options PATH-OF-BARRAGE-BENCH\n");
		return 2;
	}
	bench = argv[1];
	unsetenv("BARRAGE_BDF");
	return cmocka_run_group_tests_name("bench-options", tests, NULL, NULL);
}
