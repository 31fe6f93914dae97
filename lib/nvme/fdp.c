/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Flexible data placement (TP4146; Base 2.1, 8.1.10): writes that say which reclaim unit handle
 * they go by, and I/O Management, which tells of these handles and moves them on.
 */

#include <errno.h>
#include <inttypes.h>

#include "base.h"
#include "command.h"
#include "ctrl.h"

#define MOST_BLOCKS (UINT32_C(1) << 16) /* 0's based in 16 bits */

static int check_support(const struct brg_nvme_qpair *qp)
{
	uint32_t ctratt = qp->ctrl->id.ctratt;

	if (ctratt & NVME_CTRL_CTRATT_FDPS)
		return 0;
	return brg_admin_unsupported(qp->ctrl, "flexible data placement", "CTRATT", ctratt);
}

int brg_nvme_write_placed(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, const void *buf,
			  uint64_t lba, uint32_t nblocks, uint16_t placement, brg_nvme_cb cb,
			  void *arg)
{
	struct brg_nvme_sqe sqe = {
		.opcode = nvme_cmd_write,
		.nsid = ns->nsid,
		.cdw10 = lba,
		.cdw11 = lba >> 32,
		.cdw12 = nblocks - 1,
	};
	int err = check_support(qp);

	if (!err)
		err = brg_io_check_format(ns);
	if (!err)
		err = brg_command_range(ns, lba, nblocks, MOST_BLOCKS);
	if (err)
		return err;
	brg_nvme_place(&sqe, placement);
	/* Only read from: the direction is in the opcode. */
	return brg_nvme_submit_data(qp, &sqe, (void *)(uintptr_t)buf,
				    (size_t)nblocks * ns->block_size, cb, arg);
}

int brg_nvme_ruh_status(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, void *buf,
			uint32_t len, brg_nvme_cb cb, void *arg)
{
	const struct brg_nvme_sqe sqe = {
		.opcode = nvme_cmd_io_mgmt_recv,
		.nsid = ns->nsid,
		.cdw10 = NVME_IO_MGMT_RECV_RUH_STATUS,
		.cdw11 = len / sizeof(uint32_t) - 1, /* 0's based */
	};
	int err = check_support(qp);

	if (err)
		return err;
	if (len < sizeof(struct nvme_fdp_ruh_status) || len % sizeof(uint32_t))
		return brg_fail(EINVAL,
				"%" PRIu32 " bytes for the status of reclaim unit handles: it "
				"takes %zu at least, and a multiple of 4",
				len, sizeof(struct nvme_fdp_ruh_status));
	return brg_nvme_submit_data(qp, &sqe, buf, len, cb, arg);
}

int brg_nvme_ruh_update(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
			const uint16_t *placements, unsigned int n, brg_nvme_cb cb, void *arg)
{
	const struct brg_nvme_sqe sqe = {
		.opcode = nvme_cmd_io_mgmt_send,
		.nsid = ns->nsid,
		.cdw10 = (n - 1) << 16 | NVME_IO_MGMT_SEND_RUH_UPDATE,
	};
	int err = check_support(qp);

	if (err)
		return err;
	if (!n || n > BRG_NVME_MOST_PLACEMENTS)
		return brg_fail(EINVAL, "%u placement identifiers: it takes 1 to %d", n,
				BRG_NVME_MOST_PLACEMENTS);
	return brg_nvme_submit_data(qp, &sqe, (void *)(uintptr_t)placements,
				    n * sizeof(*placements), cb, arg);
}
