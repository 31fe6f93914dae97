/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LAB_TEST_H
#define LAB_TEST_H

/* What tests of barrage-lab from outside share. */

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "shell.h"

/** A shell command, where $LAB is the program under test, ends with that status; what it printed is
 * told when it does not. */
static inline void assert_ends(char *out, size_t size, const char *command, int status)
{
	int got = shell(out, size, command);

	if (got != status)
		fail_msg("status %d, not %d, of: %s\n%s", got, status, command, out);
}

#define assert_says(out, words)                                             \
	do {                                                                \
		if (!strstr(out, words))                                    \
			fail_msg("\"%s\" does not say \"%s\"", out, words); \
	} while (0)

#endif
