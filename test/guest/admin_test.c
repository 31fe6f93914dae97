/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The commands of barrage that administer a controller, each on one that has what it asks for, and
 * with what it says on one that has not. What they did nvme-cli sees in the end, under the kernel's
 * driver. BARRAGE and NVME in the environment are the paths of the two commands.
 *
 * Namespace 3 has four zones of 4 MiB.
 */

#include "guest.h"

#include <nvme/types.h>

#include "command_json.h"
#include "file.h"

#define KELVIN	330
#define DATA	"/tmp/data"
#define NO_DATA "/tmp/image"

static const char *barrage, *nvme, *bdf;

/* Run barrage on the device: what to do first, then the options. */
#define on_device(...) run(barrage, __VA_ARGS__, bdf, NULL)

/* It fails, and says why. */
#define assert_refused(words, ...)                           \
	do {                                                 \
		assert_int_equal(on_device(__VA_ARGS__), 1); \
		assert_printed(words);                       \
	} while (0)

static json_t *json_of(int status)
{
	works(status);
	return printed_json();
}

static json_int_t number(const json_t *json, const char *key)
{
	return json_integer_value(json_object_get(json, key));
}

static const char *text(const json_t *json, const char *key)
{
	const char *value = json_string_value(json_object_get(json, key));

	return value ? value : "";
}

/* Features */

static const json_t *with(json_t *list, const char *key, json_int_t value)
{
	json_t *one;
	size_t i;

	json_array_foreach (list, i, one)
		if (number(one, key) == value)
			return one;
	return NULL;
}

static void features_are_listed(void **state)
{
	json_t *list = json_of(on_device("feature", "list", "--json"));
	const json_t *timestamp = with(list, "feature-id", NVME_FEAT_FID_TIMESTAMP);

	assert_string_equal(text(with(list, "feature-id", NVME_FEAT_FID_TEMP_THRESH), "name"),
			    "temp-thresh");
	assert_in_range(number(json_object_get(timestamp, "fields"), "Timestamp"), 1, INT64_MAX);
	assert_null(with(list, "feature-id", NVME_FEAT_FID_HCTM));
	json_decref(list);
}

static json_int_t threshold(int status)
{
	json_t *json = json_of(status), *fields = json_object_get(json, "fields");
	json_int_t kelvin = number(fields, "Temperature Threshold (TMPTH)");

	assert_int_equal(number(json, "value"), kelvin);
	json_decref(json);
	return kelvin;
}

/* QEMU keeps it over the reset at the end of the command: nvme-cli sees it below. */
static void features_are_set(void **state)
{
	json_t *json;

	assert_int_not_equal(threshold(on_device("feature", "get", "-f", "4", "--json")), KELVIN);
	assert_int_equal(
		threshold(on_device("feature", "set", "-f", "temp-thresh", "-v", "330", "--json")),
		KELVIN);
	works(on_device("feature", "get", "-f", "temp-thresh"));
	assert_printed("Temperature Threshold (TMPTH) : 57 °C (330 K)\n");
	assert_int_not_equal(
		threshold(on_device("feature", "get", "-f", "4", "-s", "default", "--json")),
		KELVIN);
	works(on_device("feature", "set", "-f", "volatile-write-cache", "-v", "0"));
	assert_printed("Volatile Write Cache Enable (WCE) : no\n");
	json = json_of(on_device("feature", "get", "-f", "4", "-s", "supported", "--json"));
	assert_string_equal(json_string_value(json_array_get(json_object_get(json, "Feature"), 0)),
			    "changeable");
	json_decref(json);
}

static void features_that_it_has_not(void **state)
{
	assert_refused("no feature 0x10", "feature", "get", "-f", "hctm");
	assert_refused("Not Saveable", "feature", "set", "-f", "4", "-v", "340", "--save");
	assert_refused("Not Changeable", "feature", "set", "-f", "arbitration", "-v", "0");
}

/* Namespaces */

static void namespaces_are_listed_and_moved(void **state)
{
	json_t *list = json_of(on_device("ns", "list", "--json")), *json;
	const json_t *one = with(list, "nsid", 2);

	assert_int_equal(json_array_size(list), 3);
	assert_int_equal(number(one, "nsze"), 64 << 11);
	assert_int_equal(number(one, "SectorSize"), 512);
	assert_true(json_is_true(json_object_get(one, "attached")));
	assert_int_equal(json_array_size(json_object_get(one, "ctrl_list")), 2);
	json_decref(list);

	json = json_of(on_device("ns", "detach", "-n", "2", "--json"));
	assert_string_equal(text(json, "bdf"), bdf);
	json_decref(json);
	list = json_of(on_device("ns", "list", "--json"));
	one = with(list, "nsid", 2);
	assert_true(json_is_false(json_object_get(one, "attached")));
	assert_int_equal(json_array_size(json_object_get(one, "ctrl_list")), 1);
	json_decref(list);
	assert_refused("Not Attached", "ns", "detach", "-n", "2");
	works(on_device("ns", "attach", "-n", "2", "-c", "0"));
	works(on_device("ns", "list"));
	assert_printed("0 1");
	works(on_device("ns", "detach", "-n", "2"));
}

/* QEMU's says that it can, and then has not even the command. */
static void namespaces_are_not_made(void **state)
{
	assert_refused("Opcode", "ns", "create", "-s", "1000");
	assert_refused("--yes", "ns", "delete", "-n", "3");
	assert_refused("Opcode", "ns", "delete", "-n", "3", "-y");
}

/* Zones */

/* The states of the first three, as "FULL EMPTY EMPTY". */
static void assert_states(const char *expected)
{
	json_t *json = json_of(on_device("zns", "report", "-n", "3", "-d", "3", "--json")), *zone;
	char states[64] = "";
	size_t i;

	json_array_foreach (json_object_get(json, "zone_list"), i, zone) {
		strcat(states, i ? " " : "");
		strncat(states, text(zone, "state"), 16);
	}
	assert_string_equal(states, expected);
	json_decref(json);
}

/*
 * An open zone is closed when the command ends, as the controller is shut down; one that is still
 * empty is empty again.
 */
static void zones_change_their_states(void **state)
{
	json_t *json;

	make_file(DATA, 8 * 512, 1);
	works(on_device("zns", "append", "-n", "3", "-s", "0", "-f", DATA));
	works(on_device("zns", "open", "-n", "3", "-s", "8192"));
	assert_printed("open of the zone at block 0x2000 is done");
	works(on_device("zns", "close", "-n", "3", "-s", "0"));
	assert_states("CLOSED EMPTY EMPTY");
	json = json_of(on_device("zns", "finish", "-n", "3", "-s", "0", "--json"));
	assert_string_equal(text(json, "bdf"), bdf);
	assert_string_equal(text(json, "done"), "finish");
	json_decref(json);
	works(on_device("zns", "finish", "-n", "3", "-s", "16384"));
	assert_refused("--yes", "zns", "reset", "-n", "3", "-s", "0");
	assert_states("FULL EMPTY FULL");
	works(on_device("zns", "reset", "-n", "3", "-s", "0", "-y"));
	assert_states("EMPTY EMPTY FULL");
	/* To those that are read-only: there are none. */
	works(on_device("zns", "offline", "-n", "3", "-a", "-y"));
	assert_refused("Invalid Zone State Transition", "zns", "offline", "-n", "3", "-s", "8192",
		       "-y");
	assert_refused("not zoned", "zns", "report", "-n", "1");
}

/* The rest */

static void a_reset_ends_ready(void **state)
{
	json_t *json = json_of(on_device("reset", "--json"));

	assert_string_equal(text(json, "bdf"), bdf);
	assert_true(json_is_true(json_object_get(json, "ready")));
	json_decref(json);
}

static void what_it_has_not_is_said(void **state)
{
	make_file(NO_DATA, 4096, 2);
	assert_refused("SANICAP", "sanitize", "-a", "block-erase", "-y");
	assert_refused("--yes", "sanitize", "-a", "overwrite");
	assert_refused("OACS", "self-test");
	assert_refused("OACS", "fw", "update", "-f", NO_DATA, "-y");
	assert_refused("OACS", "fw", "commit", "-s", "1", "-y");
	assert_refused("no log page 0x6", "log", "self-test");
	assert_refused("LPA", "log", "telemetry");
	assert_refused("LPA", "log", "telemetry-ctrl");
	assert_refused("no log page 0x81", "log", "sanitize");
}

static void structures_as_text_and_bytes(void **state)
{
	json_t *json;

	works(on_device("identify", "--cns", "command-sets"));
	assert_printed("combination 0: 0x5, NVM, zoned\n");
	json = json_of(on_device("identify", "--cns", "1", "--json"));
	assert_int_equal(json_array_size(json_object_get(json, "data")), 4096);
	json_decref(json);
	works(on_device("log", "effects"));
	assert_printed("Namespace Attachment");
	assert_null(strstr(printed, "Zone Append"));
	works(on_device("log", "effects", "--csi", "2"));
	assert_printed("Zone Append");
	works(on_device("log", "changed-ns")); /* what was detached above */
	assert_printed(":0x2\n");
	works(on_device("log", "changed-ns"));
	assert_printed("no namespace has changed");
}

/* The kernel counts the namespaces that are attached: this one is the second. */
#define ZONED "/dev/nvme0n2"

/* What another program says of all that. */
static void nvme_cli_sees_it(void **state)
{
	json_t *json, *zones;

	works(run(barrage, "bind", "--kernel", bdf, NULL));
	wait_for_disk(ZONED);
	works(run(nvme, "get-feature", "/dev/nvme0", "-f", "4", NULL));
	assert_printed("Current value:0x0000014a");
	works(run(nvme, "get-feature", "/dev/nvme0", "-f", "6", "-H", NULL));
	assert_printed("Volatile Write Cache Enable (WCE): Disabled");
	json = json_of(run(nvme, "list-ns", "/dev/nvme0", "-o", "json", NULL));
	assert_non_null(with(json_object_get(json, "nsid_list"), "nsid", 3));
	assert_null(with(json_object_get(json, "nsid_list"), "nsid", 2));
	json_decref(json);
	works(run(nvme, "zns", "report-zones", ZONED, "-o", "json", NULL));
	/* Write pointers of full zones are too large for integers here. */
	json = json_loads(printed, JSON_DECODE_INT_AS_REAL, NULL);
	assert_non_null(json);
	zones = json_object_get(json, "zone_list");
	assert_string_equal(text(json_array_get(zones, 0), "state"), "EMPTY");
	assert_string_equal(text(json_array_get(zones, 1), "state"), "EMPTY");
	assert_string_equal(text(json_array_get(zones, 2), "state"), "FULL");
	json_decref(json);
}

/* So that it is not reset each time it is opened and closed: that takes a third of a second. */
static int keep_ready(void **state)
{
	works(run(barrage, "bind", "--keep-ready", bdf, NULL));
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_reset_ends_ready, keep_ready),
		cmocka_unit_test(features_are_listed),
		cmocka_unit_test(features_are_set),
		cmocka_unit_test(features_that_it_has_not),
		cmocka_unit_test(namespaces_are_listed_and_moved),
		cmocka_unit_test(namespaces_are_not_made),
		cmocka_unit_test(zones_change_their_states),
		cmocka_unit_test(what_it_has_not_is_said),
		cmocka_unit_test(structures_as_text_and_bytes),
		cmocka_unit_test(nvme_cli_sees_it),
	};

	bdf = test_bdf();
	barrage = test_command("BARRAGE");
	nvme = test_command("NVME");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
