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
#include <errno.h>
#include <inttypes.h>
#include <rte_cycles.h>
#include <rte_malloc.h>
#include <rte_random.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "table.h"

#define RUNS	41
#define BATCH	32
#define IO_SIZE 4096

static struct brg_device *dev;
static struct brg_nvme_ctrl *ctrl;
static struct brg_nvme_qpair *qp, *manual; /* the second one waits for brg_nvme_ring() */
static struct brg_nvme_ns ns;
static uint8_t *buffers;
static uint32_t blocks;	  /* of one read */
static uint64_t overhead; /* of reading the TSC twice */

/* What is measured. */
enum what {
	ATTACH,
	ATTACH_US,
	ATTACH_READY,
	ATTACH_READY_US,
	SUBMIT,
	POLL_ONE,
	DEPTH_1,
	SUBMIT_PREPARED,
	POLL_PREPARED,
	BATCH_MANY,
	BATCH_MANUAL,
	BATCH_PREPARED,
	EMPTY_POLL,
	WHATS
};

/* What is aimed at, and what other drivers take for the same, counted in the same way on the same
 * guest's controller (doc/performance.md). */
static const struct row {
	const char *name; /* of the record; NULL: it counts no instructions, and has none */
	const char *title;
	const char *target, *spdk, *libvfn;
	unsigned int per;
} rows[WHATS] = {
	[ATTACH] = {"attach", "attach, to the first queue pair", "1000000", "5.0 M", "4.1 M", 1},
	[ATTACH_US] = {NULL, "  the same, elapsed us", "5000", "232000", "123000", 1},
	[ATTACH_READY] = {"attach-ready", "attach, after bind --keep-ready", "1000000", "-", "-",
			  1},
	[ATTACH_READY_US] = {NULL, "  the same, elapsed us", "5000", "-", "-", 1},
	[SUBMIT] = {"submit", "submit, one doorbell each", "55", "522", "706", 1},
	[POLL_ONE] = {"poll-one", "poll that finds one", "45", "321", "62", 1},
	[DEPTH_1] = {"depth-1", "one read at queue depth 1", "100", "843", "768", 1},
	[SUBMIT_PREPARED] = {"submit-prepared", "submit, prepared", "32", "-", "32", 1},
	[POLL_PREPARED] = {"poll-prepared", "poll that finds it", "45", "-", "47", 1},
	[BATCH_MANY] = {"batch-many", "read of 32, brg_nvme_read_many()", "70", "645", "740",
			BATCH},
	[BATCH_MANUAL] = {"batch-manual", "read of 32, brg_nvme_ring()", "-", "645", "740", BATCH},
	[BATCH_PREPARED] = {"batch-prepared", "read of 32, prepared", "-", "-", "55", BATCH},
	[EMPTY_POLL] = {"empty-poll", "poll that finds nothing", "9", "150", "9", 1},
};

/* The two ways to ring. */
enum ring {
	SHADOW,
	PLAIN,
	RINGS
};

static const char *const ring_names[RINGS] = {"shadow", "plain"};

/* The least of what was measured; nothing where there is none. */
struct cost {
	uint64_t least;
	unsigned int runs, agreed; /* how many runs there were, and how many had the least */
};

static struct cost (*costs)[RINGS]; /* WHATS of them, in memory that children share */

static void check(int rc)
{
	if (rc < 0)
		errx(1, "%s", brg_errmsg());
}

static void add(struct cost *c, uint64_t ticks)
{
	ticks -= overhead;
	if (!c->runs++ || ticks < c->least) {
		c->least = ticks;
		c->agreed = 0;
	}
	c->agreed += ticks == c->least;
}

/* Reading */

static unsigned int done;

static void on_read(void *arg, const struct brg_nvme_cqe *cqe)
{
	unsigned int *count = arg;

	if (brg_nvme_status(cqe))
		errx(1, "a read failed: %s", brg_nvme_status_str(brg_nvme_status(cqe)));
	++*count;
}

static uint64_t random_lba(void)
{
	return rte_rand_max(ns.blocks / blocks) * blocks;
}

/* Ways to submit: the ticks it took. */

/* Read the TSC when these are in registers, as they are in an application's loop. */
static inline uint64_t begin(struct brg_nvme_qpair *q, void *buf, uint32_t nblocks)
{
	__asm__ volatile("" : : "r"(q), "r"(buf), "r"(nblocks));
	return rte_rdtsc();
}

static __attribute__((noinline)) uint64_t submit_one(unsigned int count)
{
	struct brg_nvme_qpair *q = qp;
	uint32_t nblocks = blocks;
	void *buf = buffers;
	uint64_t lba = random_lba(), start = begin(q, buf, nblocks);

	if (brg_nvme_read(q, &ns, buf, lba, nblocks, on_read, &done))
		errx(1, "%s", brg_errmsg());
	return rte_rdtsc() - start;
}

static __attribute__((noinline)) uint64_t submit_prepared(unsigned int count)
{
	struct brg_nvme_qpair *q = qp;
	struct brg_nvme_prepared prepared = {.cb = on_read, .arg = &done}, *command = &prepared;
	uint64_t start;

	check(brg_nvme_prepare(ctrl, &ns, nvme_cmd_read, buffers, random_lba(), blocks, NULL,
			       &prepared.sqe));
	start = begin(q, command, 0);
	if (brg_nvme_submit_prepared(q, command))
		errx(1, "%s", brg_errmsg());
	return rte_rdtsc() - start;
}

static __attribute__((noinline)) uint64_t submit_many(unsigned int count)
{
	struct brg_nvme_io ios[BATCH];
	uint64_t start;
	int rc;

	for (unsigned int i = 0; i < count; i++)
		ios[i] = (struct brg_nvme_io){buffers + i * IO_SIZE, random_lba(), blocks, on_read,
					      &done};
	start = rte_rdtsc();
	rc = brg_nvme_read_many(qp, &ns, ios, count);
	if (rc != (int)count)
		errx(1, "%d of %u reads were submitted", rc, count);
	return rte_rdtsc() - start;
}

static __attribute__((noinline)) uint64_t submit_manual(unsigned int count)
{
	struct brg_nvme_qpair *q = manual;
	uint64_t lbas[BATCH], start;
	uint32_t nblocks = blocks;
	uint8_t *buf = buffers;

	for (unsigned int i = 0; i < count; i++)
		lbas[i] = random_lba();
	start = begin(q, buf, nblocks);
	for (unsigned int i = 0; i < count; i++)
		if (brg_nvme_read(q, &ns, buf + i * IO_SIZE, lbas[i], nblocks, on_read, &done))
			errx(1, "%s", brg_errmsg());
	brg_nvme_ring(q);
	return rte_rdtsc() - start;
}

static __attribute__((noinline)) uint64_t submit_many_prepared(unsigned int count)
{
	struct brg_nvme_qpair *q = manual;
	struct brg_nvme_prepared commands[BATCH];
	uint64_t start;

	for (unsigned int i = 0; i < count; i++) {
		commands[i] = (struct brg_nvme_prepared){.cb = on_read, .arg = &done};
		check(brg_nvme_prepare(ctrl, &ns, nvme_cmd_read, buffers + i * IO_SIZE,
				       random_lba(), blocks, NULL, &commands[i].sqe));
	}
	start = begin(q, commands, 0);
	for (unsigned int i = 0; i < count; i++)
		if (brg_nvme_submit_prepared(q, &commands[i]))
			errx(1, "%s", brg_errmsg());
	brg_nvme_ring(q);
	return rte_rdtsc() - start;
}

/* Time for the device, none of it spent on this CPU. */
static void wait_ms(unsigned int ms)
{
	nanosleep(&(struct timespec){.tv_nsec = ms * 1000000l}, NULL);
}

static __attribute__((noinline)) uint64_t poll_once(struct brg_nvme_qpair *q, int *found)
{
	uint64_t start = rte_rdtsc();
	int rc = brg_nvme_poll(q, 0);
	uint64_t ticks;

	if (rc < 0)
		errx(1, "%s", brg_errmsg());
	ticks = rte_rdtsc() - start;
	*found = rc;
	return ticks;
}

/*
 * Submit to a queue pair at rest, wait, and poll. Counts when the first poll that finds anything
 * finds all. Commands are told apart from their completions only one at a time.
 */
static void rounds(enum ring ring, struct brg_nvme_qpair *q, unsigned int count,
		   uint64_t (*submit)(unsigned int count), enum what whole, int submitting,
		   int polling)
{
	for (unsigned int i = 0; i < RUNS; i++) {
		uint64_t ticks, poll = 0;
		int found = 0;

		done = 0;
		ticks = submit(count);
		for (unsigned int wait = 10; !found && wait < 500; wait++) {
			wait_ms(wait);
			poll = poll_once(q, &found);
		}
		if (!found)
			errx(1, "reads did not complete");
		while (brg_nvme_outstanding(q))
			check(brg_nvme_poll(q, 0));
		if (done != count)
			errx(1, "%u of %u reads were called back", done, count);
		if (found != (int)count)
			continue;
		add(&costs[whole][ring], ticks + poll - overhead);
		if (submitting >= 0)
			add(&costs[submitting][ring], ticks);
		if (polling >= 0)
			add(&costs[polling][ring], poll);
	}
}

static void empty_polls(enum ring ring)
{
	for (unsigned int i = 0; i < RUNS; i++) {
		int found;
		uint64_t ticks = poll_once(qp, &found);

		add(&costs[EMPTY_POLL][ring], ticks);
		if (found)
			errx(1, "a poll of an idle queue pair found %d", found);
	}
}

static void measure(enum ring ring)
{
	const struct brg_nvme_qpair_opts opts = {.manual = true};

	check(brg_nvme_ns_get(ctrl, 1, &ns));
	blocks = IO_SIZE / ns.block_size;
	check(brg_nvme_qpair_create(ctrl, &opts, &manual));
	rounds(ring, qp, 1, submit_one, DEPTH_1, SUBMIT, POLL_ONE);
	rounds(ring, qp, 1, submit_prepared, WHATS - 1, SUBMIT_PREPARED, POLL_PREPARED);
	rounds(ring, qp, BATCH, submit_many, BATCH_MANY, -1, -1);
	rounds(ring, manual, BATCH, submit_manual, BATCH_MANUAL, -1, -1);
	rounds(ring, manual, BATCH, submit_many_prepared, BATCH_PREPARED, -1, -1);
	costs[EMPTY_POLL][ring].runs = 0;
	empty_polls(ring);
}

/* Attaching */

/* What this thread has had of its CPU, in ticks of the TSC: sleeping left out. */
static uint64_t cpu_ticks(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)(((double)t.tv_sec + (double)t.tv_nsec / 1e9) * (double)rte_get_tsc_hz());
}

static void open_with(enum ring ring)
{
	const struct brg_nvme_opts opts = {.io_queues = 2, .no_shadow_doorbells = ring == PLAIN};

	check(brg_nvme_open(dev, &opts, &ctrl));
	check(brg_nvme_qpair_create(ctrl, NULL, &qp));
}

static void start_eal(void)
{
	check(brg_env_init(
		&(struct brg_env_opts){.program = "barrage-nvme-cost", .memory_mib = 8}));
}

static void stop(void)
{
	brg_nvme_close(ctrl);
	brg_device_close(dev);
	brg_env_cleanup();
}

/* In a process of its own: much of it is done once in a process. */
static void attach(const char *bdf, bool ready, enum what instructions, enum what us)
{
	uint64_t start, cpu;

	if (ready)
		check(brg_device_keep_ready(bdf));
	start_eal();
	start = rte_rdtsc();
	cpu = cpu_ticks();
	check(brg_device_open(bdf, &dev));
	open_with(SHADOW);
	costs[instructions][SHADOW] = (struct cost){cpu_ticks() - cpu, 1, 1};
	costs[us][SHADOW] = (struct cost){(rte_rdtsc() - start) * 1000000 / rte_get_tsc_hz(), 1, 1};
	stop();
}

static void attach_apart(const char *bdf, bool ready, enum what instructions, enum what us)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		attach(bdf, ready, instructions, us);
		exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		err(1, "a process to attach in");
	if (status)
		exit(1);
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

/* What was found */

static void print_cell(struct table *t, const struct cost *c, unsigned int per)
{
	if (!c->runs)
		table_cell(t, "-");
	else if (per > 1)
		table_cell(t, "%.1f", (double)c->least / per);
	else
		table_cell(t, "%" PRIu64, c->least);
}

static void print(void)
{
	static const char *const heads[] = {"4 KiB random read",
					    ">shadow doorbells",
					    ">plain doorbells",
					    ">target",
					    ">SPDK",
					    ">libvfn",
					    NULL};
	struct table *t = table_new(heads);

	for (unsigned int i = 0; i < WHATS; i++) {
		table_cell(t, "%s", rows[i].title);
		print_cell(t, &costs[i][SHADOW], rows[i].per);
		print_cell(t, &costs[i][PLAIN], rows[i].per);
		table_cell(t, "%s", rows[i].target);
		table_cell(t, "%s", rows[i].spdk);
		table_cell(t, "%s", rows[i].libvfn);
	}
	table_print(t, stdout);
	table_free(t);
}

static void write_record(FILE *records, const struct row *row, enum ring ring, const struct cost *c)
{
	fprintf(records,
		"{\"since\":\"%s\",\"mark\":\"%s\",\"ticks\":%" PRIu64
		",\"runs\":%u,\"agreed\":%u}\n",
		ring_names[ring], row->name, (c->least + row->per / 2) / row->per, c->runs,
		c->agreed);
}

/* As the markers of brg_stat_mark(), which barrage-lab cost collects. */
static void write_records(const char *path)
{
	FILE *records = fopen(path, "w");

	if (!records)
		err(1, "%s", path);
	for (unsigned int i = 0; i < WHATS; i++)
		for (unsigned int r = 0; r < RINGS; r++)
			if (rows[i].name && costs[i][r].runs)
				write_record(records, &rows[i], r, &costs[i][r]);
	if (fclose(records))
		err(1, "%s", path);
}

int main(int argc, char **argv)
{
	const char *path = getenv("BARRAGE_RECORDS");

	if (argc != 2)
		errx(2, "usage: barrage-nvme-cost BDF\nExample: barrage-nvme-cost 0000:00:04.0");
	costs = mmap(NULL, WHATS * sizeof(*costs), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (costs == MAP_FAILED)
		err(1, "memory for what is counted");
	calibrate();
	attach_apart(argv[1], false, ATTACH, ATTACH_US);
	attach_apart(argv[1], true, ATTACH_READY, ATTACH_READY_US);
	start_eal();
	check(brg_device_open(argv[1], &dev));
	buffers = rte_malloc(NULL, BATCH * IO_SIZE, IO_SIZE);
	if (!buffers)
		errx(1, "no memory for %d reads", BATCH);
	open_with(SHADOW);
	measure(SHADOW);
	brg_nvme_close(ctrl);
	open_with(PLAIN);
	measure(PLAIN);
	rte_free(buffers);
	stop();
	print();
	if (path)
		write_records(path);
	return 0;
}
