/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage kernel: which fault handler vfio-pci has, how that is known, and what follows from it. */

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>

#include "brg_bar.h"
#include "commands.h"
#include "options.h"

static const char doc[] =
	"Tell whether several lcores may touch a BAR mapping together for the first time, or "
	"whether "
	"that may be a kernel BUG: from the code of the loaded vfio-pci, never from a version.\v"
	"Examples:\n"
	"  barrage kernel\n"
	"  barrage kernel --confirm 0000:00:04.0\n"
	"  barrage kernel --module my-linux/drivers/vfio/pci/vfio-pci-core.ko";

#define OPT_CONFIRM 256

static struct {
	const char *module, *bdf;
	bool json;
} opt;

static const struct option_spec options[] = {
	TEXT("module", 'm', "FILE", "look at this vfio-pci-core (before 5.15: vfio-pci) instead",
	     &opt.module),
	TEXT("confirm", OPT_CONFIRM, "BDF",
	     "also count faults on this function, which is bound to vfio-pci; it is reset",
	     &opt.bdf),
	JSON_FLAG(&opt.json),
	{0},
};

static const char *consequence(enum brg_bar_era era)
{
	switch (era) {
	case BRG_BAR_ERA_FIXED:
		return "none: lcores may touch a mapping together; one fills it, the others wait";
	case BRG_BAR_ERA_INSERT_PFN:
	case BRG_BAR_ERA_ADDRESS_SPACE:
		return "none: lcores may touch a mapping together; each fills all of it";
	case BRG_BAR_ERA_EAGER:
		return "none: mappings are filled by mmap() and never fault";
	case BRG_BAR_ERA_HUGE:
		return "large mappings are aligned, so that a fault fills up to 1 GiB; lcores may "
		       "touch a mapping together";
	default:
		return "brg_bar_map() fills a mapping before any lcore has it; each NVMe queue "
		       "pair maps its doorbells for itself; a reset waits for the lcores that "
		       "share a mapping, and is refused if they are not registered; barrage-bench "
		       "lets no lcores fault one mapping together";
	}
}

static int confirm(const char *bdf, struct brg_bar_handler *h)
{
	struct brg_device *dev;
	int rc;

	rc = brg_device_open(bdf, &dev);
	if (rc)
		return rc;
	rc = brg_bar_handler_confirm(h, dev, first_bar(dev));
	brg_device_close(dev);
	return rc;
}

static void print_text(const struct brg_bar_handler *h, const char *release)
{
	if (release)
		printf("kernel       %s\n", release);
	printf("handler      %s\n", brg_bar_era_name(h->era));
	printf("vulnerable   %s\n", !h->vulnerable		    ? "no"
				    : h->era == BRG_BAR_ERA_UNKNOWN ? "yes, until proven otherwise"
								    : "yes");
	if (h->module[0])
		printf("module       %s%s\n", h->module, h->loaded ? ", which is loaded" : "");
	printf("evidence     %s\n", h->evidence);
	printf("consequence  %s\n", consequence(h->era));
}

static int print_as_json(const struct brg_bar_handler *h, const char *release)
{
	return print_json(json_pack("{s:s?, s:s, s:b, s:s?, s:b, s:s, s:s}", "kernel", release,
				    "era", brg_bar_era_name(h->era), "vulnerable", h->vulnerable,
				    "module", h->module[0] ? h->module : NULL, "loaded", h->loaded,
				    "evidence", h->evidence, "consequence", consequence(h->era)));
}

int cmd_kernel(int argc, char **argv)
{
	static const struct command_line line = {doc, NULL, "", options};
	struct brg_bar_handler handler;
	struct utsname kernel;
	const char *release;

	parse_line(&line, argc, argv, NULL);
	if (brg_bar_handler_detect(opt.module, &handler) || (opt.bdf && confirm(opt.bdf, &handler)))
		errx(EXIT_FAILURE, "%s", brg_errmsg());

	uname(&kernel);
	release = opt.module ? NULL : kernel.release;
	if (opt.json)
		return print_as_json(&handler, release);
	print_text(&handler, release);
	return EXIT_SUCCESS;
}
