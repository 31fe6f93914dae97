/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage-dash show: a series from its first result to its last, or one result and its origin. */

#include <argp.h>
#include <err.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "options.h"
#include "stats.h"
#include "table.h"
#include "text.h"
#include "walk.h"

struct options {
	const char *db;
	struct store_filter filter;
	bool json;
};

static const char doc[] =
	"Show the results of a series, oldest first, and where it changed; or one result with its "
	"repetitions and where it comes from. barrage-dash list tells the series; the beginning of "
	"a name will do.\v"
	"Examples:\n"
	"  barrage-dash show 6ae897d4\n"
	"  barrage-dash show --result 1234";

static const struct argp_option options[] = {
	{"result", 'r', "N", 0, "this result", 0},
	{"json", 'j', NULL, 0, "as JSON", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->db;
		return 0;
	case 'r':
		o->filter.result = whole_number(state, "--result", arg, 1, INT64_MAX);
		return 0;
	case 'j':
		o->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (o->filter.fingerprint)
			argp_error(state, "\"%s\" is one argument too many", arg);
		if (!*arg || strspn(arg, "0123456789abcdef") != strlen(arg))
			argp_error(state, "\"%s\" is no series: it is named by hex digits", arg);
		o->filter.fingerprint = arg;
		return 0;
	case ARGP_KEY_END:
		if (!o->filter.fingerprint == !o->filter.result)
			argp_error(state, "name a series, or a result with --result");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

/* The only series whose fingerprint begins so; its text is the cursor's. */
static int find_series(struct cursor *cursor, const char *start, struct series *series)
{
	struct series another;
	char *first;
	int got = cursor ? series_next(cursor, series) : -1;

	if (got == 0)
		warnx("no series begins with %s; barrage-dash list shows them", start);
	if (got <= 0)
		return -1;
	first = format("%s", series->fingerprint);
	got = series_next(cursor, &another);
	if (got > 0)
		warnx("more than one series begins with %s: %s, %s, …", start, first,
		      another.fingerprint);
	free(first);
	return got == 0 ? 0 : -1;
}

/* A result in the table of a series. */
struct line {
	int64_t id, measured;
	char *commit, *kernel;
	double value;
	size_t nrepetitions;
	struct stats_interval interval; /* of the median */
};

struct lines {
	struct line *list;
	size_t n;
};

static void append(struct lines *lines, const struct result *r)
{
	lines->list = realloc(lines->list, (lines->n + 1) * sizeof(*lines->list));
	if (!lines->list)
		err(1, NULL);
	lines->list[lines->n++] = (struct line){
		.id = r->id,
		.measured = r->measured,
		.commit = format("%s", r->commit),
		.kernel = format("%s", r->kernel),
		.value = r->value,
		.nrepetitions = r->nrepetitions,
		.interval = stats_median_interval(
			(struct stats_sample){r->repetitions, r->nrepetitions}, 0.95),
	};
}

static int read_lines(struct store *store, const struct store_filter *filter, struct lines *lines)
{
	struct cursor *cursor = store_results(store, filter);
	struct result r;
	int got = cursor ? 1 : -1;

	while (got > 0 && (got = result_next(cursor, &r)) > 0)
		append(lines, &r);
	cursor_end(cursor);
	return got;
}

static void lines_free(struct lines *lines)
{
	for (size_t i = 0; i < lines->n; i++) {
		free(lines->list[i].commit);
		free(lines->list[i].kernel);
	}
	free(lines->list);
}

/* Where the level changed. @return how many; the list is freed by the caller. */
static size_t find_changes(const struct series *s, const struct lines *lines,
			   struct stats_change **changes)
{
	struct stats_change_policy policy = STATS_CHANGE_POLICY_DEFAULT;
	double *values = calloc(lines->n + 1, sizeof(*values));
	size_t n;

	if (!values)
		err(1, NULL);
	for (size_t i = 0; i < lines->n; i++)
		values[i] = lines->list[i].value;
	policy.exact = s->exact;
	n = stats_changes(values, lines->n, &policy, changes);
	free(values);
	return n;
}

static const struct stats_change *change_at(const struct stats_change *changes, size_t n,
					    size_t index)
{
	for (size_t i = 0; i < n; i++)
		if (changes[i].index == index)
			return &changes[i];
	return NULL;
}

static void change_cell(struct table *t, const struct stats_change *change)
{
	if (!change)
		table_cell(t, "-");
	else if (change->before != 0)
		table_cell(t, "%+.1f %%", 100 * (change->after / change->before - 1));
	else
		table_cell(t, "from 0");
}

static void print_series(const struct series *s, const struct lines *lines,
			 const struct stats_change *changes, size_t nchanges)
{
	static const char *const heads[] = {">result", "measured",     "commit",  "kernel",
					    ">value",  ">repetitions", ">change", NULL};
	struct table *t = table_new(heads);
	char date[DATE_SIZE], *title = series_title(s, true);

	printf("%s  %s  %s%s%s\n%s\n\n", s->fingerprint, title, s->metric, s->unit[0] ? ", " : "",
	       s->unit, s->machine);
	for (size_t i = 0; i < lines->n; i++) {
		const struct line *line = &lines->list[i];

		table_cell(t, "%lld", (long long)line->id);
		table_cell(t, "%s", date_text(line->measured, date));
		table_cell(t, "%.12s", line->commit[0] ? line->commit : "-");
		table_cell(t, "%s", line->kernel[0] ? line->kernel : "-");
		table_cell(t, "%.6g", line->value);
		table_cell(t, "%zu", line->nrepetitions);
		change_cell(t, change_at(changes, nchanges, i));
	}
	table_print(t, stdout);
	table_free(t);
	free(title);
}

static json_t *line_json(const struct line *line, const struct stats_change *change)
{
	char date[DATE_SIZE];
	json_t *json = json_pack("{s:I, s:s, s:s, s:s, s:f, s:I, s:[f, f]}", "result",
				 (json_int_t)line->id, "measured", date_text(line->measured, date),
				 "commit", line->commit, "kernel", line->kernel, "value",
				 line->value, "repetitions", (json_int_t)line->nrepetitions,
				 "median_interval", line->interval.low, line->interval.high);

	if (change)
		json_object_set_new(json, "change",
				    json_pack("{s:f, s:f, s:f}", "before", change->before, "after",
					      change->after, "p", change->p));
	return json;
}

static int print_series_json(const struct series *s, const struct lines *lines,
			     const struct stats_change *changes, size_t nchanges)
{
	json_t *json = series_json(s), *results = json_array();

	for (size_t i = 0; i < lines->n; i++)
		json_array_append_new(results,
				      line_json(&lines->list[i], change_at(changes, nchanges, i)));
	json_object_set_new(json, "results", results);
	return print_json(json);
}

static int show_series(struct store *store, const struct options *o)
{
	struct cursor *cursor = store_series(store, &o->filter);
	struct stats_change *changes = NULL;
	struct lines lines = {0};
	struct series series;
	size_t n;
	int ret = find_series(cursor, o->filter.fingerprint, &series);

	cursor_end(cursor);
	cursor = store_series(store, &o->filter); /* find_series() has gone on */
	if (ret == 0 && cursor && series_next(cursor, &series) > 0)
		ret = read_lines(store, &o->filter, &lines);
	if (ret == 0) {
		n = find_changes(&series, &lines, &changes);
		if (o->json)
			print_series_json(&series, &lines, changes, n);
		else
			print_series(&series, &lines, changes, n);
	}
	cursor_end(cursor);
	lines_free(&lines);
	free(changes);
	return ret;
}

/* Where a run comes from, as JSON; NULL after a message. */
static json_t *read_provenance(struct store *store, int64_t id)
{
	struct cursor *cursor = store_runs(store, &(struct store_filter){.run = id});
	json_t *provenance = NULL;
	struct run run;

	if (cursor && run_next(cursor, &run) > 0)
		provenance = json_loads(run.provenance, 0, NULL);
	cursor_end(cursor);
	return provenance;
}

static json_t *result_json(const struct series *s, const struct result *r, json_t *provenance)
{
	json_t *json = series_json(s), *repetitions = json_array();
	char date[DATE_SIZE];

	for (size_t i = 0; i < r->nrepetitions; i++)
		json_array_append_new(repetitions, json_real(r->repetitions[i]));
	json_object_update_new(json,
			       json_pack("{s:I, s:I, s:s, s:s, s:s, s:f, s:o, s:O}", "result",
					 (json_int_t)r->id, "run", (json_int_t)r->run, "measured",
					 date_text(r->measured, date), "commit", r->commit,
					 "kernel", r->kernel, "value", r->value, "repetitions",
					 repetitions, "provenance", provenance));
	if (r->histogram[0])
		json_object_set_new(json, "histogram", json_loads(r->histogram, 0, NULL));
	return json;
}

static void print_provenance(const json_t *provenance)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)provenance, key, value) {
		char *text = json_is_string(value) ? format("%s", json_string_value(value))
						   : json_dumps(value, JSON_ENCODE_ANY);

		if (text && text[0])
			printf("%-20s %s\n", key, text);
		free(text);
	}
}

static void print_result(const struct series *s, const struct result *r, const json_t *provenance)
{
	struct stats_sample sample = {r->repetitions, r->nrepetitions};
	struct stats_interval i = stats_median_interval(sample, 0.95);
	char date[DATE_SIZE], *title = series_title(s, true);

	printf("%-20s %s  %s\n", "series", s->fingerprint, title);
	printf("%-20s %s\n", "machine class", s->machine);
	printf("%-20s %.6g %s\n", s->metric, r->value, s->unit);
	printf("%-20s %zu, from %.6g to %.6g", "repetitions", r->nrepetitions,
	       stats_quantile(sample, 0), stats_quantile(sample, 1));
	if (r->nrepetitions > 1 && strcmp(s->unit, "share") != 0)
		printf("; median within %.6g to %.6g (%.0f %%)", i.low, i.high, 100 * i.coverage);
	printf("\n%-20s %s\n", "measured", date_text(r->measured, date));
	printf("%-20s %s\n", "kernel", r->kernel[0] ? r->kernel : "-");
	print_provenance(provenance);
	free(title);
}

static int show_result(struct store *store, const struct options *o)
{
	struct walk *walk = walk_start(store, &o->filter);
	const struct series *series;
	struct result result;
	json_t *provenance = NULL;
	int got = walk ? walk_next(walk, &series, &result) : -1;

	if (got == 0)
		warnx("there is no result %lld in %s", (long long)o->filter.result,
		      store_name(store));
	if (got > 0)
		provenance = read_provenance(store, result.run);
	if (provenance && o->json)
		print_json(result_json(series, &result, provenance));
	else if (provenance)
		print_result(series, &result, provenance);
	json_decref(provenance);
	walk_end(walk);
	return provenance ? 0 : -1;
}

int cmd_show(int argc, char **argv)
{
	static const struct argp_child children[] = {{&db_argp, 0, NULL, 0}, {0}};
	static const struct argp argp = {options, parse, "[SERIES]", doc, children, NULL, NULL};
	struct options o = {0};
	struct store *store;
	int ret = -1;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	store = store_open(o.db, false);
	if (store)
		ret = o.filter.result ? show_result(store, &o) : show_series(store, &o);
	store_close(store);
	return ret < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
