/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LAB_GUEST_H
#define LAB_GUEST_H

/* A guest put together: which kernel and handler, what goes into its image, how it is run. */

#include <stdbool.h>

#include "handler.h"
#include "image.h"
#include "kernel.h"
#include "modules.h"
#include "vm.h"

struct guest {
	struct kernel kernel;
	struct modules modules;
	char *vfio_pci;	  /* the handler's module file; NULL: the kernel's own */
	char *parameters; /* of that module; NULL: none */
};

/** For guest_prepare(): a handler whose fills do not fail. */
#define NO_FAIL_AFTER (-1)

/** Pages, the most that a fill can be made to fail after. */
#define FAIL_AFTER_MOST (1 << 18)

/**
 * Get the kernel and the handler's module, from the cache or by fetching and building them.
 *
 * @param handler  NULL: the kernel as it is.
 * @param kernel,modules  as for kernel_get(); NULL both: the one the handler is for.
 * @param fail_after  the handler's first fill of more pages than this fails after so many; 0: the
 *                    program in the guest asks for that when it wants it. Else NO_FAIL_AFTER.
 * @return 0, or -1 after a message; guest_free() in any case.
 */
int guest_prepare(struct guest *g, const struct handler *handler, const char *kernel,
		  const char *modules, int fail_after);

/**
 * The same by one word: a handler's name; or a kernel, with the handler it has, by a name with ':'
 * or '/' in it.
 *
 * @param failing  the program in the guest will make fills fail, which only handlers do.
 */
int guest_prepare_named(struct guest *g, const char *what, bool failing);

void guest_free(struct guest *g);

/** A program to run in a guest, and what it needs there. */
struct guest_job {
	char *const *argv;	      /* ended by NULL; argv[0] is looked up on the host */
	char *const *env;	      /* NAME=VALUE, ended by NULL; NULL: none */
	char *const *files;	      /* more files or folders of the host; NULL: none */
	char *const *programs;	      /* more programs; NULL: none */
	unsigned short rows, columns; /* of the terminal it gets; 0: none */
	bool keep_driver;	      /* leave the NVMe controller to the kernel's driver */
	bool calibrate; /* the first record tells how many ticks 100,000 instructions take */
};

/** Boot the guest and run the job; config's image, initramfs and mark are filled in here. */
int guest_run(const struct guest *g, const struct guest_job *job, struct vm_config *config,
	      const struct vm_streams *streams, struct vm_outcome *outcome);

#endif
