/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage-dash export: results as JSON or CSV, or the newest of each series for Prometheus. */

#include <argp.h>
#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "options.h"
#include "text.h"
#include "walk.h"

struct options;

/* A way to write; each function writes to `out`. */
struct format {
	const char *name;
	int (*write)(struct store *store, const struct store_filter *filter, FILE *out);
};

static int write_json(struct store *store, const struct store_filter *filter, FILE *out);
static int write_csv(struct store *store, const struct store_filter *filter, FILE *out);
static int write_openmetrics(struct store *store, const struct store_filter *filter, FILE *out);

static const struct format formats[] = {
	{"json", write_json},
	{"csv", write_csv},
	{"openmetrics", write_openmetrics},
};

struct options {
	struct reader reader;
	const char *path;
	const struct format *format;
};

static const char doc[] =
	"Write results out: as JSON, with all repetitions; as CSV, a line each; or the newest of "
	"each series in the OpenMetrics format, for Prometheus.\v"
	"Examples:\n"
	"  barrage-dash export --format csv --benchmark first_fault -o results.csv\n"
	"  barrage-dash export --format openmetrics -o /var/lib/node_exporter/barrage.prom";

enum {
	OPT_FORMAT = 256
};

static const struct argp_option options[] = {
	{"format", OPT_FORMAT, "NAME", 0, "json, csv or openmetrics (default json)", 0},
	{"output", 'o', "FILE", 0, "write there, in place of what is there (default: stdout)", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->reader;
		return 0;
	case OPT_FORMAT:
		for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
			if (!strcmp(arg, formats[i].name)) {
				o->format = &formats[i];
				return 0;
			}
		argp_error(state, "--format %s: it takes json, csv or openmetrics", arg);
		return 0;
	case 'o':
		o->path = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static json_t *result_json(const struct result *r)
{
	json_t *repetitions = json_array();
	char date[DATE_SIZE];
	json_t *json = json_pack("{s:I, s:I, s:s, s:s, s:s, s:f, s:o}", "result", (json_int_t)r->id,
				 "run", (json_int_t)r->run, "measured",
				 date_text(r->measured, date), "commit", r->commit, "kernel",
				 r->kernel, "value", r->value, "repetitions", repetitions);

	for (size_t i = 0; i < r->nrepetitions; i++)
		json_array_append_new(repetitions, json_real(r->repetitions[i]));
	if (r->histogram[0])
		json_object_set_new(json, "histogram", json_loads(r->histogram, 0, NULL));
	return json;
}

/* Write and release. */
static void put(FILE *out, json_t *json)
{
	json_dumpf(json, out, JSON_COMPACT);
	json_decref(json);
}

/* Runs first, which the results refer to by number. */
static int write_runs(struct store *store, const struct store_filter *filter, FILE *out)
{
	struct cursor *cursor = store_runs(store, filter);
	char date[DATE_SIZE];
	struct run run;
	bool first = true;
	int got = cursor ? 1 : -1;

	while (got > 0 && (got = run_next(cursor, &run)) > 0) {
		fputs(first ? "" : ",\n", out);
		first = false;
		put(out, json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:o}", "run", (json_int_t)run.id,
				   "hash", run.hash, "format", run.format, "measured",
				   date_text(run.measured, date), "commit", run.commit, "machine",
				   run.machine, "provenance", json_loads(run.provenance, 0, NULL)));
	}
	cursor_end(cursor);
	return got;
}

/* A piece at a time: there may be very many. */
static int write_json(struct store *store, const struct store_filter *filter, FILE *out)
{
	const struct series *series;
	struct walk *walk;
	struct result r;
	int64_t current = 0;
	int got;

	fputs("{\"schema\": \"barrage-results/1\", \"runs\": [\n", out);
	if (write_runs(store, filter, out) < 0)
		return -1;
	fputs("],\n\"series\": [", out);
	walk = walk_start(store, filter);
	got = walk ? 1 : -1;
	while (got > 0 && (got = walk_next(walk, &series, &r)) > 0) {
		if (series->id != current) {
			fputs(current ? "]},\n" : "\n", out);
			fputs("{\"series\": ", out);
			put(out, series_json(series));
			fputs(", \"results\": [\n", out);
			current = series->id;
		} else {
			fputs(",\n", out);
		}
		put(out, result_json(&r));
	}
	fputs(current ? "]}]}\n" : "]}\n", out);
	walk_end(walk);
	return got;
}

/* RFC 4180: within quotes, which are doubled. */
static void csv_text(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"')
			fputc('"', out);
		fputc(*text, out);
	}
	fputs("\",", out);
}

static int write_csv(struct store *store, const struct store_filter *filter, FILE *out)
{
	struct walk *walk = walk_start(store, filter);
	const struct series *s;
	char date[DATE_SIZE];
	struct result r;
	int got = walk ? 1 : -1;

	fputs("series,benchmark,parameters,handler,machine,metric,unit,result,run,measured,commit,"
	      "kernel,value,repetitions\r\n",
	      out);
	while (got > 0 && (got = walk_next(walk, &s, &r)) > 0) {
		csv_text(out, s->fingerprint);
		csv_text(out, s->benchmark);
		csv_text(out, s->parameters);
		csv_text(out, s->handler);
		csv_text(out, s->machine);
		csv_text(out, s->metric);
		csv_text(out, s->unit);
		fprintf(out, "%" PRId64 ",%" PRId64 ",%s,", r.id, r.run,
			date_text(r.measured, date));
		csv_text(out, r.commit);
		csv_text(out, r.kernel);
		fprintf(out, "%.17g,%zu\r\n", r.value, r.nrepetitions);
	}
	walk_end(walk);
	return got;
}

/* OpenMetrics 1.0, "Escaping": backslash, quote and line feed. */
static void label(FILE *out, const char *name, const char *text)
{
	fprintf(out, "%s=\"", name);
	for (; *text; text++) {
		if (*text == '\n') {
			fputs("\\n", out);
			continue;
		}
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

/* A sample of each of the two families. Those of one family must follow each other. */
static void write_samples(const struct series *s, const struct newest *newest, FILE *values,
			  FILE *times)
{
	char *title = series_title(s, false);

	fputs("barrage_result{", values);
	label(values, "series", s->fingerprint);
	label(values, ",benchmark", title);
	label(values, ",handler", s->handler);
	label(values, ",machine", s->machine);
	label(values, ",metric", s->metric);
	label(values, ",unit", s->unit);
	fprintf(values, "} %.17g\n", newest->value);
	fputs("barrage_result_measured_seconds{", times);
	label(times, "series", s->fingerprint);
	fprintf(times, "} %" PRId64 "\n", newest->measured);
	free(title);
}

static int write_all_samples(struct store *store, const struct store_filter *filter, FILE *values,
			     FILE *times)
{
	struct walk *walk = walk_start(store, filter);
	const struct series *s;
	struct newest newest;
	int got = walk ? 1 : -1;

	while (got > 0 && (got = walk_next_series(walk, &s, &newest)) > 0)
		write_samples(s, &newest, values, times);
	walk_end(walk);
	return got;
}

static int write_openmetrics(struct store *store, const struct store_filter *filter, FILE *out)
{
	char *text = NULL;
	size_t size;
	FILE *times = open_memstream(&text, &size);
	int ret;

	if (!times)
		err(1, NULL);
	fputs("# TYPE barrage_result gauge\n"
	      "# HELP barrage_result Newest result of a series, in the unit its label says.\n",
	      out);
	ret = write_all_samples(store, filter, out, times);
	if (fclose(times))
		err(1, NULL);
	fprintf(out,
		"# TYPE barrage_result_measured_seconds gauge\n"
		"# UNIT barrage_result_measured_seconds seconds\n"
		"# HELP barrage_result_measured_seconds When it was measured.\n"
		"%s# EOF\n",
		text);
	free(text);
	return ret;
}

/* The file is whole at any time: the new one takes the old one's place. */
static int write_file(const struct options *o, struct store *store)
{
	char *new = format("%s.new", o->path);
	FILE *out = fopen(new, "we");
	int ret = -1;

	if (!out) {
		warn("%s", new);
		free(new);
		return -1;
	}
	ret = o->format->write(store, &o->reader.filter, out);
	if (fclose(out) && ret == 0) {
		warn("%s", new);
		ret = -1;
	}
	if (ret == 0 && (ret = rename(new, o->path)))
		warn("%s", o->path);
	if (ret)
		remove(new);
	free(new);
	return ret;
}

int cmd_export(int argc, char **argv)
{
	static const struct argp_child children[] = {{&reader_argp, 0, NULL, 0}, {0}};
	static const struct argp argp = {options, parse, NULL, doc, children, NULL, NULL};
	struct options o = {.format = &formats[0]};
	struct store *store;
	int ret = -1;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	store = store_open(o.reader.db, false);
	if (store)
		ret = o.path ? write_file(&o, store)
			     : o.format->write(store, &o.reader.filter, stdout);
	store_close(store);
	if (ret == 0 && fflush(stdout)) {
		warn("stdout");
		ret = -1;
	}
	return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}
