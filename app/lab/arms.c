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

#define LAZY "lazy"

size_t arms_init(struct arm *arms, const struct arm *like, const char *const policies[], bool io)
{
	size_t n = 0;

	for (size_t p = 0; policies[p]; p++)
		for (int sharing = 0; sharing < SHARINGS; sharing++) {
			struct arm *arm = &arms[n++];

			*arm = *like;
			arm->policy = policies[p];
			arm->sharing = sharing;
			arm->lcores = sharing == SINGLE ? 1 : like->lcores;
			arm->io_done = !io || strcmp(policies[p], LAZY) != 0;
			arm->bar = -1;
			arm->iops = -1;
		}
	return n;
}

bool arm_wants_more(const struct arm *arm)
{
	return arm->left || !arm->io_done;
}

static void add_times(struct times *times, const json_t *list)
{
	const json_t *value;
	size_t i;

	times->ns = realloc(times->ns, (times->n + json_array_size(list)) * sizeof(*times->ns));
	if (!times->ns && json_array_size(list))
		err(1, NULL);
	json_array_foreach (list, i, value)
		times->ns[times->n++] = (uint64_t)json_integer_value(value);
}

static void take_refusal(struct arm *arm, const char *why)
{
	snprintf(arm->refused, sizeof(arm->refused), "%s", why);
	arm->left = 0;
	arm->io_done = true;
}

static void take_fault(struct arm *arm, const json_t *record)
{
	const json_t *refused = json_object_get(record, "refused");

	if (refused)
		take_refusal(arm, json_string_value(refused));
	if (!json_object_get(record, "ns"))
		return; /* the line that announces the arm */
	add_times(&arm->first, json_object_get(record, "ns"));
	add_times(&arm->retry, json_object_get(record, "retry_ns"));
	arm->window_ns += json_number_value(json_object_get(record, "window_ns"));
	arm->cycle_ns += json_number_value(json_object_get(record, "cycle_ns"));
	arm->mappings += (unsigned int)json_array_size(json_object_get(record, "map_ns"));
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

static bool has(const json_t *record, const char *name, const char *value)
{
	const char *is = json_string_value(json_object_get(record, name));

	return is && !strcmp(is, value);
}

bool arm_take(struct arm *arm, const json_t *record)
{
	if (!has(record, "sharing", sharing_names[arm->sharing]) ||
	    json_integer_value(json_object_get(record, "lcores")) != arm->lcores)
		return false;
	if (has(record, "benchmark", "first_fault") && has(record, "policy", arm->policy))
		take_fault(arm, record);
	else if (has(record, "benchmark", "nvme_io") && !strcmp(arm->policy, LAZY))
		take_io(arm, record);
	else
		return false;
	return true;
}

void arm_free(struct arm *arm)
{
	free(arm->first.ns);
	free(arm->retry.ns);
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

/* The numbers that some times come down to. */
struct summary {
	bool known; /* the others mean something */
	uint64_t min, p50, p99, max;
};

/* In ascending order. Freed by the caller. */
static uint64_t *sorted(const struct times *times)
{
	uint64_t *ns = malloc((times->n + 1) * sizeof(*ns));

	if (!ns)
		err(1, NULL);
	if (times->n)
		memcpy(ns, times->ns, times->n * sizeof(*ns));
	qsort(ns, times->n, sizeof(*ns), compare_ns);
	return ns;
}

static struct summary summarise(const struct times *times)
{
	struct summary s = {.known = times->n > 0};
	uint64_t *ns = sorted(times);

	if (s.known) {
		s.min = ns[0];
		s.p50 = arm_quantile(ns, times->n, 0.5);
		s.p99 = arm_quantile(ns, times->n, 0.99);
		s.max = ns[times->n - 1];
	}
	free(ns);
	return s;
}

/* Per second, of so many in so many nanoseconds; < 0 when there were none. */
static double rate(double count, double ns)
{
	return ns > 0 ? count / (ns / 1e9) : -1;
}

static double faults_per_s(const struct arm *arm)
{
	return rate((double)arm->first.n, arm->window_ns);
}

static double mappings_per_s(const struct arm *arm)
{
	return rate(arm->mappings, arm->cycle_ns);
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

static void rate_cell(struct table *t, double per_second)
{
	number_cell(t, per_second >= 0, per_second, 0);
}

static void print_row(struct table *t, const struct arm *arm, bool failing)
{
	struct summary s = summarise(&arm->first), retry = summarise(&arm->retry);
	char *who = mappings(arm);

	table_cell(t, "%s", arm->handler);
	table_cell(t, "%s", who);
	table_cell(t, "%u of %u", arm->survived, trials(arm));
	table_cell(t, "%u", arm->kernel_bugs);
	table_cell(t, "%u", arm->hangs);
	number_cell(t, s.known, (double)s.min / 1e3, 1);
	number_cell(t, s.known, (double)s.p50 / 1e3, 1);
	number_cell(t, s.known, (double)s.p99 / 1e3, 1);
	number_cell(t, s.known, (double)s.max / 1e3, 1);
	if (failing)
		number_cell(t, retry.known, (double)retry.p50 / 1e3, 1);
	rate_cell(t, faults_per_s(arm));
	rate_cell(t, mappings_per_s(arm));
	rate_cell(t, arm->iops);
	free(who);
}

void arms_print(const struct arm *arms, size_t n, FILE *out)
{
	static const char *const heads[] = {
		"handler", "who maps", ">survived", ">kernel BUGs", ">hangs", ">min us", ">p50 us",
		">p99 us", ">max us",  ">faults/s", ">mappings/s",  ">IOPS",  NULL,
	};
	static const char *const failing_heads[] = {
		"handler",   "who maps",    ">survived", ">kernel BUGs", ">hangs",
		">min us",   ">p50 us",	    ">p99 us",	 ">max us",	 ">retry p50 us",
		">faults/s", ">mappings/s", ">IOPS",	 NULL,
	};
	bool failing = n && arms[0].fail_after;
	struct table *t = table_new(failing ? failing_heads : heads);

	for (size_t i = 0; i < n; i++)
		print_row(t, &arms[i], failing);
	table_print(t, out);
	table_free(t);
}

static void draw_arm(struct plot *p, const struct arm *arm)
{
	char *who = mappings(arm), *name = format("%s: %s", arm->handler, who);
	uint64_t *ns = sorted(&arm->first);

	if (arm->first.n)
		plot_line(p, name);
	for (size_t i = 0; i < arm->first.n; i++)
		plot_point(p, (double)ns[i] / 1e3, (double)(i + 1) / (double)arm->first.n);
	free(ns);
	free(who);
	free(name);
}

/* The share of first accesses that took at most so long, a line for each arm. */
int arms_draw(const struct arm *arms, size_t n, const char *path)
{
	struct plot *p = plot_new("First access to a fresh mapping", "microseconds",
				  "share of the accesses", false);

	for (size_t i = 0; i < n; i++)
		draw_arm(p, &arms[i]);
	return plot_draw(p, path);
}

static const struct arm *find(const struct arm *arms, size_t n, const char *handler,
			      enum sharing sharing)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(arms[i].handler, handler) && arms[i].sharing == sharing)
			return &arms[i];
	return NULL;
}

/* What became of the accesses that are at stake. */
static char *fate(const struct arm *arm, const char *deed)
{
	if (arm->kernel_bugs)
		return format("%s: %s, and that is a kernel BUG at %s (%u of %u trials)",
			      arm->handler, deed, arm->bug_at, arm->kernel_bugs, trials(arm));
	if (arm->hangs)
		return format("%s: %s, and that hangs the kernel (%u of %u trials)", arm->handler,
			      deed, arm->hangs, trials(arm));
	return format("%s: %s, %u times, and all survived", arm->handler, deed, arm->survived);
}

/* Of lcores on one VMA; or of a lone lcore whose first access failed, where fills are made to. */
static char *fate_of(const struct arm *arms, size_t n, const char *handler)
{
	const struct arm *arm = find(arms, n, handler, arms[0].fail_after ? SINGLE : SHARED);
	char *deed, *text;

	if (arms[0].fail_after)
		deed = format("a first fill fails after %u pages and the access is made again",
			      arm->fail_after);
	else
		deed = format("%u lcores first touch one VMA together", arm->lcores);
	text = fate(arm, deed);
	free(deed);
	return text;
}

char *arms_verdict(const struct arm *arms, size_t n, const char *before, const char *after)
{
	struct summary a = summarise(&find(arms, n, before, SINGLE)->first);
	struct summary b = summarise(&find(arms, n, after, SINGLE)->first);
	char *first = fate_of(arms, n, before), *second = fate_of(arms, n, after), *verdict;

	if (a.known && b.known && !arms[0].fail_after)
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

static json_t *rate_or_null(double per_second)
{
	return per_second >= 0 ? json_real(per_second) : json_null();
}

static json_t *text_or_null(const char *text)
{
	return text[0] ? json_string(text) : json_null();
}

static json_t *times_to_json(const struct times *times)
{
	struct summary s = summarise(times);
	json_t *all;

	if (!s.known)
		return json_null();
	all = json_array();
	for (size_t i = 0; i < times->n; i++)
		json_array_append_new(all, json_integer((json_int_t)times->ns[i]));
	return json_pack("{s:I, s:I, s:I, s:I, s:o}", "min", (json_int_t)s.min, "p50",
			 (json_int_t)s.p50, "p99", (json_int_t)s.p99, "max", (json_int_t)s.max,
			 "all", all);
}

static json_t *arm_to_json(const struct arm *arm)
{
	json_t *json = json_pack("{s:s, s:s, s:s, s:i, s:s}", "handler", arm->handler, "kernel",
				 arm->kernel, "policy", arm->policy, "lcores", (int)arm->lcores,
				 "sharing", sharing_names[arm->sharing]);
	json_t *outcome = json_pack(
		"{s:o, s:o, s:i, s:i, s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:o}", "bar",
		integer_or_null(arm->bar >= 0, (uint64_t)arm->bar), "bar_bytes",
		integer_or_null(arm->bar >= 0, arm->bar_bytes), "trials", (int)trials(arm),
		"survived", (int)arm->survived, "kernel_bugs", (int)arm->kernel_bugs, "hangs",
		(int)arm->hangs, "bug_at", text_or_null(arm->bug_at), "refused",
		text_or_null(arm->refused), "first_fault_ns", times_to_json(&arm->first),
		"faults_per_s", rate_or_null(faults_per_s(arm)), "mappings_per_s",
		rate_or_null(mappings_per_s(arm)), "iops", rate_or_null(arm->iops));

	json_object_update_new(json, outcome);
	if (arm->fail_after) {
		json_object_set_new(json, "fail_after", json_integer(arm->fail_after));
		json_object_set_new(json, "retry_ns", times_to_json(&arm->retry));
	}
	return json;
}

json_t *arms_to_json(const struct arm *arms, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, arm_to_json(&arms[i]));
	return list;
}
