/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DASH_PICK_H
#define DASH_PICK_H

/* Which results the user means. */

#include <stdbool.h>

#include "store.h"

/** One run, or all runs of a commit. */
struct pick {
	struct store_part which; /* the commit's text is the pick's own */
	char *name;		 /* in words */
};

/**
 * @param what  the number of a run, a file that was added, the beginning of a commit's hash, or
 *              a revision of the Git repository in the present folder, as main~20; of its ancestors
 *              the nearest that has results is taken.
 * @return 0, or -1 after a message; free with pick_free() in any case.
 */
int pick_named(struct store *store, const char *what, struct pick *pick);

/** The newest run that has results which match, with all others of its commit. As pick_named(). */
int pick_newest(struct store *store, const struct store_filter *filter, struct pick *pick);

/** The run of a result, with all others of its commit. */
struct pick pick_around(const struct result *result);

bool pick_has(const struct pick *pick, const struct result *result);

bool pick_same(const struct pick *a, const struct pick *b);

void pick_free(struct pick *pick);

#endif
