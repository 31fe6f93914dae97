/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LAB_KERNEL_H
#define LAB_KERNEL_H

/*
 * The kernels a guest can run: Debian's, fetched with apt into the cache and never installed, or a
 * build of the user's own.
 */

#include <stdbool.h>

/** A kernel ready to boot. Strings are owned by it; kernel_free(). */
struct kernel {
	char *name;    /* "debian:6.1", or the image's path */
	char *release; /* uname -r: "6.1.0-56-cloud-amd64"; NULL for a user's own */
	char *version; /* the package's: "6.1.192-2"; NULL for a user's own */
	char *image;   /* bzImage */
	char *modules; /* folder searched for modules */
	char *headers; /* to build modules against, and */
	char *source;  /* a source tree with drivers/vfio; NULL both: none can be built */
};

/** A series of Debian's kernel that the lab knows. */
struct kernel_series {
	const char *name;
	const char *suite; /* of Debian's archive */
	bool security;	   /* has a suite of security updates */
	bool split;	   /* image and modules are packages of their own */
	bool sources;	   /* get what it takes to build modules, too */
	const char *meaning;
};

/** All of them, ended by a NULL name. */
extern const struct kernel_series kernel_series[];

#define KERNEL_DEFAULT "debian:6.1"

/**
 * Get a kernel ready to boot.
 *
 * @param what     a series, fetched when it is not in the cache ("debian:6.1"; the backports also
 *                 by the number they have, "debian:7.3"); a folder that Linux was built in; or a
 *                 bzImage, which needs
 * @param modules  the folder that `make modules_install` filled; NULL otherwise.
 * @return 0, or -1 after a message; kernel_free() in any case.
 */
int kernel_get(const char *what, const char *modules, struct kernel *kernel);

/** The version in the cache, "" when there is none. Freed by the caller. */
char *kernel_cached_version(const struct kernel_series *series);

/**
 * Ask Debian for the newest kernel of a series that is in the cache, and fetch it where that is
 * another. Guests that boot from the old one just then may fail.
 *
 * @return 0, or -1 after a message; the cache is as it was then.
 */
int kernel_refresh(const struct kernel_series *series);

/** What results call it: its release, or a user's own by its name. */
const char *kernel_title(const struct kernel *kernel);

void kernel_free(struct kernel *kernel);

#endif
