/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * barrage show: all that matters of one function, and whether Barrage could use it now. A function
 * that is bound to vfio-pci is opened for that, which resets it.
 */

#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "options.h"

static const char doc[] =
	"Show one PCI function: identifiers, driver, IOMMU group and who shares it, what uses it, "
	"and whether Barrage can open it; if it can, the parts of its BARs that can be mapped and "
	"its interrupt vectors.\v"
	"Example:\n"
	"  barrage show 0000:00:04.0";

static struct {
	const char *bdf;
	bool json;
} opt;

static const struct option_spec options[] = {JSON_FLAG(&opt.json), {0}};

static void line(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void line(const char *name, const char *fmt, ...)
{
	va_list ap;

	printf("%-12s  ", name);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

static void print_group(const struct brg_device_info *info, const struct brg_device_info *members,
			int n)
{
	if (info->iommu_group < 0) {
		line("IOMMU group", "none: the function is behind no IOMMU");
		return;
	}
	if (n < 1)
		line("IOMMU group", "%d, its own", info->iommu_group);
	else
		line("IOMMU group", "%d, shared with %d other%s", info->iommu_group, n,
		     n == 1 ? "" : "s");
	for (int i = 0; i < n; i++)
		line("", "%s %04x:%04x %s", members[i].bdf, members[i].vendor, members[i].device,
		     members[i].driver[0] ? members[i].driver : "without driver");
}

static void print_bars(const struct brg_device_info *info, const struct brg_device *dev)
{
	for (unsigned int i = 0; i < BRG_PCI_BARS; i++) {
		const struct brg_region *region = dev ? brg_device_region(dev, i) : NULL;
		char name[8];
		char size[24];

		if (!info->bar_size[i])
			continue;
		snprintf(name, sizeof(name), "BAR %u", i);
		line(name, "%s", size_text(size, info->bar_size[i]));
		for (unsigned int a = 0; region && a < region->nareas; a++)
			line("", "0x%" PRIx64 "-0x%" PRIx64 " can be mapped",
			     region->areas[a].offset,
			     region->areas[a].offset + region->areas[a].size - 1);
	}
}

static void print_text(const struct brg_device_info *info, const struct brg_device_info *members,
		       int n, const struct brg_device *dev, const char *why_not)
{
	char what[256];

	line("address", "%s", info->bdf);
	line("id", "%04x:%04x, subsystem %04x:%04x, class %06x", info->vendor, info->device,
	     info->subvendor, info->subdevice, info->class_code);
	line("driver", "%s", info->driver[0] ? info->driver : "none");
	print_group(info, members, n);
	if (info->numa_node >= 0)
		line("NUMA node", "%d", info->numa_node);
	print_bars(info, dev);
	if (dev) {
		line("interrupts", "%u vectors", brg_device_irq_count(dev));
		line("reset", "%s", brg_device_can_reset(dev) ? "when opened and closed" : "none");
	}
	line("in use", "%s", brg_device_in_use(info, what, sizeof(what)) && !dev ? what : "no");
	line("usable", "%s%s", dev ? "yes" : "no: ", dev ? "" : why_not);
}

static json_t *areas_json(const struct brg_region *region)
{
	json_t *areas = json_array();

	for (unsigned int i = 0; i < region->nareas; i++)
		json_array_append_new(areas, json_pack("{s:I, s:I}", "offset",
						       (json_int_t)region->areas[i].offset, "bytes",
						       (json_int_t)region->areas[i].size));
	return areas;
}

static void add_mappable(json_t *json, const struct brg_device *dev)
{
	json_t *bar;
	size_t i;

	json_array_foreach (json_object_get(json, "bars"), i, bar) {
		json_int_t index = json_integer_value(json_object_get(bar, "index"));
		const struct brg_region *region = brg_device_region(dev, (unsigned int)index);

		if (region)
			json_object_set_new(bar, "mappable", areas_json(region));
	}
}

static int print_as_json(const struct brg_device_info *info, const struct brg_device_info *members,
			 int n, const struct brg_device *dev, const char *why_not)
{
	json_t *json = info_json(info);
	json_t *group = json_array();

	for (int i = 0; i < n; i++)
		json_array_append_new(group,
				      json_pack("{s:s, s:s?}", "bdf", members[i].bdf, "driver",
						members[i].driver[0] ? members[i].driver : NULL));
	json_object_set_new(json, "group_members", group);
	json_object_set_new(json, "usable", json_boolean(dev));
	json_object_set_new(json, "why_not", dev ? json_null() : json_string(why_not));
	json_object_set_new(json, "vectors",
			    dev ? json_integer(brg_device_irq_count(dev)) : json_null());
	json_object_set_new(json, "reset",
			    dev ? json_boolean(brg_device_can_reset(dev)) : json_null());
	if (dev)
		add_mappable(json, dev);
	return print_json(json);
}

int cmd_show(int argc, char **argv)
{
	static const struct command_line command = {doc, "BDF", "", options};
	struct brg_device_info *members;
	struct brg_device *dev = NULL;
	struct brg_device_info info;
	char why_not[512] = "";
	int status;
	int n;

	parse_line(&command, argc, argv, &opt.bdf);
	if (brg_device_info_get(opt.bdf, &info))
		errx(EXIT_FAILURE, "%s", brg_errmsg());
	n = brg_device_group_members(&info, &members);
	if (brg_device_open(info.bdf, &dev))
		snprintf(why_not, sizeof(why_not), "%s", brg_errmsg());

	status = EXIT_SUCCESS;
	if (opt.json)
		status = print_as_json(&info, members, n, dev, why_not);
	else
		print_text(&info, members, n, dev, why_not);
	brg_device_close(dev);
	free(members);
	return status;
}
