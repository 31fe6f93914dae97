/* SPDX-License-Identifier: BSD-3-Clause */
/* Two cursors side by side: series and results both come by the series' number. */

#include <err.h>
#include <stdlib.h>

#include "walk.h"

struct walk {
	struct cursor *all_series, *results;
	struct series series; /* id 0: none yet */
};

struct walk *walk_start(struct store *store, const struct store_filter *filter)
{
	struct walk *w = calloc(1, sizeof(*w));

	if (!w)
		err(1, NULL);
	/* Results first: a series that is added in between has none here. */
	w->results = store_results(store, filter);
	w->all_series = w->results ? store_series(store, filter) : NULL;
	if (w->all_series)
		return w;
	walk_end(w);
	return NULL;
}

int walk_next(struct walk *w, const struct series **series, struct result *result)
{
	int got = result_next(w->results, result);

	while (got > 0 && w->series.id < result->series)
		got = series_next(w->all_series, &w->series);
	*series = &w->series;
	return got;
}

void walk_end(struct walk *w)
{
	if (!w)
		return;
	cursor_end(w->all_series);
	cursor_end(w->results);
	free(w);
}
