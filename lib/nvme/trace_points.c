/* SPDX-License-Identifier: BSD-3-Clause */
/* The trace points' names. */

#include <rte_trace_point_register.h>

#include "trace_points.h"

RTE_TRACE_POINT_REGISTER(brg_trace_submit, barrage.nvme.submit)
RTE_TRACE_POINT_REGISTER(brg_trace_complete, barrage.nvme.complete)
