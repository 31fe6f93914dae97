/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage list: the PCI functions of this machine that Barrage could use. */

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "options.h"
#include "table.h"

static const char doc[] =
	"List NVMe controllers, or other PCI functions: the driver each is bound to, its IOMMU "
	"group, its NUMA node, and what uses it.\v"
	"Examples:\n"
	"  barrage list\n"
	"  barrage list --class 0200 --json";

#define OPT_ALL 256

static struct {
	const char *class;
	bool all, json;
} opt;

static const struct option_spec options[] = {
	FLAG("all", OPT_ALL, "every PCI function", &opt.all),
	TEXT("class", 'c', "CODE", "those of a class: 2, 4 or 6 hex digits (default 010802, NVMe)",
	     &opt.class),
	JSON_FLAG(&opt.json),
	{0},
};

/* Six hex digits, of which lower bytes may be left out: 01, 0108, 010802. */
static uint32_t parse_class(const char *text)
{
	const char *hex = strncmp(text, "0x", 2) ? text : text + 2;
	size_t digits = strlen(hex);
	unsigned long value = strtoul(hex, NULL, 16);

	if (strspn(hex, "0123456789abcdefABCDEF") != digits || !value ||
	    (digits != 2 && digits != 4 && digits != 6))
		errx(CLI_USAGE, "--class %s: it takes 2, 4 or 6 hex digits, as 0108", text);
	return (uint32_t)value << (24 - 4 * digits);
}

static uint32_t which_class(void)
{
	if (opt.all)
		return BRG_PCI_CLASS_ANY;
	return opt.class ? parse_class(opt.class) : BRG_PCI_CLASS_NVME;
}

static void number_cell(struct table *t, int number)
{
	if (number < 0)
		table_cell(t, "-");
	else
		table_cell(t, "%d", number);
}

static void add_row(struct table *t, const struct brg_device_info *info)
{
	char what[256];
	char size[24];

	table_cell(t, "%s", info->bdf);
	table_cell(t, "%04x:%04x", info->vendor, info->device);
	table_cell(t, "%06x", info->class_code);
	table_cell(t, "%s", info->driver[0] ? info->driver : "-");
	number_cell(t, info->iommu_group);
	number_cell(t, info->numa_node);
	table_cell(t, "%s", info->bar_size[0] ? size_text(size, info->bar_size[0]) : "-");
	table_cell(t, "%s", brg_device_in_use(info, what, sizeof(what)) ? what : "-");
}

static int print_table(const struct brg_device_info *list, int n)
{
	static const char *const heads[] = {"address", "id",	 ">class", "driver", ">group",
					    ">node",   ">BAR 0", "in use", NULL};
	struct table *t = table_new(heads);

	for (int i = 0; i < n; i++)
		add_row(t, &list[i]);
	table_print(t, stdout);
	table_free(t);
	return EXIT_SUCCESS;
}

int cmd_list(int argc, char **argv)
{
	static const struct command_line line = {doc, NULL, "", options};
	struct brg_device_info *list;
	int status;
	int n;

	parse_line(&line, argc, argv, NULL);
	n = brg_device_list(which_class(), &list);
	if (n < 0)
		errx(EXIT_FAILURE, "%s", brg_errmsg());

	if (opt.json) {
		json_t *array = json_array();

		for (int i = 0; i < n; i++)
			json_array_append_new(array, info_json(&list[i]));
		status = print_json(array);
	} else if (n) {
		status = print_table(list, n);
	} else {
		warnx("there is no such device; barrage list --all shows every PCI function");
		status = EXIT_SUCCESS;
	}
	free(list);
	return status;
}
