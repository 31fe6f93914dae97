/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The NVMe fast path does not get longer unnoticed: what barrage-nvme-cost counts, against what
 * doc/performance.md promises. Instructions, not times: the same on every machine.
 */

#include "lab_test.h"

#include <jansson.h>
#include <stdbool.h>

/* The most instructions: the targets, or, where that is missed, what it takes now and a little. */
static const struct {
	const char *to;
	json_int_t shadow, plain;
} promises[] = {
	{"submit", 55, 55},	     {"poll-one", 45, 45},	   {"depth-1", 100, 100},
	{"submit-prepared", 32, 32}, {"poll-prepared", 45, 45},	   {"batch-many", 70, 70},
	{"batch-manual", 87, 87},    {"batch-prepared", 66, 66},   {"empty-poll", 9, 9},
	{"attach", 1700000, 0},	     {"attach-ready", 1000000, 0},
};

static json_t *rows;

static json_t *result;

/* Rows are of instructions, and say which of them repeat; the dashboard tells programs apart. */
static void result_is_for_the_dashboard(void **state)
{
	static const char *const exact[] = {"submit", "submit-prepared", "empty-poll"};
	const json_t *row;
	size_t i, found = 0;

	assert_string_equal(json_string_value(json_object_get(result, "program")),
			    "barrage-nvme-cost");
	json_array_foreach (rows, i, row) {
		const char *to = json_string_value(json_object_get(row, "to"));
		bool is = json_is_true(json_object_get(row, "exact"));

		assert_null(strstr(to, "-us"));
		assert_true(json_is_boolean(json_object_get(row, "exact")));
		if (!strncmp(to, "attach", 6) && is)
			fail_msg("%s is counted once, and exact", to);
		for (size_t k = 0; k < sizeof(exact) / sizeof(exact[0]); k++)
			found += !strcmp(to, exact[k]) && is;
	}
	assert_int_equal(found, 2 * sizeof(exact) / sizeof(exact[0]));
}

static json_int_t count(const char *from, const char *to)
{
	const json_t *row;
	size_t i;

	json_array_foreach (rows, i, row)
		if (!strcmp(json_string_value(json_object_get(row, "from")), from) &&
		    !strcmp(json_string_value(json_object_get(row, "to")), to))
			return json_integer_value(json_object_get(row, "instructions"));
	fail_msg("no count from %s to %s", from, to);
	return 0;
}

static void check(const char *to, const char *from, json_int_t most)
{
	json_int_t is = count(from, to);

	if (is <= 0 || is > most)
		fail_msg("%s, %s doorbells: %lld instructions, not %lld", to, from, (long long)is,
			 (long long)most);
}

static void promises_are_kept(void **state)
{
	for (size_t i = 0; i < sizeof(promises) / sizeof(promises[0]); i++) {
		check(promises[i].to, "shadow", promises[i].shadow);
		if (promises[i].plain)
			check(promises[i].to, "plain", promises[i].plain);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(promises_are_kept),
		cmocka_unit_test(result_is_for_the_dashboard),
	};
	char command[4096], out[16384];
	int failed;

	if (argc != 3) {
		fprintf(stderr, "usage: test_nvme_cost BARRAGE-LAB BARRAGE-NVME-COST\n");
		return 2;
	}
	snprintf(command, sizeof(command),
		 "%s cost fixed --json nvme-cost.json -- %s 0000:00:04.0 2>&1", argv[1], argv[2]);
	if (shell(out, sizeof(out), command)) {
		fprintf(stderr, "%s", out);
		return 1;
	}
	result = json_load_file("nvme-cost.json", 0, NULL);
	rows = json_object_get(result, "rows");
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	json_decref(result);
	return failed;
}
