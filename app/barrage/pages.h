/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BARRAGE_PAGES_H
#define BARRAGE_PAGES_H

/*
 * Identify data structures and log pages as JSON and as text. Each function takes the whole page,
 * as the controller returned it; nothing in it is trusted.
 */

#include <jansson.h>
#include <nvme/types.h>
#include <stdbool.h>
#include <stdio.h>

/** What a page is about, for those whose output has it. */
struct page_of {
	const char *bdf;
	const void *page;
	size_t len;
};

typedef json_t *(*page_json)(const struct page_of *p);
typedef void (*page_print)(FILE *out, const struct page_of *p);

json_t *id_ctrl_json(const struct page_of *p);
void id_ctrl_print(FILE *out, const struct page_of *p);
json_t *id_ns_json(const struct page_of *p);
void id_ns_print(FILE *out, const struct page_of *p);
json_t *ns_list_json(const struct page_of *p);
void ns_list_print(FILE *out, const struct page_of *p);
json_t *ns_descs_json(const struct page_of *p);
void ns_descs_print(FILE *out, const struct page_of *p);
json_t *ctrl_list_json(const struct page_of *p);
void ctrl_list_print(FILE *out, const struct page_of *p);
json_t *nvm_id_ctrl_json(const struct page_of *p);
void nvm_id_ctrl_print(FILE *out, const struct page_of *p);
json_t *zns_id_ns_json(const struct page_of *p);
void zns_id_ns_print(FILE *out, const struct page_of *p);
json_t *zns_id_ctrl_json(const struct page_of *p);
void zns_id_ctrl_print(FILE *out, const struct page_of *p);
json_t *primary_ctrl_json(const struct page_of *p);
void primary_ctrl_print(FILE *out, const struct page_of *p);
json_t *secondary_ctrls_json(const struct page_of *p);
void secondary_ctrls_print(FILE *out, const struct page_of *p);
json_t *iocs_json(const struct page_of *p);
void iocs_print(FILE *out, const struct page_of *p);

json_t *error_log_json(const struct page_of *p);
void error_log_print(FILE *out, const struct page_of *p);
json_t *smart_log_json(const struct page_of *p);
void smart_log_print(FILE *out, const struct page_of *p);
json_t *fw_log_json(const struct page_of *p);
void fw_log_print(FILE *out, const struct page_of *p);
json_t *changed_ns_json(const struct page_of *p);
void changed_ns_print(FILE *out, const struct page_of *p);
json_t *effects_log_json(const struct page_of *p);
void effects_log_print(FILE *out, const struct page_of *p);
json_t *self_test_log_json(const struct page_of *p);
void self_test_log_print(FILE *out, const struct page_of *p);
json_t *telemetry_json(const struct page_of *p);
void telemetry_print(FILE *out, const struct page_of *p);
json_t *sanitize_log_json(const struct page_of *p);
void sanitize_log_print(FILE *out, const struct page_of *p);

json_t *fdp_configs_json(const struct page_of *p);
void fdp_configs_print(FILE *out, const struct page_of *p);
json_t *fdp_usage_json(const struct page_of *p);
void fdp_usage_print(FILE *out, const struct page_of *p);
json_t *fdp_stats_json(const struct page_of *p);
void fdp_stats_print(FILE *out, const struct page_of *p);
json_t *fdp_events_json(const struct page_of *p);
void fdp_events_print(FILE *out, const struct page_of *p);

/** What I/O Management Receive returns: the status of reclaim unit handles. */
json_t *ruh_status_json(const struct page_of *p);
void ruh_status_print(FILE *out, const struct page_of *p);

/** The fields of a feature by name, from its value and its data; null: not known here. */
json_t *feature_fields_json(uint8_t fid, uint32_t value, const void *data, size_t len);
/** Print them, a line each. @return whether they are known here. */
bool feature_fields_print(FILE *out, uint8_t fid, uint32_t value, const void *data, size_t len);

/** Show a page: as it is, as JSON, or as text. @return 0, or -1 with a message. */
int page_show(const struct page_of *p, page_json json, page_print print, bool as_json, bool as_is);

/** Any page: an array of bytes, or a hex dump. */
json_t *raw_json(const struct page_of *p);
void raw_print(FILE *out, const struct page_of *p);

#endif
