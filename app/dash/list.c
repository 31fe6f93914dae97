/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage-dash list: the series, with their newest value; or the runs. */

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>

#include "commands.h"
#include "options.h"
#include "table.h"
#include "walk.h"

struct list {
	struct reader reader;
	bool json, runs;
};

static const char doc[] = "List the series in the store, each with its newest value.\v"
			  "Example:\n"
			  "  barrage-dash list --benchmark first_fault --handler fixed";

static const struct argp_option options[] = {
	{"runs", 'r', NULL, 0, "list the runs that were added, oldest first", 0},
	{"json", 'j', NULL, 0, "as JSON", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct list *l = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &l->reader;
		return 0;
	case 'j':
		l->json = true;
		return 0;
	case 'r':
		l->runs = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void print_row(struct table *t, const struct series *s, const struct newest *n)
{
	char date[DATE_SIZE], *title = series_title(s, false);

	table_cell(t, "%s", s->fingerprint);
	table_cell(t, "%s", title);
	table_cell(t, "%s", s->handler[0] ? s->handler : "-");
	table_cell(t, "%s", s->metric);
	table_cell(t, "%lld", n->count);
	table_cell(t, "%.6g", n->value);
	table_cell(t, "%s", s->unit[0] ? s->unit : "-");
	table_cell(t, "%s", date_text(n->measured, date));
	table_cell(t, "%s", s->machine);
	free(title);
}

static json_t *row_json(const struct series *s, const struct newest *n)
{
	json_t *row = series_json(s);
	char date[DATE_SIZE];

	json_object_set_new(row, "results", json_integer(n->count));
	json_object_set_new(row, "value", json_real(n->value));
	json_object_set_new(row, "measured", json_string(date_text(n->measured, date)));
	return row;
}

static int list_series(const struct list *l, struct store *store)
{
	static const char *const heads[] = {"series",	"benchmark", "handler", "metric",
					    ">results", ">newest",   "unit",	"measured",
					    "machine",	NULL};
	struct walk *walk = walk_start(store, &l->reader.filter);
	struct table *t = table_new(heads);
	json_t *rows = json_array();
	const struct series *s;
	struct newest newest;
	int got = walk ? 1 : -1;

	while (got > 0 && (got = walk_next_series(walk, &s, &newest)) > 0) {
		if (l->json)
			json_array_append_new(rows, row_json(s, &newest));
		else
			print_row(t, s, &newest);
	}
	if (got == 0 && l->json)
		print_json(json_incref(rows));
	else if (got == 0)
		table_print(t, stdout);
	walk_end(walk);
	table_free(t);
	json_decref(rows);
	return got;
}

static json_t *run_json(const struct run *run)
{
	char measured[DATE_SIZE], added[DATE_SIZE];

	return json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "run", (json_int_t)run->id,
			 "hash", run->hash, "format", run->format, "measured",
			 date_text(run->measured, measured), "added", date_text(run->added, added),
			 "commit", run->commit, "machine", run->machine, "provenance",
			 json_loads(run->provenance, 0, NULL));
}

static int list_runs(const struct list *l, struct store *store)
{
	static const char *const heads[] = {">run",   "measured", "commit",
					    "format", "machine",  NULL};
	struct cursor *runs = store_runs(store, &l->reader.filter);
	struct table *t = table_new(heads);
	json_t *rows = json_array();
	char date[DATE_SIZE];
	struct run run;
	int got = runs ? 1 : -1;

	while (got > 0 && (got = run_next(runs, &run)) > 0) {
		if (l->json) {
			json_array_append_new(rows, run_json(&run));
			continue;
		}
		table_cell(t, "%lld", (long long)run.id);
		table_cell(t, "%s", date_text(run.measured, date));
		table_cell(t, "%.12s", run.commit[0] ? run.commit : "-");
		table_cell(t, "%s", run.format);
		table_cell(t, "%s", run.machine);
	}
	if (got == 0 && l->json)
		print_json(json_incref(rows));
	else if (got == 0)
		table_print(t, stdout);
	cursor_end(runs);
	table_free(t);
	json_decref(rows);
	return got;
}

int cmd_list(int argc, char **argv)
{
	static const struct argp_child children[] = {{&reader_argp, 0, NULL, 0}, {0}};
	static const struct argp argp = {options, parse, NULL, doc, children, NULL, NULL};
	struct list l = {0};
	struct store *store;
	int ret = -1;

	argp_parse(&argp, argc, argv, 0, NULL, &l);
	store = store_open(l.reader.db, false);
	if (store)
		ret = l.runs ? list_runs(&l, store) : list_series(&l, store);
	store_close(store);
	return ret < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
