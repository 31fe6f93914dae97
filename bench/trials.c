/* SPDX-License-Identifier: BSD-3-Clause */
/* The trial stream: what its lines say, and how they get out of the process. */

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "trials.h"

static json_t *arm_to_json(const struct arm *arm, const char *benchmark)
{
	return json_pack("{s:s, s:s, s:i}", "benchmark", benchmark, "sharing",
			 sharing_names[arm->sharing], "lcores", (int)arm->lcores);
}

/* Write @p line, to which @p more is added, and release both. */
static int write_line(const struct arm *arm, json_t *line, json_t *more)
{
	char *text = NULL;
	size_t len;
	ssize_t written;
	int rc = -ENOMEM;

	if (json_object_update_new(line, more))
		goto out;
	text = json_dumps(line, JSON_COMPACT);
	if (!text)
		goto out;
	len = strlen(text);
	text[len++] = '\n'; /* in place of the terminator: write() needs none */
	written = write(arm->bench->trials_fd, text, len);
	rc = written < 0 ? -errno : written < (ssize_t)len ? -EIO : 0;
out:
	free(text);
	json_decref(line);
	return rc;
}

static json_t *fault_arm_to_json(const struct arm *arm)
{
	json_t *line = arm_to_json(arm, "first_fault");

	json_object_set_new(line, "policy", json_string(brg_bar_policy_name(arm->policy)));
	return line;
}

int trials_begin(const struct arm *arm, const char *benchmark)
{
	json_t *line;

	if (arm->bench->trials_fd < 0)
		return 0;
	line = strcmp(benchmark, "first_fault") ? arm_to_json(arm, benchmark)
						: fault_arm_to_json(arm);
	return write_line(arm, line, json_pack("{s:b}", "begin", 1));
}

int trials_refused(const struct arm *arm, const char *why)
{
	if (arm->bench->trials_fd < 0)
		return 0;
	return write_line(arm, fault_arm_to_json(arm), json_pack("{s:s}", "refused", why));
}

/* Whole nanoseconds. */
static json_t *times(const double *ns, unsigned int count)
{
	json_t *list = json_array();

	for (unsigned int i = 0; i < count; i++)
		json_array_append_new(list, json_integer(llround(ns[i])));
	return list;
}

int trials_first_fault(const struct arm *arm, const struct trial *trial)
{
	json_t *more;

	if (arm->bench->trials_fd < 0)
		return 0;
	more = json_pack("{s:i, s:I, s:I, s:o, s:o, s:o, s:I, s:I}", "bar", (int)arm->bench->bar,
			 "bar_bytes", (json_int_t)trial->bar_bytes, "trial",
			 (json_int_t)arm->trials, "map_ns", times(trial->map_ns, trial->mappings),
			 "ns", times(trial->ns, arm->lcores), "unmap_ns",
			 times(trial->unmap_ns, trial->mappings), "window_ns",
			 (json_int_t)llround(trial->window_ns), "cycle_ns",
			 (json_int_t)llround(trial->cycle_ns));
	if (trial->retry_ns)
		json_object_set_new(more, "retry_ns", times(trial->retry_ns, arm->lcores));
	return write_line(arm, fault_arm_to_json(arm), more);
}

int trials_nvme_io(const struct arm *arm, uint64_t ios, double seconds)
{
	if (arm->bench->trials_fd < 0)
		return 0;
	return write_line(arm, arm_to_json(arm, "nvme_io"),
			  json_pack("{s:i, s:i, s:I, s:f}", "queue_depth", (int)arm->queue_depth,
				    "block_size", (int)arm->bench->block_size, "ios",
				    (json_int_t)ios, "seconds", seconds));
}
