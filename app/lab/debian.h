/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LAB_DEBIAN_H
#define LAB_DEBIAN_H

/*
 * Packages of Debian, by way of apt: it downloads them and checks them against the archive's
 * signature. They are unpacked, not installed. Package lists of the lab's own leave the host's
 * alone and need no root.
 */

#include <stdbool.h>
#include <stddef.h>

/** A package, and what of it is wanted. */
struct debian_package {
	char *name, *version;
	const char *nest[3]; /* for unpack() */
	char *keep;
};

/** Some of them; a zeroed one is empty. */
struct debian_packages {
	struct debian_package *list;
	size_t count;
};

/**
 * Have apt answer, until debian_leave(), by the archives of these suites on the mirrors that the
 * host uses.
 *
 * @param suites    ended by NULL.
 * @param security  the security updates of the first suite, too.
 * @param log       file that gets what apt says.
 * @return 0, or -1 after a message; debian_leave() in any case.
 */
int debian_enter(const char *const suites[], bool security, const char *log);

void debian_leave(void);

/** Add one, all of whose files are wanted. Name and version are taken over. */
struct debian_package *debian_add(struct debian_packages *packages, char *name, char *version);

void debian_free(struct debian_packages *packages);

/** Download them and unpack them into @p dir. 0, or -1 after a message. */
int debian_fetch(const struct debian_packages *packages, const char *dir, const char *log);

#endif
