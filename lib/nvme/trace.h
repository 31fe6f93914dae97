/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BRG_TRACE_H
#define BRG_TRACE_H

/*
 * Tracing of commands, where the library is built with it: DPDK's interface for that is not a
 * stable one (22.11), so the usual build has none. Nothing on the fast path either way: while a
 * trace point is on, new queue pairs go the way of those that time their commands (latency.c).
 */

#ifdef BRG_TRACE

#include "trace_points.h"

/** Whether commands are traced now. */
static inline bool brg_trace_is_on(void)
{
	return rte_trace_point_is_enabled(&__brg_trace_submit) ||
	       rte_trace_point_is_enabled(&__brg_trace_complete);
}

#else

static inline bool brg_trace_is_on(void)
{
	return false;
}

static inline void brg_trace_submit(uint16_t qid, uint16_t cid, uint8_t opcode, uint32_t nsid,
				    uint64_t lba)
{
}

static inline void brg_trace_complete(uint16_t qid, uint16_t cid, uint16_t status, uint64_t ticks)
{
}

#endif
#endif
