/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Change points of a series.
 *
 * E-divisive asks of every pair of neighbouring stretches how much further apart their values are
 * than values within each of them (the energy distance), takes the best split, tests it, and goes
 * on in the pieces: D. S. Matteson, N. A. James: A Nonparametric Approach for Multiple Change Point
 * Analysis of Multivariate Data. JASA 109 (2014). The t-test in place of permutations, the windows
 * and the merge are of M. Fleming et al.: Hunter: Using Change Point Detection to Hunt for
 * Performance Regressions. ICPE 2023, whose program is now Apache Otava.
 */

#include <err.h>
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stats.h"

/* Indexes of change points, ascending; those of the pieces' ends are not in it. */
struct points {
	size_t n;
	size_t *at;
};

/* In its place, unless it is there already. */
static void insert_point(struct points *points, size_t index)
{
	size_t place = points->n;

	while (place > 0 && points->at[place - 1] > index)
		place--;
	if (place > 0 && points->at[place - 1] == index)
		return;
	memmove(points->at + place + 1, points->at + place,
		(points->n - place) * sizeof(*points->at));
	points->at[place] = index;
	points->n++;
}

static double mean(const double values[], size_t n)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += values[i];
	return sum / (double)n;
}

static double squares(const double values[], size_t n, double around)
{
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += (values[i] - around) * (values[i] - around);
	return sum;
}

/* The change at @p index between two pieces, [start, index) and [index, end). */
static struct stats_change test_change(const double series[], size_t start, size_t index,
				       size_t end)
{
	struct stats_change change = {.index = index, .p = 1};
	size_t left = index - start, right = end - index;
	double freedom = (double)(left + right) - 2, pooled, distance, t_squared;

	change.before = mean(series + start, left);
	change.after = mean(series + index, right);
	if (freedom <= 0)
		return change;
	/* Variances over n, weighted with n - 1: Otava's convention. */
	pooled = (squares(series + start, left, change.before) * (double)(left - 1) / (double)left +
		  squares(series + index, right, change.after) * (double)(right - 1) /
			  (double)right) /
		 freedom;
	distance = fabs(change.after - change.before);
	if (pooled <= 0) {
		change.p = distance > 0 ? 0 : 1;
		return change;
	}
	t_squared = distance * distance / (pooled * (1 / (double)left + 1 / (double)right));
	/* Both tails of Student's t. gsl_cdf_tdist_Q() is an approximation from 30 degrees on. */
	change.p = gsl_cdf_beta_P(freedom / (freedom + t_squared), freedom / 2, 0.5);
	return change;
}

/* One window of the series, and what is summed up beforehand. */
struct window {
	const double *series;
	size_t n;
	double *sums; /* sums[j * (n + 1) + i]: the distances of value j to all before value i */
};

static double distances(const struct window *w, size_t value, size_t from, size_t to)
{
	const double *sums = w->sums + value * (w->n + 1);

	return sums[to] - sums[from];
}

static void sum_up(struct window *w)
{
	for (size_t j = 0; j < w->n; j++) {
		double *sums = w->sums + j * (w->n + 1);

		sums[0] = 0;
		for (size_t i = 0; i < w->n; i++)
			sums[i + 1] = sums[i] + fabs(w->series[j] - w->series[i]);
	}
}

/* The mean distance of all pairs within n values, given its sum; times what weighs it. */
static double within(double sum, size_t n, double weight)
{
	return n > 1 ? 2 * weight * sum / ((double)n - 1) : 0;
}

/*
 * The split of [start, end) that maximises the scaled energy distance between [start, split) and
 * [split, stop), over every stop up to end (section 2.2 of Matteson and James).
 */
static double best_split(const struct window *w, size_t start, size_t end, size_t *best)
{
	double best_q = -INFINITY, left = 0;

	for (size_t split = start + 1; split < end; split++) {
		double cross = 0, right = 0;

		left += distances(w, split - 1, start, split - 1);
		for (size_t stop = split + 1; stop <= end; stop++) {
			size_t n = split - start, m = stop - split;
			double q;

			cross += distances(w, stop - 1, start, split);
			right += distances(w, stop - 1, split, stop - 1);
			q = (2 * cross - within(left, n, (double)m) - within(right, m, (double)n)) /
			    (double)(n + m);
			if (q > best_q) {
				best_q = q;
				*best = split;
			}
		}
	}
	return best_q;
}

/* Divide a window for as long as its best split is significant; the points are its own indexes. */
static void divide(const struct window *w, double max_p, struct points *points)
{
	for (;;) {
		double best_q = -INFINITY;
		size_t from = 0, split = 0, to = 0;

		for (size_t piece = 0; piece <= points->n; piece++) {
			size_t start = piece > 0 ? points->at[piece - 1] : 0;
			size_t end = piece < points->n ? points->at[piece] : w->n, best = 0;
			double q = best_split(w, start, end, &best);

			if (q > best_q) {
				best_q = q;
				from = start;
				split = best;
				to = end;
			}
		}
		if (to == 0 || test_change(w->series, from, split, to).p > max_p)
			return;
		insert_point(points, split);
	}
}

/* The points that windows of the series give, each overlapping the last by half. */
static void divide_series(const double series[], size_t n, size_t length, double max_p,
			  struct points *points)
{
	struct points inside = {.at = calloc(length, sizeof(*inside.at))};
	struct window w = {.sums = calloc(length * (length + 1), sizeof(*w.sums))};
	size_t start = 0;

	if (!inside.at || !w.sums)
		err(EXIT_FAILURE, "change points in windows of %zu", length);
	while (start < n) {
		size_t last = 0;

		w.series = series + start;
		w.n = n - start < length ? n - start : length;
		sum_up(&w);
		inside.n = 0;
		divide(&w, max_p, &inside);
		for (size_t i = 0; i < inside.n; i++) {
			last = start + inside.at[i];
			insert_point(points, last);
		}
		start = last > start + length / 2 ? last : start + length / 2;
	}
	free(w.sums);
	free(inside.at);
}

/* How large a change is, relative to the smaller side. */
static double effect(const struct stats_change *change)
{
	double forward = change->before ? fabs(change->after / change->before - 1) : 0;
	double backward = change->after ? fabs(change->before / change->after - 1) : 0;

	return fmax(forward, backward);
}

static void retest(const double series[], size_t n, struct stats_change changes[], size_t count,
		   size_t i)
{
	size_t start = i > 0 ? changes[i - 1].index : 0;
	size_t end = i + 1 < count ? changes[i + 1].index : n;

	if (i < count)
		changes[i] = test_change(series, start, changes[i].index, end);
}

/* The change to drop next: the least certain; where all are certain, the smallest. Or count. */
static size_t weakest(const struct stats_change changes[], size_t count,
		      const struct stats_change_policy *policy)
{
	size_t uncertain = 0, small = 0;

	for (size_t i = 1; i < count; i++) {
		if (changes[i].p > changes[uncertain].p)
			uncertain = i;
		if (effect(&changes[i]) < effect(&changes[small]))
			small = i;
	}
	if (count > 0 && changes[uncertain].p >= policy->max_p)
		return uncertain;
	if (count > 0 && effect(&changes[small]) <= policy->min_effect)
		return small;
	return count;
}

/*
 * Drop changes one at a time, as each that goes alters the pieces of those on both sides. (Otava
 * tests only the one behind it again, and keeps what the one before had shown in a shorter
 * piece.)
 */
static size_t merge(const double series[], size_t n, const struct stats_change_policy *policy,
		    struct stats_change changes[], size_t count)
{
	size_t drop;

	while ((drop = weakest(changes, count, policy)) < count) {
		count--;
		memmove(changes + drop, changes + drop + 1, (count - drop) * sizeof(*changes));
		if (drop > 0)
			retest(series, n, changes, count, drop - 1);
		retest(series, n, changes, count, drop);
	}
	return count;
}

/* The first pass finds candidates: it may be ten times less certain, and twice where that is much.
 */
static double first_pass(double max_p)
{
	if (max_p < 0.05)
		return max_p * 10;
	return max_p < 0.5 ? max_p * 2 : max_p;
}

/* A count that repeats to the digit: wherever it is another. */
static size_t every_change(const double series[], size_t n, struct stats_change changes[])
{
	size_t count = 0;

	for (size_t i = 1; i < n; i++)
		if (series[i] != series[i - 1])
			changes[count++] = (struct stats_change){
				.index = i, .before = series[i - 1], .after = series[i]};
	return count;
}

static size_t level_changes(const double series[], size_t n,
			    const struct stats_change_policy *policy, struct stats_change changes[])
{
	struct points points = {.at = calloc(n + 1, sizeof(*points.at))};

	if (!points.at)
		err(EXIT_FAILURE, "change points of %zu values", n);
	divide_series(series, n, policy->window, first_pass(policy->max_p), &points);
	for (size_t i = 0; i < points.n; i++)
		changes[i].index = points.at[i];
	for (size_t i = 0; i < points.n; i++)
		retest(series, n, changes, points.n, i);
	free(points.at);
	return merge(series, n, policy, changes, points.n);
}

size_t stats_changes(const double series[], size_t n, const struct stats_change_policy *policy,
		     struct stats_change **changes)
{
	struct stats_change *found = calloc(n + 1, sizeof(*found));
	size_t count;

	if (!found)
		err(EXIT_FAILURE, "change points of %zu values", n);
	count = policy->exact ? every_change(series, n, found)
			      : level_changes(series, n, policy, found);
	if (count == 0) {
		free(found);
		found = NULL;
	}
	*changes = found;
	return count;
}

size_t stats_baseline(const double series[], size_t n, bool exact)
{
	struct stats_change_policy policy = STATS_CHANGE_POLICY_DEFAULT;
	size_t least = n > STATS_BASELINE ? n - STATS_BASELINE : 0, first = least, found;
	struct stats_change *changes;

	if (exact)
		return n > 0;
	found = stats_changes(series + least, n - least, &policy, &changes);
	if (found)
		first += changes[found - 1].index;
	free(changes);
	return n - first;
}
