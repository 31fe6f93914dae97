/* SPDX-License-Identifier: BSD-3-Clause */
/* The barrage command on a real controller. BARRAGE in the environment is its path. */

#include "guest.h"

#include <fcntl.h>

#include "command_json.h"

static const char *barrage;
static const char *bdf;

static const char *text(const json_t *json, const char *key)
{
	return json_string_value(json_object_get(json, key));
}

static json_int_t number(const json_t *json, const char *key)
{
	return json_integer_value(json_object_get(json, key));
}

static void list_has_the_controller(void **state)
{
	json_t *list;

	assert_int_equal(run(barrage, "list", NULL), 0);
	assert_printed(bdf);
	assert_printed("vfio-pci");
	assert_int_equal(run(barrage, "list", "--json", NULL), 0);
	list = printed_json();
	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(text(json_array_get(list, 0), "bdf"), bdf);
	assert_string_equal(text(json_array_get(list, 0), "class"), "0x010802");
	assert_true(json_is_null(json_object_get(json_array_get(list, 0), "in_use")));
	json_decref(list);
}

static void show_says_it_is_usable(void **state)
{
	json_t *json, *bar;

	assert_int_equal(run(barrage, "show", bdf, NULL), 0);
	assert_printed("usable        yes\n");
	assert_int_equal(run(barrage, "show", "--json", bdf, NULL), 0);
	json = printed_json();
	assert_true(json_is_true(json_object_get(json, "usable")));
	bar = json_array_get(json_object_get(json, "bars"), 0);
	assert_int_equal(number(bar, "index"), 0);
	assert_int_equal(number(json_array_get(json_object_get(bar, "mappable"), 0), "bytes"),
			 number(bar, "bytes"));
	assert_in_range(number(json, "vectors"), 1, 2048);
	json_decref(json);
}

static void bar_plan_tells_what_and_why(void **state)
{
	json_t *json;

	assert_int_equal(run(barrage, "bar", "plan", bdf, NULL), 0);
	assert_printed("handler    fixed\n");
	assert_printed("policy     touch, 1 fault ");
	assert_printed("shared     yes ");
	assert_int_equal(run(barrage, "bar", "plan", bdf, "--json", "--policy", "lazy", "--length",
			     "100", NULL),
			 0);
	json = printed_json();
	assert_string_equal(text(json, "policy"), "lazy");
	assert_string_equal(text(json, "policy_why"), "asked for by name");
	assert_int_equal(number(json, "bytes"), 4096);
	assert_int_equal(number(json, "faults"), 0);
	json_decref(json);
	assert_int_equal(run(barrage, "bar", "plan", bdf, "--bar", "5", NULL), 1);
	assert_printed("has no memory BAR 5");
}

static void check_identify(void)
{
	json_t *json, *ns;

	assert_int_equal(run(barrage, "identify", bdf, NULL), 0);
	assert_printed("QEMU NVMe Ctrl\n");
	assert_int_equal(run(barrage, "identify", "--json", bdf, NULL), 0);
	json = printed_json();
	assert_string_equal(text(json, "mn"), "QEMU NVMe Ctrl");
	assert_int_equal(json_array_size(json_object_get(json, "namespaces")), 1);
	ns = json_array_get(json_object_get(json, "namespaces"), 0);
	assert_int_equal(number(ns, "nsid"), 1);
	assert_int_equal(number(ns, "SectorSize"), 512);
	assert_int_equal(number(ns, "PhysicalSize"), number(ns, "nsze") * 512);
	assert_in_range(number(ns, "nsze"), 1, INT64_MAX);
	json_decref(json);
}

static void identify_names_the_controller(void **state)
{
	check_identify();
}

/* Debian's 6.1 has the fix. */
static void kernel_has_the_fix(void **state)
{
	json_t *json;

	assert_int_equal(run(barrage, "kernel", NULL), 0);
	assert_printed("handler      fixed\nvulnerable   no\n");
	assert_printed("vfio-pci-core.ko, which is loaded\n");
	assert_int_equal(run(barrage, "kernel", "--confirm", bdf, "--json", NULL), 0);
	json = printed_json();
	assert_string_equal(text(json, "era"), "fixed");
	assert_true(json_is_false(json_object_get(json, "vulnerable")));
	assert_true(json_is_true(json_object_get(json, "loaded")));
	assert_non_null(strstr(text(json, "evidence"), "touched: 1 0 0 0"));
	json_decref(json);
}

static void bind_moves_it_there_and_back(void **state)
{
	char expected[128];
	json_t *json;

	assert_int_equal(run(barrage, "bind", bdf, NULL), 0);
	assert_printed("vfio-pci, as before");
	assert_int_equal(run(barrage, "bind", "--kernel", bdf, NULL), 0);
	snprintf(expected, sizeof(expected), "%s: vfio-pci -> nvme\n", bdf);
	assert_string_equal(printed, expected);

	assert_int_equal(run(barrage, "identify", bdf, NULL), 1);
	assert_printed("is bound to nvme; run: barrage bind");
	assert_int_equal(run(barrage, "show", bdf, NULL), 0);
	assert_printed("no: ");

	assert_int_equal(run(barrage, "unbind", bdf, NULL), 0);
	snprintf(expected, sizeof(expected), "%s: nvme -> no driver\n", bdf);
	assert_string_equal(printed, expected);
	assert_int_equal(run(barrage, "bind", "--driver", "vfio-pci", "--json", bdf, NULL), 0);
	json = printed_json();
	assert_true(json_is_null(json_object_get(json, "was")));
	assert_string_equal(text(json, "driver"), "vfio-pci");
	json_decref(json);
	check_identify();
}

static bool shows_reset(void)
{
	json_t *json;
	bool reset;

	assert_int_equal(run(barrage, "show", "--json", bdf, NULL), 0);
	json = printed_json();
	assert_true(json_is_boolean(json_object_get(json, "reset")));
	reset = json_is_true(json_object_get(json, "reset"));
	json_decref(json);
	return reset;
}

/* Without a reset the controller comes up as well, twice in a row. */
static void bind_keeps_it_ready(void **state)
{
	assert_true(shows_reset());
	assert_int_equal(run(barrage, "bind", "--keep-ready", bdf, NULL), 0);
	assert_false(shows_reset());
	check_identify();
	check_identify();
	assert_int_equal(run(barrage, "bind", "--keep-ready", bdf, NULL), 0);
	assert_false(shows_reset());
	/* Not beyond this binding. */
	assert_int_equal(run(barrage, "bind", "--kernel", bdf, NULL), 0);
	assert_int_equal(run(barrage, "bind", bdf, NULL), 0);
	assert_true(shows_reset());
	assert_int_equal(run(barrage, "bind", "--keep-ready", bdf, NULL), 0);
	assert_int_equal(run(barrage, "unbind", bdf, NULL), 0);
	assert_int_equal(run(barrage, "bind", bdf, NULL), 0);
	assert_true(shows_reset());
	check_identify();
}

static void used_device_is_refused(void **state)
{
	struct brg_device *dev;

	assert_works(brg_device_open(bdf, &dev));
	assert_int_equal(run(barrage, "unbind", bdf, NULL), 1);
	assert_printed("(cli_test)"); /* who has it open */
	assert_int_equal(run(barrage, "identify", bdf, NULL), 1);
	assert_printed("is open in process");
	assert_int_equal(run(barrage, "list", NULL), 0);
	assert_printed("is open in process");
	brg_device_close(dev);
}

static void unknown_driver_is_refused(void **state)
{
	assert_int_equal(run(barrage, "bind", "--driver", "igb_uio", bdf, NULL), 1);
	assert_printed("modprobe igb_uio");
}

static void other_classes_are_not_identified(void **state)
{
	struct brg_device_info *list;
	int n = brg_device_list(0x010601, &list); /* the AHCI controller that q35 has */

	assert_int_equal(n, 1);
	assert_int_equal(run(barrage, "bind", list[0].bdf, NULL), 0);
	assert_int_equal(run(barrage, "identify", list[0].bdf, NULL), 1);
	assert_printed("is no NVMe controller");
	assert_int_equal(run(barrage, "show", list[0].bdf, NULL), 0);
	assert_printed("shared with");
	assert_int_equal(run(barrage, "unbind", list[0].bdf, NULL), 0);
	free(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(list_has_the_controller),
		cmocka_unit_test(show_says_it_is_usable),
		cmocka_unit_test(bar_plan_tells_what_and_why),
		cmocka_unit_test(identify_names_the_controller),
		cmocka_unit_test(kernel_has_the_fix),
		cmocka_unit_test(bind_moves_it_there_and_back),
		cmocka_unit_test(bind_keeps_it_ready),
		cmocka_unit_test(used_device_is_refused),
		cmocka_unit_test(unknown_driver_is_refused),
		cmocka_unit_test(other_classes_are_not_identified),
	};

	bdf = test_bdf();
	barrage = test_command("BARRAGE");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
