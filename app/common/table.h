/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef APP_TABLE_H
#define APP_TABLE_H

/* A table of text cells, printed with aligned columns. */

#include <stdio.h>

struct table;

/**
 * @param heads  column headings, ended by NULL; must outlive the table. A heading that starts with
 *               '>' makes its column right-aligned ('>' is not printed).
 * @return a table to be freed with table_free(). Out of memory ends the program.
 */
struct table *table_new(const char *const heads[]);

/** Append the next cell, left to right, row after row. */
void table_cell(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** Print; the headings are bold on a terminal, unless NO_COLOR is set. */
void table_print(const struct table *t, FILE *out);

void table_free(struct table *t);

#endif
