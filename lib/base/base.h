/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BRG_BASE_PRIVATE_H
#define BRG_BASE_PRIVATE_H

/* What the layers share among themselves: failing with a sentence, and logging. */

#include <rte_log.h>

#include "brg_base.h"

/**
 * Keep the sentence for brg_errmsg() and return -err, so that a failure is one statement:
 *
 *	return brg_fail(EBUSY, "%s is bound to %s; run: barrage bind %s", bdf, driver, bdf);
 *
 * @param err  a positive errno value. The sentence has no full stop and no newline.
 */
int brg_fail(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3), cold));

/** EAL log type "lib.barrage"; its level is set with EAL's own --log-level. */
extern int brg_logtype;

#define BRG_LOG(level, fmt, ...) \
	rte_log(RTE_LOG_##level, brg_logtype, "barrage: " fmt "\n", ##__VA_ARGS__)

#endif
