/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The submission half of the fast path: read, write and flush. A command is built in its place in
 * the ring; nothing is allocated, and nothing but the PRP list of large transfers is called.
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

/* Transfers of more than two pages, for which the list is worth a call. */
static __attribute__((noinline)) int write_list_and_ring(struct brg_nvme_qpair *qp, uint64_t buf,
							 size_t len, uint64_t *list)
{
	brg_prp_write_list(buf, len, list);
	brg_sq_ring(qp);
	return 0;
}

static inline __attribute__((always_inline)) int
submit(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, enum nvme_io_opcode opcode,
       uint64_t buf, uint64_t lba, uint32_t nblocks, brg_nvme_cb cb, void *arg)
{
	uint64_t len = (uint64_t)nblocks * ns->block_size, end;
	struct brg_tracker *tracker;
	uint16_t cid;

	/* len - 1 wraps for no blocks at all: one comparison for too few and too many. */
	if (unlikely(buf & 3 || len - 1 >= qp->max_transfer ||
		     __builtin_add_overflow(lba, nblocks, &end) || end > ns->blocks))
		return refuse(qp, ns, buf, lba, nblocks);
	tracker = brg_tracker_take(qp, cb, arg, &cid);
	if (unlikely(!tracker))
		return brg_queue_full(qp);
	qp->sq[qp->sq_tail] = (struct brg_nvme_sqe){
		.opcode = opcode,
		.cid = cid,
		.nsid = ns->nsid,
		.prp1 = buf,
		.prp2 = brg_prp2(buf, len, tracker->list),
		.cdw10 = lba,
		.cdw11 = lba >> 32,
		.cdw12 = nblocks - 1,
	};
	if (brg_prp_needs_list(buf, len))
		return write_list_and_ring(qp, buf, len, tracker->list);
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
