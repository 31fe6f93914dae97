/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DASH_WALK_H
#define DASH_WALK_H

/* Results together with the series they are of. */

#include "store.h"

struct walk;

/** All results that match, by series and in each by time. @return NULL after a message. */
struct walk *walk_start(struct store *store, const struct store_filter *filter);

/** The same of results that a cursor gives, which it ends; NULL: there was a message. */
struct walk *walk_over(struct cursor *results, struct store *store,
		       const struct store_filter *filter);

/**
 * The next result. What is given lives until the next call; the series keeps its id as long as its
 * results last. @return 1, 0 at the end, -1 after a message.
 */
int walk_next(struct walk *walk, const struct series **series, struct result *result);

/** The newest result of a series, and how many it has. */
struct newest {
	long long count;
	int64_t result, measured;
	double value;
};

/**
 * The next series that has results that match. For a walk on which walk_next() is not called.
 * @return 1, 0 at the end, -1 after a message.
 */
int walk_next_series(struct walk *walk, const struct series **series, struct newest *newest);

void walk_end(struct walk *walk);

#endif
