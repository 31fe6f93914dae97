/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether a buffer is one that commands can use, for queue pairs that are to look
 * (brg_nvme_qpair_opts.check_buffers). Otherwise the IOMMU refuses the controller's access, and the
 * command ends with "Data Transfer Error" at best.
 */

#include "brg_dma.h"
#include "cmb.h"

int brg_buffer_check(const struct brg_nvme_qpair *qp, const void *buf, size_t len)
{
	if (!qp->checks_buffers || brg_cmb_has(qp->ctrl, buf, len) ||
	    brg_pmr_has(qp->ctrl, buf, len))
		return 0;
	return brg_dma_check(qp->ctrl->dev, buf, len);
}
