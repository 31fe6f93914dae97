/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BARRAGE_RUNS_H
#define BARRAGE_RUNS_H

/* Where pieces of an input have gone, as runs that follow each other in both. */

#include <stddef.h>
#include <stdint.h>

/** Blocks of the input, and where they are. */
struct run {
	uint64_t input, lba, nblocks;
};

/** Zeroed: none. @c list is from malloc(), and the owner's to free. */
struct runs {
	struct run *list;
	size_t n;
	uint64_t nblocks; /* of all of them */
};

/**
 * Add a piece, in the order of the input; out of memory ends the program.
 * @param zone_blocks  a run does not go on over the start of a zone, at each multiple of this.
 */
void runs_add(struct runs *runs, const struct run *piece, uint64_t zone_blocks);

/** An array that doubles whenever @p n, how many it has, is a power of two. */
void *grow_array(void *array, size_t n, size_t each);

#endif
