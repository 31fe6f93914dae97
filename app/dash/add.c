/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage-dash add: result files go into the store, each of them whole or not at all. */

#include <argp.h>
#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "ingest.h"
#include "options.h"
#include "progress.h"
#include "store_write.h"

struct add {
	const char *db;
	struct ingest_options ingest;
	char **files;
	int nfiles, done;
	bool json;
	json_t *told; /* an object for each file */
};

static const char doc[] =
	"Put result files into the store: Google Benchmark's JSON, of barrage-bench or any other "
	"program; what barrage-lab compare, matrix and cost write with --json, counts between the "
	"markers of a program among it; and what barrage perf --json prints. A file that is there "
	"already changes nothing; one with a mistake in it is refused whole.\v"
	"Example:\n"
	"  barrage-dash add --commit $(git rev-parse HEAD) result.json";

static const struct argp_option options[] = {
	{"commit", 'c', "HASH", 0, "what was measured is of this commit", 0},
	{"machine", 'm', "CLASS", 0,
	 "machine class (default: CPU model or host name, CPUs and accelerator); results of "
	 "different classes are never compared",
	 0},
	{"json", 'j', NULL, 0, "tell what became of each file as JSON", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct add *a = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &a->db;
		return 0;
	case 'c':
		a->ingest.commit = arg;
		return 0;
	case 'm':
		a->ingest.machine = arg;
		return 0;
	case 'j':
		a->json = true;
		return 0;
	case ARGP_KEY_ARGS:
		a->files = state->argv + state->next;
		a->nfiles = state->argc - state->next;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which files? Name one or more results");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void tell(struct add *a, const char *path, const struct batch *b, int added)
{
	if (a->json)
		json_array_append_new(a->told, json_pack("{s:s, s:s, s:b, s:s, s:i}", "file", path,
							 "hash", b->hash, "added", added > 0,
							 "format", b->format, "results", added));
	else if (added)
		printf("%s: %d results added\n", path, added);
	else
		printf("%s is there already\n", path);
}

static int add_file(struct add *a, struct store *store, const char *path)
{
	struct batch batch = {0};
	int ret = ingest_file(path, &a->ingest, &batch);

	if (ret == 0) {
		progress("%d of %d: %s", a->done + 1, a->nfiles, path);
		ret = store_add(store, &batch);
		progress_clear();
	}
	if (ret >= 0)
		tell(a, path, &batch, ret);
	batch_free(&batch);
	return ret < 0 ? -1 : 0;
}

int cmd_add(int argc, char **argv)
{
	static const struct argp_child children[] = {{&db_argp, 0, NULL, 0}, {0}};
	static const struct argp argp = {options, parse, "FILE...", doc, children, NULL, NULL};
	struct add a = {.told = json_array()};
	struct store *store;
	int failed = 0;

	argp_parse(&argp, argc, argv, 0, NULL, &a);
	store = store_open(a.db, true);
	if (!store) {
		json_decref(a.told);
		return EXIT_FAILURE;
	}
	for (; a.done < a.nfiles; a.done++)
		failed += add_file(&a, store, a.files[a.done]) < 0;
	store_close(store);
	if (a.json)
		print_json(a.told);
	else
		json_decref(a.told);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
