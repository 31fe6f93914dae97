/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which results are compared with which. Without a baseline of the user's, new results are held
 * against those before them in their series, as stats_baseline() says; and a difference counts only
 * when it leaves the noise of these, as stats_within_noise() says.
 */

#include <err.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "comparison.h"
#include "options.h"
#include "text.h"
#include "walk.h"

/* Results of one series and side. */
struct pile {
	double *repetitions; /* of one result after the other */
	size_t nrepetitions, room;
	double *values; /* a result's value, and where its repetitions begin */
	size_t *starts;
	size_t nresults, results_room;
	int64_t first_result, last_measured;
	char *kernel;
};

static void *grown(void *list, size_t *room, size_t need, size_t size)
{
	if (need <= *room)
		return list;
	*room = need * 2;
	list = realloc(list, *room * size);
	if (!list)
		err(1, NULL);
	return list;
}

static void pile_add(struct pile *p, const struct result *r)
{
	size_t room = p->results_room;

	if (!p->nresults)
		p->first_result = r->id;
	p->values = grown(p->values, &room, p->nresults + 1, sizeof(*p->values));
	p->starts = grown(p->starts, &p->results_room, p->nresults + 1, sizeof(*p->starts));
	p->values[p->nresults] = r->value;
	p->starts[p->nresults++] = p->nrepetitions;
	p->repetitions = grown(p->repetitions, &p->room, p->nrepetitions + r->nrepetitions,
			       sizeof(*p->repetitions));
	memcpy(p->repetitions + p->nrepetitions, r->repetitions,
	       r->nrepetitions * sizeof(*r->repetitions));
	p->nrepetitions += r->nrepetitions;
	p->last_measured = r->measured;
	free(p->kernel);
	p->kernel = format("%s", r->kernel);
}

static void pile_clear(struct pile *p)
{
	p->nresults = p->nrepetitions = 0;
}

static void pile_free(struct pile *p)
{
	free(p->repetitions);
	free(p->values);
	free(p->starts);
	free(p->kernel);
}

/* Forget all but the newest results. */
static void pile_keep(struct pile *p, size_t results)
{
	size_t first = p->nresults - results, start = results ? p->starts[first] : p->nrepetitions;

	memmove(p->values, p->values + first, results * sizeof(*p->values));
	memmove(p->repetitions, p->repetitions + start,
		(p->nrepetitions - start) * sizeof(*p->repetitions));
	memmove(p->starts, p->starts + first, results * sizeof(*p->starts));
	for (size_t i = 0; i < results; i++)
		p->starts[i] -= start;
	p->nresults = results;
	p->nrepetitions -= start;
}

/* What is going on while all results go by. */
struct work {
	struct comparison *comparison;
	struct pick old, new; /* old without a name: the results before the new ones */
	struct pile before, after;
	struct triage *judged; /* changes that are known or wanted; texts allocated */
	size_t njudged, judged_room;
	const struct triage *excuse; /* of this series, between old and new */
	struct store *store;
	size_t room; /* for rows */
};

static bool is_share(const struct series *s)
{
	return !strcmp(s->unit, "share");
}

static double *copied(const double *list, size_t n)
{
	double *copy = malloc((n + 1) * sizeof(*copy));

	if (!copy)
		err(1, NULL);
	return memcpy(copy, list, n * sizeof(*copy));
}

static void add_row(struct work *w, const struct series *s)
{
	struct comparison *c = w->comparison;
	const struct pile *before = &w->before, *after = &w->after;
	struct stats_metric metric = {.better = s->better, .exact = s->exact, .share = is_share(s)};
	struct comparison_row *row;

	c->rows = grown(c->rows, &w->room, c->n + 1, sizeof(*c->rows));
	row = &c->rows[c->n++];
	*row = (struct comparison_row){
		.fingerprint = format("%s", s->fingerprint),
		.title = series_title(s, false),
		.handler = format("%s", s->handler),
		.machine = format("%s", s->machine),
		.metric = format("%s", s->metric),
		.unit = format("%s", s->unit),
		.kernel_before = format("%s", before->kernel),
		.kernel_after = format("%s", after->kernel),
		.series = s->id,
		.result = after->first_result,
		.ratio = {NAN, NAN, NAN},
		.before = copied(before->repetitions, before->nrepetitions),
		.nbefore = before->nrepetitions,
		.after = copied(after->repetitions, after->nrepetitions),
		.nafter = after->nrepetitions,
	};
	row->difference = stats_compare((struct stats_sample){row->before, row->nbefore},
					(struct stats_sample){row->after, row->nafter}, metric);
	row->within_noise = !s->exact && stats_within_noise((struct stats_sample){before->values,
										  before->nresults},
							    row->difference.after);
	if (w->excuse)
		row->triage = format("%s%s%s", w->excuse->verdict, w->excuse->note[0] ? ": " : "",
				     w->excuse->note);
}

/* All results of a series have gone by. */
static void end_series(struct work *w, const struct series *s)
{
	if (w->after.nresults) {
		if (!w->old.name)
			pile_keep(&w->before,
				  stats_baseline(w->before.values, w->before.nresults, s->exact));
		else if (s->exact && w->before.nresults)
			pile_keep(&w->before, 1);
		if (s->exact)
			pile_keep(&w->after, 1);
		if (w->before.nresults)
			add_row(w, s);
		else
			w->comparison->without_old++;
	} else if (w->old.name && w->before.nresults) {
		w->comparison->without_new++;
	}
	pile_clear(&w->before);
	pile_clear(&w->after);
	w->excuse = NULL;
}

static const struct triage *find_judged(const struct work *w, int64_t result)
{
	for (size_t i = 0; i < w->njudged; i++)
		if (w->judged[i].result == result)
			return &w->judged[i];
	return NULL;
}

/* A change that is known or wanted begins a new level: what was before does not count any more. */
static void take_result(struct work *w, const struct result *r)
{
	const struct triage *judged = find_judged(w, r->id);

	if (pick_has(&w->new, r)) {
		w->excuse = judged ? judged : w->excuse;
		pile_add(&w->after, r);
	} else if (w->old.name) {
		if (judged && w->before.nresults && !w->after.nresults)
			w->excuse = judged;
		if (pick_has(&w->old, r))
			pile_add(&w->before, r);
	} else if (!w->after.nresults) {
		if (judged)
			pile_clear(&w->before);
		pile_add(&w->before, r);
	}
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

static int gather(struct work *w, const struct store_filter *filter)
{
	struct walk *walk = walk_start(w->store, filter);
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
		take_result(w, &result);
	}
	if (got == 0)
		end_series(w, &current);
	series_free(&current);
	walk_end(walk);
	return got;
}

static void judge(struct comparison *c, const struct stats_policy *policy)
{
	struct stats_difference *all = calloc(c->n + 1, sizeof(*all));

	if (!all)
		err(1, NULL);
	for (size_t i = 0; i < c->n; i++)
		all[i] = c->rows[i].difference;
	stats_judge(all, c->n, policy);
	for (size_t i = 0; i < c->n; i++)
		c->rows[i].difference = all[i];
	free(all);
}

/* The bootstrap takes its time: only for what is told. */
static void add_interval(struct comparison_row *row)
{
	const struct stats_metric *m = &row->difference.metric;

	if (comparison_matters(row) && !m->exact && !m->share)
		row->ratio = stats_ratio_interval((struct stats_sample){row->before, row->nbefore},
						  (struct stats_sample){row->after, row->nafter},
						  0.95, 1);
	free(row->before);
	free(row->after);
	row->before = row->after = NULL;
}

static bool is_difference(const struct comparison_row *row)
{
	enum stats_verdict v = row->difference.verdict;

	return v == STATS_WORSE || v == STATS_CHANGED || v == STATS_BETTER;
}

static bool is_regression(const struct comparison_row *row)
{
	return row->difference.verdict == STATS_WORSE && !row->within_noise && !row->triage;
}

bool comparison_matters(const struct comparison_row *row)
{
	return is_difference(row) && !row->within_noise;
}

const char *comparison_verdict(const struct comparison_row *row)
{
	if (is_difference(row) && row->within_noise)
		return "noise";
	if (row->difference.verdict == STATS_WORSE && row->triage)
		return "known";
	return stats_verdict_str(row->difference.verdict);
}

/* Regressions, what else is worse, changes, the rest; in each the largest first. */
static int rank(const struct comparison_row *row)
{
	if (is_regression(row))
		return 0;
	if (!comparison_matters(row))
		return 4;
	return row->difference.verdict == STATS_WORSE	  ? 1
	       : row->difference.verdict == STATS_CHANGED ? 2
							  : 3;
}

static double size(const struct comparison_row *row)
{
	double ratio = row->difference.ratio;

	return ratio > 0 && isfinite(ratio) ? fabs(log(ratio)) : INFINITY;
}

static int compare_rows(const void *a, const void *b)
{
	const struct comparison_row *x = a, *y = b;

	if (rank(x) != rank(y))
		return rank(x) - rank(y);
	if (size(x) != size(y))
		return size(x) < size(y) ? 1 : -1;
	return (x->series > y->series) - (x->series < y->series);
}

static int read_judged(struct work *w)
{
	struct cursor *cursor = store_triage(w->store);
	struct triage t;
	int got = cursor ? 1 : -1;

	while (got > 0 && (got = triage_next(cursor, &t)) > 0) {
		if (!strcmp(t.verdict, "fixed"))
			continue;
		w->judged = grown(w->judged, &w->judged_room, w->njudged + 1, sizeof(*w->judged));
		t.verdict = format("%s", t.verdict);
		t.note = format("%s", t.note);
		w->judged[w->njudged++] = t;
	}
	cursor_end(cursor);
	return got;
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

static int make(struct work *w, const struct comparison_options *o)
{
	struct comparison *c = w->comparison;

	if (choose(w, o) || read_judged(w) || gather(w, &o->filter))
		return -1;
	if (c->n == 0) {
		if (o->against)
			warnx("%s and %s have no series in common", c->new_name, c->old_name);
		else
			warnx("%s: all its %zu series are new; there is nothing to compare with",
			      c->new_name, c->without_old);
		return -1;
	}
	judge(c, &o->policy);
	for (size_t i = 0; i < c->n; i++) {
		add_interval(&c->rows[i]);
		c->regressions += is_regression(&c->rows[i]);
	}
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
	pile_free(&w.before);
	pile_free(&w.after);
	for (size_t i = 0; i < w.njudged; i++) {
		free((char *)w.judged[i].verdict);
		free((char *)w.judged[i].note);
	}
	free(w.judged);
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
		free(row->kernel_before);
		free(row->kernel_after);
		free(row->triage);
		free(row->before);
		free(row->after);
	}
	free(c->rows);
	free(c->old_name);
	free(c->new_name);
}
