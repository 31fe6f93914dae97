/* SPDX-License-Identifier: BSD-3-Clause */
/* Namespaces created, deleted, attached and detached (5.22, 5.23). */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base.h"
#include "ctrl.h"

#define TIMEOUT_MS 120000u /* as long as the kernel and nvme-cli give it */

static int check_support(const struct brg_nvme_ctrl *ctrl)
{
	if (ctrl->id.oacs & NVME_CTRL_OACS_NS_MGMT)
		return 0;
	return brg_admin_unsupported(ctrl, "namespace management", "OACS", ctrl->id.oacs);
}

/* The fields that the host decides are in the same places as Identify Namespace has them. */
int brg_nvme_ns_create(struct brg_nvme_ctrl *ctrl, const struct nvme_id_ns *wanted,
		       enum nvme_csi csi, uint32_t *nsid)
{
	struct nvme_id_ns page = {
		.nsze = wanted->nsze,
		.ncap = wanted->ncap,
		.flbas = wanted->flbas,
		.dps = wanted->dps,
		.nmic = wanted->nmic,
		.anagrpid = wanted->anagrpid,
		.nvmsetid = wanted->nvmsetid,
		.endgid = wanted->endgid,
	};
	struct brg_nvme_sqe sqe = {
		.opcode = nvme_admin_ns_mgmt,
		.cdw10 = NVME_NS_MGMT_SEL_CREATE,
		.cdw11 = (uint32_t)csi << 24,
	};
	struct brg_nvme_cqe cqe;
	int err = check_support(ctrl);

	if (err)
		return err;
	if (!wanted->nsze || wanted->ncap > wanted->nsze)
		return brg_fail(EINVAL,
				"a namespace of %" PRIu64 " blocks with a capacity of %" PRIu64
				": the first must not be 0, and the second not be more",
				(uint64_t)wanted->nsze, (uint64_t)wanted->ncap);
	err = brg_admin_patiently(ctrl, &sqe, &page, sizeof(page), TIMEOUT_MS, &cqe);
	if (!err)
		*nsid = cqe.dw0;
	return err;
}

int brg_nvme_ns_delete(struct brg_nvme_ctrl *ctrl, uint32_t nsid)
{
	struct brg_nvme_sqe sqe = {
		.opcode = nvme_admin_ns_mgmt,
		.nsid = nsid,
		.cdw10 = NVME_NS_MGMT_SEL_DELETE,
	};
	int err = check_support(ctrl);

	return err ? err : brg_admin_patiently(ctrl, &sqe, NULL, 0, TIMEOUT_MS, NULL);
}

int brg_nvme_ns_attach(struct brg_nvme_ctrl *ctrl, uint32_t nsid, const uint16_t *cntlids,
		       unsigned int n, bool attach)
{
	struct brg_nvme_sqe sqe = {
		.opcode = nvme_admin_ns_attach,
		.nsid = nsid,
		.cdw10 = attach ? NVME_NS_ATTACH_SEL_CTRL_ATTACH : NVME_NS_ATTACH_SEL_CTRL_DEATTACH,
	};
	struct nvme_ctrl_list list = {.num = n};
	int err = check_support(ctrl);

	if (err)
		return err;
	if (n < 1 || n > RTE_DIM(list.identifier))
		return brg_fail(EINVAL, "%u controllers: it takes 1 to %zu", n,
				RTE_DIM(list.identifier));
	memcpy(list.identifier, cntlids, n * sizeof(*cntlids));
	return brg_admin_patiently(ctrl, &sqe, &list, sizeof(list), TIMEOUT_MS, NULL);
}
