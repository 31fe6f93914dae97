/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage bar plan: how a BAR would be mapped, and why so. */

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "brg_bar.h"
#include "cli.h"
#include "commands.h"

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

static const struct argp_option options[] = {
	{"bar", OPT_BAR, "N", 0, "which BAR, 0 to 5 (default: the first that can be mapped)", 0},
	{"lcores", 'l', "N", 0, "how many lcores are to use it (default: this machine's CPUs)", 0},
	{"policy", OPT_POLICY, "NAME", 0, "auto (default), lazy, touch, iommu or parallel", 0},
	{"offset", OPT_OFFSET, "BYTES", 0, "first byte wanted, page-aligned (default 0)", 0},
	{"length", OPT_LENGTH, "BYTES", 0, "bytes wanted from there (default: to the end)", 0},
	OPTION_JSON,
	{0},
};

struct bar_args {
	const char *bdf;
	int bar; /* -1: the first */
	struct brg_bar_opts opts;
	bool json;
};

static uint64_t parse_number(const char *option, const char *text, uint64_t most,
			     struct argp_state *state)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno || end == text || *end || *text == '-' || value > most)
		argp_error(state, "--%s %s: it takes a number from 0 to %" PRIu64, option, text,
			   most);
	return value;
}

static enum brg_bar_policy parse_policy(const char *text, struct argp_state *state)
{
	for (int policy = BRG_BAR_AUTO; brg_bar_policy_name(policy); policy++)
		if (!strcmp(text, brg_bar_policy_name(policy)))
			return policy;
	argp_error(state, "--policy %s: it is auto, lazy, touch, iommu or parallel", text);
	return BRG_BAR_AUTO;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct bar_args *a = state->input;

	switch (key) {
	case OPT_BAR:
		a->bar = (int)parse_number("bar", arg, BRG_PCI_BARS - 1, state);
		return 0;
	case 'l':
		a->opts.lcores = (unsigned int)parse_number("lcores", arg, UINT16_MAX, state);
		return 0;
	case OPT_POLICY:
		a->opts.policy = parse_policy(arg, state);
		return 0;
	case OPT_OFFSET:
		a->opts.offset = parse_number("offset", arg, INT64_MAX, state);
		return 0;
	case OPT_LENGTH:
		a->opts.length = parse_number("length", arg, INT64_MAX, state);
		return 0;
	case 'j':
		a->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (a->bdf)
			argp_error(state, "\"%s\" is one argument too many", arg);
		a->bdf = arg;
		return 0;
	case ARGP_KEY_END:
		if (!a->bdf)
			argp_error(state, "which device? Name one as 0000:00:04.0; barrage list "
					  "shows them");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

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

static unsigned int first_bar(const struct brg_device *dev)
{
	for (unsigned int bar = 0; bar < BRG_PCI_BARS; bar++)
		if (brg_device_region(dev, bar) && brg_device_region(dev, bar)->nareas)
			return bar;
	return 0; /* of which the plan says why it is none */
}

static int plan(int argc, char **argv)
{
	static const struct argp argp = {options, parse, "BDF", doc, NULL, NULL, NULL};
	struct bar_args args = {.bar = -1};
	struct brg_bar_plan p;
	struct brg_device *dev;
	unsigned int bar;
	int rc;

	argp_parse(&argp, argc, argv, 0, NULL, &args);
	if (brg_device_open(args.bdf, &dev))
		errx(EXIT_FAILURE, "%s", brg_errmsg());
	bar = args.bar < 0 ? first_bar(dev) : (unsigned int)args.bar;
	rc = brg_bar_plan(dev, bar, &args.opts, &p);
	if (rc) {
		warnx("%s", brg_errmsg());
		brg_device_close(dev);
		return EXIT_FAILURE;
	}
	if (args.json)
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
