/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LAB_TRIALS_H
#define LAB_TRIALS_H

/*
 * Run the trials of arms in guests. Which trials still have to run is all the state there is: as
 * long as an arm has any, a guest is booted for it, and what ends the guest's kernel is a result
 * like any other.
 */

#include <stdbool.h>
#include <stdio.h>

#include "arms.h"
#include "guest.h"
#include "report.h"

struct trials {
	const char *bench;     /* path of barrage-bench */
	unsigned int max_bugs; /* crashes and hangs after which an arm stops */
	bool kvm, verbose;
	struct emulator qemu;
	unsigned int fail_after;     /* pages; see struct arm */
	const struct report *report; /* gets every record, report_raw(); NULL: not wanted */
	const char *device; /* whose BAR 2 is mapped, as struct vm_config names it; NULL: BAR 0 of
			       the NVMe controller */
};

/**
 * Run arms of one handler until none of them has anything left.
 *
 * @param arms  at most ARMS_MOST; the same number of lcores in all but the single ones.
 * @return 0, or -1 after a message: the bench or the lab failed, not the guest's kernel.
 */
int trials_run(const struct trials *trials, const struct guest *guest, struct arm *arms, size_t n);

#endif
