/* SPDX-License-Identifier: BSD-3-Clause */
/* What the sub-commands share: their command lines, and how things are printed. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"

struct parsing {
	struct args *args;
	bool wants_bdf;
};

/* Six hex digits, of which lower bytes may be left out: 01, 0108, 010802. */
static uint32_t parse_class(const char *text, struct argp_state *state)
{
	unsigned long value;
	size_t digits;
	char *end;

	if (!strncmp(text, "0x", 2))
		text += 2;
	digits = strlen(text);
	errno = 0;
	value = strtoul(text, &end, 16);
	if (strspn(text, "0123456789abcdefABCDEF") != digits || *end || !value ||
	    (digits != 2 && digits != 4 && digits != 6))
		argp_error(state, "--class %s: it takes 2, 4 or 6 hex digits, as 0108", text);
	return (uint32_t)value << (24 - 4 * digits);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct parsing *p = state->input;
	struct args *a = p->args;

	switch (key) {
	case 'd':
		a->driver = arg;
		return 0;
	case 'c':
		a->class_code = parse_class(arg, state);
		return 0;
	case 'j':
		a->json = true;
		return 0;
	case OPT_KERNEL:
		a->kernel = true;
		return 0;
	case OPT_KEEP_READY:
		a->keep_ready = true;
		return 0;
	case OPT_ALL:
		a->class_code = BRG_PCI_CLASS_ANY;
		return 0;
	case 'm':
		a->module = arg;
		return 0;
	case OPT_CONFIRM:
		a->bdf = arg;
		return 0;
	case ARGP_KEY_ARG:
		if (!p->wants_bdf || a->bdf)
			argp_error(state, "\"%s\" is one argument too many", arg);
		a->bdf = arg;
		return 0;
	case ARGP_KEY_END:
		if (p->wants_bdf && !a->bdf)
			argp_error(state, "which device? Name one as 0000:00:04.0; barrage list "
					  "shows them");
		if (a->kernel && a->driver)
			argp_error(state, "--driver and --kernel exclude each other");
		if (a->kernel && a->keep_ready)
			argp_error(state, "--keep-ready is for vfio-pci, not with --kernel");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

void parse_args(struct args *args, const struct argp_option *options, bool wants_bdf,
		const char *doc, int argc, char **argv)
{
	const struct argp argp = {options, parse, wants_bdf ? "BDF" : NULL, doc, NULL, NULL, NULL};
	struct parsing p = {args, wants_bdf};

	argp_parse(&argp, argc, argv, 0, NULL, &p);
}

int print_json(json_t *json)
{
	int rc = json_dumpf(json, stdout, JSON_INDENT(2));

	printf("\n");
	json_decref(json);
	return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}

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
