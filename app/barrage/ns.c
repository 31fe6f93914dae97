/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage ns: list, create, delete, attach and detach namespaces. */

#include <err.h>
#include <errno.h>
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

static const char doc[] =
	"List the namespaces of an NVMe subsystem, create or delete one, or attach it to "
	"controllers or detach it from them. What is deleted IS LOST.\v"
	"Examples:\n"
	"  barrage ns list 0000:00:04.0\n"
	"  barrage ns create --nsze 2097152 --flbas 0 0000:00:04.0\n"
	"  barrage ns attach --namespace-id 2 --controllers 0,1 0000:00:04.0\n"
	"  barrage ns delete --namespace-id 2 0000:00:04.0";

static const char question[] = "what to do? list, create, delete, attach or detach";

#define MOST_NAMESPACES	 1024
#define MOST_CONTROLLERS 64

#define OPT_CSI		 256

static struct {
	const char *words[2]; /* what to do, device */
	const char *controllers;
	uint64_t nsid, nsze, ncap, flbas, dps, nmic, csi;
	bool yes, json;
} opt;

static const struct option_spec options[] = {
	NUMBER("namespace-id", 'n', "N", "which one to delete, attach or detach", &opt.nsid, 1,
	       UINT32_MAX),
	TEXT("controllers", 'c', "LIST", "identifiers of controllers, as 0,1 (default: this one)",
	     &opt.controllers),
	NUMBER("nsze", 's', "BLOCKS", "size of a new one", &opt.nsze, 1, INT64_MAX),
	NUMBER("ncap", 'C', "BLOCKS", "its capacity (default: its size)", &opt.ncap, 1, INT64_MAX),
	NUMBER("flbas", 'f', "N", "its format and where metadata is (default 0)", &opt.flbas, 0,
	       UINT8_MAX),
	NUMBER("dps", 'd', "N", "its protection information (default 0: none)", &opt.dps, 0,
	       UINT8_MAX),
	NUMBER("nmic", 'm', "N", "1: several controllers may share it (default 0)", &opt.nmic, 0,
	       UINT8_MAX),
	/* No letter: -y of what destroys is --yes. */
	NUMBER("csi", OPT_CSI, "N", "its command set: 0 NVM (default), 2 zoned", &opt.csi, 0,
	       UINT8_MAX),
	YES_FLAG(&opt.yes),
	JSON_FLAG(&opt.json),
	{0},
};

/* One page of a list of namespaces; -EINVAL where the controller does not have that list. */
static int read_list(struct brg_nvme_ctrl *ctrl, uint8_t cns, struct nvme_ns_list *list)
{
	const struct brg_nvme_identify what = {.cns = cns};

	return brg_nvme_identify(ctrl, &what, list);
}

static bool has(const struct nvme_ns_list *list, uint32_t nsid)
{
	for (unsigned int i = 0; i < MOST_NAMESPACES && list->ns[i]; i++)
		if (list->ns[i] == nsid)
			return true;
	return false;
}

/* As nvme list-ctrl has them; null where the controller does not tell. */
static json_t *controllers_json(struct brg_nvme_ctrl *ctrl, uint32_t nsid)
{
	const struct brg_nvme_identify what = {.cns = NVME_IDENTIFY_CNS_NS_CTRL_LIST, .nsid = nsid};
	static struct nvme_ctrl_list list;
	const struct page_of p = {session_bdf(), &list, sizeof(list)};
	json_t *json, *array;

	if (brg_nvme_identify(ctrl, &what, &list))
		return json_null();
	json = ctrl_list_json(&p);
	array = json_incref(json_object_get(json, "ctrl_list"));
	json_decref(json);
	return array;
}

/* "0 1", or "-" */
static const char *controllers_text(const json_t *array, char *text, size_t size)
{
	size_t i, len = 0;
	json_t *one;

	snprintf(text, size, "-");
	json_array_foreach (array, i, one)
		if (len < size)
			len += (size_t)snprintf(
				text + len, size - len, "%s%lld", i ? " " : "",
				json_integer_value(json_object_get(one, "ctrl_id")));
	return text;
}

static json_t *namespace_json(struct brg_nvme_ctrl *ctrl, uint32_t nsid, bool active)
{
	const struct brg_nvme_identify what = {
		.cns = active ? NVME_IDENTIFY_CNS_NS : NVME_IDENTIFY_CNS_ALLOCATED_NS,
		.nsid = nsid,
	};
	struct nvme_id_ns id = {0};
	unsigned int lbaf;

	if (brg_nvme_identify(ctrl, &what, &id))
		warnx("%s", brg_errmsg());
	lbaf = brg_nvme_format_in_use(&id);
	return json_pack("{s:I, s:b, s:I, s:I, s:i, s:I, s:i, s:o}", "nsid", (json_int_t)nsid,
			 "attached", active, "nsze", (json_int_t)id.nsze, "nuse",
			 (json_int_t)id.nuse, "lbaf", lbaf, "SectorSize",
			 (json_int_t)(id.lbaf[lbaf].ds < 63 ? UINT64_C(1) << id.lbaf[lbaf].ds : 0),
			 "ms", id.lbaf[lbaf].ms, "ctrl_list", controllers_json(ctrl, nsid));
}

static void print_list(json_t *array)
{
	static const char *const heads[] = {">nsid", "attached",    ">blocks",
					    ">used", ">bytes",	    ">metadata",
					    "size",  "controllers", NULL};
	struct table *t = table_new(heads);
	json_t *ns;
	size_t i;

	json_array_foreach (array, i, ns) {
		json_int_t blocks = json_integer_value(json_object_get(ns, "nsze"));
		json_int_t bytes = json_integer_value(json_object_get(ns, "SectorSize"));
		char size[24], text[128];

		table_cell(t, "%lld", json_integer_value(json_object_get(ns, "nsid")));
		table_cell(t, "%s", json_is_true(json_object_get(ns, "attached")) ? "yes" : "no");
		table_cell(t, "%lld", blocks);
		table_cell(t, "%lld", json_integer_value(json_object_get(ns, "nuse")));
		table_cell(t, "%lld", bytes);
		table_cell(t, "%lld", json_integer_value(json_object_get(ns, "ms")));
		table_cell(t, "%s", size_text(size, (uint64_t)(blocks * bytes)));
		table_cell(t, "%s",
			   controllers_text(json_object_get(ns, "ctrl_list"), text, sizeof(text)));
	}
	table_print(t, stdout);
	table_free(t);
}

/* Allocated ones include the active; a controller without namespace management lists only these. */
static int list(struct brg_nvme_ctrl *ctrl, void *arg)
{
	static struct nvme_ns_list active, allocated;
	json_t *array;
	int err = read_list(ctrl, NVME_IDENTIFY_CNS_NS_ACTIVE_LIST, &active);

	if (err)
		return err;
	if (read_list(ctrl, NVME_IDENTIFY_CNS_ALLOCATED_NS_LIST, &allocated))
		allocated = active;
	array = json_array();
	for (unsigned int i = 0; i < MOST_NAMESPACES && allocated.ns[i]; i++)
		json_array_append_new(array, namespace_json(ctrl, allocated.ns[i],
							    has(&active, allocated.ns[i])));
	if (opt.json)
		return print_json(array);
	print_list(array);
	json_decref(array);
	return 0;
}

static int report(const char *done, uint32_t nsid)
{
	if (opt.json)
		return print_json(json_pack("{s:s, s:I, s:s}", "bdf", session_bdf(), "nsid",
					    (json_int_t)nsid, "done", done));
	printf("%s: namespace %" PRIu32 " %s\n", session_bdf(), nsid, done);
	return 0;
}

static int create(struct brg_nvme_ctrl *ctrl, void *arg)
{
	const struct nvme_id_ns wanted = {
		.nsze = opt.nsze,
		.ncap = opt.ncap ? opt.ncap : opt.nsze,
		.flbas = (uint8_t)opt.flbas,
		.dps = (uint8_t)opt.dps,
		.nmic = (uint8_t)opt.nmic,
	};
	uint32_t nsid;
	int err = brg_nvme_ns_create(ctrl, &wanted, (enum nvme_csi)opt.csi, &nsid);

	return err ? err : report("created; attach it to use it", nsid);
}

static int delete (struct brg_nvme_ctrl *ctrl, void *arg)
{
	int err;

	if (!session_confirm(opt.yes, "delete namespace %" PRIu64 " of %s; all its data is lost",
			     opt.nsid, session_bdf()))
		return 1;
	err = brg_nvme_ns_delete(ctrl, (uint32_t)opt.nsid);
	return err ? err : report("deleted", (uint32_t)opt.nsid);
}

/* "0,1" */
static unsigned int parse_controllers(uint16_t *cntlids)
{
	char *copy = strdup(opt.controllers), *rest = copy, *word;
	unsigned int n = 0;

	while ((word = strsep(&rest, ","))) {
		if (n == MOST_CONTROLLERS)
			errx(CLI_USAGE, "--controllers: %d at most", MOST_CONTROLLERS);
		cntlids[n++] = (uint16_t)parse_number("--controllers", word, 0, UINT16_MAX);
	}
	free(copy);
	return n;
}

static int attach(struct brg_nvme_ctrl *ctrl, void *arg)
{
	bool on = !strcmp(opt.words[0], "attach");
	uint16_t cntlids[MOST_CONTROLLERS] = {brg_nvme_id_ctrl(ctrl)->cntlid};
	unsigned int n = opt.controllers ? parse_controllers(cntlids) : 1;
	int err = brg_nvme_ns_attach(ctrl, (uint32_t)opt.nsid, cntlids, n, on);

	return err ? err : report(on ? "attached" : "detached", (uint32_t)opt.nsid);
}

int cmd_ns(int argc, char **argv)
{
	static const struct command_line line = {doc, "list|create|delete|attach|detach BDF",
						 question, options};
	static const struct {
		const char *name;
		session_work work;
	} works[] = {
		{"list", list},	    {"create", create}, {"delete", delete},
		{"attach", attach}, {"detach", attach},
	};
	uint16_t ignored[MOST_CONTROLLERS];

	parse_line(&line, argc, argv, opt.words);
	if (opt.controllers)
		parse_controllers(ignored);
	for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++) {
		if (strcmp(opt.words[0], works[i].name) != 0)
			continue;
		if (works[i].work == create && !opt.nsze)
			errx(CLI_USAGE, "ns create: how large? Say so in blocks with --nsze");
		if (i >= 2 && !opt.nsid)
			errx(CLI_USAGE, "ns %s: which one? Say so with --namespace-id",
			     opt.words[0]);
		return session_run(opt.words[1], works[i].work, NULL);
	}
	errx(CLI_USAGE, "ns %s: %s", opt.words[0], question);
}
