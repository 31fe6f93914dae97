/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage bind, unbind: move a function between drivers. */

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "options.h"

static const char bind_doc[] =
	"Give a PCI function to vfio-pci, so that Barrage can use it, or to another driver. The "
	"kernel stops using it; that is refused while a file system on it is mounted or it is in "
	"use otherwise. The choice lasts until the next boot.\v"
	"Examples:\n"
	"  barrage bind 0000:00:04.0\n"
	"  barrage bind --kernel 0000:00:04.0   (and back again)";

static const char unbind_doc[] =
	"Take a PCI function from its driver; it then has none. Refused while it is in use.\v"
	"Example:\n"
	"  barrage unbind 0000:00:04.0";

enum {
	OPT_KERNEL = 256,
	OPT_KEEP_READY
};

static struct {
	const char *bdf, *driver;
	bool kernel, keep_ready, json;
} opt;

static int print_change(const struct brg_device_info *before)
{
	struct brg_device_info after;
	const char *was = before->driver[0] ? before->driver : NULL;
	const char *is;

	if (brg_device_info_get(before->bdf, &after))
		errx(EXIT_FAILURE, "%s", brg_errmsg());
	is = after.driver[0] ? after.driver : NULL;
	if (opt.json)
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
	static const struct option_spec options[] = {
		TEXT("driver", 'd', "NAME", "the driver (default vfio-pci)", &opt.driver),
		FLAG("kernel", OPT_KERNEL, "give it back to the driver that the kernel prefers",
		     &opt.kernel),
		FLAG("keep-ready", OPT_KEEP_READY,
		     "keep it enabled and awake and do not reset it, so that it opens in 2 ms, not "
		     "120",
		     &opt.keep_ready),
		JSON_FLAG(&opt.json),
		{0},
	};
	static const struct command_line line = {bind_doc, "BDF", "", options};
	struct brg_device_info before;
	const char *driver;

	parse_line(&line, argc, argv, &opt.bdf);
	if (opt.kernel && opt.driver)
		errx(CLI_USAGE, "--driver and --kernel exclude each other");
	if (opt.kernel && opt.keep_ready)
		errx(CLI_USAGE, "--keep-ready is for vfio-pci, not with --kernel");
	driver = opt.driver ? opt.driver : "vfio-pci";
	if (brg_device_info_get(opt.bdf, &before) ||
	    brg_device_bind(before.bdf, opt.kernel ? NULL : driver) ||
	    (opt.keep_ready && brg_device_keep_ready(before.bdf)))
		errx(EXIT_FAILURE, "%s", brg_errmsg());
	return print_change(&before);
}

int cmd_unbind(int argc, char **argv)
{
	static const struct option_spec options[] = {JSON_FLAG(&opt.json), {0}};
	static const struct command_line line = {unbind_doc, "BDF", "", options};
	struct brg_device_info before;

	parse_line(&line, argc, argv, &opt.bdf);
	if (brg_device_info_get(opt.bdf, &before) || brg_device_unbind(before.bdf))
		errx(EXIT_FAILURE, "%s", brg_errmsg());
	return print_change(&before);
}
