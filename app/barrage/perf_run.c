/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The I/O of barrage perf. Each lcore goes round its flows, one per device: take what has finished,
 * submit what may be submitted. Nothing is shared between flows but the word that stops them all.
 */

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <rte_common.h>
#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_random.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "perf.h"
#include "progress.h"

/* One command, free or in flight. */
struct slot {
	struct slot *next; /* in the list it is in */
	struct perf_flow *flow;
	void *data;
	struct perf_access access;
	uint64_t submitted, finished; /* TSC */
	uint16_t status;
	bool measured; /* submitted after the warm-up */
};

/* What one lcore does on one device. */
struct perf_flow {
	const struct perf_options *options;
	const struct perf_device *device;
	struct perf_pattern pattern;
	struct brg_nvme_qpair *qp;
	struct slot *slots;
	char *buffers;
	struct slot *free, *finished;
	uint64_t measure_from, deadline; /* TSC: when measuring begins and submitting ends */
	uint64_t left; /* commands to measure yet; UINT64_MAX: until the deadline */
	struct perf_pace pace;
	uint64_t first, last; /* TSC, of what is measured: first submission, last completion */
	struct perf_figures *figures[PERF_DIRECTIONS];
	/* For the progress line, which another thread prints: commands and bytes so far. */
	_Atomic uint64_t ios, bytes;
	bool over;
	char error[512]; /* the first failure */
};

static atomic_bool stopped;

void perf_stop(void)
{
	atomic_store(&stopped, true);
}

void perf_explain(const struct perf_device *d, const char *what, char *why, size_t size)
{
	const char *bdf = brg_device_get_info(d->dev)->bdf;
	bool named = !strncmp(what, bdf, strlen(bdf)); /* as in most of the library's sentences */

	snprintf(why, size, "%s%s%s", named ? "" : bdf, named ? "" : ": ", what);
}

static void fail(struct perf_flow *f, const char *what)
{
	if (!f->error[0])
		perf_explain(f->device, what, f->error, sizeof(f->error));
	perf_stop();
}

/* Taking what has finished */

/* Only the time is taken here: what follows would be in the latency of the next one found. */
static void on_finished(void *arg, const struct brg_nvme_cqe *cqe)
{
	struct slot *s = arg;

	s->finished = rte_rdtsc();
	s->status = brg_nvme_status(cqe);
	s->next = s->flow->finished;
	s->flow->finished = s;
}

static void account(struct perf_flow *f, const struct slot *s)
{
	struct perf_figures *figures = f->figures[s->access.write ? PERF_WRITE : PERF_READ];
	uint64_t bytes = (uint64_t)s->access.blocks * f->pattern.block_size;

	atomic_store_explicit(&f->ios, f->ios + 1, memory_order_relaxed);
	atomic_store_explicit(&f->bytes, f->bytes + bytes, memory_order_relaxed);
	if (!s->measured)
		return;
	figures->bytes += bytes;
	brg_hist_add(&figures->latency, s->finished - s->submitted);
	f->last = RTE_MAX(f->last, s->finished);
}

static void check(struct perf_flow *f, const struct slot *s)
{
	const struct perf_access *a = &s->access;
	char why[256];

	if (s->status) {
		snprintf(why, sizeof(why), "a %s of %" PRIu32 " blocks at %" PRIu64 " failed: %s",
			 a->write ? "write" : "read", a->blocks, a->lba,
			 brg_nvme_status_str(s->status));
		fail(f, why);
	} else if (f->options->verify && !a->write &&
		   perf_check(s->data, f->pattern.block_size, a->lba, a->blocks,
			      f->options->seed_given ? &f->options->seed : NULL, why,
			      sizeof(why))) {
		fail(f, why);
	}
}

static void take(struct perf_flow *f)
{
	if (brg_nvme_poll(f->qp, 0) < 0) {
		fail(f, brg_errmsg());
		f->over = true;
	}
	while (f->finished) {
		struct slot *s = f->finished;

		f->finished = s->next;
		account(f, s);
		check(f, s);
		s->next = f->free;
		f->free = s;
	}
}

/* Submitting */

static bool may_go_on(const struct perf_flow *f, uint64_t now)
{
	return f->left && now < f->deadline &&
	       !atomic_load_explicit(&stopped, memory_order_relaxed);
}

static int submit(struct perf_flow *f, struct slot *s, uint64_t now)
{
	const struct perf_access *a = &s->access;
	const struct brg_nvme_ns *ns = &f->device->ns;

	perf_pattern_next(&f->pattern, &s->access);
	if (f->options->verify && a->write)
		perf_seal(s->data, ns->block_size, a->lba, a->blocks, f->options->seed);
	else if (f->options->verify)
		perf_spoil(s->data, ns->block_size, a->blocks);
	s->measured = now >= f->measure_from;
	s->submitted = rte_rdtsc();
	if (s->measured && !f->first)
		f->first = s->submitted;
	return a->write ? brg_nvme_write(f->qp, ns, s->data, a->lba, a->blocks, on_finished, s)
			: brg_nvme_read(f->qp, ns, s->data, a->lba, a->blocks, on_finished, s);
}

static void give(struct perf_flow *f, uint64_t now)
{
	while (f->free && may_go_on(f, now) && perf_pace_due(&f->pace, now)) {
		struct slot *s = f->free;

		if (submit(f, s, now)) {
			fail(f, brg_errmsg());
			return;
		}
		f->free = s->next;
		if (s->measured && f->left != UINT64_MAX)
			f->left--;
	}
}

static void begin(struct perf_flow *f)
{
	const struct perf_options *o = f->options;
	double hz = (double)rte_get_tsc_hz();

	f->pace.start = rte_rdtsc();
	f->measure_from = f->pace.start + (uint64_t)(o->warmup * hz);
	f->deadline = o->seconds ? f->measure_from + (uint64_t)(o->seconds * hz) : UINT64_MAX;
	f->pace.interval = o->rate ? hz * o->lcores / o->rate : 0;
}

struct run {
	struct perf_device *devices;
	const struct perf_options *options;
	int over; /* eventfd: all lcores are done */
};

static int work(void *arg)
{
	const struct run *run = arg;
	unsigned int index = (unsigned int)rte_lcore_index(-1), running;

	for (unsigned int i = 0; i < run->options->ndevices; i++)
		begin(run->devices[i].flows[index]);
	do {
		running = 0;
		for (unsigned int i = 0; i < run->options->ndevices; i++) {
			struct perf_flow *f = run->devices[i].flows[index];
			uint64_t now = rte_rdtsc();

			if (f->over)
				continue;
			take(f);
			give(f, now);
			brg_nvme_ring(f->qp); /* once for all that was given */
			f->over |= !brg_nvme_outstanding(f->qp) && !may_go_on(f, now);
			running += !f->over;
		}
	} while (running);
	return 0;
}

/* Watching over the lcores, by a thread that is none: progress, and the kernel's requests */

static void count_all(const struct run *run, uint64_t *ios, uint64_t *bytes)
{
	*ios = *bytes = 0;
	for (unsigned int i = 0; i < run->options->ndevices; i++)
		for (unsigned int j = 0; j < run->options->lcores; j++) {
			struct perf_flow *f = run->devices[i].flows[j];

			*ios += atomic_load_explicit(&f->ios, memory_order_relaxed);
			*bytes += atomic_load_explicit(&f->bytes, memory_order_relaxed);
		}
}

/* What went since the call before, about a second ago. */
static void show_progress(const struct run *run, unsigned int second)
{
	static uint64_t ios_before, bytes_before;
	const struct perf_options *o = run->options;
	uint64_t ios, bytes;
	char end[32] = "";

	if (o->seconds)
		snprintf(end, sizeof(end), " of %.0f", o->warmup + o->seconds);
	count_all(run, &ios, &bytes);
	progress("%u%s s  %" PRIu64 " IOPS  %.1f MiB/s%s", second, end, ios - ios_before,
		 (double)(bytes - bytes_before) / (1 << 20),
		 second <= o->warmup ? "  warming up" : "");
	ios_before = ios;
	bytes_before = bytes;
}

static void *watch_over(void *arg)
{
	struct run *run = arg;
	unsigned int n = run->options->ndevices;
	struct pollfd fds[n + 1];
	int ready;

	for (unsigned int i = 0; i < n; i++)
		fds[i] = (struct pollfd){.fd = brg_device_request_fd(run->devices[i].dev),
					 .events = POLLIN};
	fds[n] = (struct pollfd){.fd = run->over, .events = POLLIN};
	for (unsigned int second = 1;; second++) {
		ready = poll(fds, n + 1, isatty(STDERR_FILENO) ? 1000 : -1);
		if (fds[n].revents)
			break;
		if (ready == 0)
			show_progress(run, second);
		for (unsigned int i = 0; ready > 0 && i < n; i++) {
			if (!fds[i].revents)
				continue;
			fds[i].fd = -1;
			perf_stop();
		}
	}
	progress_clear();
	return NULL;
}

/* Not on the main lcore's CPU alone, which a new thread would inherit. */
static int start_watching(struct run *run, pthread_t *watcher)
{
	pthread_attr_t attr;
	cpu_set_t all;
	int rc;

	CPU_ZERO(&all);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		CPU_SET(cpu, &all);
	pthread_attr_init(&attr);
	pthread_attr_setaffinity_np(&attr, sizeof(all), &all);
	rc = pthread_create(watcher, &attr, watch_over, run);
	pthread_attr_destroy(&attr);
	return rc;
}

/*
 * The kernel's request is why the flows ended, if there was one: a queue pair may see it before
 * whoever watches does, and then its commands fail. Else what went wrong first.
 */
static int gather_errors(const struct run *run, char *why, size_t size)
{
	const struct perf_options *o = run->options;

	for (unsigned int i = 0; i < o->ndevices; i++) {
		if (!brg_device_wanted_back(run->devices[i].dev))
			continue;
		snprintf(why, size,
			 "%s: the kernel wants it back, as it is being unplugged or unbound from "
			 "vfio-pci; the run is over",
			 brg_device_get_info(run->devices[i].dev)->bdf);
		return -ENODEV;
	}
	for (unsigned int i = 0; i < o->ndevices; i++)
		for (unsigned int j = 0; j < o->lcores; j++)
			if (run->devices[i].flows[j]->error[0]) {
				snprintf(why, size, "%s", run->devices[i].flows[j]->error);
				return -EIO;
			}
	return 0;
}

int perf_run(struct perf_device *devices, const struct perf_options *o, char *why, size_t size)
{
	struct run run = {.devices = devices, .options = o, .over = eventfd(0, EFD_CLOEXEC)};
	pthread_t watcher;

	if (run.over < 0 || start_watching(&run, &watcher)) {
		snprintf(why, size, "no thread to watch the run with");
		if (run.over >= 0)
			close(run.over);
		return -EAGAIN;
	}
	rte_srand(o->seed);
	rte_eal_mp_remote_launch(work, &run, CALL_MAIN);
	rte_eal_mp_wait_lcore();
	eventfd_write(run.over, 1);
	pthread_join(watcher, NULL);
	close(run.over);
	return gather_errors(&run, why, size);
}

/* Making flows */

static int no_memory(const struct perf_options *o, char *why, size_t size)
{
	snprintf(why, size,
		 "not enough memory for %" PRIu32 " commands of %" PRIu32 " bytes in flight on "
		 "each of %u lcores: take a smaller --qd, --bs or --lcores",
		 o->queue_depth, perf_largest(o), o->lcores);
	return -ENOMEM;
}

/* The k-th part of --count when lcores share it. */
static uint64_t share(const struct perf_options *o, unsigned int index)
{
	if (!o->count)
		return UINT64_MAX;
	return o->count / o->lcores + (index < o->count % o->lcores);
}

static int make_slots(struct perf_flow *f, char *why, size_t size)
{
	const struct perf_options *o = f->options;
	int node = brg_device_get_info(f->device->dev)->numa_node;
	uint32_t block_size = f->device->ns.block_size, each = perf_largest(o);

	f->slots = calloc(o->queue_depth, sizeof(*f->slots));
	f->buffers = rte_malloc_socket(NULL, (size_t)o->queue_depth * each, 4096, node);
	if (!f->slots || !f->buffers)
		return no_memory(o, why, size);
	for (uint32_t i = 0; i < o->queue_depth; i++) {
		struct slot *s = &f->slots[i];

		*s = (struct slot){
			.next = f->free,
			.flow = f,
			.data = f->buffers + (size_t)i * each,
		};
		/* So that what is written without --verify does not compress either. */
		perf_seal(s->data, block_size, i, each / block_size, o->seed);
		f->free = s;
	}
	return 0;
}

/*
 * A queue of n entries holds n - 1 commands (3.3.1.2.1: full when one entry is left). With --verify
 * each is handed over at once: it would else wait while the data of the next ones is made.
 */
static int make_flow(struct perf_device *d, unsigned int index, const struct perf_options *o,
		     char *why, size_t size)
{
	struct brg_nvme_qpair_opts opts = {.depth = (uint16_t)(o->queue_depth + 1),
					   .manual = !o->verify};
	struct perf_flow *f = calloc(1, sizeof(*f));
	int rc;

	d->flows[index] = f;
	if (!f)
		return no_memory(o, why, size);
	f->options = o;
	f->device = d;
	f->left = share(o, index);
	for (unsigned int i = 0; i < PERF_DIRECTIONS; i++) {
		f->figures[i] = calloc(1, sizeof(*f->figures[i]));
		if (!f->figures[i])
			return no_memory(o, why, size);
	}
	rc = perf_pattern_init(&f->pattern, o, &d->ns, index, why, size);
	if (!rc)
		rc = make_slots(f, why, size);
	if (!rc) {
		rc = brg_nvme_qpair_create(d->ctrl, &opts, &f->qp);
		if (rc)
			snprintf(why, size, "%s", brg_errmsg());
	}
	return rc;
}

int perf_flows_make(struct perf_device *d, const struct perf_options *o, char *why, size_t size)
{
	size_t most = brg_nvme_max_transfer(d->ctrl);
	int rc = 0;

	if (perf_largest(o) > most) {
		snprintf(why, size,
			 "%" PRIu32 " bytes are more than the %zu that one command may carry",
			 perf_largest(o), most);
		return -EINVAL;
	}
	d->flows = calloc(o->lcores, sizeof(struct perf_flow *));
	if (!d->flows)
		return no_memory(o, why, size);
	for (unsigned int i = 0; i < o->lcores && !rc; i++)
		rc = make_flow(d, i, o, why, size);
	return rc;
}

void perf_flows_free(struct perf_device *d, const struct perf_options *o)
{
	for (unsigned int i = 0; d->flows && i < o->lcores && d->flows[i]; i++) {
		struct perf_flow *f = d->flows[i];

		brg_nvme_qpair_free(f->qp); /* calls back what is left: the slots go after it */
		rte_free(f->buffers);
		free(f->slots);
		for (unsigned int j = 0; j < PERF_DIRECTIONS; j++)
			free(f->figures[j]);
		free(f);
	}
	free(d->flows);
	d->flows = NULL;
}

/* Adding up */

void perf_sum(const struct perf_device *d, const struct perf_options *o, unsigned int direction,
	      struct perf_figures *to)
{
	for (unsigned int i = 0; i < o->lcores; i++) {
		const struct perf_figures *from = d->flows[i]->figures[direction];

		to->bytes += from->bytes;
		brg_hist_merge(&to->latency, &from->latency);
	}
}

double perf_seconds(const struct perf_device *devices, unsigned int ndevices,
		    const struct perf_options *o)
{
	uint64_t first = UINT64_MAX, last = 0;

	for (unsigned int i = 0; i < ndevices; i++)
		for (unsigned int j = 0; j < o->lcores; j++) {
			const struct perf_flow *f = devices[i].flows[j];

			if (!f->last)
				continue;
			first = RTE_MIN(first, f->first);
			last = RTE_MAX(last, f->last);
		}
	return last ? (double)(last - first) / (double)rte_get_tsc_hz() : 0;
}
