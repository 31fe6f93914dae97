/* SPDX-License-Identifier: BSD-3-Clause */
/* Two cursors side by side: series and results both come by the series' number. */

#include <err.h>
#include <stdlib.h>

#include "walk.h"

struct walk {
	struct cursor *all_series, *results;
	struct series series; /* id 0: none yet */
	struct result ahead;  /* of walk_next_series(): the first result of the next series */
	bool begun, ended;
};

struct walk *walk_over(struct cursor *results, struct store *store,
		       const struct store_filter *filter)
{
	struct walk *w = calloc(1, sizeof(*w));

	if (!w)
		err(1, NULL);
	/* Results first: a series that is added in between has none here. */
	w->results = results;
	w->all_series = w->results ? store_series(store, filter) : NULL;
	if (w->all_series)
		return w;
	walk_end(w);
	return NULL;
}

struct walk *walk_start(struct store *store, const struct store_filter *filter)
{
	return walk_over(store_results(store, filter), store, filter);
}

int walk_next(struct walk *w, const struct series **series, struct result *result)
{
	int got = result_next(w->results, result);

	while (got > 0 && w->series.id < result->series)
		got = series_next(w->all_series, &w->series);
	*series = &w->series;
	return got;
}

/* To the first result of all. */
static int begin(struct walk *w)
{
	int got = w->begun ? 1 : result_next(w->results, &w->ahead);

	w->begun = true;
	w->ended = got == 0;
	return got;
}

int walk_next_series(struct walk *w, const struct series **series, struct newest *newest)
{
	int got = w->ended ? 0 : begin(w);

	while (got > 0 && w->series.id < w->ahead.series)
		got = series_next(w->all_series, &w->series);
	if (got <= 0)
		return got;
	*series = &w->series;
	newest->count = 0;
	for (; got > 0 && w->ahead.series == w->series.id; newest->count++) {
		newest->result = w->ahead.id;
		newest->measured = w->ahead.measured;
		newest->value = w->ahead.value;
		got = result_next(w->results, &w->ahead);
	}
	w->ended = got == 0;
	return got < 0 ? -1 : 1;
}

void walk_end(struct walk *w)
{
	if (!w)
		return;
	cursor_end(w->all_series);
	cursor_end(w->results);
	free(w);
}
