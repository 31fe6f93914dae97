/* SPDX-License-Identifier: BSD-3-Clause */
/* The device's self-test (5.9). */

#include "ctrl.h"

int brg_nvme_self_test(struct brg_nvme_ctrl *ctrl, uint32_t nsid, enum nvme_st_code code)
{
	struct brg_nvme_sqe sqe = {
		.opcode = nvme_admin_dev_self_test,
		.nsid = nsid,
		.cdw10 = code,
	};

	if (!(ctrl->id.oacs & NVME_CTRL_OACS_SELF_TEST))
		return brg_admin_unsupported(ctrl, "self-tests", "OACS", ctrl->id.oacs);
	return brg_nvme_admin(ctrl, &sqe, NULL, 0, NULL);
}
