/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads and writes of any length, as commands of what one may carry that do not cross the
 * namespace's optimal boundaries. As many are in flight as the queue has room for; each that
 * completes makes room for the next. The user's memory keeps what is left to do.
 */

#include <errno.h>

#include "base.h"
#include "ctrl.h"

/* NOIOB is in logical blocks (NVM Command Set 1.0, 4.1.5.1); 0: there is no such boundary. */
static uint32_t next_blocks(const struct brg_nvme_long *l)
{
	uint32_t most = l->qp->max_transfer / l->ns->block_size;
	uint32_t boundary = l->ns->id.noiob;

	if (boundary)
		most = RTE_MIN(most, boundary - (uint32_t)(l->lba % boundary));
	return RTE_MIN(most, l->left);
}

static void on_part(void *arg, const struct brg_nvme_cqe *cqe);

/* Until all is submitted, or the queue is full; 0 or the error of the first that could not be. */
static int submit_parts(struct brg_nvme_long *l)
{
	while (l->left) {
		uint32_t nblocks = next_blocks(l);
		int err = brg_nvme_submit_any(l->qp, l->ns, l->opcode, l->buf, l->lba, nblocks,
					      on_part, l);

		if (err)
			return err;
		l->in_flight++;
		l->left -= nblocks;
		l->lba += nblocks;
		l->buf += (size_t)nblocks * l->ns->block_size;
	}
	return 0;
}

static void on_part(void *arg, const struct brg_nvme_cqe *cqe)
{
	struct brg_nvme_long *l = arg;

	l->in_flight--;
	if (!l->failed)
		l->cqe = *cqe;
	l->failed |= brg_nvme_status(cqe) != 0;
	/* There is room for one: that of the command that is called back. Where there is none after
	 * all, the queue pair takes no more commands, and this one has not been carried out. */
	if (!l->failed && submit_parts(l) && !l->in_flight) {
		l->cqe.status = BRG_STATUS_RESET << 1;
		l->failed = true;
	}
	if (!l->in_flight)
		l->cb(l->arg, &l->cqe);
}

void brg_long_unwrap(struct brg_nvme_tracker *tracker)
{
	const struct brg_nvme_long *l = tracker->u.arg;

	if (tracker->cb != on_part)
		return;
	tracker->cb = l->cb;
	tracker->u.arg = l->arg;
}

static int start(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
		 enum nvme_io_opcode opcode, void *buf, uint64_t lba, uint32_t nblocks,
		 struct brg_nvme_long *l, brg_nvme_cb cb, void *arg)
{
	int err = brg_io_check(SIZE_MAX, ns, buf, lba, nblocks);

	if (!err)
		err = brg_buffer_check(qp, buf, (size_t)nblocks * ns->block_size);
	if (err)
		return err;
	*l = (struct brg_nvme_long){
		.qp = qp,
		.ns = ns,
		.opcode = opcode,
		.buf = buf,
		.lba = lba,
		.left = nblocks,
		.cb = cb,
		.arg = arg,
	};
	err = submit_parts(l);
	return l->in_flight ? 0 : err;
}

int brg_nvme_read_long(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, void *buf,
		       uint64_t lba, uint32_t nblocks, struct brg_nvme_long *state, brg_nvme_cb cb,
		       void *arg)
{
	return start(qp, ns, nvme_cmd_read, buf, lba, nblocks, state, cb, arg);
}

int brg_nvme_write_long(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, const void *buf,
			uint64_t lba, uint32_t nblocks, struct brg_nvme_long *state, brg_nvme_cb cb,
			void *arg)
{
	return start(qp, ns, nvme_cmd_write, (void *)(uintptr_t)buf, lba, nblocks, state, cb, arg);
}
