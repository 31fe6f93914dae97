/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef APP_TEXT_H
#define APP_TEXT_H

/** A new string, printf-style; freed by the caller. Out of memory ends the program. */
char *format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** The first line of a file without its newline, "" when it cannot be read. Freed by the caller. */
char *first_line(const char *path);

#endif
