/* SPDX-License-Identifier: BSD-3-Clause */
/* The C shim over Google Benchmark: one run of it, whose JSON report and header are looked at. */

#include "unit.h"

#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gb.h"

static char header[8192]; /* what the run wrote to stderr */
static json_t *report;
static unsigned int benchmarks, calls;

static void good(struct gb_state *state, void *arg)
{
	calls++;
	while (gb_loop(state))
		gb_iteration_seconds(state, 0.002);
	gb_counter(state, "answer", *(int *)arg);
	gb_counter(state, "iterations_asked", (double)gb_iterations(state));
}

static void not_a_number(struct gb_state *state, void *arg)
{
	while (gb_loop(state))
		gb_iteration_seconds(state, 0.002);
	gb_counter(state, "rate", NAN);
}

static void skips(struct gb_state *state, void *arg)
{
	char why[] = "no \"device\"\n";

	while (gb_loop(state)) {
		gb_skip(state, why);
		memset(why, 'x', sizeof(why) - 1);
		return;
	}
}

static void returns_early(struct gb_state *state, void *arg)
{
}

static void help(void)
{
}

static int run_all(void **state)
{
	char out[] = "/tmp/test_gb_XXXXXX", flag[64], *argv[6];
	int argc = 0, answer = 42, out_fd = mkstemp(out), err_fd, old_stderr = dup(STDERR_FILENO);

	snprintf(flag, sizeof(flag), "--benchmark_out=%s", out);
	argv[argc++] = (char *)"test_gb";
	argv[argc++] = flag;
	argv[argc++] = (char *)"--benchmark_repetitions=2";
	argv[argc++] = (char *)"--ours";
	argv[argc] = NULL;
	gb_initialize(&argc, argv, help);
	if (out_fd < 0 || argc != 2 || strcmp(argv[1], "--ours"))
		return -1;

	gb_context("our_context", "is here");
	gb_register("good", good, &answer, 3, GB_MILLISECONDS);
	gb_register("not_a_number", not_a_number, NULL, 3, GB_MILLISECONDS);
	gb_register("skips", skips, NULL, 3, GB_MILLISECONDS);
	gb_register("returns_early", returns_early, NULL, 3, GB_MILLISECONDS);

	err_fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	dup2(err_fd, STDERR_FILENO);
	benchmarks = gb_run();
	dup2(old_stderr, STDERR_FILENO);
	if (pread(err_fd, header, sizeof(header) - 1, 0) <= 0)
		return -1;
	report = json_load_file(out, JSON_REJECT_DUPLICATES, NULL);

	close(err_fd);
	close(old_stderr);
	close(out_fd);
	return unlink(out);
}

static int drop_report(void **state)
{
	json_decref(report);
	return 0;
}

/* The first run in the report whose name begins so. */
static const json_t *run_of(const char *name)
{
	const json_t *run;
	size_t i;

	json_array_foreach (json_object_get(report, "benchmarks"), i, run)
		if (!strncmp(json_string_value(json_object_get(run, "name")), name, strlen(name)))
			return run;
	fail_msg("%s is not in the report", name);
	return NULL;
}

static void report_is_json(void **state)
{
	assert_non_null(report);
	assert_string_equal(json_string_value(json_object_get(json_object_get(report, "context"),
							      "our_context")),
			    "is here");
}

static void header_does_not_doubt_our_timings(void **state)
{
	assert_non_null(strstr(header, "our_context: is here"));
	assert_null(strstr(header, "DEBUG"));
}

static void time_and_counters_are_ours(void **state)
{
	const json_t *run = run_of("good/");

	assert_string_equal(json_string_value(json_object_get(run, "time_unit")), "ms");
	assert_true(fabs(json_number_value(json_object_get(run, "real_time")) - 2.0) < 1e-9);
	assert_int_equal(json_integer_value(json_object_get(run, "iterations")), 3);
	assert_true(json_number_value(json_object_get(run, "answer")) == 42.0);
	assert_true(json_number_value(json_object_get(run, "iterations_asked")) == 3.0);
	assert_null(json_object_get(run, "error_occurred"));
	assert_int_equal(calls, 2); /* the repetitions: no run to estimate came before */
}

static void assert_error(const char *name, const char *words)
{
	const json_t *run = run_of(name);
	const char *message = json_string_value(json_object_get(run, "error_message"));

	assert_true(json_is_true(json_object_get(run, "error_occurred")));
	assert_non_null(message);
	assert_non_null(strstr(message, words));
}

static void errors_are_reported_and_counted(void **state)
{
	assert_error("not_a_number/", "rate is not a finite number");
	assert_error("skips/", "no \"device\"\n");
	assert_error("returns_early/", "before its loop had ended");
	assert_int_equal(benchmarks, 4);
	assert_int_equal(gb_errors(), 3 * 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(report_is_json),
		cmocka_unit_test(header_does_not_doubt_our_timings),
		cmocka_unit_test(time_and_counters_are_ours),
		cmocka_unit_test(errors_are_reported_and_counted),
	};

	return cmocka_run_group_tests_name("gb", tests, run_all, drop_report);
}
