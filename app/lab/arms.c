/* SPDX-License-Identifier: BSD-3-Clause */
/* What the arms of a comparison measured, as a table, as JSON and in words. */

#include <err.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arms.h"
#include "plot.h"
#include "table.h"
#include "text.h"

const char *const sharing_names[SHARINGS] = {"single", "shared", "per-lcore"};

void arms_init(struct arm arms[SHARINGS], const char *handler, const char *kernel,
	       unsigned int lcores, unsigned int trials, bool io)
{
	for (int i = 0; i < SHARINGS; i++)
		arms[i] = (struct arm){
			.handler = handler,
			.kernel = kernel,
			.sharing = i,
			.lcores = i == SINGLE ? 1 : lcores,
			.left = trials,
			.io_done = !io,
			.bar = -1,
			.iops = -1,
		};
}

static void add_sample(struct arm *arm, uint64_t ns)
{
	arm->ns = realloc(arm->ns, (arm->nns + 1) * sizeof(*arm->ns));
	if (!arm->ns)
		err(1, NULL);
	arm->ns[arm->nns++] = ns;
}

static void take_fault(struct arm *arm, const json_t *record)
{
	const json_t *ns = json_object_get(record, "ns"), *value;
	size_t i;

	if (!ns)
		return; /* the line that announces the arm */
	json_array_foreach (ns, i, value)
		add_sample(arm, (uint64_t)json_integer_value(value));
	arm->window_ns += json_number_value(json_object_get(record, "window_ns"));
	arm->bar = (int)json_integer_value(json_object_get(record, "bar"));
	arm->bar_bytes = (uint64_t)json_integer_value(json_object_get(record, "bar_bytes"));
	arm->survived++;
	if (arm->left)
		arm->left--;
}

static void take_io(struct arm *arm, const json_t *record)
{
	double seconds = json_number_value(json_object_get(record, "seconds"));

	if (seconds <= 0)
		return;
	arm->iops = json_number_value(json_object_get(record, "ios")) / seconds;
	arm->io_done = true;
}

bool arm_take(struct arm *arm, const json_t *record)
{
	const char *benchmark = json_string_value(json_object_get(record, "benchmark"));
	const char *sharing = json_string_value(json_object_get(record, "sharing"));

	if (!benchmark || !sharing || strcmp(sharing, sharing_names[arm->sharing]) != 0 ||
	    json_integer_value(json_object_get(record, "lcores")) != arm->lcores)
		return false;
	if (!strcmp(benchmark, "first_fault"))
		take_fault(arm, record);
	else if (!strcmp(benchmark, "nvme_io"))
		take_io(arm, record);
	return true;
}

void arm_free(struct arm *arm)
{
	free(arm->ns);
}

static int compare_ns(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

uint64_t arm_quantile(const uint64_t *ns, size_t n, double q)
{
	size_t rank = (size_t)ceil(q * (double)n);

	return ns[rank ? rank - 1 : 0];
}

/* The numbers that an arm's samples come down to. */
struct summary {
	bool faults; /* the numbers below mean something */
	uint64_t min, p50, p99, max;
	double per_second;
};

static struct summary summarise(struct arm *arm)
{
	if (!arm->nns || arm->window_ns <= 0)
		return (struct summary){0};
	qsort(arm->ns, arm->nns, sizeof(*arm->ns), compare_ns);
	return (struct summary){
		.faults = true,
		.min = arm->ns[0],
		.p50 = arm_quantile(arm->ns, arm->nns, 0.5),
		.p99 = arm_quantile(arm->ns, arm->nns, 0.99),
		.max = arm->ns[arm->nns - 1],
		.per_second = (double)arm->nns / (arm->window_ns / 1e9),
	};
}

static unsigned int trials(const struct arm *arm)
{
	return arm->survived + arm->kernel_bugs + arm->hangs;
}

static char *mappings(const struct arm *arm)
{
	switch (arm->sharing) {
	case SHARED:
		return format("%u lcores, one VMA", arm->lcores);
	case PER_LCORE:
		return format("%u lcores, a VMA each", arm->lcores);
	default:
		return format("1 lcore");
	}
}

static void number_cell(struct table *t, bool known, double value, int digits)
{
	if (known)
		table_cell(t, "%.*f", digits, value);
	else
		table_cell(t, "-");
}

static void print_row(struct table *t, struct arm *arm)
{
	struct summary s = summarise(arm);
	char *who = mappings(arm);

	table_cell(t, "%s", arm->handler);
	table_cell(t, "%s", who);
	table_cell(t, "%u of %u", arm->survived, trials(arm));
	table_cell(t, "%u", arm->kernel_bugs);
	table_cell(t, "%u", arm->hangs);
	number_cell(t, s.faults, (double)s.min / 1e3, 1);
	number_cell(t, s.faults, (double)s.p50 / 1e3, 1);
	number_cell(t, s.faults, (double)s.p99 / 1e3, 1);
	number_cell(t, s.faults, (double)s.max / 1e3, 1);
	number_cell(t, s.faults, s.per_second, 0);
	number_cell(t, arm->iops >= 0, arm->iops, 0);
	free(who);
}

void arms_print(struct arm *arms, size_t n, FILE *out)
{
	static const char *const heads[] = {
		"handler", "who maps", ">survived", ">kernel BUGs", ">hangs", ">min us",
		">p50 us", ">p99 us",  ">max us",   ">faults/s",    ">IOPS",  NULL,
	};
	struct table *t = table_new(heads);

	for (size_t i = 0; i < n; i++)
		print_row(t, &arms[i]);
	table_print(t, out);
	table_free(t);
}

/* The share of first accesses that took at most so long, a line for each arm. */
int arms_draw(struct arm *arms, size_t n, const char *path)
{
	struct plot *p = plot_new("First access to a fresh mapping", "microseconds",
				  "share of the accesses", false);

	for (size_t i = 0; i < n; i++) {
		char *who = mappings(&arms[i]), *name = format("%s: %s", arms[i].handler, who);

		if (summarise(&arms[i]).faults) {
			plot_line(p, name);
			for (size_t k = 0; k < arms[i].nns; k++)
				plot_point(p, (double)arms[i].ns[k] / 1e3,
					   (double)(k + 1) / (double)arms[i].nns);
		}
		free(who);
		free(name);
	}
	return plot_draw(p, path);
}

static struct arm *find(struct arm *arms, size_t n, const char *handler, enum sharing sharing)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(arms[i].handler, handler) && arms[i].sharing == sharing)
			return &arms[i];
	return NULL;
}

/* What became of the lcores that fault one VMA together. */
static char *fate(const struct arm *arm)
{
	if (arm->kernel_bugs)
		return format("%s: %u lcores that first touch one VMA together are a kernel BUG at "
			      "%s (%u of %u trials)",
			      arm->handler, arm->lcores, arm->bug_at, arm->kernel_bugs,
			      trials(arm));
	if (arm->hangs)
		return format("%s: %u lcores that first touch one VMA together hang the kernel "
			      "(%u of %u trials)",
			      arm->handler, arm->lcores, arm->hangs, trials(arm));
	return format("%s: %u lcores first touched one VMA together %u times and all survived",
		      arm->handler, arm->lcores, arm->survived);
}

char *arms_verdict(struct arm *arms, size_t n, const char *before, const char *after)
{
	struct arm *old = find(arms, n, before, SHARED), *new = find(arms, n, after, SHARED);
	struct summary a = summarise(find(arms, n, before, SINGLE));
	struct summary b = summarise(find(arms, n, after, SINGLE));
	char *first = fate(old), *second = fate(new), *verdict;

	if (a.faults && b.faults)
		verdict = format("%s; %s. The median first fault of a lone lcore: %.1f us before, "
				 "%.1f us after.",
				 first, second, (double)a.p50 / 1e3, (double)b.p50 / 1e3);
	else
		verdict = format("%s; %s.", first, second);
	free(first);
	free(second);
	return verdict;
}

static json_t *integer_or_null(bool known, uint64_t value)
{
	return known ? json_integer((json_int_t)value) : json_null();
}

/* All of them, for who compares results. */
static json_t *samples_to_json(const struct arm *arm)
{
	json_t *list = json_array();

	for (size_t i = 0; i < arm->nns; i++)
		json_array_append_new(list, json_integer((json_int_t)arm->ns[i]));
	return list;
}

static json_t *arm_to_json(struct arm *arm)
{
	struct summary s = summarise(arm);
	json_t *latency = json_null();

	if (s.faults)
		latency = json_pack("{s:I, s:I, s:I, s:I, s:o}", "min", (json_int_t)s.min, "p50",
				    (json_int_t)s.p50, "p99", (json_int_t)s.p99, "max",
				    (json_int_t)s.max, "all", samples_to_json(arm));
	return json_pack("{s:s, s:s, s:i, s:s, s:o, s:o, s:i, s:i, s:i, s:i, s:o, s:o, s:o, s:o}",
			 "handler", arm->handler, "kernel", arm->kernel, "lcores", (int)arm->lcores,
			 "sharing", sharing_names[arm->sharing], "bar",
			 integer_or_null(arm->bar >= 0, (uint64_t)arm->bar), "bar_bytes",
			 integer_or_null(arm->bar >= 0, arm->bar_bytes), "trials", (int)trials(arm),
			 "survived", (int)arm->survived, "kernel_bugs", (int)arm->kernel_bugs,
			 "hangs", (int)arm->hangs, "bug_at",
			 arm->bug_at[0] ? json_string(arm->bug_at) : json_null(), "first_fault_ns",
			 latency, "faults_per_s", s.faults ? json_real(s.per_second) : json_null(),
			 "iops", arm->iops >= 0 ? json_real(arm->iops) : json_null());
}

json_t *arms_to_json(struct arm *arms, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, arm_to_json(&arms[i]));
	return list;
}
