/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two samples: medians, the Mann-Whitney test, intervals, and the verdict on many comparisons at
 * once. The distributions, sorting and random numbers are GSL's.
 */

#include <err.h>
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <gsl/gsl_sf_gamma.h>
#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stats.h"

/* Bootstrap resamples: the ends of a 95 % interval are then the 50th values from both sides. */
#define RESAMPLES 2000

static double *new_doubles(size_t n)
{
	double *array = calloc(n ? n : 1, sizeof(*array));

	if (!array)
		err(EXIT_FAILURE, "statistics of %zu values", n);
	return array;
}

static double *sorted(struct stats_sample sample)
{
	double *copy = new_doubles(sample.n);

	memcpy(copy, sample.values, sample.n * sizeof(*copy));
	gsl_sort(copy, 1, sample.n);
	return copy;
}

double stats_quantile(struct stats_sample sample, double p)
{
	double *values = sorted(sample);
	double quantile = gsl_stats_quantile_from_sorted_data(values, 1, sample.n, p);

	free(values);
	return quantile;
}

double stats_median(struct stats_sample sample)
{
	return stats_quantile(sample, 0.5);
}

struct stats_interval stats_median_interval(struct stats_sample sample, double confidence)
{
	double *values = sorted(sample);
	struct stats_interval interval;
	unsigned int n = (unsigned int)sample.n, cut = 0;

	/* As many values lie below the median as heads fall in n throws of a coin. */
	while (cut + 1 < n - cut - 1 && 1 - 2 * gsl_cdf_binomial_P(cut + 1, 0.5, n) >= confidence)
		cut++;
	interval.low = values[cut];
	interval.high = values[n - 1 - cut];
	interval.coverage = fmax(0, 1 - 2 * gsl_cdf_binomial_P(cut, 0.5, n));
	free(values);
	return interval;
}

/* The median of as many values drawn from the sample, with replacement, as it has. */
static double resampled_median(gsl_rng *rng, struct stats_sample sample, double *drawn)
{
	for (size_t i = 0; i < sample.n; i++)
		drawn[i] = sample.values[gsl_rng_uniform_int(rng, sample.n)];
	return gsl_stats_median(drawn, 1, sample.n);
}

struct stats_interval stats_ratio_interval(struct stats_sample before, struct stats_sample after,
					   double confidence, uint64_t seed)
{
	gsl_rng *rng = gsl_rng_alloc(gsl_rng_taus2);
	double *drawn = new_doubles(before.n > after.n ? before.n : after.n);
	double *ratios = new_doubles(RESAMPLES);
	struct stats_interval interval = {NAN, NAN, confidence};
	size_t n = 0;

	if (!rng)
		errx(EXIT_FAILURE, "out of memory");
	gsl_rng_set(rng, seed);
	for (size_t i = 0; i < RESAMPLES; i++) {
		double divisor = resampled_median(rng, before, drawn);
		double ratio = resampled_median(rng, after, drawn) / divisor;

		if (isfinite(ratio))
			ratios[n++] = ratio;
	}
	gsl_sort(ratios, 1, n);
	if (n > 0) {
		interval.low =
			gsl_stats_quantile_from_sorted_data(ratios, 1, n, (1 - confidence) / 2);
		interval.high =
			gsl_stats_quantile_from_sorted_data(ratios, 1, n, (1 + confidence) / 2);
	}
	free(ratios);
	free(drawn);
	gsl_rng_free(rng);
	return interval;
}

/* Both samples, ranked together. Ranks are doubled, so that a midrank is an integer too. */
struct ranking {
	size_t n;
	size_t *doubled;   /* by position in a and then b */
	double tie_groups; /* sum over groups of t equal values of t^3 - t */
};

static void rank_together(struct stats_sample a, struct stats_sample b, struct ranking *ranking)
{
	size_t n = a.n + b.n, *order = calloc(n, sizeof(*order));
	double *values = new_doubles(n);

	*ranking = (struct ranking){.n = n, .doubled = calloc(n, sizeof(*ranking->doubled))};
	if (!order || !ranking->doubled)
		err(EXIT_FAILURE, "ranking %zu values", n);
	memcpy(values, a.values, a.n * sizeof(*values));
	memcpy(values + a.n, b.values, b.n * sizeof(*values));
	gsl_sort_index(order, values, 1, n);
	for (size_t first = 0, next; first < n; first = next) {
		double ties;

		for (next = first + 1; next < n && values[order[next]] == values[order[first]];)
			next++;
		ties = (double)(next - first);
		ranking->tie_groups += ties * ties * ties - ties;
		/* Ranks first + 1 to next have the mean (first + 1 + next) / 2. */
		for (size_t i = first; i < next; i++)
			ranking->doubled[order[i]] = first + 1 + next;
	}
	free(values);
	free(order);
}

/*
 * The two-sided p of the doubled rank sum that @p k of the ranked values have: ways[j][sum] counts
 * the choices of j values with that sum. Doubles hold the counts of up to 50 values exactly, as
 * C(50, 25) is below 2^53.
 */
static double exact_p(const struct ranking *ranking, size_t k, size_t observed)
{
	size_t most = k * 2 * ranking->n, seen = 0;
	double *ways = new_doubles((k + 1) * (most + 1));
	double below = 0, above = 0, all = 0;

	ways[0] = 1;
	for (size_t i = 0; i < ranking->n; i++) {
		size_t rank = ranking->doubled[i];

		seen = seen + rank < most ? seen + rank : most;
		for (size_t j = k < i + 1 ? k : i + 1; j > 0; j--) {
			double *with = ways + j * (most + 1);
			const double *without = with - (most + 1);

			for (size_t sum = rank; sum <= seen; sum++)
				with[sum] += without[sum - rank];
		}
	}
	for (size_t sum = 0; sum <= most; sum++) {
		double count = ways[k * (most + 1) + sum];

		all += count;
		below += sum <= observed ? count : 0;
		above += sum >= observed ? count : 0;
	}
	free(ways);
	return fmin(1, 2 * fmin(below, above) / all);
}

static double normal_p(const struct ranking *ranking, double n_a, double n_b, double u)
{
	double n = (double)ranking->n, mean = n_a * n_b / 2;
	double variance = n_a * n_b / 12 * (n + 1 - ranking->tie_groups / (n * (n - 1)));

	if (variance <= 0) /* all values are equal */
		return 1;
	return fmin(1, 2 * gsl_cdf_ugaussian_Q((fabs(u - mean) - 0.5) / sqrt(variance)));
}

struct stats_mann_whitney stats_mann_whitney(struct stats_sample a, struct stats_sample b)
{
	struct stats_mann_whitney test = {.exact = a.n + b.n <= STATS_EXACT_UP_TO};
	struct ranking ranking;
	size_t sum_a = 0, sum_b = 0;

	rank_together(a, b, &ranking);
	for (size_t i = 0; i < a.n; i++)
		sum_a += ranking.doubled[i];
	for (size_t i = a.n; i < ranking.n; i++)
		sum_b += ranking.doubled[i];
	test.u = ((double)sum_b - (double)(b.n * (b.n + 1))) / 2;
	test.least_p =
		fmin(1, 2 * exp(-gsl_sf_lnchoose((unsigned int)ranking.n, (unsigned int)a.n)));
	if (!test.exact)
		test.p = normal_p(&ranking, (double)a.n, (double)b.n, test.u);
	else if (a.n < b.n)
		test.p = exact_p(&ranking, a.n, sum_a);
	else
		test.p = exact_p(&ranking, b.n, sum_b);
	free(ranking.doubled);
	return test;
}

void stats_fdr(const double p[], size_t n, double q[])
{
	size_t *order = calloc(n ? n : 1, sizeof(*order));
	double least = 1;

	if (!order)
		err(EXIT_FAILURE, "adjusting %zu p-values", n);
	gsl_sort_index(order, p, 1, n);
	for (size_t rank = n; rank > 0; rank--) {
		least = fmin(least, p[order[rank - 1]] * (double)n / (double)rank);
		q[order[rank - 1]] = least;
	}
	free(order);
}

static double ratio_of(double before, double after)
{
	if (before == after)
		return 1;
	return before ? after / before : copysign(INFINITY, after);
}

static double middle(struct stats_sample sample, struct stats_metric metric)
{
	if (metric.share)
		return gsl_stats_mean(sample.values, 1, sample.n);
	return stats_median(sample);
}

struct stats_difference stats_compare(struct stats_sample before, struct stats_sample after,
				      struct stats_metric metric)
{
	struct stats_difference d = {
		.metric = metric,
		.before = middle(before, metric),
		.after = middle(after, metric),
	};

	d.ratio = ratio_of(d.before, d.after);
	if (metric.exact) {
		d.p = d.before == d.after ? 1 : 0;
	} else {
		struct stats_mann_whitney test = stats_mann_whitney(before, after);

		d.p = test.p;
		d.least_p = test.least_p;
	}
	d.q = d.p;
	return d;
}

/*
 * A comparison that could not have become significant is no test and does not count among those
 * that are corrected for (Tarone 1990); an exact metric needs no test.
 */
static bool tested(const struct stats_difference *d, const struct stats_policy *policy)
{
	return !d->metric.exact && d->least_p <= policy->alpha;
}

static enum stats_verdict verdict_of(const struct stats_difference *d,
				     const struct stats_policy *policy)
{
	if (d->metric.exact) {
		if (d->before == d->after)
			return STATS_SAME;
	} else {
		if (!tested(d, policy))
			return STATS_TOO_FEW;
		if (d->q > policy->alpha || fabs(d->ratio - 1) <= policy->min_effect)
			return STATS_SAME;
	}
	if (d->metric.better == 0)
		return STATS_CHANGED;
	return (d->after > d->before) == (d->metric.better > 0) ? STATS_BETTER : STATS_WORSE;
}

void stats_judge(struct stats_difference differences[], size_t n, const struct stats_policy *policy)
{
	double *p = new_doubles(n), *q = new_doubles(n);
	size_t tests = 0;

	for (size_t i = 0; i < n; i++)
		if (tested(&differences[i], policy))
			p[tests++] = differences[i].p;
	stats_fdr(p, tests, q);
	tests = 0;
	for (size_t i = 0; i < n; i++) {
		if (tested(&differences[i], policy))
			differences[i].q = q[tests++];
		differences[i].verdict = verdict_of(&differences[i], policy);
	}
	free(q);
	free(p);
}

const char *stats_verdict_str(enum stats_verdict verdict)
{
	static const char *const names[] = {
		[STATS_SAME] = "same",	 [STATS_CHANGED] = "changed", [STATS_BETTER] = "better",
		[STATS_WORSE] = "worse", [STATS_TOO_FEW] = "too few",
	};

	return names[verdict];
}

struct stats_interval stats_noise_band(struct stats_sample segment)
{
	double median = stats_median(segment), *distances = new_doubles(segment.n), width;

	for (size_t i = 0; i < segment.n; i++)
		distances[i] = fabs(segment.values[i] - median);
	width = 3 * 1.4826 * gsl_stats_median(distances, 1, segment.n);
	free(distances);
	return (struct stats_interval){median - width, median + width, NAN};
}

#define RUNS_FOR_NOISE 5

bool stats_within_noise(struct stats_sample others, double value)
{
	struct stats_interval band;

	if (others.n < RUNS_FOR_NOISE)
		return false;
	band = stats_noise_band(others);
	return value >= band.low && value <= band.high;
}
