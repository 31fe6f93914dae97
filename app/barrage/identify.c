/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage identify: bring an NVMe controller up and print what it says of itself. */

#include <ctype.h>
#include <endian.h>
#include <err.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "brg_nvme.h"
#include "commands.h"
#include "table.h"

#define MOST_NAMESPACES 1024

static const char doc[] = "Bring up an NVMe controller that is bound to vfio-pci, print what it "
			  "says of itself and of "
			  "its namespaces, and shut it down again.\v"
			  "Example:\n"
			  "  barrage identify 0000:00:04.0";

static const struct argp_option options[] = {OPTION_JSON, {0}};

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

static json_t *controller_json(struct brg_nvme_ctrl *ctrl, const char *bdf)
{
	const struct nvme_id_ctrl *id = brg_nvme_id_ctrl(ctrl);
	uint32_t version = brg_bar_read32(brg_nvme_bar(ctrl), NVME_REG_VS);
	char firmware[sizeof(id->fr) + 1];
	char serial[sizeof(id->sn) + 1];
	char model[sizeof(id->mn) + 1];
	char dotted[16];

	snprintf(dotted, sizeof(dotted), "%u.%u.%u", version >> 16, version >> 8 & 0xff,
		 version & 0xff);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "bdf", bdf, "model",
			 trim(model, id->mn, sizeof(id->mn)), "serial",
			 trim(serial, id->sn, sizeof(id->sn)), "firmware",
			 trim(firmware, id->fr, sizeof(id->fr)), "nvme", dotted,
			 "max_transfer_bytes", (json_int_t)brg_nvme_max_transfer(ctrl));
}

static json_t *namespace_json(struct brg_nvme_ctrl *ctrl, uint32_t nsid)
{
	struct brg_nvme_ns ns;

	if (brg_nvme_ns_get(ctrl, nsid, &ns))
		return json_pack("{s:I, s:s}", "nsid", (json_int_t)nsid, "error", brg_errmsg());
	return json_pack("{s:I, s:I, s:I, s:I}", "nsid", (json_int_t)nsid, "blocks",
			 (json_int_t)ns.blocks, "block_bytes", (json_int_t)ns.block_size, "bytes",
			 (json_int_t)(ns.blocks * ns.block_size));
}

static json_t *identify(struct brg_nvme_ctrl *ctrl, const char *bdf)
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
	json = controller_json(ctrl, bdf);
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
	table_cell(t, "%lld", json_integer_value(json_object_get(ns, "blocks")));
	table_cell(t, "%lld", json_integer_value(json_object_get(ns, "block_bytes")));
	table_cell(t, "%s",
		   size_text(size, (uint64_t)json_integer_value(json_object_get(ns, "bytes"))));
}

static void print_text(const json_t *json)
{
	static const char *const heads[] = {">namespace", ">blocks", ">bytes each", "size", NULL};
	static const char *const keys[] = {"bdf", "model", "serial", "firmware", "nvme"};
	const json_t *list = json_object_get(json, "namespaces");
	json_int_t most = json_integer_value(json_object_get(json, "max_transfer_bytes"));
	struct table *t;
	char size[24];
	json_t *ns;
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		printf("%-12s  %s\n", strcmp(keys[i], "bdf") ? keys[i] : "address",
		       json_string_value(json_object_get(json, keys[i])));
	printf("%-12s  %s\n\n", "max transfer", size_text(size, (uint64_t)most));
	t = table_new(heads);
	json_array_foreach (list, i, ns) {
		add_namespace(t, ns);
	}
	table_print(t, stdout);
	table_free(t);
}

/* One lcore, where we are: a thread on each CPU of the machine would only take time. */
static int start_eal(void)
{
	struct brg_env_opts opts = {.memory_mib = 16};
	char lcore[16];

	snprintf(lcore, sizeof(lcore), "%d", sched_getcpu());
	opts.lcores = lcore;
	return brg_env_init(&opts);
}

int cmd_identify(int argc, char **argv)
{
	struct brg_nvme_ctrl *ctrl;
	struct brg_device *dev;
	struct args args = {0};
	json_t *json = NULL;
	int status = EXIT_FAILURE;

	parse_args(&args, options, true, doc, argc, argv);
	/* The device first: opening it says soonest what is wrong with it. */
	if (brg_device_open(args.bdf, &dev))
		errx(EXIT_FAILURE, "%s", brg_errmsg());
	if (brg_device_get_info(dev)->class_code != BRG_PCI_CLASS_NVME) {
		warnx("%s is no NVMe controller: its class is %06x", brg_device_get_info(dev)->bdf,
		      brg_device_get_info(dev)->class_code);
		goto close_device;
	}
	if (start_eal() || brg_nvme_open(dev, NULL, &ctrl)) {
		warnx("%s", brg_errmsg());
		goto close_device;
	}
	json = identify(ctrl, brg_device_get_info(dev)->bdf);
	if (!json)
		warnx("%s", brg_errmsg());
	brg_nvme_close(ctrl);

	if (json && args.json)
		status = print_json(json_incref(json));
	else if (json) {
		print_text(json);
		status = EXIT_SUCCESS;
	}
	json_decref(json);
close_device:
	brg_device_close(dev);
	brg_env_cleanup();
	return status;
}
