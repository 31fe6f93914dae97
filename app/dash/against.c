/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is held against what. Without a baseline of the user's, new results are held against those
 * before them in their series, as stats_baseline() says; and a difference counts only when it
 * leaves the noise of these, as stats_within_noise() says.
 */

#include <err.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "against.h"
#include "text.h"

#define CONFIDENCE 0.95 /* of the interval */

/* Results of one side. */
struct pile {
	double *repetitions; /* of one result after the other */
	size_t nrepetitions, room;
	double *values; /* a result's value, and where its repetitions begin */
	size_t *starts;
	size_t nresults, results_room;
	int64_t first_result;
	char *kernel; /* of the newest */
};

struct against {
	bool named;
	struct pile before, after;
	char *excuse; /* what was said of the change between old and new */
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

static struct stats_sample repetitions_of(const struct pile *p)
{
	return (struct stats_sample){p->repetitions, p->nrepetitions};
}

static struct stats_sample values_of(const struct pile *p)
{
	return (struct stats_sample){p->values, p->nresults};
}

struct against *against_new(bool named)
{
	struct against *a = calloc(1, sizeof(*a));

	if (!a)
		err(1, NULL);
	a->named = named;
	return a;
}

void against_free(struct against *a)
{
	pile_free(&a->before);
	pile_free(&a->after);
	free(a->excuse);
	free(a);
}

static void excuse(struct against *a, const struct triage *judged)
{
	free(a->excuse);
	a->excuse = format("%s%s%s", judged->verdict, judged->note[0] ? ": " : "", judged->note);
}

void against_add(struct against *a, const struct result *result, enum side side,
		 const struct triage *judged)
{
	if (judged && !strcmp(judged->verdict, "fixed"))
		judged = NULL; /* for the record */
	if (side == SIDE_NEW) {
		if (judged)
			excuse(a, judged);
		pile_add(&a->after, result);
	} else if (a->named) {
		if (judged && a->before.nresults && !a->after.nresults)
			excuse(a, judged);
		if (side == SIDE_OLD)
			pile_add(&a->before, result);
	} else if (!a->after.nresults) {
		if (judged)
			pile_clear(&a->before);
		pile_add(&a->before, result);
	}
}

static double *copied(struct stats_sample sample)
{
	double *copy = malloc(sample.n * sizeof(*copy));

	if (!copy)
		err(1, NULL);
	return memcpy(copy, sample.values, sample.n * sizeof(*copy));
}

/* Most will be no differences, and their repetitions need not be kept. */
static bool may_matter(const struct outcome *o)
{
	return !o->within_noise && o->difference.p <= 1 - CONFIDENCE;
}

static void compare(struct against *a, const struct series *s, struct outcome *o)
{
	struct stats_metric metric = {
		.better = s->better, .exact = s->exact, .share = !strcmp(s->unit, "share")};

	*o = (struct outcome){
		.result = a->after.first_result,
		.kernel_before = format("%s", a->before.kernel),
		.kernel_after = format("%s", a->after.kernel),
		.difference = stats_compare(repetitions_of(&a->before), repetitions_of(&a->after),
					    metric),
		.triage = a->excuse,
		.nbefore = a->before.nrepetitions,
		.nafter = a->after.nrepetitions,
	};
	a->excuse = NULL;
	o->within_noise =
		!s->exact && stats_within_noise(values_of(&a->before), o->difference.after);
	o->ratio = (struct stats_interval){NAN, NAN, NAN};
	if (!metric.exact && !metric.share && may_matter(o)) {
		o->before = copied(repetitions_of(&a->before));
		o->after = copied(repetitions_of(&a->after));
	}
}

int against_end(struct against *a, const struct series *series, struct outcome *outcome)
{
	struct pile *before = &a->before, *after = &a->after;
	int sides = (before->nresults ? SIDE_OLD : 0) | (after->nresults ? SIDE_NEW : 0);

	if (sides == (SIDE_OLD | SIDE_NEW)) {
		if (!a->named)
			pile_keep(before,
				  stats_baseline(before->values, before->nresults, series->exact));
		else if (series->exact)
			pile_keep(before, 1);
		if (series->exact)
			pile_keep(after, 1);
		compare(a, series, outcome);
	}
	pile_clear(before);
	pile_clear(after);
	free(a->excuse);
	a->excuse = NULL;
	return sides;
}

void outcome_free(struct outcome *outcome)
{
	free(outcome->kernel_before);
	free(outcome->kernel_after);
	free(outcome->triage);
	free(outcome->before);
	free(outcome->after);
}

static bool is_difference(const struct outcome *o)
{
	enum stats_verdict v = o->difference.verdict;

	return v == STATS_WORSE || v == STATS_CHANGED || v == STATS_BETTER;
}

/* The bootstrap takes its time: only for what is told. */
static void add_interval(struct outcome *o)
{
	if (o->before && outcome_matters(o))
		o->ratio = stats_ratio_interval((struct stats_sample){o->before, o->nbefore},
						(struct stats_sample){o->after, o->nafter},
						CONFIDENCE, 1);
	free(o->before);
	free(o->after);
	o->before = o->after = NULL;
}

void outcomes_judge(struct outcome *const outcomes[], size_t n, const struct stats_policy *policy)
{
	struct stats_difference *all = calloc(n + 1, sizeof(*all));

	if (!all)
		err(1, NULL);
	for (size_t i = 0; i < n; i++)
		all[i] = outcomes[i]->difference;
	stats_judge(all, n, policy);
	for (size_t i = 0; i < n; i++) {
		outcomes[i]->difference = all[i];
		add_interval(outcomes[i]);
	}
	free(all);
}

bool outcome_matters(const struct outcome *o)
{
	return is_difference(o) && !o->within_noise;
}

bool outcome_is_regression(const struct outcome *o)
{
	return o->difference.verdict == STATS_WORSE && !o->within_noise && !o->triage;
}

const char *outcome_verdict(const struct outcome *o)
{
	if (is_difference(o) && o->within_noise)
		return "noise";
	if (o->difference.verdict == STATS_WORSE && o->triage)
		return "known";
	return stats_verdict_str(o->difference.verdict);
}
