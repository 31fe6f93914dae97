/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage-lab kernels, handlers: what there is and what it means. */

#include <argp.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>

#include "commands.h"
#include "handler.h"
#include "kernel.h"
#include "table.h"

static error_t parse(int key, char *arg, struct argp_state *state)
{
	if (key == 'j')
		*(bool *)state->input = true;
	else if (key == ARGP_KEY_ARG)
		argp_error(state, "nothing is expected here: %s", arg);
	else
		return ARGP_ERR_UNKNOWN;
	return 0;
}

static bool wants_json(const char *doc, int argc, char **argv)
{
	static const struct argp_option options[] = {
		{"json", 'j', NULL, 0, "print JSON", 0},
		{0},
	};
	const struct argp argp = {options, parse, NULL, doc, NULL, NULL, NULL};
	bool json = false;

	argp_parse(&argp, argc, argv, 0, NULL, &json);
	return json;
}

static int print_json(json_t *json)
{
	int ret = json_dumpf(json, stdout, JSON_INDENT(2));

	printf("\n");
	json_decref(json);
	return ret == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int print_table(struct table *t)
{
	table_print(t, stdout);
	table_free(t);
	return EXIT_SUCCESS;
}

int cmd_kernels(int argc, char **argv)
{
	static const char *const heads[] = {"kernel", "in the cache", "what it is", NULL};
	bool json = wants_json("The kernels a guest can run.\v"
			       "Example:\n  barrage-lab kernels --json",
			       argc, argv);
	struct table *t = table_new(heads);
	json_t *list = json_array();

	for (const struct kernel_series *s = kernel_series; s->name; s++) {
		char *version = kernel_cached_version(s);

		table_cell(t, "%s", s->name);
		table_cell(t, "%s", version[0] ? version : "no: fetched when needed");
		table_cell(t, "%s", s->meaning);
		json_array_append_new(list, json_pack("{s:s, s:s*, s:s}", "kernel", s->name,
						      "cached", version[0] ? version : NULL,
						      "meaning", s->meaning));
		free(version);
	}
	if (!json) {
		json_decref(list);
		return print_table(t);
	}
	table_free(t);
	return print_json(list);
}

int cmd_handlers(int argc, char **argv)
{
	static const char *const heads[] = {"handler", "kernel", "commit", "what it does", NULL};
	bool json = wants_json("The fault handlers of vfio-pci.\v"
			       "Example:\n  barrage-lab handlers --json",
			       argc, argv);
	struct table *t = table_new(heads);
	json_t *list = json_array();

	for (const struct handler *h = handlers; h->name; h++) {
		table_cell(t, "%s", h->name);
		table_cell(t, "%s", h->kernel);
		table_cell(t, "%s", h->commit);
		table_cell(t, "%s", h->meaning);
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "handler", h->name,
						      "kernel", h->kernel, "commit", h->commit,
						      "meaning", h->meaning));
	}
	if (!json) {
		json_decref(list);
		return print_table(t);
	}
	table_free(t);
	return print_json(list);
}
