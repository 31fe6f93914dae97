/* SPDX-License-Identifier: BSD-3-Clause */
/* The loop of guests that a comparison is. */

#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "guest/job.h"
#include "progress.h"
#include "text.h"
#include "trials.h"

/* A guest that dies before its program starts says nothing about the trials: try again. */
#define BOOT_TRIES 3

struct run {
	const struct trials *trials;
	const struct guest *guest;
	struct arm *arms;
	size_t n;
	/* of the guest that runs now */
	struct arm *running[ARMS_MOST];
	unsigned int nrunning;
	struct arm *current; /* the arm whose trials come in */
	bool started;	     /* the bench runs */
	unsigned int lost;   /* guests in a row that QEMU's own end took, not their kernel's */
	char *errors;	     /* what it said on stderr */
	size_t nerrors;
};

/* Several lcores that fill a VMA together. */
static bool may_crash(const struct arm *arm)
{
	return arm->sharing == SHARED && !strcmp(arm->policy, "lazy");
}

/*
 * Arms that may run in one guest: those with as many trials left as the first one. One that may
 * cost the guest gets a guest of its own.
 */
static void choose_arms(struct run *r)
{
	r->nrunning = 0;
	for (size_t i = 0; i < r->n; i++) {
		struct arm *arm = &r->arms[i], *first = r->running[0];

		if (!arm_wants_more(arm))
			continue;
		if (!r->nrunning ||
		    (arm->left == first->left && !may_crash(first) && !may_crash(arm)))
			r->running[r->nrunning++] = arm;
	}
}

static void show_progress(const struct arm *arm)
{
	progress("%s, %s, %s: %u trials ended, %u to go, %u crashes", arm->handler, arm->policy,
		 sharing_names[arm->sharing], arm->survived, arm->left,
		 arm->kernel_bugs + arm->hangs);
}

static void start(void *arg)
{
	struct run *r = arg;

	r->started = true;
}

static void take_record(void *arg, const char *line)
{
	struct run *r = arg;
	json_t *record = json_loads(line, 0, NULL);

	for (unsigned int i = 0; record && i < r->nrunning; i++) {
		if (!arm_take(r->running[i], record))
			continue;
		r->current = r->running[i];
		if (r->trials->report)
			report_raw(r->trials->report, record, r->current->handler,
				   r->current->kernel);
		show_progress(r->current);
		break;
	}
	json_decref(record);
}

static void take_stdout(void *arg, const char *data, size_t size)
{
	const struct run *r = arg;

	if (r->trials->verbose)
		fwrite(data, 1, size, stderr);
}

static void take_stderr(void *arg, const char *data, size_t size)
{
	struct run *r = arg;

	take_stdout(arg, data, size);
	r->errors = realloc(r->errors, r->nerrors + size);
	if (!r->errors)
		err(1, NULL);
	memcpy(r->errors + r->nerrors, data, size);
	r->nerrors += size;
}

/* Add to a text that the caller frees. */
static void append(char **text, const char *more)
{
	char *longer = format("%s%s", *text, more);

	free(*text);
	*text = longer;
}

/* The beginning of what the bench calls an arm's trials; lazy is not named. */
static char *first_fault_name(const struct run *r, const struct arm *arm)
{
	const char *bar = r->trials->device ? "2" : "0";

	if (!strcmp(arm->policy, "lazy"))
		return format("first_fault/%s/lcores:%u/bar:%s/iterations",
			      sharing_names[arm->sharing], arm->lcores, bar);
	return format("first_fault/%s/lcores:%u/bar:%s/policy:%s/", sharing_names[arm->sharing],
		      arm->lcores, bar, arm->policy);
}

/*
 * The benchmarks that are this guest's, of all that its options make. What is left of an arm that
 * lost its last trial's guest later on is its throughput.
 */
static char *join_filter(const struct run *r)
{
	char *filter = format("--benchmark_filter=^(");

	for (unsigned int i = 0; i < r->nrunning; i++) {
		const struct arm *arm = r->running[i];
		char *faults = first_fault_name(r, arm);
		char *io =
			format("nvme_io/%s/lcores:%u/", sharing_names[arm->sharing], arm->lcores);

		append(&filter, i ? "|" : "");
		append(&filter, arm->left ? faults : io);
		if (arm->left && !arm->io_done) {
			append(&filter, "|");
			append(&filter, io);
		}
		free(faults);
		free(io);
	}
	append(&filter, ")");
	return filter;
}

static char *join_policies(const struct run *r)
{
	char *list = format("%s", "");

	for (unsigned int i = 0; i < r->nrunning; i++) {
		append(&list, i ? "," : "");
		append(&list, r->running[i]->policy);
	}
	return list;
}

/* The most lcores that an arm of this guest has. */
static unsigned int lcores(const struct run *r)
{
	unsigned int most = 1;

	for (unsigned int i = 0; i < r->nrunning; i++)
		most = r->running[i]->lcores > most ? r->running[i]->lcores : most;
	return most;
}

static int run_guest(struct run *r, struct vm_outcome *outcome)
{
	const struct trials *t = r->trials;
	unsigned int left = r->running[0]->left;
	char *count = format("%u", lcores(r)), *policies = join_policies(r);
	char *trials = format("%u", left ? left : 1), *filter = join_filter(r);
	char *fail_after = t->fail_after ? format("--fail-after=%u", t->fail_after) : NULL;
	char *const devices[] = {(char *)t->device, NULL};
	char *const argv[] = {(char *)t->bench,
			      "--allow-kernel-bug",
			      filter,
			      "--device",
			      t->device ? "0000:00:05.0" : VM_NVME_BDF,
			      "--bar",
			      t->device ? "2" : "0",
			      "--lcores",
			      count,
			      "--policy",
			      policies,
			      "--trials",
			      trials,
			      "--queue-depth",
			      "32",
			      "--seconds",
			      "1",
			      "--trials-out",
			      RECORDS_PATH,
			      fail_after,
			      NULL};
	struct guest_job job = {.argv = argv};
	struct vm_config config = {
		.qemu = &t->qemu,
		.kvm = t->kvm,
		.cpus = lcores(r),
		.memory_mib = 1024,
		.iommu_bits = 48,
		.disk_mib = 1024,
		.devices = devices,
		.limit_s = 600,
		.silence_s = 60,
		.verbose = t->verbose,
	};
	struct vm_streams streams = {
		.in = -1,
		.ready = start,
		.out = take_stdout,
		.err = take_stderr,
		.record = take_record,
		.arg = r,
	};
	int ret;

	r->current = r->running[0];
	r->started = false;
	r->nerrors = 0;
	show_progress(r->current);
	ret = guest_run(r->guest, &job, &config, &streams, outcome);
	progress_clear();
	free(count);
	free(trials);
	free(policies);
	free(filter);
	free(fail_after);
	return ret;
}

/* A guest whose program starts, after a few tries if need be. */
static int run_started_guest(struct run *r, struct vm_outcome *outcome)
{
	for (int i = 0; i < BOOT_TRIES; i++)
		if (run_guest(r, outcome) < 0)
			return -1;
		else if (r->started || outcome->end == VM_FAILED)
			return 0;
	vm_explain(outcome);
	return -1;
}

/* A trial that did not end. Throughput is measured where an arm survives, so not here. */
static void count_crash(const struct run *r, const struct vm_outcome *outcome)
{
	struct arm *arm = r->current;

	if (outcome->end == VM_KERNEL_BUG) {
		arm->kernel_bugs++;
		if (!arm->bug_at[0])
			snprintf(arm->bug_at, sizeof(arm->bug_at), "%s", outcome->console.bug_at);
	} else {
		arm->hangs++;
	}
	if (arm->left)
		arm->left--;
	if (arm->kernel_bugs + arm->hangs >= r->trials->max_bugs || !arm->left) {
		arm->left = 0;
		arm->io_done = true;
	}
}

/* Whether the guest has done what it was for; a policy that is refused makes the bench fail. */
static bool is_done(const struct run *r, int status)
{
	for (unsigned int i = 0; i < r->nrunning; i++) {
		if (arm_wants_more(r->running[i]))
			return false;
		if (r->running[i]->refused[0])
			status = 0;
	}
	return status == 0;
}

/* Boot a guest for what is left; -1 when there is no use in going on. */
static int run_once(struct run *r)
{
	struct vm_outcome outcome;

	if (run_started_guest(r, &outcome) < 0)
		return -1;
	switch (outcome.end) {
	case VM_KERNEL_BUG:
	case VM_PANIC:
	case VM_HANG:
	case VM_LOST:
		count_crash(r, &outcome);
		r->lost = 0;
		return 0;
	case VM_CRASHED:
		if (++r->lost < BOOT_TRIES)
			return 0; /* the trials that are left run in the next guest */
		vm_explain(&outcome);
		return -1;
	case VM_EXIT:
		r->lost = 0;
		if (is_done(r, outcome.status))
			return 0;
		warnx("%s ended with status %d before its trials were done, under %s",
		      r->trials->bench, outcome.status, r->running[0]->handler);
		fwrite(r->errors, 1, r->nerrors, stderr);
		return -1;
	default:
		vm_explain(&outcome);
		return -1;
	}
}

int trials_run(const struct trials *trials, const struct guest *guest, struct arm *arms, size_t n)
{
	struct run r = {.trials = trials, .guest = guest, .arms = arms, .n = n};
	int ret = 0;

	for (choose_arms(&r); ret == 0 && r.nrunning; choose_arms(&r))
		ret = run_once(&r);
	free(r.errors);
	return ret;
}
