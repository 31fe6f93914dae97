/* SPDX-License-Identifier: BSD-3-Clause */
/* Aligned tables: cells are kept as text until printing, when the column widths are known. */

#include <err.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "table.h"

struct table {
	const char *const *heads;
	size_t ncolumns;
	char **cells; /* row after row */
	size_t ncells;
};

struct table *table_new(const char *const heads[])
{
	struct table *t = calloc(1, sizeof(*t));

	if (!t)
		err(1, "table");
	t->heads = heads;
	while (heads[t->ncolumns])
		t->ncolumns++;
	return t;
}

void table_cell(struct table *t, const char *fmt, ...)
{
	va_list ap;

	t->cells = realloc(t->cells, (t->ncells + 1) * sizeof(*t->cells));
	if (!t->cells)
		err(1, "table");
	va_start(ap, fmt);
	if (vasprintf(&t->cells[t->ncells], fmt, ap) < 0)
		err(1, "table");
	va_end(ap);
	t->ncells++;
}

static bool right_aligned(const struct table *t, size_t column)
{
	return t->heads[column][0] == '>';
}

static const char *heading(const struct table *t, size_t column)
{
	return t->heads[column] + right_aligned(t, column);
}

static size_t width(const struct table *t, size_t column)
{
	size_t widest = strlen(heading(t, column));

	for (size_t i = column; i < t->ncells; i += t->ncolumns) {
		size_t len = strlen(t->cells[i]);

		widest = len > widest ? len : widest;
	}
	return widest;
}

static void print_cell(const struct table *t, size_t column, size_t wide, const char *text,
		       FILE *out)
{
	bool last = column + 1 == t->ncolumns;

	if (right_aligned(t, column))
		fprintf(out, "%*s", (int)wide, text);
	else
		fprintf(out, "%-*s", last ? 0 : (int)wide, text); /* no blanks at line ends */
	fputs(last ? "\n" : "  ", out);
}

void table_print(const struct table *t, FILE *out)
{
	bool bold = isatty(fileno(out)) && !getenv("NO_COLOR");
	size_t wide[t->ncolumns];

	for (size_t c = 0; c < t->ncolumns; c++)
		wide[c] = width(t, c);

	if (bold)
		fputs("\033[1m", out);
	for (size_t c = 0; c < t->ncolumns; c++)
		print_cell(t, c, wide[c], heading(t, c), out);
	if (bold)
		fputs("\033[0m", out);

	for (size_t i = 0; i < t->ncells; i++)
		print_cell(t, i % t->ncolumns, wide[i % t->ncolumns], t->cells[i], out);
}

void table_free(struct table *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->ncells; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t);
}
