/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage-lab cost -- PROGRAM: what doc/example/count_loop.c counts, of loops of known length. */

#include "lab_test.h"

#include <jansson.h>

#include "dash.h"

#define MARKERS 60 /* instructions at most of a call of brg_stat_mark() that lie between */

static json_int_t least(const json_t *result, const char *from, const char *to)
{
	json_int_t least = -1;
	const json_t *row;
	size_t i;

	json_array_foreach (json_object_get(result, "rows"), i, row) {
		json_int_t count = json_integer_value(json_object_get(row, "instructions"));

		if (!strcmp(json_string_value(json_object_get(row, "from")), from) &&
		    !strcmp(json_string_value(json_object_get(row, "to")), to) &&
		    (least < 0 || count < least))
			least = count;
	}
	return least;
}

static void loops_are_counted_to_the_digit(void **state)
{
	char out[8192];
	json_int_t shorter, longer;
	json_t *result;

	assert_ends(out, sizeof(out), "$LAB cost fixed --json marks.json -- $LOOP 2>&1", 0);
	assert_says(out, "begin  short");
	result = json_load_file("marks.json", 0, NULL);
	shorter = least(result, "begin", "short");
	longer = least(result, "short", "long");
	json_decref(result);
	assert_in_range(shorter, 2 * 1000, 2 * 1000 + MARKERS);
	assert_int_equal(longer - shorter, 2 * 10000);
	assert_dash_takes("marks.json");
}

/* Every boot is calibrated: a QEMU whose TSC counts time is found out, whoever is counted. */
static void what_does_not_count_is_refused(void **state)
{
	static const char qemu[] =
		"cat > timing-qemu <<'END'\n"
		"#!/bin/bash\n"
		"for a; do [[ $a = -icount || $a = shift=0* ]] || args+=(\"$a\")\n"
		"done\n"
		"exec qemu-system-x86_64 \"${args[@]}\"\n"
		"END\n"
		"chmod +x timing-qemu";
	char out[8192];

	assert_ends(out, sizeof(out), qemu, 0);
	assert_ends(out, sizeof(out), "$LAB cost fixed --qemu $PWD/timing-qemu -- $LOOP 2>&1", 1);
	assert_says(out, "fixed: 100,000 instructions took ");
}

static void a_program_without_markers_is_told(void **state)
{
	char out[8192];

	assert_ends(out, sizeof(out), "$LAB cost fixed -- true 2>&1", 1);
	assert_says(out, "true set no two markers");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loops_are_counted_to_the_digit),
		cmocka_unit_test(what_does_not_count_is_refused),
		cmocka_unit_test(a_program_without_markers_is_told),
	};

	if (argc != 3 || setenv("LAB", argv[1], 1) < 0 || setenv("LOOP", argv[2], 1) < 0) {
		fprintf(stderr, "usage: test_marks BARRAGE-LAB COUNT-LOOP\n");
		return 2;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
