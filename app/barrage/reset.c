/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage reset: reset a PCI function, and see whether its controller becomes ready again. */

#include <err.h>
#include <stdio.h>
#include <stdlib.h>

#include "bytes.h"
#include "commands.h"
#include "options.h"
#include "session.h"

static const char doc[] =
	"Reset the PCI function of an NVMe controller that is bound to vfio-pci, bring the "
	"controller up, and tell how long each took. What was set and not saved is lost; data on "
	"the device is not.\v"
	"Example:\n"
	"  barrage reset 0000:00:04.0";

static struct {
	const char *bdf;
	bool json;
} opt;

static const struct option_spec options[] = {JSON_FLAG(&opt.json), {0}};

static double reset_ms;

/* The time of the bring-up has that of EAL's start in it: the user waits for both. */
static int report(struct brg_nvme_ctrl *ctrl, void *arg)
{
	double up_ms = (seconds_now() - *(double *)arg) * 1e3;

	if (opt.json)
		return print_json(json_pack("{s:s, s:f, s:f, s:b}", "bdf", session_bdf(),
					    "reset_ms", reset_ms, "bring_up_ms", up_ms, "ready",
					    1));
	printf("%s: reset in %.1f ms, ready %.1f ms after that\n", session_bdf(), reset_ms, up_ms);
	return 0;
}

int cmd_reset(int argc, char **argv)
{
	static const struct command_line line = {doc, "BDF", "", options};
	struct brg_device *dev;
	double start;
	int err;

	parse_line(&line, argc, argv, &opt.bdf);
	if (brg_device_open(opt.bdf, &dev))
		errx(EXIT_FAILURE, "%s", brg_errmsg());
	start = seconds_now();
	err = brg_device_reset(dev);
	reset_ms = (seconds_now() - start) * 1e3;
	brg_device_close(dev);
	if (err)
		errx(EXIT_FAILURE, "%s", brg_errmsg());
	start = seconds_now();
	return session_run(opt.bdf, report, &start);
}
