/* SPDX-License-Identifier: BSD-3-Clause */
/* Folders, with those that they are in. */

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "folder.h"

int make_folders(const char *path)
{
	char part[4096];

	snprintf(part, sizeof(part), "%s/", path);
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(part, 0777) < 0 && errno != EEXIST) {
			warn("%s", part);
			return -1;
		}
		*slash = '/';
	}
	return 0;
}
