/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BRG_TRACE_POINTS_H
#define BRG_TRACE_POINTS_H

/* DPDK's trace points: what is recorded of a command. Turned on by EAL's --trace=barrage.nvme.* */

#include <rte_trace_point.h>

RTE_TRACE_POINT(brg_trace_submit,
		RTE_TRACE_POINT_ARGS(uint16_t qid, uint16_t cid, uint8_t opcode, uint32_t nsid,
				     uint64_t lba),
		rte_trace_point_emit_u16(qid);
		rte_trace_point_emit_u16(cid); rte_trace_point_emit_u8(opcode);
		rte_trace_point_emit_u32(nsid); rte_trace_point_emit_u64(lba);)

RTE_TRACE_POINT(brg_trace_complete,
		RTE_TRACE_POINT_ARGS(uint16_t qid, uint16_t cid, uint16_t status, uint64_t ticks),
		rte_trace_point_emit_u16(qid);
		rte_trace_point_emit_u16(cid); rte_trace_point_emit_u16(status);
		rte_trace_point_emit_u64(ticks);)

#endif
