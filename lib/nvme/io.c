/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The submission half of the fast path: read, write and flush. A command is built in its place in
 * the ring; data of one page, the usual case, takes no call and hardly a register to save.
 */

#include <errno.h>
#include <inttypes.h>

#include "base.h"
#include "prp.h"
#include "queue.h"

/* Say which of the conditions in submit() the request breaks. */
static __attribute__((cold, noinline)) int refuse(const struct brg_nvme_qpair *qp,
						  const struct brg_nvme_ns *ns, uint64_t buf,
						  uint64_t lba, uint32_t nblocks)
{
	if (buf & 3)
		return brg_fail(EINVAL, "buffer %#" PRIx64 " is not dword-aligned", buf);
	if (!nblocks)
		return brg_fail(EINVAL, "no blocks to transfer");
	if ((uint64_t)nblocks * ns->block_size > qp->max_transfer)
		return brg_fail(EINVAL,
				"%" PRIu32 " blocks of %" PRIu32 " bytes are more than the %zu "
				"bytes that one command may carry",
				nblocks, ns->block_size, qp->max_transfer);
	return brg_fail(EINVAL,
			"blocks %" PRIu64 " to %" PRIu64 " are beyond the namespace's %" PRIu64,
			lba, lba + nblocks - 1, ns->blocks);
}

/* The rest of submit() for data of more than one page. */
static __attribute__((noinline)) int submit_pages(struct brg_nvme_qpair *qp, uint64_t first,
						  uint64_t last, const struct brg_tracker *tracker)
{
	uint64_t *list = brg_queue_list(qp, tracker->cid);

	qp->sq[qp->sq_tail].prp2 = brg_prp2(first, last, list);
	brg_sq_ring(qp);
	return 0;
}

static inline __attribute__((always_inline)) int
submit(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, enum nvme_io_opcode opcode,
       uint64_t buf, uint64_t lba, uint32_t nblocks, brg_nvme_cb cb, void *arg)
{
	uint64_t last = (uint64_t)nblocks * ns->block_size - 1, end; /* last byte's offset */
	struct brg_tracker *tracker;

	/* With no blocks at all it wraps: one comparison for too few and too many. */
	if (unlikely(buf & 3 || last >= qp->max_transfer ||
		     __builtin_add_overflow(lba, nblocks, &end) || end > ns->blocks))
		return refuse(qp, ns, buf, lba, nblocks);
	last += buf;
	tracker = brg_tracker_take(qp, cb, arg);
	if (unlikely(!tracker))
		return brg_queue_full(qp);
	qp->sq[qp->sq_tail] = (struct brg_nvme_sqe){
		.opcode = opcode,
		.cid = tracker->cid,
		.nsid = ns->nsid,
		.prp1 = buf,
		.cdw10 = lba,
		.cdw11 = lba >> 32,
		.cdw12 = nblocks - 1,
	};
	if (!brg_prp_is_one_page(buf, last))
		return submit_pages(qp, buf, last, tracker);
	brg_sq_ring(qp);
	return 0;
}

int brg_nvme_read(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, void *buf, uint64_t lba,
		  uint32_t nblocks, brg_nvme_cb cb, void *arg)
{
	return submit(qp, ns, nvme_cmd_read, (uintptr_t)buf, lba, nblocks, cb, arg);
}

int brg_nvme_write(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, const void *buf,
		   uint64_t lba, uint32_t nblocks, brg_nvme_cb cb, void *arg)
{
	return submit(qp, ns, nvme_cmd_write, (uintptr_t)buf, lba, nblocks, cb, arg);
}

int brg_nvme_flush(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, brg_nvme_cb cb,
		   void *arg)
{
	const struct brg_nvme_sqe sqe = {.opcode = nvme_cmd_flush, .nsid = ns->nsid};

	return brg_queue_submit(qp, &sqe, cb, arg);
}
