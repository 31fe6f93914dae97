/* SPDX-License-Identifier: BSD-3-Clause */
/* Log pages (Base 5.16.1). */

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "brg_nvme.h"
#include "fields.h"
#include "pages.h"
#include "table.h"

static size_t error_entries(const struct page_of *p)
{
	return p->len / sizeof(struct nvme_error_log_page);
}

#define ERROR(member) FIELD(nvme_error_log_page, member, FIELD_NUMBER)

/* Status and phase share a field: those two are added by hand. */
static const struct field error_entry[] = {
	ERROR(error_count),
	ERROR(sqid),
	ERROR(cmdid),
	ERROR(parm_error_location),
	ERROR(lba),
	ERROR(nsid),
	ERROR(vs),
	ERROR(trtype),
	ERROR(cs),
	ERROR(trtype_spec_info),
	{0},
};

json_t *error_log_json(const struct page_of *p)
{
	const struct nvme_error_log_page *e = p->page;
	json_t *array = json_array();

	for (size_t i = 0; i < error_entries(p); i++, e++) {
		json_t *json = json_pack("{s:i, s:i}", "status_field", e->status_field >> 1,
					 "phase_tag", e->status_field & 1);

		fields_to_json(json, error_entry, e);
		json_array_append_new(array, json);
	}
	return json_pack("{s:o}", "errors", array);
}

/* Entries are the newest first, and those never used have a count of 0. */
void error_log_print(FILE *out, const struct page_of *p)
{
	static const char *const heads[] = {">error_count", ">sqid",	     ">cmdid", ">nsid",
					    ">lba",	    ">parm_err_loc", "status", NULL};
	const struct nvme_error_log_page *e = p->page;
	struct table *t = table_new(heads);
	bool any = false;

	for (size_t i = 0; i < error_entries(p); i++, e++) {
		if (!e->error_count)
			continue;
		any = true;
		table_cell(t, "%" PRIu64, (uint64_t)e->error_count);
		table_cell(t, "%u", e->sqid);
		table_cell(t, "%#x", e->cmdid);
		table_cell(t, "%" PRIu32, e->nsid);
		table_cell(t, "%" PRIu64, (uint64_t)e->lba);
		table_cell(t, "%#x", e->parm_error_location);
		table_cell(t, "%#x (%s)", e->status_field >> 1,
			   brg_nvme_status_str(e->status_field >> 1));
	}
	if (any)
		table_print(t, out);
	else
		fprintf(out, "no errors in the log\n");
	table_free(t);
}

#define SMART(member, name, kind) FIELD_AS(nvme_smart_log, member, name, kind)

static const struct field smart_log[] = {
	SMART(critical_warning, "critical_warning", FIELD_HEX),
	SMART(temperature, "temperature", FIELD_KELVIN),
	SMART(avail_spare, "avail_spare", FIELD_PERCENT),
	SMART(spare_thresh, "spare_thresh", FIELD_PERCENT),
	SMART(percent_used, "percent_used", FIELD_PERCENT),
	SMART(endu_grp_crit_warn_sumry, "endurance_grp_critical_warning_summary", FIELD_HEX),
	SMART(data_units_read, "data_units_read", FIELD_DATA_UNITS),
	SMART(data_units_written, "data_units_written", FIELD_DATA_UNITS),
	SMART(host_reads, "host_read_commands", FIELD_BIG),
	SMART(host_writes, "host_write_commands", FIELD_BIG),
	SMART(ctrl_busy_time, "controller_busy_time", FIELD_MINUTES),
	SMART(power_cycles, "power_cycles", FIELD_BIG),
	SMART(power_on_hours, "power_on_hours", FIELD_HOURS),
	SMART(unsafe_shutdowns, "unsafe_shutdowns", FIELD_BIG),
	SMART(media_errors, "media_errors", FIELD_BIG),
	SMART(num_err_log_entries, "num_err_log_entries", FIELD_BIG),
	SMART(warning_temp_time, "warning_temp_time", FIELD_MINUTES),
	SMART(critical_comp_time, "critical_comp_time", FIELD_MINUTES),
	SMART(thm_temp1_trans_count, "thm_temp1_trans_count", FIELD_NUMBER),
	SMART(thm_temp2_trans_count, "thm_temp2_trans_count", FIELD_NUMBER),
	SMART(thm_temp1_total_time, "thm_temp1_total_time", FIELD_NUMBER),
	SMART(thm_temp2_total_time, "thm_temp2_total_time", FIELD_NUMBER),
	{0},
};

/* A sensor that is not there reads 0 (5.16.1.3). */
static bool has_sensor(const struct nvme_smart_log *log, unsigned int i)
{
	return log->temp_sensor[i] != 0;
}

json_t *smart_log_json(const struct page_of *p)
{
	const struct nvme_smart_log *log = p->page;
	json_t *json = json_object();
	char name[32];

	fields_to_json(json, smart_log, log);
	for (unsigned int i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "temperature_sensor_%u", i + 1);
		if (has_sensor(log, i))
			json_object_set_new(json, name, json_integer(log->temp_sensor[i]));
	}
	return json;
}

void smart_log_print(FILE *out, const struct page_of *p)
{
	const struct nvme_smart_log *log = p->page;

	fields_print(out, smart_log, log);
	for (unsigned int i = 0; i < 8; i++)
		if (has_sensor(log, i))
			fprintf(out, "temperature_sensor_%u                   : %d °C (%u K)\n",
				i + 1, log->temp_sensor[i] - 273, log->temp_sensor[i]);
}

#define SLOTS 7

static bool slot_used(const struct nvme_firmware_slot *log, unsigned int slot)
{
	return field_number(log->frs[slot], 8) != 0;
}

static const char *revision(char text[9], const struct nvme_firmware_slot *log, unsigned int slot)
{
	for (unsigned int i = 0; i < 8; i++) {
		char c = log->frs[slot][i];

		text[i] = c >= '!' && c <= '~' ? c : '.';
	}
	text[8] = 0;
	return text;
}

json_t *fw_log_json(const struct page_of *p)
{
	const struct nvme_firmware_slot *log = p->page;
	json_t *json = json_pack("{s:i}", "Active Firmware Slot (afi)", log->afi);
	char name[32], text[9];

	for (unsigned int i = 0; i < SLOTS; i++) {
		snprintf(name, sizeof(name), "Firmware Rev Slot %u", i + 1);
		if (slot_used(log, i))
			json_object_set_new(json, name,
					    json_sprintf("%" PRIu64 " (%s)",
							 field_number(log->frs[i], 8),
							 revision(text, log, i)));
	}
	return json_pack("{s:o}", p->bdf, json);
}

/* AFI: bits 2:0 the slot of the firmware that runs, bits 6:4 that of the next reset. */
void fw_log_print(FILE *out, const struct page_of *p)
{
	const struct nvme_firmware_slot *log = p->page;
	char text[9];

	fprintf(out, "afi  : %#x\n", log->afi);
	for (unsigned int i = 0; i < SLOTS; i++) {
		if (!slot_used(log, i))
			continue;
		fprintf(out, "frs%u : %#" PRIx64 " (%s)%s%s\n", i + 1, field_number(log->frs[i], 8),
			revision(text, log, i), (log->afi & 7u) == i + 1 ? ", running" : "",
			(log->afi >> 4 & 7u) == i + 1 ? ", after the next reset" : "");
	}
}

/* More than the list can hold is FFFFFFFFh in its first entry (5.16.1.5). */
static bool too_many_changed(const struct nvme_ns_list *list)
{
	return list->ns[0] == NVME_NSID_ALL;
}

json_t *changed_ns_json(const struct page_of *p)
{
	const struct nvme_ns_list *list = p->page;
	json_t *json = json_object();
	char name[16];

	if (too_many_changed(list))
		json_object_set_new(json, "[ 0]", json_string("more than 1024 namespaces"));
	for (unsigned int i = 0; i < NVME_ID_NS_LIST_MAX && list->ns[i]; i++) {
		if (too_many_changed(list))
			break;
		snprintf(name, sizeof(name), "[%4u]", i + 1);
		json_object_set_new(json, name, json_sprintf("%#" PRIx32, list->ns[i]));
	}
	return json_pack("{s:s, s:o}", "Changed Namespace List Log", p->bdf, p->bdf, json);
}

void changed_ns_print(FILE *out, const struct page_of *p)
{
	const struct nvme_ns_list *list = p->page;

	if (too_many_changed(list))
		fprintf(out, "more than %d namespaces have changed\n", NVME_ID_NS_LIST_MAX);
	else if (!list->ns[0])
		fprintf(out, "no namespace has changed since this was last read\n");
	else
		ns_list_print(out, p);
}

static const char *const admin_names[256] = {
	[nvme_admin_delete_sq] = "Delete I/O Submission Queue",
	[nvme_admin_create_sq] = "Create I/O Submission Queue",
	[nvme_admin_get_log_page] = "Get Log Page",
	[nvme_admin_delete_cq] = "Delete I/O Completion Queue",
	[nvme_admin_create_cq] = "Create I/O Completion Queue",
	[nvme_admin_identify] = "Identify",
	[nvme_admin_abort_cmd] = "Abort",
	[nvme_admin_set_features] = "Set Features",
	[nvme_admin_get_features] = "Get Features",
	[nvme_admin_async_event] = "Asynchronous Event Request",
	[nvme_admin_ns_mgmt] = "Namespace Management",
	[nvme_admin_fw_commit] = "Firmware Commit",
	[nvme_admin_fw_download] = "Firmware Image Download",
	[nvme_admin_dev_self_test] = "Device Self-test",
	[nvme_admin_ns_attach] = "Namespace Attachment",
	[nvme_admin_keep_alive] = "Keep Alive",
	[nvme_admin_directive_send] = "Directive Send",
	[nvme_admin_directive_recv] = "Directive Receive",
	[nvme_admin_virtual_mgmt] = "Virtualization Management",
	[nvme_admin_nvme_mi_send] = "NVMe-MI Send",
	[nvme_admin_nvme_mi_recv] = "NVMe-MI Receive",
	[nvme_admin_capacity_mgmt] = "Capacity Management",
	[nvme_admin_lockdown] = "Lockdown",
	[nvme_admin_dbbuf] = "Doorbell Buffer Config",
	[nvme_admin_format_nvm] = "Format NVM",
	[nvme_admin_security_send] = "Security Send",
	[nvme_admin_security_recv] = "Security Receive",
	[nvme_admin_sanitize_nvm] = "Sanitize",
	[nvme_admin_get_lba_status] = "Get LBA Status",
};

static const char *const io_names[256] = {
	[nvme_cmd_flush] = "Flush",
	[nvme_cmd_write] = "Write",
	[nvme_cmd_read] = "Read",
	[nvme_cmd_write_uncor] = "Write Uncorrectable",
	[nvme_cmd_compare] = "Compare",
	[nvme_cmd_write_zeroes] = "Write Zeroes",
	[nvme_cmd_dsm] = "Dataset Management",
	[nvme_cmd_verify] = "Verify",
	[nvme_cmd_resv_register] = "Reservation Register",
	[nvme_cmd_resv_report] = "Reservation Report",
	[nvme_cmd_resv_acquire] = "Reservation Acquire",
	[nvme_cmd_io_mgmt_recv] = "I/O Management Receive",
	[nvme_cmd_resv_release] = "Reservation Release",
	[nvme_cmd_copy] = "Copy",
	[nvme_cmd_io_mgmt_send] = "I/O Management Send",
	[nvme_zns_cmd_mgmt_send] = "Zone Management Send",
	[nvme_zns_cmd_mgmt_recv] = "Zone Management Receive",
	[nvme_zns_cmd_append] = "Zone Append",
};

static json_t *effects_json(const char *prefix, const char *const names[256],
			    const __le32 effects[256])
{
	json_t *json = json_object();
	char key[64];

	for (unsigned int i = 0; i < 256; i++) {
		if (!(effects[i] & NVME_CMD_EFFECTS_CSUPP))
			continue;
		snprintf(key, sizeof(key), "%s_%u (%s)", prefix, i,
			 names[i] ? names[i] : "Unknown");
		json_object_set_new(json, key, json_integer(effects[i]));
	}
	return json;
}

json_t *effects_log_json(const struct page_of *p)
{
	const struct nvme_cmd_effects_log *log = p->page;

	return json_pack("[{s:i, s:o, s:o}]", "command_set_identifier", 0, "admin_cmd_set",
			 effects_json("ACS", admin_names, log->acs), "io_cmd_set",
			 effects_json("IOCS", io_names, log->iocs));
}

static void effects_rows(struct table *t, const char *set, const char *const names[256],
			 const __le32 effects[256])
{
	static const char *const mark[] = {"-", "yes"};

	for (unsigned int i = 0; i < 256; i++) {
		uint32_t e = effects[i];

		if (!(e & NVME_CMD_EFFECTS_CSUPP))
			continue;
		table_cell(t, "%s", set);
		table_cell(t, "0x%02x", i);
		table_cell(t, "%s", names[i] ? names[i] : "Unknown");
		table_cell(t, "%#" PRIx32, e);
		table_cell(t, "%s", mark[!!(e & NVME_CMD_EFFECTS_LBCC)]);
		table_cell(t, "%s", mark[!!(e & NVME_CMD_EFFECTS_NCC)]);
		table_cell(t, "%s", mark[!!(e & NVME_CMD_EFFECTS_NIC)]);
		table_cell(t, "%s", mark[!!(e & NVME_CMD_EFFECTS_CCC)]);
	}
}

void effects_log_print(FILE *out, const struct page_of *p)
{
	static const char *const heads[] = {
		"set",	     ">opcode",	       "command",    ">effects", "changes data",
		"namespace", "namespace list", "controller", NULL};
	const struct nvme_cmd_effects_log *log = p->page;
	struct table *t = table_new(heads);

	effects_rows(t, "admin", admin_names, log->acs);
	effects_rows(t, "I/O", io_names, log->iocs);
	table_print(t, out);
	table_free(t);
}

static json_t *self_test_json(const struct nvme_st_result *r)
{
	unsigned int result = r->dsts & NVME_ST_RESULT_MASK;
	json_t *json = json_pack("{s:i}", "Self test result", result);

	if (result == NVME_ST_RESULT_NOT_USED)
		return json;
	json_object_set_new(json, "Self test code", json_integer(r->dsts >> NVME_ST_CODE_SHIFT));
	json_object_set_new(json, "Segment number", json_integer(r->seg));
	json_object_set_new(json, "Valid Diagnostic Information", json_integer(r->vdi));
	json_object_set_new(json, "Power on hours", field_json(r->poh));
	if (r->vdi & NVME_ST_VALID_DIAG_INFO_NSID)
		json_object_set_new(json, "Namespace Identifier", json_integer(r->nsid));
	if (r->vdi & NVME_ST_VALID_DIAG_INFO_FLBA)
		json_object_set_new(json, "Failing LBA", field_json(r->flba));
	if (r->vdi & NVME_ST_VALID_DIAG_INFO_SCT)
		json_object_set_new(json, "Status Code Type", json_integer(r->sct));
	if (r->vdi & NVME_ST_VALID_DIAG_INFO_SC)
		json_object_set_new(json, "Status Code", json_integer(r->sc));
	json_object_set_new(json, "Vendor Specific", json_integer(r->vs[1] << 8 | r->vs[0]));
	return json;
}

json_t *self_test_log_json(const struct page_of *p)
{
	const struct nvme_self_test_log *log = p->page;
	json_t *array = json_array();

	for (unsigned int i = 0; i < NVME_LOG_ST_MAX_RESULTS; i++)
		json_array_append_new(array, self_test_json(&log->result[i]));
	return json_pack("{s:i, s:i, s:o}", "Current Device Self-Test Operation",
			 log->current_operation, "Current Device Self-Test Completion",
			 log->completion, "List of Valid Reports", array);
}

static const char *const st_results[16] = {
	[NVME_ST_RESULT_NO_ERR] = "passed",
	[NVME_ST_RESULT_ABORTED] = "aborted by command",
	[NVME_ST_RESULT_CLR] = "aborted by a reset",
	[NVME_ST_RESULT_NS_REMOVED] = "aborted: the namespace was removed",
	[NVME_ST_RESULT_ABORTED_FORMAT] = "aborted by a format",
	[NVME_ST_RESULT_FATAL_ERR] = "fatal error: did not complete",
	[NVME_ST_RESULT_UNKNOWN_SEG_FAIL] = "failed, segment unknown",
	[NVME_ST_RESULT_KNOWN_SEG_FAIL] = "failed",
	[NVME_ST_RESULT_ABORTED_UNKNOWN] = "aborted for an unknown reason",
	[NVME_ST_RESULT_ABORTED_SANITIZE] = "aborted by a sanitize",
};

static const char *self_test_kind(unsigned int code)
{
	return code == NVME_ST_CODE_SHORT      ? "short"
	       : code == NVME_ST_CODE_EXTENDED ? "extended"
	       : code == NVME_ST_CODE_VS       ? "vendor specific"
					       : "unknown";
}

static void self_test_row(struct table *t, const struct nvme_st_result *r)
{
	const char *result = st_results[r->dsts & NVME_ST_RESULT_MASK];

	table_cell(t, "%s", self_test_kind(r->dsts >> NVME_ST_CODE_SHIFT));
	table_cell(t, "%s", result ? result : "unknown");
	table_cell(t, "%" PRIu64, (uint64_t)r->poh);
	if ((r->dsts & NVME_ST_RESULT_MASK) == NVME_ST_RESULT_KNOWN_SEG_FAIL)
		table_cell(t, "%u", r->seg);
	else
		table_cell(t, "-");
	if (r->vdi & NVME_ST_VALID_DIAG_INFO_NSID)
		table_cell(t, "%" PRIu32, r->nsid);
	else
		table_cell(t, "-");
	if (r->vdi & NVME_ST_VALID_DIAG_INFO_FLBA)
		table_cell(t, "%" PRIu64, (uint64_t)r->flba);
	else
		table_cell(t, "-");
}

void self_test_log_print(FILE *out, const struct page_of *p)
{
	static const char *const heads[] = {
		"test", "result", ">power-on hours", ">segment", ">nsid", ">failing lba", NULL};
	const struct nvme_self_test_log *log = p->page;
	unsigned int running = log->current_operation & NVME_ST_CURR_OP_MASK, n = 0;
	struct table *t = table_new(heads);

	if (running)
		fprintf(out, "running: %s, %u %%\n\n", self_test_kind(running),
			log->completion & NVME_ST_CURR_OP_CMPL_MASK);
	for (unsigned int i = 0; i < NVME_LOG_ST_MAX_RESULTS; i++) {
		/* A log that was never written is all zeroes on some devices: no test code. */
		if ((log->result[i].dsts & NVME_ST_RESULT_MASK) == NVME_ST_RESULT_NOT_USED ||
		    !(log->result[i].dsts >> NVME_ST_CODE_SHIFT))
			continue;
		self_test_row(t, &log->result[i]);
		n++;
	}
	if (n)
		table_print(t, out);
	else
		fprintf(out, "no self-test has been run\n");
	table_free(t);
}

#define TELEMETRY(member, kind) FIELD(nvme_telemetry_log, member, kind)

static const struct field telemetry[] = {
	TELEMETRY(lpi, FIELD_HEX),
	TELEMETRY(ieee, FIELD_HEX),
	TELEMETRY(dalb1, FIELD_NUMBER),
	TELEMETRY(dalb2, FIELD_NUMBER),
	TELEMETRY(dalb3, FIELD_NUMBER),
	TELEMETRY(dalb4, FIELD_NUMBER),
	TELEMETRY(hostdgn, FIELD_NUMBER),
	TELEMETRY(ctrlavail, FIELD_NUMBER),
	TELEMETRY(ctrldgn, FIELD_NUMBER),
	TELEMETRY(rsnident, FIELD_BYTES),
	{0},
};

json_t *telemetry_json(const struct page_of *p)
{
	json_t *json = json_object();

	fields_to_json(json, telemetry, p->page);
	json_object_set_new(json, "bytes", json_integer((json_int_t)p->len));
	return json;
}

void telemetry_print(FILE *out, const struct page_of *p)
{
	fields_print(out, telemetry, p->page);
	fprintf(out, "bytes     : %zu\n", p->len);
}

static const char *const sanitize_states[8] = {
	[NVME_SANITIZE_SSTAT_STATUS_NEVER_SANITIZED] = "never sanitized",
	[NVME_SANITIZE_SSTAT_STATUS_COMPLETE_SUCCESS] = "the last sanitize was successful",
	[NVME_SANITIZE_SSTAT_STATUS_IN_PROGESS] = "sanitize in progress",
	[NVME_SANITIZE_SSTAT_STATUS_COMPLETED_FAILED] = "the last sanitize failed",
	[NVME_SANITIZE_SSTAT_STATUS_ND_COMPLETE_SUCCESS] =
		"the last sanitize was successful and deallocated blocks regardless",
};

static const struct field sanitize_times[] = {
	FIELD_AS(nvme_sanitize_log_page, eto, "time_over_write", FIELD_NUMBER),
	FIELD_AS(nvme_sanitize_log_page, etbe, "time_block_erase", FIELD_NUMBER),
	FIELD_AS(nvme_sanitize_log_page, etce, "time_crypto_erase", FIELD_NUMBER),
	FIELD_AS(nvme_sanitize_log_page, etond, "time_over_write_no_dealloc", FIELD_NUMBER),
	FIELD_AS(nvme_sanitize_log_page, etbend, "time_block_erase_no_dealloc", FIELD_NUMBER),
	FIELD_AS(nvme_sanitize_log_page, etcend, "time_crypto_erase_no_dealloc", FIELD_NUMBER),
	{0},
};

static const char *sanitize_state(const struct nvme_sanitize_log_page *log)
{
	const char *state = sanitize_states[log->sstat & NVME_SANITIZE_SSTAT_STATUS_MASK];

	return state ? state : "unknown";
}

static unsigned int sanitize_passes(const struct nvme_sanitize_log_page *log)
{
	return log->sstat >> NVME_SANITIZE_SSTAT_COMPLETED_PASSES_SHIFT &
	       NVME_SANITIZE_SSTAT_COMPLETED_PASSES_MASK;
}

json_t *sanitize_log_json(const struct page_of *p)
{
	const struct nvme_sanitize_log_page *log = p->page;
	json_t *json =
		json_pack("{s:i, s:{s:i, s:i, s:o}, s:I}", "sprog", log->sprog, "sstat",
			  "global_erased", !!(log->sstat & NVME_SANITIZE_SSTAT_GLOBAL_DATA_ERASED),
			  "no_cmplted_passes", sanitize_passes(log), "status",
			  json_sprintf("(%d) %s", log->sstat & NVME_SANITIZE_SSTAT_STATUS_MASK,
				       sanitize_state(log)),
			  "cdw10_info", (json_int_t)log->scdw10);

	fields_to_json(json, sanitize_times, log);
	return json_pack("{s:o}", p->bdf, json);
}

void sanitize_log_print(FILE *out, const struct page_of *p)
{
	const struct nvme_sanitize_log_page *log = p->page;

	fprintf(out, "sprog                        : %u of 65536 (%.1f %%)\n", log->sprog,
		log->sprog * 100.0 / 65536);
	fprintf(out, "sstat                        : %#x (%s, %u passes%s)\n", log->sstat,
		sanitize_state(log), sanitize_passes(log),
		log->sstat & NVME_SANITIZE_SSTAT_GLOBAL_DATA_ERASED ? ", nothing written since"
								    : "");
	fprintf(out, "scdw10                       : %#" PRIx32 "\n", log->scdw10);
	fields_print(out, sanitize_times, log);
}
