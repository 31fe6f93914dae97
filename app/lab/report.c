/* SPDX-License-Identifier: BSD-3-Clause */
/* Results on the terminal, in a file, and in a folder. */

#include <err.h>
#include <stdlib.h>

#include "folder.h"
#include "report.h"
#include "text.h"

enum {
	OPT_JSON = 512, /* apart from a command's own */
	OPT_REPORT,
};

static const struct argp_option options[] = {
	{"json", OPT_JSON, "FILE", 0, "write the result there, and the raw records to FILE.trials",
	 0},
	{"report", OPT_REPORT, "DIR", 0,
	 "leave table, result, raw records and a picture (SVG, by gnuplot) there", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct report *r = state->input;

	switch (key) {
	case OPT_JSON:
		r->json = arg;
		return 0;
	case OPT_REPORT:
		r->folder = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp report_argp = {.options = options, .parser = parse};

static char *path_in(const struct report *r, const char *ending)
{
	return format("%s/%s%s", r->folder, r->command, ending);
}

int report_open(struct report *r)
{
	char *path;

	r->raw = NULL;
	if (!r->folder && !r->json)
		return 0;
	if (r->folder && make_folders(r->folder) < 0)
		return -1;
	path = r->folder ? path_in(r, "-trials.jsonl") : format("%s.trials", r->json);
	r->raw = fopen(path, "we");
	if (!r->raw)
		warn("%s", path);
	free(path);
	return r->raw ? 0 : -1;
}

void report_raw(FILE *raw, json_t *record, const char *handler, const char *kernel)
{
	if (!raw)
		return;
	json_object_set_new(record, "handler", json_string(handler));
	json_object_set_new(record, "kernel", json_string(kernel));
	json_dumpf(record, raw, JSON_COMPACT);
	fputc('\n', raw);
	fflush(raw);
}

static int write_json(const json_t *result, const char *path)
{
	int ret = json_dump_file(result, path, JSON_INDENT(2));

	if (ret)
		warn("%s", path);
	return ret;
}

static int write_table(const char *path, void (*print)(const void *arg, FILE *out), const void *arg)
{
	FILE *out = fopen(path, "we");
	int ret = -1;

	if (out) {
		print(arg, out);
		ret = fclose(out);
	}
	if (ret)
		warn("%s", path);
	return ret;
}

static int write_folder(const struct report *r, const json_t *result,
			void (*print)(const void *arg, FILE *out),
			int (*draw)(const void *arg, const char *path), const void *arg)
{
	char *json = path_in(r, ".json"), *table = path_in(r, ".txt"), *svg = path_in(r, ".svg");
	int ret = write_json(result, json);

	if (ret == 0)
		ret = write_table(table, print, arg);
	if (ret == 0 && draw)
		ret = draw(arg, svg);
	if (ret == 0)
		printf("\nIn %s: %s.txt, .json, -trials.jsonl%s\n", r->folder, r->command,
		       draw ? ", .svg" : "");
	free(json);
	free(table);
	free(svg);
	return ret;
}

int report_write(const struct report *r, json_t *result, void (*print)(const void *arg, FILE *out),
		 int (*draw)(const void *arg, const char *path), const void *arg)
{
	int ret = 0;

	print(arg, stdout);
	if (r->json)
		ret = write_json(result, r->json);
	if (ret == 0 && r->folder)
		ret = write_folder(r, result, print, draw, arg);
	json_decref(result);
	return ret;
}

void report_close(struct report *r)
{
	if (r->raw)
		fclose(r->raw);
	r->raw = NULL;
}
