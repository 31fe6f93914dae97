/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage-dash triage: say of a change that it is known, fixed or wanted. */

#include <argp.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "options.h"
#include "store_write.h"
#include "table.h"

struct options {
	const char *db, *verdict;
	const char *note, *author;
	long long result;
	bool remove, json;
};

static const char doc[] =
	"Say how the change that begins with a result is judged: known (somebody works on it) and "
	"wanted (it is the price of something) are no regressions for barrage-dash check any more; "
	"fixed is for the record. Without arguments, tell what was judged.\v"
	"barrage-dash check and show tell the numbers of results.\n\n"
	"Example:\n"
	"  barrage-dash triage 1234 known --note \"bug 77, since the new compiler\"";

enum {
	OPT_AUTHOR = 256,
	OPT_REMOVE
};

static const struct argp_option options[] = {
	{"note", 'n', "TEXT", 0, "why", 0},
	{"author", OPT_AUTHOR, "NAME", 0, "who says so (default $USER)", 0},
	{"remove", OPT_REMOVE, NULL, 0, "take back what was said of the result", 0},
	{"json", 'j', NULL, 0, "as JSON", 0},
	{0},
};

static const char *checked_verdict(struct argp_state *state, const char *text)
{
	if (strcmp(text, "known") != 0 && strcmp(text, "fixed") != 0 && strcmp(text, "wanted") != 0)
		argp_error(state, "\"%s\" is none of known, fixed and wanted", text);
	return text;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->db;
		return 0;
	case 'n':
		o->note = arg;
		return 0;
	case OPT_AUTHOR:
		o->author = arg;
		return 0;
	case OPT_REMOVE:
		o->remove = true;
		return 0;
	case 'j':
		o->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num == 0)
			o->result = whole_number(state, "result", arg, 1, INT64_MAX);
		else if (state->arg_num == 1)
			o->verdict = checked_verdict(state, arg);
		else
			argp_error(state, "\"%s\" is one argument too many", arg);
		return 0;
	case ARGP_KEY_END:
		if (o->remove && (!o->result || o->verdict))
			argp_error(state, "--remove takes the number of a result, and no more");
		if (o->result && !o->verdict && !o->remove)
			argp_error(state, "what is it: known, fixed or wanted?");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int judge(struct store *store, const struct options *o)
{
	const char *user = getenv("USER");
	const struct triage t = {
		.result = o->result,
		.verdict = o->verdict,
		.note = o->note ? o->note : "",
		.author = o->author ? o->author
			  : user    ? user
				    : "",
	};
	int ret = store_judge(store, &t);

	if (ret == 0)
		warnx("there is no result %lld in %s", o->result, store_name(store));
	return ret > 0 ? 0 : -1;
}

static int take_back(struct store *store, const struct options *o)
{
	int ret = store_unjudge(store, o->result);

	if (ret == 0)
		warnx("nothing was said of result %lld in %s", o->result, store_name(store));
	return ret > 0 ? 0 : -1;
}

static int list(struct store *store, bool json)
{
	static const char *const heads[] = {">result", "verdict", "since", "author", "note", NULL};
	struct cursor *cursor = store_triage(store);
	struct table *table = table_new(heads);
	json_t *rows = json_array();
	char date[DATE_SIZE];
	struct triage t;
	int got = cursor ? 1 : -1;

	while (got > 0 && (got = triage_next(cursor, &t)) > 0) {
		if (json) {
			json_array_append_new(rows,
					      json_pack("{s:I, s:s, s:s, s:s, s:s}", "result",
							(json_int_t)t.result, "verdict", t.verdict,
							"at", date_text(t.at, date), "author",
							t.author, "note", t.note));
			continue;
		}
		table_cell(table, "%lld", (long long)t.result);
		table_cell(table, "%s", t.verdict);
		table_cell(table, "%s", date_text(t.at, date));
		table_cell(table, "%s", t.author[0] ? t.author : "-");
		table_cell(table, "%s", t.note);
	}
	if (got == 0 && json)
		print_json(json_incref(rows));
	else if (got == 0)
		table_print(table, stdout);
	cursor_end(cursor);
	table_free(table);
	json_decref(rows);
	return got;
}

int cmd_triage(int argc, char **argv)
{
	static const struct argp_child children[] = {{&db_argp, 0, NULL, 0}, {0}};
	static const struct argp argp = {
		options, parse, "[RESULT known|fixed|wanted]", doc, children, NULL, NULL};
	struct options o = {0};
	struct store *store;
	int ret = -1;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	store = store_open(o.db, false);
	if (store)
		ret = o.remove	 ? take_back(store, &o)
		      : o.result ? judge(store, &o)
				 : list(store, o.json);
	store_close(store);
	return ret < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
