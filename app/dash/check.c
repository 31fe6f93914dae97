/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage-dash check: what got better or worse, for people and for a CI job. */

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "commands.h"
#include "comparison.h"
#include "options.h"

/* Not the status of a regression, which a CI job must be able to tell from a mistake. */
#define COULD_NOT_CHECK CLI_USAGE

struct check {
	const char *db;
	struct comparison_options options;
	bool all, json, markdown;
};

static const char doc[] =
	"Tell what got better or worse in the newest results (all runs of the newest one's commit) "
	"against those before them, or against others. A difference is told when it is "
	"significant, with the false alarms among all metrics kept to 5 %, and larger than "
	"--min-effect; of exact counts any is told. The exit status is 1 when anything got worse, "
	"unless that was triaged as known or wanted, and 2 when nothing could be compared.\v"
	"WHAT is the number of a run, a result file that was added, a commit, or a Git revision: "
	"of that, the nearest ancestor with results.\n\n"
	"Examples:\n"
	"  barrage-dash check\n"
	"  barrage-dash check --against main~20 --markdown";

enum {
	OPT_MIN_EFFECT = 256,
	OPT_OF
};

static const struct argp_option options[] = {
	{"against", 'a', "WHAT", 0, "the older results (default: those before, in each series)", 0},
	{"of", OPT_OF, "WHAT", 0, "the newer results (default: the newest that match)", 0},
	{"min-effect", OPT_MIN_EFFECT, "PERCENT", 0,
	 "smaller differences do not matter (default 2)", 0},
	{"all", 'A', NULL, 0, "also tell what stayed as it was", 0},
	{"markdown", 'm', NULL, 0, "as Markdown, for a pull request", 0},
	{"json", 'j', NULL, 0, "as JSON", 0},
	{0},
};

static double percent(struct argp_state *state, const char *text)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value >= 0 && value <= 1000))
		argp_error(state, "--min-effect %s: it takes a percentage from 0 to 1000", text);
	return value / 100;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct check *c = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &c->db;
		state->child_inputs[1] = &c->options.filter;
		return 0;
	case 'a':
		c->options.against = arg;
		return 0;
	case OPT_OF:
		c->options.of = arg;
		return 0;
	case OPT_MIN_EFFECT:
		c->options.policy.min_effect = percent(state, arg);
		return 0;
	case 'A':
		c->all = true;
		return 0;
	case 'm':
		c->markdown = true;
		return 0;
	case 'j':
		c->json = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "nothing is expected here: %s", arg);
		return 0;
	case ARGP_KEY_END:
		if (c->json && c->markdown)
			argp_error(state, "--json and --markdown exclude each other");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void show(const struct check *c, const struct comparison *comparison)
{
	if (c->json)
		comparison_print_json(comparison);
	else if (c->markdown)
		comparison_print_markdown(comparison, c->all, stdout);
	else
		comparison_print(comparison, c->all, stdout);
}

int cmd_check(int argc, char **argv)
{
	static const struct argp_child children[] = {
		{&db_argp, 0, NULL, 0}, {&filter_argp, 0, NULL, 0}, {0}};
	static const struct argp argp = {options, parse, NULL, doc, children, NULL, NULL};
	struct check c = {.options.policy = STATS_POLICY_DEFAULT};
	struct comparison comparison = {0};
	struct store *store;
	int status = COULD_NOT_CHECK;

	argp_parse(&argp, argc, argv, 0, NULL, &c);
	store = store_open(c.db, false);
	if (store && comparison_make(store, &c.options, &comparison) == 0) {
		show(&c, &comparison);
		status = comparison.regressions ? EXIT_FAILURE : EXIT_SUCCESS;
	}
	comparison_free(&comparison);
	store_close(store);
	return status;
}
