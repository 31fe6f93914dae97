/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * barrage-nvme-cost: what a 4 KiB random read costs the CPU, in ticks of the TSC, from the call
 * that submits it to the callback, and what it takes to get to the first queue pair. Meant for a
 * guest of the lab's counting mode, where a tick is an instruction:
 *
 *     barrage-lab cost fixed -- barrage-nvme-cost 0000:00:04.0
 *
 * Everything that the calls cost is counted, passing their arguments and the callback included. An
 * operation is done many times and the least is told; a timer interrupt that lands in one of them
 * does not show. How many reads a poll finds follows the host's disk: those it is not about are
 * left out.
 */

#include <brg_nvme.h>
#include <err.h>
#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_random.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "table.h"

#define RUNS	201
#define BATCH	32
#define IO_SIZE 4096

static struct brg_device *dev;
static struct brg_nvme_ctrl *ctrl;
static struct brg_nvme_qpair *qp;
static struct brg_nvme_ns ns;
static uint8_t *buffers;
static uint32_t blocks;	  /* of one read */
static uint64_t overhead; /* of reading the TSC twice */

/* The least of what was measured, per operation. */
struct cost {
	uint64_t least;
	unsigned int runs;
};

/* What is aimed at, and what other drivers take for the same, counted in the same way on the same
 * guest's controller (doc/performance.md). */
struct row {
	const char *what;
	const char *target, *spdk, *libvfn;
};

static void check(int rc)
{
	if (rc < 0)
		errx(1, "%s", brg_errmsg());
}

static void add(struct cost *c, uint64_t ticks)
{
	ticks -= overhead;
	if (!c->runs++ || ticks < c->least)
		c->least = ticks;
}

static struct table *table;
static FILE *records;

static void tell(const struct row *row, const struct cost *c, unsigned int per)
{
	table_cell(table, "%s", row->what);
	if (per > 1)
		table_cell(table, "%.1f", (double)c->least / per);
	else
		table_cell(table, "%lu", c->least);
	table_cell(table, "%s", row->target);
	table_cell(table, "%s", row->spdk);
	table_cell(table, "%s", row->libvfn);
	if (records)
		fprintf(records, "{\"since\":\"nvme\",\"mark\":\"%s\",\"ticks\":%lu}\n", row->what,
			(c->least + per / 2) / per);
}

/* Reading */

static void on_read(void *arg, const struct brg_nvme_cqe *cqe)
{
	unsigned int *done = arg;

	if (brg_nvme_status(cqe))
		errx(1, "a read failed: %s", brg_nvme_status_str(brg_nvme_status(cqe)));
	++*done;
}

static uint64_t random_lba(void)
{
	return rte_rand_max(ns.blocks / blocks) * blocks;
}

/* Time for the device, none of it spent on this CPU. */
static void wait_ms(unsigned int ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000l}, NULL);
}

/* Submit @count reads to a queue pair at rest, and take those that the first successful poll
 * finds; false when these are not all. */
static bool round_of(unsigned int count, uint64_t *submit, uint64_t *poll)
{
	unsigned int done = 0, i, wait;
	uint64_t lbas[BATCH], start;
	int found = 0;

	for (i = 0; i < count; i++)
		lbas[i] = random_lba();
	start = rte_rdtsc();
	for (i = 0; i < count; i++)
		if (brg_nvme_read(qp, &ns, buffers + i * IO_SIZE, lbas[i], blocks, on_read, &done))
			errx(1, "%s", brg_errmsg());
	*submit = rte_rdtsc() - start;
	for (wait = 1; !found && wait < 1000; wait++) {
		wait_ms(10 + wait);
		start = rte_rdtsc();
		found = brg_nvme_poll(qp, 0);
		*poll = rte_rdtsc() - start;
		check(found);
	}
	while (brg_nvme_outstanding(qp))
		check(brg_nvme_poll(qp, 0));
	return found == (int)count && done == count;
}

static void rounds_of_one(void)
{
	static const struct row submit_row = {"submit", "55", "522", "706"};
	static const struct row poll_row = {"poll-finds-one", "45", "321", "62"};
	static const struct row whole_row = {"depth-1", "100", "843", "768"};
	struct cost c_submit = {0}, c_poll = {0}, c_whole = {0};
	uint64_t submit, poll;

	for (unsigned int i = 0; i < RUNS; i++) {
		if (!round_of(1, &submit, &poll))
			continue;
		add(&c_submit, submit);
		add(&c_poll, poll);
		add(&c_whole, submit + poll - overhead);
	}
	tell(&submit_row, &c_submit, 1);
	tell(&poll_row, &c_poll, 1);
	tell(&whole_row, &c_whole, 1);
}

static void rounds_of_many(void)
{
	static const struct row row = {"batch-of-32", "70", "645", "740"};
	struct cost c = {0};
	uint64_t submit, poll;

	for (unsigned int i = 0; i < RUNS; i++)
		if (round_of(BATCH, &submit, &poll))
			add(&c, submit + poll - overhead);
	if (!c.runs)
		errx(1, "no poll found all of %d reads", BATCH);
	tell(&row, &c, BATCH);
}

static void empty_polls(void)
{
	static const struct row row = {"empty-poll", "9", "150", "9"};
	struct cost c = {0};

	for (unsigned int i = 0; i < RUNS; i++) {
		uint64_t start = rte_rdtsc();
		int found = brg_nvme_poll(qp, 0);

		add(&c, rte_rdtsc() - start);
		if (found)
			errx(1, "a poll of an idle queue pair found %d", found);
	}
	tell(&row, &c, 1);
}

/* Attaching */

/* What this thread has had of its CPU, in ticks of the TSC: sleeping left out. */
static uint64_t cpu_ticks(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)((double)t.tv_sec * (double)rte_get_tsc_hz() +
			  (double)t.tv_nsec * (double)rte_get_tsc_hz() / 1e9);
}

static void attach(const char *bdf)
{
	static const struct row cpu_row = {"attach", "1000000", "5.0 M", "4.1 M"};
	static const struct row elapsed_row = {"attach-elapsed-us", "5000", "232000", "123000"};
	const struct brg_nvme_opts opts = {.io_queues = 1};
	struct cost c_cpu = {.runs = 1}, c_elapsed = {.runs = 1};
	uint64_t start = rte_rdtsc(), cpu = cpu_ticks();

	check(brg_device_open(bdf, &dev));
	check(brg_nvme_open(dev, &opts, &ctrl));
	check(brg_nvme_qpair_create(ctrl, NULL, &qp));
	c_cpu.least = cpu_ticks() - cpu;
	c_elapsed.least = (rte_rdtsc() - start) * 1000000 / rte_get_tsc_hz();
	tell(&cpu_row, &c_cpu, 1);
	tell(&elapsed_row, &c_elapsed, 1);
}

static void calibrate(void)
{
	struct cost c = {0};

	for (unsigned int i = 0; i < RUNS; i++) {
		uint64_t start = rte_rdtsc();

		add(&c, rte_rdtsc() - start);
	}
	overhead = c.least;
}

int main(int argc, char **argv)
{
	static const char *const heads[] = {
		"4 KiB random read", ">instructions", ">target", ">SPDK", ">libvfn", NULL};
	const char *path = getenv("BARRAGE_RECORDS");

	if (argc != 2)
		errx(2, "usage: barrage-nvme-cost BDF\nExample: barrage-nvme-cost 0000:00:04.0");
	records = path ? fopen(path, "w") : NULL;
	if (path && !records)
		err(1, "%s", path);
	if (records) /* written when all is measured: writing makes the host interrupt us */
		setvbuf(records, NULL, _IOFBF, 1 << 16);
	table = table_new(heads);
	calibrate();

	check(brg_env_init(&(struct brg_env_opts){.program = "barrage-nvme-cost"}));
	attach(argv[1]);
	check(brg_nvme_ns_get(ctrl, 1, &ns));
	blocks = IO_SIZE / ns.block_size;
	buffers = rte_malloc(NULL, BATCH * IO_SIZE, IO_SIZE);
	if (!buffers)
		errx(1, "no memory for %d reads", BATCH);
	rounds_of_one();
	rounds_of_many();
	empty_polls();
	table_print(table, stdout);

	table_free(table);
	rte_free(buffers);
	brg_nvme_close(ctrl);
	brg_device_close(dev);
	brg_env_cleanup();
	return records && fclose(records) ? 1 : 0;
}
