/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line of barrage perf. */

#include <argp.h>
#include <ctype.h>
#include <errno.h>
#include <rte_config.h>
#include <stdlib.h>
#include <string.h>

#include "perf.h"

enum {
	OPT_MIX = 256,
	OPT_BS,
	OPT_BSSPLIT,
	OPT_QD,
	OPT_LCORES,
	OPT_TIME,
	OPT_COUNT,
	OPT_WARMUP,
	OPT_RATE,
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

static const struct argp_option options[] = {
	{"rw", 'r', "MODE", 0, "read, write, randread (default), randwrite, rw or randrw", 1},
	{"mix", OPT_MIX, "PERCENT", 0, "reads among the commands of rw and randrw (default 50)", 1},
	{"bs", OPT_BS, "BYTES", 0, "what one command carries (default 4k)", 1},
	{"bssplit", OPT_BSSPLIT, "SIZES", 0, "several, each with its percentage: 4k/60:64k/40", 1},
	{"write-destroys-data", OPT_DESTROY, NULL, 0, "needed by every mode that writes", 1},
	{"namespace-id", 'n', "NSID", 0, "of each device (default: its first)", 2},
	{"offset", OPT_OFFSET, "BYTES", 0, "where to begin in the namespace (default 0)", 2},
	{"size", OPT_SIZE, "BYTES", 0, "how much of it to use (default: up to its end)", 2},
	{"qd", 'q', "N", 0, "commands in flight, per lcore and device (default 32)", 3},
	{"lcores", 'l', "N", 0, "how many drive each device (default 1)", 3},
	{"rate", OPT_RATE, "N", 0, "most commands per second and device (default: no limit)", 3},
	{"time", 't', "SECONDS", 0, "how long to measure (default 10, or until --count)", 4},
	{"count", 'c', "N", 0, "commands to measure, per device", 4},
	{"warmup", OPT_WARMUP, "SECONDS", 0, "what to do before that, unmeasured (default 0)", 4},
	{"verify", OPT_VERIFY, NULL, 0,
	 "seal each block written with a checksum, and check each block read, which must have been "
	 "written so",
	 5},
	{"seed", OPT_SEED, "N", 0,
	 "for what is random (default 1); given, blocks sealed with another one are errors, too",
	 5},
	{"json", 'j', NULL, 0, "print JSON", 6},
	{0},
};

struct parsing {
	struct perf_options *options;
	unsigned int mix;
	bool destroy, mix_given, bs_given, bssplit_given;
};

static uint64_t number(struct argp_state *state, const char *option, const char *text, uint64_t min,
		       uint64_t max)
{
	uint64_t value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (!isdigit((unsigned char)*text) || *end || errno || value < min || value > max)
		argp_error(state, "--%s %s: it takes a number from %lu to %lu", option, text, min,
			   max);
	return value;
}

static double real(struct argp_state *state, const char *option, const char *text, double max)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value >= 0 && value <= max))
		argp_error(state, "--%s %s: it takes a number from 0 to %.0f", option, text, max);
	return value;
}

/* "4096", "4k", "4KiB"; ends where the size does. */
static bool parse_size(const char *text, char **end, uint64_t *bytes)
{
	static const char suffixes[] = "kmgt";
	const char *suffix;

	errno = 0;
	*bytes = strtoull(text, end, 0);
	if (!isdigit((unsigned char)*text) || errno)
		return false;
	suffix = **end ? strchr(suffixes, tolower((unsigned char)**end)) : NULL;
	if (suffix) {
		unsigned int shift = 10 * (unsigned int)(suffix - suffixes + 1);

		if (*bytes > UINT64_MAX >> shift)
			return false;
		*bytes <<= shift;
		*end += !strncasecmp(*end + 1, "ib", 2) ? 3 : 1;
	}
	return true;
}

static uint64_t size_option(struct argp_state *state, const char *option, const char *text,
			    uint64_t min, uint64_t max)
{
	uint64_t bytes;
	char *end;

	if (!parse_size(text, &end, &bytes) || *end || bytes < min || bytes > max)
		argp_error(state, "--%s %s: it takes bytes from %lu to %lu, as 4096 or 4k", option,
			   text, min, max);
	return bytes;
}

#define LEAST_BS 512
#define MOST_BS	 (1u << 24)

static void bssplit(struct argp_state *state, const char *all, struct perf_options *o)
{
	const char *text = all;
	unsigned int below = 0;

	o->nsizes = 0;
	do {
		unsigned long percent;
		uint64_t bytes;
		char *end;

		if (!parse_size(text, &end, &bytes) || *end != '/' || bytes < LEAST_BS ||
		    bytes > MOST_BS || !isdigit((unsigned char)end[1]))
			argp_error(state,
				   "--bssplit %s: \"%s\" does not begin with a size and its "
				   "percentage, as 4k/60",
				   all, text);
		percent = strtoul(end + 1, &end, 10);
		if (percent < 1 || percent > 100 || (*end && *end != ':'))
			argp_error(state, "--bssplit %s: \"%s\" has no percentage from 1 to 100",
				   all, text);
		if (o->nsizes == PERF_MOST_SIZES)
			argp_error(state, "--bssplit %s: %d sizes at most", all, PERF_MOST_SIZES);
		below += (unsigned int)percent;
		o->sizes[o->nsizes++] = (struct perf_size){(uint32_t)bytes, below};
		text = *end ? end + 1 : NULL;
	} while (text);
	if (below != 100)
		argp_error(state, "--bssplit %s: the percentages add up to %u, not 100", all,
			   below);
}

static void mode(struct argp_state *state, const char *name, struct perf_options *o)
{
	static const struct {
		const char *name;
		bool random;
		unsigned int reads;
	} modes[] = {
		{"read", false, 100},	 {"write", false, 0},	 {"rw", false, 50},
		{"randread", true, 100}, {"randwrite", true, 0}, {"randrw", true, 50},
	};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(name, modes[i].name) != 0)
			continue;
		o->rw = modes[i].name;
		o->random = modes[i].random;
		o->reads = modes[i].reads;
		return;
	}
	argp_error(state, "--rw %s: it takes read, write, randread, randwrite, rw or randrw", name);
}

static void add_device(struct argp_state *state, char *bdf, struct perf_options *o)
{
	for (unsigned int i = 0; i < o->ndevices; i++)
		if (!strcmp(bdf, o->bdfs[i]))
			argp_error(state, "%s is named twice", bdf);
	if (o->ndevices == PERF_MOST_DEVICES)
		argp_error(state, "%d devices at most", PERF_MOST_DEVICES);
	o->bdfs[o->ndevices++] = bdf;
}

/* What fits together only when all of it is known. */
static void finish(struct argp_state *state, struct parsing *p)
{
	struct perf_options *o = p->options;

	if (!o->ndevices)
		argp_error(state, "which device? Name one or more as 0000:00:04.0; barrage list "
				  "shows them");
	if (p->bs_given && p->bssplit_given)
		argp_error(state, "--bs and --bssplit exclude each other");
	if (p->mix_given && strcmp(o->rw, "rw") != 0 && strcmp(o->rw, "randrw") != 0)
		argp_error(state, "--mix is for --rw rw and --rw randrw, not for %s", o->rw);
	if (p->mix_given)
		o->reads = p->mix;
	if (o->reads < 100 && !p->destroy)
		argp_error(state,
			   "--rw %s overwrites what is on %s%s: add --write-destroys-data if that "
			   "is meant",
			   o->rw, o->bdfs[0], o->ndevices > 1 ? " and the other devices" : "");
	if (!o->seconds && !o->count)
		o->seconds = 10;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct parsing *p = state->input;
	struct perf_options *o = p->options;

	switch (key) {
	case 'r':
		mode(state, arg, o);
		break;
	case OPT_MIX:
		p->mix = (unsigned int)number(state, "mix", arg, 0, 100);
		p->mix_given = true;
		break;
	case OPT_BS:
		o->sizes[0].bytes = (uint32_t)size_option(state, "bs", arg, LEAST_BS, MOST_BS);
		p->bs_given = true;
		break;
	case OPT_BSSPLIT:
		bssplit(state, arg, o);
		p->bssplit_given = true;
		break;
	case OPT_DESTROY:
		p->destroy = true;
		break;
	case 'n':
		o->nsid = (uint32_t)number(state, "namespace-id", arg, 1, 0xfffffffe);
		break;
	case OPT_OFFSET:
		o->offset = size_option(state, "offset", arg, 0, INT64_MAX);
		break;
	case OPT_SIZE:
		o->area = size_option(state, "size", arg, LEAST_BS, INT64_MAX);
		break;
	case 'q':
		o->queue_depth = (uint32_t)number(state, "qd", arg, 1, UINT16_MAX - 1);
		break;
	case 'l':
		o->lcores = (unsigned int)number(state, "lcores", arg, 1, RTE_MAX_LCORE);
		break;
	case OPT_RATE:
		o->rate = (double)number(state, "rate", arg, 1, 1000000000);
		break;
	case 't':
		o->seconds = real(state, "time", arg, 86400 * 365);
		if (!o->seconds)
			argp_error(state, "--time %s: that is no time at all", arg);
		break;
	case 'c':
		o->count = number(state, "count", arg, 1, INT64_MAX);
		break;
	case OPT_WARMUP:
		o->warmup = real(state, "warmup", arg, 86400);
		break;
	case OPT_VERIFY:
		o->verify = true;
		break;
	case OPT_SEED:
		o->seed = number(state, "seed", arg, 0, INT64_MAX);
		o->seed_given = true;
		break;
	case 'j':
		o->json = true;
		break;
	case ARGP_KEY_ARG:
		add_device(state, arg, o);
		break;
	case ARGP_KEY_END:
		finish(state, p);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

void perf_parse(struct perf_options *o, int argc, char **argv)
{
	static const struct argp argp = {options, parse, "BDF...", doc, NULL, NULL, NULL};
	struct parsing p = {.options = o};

	*o = (struct perf_options){
		.rw = "randread",
		.random = true,
		.reads = 100,
		.sizes = {{4096, 100}},
		.nsizes = 1,
		.queue_depth = 32,
		.lcores = 1,
		.seed = 1,
	};
	argp_parse(&argp, argc, argv, 0, NULL, &p);
}

uint32_t perf_largest(const struct perf_options *o)
{
	uint32_t largest = 0;

	for (unsigned int i = 0; i < o->nsizes; i++)
		largest = o->sizes[i].bytes > largest ? o->sizes[i].bytes : largest;
	return largest;
}
