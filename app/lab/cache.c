/* SPDX-License-Identifier: BSD-3-Clause */
/* The cache folder: paths, one preparer at a time, and results that appear whole or not at all. */

#include <err.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache.h"
#include "folder.h"
#include "text.h"

const char *cache_root(void)
{
	static char root[4096];
	const char *xdg = getenv("XDG_CACHE_HOME");
	const char *home = getenv("HOME");

	if (root[0])
		return root;
	if (xdg && xdg[0] == '/')
		snprintf(root, sizeof(root), "%s/barrage", xdg);
	else if (home && home[0] == '/')
		snprintf(root, sizeof(root), "%s/.cache/barrage", home);
	else
		errx(1, "no folder for the cache: set HOME or XDG_CACHE_HOME");
	return root;
}

char *cache_path(const char *name)
{
	return format("%s/%s", cache_root(), name);
}

int cache_lock(void)
{
	char *path = cache_path("lock");
	int fd = -1;

	if (make_folders(cache_root()) == 0) {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
		if (fd < 0 || flock(fd, LOCK_EX) < 0)
			err(1, "%s", path);
	}
	free(path);
	return fd;
}

void cache_unlock(int lock)
{
	close(lock);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

void remove_tree(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

char *cache_prepare(const char *path)
{
	char *prepared = format("%s.new", path);

	remove_tree(prepared); /* left by a run that was killed */
	if (make_folders(prepared) == 0)
		return prepared;
	free(prepared);
	return NULL;
}

int cache_publish(const char *prepared, const char *path)
{
	remove_tree(path);
	if (rename(prepared, path) == 0)
		return 0;
	warn("%s", path);
	return -1;
}
