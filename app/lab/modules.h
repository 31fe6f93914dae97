/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LAB_MODULES_H
#define LAB_MODULES_H

/* Which kernel modules a guest needs, and in what order. */

#include <stdbool.h>
#include <stddef.h>

/** Module files in load order; modules_free(). */
struct modules {
	char **paths;
	size_t count;
};

/**
 * Add a module and, before it, all it depends on; what is there already is not added again.
 *
 * @param folder    searched for NAME.ko, also compressed. What is not found there is taken to be
 *                  built into the kernel.
 * @param override  a file to use in place of a module of that name; NULL: none.
 * @return 0, or -1 after a message.
 */
int modules_add(struct modules *m, const char *folder, const char *override, const char *name);

void modules_free(struct modules *m);

#endif
