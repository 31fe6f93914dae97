/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DASH_STATS_H
#define DASH_STATS_H

/*
 * What the numbers say: whether two samples differ, and where a series changed.
 *
 * Pure functions: no files, no clock, no global state, the same answer for the same input on every
 * machine. Any thread may call them. Values are finite, in whatever unit the caller has; samples
 * have at least one value. Running out of memory ends the program, as everywhere in the apps.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Repetitions of one measurement, in any order. The caller keeps them. */
struct stats_sample {
	const double *values;
	size_t n;
};

struct stats_interval {
	double low;
	double high;
	double coverage; /* the probability that it covers the true value, 0 to 1 */
};

/** The middle value, or the mean of the two in the middle. */
double stats_median(struct stats_sample sample);

/** The value that the share @p p (0 to 1) of the sample does not exceed, linear between two. */
double stats_quantile(struct stats_sample sample, double p);

/**
 * Where the median of the population lies, with no assumption on its distribution: the narrowest
 * pair of order statistics, equally far from both ends, that covers it with @p confidence. A sample
 * too small for that (below 6 values for 95 %) gives its extremes and their true coverage.
 */
struct stats_interval stats_median_interval(struct stats_sample sample, double confidence);

/**
 * The ratio of medians, after to before: percentile bootstrap interval. Resamples in which the
 * median before is 0 are left out; both ends are NAN when that leaves none.
 *
 * @param seed  the same seed gives the same interval
 */
struct stats_interval stats_ratio_interval(struct stats_sample before, struct stats_sample after,
					   double confidence, uint64_t seed);

/** Up to this many values in both samples together, the Mann-Whitney test is exact. */
#define STATS_EXACT_UP_TO 50

struct stats_mann_whitney {
	double u;	/* pairs in which the second sample's value is larger; a tie counts half */
	double p;	/* two-sided */
	double least_p; /* no samples of these sizes could have a smaller one */
	bool exact;	/* from all permutations, or else from the normal approximation */
};

/**
 * Do two samples come from one distribution? Ties are dealt with: exactly, by counting permutations
 * of the midranks, up to STATS_EXACT_UP_TO; beyond that by the normal approximation with tie and
 * continuity correction.
 */
struct stats_mann_whitney stats_mann_whitney(struct stats_sample a, struct stats_sample b);

/** False-discovery control by Benjamini and Hochberg: @p q[i] is the adjusted @p p[i]. */
void stats_fdr(const double p[], size_t n, double q[]);

/** What a metric is. */
struct stats_metric {
	int better; /* -1: lower is better, as of times and costs; 1: higher; 0: it is not known */
	bool exact; /* a count that repeats to the digit: any change is a change */
	bool share; /* 0 or 1 per repetition: their mean says what a median would not */
};

/** What counts as a difference. */
struct stats_policy {
	double alpha;	   /* expected share of false alarms among those raised; 0.05 */
	double min_effect; /* relative; smaller differences are not reported; 0.02 */
};

#define STATS_POLICY_DEFAULT        \
	((struct stats_policy){     \
		.alpha = 0.05,      \
		.min_effect = 0.02, \
	})

enum stats_verdict {
	STATS_SAME,
	STATS_CHANGED, /* where it is not known what is better */
	STATS_BETTER,
	STATS_WORSE,
	STATS_TOO_FEW, /* so few repetitions that nothing could have been significant */
};

struct stats_difference {
	struct stats_metric metric;
	double before;	/* median; of a share the mean */
	double after;	/* the same */
	double ratio;	/* after to before; 1 when both are 0, infinite when only before is */
	double p;	/* of stats_mann_whitney(); of an exact metric 0 or 1 */
	double least_p; /* as there */
	double q;	/* p, adjusted for all differences that were judged together */
	enum stats_verdict verdict;
};

/** Compare two samples; q and verdict are left to stats_judge(). */
struct stats_difference stats_compare(struct stats_sample before, struct stats_sample after,
				      struct stats_metric metric);

/**
 * Judge all differences of one comparison together: a verdict needs significance after
 * false-discovery control and more than the least effect. Exact metrics need neither.
 */
void stats_judge(struct stats_difference differences[], size_t n,
		 const struct stats_policy *policy);

/** "same", "changed", "better", "worse" or "too few". */
const char *stats_verdict_str(enum stats_verdict verdict);

/* Series */

struct stats_change {
	size_t index;  /* the first value after the change */
	double p;      /* Student's t-test of the segments on both sides; 1 - p is the confidence */
	double before; /* mean of the segment before it */
	double after;  /* mean of the segment after it */
};

struct stats_change_policy {
	size_t window;	   /* values looked at together, at least 2; 50 */
	double max_p;	   /* changes less certain are dropped; 0.001 */
	double min_effect; /* relative, of the smaller mean; smaller changes are dropped; 0.02 */
	bool exact;	   /* a count that repeats to the digit: report every change, with p = 0 */
};

#define STATS_CHANGE_POLICY_DEFAULT    \
	((struct stats_change_policy){ \
		.window = 50,          \
		.max_p = 0.001,        \
		.min_effect = 0.02,    \
	})

/**
 * Where a series changed its level: E-divisive with means (Matteson and James 2014) in windows that
 * overlap by half, then a merge that drops the least certain and the smallest until all that
 * remain hold against their neighbours (Fleming et al. 2023), as Apache Otava does it. Like there,
 * the t-test is given standard deviations that were divided by n and not by n - 1, which makes it
 * a little more eager on short segments.
 *
 * @param[out] changes  in the order of the series, to be freed by the caller; NULL when none
 * @return how many there are
 */
size_t stats_changes(const double series[], size_t n, const struct stats_change_policy *policy,
		     struct stats_change **changes);

/**
 * The noise band of the values between two changes: their median, plus and minus three times the
 * median absolute deviation scaled to a standard deviation (1.4826 for a normal distribution).
 * Spikes do not widen it.
 */
struct stats_interval stats_noise_band(struct stats_sample segment);

/** No series is held against more of its values than this. */
#define STATS_BASELINE 20

/**
 * How many of the newest values of a series the next one is to be held against: those since the
 * last change, at most STATS_BASELINE; of a count that repeats to the digit, one.
 */
size_t stats_baseline(const double series[], size_t n, bool exact);

/**
 * Whether a value is no further from others than their noise is wide. Repetitions within one run do
 * not show how much runs differ (a new boot, another page colour), so a test of them alone cries
 * wolf where the values of several runs would not. Of fewer than 5 the noise is not known: false.
 */
bool stats_within_noise(struct stats_sample others, double value);

#endif
