/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The lab's parts that run nothing: console recogniser, the ends of streams, splicing, and what
 * arms come down to.
 */

#include "unit.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arms.h"
#include "console.h"
#include "ending.h"
#include "splice.h"

/* A console text captured from a guest, in test/unit/data. */
static char *captured(const char *name)
{
	char path[512], *text = NULL;
	size_t size = 0;
	FILE *in;

	snprintf(path, sizeof(path), TEST_DATA "/%s", name);
	in = fopen(path, "r");
	assert_non_null(in);
	assert_true(getdelim(&text, &size, '\0', in) > 0);
	fclose(in);
	return text;
}

/* Whatever the pieces in which the text arrives, the same is recognised. */
static void feed_in_pieces(struct console *c, const char *text, size_t piece)
{
	size_t len = strlen(text);

	memset(c, 0, sizeof(*c));
	for (size_t at = 0; at < len; at += piece)
		console_feed(c, text + at, len - at < piece ? len - at : piece);
}

static void console_kernel_bug(void **state)
{
	char *text = captured("kernel-bug.txt");
	struct console c;

	for (size_t piece = 1; piece < 200; piece++) {
		feed_in_pieces(&c, text, piece);
		assert_string_equal(c.bug_at, "mm/memory.c:2402");
		assert_string_equal(c.panic, "Fatal exception");
		assert_int_equal(c.nlines, 52);
	}
	free(text);
}

static void console_panic(void **state)
{
	char *text = captured("panic.txt");
	struct console c;

	feed_in_pieces(&c, text, 7);
	assert_string_equal(c.bug_at, "");
	assert_string_equal(c.panic, "sysrq triggered crash");
	free(text);
}

static void console_calm(void **state)
{
	static const char text[] = "[    1.2] VFIO - User Level meta-driver version: 0.3\r\n"
				   "[    1.3] a debug message about BUGs and panics\r\n"
				   "an unfinished line: kernel BUG at nowhere.c:1";
	struct console c;

	feed_in_pieces(&c, text, 10);
	assert_string_equal(c.bug_at, "");
	assert_string_equal(c.panic, "");
	assert_int_equal(c.nlines, 2);
	assert_string_equal(c.tail[0], "[    1.2] VFIO - User Level meta-driver version: 0.3");
}

static void console_long_line(void **state)
{
	struct console c = {0};

	for (int i = 0; i < 100000; i++)
		console_feed(&c, "x", 1);
	console_feed(&c, "\n[ 9.9] kernel BUG at mm/memory.c:1!\n", 37);
	assert_int_equal(c.nlines, 2);
	assert_string_equal(c.bug_at, "mm/memory.c:1");
}

static char passed[4096]; /* what a stream's ending passed on */

static void append(void *arg, const char *data, size_t size)
{
	strncat(passed, data, size);
}

/* Feed @before, a mark if there is to be one, and @after, in pieces. */
static void assert_passes(const char *before, bool marked, const char *after)
{
	char mark[ENDING_MARK], text[1024], expected[512];

	ending_choose(mark);
	/* Twice a mark that breaks off, the second time at its very beginning. */
	snprintf(expected, sizeof(expected), "%.20s%.1s%s%.5s", mark, mark, before, mark);
	snprintf(text, sizeof(text), "%s%s%s", expected, marked ? mark : "", after);
	for (size_t piece = 1; piece < strlen(text) + 2; piece++) {
		struct ending e = {.mark = mark, .pass = append};
		size_t len = strlen(text);

		passed[0] = '\0';
		for (size_t at = 0; at < len; at += piece)
			ending_feed(&e, text + at, len - at < piece ? len - at : piece);
		assert_int_equal(e.seen, marked);
		ending_close(&e);
		assert_string_equal(passed, expected);
	}
}

static void ending_is_found(void **state)
{
	assert_passes("some text", true, "");
	assert_passes("", true, "what comes later is nobody's");
}

/* A guest that died has written no mark, but perhaps its beginning. */
static void ending_is_missed(void **state)
{
	assert_passes("some text", false, "");
}

static void endings_differ(void **state)
{
	char a[ENDING_MARK], b[ENDING_MARK];

	ending_choose(a);
	ending_choose(b);
	assert_int_equal(strlen(a), ENDING_MARK - 1);
	assert_string_not_equal(a, b);
	assert_null(strchr(a + 1, a[0]));
}

static const char kernel_source[] = "int used(void);\n"
				    "\n"
				    "static int fault(int a)\n"
				    "{\n"
				    "	return a;\n"
				    "}\n"
				    "\n"
				    "static const struct ops ops = {\n"
				    "	.fault = fault,\n"
				    "};\n"
				    "\n"
				    "int other_fault(int a,\n"
				    "		int b)\n"
				    "{\n"
				    "	return fault(a);\n"
				    "}\n"
				    "EXPORT(other_fault);\n";

static void assert_spliced(const char *handler, const char *wanted)
{
	char *text = splice(kernel_source, handler, "h.c");

	assert_non_null(text);
	assert_string_equal(text, wanted);
	free(text);
}

/* A function that is defined anew stays declared. */
static void splice_replaces(void **state)
{
	assert_spliced("/*\n * Replaces: fault\n */\nstatic int fault(int a)\n{\n}\n",
		       "int used(void);\n"
		       "\n"
		       "static int fault(int a);\n"
		       "#include \"h.c\"\n"
		       "\n"
		       "static const struct ops ops = {\n"
		       "	.fault = fault,\n"
		       "};\n"
		       "\n"
		       "int other_fault(int a,\n"
		       "		int b)\n"
		       "{\n"
		       "	return fault(a);\n"
		       "}\n"
		       "EXPORT(other_fault);\n");
}

/* One that is not is gone, whatever the order of the names. */
static void splice_replaces_several(void **state)
{
	assert_spliced(" * Replaces: other_fault ops\n * Replaces: fault\n"
		       "static const struct ops ops = {\n};\n",
		       "int used(void);\n"
		       "\n"
		       "\n"
		       "static const struct ops ops;\n"
		       "\n"
		       "#include \"h.c\"\n"
		       "EXPORT(other_fault);\n");
}

static void splice_wraps(void **state)
{
	assert_spliced(" * Wraps: fault other_fault\n", "int used(void);\n"
							"\n"
							"static int fault(int a);\n"
							"static int stock_fault(int a)\n"
							"{\n"
							"	return a;\n"
							"}\n"
							"\n"
							"static const struct ops ops = {\n"
							"	.fault = fault,\n"
							"};\n"
							"\n"
							"int other_fault(int a,\n"
							"		int b);\n"
							"static int stock_other_fault(int a,\n"
							"		int b)\n"
							"{\n"
							"	return fault(a);\n"
							"}\n"
							"#include \"h.c\"\n"
							"EXPORT(other_fault);\n");
}

static void splice_refuses(void **state)
{
	/* used() is declared, but not defined. */
	assert_null(splice(kernel_source, " * Replaces: used\n", "h.c"));
	assert_null(splice(kernel_source, " * Replaces: fault missing\n", "h.c"));
	assert_null(splice(kernel_source, " * Wraps: missing\n", "h.c"));
	assert_null(splice(kernel_source, "/* no such line */\n", "h.c"));
}

static void feed_arm(struct arm *arm, const char *line)
{
	json_t *record = json_loads(line, 0, NULL);

	assert_non_null(record);
	assert_true(arm_take(arm, record));
	json_decref(record);
}

static struct arm shared_arm(const char *handler)
{
	return (struct arm){.handler = handler,
			    .kernel = "6.1",
			    .policy = "lazy",
			    .sharing = SHARED,
			    .lcores = 2,
			    .left = 3,
			    .bar = -1,
			    .iops = -1};
}

#define SHARED_FAULT \
	"{\"benchmark\":\"first_fault\",\"sharing\":\"shared\",\"lcores\":2,\"policy\":\"lazy\","

static void arm_takes_trials(void **state)
{
	struct arm arm = shared_arm("fixed");
	json_t *other = json_loads(
		"{\"benchmark\":\"first_fault\",\"sharing\":\"single\","
		"\"lcores\":1,\"policy\":\"lazy\",\"bar\":0,\"bar_bytes\":1,\"trial\":0,\"ns\":[1],"
		"\"window_ns\":1}",
		0, NULL);

	assert_false(arm_take(&arm, other));
	json_decref(other);
	feed_arm(&arm, SHARED_FAULT "\"begin\":true}");
	assert_int_equal(arm.survived, 0);
	feed_arm(&arm, SHARED_FAULT "\"bar\":0,\"bar_bytes\":16384,\"trial\":0,\"ns\":[30,10],"
				    "\"map_ns\":[5],\"window_ns\":40,\"cycle_ns\":50}");
	feed_arm(&arm, SHARED_FAULT "\"bar\":0,\"bar_bytes\":16384,\"trial\":1,\"ns\":[20,40],"
				    "\"map_ns\":[5],\"window_ns\":60,\"cycle_ns\":70}");
	feed_arm(&arm, "{\"benchmark\":\"nvme_io\",\"sharing\":\"shared\",\"lcores\":2,"
		       "\"queue_depth\":32,\"block_size\":4096,\"ios\":500,\"seconds\":0.5}");
	assert_int_equal(arm.survived, 2);
	assert_int_equal(arm.left, 1);
	assert_int_equal(arm.first.n, 4);
	assert_int_equal(arm.mappings, 2);
	assert_true(arm.iops == 1000);
	assert_true(arm.io_done);
	arm_free(&arm);
}

/* Each takes its own; throughput is measured once. */
static void arms_differ_by_policy(void **state)
{
	static const char *const policies[] = {"lazy", "touch", NULL};
	struct arm arms[ARMS_MOST], like = {.handler = "fixed", .lcores = 4, .left = 7};
	size_t n = arms_init(arms, &like, policies, true);
	json_t *touch = json_loads("{\"benchmark\":\"first_fault\",\"sharing\":\"single\","
				   "\"lcores\":1,\"policy\":\"touch\",\"ns\":[1]}",
				   0, NULL);
	json_t *io = json_loads("{\"benchmark\":\"nvme_io\",\"sharing\":\"single\","
				"\"lcores\":1,\"ios\":1,\"seconds\":1}",
				0, NULL);

	assert_int_equal(n, 6);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(arms[i].lcores, arms[i].sharing == SINGLE ? 1 : 4);
		assert_int_equal(arms[i].left, 7);
		assert_int_equal(arms[i].io_done, i >= 3);
		assert_int_equal(arm_take(&arms[i], touch), i == 3);
		assert_int_equal(arm_take(&arms[i], io), i == 0);
	}
	json_decref(touch);
	json_decref(io);
	for (size_t i = 0; i < n; i++)
		arm_free(&arms[i]);
}

static void refused_arms_want_nothing(void **state)
{
	struct arm arm = shared_arm("unfixed");

	assert_true(arm_wants_more(&arm));
	feed_arm(&arm, SHARED_FAULT "\"refused\":\"it may crash\"}");
	assert_false(arm_wants_more(&arm));
	assert_string_equal(arm.refused, "it may crash");
	assert_int_equal(arm.survived, 0);
}

/* The access after a fill that failed is told apart. */
static void arm_takes_retries(void **state)
{
	struct arm arm = shared_arm("fixed");
	json_t *list, *retry;

	arm.fail_after = 2;
	feed_arm(&arm, SHARED_FAULT "\"bar\":0,\"bar_bytes\":16384,\"trial\":0,\"ns\":[9,5],"
				    "\"retry_ns\":[3,4],\"map_ns\":[1],\"window_ns\":1}");
	list = arms_to_json(&arm, 1);
	retry = json_object_get(json_array_get(list, 0), "retry_ns");
	assert_int_equal(json_integer_value(json_object_get(retry, "max")), 4);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 0), "fail_after")),
			 2);
	json_decref(list);
	arm_free(&arm);
}

/* With fills that fail it is about the lone lcore and its second access. */
static void verdict_of_failing_fills(void **state)
{
	static const char *const lazy[] = {"lazy", NULL};
	struct arm arms[2 * SHARINGS], like = {.handler = "skip-existing", .fail_after = 2};
	char *verdict;

	arms_init(arms, &like, lazy, false);
	like.handler = "fixed";
	arms_init(arms + SHARINGS, &like, lazy, false);
	arms[SINGLE].kernel_bugs = 3;
	strcpy(arms[SINGLE].bug_at, "mm/memory.c:1");
	arms[SHARINGS + SINGLE].survived = 50;
	verdict = arms_verdict(arms, 2 * SHARINGS, "skip-existing", "fixed");
	assert_string_equal(
		verdict, "skip-existing: a first fill fails after 2 pages and the access is made "
			 "again, and that is a kernel BUG at mm/memory.c:1 (3 of 3 trials); "
			 "fixed: a first fill fails after 2 pages and the access is made again, "
			 "50 times, and all survived.");
	free(verdict);
}

static void quantiles(void **state)
{
	const uint64_t ns[] = {10, 20, 30, 40};

	assert_int_equal(arm_quantile(ns, 4, 0), 10);
	assert_int_equal(arm_quantile(ns, 4, 0.25), 10);
	assert_int_equal(arm_quantile(ns, 4, 0.5), 20);
	assert_int_equal(arm_quantile(ns, 4, 0.51), 30);
	assert_int_equal(arm_quantile(ns, 4, 0.99), 40);
	assert_int_equal(arm_quantile(ns, 1, 0.99), 10);
}

/* What was not measured is null, and never 0. */
static void json_of_arms(void **state)
{
	struct arm arms[2] = {shared_arm("unfixed"), shared_arm("fixed")};
	json_t *list, *bad, *good;

	arms[0].kernel_bugs = 3;
	strcpy(arms[0].bug_at, "mm/memory.c:2402");
	feed_arm(&arms[1], SHARED_FAULT "\"bar\":0,\"bar_bytes\":16384,\"trial\":0,"
					"\"ns\":[3000,1000],\"map_ns\":[900],\"window_ns\":4000,"
					"\"cycle_ns\":8000}");
	list = arms_to_json(arms, 2);
	assert_int_equal(json_array_size(list), 2);
	bad = json_array_get(list, 0);
	good = json_array_get(list, 1);

	assert_int_equal(json_object_size(bad), 17);
	assert_string_equal(json_string_value(json_object_get(bad, "handler")), "unfixed");
	assert_string_equal(json_string_value(json_object_get(bad, "sharing")), "shared");
	assert_int_equal(json_integer_value(json_object_get(bad, "trials")), 3);
	assert_int_equal(json_integer_value(json_object_get(bad, "survived")), 0);
	assert_int_equal(json_integer_value(json_object_get(bad, "kernel_bugs")), 3);
	assert_string_equal(json_string_value(json_object_get(bad, "bug_at")), "mm/memory.c:2402");
	assert_true(json_is_null(json_object_get(bad, "first_fault_ns")));
	assert_true(json_is_null(json_object_get(bad, "faults_per_s")));
	assert_true(json_is_null(json_object_get(bad, "mappings_per_s")));
	assert_true(json_is_null(json_object_get(bad, "refused")));
	assert_true(json_is_null(json_object_get(bad, "iops")));
	assert_true(json_is_null(json_object_get(bad, "bar_bytes")));

	assert_true(json_is_null(json_object_get(good, "bug_at")));
	assert_int_equal(json_integer_value(json_object_get(good, "bar_bytes")), 16384);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(good, "first_fault_ns"), "max")),
		3000);
	/* Two faults in 4 us. */
	assert_true(json_real_value(json_object_get(good, "faults_per_s")) == 500000);
	assert_true(json_real_value(json_object_get(good, "mappings_per_s")) == 125000);
	json_decref(list);
	arm_free(&arms[1]);
}

static void table_of_arms(void **state)
{
	struct arm arms[2] = {shared_arm("unfixed"), shared_arm("fixed")};
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	arms[0].kernel_bugs = 3;
	feed_arm(&arms[1], SHARED_FAULT "\"bar\":0,\"bar_bytes\":16384,\"trial\":0,"
					"\"ns\":[3000,1000],\"map_ns\":[900],\"window_ns\":4000,"
					"\"cycle_ns\":8000}");
	arms_print(arms, 2, out);
	fclose(out);
	assert_string_equal(
		text,
		"handler  who maps           survived  kernel BUGs  hangs  min us  p50 us  p99 us  "
		"max us  faults/s  mappings/s  IOPS\n"
		"unfixed  2 lcores, one VMA    0 of 3            3      0       -       -       -  "
		"     -         -           -     -\n"
		"fixed    2 lcores, one VMA    1 of 1            0      0     1.0     1.0     3.0  "
		"   3.0    500000      125000     -\n");
	free(text);
	arm_free(&arms[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(console_kernel_bug),
		cmocka_unit_test(console_panic),
		cmocka_unit_test(console_calm),
		cmocka_unit_test(console_long_line),
		cmocka_unit_test(ending_is_found),
		cmocka_unit_test(ending_is_missed),
		cmocka_unit_test(endings_differ),
		cmocka_unit_test(splice_replaces),
		cmocka_unit_test(splice_replaces_several),
		cmocka_unit_test(splice_wraps),
		cmocka_unit_test(splice_refuses),
		cmocka_unit_test(arms_differ_by_policy),
		cmocka_unit_test(refused_arms_want_nothing),
		cmocka_unit_test(arm_takes_retries),
		cmocka_unit_test(verdict_of_failing_fills),
		cmocka_unit_test(arm_takes_trials),
		cmocka_unit_test(quantiles),
		cmocka_unit_test(json_of_arms),
		cmocka_unit_test(table_of_arms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
