/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * barrage-lab matrix: the trials of compare over handlers and kernels, BAR sizes, lcores and
 * policies. The result file is written anew after every cell, so a matrix that was ended goes on
 * where it was. A cell has all the policies: they share its guests.
 */

#include <argp.h>
#include <err.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "accel.h"
#include "commands.h"
#include "handler.h"
#include "host.h"
#include "kernel.h"
#include "progress.h"
#include "provenance.h"
#include "table.h"
#include "text.h"
#include "trials.h"

#define MOST	      32
#define MOST_POLICIES 5
#define SCHEMA	      "barrage-matrix/1"

/* A cell. */
struct cell {
	const char *subject, *kernel, *bar;
	unsigned int lcores;
};

/* What the cells are made of; each list ends with NULL or 0. */
struct extent {
	const char *subjects[MOST + 1]; /* handlers, and kernels with the handler they have */
	const char *bars[8]; /* BAR of an ivshmem device, by size; the NVMe controller's */
	unsigned int lcores[8];
	const char *policies[MOST_POLICIES + 1]; /* of brg_bar_map() */
	unsigned int trials;
};

#define NVME_BAR "nvme"

static const struct extent quick = {
	.subjects = {"unfixed", "fixed", "debian:6.12"},
	.bars = {NVME_BAR, "64M"},
	.lcores = {2},
	.policies = {"lazy", "auto"},
	.trials = 10,
};

/* With the subjects of all_subjects(). */
static const struct extent full = {
	.bars = {NVME_BAR, "2M", "64M", "1G"},
	.lcores = {2, 4},
	.policies = {"lazy", "auto", "touch", "iommu", "parallel"},
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
	"Run the trials of compare for every handler or kernel named, BAR size, number of lcores "
	"and policy to map by. "
	"The result file is kept up to date; run again after an interruption, it goes on where it "
	"was.\v"
	"Example:\n"
	"  barrage-lab matrix --quick --json matrix.json\n"
	"  barrage-lab matrix --full unfixed debian:backports";

enum {
	OPT_QUICK = 256,
	OPT_FULL,
	OPT_POLICY,
	OPT_FAIL_AFTER,
	OPT_JSON,
	OPT_RESTART
};

static const struct argp_option options[] = {
	{"quick", OPT_QUICK, NULL, 0, "a few cells, one or two minutes (default)", 0},
	{"full", OPT_FULL, NULL, 0,
	 "every handler and kernel there is, BARs up to 1 GiB, 2 and 4 lcores: some hours", 0},
	{"policy", OPT_POLICY, "LIST", 0,
	 "how to map, of lazy, auto, touch, iommu, parallel (default: lazy,auto, or with --full "
	 "all)",
	 0},
	{"fail-after", OPT_FAIL_AFTER, "PAGES", 0,
	 "the first fill of every trial fails after so many pages, and the access is made again "
	 "(handlers only)",
	 0},
	{"json", OPT_JSON, "FILE", 0, "the result file (default barrage-matrix.json)", 0},
	{"restart", OPT_RESTART, NULL, 0, "do not go on with what is in the result file", 0},
	{"verbose", 'v', NULL, 0, "show the guests' consoles and what the bench prints", 0},
	{0},
};

struct options {
	struct matrix *m;
	const char *subjects[MOST + 1];
	int nsubjects;
	const char *policies[MOST_POLICIES + 1];
};

/* Every handler, and every kernel but the one whose own handler is among them. */
static void all_subjects(const char **subjects)
{
	int n = 0;

	for (const struct handler *h = handlers; h->name && n < MOST; h++)
		subjects[n++] = h->name;
	for (const struct kernel_series *s = kernel_series; s->name && n < MOST; s++)
		if (strcmp(s->name, KERNEL_DEFAULT) != 0)
			subjects[n++] = s->name;
	subjects[n] = NULL;
}

/* In the order of the full list, each once. */
static void parse_policies(struct argp_state *state, char *list, const char **policies)
{
	bool wanted[MOST_POLICIES] = {false};
	char *name;
	int i, n = 0;

	while ((name = strsep(&list, ","))) {
		for (i = 0; full.policies[i] && strcmp(full.policies[i], name); i++)
			;
		if (!full.policies[i])
			argp_error(state,
				   "--policy: '%s' is none of lazy, auto, touch, iommu, parallel",
				   name);
		wanted[i] = true;
	}
	for (i = 0; i < MOST_POLICIES; i++)
		if (wanted[i])
			policies[n++] = full.policies[i];
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->m->trials.qemu;
		break;
	case OPT_QUICK:
		o->m->extent = quick;
		break;
	case OPT_FULL:
		o->m->extent = full;
		all_subjects(o->m->extent.subjects);
		break;
	case OPT_POLICY:
		parse_policies(state, arg, o->policies);
		break;
	case OPT_FAIL_AFTER:
		o->m->trials.fail_after = number_option("--fail-after", arg, 1, FAIL_AFTER_MOST);
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
		if (o->policies[0])
			memcpy(o->m->extent.policies, o->policies, sizeof(o->policies));
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

/* A file tells of one QEMU: rows of another do not belong in it. */
static void check_qemu(const struct matrix *m, const json_t *file)
{
	const json_t *host = json_object_get(file, "host");
	const char *was = json_string_value(json_object_get(host, "qemu"));
	const char *is = m->trials.qemu.version;

	if (was && is && strcmp(was, is) != 0)
		errx(1, "%s is of QEMU %s, this is %s (--restart writes it anew)", m->json, was,
		     is);
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
	check_qemu(m, file);
	json_incref(rows);
	json_decref(file);
	return rows;
}

/* The file is whole at any time: the new one takes the old one's place. */
static int store_rows(const struct matrix *m)
{
	char *new = format("%s.new", m->json);
	json_t *file =
		json_pack("{s:s, s:o, s:O}", "schema", SCHEMA, "host",
			  host_json(accel_name(m->trials.kvm), &m->trials.qemu), "rows", m->rows);
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

static bool has_number(const json_t *row, const char *name, json_int_t value)
{
	return json_integer_value(json_object_get(row, name)) == value; /* 0 where it has none */
}

/* Rows that an older build measured stay in the file, and are none of this one's. */
static bool is_of_this_build(const json_t *row)
{
	return has_string(row, "commit", build_commit());
}

/* What is the same in all rows of a cell, and in nobody else's. */
static bool is_of(const json_t *row, const struct matrix *m, const struct cell *cell)
{
	return is_of_this_build(row) && has_string(row, "handler", cell->subject) &&
	       has_string(row, "kernel", cell->kernel) && has_string(row, "bar_of", cell->bar) &&
	       has_number(row, "cell_lcores", cell->lcores) &&
	       has_number(row, "cell_trials", m->extent.trials) &&
	       has_number(row, "fail_after", m->trials.fail_after);
}

/* The policies of a cell that have no rows yet; how many. */
static unsigned int missing(const struct matrix *m, const struct cell *cell, const char *policies[])
{
	unsigned int n = 0;

	for (int p = 0; m->extent.policies[p]; p++) {
		bool known = false;
		const json_t *row;
		size_t i;

		json_array_foreach (m->rows, i, row)
			known |= is_of(row, m, cell) &&
				 has_string(row, "policy", m->extent.policies[p]);
		if (!known)
			policies[n++] = m->extent.policies[p];
	}
	policies[n] = NULL;
	return n;
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
static void add_rows(struct matrix *m, const struct arm *arms, size_t n, const struct cell *cell)
{
	json_t *list = arms_to_json(arms, n), *row;
	char *date = date_now(); /* by which a row that was seen before is known */
	size_t i;

	json_array_foreach (list, i, row) {
		json_object_set_new(row, "date", json_string(date));
		json_object_set_new(row, "commit", json_string(build_commit()));
		json_object_set_new(row, "bar_of", json_string(cell->bar));
		json_object_set_new(row, "cell_lcores", json_integer(cell->lcores));
		json_object_set_new(row, "cell_trials", json_integer(m->extent.trials));
		json_array_append(m->rows, row);
	}
	free(date);
	json_decref(list);
}

static int run_cell(struct matrix *m, const struct guest *guest, const struct cell *cell,
		    const char *const policies[])
{
	bool nvme = !strcmp(cell->bar, NVME_BAR);
	char *device = nvme ? NULL : format("ivshmem:%s", cell->bar);
	struct arm arms[ARMS_MOST], like = {
					    .handler = cell->subject,
					    .kernel = cell->kernel,
					    .lcores = cell->lcores,
					    .left = m->extent.trials,
					    .fail_after = m->trials.fail_after,
				    };
	size_t n = arms_init(arms, &like, policies, nvme && !m->trials.fail_after);
	int ret;

	m->trials.device = device;
	tell_time_left(m);
	ret = trials_run(&m->trials, guest, arms, n);
	if (ret == 0) {
		add_rows(m, arms, n, cell);
		ret = store_rows(m);
	}
	m->done++;
	for (size_t i = 0; i < n; i++)
		arm_free(&arms[i]);
	free(device);
	return ret;
}

static int run_subject(struct matrix *m, const char *subject, bool count_only)
{
	const struct extent *e = &m->extent;
	struct guest guest;
	int ret = guest_prepare_named(&guest, subject, m->trials.fail_after);

	if (ret == 0)
		m->trials.kvm = accel_kvm(&guest.kernel, &m->trials.qemu, NULL);
	for (int b = 0; ret == 0 && e->bars[b]; b++) {
		for (int l = 0; ret == 0 && e->lcores[l]; l++) {
			struct cell cell = {subject, kernel_title(&guest.kernel), e->bars[b],
					    e->lcores[l]};
			const char *policies[MOST_POLICIES + 1];
			bool known = !missing(m, &cell, policies);

			if (count_only) {
				m->cells++;
				m->known += known;
			} else if (!known) {
				ret = run_cell(m, &guest, &cell, policies);
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

static void rate_cell(struct table *t, const json_t *per_second)
{
	if (json_is_real(per_second))
		table_cell(t, "%.0f", json_real_value(per_second));
	else
		table_cell(t, "-");
}

static void print_row(struct table *t, const json_t *row)
{
	const json_t *ns = json_object_get(row, "first_fault_ns");

	table_cell(t, "%s", json_string_value(json_object_get(row, "handler")));
	table_cell(t, "%s", json_string_value(json_object_get(row, "bar_of")));
	table_cell(t, "%s", json_string_value(json_object_get(row, "policy")));
	table_cell(t, "%s", json_string_value(json_object_get(row, "sharing")));
	table_cell(t, "%lld", json_integer_value(json_object_get(row, "lcores")));
	if (json_is_string(json_object_get(row, "refused")))
		table_cell(t, "refused");
	else
		table_cell(t, "%lld of %lld", json_integer_value(json_object_get(row, "survived")),
			   json_integer_value(json_object_get(row, "trials")));
	table_cell(t, "%lld", json_integer_value(json_object_get(row, "kernel_bugs")));
	table_cell(t, "%lld", json_integer_value(json_object_get(row, "hangs")));
	time_cell(t, ns, "p50");
	time_cell(t, ns, "p99");
	time_cell(t, ns, "max");
	rate_cell(t, json_object_get(row, "faults_per_s"));
	rate_cell(t, json_object_get(row, "mappings_per_s"));
}

static void print_rows(const struct matrix *m)
{
	static const char *const heads[] = {"handler",	   "BAR",	"policy",	"who maps",
					    ">lcores",	   ">survived", ">kernel BUGs", ">hangs",
					    ">p50 us",	   ">p99 us",	">max us",	">faults/s",
					    ">mappings/s", NULL};
	struct table *t = table_new(heads);
	const json_t *row;
	size_t i, older = 0;

	json_array_foreach (m->rows, i, row) {
		if (is_of_this_build(row))
			print_row(t, row);
		else
			older++;
	}
	table_print(t, stdout);
	table_free(t);
	if (older)
		printf("\nNot here: %zu rows in %s that another build measured.\n", older, m->json);
}

int cmd_matrix(int argc, char **argv)
{
	static const struct argp_child children[] = {{&emulator_argp, 0, NULL, 0}, {0}};
	static const struct argp argp = {options, parse, "[HANDLER|KERNEL...]", doc, children,
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
	ret = emulator_get(&m.trials.qemu);
	if (ret == 0)
		m.rows = load_rows(&m);
	for (int s = 0; ret == 0 && m.extent.subjects[s]; s++)
		ret = run_subject(&m, m.extent.subjects[s], true);
	if (ret == 0)
		fprintf(stderr, "%u cells, %u of them in %s already\n", m.cells, m.known, m.json);
	m.start = time(NULL);
	for (int s = 0; ret == 0 && m.extent.subjects[s]; s++)
		ret = run_subject(&m, m.extent.subjects[s], false);
	progress_prefix("%s", "");
	if (ret == 0)
		print_rows(&m);
	json_decref(m.rows);
	emulator_free(&m.trials.qemu);
	free(bench);
	return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}
