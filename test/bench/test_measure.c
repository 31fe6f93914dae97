/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * barrage-bench on a real device, in a guest: the report's counters are those that follow from the
 * trial stream, and every trial is in it.
 */

#include "unit.h"

#include <jansson.h>
#include <math.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRIALS 12 /* as --trials says below */
#define REPORT "/tmp/report.json"
#define STREAM "/tmp/trials"

static const char *bench;
static json_t *report;
static json_t *stream; /* the lines of the trial stream */

/* What a benchmark of the report and the stream are about. */
struct arm {
	const char *benchmark, *sharing;
	int lcores;
	const char *policy; /* NULL: nvme_io has none */
};

static const struct arm arms[] = {
	{"first_fault", "single", 1, "lazy"},	 {"first_fault", "shared", 2, "lazy"},
	{"first_fault", "per-lcore", 2, "lazy"}, {"first_fault", "single", 1, "iommu"},
	{"first_fault", "shared", 2, "iommu"},	 {"first_fault", "per-lcore", 2, "iommu"},
	{"nvme_io", "single", 1, NULL},		 {"nvme_io", "shared", 2, NULL},
	{"nvme_io", "per-lcore", 2, NULL},
};

#define ARMS (sizeof(arms) / sizeof(arms[0]))

/* The guest has no shell. */
static int run_bench(void **state)
{
	char *argv[] = {(char *)bench,
			"--lcores=2",
			"--trials=12",
			"--policy=iommu,lazy",
			"--seconds=0.2",
			"--queue-depth=4",
			"--trials-out=" STREAM,
			"--benchmark_out=" REPORT,
			NULL};
	char line[4096];
	pid_t pid;
	int status;
	FILE *in;

	if (posix_spawn(&pid, bench, NULL, NULL, argv, environ) ||
	    waitpid(pid, &status, 0) != pid || status)
		return -1;
	report = json_load_file(REPORT, JSON_REJECT_DUPLICATES, NULL);
	in = fopen(STREAM, "r");
	if (!report || !in)
		return -1;
	stream = json_array();
	while (fgets(line, sizeof(line), in))
		json_array_append_new(stream, json_loads(line, JSON_REJECT_DUPLICATES, NULL));
	return fclose(in);
}

static int drop_results(void **state)
{
	json_decref(report);
	json_decref(stream);
	return 0;
}

static double number(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_number(value))
		fail_msg("%s is no number", key);
	return json_number_value(value);
}

static const json_t *run_of(const struct arm *arm)
{
	const json_t *run;
	char name[128];
	size_t i;

	if (!arm->policy)
		snprintf(name, sizeof(name), "nvme_io/%s/lcores:%d/", arm->sharing, arm->lcores);
	else
		snprintf(name, sizeof(name), "first_fault/%s/lcores:%d/bar:0/%s", arm->sharing,
			 arm->lcores, strcmp(arm->policy, "lazy") ? "policy:iommu/" : "iterations");
	json_array_foreach (json_object_get(report, "benchmarks"), i, run)
		if (!strncmp(json_string_value(json_object_get(run, "name")), name, strlen(name)))
			return run;
	fail_msg("%s is not in the report", name);
	return NULL;
}

static bool is_of(const json_t *line, const struct arm *arm)
{
	const char *policy = json_string_value(json_object_get(line, "policy"));

	return !strcmp(json_string_value(json_object_get(line, "benchmark")), arm->benchmark) &&
	       !strcmp(json_string_value(json_object_get(line, "sharing")), arm->sharing) &&
	       (arm->policy ? policy && !strcmp(policy, arm->policy) : !policy);
}

/* The arm's lines: the one that announces it, which is checked to come first, is left out. */
static json_t *trials_of(const struct arm *arm)
{
	json_t *trials = json_array(), *line;
	int begun = 0;
	size_t i;

	json_array_foreach (stream, i, line) {
		if (!is_of(line, arm))
			continue;
		assert_int_equal(number(line, "lcores"), arm->lcores);
		if (json_object_get(line, "begin"))
			begun++;
		else
			json_array_append(trials, line);
		assert_int_equal(begun, 1);
	}
	return trials;
}

static void every_arm_ran(void **state)
{
	assert_int_equal(json_array_size(json_object_get(report, "benchmarks")), ARMS);
	for (size_t i = 0; i < ARMS; i++) {
		json_t *trials = trials_of(&arms[i]);

		assert_null(json_object_get(run_of(&arms[i]), "error_occurred"));
		assert_int_equal(json_array_size(trials),
				 strcmp(arms[i].benchmark, "nvme_io") ? TRIALS : 1);
		json_decref(trials);
	}
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The stream is in whole nanoseconds. */
static void assert_near(double a, double b)
{
	if (fabs(a - b) > 1)
		fail_msg("%f is not %f", a, b);
}

/* The longest of the times of a list; how many there are is @p count. */
static double longest(const json_t *trial, const char *key, size_t count)
{
	const json_t *times = json_object_get(trial, key), *each;
	double most = 0;
	size_t i;

	assert_int_equal(json_array_size(times), count);
	json_array_foreach (times, i, each)
		most = fmax(most, json_number_value(each));
	return most;
}

static void check_first_fault(const struct arm *arm)
{
	const json_t *run = run_of(arm), *trial, *each;
	double ns[TRIALS * 2], window = 0, cycle = 0;
	size_t mappings = strcmp(arm->sharing, "per-lcore") ? 1 : (size_t)arm->lcores;
	json_t *trials = trials_of(arm);
	size_t count = 0, i, j;

	json_array_foreach (trials, i, trial) {
		double access = longest(trial, "ns", (size_t)arm->lcores);

		assert_int_equal(number(trial, "trial"), i);
		assert_int_equal(number(trial, "bar"), 0);
		assert_int_equal(number(trial, "bar_bytes"), 16384);
		assert_null(json_object_get(trial, "retry_ns"));
		json_array_foreach (json_object_get(trial, "ns"), j, each)
			ns[count++] = json_number_value(each);
		assert_true(number(trial, "window_ns") >= access - 1);
		assert_true(number(trial, "cycle_ns") >=
			    access + longest(trial, "map_ns", mappings) +
				    longest(trial, "unmap_ns", mappings) - 3);
		window += number(trial, "window_ns");
		cycle += number(trial, "cycle_ns");
	}
	json_decref(trials);

	qsort(ns, count, sizeof(*ns), ascending);
	assert_true(ns[0] > 0);
	assert_near(number(run, "min_ns"), ns[0]);
	assert_near(number(run, "p50_ns"), ns[count / 2 - 1]);
	assert_near(number(run, "p99_ns"), ns[count - 1]); /* of fewer than 100 samples the last */
	assert_near(number(run, "max_ns"), ns[count - 1]);
	assert_near(number(run, "real_time"), window / TRIALS);
	assert_near((double)count * 1e9 / number(run, "faults_per_s") / TRIALS, window / TRIALS);
	assert_near((double)mappings * 1e9 / number(run, "mappings_per_s"), cycle / TRIALS);
}

static void first_fault_follows_from_its_trials(void **state)
{
	for (size_t i = 0; i < ARMS; i++)
		if (!strcmp(arms[i].benchmark, "first_fault"))
			check_first_fault(&arms[i]);
}

static void nvme_io_follows_from_its_trial(void **state)
{
	for (size_t i = 0; i < ARMS; i++) {
		const json_t *run, *trial;
		json_t *trials;

		if (strcmp(arms[i].benchmark, "nvme_io"))
			continue;
		run = run_of(&arms[i]);
		trials = trials_of(&arms[i]);
		trial = json_array_get(trials, 0);
		assert_int_equal(number(trial, "queue_depth"), 4);
		assert_int_equal(number(trial, "block_size"), 4096);
		assert_true(number(trial, "seconds") >= 0.2);
		assert_true(number(trial, "ios") >= 4 * arms[i].lcores);
		assert_true(
			fabs(number(trial, "ios") / number(trial, "seconds") / number(run, "iops") -
			     1) < 1e-6);
		assert_true(number(run, "p50_ns") > 0);
		assert_true(number(run, "p50_ns") <= number(run, "p99_ns"));
		json_decref(trials);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_arm_ran),
		cmocka_unit_test(first_fault_follows_from_its_trials),
		cmocka_unit_test(nvme_io_follows_from_its_trial),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: test_measure PATH-OF-BARRAGE-BENCH\n");
		return 2;
	}
	bench = argv[1];
	return cmocka_run_group_tests_name("bench-measure", tests, run_bench, drop_results);
}
