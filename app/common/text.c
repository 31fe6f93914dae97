/* SPDX-License-Identifier: BSD-3-Clause */
/* Strings. */

#include <err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

char *format(const char *fmt, ...)
{
	char *text;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		err(1, NULL);
	va_end(ap);
	return text;
}

char *first_line(const char *path)
{
	FILE *in = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;

	if (!in)
		return format("%s", "");
	if (getline(&line, &size, in) < 0) {
		free(line);
		line = format("%s", "");
	}
	line[strcspn(line, "\n")] = '\0';
	fclose(in);
	return line;
}

int save_text(const char *path, const char *text)
{
	FILE *out = fopen(path, "we");
	int ret = -1;

	if (out) {
		ret = fputs(text, out) == EOF ? -1 : 0;
		ret = fclose(out) == 0 ? ret : -1;
	}
	if (ret)
		warn("%s", path);
	return ret;
}
