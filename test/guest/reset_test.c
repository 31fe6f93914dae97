/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A device that fails under load: reset by us and behind our back, its registers out of reach for a
 * while. Every I/O that was submitted is called back exactly once, as done or to be tried again,
 * what is reported as done has the right data, and the application goes on.
 */

#include "opened.h"

#include <errno.h>
#include <linux/vfio.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "pattern.h"

#define PAGE	 4096
#define DEPTH	 32
#define REQUESTS (DEPTH - 1)
#define RESETS	 100
#define LCORES	 4 /* that poll, at most */
#define HOT	 5 /* each is found out by a command that is late */

struct worker;

/* One block of 4 KiB that is written and read again and again. */
struct request {
	struct worker *worker;
	uint8_t *buf;
	uint64_t lba;
	bool in_flight, is_read;
};

struct worker {
	struct brg_nvme_qpair *qp;
	struct request requests[REQUESTS];
	uint8_t *bufs;
	unsigned int seed;
	uint64_t submitted, done, again, gone;
	const char *wrong; /* the first thing that was */
	atomic_bool stop;
	atomic_ulong progress;
};

static int open_ctrl(void **state)
{
	const struct brg_nvme_opts opts = {
		.io_queues = 2, .admin_timeout_ms = 500, .io_timeout_ms = 400};

	return open_ctrl_with(&opts);
}

static void wrong(struct worker *w, const char *what)
{
	if (!w->wrong)
		w->wrong = what;
}

/* What a finished request has next: read what was written, or write something new. */
static void on_done(void *arg, const struct brg_nvme_cqe *cqe)
{
	struct request *r = arg;
	struct worker *w = r->worker;
	int err = brg_nvme_status_errno(brg_nvme_status(cqe));

	if (!r->in_flight)
		wrong(w, "called back twice");
	r->in_flight = false;
	w->progress++;
	if (err == -EAGAIN || err == -ECANCELED) {
		w->again++;
		return; /* the same once more */
	}
	if (err == -ENODEV) {
		w->gone++;
		return;
	}
	if (err)
		wrong(w, brg_nvme_status_str(brg_nvme_status(cqe)));
	w->done++;
	if (r->is_read && !pattern_is(r->buf, PAGE, w->seed, r->lba * ns.block_size))
		wrong(w, "other data than was written");
	r->is_read = !r->is_read;
}

static void submit(struct worker *w, struct request *r)
{
	uint32_t blocks = PAGE / ns.block_size;
	int err;

	if (!r->is_read)
		pattern_fill(r->buf, PAGE, w->seed, r->lba * ns.block_size);
	else
		memset(r->buf, 0, PAGE);
	r->in_flight = true;
	if (r->is_read)
		err = brg_nvme_read(w->qp, &ns, r->buf, r->lba, blocks, on_done, r);
	else
		err = brg_nvme_write(w->qp, &ns, r->buf, r->lba, blocks, on_done, r);
	if (err) {
		r->in_flight = false;
		if (err != -EAGAIN && err != -ENODEV)
			wrong(w, "refused");
	} else {
		w->submitted++;
	}
}

/* Keep the queue full until told to stop, and then until it is empty or the device is gone. */
static int work(void *arg)
{
	struct worker *w = arg;
	int rc = 0;

	while (!w->stop || brg_nvme_outstanding(w->qp)) {
		for (unsigned int i = 0; i < REQUESTS && !w->stop; i++)
			if (!w->requests[i].in_flight)
				submit(w, &w->requests[i]);
		rc = brg_nvme_poll(w->qp, 0);
		if (rc < 0)
			break;
	}
	return rc < 0 ? rc : 0;
}

static struct worker *worker_new(unsigned int seed)
{
	const struct brg_nvme_qpair_opts opts = {.depth = DEPTH};
	struct worker *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->seed = seed;
	w->bufs = rte_zmalloc(NULL, REQUESTS * PAGE, PAGE);
	assert_non_null(w->bufs);
	for (unsigned int i = 0; i < REQUESTS; i++)
		w->requests[i] = (struct request){
			.worker = w,
			.buf = w->bufs + i * PAGE,
			.lba = (uint64_t)(seed * REQUESTS + i) * (PAGE / ns.block_size),
		};
	assert_works(brg_nvme_qpair_create(ctrl, &opts, &w->qp));
	return w;
}

/* Nothing was lost and nothing told twice. */
static void check(struct worker *w)
{
	struct brg_nvme_stats stats;

	brg_nvme_stats_get(w->qp, &stats);
	if (w->wrong)
		fail_msg("%s", w->wrong);
	assert_int_equal(w->submitted, w->done + w->again + w->gone);
	assert_int_equal(stats.submitted, w->submitted);
	assert_int_equal(stats.completed, w->done);
	assert_int_equal(stats.cancelled, w->again + w->gone);
	assert_int_equal(brg_nvme_outstanding(w->qp), 0);
	for (unsigned int i = 0; i < REQUESTS; i++)
		assert_false(w->requests[i].in_flight);
}

static void worker_free(struct worker *w)
{
	brg_nvme_qpair_free(w->qp);
	rte_free(w->bufs);
	free(w);
}

/* Until the worker has got some more done. */
static void wait_for_progress(struct worker *w)
{
	unsigned long before = w->progress;

	for (unsigned int i = 0; i < 10000 && w->progress < before + 2 * DEPTH; i++)
		usleep(1000);
	assert_true(w->progress >= before + 2 * DEPTH);
}

/* The other lcores poll, each a queue pair of its own; this one resets. */
static void reset_under_load(void **state)
{
	/* As long as it takes: an lcore may have to wait for a CPU of the machine. */
	const struct brg_nvme_opts patient = {.io_queues = LCORES, .admin_timeout_ms = 60000};
	struct worker *workers[RTE_MAX_LCORE] = {0};
	struct brg_nvme_stats stats;
	unsigned int lcore;

	close_ctrl(NULL);
	assert_works(brg_nvme_open(dev, &patient, &ctrl));
	assert_in_range(rte_lcore_count(), 3, 1 + LCORES);
	RTE_LCORE_FOREACH_WORKER (lcore) {
		workers[lcore] = worker_new(10 + lcore);
		assert_int_equal(rte_eal_remote_launch(work, workers[lcore], lcore), 0);
	}
	for (unsigned int i = 0; i <= RESETS; i++) {
		RTE_LCORE_FOREACH_WORKER (lcore)
			wait_for_progress(workers[lcore]);
		if (i < RESETS)
			assert_works(brg_nvme_reset(ctrl));
	}
	RTE_LCORE_FOREACH_WORKER (lcore)
		workers[lcore]->stop = true;
	RTE_LCORE_FOREACH_WORKER (lcore) {
		struct worker *w = workers[lcore];

		assert_int_equal(rte_eal_wait_lcore(lcore), 0);
		check(w);
		assert_true(w->done > RESETS * DEPTH);
		brg_nvme_stats_get(w->qp, &stats);
		assert_int_equal(stats.resets, RESETS);
		worker_free(w);
	}
}

/* One thread for everything: its commands in flight come back in the next poll. */
static void reset_by_the_poller(void **state)
{
	struct worker *w = worker_new(2);
	struct worker *idle = worker_new(3); /* never polled before */

	for (unsigned int round = 0; round < 5; round++) {
		for (unsigned int i = 0; i < REQUESTS; i++)
			submit(w, &w->requests[i]);
		submit(idle, &idle->requests[round]);
		assert_works(brg_nvme_reset(ctrl));
		assert_int_equal(brg_nvme_outstanding(w->qp), REQUESTS);
		assert_int_equal(brg_nvme_poll(w->qp, 0), REQUESTS);
		assert_int_equal(w->again, (round + 1) * REQUESTS);
		assert_int_equal(brg_nvme_poll(idle->qp, 0), 1);
	}
	w->stop = idle->stop = true;
	assert_int_equal(work(w), 0);
	check(w);
	check(idle);
	worker_free(idle);
	worker_free(w);
}

/* Commands are lost with the queues, and nobody says so: they are late. */
static void check_found_out(struct worker *w)
{
	struct brg_nvme_stats stats;

	for (unsigned int i = 0; i < REQUESTS; i++)
		submit(w, &w->requests[i]);
	w->stop = true;
	assert_int_equal(work(w), 0);
	check(w);
	brg_nvme_stats_get(w->qp, &stats);
	assert_int_equal(stats.resets, 1);
	assert_int_equal(stats.timeouts, 1);
	assert_int_equal(stats.aborts, 1); /* and that command was late, too */
	assert_int_equal(w->again, REQUESTS);
	w->stop = false;
	for (unsigned int i = 0; i < REQUESTS; i++)
		submit(w, &w->requests[i]);
	w->stop = true;
	assert_int_equal(work(w), 0);
	check(w);
}

static void reset_behind_our_back(void **state)
{
	struct worker *w = worker_new(4);

	assert_works(brg_device_reset(dev));
	assert_works(brg_device_set_memory_decode(dev, true));
	check_found_out(w);
	worker_free(w);
}

/* Registers that read all-ones are those of a device that is gone. It may come back. */
static void out_of_reach(void **state)
{
	struct worker *w = worker_new(5);

	brg_bar_guard(); /* cmocka has put a handler of its own in place */
	for (unsigned int i = 0; i < REQUESTS; i++)
		submit(w, &w->requests[i]);
	assert_works(brg_device_set_memory_decode(dev, false));
	assert_int_equal(work(w), -ENODEV);
	assert_int_equal(brg_nvme_poll(w->qp, 0), -ENODEV);
	submit(w, &w->requests[0]);
	check(w);
	assert_true(w->gone > 0);
	assert_int_equal(brg_nvme_reset(ctrl), -ENODEV);

	assert_works(brg_device_set_memory_decode(dev, true));
	assert_works(brg_nvme_reset(ctrl));
	assert_int_equal(brg_nvme_poll(w->qp, 0), 0);
	for (unsigned int i = 0; i < REQUESTS; i++)
		submit(w, &w->requests[i]);
	w->stop = true;
	assert_int_equal(work(w), 0);
	check(w);
	worker_free(w);
}

static enum brg_nvme_verdict wait_twice(void *arg, struct brg_nvme_qpair *qp, uint16_t cid)
{
	unsigned int *asked = arg;

	return ++*asked <= 2 ? BRG_NVME_WAIT : BRG_NVME_RESET;
}

static void policy_of_the_user(void **state)
{
	unsigned int asked = 0;
	const struct brg_nvme_opts opts = {
		.io_queues = 1,
		.admin_timeout_ms = 1000,
		.io_timeout_ms = 100,
		.on_timeout = wait_twice,
		.timeout_arg = &asked,
	};
	struct brg_nvme_stats stats;
	struct worker *w;

	close_ctrl(NULL);
	assert_works(brg_nvme_open(dev, &opts, &ctrl));
	w = worker_new(6);
	assert_works(brg_device_reset(dev));
	assert_works(brg_device_set_memory_decode(dev, true));
	submit(w, &w->requests[0]);
	w->stop = true;
	assert_int_equal(work(w), 0);
	check(w);
	assert_int_equal(asked, 3);
	brg_nvme_stats_get(w->qp, &stats);
	assert_int_equal(stats.timeouts, 3);
	assert_int_equal(stats.aborts, 0);
	assert_int_equal(stats.resets, 1);
	worker_free(w);
}

/* A group can be open once, and the library has it. */
static int group_fd(void)
{
	for (int fd = 0; fd < 1024; fd++) {
		char link[64], path[64] = "";
		unsigned int group;

		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		if (readlink(link, path, sizeof(path) - 1) > 0 &&
		    sscanf(path, "/dev/vfio/%u", &group) == 1)
			return fd;
	}
	fail_msg("no descriptor of a VFIO group is open");
	return -1;
}

/* The bridge above resets its bus, with all that is on it: this device alone. */
static void hot_reset(void)
{
	struct vfio_pci_hot_reset_info *info;
	struct vfio_pci_hot_reset *reset;

	info = calloc(1, sizeof(*info) + 4 * sizeof(info->devices[0]));
	info->argsz = sizeof(*info) + 4 * sizeof(info->devices[0]);
	assert_int_equal(ioctl(brg_device_fd(dev), VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, info), 0);
	assert_int_equal(info->count, 1);
	free(info);

	reset = calloc(1, sizeof(*reset) + sizeof(reset->group_fds[0]));
	reset->argsz = sizeof(*reset) + sizeof(reset->group_fds[0]);
	reset->count = 1;
	reset->group_fds[0] = group_fd();
	assert_int_equal(ioctl(brg_device_fd(dev), VFIO_DEVICE_PCI_HOT_RESET, reset), 0);
	free(reset);
}

/* The kernel gives the device its BARs back, and memory decode. */
static void hot_reset_behind_our_back(void **state)
{
	struct worker *w = worker_new(7);

	hot_reset();
	check_found_out(w);
	worker_free(w);
}

static void hot_resets_under_load(void **state)
{
	struct worker *w = worker_new(8);
	unsigned int lcore = rte_get_next_lcore(rte_lcore_id(), 1, 0);
	struct brg_nvme_stats stats;

	brg_bar_guard(); /* cmocka has put a handler of its own in place */
	assert_int_equal(rte_eal_remote_launch(work, w, lcore), 0);
	for (unsigned int i = 0; i < HOT; i++) {
		wait_for_progress(w);
		hot_reset();
	}
	wait_for_progress(w);
	w->stop = true;
	assert_int_equal(rte_eal_wait_lcore(lcore), 0);
	check(w);
	brg_nvme_stats_get(w->qp, &stats);
	assert_int_equal(stats.resets, HOT);
	worker_free(w);
}

#define ON_A_CONTROLLER(test) cmocka_unit_test_setup_teardown(test, open_ctrl, close_ctrl)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_A_CONTROLLER(reset_under_load),	ON_A_CONTROLLER(reset_by_the_poller),
		ON_A_CONTROLLER(reset_behind_our_back), ON_A_CONTROLLER(out_of_reach),
		ON_A_CONTROLLER(policy_of_the_user),
	};

	/* On a root bus there is no bridge that could. */
	const struct CMUnitTest behind_a_port[] = {
		ON_A_CONTROLLER(hot_reset_behind_our_back),
		ON_A_CONTROLLER(hot_resets_under_load),
	};

	test_bdf(); /* or exit */
	if (getenv("HOT_RESET"))
		return cmocka_run_group_tests(behind_a_port, open_device, close_device);
	return cmocka_run_group_tests(tests, open_device, close_device);
}
