/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef APP_CPUS_H
#define APP_CPUS_H

/* The CPUs that lcores are put on. */

#include <stddef.h>

/**
 * The first @p count CPUs this process may run on, as brg_env_opts.lcores wants them: "0,1,4".
 * Which ones is the user's choice, with taskset or numactl.
 * @return 0, or -ERANGE when there are fewer, or @p text has no room for them.
 */
int cpu_list(unsigned int count, char *text, size_t size);

#endif
