/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DASH_AGAINST_H
#define DASH_AGAINST_H

/*
 * The newer results of one series against older ones: which of them are held against each other,
 * and what that comes to. `check` and the page both ask here.
 */

#include <stdbool.h>

#include "stats.h"
#include "store.h"

/** Where a result stands. */
enum side {
	SIDE_NONE = 0,
	SIDE_OLD = 1,
	SIDE_NEW = 2
};

/** The newer results of a series that has both. */
struct outcome {
	int64_t result; /* the first of the newer ones */
	char *kernel_before, *kernel_after;
	struct stats_difference difference;
	struct stats_interval ratio; /* of the medians, 95 %; NAN where no difference is told */
	bool within_noise;	     /* as far from the rest as others before it */
	char *triage;		/* "known: note" where the change was judged; NULL: it was not */
	double *before, *after; /* repetitions, until it is judged; NULL: no interval is told */
	size_t nbefore, nafter; /* how many there were */
};

/** The results of the series that is going by. */
struct against;

/**
 * @param named  the user named the older results: all of them count. Otherwise it is those before
 *               the newer ones, as far back as stats_baseline() says, or to a change that is known
 *               or wanted, which begins a new level.
 */
struct against *against_new(bool named);
void against_free(struct against *against);

/**
 * The next result of the series, oldest first.
 * @param judged  what was said of it; NULL: nothing
 */
void against_add(struct against *against, const struct result *result, enum side side,
		 const struct triage *judged);

/**
 * All results of the series have gone by; the next one begins another.
 * @param[out] outcome  yet to be judged, where there were results of both sides; to be freed with
 *                      outcome_free().
 * @return the sides that there were results of.
 */
int against_end(struct against *against, const struct series *series, struct outcome *outcome);

void outcome_free(struct outcome *outcome);

/** Judge all of one comparison together. */
void outcomes_judge(struct outcome *const outcomes[], size_t n, const struct stats_policy *policy);

/** What it comes to: a verdict's name, "known", "noise". Static storage. */
const char *outcome_verdict(const struct outcome *outcome);

/** Whether it is told when not all are asked for. */
bool outcome_matters(const struct outcome *outcome);

/** Worse, and nobody said that this is known or wanted. */
bool outcome_is_regression(const struct outcome *outcome);

#endif
