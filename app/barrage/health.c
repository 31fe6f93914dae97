/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * barrage health: one screen that says whether a device is well, and what to do if not. What it
 * looks at: the controller's own warnings, wear, temperature, media errors, the newest error of the
 * error log, the last self-test, and the asynchronous events that come while it looks.
 */

#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "fields.h"
#include "health.h"
#include "options.h"
#include "pages.h"
#include "session.h"
#include "table.h"

static const char doc[] =
	"Tell on one screen whether an NVMe device is well, and if not, what to do. The exit "
	"status is 0 when it is well or only worth watching, and 1 when it needs something done.\v"
	"Examples:\n"
	"  barrage health 0000:00:04.0\n"
	"  barrage health --json 0000:00:04.0";

static struct {
	const char *bdf;
	bool json;
} opt;

static const struct option_spec options[] = {JSON_FLAG(&opt.json), {0}};

static const char *const states[] = {"ok", "watch", "act"};

static void print_findings(const struct health *h)
{
	static const char *const heads[] = {"state", "what", "finding", NULL};
	struct table *t = table_new(heads);

	for (size_t i = 0; i < h->nfindings; i++) {
		table_cell(t, "%s", states[h->findings[i].state]);
		table_cell(t, "%s", h->findings[i].what);
		table_cell(t, "%s", h->findings[i].text);
	}
	table_print(t, stdout);
	table_free(t);
	for (size_t i = 0; i < h->nfindings; i++)
		if (h->findings[i].advice)
			printf("\n%s: %s\n", h->findings[i].what, h->findings[i].advice);
}

static json_t *findings_json(const struct health *h, const struct nvme_smart_log *smart)
{
	const struct page_of p = {session_bdf(), smart, sizeof(*smart)};
	json_t *array = json_array();

	for (size_t i = 0; i < h->nfindings; i++)
		json_array_append_new(array,
				      json_pack("{s:s, s:s, s:s, s:s?}", "state",
						states[h->findings[i].state], "what",
						h->findings[i].what, "finding", h->findings[i].text,
						"advice", h->findings[i].advice));
	return json_pack("{s:s, s:s, s:o, s:o}", "bdf", session_bdf(), "health", states[h->worst],
			 "findings", array, "smart_log", smart_log_json(&p));
}

static void on_event(void *arg, const struct brg_nvme_event *event)
{
	health_event(arg, event);
}

/* Logs that a controller need not have are looked at when they are there. */
static int look(struct brg_nvme_ctrl *ctrl, void *arg)
{
	static struct nvme_error_log_page errors[256];
	static struct nvme_self_test_log test;
	static struct nvme_smart_log smart;
	const struct brg_nvme_log get_smart = {.lid = NVME_LOG_LID_SMART};
	const struct brg_nvme_log get_errors = {.lid = NVME_LOG_LID_ERROR};
	const struct brg_nvme_log get_test = {.lid = NVME_LOG_LID_DEVICE_SELF_TEST};
	const struct nvme_id_ctrl *id = brg_nvme_id_ctrl(ctrl);
	struct health h = {0};
	int err = brg_nvme_events_listen(ctrl, 0, on_event, &h);

	if (!err)
		err = brg_nvme_log_read(ctrl, &get_smart, &smart, sizeof(smart));
	if (!err)
		err = brg_nvme_log_read(ctrl, &get_errors, errors,
					brg_nvme_log_bytes(ctrl, NVME_LOG_LID_ERROR));
	if (err)
		return err;
	health_smart(&h, id, &smart);
	health_errors(&h, errors, id->elpe + 1u);
	if (id->oacs & NVME_CTRL_OACS_SELF_TEST &&
	    !brg_nvme_log_read(ctrl, &get_test, &test, sizeof(test)))
		health_self_test(&h, &test);
	err = brg_nvme_events_poll(ctrl);
	if (err < 0)
		return err;
	if (opt.json) {
		print_json(findings_json(&h, &smart));
	} else {
		print_findings(&h);
		printf("\n%s: %s\n", session_bdf(), health_summary(&h));
	}
	return h.worst == HEALTH_ACT;
}

int cmd_health(int argc, char **argv)
{
	static const struct command_line line = {doc, "BDF", "", options};

	parse_line(&line, argc, argv, &opt.bdf);
	return session_run(opt.bdf, look, NULL);
}
