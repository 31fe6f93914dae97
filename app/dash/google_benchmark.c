/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Google Benchmark's JSON, of barrage-bench or any other program, as releases 1.5 to 1.9 write it.
 * (docs/user_guide.md there describes it by example.)
 */

#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "ingest.h"
#include "text.h"

/* What of a name says how it was measured, not what: a change of it does not begin a new series. */
static bool is_setting(const char *part)
{
	static const char *const settings[] = {"iterations:",	   "repeats:",	  "min_time:",
					       "min_warmup_time:", "manual_time", "real_time",
					       "process_time"};

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if (!strncmp(part, settings[i], strlen(settings[i])))
			return true;
	return false;
}

static bool is_sharing(const char *part)
{
	return !strcmp(part, "single") || !strcmp(part, "shared") || !strcmp(part, "per-lcore");
}

/* A whole number as a number, so that a series can be drawn against it. */
static json_t *parameter(const char *text)
{
	char *end;
	long long number = strtoll(text, &end, 10);

	return *text && !*end ? json_integer(number) : json_string(text);
}

/* One part of a name after the first: NAME:VALUE, or a bare argument. */
static void take_part(json_t *parameters, char *part, unsigned int *position)
{
	char *colon = strchr(part, ':');
	char name[24];

	if (is_setting(part))
		return;
	if (colon && colon != part && colon[1] != ':') {
		*colon = '\0';
		json_object_set_new(parameters, part, parameter(colon + 1));
	} else if (is_sharing(part)) {
		json_object_set_new(parameters, "sharing", json_string(part));
	} else {
		snprintf(name, sizeof(name), "arg%u", ++*position);
		json_object_set_new(parameters, name, parameter(part));
	}
}

/*
 * "family/64/threads:2" is benchmark "family" with parameters. A '/' inside <> belongs to the
 * family: template arguments may hold anything. @return the family, freed by the caller.
 */
static char *split_name(const char *text, json_t *parameters)
{
	char *name = format("%s", text), *rest = name, *part;
	unsigned int position = 0;
	int depth = 0;

	for (; *rest && (*rest != '/' || depth > 0); rest++)
		depth += (*rest == '<') - (*rest == '>');
	if (!*rest)
		return name;
	*rest++ = '\0';
	while ((part = strsep(&rest, "/")))
		take_part(parameters, part, &position);
	return name;
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), n = strlen(end);

	return len >= n && !strcmp(text + len - n, end);
}

/* What a user's counter is, as far as its name tells. */
static void classify(const char *name, const char **unit, enum better *better)
{
	static const struct {
		const char *end, *unit;
		enum better better;
	} kinds[] = {
		{"_per_second", "1/s", BETTER_HIGHER},
		{"_per_s", "1/s", BETTER_HIGHER},
		{"iops", "1/s", BETTER_HIGHER},
		{"_ns", "ns", BETTER_LOWER},
		{"_us", "us", BETTER_LOWER},
		{"_ms", "ms", BETTER_LOWER},
		{"instructions", "instructions", BETTER_LOWER},
	};

	*unit = "";
	*better = BETTER_UNKNOWN;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!ends_with(name, kinds[i].end))
			continue;
		*unit = kinds[i].unit;
		*better = kinds[i].better;
		return;
	}
}

/* Google Benchmark's own numbers that are no metrics. */
static bool is_bookkeeping(const char *name)
{
	static const char *const names[] = {"family_index", "per_family_instance_index",
					    "repetitions",  "repetition_index",
					    "threads",	    "iterations",
					    "real_time",    "cpu_time"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

static double nanoseconds(const struct field *entry, const char *member)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}};
	const char *unit = field_text(entry, "time_unit");

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(unit, units[i].name))
			return field_number(entry, member) * units[i].ns;
	if (unit[0])
		field_complain(entry, "time_unit", "\"%s\" is none of ns, us, ms and s", unit);
	return 0;
}

/* A run that is being read: what all its benchmarks have in common. */
struct reading {
	const char *handler, *kernel;
	struct batch *batch;
};

static void add(const struct reading *r, const char *family, json_t *parameters, const char *metric,
		double value, const char *unit, enum better better)
{
	batch_add(r->batch, &(struct sample){.benchmark = family,
					     .parameters = json_incref(parameters),
					     .handler = r->handler,
					     .kernel = r->kernel,
					     .metric = metric,
					     .unit = unit,
					     .better = better,
					     .values = &value,
					     .n = 1});
}

static void add_entry(const struct reading *r, const struct field *entry)
{
	const char *name = field_text(entry, field_has(entry, "run_name") ? "run_name" : "name");
	json_t *parameters = json_object(), *value;
	char *family = split_name(name, parameters);
	enum better better;
	const char *key, *unit;

	add(r, family, parameters, "real_time", nanoseconds(entry, "real_time"), "ns",
	    BETTER_LOWER);
	if (!strstr(name, "/manual_time")) /* there it is the time of the harness, too */
		add(r, family, parameters, "cpu_time", nanoseconds(entry, "cpu_time"), "ns",
		    BETTER_LOWER);
	json_object_foreach ((json_t *)(uintptr_t)entry->object, key, value) {
		if (!json_is_number(value) || is_bookkeeping(key))
			continue;
		classify(key, &unit, &better);
		add(r, family, parameters, key, field_number(entry, key), unit, better);
	}
	free(family);
	json_decref(parameters);
}

static bool failed(const struct field *entry)
{
	return json_is_true(json_object_get(entry->object, "error_occurred")) ||
	       json_is_true(json_object_get(entry->object, "skipped"));
}

/*
 * Aggregates say what the repetitions say; with --benchmark_report_aggregates_only there are no
 * others, and the median stands for them.
 */
static bool is_wanted(const struct field *entry, bool aggregates_only)
{
	bool aggregate = !strcmp(field_optional_text(entry, "run_type"), "aggregate");

	if (!aggregate)
		return true;
	return aggregates_only && !strcmp(field_text(entry, "aggregate_name"), "median");
}

static bool has_only_aggregates(const json_t *list)
{
	const json_t *entry;
	size_t i;

	json_array_foreach (list, i, entry) {
		const char *type = json_string_value(json_object_get(entry, "run_type"));

		if (!type || strcmp(type, "aggregate") != 0)
			return false;
	}
	return true;
}

void ingest_google_benchmark(const struct field *top, struct batch *batch)
{
	struct field context = field_object(top, "context");
	const json_t *list = field_array(top, "benchmarks");
	bool aggregates_only = has_only_aggregates(list);
	struct reading r = {
		.handler = field_optional_text(&context, "handler"),
		.kernel = field_optional_text(&context, "kernel_release"),
		.batch = batch,
	};
	unsigned int left_out = 0;

	ingest_context(&context, field_has(&context, "machine") ? "machine" : "host_name",
		       "num_cpus", batch);
	for (size_t i = 0; i < json_array_size(list); i++) {
		struct field entry = field_element(top, "benchmarks", list, i);

		if (failed(&entry))
			left_out++;
		else if (is_wanted(&entry, aggregates_only))
			add_entry(&r, &entry);
	}
	if (left_out)
		warnx("%s: %u of %zu runs failed, and are left out", top->file, left_out,
		      json_array_size(list));
}
