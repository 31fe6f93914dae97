/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BENCH_LCORES_H
#define BENCH_LCORES_H

/* One function on several lcores at the same moment. */

#include <stdint.h>

/** When something began and ended on an lcore, in TSC ticks. */
struct span {
	uint64_t start, end;
};

/** Ticks of the TSC as nanoseconds. */
double ticks_to_ns(uint64_t ticks);

/**
 * Call fn(index, arg) on @p count lcores, the calling one being index 0, and wait until all have
 * returned. The lcores wait for each other first, so that the calls begin together; those beyond
 * @p count wait as well, and do nothing.
 * Main lcore only; @p count is at most rte_lcore_count().
 */
void lcores_run(unsigned int count, void (*fn)(unsigned int index, void *arg), void *arg);

#endif
