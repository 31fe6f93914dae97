/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BARRAGE_BYTES_H
#define BARRAGE_BYTES_H

/* Bytes between files, pipes and devices: all of them, or a message. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** A file or a pipe. */
struct bytes {
	const char *path; /* NULL: standard input or output */
	int fd;
	bool ahead; /* a byte was read to see whether there is one */
	uint8_t first;
};

/** Open for reading or writing. A terminal is refused. @return 0, or -1 after a message. */
int bytes_open(struct bytes *b, bool write);

/**
 * Whether there is something to read; waits for it. What was read for that the next bytes_read()
 * returns.
 * @return 0, or -1 after a message: the input is empty, or cannot be read.
 */
int bytes_begin(struct bytes *b);

/** @return how many there were, less than @p n only at the end; -1 after a message. */
ssize_t bytes_read(struct bytes *b, void *data, size_t n);

/** @return 0, or -1 after a message. */
int bytes_write(const struct bytes *b, const void *data, size_t n);

/** Tell how far it is, now and then. @param all  0 where only the end of the input will tell. */
void bytes_progress(const char *what, uint64_t done, uint64_t all);

/** Seconds of a clock that only goes forward. */
double seconds_now(void);

#endif
