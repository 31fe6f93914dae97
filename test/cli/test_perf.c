/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage perf in the hands of a stranger: what is wrong is said, and nothing is touched. */

#include "unit.h"

#include "command.h"

#define NOT_THERE "ffff:ff:1f.7"

static const char *barrage;

static void help(void **state)
{
	assert_int_equal(run(barrage, "perf", "--help", NULL), 0);
	assert_printed("\n  barrage perf 0000:00:04.0\n");
	assert_printed("--write-destroys-data");
	assert_printed("--json");
}

static void mistakes(void **state)
{
	static const struct {
		const char *option, *value, *words;
	} cases[] = {
		{"--rw", "trim", "--rw trim: it takes read, write, randread"},
		{"--mix", "101", "--mix 101: it takes a number from 0 to 100"},
		{"--mix", "50", "--mix is for --rw rw and --rw randrw, not for randread"},
		{"--bs", "", "it takes bytes, from 512"},
		{"--bs", "-4k", "--bs -4k: it takes bytes"},
		{"--bs", "4kk", "it takes bytes"},
		{"--bs", "4x", "it takes bytes"},
		{"--bs", "256", "--bs 256: it takes bytes, from 512"},
		{"--bs", "1g", "--bs 1g: it takes bytes, from 512 to 16777216"},
		{"--bs", "99999999999999999999", "it takes bytes"},
		{"--size", "99999999999t", "it takes bytes"},
		{"--bssplit", "4k", "\"4k\" does not begin with a size and its percentage"},
		{"--bssplit", "4k/", "does not begin with a size and its percentage"},
		{"--bssplit", "4k/60", "the percentages add up to 60, not 100"},
		{"--bssplit", "4k/60:64k/41", "the percentages add up to 101, not 100"},
		{"--bssplit", "4k/60:", "\"\" does not begin with a size"},
		{"--bssplit", "4k/0:8k/100", "\"4k/0:8k/100\" has no percentage from 1 to 100"},
		{"--bssplit", "4k/60,64k/40", "has no percentage"},
		{"--qd", "0", "--qd 0: it takes a number from 1 to 65534"},
		{"--qd", "65535", "it takes a number from 1 to 65534"},
		{"--lcores", "none", "--lcores none: it takes a number from 1"},
		{"--time", "0", "--time 0: that is no time at all"},
		{"--time", "nan", "--time nan: it takes a number"},
		{"--time", "1s", "--time 1s: it takes a number"},
		{"--count", "0", "--count 0: it takes a number from 1"},
		{"--warmup", "-1", "--warmup -1: it takes a number from 0"},
		{"--rate", "1.5", "--rate 1.5: it takes a number from 1"},
		{"--namespace-id", "0", "it takes a number from 1"},
		{"--frobnicate", "x", "unrecognized option"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(
			run(barrage, "perf", NOT_THERE, cases[i].option, cases[i].value, NULL), 2);
		assert_printed("barrage");
		assert_printed(cases[i].words);
	}
	assert_int_equal(run(barrage, "perf", NULL), 2);
	assert_printed("which device?");
	assert_int_equal(run(barrage, "perf", NOT_THERE, NOT_THERE, NULL), 2);
	assert_printed(NOT_THERE " is named twice");
	assert_int_equal(run(barrage, "perf", NOT_THERE, "--bs", "4k", "--bssplit", "4k/100", NULL),
			 2);
	assert_printed("--bs and --bssplit exclude each other");
}

/* Every mode that writes, and none that does not. */
static void writing_must_be_meant(void **state)
{
	static const char *const writing[] = {"write", "randwrite", "rw", "randrw"};

	for (size_t i = 0; i < sizeof(writing) / sizeof(writing[0]); i++) {
		assert_int_equal(run(barrage, "perf", "--rw", writing[i], NOT_THERE, NULL), 2);
		assert_printed("overwrites what is on " NOT_THERE
			       ": add --write-destroys-data if that is meant");
		assert_int_equal(run(barrage, "perf", "--rw", writing[i], NOT_THERE,
				     "--write-destroys-data", NULL),
				 1);
	}
	assert_int_equal(run(barrage, "perf", "--rw", "randrw", "--mix", "100", NOT_THERE, NULL),
			 1);
	assert_printed("there is no PCI function " NOT_THERE);
}

static void devices_that_are_not_there(void **state)
{
	assert_int_equal(run(barrage, "perf", NOT_THERE, NULL), 1);
	assert_printed("barrage: there is no PCI function " NOT_THERE);
	assert_int_equal(run(barrage, "perf", "/dev/nvme0", NULL), 1);
	assert_printed("barrage: \"/dev/nvme0\" is not a PCI address");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(help),
		cmocka_unit_test(mistakes),
		cmocka_unit_test(writing_must_be_meant),
		cmocka_unit_test(devices_that_are_not_there),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: %s PATH_OF_BARRAGE\n", argv[0]);
		return 2;
	}
	barrage = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
