/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LAB_HANDLER_H
#define LAB_HANDLER_H

/*
 * Fault handlers of vfio-pci through its history. A handler is either what a Debian kernel ships,
 * or a file of app/lab/handlers/ with functions that take the place of those in that kernel's
 * vfio_pci_core.c.
 */

struct kernel;

struct handler {
	const char *name;
	const char *meaning;
	const char *commit;	     /* what it stands for */
	const char *kernel;	     /* series it is made from */
	const char *text, *text_end; /* the file's text; NULL: the kernel's stock module */
};

/** All of them, ended by a NULL name. */
extern const struct handler handlers[];

/** By name; NULL after a message that lists them. */
const struct handler *handler_find(const char *name);

/**
 * The module of a handler that replaces stock code, from the cache or built. The cache's key is the
 * kernel's version, the source and the handler's text.
 *
 * @param path  set to the module's file, freed by the caller; NULL for a stock module.
 * @return 0, or -1 after a message.
 */
int handler_module(const struct handler *handler, const struct kernel *kernel, char **path);

#endif
