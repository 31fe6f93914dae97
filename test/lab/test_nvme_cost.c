/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The NVMe fast path does not get longer unnoticed: what barrage-nvme-cost counts, against what
 * doc/performance.md promises. Instructions, not times: the same on every machine.
 */

#include "lab_test.h"

#include <jansson.h>

/* The most instructions. */
static const struct {
	const char *from, *to;
	json_int_t most;
} promises[] = {
	{"shadow", "submit", 55},	   {"plain", "submit", 55},
	{"shadow", "poll-one", 45},	   {"plain", "poll-one", 45},
	{"shadow", "depth-1", 100},	   {"plain", "depth-1", 100},
	{"shadow", "batch-many", 70},	   {"plain", "batch-many", 70},
	{"shadow", "empty-poll", 9},	   {"plain", "empty-poll", 9},
	{"shadow", "submit-prepared", 32}, {"plain", "submit-prepared", 32},
	{"shadow", "attach-ready", 1000000},
};

static json_t *rows;

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

static void promises_are_kept(void **state)
{
	for (size_t i = 0; i < sizeof(promises) / sizeof(promises[0]); i++) {
		json_int_t is = count(promises[i].from, promises[i].to);

		if (is <= 0 || is > promises[i].most)
			fail_msg("%s, %s doorbells: %lld instructions, not %lld", promises[i].to,
				 promises[i].from, (long long)is, (long long)promises[i].most);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(promises_are_kept)};
	char command[4096], out[16384];
	json_t *result;
	int failed;

	if (argc != 3) {
		fprintf(stderr, "usage: test_nvme_cost BARRAGE-LAB BARRAGE-NVME-COST\n");
		return 2;
	}
	snprintf(command, sizeof(command),
		 "%s cost fixed --json nvme-cost.json -- %s 0000:00:04.0 2>&1", argv[1], argv[2]);
	if (run(out, sizeof(out), command)) {
		fprintf(stderr, "%s", out);
		return 1;
	}
	result = json_load_file("nvme-cost.json", 0, NULL);
	rows = json_object_get(result, "rows");
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	json_decref(result);
	return failed;
}
