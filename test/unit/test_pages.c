/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pages as text and as JSON, and the findings that barrage health makes of them. The SMART page is
 * what a device said, with the values that QEMU's would not show filled in.
 */

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "health.h"
#include "pages.h"

static char *printed;

static const char *print(page_print fn, const void *page, size_t len)
{
	const struct page_of p = {"0000:00:04.0", page, len};
	size_t size;
	FILE *out;

	free(printed);
	out = open_memstream(&printed, &size);
	fn(out, &p);
	fclose(out);
	return printed;
}

static json_t *json_of(page_json fn, const void *page, size_t len)
{
	const struct page_of p = {"0000:00:04.0", page, len};

	return fn(&p);
}

#define assert_says(text, words)                                          \
	do {                                                              \
		const char *said = (text);                                \
		if (!strstr(said, (words)))                               \
			fail_msg("\"%s\" is not in:\n%s", (words), said); \
	} while (0)

static json_int_t number(const json_t *json, const char *key)
{
	assert_true(json_is_integer(json_object_get(json, key)));
	return json_integer_value(json_object_get(json, key));
}

static const char *text(const json_t *json, const char *key)
{
	assert_true(json_is_string(json_object_get(json, key)));
	return json_string_value(json_object_get(json, key));
}

static void big_numbers(void **state)
{
	static const uint8_t most[16] = {255, 255, 255, 255, 255, 255, 255, 255,
					 255, 255, 255, 255, 255, 255, 255, 255};
	static const uint8_t bit64[16] = {[8] = 1};
	static const uint8_t zero[16];
	char digits[40];

	assert_string_equal(field_big(digits, zero), "0");
	assert_string_equal(field_big(digits, bit64), "18446744073709551616");
	assert_string_equal(field_big(digits, most), "340282366920938463463374607431768211455");
	assert_int_equal(field_number("\x01\x02\x03", 3), 0x030201);
}

static struct nvme_smart_log smart(void)
{
	return (struct nvme_smart_log){
		.temperature = {0x43, 0x01}, /* 323 K */
		.avail_spare = 100,
		.spare_thresh = 10,
		.percent_used = 3,
		.data_units_read = {0xd2, 0x04}, /* 1,234 */
		.host_reads = {[8] = 1},
		.power_on_hours = {0x64},
		.warning_temp_time = 7,
		.temp_sensor = {[1] = 330},
	};
}

static void smart_log(void **state)
{
	struct nvme_smart_log log = smart();
	json_t *json = json_of(smart_log_json, &log, sizeof(log));

	assert_int_equal(number(json, "temperature"), 323);
	assert_int_equal(number(json, "avail_spare"), 100);
	assert_int_equal(number(json, "spare_thresh"), 10);
	assert_string_equal(text(json, "data_units_read"), "1234");
	assert_string_equal(text(json, "host_read_commands"), "18446744073709551616");
	assert_int_equal(number(json, "warning_temp_time"), 7);
	assert_int_equal(number(json, "temperature_sensor_2"), 330);
	assert_null(json_object_get(json, "temperature_sensor_1"));
	json_decref(json);

	print(smart_log_print, &log, sizeof(log));
	assert_says(printed, "\ntemperature                            : 50 °C (323 K)\n");
	assert_says(printed, "\ndata_units_read                        : 1234 (631.81 MB)\n");
	assert_says(printed, "\npower_on_hours                         : 100 h\n");
	assert_says(printed, "\ntemperature_sensor_2                   : 57 °C (330 K)\n");
}

static void error_log(void **state)
{
	static struct nvme_error_log_page log[4];
	json_t *json, *array;

	assert_string_equal(print(error_log_print, log, sizeof(log)), "no errors in the log\n");
	log[0] = (struct nvme_error_log_page){
		.error_count = 17,
		.sqid = 2,
		.cmdid = 0x30,
		.status_field = 0x281 << 1 | 1,
		.parm_error_location = 0xffff,
		.lba = 4711,
		.nsid = 1,
		.cs = UINT64_MAX,
	};
	json = json_of(error_log_json, log, sizeof(log));
	array = json_object_get(json, "errors");
	assert_int_equal(json_array_size(array), 4);
	assert_int_equal(number(json_array_get(array, 0), "error_count"), 17);
	assert_int_equal(number(json_array_get(array, 0), "status_field"), 0x281);
	assert_int_equal(number(json_array_get(array, 0), "phase_tag"), 1);
	assert_int_equal(number(json_array_get(array, 0), "lba"), 4711);
	assert_int_equal(number(json_array_get(array, 0), "trtype_spec_info"), 0);
	assert_string_equal(text(json_array_get(array, 0), "cs"), "18446744073709551615");
	json_decref(json);
	print(error_log_print, log, sizeof(log));
	assert_says(printed, "4711");
	assert_says(printed, "Unrecovered Read Error");
	assert_null(strstr(printed, "\n           0"));
}

static void firmware_log(void **state)
{
	static const struct nvme_firmware_slot log = {
		.afi = 0x21,
		.frs = {"1.0     ", "2.0\x01    "},
	};
	json_t *json = json_of(fw_log_json, &log, sizeof(log));
	const json_t *slots = json_object_get(json, "0000:00:04.0");

	assert_int_equal(number(slots, "Active Firmware Slot (afi)"), 0x21);
	assert_string_equal(text(slots, "Firmware Rev Slot 1"), "2314885530819505713 (1.0.....)");
	assert_null(json_object_get(slots, "Firmware Rev Slot 3"));
	json_decref(json);
	print(fw_log_print, &log, sizeof(log));
	assert_says(printed, "frs1 : 0x2020202020302e31 (1.0.....), running\n");
	assert_says(printed, "(2.0.....), after the next reset\n");
}

static void changed_namespaces(void **state)
{
	static struct nvme_ns_list log;
	json_t *json;

	assert_says(print(changed_ns_print, &log, sizeof(log)), "no namespace has changed");
	for (unsigned int i = 0; i < NVME_ID_NS_LIST_MAX; i++)
		log.ns[i] = i + 1;
	json = json_of(changed_ns_json, &log, sizeof(log));
	assert_int_equal(json_object_size(json_object_get(json, "0000:00:04.0")), 1024);
	json_decref(json);
	assert_says(print(changed_ns_print, &log, sizeof(log)), "[1023]:0x400\n");
	log.ns[0] = NVME_NSID_ALL;
	log.ns[1] = 0;
	assert_says(print(changed_ns_print, &log, sizeof(log)), "more than 1024 namespaces");
	json = json_of(changed_ns_json, &log, sizeof(log));
	assert_int_equal(json_object_size(json_object_get(json, "0000:00:04.0")), 1);
	json_decref(json);
}

static void effects(void **state)
{
	static struct nvme_cmd_effects_log log;
	json_t *json;
	const json_t *admin;

	log.acs[nvme_admin_format_nvm] = NVME_CMD_EFFECTS_CSUPP | NVME_CMD_EFFECTS_LBCC;
	log.acs[0xc0] = NVME_CMD_EFFECTS_CSUPP;
	log.iocs[nvme_cmd_read] = NVME_CMD_EFFECTS_CSUPP;
	json = json_of(effects_log_json, &log, sizeof(log));
	admin = json_object_get(json_array_get(json, 0), "admin_cmd_set");
	assert_int_equal(json_object_size(admin), 2);
	assert_int_equal(number(admin, "ACS_128 (Format NVM)"), 3);
	assert_int_equal(number(admin, "ACS_192 (Unknown)"), 1);
	assert_int_equal(json_object_size(json_object_get(json_array_get(json, 0), "io_cmd_set")),
			 1);
	json_decref(json);
	print(effects_log_print, &log, sizeof(log));
	assert_says(printed, "admin    0x80  Format NVM      0x3  yes");
}

static void self_tests(void **state)
{
	static struct nvme_self_test_log log;
	const json_t *report;
	json_t *json;

	assert_says(print(self_test_log_print, &log, sizeof(log)), "no self-test has been run");
	log.current_operation = NVME_ST_CURR_OP_EXTENDED;
	log.completion = 42;
	log.result[0] = (struct nvme_st_result){
		.dsts = NVME_ST_CODE_SHORT << NVME_ST_CODE_SHIFT | NVME_ST_RESULT_KNOWN_SEG_FAIL,
		.seg = 3,
		.vdi = NVME_ST_VALID_DIAG_INFO_FLBA,
		.poh = 99,
		.flba = 4711,
	};
	log.result[1].dsts = NVME_ST_RESULT_NOT_USED;
	json = json_of(self_test_log_json, &log, sizeof(log));
	assert_int_equal(number(json, "Current Device Self-Test Operation"), 2);
	assert_int_equal(number(json, "Current Device Self-Test Completion"), 42);
	report = json_array_get(json_object_get(json, "List of Valid Reports"), 0);
	assert_int_equal(number(report, "Self test result"), 7);
	assert_int_equal(number(report, "Segment number"), 3);
	assert_int_equal(number(report, "Failing LBA"), 4711);
	assert_null(json_object_get(report, "Namespace Identifier"));
	report = json_array_get(json_object_get(json, "List of Valid Reports"), 1);
	assert_int_equal(json_object_size(report), 1);
	json_decref(json);
	print(self_test_log_print, &log, sizeof(log));
	assert_says(printed, "running: extended, 42 %");
	assert_says(printed, "short  failed");
	assert_says(printed, "4711");
}

static void sanitize(void **state)
{
	static const struct nvme_sanitize_log_page log = {
		.sprog = 0x8000,
		.sstat = 2 << 3 | NVME_SANITIZE_SSTAT_STATUS_IN_PROGESS,
		.etbe = 10,
	};
	json_t *json = json_of(sanitize_log_json, &log, sizeof(log));
	const json_t *page = json_object_get(json, "0000:00:04.0");

	assert_int_equal(number(page, "sprog"), 0x8000);
	assert_int_equal(number(json_object_get(page, "sstat"), "no_cmplted_passes"), 2);
	assert_int_equal(number(page, "time_block_erase"), 10);
	json_decref(json);
	print(sanitize_log_print, &log, sizeof(log));
	assert_says(printed, "(50.0 %)");
	assert_says(printed, "sanitize in progress, 2 passes");
}

/* What a controller says of its lists may be more than a page has room for. */
static void lists_are_not_trusted(void **state)
{
	static const struct nvme_ctrl_list ctrls = {.num = 65535, .identifier = {7, 8}};
	static const struct nvme_secondary_ctrl_list secondary = {.num = 255};
	static const uint8_t descs[4096] = {[0] = NVME_NIDT_UUID, [1] = 16, [20] = 9, [21] = 250};
	static uint8_t ends_late[8] = {NVME_NIDT_NGUID, 16};
	static struct nvme_id_ns ns = {.nlbaf = 255, .nulbaf = 255, .flbas = 0xff};
	static struct nvme_id_ctrl ctrl = {.npss = 255, .sn = "\xff\x01 a"};
	json_t *json = json_of(ctrl_list_json, &ctrls, sizeof(ctrls));

	assert_int_equal(json_array_size(json_object_get(json, "ctrl_list")),
			 NVME_ID_CTRL_LIST_MAX);
	json_decref(json);
	json = json_of(secondary_ctrls_json, &secondary, sizeof(secondary));
	assert_int_equal(json_array_size(json_object_get(json, "secondary-controllers")), 127);
	assert_int_equal(number(json, "num"), 255);
	json_decref(json);
	json = json_of(ns_descs_json, descs, sizeof(descs));
	assert_int_equal(json_array_size(json_object_get(json, "ns-descs")), 2);
	json_decref(json);
	json = json_of(ns_descs_json, ends_late, sizeof(ends_late));
	assert_int_equal(json_array_size(json_object_get(json, "ns-descs")), 0);
	json_decref(json);
	json = json_of(id_ns_json, &ns, sizeof(ns));
	assert_int_equal(json_array_size(json_object_get(json, "lbafs")), 64);
	json_decref(json);
	assert_says(print(id_ns_print, &ns, sizeof(ns)), "\n  63 ");
	json = json_of(id_ctrl_json, &ctrl, sizeof(ctrl));
	assert_int_equal(json_array_size(json_object_get(json, "psds")), 32);
	assert_string_equal(text(json, "sn"), "?? a");
	json_decref(json);
	assert_says(print(id_ctrl_print, &ctrl, sizeof(ctrl)), "\n31 ");
}

static const char *finding(const struct health *h, const char *what)
{
	for (size_t i = 0; i < h->nfindings; i++)
		if (!strcmp(h->findings[i].what, what))
			return h->findings[i].text;
	return "nothing";
}

static void a_healthy_device(void **state)
{
	const struct nvme_id_ctrl id = {.wctemp = 343, .cctemp = 353};
	const struct nvme_self_test_log tests = {.result[0].dsts = NVME_ST_CODE_SHORT
								   << NVME_ST_CODE_SHIFT};
	struct nvme_error_log_page errors[2] = {
		{.error_count = 5, .status_field = NVME_SC_INVALID_FIELD << 1}};
	struct nvme_smart_log log = smart();
	struct health h = {0};

	health_smart(&h, &id, &log);
	health_errors(&h, errors, 2);
	health_self_test(&h, &tests);
	assert_int_equal(h.worst, HEALTH_OK);
	assert_string_equal(health_summary(&h), "well");
	assert_string_equal(finding(&h, "temperature"), "50 °C, may be up to 69 °C");
	assert_string_equal(finding(&h, "self-test"), "the last one passed");
	assert_says(finding(&h, "error log"), "1 entries, none about media");
	for (size_t i = 0; i < h.nfindings; i++)
		assert_null(h.findings[i].advice);
}

/* Each of these alone is enough. */
static void what_makes_a_device_ill(void **state)
{
	const struct nvme_id_ctrl id = {.wctemp = 343, .cctemp = 353};
	const struct {
		struct nvme_smart_log log;
		enum health_state worst;
		const char *what;
	} cases[] = {
		{{.critical_warning = NVME_SMART_CRIT_DEGRADED}, HEALTH_ACT, "critical warning"},
		{{.critical_warning = 0x80}, HEALTH_ACT, "critical warning"},
		{{.temperature = {353 & 0xff, 353 >> 8}}, HEALTH_ACT, "temperature"},
		{{.temperature = {343 & 0xff, 343 >> 8}}, HEALTH_WATCH, "temperature"},
		{{.avail_spare = 9, .spare_thresh = 10}, HEALTH_ACT, "spare"},
		{{.percent_used = 80}, HEALTH_WATCH, "wear"},
		{{.percent_used = 100}, HEALTH_ACT, "wear"},
		{{.media_errors = {1}}, HEALTH_ACT, "media errors"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct health h = {0};

		health_smart(&h, &id, &cases[i].log);
		assert_int_equal(h.worst, cases[i].worst);
		for (size_t f = 0; f < h.nfindings; f++) {
			bool ill = h.findings[f].state != HEALTH_OK;

			assert_int_equal(ill, !strcmp(h.findings[f].what, cases[i].what));
			assert_int_equal(ill, h.findings[f].advice != NULL);
		}
	}
}

static void logs_make_a_device_ill(void **state)
{
	const struct nvme_self_test_log tests = {.result[0].dsts = NVME_ST_CODE_SHORT
									   << NVME_ST_CODE_SHIFT |
								   NVME_ST_RESULT_FATAL_ERR};
	struct nvme_error_log_page errors[2] = {
		{.error_count = 6, .status_field = NVME_SC_INVALID_FIELD << 1},
		{.error_count = 5, .status_field = 0x281 << 1, .lba = 4711, .nsid = 2},
	};
	const struct brg_nvme_event event = {.type = NVME_AER_SMART, .info = 2, .lid = 2};
	struct health h = {0};

	health_errors(&h, errors, 2);
	assert_int_equal(h.worst, HEALTH_WATCH);
	assert_string_equal(finding(&h, "error log"),
			    "Unrecovered Read Error, namespace 2, block 4711");
	health_self_test(&h, &tests);
	assert_int_equal(h.worst, HEALTH_ACT);
	health_event(&h, &event);
	assert_says(finding(&h, "event"), "spare below its threshold (log page 0x2)");
	for (unsigned int i = 0; i < 100; i++) /* a storm of them */
		health_event(&h, &event);
	assert_int_equal(h.nfindings, MOST_FINDINGS);
}

/* Of two configurations the second says that it is longer than the page. */
static void fdp_configurations(void **state)
{
	const size_t size = sizeof(struct nvme_fdp_config_desc) + 3 * 4;
	uint8_t page[16 + 2 * (64 + 12)] = {0};
	struct nvme_fdp_config_log log = {.n = 1, .size = sizeof(page)};
	struct nvme_fdp_config_desc desc = {
		.size = (uint16_t)size, .nrg = 2, .nruh = 3, .maxpids = 5, .runs = 96 << 20};
	json_t *json;
	const json_t *config;

	memcpy(page, &log, sizeof(log));
	memcpy(page + 16, &desc, sizeof(desc));
	desc.size++;
	memcpy(page + 16 + size, &desc, sizeof(desc));
	page[16 + 64] = NVME_FDP_RUHT_INITIALLY_ISOLATED;
	page[16 + 64 + 4] = page[16 + 64 + 8] = NVME_FDP_RUHT_PERSISTENTLY_ISOLATED;
	json = json_of(fdp_configs_json, page, sizeof(page));
	assert_int_equal(number(json, "n"), 1);
	assert_int_equal(json_array_size(json_object_get(json, "configs")), 1);
	config = json_array_get(json_object_get(json, "configs"), 0);
	assert_int_equal(number(config, "nrg"), 2);
	assert_int_equal(number(config, "maxpids"), 5);
	assert_int_equal(number(config, "runs"), 96 << 20);
	assert_int_equal(number(json_array_get(json_object_get(config, "ruhs"), 2), "ruht"), 2);
	json_decref(json);
	print(fdp_configs_print, page, sizeof(page));
	assert_says(printed, "configuration 0, not valid\n");
	assert_says(printed, "  handles 0 to 0 are initially isolated\n");
	assert_says(printed, "  handles 1 to 2 are persistently isolated\n");
	assert_null(strstr(printed, "configuration 1"));
}

/* What the page says that it has, and what it has. */
static void fdp_handles(void **state)
{
	struct {
		struct nvme_fdp_ruhu_log log;
		struct nvme_fdp_ruhu_desc desc[2];
	} usage = {.log.nruh = 500, .desc = {{.ruha = 2}, {.ruha = 1}}};
	struct {
		struct nvme_fdp_ruh_status head;
		struct nvme_fdp_ruh_status_desc desc[2];
	} status = {.head.nruhsd = 1, .desc = {{.pid = 0x8001, .ruhid = 7, .ruamw = 1000}}};
	json_t *json = json_of(fdp_usage_json, &usage, sizeof(usage));

	assert_int_equal(number(json, "nruh"), 2);
	assert_int_equal(number(json_array_get(json_object_get(json, "ruhus"), 0), "ruha"), 2);
	json_decref(json);
	assert_says(print(fdp_usage_print, &usage, sizeof(usage)), "handle 1 : 0x1 (");
	assert_string_equal(print(fdp_usage_print, &usage, 4), "");
	json = json_of(ruh_status_json, &status, sizeof(status));
	assert_int_equal(number(json, "nruhsd"), 1);
	assert_int_equal(number(json_array_get(json_object_get(json, "ruhss"), 0), "pid"), 0x8001);
	assert_int_equal(number(json_array_get(json_object_get(json, "ruhss"), 0), "ruamw"), 1000);
	json_decref(json);
	assert_says(print(ruh_status_print, &status, sizeof(status)), "32769       7         1000");
}

static void fdp_events(void **state)
{
	static struct nvme_fdp_events_log log;
	json_t *json;
	const json_t *moved;

	assert_string_equal(print(fdp_events_print, &log, sizeof(log)), "no events in the log\n");
	log.n = 2;
	log.events[0] = (struct nvme_fdp_event){
		.type = NVME_FDP_EVENT_PID,
		.flags = NVME_FDP_EVENT_F_PIV,
		.pid = 9,
		.ts = {.timestamp = {1, 0, 0, 0, 0, 1}, .attr = 2},
	};
	/* Blocks moved, 5, and the first of them. */
	log.events[1] = (struct nvme_fdp_event){
		.type = NVME_FDP_EVENT_REALLOC,
		.flags = NVME_FDP_EVENT_F_NSIDV | NVME_FDP_EVENT_F_LV,
		.nsid = 3,
		.type_specific = {1, 0, 5, 0, 0x11, 0x22},
		.rgid = 1,
		.ruhid = 4,
	};
	json = json_of(fdp_events_json, &log, sizeof(log));
	assert_int_equal(number(json, "n"), 2);
	moved = json_array_get(json_object_get(json, "events"), 0);
	assert_int_equal(number(moved, "timestamp"), (INT64_C(1) << 40) + 1);
	assert_int_equal(number(moved, "pid"), 9);
	assert_null(json_object_get(moved, "nlbam"));
	moved = json_array_get(json_object_get(json, "events"), 1);
	assert_int_equal(number(moved, "fdpef"), 6);
	assert_int_equal(number(moved, "nlbam"), 5);
	assert_int_equal(number(moved, "lba"), 0x2211);
	json_decref(json);
	print(fdp_events_print, &log, sizeof(log));
	assert_says(printed, "invalid placement identifier");
	assert_says(printed, "8721"); /* the block */
	log.n = UINT32_MAX;
	json = json_of(fdp_events_json, &log, sizeof(log));
	assert_int_equal(json_array_size(json_object_get(json, "events")), 63);
	json_decref(json);
}

/* The value of a feature's field by its name. */
static const json_t *field_of(uint8_t fid, uint32_t value, const char *name)
{
	static json_t *json;

	json_decref(json);
	json = feature_fields_json(fid, value, NULL, 0);
	if (!json_object_get(json, name))
		fail_msg("feature %#x has no \"%s\"", fid, name);
	return json_object_get(json, name);
}

static void features_are_decoded(void **state)
{
	static const struct {
		uint8_t fid;
		uint32_t value;
		const char *name;
		json_int_t is;
	} cases[] = {
		{NVME_FEAT_FID_ARBITRATION, 0x04030203, "High Priority Weight (HPW)", 5},
		{NVME_FEAT_FID_ARBITRATION, 0x04030203, "Medium Priority Weight (MPW)", 4},
		{NVME_FEAT_FID_ARBITRATION, 0x04030203, "Low Priority Weight (LPW)", 3},
		{NVME_FEAT_FID_ARBITRATION, 0x04030203, "Arbitration Burst (AB)", 8},
		{NVME_FEAT_FID_POWER_MGMT, 0x43, "Workload Hint (WH)", 2},
		{NVME_FEAT_FID_POWER_MGMT, 0x43, "Power State (PS)", 3},
		{NVME_FEAT_FID_TEMP_THRESH, 0x190157, "Threshold Type Select (THSEL)", 1},
		{NVME_FEAT_FID_TEMP_THRESH, 0x190157, "Threshold Temperature Select (TMPSEL)", 9},
		{NVME_FEAT_FID_TEMP_THRESH, 0x190157, "Temperature Threshold (TMPTH)", 343},
		{NVME_FEAT_FID_ERR_RECOVERY, 50, "Time Limited Error Recovery (TLER)", 5000},
		{NVME_FEAT_FID_NUM_QUEUES, 0x3f001e,
		 "Number of IO Completion Queues Allocated (NCQA)", 64},
		{NVME_FEAT_FID_NUM_QUEUES, 0x3f001e,
		 "Number of IO Submission Queues Allocated (NSQA)", 31},
		{NVME_FEAT_FID_IRQ_COALESCE, 0x0a03, "Aggregation Time (TIME)", 1000},
		{NVME_FEAT_FID_IRQ_COALESCE, 0x0a03, "Aggregation Threshold (THR)", 4},
		{NVME_FEAT_FID_ASYNC_EVENT, 0x11f, "SMART / Health Critical Warnings", 0x1f},
		{NVME_FEAT_FID_KATO, 0xfffffffe, "Keep Alive Timeout (KATO)", 0xfffffffe},
		{NVME_FEAT_FID_SANITIZE, 1, "No-Deallocate Response Mode (NODRM)", 1},
	};
	static const struct {
		uint8_t fid;
		uint32_t value;
		const char *name;
	} flags[] = {
		{NVME_FEAT_FID_ERR_RECOVERY, 1 << 16,
		 "Deallocated or Unwritten Logical Block Error Enable (DULBE)"},
		{NVME_FEAT_FID_VOLATILE_WC, 1, "Volatile Write Cache Enable (WCE)"},
		{NVME_FEAT_FID_ASYNC_EVENT, 1u << 31, "Discovery Log Page Change Notices"},
		{NVME_FEAT_FID_ASYNC_EVENT, 1 << 14,
		 "Endurance Group Event Aggregate Log Change Notices"},
		{NVME_FEAT_FID_ASYNC_EVENT, 1 << 13, "LBA Status Information Notices"},
		{NVME_FEAT_FID_ASYNC_EVENT, 1 << 12,
		 "Predictable Latency Event Aggregate Log Change Notices"},
		{NVME_FEAT_FID_ASYNC_EVENT, 1 << 11, "Asymmetric Namespace Access Change Notices"},
		{NVME_FEAT_FID_ASYNC_EVENT, 1 << 10, "Telemetry Log Notices"},
		{NVME_FEAT_FID_ASYNC_EVENT, 1 << 9, "Firmware Activation Notices"},
		{NVME_FEAT_FID_ASYNC_EVENT, 1 << 8, "Namespace Attribute Notices"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(
			json_integer_value(field_of(cases[i].fid, cases[i].value, cases[i].name)),
			cases[i].is);
	/* That bit and no other makes it true. */
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		assert_true(json_is_true(field_of(flags[i].fid, flags[i].value, flags[i].name)));
		assert_true(json_is_false(field_of(flags[i].fid, ~flags[i].value, flags[i].name)));
	}
	assert_string_equal(
		json_string_value(field_of(NVME_FEAT_FID_ARBITRATION, 7, "Arbitration Burst (AB)")),
		"No limit");
}

static void features_with_data_are_decoded(void **state)
{
	static const struct nvme_timestamp ts = {{0x95, 0x6d, 0xcb, 0x19, 0xa2, 0x01}, 0x3, 0};
	static const uint8_t id[16] = {0x01, 0x23, [15] = 0xef};
	json_t *json = feature_fields_json(NVME_FEAT_FID_TIMESTAMP, 0, &ts, sizeof(ts));

	assert_int_equal(number(json, "Timestamp"), 0x01a219cb6d95);
	assert_int_equal(number(json, "Timestamp Origin"), 1);
	assert_int_equal(number(json, "Synch"), 1);
	json_decref(json);
	json = feature_fields_json(NVME_FEAT_FID_HOST_ID, 0, id, 8);
	assert_string_equal(text(json, "Host Identifier (HOSTID)"), "0123000000000000");
	json_decref(json);
	json = feature_fields_json(NVME_FEAT_FID_HOST_ID, 1, id, 16);
	assert_string_equal(text(json, "Host Identifier (HOSTID)"),
			    "012300000000000000000000000000ef");
	json_decref(json);
	/* Less than there should be is not read beyond its end. */
	assert_true(json_is_null(feature_fields_json(NVME_FEAT_FID_TIMESTAMP, 0, &ts, 6)));
	assert_true(json_is_null(feature_fields_json(NVME_FEAT_FID_HOST_ID, 0, id, 12)));
}

static const char *printed_fields(uint8_t fid, uint32_t value, const void *data, size_t len)
{
	size_t size;
	FILE *out;
	bool known;

	free(printed);
	out = open_memstream(&printed, &size);
	known = feature_fields_print(out, fid, value, data, len);
	fclose(out);
	return known ? printed : NULL;
}

static void features_as_text(void **state)
{
	static const uint8_t id[8] = {0xab};

	assert_string_equal(printed_fields(NVME_FEAT_FID_TEMP_THRESH, 0x157, NULL, 0),
			    "Threshold Type Select (THSEL) : 0\n"
			    "Threshold Temperature Select (TMPSEL) : 0\n"
			    "Temperature Threshold (TMPTH) : 70 °C (343 K)\n");
	assert_says(printed_fields(NVME_FEAT_FID_ARBITRATION, 7, NULL, 0), "(AB) : no limit\n");
	assert_says(printed_fields(NVME_FEAT_FID_IRQ_COALESCE, 0x100, NULL, 0), " : 100 usec\n");
	assert_says(printed_fields(NVME_FEAT_FID_VOLATILE_WC, 1, NULL, 0), "(WCE) : yes\n");
	assert_says(printed_fields(NVME_FEAT_FID_ASYNC_EVENT, 3, NULL, 0), "Warnings : 0x3\n");
	assert_says(printed_fields(NVME_FEAT_FID_HOST_ID, 0, id, 8), " : ab00000000000000\n");
	/* What is not known here stays raw. */
	assert_null(printed_fields(NVME_FEAT_FID_LBA_RANGE, 7, id, 8));
	assert_null(printed_fields(0xc0, 7, NULL, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(big_numbers),
		cmocka_unit_test(smart_log),
		cmocka_unit_test(error_log),
		cmocka_unit_test(firmware_log),
		cmocka_unit_test(changed_namespaces),
		cmocka_unit_test(effects),
		cmocka_unit_test(self_tests),
		cmocka_unit_test(sanitize),
		cmocka_unit_test(fdp_configurations),
		cmocka_unit_test(fdp_handles),
		cmocka_unit_test(fdp_events),
		cmocka_unit_test(lists_are_not_trusted),
		cmocka_unit_test(a_healthy_device),
		cmocka_unit_test(what_makes_a_device_ill),
		cmocka_unit_test(logs_make_a_device_ill),
		cmocka_unit_test(features_are_decoded),
		cmocka_unit_test(features_with_data_are_decoded),
		cmocka_unit_test(features_as_text),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	free(printed);
	return failed;
}
