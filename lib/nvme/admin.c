/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Admin commands, one at a time: submitted, then polled for until done or the time is up. After a
 * time-out nobody knows what memory the controller may still write to, so the queue takes no more
 * commands, and all memory is kept until the controller is disabled.
 */

#include <errno.h>
#include <inttypes.h>
#include <rte_malloc.h>
#include <string.h>

#include "base.h"
#include "ctrl.h"
#include "prp.h"

static void on_completion(void *arg, const struct brg_nvme_cqe *cqe)
{
	struct brg_nvme_ctrl *ctrl = arg;

	ctrl->admin_cqe = *cqe;
	ctrl->admin_done = true;
}

static int wait_for_completion(struct brg_nvme_ctrl *ctrl, uint8_t opcode)
{
	uint64_t deadline = brg_now_us() + ctrl->admin_timeout_ms * UINT64_C(1000);

	for (;;) {
		bool late = brg_now_us() > deadline; /* asked before the last look, not after */
		int err = brg_nvme_poll(ctrl->admin, 0);

		if (ctrl->admin_done)
			return 0;
		if (err >= 0)
			err = brg_ctrl_check(ctrl);
		if (err)
			return err;
		if (late)
			return brg_fail(ETIMEDOUT,
					"%s: admin command %#x not completed after %" PRIu32 " ms",
					ctrl->bdf, opcode, ctrl->admin_timeout_ms);
		brg_breathe();
	}
}

int brg_admin_failed(const struct brg_nvme_ctrl *ctrl)
{
	return brg_fail(EIO,
			"%s: an earlier admin command was never completed; reset the controller, "
			"or close it and open it again",
			ctrl->bdf);
}

int brg_admin_run(struct brg_nvme_ctrl *ctrl, const struct brg_nvme_sqe *sqe,
		  struct brg_nvme_cqe *cqe)
{
	uint16_t status;
	int err;

	if (ctrl->failed)
		return brg_admin_failed(ctrl);
	ctrl->admin_done = false;
	err = brg_nvme_submit(ctrl->admin, sqe, on_completion, ctrl);
	if (!err)
		err = wait_for_completion(ctrl, sqe->opcode);
	if (err) {
		ctrl->failed = true;
		return err;
	}
	if (cqe)
		*cqe = ctrl->admin_cqe;
	status = brg_nvme_status(&ctrl->admin_cqe);
	err = brg_nvme_status_errno(status);
	if (!err)
		return 0;
	return brg_fail(-err, "%s: admin command %#x failed: %s (status %#x)", ctrl->bdf,
			sqe->opcode, brg_nvme_status_str(status), status);
}

/* Data of more than a page, and behind it the page of its PRP list. */
static int run_with_pages(struct brg_nvme_ctrl *ctrl, struct brg_nvme_sqe *sqe, void *data,
			  size_t len, struct brg_nvme_cqe *cqe)
{
	size_t bytes = RTE_ALIGN_CEIL(len, BRG_PRP_PAGE);
	uint8_t *dma = brg_ctrl_alloc(ctrl, bytes + BRG_PRP_PAGE, BRG_PRP_PAGE);
	int err;

	if (!dma)
		return brg_fail(ENOMEM, "%s: EAL has no %zu KiB left for an admin command",
				ctrl->bdf, bytes / 1024 + 4);
	sqe->prp1 = (uintptr_t)dma;
	sqe->prp2 = brg_prp2((uintptr_t)dma, (uintptr_t)dma + len - 1, (uint64_t *)(dma + bytes));
	if (sqe->opcode & NVME_DATA_TFR_HOST_TO_CTRL)
		memcpy(dma, data, len);
	err = brg_admin_run(ctrl, sqe, cqe);
	if (!err && sqe->opcode & NVME_DATA_TFR_CTRL_TO_HOST)
		memcpy(data, dma, len);
	if (ctrl->failed) { /* the controller may yet use it: it goes when that is disabled */
		rte_free(ctrl->admin_page);
		ctrl->admin_page = dma;
	} else {
		rte_free(dma);
	}
	return err;
}

static int run_with_data(struct brg_nvme_ctrl *ctrl, struct brg_nvme_sqe *sqe, void *data,
			 size_t len, struct brg_nvme_cqe *cqe)
{
	int err;

	if (len > RTE_MAX(ctrl->max_transfer, BRG_PRP_PAGE) || (len && !data))
		return brg_fail(EINVAL, "an admin command cannot carry %zu bytes at %p", len, data);
	if (ctrl->failed) /* the page may still be in use */
		return brg_admin_failed(ctrl);
	if (len > BRG_PRP_PAGE)
		return run_with_pages(ctrl, sqe, data, len, cqe);
	sqe->prp1 = len ? (uintptr_t)ctrl->admin_page : 0;
	sqe->prp2 = 0;
	if (len && sqe->opcode & NVME_DATA_TFR_HOST_TO_CTRL)
		memcpy(ctrl->admin_page, data, len);
	else
		memset(ctrl->admin_page, 0, BRG_PRP_PAGE);
	err = brg_admin_run(ctrl, sqe, cqe);
	if (!err && len && sqe->opcode & NVME_DATA_TFR_CTRL_TO_HOST)
		memcpy(data, ctrl->admin_page, len);
	return err;
}

int brg_admin_patiently(struct brg_nvme_ctrl *ctrl, struct brg_nvme_sqe *sqe, void *data,
			size_t len, uint32_t timeout_ms, struct brg_nvme_cqe *cqe)
{
	uint32_t usual = ctrl->admin_timeout_ms;
	int err = brg_ctrl_lock(ctrl);

	if (err)
		return err;
	ctrl->admin_timeout_ms = RTE_MAX(usual, timeout_ms);
	err = run_with_data(ctrl, sqe, data, len, cqe);
	ctrl->admin_timeout_ms = usual;
	pthread_mutex_unlock(&ctrl->lock);
	return err;
}

int brg_admin_unsupported(const struct brg_nvme_ctrl *ctrl, const char *what, const char *field,
			  uint32_t value)
{
	return brg_fail(ENOTSUP, "%s: the controller does not support %s (%s %#" PRIx32 ")",
			ctrl->bdf, what, field, value);
}

int brg_nvme_identify(struct brg_nvme_ctrl *ctrl, const struct brg_nvme_identify *what, void *page)
{
	struct brg_nvme_sqe sqe = {
		.opcode = nvme_admin_identify,
		.nsid = what->nsid,
		.cdw10 = (uint32_t)what->cntid << 16 | what->cns,
		.cdw11 = (uint32_t)what->csi << 24 | what->cns_specific,
		.cdw14 = what->uuid_index,
	};

	int err = brg_nvme_admin(ctrl, &sqe, page, NVME_IDENTIFY_DATA_SIZE, NULL);

	if (err != -EINVAL)
		return err;
	return brg_fail(
		EINVAL,
		"%s: it has no identify data structure (CNS) %#x, or not with these arguments",
		brg_errmsg(), what->cns);
}

int brg_nvme_admin(struct brg_nvme_ctrl *ctrl, struct brg_nvme_sqe *sqe, void *data, size_t len,
		   struct brg_nvme_cqe *cqe)
{
	int err = brg_ctrl_lock(ctrl);

	if (err)
		return err;
	err = run_with_data(ctrl, sqe, data, len, cqe);
	pthread_mutex_unlock(&ctrl->lock);
	return err;
}

int brg_admin_identify(struct brg_nvme_ctrl *ctrl, enum nvme_identify_cns cns, uint32_t nsid,
		       void *page)
{
	const struct brg_nvme_identify what = {.cns = cns, .nsid = nsid};

	return brg_nvme_identify(ctrl, &what, page);
}

int brg_admin_set_queues(struct brg_nvme_ctrl *ctrl, unsigned int wanted)
{
	uint32_t last = wanted - 1; /* 0's based, like the answer */
	const struct brg_nvme_sqe sqe = {
		.opcode = nvme_admin_set_features,
		.cdw10 = NVME_FEAT_FID_NUM_QUEUES,
		.cdw11 = last << 16 | last,
	};
	struct brg_nvme_cqe cqe;
	unsigned int granted;
	int err;

	err = brg_admin_run(ctrl, &sqe, &cqe);
	if (err)
		return err;
	granted = RTE_MIN(cqe.dw0 & 0xffff, cqe.dw0 >> 16) + 1;
	return RTE_MIN(granted, wanted);
}
