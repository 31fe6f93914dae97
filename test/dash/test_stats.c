/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The dashboard's statistics. reference.py compares them with SciPy; here are the committed change
 * points, what can be counted by hand, and how often a verdict is right when the truth is known.
 */

#include "unit.h"

#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stats.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define SAMPLE(...)                                           \
	((struct stats_sample){(const double[]){__VA_ARGS__}, \
			       LENGTH(((const double[]){__VA_ARGS__}))})

static gsl_rng *rng;

static int make_rng(void **state)
{
	rng = gsl_rng_alloc(gsl_rng_taus2);
	gsl_rng_set(rng, 20261123);
	return rng ? 0 : -1;
}

static int free_rng(void **state)
{
	gsl_rng_free(rng);
	return 0;
}

/* Two samples */

static void medians(void **state)
{
	assert_true(stats_median(SAMPLE(3, 1, 2)) == 2);
	assert_true(stats_median(SAMPLE(4, 1, 2, 3)) == 2.5);
	assert_true(stats_median(SAMPLE(7)) == 7);
}

/* Ten values: the second and the ninth; the well-known 97.9 %. */
static void median_interval(void **state)
{
	struct stats_interval interval =
		stats_median_interval(SAMPLE(10, 2, 9, 3, 8, 4, 7, 5, 6, 1), 0.95);

	assert_true(interval.low == 2 && interval.high == 9);
	assert_true(fabs(interval.coverage - (1 - 22.0 / 1024)) < 1e-12);
}

/* Five values cannot give 95 %: their extremes, and what they do give. */
static void median_interval_of_few(void **state)
{
	struct stats_interval interval = stats_median_interval(SAMPLE(5, 1, 4, 2, 3), 0.95);

	assert_true(interval.low == 1 && interval.high == 5);
	assert_true(fabs(interval.coverage - (1 - 2.0 / 32)) < 1e-12);
	assert_true(stats_median_interval(SAMPLE(7), 0.95).coverage == 0);
}

static double pairs_larger(const double *a, size_t n_a, const double *b, size_t n_b)
{
	double u = 0;

	for (size_t i = 0; i < n_a; i++)
		for (size_t j = 0; j < n_b; j++)
			u += b[j] > a[i] ? 1 : b[j] == a[i] ? 0.5 : 0;
	return u;
}

/* The test by its definition: in how many ways of dealing the values out is U as far out? */
static double p_by_dealing(const double *all, size_t n_a, size_t n_b, double observed)
{
	size_t ways = 0, below = 0, above = 0, n = n_a + n_b;

	for (unsigned int dealt = 0; dealt < 1u << n; dealt++) {
		double a[16], b[16], u;
		size_t in_a = 0, in_b = 0;

		if ((size_t)__builtin_popcount(dealt) != n_a)
			continue;
		for (size_t i = 0; i < n; i++)
			if (dealt >> i & 1)
				a[in_a++] = all[i];
			else
				b[in_b++] = all[i];
		u = pairs_larger(a, n_a, b, n_b);
		ways++;
		below += u <= observed;
		above += u >= observed;
	}
	return fmin(1, 2 * (double)(below < above ? below : above) / (double)ways);
}

/* All sizes from 1 to 5, values with many ties. */
static void mann_whitney_is_exact(void **state)
{
	for (size_t n_a = 1; n_a <= 5; n_a++)
		for (size_t n_b = 1; n_b <= 5; n_b++)
			for (int trial = 0; trial < 10; trial++) {
				double v[10], u;
				struct stats_mann_whitney test;

				for (size_t i = 0; i < n_a + n_b; i++)
					v[i] = (double)gsl_rng_uniform_int(rng, 6);
				u = pairs_larger(v, n_a, v + n_a, n_b);
				test = stats_mann_whitney((struct stats_sample){v, n_a},
							  (struct stats_sample){v + n_a, n_b});
				assert_true(test.exact);
				assert_true(test.u == u);
				assert_true(fabs(test.p - p_by_dealing(v, n_a, n_b, u)) < 1e-12);
				assert_true(test.p >= test.least_p - 1e-12);
			}
}

/* Where the exact test ends, the approximation says nearly the same. */
static void mann_whitney_switches_smoothly(void **state)
{
	for (int shift = 0; shift <= 10; shift++) {
		double a[26], b[25];
		struct stats_mann_whitney exact, normal;

		for (size_t i = 0; i < LENGTH(b); i++) {
			a[i] = (double)(2 * i);
			b[i] = (double)(2 * i + 1 + (size_t)shift);
		}
		a[25] = 25;
		exact = stats_mann_whitney((struct stats_sample){a, 25},
					   (struct stats_sample){b, 25});
		normal = stats_mann_whitney((struct stats_sample){a, 26},
					    (struct stats_sample){b, 25});
		assert_true(exact.exact && !normal.exact);
		assert_true(fabs(exact.p - normal.p) < 0.03);
	}
}

static void equal_values_do_not_differ(void **state)
{
	double same[60];

	for (size_t i = 0; i < LENGTH(same); i++)
		same[i] = 5;
	assert_true(
		stats_mann_whitney((struct stats_sample){same, 10}, (struct stats_sample){same, 10})
			.p == 1);
	assert_true(
		stats_mann_whitney((struct stats_sample){same, 60}, (struct stats_sample){same, 60})
			.p == 1);
}

static struct stats_sample noisy(double *values, size_t n, double level, double noise)
{
	for (size_t i = 0; i < n; i++)
		values[i] = level * (1 + gsl_ran_gaussian(rng, noise));
	return (struct stats_sample){values, n};
}

/* The bootstrap interval covers the true ratio about as often as it says. */
static void ratio_interval_covers(void **state)
{
	int covered = 0, runs = 300;

	for (int run = 0; run < runs; run++) {
		double a[30], b[30];
		struct stats_interval interval = stats_ratio_interval(
			noisy(a, 30, 100, 0.05), noisy(b, 30, 110, 0.05), 0.95, (uint64_t)run);

		assert_true(interval.low <= interval.high);
		covered += interval.low <= 1.1 && interval.high >= 1.1;
	}
	print_message("bootstrap: %d of %d intervals of 95 %% cover the true ratio\n", covered,
		      runs);
	assert_in_range(covered, runs * 92 / 100, runs * 99 / 100);
}

static void ratio_interval_repeats(void **state)
{
	struct stats_sample a = SAMPLE(10, 11, 12, 13, 14), b = SAMPLE(20, 22, 25, 26, 29);
	struct stats_interval first = stats_ratio_interval(a, b, 0.95, 7);
	struct stats_interval again = stats_ratio_interval(a, b, 0.95, 7);

	assert_true(first.low == again.low && first.high == again.high);
	assert_true(first.low < 25.0 / 12 && first.high > 25.0 / 12);
}

static void ratio_to_nothing(void **state)
{
	struct stats_interval interval =
		stats_ratio_interval(SAMPLE(0, 0, 0), SAMPLE(1, 2, 3), 0.95, 1);

	assert_true(isnan(interval.low) && isnan(interval.high));
}

/* The example of Benjamini and Hochberg 1995, section 4: four of fifteen at 5 %. */
static void false_discoveries(void **state)
{
	static const double p[] = {0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344,
				   0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000};
	double q[LENGTH(p)];

	stats_fdr(p, LENGTH(p), q);
	for (size_t i = 0; i < LENGTH(p); i++)
		assert_int_equal(q[i] <= 0.05, i < 4);
	for (size_t i = 1; i < LENGTH(p); i++)
		assert_true(q[i] >= q[i - 1]);
	assert_true(fabs(q[0] - 0.0001 * 15) < 1e-12);
}

/* Of many comparisons, the share of false alarms among all that are raised stays below 5 %. */
static void verdicts_on_many(void **state)
{
	static struct stats_difference all[400];
	static double a[400][12], b[400][12];
	size_t found = 0, wrong = 0;

	for (size_t i = 0; i < LENGTH(all); i++)
		all[i] = stats_compare(noisy(a[i], 12, 100, 0.02),
				       noisy(b[i], 12, i < 100 ? 110 : 100, 0.02),
				       (struct stats_metric){.better = -1});
	stats_judge(all, LENGTH(all), &STATS_POLICY_DEFAULT);
	for (size_t i = 0; i < LENGTH(all); i++) {
		found += i < 100 && all[i].verdict == STATS_WORSE;
		wrong += i >= 100 && all[i].verdict != STATS_SAME;
	}
	print_message("verdicts: %zu of 100 slowdowns of 10 %% found, %zu false alarms in 300\n",
		      found, wrong);
	assert_true(found >= 95);
	assert_true((double)wrong <= 0.05 * (double)(found + wrong));
}

static enum stats_verdict judged(struct stats_sample before, struct stats_sample after,
				 struct stats_metric metric)
{
	struct stats_difference d = stats_compare(before, after, metric);

	stats_judge(&d, 1, &STATS_POLICY_DEFAULT);
	return d.verdict;
}

static void verdicts(void **state)
{
	struct stats_sample low = SAMPLE(100, 101, 102, 103, 104, 105);
	struct stats_sample high = SAMPLE(110, 111, 112, 113, 114, 115);
	struct stats_sample near = SAMPLE(101.5, 102.5, 103.5, 104.5, 105.5, 106.5);
	struct stats_sample nearer = SAMPLE(106, 106.1, 106.2, 106.3, 106.4, 106.5);
	struct stats_sample slightly = SAMPLE(105.1, 105.2, 105.3, 105.4, 105.5, 105.6);
	struct stats_metric time = {.better = -1}, rate = {.better = 1}, unknown = {0};

	assert_int_equal(judged(low, high, time), STATS_WORSE);
	assert_int_equal(judged(high, low, time), STATS_BETTER);
	assert_int_equal(judged(low, high, rate), STATS_BETTER);
	assert_int_equal(judged(high, low, rate), STATS_WORSE);
	assert_int_equal(judged(high, low, unknown), STATS_CHANGED);
	assert_int_equal(judged(low, low, time), STATS_SAME);
	assert_int_equal(judged(low, near, time), STATS_SAME);	      /* not significant */
	assert_int_equal(judged(slightly, nearer, time), STATS_SAME); /* significant, but 1 % */
	assert_int_equal(judged(SAMPLE(1, 2, 3), SAMPLE(7, 8, 9), time), STATS_TOO_FEW);
	assert_string_equal(stats_verdict_str(STATS_TOO_FEW), "too few");
}

static void exact_metrics(void **state)
{
	struct stats_metric count = {.better = -1, .exact = true};

	assert_int_equal(judged(SAMPLE(1000000), SAMPLE(1000001), count), STATS_WORSE);
	assert_int_equal(judged(SAMPLE(1000001), SAMPLE(1000000), count), STATS_BETTER);
	assert_int_equal(judged(SAMPLE(7, 7), SAMPLE(7), count), STATS_SAME);
	assert_int_equal(judged(SAMPLE(0), SAMPLE(1), count), STATS_WORSE);
}

/* Survivors: 10 of 10 against 4 of 10, and against 9 of 10. Their medians are 1, 0 and 1. */
static void shares(void **state)
{
	struct stats_sample all = SAMPLE(1, 1, 1, 1, 1, 1, 1, 1, 1, 1);
	struct stats_sample few = SAMPLE(1, 0, 0, 1, 0, 0, 1, 0, 0, 1);
	struct stats_sample most = SAMPLE(1, 1, 1, 1, 0, 1, 1, 1, 1, 1);
	struct stats_metric survived = {.better = 1, .share = true};

	assert_int_equal(judged(all, few, survived), STATS_WORSE);
	assert_int_equal(judged(few, all, survived), STATS_BETTER);
	assert_int_equal(judged(all, most, survived), STATS_SAME);
	assert_true(stats_compare(all, few, survived).after == 0.4);
}

static void ratios(void **state)
{
	struct stats_metric metric = {.exact = true};

	assert_true(stats_compare(SAMPLE(2), SAMPLE(3), metric).ratio == 1.5);
	assert_true(stats_compare(SAMPLE(0), SAMPLE(0), metric).ratio == 1);
	assert_true(isinf(stats_compare(SAMPLE(0), SAMPLE(3), metric).ratio));
	assert_true(stats_compare(SAMPLE(3), SAMPLE(0), metric).ratio == 0);
}

static void noise_bands(void **state)
{
	struct stats_interval calm = stats_noise_band(SAMPLE(9, 10, 11, 10, 9, 11, 10));
	struct stats_interval spiked = stats_noise_band(SAMPLE(9, 10, 11, 10, 9, 11, 1000));

	assert_true(calm.low < 9 && calm.high > 11);
	assert_true(spiked.low == calm.low && spiked.high == calm.high);
	assert_true(stats_noise_band(SAMPLE(5)).low == 5);
}

static void within_noise(void **state)
{
	struct stats_sample others = SAMPLE(9, 10, 11, 10, 9, 11);

	assert_true(stats_within_noise(others, 12));
	assert_false(stats_within_noise(others, 16));
	assert_false(stats_within_noise(others, 5));
	assert_false(stats_within_noise(SAMPLE(9, 10, 11, 10), 10)); /* too few to tell */
}

/* Series */

static double number(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

static double *series_of(const json_t *array)
{
	double *series = calloc(json_array_size(array), sizeof(*series));

	assert_non_null(series);
	for (size_t i = 0; i < json_array_size(array); i++)
		series[i] = json_number_value(json_array_get(array, i));
	return series;
}

/* GSL has 0 for what is below. */
#define LEAST_P 1e-200

static void close_to(double got, double wanted)
{
	if (fabs(got - wanted) > 1e-9 * fabs(wanted) + LEAST_P)
		fail_msg("%.17g, and the reference says %.17g", got, wanted);
}

/* The change points that reference.py wrote down. */
static void committed_changes(void **state)
{
	json_error_t error;
	json_t *vectors = json_load_file(TEST_DATA "/changes.json", 0, &error), *vector;
	size_t i, all = 0;

	if (!vectors)
		fail_msg("%s", error.text);
	json_array_foreach (vectors, i, vector) {
		const json_t *values = json_object_get(vector, "series");
		const json_t *wanted = json_object_get(vector, "changes");
		struct stats_change_policy policy = {
			.window = (size_t)number(vector, "window"),
			.max_p = number(vector, "max_p"),
			.min_effect = number(vector, "min_effect"),
		};
		double *series = series_of(values);
		struct stats_change *changes;
		size_t n = stats_changes(series, json_array_size(values), &policy, &changes);

		assert_int_equal(n, json_array_size(wanted));
		for (size_t j = 0; j < n; j++) {
			const json_t *want = json_array_get(wanted, j);

			assert_int_equal(changes[j].index, number(want, "index"));
			close_to(changes[j].p, number(want, "p"));
			close_to(changes[j].before, number(want, "before"));
			close_to(changes[j].after, number(want, "after"));
		}
		all += n;
		free(changes);
		free(series);
	}
	assert_true(all > 20);
	json_decref(vectors);
}

/* Back to the last change, or 20 values; of counts the last. */
static void baselines(void **state)
{
	double series[60];

	for (size_t i = 0; i < LENGTH(series); i++)
		series[i] = (i < 50 ? 100 : 120) + (double)(i % 3);
	assert_int_equal(stats_baseline(series, 60, false), 10);
	assert_int_equal(stats_baseline(series, 50, false), 20);
	assert_int_equal(stats_baseline(series, 4, false), 4);
	assert_int_equal(stats_baseline(series, 60, true), 1);
	assert_int_equal(stats_baseline(series, 0, true), 0);
	assert_int_equal(stats_baseline(series, 0, false), 0);
}

static void short_series(void **state)
{
	static const double values[] = {1, 2};
	struct stats_change *changes;

	for (size_t n = 0; n <= 2; n++) {
		assert_int_equal(stats_changes(values, n, &STATS_CHANGE_POLICY_DEFAULT, &changes),
				 0);
		assert_null(changes);
	}
}

static void exact_series(void **state)
{
	static const double counts[] = {7, 7, 8, 8, 7};
	struct stats_change_policy policy = STATS_CHANGE_POLICY_DEFAULT;
	struct stats_change *changes;

	policy.exact = true;
	assert_int_equal(stats_changes(counts, LENGTH(counts), &policy, &changes), 2);
	assert_int_equal(changes[0].index, 2);
	assert_true(changes[0].before == 7 && changes[0].after == 8 && changes[0].p == 0);
	assert_int_equal(changes[1].index, 4);
	free(changes);
}

/* A step is seen wherever it falls among the windows, and only it. */
static void step_anywhere(void **state)
{
	for (size_t at = 5; at <= 145; at++) {
		double series[150];
		struct stats_change *changes;

		for (size_t i = 0; i < LENGTH(series); i++)
			series[i] = (i < at ? 100 : 120) + (double)(i % 3);
		assert_int_equal(stats_changes(series, LENGTH(series), &STATS_CHANGE_POLICY_DEFAULT,
					       &changes),
				 1);
		assert_int_equal(changes[0].index, at);
		free(changes);
	}
}

/* The corpus: series whose truth is known. */

#define CORPUS_SERIES 100
#define CORPUS_LENGTH 120
#define CORPUS_NOISE  0.02
#define CORPUS_NEAR   2 /* a change is found when one is reported so many places from it */

struct corpus_row {
	const char *what;
	size_t steps;		  /* in each series */
	double size;		  /* of a step, or of the whole drift, relative */
	bool drift;		  /* between a third and two thirds of the series */
	size_t spikes;		  /* single values, half as large again */
	bool heavy_tail;	  /* noise with outliers of its own: Laplace */
	double recall, precision; /* at least; where there is anything to find */
};

/*
 * Somewhat less than what was measured when this was written (doc/dashboard.md): to see a loss of
 * accuracy, not to promise one.
 */
static const struct corpus_row corpus[] = {
	{"step of 3 % (1.5 sigma)", 1, 0.03, false, 0, false, 0.75, 0.70},
	{"step of 5 % (2.5 sigma)", 1, 0.05, false, 0, false, 0.90, 0.85},
	{"step of 10 % (5 sigma)", 1, 0.10, false, 0, false, 0.98, 0.85},
	{"steps, two of 10 %", 2, 0.10, false, 0, false, 0.98, 0.95},
	{"step of 10 %, spikes", 1, 0.10, false, 4, false, 0.70, 0.45},
	{"step of 10 %, heavy tails", 1, 0.10, false, 0, true, 0.95, 0.80},
	{"drift of 20 %", 0, 0.20, true, 0, false, 0.98, 0.90},
	{"noise", 0, 0, false, 0, false, 0, 0},
	{"noise, heavy tails", 0, 0, false, 0, true, 0, 0},
	{"spikes", 0, 0, false, 4, false, 0, 0},
};

#define CORPUS_MOST_FALSE 0.006 /* alarms per value, where there is nothing to find */

struct score {
	size_t true_changes, recalled; /* of those that are there */
	size_t reported, right;	       /* of those that were reported */
};

static void make_series(const struct corpus_row *row, double series[], size_t steps[])
{
	double level[CORPUS_LENGTH];

	for (size_t i = 0; i < CORPUS_LENGTH; i++)
		level[i] = 1000;
	for (size_t s = 0; s < row->steps; s++) {
		size_t part = CORPUS_LENGTH / row->steps;
		double up = gsl_rng_uniform(rng) < 0.5 ? 1 + row->size : 1 / (1 + row->size);

		steps[s] = s * part + 10 + gsl_rng_uniform_int(rng, part - 20);
		for (size_t i = steps[s]; i < CORPUS_LENGTH; i++)
			level[i] *= up;
	}
	for (size_t i = CORPUS_LENGTH / 3; row->drift && i < CORPUS_LENGTH; i++)
		level[i] *= 1 + row->size * fmin(1, (double)i / (CORPUS_LENGTH / 3.0) - 1);
	for (size_t i = 0; i < CORPUS_LENGTH; i++)
		series[i] = level[i] *
			    (1 + (row->heavy_tail ? gsl_ran_laplace(rng, CORPUS_NOISE / sqrt(2))
						  : gsl_ran_gaussian(rng, CORPUS_NOISE)));
	for (size_t i = 0; i < row->spikes; i++)
		series[gsl_rng_uniform_int(rng, CORPUS_LENGTH)] *= 1.5;
}

static bool near(size_t a, size_t b)
{
	return (a > b ? a - b : b - a) <= CORPUS_NEAR;
}

/* A drift has no one place: what is reported within it is right, and one recalls it. */
static void score_drift(const struct stats_change changes[], size_t n, struct score *score)
{
	size_t right = 0;

	for (size_t i = 0; i < n; i++)
		right += changes[i].index + CORPUS_NEAR >= CORPUS_LENGTH / 3 &&
			 changes[i].index <= CORPUS_LENGTH * 2 / 3 + CORPUS_NEAR;
	score->true_changes++;
	score->recalled += right > 0;
	score->reported += n;
	score->right += right;
}

static void score_steps(const size_t steps[], size_t nsteps, const struct stats_change changes[],
			size_t n, struct score *score)
{
	size_t found = 0;

	for (size_t s = 0; s < nsteps; s++)
		for (size_t i = 0; i < n; i++)
			if (near(changes[i].index, steps[s])) {
				found++;
				break;
			}
	score->true_changes += nsteps;
	score->recalled += found;
	score->reported += n;
	score->right += found;
}

static struct score score_row(const struct corpus_row *row)
{
	struct score score = {0};

	for (int run = 0; run < CORPUS_SERIES; run++) {
		double series[CORPUS_LENGTH];
		size_t steps[4], n;
		struct stats_change *changes;

		make_series(row, series, steps);
		n = stats_changes(series, CORPUS_LENGTH, &STATS_CHANGE_POLICY_DEFAULT, &changes);
		if (row->drift)
			score_drift(changes, n, &score);
		else
			score_steps(steps, row->steps, changes, n, &score);
		free(changes);
	}
	return score;
}

static void print_share(size_t part, size_t whole)
{
	if (whole)
		printf("  %8.1f %%", 100 * (double)part / (double)whole);
	else
		printf("  %10s", "-");
}

static void corpus_scores(void **state)
{
	bool weak = false;

	printf("\n%d series of %d values each, noise of %.0f %%:\n%-26s  %10s  %10s  %s\n",
	       CORPUS_SERIES, CORPUS_LENGTH, 100 * CORPUS_NOISE, "series", "recall", "precision",
	       "false alarms per 100 values");
	for (const struct corpus_row *row = corpus; row < corpus + LENGTH(corpus); row++) {
		struct score s = score_row(row);
		double values = CORPUS_SERIES * CORPUS_LENGTH;
		size_t wrong = s.reported - s.right;

		printf("%-26s", row->what);
		print_share(s.recalled, s.true_changes);
		print_share(s.right, s.true_changes ? s.reported : 0);
		printf("  %27.3f\n", 100 * (double)wrong / values);
		if (s.true_changes)
			weak |= (double)s.recalled < row->recall * (double)s.true_changes ||
				(double)s.right < row->precision * (double)s.reported;
		else
			weak |= (double)wrong > CORPUS_MOST_FALSE * values;
	}
	fflush(stdout);
	assert_false(weak);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(medians),
		cmocka_unit_test(median_interval),
		cmocka_unit_test(median_interval_of_few),
		cmocka_unit_test(mann_whitney_is_exact),
		cmocka_unit_test(mann_whitney_switches_smoothly),
		cmocka_unit_test(equal_values_do_not_differ),
		cmocka_unit_test(ratio_interval_covers),
		cmocka_unit_test(ratio_interval_repeats),
		cmocka_unit_test(ratio_to_nothing),
		cmocka_unit_test(false_discoveries),
		cmocka_unit_test(verdicts_on_many),
		cmocka_unit_test(verdicts),
		cmocka_unit_test(exact_metrics),
		cmocka_unit_test(shares),
		cmocka_unit_test(ratios),
		cmocka_unit_test(noise_bands),
		cmocka_unit_test(within_noise),
		cmocka_unit_test(committed_changes),
		cmocka_unit_test(baselines),
		cmocka_unit_test(short_series),
		cmocka_unit_test(exact_series),
		cmocka_unit_test(step_anywhere),
		cmocka_unit_test(corpus_scores),
	};

	return cmocka_run_group_tests(tests, make_rng, free_rng);
}
