/* SPDX-License-Identifier: BSD-3-Clause */
/* What barrage perf writes: throughput and latency of reads and of writes, of all devices together.
 */

#include <stdio.h>
#include <stdlib.h>

#include "ingest.h"
#include "text.h"

/* The sizes that a command may have: a number, or "4096:70,8192:30" with their percentages. */
static json_t *block_sizes(const struct field *top)
{
	const json_t *list = field_array(top, "block_sizes");
	char *text = format("%s", ""), *longer;
	json_t *json;

	for (size_t i = 0; i < json_array_size(list); i++) {
		struct field size = field_element(top, "block_sizes", list, i);
		long long bytes = field_integer(&size, "bytes");

		if (json_array_size(list) == 1) {
			free(text);
			return json_integer(bytes);
		}
		longer = format("%s%s%lld:%lld", text, i ? "," : "", bytes,
				(long long)field_integer(&size, "percent"));
		free(text);
		text = longer;
	}
	json = json_string(text);
	free(text);
	return json;
}

/* One number. Its name gets the direction in front. */
static void add(const struct field *top, const char *direction, const char *metric, double value,
		const char *unit, enum better better, const json_t *histogram, struct batch *batch)
{
	char *name = format("%s_%s", direction, metric);
	json_t *parameters = json_pack(
		"{s:s, s:o, s:I, s:I, s:i}", "rw", field_text(top, "rw"), "block_size",
		block_sizes(top), "queue_depth", (json_int_t)field_integer(top, "queue_depth"),
		"lcores", (json_int_t)field_integer(top, "lcores"), "devices",
		(int)json_array_size(json_object_get(top->object, "devices")));
	struct field host = field_object(top, "host");

	/* what is the same for most is left out of the name */
	if (field_has(top, "rate"))
		json_object_set(parameters, "rate", json_object_get(top->object, "rate"));
	if (field_integer(top, "read_percent") % 100)
		json_object_set(parameters, "read_percent",
				json_object_get(top->object, "read_percent"));
	batch_add(batch, &(struct sample){.benchmark = "perf",
					  .parameters = parameters,
					  .handler = "",
					  .kernel = field_optional_text(&host, "kernel"),
					  .metric = name,
					  .unit = unit,
					  .better = better,
					  .values = &value,
					  .n = 1,
					  .histogram = histogram});
	free(name);
}

/* Pairs of a bucket's upper end and its count. NULL where there is none, or after a complaint. */
static const json_t *histogram(const struct field *latency)
{
	const json_t *list, *pair;
	size_t i;

	if (!field_has(latency, "histogram"))
		return NULL;
	list = field_array(latency, "histogram");
	json_array_foreach (list, i, pair) {
		const json_t *count = json_array_get(pair, 1);

		if (json_array_size(pair) == 2 && json_is_number(json_array_get(pair, 0)) &&
		    json_is_integer(count) && json_integer_value(count) > 0)
			continue;
		field_complain(latency, "histogram", "element %zu is no pair of a time and a count",
			       i);
		return NULL;
	}
	return list;
}

static void take_direction(const struct field *top, const char *direction, struct batch *batch)
{
	struct field figures, latency, percentiles;

	if (!field_has(top, direction))
		return; /* null: there was none */
	figures = field_object(top, direction);
	latency = field_object(&figures, "latency_ns");
	percentiles = field_object(&latency, "percentiles");
	add(top, direction, "iops", field_number(&figures, "iops"), "1/s", BETTER_HIGHER, NULL,
	    batch);
	add(top, direction, "latency_p50", field_number(&percentiles, "50"), "ns", BETTER_LOWER,
	    histogram(&latency), batch);
	add(top, direction, "latency_p99", field_number(&percentiles, "99"), "ns", BETTER_LOWER,
	    NULL, batch);
}

void ingest_perf(const struct field *top, struct batch *batch)
{
	struct field host = field_object(top, "host");

	ingest_context(&host, "machine", "cpus", batch);
	take_direction(top, "read", batch);
	take_direction(top, "write", batch);
}
