/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LAB_KERNEL_H
#define LAB_KERNEL_H

/*
 * The kernels a guest can run: Debian's, fetched with apt into the cache and never installed, or a
 * build of the user's own.
 */

#include <stddef.h>

/** A kernel ready to boot. Strings are owned by it; kernel_free(). */
struct kernel {
	char *name;    /* "debian:6.1", or the image's path */
	char *release; /* uname -r: "6.1.0-56-cloud-amd64"; NULL for a user's own */
	char *version; /* the package's: "6.1.192-2"; NULL for a user's own */
	char *image;   /* bzImage */
	char *modules; /* folder searched for modules */
	char *headers; /* to build modules against, and */
	char *source;  /* the source tree with drivers/vfio; NULL for a user's own */
};

/** A series of Debian's kernel that the lab knows. */
struct kernel_series {
	const char *name;
	const char *meaning;
};

/** All of them, ended by a NULL name. */
extern const struct kernel_series kernel_series[];

#define KERNEL_DEFAULT "debian:6.1"

/** The kernel of a series, fetched when it is not in the cache. 0, or -1 after a message. */
int kernel_get(const char *name, struct kernel *kernel);

/** The version in the cache, "" when there is none. Freed by the caller. */
char *kernel_cached_version(const char *name);

/** A user's own: its bzImage and the folder that `make modules_install` filled. */
int kernel_own(const char *image, const char *modules, struct kernel *kernel);

void kernel_free(struct kernel *kernel);

#endif
