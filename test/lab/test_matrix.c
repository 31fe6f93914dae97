/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage-lab matrix: every cell has its rows, and what is done is not done again. */

#include "unit.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dash.h"

static const char *lab;

static int run(const char *format, ...)
{
	char command[4096];
	va_list ap;

	va_start(ap, format);
	vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	return system(command);
}

static json_t *load_rows(const char *path)
{
	json_t *file = json_load_file(path, 0, NULL), *rows;

	assert_non_null(file);
	assert_string_equal(json_string_value(json_object_get(file, "schema")), "barrage-matrix/1");
	rows = json_object_get(file, "rows");
	json_incref(rows);
	json_decref(file);
	return rows;
}

/* Two BARs, two policies, three ways to share. */
static void every_cell_has_rows(void **state)
{
	json_t *rows, *row;
	size_t i;

	unlink("matrix.json");
	assert_int_equal(run("%s matrix fixed --json matrix.json", lab), 0);
	rows = load_rows("matrix.json");
	assert_int_equal(json_array_size(rows), 12);
	json_array_foreach (rows, i, row) {
		json_int_t bytes = json_integer_value(json_object_get(row, "bar_bytes"));

		assert_int_equal(json_integer_value(json_object_get(row, "survived")), 10);
		assert_int_equal(bytes, i < 6 ? 16384 : 64 << 20);
		assert_string_equal(json_string_value(json_object_get(row, "policy")),
				    i % 6 < 3 ? "lazy" : "auto");
		assert_true(json_is_null(json_object_get(row, "refused")));
		assert_true(json_real_value(json_object_get(row, "mappings_per_s")) > 0);
	}
	json_decref(rows);
}

/* What the dashboard says of the file. */
static void dash_says(char *said, size_t size, const char *file)
{
	char command[1024];
	FILE *out;

	snprintf(command, sizeof(command), "rm -f said.db*; $DASH add --db said.db %s", file);
	out = popen(command, "r");
	assert_non_null(out);
	assert_non_null(fgets(said, (int)size, out));
	assert_int_equal(pclose(out), 0);
}

/*
 * One cell's rows are another build's: it runs again, and they stay. They are not of this run, to
 * the dashboard.
 */
static void goes_on_where_it_was(void **state)
{
	json_t *file = json_load_file("matrix.json", 0, NULL);
	json_t *rows = json_object_get(file, "rows"), *now;
	char before[256] = "", after[256] = "";

	if (getenv("DASH"))
		dash_says(before, sizeof(before), "matrix.json");
	for (size_t i = 6; i < 12; i++)
		json_object_set_new(json_array_get(rows, i), "commit", json_string("0123abcd"));
	assert_int_equal(json_dump_file(file, "matrix.json", 0), 0);
	assert_int_equal(run("%s matrix fixed --json matrix.json > table", lab), 0);
	assert_int_equal(run("[ $(grep -c ^fixed table) = 12 ] && grep -q '6 rows in' table"), 0);
	now = load_rows("matrix.json");
	assert_int_equal(json_array_size(now), 18);
	for (size_t i = 0; i < 12; i++)
		assert_true(json_equal(json_array_get(now, i), json_array_get(rows, i)));
	if (getenv("DASH"))
		dash_says(after, sizeof(after), "matrix.json");
	assert_string_equal(before, after);
	json_decref(now);
	json_decref(file);
}

/* Nothing left to do: it ends well where no guest could boot. */
static void does_nothing_twice(void **state)
{
	assert_int_equal(run("PATH=/nowhere %s matrix fixed --json matrix.json >/dev/null", lab),
			 0);
}

/* Nor does another number of trials. No guest can boot, so going on fails. */
static void other_trials_are_another_cell(void **state)
{
	json_t *file = json_load_file("matrix.json", 0, NULL), *row;
	size_t i;

	json_array_foreach (json_object_get(file, "rows"), i, row)
		json_object_set_new(row, "cell_trials", json_integer(50));
	assert_int_equal(json_dump_file(file, "fifty.json", 0), 0);
	json_decref(file);
	assert_int_not_equal(
		run("PATH=/nowhere %s matrix fixed --json fifty.json >/dev/null 2>&1", lab), 0);
}

static size_t count_of(const char *what)
{
	json_t *list;
	size_t n;

	assert_int_equal(run("%s %s --json > list.json", lab, what), 0);
	list = json_load_file("list.json", 0, NULL);
	n = json_array_size(list);
	json_decref(list);
	return n;
}

/* Four BARs, 2 and 4 lcores, every handler, every kernel but the one that is "fixed" itself. */
static void full_is_everything(void **state)
{
	size_t subjects = count_of("handlers") + count_of("kernels") - 1;

	assert_int_not_equal(run("mkdir -p dead && printf '#!/bin/sh\nexit 1\n' >"
				 "dead/qemu-system-x86_64 && chmod +x dead/qemu-system-x86_64 &&"
				 "PATH=$PWD/dead:$PATH %s matrix --full --restart --json full.json"
				 " 2> said",
				 lab),
			     0);
	assert_int_equal(
		run("grep -q '^%zu cells, 0 of them in full.json already' said", subjects * 8), 0);
}

/* That the library refuses a policy on a vulnerable kernel is a result. */
static void tells_refusals(void **state)
{
	json_t *rows, *row;
	size_t i;

	unlink("refused.json");
	assert_int_equal(run("%s matrix unfixed --policy parallel --json refused.json", lab), 0);
	rows = load_rows("refused.json");
	assert_int_equal(json_array_size(rows), 6);
	json_array_foreach (rows, i, row) {
		const char *why = json_string_value(json_object_get(row, "refused"));

		assert_non_null(why);
		assert_non_null(strstr(why, "vulnerable"));
		assert_int_equal(json_integer_value(json_object_get(row, "trials")), 0);
	}
	json_decref(rows);
}

static void refuses_another_file(void **state)
{
	assert_int_equal(run("echo '{}' > other.json; %s matrix fixed --json other.json 2>&1 |"
			     "grep -q 'other.json is no barrage-matrix/1'",
			     lab),
			 0);
	assert_int_equal(run("echo '{' > other.json; %s matrix fixed --json other.json 2>&1 |"
			     "grep -q 'other.json: line 2'",
			     lab),
			 0);
}

static void refuses_rows_of_another_qemu(void **state)
{
	json_t *file = json_pack("{s:s, s:{s:s}, s:[]}", "schema", "barrage-matrix/1", "host",
				 "qemu", "1.0", "rows");

	assert_int_equal(json_dump_file(file, "old.json", 0), 0);
	json_decref(file);
	assert_int_equal(run("%s matrix fixed --json old.json 2>&1 |"
			     "grep -q 'old.json is of QEMU 1.0, this is [0-9]'",
			     lab),
			 0);
}

static void the_dashboard_takes_it(void **state)
{
	assert_dash_takes("matrix.json");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cell_has_rows),
		cmocka_unit_test(the_dashboard_takes_it),
		cmocka_unit_test(goes_on_where_it_was),
		cmocka_unit_test(does_nothing_twice),
		cmocka_unit_test(other_trials_are_another_cell),
		cmocka_unit_test(full_is_everything),
		cmocka_unit_test(tells_refusals),
		cmocka_unit_test(refuses_another_file),
		cmocka_unit_test(refuses_rows_of_another_qemu),
	};

	lab = argv[1];
	if (argc != 2) {
		fprintf(stderr, "usage: test_matrix PATH-OF-BARRAGE-LAB\n");
		return 2;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
