/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BENCH_FAIL_H
#define BENCH_FAIL_H

/*
 * Make vfio-pci's next fill of a mapping fail half-way, where its module is one that the lab built
 * with the parameter fail_after (barrage-lab, handlers).
 */

#include <stdbool.h>

/** The next fill of more pages fails after so many, once. 0 or a negative errno. */
int fail_next_fill(unsigned int pages);

/** Whether it has failed meanwhile. */
bool fill_failed(void);

#endif
