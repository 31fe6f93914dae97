/* SPDX-License-Identifier: BSD-3-Clause */
/* The progress line. */

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "progress.h"

static char prefix[64];

void progress_prefix(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(prefix, sizeof(prefix), fmt, ap);
	va_end(ap);
}

void progress(const char *fmt, ...)
{
	char line[200];
	va_list ap;

	if (!isatty(STDERR_FILENO))
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	fprintf(stderr, "\r\033[K%s%.79s", prefix, line);
}

void progress_clear(void)
{
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}
