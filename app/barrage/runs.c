/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs of blocks, out of pieces that may have landed in any order. */

#include "runs.h"

#include <err.h>
#include <stdbool.h>
#include <stdlib.h>

void *grow_array(void *array, size_t n, size_t each)
{
	if (n & (n - 1))
		return array;
	array = reallocarray(array, n ? 2 * n : 1, each);
	if (!array)
		err(EXIT_FAILURE, "%zu", n);
	return array;
}

static bool follows(const struct run *last, const struct run *piece)
{
	return last->input + last->nblocks == piece->input &&
	       last->lba + last->nblocks == piece->lba;
}

void runs_add(struct runs *runs, const struct run *piece, uint64_t zone_blocks)
{
	struct run *last = runs->n ? &runs->list[runs->n - 1] : NULL;

	runs->nblocks += piece->nblocks;
	if (last && follows(last, piece) && piece->lba % zone_blocks) {
		last->nblocks += piece->nblocks;
		return;
	}
	runs->list = grow_array(runs->list, runs->n, sizeof(*runs->list));
	runs->list[runs->n++] = *piece;
}
