/* SPDX-License-Identifier: BSD-3-Clause */
/* What barrage-lab writes: compare, matrix and cost. */

#include <err.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ingest.h"

/* A row of numbers that came out of one arm or one operation. */
struct row {
	const struct field *at;
	const char *benchmark;
	json_t *parameters;
	struct batch *batch;
};

static void add(const struct row *row, const char *metric, const char *unit, enum better better,
		bool exact, const double *values, size_t n)
{
	batch_add(row->batch, &(struct sample){.benchmark = row->benchmark,
					       .parameters = json_incref(row->parameters),
					       .handler = field_text(row->at, "handler"),
					       .kernel = field_text(row->at, "kernel"),
					       .metric = metric,
					       .unit = unit,
					       .better = better,
					       .exact = exact,
					       .measured = ingest_date(row->at),
					       .values = values,
					       .n = n});
}

static void add_number(const struct row *row, const char *member, const char *metric,
		       const char *unit, enum better better, bool exact)
{
	double value;

	if (!field_has(row->at, member))
		return; /* null: not measured */
	value = field_number(row->at, member);
	add(row, metric, unit, better, exact, &value, 1);
}

/* Every access, where the file has them; their median otherwise. */
static void add_latencies(const struct row *row, const char *member, const char *metric)
{
	const json_t *list, *element;
	struct field summary;
	double *ns;
	size_t i;

	if (!field_has(row->at, member))
		return;
	summary = field_object(row->at, member);
	if (!field_has(&summary, "all")) {
		double p50 = field_number(&summary, "p50");

		add(row, metric, "ns", BETTER_LOWER, false, &p50, 1);
		return;
	}
	list = field_array(&summary, "all");
	ns = malloc((json_array_size(list) + 1) * sizeof(*ns));
	if (!ns)
		err(1, NULL);
	json_array_foreach (list, i, element) {
		if (!json_is_number(element) || fabs(json_number_value(element)) > FIELD_LARGEST)
			field_complain(&summary, "all", "element %zu is no number, or too large",
				       i);
		ns[i] = json_number_value(element);
	}
	if (i)
		add(row, metric, "ns", BETTER_LOWER, false, ns, i);
	else
		field_complain(&summary, "all", "is empty");
	free(ns);
}

static void add_survival(const struct row *row)
{
	int64_t trials = field_integer(row->at, "trials");
	int64_t survived = field_integer(row->at, "survived");
	double *each;

	if (trials < 0 || trials > 100000000 || survived < 0 || survived > trials) {
		field_complain(row->at, "survived", "%lld of %lld trials cannot be",
			       (long long)survived, (long long)trials);
		return;
	}
	if (trials == 0)
		return;
	each = calloc((size_t)trials, sizeof(*each));
	if (!each)
		err(1, NULL);
	for (int64_t i = 0; i < survived; i++)
		each[i] = 1;
	add(row, "survived", "share", BETTER_HIGHER, false, each, (size_t)trials);
	free(each);
}

/* A lone lcore's guest has as many CPUs as those of the other arms. */
static void add_arm(const struct field *arm, const char *bar, int64_t guest_cpus,
		    struct batch *batch)
{
	struct row row = {.at = arm, .benchmark = "first_fault", .batch = batch};
	const char *sharing = field_text(arm, "sharing");
	const char *policy = field_optional_text(arm, "policy");

	row.parameters = json_pack("{s:s, s:s, s:I}", "bar", bar, "sharing", sharing, "lcores",
				   (json_int_t)field_integer(arm, "lcores"));
	/* "lazy" was the only one when there was no such member */
	if (policy[0] && strcmp(policy, "lazy") != 0)
		json_object_set_new(row.parameters, "policy", json_string(policy));
	if (guest_cpus != field_integer(arm, "lcores"))
		json_object_set_new(row.parameters, "cpus", json_integer(guest_cpus));
	if (field_has(arm, "fail_after"))
		json_object_set_new(row.parameters, "fail_after",
				    json_integer(field_integer(arm, "fail_after")));
	add_latencies(&row, "first_fault_ns", "first_fault");
	add_latencies(&row, "retry_ns", "retry");
	add_survival(&row);
	add_number(&row, "kernel_bugs", "kernel_bugs", "", BETTER_LOWER, true);
	add_number(&row, "hangs", "hangs", "", BETTER_LOWER, true);
	add_number(&row, "faults_per_s", "faults_per_s", "1/s", BETTER_HIGHER, false);
	add_number(&row, "mappings_per_s", "mappings_per_s", "1/s", BETTER_HIGHER, false);
	add_number(&row, "iops", "iops", "1/s", BETTER_HIGHER, false);
	json_decref(row.parameters);
}

static void take_host(const struct field *top, struct batch *batch)
{
	struct field host = field_object(top, "host");

	ingest_context(&host, "machine", "cpus", batch);
}

void ingest_compare(const struct field *top, struct batch *batch)
{
	const json_t *arms = field_array(top, "arms"), *element;
	json_int_t cpus = 0;
	size_t i;

	take_host(top, batch);
	json_array_foreach (arms, i, element) {
		json_int_t lcores = json_integer_value(json_object_get(element, "lcores"));

		cpus = lcores > cpus ? lcores : cpus;
	}
	for (i = 0; i < json_array_size(arms); i++) {
		struct field arm = field_element(top, "arms", arms, i);

		add_arm(&arm, "nvme", cpus, batch);
	}
}

void ingest_matrix(const struct field *top, struct batch *batch)
{
	const json_t *rows = field_array(top, "rows");
	struct field host = field_object(top, "host");

	take_host(top, batch);
	for (size_t i = 0; i < json_array_size(rows); i++) {
		struct field row = field_element(top, "rows", rows, i);
		const char *commit = field_optional_text(&row, "commit");

		if (commit[0] && strcmp(commit, field_optional_text(&host, "commit")) != 0)
			continue; /* what an older build left in the file is not of this run */
		add_arm(&row, field_text(&row, "bar_of"), field_integer(&row, "cell_lcores"),
			batch);
	}
}

/* Counts depend on no machine, so without a host they are all of one class. */
static void take_counting_host(const struct field *top, struct batch *batch)
{
	struct field host = {.file = top->file, .where = "host.", .bad = top->bad};

	if (field_has(top, "host"))
		host = field_object(top, "host");
	if (!batch->machine)
		batch->machine = strdup("counting mode");
	ingest_context(&host, "machine", "cpus", batch);
}

/*
 * Files of before do not say whether a count repeats to the digit. It may where some of the runs
 * see no timer interrupt (one per 4 million instructions), and nothing is filled at mmap() time.
 */
static bool may_repeat(const struct field *row)
{
	const char *policy = field_optional_text(row, "policy");

	return field_integer(row, "instructions") <= 1000000 &&
	       (strcmp(field_optional_text(row, "op"), "map") != 0 || !strcmp(policy, "plain") ||
		!strcmp(policy, "lazy"));
}

static void add_count(const struct field *at, const char *benchmark, json_t *parameters,
		      struct batch *batch)
{
	struct row row = {
		.at = at, .benchmark = benchmark, .parameters = parameters, .batch = batch};

	bool exact = field_has(at, "exact") ? field_boolean(at, "exact") : may_repeat(at);

	field_integer(at, "instructions");
	add_number(&row, "instructions", "instructions", "instructions", BETTER_LOWER, exact);
	json_decref(parameters);
}

void ingest_cost(const struct field *top, struct batch *batch)
{
	const json_t *rows = field_array(top, "rows");

	take_counting_host(top, batch);
	for (size_t i = 0; i < json_array_size(rows); i++) {
		struct field row = field_element(top, "rows", rows, i);
		json_t *parameters =
			json_pack("{s:I, s:s, s:s}", "bar_bytes",
				  (json_int_t)field_integer(&row, "bar_bytes"), "policy",
				  field_text(&row, "policy"), "op", field_text(&row, "op"));

		if (field_has(top, "fail_after"))
			json_object_set_new(parameters, "fail_after",
					    json_integer(field_integer(top, "fail_after")));
		add_count(&row, "cost", parameters, batch);
	}
}

/* Two programs may use the same names. Files of before do not tell the program's. */
void ingest_marks(const struct field *top, struct batch *batch)
{
	const json_t *rows = field_array(top, "rows");
	const char *program = field_optional_text(top, "program");

	take_counting_host(top, batch);
	for (size_t i = 0; i < json_array_size(rows); i++) {
		struct field row = field_element(top, "rows", rows, i);
		json_t *parameters =
			json_pack("{s:s, s:s}", "from", field_optional_text(&row, "from"), "to",
				  field_text(&row, "to"));

		if (program[0])
			json_object_set_new(parameters, "program", json_string(program));
		add_count(&row, "marks", parameters, batch);
	}
}
