/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage-dash report: all results on one page, which needs neither a server nor a network. */

#include <argp.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "folder.h"
#include "options.h"
#include "page.h"
#include "progress.h"
#include "text.h"
#include "track.h"

struct report {
	struct reader reader;
	const char *folder;
	bool json;
};

static const char doc[] =
	"Write a page that shows all results: what changed, each series with its changes and its "
	"noise, and fault handlers and kernels next to each other. It is one file, index.html, "
	"that "
	"any browser opens from the disk; nothing is loaded from a network.\v"
	"Example:\n"
	"  barrage-dash report -o report && xdg-open report/index.html";

static const struct argp_option options[] = {
	{"output", 'o', "DIR", 0, "where the page goes (default: report)", 0},
	{"json", 'j', NULL, 0, "tell as JSON what was written", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct report *r = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &r->reader;
		return 0;
	case 'o':
		r->folder = arg;
		return 0;
	case 'j':
		r->json = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* What is told of a series at the end, when all have been judged together. */
struct entry {
	char *summary; /* members of its JSON object */
	struct track_latest latest;
	bool has_latest;
};

/* The page that is being written. */
struct writing {
	struct store *store;
	const struct store_filter *filter;
	FILE *out;
	struct entry *entries;
	size_t n, results;
	struct kernels kernels;
	struct triages triages;
};

static void grow_entries(struct writing *w)
{
	if (w->n & (w->n - 1)) /* room is a power of two */
		return;
	w->entries = reallocarray(w->entries, w->n ? 2 * w->n : 1, sizeof(*w->entries));
	if (!w->entries)
		err(EXIT_FAILURE, "%zu series", w->n);
}

/* Write the values of a series, and keep what is to be said of it. */
static void put_series(struct writing *w, const struct series *series, const struct track *track)
{
	struct entry *entry;
	size_t size;
	char id[24];
	FILE *summary;

	grow_entries(w);
	entry = &w->entries[w->n++];
	snprintf(id, sizeof(id), "s%lld", (long long)series->id);
	page_data_begin(w->out, id);
	track_put_values(track, w->out);
	page_data_end(w->out);

	summary = open_memstream(&entry->summary, &size);
	if (!summary)
		err(EXIT_FAILURE, NULL);
	track_put_summary(track, series, &w->triages, summary);
	fclose(summary);
	entry->has_latest = track_latest(track, series, &w->kernels, &w->triages, &entry->latest);
	w->results += track_results(track);
}

/* Results come by series, as the series do. */
static int put_all_series(struct writing *w)
{
	struct cursor *all = store_series(w->store, w->filter);
	struct cursor *results = all ? store_results(w->store, w->filter) : NULL;
	struct track *track = track_new();
	struct series series;
	struct result result;
	int got = -1, more = results ? result_next(results, &result) : -1;

	while (more >= 0 && (got = series_next(all, &series)) > 0) {
		track_clear(track);
		while (more > 0 && result.series < series.id)
			more = result_next(results, &result);
		while (more > 0 && result.series == series.id) {
			track_add(track, &result, &w->kernels);
			more = result_next(results, &result);
		}
		if (more >= 0 && track_results(track) > 0)
			put_series(w, &series, track);
		progress("%zu series, %zu results", w->n, w->results);
	}
	progress_clear();
	track_free(track);
	cursor_end(results);
	cursor_end(all);
	return more < 0 ? -1 : got;
}

static int put_runs(struct writing *w)
{
	struct cursor *runs = store_runs(w->store, w->filter);
	const char *comma = "";
	struct run run;
	int got = -1;

	page_data_begin(w->out, "runs");
	fputc('{', w->out);
	while (runs && (got = run_next(runs, &run)) > 0) {
		fprintf(w->out, "%s\"%lld\":{\"commit\":", comma, (long long)run.id);
		put_text(w->out, run.commit);
		fputs(",\"machine\":", w->out);
		put_text(w->out, run.machine);
		fputs(",\"format\":", w->out);
		put_text(w->out, run.format);
		fputs(",\"hash\":", w->out);
		put_text(w->out, run.hash);
		fputs(",\"provenance\":", w->out);
		put_json(w->out, run.provenance);
		fputc('}', w->out);
		comma = ",\n";
	}
	fputc('}', w->out);
	page_data_end(w->out);
	cursor_end(runs);
	return got;
}

/* All of them together. */
static void judge(struct writing *w)
{
	struct outcome **all = calloc(w->n + 1, sizeof(struct outcome *));
	size_t n = 0;

	if (!all)
		err(EXIT_FAILURE, NULL);
	for (size_t i = 0; i < w->n; i++)
		if (w->entries[i].has_latest)
			all[n++] = &w->entries[i].latest.outcome;
	outcomes_judge(all, n, &STATS_POLICY_DEFAULT);
	free(all);
}

static void put_latest(const struct track_latest *latest, FILE *out)
{
	const struct outcome *o = &latest->outcome;
	const struct stats_difference *d = &o->difference;
	const double numbers[] = {d->before, d->after, d->ratio, o->ratio.low, o->ratio.high, d->q};

	fprintf(out, ",\"latest\":{\"at\":%zu,\"verdict\":\"%s\",\"triage\":", latest->at,
		outcome_verdict(o));
	put_text(out, o->triage);
	fputs(",\"numbers\":[", out);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		fputs(i ? "," : "", out);
		put_number(out, numbers[i]);
	}
	fputs("]}", out);
}

/* What the page reads first: all that its tables show. */
static void put_index(struct writing *w)
{
	judge(w);
	page_data_begin(w->out, "index");
	fprintf(w->out, "{\"written\":%lld,\"results\":%zu,\"version\":\"%s\",\"store\":",
		(long long)time(NULL), w->results, BRG_VERSION);
	put_text(w->out, store_name(w->store));
	fputs(",\"db\":", w->out);
	put_text(w->out, store_url(w->store));
	fputs(",\"kernels\":[", w->out);
	for (size_t i = 0; i < w->kernels.n; i++) {
		fputs(i ? "," : "", w->out);
		put_text(w->out, w->kernels.names[i]);
	}
	fputs("],\"series\":[", w->out);
	for (size_t i = 0; i < w->n; i++) {
		fprintf(w->out, "%s{%s", i ? ",\n" : "", w->entries[i].summary);
		if (w->entries[i].has_latest)
			put_latest(&w->entries[i].latest, w->out);
		fputc('}', w->out);
	}
	fputs("]}", w->out);
	page_data_end(w->out);
}

static int put_page(struct writing *w)
{
	if (triages_read(w->store, &w->triages) < 0)
		return -1;
	page_begin(w->out);
	if (put_all_series(w) < 0 || put_runs(w) < 0)
		return -1;
	put_index(w);
	page_end(w->out);
	return 0;
}

static void free_writing(struct writing *w)
{
	for (size_t i = 0; i < w->n; i++) {
		free(w->entries[i].summary);
		if (w->entries[i].has_latest)
			outcome_free(&w->entries[i].latest.outcome);
	}
	free(w->entries);
	triages_free(&w->triages);
	kernels_free(&w->kernels);
}

/* The page takes the place of an older one at once, or not at all. */
static int write_page(struct writing *w, const char *path)
{
	char *unfinished = format("%s.XXXXXX", path);
	mode_t mask = umask(0);
	int fd = mkstemp(unfinished), ret = -1;

	umask(mask);
	w->out = fd < 0 ? NULL : fdopen(fd, "w");
	if (!w->out) {
		warn("%s", unfinished);
		free(unfinished);
		return -1;
	}
	fchmod(fd, 0666 & ~mask);
	ret = put_page(w);
	if (ferror(w->out) | fclose(w->out)) {
		warn("%s", unfinished);
		ret = -1;
	}
	if (ret == 0 && rename(unfinished, path)) {
		warn("%s", path);
		ret = -1;
	}
	if (ret)
		unlink(unfinished);
	free(unfinished);
	return ret;
}

static size_t count(const struct writing *w, const char *verdict)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n; i++)
		n += w->entries[i].has_latest &&
		     !strcmp(outcome_verdict(&w->entries[i].latest.outcome), verdict);
	return n;
}

static void tell(const struct report *r, const struct writing *w, const char *path)
{
	size_t worse = count(w, "worse"), better = count(w, "better"), known = count(w, "known");

	if (r->json)
		print_json(json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "file", path, "series",
				     (json_int_t)w->n, "results", (json_int_t)w->results, "worse",
				     (json_int_t)worse, "better", (json_int_t)better, "known",
				     (json_int_t)known));
	else
		printf("%s: %zu results in %zu series; newest against those before: %zu worse, "
		       "%zu better, %zu known\n",
		       path, w->results, w->n, worse, better, known);
}

int cmd_report(int argc, char **argv)
{
	static const struct argp_child children[] = {{&reader_argp, 0, NULL, 0}, {0}};
	static const struct argp argp = {options, parse, NULL, doc, children, NULL, NULL};
	struct report r = {.folder = "report"};
	struct writing w = {.filter = &r.reader.filter};
	char *path;
	int ret = -1;

	argp_parse(&argp, argc, argv, 0, NULL, &r);
	w.store = store_open(r.reader.db, false);
	if (!w.store)
		return EXIT_FAILURE;
	path = format("%s/index.html", r.folder);
	if (make_folders(r.folder) == 0)
		ret = write_page(&w, path);
	if (ret == 0)
		tell(&r, &w, path);
	free(path);
	free_writing(&w);
	store_close(w.store);
	return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}
