/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * barrage-lab cost: instruction counts from guests in counting mode, of barrage-cost or of what
 * lies between the markers that a program of the user's sets.
 */

#include <argp.h>
#include <err.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "guest.h"
#include "host.h"
#include "plot.h"
#include "progress.h"
#include "report.h"
#include "table.h"
#include "text.h"

#define MOST 16

struct cost {
	struct report report;
	struct emulator qemu;
	bool full, verbose;
	unsigned int fail_after;  /* pages; 0: fills do not fail */
	char *subjects[MOST + 1]; /* handlers and kernels */
	char *const *program;	  /* the user's; NULL: barrage-cost */
	/* of the guest that runs now */
	const char *subject, *kernel;
	json_int_t ticks; /* of 100,000 instructions */
	json_t *records;  /* what it streamed out */
	json_t *rows;	  /* of all guests */
	json_t *bugs;	  /* the operations that were a kernel BUG */
};

static const char doc[] =
	"Count the instructions it takes to map a BAR and to use it for the first time, for each "
	"handler or kernel named (default: unfixed fixed). Told is the least of several runs. What "
	"takes less than the 4 million instructions between two timer interrupts repeats to the "
	"digit from boot to boot, but for mappings that are filled at once; the result file says "
	"of each count whether it does (exact). With a program after --: the instructions between "
	"the markers that it sets with brg_stat_mark(), the least where it sets them again.\v"
	"Example:\n"
	"  barrage-lab cost unfixed fixed debian:7.3 --json cost.json\n"
	"  barrage-lab cost debian:6.1 -- ./my-program";

enum {
	OPT_FAIL_AFTER = 256,
	OPT_FULL,
};

static const struct argp_option options[] = {
	{"fail-after", OPT_FAIL_AFTER, "PAGES", 0,
	 "a first touch that fails after so many pages, and the next one, instead (handlers only)",
	 0},
	{"full", OPT_FULL, NULL, 0, "a BAR of 1 GiB, too", 0},
	{"verbose", 'v', NULL, 0, "show the guests' consoles", 0},
	{0},
};

static void add_subject(struct cost *c, char *name)
{
	int n = 0;

	while (c->subjects[n])
		n++;
	if (n == MOST)
		errx(1, "%d handlers and kernels at most", MOST);
	c->subjects[n] = name;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct cost *c = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &c->report;
		state->child_inputs[1] = &c->qemu;
		break;
	case OPT_FAIL_AFTER:
		c->fail_after = number_option("--fail-after", arg, 1, FAIL_AFTER_MOST);
		break;
	case OPT_FULL:
		c->full = true;
		break;
	case 'v':
		c->verbose = true;
		break;
	case ARGP_KEY_ARG:
		if (state->quoted && state->next > state->quoted) {
			c->program = state->argv + state->next - 1;
			state->next = state->argc; /* the rest is the program's */
		} else {
			add_subject(c, arg);
		}
		break;
	case ARGP_KEY_END:
		if (c->fail_after && c->program)
			argp_error(state, "--fail-after and a program do not go together");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const char *string(const json_t *record, const char *name)
{
	return json_string_value(json_object_get(record, name));
}

static json_int_t integer(const json_t *record, const char *name)
{
	return json_integer_value(json_object_get(record, name));
}

static void take_record(void *arg, const char *line)
{
	struct cost *c = arg;
	json_t *record = json_loads(line, 0, NULL);

	if (!record)
		return;
	report_raw(&c->report, record, c->subject, c->kernel);
	if (string(record, "op") && !strcmp(string(record, "op"), "calibration"))
		c->ticks = integer(record, "ticks");
	else
		json_array_append(c->records, record);
	json_decref(record);
}

static void take_output(void *arg, const char *data, size_t size)
{
	fwrite(data, 1, size, stderr);
}

/* What barrage-cost is to do, with its BARs in ascending order. */
static int run_guest(struct cost *c, const struct guest *guest, struct vm_outcome *outcome)
{
	static char *const devices[] = {"ivshmem:2M", "ivshmem:64M", NULL};
	static char *const full_devices[] = {"ivshmem:2M", "ivshmem:64M", "ivshmem:1G", NULL};
	char *own = host_program("barrage-cost"), *pages = format("%u", c->fail_after);
	char *const bench[] = {own,
			       "--fail-after",
			       pages,
			       VM_NVME_BDF ":0",
			       "0000:00:05.0:2",
			       "0000:00:06.0:2",
			       c->full ? "0000:00:07.0:2" : NULL,
			       NULL};
	struct guest_job job = {.argv = c->program ? c->program : bench, .calibrate = true};
	struct vm_config config = {
		.qemu = &c->qemu,
		.counting = true,
		.cpus = 1,
		.memory_mib = 1024,
		.iommu_bits = 48,
		.disk_mib = 1024,
		.devices = c->full ? full_devices : devices,
		.limit_s = 1800,
		.silence_s = 900,
		.verbose = c->verbose,
	};
	struct vm_streams streams = {
		.in = -1,
		.out = take_output,
		.err = take_output,
		.record = take_record,
		.arg = c,
	};
	int ret;

	progress("%s: counting instructions", c->subject);
	ret = guest_run(guest, &job, &config, &streams, outcome);
	progress_clear();
	free(own);
	free(pages);
	return ret;
}

/* The record of an operation that is there once for all BARs. */
static const json_t *find(const struct cost *c, const char *op)
{
	const json_t *record;
	size_t i;

	json_array_foreach (c->records, i, record)
		if (string(record, "op") && !strcmp(string(record, "op"), op))
			return record;
	return NULL;
}

/* Were a tick no instruction, the counts would be worth nothing. */
static bool calibrated(const struct cost *c)
{
	if (c->ticks == 100000)
		return true;
	warnx("%s: 100,000 instructions took %lld ticks of the TSC: this QEMU does not count them",
	      c->subject, (long long)c->ticks);
	return false;
}

/* A quarter of what lies between two timer interrupts. */
#define MOST_EXACT 1000000

/*
 * Whether a count repeats to the digit: a third of the runs had it. Timer interrupts and refills of
 * the kernel's caches are in some of the runs only, unless these take long: then where the first
 * interrupt falls may make many agree, and on the next boot on another count.
 */
static bool is_exact(json_int_t instructions, json_int_t runs, json_int_t agreed)
{
	return agreed > 1 && 3 * agreed >= runs && instructions <= MOST_EXACT;
}

static int add_bar_rows(struct cost *c)
{
	const json_t *reference = find(c, "reference-fault"), *record;
	size_t i;

	if (!reference)
		return -1;
	json_array_foreach (c->records, i, record) {
		if (!strcmp(string(record, "policy"), "-"))
			continue;
		json_array_append_new(
			c->rows,
			json_pack("{s:s, s:s, s:I, s:s, s:s, s:I, s:b, s:O, s:O, s:O, s:I}",
				  "kernel", c->kernel, "handler", c->subject, "bar_bytes",
				  integer(record, "bar_bytes"), "policy", string(record, "policy"),
				  "op", string(record, "op"), "instructions",
				  integer(record, "ticks"), "exact",
				  is_exact(integer(record, "ticks"), integer(record, "runs"),
					   integer(record, "agreed")),
				  "mean", json_object_get(record, "mean"), "runs",
				  json_object_get(record, "runs"), "agreed",
				  json_object_get(record, "agreed"), "reference_fault",
				  integer(reference, "ticks")));
	}
	return 0;
}

/*
 * A kernel that dies of a fill that was made to fail is a result: of the access after the one that
 * was counted last.
 */
static bool take_bug(struct cost *c, const struct vm_outcome *outcome)
{
	const json_t *last =
		json_array_get(c->records, json_array_size(c->records) - 1); /* or NULL */

	if (outcome->end != VM_KERNEL_BUG || !string(last, "op") ||
	    strcmp(string(last, "op"), "failed-touch") != 0)
		return false;
	json_array_append_new(c->bugs, json_pack("{s:s, s:s, s:I, s:s, s:s, s:s}", "kernel",
						 c->kernel, "handler", c->subject, "bar_bytes",
						 integer(last, "bar_bytes"), "policy",
						 string(last, "policy"), "op", "retry", "bug_at",
						 outcome->console.bug_at));
	return true;
}

/* Whether the guest did what it was for. */
static bool is_done(struct cost *c, const struct vm_outcome *outcome)
{
	if (take_bug(c, outcome))
		return true;
	vm_explain(outcome);
	if (outcome->end == VM_EXIT && outcome->status)
		warnx("%s ended with status %d under %s",
		      c->program ? c->program[0] : "barrage-cost", outcome->status, c->subject);
	return outcome->end == VM_EXIT && outcome->status == 0;
}

/* The row of a record's two markers; a new one where it is the first. */
static json_t *mark_row(struct cost *c, json_t *by_markers, const json_t *record)
{
	const char *from = string(record, "since"), *to = string(record, "mark");
	char *key = format("%s\n%s", from ? from : "", to ? to : "");
	json_t *row = json_object_get(by_markers, key);

	if (!row) {
		row = json_pack("{s:s, s:s, s:s?, s:s?, s:O, s:b, s:i, s:i}", "kernel", c->kernel,
				"handler", c->subject, "from", from, "to", to, "instructions",
				json_object_get(record, "ticks"), "exact", false, "runs", 0,
				"agreed", 0);
		json_object_set(by_markers, key, row);
		json_array_append_new(c->rows, row);
	}
	free(key);
	return row;
}

/* A program may tell of several runs in one record, or set the same markers again. */
static void add_record(json_t *row, const json_t *record)
{
	bool several = json_object_get(record, "runs");
	json_int_t runs = integer(row, "runs"), agreed = integer(row, "agreed");
	json_int_t ticks = integer(record, "ticks"), least = integer(row, "instructions");

	runs += several ? integer(record, "runs") : 1;
	if (ticks < least)
		agreed = 0;
	if (ticks <= least)
		agreed += several ? integer(record, "agreed") : 1;
	if (ticks < least)
		least = ticks;
	json_object_update_new(row, json_pack("{s:I, s:b, s:I, s:I}", "instructions", least,
					      "exact", is_exact(least, runs, agreed), "runs", runs,
					      "agreed", agreed));
}

static int add_mark_rows(struct cost *c)
{
	json_t *by_markers = json_object();
	const json_t *record;
	size_t i;

	json_array_foreach (c->records, i, record)
		add_record(mark_row(c, by_markers, record), record);
	json_decref(by_markers);
	if (json_array_size(c->records) == 0)
		warnx("%s set no two markers: it calls brg_stat_mark() before and after what is to "
		      "be counted",
		      c->program[0]);
	return json_array_size(c->records) ? 0 : -1;
}

static int run_subject(struct cost *c, const char *subject)
{
	struct vm_outcome outcome;
	struct guest guest;
	int ret = guest_prepare_named(&guest, subject, c->fail_after);

	if (ret == 0) {
		c->subject = subject;
		c->kernel = kernel_title(&guest.kernel);
		c->ticks = 0;
		c->records = json_array();
		ret = run_guest(c, &guest, &outcome);
		if (ret == 0 && (!is_done(c, &outcome) || !calibrated(c)))
			ret = -1;
		if (ret == 0)
			ret = c->program ? add_mark_rows(c) : add_bar_rows(c);
		json_decref(c->records);
	}
	guest_free(&guest);
	return ret;
}

static const char *size_name(json_int_t bytes, char *text, size_t size)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB"};
	int unit = 0;

	while (bytes >= 1024 && bytes % 1024 == 0 && unit < 3) {
		bytes /= 1024;
		unit++;
	}
	snprintf(text, size, "%lld %s", (long long)bytes, units[unit]);
	return text;
}

static void print_bar_rows(const struct cost *c, FILE *out)
{
	static const char *const heads[] = {"handler",	     ">BAR",	    "policy", "operation",
					    ">instructions", ">of a fault", NULL};
	struct table *t = table_new(heads);
	const json_t *row;
	char bytes[32];
	size_t i;

	json_array_foreach (c->rows, i, row) {
		table_cell(t, "%s", string(row, "handler"));
		table_cell(t, "%s", size_name(integer(row, "bar_bytes"), bytes, sizeof(bytes)));
		table_cell(t, "%s", string(row, "policy"));
		table_cell(t, "%s", string(row, "op"));
		table_cell(t, "%lld", (long long)integer(row, "instructions"));
		table_cell(t, "%.2f",
			   (double)integer(row, "instructions") /
				   (double)integer(row, "reference_fault"));
	}
	table_print(t, out);
	table_free(t);
	fprintf(out, "\nThe least of several runs each. A fault: the first touch of a page that is "
		     "in the page cache, on the same boot.\n");
	json_array_foreach (c->bugs, i, row)
		fprintf(out,
			"%s: the access after a first touch of %s that failed is a kernel BUG "
			"at %s\n",
			string(row, "handler"),
			size_name(integer(row, "bar_bytes"), bytes, sizeof(bytes)),
			string(row, "bug_at"));
}

static void print_mark_rows(const struct cost *c, FILE *out)
{
	static const char *const heads[] = {"handler", "from", "to", ">instructions", NULL};
	struct table *t = table_new(heads);
	const json_t *row;
	size_t i;

	json_array_foreach (c->rows, i, row) {
		table_cell(t, "%s", string(row, "handler"));
		table_cell(t, "%s", string(row, "from"));
		table_cell(t, "%s", string(row, "to"));
		table_cell(t, "%lld", (long long)integer(row, "instructions"));
	}
	table_print(t, out);
	table_free(t);
}

static void print(const void *arg, FILE *out)
{
	const struct cost *c = arg;

	(c->program ? print_mark_rows : print_bar_rows)(c, out);
}

/* The count for one BAR size of a line: map it, then touch every page. */
static json_int_t usable(const struct cost *c, const json_t *like, json_int_t bytes)
{
	json_int_t sum = 0;
	const json_t *row;
	size_t i;

	json_array_foreach (c->rows, i, row)
		if (!strcmp(string(row, "handler"), string(like, "handler")) &&
		    !strcmp(string(row, "policy"), string(like, "policy")) &&
		    (!strcmp(string(row, "op"), "map") ||
		     !strcmp(string(row, "op"), "touch-all")) &&
		    integer(row, "bar_bytes") == bytes)
			sum += integer(row, "instructions");
	return sum;
}

/* Every page of a BAR made usable, against its size: a line for each handler and way to map. */
static int draw(const void *arg, const char *path)
{
	const struct cost *c = arg;
	struct plot *p = plot_new("Map a BAR and touch every page of it", "BAR size, MiB",
				  "instructions", true);
	json_int_t smallest = integer(json_array_get(c->rows, 0), "bar_bytes"), bytes;
	const json_t *first, *row;
	size_t i, k;

	json_array_foreach (c->rows, i, first) {
		char *name;

		if (strcmp(string(first, "op"), "map") != 0 ||
		    integer(first, "bar_bytes") != smallest)
			continue;
		name = format("%s, %s", string(first, "handler"), string(first, "policy"));
		plot_line(p, name);
		free(name);
		bytes = 0;
		json_array_foreach (c->rows, k, row) { /* sizes ascend */
			if (integer(row, "bar_bytes") <= bytes)
				continue;
			bytes = integer(row, "bar_bytes");
			plot_point(p, (double)bytes / (1 << 20), (double)usable(c, first, bytes));
		}
	}
	return plot_draw(p, path);
}

static int report(const struct cost *c)
{
	bool pictured = !c->program && !c->fail_after;
	json_t *result = json_pack("{s:s, s:o, s:O}", "schema",
				   c->program ? "barrage-marks/1" : "barrage-cost/1", "host",
				   host_json("tcg", &c->qemu), "rows", c->rows);

	if (c->program)
		json_object_set_new(result, "program", json_string(basename(c->program[0])));
	if (c->fail_after) {
		json_object_set_new(result, "fail_after", json_integer(c->fail_after));
		json_object_set(result, "kernel_bugs", c->bugs);
	}
	return report_write(&c->report, result, print, pictured ? draw : NULL, c);
}

int cmd_cost(int argc, char **argv)
{
	static const struct argp_child children[] = {
		{&report_argp, 0, NULL, 0}, {&emulator_argp, 0, NULL, 0}, {0}};
	static const struct argp argp = {
		options, parse, "[HANDLER|KERNEL...] [-- PROGRAM [ARGUMENT...]]", doc, children,
		NULL,	 NULL};
	struct cost c = {.report.command = "cost", .rows = json_array(), .bugs = json_array()};
	int ret;

	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &c);
	if (!c.subjects[0]) {
		add_subject(&c, c.program ? "fixed" : "unfixed");
		if (!c.program)
			add_subject(&c, "fixed");
	}
	ret = report_open(&c.report);
	if (ret == 0)
		ret = emulator_get(&c.qemu);
	for (int i = 0; ret == 0 && c.subjects[i]; i++)
		ret = run_subject(&c, c.subjects[i]);
	if (ret == 0)
		ret = report(&c);
	report_close(&c.report);
	emulator_free(&c.qemu);
	json_decref(c.rows);
	json_decref(c.bugs);
	return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}
