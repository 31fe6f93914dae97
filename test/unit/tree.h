/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TREE_H
#define TREE_H

/*
 * A tree of files in /tmp that the device layer takes for the root directory: /sys, /proc, /dev.
 * Include after unit.h.
 */

#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sysfs.h"

static char root[64];

static inline void make_parents(char *path)
{
	for (char *slash = path + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = 0;
		if (mkdir(path, 0755) && errno != EEXIST)
			fail_msg("mkdir %s: %s", path, strerror(errno));
		*slash = '/';
	}
}

/** Write a file and the folders above it. */
static inline void put(const char *text, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static inline void put(const char *text, const char *fmt, ...)
{
	char path[PATH_MAX];
	char name[512];
	va_list ap;
	FILE *f;

	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	snprintf(path, sizeof(path), "%s%s", root, name);
	make_parents(path);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/** Make a symbolic link and the folders above it. */
static inline void link_to(const char *target, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static inline void link_to(const char *target, const char *fmt, ...)
{
	char path[PATH_MAX];
	char name[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	snprintf(path, sizeof(path), "%s%s", root, name);
	make_parents(path);
	assert_int_equal(symlink(target, path), 0);
}

/** Make it, empty. */
static inline int new_tree(void)
{
	strcpy(root, "/tmp/brg_tree_XXXXXX");
	if (!mkdtemp(root))
		return -1;
	brg_root = root;
	return 0;
}

static inline int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

/** A teardown for cmocka. */
static inline int remove_tree(void **state)
{
	brg_root = "";
	return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
