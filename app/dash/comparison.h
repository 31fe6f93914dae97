/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DASH_COMPARISON_H
#define DASH_COMPARISON_H

/* New results against older ones, series by series. */

#include <stdbool.h>
#include <stdio.h>

#include "against.h"
#include "stats.h"
#include "store.h"

/** One series that has both. */
struct comparison_row {
	char *fingerprint, *title, *handler, *machine, *metric, *unit;
	int64_t series;
	struct outcome outcome;
};

struct comparison {
	char *old_name, *new_name;
	struct comparison_row *rows; /* the worst first */
	size_t n;
	size_t without_old; /* new series, that nothing can be compared with */
	size_t without_new; /* series of a baseline that was named, but not of the new results */
	size_t regressions; /* worse, and nobody said that this is known or wanted */
};

/** How the user wants it. */
struct comparison_options {
	struct store_filter filter;
	const char *against; /* as pick_named(); NULL: the results before the new ones */
	const char *of;	     /* the new ones; NULL: the newest */
	struct stats_policy policy;
};

/** @return 0, or -1 after a message. Free with comparison_free() in any case. */
int comparison_make(struct store *store, const struct comparison_options *options,
		    struct comparison *comparison);

void comparison_free(struct comparison *comparison);

/* How it is shown. @param all  also what stayed as it was. */
void comparison_print(const struct comparison *c, bool all, FILE *out);
void comparison_print_markdown(const struct comparison *c, bool all, FILE *out);
int comparison_print_json(const struct comparison *c);

#endif
