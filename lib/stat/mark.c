/* SPDX-License-Identifier: BSD-3-Clause */
/* Markers in a program's run, streamed out as lines of JSON. */

#include <ctype.h>
#include <fcntl.h>
#include <rte_cycles.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "brg_stat.h"

/* Where the lines go: opened at the first marker, -1 when nobody wants them. */
static int records_fd(void)
{
	static int fd = -2;

	if (fd == -2) {
		const char *path = getenv("BARRAGE_RECORDS");

		fd = path ? open(path, O_WRONLY | O_CLOEXEC) : -1;
	}
	return fd;
}

/* A name as it may stand between quotes in JSON. */
static void plain(char *to, size_t size, const char *name)
{
	size_t i;

	for (i = 0; name[i] && i < size - 1; i++)
		to[i] = isalnum((unsigned char)name[i]) || name[i] == '-' || name[i] == '/' ||
					name[i] == '.' || name[i] == ':'
				? name[i]
				: '_';
	to[i] = '\0';
}

void brg_stat_mark(const char *name)
{
	static __thread uint64_t last;	/* when the previous marker was done */
	static __thread char since[64]; /* its name */
	uint64_t now = rte_rdtsc();
	char here[64];

	plain(here, sizeof(here), name);
	if (since[0] && records_fd() >= 0)
		dprintf(records_fd(), "{\"mark\":\"%s\",\"since\":\"%s\",\"ticks\":%lu}\n", here,
			since, now - last);
	plain(since, sizeof(since), name);
	last = rte_rdtsc();
}
