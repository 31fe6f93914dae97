/* SPDX-License-Identifier: BSD-3-Clause */
/* Triage, read whole: there is little of it. */

#include <err.h>
#include <stdlib.h>

#include "text.h"
#include "triages.h"

static void append(struct triages *triages, const struct triage *t)
{
	if (triages->n == triages->room) {
		triages->room = triages->room ? 2 * triages->room : 16;
		triages->all = reallocarray(triages->all, triages->room, sizeof(*t));
		if (!triages->all)
			err(1, NULL);
	}
	triages->all[triages->n++] = (struct triage){
		.series = t->series,
		.result = t->result,
		.verdict = format("%s", t->verdict),
		.note = format("%s", t->note),
		.author = format("%s", t->author),
		.at = t->at,
	};
}

int triages_read(struct store *store, struct triages *triages)
{
	struct cursor *cursor = store_triage(store);
	struct triage t;
	int got = cursor ? 1 : -1;

	while (got > 0 && (got = triage_next(cursor, &t)) > 0)
		append(triages, &t);
	cursor_end(cursor);
	return got;
}

void triages_free(struct triages *triages)
{
	for (size_t i = 0; i < triages->n; i++) {
		free((char *)(uintptr_t)triages->all[i].verdict);
		free((char *)(uintptr_t)triages->all[i].note);
		free((char *)(uintptr_t)triages->all[i].author);
	}
	free(triages->all);
}

static int compare(const void *a, const void *b)
{
	const struct triage *x = a, *y = b;

	if (x->series != y->series)
		return x->series < y->series ? -1 : 1;
	return (x->result > y->result) - (x->result < y->result);
}

const struct triage *triages_find(const struct triages *triages, int64_t series, int64_t result)
{
	const struct triage wanted = {.series = series, .result = result};

	if (!triages->n)
		return NULL;
	return bsearch(&wanted, triages->all, triages->n, sizeof(wanted), compare);
}
