/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nvme_io: polled random reads. Every lcore has a queue pair of its own, keeps it full for the time
 * that was asked for, and rings its doorbell in the mapping that the arm is about: the controller's
 * one (single, shared) or one that the lcore made itself (per-lcore).
 */

#include <brg_nvme.h>
#include <brg_stat.h>
#include <errno.h>
#include <rte_common.h>
#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_random.h>
#include <stdio.h>
#include <stdlib.h>

#include "lcores.h"
#include "trials.h"

/* A controller that completes nothing for so long has lost commands. */
#define STALL_SECONDS 10

struct worker;

/* One command in flight. */
struct slot {
	struct worker *worker;
	void *buf;
	uint64_t submitted; /* TSC */
};

/* What one lcore has to itself. */
struct worker {
	const struct run *run;
	struct brg_bar *bar; /* its own, per-lcore only */
	struct brg_nvme_qpair *qp;
	struct slot *slots;
	char *buffers;
	uint64_t start, end; /* of the I/O, TSC */
	uint64_t deadline;   /* TSC: nothing is submitted after it */
	uint64_t ios;
	char error[256];	 /* the first failure */
	struct brg_hist latency; /* TSC ticks */
};

struct run {
	struct arm *arm;
	struct brg_nvme_ctrl *ctrl;
	struct brg_nvme_ns ns;
	uint32_t blocks;	 /* of one read */
	struct worker **workers; /* one per lcore */
	char error[512];
};

/* The I/O path, on each lcore */

static void read_done(void *arg, const struct brg_nvme_cqe *cqe);

static void submit(struct slot *slot)
{
	struct worker *w = slot->worker;
	const struct brg_nvme_ns *ns = &w->run->ns;
	uint32_t blocks = w->run->blocks;
	uint64_t lba = rte_rand_max(ns->blocks / blocks) * blocks;

	slot->submitted = rte_rdtsc();
	if (brg_nvme_read(w->qp, ns, slot->buf, lba, blocks, read_done, slot))
		snprintf(w->error, sizeof(w->error), "%s", brg_errmsg());
}

static void read_done(void *arg, const struct brg_nvme_cqe *cqe)
{
	struct slot *slot = arg;
	struct worker *w = slot->worker;
	uint64_t now = rte_rdtsc();

	if (brg_nvme_status(cqe) && !w->error[0])
		snprintf(w->error, sizeof(w->error), "a read failed: %s",
			 brg_nvme_status_str(brg_nvme_status(cqe)));
	if (w->error[0])
		return;
	brg_hist_add(&w->latency, now - slot->submitted);
	w->ios++;
	if (now < w->deadline)
		submit(slot);
}

static void keep_full(unsigned int index, void *arg)
{
	const struct run *run = arg;
	struct worker *w = run->workers[index];
	uint64_t stall = STALL_SECONDS * rte_get_tsc_hz(), progress;
	int done;

	w->start = progress = rte_rdtsc();
	w->deadline = w->start + (uint64_t)(run->arm->bench->seconds * (double)rte_get_tsc_hz());
	for (unsigned int i = 0; i < run->arm->queue_depth && !w->error[0]; i++)
		submit(&w->slots[i]);

	while (brg_nvme_outstanding(w->qp)) {
		done = brg_nvme_poll(w->qp, 0);
		w->end = rte_rdtsc();
		if (done > 0) {
			progress = w->end;
		} else if (done < 0) {
			snprintf(w->error, sizeof(w->error), "%s", brg_errmsg());
			return;
		} else if (w->end - progress > stall) {
			snprintf(w->error, sizeof(w->error),
				 "%u reads did not complete within %u seconds",
				 brg_nvme_outstanding(w->qp), STALL_SECONDS);
			return;
		}
	}
}

/* Setting up and taking down, on the main lcore but for the mappings */

static void map_own(unsigned int index, void *arg)
{
	const struct run *run = arg;
	struct worker *w = run->workers[index];

	if (brg_bar_map(run->arm->bench->dev, 0, NULL, &w->bar))
		snprintf(w->error, sizeof(w->error), "%s", brg_errmsg());
}

/* The first failure of any lcore becomes the run's. */
static int gather_errors(struct run *run)
{
	for (unsigned int i = 0; i < run->arm->lcores; i++) {
		if (run->workers[i]->error[0]) {
			snprintf(run->error, sizeof(run->error), "%s", run->workers[i]->error);
			return -EIO;
		}
	}
	return 0;
}

static int library_error(struct run *run, int rc)
{
	snprintf(run->error, sizeof(run->error), "%s", brg_errmsg());
	return rc;
}

static int open_namespace(struct run *run)
{
	uint32_t block_size = run->arm->bench->block_size, nsid;
	size_t max = brg_nvme_max_transfer(run->ctrl);
	int rc;

	rc = brg_nvme_ns_list(run->ctrl, &nsid, 1);
	if (rc < 0)
		return library_error(run, rc);
	if (rc == 0) {
		snprintf(run->error, sizeof(run->error), "the controller has no active namespace");
		return -ENOENT;
	}
	rc = brg_nvme_ns_get(run->ctrl, nsid, &run->ns);
	if (rc)
		return library_error(run, rc);

	run->blocks = block_size / run->ns.block_size;
	if (block_size % run->ns.block_size || block_size > max || run->blocks > run->ns.blocks) {
		snprintf(
			run->error, sizeof(run->error),
			"--block-size %u: namespace %u has %lu blocks of %u bytes, and one command "
			"carries %zu bytes at most",
			block_size, nsid, run->ns.blocks, run->ns.block_size, max);
		return -EINVAL;
	}
	return 0;
}

static int make_workers(struct run *run)
{
	const struct arm *arm = run->arm;
	size_t buffer = arm->bench->block_size;

	run->workers = calloc(arm->lcores, sizeof(*run->workers));
	for (unsigned int i = 0; run->workers && i < arm->lcores; i++) {
		struct worker *w = calloc(1, sizeof(*w));

		run->workers[i] = w;
		if (!w)
			goto no_memory;
		w->run = run;
		w->slots = calloc(arm->queue_depth, sizeof(*w->slots));
		w->buffers = rte_malloc(NULL, arm->queue_depth * buffer, 4096);
		if (!w->slots || !w->buffers)
			goto no_memory;
		for (unsigned int j = 0; j < arm->queue_depth; j++)
			w->slots[j] = (struct slot){.worker = w, .buf = w->buffers + j * buffer};
	}
	if (run->workers)
		return 0;
no_memory:
	snprintf(run->error, sizeof(run->error),
		 "not enough memory for %u lcores with %u reads of "
		 "%zu bytes each",
		 arm->lcores, arm->queue_depth, buffer);
	return -ENOMEM;
}

/* A queue of n entries holds n - 1 commands (3.3.1.2.1: full when one entry is left). */
static int make_queues(struct run *run)
{
	struct brg_nvme_qpair_opts opts = {.depth = (uint16_t)(run->arm->queue_depth + 1)};
	int rc;

	if (run->arm->sharing == SHARING_PER_LCORE) {
		lcores_run(run->arm->lcores, map_own, run);
		rc = gather_errors(run);
		if (rc)
			return rc;
	}
	for (unsigned int i = 0; i < run->arm->lcores; i++) {
		opts.bar = run->workers[i]->bar;
		rc = brg_nvme_qpair_create(run->ctrl, &opts, &run->workers[i]->qp);
		if (rc)
			return library_error(run, rc);
	}
	return 0;
}

static int set_up(struct run *run)
{
	struct brg_nvme_opts opts = {.io_queues = (uint16_t)run->arm->lcores};
	int rc;

	rc = brg_nvme_open(run->arm->bench->dev, &opts, &run->ctrl);
	if (rc)
		return library_error(run, rc);
	rc = open_namespace(run);
	if (!rc)
		rc = make_workers(run);
	if (!rc)
		rc = make_queues(run);
	return rc;
}

static void take_down(struct run *run)
{
	for (unsigned int i = 0; run->workers && i < run->arm->lcores; i++) {
		struct worker *w = run->workers[i];

		if (!w)
			break;
		brg_nvme_qpair_free(w->qp); /* calls back what is left: the slots go after it */
		brg_bar_unmap(w->bar);
		rte_free(w->buffers);
		free(w->slots);
		free(w);
	}
	free(run->workers);
	brg_nvme_close(run->ctrl);
}

/* The benchmark */

/* One iteration: the reads of all lcores. Returns its seconds, or a negative errno. */
static double iterate(struct run *run)
{
	uint64_t start = UINT64_MAX, end = 0, before = 0, after = 0;
	double seconds;

	for (unsigned int i = 0; i < run->arm->lcores; i++)
		before += run->workers[i]->ios;
	lcores_run(run->arm->lcores, keep_full, run);
	if (gather_errors(run))
		return -EIO;
	for (unsigned int i = 0; i < run->arm->lcores; i++) {
		start = RTE_MIN(start, run->workers[i]->start);
		end = RTE_MAX(end, run->workers[i]->end);
		after += run->workers[i]->ios;
	}
	seconds = ticks_to_ns(end - start) / 1e9;
	if (trials_nvme_io(run->arm, after - before, seconds)) {
		snprintf(run->error, sizeof(run->error), "the trial stream cannot be written");
		return -EIO;
	}
	run->arm->trials++;
	return seconds;
}

static void report(struct gb_state *state, struct run *run, double seconds)
{
	struct brg_hist *all = &run->workers[0]->latency;

	for (unsigned int i = 1; i < run->arm->lcores; i++)
		brg_hist_merge(all, &run->workers[i]->latency);
	gb_counter(state, "iops", (double)all->count / seconds);
	gb_counter(state, "p50_ns", ticks_to_ns(brg_hist_quantile(all, 0.50)));
	gb_counter(state, "p99_ns", ticks_to_ns(brg_hist_quantile(all, 0.99)));
}

void nvme_io(struct gb_state *state, void *arg)
{
	struct run run = {.arm = arg};
	struct bench *bench = run.arm->bench;
	double seconds, total = 0;

	if (bench_open(bench))
		return gb_skip(state, bench->error);
	if (!run.arm->trials && trials_begin(run.arm, "nvme_io"))
		return gb_skip(state, "the trial stream cannot be written");

	if (set_up(&run)) {
		gb_skip(state, run.error);
		goto out;
	}
	while (gb_loop(state)) {
		seconds = iterate(&run);
		if (seconds < 0) {
			gb_skip(state, run.error);
			goto out;
		}
		gb_iteration_seconds(state, seconds);
		total += seconds;
	}
	report(state, &run, total);
out:
	take_down(&run);
}
