/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * first_fault: what the first access to a BAR costs. A trial maps the BAR anew without touching it,
 * lets all lcores read one register at the same moment, times each of these reads, which fault, and
 * unmaps.
 */

#include <brg_bar.h>
#include <math.h>
#include <rte_common.h>
#include <rte_cycles.h>
#include <rte_lcore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lcores.h"
#include "trials.h"

/* What one lcore does in a trial; on cache lines of its own. */
struct toucher {
	struct brg_bar *bar;
	volatile const uint32_t *reg; /* in the mapping */
	uint64_t start, end;	      /* of the access, TSC ticks */
	char error[256];	      /* when the mapping failed; brg_errmsg() is the lcore's own */
} __rte_cache_aligned;

struct run {
	struct arm *arm;
	struct toucher *touchers; /* one per lcore */
	double *ns;		  /* one per lcore and trial */
	size_t samples;		  /* in ns */
	double window_ns;	  /* summed over the trials */
};

static void map_one(unsigned int index, void *arg)
{
	struct run *run = arg;
	struct bench *bench = run->arm->bench;
	struct toucher *t = &run->touchers[index];
	struct brg_bar_opts opts = {.policy = BRG_BAR_LAZY};

	if (brg_bar_map(bench->dev, bench->bar, &opts, &t->bar)) {
		snprintf(t->error, sizeof(t->error), "%s", brg_errmsg());
		return;
	}
	t->reg = brg_bar_ptr(t->bar, bench->offset, sizeof(*t->reg));
	if (!t->reg)
		snprintf(t->error, sizeof(t->error),
			 "BAR %u: offset %#lx is not mapped (the BAR has %#lx bytes)", bench->bar,
			 bench->offset, t->bar->size);
}

/* Returns what went wrong, or NULL. */
static const char *map(struct run *run)
{
	unsigned int lcores = run->arm->lcores;

	if (run->arm->sharing == SHARING_PER_LCORE) {
		lcores_run(lcores, map_one, run);
	} else {
		map_one(0, run);
		for (unsigned int i = 1; i < lcores; i++)
			run->touchers[i].reg = run->touchers[0].reg;
	}
	for (unsigned int i = 0; i < lcores; i++)
		if (run->touchers[i].error[0])
			return run->touchers[i].error;
	return NULL;
}

static void unmap(struct run *run)
{
	for (unsigned int i = 0; i < run->arm->lcores; i++) {
		brg_bar_unmap(run->touchers[i].bar); /* NULL where it is another lcore's */
		run->touchers[i].bar = NULL;
	}
}

static void touch(unsigned int index, void *arg)
{
	struct run *run = arg;
	struct toucher *t = &run->touchers[index];
	volatile const uint32_t *reg = t->reg;

	t->start = rte_rdtsc_precise();
	(void)*reg;
	t->end = rte_rdtsc_precise();
}

/* From the first lcore's start to the last one's end. */
static double window_ns(const struct run *run)
{
	uint64_t start = UINT64_MAX, end = 0;

	for (unsigned int i = 0; i < run->arm->lcores; i++) {
		start = RTE_MIN(start, run->touchers[i].start);
		end = RTE_MAX(end, run->touchers[i].end);
	}
	return ticks_to_ns(end - start);
}

/* Returns what went wrong, or NULL; *window gets the trial's time. */
static const char *trial(struct run *run, double *window)
{
	struct arm *arm = run->arm;
	double *ns = run->ns + run->samples;
	uint64_t bar_bytes = 0;
	const char *error = map(run);

	if (!error) {
		bar_bytes = run->touchers[0].bar->size;
		lcores_run(arm->lcores, touch, run);
	}
	unmap(run);
	if (error)
		return error;

	for (unsigned int i = 0; i < arm->lcores; i++)
		ns[i] = ticks_to_ns(run->touchers[i].end - run->touchers[i].start);
	*window = window_ns(run);
	if (trials_first_fault(arm, bar_bytes, ns, *window))
		return "the trial stream cannot be written";
	run->samples += arm->lcores;
	run->window_ns += *window;
	arm->trials++;
	return NULL;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Nearest rank: the smallest sample that a share q of all samples does not exceed. */
static double quantile(const double *sorted, size_t count, double q)
{
	size_t rank = (size_t)ceil(q * (double)count);

	return sorted[rank ? rank - 1 : 0];
}

static void report(struct gb_state *state, struct run *run)
{
	qsort(run->ns, run->samples, sizeof(*run->ns), ascending);
	gb_counter(state, "min_ns", run->ns[0]);
	gb_counter(state, "p50_ns", quantile(run->ns, run->samples, 0.50));
	gb_counter(state, "p99_ns", quantile(run->ns, run->samples, 0.99));
	gb_counter(state, "max_ns", run->ns[run->samples - 1]);
	gb_counter(state, "faults_per_s", (double)run->samples * 1e9 / run->window_ns);
}

/* From 5.8 until 6a45ece4c9af (5.14) and its backports this is a kernel BUG. */
static bool refused(struct gb_state *state, const struct arm *arm)
{
	struct brg_bar_handler handler;
	char why[1024];

	if (arm->sharing != SHARING_SHARED || arm->lcores == 1 || arm->bench->allow_kernel_bug)
		return false;
	brg_bar_handler_detect(NULL, &handler);
	if (!handler.vulnerable)
		return false;
	snprintf(
		why, sizeof(why),
		"%u lcores that touch one VMA together may crash this kernel: the fault handler of "
		"its vfio-pci is %s (%s); run this in the lab, or give --allow-kernel-bug",
		arm->lcores, brg_bar_era_name(handler.era), handler.evidence);
	gb_skip(state, why);
	return true;
}

void first_fault(struct gb_state *state, void *arg)
{
	struct run run = {.arm = arg};
	struct bench *bench = run.arm->bench;
	const char *error = NULL;
	double window;

	if (refused(state, run.arm))
		return;
	if (bench_open(bench))
		return gb_skip(state, bench->error);
	if (!run.arm->trials && trials_begin(run.arm, "first_fault"))
		return gb_skip(state, "the trial stream cannot be written");

	run.touchers = aligned_alloc(RTE_CACHE_LINE_SIZE, run.arm->lcores * sizeof(*run.touchers));
	run.ns = calloc(gb_iterations(state) * run.arm->lcores, sizeof(*run.ns));
	if (!run.touchers || !run.ns) {
		error = "not enough memory for the samples";
		goto out;
	}
	memset(run.touchers, 0, run.arm->lcores * sizeof(*run.touchers));

	while (gb_loop(state)) {
		error = trial(&run, &window);
		if (error)
			goto out;
		gb_iteration_seconds(state, window / 1e9);
	}
	report(state, &run);
out:
	if (error)
		gb_skip(state, error);
	free(run.ns);
	free(run.touchers);
}
