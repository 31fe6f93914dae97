/* SPDX-License-Identifier: BSD-3-Clause */
/* The figures of barrage perf: one JSON object, and the table made of it. */

#include <err.h>
#include <rte_cycles.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "perf.h"
#include "provenance.h"
#include "table.h"

static const char *const names[PERF_DIRECTIONS] = {"read", "write"};

static json_t *nanoseconds(double ticks)
{
	return json_integer((json_int_t)(ticks * 1e9 / (double)rte_get_tsc_hz() + 0.5));
}

/* Each bucket that is not empty, as its upper end and its count. */
static json_t *histogram_json(const struct brg_hist *h)
{
	json_t *list = json_array();
	uint64_t before = 0;

	for (size_t i = 0; i < BRG_HIST_BUCKETS; i++) {
		double end;

		if (!h->bucket[i])
			continue;
		/* the rank of any of this bucket's samples gives its end */
		end = (double)brg_hist_quantile(h, ((double)before + 0.5) / (double)h->count);
		before += h->bucket[i];
		json_array_append_new(
			list, json_pack("[o, I]", nanoseconds(end), (json_int_t)h->bucket[i]));
	}
	return list;
}

static json_t *latency_json(const struct brg_hist *h)
{
	static const struct {
		const char *name;
		double share;
	} shares[] = {
		{"50", 0.5},	 {"90", 0.9},	    {"95", 0.95},	 {"99", 0.99},
		{"99.9", 0.999}, {"99.99", 0.9999}, {"99.999", 0.99999},
	};
	json_t *percentiles = json_object();

	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++)
		json_object_set_new(percentiles, shares[i].name,
				    nanoseconds((double)brg_hist_quantile(h, shares[i].share)));
	return json_pack("{s:o, s:o, s:o, s:o}", "min", nanoseconds((double)h->min), "mean",
			 nanoseconds(brg_hist_mean(h)), "max", nanoseconds((double)h->max),
			 "percentiles", percentiles);
}

static json_t *figures_json(const struct perf_figures *f, double seconds)
{
	uint64_t ios = f->latency.count;

	if (!ios)
		return json_null();
	return json_pack("{s:I, s:I, s:f, s:f, s:o}", "ios", (json_int_t)ios, "bytes",
			 (json_int_t)f->bytes, "iops", (double)ios / seconds, "bytes_per_second",
			 (double)f->bytes / seconds, "latency_ns", latency_json(&f->latency));
}

/* Add what some devices did, all of them together. */
static void add_figures(json_t *to, const struct perf_device *devices, unsigned int ndevices,
			const struct perf_options *o, bool histogram)
{
	double seconds = perf_seconds(devices, ndevices, o);

	json_object_set_new(to, "seconds", json_real(seconds));
	for (unsigned int i = 0; i < PERF_DIRECTIONS; i++) {
		struct perf_figures *sum = calloc(1, sizeof(*sum));

		if (!sum)
			err(EXIT_FAILURE, NULL);
		for (unsigned int d = 0; d < ndevices; d++)
			perf_sum(&devices[d], o, i, sum);
		json_object_set_new(to, names[i], figures_json(sum, seconds));
		if (histogram && sum->latency.count)
			json_object_set_new(
				json_object_get(json_object_get(to, names[i]), "latency_ns"),
				"histogram", histogram_json(&sum->latency));
		free(sum);
	}
}

static json_t *sizes_json(const struct perf_options *o)
{
	json_t *sizes = json_array();
	unsigned int below = 0;

	for (unsigned int i = 0; i < o->nsizes; i++) {
		json_array_append_new(sizes, json_pack("{s:I, s:i}", "bytes",
						       (json_int_t)o->sizes[i].bytes, "percent",
						       (int)(o->sizes[i].below - below)));
		below = o->sizes[i].below;
	}
	return sizes;
}

static json_t *host_json(void)
{
	char *machine = cpu_model(), *command = command_line(), *date = date_now();
	struct utsname kernel;
	json_t *host;

	uname(&kernel);
	host = json_pack("{s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:s}", "machine", machine, "cpus",
			 (json_int_t)sysconf(_SC_NPROCESSORS_ONLN), "accel", hypervisor(), "kernel",
			 kernel.release, "barrage_version", BRG_VERSION, "commit", build_commit(),
			 "command", command, "date", date);
	free(machine);
	free(command);
	free(date);
	return host;
}

json_t *perf_json(const struct perf_device *devices, const struct perf_options *o)
{
	json_t *json = json_pack("{s:s, s:s, s:i, s:o, s:i, s:i, s:f, s:o, s:b, s:I}", "schema",
				 "barrage-perf/1", "rw", o->rw, "read_percent", (int)o->reads,
				 "block_sizes", sizes_json(o), "queue_depth", (int)o->queue_depth,
				 "lcores", (int)o->lcores, "warmup_seconds", o->warmup, "rate",
				 o->rate ? json_real(o->rate) : json_null(), "verify",
				 (int)o->verify, "seed", (json_int_t)o->seed);
	json_t *list = json_array();

	for (unsigned int i = 0; i < o->ndevices; i++) {
		json_t *device =
			json_pack("{s:s, s:I}", "bdf", brg_device_get_info(devices[i].dev)->bdf,
				  "nsid", (json_int_t)devices[i].ns.nsid);

		add_figures(device, &devices[i], 1, o, false);
		json_array_append_new(list, device);
	}
	json_object_set_new(json, "host", host_json());
	json_object_set_new(json, "devices", list);
	add_figures(json, devices, o->ndevices, o, true);
	return json;
}

static double microseconds(const json_t *latency, const char *key)
{
	return (double)json_integer_value(json_object_get(latency, key)) / 1000;
}

static void add_rows(struct table *t, const char *device, const json_t *from)
{
	for (unsigned int i = 0; i < PERF_DIRECTIONS; i++) {
		static const char *const shown[] = {"50", "99", "99.9"};
		const json_t *f = json_object_get(from, names[i]);
		const json_t *latency = json_object_get(f, "latency_ns");
		const json_t *percentiles = json_object_get(latency, "percentiles");

		if (!json_is_object(f))
			continue;
		table_cell(t, "%s", device);
		table_cell(t, "%s", names[i]);
		table_cell(t, "%lld", json_integer_value(json_object_get(f, "ios")));
		table_cell(t, "%.0f", json_real_value(json_object_get(f, "iops")));
		table_cell(t, "%.1f",
			   json_real_value(json_object_get(f, "bytes_per_second")) / (1 << 20));
		table_cell(t, "%.1f", microseconds(latency, "mean"));
		for (size_t p = 0; p < sizeof(shown) / sizeof(shown[0]); p++)
			table_cell(t, "%.1f", microseconds(percentiles, shown[p]));
		table_cell(t, "%.1f", microseconds(latency, "max"));
	}
}

void perf_print(const json_t *json)
{
	static const char *const heads[] = {"device",	 "",	     ">commands", ">IOPS",
					    ">MiB/s",	 ">mean us", ">p50 us",	  ">p99 us",
					    ">p99.9 us", ">max us",  NULL};
	const json_t *list = json_object_get(json, "devices");
	struct table *t = table_new(heads);
	const json_t *device;
	size_t i;

	json_array_foreach (list, i, device)
		add_rows(t, json_string_value(json_object_get(device, "bdf")), device);
	if (json_array_size(list) > 1)
		add_rows(t, "all", json);
	table_print(t, stdout);
	table_free(t);
}
