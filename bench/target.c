/* SPDX-License-Identifier: BSD-3-Clause */
/* What a benchmark runs on: EAL with as many lcores as the options need, and the device. */

#include <errno.h>
#include <rte_memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "cpus.h"

static uint32_t largest(const struct list *list)
{
	uint32_t max = 0;

	for (unsigned int i = 0; i < list->count; i++)
		max = RTE_MAX(max, list->value[i]);
	return max;
}

/* EAL's plain memory does not grow: ask for every buffer of the largest nvme_io at once. */
static unsigned int memory_mib(const struct bench *bench)
{
	uint64_t buffers = (uint64_t)largest(&bench->lcores) * largest(&bench->queue_depths) *
			   bench->block_size;

	return 64 + (unsigned int)(buffers >> 20);
}

static int start_eal(struct bench *bench)
{
	char cpus[1024];
	struct brg_env_opts opts = {
		.program = "barrage-bench", .lcores = cpus, .memory_mib = memory_mib(bench)};
	unsigned int lcores = largest(&bench->lcores);
	int rc;

	rc = cpu_list(lcores, cpus, sizeof(cpus));
	if (rc) {
		snprintf(bench->error, sizeof(bench->error),
			 "%u lcores need as many CPUs that this process may run on", lcores);
		return rc;
	}
	rc = brg_env_init(&opts);
	if (rc)
		snprintf(bench->error, sizeof(bench->error), "%s", brg_errmsg());
	return rc;
}

static int open_device(struct bench *bench)
{
	struct brg_device_info info;
	char what[256];
	int rc;

	rc = brg_device_info_get(bench->bdf, &info);
	if (!rc) {
		rc = brg_device_in_use(&info, what, sizeof(what));
		if (rc == -EBUSY) {
			snprintf(bench->error, sizeof(bench->error), "%s is in use: %s", info.bdf,
				 what);
			return rc;
		}
	}
	if (!rc)
		rc = brg_device_open(bench->bdf, &bench->dev);
	if (rc)
		snprintf(bench->error, sizeof(bench->error), "%s", brg_errmsg());
	return rc;
}

int bench_open(struct bench *bench)
{
	if (bench->opened)
		return bench->dev ? 0 : -ENODEV;
	bench->opened = true;
	if (!bench->bdf) {
		snprintf(bench->error, sizeof(bench->error),
			 "no device: give --device BDF or set BARRAGE_BDF");
		return -ENODEV;
	}
	/* The device first: its errors are the ones to expect, and EAL takes longer. */
	if (open_device(bench))
		return -ENODEV;
	if (start_eal(bench)) {
		brg_device_close(bench->dev);
		bench->dev = NULL;
		return -ENODEV;
	}
	return 0;
}

void bench_close(struct bench *bench)
{
	if (!bench->dev)
		return;
	brg_device_close(bench->dev);
	brg_env_cleanup();
}
