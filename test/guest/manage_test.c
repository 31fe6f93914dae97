/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Administration of a real controller, which is one of two in a subsystem, and what nvme-cli says
 * of it under the kernel's driver: the same values, and what one changed the other sees. BARRAGE
 * and NVME in the environment are the paths of the two commands.
 */

#include "guest.h"

#include <errno.h>
#include <rte_common.h>

#include "brg_nvme.h"
#include "command_json.h"
#include "driver.h"
#include "file.h"

#define DAMAGED 4 /* the critical warning that the device is made with */

static const char *barrage, *nvme;
static const char *bdf;
static struct brg_device *dev;
static struct brg_nvme_ctrl *ctrl;

/* What each of the two calls a page. */
static const struct page {
	const char *ours[5];
	const char *theirs[4];
	const char
		*inner; /* what we have below the address, and nvme-cli below the device's name */
} pages[] = {
	{{"identify", "--cns", "ctrl"}, {"id-ctrl", "/dev/nvme0"}, NULL},
	{{"identify", "--cns", "ns", "-n", "2"}, {"id-ns", "/dev/nvme0", "-n", "2"}, NULL},
	{{"identify", "--cns", "ns-list"}, {"list-ns", "/dev/nvme0"}, NULL},
	{{"identify", "--cns", "ctrls"}, {"list-ctrl", "/dev/nvme0"}, NULL},
	{{"zns", "report", "-n", "3"}, {"zns", "report-zones", "/dev/nvme0n3"}, NULL},
	{{"identify", "--cns", "ns-descs", "-n", "3"}, {"ns-descs", "/dev/nvme0", "-n", "3"}, NULL},
	{{"identify", "--cns", "nvm-ctrl"}, {"nvm-id-ctrl", "/dev/nvme0"}, NULL},
	{{"identify", "--cns", "zns-ctrl"}, {"zns", "id-ctrl", "/dev/nvme0"}, NULL},
	{{"identify", "--cns", "zns-ns", "-n", "3"}, {"zns", "id-ns", "/dev/nvme0n3"}, NULL},
	{{"identify", "--cns", "allocated-list"}, {"list-ns", "/dev/nvme0", "--all"}, NULL},
	{{"identify", "--cns", "allocated-ns", "-n", "2"},
	 {"id-ns", "/dev/nvme0n2", "--force"},
	 NULL},
	{{"identify", "--cns", "ns-ctrls", "-n", "1"},
	 {"list-ctrl", "/dev/nvme0", "-n", "1"},
	 NULL},
	{{"identify", "--cns", "primary-ctrl"}, {"primary-ctrl-caps", "/dev/nvme0"}, NULL},
	{{"identify", "--cns", "secondary-ctrls"}, {"list-secondary", "/dev/nvme0"}, NULL},
	{{"log", "effects"}, {"effects-log", "/dev/nvme0", "-c", "0"}, NULL},
	{{"log", "smart"}, {"smart-log", "/dev/nvme0"}, NULL},
	{{"log", "error"}, {"error-log", "/dev/nvme0"}, NULL},
	{{"log", "fw"}, {"fw-log", "/dev/nvme0"}, "nvme0"},
};

/* Counters that the kernel's driver itself moves on between the two. */
static bool counts(const char *key)
{
	static const char *const counters[] = {"data_units_read", "host_read_commands",
					       "controller_busy_time", "num_err_log_entries"};

	for (size_t i = 0; i < RTE_DIM(counters); i++)
		if (!strcmp(key, counters[i]))
			return true;
	return false;
}

/* nvme-cli 2.3 takes some numbers of 32 bits for signed. */
static bool same(const json_t *ours, const json_t *theirs)
{
	if (json_is_integer(theirs) && json_integer_value(theirs) < 0)
		return json_integer_value(ours) == (uint32_t)json_integer_value(theirs);
	return json_equal(ours, theirs);
}

/* Of a list, its first. */
static void compare(const char *page, const json_t *ours, const json_t *theirs)
{
	const json_t *value;
	const char *key;

	if (json_is_array(theirs)) {
		compare(page, json_array_get(ours, 0), json_array_get(theirs, 0));
		return;
	}
	assert_in_range(json_object_size(theirs), 1, 1000);
	json_object_foreach ((json_t *)(uintptr_t)theirs, key, value) {
		const json_t *mine = json_object_get(ours, key);

		if (!mine)
			fail_msg("%s: nvme-cli has \"%s\", and we do not", page, key);
		if (counts(key))
			assert_true(strtoull(json_string_value(mine), NULL, 10) <=
				    strtoull(json_string_value(value), NULL, 10));
		else if (!same(mine, value))
			fail_msg("%s: \"%s\" is %s to nvme-cli and %s to us", page, key,
				 json_dumps(value, JSON_ENCODE_ANY),
				 json_dumps(mine, JSON_ENCODE_ANY));
	}
}

/*
 * Options may be said twice: that fills up what a shorter command line leaves. The device is named
 * without its domain, and what is printed has the domain all the same.
 */
static json_t *our_page(const struct page *p)
{
	const char *words[5];

	for (size_t i = 0; i < 5; i++)
		words[i] = p->ours[i] ? p->ours[i] : "--json";
	assert_int_equal(run(barrage, words[0], words[1], words[2], words[3], words[4], "--json",
			     bdf + strlen("0000:"), NULL),
			 0);
	return printed_json();
}

static json_t *their_page(const struct page *p)
{
	works(run(nvme, p->theirs[0], p->theirs[1], "-o", "json", p->theirs[2], p->theirs[3],
		  NULL));
	return printed_json();
}

/* What one formats the other sees, there and back. */
static void formats(void **state)
{
	const struct brg_nvme_identify what = {.nsid = 2};
	struct nvme_id_ns id;
	json_t *json;

	assert_int_equal(run(nvme, "format", "/dev/nvme0", "-n", "2", "-l", "4", "--force", NULL),
			 0);
	give_to_vfio(barrage);
	assert_works(brg_device_open(bdf, &dev));
	assert_works(brg_nvme_open(dev, NULL, &ctrl));
	assert_works(brg_nvme_identify(ctrl, &what, &id));
	assert_int_equal(id.flbas & 0xf, 4);
	brg_nvme_close(ctrl);
	brg_device_close(dev);

	assert_int_equal(run(barrage, "format", "-n", "2", "-b", "512", bdf, NULL), 1);
	assert_printed("--yes");
	assert_int_equal(
		run(barrage, "format", "-n", "2", "-l", "1", "--pi", "1", "--yes", bdf, NULL), 0);
	assert_printed("blocks of 512 bytes and 8 of metadata");
	give_to_kernel(barrage, "/dev/nvme0n3");
	assert_int_equal(run(nvme, "id-ns", "/dev/nvme0", "-n", "2", "-o", "json", NULL), 0);
	json = printed_json();
	assert_int_equal(json_integer_value(json_object_get(json, "flbas")), 1);
	assert_int_equal(json_integer_value(json_object_get(json, "dps")), 1);
	json_decref(json);
	give_to_vfio(barrage);
}

static void pages_are_as_nvme_cli_has_them(void **state)
{
	json_t *ours[RTE_DIM(pages)], *theirs;

	for (size_t i = 0; i < RTE_DIM(pages); i++)
		ours[i] = our_page(&pages[i]);
	give_to_kernel(barrage, "/dev/nvme0n3");
	for (size_t i = 0; i < RTE_DIM(pages); i++) {
		const char *inner = pages[i].inner;

		theirs = their_page(&pages[i]);
		if (inner)
			compare(pages[i].ours[1], json_object_get(ours[i], bdf),
				json_object_get(theirs, inner));
		else
			compare(pages[i].ours[1], ours[i], theirs);
		json_decref(theirs);
		json_decref(ours[i]);
	}
}

static void health_says_what_is_wrong(void **state)
{
	json_t *json, *finding;
	size_t i, acts = 0;

	assert_int_equal(run(barrage, "health", "--json", bdf, NULL), 1);
	json = printed_json();
	assert_string_equal(json_string_value(json_object_get(json, "health")), "act");
	json_array_foreach (json_object_get(json, "findings"), i, finding)
		acts += !strcmp(json_string_value(json_object_get(finding, "state")), "act");
	assert_int_equal(acts, 1);
	json_decref(json);
	assert_printed("reliability is degraded");
}

static int open_ctrl(void **state)
{
	if (brg_device_open(bdf, &dev) || brg_nvme_open(dev, NULL, &ctrl)) {
		fprintf(stderr, "%s\n", brg_errmsg());
		return -1;
	}
	return 0;
}

static int close_ctrl(void **state)
{
	brg_nvme_close(ctrl);
	brg_device_close(dev);
	return 0;
}

static struct {
	unsigned int calls;
	struct brg_nvme_event last;
} told;

static void on_event(void *arg, const struct brg_nvme_event *event)
{
	told.calls++;
	told.last = *event;
}

static void listen_to_all(void)
{
	memset(&told, 0, sizeof(told));
	assert_works(brg_nvme_events_listen(ctrl, 0, on_event, NULL));
	assert_int_equal(brg_nvme_events_poll(ctrl), 0);
}

static bool is_active(uint32_t nsid)
{
	uint32_t nsids[8];
	int n = brg_nvme_ns_list(ctrl, nsids, RTE_DIM(nsids));

	assert_works(n);
	while (n-- > 0)
		if (nsids[n] == nsid)
			return true;
	return false;
}

/* A namespace goes and comes: the event, the log that it names, and the lists. */
static void namespaces_come_and_go(void **state)
{
	const struct brg_nvme_log changed = {.lid = NVME_LOG_LID_CHANGED_NS};
	const uint16_t me = brg_nvme_id_ctrl(ctrl)->cntlid;
	struct nvme_ns_list list;

	listen_to_all();
	assert_true(is_active(2));
	assert_works(brg_nvme_ns_attach(ctrl, 2, &me, 1, false));
	assert_false(is_active(2));
	assert_int_equal(brg_nvme_events_poll(ctrl), 1);
	assert_int_equal(told.last.type, NVME_AER_NOTICE);
	assert_int_equal(told.last.info, NVME_AER_NOTICE_NS_CHANGED);
	assert_int_equal(told.last.lid, NVME_LOG_LID_CHANGED_NS);
	assert_works(brg_nvme_log_read(ctrl, &changed, &list, sizeof(list)));
	assert_int_equal(list.ns[0], 2);
	assert_int_equal(list.ns[1], 0);

	assert_int_equal(brg_nvme_ns_attach(ctrl, 2, &me, 1, false), -EIO); /* not attached */
	assert_works(brg_nvme_ns_attach(ctrl, 2, &me, 1, true));
	assert_true(is_active(2));
	assert_int_equal(brg_nvme_events_poll(ctrl), 1);
	assert_int_equal(told.calls, 2);
}

/* More often than there are event requests: each is sent anew. */
static void temperature_events(void **state)
{
	const struct brg_nvme_log smart = {.lid = NVME_LOG_LID_SMART};
	const struct brg_nvme_feature cold = {.fid = NVME_FEAT_FID_TEMP_THRESH, .cdw11 = 300};
	struct brg_nvme_feature as_it_was = {.fid = NVME_FEAT_FID_TEMP_THRESH};
	struct nvme_smart_log log;
	uint32_t value;

	assert_works(brg_nvme_feature_get(ctrl, &as_it_was, &as_it_was.cdw11));
	listen_to_all();
	for (unsigned int i = 1; i <= 10; i++) {
		assert_works(brg_nvme_feature_set(ctrl, &cold, NULL));
		assert_int_equal(brg_nvme_events_poll(ctrl), 1);
		assert_int_equal(told.calls, i);
		assert_int_equal(told.last.type, NVME_AER_SMART);
		assert_int_equal(told.last.info, NVME_AER_SMART_TEMPERATURE_THRESHOLD);
		/* Until the log is read there is no other. */
		assert_works(brg_nvme_feature_set(ctrl, &cold, NULL));
		assert_int_equal(brg_nvme_events_poll(ctrl), 0);
		assert_works(brg_nvme_log_read(ctrl, &smart, &log, sizeof(log)));
		while (brg_nvme_events_poll(ctrl) > 0) /* the one that waited */
			assert_works(brg_nvme_log_read(ctrl, &smart, &log, sizeof(log)));
		told.calls = i;
	}
	assert_true(log.critical_warning & NVME_SMART_CRIT_TEMPERATURE);
	assert_true(log.critical_warning & DAMAGED);
	assert_works(brg_nvme_feature_set(ctrl, &as_it_was, NULL)); /* QEMU's outlives a reset */
	as_it_was.cdw11 = 0;
	assert_works(brg_nvme_feature_get(ctrl, &as_it_was, &value));
	assert_in_range(value, 301, UINT16_MAX);
}

static void timestamps(void **state)
{
	const uint64_t then = UINT64_C(1700000000000);
	uint64_t ms;

	assert_works(brg_nvme_timestamp_set(ctrl, then));
	assert_works(brg_nvme_timestamp_get(ctrl, &ms));
	assert_in_range(ms - then, 0, 600000);
}

/* What this device does not have, each by the call for it. */
static void what_is_missing_is_said(void **state)
{
	const struct brg_nvme_sanitize sanitize = {.action =
							   NVME_SANITIZE_SANACT_START_BLOCK_ERASE};
	const struct brg_nvme_format crypto = {.nsid = 1, .erase = NVME_FORMAT_SES_CRYPTO_ERASE};
	const struct brg_nvme_log no_log = {.lid = NVME_LOG_LID_DEVICE_SELF_TEST};
	const struct brg_nvme_feature no_feature = {.fid = NVME_FEAT_FID_HCTM};
	const struct brg_nvme_feature unsaveable = {
		.fid = NVME_FEAT_FID_TEMP_THRESH, .cdw11 = 340, .save = true};
	const struct brg_nvme_identify no_page = {.cns = NVME_IDENTIFY_CNS_UUID_LIST};
	const struct brg_nvme_directive directive = {.nsid = 1, .operation = 1, .type = 1};
	uint8_t page[4096];
	size_t len;
	void *data;

	assert_fails(brg_nvme_sanitize(ctrl, &sanitize), ENOTSUP, "SANICAP");
	assert_fails(brg_nvme_format(ctrl, &crypto), ENOTSUP, "FNA");
	assert_fails(brg_nvme_self_test(ctrl, 0, NVME_ST_CODE_SHORT), ENOTSUP, "OACS");
	assert_fails(brg_nvme_fw_download(ctrl, page, 4096, NULL, NULL), ENOTSUP, "OACS");
	assert_fails(brg_nvme_fw_commit(ctrl, 1, NVME_FW_COMMIT_CA_SET_ACTIVE, NULL), ENOTSUP,
		     "OACS");
	assert_fails(brg_nvme_security_send(ctrl, 1, 1, page, 512), ENOTSUP, "OACS");
	assert_fails(brg_nvme_directive_receive(ctrl, &directive, NULL), ENOTSUP, "OACS");
	assert_fails(brg_nvme_telemetry(ctrl, NVME_LOG_LID_TELEMETRY_HOST, true, 1, &data, &len),
		     ENOTSUP, "LPA");
	assert_fails(brg_nvme_log_read(ctrl, &no_log, page, 564), EINVAL, "no log page 0x6");
	assert_fails(brg_nvme_feature_get(ctrl, &no_feature, NULL), EINVAL, "no feature 0x10");
	assert_fails(brg_nvme_feature_set(ctrl, &unsaveable, NULL), EIO, "Not Saveable");
	assert_fails(brg_nvme_identify(ctrl, &no_page, page), EINVAL, "(CNS) 0x17");
	assert_fails(brg_nvme_host_id_get(ctrl, page, 8), EINVAL, "no feature 0x81");
	assert_fails(brg_nvme_host_id_set(ctrl, page, 8), EINVAL, "no feature 0x81");
	assert_fails(brg_nvme_host_id_get(ctrl, page, 16), ENOTSUP, "128 bits (CTRATT");
	assert_fails(brg_nvme_hmb_enable(ctrl, 0), ENOTSUP, "host memory buffers (HMPRE 0)");
	assert_fails(brg_nvme_hmb_disable(ctrl), ENXIO, "not enabled");
	/* QEMU's says that it can manage namespaces, and then cannot create any. */
	assert_int_equal(brg_nvme_ns_delete(ctrl, 3), -EOPNOTSUPP);
	/* After all of that it still works. */
	assert_true(is_active(1));
}

#define with_ctrl(test) cmocka_unit_test_setup_teardown(test, open_ctrl, close_ctrl)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_ctrl(namespaces_come_and_go),
		with_ctrl(temperature_events),
		with_ctrl(timestamps),
		with_ctrl(what_is_missing_is_said),
		cmocka_unit_test(health_says_what_is_wrong),
		/* The kernel's driver has it from here on, */
		cmocka_unit_test(pages_are_as_nvme_cli_has_them),
		/* and both of them in turn. */
		cmocka_unit_test(formats),
	};

	bdf = test_bdf();
	barrage = test_command("BARRAGE");
	nvme = test_command("NVME");
	if (brg_env_init(NULL)) {
		fprintf(stderr, "%s\n", brg_errmsg());
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
