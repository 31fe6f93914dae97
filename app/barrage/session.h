/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BARRAGE_SESSION_H
#define BARRAGE_SESSION_H

/* What the NVMe commands have in common: a controller brought up for one piece of work. */

#include <stdbool.h>

#include "brg_nvme.h"

/** Open a device that is an NVMe controller. @return 0, or -1 after a message. */
int session_open_device(const char *bdf, struct brg_device **dev);

/** The device of the work that is being done, and its address as the kernel writes it. */
struct brg_device *session_device(void);
const char *session_bdf(void);

/** The work: 0, a negative errno whose sentence is then printed, or 1: failed, and it said why. */
typedef int (*session_work)(struct brg_nvme_ctrl *ctrl, void *arg);

/** Open a device, bring its controller up, do the work, shut it down. @return the exit status. */
int session_run(const char *bdf, session_work work, void *arg);

/** The same with memory for data, and queue pairs. @param memory_mib  of EAL's memory. */
int session_run_with(const char *bdf, unsigned int memory_mib, session_work work, void *arg);

/** An I/O command that is waited for. */
struct session_command {
	bool done;
	uint16_t status;
};

/** The callback to submit it with; its argument is the struct session_command. */
void session_done(void *arg, const struct brg_nvme_cqe *cqe);

/**
 * Wait for a command.
 * @param submitted  what the call that submitted it has returned.
 * @return 0, a negative errno, or 1 after a message: the device refused it.
 */
int session_wait(const char *bdf, struct brg_nvme_qpair *qp, struct session_command *command,
		 int submitted);

/**
 * Ask before data is destroyed: @p what is "format namespace 1 of 0000:00:04.0". Without a
 * terminal and without --yes the program ends with a sentence that says so.
 * @return whether to go on.
 */
bool session_confirm(bool yes, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
