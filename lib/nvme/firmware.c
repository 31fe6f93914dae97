/* SPDX-License-Identifier: BSD-3-Clause */
/* Firmware images downloaded and committed (5.11, 5.12). */

#include <errno.h>
#include <inttypes.h>

#include "base.h"
#include "ctrl.h"
#include "prp.h"

#define COMMIT_TIMEOUT_MS 120000u /* MTFA goes up to 6,553 s, but resets, not commits, take it */

/* FWUG: pieces are a multiple of so many 4 KiB. 0: not told; FFh: no restriction (5.17.2.1). */
static size_t piece_bytes(const struct brg_nvme_ctrl *ctrl)
{
	size_t unit = ctrl->id.fwug && ctrl->id.fwug != 0xff ? ctrl->id.fwug * BRG_PRP_PAGE
							     : BRG_PRP_PAGE;

	return unit <= ctrl->max_transfer ? unit : 0;
}

int brg_nvme_fw_download(struct brg_nvme_ctrl *ctrl, const void *image, size_t len,
			 void (*progress)(void *arg, size_t sent), void *arg)
{
	size_t piece = piece_bytes(ctrl), at;
	int err;

	if (!(ctrl->id.oacs & NVME_CTRL_OACS_FW))
		return brg_admin_unsupported(ctrl, "firmware download", "OACS", ctrl->id.oacs);
	if (!len || len % sizeof(uint32_t))
		return brg_fail(EINVAL,
				"a firmware image of %zu bytes: it must be a multiple of 4 bytes",
				len);
	if (!piece)
		return brg_fail(EIO,
				"%s: it wants firmware in pieces of %u times 4 KiB, and cannot "
				"transfer one",
				ctrl->bdf, ctrl->id.fwug);
	for (at = 0; at < len; at += piece) {
		struct brg_nvme_sqe sqe = {.opcode = nvme_admin_fw_download,
					   .cdw11 = at / sizeof(uint32_t)};

		piece = RTE_MIN(piece, len - at);
		sqe.cdw10 = piece / sizeof(uint32_t) - 1;
		/* Only read from: the direction is in the opcode. */
		err = brg_nvme_admin(ctrl, &sqe, (void *)((uintptr_t)image + at), piece, NULL);
		if (err)
			return err;
		if (progress)
			progress(arg, at + piece);
	}
	return 0;
}

/* Success in disguise: the image is in its slot, and a reset is due (5.11.1). */
static bool needs(uint16_t status, enum brg_nvme_fw_needs *what)
{
	if (nvme_status_code_type(status) != NVME_SCT_CMD_SPECIFIC)
		return false;
	switch (nvme_status_code(status)) {
	case NVME_SC_FW_NEEDS_RESET:
		*what = BRG_NVME_FW_NEEDS_RESET;
		return true;
	case NVME_SC_FW_NEEDS_CONV_RESET:
		*what = BRG_NVME_FW_NEEDS_CONV_RESET;
		return true;
	case NVME_SC_FW_NEEDS_SUBSYS_RESET:
		*what = BRG_NVME_FW_NEEDS_SUBSYS_RESET;
		return true;
	default:
		return false;
	}
}

int brg_nvme_fw_commit(struct brg_nvme_ctrl *ctrl, unsigned int slot, enum nvme_fw_commit_ca action,
		       enum brg_nvme_fw_needs *left)
{
	unsigned int slots = ctrl->id.frmw >> 1 & 7u;
	struct brg_nvme_sqe sqe = {
		.opcode = nvme_admin_fw_commit,
		.cdw10 = (uint32_t)action << 3 | slot,
	};
	bool replaces = action == NVME_FW_COMMIT_CA_REPLACE ||
			action == NVME_FW_COMMIT_CA_REPLACE_AND_ACTIVATE;
	enum brg_nvme_fw_needs what = BRG_NVME_FW_ACTIVE;
	struct brg_nvme_cqe cqe = {0};
	int err;

	if (!(ctrl->id.oacs & NVME_CTRL_OACS_FW))
		return brg_admin_unsupported(ctrl, "firmware commit", "OACS", ctrl->id.oacs);
	if (slot > slots)
		return brg_fail(EINVAL, "%s: it has %u firmware slots, and no slot %u", ctrl->bdf,
				slots, slot);
	if (slot == 1 && replaces && ctrl->id.frmw & NVME_CTRL_FRMW_1ST_RO)
		return brg_fail(EROFS, "%s: firmware slot 1 is read-only", ctrl->bdf);
	err = brg_admin_patiently(ctrl, &sqe, NULL, 0, COMMIT_TIMEOUT_MS, &cqe);
	if (err && !ctrl->failed && needs(brg_nvme_status(&cqe), &what))
		err = 0;
	if (!err && left)
		*left = what;
	return err;
}
