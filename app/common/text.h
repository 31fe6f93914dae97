/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef APP_TEXT_H
#define APP_TEXT_H

/** A new string, printf-style; freed by the caller. Out of memory ends the program. */
char *format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** The first line of a file without its newline, "" when it cannot be read. Freed by the caller. */
char *first_line(const char *path);

/** Make a file with that text, or replace what is in it. 0, or -1 after a message. */
int save_text(const char *path, const char *text);

#endif
