/* SPDX-License-Identifier: BSD-3-Clause */
/* The CPUs of this process, for EAL. */

#include <errno.h>
#include <sched.h>
#include <stdio.h>

#include "cpus.h"

int cpu_list(unsigned int count, char *text, size_t size)
{
	cpu_set_t set;
	size_t used = 0;
	unsigned int found = 0;

	if (sched_getaffinity(0, sizeof(set), &set))
		return -errno;
	for (int cpu = 0; cpu < CPU_SETSIZE && found < count && used < size; cpu++)
		if (CPU_ISSET(cpu, &set))
			used += (size_t)snprintf(text + used, size - used, found++ ? ",%d" : "%d",
						 cpu);
	return found == count && used < size ? 0 : -ERANGE;
}
