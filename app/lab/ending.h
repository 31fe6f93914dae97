/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LAB_ENDING_H
#define LAB_ENDING_H

/*
 * The end of what a guest's program wrote to a port, which init marks. What comes before the mark
 * is passed on as it arrives, and what may be the beginning of the mark once it is known not to be.
 */

#include <stdbool.h>
#include <stddef.h>

#define ENDING_MARK 34 /* bytes of a mark with its terminating NUL */

struct ending {
	const char *mark;
	size_t matched; /* bytes of the mark that have come, and nothing since */
	bool seen;	/* all of it */
	void (*pass)(void *arg, const char *data, size_t size);
	void *arg;
};

/** Make up a mark that no program writes: random, and its first byte is there only once. */
void ending_choose(char mark[ENDING_MARK]);

/** What was read. */
void ending_feed(struct ending *e, const char *data, size_t size);

/** Nothing more will come: pass on what has been held back. */
void ending_close(struct ending *e);

#endif
