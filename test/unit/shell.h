/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SHELL_H
#define SHELL_H

/* Run a shell command and keep what it printed. Include after unit.h. */

#include <stdio.h>
#include <sys/wait.h>

/** What it prints on stdout goes to @p out, as much as there is room for. @return its status. */
static inline int shell(char *out, size_t size, const char *command)
{
	FILE *pipe = popen(command, "r");
	size_t len = 0, got;
	char rest[4096];
	int status;

	assert_non_null(pipe);
	while (len < size - 1 && (got = fread(out + len, 1, size - 1 - len, pipe)) > 0)
		len += got;
	out[len] = '\0';
	while (fread(rest, 1, sizeof(rest), pipe) > 0)
		continue; /* let it end by itself */
	status = pclose(pipe);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#endif
