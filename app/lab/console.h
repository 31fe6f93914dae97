/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LAB_CONSOLE_H
#define LAB_CONSOLE_H

/*
 * Reads a guest's serial console and recognises the end of its kernel. A zeroed structure is a
 * console that has printed nothing.
 */

#include <stddef.h>

struct console {
	char line[512]; /* the line being received */
	size_t len;
	char bug_at[128]; /* "mm/memory.c:2458" of "kernel BUG at …!", "" as long as there is none
			   */
	char panic[256];  /* what follows "Kernel panic - not syncing: ", or a fatal oops's title */
	char tail[8][512]; /* the last complete lines, tail[nlines % 8] being the oldest */
	unsigned int nlines;
};

/** Take what the console printed next; pieces may end anywhere. */
void console_feed(struct console *c, const char *data, size_t size);

#endif
