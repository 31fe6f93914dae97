/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage perf: open the devices, start EAL, run, print. */

#include <err.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "commands.h"
#include "cpus.h"
#include "perf.h"
#include "session.h"

static void on_interrupt(int number)
{
	perf_stop();
}

/* The first ends the run and has what was measured printed; a second one ends the program. */
static void catch_interrupt(void)
{
	const struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESETHAND};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

/* What EAL could get: plain memory, or hugepages where they are more. */
static uint64_t memory_mib(void)
{
	uint64_t available = 0, pages = 0, page_kib = 0;
	FILE *file = fopen("/proc/meminfo", "re");
	char line[128];

	if (!file)
		return UINT64_MAX;
	while (fgets(line, sizeof(line), file)) {
		sscanf(line, "MemAvailable: %" SCNu64, &available);
		sscanf(line, "HugePages_Free: %" SCNu64, &pages);
		sscanf(line, "Hugepagesize: %" SCNu64, &page_kib);
	}
	fclose(file);
	return (available > pages * page_kib ? available : pages * page_kib) >> 10;
}

/* EAL's plain memory does not grow: ask for all of it at once. A command has a buffer, and in its
 * queue pair a page for its PRP list. */
static int start_eal(const struct perf_options *o)
{
	uint64_t per_command = perf_largest(o) + 8192;
	uint64_t commands = (uint64_t)o->ndevices * o->lcores * o->queue_depth;
	uint64_t mib = 64 + (commands * per_command >> 20);
	uint64_t there = memory_mib();
	char cpus[4096];
	const struct brg_env_opts opts = {.lcores = cpus, .memory_mib = (unsigned int)mib};

	if (cpu_list(o->lcores, cpus, sizeof(cpus))) {
		warnx("--lcores %u: there are not as many CPUs that this process may run on",
		      o->lcores);
		return -1;
	}
	if (mib > there) {
		warnx("%" PRIu64 " commands in flight need %" PRIu64 " MiB of memory, and "
		      "%" PRIu64 " are free: take a smaller --qd, --bs or --lcores",
		      commands, mib, there);
		return -1;
	}
	if (brg_env_init(&opts)) {
		warnx("%s", brg_errmsg());
		return -1;
	}
	return 0;
}

/* A request that comes before it can be told is told again 10 seconds later only. */
static int open_device(struct perf_device *d, const char *bdf)
{
	if (session_open_device(bdf, &d->dev))
		return -1;
	if (brg_device_request_fd(d->dev) < 0) {
		warnx("%s", brg_errmsg());
		return -1;
	}
	return 0;
}

static int open_namespace(struct perf_device *d, uint32_t nsid)
{
	int n = 1;

	if (!nsid)
		n = brg_nvme_ns_list(d->ctrl, &nsid, 1);
	if (n == 0) {
		warnx("%s has no active namespace", brg_device_get_info(d->dev)->bdf);
		return -1;
	}
	if (n < 0 || brg_nvme_ns_get(d->ctrl, nsid, &d->ns)) {
		warnx("%s", brg_errmsg());
		return -1;
	}
	return 0;
}

static int prepare(struct perf_device *d, const struct perf_options *o)
{
	/* A command that is late ends in a reset, and that in an error. */
	const struct brg_nvme_opts opts = {.io_queues = (uint16_t)o->lcores,
					   .io_timeout_ms = 10000};
	char what[512], why[600];

	if (brg_nvme_open(d->dev, &opts, &d->ctrl)) {
		warnx("%s", brg_errmsg());
		return -1;
	}
	if (open_namespace(d, o->nsid))
		return -1;
	if (perf_flows_make(d, o, what, sizeof(what))) {
		perf_explain(d, what, why, sizeof(why));
		warnx("%s", why);
		return -1;
	}
	return 0;
}

static void close_device(struct perf_device *d, const struct perf_options *o)
{
	perf_flows_free(d, o);
	brg_nvme_close(d->ctrl);
	brg_device_close(d->dev);
}

/* Everything between the devices' opening and their closing. */
static json_t *measure(struct perf_device *devices, const struct perf_options *o)
{
	char why[512];

	/* The devices first: opening one says soonest what is wrong with it. */
	for (unsigned int i = 0; i < o->ndevices; i++)
		if (open_device(&devices[i], o->bdfs[i]))
			return NULL;
	if (start_eal(o))
		return NULL;
	for (unsigned int i = 0; i < o->ndevices; i++)
		if (prepare(&devices[i], o))
			return NULL;
	catch_interrupt();
	if (perf_run(devices, o, why, sizeof(why))) {
		warnx("%s", why);
		return NULL;
	}
	return perf_json(devices, o);
}

int cmd_perf(int argc, char **argv)
{
	struct perf_device *devices;
	struct perf_options o;
	json_t *json;

	perf_parse(&o, argc, argv);
	devices = calloc(o.ndevices, sizeof(*devices));
	if (!devices)
		err(EXIT_FAILURE, NULL);
	json = measure(devices, &o);
	for (unsigned int i = 0; i < o.ndevices; i++)
		close_device(&devices[i], &o);
	brg_env_cleanup();
	free(devices);

	if (!json)
		return EXIT_FAILURE;
	if (o.json)
		return print_json(json);
	perf_print(json);
	json_decref(json);
	return EXIT_SUCCESS;
}
