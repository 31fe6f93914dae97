/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * barrage-lab compare from end to end: the kernel BUG is there before the fix and gone after it,
 * and the result says so in the schema barrage-compare/1.
 */

#include "unit.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dash.h"

#define TRIALS 10

static json_t *result;

static json_t *arm(const char *handler, const char *sharing)
{
	size_t i;
	json_t *a;

	json_array_foreach (json_object_get(result, "arms"), i, a)
		if (!strcmp(json_string_value(json_object_get(a, "handler")), handler) &&
		    !strcmp(json_string_value(json_object_get(a, "sharing")), sharing))
			return a;
	fail_msg("no arm %s, %s", handler, sharing);
	return NULL;
}

static json_int_t integer(const json_t *a, const char *name)
{
	const json_t *value = json_object_get(a, name);

	if (!json_is_integer(value))
		fail_msg("%s is no integer", name);
	return json_integer_value(value);
}

static void has_the_schema(void **state)
{
	static const char *const strings[] = {"machine", "accel",   "qemu", "barrage_version",
					      "commit",	 "command", "date"};
	json_t *host = json_object_get(result, "host");

	assert_string_equal(json_string_value(json_object_get(result, "schema")),
			    "barrage-compare/1");
	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
		assert_true(json_is_string(json_object_get(host, strings[i])));
	assert_true(integer(host, "cpus") > 0);
	assert_int_equal(json_array_size(json_object_get(result, "arms")), 6);
}

static void bug_before_the_fix(void **state)
{
	const json_t *a = arm("unfixed", "shared");

	assert_true(integer(a, "kernel_bugs") > 0);
	assert_int_equal(integer(a, "hangs"), 0);
	assert_int_equal(integer(a, "trials"), integer(a, "survived") + integer(a, "kernel_bugs"));
	assert_int_equal(
		strncmp(json_string_value(json_object_get(a, "bug_at")), "mm/memory.c:", 12), 0);
}

/* An arm that lost no trial has everything measured. */
static void assert_whole(const json_t *a)
{
	const json_t *ns = json_object_get(a, "first_fault_ns");

	assert_int_equal(integer(a, "survived"), TRIALS);
	assert_int_equal(integer(a, "trials"), TRIALS);
	assert_int_equal(integer(a, "kernel_bugs"), 0);
	assert_int_equal(integer(a, "hangs"), 0);
	assert_true(json_is_null(json_object_get(a, "bug_at")));
	assert_int_equal(integer(a, "bar"), 0);
	assert_int_equal(integer(a, "bar_bytes"), 16384);
	assert_true(integer(ns, "min") > 0);
	assert_true(integer(ns, "min") <= integer(ns, "p50"));
	assert_true(integer(ns, "p50") <= integer(ns, "p99"));
	assert_true(integer(ns, "p99") <= integer(ns, "max"));
	assert_int_equal(json_array_size(json_object_get(ns, "all")),
			 TRIALS * integer(a, "lcores"));
	assert_true(json_real_value(json_object_get(a, "faults_per_s")) > 0);
	assert_true(json_real_value(json_object_get(a, "iops")) > 0);
}

static void no_bug_without_sharing(void **state)
{
	assert_whole(arm("unfixed", "single"));
	assert_whole(arm("unfixed", "per-lcore"));
}

static void no_bug_after_the_fix(void **state)
{
	assert_whole(arm("fixed", "single"));
	assert_whole(arm("fixed", "shared"));
	assert_whole(arm("fixed", "per-lcore"));
}

/* Every survived trial is a line of the raw file, with all its lcores. */
static void raw_trials_match(void **state)
{
	FILE *in = fopen("compare-report/compare-trials.jsonl", "r");
	char line[4096];
	json_int_t trials = 0, survived = 0;
	size_t i;
	json_t *a;

	assert_non_null(in);
	while (fgets(line, sizeof(line), in)) {
		json_t *record = json_loads(line, 0, NULL);
		const json_t *ns;

		assert_non_null(record);
		ns = json_object_get(record, "ns");
		if (ns) {
			assert_int_equal(json_array_size(ns), integer(record, "lcores"));
			trials++;
		}
		json_decref(record);
	}
	fclose(in);
	json_array_foreach (json_object_get(result, "arms"), i, a)
		survived += integer(a, "survived");
	assert_int_equal(trials, survived);
}

/* They are next to the JSON file as well. */
static void raw_trials_are_beside_it(void **state)
{
	assert_int_equal(system("cmp compare-report/compare-trials.jsonl compare.json.trials"), 0);
}

static void report_has_all(void **state)
{
	json_t *json = json_load_file("compare-report/compare.json", 0, NULL);
	FILE *table = fopen("compare-report/compare.txt", "r");
	FILE *picture = fopen("compare-report/compare.svg", "r");
	char text[65536];

	assert_true(json_equal(json, result));
	json_decref(json);
	assert_non_null(table);
	text[fread(text, 1, sizeof(text) - 1, table)] = '\0';
	fclose(table);
	assert_non_null(strstr(text, "unfixed  2 lcores, one VMA"));
	assert_non_null(strstr(text, "kernel BUG at mm/memory.c:"));
	assert_non_null(picture);
	text[fread(text, 1, sizeof(text) - 1, picture)] = '\0';
	fclose(picture);
	assert_non_null(strstr(text, "<svg"));
	assert_non_null(strstr(text, "fixed: 2 lcores, one VMA"));
}

static void the_dashboard_takes_it(void **state)
{
	assert_dash_takes("compare.json");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_the_schema),
		cmocka_unit_test(bug_before_the_fix),
		cmocka_unit_test(no_bug_without_sharing),
		cmocka_unit_test(no_bug_after_the_fix),
		cmocka_unit_test(raw_trials_match),
		cmocka_unit_test(raw_trials_are_beside_it),
		cmocka_unit_test(report_has_all),
		cmocka_unit_test(the_dashboard_takes_it),
	};
	char command[4096];
	int failed;

	if (argc != 2) {
		fprintf(stderr, "usage: test_compare PATH-OF-BARRAGE-LAB\n");
		return 2;
	}
	snprintf(command, sizeof(command),
		 "%s compare --trials %d --json compare.json --report compare-report", argv[1],
		 TRIALS);
	if (system(command) != 0 || !(result = json_load_file("compare.json", 0, NULL))) {
		fprintf(stderr, "failed: %s\n", command);
		return 1;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	json_decref(result);
	return failed;
}
