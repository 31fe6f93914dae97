/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DASH_TRACK_H
#define DASH_TRACK_H

/*
 * What the page tells of one series: its values, which of them are changes, the noise between
 * these, and how the newest result compares with those before.
 */

#include <stdio.h>

#include "against.h"
#include "store.h"
#include "triages.h"

/** The kernels that results name, numbered as they are met. */
struct kernels {
	char **names;
	size_t n;
};

void kernels_free(struct kernels *kernels);

/** The results of the series that is being read, oldest first. */
struct track;

struct track *track_new(void);
void track_free(struct track *track);

/** Forget the results, for the next series. */
void track_clear(struct track *track);

void track_add(struct track *track, const struct result *result, struct kernels *kernels);

size_t track_results(const struct track *track);

/** Write the values and what a click on each of them shows: a JSON object. */
void track_put_values(const struct track *track, FILE *out);

/**
 * Write what the page wants to know before it shows the series: members of a JSON object, the
 * series' own first.
 */
void track_put_summary(const struct track *track, const struct series *series,
		       const struct triages *triages, FILE *out);

/** The newest results of a series, those of one commit, against the ones before them. */
struct track_latest {
	struct outcome outcome; /* yet to be judged; freed by the caller */
	size_t at;		/* the first of the newest */
};

/** Compare them, as `check` does. False when there is nothing before the newest. */
bool track_latest(const struct track *track, const struct series *series,
		  const struct kernels *kernels, const struct triages *triages,
		  struct track_latest *latest);

#endif
