/* SPDX-License-Identifier: BSD-3-Clause */
/* Zoned namespaces (Zoned Namespace Command Set 1.1). */

#include <errno.h>
#include <inttypes.h>

#include "base.h"
#include "command.h"
#include "ctrl.h"
#include "prp.h"

#define SELECT_ALL (1u << 8)  /* Zone Management Send, command dword 13 */
#define PARTIAL	   (1u << 16) /* Zone Management Receive: count only what the buffer holds */

/* ZASL: a power of two in units of the smallest memory page; 0: as MDTS (4.1.5.3). */
static int append_blocks(struct brg_nvme_ctrl *ctrl, const struct brg_nvme_ns *ns,
			 struct brg_nvme_zoned *zoned)
{
	const struct brg_nvme_identify what = {.cns = NVME_IDENTIFY_CNS_CSI_CTRL,
					       .csi = NVME_CSI_ZNS};
	union {
		struct nvme_zns_id_ctrl id;
		uint8_t page[NVME_IDENTIFY_DATA_SIZE];
	} answer;
	size_t bytes = ctrl->max_transfer;
	int err = brg_nvme_identify(ctrl, &what, &answer);

	if (err)
		return err;
	if (answer.id.zasl && answer.id.zasl < 10)
		bytes = RTE_MIN(bytes, BRG_PRP_PAGE << answer.id.zasl);
	zoned->append_blocks = bytes / ns->block_size;
	return 0;
}

int brg_nvme_zoned_get(struct brg_nvme_ctrl *ctrl, const struct brg_nvme_ns *ns,
		       struct brg_nvme_zoned *zoned)
{
	const struct brg_nvme_identify what = {
		.cns = NVME_IDENTIFY_CNS_CSI_NS, .csi = NVME_CSI_ZNS, .nsid = ns->nsid};
	int err;

	if (!(NVME_CAP_CSS(ctrl->cap) & NVME_CAP_CSS_CSI))
		return brg_admin_unsupported(ctrl, "other command sets than NVM", "CAP.CSS",
					     NVME_CAP_CSS(ctrl->cap));
	err = brg_nvme_identify(ctrl, &what, &zoned->id);
	if (err == -EINVAL)
		return brg_fail(ENOTSUP, "%s: namespace %" PRIu32 " is not zoned", ctrl->bdf,
				ns->nsid);
	if (err)
		return err;
	zoned->zone_blocks = zoned->id.lbafe[brg_nvme_format_in_use(&ns->id)].zsze;
	if (!zoned->zone_blocks)
		return brg_fail(ENOTSUP, "%s: namespace %" PRIu32 " is not zoned", ctrl->bdf,
				ns->nsid);
	zoned->zones = ns->blocks / zoned->zone_blocks;
	zoned->max_open = zoned->id.mor + 1; /* 0's based; FFFFFFFFh: no limit */
	zoned->max_active = zoned->id.mar + 1;
	return append_blocks(ctrl, ns, zoned);
}

int brg_nvme_zone_report(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, uint64_t lba,
			 enum nvme_zns_report_options which, void *buf, uint32_t len,
			 brg_nvme_cb cb, void *arg)
{
	const struct brg_nvme_sqe sqe = {
		.opcode = nvme_zns_cmd_mgmt_recv,
		.nsid = ns->nsid,
		.cdw10 = lba,
		.cdw11 = lba >> 32,
		.cdw12 = len / sizeof(uint32_t) - 1,
		.cdw13 = PARTIAL | (uint32_t)which << 8 | NVME_ZNS_ZRA_REPORT_ZONES,
	};
	int err = brg_command_range(ns, lba, 1, 1);

	if (err)
		return err;
	if (len < sizeof(struct nvme_zone_report) || len % sizeof(uint32_t))
		return brg_fail(EINVAL,
				"%" PRIu32 " bytes for a report of zones: it takes %zu at least, "
				"and a multiple of 4",
				len, sizeof(struct nvme_zone_report));
	return brg_nvme_submit_data(qp, &sqe, buf, len, cb, arg);
}

int brg_nvme_zone_manage(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, uint64_t lba,
			 enum nvme_zns_send_action action, bool all, brg_nvme_cb cb, void *arg)
{
	const struct brg_nvme_sqe sqe = {
		.opcode = nvme_zns_cmd_mgmt_send,
		.nsid = ns->nsid,
		.cdw10 = lba,
		.cdw11 = lba >> 32,
		.cdw13 = action | (all ? SELECT_ALL : 0),
	};
	int err = brg_command_range(ns, lba, 1, 1);

	return err ? err : brg_nvme_submit(qp, &sqe, cb, arg);
}

int brg_nvme_zone_append(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
			 const struct brg_nvme_zoned *zoned, const void *buf, uint64_t lba,
			 uint32_t nblocks, brg_nvme_cb cb, void *arg)
{
	int err = brg_command_range(ns, lba, nblocks, zoned->append_blocks);

	if (err)
		return err;
	if (lba % zoned->zone_blocks)
		return brg_fail(EINVAL,
				"block %" PRIu64 " is not the first of a zone; the next one is "
				"%" PRIu64,
				lba, lba - lba % zoned->zone_blocks + zoned->zone_blocks);
	return brg_nvme_submit_any(qp, ns, nvme_zns_cmd_append, (void *)(uintptr_t)buf, lba,
				   nblocks, cb, arg);
}
