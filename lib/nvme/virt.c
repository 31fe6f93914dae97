/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Secondary controllers (8.26), as those of SR-IOV virtual functions: the primary one gives them
 * queues and interrupts of its own and brings them online, by Virtualization Management (5.28).
 */

#include "base.h"
#include "ctrl.h"

static int manage(struct brg_nvme_ctrl *ctrl, uint16_t cntlid, enum nvme_virt_mgmt_act action,
		  enum nvme_virt_mgmt_rt type, uint16_t count)
{
	struct brg_nvme_sqe sqe = {
		.opcode = nvme_admin_virtual_mgmt,
		.cdw10 = (uint32_t)cntlid << 16 | type << 8 | action,
		.cdw11 = count,
	};

	/* Not held against OACS: QEMU 7.2's has the command and does not say so. */
	return brg_nvme_admin(ctrl, &sqe, NULL, 0, NULL);
}

int brg_nvme_secondary_online(struct brg_nvme_ctrl *ctrl, uint16_t cntlid, uint16_t queues,
			      uint16_t interrupts)
{
	int err = brg_nvme_secondary_offline(ctrl, cntlid);

	if (!err)
		err = manage(ctrl, cntlid, NVME_VIRT_MGMT_ACT_ASSIGN_SEC_CTRL,
			     NVME_VIRT_MGMT_RT_VQ_RESOURCE, queues);
	if (!err)
		err = manage(ctrl, cntlid, NVME_VIRT_MGMT_ACT_ASSIGN_SEC_CTRL,
			     NVME_VIRT_MGMT_RT_VI_RESOURCE, interrupts);
	return err ? err : manage(ctrl, cntlid, NVME_VIRT_MGMT_ACT_ONLINE_SEC_CTRL, 0, 0);
}

int brg_nvme_secondary_offline(struct brg_nvme_ctrl *ctrl, uint16_t cntlid)
{
	return manage(ctrl, cntlid, NVME_VIRT_MGMT_ACT_OFFLINE_SEC_CTRL, 0, 0);
}
