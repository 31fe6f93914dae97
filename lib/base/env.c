/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A small, fast EAL for programs that have none of their own: in memory only, no PCI scan, no
 * telemetry, IOVA = VA, hugepages where there are enough.
 */

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base.h"

/* Hugepages are taken when they are needed; what is there from the start costs 27,000 instructions
 * per MiB and device to map for DMA. Without hugepages there is never more than at the start. */
#define FIRST_HUGEPAGES_MIB 8
#define DEFAULT_MEMORY_MIB  64
#define HUGEPAGES	    "/sys/kernel/mm/hugepages"

/* Spent: it failed, or was cleaned up; EAL does not start twice. */
static enum {
	NOT_STARTED,
	STARTED,
	SPENT
} state;

static uint64_t free_hugepages_mib(void)
{
	struct dirent *entry;
	uint64_t kib = 0;
	DIR *dir;

	dir = opendir(HUGEPAGES);
	if (!dir)
		return 0;
	while ((entry = readdir(dir))) {
		unsigned long long page_kib;
		unsigned long long pages = 0;
		char path[PATH_MAX];
		FILE *f;

		if (sscanf(entry->d_name, "hugepages-%llukB", &page_kib) != 1)
			continue;
		snprintf(path, sizeof(path), HUGEPAGES "/%s/free_hugepages", entry->d_name);
		f = fopen(path, "re");
		if (!f)
			continue;
		if (fscanf(f, "%llu", &pages) == 1)
			kib += page_kib * pages;
		fclose(f);
	}
	closedir(dir);
	return kib >> 10;
}

static bool want_hugepages(const struct brg_env_opts *opts, unsigned int memory_mib)
{
	if (opts->hugepages == BRG_ENV_HUGEPAGES_AUTO)
		return free_hugepages_mib() >= memory_mib;
	return opts->hugepages == BRG_ENV_HUGEPAGES_ON;
}

static int fail_init(int err, unsigned int memory_mib, bool hugepages)
{
	const char *detail = "run with EAL's messages on (verbose) for the reason";

	switch (err) {
	case EINVAL:
		return brg_fail(EINVAL, "EAL refuses an argument; %s", detail);
	case ENOMEM:
		if (hugepages)
			return brg_fail(ENOMEM,
					"EAL got no %u MiB of hugepages: %llu MiB are free; raise "
					"/proc/sys/vm/nr_hugepages or do without",
					memory_mib, (unsigned long long)free_hugepages_mib());
		return brg_fail(ENOMEM, "EAL got no %u MiB of memory; %s", memory_mib, detail);
	default:
		return brg_fail(EIO, "EAL did not start: %s; %s", rte_strerror(err), detail);
	}
}

/* rte_eal_init() takes the type that main() has; it changes the order, not the words. */
static char *arg(const char *word)
{
	return (char *)(uintptr_t)word;
}

int brg_env_init(const struct brg_env_opts *opts)
{
	static const struct brg_env_opts defaults;
	const struct brg_env_opts *o = opts ? opts : &defaults;
	unsigned int memory_mib = o->memory_mib ? o->memory_mib : DEFAULT_MEMORY_MIB;
	bool hugepages = want_hugepages(o, memory_mib);
	char *argv[16 + o->eal_nargs];
	char memory[16];
	int argc = 0;

	if (state == SPENT)
		return brg_fail(EIO, "EAL cannot be started twice in one process");
	if (rte_lcore_count())
		return 0;

	if (hugepages && !o->memory_mib)
		memory_mib = FIRST_HUGEPAGES_MIB;
	snprintf(memory, sizeof(memory), "%u", memory_mib);
	argv[argc++] = arg(o->program ? o->program : "barrage");
	/* No files in either case; EAL takes --in-memory for hugepages only. */
	argv[argc++] = arg(hugepages ? "--in-memory" : "--no-shconf");
	argv[argc++] = arg("--no-pci");
	argv[argc++] = arg("--no-telemetry");
	argv[argc++] = arg("--iova-mode=va");
	argv[argc++] = arg("-m");
	argv[argc++] = memory;
	if (!hugepages)
		argv[argc++] = arg("--no-huge");
	if (!o->verbose)
		argv[argc++] = arg("--log-level=lib.eal:error");
	if (o->lcores) { /* without it EAL takes the CPUs this thread may run on */
		argv[argc++] = arg("-l");
		argv[argc++] = arg(o->lcores);
	}
	for (int i = 0; i < o->eal_nargs; i++)
		argv[argc++] = o->eal_args[i];
	argv[argc] = NULL;

	if (rte_eal_init(argc, argv) < 0) {
		state = SPENT;
		return fail_init(rte_errno, memory_mib, hugepages);
	}
	state = STARTED;
	return 0;
}

void brg_env_cleanup(void)
{
	if (state != STARTED)
		return;
	rte_eal_cleanup();
	state = SPENT;
}
