/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BRG_GUARD_H
#define BRG_GUARD_H

/* The table of all mappings, and the guard over their addresses. */

#include "bar.h"

/* Whether a mapping has been lost: set to the second by the signal handler, to the rest by others.
 */
enum brg_loss {
	BRG_LOSS_NONE,
	BRG_LOSS_NEW, /* nobody has been told yet */
	BRG_LOSS_KNOWN
};

/**
 * A mapping of nothing yet, not guarded; what else is in it is left over. NULL when there is no
 * memory for it. The first time this installs the signal handler. Thread-safe, as all here is.
 */
struct brg_mapping *brg_mapping_take(void);

/**
 * Guard [start, start + len) from now on: where the device behind it does not answer, loads get
 * all-ones, stores are dropped, and the mapping's loss becomes NEW if it was NONE.
 */
void brg_mapping_guard(struct brg_mapping *m, const volatile void *start, size_t len);

/** Give it back, before the memory is unmapped. Waits for brg_mapping_each() to be done with it. */
void brg_mapping_put(struct brg_mapping *m);

/** Call for each guarded mapping, which stays there during the call. */
void brg_mapping_each(void (*call)(struct brg_mapping *m, void *arg), void *arg);

#endif
