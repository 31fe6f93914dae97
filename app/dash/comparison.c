/* SPDX-License-Identifier: BSD-3-Clause */
/* Which results are compared, and in which order that is told. against.c says what comes of it. */

#include <err.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "comparison.h"
#include "options.h"
#include "pick.h"
#include "text.h"
#include "triages.h"
#include "walk.h"

/* What is going on while all results go by. */
struct work {
	struct store *store;
	struct comparison *comparison;
	struct pick old, new; /* old without a name: the results before the new ones */
	struct triages triages;
	struct against *against;
	size_t room; /* for rows */
};

static void add_row(struct work *w, const struct series *s, const struct outcome *outcome)
{
	struct comparison *c = w->comparison;

	if (c->n == w->room) {
		w->room = w->room ? 2 * w->room : 64;
		c->rows = reallocarray(c->rows, w->room, sizeof(*c->rows));
		if (!c->rows)
			err(1, NULL);
	}
	c->rows[c->n++] = (struct comparison_row){
		.fingerprint = format("%s", s->fingerprint),
		.title = series_title(s, false),
		.handler = format("%s", s->handler),
		.machine = format("%s", s->machine),
		.metric = format("%s", s->metric),
		.unit = format("%s", s->unit),
		.series = s->id,
		.outcome = *outcome,
	};
}

/* All results of a series have gone by. */
static void end_series(struct work *w, const struct series *s)
{
	struct outcome outcome;
	int sides = against_end(w->against, s, &outcome);

	if (sides == (SIDE_OLD | SIDE_NEW))
		add_row(w, s, &outcome);
	else if (sides == SIDE_NEW)
		w->comparison->without_old++;
	else if (sides == SIDE_OLD && w->old.name)
		w->comparison->without_new++;
}

static enum side side_of(const struct work *w, const struct result *r)
{
	if (pick_has(&w->new, r))
		return SIDE_NEW;
	return !w->old.name || pick_has(&w->old, r) ? SIDE_OLD : SIDE_NONE;
}

/* A series without its cursor. */
static struct series series_copy(const struct series *s)
{
	struct series copy = *s;

	copy.fingerprint = format("%s", s->fingerprint);
	copy.benchmark = format("%s", s->benchmark);
	copy.parameters = format("%s", s->parameters);
	copy.handler = format("%s", s->handler);
	copy.machine = format("%s", s->machine);
	copy.metric = format("%s", s->metric);
	copy.unit = format("%s", s->unit);
	return copy;
}

static void series_free(struct series *s)
{
	free((char *)s->fingerprint);
	free((char *)s->benchmark);
	free((char *)s->parameters);
	free((char *)s->handler);
	free((char *)s->machine);
	free((char *)s->metric);
	free((char *)s->unit);
}

/* Not all there is: what is neither compared nor was judged stays in the store. */
static struct cursor *wanted(struct work *w, const struct store_filter *filter)
{
	if (w->old.name)
		return store_results_of(w->store, filter, &w->new.which, &w->old.which);
	return store_results_before(w->store, filter, &w->new.which, STATS_BASELINE);
}

static int gather(struct work *w, const struct store_filter *filter)
{
	struct walk *walk = walk_over(wanted(w, filter), w->store, filter);
	const struct series *series;
	struct series current = {0};
	struct result result;
	int got = walk ? 1 : -1;

	while (got > 0 && (got = walk_next(walk, &series, &result)) > 0) {
		if (series->id != current.id) {
			end_series(w, &current);
			series_free(&current);
			current = series_copy(series);
		}
		against_add(w->against, &result, side_of(w, &result),
			    triages_find(&w->triages, result.series, result.id));
	}
	if (got == 0)
		end_series(w, &current);
	series_free(&current);
	walk_end(walk);
	return got;
}

static void judge(struct comparison *c, const struct stats_policy *policy)
{
	struct outcome **all = calloc(c->n + 1, sizeof(struct outcome *));

	if (!all)
		err(1, NULL);
	for (size_t i = 0; i < c->n; i++)
		all[i] = &c->rows[i].outcome;
	outcomes_judge(all, c->n, policy);
	free(all);
	for (size_t i = 0; i < c->n; i++)
		c->regressions += outcome_is_regression(&c->rows[i].outcome);
}

/* Regressions, what else is worse, changes, the rest; in each the largest first. */
static int rank(const struct outcome *o)
{
	if (outcome_is_regression(o))
		return 0;
	if (!outcome_matters(o))
		return 4;
	return o->difference.verdict == STATS_WORSE	? 1
	       : o->difference.verdict == STATS_CHANGED ? 2
							: 3;
}

static double size(const struct outcome *o)
{
	double ratio = o->difference.ratio;

	return ratio > 0 && isfinite(ratio) ? fabs(log(ratio)) : INFINITY;
}

static int compare_rows(const void *a, const void *b)
{
	const struct comparison_row *x = a, *y = b;
	const struct outcome *o = &x->outcome, *p = &y->outcome;

	if (rank(o) != rank(p))
		return rank(o) - rank(p);
	if (size(o) != size(p))
		return size(o) < size(p) ? 1 : -1;
	return (x->series > y->series) - (x->series < y->series);
}

static int choose(struct work *w, const struct comparison_options *o)
{
	int ret = o->of ? pick_named(w->store, o->of, &w->new)
			: pick_newest(w->store, &o->filter, &w->new);

	if (ret == 0 && o->against)
		ret = pick_named(w->store, o->against, &w->old);
	if (ret)
		return ret;
	if (w->old.name && pick_same(&w->old, &w->new)) {
		warnx("%s would be compared with itself", w->new.name);
		return -1;
	}
	w->comparison->new_name = format("%s", w->new.name);
	w->comparison->old_name = format("%s", w->old.name ? w->old.name : "the results before");
	return 0;
}

/* There is nothing to compare; why? */
static void explain(const struct comparison *c, bool named)
{
	if (!c->without_old && !c->without_new)
		warnx("%s has no results that the filters leave", c->new_name);
	else if (named)
		warnx("%s and %s have no series in common", c->new_name, c->old_name);
	else
		warnx("%s: all its %zu series are new; there is nothing to compare with",
		      c->new_name, c->without_old);
}

static int make(struct work *w, const struct comparison_options *o)
{
	struct comparison *c = w->comparison;

	if (choose(w, o) || triages_read(w->store, &w->triages))
		return -1;
	w->against = against_new(o->against);
	if (gather(w, &o->filter))
		return -1;
	if (c->n == 0) {
		explain(c, o->against);
		return -1;
	}
	judge(c, &o->policy);
	qsort(c->rows, c->n, sizeof(*c->rows), compare_rows);
	return 0;
}

int comparison_make(struct store *store, const struct comparison_options *options,
		    struct comparison *comparison)
{
	struct work w = {.comparison = comparison, .store = store};
	int ret;

	*comparison = (struct comparison){0};
	ret = make(&w, options);
	pick_free(&w.old);
	pick_free(&w.new);
	triages_free(&w.triages);
	if (w.against)
		against_free(w.against);
	return ret;
}

void comparison_free(struct comparison *c)
{
	for (size_t i = 0; i < c->n; i++) {
		struct comparison_row *row = &c->rows[i];

		free(row->fingerprint);
		free(row->title);
		free(row->handler);
		free(row->machine);
		free(row->metric);
		free(row->unit);
		outcome_free(&row->outcome);
	}
	free(c->rows);
	free(c->old_name);
	free(c->new_name);
}
