/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LAB_TEST_H
#define LAB_TEST_H

/* What tests of barrage-lab from outside share. */

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/**
 * Run a shell command, where $LAB is the program under test; its output, stderr too, goes to
 * @p out. Returns the status.
 */
static inline int run(char *out, size_t size, const char *command)
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

/** The command ends with that status; what it printed is told when it does not. */
static inline void assert_ends(char *out, size_t size, const char *command, int status)
{
	int got = run(out, size, command);

	if (got != status)
		fail_msg("status %d, not %d, of: %s\n%s", got, status, command, out);
}

#define assert_says(out, words)                                             \
	do {                                                                \
		if (!strstr(out, words))                                    \
			fail_msg("\"%s\" does not say \"%s\"", out, words); \
	} while (0)

#endif
