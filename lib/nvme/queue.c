/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rings and the trackers of a queue pair, and the completion half of the fast path. The
 * controller is not trusted: a completion is matched with what is in flight before anything is done
 * with it, because a stray identifier would otherwise call through memory nobody owns.
 */

#include <errno.h>

#include "base.h"
#include "queue.h"

static size_t pages(size_t bytes)
{
	return RTE_ALIGN_CEIL(bytes, BRG_PRP_PAGE);
}

size_t brg_queue_bytes(uint16_t depth)
{
	return sizeof(struct brg_nvme_qpair) + depth * sizeof(struct brg_tracker);
}

size_t brg_queue_dma_bytes(uint16_t depth, size_t max_transfer)
{
	return pages(depth * sizeof(struct brg_nvme_sqe)) +
	       pages(depth * sizeof(struct brg_nvme_cqe)) +
	       pages(depth * brg_prp_list_entries(max_transfer) * sizeof(uint64_t));
}

void brg_queue_init(struct brg_nvme_qpair *qp, uint16_t depth, void *dma, size_t max_transfer,
		    volatile uint32_t *sq_doorbell, volatile uint32_t *cq_doorbell)
{
	uint8_t *cq = (uint8_t *)dma + pages(depth * sizeof(struct brg_nvme_sqe));
	uint16_t cid = depth - 1;

	qp->dma = dma;
	qp->depth = depth;
	qp->sq = dma;
	qp->sq_doorbell = sq_doorbell;
	qp->cq = (struct brg_nvme_cqe *)cq;
	qp->cq_end = qp->cq + depth;
	qp->cq_doorbell = cq_doorbell;
	qp->cqe = qp->cq;
	qp->phase = 1; /* the first pass inverts the zeroes that the ring starts with */
	qp->max_transfer = max_transfer;
	qp->lists = (uint64_t *)(cq + pages(depth * sizeof(struct brg_nvme_cqe)));
	qp->trackers = (struct brg_tracker *)(qp + 1);
	while (cid-- > 0) {
		qp->trackers[cid].cid = cid;
		qp->trackers[cid].next = qp->free;
		qp->free = &qp->trackers[cid];
	}
}

void brg_queue_kill(struct brg_nvme_qpair *qp)
{
	qp->dead = true;
	qp->free = NULL;
}

int brg_queue_full(const struct brg_nvme_qpair *qp)
{
	if (qp->dead)
		return brg_fail(EIO, "queue pair %u takes no more commands; free it", qp->qid);
	return -EAGAIN; /* part of every busy loop: no sentence */
}

int brg_queue_submit(struct brg_nvme_qpair *qp, const struct brg_nvme_sqe *sqe, brg_nvme_cb cb,
		     void *arg)
{
	struct brg_tracker *tracker = brg_tracker_take(qp, cb, arg);
	struct brg_nvme_sqe *slot;

	if (unlikely(!tracker))
		return brg_queue_full(qp);
	slot = &qp->sq[qp->sq_tail];
	*slot = *sqe;
	slot->cid = tracker->cid;
	brg_sq_ring(qp);
	return 0;
}

static inline bool is_ready(const struct brg_nvme_qpair *qp, const struct brg_nvme_cqe *cqe)
{
	return !((*(const volatile uint16_t *)&cqe->status ^ qp->phase) & 1);
}

static inline void advance(struct brg_nvme_qpair *qp, const struct brg_nvme_cqe *cqe)
{
	const struct brg_nvme_cqe *next = cqe + 1;

	if (unlikely(next == qp->cq_end)) {
		next = qp->cq;
		qp->phase ^= 1;
	}
	qp->cqe = next;
}

/* The tracker of the command that a ready entry is about; NULL when there is none in flight. */
static inline struct brg_tracker *tracker_of(struct brg_nvme_qpair *qp,
					     const struct brg_nvme_cqe *cqe)
{
	uint16_t cid;

	/* The rest of the entry, and the data, must not be read before the phase bit. */
	rte_io_rmb();
	cid = *(const volatile uint16_t *)&cqe->cid; /* checked and used: read once */
	if (unlikely(cid >= qp->depth || !qp->trackers[cid].cb))
		return NULL;
	return &qp->trackers[cid];
}

/* All state is settled before the callback, which may submit. The entry stays valid meanwhile: the
 * controller may reuse it only after the doorbell. */
static inline void call_back(struct brg_nvme_qpair *qp, struct brg_tracker *tracker,
			     const struct brg_nvme_cqe *cqe)
{
	brg_nvme_cb cb = tracker->cb;
	void *arg = tracker->arg;

	tracker->cb = NULL;
	tracker->next = qp->free;
	qp->free = tracker;
	cb(arg, cqe);
}

static inline void ring_cq(struct brg_nvme_qpair *qp)
{
	rte_write32(qp->cqe - qp->cq, qp->cq_doorbell);
}

/* The entry is left in place, so that every later poll ends here again. */
static __attribute__((cold, noinline)) int stray_completion(struct brg_nvme_qpair *qp)
{
	brg_queue_kill(qp);
	return brg_fail(EIO,
			"queue pair %u: the controller completed command %u, which is not in "
			"flight; free the queue pair and reset the controller",
			qp->qid, qp->cqe->cid);
}

static __attribute__((noinline)) int take_many(struct brg_nvme_qpair *qp, unsigned int max)
{
	const struct brg_nvme_cqe *cqe = qp->cqe;
	unsigned int taken = 0;

	do {
		struct brg_tracker *tracker = tracker_of(qp, cqe);

		if (unlikely(!tracker))
			break;
		advance(qp, cqe);
		call_back(qp, tracker, cqe);
		cqe = qp->cqe;
	} while (++taken != max && is_ready(qp, cqe));
	if (unlikely(!taken))
		return stray_completion(qp);
	ring_cq(qp);
	return taken;
}

int brg_nvme_poll(struct brg_nvme_qpair *qp, unsigned int max)
{
	const struct brg_nvme_cqe *cqe = qp->cqe;
	struct brg_tracker *tracker;

	if (!is_ready(qp, cqe))
		return 0;
	/* One completion is the common case, and much less work when it is known to be just one,
	 * which at the end of the ring is not. */
	if (cqe + 1 == qp->cq_end || is_ready(qp, cqe + 1))
		return take_many(qp, max);
	tracker = tracker_of(qp, cqe);
	if (unlikely(!tracker))
		return stray_completion(qp);
	qp->cqe = cqe + 1;
	call_back(qp, tracker, cqe);
	ring_cq(qp);
	return 1;
}

unsigned int brg_nvme_outstanding(const struct brg_nvme_qpair *qp)
{
	/* Both rings advance by one entry per command. */
	uint32_t head = qp->cqe - qp->cq;

	return qp->sq_tail >= head ? qp->sq_tail - head : qp->sq_tail + qp->depth - head;
}

void brg_queue_abort(struct brg_nvme_qpair *qp)
{
	struct brg_nvme_cqe cqe = {
		.sq_id = qp->qid,
		.status = NVME_SC_ABORT_QUEUE << 1,
	};
	uint32_t cid;

	brg_queue_kill(qp);
	for (cid = 0; cid < qp->depth; cid++) {
		struct brg_tracker *tracker = &qp->trackers[cid];

		brg_nvme_cb cb = tracker->cb;

		if (!cb)
			continue;
		tracker->cb = NULL;
		advance(qp, qp->cqe);
		cqe.cid = cid;
		cb(tracker->arg, &cqe);
	}
}
