/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Identify data structures and log pages as a controller might make them up, through all that reads
 * them: JSON, text and the findings of `barrage health`. A page is as long as the specification
 * says, in memory of just that size.
 */

#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "health.h"
#include "pages.h"

static const struct page {
	page_json json;
	page_print print;
	size_t bytes;
} pages[] = {
	{id_ctrl_json, id_ctrl_print, sizeof(struct nvme_id_ctrl)},
	{id_ns_json, id_ns_print, sizeof(struct nvme_id_ns)},
	{ns_list_json, ns_list_print, sizeof(struct nvme_ns_list)},
	{ns_descs_json, ns_descs_print, NVME_IDENTIFY_DATA_SIZE},
	{ctrl_list_json, ctrl_list_print, sizeof(struct nvme_ctrl_list)},
	{nvm_id_ctrl_json, nvm_id_ctrl_print, NVME_IDENTIFY_DATA_SIZE},
	{zns_id_ns_json, zns_id_ns_print, sizeof(struct nvme_zns_id_ns)},
	{zns_id_ctrl_json, zns_id_ctrl_print, sizeof(struct nvme_zns_id_ctrl)},
	{primary_ctrl_json, primary_ctrl_print, sizeof(struct nvme_primary_ctrl_cap)},
	{secondary_ctrls_json, secondary_ctrls_print, sizeof(struct nvme_secondary_ctrl_list)},
	{iocs_json, iocs_print, NVME_IDENTIFY_DATA_SIZE},
	{error_log_json, error_log_print, 4 * sizeof(struct nvme_error_log_page)},
	{smart_log_json, smart_log_print, sizeof(struct nvme_smart_log)},
	{fw_log_json, fw_log_print, sizeof(struct nvme_firmware_slot)},
	{changed_ns_json, changed_ns_print, sizeof(struct nvme_ns_list)},
	{effects_log_json, effects_log_print, sizeof(struct nvme_cmd_effects_log)},
	{self_test_log_json, self_test_log_print, sizeof(struct nvme_self_test_log)},
	{telemetry_json, telemetry_print, 4 * 512},
	{sanitize_log_json, sanitize_log_print, sizeof(struct nvme_sanitize_log_page)},
	{fdp_configs_json, fdp_configs_print, 512},
	{fdp_usage_json, fdp_usage_print, 256},
	{fdp_stats_json, fdp_stats_print, sizeof(struct nvme_fdp_stats_log)},
	{fdp_events_json, fdp_events_print, sizeof(struct nvme_fdp_events_log)},
	{ruh_status_json, ruh_status_print, 512},
};

static void *page_of_input(const struct input *in, size_t bytes)
{
	void *page = calloc(1, bytes);

	if (!page)
		abort();
	memcpy(page, in->data, in->left < bytes ? in->left : bytes);
	return page;
}

static void show(const struct page *page, const struct input *in, FILE *out)
{
	struct page_of p = {
		.bdf = "0000:00:04.0",
		.page = page_of_input(in, page->bytes),
		.len = page->bytes,
	};
	json_t *json = page->json(&p);
	char *text = json_dumps(json, 0);

	must(text);
	page->print(out, &p);
	free(text);
	json_decref(json);
	free((void *)(uintptr_t)p.page);
}

static void judge(const struct input *in)
{
	struct nvme_id_ctrl *id = page_of_input(in, sizeof(*id));
	struct nvme_smart_log *smart = page_of_input(in, sizeof(*smart));
	struct nvme_self_test_log *tests = page_of_input(in, sizeof(*tests));
	struct nvme_error_log_page *errors = page_of_input(in, 4 * sizeof(*errors));
	struct health health = {0};

	health_smart(&health, id, smart);
	health_errors(&health, errors, 4);
	health_self_test(&health, tests);
	must(health.nfindings <= MOST_FINDINGS);
	must(*health_summary(&health));
	free(id);
	free(smart);
	free(tests);
	free(errors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const size_t n = sizeof(pages) / sizeof(pages[0]);
	struct input in = {data, size};
	size_t which = next_byte(&in) % (n + 1);
	size_t bytes;
	char *text;
	FILE *out;

	if (which == n) {
		judge(&in);
		return 0;
	}
	out = open_memstream(&text, &bytes);
	if (!out)
		abort();
	show(&pages[which], &in, out);
	fclose(out);
	free(text);
	return 0;
}
