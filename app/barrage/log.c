/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage log: log pages, those that are known as tables, and any as bytes. */

#include <err.h>
#include <errno.h>
#include <rte_common.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "options.h"
#include "pages.h"
#include "session.h"

#define PAGES                                                                                     \
	"error, smart, fw, changed-ns, effects, self-test, telemetry, telemetry-ctrl, sanitize, " \
	"fdp-configs, fdp-usage, fdp-stats, fdp-events"
#define NOT_GIVEN UINT64_MAX
#define MOST_TOLD (16u << 20) /* bytes that a page may say that it has */

static const char doc[] =
	"Print a log page of an NVMe controller: " PAGES " (those of flexible data placement), or "
	"one by its number, as bytes.\v"
	"Opening the device resets it: events that wait to be read, and a short self-test, end "
	"with that.\n\n"
	"Examples:\n"
	"  barrage log smart 0000:00:04.0\n"
	"  barrage log error --json 0000:00:04.0\n"
	"  barrage log telemetry --output-file telemetry.bin 0000:00:04.0\n"
	"  barrage log fdp-stats --lsi 1 0000:00:04.0\n"
	"  barrage log 0xca --log-len 512 --raw-binary 0000:00:04.0";

static const struct log_page {
	const char *name;
	uint8_t lid;
	page_json json;
	page_print print;
} pages[] = {
	{"error", NVME_LOG_LID_ERROR, error_log_json, error_log_print},
	{"smart", NVME_LOG_LID_SMART, smart_log_json, smart_log_print},
	{"fw", NVME_LOG_LID_FW_SLOT, fw_log_json, fw_log_print},
	{"changed-ns", NVME_LOG_LID_CHANGED_NS, changed_ns_json, changed_ns_print},
	{"effects", NVME_LOG_LID_CMD_EFFECTS, effects_log_json, effects_log_print},
	{"self-test", NVME_LOG_LID_DEVICE_SELF_TEST, self_test_log_json, self_test_log_print},
	{"telemetry", NVME_LOG_LID_TELEMETRY_HOST, telemetry_json, telemetry_print},
	{"telemetry-ctrl", NVME_LOG_LID_TELEMETRY_CTRL, telemetry_json, telemetry_print},
	{"sanitize", NVME_LOG_LID_SANITIZE, sanitize_log_json, sanitize_log_print},
	{"fdp-configs", NVME_LOG_LID_FDP_CONFIGS, fdp_configs_json, fdp_configs_print},
	{"fdp-usage", NVME_LOG_LID_FDP_RUH_USAGE, fdp_usage_json, fdp_usage_print},
	{"fdp-stats", NVME_LOG_LID_FDP_STATS, fdp_stats_json, fdp_stats_print},
	{"fdp-events", NVME_LOG_LID_FDP_EVENTS, fdp_events_json, fdp_events_print},
	{0},
};

static const char question[] = "which log page? " PAGES ", or a number";

static struct {
	const char *words[2]; /* page, device */
	const char *file;
	uint64_t nsid, len, offset, entries, area, lsp, lsi, csi;
	bool json, raw, retain;
} opt = {.area = 3, .lsi = NOT_GIVEN};

static const struct option_spec options[] = {
	NUMBER("namespace-id", 'n', "N", "of one namespace (default: the controller's)", &opt.nsid,
	       1, UINT32_MAX),
	NUMBER("log-entries", 'e', "N", "newest errors to print (default: all there is room for)",
	       &opt.entries, 1, 256),
	SIZE("log-len", 'l', "SIZE", "bytes to read; pages given as a number need it", &opt.len, 4,
	     1 << 30),
	SIZE("lpo", 'o', "SIZE", "offset to read from", &opt.offset, 0, INT64_MAX),
	NUMBER("lsp", 's', "N", "log specific field; of fdp-events, 1: the host's own", &opt.lsp, 0,
	       127),
	NUMBER("lsi", 'S', "N",
	       "log specific identifier; of the fdp pages, the endurance group (default there: 1)",
	       &opt.lsi, 0, UINT16_MAX),
	NUMBER("csi", 'y', "N", "command set identifier", &opt.csi, 0, UINT8_MAX),
	FLAG("rae", 'r', "retain the asynchronous event of this page", &opt.retain),
	NUMBER("data-area", 'd', "N", "last telemetry data area, 1 to 3 (default 3)", &opt.area, 1,
	       3),
	TEXT("output-file", 'O', "FILE", "write the page there as it is", &opt.file),
	FLAG("raw-binary", 'b', "write the page to stdout as it is", &opt.raw),
	JSON_FLAG(&opt.json),
	{0},
};

static struct log_page find_page(const char *name)
{
	struct log_page found = {.json = raw_json, .print = raw_print};

	for (const struct log_page *p = pages; p->name; p++)
		if (!strcmp(p->name, name))
			return *p;
	if (!is_number(name)) /* the device's address begins like one, when it comes first */
		errx(CLI_USAGE,
		     "no log page \"%s\": before the device comes " PAGES ", or a number", name);
	found.lid = (uint8_t)parse_number("log page", name, 0, UINT8_MAX);
	if (!opt.len)
		errx(CLI_USAGE, "log page %s: how many bytes? Say so with --log-len", name);
	return found;
}

static bool is_telemetry(const struct log_page *page)
{
	return page->lid == NVME_LOG_LID_TELEMETRY_HOST || page->lid == NVME_LOG_LID_TELEMETRY_CTRL;
}

static bool is_fdp(const struct log_page *page)
{
	return page->lid >= NVME_LOG_LID_FDP_CONFIGS && page->lid <= NVME_LOG_LID_FDP_EVENTS;
}

/* The beginning of a page that says itself how long it is. */
union head {
	struct nvme_fdp_config_log configs;
	struct nvme_fdp_ruhu_log usage;
};

static size_t told_bytes(const struct log_page *page, const union head *head)
{
	if (page->lid == NVME_LOG_LID_FDP_CONFIGS)
		return RTE_ALIGN_CEIL((size_t)head->configs.size, sizeof(uint32_t));
	return sizeof(head->usage) + head->usage.nruh * sizeof(head->usage.ruhus[0]);
}

static int ask_bytes(struct brg_nvme_ctrl *ctrl, const struct log_page *page,
		     struct brg_nvme_log log, size_t *len)
{
	union head head;
	int rc;

	log.retain = true;
	rc = brg_nvme_log_read(ctrl, &log, &head, sizeof(head));
	if (rc)
		return rc;
	*len = told_bytes(page, &head);
	if (*len >= sizeof(uint32_t) && *len <= MOST_TOLD)
		return 0;
	warnx("%s: log page %#x says that it has %zu bytes", opt.words[1], page->lid, *len);
	return 1;
}

static int page_bytes(struct brg_nvme_ctrl *ctrl, const struct log_page *page,
		      const struct brg_nvme_log *log, size_t *len)
{
	size_t wanted = opt.entries * sizeof(struct nvme_error_log_page);

	*len = opt.len ? opt.len : brg_nvme_log_bytes(ctrl, page->lid);
	if (page->lid == NVME_LOG_LID_ERROR && opt.entries && wanted < *len)
		*len = wanted;
	return *len ? 0 : ask_bytes(ctrl, page, *log, len);
}

/* A page that is shorter than its table would be read beyond its end. */
static int read_page(struct brg_nvme_ctrl *ctrl, const struct log_page *page, void **data,
		     size_t *len)
{
	const struct brg_nvme_log log = {
		.lid = page->lid,
		.lsp = (uint8_t)opt.lsp,
		.lsi = opt.lsi != NOT_GIVEN ? (uint16_t)opt.lsi : is_fdp(page),
		.csi = (uint8_t)opt.csi,
		.retain = opt.retain,
		.nsid = (uint32_t)opt.nsid,
		.offset = opt.offset,
	};
	size_t known = brg_nvme_log_bytes(ctrl, page->lid);
	int rc = page_bytes(ctrl, page, &log, len);

	if (rc)
		return rc;
	*data = calloc(1, *len > known ? *len : known);
	if (!*data)
		err(EXIT_FAILURE, "%zu bytes for the log page", *len);
	rc = brg_nvme_log_read(ctrl, &log, *data, *len);
	if (rc)
		free(*data);
	return rc;
}

static void write_file(const struct page_of *p)
{
	FILE *file = fopen(opt.file, "w");

	if (!file || fwrite(p->page, p->len, 1, file) != 1 || fclose(file))
		err(EXIT_FAILURE, "%s", opt.file);
}

static int show(struct brg_nvme_ctrl *ctrl, void *arg)
{
	const struct log_page *page = arg;
	bool host = page->lid == NVME_LOG_LID_TELEMETRY_HOST;
	struct page_of p = {.bdf = session_bdf()};
	void *data;
	int err;

	if (is_telemetry(page))
		err = brg_nvme_telemetry(ctrl, page->lid, host, (unsigned int)opt.area, &data,
					 &p.len);
	else
		err = read_page(ctrl, page, &data, &p.len);
	if (err)
		return err;
	p.page = data;
	if (opt.file)
		write_file(&p);
	err = page_show(&p, page->json, page->print, opt.json, opt.raw);
	free(data);
	return err;
}

int cmd_log(int argc, char **argv)
{
	static const struct command_line line = {doc, "PAGE BDF", question, options};
	struct log_page page;

	parse_line(&line, argc, argv, opt.words);
	page = find_page(opt.words[0]);
	return session_run(opt.words[1], show, &page);
}
