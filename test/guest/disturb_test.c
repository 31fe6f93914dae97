/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A controller that is disturbed under load, as disturb.steps has it: reads fail, are not answered
 * for a while, and the controller is taken away and put back. Whatever happens, every command that
 * was submitted is called back once, what it read is what was written, and the program goes on.
 * CYCLES in the environment says how often the controller is taken away.
 */

#include "disk.h"
#include "pattern.h"
#include "plug.h"

#include <errno.h>
#include <poll.h>
#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <stdatomic.h>

#define DEPTH  32
#define BLOCKS 64
#define BAD    8 /* the sector that disturb.steps lets fail */

static const char *bdf;
static struct brg_device_watch *watch;

/* A controller in use. */
struct disk {
	struct brg_device *dev;
	struct brg_nvme_ctrl *ctrl;
	struct brg_nvme_ns ns;
	struct brg_nvme_qpair *qp, *other; /* the other lcore's, in the test that has one */
	char *buffer;			   /* of all blocks */
	uint64_t seed;
};

static void open_disk_with(struct disk *d, const struct brg_nvme_opts *opts)
{
	assert_works(brg_device_open(bdf, &d->dev));
	assert_works(brg_nvme_open(d->dev, opts, &d->ctrl));
	assert_works(brg_nvme_ns_get(d->ctrl, 1, &d->ns));
	assert_works(brg_nvme_qpair_create(d->ctrl, NULL, &d->qp));
	d->buffer = rte_malloc(NULL, BLOCKS * d->ns.block_size, 4096);
	assert_non_null(d->buffer);
}

static void open_disk(struct disk *d)
{
	open_disk_with(d, NULL);
}

static void close_disk(struct disk *d)
{
	brg_nvme_close(d->ctrl);
	brg_device_close(d->dev);
	rte_free(d->buffer);
}

static void write_data(struct disk *d, uint64_t seed)
{
	d->seed = seed;
	pattern_fill(d->buffer, BLOCKS * d->ns.block_size, seed, 0);
	assert_int_equal(write_blocks(d->qp, &d->ns, d->buffer, 0, BLOCKS), 0);
}

static void check_data(struct disk *d)
{
	memset(d->buffer, 0, BLOCKS * d->ns.block_size);
	assert_int_equal(read_blocks(d->qp, &d->ns, d->buffer, 0, BLOCKS), 0);
	assert_true(pattern_is(d->buffer, BLOCKS * d->ns.block_size, d->seed, 0));
}

/*
 * The load: a full queue of reads of one block each. It may run on another lcore, where cmocka's
 * asserts must not be: they would jump onto the main lcore's stack.
 */

struct load;

struct read {
	struct load *load;
	void *buffer;
	uint64_t lba;
	unsigned int submitted, called;
	bool waits; /* the queue had no room */
};

struct load {
	struct disk *disk;
	struct brg_nvme_qpair *qp;
	const char *_Atomic wrong;		/* the first thing that was */
	unsigned int good[BLOCKS], bad[BLOCKS]; /* how often a block was read, or was not */
	atomic_uint ngood;
	unsigned int nbad;
	unsigned int ngone;   /* of the bad ones, because the device is */
	uint64_t next, limit; /* TSC: when it has taken too long */
	bool stop;
	struct read reads[DEPTH];
};

static void submit(struct read *r);

static void wrong(struct load *l, const char *what)
{
	if (!l->wrong)
		l->wrong = what;
}

static void on_read(void *arg, const struct brg_nvme_cqe *cqe)
{
	struct read *r = arg;
	struct load *l = r->load;
	uint32_t size = l->disk->ns.block_size;

	r->called++;
	if (brg_nvme_status(cqe)) {
		l->bad[r->lba]++;
		l->nbad++;
		if (brg_nvme_status_errno(brg_nvme_status(cqe)) == -ENODEV)
			l->stop = ++l->ngone;
	} else {
		if (!pattern_is(r->buffer, size, l->disk->seed, r->lba * size))
			wrong(l, "other data than was written");
		l->good[r->lba]++;
		l->ngood++;
	}
	if (!l->stop)
		submit(r);
}

static void submit(struct read *r)
{
	struct disk *d = r->load->disk;
	struct brg_nvme_qpair *qp = r->load->qp;
	int rc;

	r->lba = r->load->next++ % BLOCKS;
	memset(r->buffer, 0, d->ns.block_size);
	rc = brg_nvme_read(qp, &d->ns, r->buffer, r->lba, 1, on_read, r);
	r->waits = rc == -EAGAIN; /* as when a reset calls back what was in flight */
	if (r->waits)
		return;
	if (rc)
		wrong(r->load, "a read was refused");
	r->submitted++;
}

/* The two loads that there can be have buffers of their own. */
static struct load *start_on(struct disk *d, struct brg_nvme_qpair *qp)
{
	static struct load loads[2];
	struct load *l = &loads[qp == d->other];
	char *buffers = d->buffer + (l - loads) * (ptrdiff_t)(DEPTH * d->ns.block_size);

	*l = (struct load){.disk = d, .qp = qp, .limit = rte_rdtsc() + 60 * rte_get_tsc_hz()};
	for (unsigned int i = 0; i < DEPTH; i++) {
		l->reads[i] =
			(struct read){.load = l, .buffer = buffers + (size_t)i * d->ns.block_size};
		submit(&l->reads[i]);
	}
	return l;
}

static struct load *start(struct disk *d)
{
	return start_on(d, d->qp);
}

/* @return how many there were, or -1: something is wrong. */
static int step(struct load *l)
{
	int n = brg_nvme_poll(l->qp, 0);

	if (n < 0)
		wrong(l, brg_errmsg());
	if (rte_rdtsc() > l->limit)
		wrong(l, "it takes more than a minute");
	for (unsigned int i = 0; i < DEPTH && !l->stop; i++)
		if (l->reads[i].waits)
			submit(&l->reads[i]);
	return l->wrong ? -1 : n;
}

static int turn(struct load *l)
{
	int n = step(l);

	if (n < 0)
		fail_msg("%s", l->wrong);
	return n;
}

static void check_calls(const struct load *l)
{
	for (unsigned int i = 0; i < DEPTH; i++)
		assert_int_equal(l->reads[i].called, l->reads[i].submitted);
}

static void finish(struct load *l)
{
	l->stop = true;
	while (brg_nvme_outstanding(l->disk->qp))
		turn(l);
	check_calls(l);
}

/* Only the reads of the block that fails do, only while it does, and with the status for that. */
static void errors_reach_their_callbacks(void **state)
{
	unsigned int good_before;
	struct disk d = {0};
	struct load *l;

	open_disk(&d);
	write_data(&d, 100);
	l = start(&d);
	while (l->good[BAD] < 10)
		turn(l);
	assert_int_equal(l->nbad, 0);
	tell("healthy");
	while (l->bad[BAD] < 10)
		turn(l);
	tell("failing");
	good_before = l->good[BAD];
	while (l->good[BAD] < good_before + 10)
		turn(l);
	finish(l);
	assert_int_equal(l->nbad, l->bad[BAD]);
	check_data(&d);
	close_disk(&d);
}

/* Commands that are answered late are answered all the same. */
static void silence_is_survived(void **state)
{
	uint64_t last, silence = rte_get_tsc_hz();
	unsigned int good_before;
	struct disk d = {0};
	struct load *l;

	open_disk(&d);
	write_data(&d, 200);
	l = start(&d);
	tell("to be stalled");
	last = rte_rdtsc();
	while (rte_rdtsc() < last + silence)
		if (turn(l) > 0)
			last = rte_rdtsc();
	assert_int_equal(brg_nvme_outstanding(d.qp), DEPTH);
	tell("silent");
	good_before = l->ngood;
	while (l->ngood < good_before + 10 * DEPTH)
		turn(l);
	finish(l);
	assert_int_equal(l->nbad, 0);
	close_disk(&d);
}

/* At 16 commands a second a queue of 32 is late: a reset, after which the program goes on. */
static void lateness_ends_in_a_reset(void **state)
{
	const struct brg_nvme_opts opts = {.io_timeout_ms = 500};
	struct brg_nvme_stats stats;
	unsigned int good_before;
	struct disk d = {0};
	struct load *l;

	open_disk_with(&d, &opts);
	write_data(&d, 300);
	l = start(&d);
	tell("to be slow");
	do {
		turn(l);
		brg_nvme_stats_get(d.qp, &stats);
	} while (!stats.resets);
	tell("reset");
	good_before = l->ngood;
	while (l->ngood < good_before + 10 * DEPTH)
		turn(l);
	finish(l);
	brg_nvme_stats_get(d.qp, &stats);
	assert_in_range(stats.cancelled, 1, UINT64_MAX);
	assert_int_equal(stats.cancelled, l->nbad);
	assert_int_equal(stats.completed, l->ngood + 1); /* write_data()'s */
	check_data(&d);
	close_disk(&d);
}

/* On any lcore. */
static int read_on(void *arg)
{
	struct load *l = arg;

	while (!l->ngone && step(l) >= 0)
		;
	return l->wrong ? -1 : 0;
}

/* What was in flight has ended with -ENODEV, and so do later polls. */
static void check_it_is_gone(struct disk *d, struct load *l)
{
	assert_int_equal(l->ngone, DEPTH);
	assert_int_equal(l->nbad, DEPTH);
	assert_int_equal(brg_nvme_outstanding(l->qp), 0);
	check_calls(l);
	assert_fails(brg_nvme_poll(l->qp, 0), ENODEV, "takes no more commands");
	assert_fails(brg_nvme_read(l->qp, &d->ns, d->buffer, 0, 1, on_read, &l->reads[0]), ENODEV,
		     "takes no more commands");
}

/* Two lcores keep a queue each full until the kernel wants the controller. */
static void read_until_it_goes(struct disk *d)
{
	unsigned int lcore = rte_get_next_lcore(rte_lcore_id(), 1, 0);
	struct load *l = start(d), *theirs = start_on(d, d->other);

	assert_false(brg_device_wanted_back(d->dev));
	assert_int_equal(rte_eal_remote_launch(read_on, theirs, lcore), 0);
	while (l->ngood < 1000 || (theirs->ngood < 1000 && !theirs->wrong))
		turn(l);
	tell("reading");
	assert_int_equal(read_on(l), 0);
	if (rte_eal_wait_lcore(lcore))
		fail_msg("the other lcore: %s", theirs->wrong);
	check_it_is_gone(d, l);
	check_it_is_gone(d, theirs);
	assert_true(brg_device_wanted_back(d->dev));
}

/* The kernel's own driver wants it as well, and may be in the middle of taking it. */
static void take_back(void)
{
	int rc;

	for (int tries = 0; (rc = brg_device_bind(bdf, "vfio-pci")) && tries < 100; tries++)
		rte_delay_us_sleep(50000);
	assert_works(rc);
}

static void open_for_two(struct disk *d)
{
	open_disk_with(d, &(struct brg_nvme_opts){.io_queues = 2});
	assert_works(brg_nvme_qpair_create(d->ctrl, NULL, &d->other));
}

static void unplugging_is_survived(void **state)
{
	int cycles = atoi(getenv("CYCLES"));
	struct disk d = {0};

	assert_true(cycles > 0);
	assert_works(brg_device_watch_open(&watch));
	open_for_two(&d);
	for (int i = 0; i < cycles; i++) {
		write_data(&d, (uint64_t)i);
		read_until_it_goes(&d);
		close_disk(&d);
		expect_event(watch, bdf, false);
		tell("gone");
		expect_event(watch, bdf, true);
		take_back();
		open_for_two(&d);
		check_data(&d);
	}
	close_disk(&d);
	brg_device_watch_close(watch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_reach_their_callbacks),
		cmocka_unit_test(silence_is_survived),
		cmocka_unit_test(lateness_ends_in_a_reset),
		cmocka_unit_test(unplugging_is_survived),
	};

	bdf = test_bdf();
	if (!getenv("CYCLES") || brg_env_init(NULL)) {
		fprintf(stderr, "no EAL, or CYCLES is not set\n");
		return 2;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
