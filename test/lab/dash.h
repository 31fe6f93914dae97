/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LAB_DASH_H
#define LAB_DASH_H

/* Is what the lab writes what barrage-dash reads? */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/**
 * barrage-dash takes a result file. Where it is not built, the environment names none, and the test
 * is skipped.
 */
static inline void assert_dash_takes(const char *file)
{
	const char *dash = getenv("DASH");
	char command[1024], said[1024] = "";
	FILE *out;

	if (!dash)
		skip();
	snprintf(command, sizeof(command), "rm -f %s.db*; %s add --db %s.db %s 2>&1", file, dash,
		 file, file);
	out = popen(command, "r");
	assert_non_null(out);
	assert_non_null(fgets(said, sizeof(said), out));
	if (pclose(out) != 0 || !strstr(said, " results added"))
		fail_msg("%s: %s", command, said);
}

#endif
