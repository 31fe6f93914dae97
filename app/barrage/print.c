/* SPDX-License-Identifier: BSD-3-Clause */
/* What several sub-commands say of a device, and how. */

#include <stdlib.h>

#include "commands.h"

static json_t *hex_json(unsigned int digits, uint32_t value)
{
	return json_sprintf("0x%0*x", (int)digits, value);
}

/* Null where there is none: -1 in the library. */
static json_t *number_json(int value)
{
	return value < 0 ? json_null() : json_integer(value);
}

json_t *info_json(const struct brg_device_info *info)
{
	json_t *json = json_object();
	json_t *bars = json_array();
	char what[256];

	json_object_set_new(json, "bdf", json_string(info->bdf));
	json_object_set_new(json, "vendor", hex_json(4, info->vendor));
	json_object_set_new(json, "device", hex_json(4, info->device));
	json_object_set_new(json, "subsystem_vendor", hex_json(4, info->subvendor));
	json_object_set_new(json, "subsystem_device", hex_json(4, info->subdevice));
	json_object_set_new(json, "class", hex_json(6, info->class_code));
	json_object_set_new(json, "driver",
			    info->driver[0] ? json_string(info->driver) : json_null());
	json_object_set_new(json, "iommu_group", number_json(info->iommu_group));
	json_object_set_new(json, "numa_node", number_json(info->numa_node));
	for (int i = 0; i < BRG_PCI_BARS; i++) {
		if (info->bar_size[i])
			json_array_append_new(bars, json_pack("{s:i, s:I}", "index", i, "bytes",
							      (json_int_t)info->bar_size[i]));
	}
	json_object_set_new(json, "bars", bars);
	json_object_set_new(json, "in_use",
			    brg_device_in_use(info, what, sizeof(what)) ? json_string(what)
									: json_null());
	return json;
}

unsigned int first_bar(const struct brg_device *dev)
{
	for (unsigned int bar = 0; bar < BRG_PCI_BARS; bar++)
		if (brg_device_region(dev, bar) && brg_device_region(dev, bar)->nareas)
			return bar;
	return 0;
}

const char *size_text(char text[24], uint64_t bytes)
{
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	unsigned int unit = 0;

	while (unit < 6 && bytes >> (10 * (unit + 1)))
		unit++;
	if (bytes & (((uint64_t)1 << (10 * unit)) - 1))
		snprintf(text, 24, "%.1f %s", (double)bytes / (double)((uint64_t)1 << (10 * unit)),
			 units[unit]);
	else
		snprintf(text, 24, "%u %s", (unsigned int)(bytes >> (10 * unit)), units[unit]);
	return text;
}
