/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * first_fault: what it costs to get at a BAR. A trial maps it anew, lets all lcores read one
 * register at the same moment, times each of these reads, and unmaps. Mapped without touching it
 * (lazy, the kernel's own way) the read faults; mapped by another policy it should not.
 *
 * With --fail-after the trial's first fill fails half-way, and the lcores read again. They do so in
 * the first page that it has left out: where a handler leaves the others in place, an access to
 * those would be no fault.
 */

#include <errno.h>
#include <math.h>
#include <rte_common.h>
#include <rte_cycles.h>
#include <rte_lcore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"
#include "lcores.h"
#include "trials.h"

#define PAGE UINT64_C(4096)

/* What one lcore does in a trial; on cache lines of its own. */
struct toucher {
	struct brg_bar *bar;	      /* NULL where it is another lcore's */
	volatile const uint32_t *reg; /* in the mapping */
	uint32_t value;		      /* of it */
	struct span map, access, retry, unmap;
	char error[256]; /* when the mapping failed; brg_errmsg() is the lcore's own */
} __rte_cache_aligned;

struct run {
	struct arm *arm;
	struct toucher *touchers;	      /* one per lcore */
	double *ns;			      /* one per lcore and trial */
	double *map_ns, *retry_ns, *unmap_ns; /* one per lcore, of this trial */
	size_t samples;			      /* in ns */
	uint64_t mappings;
	double window_ns, cycle_ns; /* summed over the trials */
	const char *error;	    /* what went wrong; NULL: nothing yet */
};

/* How many mappings a trial has: those of the first lcores. */
static unsigned int mappings(const struct arm *arm)
{
	return arm->sharing == SHARING_PER_LCORE ? arm->lcores : 1;
}

/* On each lcore that maps for itself, at the same moment. */
static void for_mappings(struct run *run, void (*fn)(unsigned int index, void *arg))
{
	if (run->arm->sharing == SHARING_PER_LCORE)
		lcores_run(run->arm->lcores, fn, run);
	else
		fn(0, run);
}

static void map_one(unsigned int index, void *arg)
{
	struct run *run = arg;
	struct bench *bench = run->arm->bench;
	struct toucher *t = &run->touchers[index];
	struct brg_bar_opts opts = {.policy = run->arm->policy};
	uint64_t offset = bench->offset + bench->fail_after * PAGE; /* behind what is filled */
	int rc;

	t->map.start = rte_rdtsc_precise();
	rc = brg_bar_map(bench->dev, bench->bar, &opts, &t->bar);
	if (rc && bench->fail_after) /* the fill that fails may be mmap()'s own: the next one */
		rc = brg_bar_map(bench->dev, bench->bar, &opts, &t->bar);
	t->map.end = rte_rdtsc_precise();
	if (rc) {
		snprintf(t->error, sizeof(t->error), "%s", brg_errmsg());
		return;
	}
	t->reg = brg_bar_ptr(t->bar, offset, sizeof(*t->reg));
	if (!t->reg)
		snprintf(t->error, sizeof(t->error),
			 "BAR %u: offset %#lx is not mapped (the BAR has %#lx bytes)", bench->bar,
			 offset, t->bar->size);
}

static void map(struct run *run)
{
	unsigned int count = mappings(run->arm);

	for_mappings(run, map_one);
	for (unsigned int i = 0; i < count; i++)
		if (run->touchers[i].error[0])
			run->error = run->touchers[i].error;
	for (unsigned int i = count; i < run->arm->lcores; i++)
		run->touchers[i].reg = run->touchers[0].reg;
}

static void unmap_one(unsigned int index, void *arg)
{
	struct run *run = arg;
	struct toucher *t = &run->touchers[index];

	t->unmap.start = rte_rdtsc_precise();
	brg_bar_unmap(t->bar);
	t->unmap.end = rte_rdtsc_precise();
	t->bar = NULL;
}

static void timed_read(volatile const uint32_t *reg, struct span *span)
{
	span->start = rte_rdtsc_precise();
	(void)*reg;
	span->end = rte_rdtsc_precise();
}

static void touch(unsigned int index, void *arg)
{
	struct toucher *t = &((struct run *)arg)->touchers[index];

	timed_read(t->reg, &t->access);
}

static void touch_again(unsigned int index, void *arg)
{
	struct toucher *t = &((struct run *)arg)->touchers[index];

	timed_read(t->reg, &t->retry);
}

/* Whether an access through any of the mappings got no answer since this was asked last. */
static bool lost(const struct run *run)
{
	bool any = false;

	for (unsigned int i = 0; i < mappings(run->arm); i++)
		any |= brg_bar_lost(run->touchers[i].bar);
	return any;
}

/*
 * After a fill that failed: an access that was a SIGBUS, which the guard made all-ones, is made
 * again. There is none where the handler goes on by itself, or where mmap() was what failed.
 */
static bool retry(struct run *run)
{
	if (!fill_failed()) {
		run->error = "no fill failed: does this handler fill at once, and more pages than "
			     "--fail-after says?";
		return false;
	}
	if (!lost(run))
		return false;
	lcores_run(run->arm->lcores, touch_again, run);
	if (lost(run))
		run->error = "the second access after a fill that failed got no answer either";
	return true;
}

/* From the first start to the last end of one of the touchers' spans, the one at that offset. */
static double window_ns(const struct run *run, size_t span_at, unsigned int count)
{
	uint64_t start = UINT64_MAX, end = 0;

	for (unsigned int i = 0; i < count; i++) {
		const struct span *s = (const void *)((char *)&run->touchers[i] + span_at);

		start = RTE_MIN(start, s->start);
		end = RTE_MAX(end, s->end);
	}
	return ticks_to_ns(end - start);
}

static void durations(const struct run *run, size_t span_at, unsigned int count, double *ns)
{
	for (unsigned int i = 0; i < count; i++) {
		const struct span *s = (const void *)((char *)&run->touchers[i] + span_at);

		ns[i] = ticks_to_ns(s->end - s->start);
	}
}

#define MAP    offsetof(struct toucher, map)
#define ACCESS offsetof(struct toucher, access)
#define RETRY  offsetof(struct toucher, retry)
#define UNMAP  offsetof(struct toucher, unmap)

/* A trial that went well becomes samples, and a line of the stream. */
static void keep(struct run *run, bool retried, uint64_t bar_bytes)
{
	struct arm *arm = run->arm;
	struct trial trial = {
		.bar_bytes = bar_bytes,
		.mappings = mappings(arm),
		.map_ns = run->map_ns,
		.ns = run->ns + run->samples,
		.retry_ns = retried ? run->retry_ns : NULL,
		.unmap_ns = run->unmap_ns,
		.window_ns = window_ns(run, ACCESS, arm->lcores),
	};

	trial.cycle_ns = trial.window_ns + window_ns(run, MAP, trial.mappings) +
			 window_ns(run, UNMAP, trial.mappings);
	if (retried)
		trial.cycle_ns += window_ns(run, RETRY, arm->lcores);
	durations(run, MAP, trial.mappings, run->map_ns);
	durations(run, ACCESS, arm->lcores, run->ns + run->samples);
	durations(run, RETRY, arm->lcores, run->retry_ns);
	durations(run, UNMAP, trial.mappings, run->unmap_ns);

	if (trials_first_fault(arm, &trial))
		run->error = "the trial stream cannot be written";
	run->samples += arm->lcores;
	run->mappings += trial.mappings;
	run->window_ns += trial.window_ns;
	run->cycle_ns += trial.cycle_ns;
	arm->trials++;
}

/* Returns the time of the accesses, in seconds; run->error is set when it failed. */
static double run_trial(struct run *run)
{
	unsigned int fail_after = run->arm->bench->fail_after;
	uint64_t bar_bytes = 0;
	bool retried = false;

	if (fail_after && fail_next_fill(fail_after)) {
		run->error =
			"this vfio-pci has no parameter fail_after: barrage-lab exec --handler "
			"NAME --fail-after 0 has";
		return 0;
	}
	map(run);
	if (!run->error) {
		bar_bytes = run->touchers[0].bar->size;
		lcores_run(run->arm->lcores, touch, run);
		retried = fail_after && retry(run);
	}
	for_mappings(run, unmap_one);
	if (run->error)
		return 0;
	keep(run, retried, bar_bytes);
	return window_ns(run, ACCESS, run->arm->lcores) / 1e9;
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
	gb_counter(state, "mappings_per_s", (double)run->mappings * 1e9 / run->cycle_ns);
}

/*
 * From 5.8 until 6a45ece4c9af (5.14) and its backports this is a kernel BUG. By the other policies
 * the mapping is filled before the lcores have it.
 */
static bool refused(struct gb_state *state, const struct arm *arm)
{
	struct brg_bar_handler handler;
	char why[1024];

	if (arm->sharing != SHARING_SHARED || arm->lcores == 1 || arm->policy != BRG_BAR_LAZY ||
	    arm->bench->allow_kernel_bug)
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

static bool allocate(struct run *run, uint64_t iterations)
{
	unsigned int lcores = run->arm->lcores;

	run->touchers = aligned_alloc(RTE_CACHE_LINE_SIZE, lcores * sizeof(*run->touchers));
	run->ns = calloc(iterations * lcores, sizeof(*run->ns));
	run->map_ns = calloc(3 * lcores, sizeof(*run->map_ns));
	if (!run->touchers || !run->ns || !run->map_ns)
		return false;
	run->retry_ns = run->map_ns + lcores;
	run->unmap_ns = run->retry_ns + lcores;
	memset(run->touchers, 0, lcores * sizeof(*run->touchers));
	return true;
}

/*
 * The library may refuse a policy. Asked before the first trial, because finding out about the
 * kernel's fault handler is a matter of once and not of any mapping.
 */
static bool planned(struct gb_state *state, const struct arm *arm)
{
	const struct brg_bar_opts opts = {.policy = arm->policy};
	struct brg_bar_plan plan;
	int rc = brg_bar_plan(arm->bench->dev, arm->bench->bar, &opts, &plan);

	if (!rc)
		return true;
	gb_skip(state, rc == -ENOTSUP && trials_refused(arm, brg_errmsg())
			       ? "the trial stream cannot be written"
			       : brg_errmsg());
	return false;
}

void first_fault(struct gb_state *state, void *arg)
{
	struct run run = {.arm = arg};
	struct bench *bench = run.arm->bench;

	if (refused(state, run.arm))
		return;
	if (bench_open(bench))
		return gb_skip(state, bench->error);
	if (!run.arm->trials && trials_begin(run.arm, "first_fault"))
		return gb_skip(state, "the trial stream cannot be written");
	if (!planned(state, run.arm))
		return;

	if (!allocate(&run, gb_iterations(state)))
		run.error = "not enough memory for the samples";
	while (!run.error && gb_loop(state)) {
		double seconds = run_trial(&run);

		if (!run.error)
			gb_iteration_seconds(state, seconds);
	}
	if (run.error)
		gb_skip(state, run.error);
	else
		report(state, &run);
	free(run.ns);
	free(run.map_ns);
	free(run.touchers);
}
