/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * barrage-lab cost: two runs print the same instruction counts, and the fix costs what reading it
 * says, a walk over an empty list.
 */

#include "unit.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dash.h"

static json_t *first, *second, *failing, *marks;

/* What says that it is exact is the same in both, to the digit; and most of it does. */
static void two_runs_are_equal(void **state)
{
	json_t *a = json_object_get(first, "rows"), *b = json_object_get(second, "rows");
	size_t exact = 0;

	assert_int_equal(json_array_size(a), json_array_size(b));
	for (size_t i = 0; i < json_array_size(a); i++) {
		json_t *x = json_array_get(a, i), *y = json_array_get(b, i);
		json_int_t was = json_integer_value(json_object_get(x, "instructions"));
		json_int_t is = json_integer_value(json_object_get(y, "instructions"));

		if (!json_is_true(json_object_get(x, "exact")) ||
		    !json_is_true(json_object_get(y, "exact")))
			continue;
		exact++;
		if (is != was)
			fail_msg("%s: %lld and %lld", json_dumps(x, 0), (long long)was,
				 (long long)is);
	}
	assert_true(exact > json_array_size(a) / 2);
}

static json_int_t count_in(const json_t *result, const char *handler, const char *policy,
			   const char *op, json_int_t bytes)
{
	json_t *row;
	size_t i;

	json_array_foreach (json_object_get(result, "rows"), i, row)
		if (!strcmp(json_string_value(json_object_get(row, "handler")), handler) &&
		    !strcmp(json_string_value(json_object_get(row, "policy")), policy) &&
		    !strcmp(json_string_value(json_object_get(row, "op")), op) &&
		    json_integer_value(json_object_get(row, "bar_bytes")) == bytes)
			return json_integer_value(json_object_get(row, "instructions"));
	fail_msg("no row %s, %s, %s, %lld bytes", handler, policy, op, bytes);
	return 0;
}

static json_int_t count(const char *handler, const char *policy, const char *op, json_int_t bytes)
{
	return count_in(first, handler, policy, op, bytes);
}

static void fills_the_whole_vma(void **state)
{
	json_int_t small = count("fixed", "plain", "first-touch", 16384);
	json_int_t large = count("fixed", "plain", "first-touch", 64 << 20);

	/* 16,384 pages instead of 4, of at least a store each. */
	assert_true(large - small > 16380);
	/* Once it is filled no page faults: a few instructions for each. */
	assert_true(count("fixed", "plain", "touch-all", 64 << 20) - large < 16384 * 10);
}

static void fix_is_cheap(void **state)
{
	json_int_t before = count("unfixed", "plain", "first-touch", 16384);
	json_int_t after = count("fixed", "plain", "first-touch", 16384);

	assert_true(after > before);
	assert_true(after - before < 20);
}

/* What a fill that failed has left is a kernel BUG in one, and zapped and filled anew in the other.
 */
static void failed_fills_are_zapped(void **state)
{
	const json_t *bugs = json_object_get(failing, "kernel_bugs"),
		     *bug = json_array_get(bugs, 0);
	json_int_t whole = count("fixed", "lazy", "first-touch", 64 << 20);

	assert_int_equal(json_array_size(bugs), 1);
	assert_string_equal(json_string_value(json_object_get(bug, "handler")), "skip-existing");
	assert_int_equal(
		strncmp(json_string_value(json_object_get(bug, "bug_at")), "mm/memory.c:", 12), 0);
	assert_true(count_in(failing, "skip-existing", "lazy", "failed-touch", 16384) > 0);
	assert_true(count_in(failing, "fixed", "lazy", "failed-touch", 64 << 20) < whole / 10);
	assert_true(count_in(failing, "fixed", "lazy", "retry", 64 << 20) > whole * 9 / 10);
}

/* A row for each two markers: what repeats is exact, what was counted once is not. */
static void markers_say_what_repeats(void **state)
{
	const json_t *rows = json_object_get(marks, "rows"), *again = json_array_get(rows, 0),
		     *once = json_array_get(rows, 2);

	assert_string_equal(json_string_value(json_object_get(marks, "program")), "marks");
	assert_int_equal(json_array_size(rows), 3);
	assert_string_equal(json_string_value(json_object_get(again, "to")), "end");
	assert_int_equal(json_integer_value(json_object_get(again, "runs")), 8);
	assert_true(json_is_true(json_object_get(again, "exact")));
	assert_string_equal(json_string_value(json_object_get(once, "to")), "last");
	assert_int_equal(json_integer_value(json_object_get(once, "runs")), 1);
	assert_true(json_is_false(json_object_get(once, "exact")));
}

static json_t *run(const char *lab, const char *arguments, const char *file, const char *program)
{
	char command[4096];

	snprintf(command, sizeof(command), "%s cost %s --json %s %s %s > /dev/null", lab, arguments,
		 file, program ? "--" : "", program ? program : "");
	return system(command) == 0 ? json_load_file(file, 0, NULL) : NULL;
}

static void the_dashboard_takes_it(void **state)
{
	assert_dash_takes("cost-1.json");
	assert_dash_takes("cost-3.json");
	assert_dash_takes("cost-4.json");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_runs_are_equal),
		cmocka_unit_test(fills_the_whole_vma),
		cmocka_unit_test(fix_is_cheap),
		cmocka_unit_test(failed_fills_are_zapped),
		cmocka_unit_test(markers_say_what_repeats),
		cmocka_unit_test(the_dashboard_takes_it),
	};
	int failed;

	if (argc != 3) {
		fprintf(stderr, "usage: test_cost BARRAGE-LAB MARKS\n");
		return 2;
	}
	first = run(argv[1], "", "cost-1.json", NULL);
	second = run(argv[1], "", "cost-2.json", NULL);
	failing = run(argv[1], "--fail-after 2 skip-existing fixed", "cost-3.json", NULL);
	marks = run(argv[1], "fixed", "cost-4.json", argv[2]);
	if (!first || !second || !failing || !marks) {
		fprintf(stderr, "barrage-lab cost failed\n");
		return 1;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	json_decref(first);
	json_decref(second);
	json_decref(failing);
	json_decref(marks);
	return failed;
}
