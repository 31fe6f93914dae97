/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage bar plan: how a BAR would be mapped, and why so. */

#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "brg_bar.h"
#include "cli.h"
#include "commands.h"
#include "options.h"

static const char doc[] =
	"Tell how brg_bar_map() would map a BAR on this kernel, and why: policy, faults, "
	"alignment, "
	"VMAs, and whether lcores may share the mapping. Nothing is mapped; the function, which is "
	"bound to vfio-pci, is opened, which resets it.\v"
	"Examples:\n"
	"  barrage bar plan 0000:00:04.0\n"
	"  barrage bar plan 0000:00:04.0 --bar 4 --lcores 8 --policy parallel";

enum {
	OPT_BAR = 256,
	OPT_POLICY,
	OPT_OFFSET,
	OPT_LENGTH,
};

static const struct choice policies[] = {
	{"auto", BRG_BAR_AUTO},	  {"lazy", BRG_BAR_LAZY},	  {"touch", BRG_BAR_TOUCH},
	{"iommu", BRG_BAR_IOMMU}, {"parallel", BRG_BAR_PARALLEL}, {0},
};

#define NOT_GIVEN UINT64_MAX

static struct {
	const char *bdf;
	uint64_t bar, lcores, policy, offset, length;
	bool json;
} opt = {.bar = NOT_GIVEN};

static const struct option_spec options[] = {
	NUMBER("bar", OPT_BAR, "N", "which BAR, 0 to 5 (default: the first that can be mapped)",
	       &opt.bar, 0, BRG_PCI_BARS - 1),
	NUMBER("lcores", 'l', "N", "how many lcores are to use it (default: this machine's CPUs)",
	       &opt.lcores, 0, UINT16_MAX),
	CHOICE("policy", OPT_POLICY, "NAME", "auto (default), lazy, touch, iommu or parallel",
	       &opt.policy, 0, policies),
	SIZE("offset", OPT_OFFSET, "BYTES", "first byte wanted, page-aligned (default 0)",
	     &opt.offset, 0, INT64_MAX),
	SIZE("length", OPT_LENGTH, "BYTES", "bytes wanted from there (default: to the end)",
	     &opt.length, 0, INT64_MAX),
	JSON_FLAG(&opt.json),
	{0},
};

/* One line a decision: what, and why. */
static void line(const char *name, const char *why, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void line(const char *name, const char *why, const char *fmt, ...)
{
	char what[64];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (why)
		printf("%-9s  %-18s  %s\n", name, what, why);
	else
		printf("%-9s  %s\n", name, what);
}

static void print_text(unsigned int bar, const struct brg_bar_plan *p)
{
	char size[24], at[24];

	line("handler", NULL, "%s", brg_bar_era_name(p->era));
	if (p->offset)
		line("range", NULL, "%s of BAR %u from %s on", size_text(size, p->length), bar,
		     size_text(at, p->offset));
	else
		line("range", NULL, "%s of BAR %u", size_text(size, p->length), bar);
	line("policy", p->policy_why, "%s, %" PRIu64 " fault%s", brg_bar_policy_name(p->policy),
	     p->faults, p->faults == 1 ? "" : "s");
	line("address", p->align_why, "%s-aligned", size_text(size, p->align));
	line("VMAs", p->vmas_why, "%u", p->vmas);
	if (p->threads)
		line("filled by", p->cpu_why, "%u thread%s", p->threads,
		     p->threads == 1 ? "" : "s");
	else
		line("filled by", p->cpu_why, "whoever comes first");
	line("shared", p->share_why, "%s", p->shareable ? "yes" : "no");
}

static int print_as_json(const char *bdf, unsigned int bar, const struct brg_bar_plan *p)
{
	return print_json(json_pack(
		"{s:s, s:i, s:s, s:I, s:I, s:s, s:I, s:s, s:I, s:s, s:i, s:s, s:i, s:o, s:s, s:b, "
		"s:s}",
		"bdf", bdf, "bar", (int)bar, "handler", brg_bar_era_name(p->era), "offset",
		(json_int_t)p->offset, "bytes", (json_int_t)p->length, "policy",
		brg_bar_policy_name(p->policy), "faults", (json_int_t)p->faults, "policy_why",
		p->policy_why, "align_bytes", (json_int_t)p->align, "align_why", p->align_why,
		"vmas", (int)p->vmas, "vmas_why", p->vmas_why, "threads", (int)p->threads, "node",
		p->node < 0 ? json_null() : json_integer(p->node), "threads_why", p->cpu_why,
		"shareable", p->shareable, "shareable_why", p->share_why));
}

static int plan(int argc, char **argv)
{
	static const struct command_line command = {doc, "BDF", "", options};
	struct brg_bar_opts opts = {0};
	struct brg_bar_plan p;
	struct brg_device *dev;
	unsigned int bar;
	int rc;

	parse_line(&command, argc, argv, &opt.bdf);
	opts.policy = (enum brg_bar_policy)opt.policy;
	opts.lcores = (unsigned int)opt.lcores;
	opts.offset = opt.offset;
	opts.length = opt.length;
	if (brg_device_open(opt.bdf, &dev))
		errx(EXIT_FAILURE, "%s", brg_errmsg());
	/* Of none that can be mapped, the plan says why. */
	bar = opt.bar == NOT_GIVEN ? first_bar(dev) : (unsigned int)opt.bar;
	rc = brg_bar_plan(dev, bar, &opts, &p);
	if (rc) {
		warnx("%s", brg_errmsg());
		brg_device_close(dev);
		return EXIT_FAILURE;
	}
	if (opt.json)
		rc = print_as_json(brg_device_get_info(dev)->bdf, bar, &p);
	else
		print_text(bar, &p);
	brg_device_close(dev);
	return rc;
}

static const struct cli_command commands[] = {
	{"plan", "how a BAR would be mapped, and why so", plan},
	{0},
};

int cmd_bar(int argc, char **argv)
{
	static const struct cli cli = {
		.program = "barrage bar",
		.summary = "Look at how BARs are mapped.",
		.example = "barrage bar plan 0000:00:04.0 --lcores 8",
		.commands = commands,
	};

	return cli_main(&cli, argc, argv);
}
