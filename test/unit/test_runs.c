/* SPDX-License-Identifier: BSD-3-Clause */
/* Where appended pieces have gone, in whatever order a controller has put them. */

#include "unit.h"

#include <stdlib.h>

#include "runs.h"

#define ZONE 1000

static struct runs runs;

static int none(void **state)
{
	free(runs.list);
	runs = (struct runs){0};
	return 0;
}

static void add(uint64_t input, uint64_t lba, uint64_t nblocks)
{
	const struct run piece = {input, lba, nblocks};

	runs_add(&runs, &piece, ZONE);
}

static void run_is(size_t i, uint64_t input, uint64_t lba, uint64_t nblocks)
{
	assert_in_range(i + 1, 1, runs.n);
	assert_int_equal(runs.list[i].input, input);
	assert_int_equal(runs.list[i].lba, lba);
	assert_int_equal(runs.list[i].nblocks, nblocks);
}

static void in_order_they_are_one(void **state)
{
	add(0, 2100, 16);
	add(16, 2116, 16);
	add(32, 2132, 3);
	assert_int_equal(runs.n, 1);
	run_is(0, 0, 2100, 35);
	assert_int_equal(runs.nblocks, 35);
}

/* The second and the third have changed places. */
static void out_of_order_they_are_told_apart(void **state)
{
	add(0, 0, 16);
	add(16, 32, 16);
	add(32, 16, 16);
	add(48, 48, 16);
	assert_int_equal(runs.n, 4);
	run_is(0, 0, 0, 16);
	run_is(1, 16, 32, 16);
	run_is(2, 32, 16, 16);
	run_is(3, 48, 48, 16);
	assert_int_equal(runs.nblocks, 64);
}

/* Zones of which all blocks can be written are one behind the other, and still two. */
static void zones_are_told_apart(void **state)
{
	add(0, 1990, 10);
	add(10, 2000, 10);
	add(20, 2010, 10);
	assert_int_equal(runs.n, 2);
	run_is(0, 0, 1990, 10);
	run_is(1, 10, 2000, 20);
}

/* A piece between them has failed: what follows it is behind on the device but not in the input. */
static void a_gap_in_the_input_is_told(void **state)
{
	add(0, 0, 8);
	add(16, 8, 8);
	assert_int_equal(runs.n, 2);
	run_is(1, 16, 8, 8);
	assert_int_equal(runs.nblocks, 16);
}

static void many(void **state)
{
	for (uint64_t i = 0; i < 1000; i++)
		add(i, 2 * i, 1);
	assert_int_equal(runs.n, 1000);
	for (uint64_t i = 0; i < 1000; i++)
		run_is(i, i, 2 * i, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(in_order_they_are_one, none, none),
		cmocka_unit_test_setup_teardown(out_of_order_they_are_told_apart, none, none),
		cmocka_unit_test_setup_teardown(zones_are_told_apart, none, none),
		cmocka_unit_test_setup_teardown(a_gap_in_the_input_is_told, none, none),
		cmocka_unit_test_setup_teardown(many, none, none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
