/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage bind, unbind: move a function between drivers. */

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"

static const char bind_doc[] =
	"Give a PCI function to vfio-pci, so that Barrage can use it, or to another driver. The "
	"kernel stops using it; that is refused while a file system on it is mounted or it is in "
	"use otherwise. The choice lasts until the next boot.\v"
	"Examples:\n"
	"  barrage bind 0000:00:04.0\n"
	"  barrage bind --kernel 0000:00:04.0   (and back again)";

static const struct argp_option bind_options[] = {
	{"driver", 'd', "NAME", 0, "the driver (default vfio-pci)", 0},
	{"kernel", OPT_KERNEL, NULL, 0, "give it back to the driver that the kernel prefers", 0},
	{"keep-ready", OPT_KEEP_READY, NULL, 0,
	 "keep it enabled and awake and do not reset it, so that it opens in 2 ms, not 120", 0},
	OPTION_JSON,
	{0},
};

static const char unbind_doc[] =
	"Take a PCI function from its driver; it then has none. Refused while it is in use.\v"
	"Example:\n"
	"  barrage unbind 0000:00:04.0";

static const struct argp_option unbind_options[] = {OPTION_JSON, {0}};

static int print_change(const struct brg_device_info *before, bool json)
{
	struct brg_device_info after;
	const char *was = before->driver[0] ? before->driver : NULL;
	const char *is;

	if (brg_device_info_get(before->bdf, &after))
		errx(EXIT_FAILURE, "%s", brg_errmsg());
	is = after.driver[0] ? after.driver : NULL;
	if (json)
		return print_json(
			json_pack("{s:s, s:s?, s:s?}", "bdf", after.bdf, "was", was, "driver", is));
	if (!strcmp(before->driver, after.driver))
		printf("%s: %s, as before\n", after.bdf, is ? is : "no driver");
	else
		printf("%s: %s -> %s\n", after.bdf, was ? was : "no driver", is ? is : "no driver");
	return EXIT_SUCCESS;
}

int cmd_bind(int argc, char **argv)
{
	struct brg_device_info before;
	struct args args = {0};
	const char *driver;

	parse_args(&args, bind_options, true, bind_doc, argc, argv);
	driver = args.driver ? args.driver : "vfio-pci";
	if (brg_device_info_get(args.bdf, &before) ||
	    brg_device_bind(before.bdf, args.kernel ? NULL : driver) ||
	    (args.keep_ready && brg_device_keep_ready(before.bdf)))
		errx(EXIT_FAILURE, "%s", brg_errmsg());
	return print_change(&before, args.json);
}

int cmd_unbind(int argc, char **argv)
{
	struct brg_device_info before;
	struct args args = {0};

	parse_args(&args, unbind_options, true, unbind_doc, argc, argv);
	if (brg_device_info_get(args.bdf, &before) || brg_device_unbind(before.bdf))
		errx(EXIT_FAILURE, "%s", brg_errmsg());
	return print_change(&before, args.json);
}
