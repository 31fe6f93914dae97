/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage-lab compare: the same trials under two fault handlers, as a table, a verdict and JSON. */

#include <argp.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accel.h"
#include "arms.h"
#include "commands.h"
#include "host.h"
#include "text.h"
#include "trials.h"

enum {
	BEFORE,
	AFTER,
	SIDES
};
#define ARMS (SIDES * SHARINGS)

struct compare {
	const char *sides[SIDES]; /* handlers, or kernels with the handler they have */
	struct guest guests[SIDES];
	struct trials trials;
	const char *json, *plot;
	unsigned int lcores, ntrials;
	struct arm arms[ARMS];
};

static const char doc[] =
	"Run the same trials under two fault handlers of vfio-pci, in guests. A trial maps a BAR "
	"afresh, lets every lcore make its first access at once, and unmaps; then random reads are "
	"done on such a mapping. A kernel that crashes is a result; the next guest goes on where "
	"it was.\v"
	"Example:\n"
	"  barrage-lab compare --before unfixed --after fixed --lcores 2 --json result.json";

enum {
	OPT_BEFORE = 256,
	OPT_AFTER,
	OPT_TRIALS,
	OPT_MAX_BUGS,
	OPT_JSON,
	OPT_PLOT,
	OPT_BENCH
};

static const struct argp_option options[] = {
	{"before", OPT_BEFORE, "WHAT", 0,
	 "the first: a handler, or a kernel with the handler it has, as debian:6.12 or ./linux "
	 "(default unfixed)",
	 0},
	{"after", OPT_AFTER, "WHAT", 0, "the second (default fixed)", 0},
	{"lcores", 'l', "N", 0, "lcores, and CPUs of the guest (default 2)", 0},
	{"trials", OPT_TRIALS, "N", 0, "trials of each arm (default 50)", 0},
	{"max-bugs", OPT_MAX_BUGS, "N", 0, "crashes or hangs after which an arm stops (default 3)",
	 0},
	{"json", OPT_JSON, "FILE", 0, "write the result there, and the raw trials to FILE.trials",
	 0},
	{"plot", OPT_PLOT, "FILE", 0, "draw the latencies' distribution, as SVG (gnuplot)", 0},
	{"bench", OPT_BENCH, "PROGRAM", 0, "the barrage-bench to run (default: the one beside)", 0},
	{"verbose", 'v', NULL, 0, "show the guests' consoles and what the bench prints", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct compare *c = state->input;

	switch (key) {
	case OPT_BEFORE:
		c->sides[BEFORE] = arg;
		break;
	case OPT_AFTER:
		c->sides[AFTER] = arg;
		break;
	case 'l':
		c->lcores = number_option("--lcores", arg, 2, 64);
		break;
	case OPT_TRIALS:
		c->ntrials = number_option("--trials", arg, 1, 1000000);
		break;
	case OPT_MAX_BUGS:
		c->trials.max_bugs = number_option("--max-bugs", arg, 1, 1000);
		break;
	case OPT_JSON:
		c->json = arg;
		break;
	case OPT_PLOT:
		c->plot = arg;
		break;
	case OPT_BENCH:
		c->trials.bench = arg;
		break;
	case 'v':
		c->trials.verbose = true;
		break;
	case ARGP_KEY_ARG:
		argp_error(state, "nothing is expected here: %s", arg);
		break;
	case ARGP_KEY_END:
		if (!strcmp(c->sides[BEFORE], c->sides[AFTER]))
			argp_error(state, "--before and --after are the same: %s",
				   c->sides[BEFORE]);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static int run_side(struct compare *c, int side)
{
	struct arm *arms = c->arms + side * SHARINGS;

	arms_init(arms, c->sides[side], kernel_title(&c->guests[side].kernel), c->lcores,
		  c->ntrials, true);
	return trials_run(&c->trials, &c->guests[side], arms, SHARINGS);
}

static int write_json(struct compare *c)
{
	json_t *result = json_pack("{s:s, s:o, s:o}", "schema", "barrage-compare/1", "host",
				   host_json(accel_name(c->trials.kvm)), "arms",
				   arms_to_json(c->arms, ARMS));
	int ret = json_dump_file(result, c->json, JSON_INDENT(2));

	if (ret)
		warn("%s", c->json);
	json_decref(result);
	return ret;
}

/* Opened before the work, so that a path that cannot be written is known then. */
static bool open_raw(struct compare *c)
{
	char *path;

	if (!c->json)
		return true;
	path = format("%s.trials", c->json);
	c->trials.raw = fopen(path, "we");
	if (!c->trials.raw)
		warn("%s", path);
	free(path);
	return c->trials.raw;
}

static void report(struct compare *c)
{
	char *verdict = arms_verdict(c->arms, ARMS, c->sides[BEFORE], c->sides[AFTER]);

	arms_print(c->arms, ARMS, stdout);
	printf("\n%s\n", verdict);
	free(verdict);
}

int cmd_compare(int argc, char **argv)
{
	static const struct argp argp = {options, parse, NULL, doc, NULL, NULL, NULL};
	struct compare c = {
		.sides = {"unfixed", "fixed"},
		.trials.max_bugs = 3,
		.lcores = 2,
		.ntrials = 50,
	};
	char *bench = NULL;
	bool ok;

	argp_parse(&argp, argc, argv, 0, NULL, &c);
	if (!c.trials.bench)
		c.trials.bench = bench = host_program("barrage-bench");
	ok = guest_prepare_named(&c.guests[BEFORE], c.sides[BEFORE]) == 0 &&
	     guest_prepare_named(&c.guests[AFTER], c.sides[AFTER]) == 0 && open_raw(&c);
	if (ok) {
		c.trials.kvm = accel_kvm(&c.guests[BEFORE].kernel, NULL);
		ok = run_side(&c, BEFORE) == 0 && run_side(&c, AFTER) == 0;
	}
	if (ok) {
		report(&c);
		ok = (!c.json || write_json(&c) == 0) &&
		     (!c.plot || arms_draw(c.arms, ARMS, c.plot) == 0);
	}
	for (int i = 0; i < ARMS; i++)
		arm_free(&c.arms[i]);
	for (int i = 0; i < SIDES; i++)
		guest_free(&c.guests[i]);
	if (c.trials.raw)
		fclose(c.trials.raw);
	free(bench);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
