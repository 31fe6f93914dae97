/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef APP_PROGRESS_H
#define APP_PROGRESS_H

/*
 * One line on stderr that tells what the program is doing; only on a terminal, and gone before
 * anything else is printed.
 */

/** Replace the line. */
void progress(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** What every line starts with from now on; "" for nothing. */
void progress_prefix(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** Take the line away. */
void progress_clear(void);

#endif
