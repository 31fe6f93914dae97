/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DASH_STORE_WRITE_H
#define DASH_STORE_WRITE_H

/* What changes a store; each call is one transaction. */

#include "batch.h"
#include "store.h"

/**
 * Add a run: all of it or nothing; but not results that say when they were measured and are there.
 * @return how many results were added, 0 when all are there already, or -1.
 */
int store_add(struct store *store, const struct batch *batch);

/**
 * Say how a change is judged, in place of what was said before; `series` and `at` are found here.
 * 1, 0 when there is no such result, or -1.
 */
int store_judge(struct store *store, const struct triage *triage);

/** Take a judgement back. 1, 0 when there was none, or -1. */
int store_unjudge(struct store *store, int64_t result);

/** Runs to remove. */
struct prune {
	int64_t run;	/* this one; 0: none by number */
	int64_t before; /* and all that were measured before; 0: none by time */
};

/** How many runs that is; -1 after a message. */
int64_t store_count_doomed(struct store *store, const struct prune *prune);

/** Remove them, with their results, and series that are left without any. 0 or -1. */
int store_prune(struct store *store, const struct prune *prune);

#endif
