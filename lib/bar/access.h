/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BRG_ACCESS_H
#define BRG_ACCESS_H

/* Finish a memory access instead of the device. */

#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

/** Get the decoder ready. Before the first signal; once. */
void brg_access_init(void);

/**
 * Finish the instruction that a signal interrupted as if the memory in [start, end) read all-ones
 * and took no writes: registers are set, and the instruction pointer moves on. Async-signal-safe.
 *
 * @return false, with nothing changed, when the instruction is none of those known.
 */
bool brg_access_finish(ucontext_t *context, uintptr_t start, uintptr_t end);

#endif
