/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * barrage-lab compare: the same trials under two fault handlers. Which trials still have to run is
 * all the state there is: as long as a handler has any, a guest is booted for them, and what ends
 * the guest's kernel is a result like any other.
 */

#include <argp.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accel.h"
#include "arms.h"
#include "commands.h"
#include "guest.h"
#include "guest/job.h"
#include "host.h"
#include "progress.h"
#include "text.h"

enum {
	BEFORE,
	AFTER,
	SIDES
};
#define ARMS (SIDES * SHARINGS)

struct compare {
	const char *sides[SIDES]; /* handlers, or kernels with the handler they have */
	struct guest guests[SIDES];
	const char *json, *bench;
	unsigned int lcores, trials, max_bugs;
	bool verbose, kvm;
	struct arm arms[ARMS];
	FILE *raw; /* every record with its handler, next to the JSON; NULL: not wanted */
	/* of the guest that runs now */
	struct arm *running[SHARINGS];
	unsigned int nrunning;
	struct arm *current; /* the arm whose trials come in */
	char *errors;	     /* what the bench said on stderr */
	size_t nerrors;
};

static const char doc[] =
	"Run the same trials under two fault handlers of vfio-pci, in guests. A trial maps a BAR "
	"afresh, lets every lcore make its first access at once, and unmaps; then random reads are "
	"done on such a mapping. A kernel that crashes is a result; the next guest goes on where "
	"it was.\v"
	"Example:\n"
	"  barrage-lab compare --before unfixed --after fixed --lcores 2 --json result.json";

enum {
	OPT_BEFORE = 256,
	OPT_AFTER,
	OPT_TRIALS,
	OPT_MAX_BUGS,
	OPT_JSON,
	OPT_BENCH
};

static const struct argp_option options[] = {
	{"before", OPT_BEFORE, "WHAT", 0,
	 "the first: a handler, or a kernel with the handler it has, as debian:6.12 or ./linux "
	 "(default unfixed)",
	 0},
	{"after", OPT_AFTER, "WHAT", 0, "the second (default fixed)", 0},
	{"lcores", 'l', "N", 0, "lcores, and CPUs of the guest (default 2)", 0},
	{"trials", OPT_TRIALS, "N", 0, "trials of each arm (default 50)", 0},
	{"max-bugs", OPT_MAX_BUGS, "N", 0, "crashes or hangs after which an arm stops (default 3)",
	 0},
	{"json", OPT_JSON, "FILE", 0, "write the result there, and the raw trials to FILE.trials",
	 0},
	{"bench", OPT_BENCH, "PROGRAM", 0, "the barrage-bench to run (default: the one beside)", 0},
	{"verbose", 'v', NULL, 0, "show the guests' consoles and what the bench prints", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct compare *c = state->input;

	switch (key) {
	case OPT_BEFORE:
		c->sides[BEFORE] = arg;
		break;
	case OPT_AFTER:
		c->sides[AFTER] = arg;
		break;
	case 'l':
		c->lcores = number_option("--lcores", arg, 2, 64);
		break;
	case OPT_TRIALS:
		c->trials = number_option("--trials", arg, 1, 1000000);
		break;
	case OPT_MAX_BUGS:
		c->max_bugs = number_option("--max-bugs", arg, 1, 1000);
		break;
	case OPT_JSON:
		c->json = arg;
		break;
	case OPT_BENCH:
		c->bench = arg;
		break;
	case 'v':
		c->verbose = true;
		break;
	case ARGP_KEY_ARG:
		argp_error(state, "nothing is expected here: %s", arg);
		break;
	case ARGP_KEY_END:
		if (!strcmp(c->sides[BEFORE], c->sides[AFTER]))
			argp_error(state, "--before and --after are the same: %s",
				   c->sides[BEFORE]);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static bool wants_more(const struct arm *arm)
{
	return arm->left || !arm->io_done;
}

/*
 * Arms that may run in one guest: those with as many trials left as the first one. A VMA shared by
 * several lcores may cost the guest, so that arm gets a guest of its own.
 */
static void choose_arms(struct compare *c, struct arm *arms)
{
	c->nrunning = 0;
	for (int i = 0; i < SHARINGS; i++) {
		struct arm *arm = &arms[i], *first = c->running[0];

		if (!wants_more(arm))
			continue;
		if (!c->nrunning || (arm->left == first->left && first->sharing != SHARED &&
				     arm->sharing != SHARED))
			c->running[c->nrunning++] = arm;
	}
}

static void write_raw(struct compare *c, const struct arm *arm, json_t *record)
{
	if (!c->raw)
		return;
	json_object_set_new(record, "handler", json_string(arm->handler));
	json_object_set_new(record, "kernel", json_string(arm->kernel));
	json_dumpf(record, c->raw, JSON_COMPACT);
	fputc('\n', c->raw);
	fflush(c->raw);
}

static void show_progress(const struct compare *c, const struct arm *arm)
{
	progress("%s, %s: %u of %u trials, %u crashes", arm->handler, sharing_names[arm->sharing],
		 arm->survived, c->trials, arm->kernel_bugs + arm->hangs);
}

static void take_record(void *arg, const char *line)
{
	struct compare *c = arg;
	json_t *record = json_loads(line, 0, NULL);

	for (unsigned int i = 0; record && i < c->nrunning; i++) {
		if (!arm_take(c->running[i], record))
			continue;
		c->current = c->running[i];
		write_raw(c, c->current, record);
		show_progress(c, c->current);
		break;
	}
	json_decref(record);
}

static void take_stdout(void *arg, const char *data, size_t size)
{
	const struct compare *c = arg;

	if (c->verbose)
		fwrite(data, 1, size, stderr);
}

static void take_stderr(void *arg, const char *data, size_t size)
{
	struct compare *c = arg;

	if (c->verbose)
		fwrite(data, 1, size, stderr);
	c->errors = realloc(c->errors, c->nerrors + size);
	if (!c->errors)
		err(1, NULL);
	memcpy(c->errors + c->nerrors, data, size);
	c->nerrors += size;
}

static char *join_sharings(const struct compare *c)
{
	char *list = format("%s", sharing_names[c->running[0]->sharing]);

	for (unsigned int i = 1; i < c->nrunning; i++) {
		char *longer = format("%s,%s", list, sharing_names[c->running[i]->sharing]);

		free(list);
		list = longer;
	}
	return list;
}

static int run_guest(struct compare *c, const struct guest *guest, struct vm_outcome *outcome)
{
	unsigned int left = c->running[0]->left;
	char *lcores = format("%u", c->running[0]->sharing == SHARED || c->nrunning > 1
					    ? c->lcores
					    : c->running[0]->lcores);
	char *trials = format("%u", left ? left : 1), *sharing = join_sharings(c);
	char *const argv[] = {(char *)c->bench,
			      "--allow-kernel-bug",
			      "--lcores",
			      lcores,
			      "--sharing",
			      sharing,
			      "--trials",
			      trials,
			      "--queue-depth",
			      "32",
			      "--seconds",
			      "1",
			      "--trials-out",
			      RECORDS_PATH,
			      left ? NULL : "--benchmark_filter=^nvme_io/",
			      NULL};
	struct guest_job job = {.argv = argv};
	struct vm_config config = {
		.kvm = c->kvm,
		.cpus = c->lcores,
		.memory_mib = 1024,
		.iommu_bits = 48,
		.disk_mib = 1024,
		.limit_s = 600,
		.silence_s = 60,
		.verbose = c->verbose,
	};
	struct vm_streams streams = {
		.in = -1,
		.out = take_stdout,
		.err = take_stderr,
		.record = take_record,
		.arg = c,
	};
	int ret;

	c->current = c->running[0];
	c->nerrors = 0;
	show_progress(c, c->current);
	ret = guest_run(guest, &job, &config, &streams, outcome);
	progress_clear();
	free(lcores);
	free(trials);
	free(sharing);
	return ret;
}

/* A trial that did not end. Throughput is measured where an arm survives, so not here. */
static void count_crash(const struct compare *c, const struct vm_outcome *outcome)
{
	struct arm *arm = c->current;

	if (outcome->end == VM_KERNEL_BUG) {
		arm->kernel_bugs++;
		if (!arm->bug_at[0])
			snprintf(arm->bug_at, sizeof(arm->bug_at), "%s", outcome->console.bug_at);
	} else {
		arm->hangs++;
	}
	if (arm->left)
		arm->left--;
	if (arm->kernel_bugs + arm->hangs >= c->max_bugs || !arm->left) {
		arm->left = 0;
		arm->io_done = true;
	}
}

/* Boot a guest for what is left; false when there is no use in going on. */
static bool run_once(struct compare *c, const struct guest *guest)
{
	struct vm_outcome outcome;

	if (run_guest(c, guest, &outcome) < 0)
		return false;
	switch (outcome.end) {
	case VM_KERNEL_BUG:
	case VM_PANIC:
	case VM_HANG:
	case VM_LOST:
		count_crash(c, &outcome);
		return true;
	case VM_EXIT:
		if (outcome.status == 0 && !wants_more(c->running[c->nrunning - 1]))
			return true;
		warnx("%s ended with status %d before its trials were done, under %s", c->bench,
		      outcome.status, c->running[0]->handler);
		fwrite(c->errors, 1, c->nerrors, stderr);
		return false;
	default:
		vm_explain(&outcome);
		return false;
	}
}

static void set_up_arms(struct arm *arms, const char *side, const struct kernel *kernel,
			const struct compare *c)
{
	for (int i = 0; i < SHARINGS; i++)
		arms[i] = (struct arm){
			.handler = side,
			.kernel = kernel->release ? kernel->release : kernel->name,
			.sharing = i,
			.lcores = i == SINGLE ? 1 : c->lcores,
			.left = c->trials,
			.bar = -1,
			.iops = -1,
		};
}

static bool run_side(struct compare *c, int side)
{
	struct arm *arms = c->arms + side * SHARINGS;
	bool ok = true;

	set_up_arms(arms, c->sides[side], &c->guests[side].kernel, c);
	for (choose_arms(c, arms); ok && c->nrunning; choose_arms(c, arms))
		ok = run_once(c, &c->guests[side]);
	return ok;
}

static int write_json(struct compare *c)
{
	char *machine = host_machine(), *qemu = host_qemu();
	json_t *result = json_pack("{s:s, s:{s:s, s:i, s:s, s:s}, s:o}", "schema",
				   "barrage-compare/1", "host", "machine", machine, "cpus",
				   (int)host_cpus(), "accel", accel_name(c->kvm), "qemu",
				   qemu ? qemu : "unknown", "arms", arms_to_json(c->arms, ARMS));
	int ret = json_dump_file(result, c->json, JSON_INDENT(2));

	if (ret)
		warn("%s", c->json);
	json_decref(result);
	free(machine);
	free(qemu);
	return ret;
}

/* Opened before the work, so that a path that cannot be written is known then. */
static bool open_raw(struct compare *c)
{
	char *path;

	if (!c->json)
		return true;
	path = format("%s.trials", c->json);
	c->raw = fopen(path, "we");
	if (!c->raw)
		warn("%s", path);
	free(path);
	return c->raw;
}

static void report(struct compare *c)
{
	char *verdict = arms_verdict(c->arms, ARMS, c->sides[BEFORE], c->sides[AFTER]);

	arms_print(c->arms, ARMS, stdout);
	printf("\n%s\n", verdict);
	free(verdict);
}

int cmd_compare(int argc, char **argv)
{
	static const struct argp argp = {options, parse, NULL, doc, NULL, NULL, NULL};
	struct compare c = {
		.sides = {"unfixed", "fixed"},
		.lcores = 2,
		.trials = 50,
		.max_bugs = 3,
	};
	char *bench = NULL;
	bool ok;

	argp_parse(&argp, argc, argv, 0, NULL, &c);
	if (!c.bench)
		c.bench = bench = host_program("barrage-bench");
	ok = guest_prepare_named(&c.guests[BEFORE], c.sides[BEFORE]) == 0 &&
	     guest_prepare_named(&c.guests[AFTER], c.sides[AFTER]) == 0 && open_raw(&c);
	if (ok) {
		c.kvm = accel_kvm(&c.guests[BEFORE].kernel, NULL);
		ok = run_side(&c, BEFORE) && run_side(&c, AFTER);
	}
	if (ok) {
		report(&c);
		ok = !c.json || write_json(&c) == 0;
	}
	for (int i = 0; i < ARMS; i++)
		arm_free(&c.arms[i]);
	for (int i = 0; i < SIDES; i++)
		guest_free(&c.guests[i]);
	if (c.raw)
		fclose(c.raw);
	free(c.errors);
	free(bench);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
