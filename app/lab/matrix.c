/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * barrage-lab matrix: the trials of compare over handlers and kernels, BAR sizes and lcores. The
 * result file is written anew after every cell, so a matrix that was ended goes on where it was.
 */

#include <argp.h>
#include <err.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "accel.h"
#include "commands.h"
#include "host.h"
#include "progress.h"
#include "table.h"
#include "text.h"
#include "trials.h"

#define MOST   32
#define SCHEMA "barrage-matrix/1"

/* What the cells are made of; each list ends with NULL or 0. */
struct extent {
	const char *subjects[MOST + 1]; /* handlers, and kernels with the handler they have */
	const char *bars[8]; /* BAR of an ivshmem device, by size; the NVMe controller's */
	unsigned int lcores[8];
	unsigned int trials;
};

#define NVME_BAR "nvme"

static const struct extent quick = {
	.subjects = {"unfixed", "fixed", "debian:6.12"},
	.bars = {NVME_BAR, "64M"},
	.lcores = {2},
	.trials = 10,
};

static const struct extent full = {
	.subjects = {"unfixed", "fixed", "debian:5.10", "debian:6.12", "debian:backports"},
	.bars = {NVME_BAR, "2M", "64M", "1G"},
	.lcores = {2, 4},
	.trials = 50,
};

struct matrix {
	struct extent extent;
	const char *json;
	bool restart;
	struct trials trials;
	json_t *rows;
	unsigned int cells, done; /* in all; and in this run */
	unsigned int known;	  /* taken over from the file */
	time_t start;
};

static const char doc[] =
	"Run the trials of compare for every handler or kernel named, BAR size and number of "
	"lcores. "
	"The result file is kept up to date; run again after an interruption, it goes on where it "
	"was.\v"
	"Example:\n"
	"  barrage-lab matrix --quick --json matrix.json\n"
	"  barrage-lab matrix --full unfixed debian:7.3";

enum {
	OPT_QUICK = 256,
	OPT_FULL,
	OPT_JSON,
	OPT_RESTART
};

static const struct argp_option options[] = {
	{"quick", OPT_QUICK, NULL, 0, "a few cells, some three minutes (default)", 0},
	{"full", OPT_FULL, NULL, 0, "all of them", 0},
	{"json", OPT_JSON, "FILE", 0, "the result file (default barrage-matrix.json)", 0},
	{"restart", OPT_RESTART, NULL, 0, "do not go on with what is in the result file", 0},
	{"verbose", 'v', NULL, 0, "show the guests' consoles and what the bench prints", 0},
	{0},
};

struct options {
	struct matrix *m;
	const char *subjects[MOST + 1];
	int nsubjects;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case OPT_QUICK:
		o->m->extent = quick;
		break;
	case OPT_FULL:
		o->m->extent = full;
		break;
	case OPT_JSON:
		o->m->json = arg;
		break;
	case OPT_RESTART:
		o->m->restart = true;
		break;
	case 'v':
		o->m->trials.verbose = true;
		break;
	case ARGP_KEY_ARG:
		if (o->nsubjects == MOST)
			argp_error(state, "%d handlers and kernels at most", MOST);
		o->subjects[o->nsubjects++] = arg;
		break;
	case ARGP_KEY_END:
		if (o->nsubjects)
			memcpy(o->m->extent.subjects, o->subjects, sizeof(o->subjects));
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* What a result file of an earlier run has; an empty list when there is none. */
static json_t *load_rows(const struct matrix *m)
{
	json_error_t error;
	json_t *file, *rows;

	if (m->restart || access(m->json, F_OK) < 0)
		return json_array();
	file = json_load_file(m->json, 0, &error);
	if (!file)
		errx(1, "%s: line %d: %s (--restart writes it anew)", m->json, error.line,
		     error.text);
	rows = json_object_get(file, "rows");
	if (!json_is_array(rows) || !json_is_string(json_object_get(file, "schema")) ||
	    strcmp(json_string_value(json_object_get(file, "schema")), SCHEMA) != 0)
		errx(1, "%s is no %s (--restart writes it anew)", m->json, SCHEMA);
	json_incref(rows);
	json_decref(file);
	return rows;
}

/* The file is whole at any time: the new one takes the old one's place. */
static int store_rows(const struct matrix *m)
{
	char *new = format("%s.new", m->json);
	json_t *file = json_pack("{s:s, s:o, s:O}", "schema", SCHEMA, "host",
				 host_json(accel_name(m->trials.kvm)), "rows", m->rows);
	int ret = json_dump_file(file, new, JSON_INDENT(2));

	if (ret == 0)
		ret = rename(new, m->json);
	if (ret)
		warn("%s", m->json);
	json_decref(file);
	free(new);
	return ret;
}

static bool has_string(const json_t *row, const char *name, const char *value)
{
	const char *is = json_string_value(json_object_get(row, name));

	return is && !strcmp(is, value);
}

static bool is_known(const struct matrix *m, const char *subject, const char *kernel,
		     const char *bar, unsigned int lcores)
{
	const json_t *row;
	size_t i;

	json_array_foreach (m->rows, i, row)
		if (has_string(row, "handler", subject) && has_string(row, "kernel", kernel) &&
		    has_string(row, "bar_of", bar) &&
		    json_integer_value(json_object_get(row, "cell_lcores")) == lcores)
			return true;
	return false;
}

static void tell_time_left(const struct matrix *m)
{
	unsigned int left = m->cells - m->known - m->done;
	double each = m->done ? difftime(time(NULL), m->start) / m->done : 0;

	if (m->done)
		progress_prefix("%u of %u cells, %.0f min left: ", m->known + m->done, m->cells,
				each * left / 60 + 0.5);
	else
		progress_prefix("%u of %u cells: ", m->known, m->cells);
}

/* The arms of a cell, as rows that also say which cell they are of. */
static void add_rows(struct matrix *m, struct arm *arms, const char *bar, unsigned int lcores)
{
	json_t *list = arms_to_json(arms, SHARINGS), *row;
	size_t i;

	json_array_foreach (list, i, row) {
		json_object_set_new(row, "bar_of", json_string(bar));
		json_object_set_new(row, "cell_lcores", json_integer(lcores));
		json_array_append(m->rows, row);
	}
	json_decref(list);
}

static int run_cell(struct matrix *m, const struct guest *guest, const char *subject,
		    const char *bar, unsigned int lcores)
{
	bool nvme = !strcmp(bar, NVME_BAR);
	char *device = nvme ? NULL : format("ivshmem:%s", bar);
	struct arm arms[SHARINGS];
	int ret;

	arms_init(arms, subject, kernel_title(&guest->kernel), lcores, m->extent.trials, nvme);
	m->trials.device = device;
	tell_time_left(m);
	ret = trials_run(&m->trials, guest, arms, SHARINGS);
	if (ret == 0) {
		add_rows(m, arms, bar, lcores);
		ret = store_rows(m);
	}
	m->done++;
	for (int i = 0; i < SHARINGS; i++)
		arm_free(&arms[i]);
	free(device);
	return ret;
}

static int run_subject(struct matrix *m, const char *subject, bool count_only)
{
	const struct extent *e = &m->extent;
	struct guest guest;
	int ret = guest_prepare_named(&guest, subject);

	if (ret == 0)
		m->trials.kvm = accel_kvm(&guest.kernel, NULL);
	for (int b = 0; ret == 0 && e->bars[b]; b++) {
		for (int l = 0; ret == 0 && e->lcores[l]; l++) {
			bool known = is_known(m, subject, kernel_title(&guest.kernel), e->bars[b],
					      e->lcores[l]);

			if (count_only) {
				m->cells++;
				m->known += known;
			} else if (!known) {
				ret = run_cell(m, &guest, subject, e->bars[b], e->lcores[l]);
			}
		}
	}
	guest_free(&guest);
	return ret;
}

static void time_cell(struct table *t, const json_t *ns, const char *name)
{
	if (json_is_object(ns))
		table_cell(t, "%.1f", json_number_value(json_object_get(ns, name)) / 1e3);
	else
		table_cell(t, "-");
}

static void print_rows(const struct matrix *m)
{
	static const char *const heads[] = {"handler",	 "BAR",		 "who maps",  ">lcores",
					    ">survived", ">kernel BUGs", ">hangs",    ">p50 us",
					    ">p99 us",	 ">max us",	 ">faults/s", NULL};
	struct table *t = table_new(heads);
	const json_t *row;
	size_t i;

	json_array_foreach (m->rows, i, row) {
		const json_t *ns = json_object_get(row, "first_fault_ns");
		const json_t *rate = json_object_get(row, "faults_per_s");

		table_cell(t, "%s", json_string_value(json_object_get(row, "handler")));
		table_cell(t, "%s", json_string_value(json_object_get(row, "bar_of")));
		table_cell(t, "%s", json_string_value(json_object_get(row, "sharing")));
		table_cell(t, "%lld", json_integer_value(json_object_get(row, "lcores")));
		table_cell(t, "%lld of %lld", json_integer_value(json_object_get(row, "survived")),
			   json_integer_value(json_object_get(row, "trials")));
		table_cell(t, "%lld", json_integer_value(json_object_get(row, "kernel_bugs")));
		table_cell(t, "%lld", json_integer_value(json_object_get(row, "hangs")));
		time_cell(t, ns, "p50");
		time_cell(t, ns, "p99");
		time_cell(t, ns, "max");
		if (json_is_real(rate))
			table_cell(t, "%.0f", json_real_value(rate));
		else
			table_cell(t, "-");
	}
	table_print(t, stdout);
	table_free(t);
}

int cmd_matrix(int argc, char **argv)
{
	static const struct argp argp = {options, parse, "[HANDLER|KERNEL...]", doc, NULL,
					 NULL,	  NULL};
	struct matrix m = {
		.extent = quick,
		.json = "barrage-matrix.json",
		.trials.max_bugs = 1,
	};
	struct options o = {.m = &m};
	char *bench;
	int ret = 0;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	m.trials.bench = bench = host_program("barrage-bench");
	m.rows = load_rows(&m);
	for (int s = 0; ret == 0 && m.extent.subjects[s]; s++)
		ret = run_subject(&m, m.extent.subjects[s], true);
	m.start = time(NULL);
	for (int s = 0; ret == 0 && m.extent.subjects[s]; s++)
		ret = run_subject(&m, m.extent.subjects[s], false);
	progress_prefix("%s", "");
	if (ret == 0)
		print_rows(&m);
	json_decref(m.rows);
	free(bench);
	return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}
