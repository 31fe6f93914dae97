/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What brg_nvme_path.h leaves of submitting: requests of more than a page, those that are refused,
 * many at once, those with flags, and commands that are built beforehand.
 */

#include <errno.h>
#include <inttypes.h>

#include "base.h"
#include "ctrl.h"
#include "prp.h"
#include "trace.h"

/* It would be written behind the buffer, or to address 0. */
int brg_io_check_format(const struct brg_nvme_ns *ns)
{
	if (!ns->metadata)
		return 0;
	return brg_fail(ENOTSUP,
			"namespace %" PRIu32 " has %u bytes of metadata per block: use "
			"brg_nvme_read_meta() and brg_nvme_write_meta()",
			ns->nsid, ns->metadata);
}

int brg_io_check(size_t max_transfer, const struct brg_nvme_ns *ns, const void *data, uint64_t lba,
		 uint32_t nblocks)
{
	uint64_t buf = (uintptr_t)data, end;

	if (buf & 3)
		return brg_fail(EINVAL, "buffer %#" PRIx64 " is not dword-aligned", buf);
	if (!nblocks)
		return brg_fail(EINVAL, "no blocks to transfer");
	if ((uint64_t)nblocks * ns->block_size > max_transfer)
		return brg_fail(EINVAL,
				"%" PRIu32 " blocks of %" PRIu32 " bytes are more than the %zu "
				"bytes that one command may carry",
				nblocks, ns->block_size, max_transfer);
	if (__builtin_add_overflow(lba, nblocks, &end) || end > ns->blocks)
		return brg_fail(EINVAL,
				"blocks %" PRIu64 " to %" PRIu64
				" are beyond the namespace's %" PRIu64,
				lba, lba + nblocks - 1, ns->blocks);
	return brg_io_check_format(ns);
}

int brg_io_fill(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, uint32_t dw0,
		const struct brg_nvme_io *io)
{
	uint64_t first = (uintptr_t)io->buf;
	uint64_t last = first + (uint64_t)io->nblocks * ns->block_size - 1; /* byte */
	struct brg_nvme_tracker *tracker = brg_queue_take(qp, io->cb, io->arg);
	struct brg_nvme_path *p = &qp->path;
	uint64_t prp2 = 0;

	if (!tracker)
		return brg_queue_full(qp);
	if (!brg_prp_is_one_page(first, last))
		prp2 = brg_prp2(first, last, brg_queue_list(qp, tracker->cid));
	brg_nvme_fill(brg_nvme_slot(p), tracker->dw0 | dw0, ns->nsid, first, prp2, io->lba,
		      io->nblocks - 1);
	brg_trace_submit(qp->qid, tracker->cid, dw0, ns->nsid, io->lba);
	return 0;
}

/* Fill the next entry for data of any size, or refuse to; the entry is not yet handed over. */
static int put(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, enum nvme_io_opcode opcode,
	       const struct brg_nvme_io *io)
{
	int err = brg_io_check(qp->max_transfer, ns, io->buf, io->lba, io->nblocks);

	if (!err)
		err = brg_buffer_check(qp, io->buf, (size_t)io->nblocks * ns->block_size);
	return err ? err : brg_io_fill(qp, ns, opcode, io);
}

/* The entry that was filled is the ring's last. */
void brg_nvme_publish_last(struct brg_nvme_path *p)
{
	uint32_t old = brg_nvme_tail(p);

	p->sq_at = p->sq_end;
	brg_queue_wrap(p);
	brg_queue_publish(p, old);
}

int brg_nvme_submit_any(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
			enum nvme_io_opcode opcode, void *buf, uint64_t lba, uint32_t nblocks,
			brg_nvme_cb cb, void *arg)
{
	const struct brg_nvme_io io = {buf, lba, nblocks, cb, arg};
	int err = put(qp, ns, opcode, &io);

	if (!err)
		brg_nvme_publish(&qp->path);
	return err;
}

/*
 * A row of requests of the usual kind and of one length, as long as it is and no further than the
 * end of the ring. What they have in common is worked out once, and stays in registers.
 */
static inline __attribute__((always_inline)) const struct brg_nvme_io *
put_row(struct brg_nvme_path *p, const struct brg_nvme_ns *ns, enum nvme_io_opcode opcode,
	const struct brg_nvme_io *io, const struct brg_nvme_io *end)
{
	uint32_t nblocks = io->nblocks, last = nblocks - 1;
	uint32_t nsid = ns->nsid;
	uint64_t bytes = ((uint64_t)last + 1) * ns->block_size; /* huge if there are no blocks */
	uint64_t lbas = ns->blocks - last;			/* that a request may begin with */
	struct brg_nvme_sqe *slot = brg_nvme_slot(p);
	struct brg_nvme_tracker *tracker = p->free;
	uint32_t room = p->depth - brg_nvme_tail(p);

	if (bytes > BRG_PRP_PAGE || !ns->simple_end)
		return io;
	if (end - io > room)
		end = io + room;
	for (; io < end && tracker; io++, slot++) {
		uint64_t buf = (uintptr_t)io->buf;
		struct brg_nvme_tracker *next;

		if (unlikely(io->nblocks != nblocks || buf & 3 ||
			     buf % BRG_PRP_PAGE > BRG_PRP_PAGE - bytes || io->lba >= lbas))
			break;
		tracker->cb = io->cb;
		brg_nvme_fill(slot, opcode | tracker->dw0, nsid, buf, 0, io->lba, last);
		next = tracker->u.next;
		tracker->u.arg = io->arg;
		tracker = next;
	}
	p->free = tracker;
	p->sq_at = (slot - p->sq) * sizeof(*slot);
	return io;
}

/* What was put into the ring before one could not be is handed over. */
static inline __attribute__((always_inline)) int
submit_many(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, enum nvme_io_opcode opcode,
	    const struct brg_nvme_io *first, unsigned int count)
{
	const struct brg_nvme_io *io = first, *end = io + count;
	struct brg_nvme_path *p = &qp->path;
	uint32_t old = brg_nvme_tail(p);
	int err = 0;

	while (io < end) {
		const struct brg_nvme_io *before = io;

		io = put_row(p, ns, opcode, io, end);
		brg_queue_wrap(p);
		if (io > before)
			continue;
		err = put(qp, ns, opcode, io);
		if (err)
			break;
		p->sq_at += sizeof(struct brg_nvme_sqe);
		io++;
		brg_queue_wrap(p);
	}
	if (io == first)
		return err;
	brg_queue_publish(p, old);
	return io - first;
}

int brg_nvme_read_many(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
		       const struct brg_nvme_io *ios, unsigned int count)
{
	return submit_many(qp, ns, nvme_cmd_read, ios, count);
}

int brg_nvme_write_many(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
			const struct brg_nvme_io *ios, unsigned int count)
{
	return submit_many(qp, ns, nvme_cmd_write, ios, count);
}

int brg_nvme_submit_slowly(struct brg_nvme_qpair *qp, const struct brg_nvme_sqe *sqe,
			   brg_nvme_cb cb, void *arg)
{
	struct brg_nvme_tracker *tracker = brg_queue_take(qp, cb, arg);
	struct brg_nvme_sqe *slot = brg_nvme_slot(&qp->path);

	if (!tracker)
		return brg_queue_full(qp);
	*slot = *sqe;
	slot->cid = tracker->cid;
	brg_trace_submit(qp->qid, tracker->cid, sqe->opcode, sqe->nsid,
			 (uint64_t)sqe->cdw11 << 32 | sqe->cdw10);
	brg_nvme_publish(&qp->path);
	return 0;
}

int brg_nvme_prepare(const struct brg_nvme_ctrl *ctrl, const struct brg_nvme_ns *ns,
		     enum nvme_io_opcode opcode, void *buf, uint64_t lba, uint32_t nblocks,
		     uint64_t *list, struct brg_nvme_sqe *sqe)
{
	uint64_t first = (uintptr_t)buf;
	uint64_t last = first + (uint64_t)nblocks * ns->block_size - 1; /* byte */
	int err = brg_io_check(ctrl->max_transfer, ns, buf, lba, nblocks);

	if (err)
		return err;
	*sqe = (struct brg_nvme_sqe){
		.opcode = opcode,
		.nsid = ns->nsid,
		.prp1 = first,
		.cdw10 = lba,
		.cdw11 = lba >> 32,
		.cdw12 = nblocks - 1,
	};
	if (brg_prp_is_one_page(first, last))
		return 0;
	if (!list && last / BRG_PRP_PAGE - first / BRG_PRP_PAGE > 1)
		return brg_fail(EINVAL,
				"%" PRIu64 " bytes at %p touch more than two pages: a list is "
				"needed",
				last - first + 1, buf);
	sqe->prp2 = brg_prp2(first, last, list);
	return 0;
}

static int submit_flags(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
			enum nvme_io_opcode opcode, void *buf, uint64_t lba, uint32_t nblocks,
			uint16_t flags, brg_nvme_cb cb, void *arg)
{
	const struct brg_nvme_sqe sqe = {
		.opcode = opcode,
		.nsid = ns->nsid,
		.cdw10 = lba,
		.cdw11 = lba >> 32,
		.cdw12 = (nblocks - 1) | (uint32_t)flags << 16,
	};
	int err = brg_io_check(qp->max_transfer, ns, buf, lba, nblocks);

	if (err)
		return err;
	if (flags & ~(NVME_IO_FUA | NVME_IO_LR))
		return brg_fail(EINVAL,
				"flags %#x: a read or write takes NVME_IO_FUA and NVME_IO_LR",
				flags);
	return brg_nvme_submit_data(qp, &sqe, buf, (size_t)nblocks * ns->block_size, cb, arg);
}

int brg_nvme_read_flags(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, void *buf,
			uint64_t lba, uint32_t nblocks, uint16_t flags, brg_nvme_cb cb, void *arg)
{
	return submit_flags(qp, ns, nvme_cmd_read, buf, lba, nblocks, flags, cb, arg);
}

int brg_nvme_write_flags(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, const void *buf,
			 uint64_t lba, uint32_t nblocks, uint16_t flags, brg_nvme_cb cb, void *arg)
{
	/* Only read from: the direction is in the opcode. */
	return submit_flags(qp, ns, nvme_cmd_write, (void *)(uintptr_t)buf, lba, nblocks, flags, cb,
			    arg);
}

int brg_nvme_flush(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, brg_nvme_cb cb,
		   void *arg)
{
	const struct brg_nvme_sqe sqe = {.opcode = nvme_cmd_flush, .nsid = ns->nsid};

	return brg_nvme_submit(qp, &sqe, cb, arg);
}
