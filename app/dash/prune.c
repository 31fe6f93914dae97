/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage-dash prune: remove old runs, or one. */

#include <argp.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "options.h"
#include "store_write.h"

#define DAY 86400

struct options {
	const char *db;
	struct prune prune;
	bool yes, json;
};

static const char doc[] =
	"Remove runs, with all their results, from the store. It asks first; where it cannot, it "
	"wants --yes.\v"
	"Examples:\n"
	"  barrage-dash prune --older-than 730\n"
	"  barrage-dash prune --run 17 --yes";

static const struct argp_option options[] = {
	{"older-than", 'o', "DAYS", 0, "runs that were measured before", 0},
	{"run", 'r', "N", 0, "this run; barrage-dash list --runs tells the numbers", 0},
	{"yes", 'y', NULL, 0, "do not ask", 0},
	{"json", 'j', NULL, 0, "tell how many as JSON", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->db;
		return 0;
	case 'o':
		o->prune.before =
			time(NULL) - whole_number(state, "--older-than", arg, 0, 36500) * DAY;
		return 0;
	case 'r':
		o->prune.run = whole_number(state, "--run", arg, 1, INT64_MAX);
		return 0;
	case 'y':
		o->yes = true;
		return 0;
	case 'j':
		o->json = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "nothing is expected here: %s", arg);
		return 0;
	case ARGP_KEY_END:
		if (!o->prune.before && !o->prune.run)
			argp_error(state, "which runs? Say --older-than or --run");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static bool may(const struct options *o, int64_t runs, const char *name)
{
	char answer[8];

	if (o->yes)
		return true;
	if (!isatty(STDIN_FILENO)) {
		warnx("this would remove %lld runs from %s: --yes to do it", (long long)runs, name);
		return false;
	}
	fprintf(stderr, "Remove %lld runs from %s? [y/N] ", (long long)runs, name);
	return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

static int prune(struct store *store, const struct options *o)
{
	int64_t runs = store_count_doomed(store, &o->prune);

	if (runs < 0)
		return -1;
	if (runs == 0 && o->prune.run && !o->prune.before) {
		warnx("there is no run %lld in %s", (long long)o->prune.run, store_name(store));
		return -1;
	}
	if (runs > 0 && (!may(o, runs, store_name(store)) || store_prune(store, &o->prune)))
		return -1;
	if (o->json)
		return print_json(json_pack("{s:I}", "removed_runs", (json_int_t)runs));
	printf("%lld runs removed\n", (long long)runs);
	return 0;
}

int cmd_prune(int argc, char **argv)
{
	static const struct argp_child children[] = {{&db_argp, 0, NULL, 0}, {0}};
	static const struct argp argp = {options, parse, NULL, doc, children, NULL, NULL};
	struct options o = {0};
	struct store *store;
	int ret = -1;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	store = store_open(o.db, false);
	if (store)
		ret = prune(store, &o);
	store_close(store);
	return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}
