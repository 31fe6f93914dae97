/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage list: the PCI functions of this machine that Barrage could use. */

#include <err.h>
#include <stdio.h>
#include <stdlib.h>

#include "commands.h"
#include "table.h"

static const char doc[] =
	"List NVMe controllers, or other PCI functions: the driver each is bound to, its IOMMU "
	"group, its NUMA node, and what uses it.\v"
	"Examples:\n"
	"  barrage list\n"
	"  barrage list --class 0200 --json";

static const struct argp_option options[] = {
	{"all", OPT_ALL, NULL, 0, "every PCI function", 0},
	{"class", 'c', "CODE", 0, "those of a class: 2, 4 or 6 hex digits (default 010802, NVMe)",
	 0},
	OPTION_JSON,
	{0},
};

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
	struct args args = {.class_code = BRG_PCI_CLASS_NVME};
	struct brg_device_info *list;
	int status;
	int n;

	parse_args(&args, options, false, doc, argc, argv);
	n = brg_device_list(args.class_code, &list);
	if (n < 0)
		errx(EXIT_FAILURE, "%s", brg_errmsg());

	if (args.json) {
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
