/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage-lab kernels, emulators, handlers: what there is and what it means. */

#include <argp.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>

#include "commands.h"
#include "emulator.h"
#include "handler.h"
#include "kernel.h"
#include "print_json.h"
#include "table.h"

enum {
	OPT_REFRESH = 256,
};

struct list_options {
	bool json, refresh;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct list_options *o = state->input;

	if (key == 'j')
		o->json = true;
	else if (key == OPT_REFRESH)
		o->refresh = true;
	else if (key == ARGP_KEY_ARG)
		argp_error(state, "nothing is expected here: %s", arg);
	else
		return ARGP_ERR_UNKNOWN;
	return 0;
}

#define JSON_OPTION                                   \
	{                                             \
		"json", 'j', NULL, 0, "print JSON", 0 \
	}

static struct list_options parse_options(const struct argp_option options[], const char *doc,
					 int argc, char **argv)
{
	const struct argp argp = {options, parse, NULL, doc, NULL, NULL, NULL};
	struct list_options o = {0};

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	return o;
}

static int print_table(struct table *t)
{
	table_print(t, stdout);
	table_free(t);
	return EXIT_SUCCESS;
}

/* Those that are in the cache. */
static int refresh(void)
{
	int ret = 0;

	for (const struct kernel_series *s = kernel_series; ret == 0 && s->name; s++) {
		char *version = kernel_cached_version(s);

		if (version[0])
			ret = kernel_refresh(s);
		free(version);
	}
	return ret;
}

int cmd_kernels(int argc, char **argv)
{
	static const struct argp_option options[] = {
		JSON_OPTION,
		{"refresh", OPT_REFRESH, NULL, 0,
		 "look for newer ones of those in the cache, and fetch them", 0},
		{0},
	};
	static const char *const heads[] = {"kernel", "in the cache", "what it is", NULL};
	struct list_options o = parse_options(options,
					      "The kernels a guest can run.\v"
					      "Example:\n  barrage-lab kernels --refresh",
					      argc, argv);
	struct table *t;
	json_t *list;

	if (o.refresh && refresh() < 0)
		return EXIT_FAILURE;
	t = table_new(heads);
	list = json_array();

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
	if (!o.json) {
		json_decref(list);
		return print_table(t);
	}
	table_free(t);
	return print_json(list);
}

static void add_emulator(struct table *t, json_t *list, const char *name, const char *version,
			 const char *without, const char *meaning)
{
	table_cell(t, "%s", name);
	table_cell(t, "%s", version ? version : without);
	table_cell(t, "%s", meaning);
	json_array_append_new(list, json_pack("{s:s, s:s*, s:s}", "emulator", name, "version",
					      version, "meaning", meaning));
}

static int list_emulators(bool json)
{
	static const char *const heads[] = {"QEMU", "version", "what it is", NULL};
	char *cached = emulator_cached_version();
	struct table *t = table_new(heads);
	struct emulator host = {0};
	json_t *list = json_array();

	emulator_get(&host);
	add_emulator(t, list, "(default)", host.version, "none", "this machine's");
	add_emulator(t, list, EMULATOR_BACKPORTS, cached[0] ? cached : NULL,
		     "no: fetched when needed",
		     "the newest that this Debian can have; never installed");
	emulator_free(&host);
	free(cached);
	if (!json) {
		json_decref(list);
		return print_table(t);
	}
	table_free(t);
	return print_json(list);
}

int cmd_emulators(int argc, char **argv)
{
	static const struct argp_option options[] = {
		JSON_OPTION,
		{"refresh", OPT_REFRESH, NULL, 0, "fetch the newest " EMULATOR_BACKPORTS, 0},
		{0},
	};
	struct list_options o = parse_options(options,
					      "The QEMUs that can run a guest (--qemu).\v"
					      "Example:\n  barrage-lab emulators --refresh",
					      argc, argv);

	if (o.refresh && emulator_refresh() < 0)
		return EXIT_FAILURE;
	return list_emulators(o.json);
}

int cmd_handlers(int argc, char **argv)
{
	static const struct argp_option options[] = {JSON_OPTION, {0}};
	static const char *const heads[] = {"handler", "kernel", "commit", "what it does", NULL};
	struct list_options o = parse_options(options,
					      "The fault handlers of vfio-pci.\v"
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
	if (!o.json) {
		json_decref(list);
		return print_table(t);
	}
	table_free(t);
	return print_json(list);
}
