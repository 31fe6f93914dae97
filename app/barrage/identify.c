/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage identify: bring an NVMe controller up and print what it says of itself. */

#include <ctype.h>
#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "options.h"
#include "pages.h"
#include "session.h"
#include "table.h"

#define MOST_NAMESPACES 1024

static const char doc[] = "Bring up an NVMe controller that is bound to vfio-pci, print what it "
			  "says of itself and of "
			  "its namespaces, and shut it down again. With --cns, any data structure "
			  "that Identify returns.\v"
			  "Examples:\n"
			  "  barrage identify 0000:00:04.0\n"
			  "  barrage identify --cns ctrl --json 0000:00:04.0\n"
			  "  barrage identify --cns ns --namespace-id 2 0000:00:04.0";

/* Identify's strings are padded with blanks and not terminated; they should be ASCII (1.8). */
static const char *trim(char *text, const char *padded, size_t len)
{
	while (len && (padded[len - 1] == ' ' || !padded[len - 1]))
		len--;
	for (size_t i = 0; i < len; i++)
		text[i] = isascii(padded[i]) && isprint(padded[i]) ? padded[i] : '?';
	text[len] = 0;
	return text;
}

/* Names are those of nvme-cli's id-ctrl; what the library makes of it has none there. */
static json_t *controller_json(struct brg_nvme_ctrl *ctrl)
{
	const struct nvme_id_ctrl *id = brg_nvme_id_ctrl(ctrl);
	uint32_t version = brg_bar_read32(brg_nvme_bar(ctrl), NVME_REG_VS);
	char fr[sizeof(id->fr) + 1];
	char sn[sizeof(id->sn) + 1];
	char mn[sizeof(id->mn) + 1];

	return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "bdf", session_bdf(), "mn",
			 trim(mn, id->mn, sizeof(id->mn)), "sn", trim(sn, id->sn, sizeof(id->sn)),
			 "fr", trim(fr, id->fr, sizeof(id->fr)), "ver", (json_int_t)version,
			 "max_transfer_bytes", (json_int_t)brg_nvme_max_transfer(ctrl));
}

/* Those of id-ns, and where it counts in powers of two those of nvme list. */
static json_t *namespace_json(struct brg_nvme_ctrl *ctrl, uint32_t nsid)
{
	struct brg_nvme_ns ns;

	if (brg_nvme_ns_get(ctrl, nsid, &ns))
		return json_pack("{s:I, s:s}", "nsid", (json_int_t)nsid, "error", brg_errmsg());
	return json_pack("{s:I, s:I, s:I, s:I}", "nsid", (json_int_t)nsid, "nsze",
			 (json_int_t)ns.blocks, "SectorSize", (json_int_t)ns.block_size,
			 "PhysicalSize", (json_int_t)(ns.blocks * ns.block_size));
}

/* Memory on the device; NULL when it has none. */
static json_t *cmb_json(struct brg_nvme_ctrl *ctrl)
{
	struct brg_nvme_cmb cmb;

	if (brg_nvme_cmb_get(ctrl, &cmb))
		return NULL;
	return json_pack("{s:i, s:I, s:I, s:b, s:b, s:b}", "bar", (int)cmb.bar, "offset",
			 (json_int_t)cmb.offset, "bytes", (json_int_t)cmb.size, "submission_queues",
			 cmb.submission_queues, "read_data", cmb.read_data, "write_data",
			 cmb.write_data);
}

static json_t *identify(struct brg_nvme_ctrl *ctrl)
{
	static uint32_t nsids[MOST_NAMESPACES];
	json_t *list = json_array();
	json_t *json;
	int n;

	n = brg_nvme_ns_list(ctrl, nsids, MOST_NAMESPACES);
	if (n < 0) {
		json_decref(list);
		return NULL;
	}
	for (int i = 0; i < n; i++)
		json_array_append_new(list, namespace_json(ctrl, nsids[i]));
	json = controller_json(ctrl);
	json_object_set_new(json, "cmb", cmb_json(ctrl)); /* NULL: left out */
	json_object_set_new(json, "namespaces", list);
	return json;
}

static void add_namespace(struct table *t, const json_t *ns)
{
	const char *error = json_string_value(json_object_get(ns, "error"));
	json_int_t nsid = json_integer_value(json_object_get(ns, "nsid"));
	char size[24];

	table_cell(t, "%lld", nsid);
	if (error) {
		table_cell(t, "-");
		table_cell(t, "-");
		table_cell(t, "%s", error);
		return;
	}
	table_cell(t, "%lld", json_integer_value(json_object_get(ns, "nsze")));
	table_cell(t, "%lld", json_integer_value(json_object_get(ns, "SectorSize")));
	table_cell(
		t, "%s",
		size_text(size, (uint64_t)json_integer_value(json_object_get(ns, "PhysicalSize"))));
}

static void print_cmb(const json_t *cmb)
{
	char size[24];

	if (!cmb)
		return;
	printf("%-12s  %s in BAR %lld%s%s%s\n", "cmb",
	       size_text(size, (uint64_t)json_integer_value(json_object_get(cmb, "bytes"))),
	       json_integer_value(json_object_get(cmb, "bar")),
	       json_is_true(json_object_get(cmb, "submission_queues")) ? ", submission queues" : "",
	       json_is_true(json_object_get(cmb, "read_data")) ? ", data of reads" : "",
	       json_is_true(json_object_get(cmb, "write_data")) ? ", data of writes" : "");
}

static void print_text(const json_t *json)
{
	static const char *const heads[] = {">namespace", ">blocks", ">bytes each", "size", NULL};
	static const char *const keys[][2] = {
		{"address", "bdf"}, {"model", "mn"}, {"serial", "sn"}, {"firmware", "fr"}};
	const json_t *list = json_object_get(json, "namespaces");
	json_int_t most = json_integer_value(json_object_get(json, "max_transfer_bytes"));
	json_int_t version = json_integer_value(json_object_get(json, "ver"));
	struct table *t;
	char size[24];
	json_t *ns;
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		printf("%-12s  %s\n", keys[i][0],
		       json_string_value(json_object_get(json, keys[i][1])));
	printf("%-12s  %lld.%lld.%lld\n", "nvme", version >> 16, version >> 8 & 0xff,
	       version & 0xff);
	printf("%-12s  %s\n", "max transfer", size_text(size, (uint64_t)most));
	print_cmb(json_object_get(json, "cmb"));
	printf("\n");
	t = table_new(heads);
	json_array_foreach (list, i, ns) {
		add_namespace(t, ns);
	}
	table_print(t, stdout);
	table_free(t);
}

/* What --cns chooses: how to ask for it, and how to show it. */
static const struct cns {
	const char *name;
	uint8_t cns, csi;
	enum {
		NO_NSID,
		NSID,
		NSID_ABOVE
	} nsid; /* lists have the namespaces above one */
	page_json json;
	page_print print;
} structures[] = {
	{"ctrl", NVME_IDENTIFY_CNS_CTRL, 0, NO_NSID, id_ctrl_json, id_ctrl_print},
	{"ns", NVME_IDENTIFY_CNS_NS, 0, NSID, id_ns_json, id_ns_print},
	{"ns-list", NVME_IDENTIFY_CNS_NS_ACTIVE_LIST, 0, NSID_ABOVE, ns_list_json, ns_list_print},
	{"ns-descs", NVME_IDENTIFY_CNS_NS_DESC_LIST, 0, NSID, ns_descs_json, ns_descs_print},
	{"nvm-ctrl", NVME_IDENTIFY_CNS_CSI_CTRL, NVME_CSI_NVM, NO_NSID, nvm_id_ctrl_json,
	 nvm_id_ctrl_print},
	{"zns-ctrl", NVME_IDENTIFY_CNS_CSI_CTRL, NVME_CSI_ZNS, NO_NSID, zns_id_ctrl_json,
	 zns_id_ctrl_print},
	{"zns-ns", NVME_IDENTIFY_CNS_CSI_NS, NVME_CSI_ZNS, NSID, zns_id_ns_json, zns_id_ns_print},
	{"allocated-list", NVME_IDENTIFY_CNS_ALLOCATED_NS_LIST, 0, NSID_ABOVE, ns_list_json,
	 ns_list_print},
	{"allocated-ns", NVME_IDENTIFY_CNS_ALLOCATED_NS, 0, NSID, id_ns_json, id_ns_print},
	{"ns-ctrls", NVME_IDENTIFY_CNS_NS_CTRL_LIST, 0, NSID, ctrl_list_json, ctrl_list_print},
	{"ctrls", NVME_IDENTIFY_CNS_CTRL_LIST, 0, NO_NSID, ctrl_list_json, ctrl_list_print},
	{"primary-ctrl", NVME_IDENTIFY_CNS_PRIMARY_CTRL_CAP, 0, NO_NSID, primary_ctrl_json,
	 primary_ctrl_print},
	{"secondary-ctrls", NVME_IDENTIFY_CNS_SECONDARY_CTRL_LIST, 0, NO_NSID, secondary_ctrls_json,
	 secondary_ctrls_print},
	{"command-sets", NVME_IDENTIFY_CNS_COMMAND_SET_STRUCTURE, 0, NO_NSID, iocs_json,
	 iocs_print},
	{0},
};

#define STRUCTURES                                                                                \
	"ctrl, ns, ns-list, ns-descs, nvm-ctrl, zns-ctrl, zns-ns, allocated-list, allocated-ns, " \
	"ns-ctrls, ctrls, primary-ctrl, secondary-ctrls, command-sets"

#define NO_CSI 256 /* --csi was not given */

static struct {
	const char *bdf;
	const char *structure;
	uint64_t nsid, cntlid, csi, uuid;
	bool json, raw;
} opt = {.nsid = UINT64_MAX, .csi = NO_CSI};

static const struct option_spec options[] = {
	TEXT("cns", 'c', "STRUCTURE",
	     "one data structure, whole: " STRUCTURES
	     ", or a number, which is then printed as bytes",
	     &opt.structure),
	NUMBER("namespace-id", 'n', "N",
	       "namespace (default 1); of a list, those above (default 0)", &opt.nsid, 0,
	       UINT32_MAX),
	NUMBER("cntlid", 'i', "N", "controller identifier that lists of controllers start from",
	       &opt.cntlid, 0, UINT16_MAX),
	NUMBER("csi", 'y', "N", "command set of a structure given as a number", &opt.csi, 0,
	       UINT8_MAX),
	NUMBER("uuid-index", 'U', "N", "UUID index", &opt.uuid, 0, 127),
	FLAG("raw-binary", 'b', "write the data structure as it is", &opt.raw),
	JSON_FLAG(&opt.json),
	{0},
};

static struct cns find_structure(const char *name)
{
	struct cns found = {.nsid = NSID, .json = raw_json, .print = raw_print};

	for (const struct cns *s = structures; s->name; s++)
		if (!strcmp(s->name, name))
			return *s;
	if (!is_number(name))
		errx(CLI_USAGE, "--cns %s: it takes " STRUCTURES ", or a number", name);
	found.cns = (uint8_t)parse_number("--cns", name, 0, UINT8_MAX);
	return found;
}

static uint32_t which_namespace(const struct cns *s)
{
	if (opt.nsid != UINT64_MAX)
		return (uint32_t)opt.nsid;
	return s->nsid == NSID ? 1 : 0;
}

static int show_structure(struct brg_nvme_ctrl *ctrl, void *arg)
{
	static uint8_t page[NVME_IDENTIFY_DATA_SIZE] __attribute__((aligned(8)));
	const struct page_of p = {session_bdf(), page, sizeof(page)};
	const struct cns *s = arg;
	const struct brg_nvme_identify what = {
		.cns = s->cns,
		.csi = opt.csi == NO_CSI ? s->csi : (uint8_t)opt.csi,
		.cntid = (uint16_t)opt.cntlid,
		.nsid = which_namespace(s),
		.uuid_index = (uint8_t)opt.uuid,
	};
	int err = brg_nvme_identify(ctrl, &what, page);

	if (err)
		return err;
	return page_show(&p, s->json, s->print, opt.json, opt.raw);
}

static int show_summary(struct brg_nvme_ctrl *ctrl, void *arg)
{
	json_t *json = identify(ctrl);

	if (!json)
		return -1;
	if (opt.json)
		return print_json(json);
	print_text(json);
	json_decref(json);
	return 0;
}

int cmd_identify(int argc, char **argv)
{
	static const struct command_line line = {doc, "BDF", "", options};
	struct cns structure;

	parse_line(&line, argc, argv, &opt.bdf);
	if (!opt.structure)
		return session_run(opt.bdf, show_summary, NULL);
	structure = find_structure(opt.structure);
	return session_run(opt.bdf, show_structure, &structure);
}
