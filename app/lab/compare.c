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
#include "report.h"
#include "trials.h"

enum {
	BEFORE,
	AFTER,
	SIDES
};
#define ARMS (SIDES * SHARINGS) /* one policy: the kernel's own way */

struct compare {
	const char *sides[SIDES]; /* handlers, or kernels with the handler they have */
	struct guest guests[SIDES];
	struct trials trials;
	struct report report;
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
	OPT_FAIL_AFTER,
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
	{"fail-after", OPT_FAIL_AFTER, "PAGES", 0,
	 "the first fill of every trial fails after so many pages, and the access is made again "
	 "(handlers only)",
	 0},
	{"bench", OPT_BENCH, "PROGRAM", 0, "the barrage-bench to run (default: the one beside)", 0},
	{"verbose", 'v', NULL, 0, "show the guests' consoles and what the bench prints", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct compare *c = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &c->report;
		state->child_inputs[1] = &c->trials.qemu;
		break;
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
	case OPT_FAIL_AFTER:
		c->trials.fail_after = number_option("--fail-after", arg, 1, FAIL_AFTER_MOST);
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
	static const char *const lazy[] = {"lazy", NULL};
	const struct guest *guest = &c->guests[side];
	struct arm *arms = c->arms + side * SHARINGS;
	struct arm like = {
		.handler = c->sides[side],
		.kernel = kernel_title(&guest->kernel),
		.lcores = c->lcores,
		.left = c->ntrials,
		.fail_after = c->trials.fail_after,
	};

	return trials_run(&c->trials, guest, arms,
			  arms_init(arms, &like, lazy, !c->trials.fail_after));
}

static int run(struct compare *c)
{
	bool failing = c->trials.fail_after;

	if (emulator_get(&c->trials.qemu) < 0 ||
	    guest_prepare_named(&c->guests[BEFORE], c->sides[BEFORE], failing) < 0 ||
	    guest_prepare_named(&c->guests[AFTER], c->sides[AFTER], failing) < 0)
		return -1;
	c->trials.kvm = accel_kvm(&c->guests[BEFORE].kernel, &c->trials.qemu, NULL);
	return run_side(c, BEFORE) < 0 ? -1 : run_side(c, AFTER);
}

static void print(const void *arg, FILE *out)
{
	const struct compare *c = arg;
	char *verdict = arms_verdict(c->arms, ARMS, c->sides[BEFORE], c->sides[AFTER]);

	arms_print(c->arms, ARMS, out);
	fprintf(out, "\n%s\n", verdict);
	free(verdict);
}

static int draw(const void *arg, const char *path)
{
	const struct compare *c = arg;

	return arms_draw(c->arms, ARMS, path);
}

static int report(const struct compare *c)
{
	json_t *result = json_pack("{s:s, s:o, s:o}", "schema", "barrage-compare/1", "host",
				   host_json(accel_name(c->trials.kvm), &c->trials.qemu), "arms",
				   arms_to_json(c->arms, ARMS));

	return report_write(&c->report, result, print, draw, c);
}

int cmd_compare(int argc, char **argv)
{
	static const struct argp_child children[] = {
		{&report_argp, 0, NULL, 0}, {&emulator_argp, 0, NULL, 0}, {0}};
	static const struct argp argp = {options, parse, NULL, doc, children, NULL, NULL};
	struct compare c = {
		.sides = {"unfixed", "fixed"},
		.report.command = "compare",
		.trials.max_bugs = 3,
		.lcores = 2,
		.ntrials = 50,
	};
	char *bench = NULL;
	int ret;

	argp_parse(&argp, argc, argv, 0, NULL, &c);
	if (!c.trials.bench)
		c.trials.bench = bench = host_program("barrage-bench");
	ret = report_open(&c.report);
	c.trials.report = &c.report;
	if (ret == 0)
		ret = run(&c);
	if (ret == 0)
		ret = report(&c);
	report_close(&c.report);
	for (int i = 0; i < ARMS; i++)
		arm_free(&c.arms[i]);
	for (int i = 0; i < SIDES; i++)
		guest_free(&c.guests[i]);
	emulator_free(&c.trials.qemu);
	free(bench);
	return ret == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
