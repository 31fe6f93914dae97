/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage in the hands of a stranger: help, mistakes, and devices that are not there. */

#include "unit.h"

#include <jansson.h>
#include <stdbool.h>

#include "command.h"

#define NOT_THERE "ffff:ff:1f.7"

static const char *barrage;

/* The first two ask for no device. */
#define WITHOUT_DEVICE 2
static const char *const names[] = {"list",   "kernel", "show",	     "bind",  "unbind", "identify",
				    "health", "format", "self-test", "reset", "vf"};

/* Those that want a word before the device. */
static const struct {
	const char *name, *word, *question;
} two_words[] = {
	{"log", "smart", "which log page? error, smart, fw"},
	{"feature", "list", "what to do? get, set or list"},
	{"ns", "list", "what to do? list, create, delete, attach or detach"},
	{"zns", "report", "what to do? report, open, close, finish, reset, offline or append"},
};

static void mistake(int status, const char *words)
{
	assert_printed("barrage");
	assert_printed(words);
	assert_int_equal(status, 2);
}

static void no_command(void **state)
{
	mistake(run(barrage, NULL), "list show bind unbind identify health log");
	mistake(run(barrage, "frobnicate", NULL), "no command \"frobnicate\"");
}

static void every_command_has_help_with_an_example(void **state)
{
	assert_int_equal(run(barrage, "--help", NULL), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char example[64];

		assert_int_equal(run(barrage, "--help", NULL), 0);
		assert_printed(names[i]);
		assert_int_equal(run(barrage, names[i], "--help", NULL), 0);
		snprintf(example, sizeof(example), "\n  barrage %s", names[i]);
		assert_printed(example);
		assert_printed("--json");
	}
	for (size_t i = 0; i < sizeof(two_words) / sizeof(two_words[0]); i++) {
		char example[64];

		assert_int_equal(run(barrage, two_words[i].name, "--help", NULL), 0);
		snprintf(example, sizeof(example), "\n  barrage %s %s", two_words[i].name,
			 two_words[i].word);
		assert_printed(example);
		assert_printed("--json");
	}
}

static void transfers_have_the_options_of_nvme_cli(void **state)
{
	static const char *const transfers[] = {"read", "write", "compare"};

	for (size_t i = 0; i < 3; i++) {
		char example[64];

		assert_int_equal(run(barrage, transfers[i], "--help", NULL), 0);
		snprintf(example, sizeof(example), "\n  barrage %s ", transfers[i]);
		assert_printed(example);
		assert_printed("-M, --metadata=FILE");
		assert_printed("-p, --prinfo=N");
		assert_printed("-a, --app-tag=N");
		assert_printed("-m, --app-tag-mask=N");
		assert_printed("-r, --ref-tag=N");
	}
}

/* Whatever a command calls its other options: -y is what scripts give to all that ask. */
static void what_asks_takes_a_letter_for_yes(void **state)
{
	static const char *const asking[] = {"format", "sanitize", "ns", "zns", "fw", "write"};

	for (size_t i = 0; i < sizeof(asking) / sizeof(asking[0]); i++) {
		assert_int_equal(run(barrage, asking[i], "--help", NULL), 0);
		assert_printed("  -y, --yes ");
	}
	assert_int_equal(run(barrage, "vf", "disable", "--help", NULL), 0);
	assert_printed("  -y, --yes ");
	assert_int_equal(run(barrage, "ns", "delete", "-n", "2", "-y", NOT_THERE, NULL), 1);
	assert_printed("barrage: there is no PCI function " NOT_THERE);
}

/* A zero in front makes no number octal, in no command: 08 is one, and 010 is 10. */
static void numbers_are_read_in_one_way(void **state)
{
	static const struct {
		const char *command, *word, *option, *value;
		bool good;
	} cases[] = {
		{"read", NULL, "-q", "08", true},	 {"read", NULL, "-q", "0x8", true},
		{"read", NULL, "-q", "010x", false},	 {"read", NULL, "-z", "08K", true},
		{"read", NULL, "-z", "0x1KiB", true},	 {"read", NULL, "-z", "1KK", false},
		{"perf", NULL, "--qd", "08", true},	 {"perf", NULL, "--qd", "0x", false},
		{"perf", NULL, "--size", "08K", true},	 {"perf", NULL, "--size", "1kib", true},
		{"bar", "plan", "--bar", "05", true},	 {"bar", "plan", "--bar", "06", false},
		{"vf", "enable", "--count", "08", true}, {"zns", "finish", "-s", "09", true},
		{"feature", "get", "-f", "08", true},	 {"log", "08", "-l", "010", true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *first = cases[i].word ? cases[i].word : NOT_THERE;

		assert_int_equal(run(barrage, cases[i].command, first, cases[i].option,
				     cases[i].value, cases[i].word ? NOT_THERE : NULL, NULL),
				 cases[i].good ? 1 : 2);
		assert_printed(cases[i].good ? "there is no PCI function " NOT_THERE : "it takes ");
	}
}

static void virtual_functions(void **state)
{
	assert_int_equal(run(barrage, "vf", "enable", "--help", NULL), 0);
	assert_printed("\n  barrage vf enable --count 2 ");
	assert_printed("--json");
	assert_int_equal(run(barrage, "vf", "disable", "--help", NULL), 0);
	assert_printed("\n  barrage vf disable --yes ");
	mistake(run(barrage, "vf", "enable", NULL), "which device?");
	mistake(run(barrage, "vf", "enable", NOT_THERE, NULL), "Say so with --count");
	mistake(run(barrage, "vf", "enable", "-c", "0", NOT_THERE, NULL), "--count 0");
	mistake(run(barrage, "vf", "enable", "-c", "1", "-q", "1", NOT_THERE, NULL), "--queues 1");
	mistake(run(barrage, "vf", "enable", "-c", "1", "-i", "0", NOT_THERE, NULL),
		"--interrupts 0");
	mistake(run(barrage, "vf", "disable", "--count", "1", NOT_THERE, NULL),
		"unrecognized option");
	assert_int_equal(run(barrage, "vf", "enable", "-c", "1", NOT_THERE, NULL), 1);
	assert_printed("barrage: there is no PCI function " NOT_THERE);
	assert_int_equal(run(barrage, "vf", "disable", "--yes", NOT_THERE, NULL), 1);
	assert_printed("barrage: there is no PCI function " NOT_THERE);
	setenv("BARRAGE_VF_TOKEN", "1234", 1);
	mistake(run(barrage, "vf", NOT_THERE, NULL), "BARRAGE_VF_TOKEN: \"1234\" is no token");
	unsetenv("BARRAGE_VF_TOKEN");
}

static void bar_plan(void **state)
{
	assert_int_equal(run(barrage, "bar", "--help", NULL), 0);
	assert_printed("\n  barrage bar plan ");
	assert_int_equal(run(barrage, "bar", "plan", "--help", NULL), 0);
	assert_printed("\n  barrage bar plan ");
	assert_printed("--json");
	mistake(run(barrage, "bar", NULL), "which command? There are: plan");
	mistake(run(barrage, "bar", "plan", NULL), "which device?");
	mistake(run(barrage, "bar", "plan", "--bar", "6", NOT_THERE, NULL), "--bar 6");
	mistake(run(barrage, "bar", "plan", "--lcores", "-1", NOT_THERE, NULL), "--lcores -1");
	mistake(run(barrage, "bar", "plan", "--policy", "best", NOT_THERE, NULL),
		"it takes auto, lazy, touch, iommu or parallel");
	assert_int_equal(run(barrage, "bar", "plan", NOT_THERE, NULL), 1);
	assert_printed("there is no PCI function " NOT_THERE);
}

static void a_full_disk_is_told(void **state)
{
	char command[4096];

	snprintf(command, sizeof(command),
		 "%s list --all --json 2>&1 >/dev/full | grep -q 'standard output: No space'",
		 barrage);
	assert_int_equal(system(command), 0);
	snprintf(command, sizeof(command), "! %s --help >/dev/full 2>&1", barrage);
	assert_int_equal(system(command), 0);
}

static void version(void **state)
{
	assert_int_equal(run(barrage, "--version", NULL), 0);
	assert_string_equal(printed, "barrage " BRG_VERSION "\n");
}

static void missing_and_extra_arguments(void **state)
{
	for (size_t i = WITHOUT_DEVICE; i < sizeof(names) / sizeof(names[0]); i++) {
		mistake(run(barrage, names[i], NULL), "which device?");
		mistake(run(barrage, names[i], NOT_THERE, "another", NULL),
			"\"another\" is one argument too many");
		mistake(run(barrage, names[i], "--frobnicate", NULL), "unrecognized option");
	}
	for (size_t i = 0; i < sizeof(two_words) / sizeof(two_words[0]); i++) {
		mistake(run(barrage, two_words[i].name, NULL), two_words[i].question);
		mistake(run(barrage, two_words[i].name, two_words[i].word, NULL), "which device?");
		mistake(run(barrage, two_words[i].name, two_words[i].word, NOT_THERE, "x", NULL),
			"\"x\" is one argument too many");
		assert_int_equal(
			run(barrage, two_words[i].name, two_words[i].word, NOT_THERE, NULL), 1);
		assert_printed("barrage: there is no PCI function " NOT_THERE);
	}
	mistake(run(barrage, "list", NOT_THERE, NULL), "one argument too many");
	mistake(run(barrage, "kernel", NOT_THERE, NULL), "one argument too many");
	mistake(run(barrage, "bind", "--kernel", "-d", "x", NOT_THERE, NULL), "exclude each other");
	mistake(run(barrage, "bind", NOT_THERE, "--driver", NULL), "requires an argument");
	/* An option of one command is none of another's. */
	mistake(run(barrage, "unbind", "--driver", "x", NOT_THERE, NULL), "unrecognized option");
}

static void bad_classes(void **state)
{
	static const char *const bad[] = {"",	   "0x",      "nvme", "1",  "010",
					  "01080", "0108020", "-1",   "00", "0108 "};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		mistake(run(barrage, "list", "--class", bad[i], NULL), "2, 4 or 6 hex digits");
}

/* What is wrong is said before any device is touched. */
static void bad_values(void **state)
{
	mistake(run(barrage, "log", "frobnicate", NOT_THERE, NULL), "no log page \"frobnicate\"");
	/* The two in the wrong order, and what only begins like a number. */
	mistake(run(barrage, "log", "0000:00:04.0", "smart", NULL),
		"before the device comes error, smart, fw, changed-ns, effects, self-test, "
		"telemetry, telemetry-ctrl, sanitize, fdp-configs, fdp-usage, fdp-stats, "
		"fdp-events, or a number");
	mistake(run(barrage, "log", "2smart", NOT_THERE, NULL), "fdp-events, or a number");
	mistake(run(barrage, "log", "0x100", NOT_THERE, NULL), "from 0 to 255");
	mistake(run(barrage, "log", "0xca", NOT_THERE, NULL), "--log-len");
	mistake(run(barrage, "log", "smart", "--log-len", "4X", NOT_THERE, NULL),
		"--log-len 4X: it takes bytes");
	mistake(run(barrage, "log", "smart", "--log-len", "99999T", NOT_THERE, NULL),
		"it takes bytes");
	mistake(run(barrage, "log", "error", "-e", "0", NOT_THERE, NULL), "--log-entries 0");
	mistake(run(barrage, "log", "smart", "-n", "-1", NOT_THERE, NULL), "--namespace-id -1");
	mistake(run(barrage, "log", "telemetry", "-d", "4", NOT_THERE, NULL), "from 1 to 3");
	mistake(run(barrage, "feature", "frobnicate", NOT_THERE, NULL), "get, set or list");
	mistake(run(barrage, "feature", "get", NOT_THERE, NULL), "--feature-id");
	mistake(run(barrage, "feature", "get", "-f", "x", NOT_THERE, NULL),
		"--feature-id x: it takes arbitration, power-mgmt");
	mistake(run(barrage, "feature", "get", "-f", "0x100", NOT_THERE, NULL), "up to 0xff");
	mistake(run(barrage, "feature", "set", "-f", "4", NOT_THERE, NULL), "--value or --data");
	mistake(run(barrage, "feature", "get", "-f", "4", "-s", "x", NOT_THERE, NULL),
		"current, default, saved or supported");
	mistake(run(barrage, "identify", "--cns", "x", NOT_THERE, NULL),
		"it takes ctrl, ns, ns-list");
	mistake(run(barrage, "identify", "--cns", "1st", NOT_THERE, NULL), "command-sets, or");
	mistake(run(barrage, "identify", "--cns", "256", NOT_THERE, NULL), "from 0 to 255");
}

static void bad_values_of_what_destroys(void **state)
{
	char odd[] = "/tmp/odd-XXXXXX";
	int fd = mkstemp(odd);

	assert_int_equal(write(fd, "odd", 3), 3);
	close(fd);
	mistake(run(barrage, "format", "--lbaf", "64", NOT_THERE, NULL), "from 0 to 63");
	mistake(run(barrage, "format", "-l", "1", "-b", "4K", NOT_THERE, NULL), "exclude each");
	mistake(run(barrage, "format", "--ses", "all", NOT_THERE, NULL),
		"none, user-data or crypto");
	mistake(run(barrage, "format", "-n", "0", NOT_THERE, NULL), "--namespace-id 0");
	mistake(run(barrage, "ns", "create", NOT_THERE, NULL), "--nsze");
	mistake(run(barrage, "ns", "delete", NOT_THERE, NULL), "--namespace-id");
	mistake(run(barrage, "ns", "attach", "-n", "1", "-c", "0,x", NOT_THERE, NULL),
		"--controllers x");
	mistake(run(barrage, "ns", "frobnicate", NOT_THERE, NULL), "list, create, delete");
	mistake(run(barrage, "zns", "finish", NOT_THERE, NULL), "--start-lba");
	mistake(run(barrage, "zns", "frobnicate", NOT_THERE, NULL), "open, close, finish, reset");
	mistake(run(barrage, "zns", "0", "-a", NOT_THERE, NULL), "open, close, finish, reset");
	mistake(run(barrage, "zns", "report", "-S", "odd", NOT_THERE, NULL), "empty");
	mistake(run(barrage, "zns", "finish", "-a", "-f", odd, NOT_THERE, NULL),
		"takes no --file; zns append does");
	mistake(run(barrage, "zns", "append", "--io-size", "3M", NOT_THERE, NULL), "--io-size 3M");
	mistake(run(barrage, "zns", "append", "--depth", "1025", NOT_THERE, NULL), "--depth 1025");
	assert_int_equal(run(barrage, "zns", "append", "-f", "/nowhere", NOT_THERE, NULL), 1);
	assert_printed("/nowhere: No such file");
	assert_int_equal(run(barrage, "zns", "append", "-f", odd, NOT_THERE, NULL), 1);
	assert_printed("there is no PCI function");
	mistake(run(barrage, "sanitize", NOT_THERE, NULL), "--sanact: block-erase, overwrite");
	mistake(run(barrage, "sanitize", "-a", "burn", NOT_THERE, NULL), "crypto-erase");
	mistake(run(barrage, "self-test", "-s", "long", NOT_THERE, NULL),
		"short, extended or abort");
	mistake(run(barrage, "self-test", "--no-wait", NOT_THERE, NULL), "would end a short test");
	mistake(run(barrage, "fw", "update", NOT_THERE, NULL), "--fw");
	mistake(run(barrage, "fw", "commit", "--slot", "8", NOT_THERE, NULL), "from 0 to 7");
	mistake(run(barrage, "fw", "commit", "--fw", odd, NOT_THERE, NULL), "takes no image");
	assert_int_equal(run(barrage, "fw", "update", "--fw", odd, NOT_THERE, NULL), 1);
	assert_printed("multiple of 4 bytes, this has 3");
	assert_int_equal(run(barrage, "fw", "update", "--fw", "/nowhere", NOT_THERE, NULL), 1);
	assert_printed("/nowhere: No such file");
	mistake(run(barrage, "read", "-c", "1", "-z", "512", NOT_THERE, NULL), "exclude each");
	mistake(run(barrage, "read", "--json", NOT_THERE, NULL), "--json needs --file");
	mistake(run(barrage, "read", "-q", "0", NOT_THERE, NULL), "--depth 0");
	mistake(run(barrage, "read", "--prinfo", "16", NOT_THERE, NULL), "from 0 to 15");
	mistake(run(barrage, "write", "--app-tag", "0x10000", NOT_THERE, NULL), "from 0 to 65535");
	mistake(run(barrage, "write", "-m", "x", NOT_THERE, NULL), "--app-tag-mask x");
	mistake(run(barrage, "compare", "--ref-tag", "0x100000000", NOT_THERE, NULL),
		"from 0 to 4294967295");
	assert_int_equal(run(barrage, "write", "-f", "/nowhere", NOT_THERE, NULL), 1);
	assert_printed("/nowhere: No such file");
	assert_int_equal(run(barrage, "write", "-f", odd, "-M", "/nowhere", NOT_THERE, NULL), 1);
	assert_printed("/nowhere: No such file");
	assert_int_equal(run(barrage, "compare", "-f", odd, "-M", "/nowhere", NOT_THERE, NULL), 1);
	assert_printed("/nowhere: No such file");
	assert_int_equal(run(barrage, "read", "-f", "/nowhere/x", NOT_THERE, NULL), 1);
	assert_printed("there is no PCI function");
	unlink(odd);
	/* More than one thing before the device. */
	mistake(run(barrage, "fw", NULL), "update or commit");
	mistake(run(barrage, "sanitize", "-a", "overwrite", NULL), "which device?");
	assert_int_equal(run(barrage, "sanitize", "-a", "overwrite", "--yes", NOT_THERE, NULL), 1);
	assert_printed("there is no PCI function");
	assert_int_equal(run(barrage, "fw", "commit", NOT_THERE, NULL), 1);
	assert_printed("there is no PCI function");
}

static void devices_that_are_not_there(void **state)
{
	for (size_t i = WITHOUT_DEVICE; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(run(barrage, names[i], NOT_THERE, NULL), 1);
		assert_printed("barrage: there is no PCI function " NOT_THERE);
		assert_int_equal(run(barrage, names[i], "/dev/nvme0", NULL), 1);
		assert_printed("barrage: \"/dev/nvme0\" is not a PCI address");
	}
}

/* Whatever this machine has, the list is JSON, and one object for each function. */
static void list_is_valid_json(void **state)
{
	json_t *list, *device;
	size_t i;

	assert_int_equal(run(barrage, "list", "--all", "--json", NULL), 0);
	list = json_loads(printed, 0, NULL);
	assert_true(json_is_array(list));
	json_array_foreach (list, i, device) {
		assert_true(json_is_string(json_object_get(device, "bdf")));
		assert_true(json_is_string(json_object_get(device, "class")));
		assert_true(json_is_array(json_object_get(device, "bars")));
		assert_non_null(json_object_get(device, "in_use"));
	}
	json_decref(list);
}

/* Whatever kernel this machine has, there is a verdict and a reason for it. */
static void kernel_has_a_verdict(void **state)
{
	json_t *json;

	assert_int_equal(run(barrage, "kernel", NULL), 0);
	assert_printed("\nvulnerable   ");
	assert_printed("\nevidence     ");
	assert_int_equal(run(barrage, "kernel", "--json", NULL), 0);
	json = json_loads(printed, 0, NULL);
	assert_true(json_is_string(json_object_get(json, "era")));
	assert_true(json_is_boolean(json_object_get(json, "vulnerable")));
	assert_true(json_is_boolean(json_object_get(json, "loaded")));
	assert_true(json_string_length(json_object_get(json, "evidence")) > 0);
	assert_true(json_string_length(json_object_get(json, "consequence")) > 0);
	assert_non_null(json_object_get(json, "kernel"));
	assert_non_null(json_object_get(json, "module"));
	json_decref(json);
}

static void kernel_wants_a_module(void **state)
{
	assert_int_equal(run(barrage, "kernel", "--module", "/nowhere", NULL), 1);
	assert_printed("barrage: /nowhere: No such file");
	assert_int_equal(run(barrage, "kernel", "--module", barrage, "--json", NULL), 1);
	assert_printed("is no kernel module");
	assert_int_equal(run(barrage, "kernel", "--confirm", NOT_THERE, NULL), 1);
	assert_printed("barrage: there is no PCI function " NOT_THERE);
}

/* A class that no machine has (PCI Code and ID Assignment Specification: fe is reserved). */
static void empty_list(void **state)
{
	assert_int_equal(run(barrage, "list", "--class", "fe", NULL), 0);
	assert_printed("there is no such device; barrage list --all");
	assert_int_equal(run(barrage, "list", "--class", "0xfe", "--json", NULL), 0);
	assert_string_equal(printed, "[]\n");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_command),
		cmocka_unit_test(every_command_has_help_with_an_example),
		cmocka_unit_test(transfers_have_the_options_of_nvme_cli),
		cmocka_unit_test(what_asks_takes_a_letter_for_yes),
		cmocka_unit_test(numbers_are_read_in_one_way),
		cmocka_unit_test(virtual_functions),
		cmocka_unit_test(bar_plan),
		cmocka_unit_test(version),
		cmocka_unit_test(a_full_disk_is_told),
		cmocka_unit_test(missing_and_extra_arguments),
		cmocka_unit_test(bad_classes),
		cmocka_unit_test(bad_values),
		cmocka_unit_test(bad_values_of_what_destroys),
		cmocka_unit_test(devices_that_are_not_there),
		cmocka_unit_test(list_is_valid_json),
		cmocka_unit_test(empty_list),
		cmocka_unit_test(kernel_has_a_verdict),
		cmocka_unit_test(kernel_wants_a_module),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: %s PATH_OF_BARRAGE\n", argv[0]);
		return 2;
	}
	barrage = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
