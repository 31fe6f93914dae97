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

/* Takes the path over. */
static FILE *open_raw(char *path)
{
	FILE *raw = fopen(path, "we");

	if (!raw)
		warn("%s", path);
	free(path);
	return raw;
}

int report_open(struct report *r)
{
	if (r->json && !(r->raw[0] = open_raw(format("%s.trials", r->json))))
		return -1;
	if (!r->folder)
		return 0;
	if (make_folders(r->folder) < 0)
		return -1;
	r->raw[1] = open_raw(path_in(r, "-trials.jsonl"));
	return r->raw[1] ? 0 : -1;
}

void report_raw(const struct report *r, json_t *record, const char *handler, const char *kernel)
{
	json_object_set_new(record, "handler", json_string(handler));
	json_object_set_new(record, "kernel", json_string(kernel));
	for (int i = 0; i < 2; i++) {
		if (!r->raw[i])
			continue;
		json_dumpf(record, r->raw[i], JSON_COMPACT);
		fputc('\n', r->raw[i]);
		fflush(r->raw[i]);
	}
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
	for (int i = 0; i < 2; i++)
		if (r->raw[i])
			fclose(r->raw[i]);
}
