/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BRG_GUARD_H
#define BRG_GUARD_H

/* The ranges of memory whose loss the process survives. */

#include <stdatomic.h>
#include <stddef.h>

/* Whether a range has been lost: set to the second by the signal handler, to the rest by others. */
enum brg_loss {
	BRG_LOSS_NONE,
	BRG_LOSS_NEW, /* nobody has been told yet */
	BRG_LOSS_KNOWN
};

struct brg_guard;

/**
 * Guard [start, start + len) from now on: where the device behind it does not answer, loads get
 * all-ones and stores are dropped. The first guard of the process installs the signal handler.
 *
 * @param loss  an enum brg_loss, changed from NONE to NEW when that happens; lives until
 *              brg_guard_remove().
 * @return NULL when there is no memory for it.
 */
struct brg_guard *brg_guard_add(const volatile void *start, size_t len, atomic_int *loss);

/** No longer. Before the memory is unmapped; NULL is allowed. Thread-safe, as adding is. */
void brg_guard_remove(struct brg_guard *guard);

#endif
