/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DRIVER_H
#define DRIVER_H

/*
 * A controller that vfio-pci and the kernel's driver have in turn, by the command of barrage whose
 * path is given. Include after guest.h.
 */

#include "command.h"

/** The kernel's driver brings a controller up on a thread of its own. */
static inline bool is_live(void)
{
	FILE *file = fopen("/sys/class/nvme/nvme0/state", "r");
	char state[32] = "";

	if (!file)
		return false;
	if (!fgets(state, sizeof(state), file))
		state[0] = 0;
	fclose(file);
	return !strcmp(state, "live\n");
}

static inline void give_to_vfio(const char *barrage)
{
	assert_int_equal(run(barrage, "bind", test_bdf(), NULL), 0);
}

/** @param last  the namespace that appears last, as /dev/nvme0n3: wait for it. */
static inline void give_to_kernel(const char *barrage, const char *last)
{
	assert_int_equal(run(barrage, "bind", "--kernel", test_bdf(), NULL), 0);
	for (int i = 0; i < 300 && !(is_live() && !access(last, F_OK)); i++)
		usleep(100000);
	assert_true(is_live());
}

#endif
