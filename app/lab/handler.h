/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LAB_HANDLER_H
#define LAB_HANDLER_H

/*
 * Fault handlers of vfio-pci through its history. A handler is a file of app/lab/handlers/ with
 * functions that take the place of those in a Debian kernel's vfio_pci_core.c. One of them says the
 * same as what that kernel ships, and stands for it.
 */

#include <stdbool.h>

struct kernel;

struct handler {
	const char *name;
	const char *meaning;
	const char *commit;	     /* what it stands for */
	const char *kernel;	     /* series it is made from */
	const char *text, *text_end; /* the file's text */
	bool stock;		     /* the kernel's own module is such a handler already */
};

/** All of them, ended by a NULL name. */
extern const struct handler handlers[];

/** By name; NULL after a message that lists them. */
const struct handler *handler_find(const char *name);

/**
 * The module of a handler, from the cache or built. The cache's key is the kernel's version and all
 * that the module is made from.
 *
 * @param failing  with the module parameter fail_after, which makes a fill fail half-way.
 * @param path     set to the module's file, freed by the caller; NULL: the kernel's own will do.
 * @return 0, or -1 after a message.
 */
int handler_module(const struct handler *handler, const struct kernel *kernel, bool failing,
		   char **path);

#endif
