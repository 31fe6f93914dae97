/* SPDX-License-Identifier: BSD-3-Clause */
/* What the commands share: options, and how things are printed. */

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "options.h"
#include "text.h"

static error_t parse_db(int key, char *arg, struct argp_state *state)
{
	if (key != 'd')
		return ARGP_ERR_UNKNOWN;
	*(const char **)state->input = arg;
	return 0;
}

static const struct argp_option db_options[] = {
	{"db", 'd', "URL", 0,
	 "the store: an SQLite file or postgresql://… (default: "
	 "$XDG_DATA_HOME/barrage/results.db)",
	 0},
	{0},
};

const struct argp db_argp = {db_options, parse_db, NULL, NULL, NULL, NULL, NULL};

enum {
	OPT_BENCHMARK = 1000,
	OPT_HANDLER,
	OPT_MACHINE,
	OPT_METRIC,
	OPT_KERNEL,
	OPT_COMMIT
};

static const struct argp_option filter_options[] = {
	{"benchmark", OPT_BENCHMARK, "NAME", 0, "only of this benchmark", 5},
	{"handler", OPT_HANDLER, "NAME", 0, "only of this fault handler", 5},
	{"machine", OPT_MACHINE, "CLASS", 0, "only of this machine class", 5},
	{"metric", OPT_METRIC, "NAME", 0, "only this metric", 5},
	{"kernel", OPT_KERNEL, "NAME", 0, "only results on this kernel", 5},
	{0},
};

static error_t parse_filter(int key, char *arg, struct argp_state *state)
{
	struct store_filter *f = state->input;

	switch (key) {
	case OPT_BENCHMARK:
		f->benchmark = arg;
		return 0;
	case OPT_HANDLER:
		f->handler = arg;
		return 0;
	case OPT_MACHINE:
		f->machine = arg;
		return 0;
	case OPT_METRIC:
		f->metric = arg;
		return 0;
	case OPT_KERNEL:
		f->kernel = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp filter_argp = {filter_options, parse_filter, NULL, NULL, NULL, NULL, NULL};

static const struct argp_option reader_options[] = {
	{"commit", OPT_COMMIT, "HASH", 0, "only results of this commit", 5},
	{0},
};

static error_t parse_reader(int key, char *arg, struct argp_state *state)
{
	struct reader *r = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &r->db;
		state->child_inputs[1] = &r->filter;
		return 0;
	case OPT_COMMIT:
		r->filter.commit = arg;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "nothing is expected here: %s", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child reader_children[] = {
	{&db_argp, 0, NULL, 0}, {&filter_argp, 0, NULL, 0}, {0}};

const struct argp reader_argp = {reader_options,  parse_reader, NULL, NULL,
				 reader_children, NULL,		NULL};

long long whole_number(struct argp_state *state, const char *option, const char *text,
		       long long least, long long most)
{
	char *end;
	long long value;

	errno = 0;
	value = strtoll(text, &end, 10);
	if (errno || end == text || *end || value < least || value > most)
		argp_error(state, "%s %s: it takes a whole number from %lld to %lld", option, text,
			   least, most);
	return value;
}

const char *date_text(int64_t at, char text[DATE_SIZE])
{
	time_t seconds = at;
	struct tm tm;

	if (!gmtime_r(&seconds, &tm) || !strftime(text, DATE_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm))
		snprintf(text, DATE_SIZE, "%lld", (long long)at);
	return text;
}

char *series_title(const struct series *series, bool with_handler)
{
	json_t *parameters = json_loads(series->parameters, 0, NULL), *value;
	char *title = format("%s", series->benchmark), *longer;
	const char *key;

	json_object_foreach (parameters, key, value) {
		char *text = json_is_string(value) ? format("%s", json_string_value(value))
						   : json_dumps(value, JSON_ENCODE_ANY);

		longer = format("%s %s=%s", title, key, text ? text : "");
		free(title);
		free(text);
		title = longer;
	}
	json_decref(parameters);
	if (!with_handler || !series->handler[0])
		return title;
	longer = format("%s handler=%s", title, series->handler);
	free(title);
	return longer;
}

json_t *series_json(const struct series *series)
{
	static const char *const better[] = {"lower", "unknown", "higher"};

	return json_pack("{s:s, s:s, s:o, s:s, s:s, s:s, s:s, s:s, s:b}", "fingerprint",
			 series->fingerprint, "benchmark", series->benchmark, "parameters",
			 json_loads(series->parameters, 0, NULL), "handler", series->handler,
			 "machine", series->machine, "metric", series->metric, "unit", series->unit,
			 "better", better[series->better + 1], "exact", series->exact);
}
