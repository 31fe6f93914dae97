/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage zns: report the zones of a zoned namespace, manage them, and append to them. */

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <rte_malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "append.h"
#include "cli.h"
#include "commands.h"
#include "fields.h"
#include "options.h"
#include "session.h"
#include "stream.h"
#include "table.h"

static const char doc[] =
	"Report the zones of a zoned namespace, or open, close, finish, reset or take offline one "
	"of "
	"them, or all. Reset: THE ZONE'S DATA IS LOST. Append: write a file or what comes from a "
	"pipe "
	"behind what is in the zones, and tell where it went. barrage identify --cns zns-ns shows "
	"the limits.\v"
	"Examples:\n"
	"  barrage zns report 0000:00:04.0\n"
	"  barrage zns report --state full --namespace-id 2 --json 0000:00:04.0\n"
	"  barrage zns finish --start-lba 0x2000 0000:00:04.0\n"
	"  barrage zns reset --select-all --yes 0000:00:04.0\n"
	"  barrage zns append --file log --start-lba 0x4000 0000:00:04.0";

static const char question[] = "what to do? report, open, close, finish, reset, offline or append";

#define REPORT_BYTES 4096u
#define REPORT_ZONES \
	((REPORT_BYTES - sizeof(struct nvme_zone_report)) / sizeof(struct nvme_zns_desc))

static const struct choice states[] = {
	{"all", NVME_ZNS_ZRAS_REPORT_ALL},
	{"empty", NVME_ZNS_ZRAS_REPORT_EMPTY},
	{"implicitly-open", NVME_ZNS_ZRAS_REPORT_IMPL_OPENED},
	{"open", NVME_ZNS_ZRAS_REPORT_EXPL_OPENED},
	{"closed", NVME_ZNS_ZRAS_REPORT_CLOSED},
	{"full", NVME_ZNS_ZRAS_REPORT_FULL},
	{"read-only", NVME_ZNS_ZRAS_REPORT_READ_ONLY},
	{"offline", NVME_ZNS_ZRAS_REPORT_OFFLINE},
	{0},
};

/* nvme-cli's names of zone states. */
static const char *const state_names[16] = {
	[NVME_ZNS_ZS_EMPTY] = "EMPTY",		[NVME_ZNS_ZS_IMPL_OPEN] = "IMP_OPENED",
	[NVME_ZNS_ZS_EXPL_OPEN] = "EXP_OPENED", [NVME_ZNS_ZS_CLOSED] = "CLOSED",
	[NVME_ZNS_ZS_READ_ONLY] = "READONLY",	[NVME_ZNS_ZS_FULL] = "FULL",
	[NVME_ZNS_ZS_OFFLINE] = "OFFLINE",
};

static const struct choice actions[] = {
	{"open", NVME_ZNS_ZSA_OPEN},	   {"close", NVME_ZNS_ZSA_CLOSE},
	{"finish", NVME_ZNS_ZSA_FINISH},   {"reset", NVME_ZNS_ZSA_RESET},
	{"offline", NVME_ZNS_ZSA_OFFLINE}, {0},
};

#define NOT_GIVEN UINT64_MAX

static struct {
	const char *words[2]; /* what to do, device */
	const char *file;
	uint64_t nsid, lba, count, state, depth, io_bytes;
	bool all, yes, json;
} opt = {.nsid = 1, .lba = NOT_GIVEN, .count = UINT64_MAX, .depth = 64, .io_bytes = 128 << 10};

static const struct option_spec options[] = {
	NSID_NUMBER(&opt.nsid),
	NUMBER("start-lba", 's', "N",
	       "first block of the zone; of a report and to append, where to begin", &opt.lba, 0,
	       INT64_MAX),
	FLAG("select-all", 'a', "every zone for which it makes sense", &opt.all),
	NUMBER("descs", 'd', "N", "zones to report (default: all)", &opt.count, 1, INT64_MAX),
	CHOICE("state", 'S', "STATE",
	       "report only zones that are empty, implicitly-open, open, closed, full, read-only "
	       "or "
	       "offline",
	       &opt.state, 7, states),
	TEXT("file", 'f', "FILE", "to append (default: standard input)", &opt.file),
	NUMBER("depth", 'q', "N", "appends in flight (default 64)", &opt.depth, 1,
	       STREAM_MOST_DEPTH),
	SIZE("io-size", 'i', "SIZE", "bytes of each (default 128K, or the device's most)",
	     &opt.io_bytes, 512, 2 << 20),
	YES_FLAG(&opt.yes),
	JSON_FLAG(&opt.json),
	{0},
};

/* One command at a time, and waited for. */
struct zones {
	struct brg_nvme_ns ns;
	struct brg_nvme_zoned zoned;
	struct brg_nvme_qpair *qp;
	struct append *append;
	struct session_command command;
};

static int wait_for(struct zones *z, int submitted)
{
	return session_wait(session_bdf(), z->qp, &z->command, submitted);
}

static json_t *zone_json(const struct nvme_zns_desc *d)
{
	const char *state = state_names[d->zs >> 4];

	/* The write pointer of a full zone is not valid, and mostly all-ones. */
	return json_pack("{s:o, s:o, s:o, s:s, s:s, s:i}", "slba", field_json(d->zslba), "wp",
			 field_json(d->wp), "cap", field_json(d->zcap), "state",
			 state ? state : "UNKNOWN", "type",
			 (d->zt & 0xf) == NVME_ZONE_TYPE_SEQWRITE_REQ ? "SEQWRITE_REQ" : "UNKNOWN",
			 "attrs", d->za);
}

/* What to do with a zone; false when it was the last that is of interest. */
typedef bool (*take_zone)(void *arg, const struct nvme_zns_desc *zone);

/* Report after report until the end of the namespace, or until there are enough. */
static int read_reports(struct zones *z, struct nvme_zone_report *report, take_zone take, void *arg)
{
	uint64_t lba = opt.lba == NOT_GIVEN ? 0 : opt.lba;
	int rc;

	while (lba < z->ns.blocks) {
		rc = wait_for(z,
			      brg_nvme_zone_report(z->qp, &z->ns, lba,
						   (enum nvme_zns_report_options)opt.state, report,
						   REPORT_BYTES, session_done, &z->command));
		if (rc)
			return rc;
		if (!report->nr_zones || report->nr_zones > REPORT_ZONES)
			break;
		for (uint64_t i = 0; i < report->nr_zones; i++) {
			lba = report->entries[i].zslba + z->zoned.zone_blocks;
			if (!take(arg, &report->entries[i]))
				return 0;
		}
	}
	return 0;
}

static int each_zone(struct zones *z, take_zone take, void *arg)
{
	struct nvme_zone_report *report = rte_malloc("report", REPORT_BYTES, REPORT_BYTES);
	int rc;

	if (!report)
		errx(EXIT_FAILURE, "EAL has not a page of memory left");
	rc = read_reports(z, report, take, arg);
	rte_free(report);
	return rc;
}

static bool list_zone(void *arg, const struct nvme_zns_desc *zone)
{
	json_array_append_new(arg, zone_json(zone));
	return json_array_size(arg) < opt.count;
}

static void print_zones(json_t *list)
{
	static const char *const heads[] = {">slba", ">wp",    ">cap", "state",
					    "type",  ">attrs", NULL};
	struct table *t = table_new(heads);
	json_t *zone;
	size_t i;

	json_array_foreach (list, i, zone) {
		table_cell(t, "%#llx", json_integer_value(json_object_get(zone, "slba")));
		if (json_is_integer(json_object_get(zone, "wp")))
			table_cell(t, "%#llx", json_integer_value(json_object_get(zone, "wp")));
		else
			table_cell(t, "-");
		table_cell(t, "%#llx", json_integer_value(json_object_get(zone, "cap")));
		table_cell(t, "%s", json_string_value(json_object_get(zone, "state")));
		table_cell(t, "%s", json_string_value(json_object_get(zone, "type")));
		table_cell(t, "%#llx", json_integer_value(json_object_get(zone, "attrs")));
	}
	table_print(t, stdout);
	table_free(t);
}

static int report_zones(struct zones *z)
{
	json_t *list = json_array();
	int rc = each_zone(z, list_zone, list);

	if (!rc && opt.json)
		print_json(json_pack("{s:I, s:O}", "nr_zones", (json_int_t)json_array_size(list),
				     "zone_list", list));
	else if (!rc)
		print_zones(list);
	json_decref(list);
	return rc;
}

static int manage_zones(struct zones *z)
{
	enum nvme_zns_send_action action =
		(enum nvme_zns_send_action)parse_choice("zns", opt.words[0], actions, 0);
	char what[40] = "all zones";
	int rc;

	if (!opt.all)
		snprintf(what, sizeof(what), "the zone at block %#" PRIx64, opt.lba);
	if ((action == NVME_ZNS_ZSA_RESET || action == NVME_ZNS_ZSA_OFFLINE) &&
	    !session_confirm(opt.yes, "%s %s of namespace %" PRIu64 " of %s; the data is lost",
			     opt.words[0], what, opt.nsid, session_bdf()))
		return 1;
	rc = wait_for(z, brg_nvme_zone_manage(z->qp, &z->ns, opt.all ? 0 : opt.lba, action, opt.all,
					      session_done, &z->command));
	if (rc)
		return rc;
	if (opt.json)
		return print_json(json_pack("{s:s, s:I, s:s, s:s}", "bdf", session_bdf(), "nsid",
					    (json_int_t)opt.nsid, "done", opt.words[0], "zones",
					    what));
	printf("%s: %s of %s is done\n", session_bdf(), opt.words[0], what);
	return 0;
}

static int with_zones(struct brg_nvme_ctrl *ctrl, struct zones *z, int (*work)(struct zones *))
{
	int rc = brg_nvme_ns_get(ctrl, (uint32_t)opt.nsid, &z->ns);

	if (!rc)
		rc = brg_nvme_zoned_get(ctrl, &z->ns, &z->zoned);
	if (!rc)
		rc = brg_nvme_qpair_create(ctrl, NULL, &z->qp);
	if (rc)
		return rc;
	rc = work(z);
	brg_nvme_qpair_free(z->qp);
	return rc;
}

static int report_or_manage(struct brg_nvme_ctrl *ctrl, void *arg)
{
	struct zones z = {0};

	return with_zones(ctrl, &z, arg ? report_zones : manage_zones);
}

static int note_rooms(struct zones *z)
{
	z->append->ns = z->ns;
	z->append->zoned = z->zoned;
	return each_zone(z, append_zone, z->append);
}

static int append(struct brg_nvme_ctrl *ctrl, void *arg)
{
	struct append *a = arg;
	struct zones z = {.append = a};
	int rc = with_zones(ctrl, &z, note_rooms);

	if (!rc)
		rc = append_run(a, ctrl);
	free(a->rooms);
	return rc;
}

static int run_append(void)
{
	struct append a = {
		.input = {.path = opt.file},
		.depth = (uint32_t)opt.depth,
		.io_bytes = opt.io_bytes,
		.json = opt.json,
	};

	if (bytes_open(&a.input, false))
		return EXIT_FAILURE;
	return session_run_with(opt.words[1], stream_memory_mib(opt.depth, opt.io_bytes), append,
				&a);
}

int cmd_zns(int argc, char **argv)
{
	static const struct command_line line = {
		doc, "report|open|close|finish|reset|offline|append BDF", question, options};
	bool report;

	parse_line(&line, argc, argv, opt.words);
	if (!strcmp(opt.words[0], "append"))
		return run_append();
	if (opt.file)
		errx(CLI_USAGE, "zns %s takes no --file; zns append does", opt.words[0]);
	report = !strcmp(opt.words[0], "report");
	if (!report)
		parse_choice("zns", opt.words[0], actions, 0);
	if (!report && !opt.all && opt.lba == NOT_GIVEN)
		errx(CLI_USAGE,
		     "zns %s: which zone? Name its first block with --start-lba, or take "
		     "--select-all",
		     opt.words[0]);
	return session_run(opt.words[1], report_or_manage, report ? &opt : NULL);
}
