/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line of barrage perf. */

#include <err.h>
#include <rte_config.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "options.h"
#include "perf.h"

enum {
	OPT_MIX = 256,
	OPT_BS,
	OPT_BSSPLIT,
	OPT_RATE,
	OPT_WARMUP,
	OPT_OFFSET,
	OPT_SIZE,
	OPT_SEED,
	OPT_VERIFY,
	OPT_DESTROY,
};

static const char doc[] =
	"Measure how many commands a second NVMe controllers on vfio-pci do, and how long each "
	"takes. Every lcore has a queue pair of its own on every device and keeps it full.\v"
	"Examples:\n"
	"  barrage perf 0000:00:04.0\n"
	"  barrage perf --rw randrw --mix 70 --bssplit 4k/60:64k/40 --qd 8 --lcores 2 "
	"--write-destroys-data 0000:00:04.0\n\n"
	"CPUs are the first this process may run on: choose them with taskset or numactl. Sizes "
	"take the suffixes k, m, g and t, powers of 1024.";

#define NOT_GIVEN UINT64_MAX
#define LEAST_BS  512
#define MOST_BS	  (1u << 24)

static const struct mode {
	bool random;
	unsigned int reads;
} modes[] = {{false, 100}, {false, 0}, {true, 100}, {true, 0}, {false, 50}, {true, 50}};

/* Each by its place in modes[]. */
static const struct choice mode_names[] = {
	{"read", 0}, {"write", 1}, {"randread", 2}, {"randwrite", 3}, {"rw", 4}, {"randrw", 5}, {0},
};

static struct given {
	uint64_t mode, mix, bs, nsid, offset, area, depth, lcores, rate, count, seed;
	const char *bssplit;
	double seconds, warmup;
	bool destroy, verify, json;
} opt;

static const struct given defaults = {
	.mode = 2,
	.mix = NOT_GIVEN,
	.bs = NOT_GIVEN,
	.depth = 32,
	.lcores = 1,
	.seconds = -1,
	.seed = NOT_GIVEN,
};

static const struct option_spec options[] = {
	CHOICE("rw", 'r', "MODE", "read, write, randread (default), randwrite, rw or randrw",
	       &opt.mode, 0, mode_names),
	NUMBER("mix", OPT_MIX, "PERCENT", "reads among the commands of rw and randrw (default 50)",
	       &opt.mix, 0, 100),
	SIZE("bs", OPT_BS, "BYTES", "what one command carries (default 4k)", &opt.bs, LEAST_BS,
	     MOST_BS),
	TEXT("bssplit", OPT_BSSPLIT, "SIZES", "several, each with its percentage: 4k/60:64k/40",
	     &opt.bssplit),
	FLAG("write-destroys-data", OPT_DESTROY, "needed by every mode that writes", &opt.destroy),
	NUMBER("namespace-id", 'n', "NSID", "of each device (default: its first)", &opt.nsid, 1,
	       UINT32_MAX - 1),
	SIZE("offset", OPT_OFFSET, "BYTES", "where to begin in the namespace (default 0)",
	     &opt.offset, 0, INT64_MAX),
	SIZE("size", OPT_SIZE, "BYTES", "how much of it to use (default: up to its end)", &opt.area,
	     LEAST_BS, INT64_MAX),
	NUMBER("qd", 'q', "N", "commands in flight, per lcore and device (default 32)", &opt.depth,
	       1, UINT16_MAX - 1),
	NUMBER("lcores", 'l', "N", "how many drive each device (default 1)", &opt.lcores, 1,
	       RTE_MAX_LCORE),
	NUMBER("rate", OPT_RATE, "N", "most commands per second and device (default: no limit)",
	       &opt.rate, 1, 1000000000),
	REAL("time", 't', "SECONDS", "how long to measure (default 10, or until --count)",
	     &opt.seconds, 86400 * 365),
	NUMBER("count", 'c', "N", "commands to measure, per device", &opt.count, 1, INT64_MAX),
	REAL("warmup", OPT_WARMUP, "SECONDS", "what to do before that, unmeasured (default 0)",
	     &opt.warmup, 86400),
	FLAG("verify", OPT_VERIFY,
	     "seal each block written with a checksum, and check each block read, which must have "
	     "been written so",
	     &opt.verify),
	NUMBER("seed", OPT_SEED, "N",
	       "for what is random (default 1); given, blocks sealed with another one are errors, "
	       "too",
	       &opt.seed, 0, INT64_MAX),
	JSON_FLAG(&opt.json),
	{0},
};

static void bssplit(const char *all, struct perf_options *o)
{
	const char *text = all;
	unsigned int below = 0;

	o->nsizes = 0;
	do {
		uint64_t bytes, percent;
		char *end;

		if (!read_size(text, &bytes, &end) || *end != '/' || bytes < LEAST_BS ||
		    bytes > MOST_BS || !read_number(end + 1, &percent, &end))
			errx(CLI_USAGE,
			     "--bssplit %s: \"%s\" does not begin with a size and its "
			     "percentage, as 4k/60",
			     all, text);
		if (percent < 1 || percent > 100 || (*end && *end != ':'))
			errx(CLI_USAGE, "--bssplit %s: \"%s\" has no percentage from 1 to 100", all,
			     text);
		if (o->nsizes == PERF_MOST_SIZES)
			errx(CLI_USAGE, "--bssplit %s: %d sizes at most", all, PERF_MOST_SIZES);
		below += (unsigned int)percent;
		o->sizes[o->nsizes++] = (struct perf_size){(uint32_t)bytes, below};
		text = *end ? end + 1 : NULL;
	} while (text);
	if (below != 100)
		errx(CLI_USAGE, "--bssplit %s: the percentages add up to %u, not 100", all, below);
}

static void check_devices(const struct perf_options *o)
{
	for (unsigned int i = 0; i < o->ndevices; i++)
		for (unsigned int j = 0; j < i; j++)
			if (!strcmp(o->bdfs[i], o->bdfs[j]))
				errx(CLI_USAGE, "%s is named twice", o->bdfs[i]);
}

/* What fits together only when all of it is known. */
static void check(const struct perf_options *o)
{
	if (opt.bs != NOT_GIVEN && opt.bssplit)
		errx(CLI_USAGE, "--bs and --bssplit exclude each other");
	if (opt.mix != NOT_GIVEN && strcmp(o->rw, "rw") != 0 && strcmp(o->rw, "randrw") != 0)
		errx(CLI_USAGE, "--mix is for --rw rw and --rw randrw, not for %s", o->rw);
	if (opt.seconds == 0)
		errx(CLI_USAGE, "--time 0: that is no time at all");
	if (o->reads < 100 && !opt.destroy)
		errx(CLI_USAGE,
		     "--rw %s overwrites what is on %s%s: add --write-destroys-data if that is "
		     "meant",
		     o->rw, o->bdfs[0], o->ndevices > 1 ? " and the other devices" : "");
}

static double how_long(void)
{
	if (opt.seconds >= 0)
		return opt.seconds;
	return opt.count ? 0 : 10;
}

void perf_parse(struct perf_options *o, int argc, char **argv)
{
	static const struct command_line line = {doc, "BDF...", "", options};

	opt = defaults;
	*o = (struct perf_options){.sizes = {{4096, 100}}, .nsizes = 1};
	o->ndevices = parse_line(&line, argc, argv, o->bdfs);
	o->nsid = (uint32_t)opt.nsid;
	o->rw = choice_name(mode_names, opt.mode);
	o->random = modes[opt.mode].random;
	o->reads = opt.mix == NOT_GIVEN ? modes[opt.mode].reads : (unsigned int)opt.mix;
	if (opt.bs != NOT_GIVEN)
		o->sizes[0].bytes = (uint32_t)opt.bs;
	if (opt.bssplit)
		bssplit(opt.bssplit, o);
	o->offset = opt.offset;
	o->area = opt.area;
	o->queue_depth = (uint32_t)opt.depth;
	o->lcores = (unsigned int)opt.lcores;
	o->rate = (double)opt.rate;
	o->seconds = how_long();
	o->count = opt.count;
	o->warmup = opt.warmup;
	o->seed_given = opt.seed != NOT_GIVEN;
	o->seed = o->seed_given ? opt.seed : 1;
	o->verify = opt.verify;
	o->json = opt.json;
	check_devices(o);
	check(o);
}

uint32_t perf_largest(const struct perf_options *o)
{
	uint32_t largest = 0;

	for (unsigned int i = 0; i < o->nsizes; i++)
		largest = o->sizes[i].bytes > largest ? o->sizes[i].bytes : largest;
	return largest;
}
