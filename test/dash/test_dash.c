/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * barrage-dash in the hands of its users, on SQLite and on a PostgreSQL server: what goes in comes
 * out again, broken files and killed writers leave no trace, and check tells what got worse.
 */

#include "unit.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "command.h"
#include "server.h"

static const char *dash;
static const char *server; /* URL of the server, NULL: SQLite */
static char folder[] = "/tmp/test_dash_XXXXXX";
static char store[256]; /* this test's */

/* A new store for every test; they all work in one folder. */
static int new_store(void **state)
{
	static int number;

	if (server) {
		server_empty();
		snprintf(store, sizeof(store), "%s", server);
	} else {
		snprintf(store, sizeof(store), "%s/%d.db", folder, ++number);
	}
	return 0;
}

static void write_file(const char *name, const char *text)
{
	FILE *out = fopen(name, "w");

	assert_non_null(out);
	fputs(text, out);
	assert_int_equal(fclose(out), 0);
}

/* A Google Benchmark result: so many benchmarks, five repetitions around a time each. */
#define REPETITIONS 5

static void write_result(const char *name, const char *commit, int minute, int benchmarks,
			 double factor)
{
	static const double around[REPETITIONS] = {1, 1.003, 0.998, 1.001, 0.997};
	FILE *out = fopen(name, "w");

	assert_non_null(out);
	fprintf(out,
		"{\"context\": {\"date\": \"2026-11-23T%02d:%02d:00+00:00\", \"host_name\": \"m\", "
		"\"num_cpus\": 4, \"commit\": \"%s\"},\n\"benchmarks\": [\n",
		minute / 60, minute % 60, commit);
	for (int b = 0; b < benchmarks; b++)
		for (int r = 0; r < REPETITIONS; r++)
			fprintf(out,
				"%s{\"name\": \"BM_copy/%d\", \"run_name\": \"BM_copy/%d\", "
				"\"run_type\": \"iteration\", \"iterations\": 1, \"real_time\": "
				"%.17g, \"cpu_time\": %d, \"time_unit\": \"us\", "
				"\"bytes_per_second\": 1e9}",
				b || r ? ",\n" : "", b, b,
				(b + 1) * around[(r + minute) % REPETITIONS] * factor, b + 1);
	fprintf(out, "]}\n");
	assert_int_equal(fclose(out), 0);
}

#define METRICS 3 /* of write_result()'s benchmarks: real_time, cpu_time, bytes_per_second */

static void add(const char *file)
{
	if (run(dash, "add", "--db", store, file, NULL) != 0)
		fail_msg("add %s: %s", file, printed);
}

/* All that is in the store. */
static json_t *content(void)
{
	json_t *all;

	if (run(dash, "export", "--db", store, "-o", "export.json", NULL) != 0)
		fail_msg("export: %s", printed);
	all = json_load_file("export.json", 0, NULL);
	assert_non_null(all);
	return all;
}

static size_t runs_in(const json_t *all)
{
	return json_array_size(json_object_get(all, "runs"));
}

static const json_t *series_of(const json_t *all, const char *metric, const char *handler)
{
	const json_t *element;
	size_t i;

	json_array_foreach (json_object_get(all, "series"), i, element) {
		const json_t *s = json_object_get(element, "series");

		if (!strcmp(json_string_value(json_object_get(s, "metric")), metric) &&
		    !strcmp(json_string_value(json_object_get(s, "handler")), handler))
			return element;
	}
	fail_msg("no series %s of \"%s\"", metric, handler);
	return NULL;
}

static const json_t *first_result(const json_t *series)
{
	return json_array_get(json_object_get(series, "results"), 0);
}

static void adding_twice_changes_nothing(void **state)
{
	json_t *before, *after;

	write_result("once.json", "aaaa", 1, 3, 1);
	add("once.json");
	assert_printed("9 results added");
	before = content();
	add("once.json");
	assert_printed("is there already");
	after = content();
	assert_true(json_equal(before, after));
	assert_int_equal(runs_in(after), 1);
	json_decref(before);
	json_decref(after);
}

static void repetitions_and_provenance_are_kept(void **state)
{
	const json_t *result, *repetitions, *provenance;
	json_t *all;

	write_result("kept.json", "c0ffee", 2, 1, 1);
	add("kept.json");
	all = content();
	result = first_result(series_of(all, "real_time", ""));
	repetitions = json_object_get(result, "repetitions");
	assert_int_equal(json_array_size(repetitions), REPETITIONS);
	/* us become ns; minute 2 begins with the third of the five */
	assert_true(json_number_value(json_array_get(repetitions, 0)) == 0.998 * 1e3);
	assert_true(json_number_value(json_object_get(result, "value")) == 1e3);
	assert_string_equal(json_string_value(json_object_get(result, "commit")), "c0ffee");
	assert_string_equal(json_string_value(json_object_get(result, "measured")),
			    "2026-11-23T00:02:00Z");
	provenance = json_object_get(json_array_get(json_object_get(all, "runs"), 0), "provenance");
	assert_string_equal(json_string_value(json_object_get(provenance, "host_name")), "m");
	assert_string_equal(json_string_value(json_object_get(provenance, "file")), "kept.json");
	json_decref(all);
}

static const char compare[] =
	"{\"schema\": \"barrage-compare/1\", \"host\": {\"machine\": \"EPYC\", \"cpus\": 2,"
	" \"accel\": \"tcg\", \"commit\": \"beef\", \"date\": \"2026-11-23T21:46:12+0100\"},"
	"\"arms\": [{\"handler\": \"unfixed\", \"kernel\": \"6.1\", \"lcores\": 2,"
	" \"sharing\": \"shared\", \"trials\": 4, \"survived\": 1, \"kernel_bugs\": 3,"
	" \"hangs\": 0, \"bug_at\": \"mm/memory.c:2402\","
	" \"first_fault_ns\": {\"min\": 1, \"p50\": 2, \"p99\": 3, \"max\": 3, \"all\": [3, 1, 2]},"
	" \"faults_per_s\": 7.5, \"iops\": null}]}";

static void a_comparison_of_the_lab(void **state)
{
	const json_t *survived, *latency;
	json_t *all;

	write_file("compare.json", compare);
	add("compare.json");
	assert_printed("5 results added"); /* no iops */
	all = content();
	survived = first_result(series_of(all, "survived", "unfixed"));
	assert_true(json_number_value(json_object_get(survived, "value")) == 0.25);
	assert_int_equal(json_array_size(json_object_get(survived, "repetitions")), 4);
	latency = first_result(series_of(all, "first_fault", "unfixed"));
	assert_int_equal(json_array_size(json_object_get(latency, "repetitions")), 3);
	assert_string_equal(json_string_value(json_object_get(latency, "kernel")), "6.1");
	assert_string_equal(json_string_value(json_object_get(latency, "measured")),
			    "2026-11-23T20:46:12Z");
	assert_true(json_is_true(json_object_get(
		json_object_get(series_of(all, "kernel_bugs", "unfixed"), "series"), "exact")));
	json_decref(all);
}

/* A row of a matrix; its cell, and the minute it was measured in. */
#define ROW(bar, minute)                                                                         \
	"{\"handler\": \"fixed\", \"kernel\": \"6.1\", \"lcores\": 2, \"sharing\": \"shared\", " \
	"\"bar_of\": \"" bar "\", \"cell_lcores\": 2, \"trials\": 1, \"survived\": 1, "          \
	"\"kernel_bugs\": 0, \"hangs\": 0, \"first_fault_ns\": null, "                           \
	"\"date\": \"2026-11-23T00:0" minute ":00+0000\"}"
#define MATRIX "{\"schema\": \"barrage-matrix/1\", \"host\": {\"machine\": \"EPYC\"}, \"rows\": ["

/* Rows that differ in the cell alone are one series each; a file that grew adds what is new. */
static void a_matrix_of_the_lab(void **state)
{
	json_t *all;

	write_file("matrix.json", MATRIX ROW("64M", "1") "]}");
	add("matrix.json");
	assert_printed("3 results added");
	write_file("matrix.json", MATRIX ROW("64M", "1") "," ROW("nvme", "2") "]}");
	add("matrix.json");
	assert_printed("3 results added");
	write_file("matrix.json", MATRIX ROW("nvme", "2") "," ROW("64M", "1") "]}");
	add("matrix.json");
	assert_printed("is there already");
	write_file("matrix.json", MATRIX ROW("64M", "3") "]}");
	add("matrix.json");
	assert_printed("3 results added");
	all = content();
	assert_int_equal(json_array_size(json_object_get(all, "series")), 6);
	assert_int_equal(runs_in(all), 3);
	json_decref(all);
}

static void counts_of_the_lab(void **state)
{
	json_t *all;

	write_file(
		"cost.json",
		"{\"schema\": \"barrage-cost/1\", \"rows\": [{\"kernel\": \"6.1\", \"handler\": "
		"\"fixed\", \"bar_bytes\": 16384, \"policy\": \"plain\", \"op\": \"first-touch\", "
		"\"instructions\": 3374, \"reference_fault\": 2045}]}");
	write_file(
		"marks.json",
		"{\"schema\": \"barrage-marks/1\", \"rows\": [{\"kernel\": \"6.1\", \"handler\": "
		"\"unfixed\", \"from\": null, \"to\": \"mapped\", \"instructions\": 99}]}");
	add("cost.json");
	add("marks.json");
	all = content();
	assert_true(json_is_true(json_object_get(
		json_object_get(series_of(all, "instructions", "fixed"), "series"), "exact")));
	assert_true(json_number_value(json_object_get(
			    first_result(series_of(all, "instructions", "unfixed")), "value")) ==
		    99);
	json_decref(all);
}

/* Where fills are made to fail is another series, for each place one. */
static void counts_of_failures_apart(void **state)
{
	static const char fmt[] =
		"{\"schema\": \"barrage-cost/1\", %s\"rows\": [{\"kernel\": \"6.1\", \"handler\": "
		"\"fixed\", \"bar_bytes\": 16384, \"policy\": \"lazy\", \"op\": \"retry\", "
		"\"instructions\": 3374, \"reference_fault\": 2045}]}";
	static const char *const members[] = {"", "\"fail_after\": 1, ", "\"fail_after\": 2, "};
	char text[512];
	json_t *all;

	for (size_t i = 0; i < 3; i++) {
		snprintf(text, sizeof(text), fmt, members[i]);
		write_file("cost.json", text);
		add("cost.json");
	}
	all = content();
	assert_int_equal(json_array_size(json_object_get(all, "series")), 3);
	json_decref(all);
}

static const char marks[] =
	"{\"schema\": \"barrage-marks/1\", %s\"host\": {\"commit\": \"%s\", \"date\": "
	"\"2026-11-23T00:0%d:00+0000\"}, \"rows\": [{\"kernel\": \"6.1\", \"handler\": \"fixed\","
	" \"from\": \"a\", \"to\": \"b\", \"instructions\": %d%s}]}";

static void add_marks(const char *top, int minute, int instructions, const char *exact)
{
	char text[1024], commit[16];

	snprintf(commit, sizeof(commit), "%04x", 0xa000 + minute);
	snprintf(text, sizeof(text), marks, top, commit, minute, instructions, exact);
	write_file("marks.json", text);
	add("marks.json");
}

/* Two programs may name their markers alike; files of before name no program. */
static void marks_of_programs_apart(void **state)
{
	const json_t *parameters;
	json_t *all;

	add_marks("", 1, 100, "");
	add_marks("\"program\": \"one\", ", 2, 101, "");
	add_marks("\"program\": \"other\", ", 3, 102, "");
	add_marks("\"program\": \"one\", ", 4, 101, "");
	all = content();
	assert_int_equal(json_array_size(json_object_get(all, "series")), 3);
	parameters = json_object_get(
		json_object_get(json_array_get(json_object_get(all, "series"), 1), "series"),
		"parameters");
	assert_string_equal(json_string_value(json_object_get(parameters, "program")), "one");
	json_decref(all);
}

/* Of a count that does not repeat a difference of one is none. Files of before do not say. */
static void counts_say_whether_they_are_exact(void **state)
{
	json_t *all;

	add_marks("", 1, 121345, ", \"exact\": true");
	add_marks("", 2, 121346, ", \"exact\": true");
	assert_int_equal(run(dash, "check", "--db", store, NULL), 1);
	add_marks("", 3, 121347, ", \"exact\": false");
	assert_int_equal(run(dash, "check", "--db", store, NULL), 0);
	assert_printed("1 with too few repetitions to tell");
	all = content();
	assert_true(json_is_false(json_object_get(
		json_object_get(series_of(all, "instructions", "fixed"), "series"), "exact")));
	json_decref(all);
}

static const char perf[] =
	"{\"schema\": \"barrage-perf/1\", \"host\": {\"machine\": \"EPYC\", \"kernel\": \"6.1\","
	" \"date\": \"2026-11-23T23:00:00+0000\"},"
	" \"rw\": \"randread\", \"read_percent\": 100, \"block_sizes\": [{\"bytes\": 4096, "
	"\"percent\": 100}], \"queue_depth\": 32, \"lcores\": 1, \"rate\": null, \"devices\": [{}],"
	" \"read\": {\"iops\": 1000.5, \"latency_ns\": {\"percentiles\": {\"50\": 20, \"99\": 30},"
	" \"histogram\": [[20, 3], [30, 1]]}}, \"write\": null}";

static void barrage_perf_and_its_histogram(void **state)
{
	const json_t *latency;
	json_t *all, *histogram = json_loads("[[20, 3], [30, 1]]", 0, NULL);

	write_file("perf.json", perf);
	add("perf.json");
	assert_printed("3 results added");
	all = content();
	latency = first_result(series_of(all, "read_latency_p50", ""));
	assert_true(json_equal(json_object_get(latency, "histogram"), histogram));
	assert_string_equal(json_string_value(json_object_get(latency, "kernel")), "6.1");
	json_decref(histogram);
	json_decref(all);
}

static const char cost[] =
	"{\"schema\": \"barrage-cost/1\", \"rows\": [{\"kernel\": \"6.1\", \"handler\": \"fixed\","
	" \"bar_bytes\": 16384, \"policy\": \"plain\", \"op\": \"unmap\", \"instructions\": 3374,"
	" \"exact\": true}]}";

/* A file, a piece of it to be replaced, what by, and what is then said of it. */
static const struct mistake {
	const char *text, *old, *new, *words;
} mistakes[] = {
	{compare, "[3, 1, 2]", "[3, \"x\", 2]",
	 "arms[0].first_fault_ns.all: element 1 is no number"},
	{compare, "\"lcores\": 2", "\"lcores\": 2.5",
	 "arms[0].lcores: a whole number is expected, not a number"},
	{compare, "\"survived\": 1", "\"survived\": 5",
	 "arms[0].survived: 5 of 4 trials cannot be"},
	{compare, "\"survived\": 1", "\"survived\": -1", "-1 of 4 trials"},
	{compare, "\"sharing\": \"shared\",", "", "arms[0].sharing: is missing; text is expected"},
	{compare, "\"kernel\": \"6.1\"", "\"kernel\": null", "arms[0].kernel: text is expected"},
	{compare, "7.5", "NaN", "line 1, column"},
	{compare, "7.5", "1e999", "line 1, column"},
	{compare, "7.5", "1e300", "arms[0].faults_per_s: 1e+300 is out of range"},
	{compare, "[3, 1, 2]", "[3, 1e300]", "arms[0].first_fault_ns.all: element 1 is no number"},
	{compare, "7.5", "true", "arms[0].faults_per_s: a number is expected, not true or false"},
	{compare, "barrage-compare/1", "barrage-compare/9", "\"barrage-compare/9\" is not known"},
	{compare, "\"hangs\": 0", "\"hangs\": 0, \"hangs\": 1", "duplicate object key"},
	{compare, "21:46:12+0100", "yesterday", "host.date: \"2026-11-23Tyesterday\" is no date"},
	{compare, "\"host\": {", "\"hosts\": {", "host: is missing; an object is expected"},
	{perf, "[30, 1]", "[30]", "read.latency_ns.histogram: element 1 is no pair"},
	{perf, "[30, 1]", "[30, -1]", "read.latency_ns.histogram: element 1 is no pair"},
	{perf, "\"99\": 30", "\"98\": 30", "read.latency_ns.percentiles.99: is missing"},
	{cost, "true", "1", "rows[0].exact: true or false is expected, not a number"},
	{compare, "[{", "[7, {", "arms[0]: an object is expected, not a number"},
};

static void write_mistake(const struct mistake *m)
{
	const char *at = strstr(m->text, m->old);
	char text[4096];

	assert_non_null(at);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - m->text), m->text, m->new,
		 at + strlen(m->old));
	write_file("mistake.json", text);
}

static void broken_files_are_refused_whole(void **state)
{
	json_t *before, *after;

	write_result("good.json", "aaaa", 1, 1, 1);
	add("good.json");
	before = content();
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		write_mistake(&mistakes[i]);
		assert_int_equal(run(dash, "add", "--db", store, "mistake.json", NULL), 1);
		assert_printed("barrage-dash: mistake.json: ");
		assert_printed(mistakes[i].words);
	}
	after = content();
	assert_true(json_equal(before, after));
	json_decref(before);
	json_decref(after);
}

/* Cut anywhere, a file is no result. */
static void truncated_files_are_refused(void **state)
{
	char text[sizeof(compare)];
	json_t *all;

	write_result("good.json", "aaaa", 1, 1, 1);
	add("good.json");
	for (size_t size = 0; size < sizeof(compare) - 1; size += 41) {
		memcpy(text, compare, size);
		text[size] = '\0';
		write_file("cut.json", text);
		assert_int_equal(run(dash, "add", "--db", store, "cut.json", NULL), 1);
		assert_printed(size ? "cut.json: line 1" : "cut.json is empty");
	}
	all = content();
	assert_int_equal(runs_in(all), 1);
	json_decref(all);
}

static void other_files_are_refused(void **state)
{
	assert_int_equal(run(dash, "add", "--db", store, "nowhere.json", NULL), 1);
	assert_printed("nowhere.json: No such file");
	write_file("list.json", "[]");
	assert_int_equal(run(dash, "add", "--db", store, "list.json", NULL), 1);
	assert_printed("an object is expected");
	write_file("other.json", "{\"a\": 1}");
	assert_int_equal(run(dash, "add", "--db", store, "other.json", NULL), 1);
	assert_printed("neither \"benchmarks\"");
	write_file("none.json", "{\"context\": {}, \"benchmarks\": []}");
	assert_int_equal(run(dash, "add", "--db", store, "none.json", NULL), 1);
	assert_printed("there is no measurement in it");
}

/* A good file beside a bad one is added; the status tells of the bad one. */
static void a_bad_file_does_not_keep_others_out(void **state)
{
	json_t *all;

	write_result("good.json", "aaaa", 1, 1, 1);
	write_file("bad.json", "{");
	assert_int_equal(run(dash, "add", "--db", store, "bad.json", "good.json", NULL), 1);
	all = content();
	assert_int_equal(runs_in(all), 1);
	json_decref(all);
}

/* Google Benchmark's other forms: failed runs, aggregates only. */
static void failed_runs_and_aggregates(void **state)
{
	json_t *all;

	write_file("aggregates.json",
		   "{\"context\": {\"host_name\": \"m\"}, \"benchmarks\": ["
		   "{\"name\": \"a_mean\", \"run_name\": \"a\", \"run_type\": \"aggregate\", "
		   "\"aggregate_name\": \"mean\", \"real_time\": 1, \"cpu_time\": 1, "
		   "\"time_unit\": \"ms\"},"
		   "{\"name\": \"a_median\", \"run_name\": \"a\", \"run_type\": \"aggregate\", "
		   "\"aggregate_name\": \"median\", \"real_time\": 2, \"cpu_time\": 2, "
		   "\"time_unit\": \"ms\"}]}");
	add("aggregates.json");
	all = content();
	assert_true(json_number_value(json_object_get(first_result(series_of(all, "real_time", "")),
						      "value")) == 2e6);
	json_decref(all);

	write_file("failed.json",
		   "{\"context\": {\"host_name\": \"m\"}, \"benchmarks\": ["
		   "{\"name\": \"b\", \"run_name\": \"b\", \"run_type\": \"iteration\", "
		   "\"error_occurred\": true, \"error_message\": \"no device\"}]}");
	assert_int_equal(run(dash, "add", "--db", store, "failed.json", NULL), 1);
	assert_printed("1 of 1 runs failed");
}

/* However far it had come, a writer that is killed has added its run or nothing. */
static void a_killed_writer_leaves_no_trace(void **state)
{
	enum {
		BENCHMARKS = 400
	};
	bool added = false;
	json_t *all;

	write_result("small.json", "aaaa", 0, 1, 1);
	add("small.json");
	write_result("large.json", "bbbb", 1, BENCHMARKS, 1);
	for (unsigned int us = 500; !added; us += us / 2) {
		size_t results = 0, i;
		const json_t *s;
		pid_t pid = fork();

		if (pid == 0) {
			int null = open("/dev/null", O_WRONLY);

			dup2(null, STDOUT_FILENO);
			execl(dash, dash, "add", "--db", store, "large.json", NULL);
			_exit(127);
		}
		usleep(us);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		all = content();
		json_array_foreach (json_object_get(all, "series"), i, s)
			results += json_array_size(json_object_get(s, "results"));
		added = runs_in(all) == 2;
		assert_int_equal(results, METRICS + (added ? METRICS * BENCHMARKS : 0));
		json_decref(all);
	}
}

/* Sixteen at once: each adds files of its own, and one that all of them have. */
static void sixteen_writers_lose_nothing(void **state)
{
	enum {
		WRITERS = 16,
		FILES = 4
	};
	const json_t *series;
	pid_t pids[WRITERS];
	char name[64];
	json_t *all;
	int status;

	write_result("common.json", "cccc", 0, 2, 1);
	for (int w = 0; w < WRITERS; w++) {
		for (int f = 0; f < FILES; f++) {
			snprintf(name, sizeof(name), "w%d-%d.json", w, f);
			write_result(name, "dddd", 1 + w * FILES + f, 2, 1);
		}
	}
	for (int w = 0; w < WRITERS; w++) {
		pids[w] = fork();
		if (pids[w] == 0) {
			char names[FILES][64];

			for (int f = 0; f < FILES; f++)
				snprintf(names[f], sizeof(names[f]), "w%d-%d.json", w, f);
			freopen("/dev/null", "w", stdout);
			execl(dash, dash, "add", "--db", store, names[0], names[1], "common.json",
			      names[2], names[3], NULL);
			_exit(127);
		}
	}
	for (int w = 0; w < WRITERS; w++) {
		waitpid(pids[w], &status, 0);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	all = content();
	assert_int_equal(runs_in(all), WRITERS * FILES + 1);
	assert_int_equal(json_array_size(json_object_get(all, "series")), 2 * METRICS);
	series = series_of(all, "real_time", "");
	assert_int_equal(json_array_size(json_object_get(series, "results")), WRITERS * FILES + 1);
	json_decref(all);
}

/* Ten runs of about the same; then what the factor says. */
static void add_history(double factor)
{
	char name[64], commit[16];

	for (int i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "h%d.json", i);
		snprintf(commit, sizeof(commit), "%04x", 0xa000 + i);
		write_result(name, commit, i, 3, 1 + 0.001 * (i % 3));
		add(name);
	}
	write_result("newest.json", "b000", 10, 3, factor);
	add("newest.json");
}

static void check_tells_what_got_worse(void **state)
{
	json_t *result;

	add_history(1.1);
	assert_int_equal(run(dash, "check", "--db", store, NULL), 1);
	assert_printed("3 worse, 0 better");
	assert_printed("BM_copy arg1=2");
	assert_int_equal(run(dash, "check", "--db", store, "--markdown", NULL), 1);
	assert_printed("### Performance: regressions");
	assert_printed("| **worse** | BM&#95;copy arg1=2 |");
	assert_int_equal(run(dash, "check", "--db", store, "--against", "a003", "--json", NULL), 1);
	result = json_loads(printed, 0, NULL);
	assert_int_equal(json_integer_value(json_object_get(result, "regressions")), 3);
	json_decref(result);
	/* all of it at once is not more than this */
	assert_int_equal(run(dash, "check", "--db", store, "--min-effect", "20", NULL), 0);
	assert_printed("0 worse");
}

static void check_is_content_with_better_and_with_noise(void **state)
{
	add_history(0.9);
	assert_int_equal(run(dash, "check", "--db", store, NULL), 0);
	assert_printed("0 worse, 3 better");
	write_result("noise.json", "b001", 11, 3, 0.901);
	add("noise.json");
	assert_int_equal(run(dash, "check", "--db", store, "--against", "b000", NULL), 0);
	assert_printed("0 worse, 0 better");
}

/* A result of the lab with some words replaced, all of which have to be there. */
static void add_compare(const char *file, const char *const words[][2], size_t n)
{
	char text[2 * sizeof(compare)], other[2 * sizeof(compare)];

	snprintf(text, sizeof(text), "%s", compare);
	for (size_t i = 0; i < n; i++) {
		const char *at = strstr(text, words[i][0]);

		assert_non_null(at);
		snprintf(other, sizeof(other), "%.*s%s%s", (int)(at - text), text, words[i][1],
			 at + strlen(words[i][0]));
		memcpy(text, other, sizeof(text));
	}
	write_file(file, text);
	add(file);
}

/* Runs of three kinds; the newest is one of barrage perf. */
static void add_three_kinds(void)
{
	static const char *const before[][2] = {{"6.1", "5.10"}};
	static const char *const after[][2] = {
		{"6.1", "5.10"}, {"beef", "bee2"}, {"21:46", "21:47"}};

	add_history(1.1);
	add_compare("before.json", before, 1);
	add_compare("after.json", after, 3);
	write_file("perf.json", perf);
	add("perf.json");
}

/* The newest run is the newest of those with results that match. */
static void check_takes_filters(void **state)
{
	static const struct {
		const char *option, *value, *words;
	} filters[] = {
		{"--benchmark", "BM_copy", "commit b000 against the results before: 3 worse"},
		{"--metric", "real_time", "commit b000 against the results before: 3 worse"},
		{"--machine", "m, 4 CPUs", "commit b000 against the results before: 3 worse"},
		{"--handler", "unfixed", "commit bee2 against the results before: 0 worse"},
		{"--kernel", "5.10", "commit bee2 against the results before: 0 worse"},
	};

	add_three_kinds();
	assert_int_equal(run(dash, "check", "--db", store, NULL), 2);
	assert_printed("all its 3 series are new");
	for (size_t i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		run(dash, "check", "--db", store, filters[i].option, filters[i].value, NULL);
		assert_printed(filters[i].words);
	}
	assert_int_equal(run(dash, "check", "--db", store, "--benchmark", "nonsense", NULL), 2);
	assert_printed("no results in ");
	assert_int_equal(
		run(dash, "check", "--db", store, "--of", "b000", "--handler", "unfixed", NULL), 2);
	assert_printed("commit b000 has no results that the filters leave");
	/* --of is what names a commit; a filter by it would leave nothing to compare with */
	assert_int_equal(run(dash, "check", "--db", store, "--commit", "b000", NULL), 2);
	assert_printed("unrecognized option");
}

static size_t listed(const char *option, const char *value)
{
	json_t *list;
	size_t n;

	assert_int_equal(run(dash, "list", "--db", store, "--runs", "--json", option, value, NULL),
			 0);
	list = json_loads(printed, 0, NULL);
	assert_non_null(list);
	n = json_array_size(list);
	json_decref(list);
	return n;
}

static void runs_take_filters(void **state)
{
	add_three_kinds();
	assert_int_equal(listed(NULL, NULL), 14);
	assert_int_equal(listed("--benchmark", "BM_copy"), 11);
	assert_int_equal(listed("--benchmark", "nonsense"), 0);
	assert_int_equal(listed("--metric", "read_iops"), 1);
	assert_int_equal(listed("--handler", "unfixed"), 2);
	assert_int_equal(listed("--kernel", "5.10"), 2);
	assert_int_equal(listed("--machine", "m, 4 CPUs"), 11);
	assert_int_equal(listed("--commit", "bee2"), 1);
}

/* Twenty results back, whatever the order they were added in, and no further than what is older. */
static void check_looks_back_twenty(void **state)
{
	char name[64], commit[16];
	json_t *result, *row;

	for (int i = 30; i >= 0; i--) {
		snprintf(name, sizeof(name), "b%d.json", i);
		snprintf(commit, sizeof(commit), "%04x", 0xa000 + i);
		write_result(name, commit, i, 1, i < 10 ? 1.3 : i < 30 ? 1 : 1.1);
		add(name);
	}
	assert_int_equal(run(dash, "check", "--db", store, "--json", NULL), 1);
	result = json_loads(printed, 0, NULL);
	row = json_array_get(json_object_get(result, "rows"), 0);
	assert_string_equal(json_string_value(json_object_get(row, "metric")), "real_time");
	assert_true(json_number_value(json_object_get(row, "before")) == 1e3);
	assert_int_equal(json_integer_value(json_object_get(row, "repetitions_before")),
			 20 * REPETITIONS);
	assert_int_equal(json_integer_value(json_object_get(row, "repetitions_after")),
			 REPETITIONS);
	json_decref(result);
	assert_int_equal(run(dash, "check", "--db", store, "--of", "a009", "--json", NULL), 0);
	result = json_loads(printed, 0, NULL);
	row = json_array_get(json_object_get(result, "rows"), 0);
	assert_int_equal(json_integer_value(json_object_get(row, "repetitions_before")),
			 9 * REPETITIONS);
	json_decref(result);
}

/* The most memory that a check takes, in KiB. */
static long memory_of_check(void)
{
	struct rusage usage;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY);

		dup2(null, STDOUT_FILENO);
		execl(dash, dash, "check", "--db", store, NULL);
		_exit(127);
	}
	assert_int_equal(wait4(pid, &status, 0, &usage), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return usage.ru_maxrss;
}

/*
 * What is not compared stays where it is: 90,000 older results make check no larger. All that a
 * query gives comes from a server at once; of SQLite's rows there is one at a time anyway.
 */
static void check_leaves_the_rest_in_the_store(void **state)
{
	long small, large;

	add_history(1);
	small = memory_of_check();
	server_run("INSERT INTO dash_result(run, series, measured, kernel, value, repetitions)"
		   " SELECT (SELECT min(id) FROM dash_run), s.id, -i, '', 1,"
		   " '[1' || repeat(',1.0000000000000000', 20) || ']'"
		   " FROM dash_series s, generate_series(1, 10000) i");
	large = memory_of_check();
	if (large > small + 16384)
		fail_msg("check takes %ld KiB, and took %ld", large, small);
}

static void triage_excuses(void **state)
{
	json_t *result, *rows, *row;
	char number[32];
	size_t i;

	add_history(1.1);
	assert_int_equal(run(dash, "check", "--db", store, "--json", NULL), 1);
	result = json_loads(printed, 0, NULL);
	rows = json_object_get(result, "rows");
	json_array_foreach (rows, i, row) {
		if (strcmp(json_string_value(json_object_get(row, "verdict")), "worse") != 0)
			continue;
		snprintf(number, sizeof(number), "%lld",
			 json_integer_value(json_object_get(row, "result")));
		assert_int_equal(run(dash, "triage", "--db", store, number, "wanted", "--note",
				     "safer | slower", NULL),
				 0);
	}
	assert_int_equal(run(dash, "check", "--db", store, NULL), 0);
	assert_printed("0 worse, 0 better, 0 changed, 3 known");
	assert_printed("wanted: safer | slower");
	assert_int_equal(run(dash, "check", "--db", store, "--markdown", NULL), 0);
	assert_printed("safer &#124; slower");

	/* The level that was wanted is what later results are held against. */
	write_result("later.json", "b001", 11, 3, 1.1);
	add("later.json");
	assert_int_equal(run(dash, "check", "--db", store, NULL), 0);
	assert_printed("0 worse, 0 better, 0 changed, 0 known");
	assert_int_equal(run(dash, "check", "--db", store, "--against", "a003", NULL), 0);
	assert_printed("3 known");

	/* `number` is the last one's */
	assert_int_equal(run(dash, "triage", "--db", store, number, "--remove", NULL), 0);
	assert_int_equal(run(dash, "check", "--db", store, "--against", "a003", NULL), 1);
	assert_printed("1 worse, 0 better, 0 changed, 2 known");
	assert_int_equal(run(dash, "triage", "--db", store, "99999999", "known", NULL), 1);
	assert_printed("there is no result 99999999");
	json_decref(result);
}

/* A kernel BUG where there was none, and a count that grew by one instruction. */
static void exact_counts(void **state)
{
	static const char counts[] =
		"{\"schema\": \"barrage-cost/1\", \"host\": {\"commit\": \"%s\", \"date\": "
		"\"2026-11-23T00:0%d:00+0000\"}, \"rows\": [{\"kernel\": \"6.1\", \"handler\": "
		"\"fixed\", \"bar_bytes\": 16384, \"policy\": \"plain\", \"op\": \"first-touch\", "
		"\"instructions\": %d}]}";
	char text[1024];

	snprintf(text, sizeof(text), counts, "aaaa", 1, 3374);
	write_file("cost1.json", text);
	snprintf(text, sizeof(text), counts, "bbbb", 2, 3375);
	write_file("cost2.json", text);
	add("cost1.json");
	add("cost2.json");
	assert_int_equal(run(dash, "check", "--db", store, NULL), 1);
	assert_printed("3375 instructions");
	assert_printed("+1 (");
	assert_int_equal(
		run(dash, "check", "--db", store, "--of", "aaaa", "--against", "bbbb", NULL), 0);
	assert_printed("1 better");
}

static void machines_are_not_mixed(void **state)
{
	write_result("here.json", "aaaa", 1, 1, 1);
	write_result("there.json", "bbbb", 2, 1, 2);
	add("here.json");
	assert_int_equal(
		run(dash, "add", "--db", store, "--machine", "another", "there.json", NULL), 0);
	assert_int_equal(run(dash, "check", "--db", store, NULL), 2);
	assert_printed("commit bbbb: all its 3 series are new");
	assert_int_equal(run(dash, "check", "--db", store, "--against", "aaaa", NULL), 2);
	assert_printed("commit bbbb and commit aaaa have no series in common");
}

/* One benchmark less, another one more. */
static void what_is_missing_is_told(void **state)
{
	json_t *result;

	write_result("three.json", "aaaa", 1, 3, 1);
	write_result("one.json", "bbbb", 2, 1, 1);
	add("three.json");
	add("one.json");
	assert_int_equal(run(dash, "check", "--db", store, "--against", "aaaa", NULL), 0);
	assert_printed("3 as before, 6 missing");
	assert_int_equal(run(dash, "check", "--db", store, "--of", "aaaa", "--against", "bbbb",
			     "--json", NULL),
			 0);
	result = json_loads(printed, 0, NULL);
	assert_int_equal(json_integer_value(json_object_get(result, "without_baseline")), 6);
	assert_int_equal(json_integer_value(json_object_get(result, "missing")), 0);
	json_decref(result);
}

static void what_to_check_against(void **state)
{
	write_result("one.json", "abcd1", 1, 1, 1);
	write_result("two.json", "abcd2", 2, 1, 1);
	write_result("three.json", "", 3, 1, 1);
	add("one.json");
	add("two.json");
	add("three.json");
	assert_int_equal(run(dash, "check", "--db", store, "--against", "1", NULL), 0);
	assert_printed("run 3 against run 1: ");
	assert_int_equal(run(dash, "check", "--db", store, "--against", "two.json", NULL), 0);
	assert_printed("run 3 against run 2: ");
	assert_int_equal(run(dash, "check", "--db", store, "--against", "abcd1", NULL), 0);
	assert_printed("against commit abcd1: ");
	assert_int_equal(run(dash, "check", "--db", store, "--against", "abcd", NULL), 2);
	assert_printed("\"abcd\" begins more than one commit");
	assert_int_equal(run(dash, "check", "--db", store, "--against", "three.json", NULL), 2);
	assert_printed("compared with itself");
	assert_int_equal(run(dash, "check", "--db", store, "--against", "nonsense", NULL), 2);
	assert_printed("\"nonsense\" is no run, no file");
	write_result("four.json", "", 4, 1, 1);
	assert_int_equal(run(dash, "check", "--db", store, "--against", "four.json", NULL), 2);
	assert_printed("four.json is not in ");
}

/* Of a Git revision the nearest ancestor with results counts. */
static void git_revisions(void **state)
{
	char hash[64];
	FILE *git;

	assert_int_equal(
		system("rm -rf repository && git init -q -b main repository && cd repository && "
		       "for i in 1 2 3; do git -c user.name=a -c user.email=a@b commit -q "
		       "--allow-empty -m $i; done"),
		0);
	git = popen("git -C repository rev-parse main~2", "r");
	assert_non_null(fgets(hash, sizeof(hash), git));
	pclose(git);
	hash[strcspn(hash, "\n")] = '\0';
	write_result("old.json", hash, 1, 1, 1);
	write_result("new.json", "ffff", 2, 1, 1);
	add("old.json");
	add("new.json");
	assert_int_equal(chdir("repository"), 0);
	assert_int_equal(run(dash, "check", "--db", store, "--against", "main~1", NULL), 0);
	assert_printed("commit ffff against commit ");
	assert_printed("3 as before");
	assert_int_equal(run(dash, "check", "--db", store, "--against", "main~3", NULL), 2);
	assert_int_equal(chdir(".."), 0);
}

static void show_tells_series_and_results(void **state)
{
	const json_t *series, *result;
	char number[32];
	json_t *all, *shown;

	add_history(1.2);
	all = content();
	series = series_of(all, "real_time", "");
	result = first_result(series);
	assert_int_equal(run(dash, "show", "--db", store,
			     json_string_value(json_object_get(json_object_get(series, "series"),
							       "fingerprint")),
			     NULL),
			 0);
	assert_printed("+19."); /* the change is marked */
	snprintf(number, sizeof(number), "%lld",
		 json_integer_value(json_object_get(result, "result")));
	assert_int_equal(run(dash, "show", "--db", store, "--result", number, "--json", NULL), 0);
	shown = json_loads(printed, 0, NULL);
	assert_true(json_equal(json_object_get(shown, "repetitions"),
			       json_object_get(result, "repetitions")));
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(shown, "provenance"), "file")),
		"h0.json");
	json_decref(shown);
	json_decref(all);
	assert_int_equal(run(dash, "show", "--db", store, "--result", "99999999", NULL), 1);
	assert_printed("there is no result 99999999");
	assert_int_equal(run(dash, "show", "--db", store, "0123456789abcdef", NULL), 1);
	assert_printed("no series begins with");
}

static void list_and_other_exports(void **state)
{
	json_t *list;

	write_result("listed.json", "aaaa", 1, 2, 1);
	add("listed.json");
	assert_int_equal(run(dash, "list", "--db", store, "--json", "--metric", "real_time", NULL),
			 0);
	list = json_loads(printed, 0, NULL);
	assert_int_equal(json_array_size(list), 2);
	json_decref(list);
	assert_int_equal(run(dash, "list", "--db", store, "--runs", NULL), 0);
	assert_printed("google-benchmark");
	assert_int_equal(run(dash, "export", "--db", store, "--format", "csv", NULL), 0);
	assert_printed("\"BM_copy\",\"{\"\"arg1\"\":0}\",\"\",\"m, 4 CPUs\",\"real_time\",\"ns\",");
	assert_int_equal(run(dash, "export", "--db", store, "--format", "openmetrics", NULL), 0);
	assert_printed("benchmark=\"BM_copy arg1=1\",handler=\"\",machine=\"m, 4 CPUs\","
		       "metric=\"real_time\",unit=\"ns\"} 2000\n");
	assert_string_equal(printed + strlen(printed) - 6, "# EOF\n");
	assert_int_equal(run(dash, "export", "--db", store, "-o", "/nowhere/x", NULL), 1);
	assert_printed("/nowhere/x.new: No such file");
}

static void prune_removes_what_it_said(void **state)
{
	json_t *all;

	write_result("first.json", "aaaa", 1, 1, 1);
	write_result("second.json", "bbbb", 2, 2, 1);
	add("first.json");
	add("second.json");
	assert_int_equal(run(dash, "prune", "--db", store, NULL), 2);
	assert_int_equal(run(dash, "prune", "--db", store, "--run", "77", "--yes", NULL), 1);
	assert_printed("there is no run 77");
	if (!isatty(STDIN_FILENO)) {
		assert_int_equal(run(dash, "prune", "--db", store, "--run", "2", NULL), 1);
		assert_printed("would remove 1 runs");
	}
	assert_int_equal(run(dash, "prune", "--db", store, "--run", "2", "--yes", NULL), 0);
	assert_printed("1 runs removed");
	all = content();
	assert_int_equal(runs_in(all), 1);
	assert_int_equal(json_array_size(json_object_get(all, "series")), METRICS);
	json_decref(all);
	assert_int_equal(run(dash, "prune", "--db", store, "--older-than", "0", "--yes", NULL), 0);
	all = content();
	assert_int_equal(runs_in(all) + json_array_size(json_object_get(all, "series")), 0);
	json_decref(all);
}

/* A text from a file is a text wherever it goes: no SQL, no Markdown, no CSV cell. */
static void texts_stay_texts(void **state)
{
	json_t *all;

	write_file(
		"texts.json",
		"{\"context\": {\"host_name\": \"'); DROP TABLE dash_run; --\"}, \"benchmarks\": ["
		"{\"name\": \"<b>|\\\"x\\\"\\n`\", \"run_type\": \"iteration\", \"real_time\": 1, "
		"\"cpu_time\": 1, \"time_unit\": \"ns\"}]}");
	add("texts.json");
	all = content();
	assert_string_equal(
		json_string_value(json_object_get(
			json_object_get(series_of(all, "real_time", ""), "series"), "benchmark")),
		"<b>|\"x\"\n`");
	json_decref(all);
	assert_int_equal(run(dash, "export", "--db", store, "--format", "openmetrics", NULL), 0);
	assert_printed("benchmark=\"<b>|\\\"x\\\"\\n`\"");
	assert_int_equal(run(dash, "export", "--db", store, "--format", "csv", NULL), 0);
	assert_printed("\"<b>|\"\"x\"\"\n`\"");
}

static void stores_that_are_none(void **state)
{
	if (server) {
		assert_int_equal(run(dash, "list", "--db", store, NULL), 1);
		assert_printed("holds no results yet");
		assert_int_equal(run(dash, "list", "--db", "postgresql:///x?host=/nowhere", NULL),
				 1);
		return;
	}
	assert_int_equal(run(dash, "list", "--db", "nowhere.db", NULL), 1);
	assert_printed("there are no results in nowhere.db yet: add some with barrage-dash add");
	assert_int_equal(access("nowhere.db", F_OK), -1);
	write_file("text.db", "this is no database, and long enough to be looked at as one; not at "
			      "all, in spite of its name");
	assert_int_equal(run(dash, "list", "--db", "text.db", NULL), 1);
	assert_printed("not a database");
	assert_int_equal(run(dash, "list", "--db", "mysql://x", NULL), 1);
	assert_printed("mysql://…: results are kept in an SQLite file or at postgresql://…");
}

static void every_command_has_help_with_an_example(void **state)
{
	static const char *const names[] = {"add",    "check",	"list",	  "show",
					    "triage", "report", "export", "prune"};

	assert_int_equal(run(dash, "--help", NULL), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char example[64];

		assert_int_equal(run(dash, "--help", NULL), 0);
		assert_printed(names[i]);
		assert_int_equal(run(dash, names[i], "--help", NULL), 0);
		snprintf(example, sizeof(example), "\n  barrage-dash %s", names[i]);
		assert_printed(example);
		assert_int_equal(run(dash, names[i], "--frobnicate", NULL), 2);
	}
	assert_int_equal(run(dash, "add", "--help", NULL), 0);
	assert_printed("barrage perf");
	assert_printed("markers");
	assert_int_equal(run(dash, "add", NULL), 2);
	assert_int_equal(run(dash, "check", "--min-effect", "x", NULL), 2);
	assert_int_equal(run(dash, "check", "--json", "--markdown", NULL), 2);
	assert_int_equal(run(dash, "triage", "5", NULL), 2);
	assert_int_equal(run(dash, "triage", "5", "unknown", NULL), 2);
	assert_int_equal(run(dash, "export", "--format", "xml", NULL), 2);
	assert_int_equal(run(dash, "show", NULL), 2);
	assert_int_equal(run(dash, "show", "xyz", NULL), 2);
	assert_int_equal(run(dash, "prune", "--older-than", "-1", NULL), 2);
}

static char *text_of(const char *name)
{
	FILE *in = fopen(name, "r");
	struct stat st;
	char *text;

	assert_non_null(in);
	assert_int_equal(fstat(fileno(in), &st), 0);
	text = calloc(1, (size_t)st.st_size + 1);
	assert_non_null(text);
	assert_int_equal(fread(text, 1, (size_t)st.st_size, in), st.st_size);
	fclose(in);
	return text;
}

/* The page's numbers are test_report.py's; here is that either engine feeds it, triage included. */
static void report_shows_what_is_there(void **state)
{
	json_t *told, *all;
	char number[32], *page;

	add_history(1.1);
	all = content();
	snprintf(number, sizeof(number), "%lld",
		 json_integer_value(
			 json_object_get(first_result(series_of(all, "real_time", "")), "result")));
	json_decref(all);
	assert_int_equal(run(dash, "triage", "--db", store, number, "known", "--note",
			     "<b>a note</b>", NULL),
			 0);
	assert_int_equal(run(dash, "report", "--db", store, "--json", "-o", "page", NULL), 0);
	told = json_loads(printed, 0, NULL);
	assert_int_equal(json_integer_value(json_object_get(told, "series")), 9);
	assert_true(json_integer_value(json_object_get(told, "worse")) > 0);
	page = text_of(json_string_value(json_object_get(told, "file")));
	assert_non_null(strstr(page, "\"judged\":[[0,\"known\",\"\\u003cb>a note\\u003c/b>\"]]"));
	assert_non_null(strstr(page, "</html>"));
	free(page);
	json_decref(told);
}

static size_t verdicts(const json_t *rows, const char *verdict)
{
	const json_t *row;
	size_t i, n = 0;

	json_array_foreach (rows, i, row)
		n += !strcmp(json_string_value(json_object_get(row, "verdict")), verdict);
	return n;
}

static void assert_report_says_what_check_says(size_t worse, size_t known)
{
	static const char *const names[] = {"worse", "better", "known"};
	json_t *told, *checked, *rows;

	run(dash, "check", "--db", store, "--json", NULL);
	checked = json_loads(printed, 0, NULL);
	rows = json_object_get(checked, "rows");
	assert_int_equal(run(dash, "report", "--db", store, "--json", "-o", "page", NULL), 0);
	told = json_loads(printed, 0, NULL);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(json_integer_value(json_object_get(told, names[i])),
				 verdicts(rows, names[i]));
	assert_int_equal(verdicts(rows, "worse"), worse);
	assert_int_equal(verdicts(rows, "known"), known);
	json_decref(told);
	json_decref(checked);
}

/* Four runs of the newest commit are not held against each other; and what is known is not worse.
 */
static void report_says_what_check_says(void **state)
{
	char name[64], number[32], *page;
	json_t *checked;

	add_history(1.1);
	for (int i = 11; i < 14; i++) {
		snprintf(name, sizeof(name), "again%d.json", i);
		write_result(name, "b000", i, 3, 1.1);
		add(name);
	}
	assert_report_says_what_check_says(3, 0);
	page = text_of("page/index.html");
	assert_non_null(strstr(page, "\"latest\":{\"at\":10,\"verdict\":\"worse\","));
	free(page);
	run(dash, "check", "--db", store, "--json", NULL);
	checked = json_loads(printed, 0, NULL);
	snprintf(number, sizeof(number), "%lld",
		 json_integer_value(json_object_get(
			 json_array_get(json_object_get(checked, "rows"), 0), "result")));
	json_decref(checked);
	assert_int_equal(run(dash, "triage", "--db", store, number, "wanted", NULL), 0);
	assert_report_says_what_check_says(2, 1);
	/* for the record only */
	assert_int_equal(run(dash, "triage", "--db", store, number, "fixed", NULL), 0);
	assert_report_says_what_check_says(3, 0);
}

/* What the page offers to copy finds the store again, from anywhere. */
static void report_names_the_store(void **state)
{
	char *page, url[512];

	write_result("named.json", "aaaa", 1, 1, 1);
	add("named.json");
	assert_int_equal(run(dash, "report", "--db", store, "-o", "page", NULL), 0);
	page = text_of("page/index.html");
	assert_non_null(strstr(page, "\"db\":\""));
	assert_int_equal(sscanf(strstr(page, "\"db\":\""), "\"db\":\"%511[^\"]", url), 1);
	free(page);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(run(dash, "list", "--db", url, "--runs", NULL), 0);
	assert_printed("google-benchmark");
	assert_int_equal(chdir(folder), 0);
}

#define on_a_new_store(test) cmocka_unit_test_setup(test, new_store)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		on_a_new_store(adding_twice_changes_nothing),
		on_a_new_store(repetitions_and_provenance_are_kept),
		on_a_new_store(a_comparison_of_the_lab),
		on_a_new_store(a_matrix_of_the_lab),
		on_a_new_store(counts_of_the_lab),
		on_a_new_store(counts_of_failures_apart),
		on_a_new_store(marks_of_programs_apart),
		on_a_new_store(counts_say_whether_they_are_exact),
		on_a_new_store(barrage_perf_and_its_histogram),
		on_a_new_store(broken_files_are_refused_whole),
		on_a_new_store(truncated_files_are_refused),
		on_a_new_store(other_files_are_refused),
		on_a_new_store(a_bad_file_does_not_keep_others_out),
		on_a_new_store(failed_runs_and_aggregates),
		on_a_new_store(a_killed_writer_leaves_no_trace),
		on_a_new_store(sixteen_writers_lose_nothing),
		on_a_new_store(check_tells_what_got_worse),
		on_a_new_store(check_is_content_with_better_and_with_noise),
		on_a_new_store(check_takes_filters),
		on_a_new_store(runs_take_filters),
		on_a_new_store(check_looks_back_twenty),
		on_a_new_store(triage_excuses),
		on_a_new_store(exact_counts),
		on_a_new_store(machines_are_not_mixed),
		on_a_new_store(what_is_missing_is_told),
		on_a_new_store(what_to_check_against),
		on_a_new_store(git_revisions),
		on_a_new_store(show_tells_series_and_results),
		on_a_new_store(list_and_other_exports),
		on_a_new_store(prune_removes_what_it_said),
		on_a_new_store(report_shows_what_is_there),
		on_a_new_store(report_says_what_check_says),
		on_a_new_store(report_names_the_store),
		on_a_new_store(texts_stay_texts),
		on_a_new_store(stores_that_are_none),
		cmocka_unit_test(every_command_has_help_with_an_example),
	};
	const struct CMUnitTest server_tests[] = {
		on_a_new_store(check_leaves_the_rest_in_the_store),
	};
	char command[512];
	int failed;

	if (argc != 2 && (argc != 3 || strcmp(argv[2], "--postgresql") != 0)) {
		fprintf(stderr, "usage: test_dash PATH-OF-BARRAGE-DASH [--postgresql]\n");
		return 2;
	}
	dash = realpath(argv[1], NULL);
	if (!dash || !mkdtemp(folder) || chdir(folder)) {
		perror("test_dash");
		return 1;
	}
	if (argc == 3 && !(server = server_start(folder))) {
		fprintf(stderr, "skipped: no PostgreSQL server is installed\n");
		rmdir(folder);
		return 77;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	if (server) {
		failed += cmocka_run_group_tests(server_tests, NULL, NULL);
		server_stop();
	}
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	if (system(command) != 0)
		perror("rm");
	return failed;
}
