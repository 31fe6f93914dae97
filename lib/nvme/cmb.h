/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BRG_CMB_H
#define BRG_CMB_H

/* Memory on the device, for the other files of this layer. The caller has the controller's lock. */

#include "ctrl.h"

/** Take room for a ring; -ENOTSUP where the CMB takes no queues, and errors of
 *  brg_nvme_cmb_alloc(). */
int brg_cmb_take_ring(struct brg_nvme_ctrl *ctrl, size_t bytes, struct brg_cmb_ring *ring);

/** Give it back; one that was not taken is allowed. */
void brg_cmb_give_ring(struct brg_nvme_ctrl *ctrl, const struct brg_cmb_ring *ring);

/** After a reset: let the controller use its CMB as before, if it did. */
int brg_cmb_again(struct brg_nvme_ctrl *ctrl);

/** Disable and unmap it. */
void brg_cmb_release(struct brg_nvme_ctrl *ctrl);

/** Whether a buffer lies in it. The lock is not needed. */
bool brg_cmb_has(const struct brg_nvme_ctrl *ctrl, const void *buf, size_t len);

/** The same three for the PMR. */
int brg_pmr_again(struct brg_nvme_ctrl *ctrl);
void brg_pmr_release(struct brg_nvme_ctrl *ctrl);
bool brg_pmr_has(const struct brg_nvme_ctrl *ctrl, const void *buf, size_t len);

#endif
