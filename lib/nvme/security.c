/* SPDX-License-Identifier: BSD-3-Clause */
/* Payloads of other protocols: Security Send and Receive (5.25, 5.26), directives (5.7, 5.8). */

#include <errno.h>

#include "base.h"
#include "ctrl.h"

static int security(struct brg_nvme_ctrl *ctrl, enum nvme_admin_opcode opcode, uint8_t protocol,
		    uint16_t specific, void *data, uint32_t len)
{
	struct brg_nvme_sqe sqe = {
		.opcode = opcode,
		.cdw10 = (uint32_t)protocol << 24 | (uint32_t)specific << 8,
		.cdw11 = len,
	};

	if (!(ctrl->id.oacs & NVME_CTRL_OACS_SECURITY))
		return brg_admin_unsupported(ctrl, "Security Send and Receive", "OACS",
					     ctrl->id.oacs);
	return brg_nvme_admin(ctrl, &sqe, data, len, NULL);
}

int brg_nvme_security_send(struct brg_nvme_ctrl *ctrl, uint8_t protocol, uint16_t specific,
			   const void *data, uint32_t len)
{
	/* Only read from: the direction is in the opcode. */
	return security(ctrl, nvme_admin_security_send, protocol, specific, (void *)(uintptr_t)data,
			len);
}

int brg_nvme_security_receive(struct brg_nvme_ctrl *ctrl, uint8_t protocol, uint16_t specific,
			      void *data, uint32_t len)
{
	return security(ctrl, nvme_admin_security_recv, protocol, specific, data, len);
}

static int directive(struct brg_nvme_ctrl *ctrl, enum nvme_admin_opcode opcode,
		     const struct brg_nvme_directive *d, uint32_t *result)
{
	struct brg_nvme_sqe sqe = {
		.opcode = opcode,
		.nsid = d->nsid,
		.cdw10 = d->len ? d->len / sizeof(uint32_t) - 1 : 0, /* 0's based dwords */
		.cdw11 = (uint32_t)d->specific << 16 | (uint32_t)d->type << 8 | d->operation,
		.cdw12 = d->cdw12,
	};
	struct brg_nvme_cqe cqe;
	int err;

	if (!(ctrl->id.oacs & NVME_CTRL_OACS_DIRECTIVES))
		return brg_admin_unsupported(ctrl, "directives", "OACS", ctrl->id.oacs);
	if (d->len % sizeof(uint32_t))
		return brg_fail(EINVAL,
				"a directive with %u bytes of data: it takes a multiple of 4",
				d->len);
	err = brg_nvme_admin(ctrl, &sqe, d->data, d->len, &cqe);
	if (!err && result)
		*result = cqe.dw0;
	return err;
}

int brg_nvme_directive_send(struct brg_nvme_ctrl *ctrl, const struct brg_nvme_directive *d,
			    uint32_t *result)
{
	return directive(ctrl, nvme_admin_directive_send, d, result);
}

int brg_nvme_directive_receive(struct brg_nvme_ctrl *ctrl, const struct brg_nvme_directive *d,
			       uint32_t *result)
{
	return directive(ctrl, nvme_admin_directive_recv, d, result);
}
