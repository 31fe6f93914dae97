/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DASH_TRIAGES_H
#define DASH_TRIAGES_H

/* All that was said of changes, in memory, for those who look at one result after the other. */

#include "store.h"

struct triages {
	struct triage *all; /* by series and result; texts allocated */
	size_t n, room;
};

/** @return 0, or -1 after a message. Free with triages_free() in any case. */
int triages_read(struct store *store, struct triages *triages);

void triages_free(struct triages *triages);

/** What was said of a result; NULL: nothing. */
const struct triage *triages_find(const struct triages *triages, int64_t series, int64_t result);

#endif
