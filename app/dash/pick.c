/* SPDX-License-Identifier: BSD-3-Clause */
/* What the user calls results by: a run's number, a file, a commit, a Git revision. */

#include <ctype.h>
#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ingest.h"
#include "pick.h"
#include "process.h"
#include "text.h"

/* How far back of a revision results are looked for. */
#define MOST_ANCESTORS "1000"

static void take_run(struct pick *pick, int64_t run)
{
	pick->which.run = run;
	pick->name = format("run %lld", (long long)run);
}

static void take_commit(struct pick *pick, const char *commit)
{
	pick->which.commit = format("%s", commit);
	pick->name = format("commit %.12s", commit);
}

static bool find_run(struct store *store, const char *what, struct pick *pick)
{
	struct cursor *runs;
	struct run run;
	char *end;
	long long number = strtoll(what, &end, 10);

	if (!*what || *end || number <= 0)
		return false;
	runs = store_runs(store, &(struct store_filter){.run = number});
	if (runs && run_next(runs, &run) > 0)
		take_run(pick, run.id);
	cursor_end(runs);
	return pick->name;
}

/* 1 when it is a file that was added, 0 when it is no file, -1 after a message. */
static int find_file(struct store *store, const char *what, struct pick *pick)
{
	struct cursor *runs;
	struct run run;
	char hash[65];

	if (access(what, R_OK) < 0)
		return 0;
	if (ingest_hash(what, hash) < 0)
		return -1;
	runs = store_runs(store, &(struct store_filter){.hash = hash});
	if (runs && run_next(runs, &run) > 0)
		take_run(pick, run.id);
	cursor_end(runs);
	if (pick->name)
		return 1;
	warnx("%s is not in %s: barrage-dash add puts it there", what, store_name(store));
	return -1;
}

static bool is_hex(const char *text)
{
	return strlen(text) >= 4 && strspn(text, "0123456789abcdef") == strlen(text);
}

/* A commit that has results and begins so: 1, 0 when there is none, -1 when there are several. */
static int find_commit(struct store *store, const char *start, struct pick *pick)
{
	struct cursor *commits = store_commits(store, start);
	const char *commit;
	int got = commits ? commit_next(commits, &commit) : -1;

	if (got > 0) {
		take_commit(pick, commit);
		if (commit_next(commits, &commit) > 0) {
			warnx("\"%s\" begins more than one commit: %s and %s", start,
			      pick->which.commit, commit);
			got = -1;
		}
	}
	cursor_end(commits);
	return got;
}

/* All commits, each within spaces. */
static char *all_commits(struct store *store)
{
	struct cursor *commits = store_commits(store, "");
	char *list = NULL;
	size_t size;
	FILE *out = open_memstream(&list, &size);
	const char *commit;

	if (!out)
		err(1, NULL);
	while (commits && commit_next(commits, &commit) > 0)
		fprintf(out, " %s ", commit);
	cursor_end(commits);
	if (fclose(out))
		err(1, NULL);
	return list;
}

/* 1 when Git knows it and it or an ancestor has results, 0 when Git does not, -1 after a message.
 */
static int find_revision(struct store *store, const char *what, struct pick *pick)
{
	char *spec = format("%s^{commit}", what);
	char *const argv[] = {
		"git", "rev-list", "--max-count=" MOST_ANCESTORS, "--end-of-options", spec,
		"--",  NULL};
	char *ancestors = process_output(argv), *commits, *rest = ancestors, *hash;

	free(spec);
	if (!ancestors)
		return 0;
	commits = all_commits(store);
	while (!pick->name && (hash = strsep(&rest, "\n")) && *hash) {
		char *word = format(" %s ", hash);

		if (strstr(commits, word))
			take_commit(pick, hash);
		free(word);
	}
	free(commits);
	free(ancestors);
	if (pick->name)
		return 1;
	warnx("neither %s nor one of its " MOST_ANCESTORS " ancestors has results in %s", what,
	      store_name(store));
	return -1;
}

int pick_named(struct store *store, const char *what, struct pick *pick)
{
	int ret;

	if (find_run(store, what, pick))
		return 0;
	ret = find_file(store, what, pick);
	if (ret == 0 && is_hex(what))
		ret = find_commit(store, what, pick);
	if (ret == 0)
		ret = find_revision(store, what, pick);
	if (ret == 0)
		warnx("\"%s\" is no run, no file, no commit with results and no Git revision here; "
		      "barrage-dash list --runs shows the runs",
		      what);
	return ret > 0 ? 0 : -1;
}

int pick_newest(struct store *store, const struct store_filter *filter, struct pick *pick)
{
	struct cursor *newest = store_newest_run(store, filter);
	struct run run;
	int got = newest ? run_next(newest, &run) : -1;

	if (got > 0 && run.commit[0])
		take_commit(pick, run.commit);
	else if (got > 0)
		take_run(pick, run.id);
	cursor_end(newest);
	if (got == 0)
		warnx("no results in %s match", store_name(store));
	return got > 0 ? 0 : -1;
}

struct pick pick_around(const struct result *result)
{
	struct pick pick = {0};

	if (result->commit[0])
		take_commit(&pick, result->commit);
	else
		take_run(&pick, result->run);
	return pick;
}

bool pick_has(const struct pick *pick, const struct result *result)
{
	const struct store_part *which = &pick->which;

	return which->commit ? !strcmp(result->commit, which->commit) : result->run == which->run;
}

bool pick_same(const struct pick *one, const struct pick *other)
{
	const struct store_part *a = &one->which, *b = &other->which;

	return a->commit && b->commit ? !strcmp(a->commit, b->commit) : a->run && a->run == b->run;
}

void pick_free(struct pick *pick)
{
	free((char *)(uintptr_t)pick->which.commit);
	free(pick->name);
}
