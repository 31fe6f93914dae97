/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rings and the trackers of a queue pair, and the completion half of the fast path. The
 * controller is not trusted: a completion is matched with what is in flight before anything is done
 * with it, because a stray identifier would otherwise call through memory nobody owns.
 *
 * The completion queue is longer than the submission queue where the controller allows it. What is
 * in flight and what is in the part that its doorbell has not yet given back fit in together, so
 * the doorbell is due once per stretch of the ring. The ring's end is the end of a stretch as well:
 * one comparison per poll tells both.
 */

#include <errno.h>

#include "base.h"
#include "queue.h"

/* Empty polls after which the library looks after the controller: some tens of microseconds. */
#define IDLE_POLLS 4096

static size_t pages(size_t bytes)
{
	return RTE_ALIGN_CEIL(bytes, BRG_PRP_PAGE);
}

size_t brg_queue_bytes(uint16_t depth)
{
	return sizeof(struct brg_nvme_qpair) + depth * sizeof(struct brg_nvme_tracker);
}

/* Of the memory for DMA. */
static size_t sq_bytes(const struct brg_queue_opts *opts)
{
	if (opts->sq)
		return 0;
	return pages(opts->depth * sizeof(struct brg_nvme_sqe));
}

static size_t cq_bytes(const struct brg_queue_opts *opts)
{
	return pages(opts->cq_depth * sizeof(struct brg_nvme_cqe));
}

size_t brg_queue_dma_bytes(const struct brg_queue_opts *opts)
{
	size_t lists = opts->depth * brg_queue_list_entries(opts->max_transfer) * sizeof(uint64_t);

	return sq_bytes(opts) + cq_bytes(opts) + pages(lists);
}

/* The end of the stretch that begins with the next entry. */
static void begin_stretch(struct brg_nvme_qpair *qp)
{
	size_t left = qp->cq_end - qp->path.next;

	qp->stop = qp->path.next + RTE_MIN(left, qp->stretch);
}

void brg_queue_init(struct brg_nvme_qpair *qp, const struct brg_queue_opts *opts)
{
	struct brg_nvme_tracker *trackers = brg_queue_trackers(qp);
	uint8_t *dma = opts->dma;
	uint32_t cid = opts->depth - 1;

	qp->dma = dma;
	qp->path.depth = opts->depth;
	qp->path.sq = (struct brg_nvme_sqe *)(opts->sq ? opts->sq : dma);
	qp->path.sq_end = opts->depth * sizeof(struct brg_nvme_sqe);
	qp->path.sq_doorbell = opts->sq_doorbell;
	qp->cq_doorbell = opts->cq_doorbell;
	qp->sq_shadow = opts->sq_shadow;
	qp->cq_shadow = opts->cq_shadow;
	qp->path.publish = qp->sq_shadow ? qp->sq_shadow : qp->path.sq_doorbell;
	if (opts->manual)
		qp->path.publish = &qp->unread;
	qp->path.has_shadow = qp->path.publish == qp->sq_shadow;
	qp->path.sq_stop = qp->path.has_shadow ? qp->path.sq_end : 0;

	qp->cq = (struct brg_nvme_cqe *)(dma + sq_bytes(opts));
	qp->cq_end = qp->cq + opts->cq_depth;
	qp->stretch = RTE_MAX(opts->cq_depth - opts->depth, 1);
	qp->path.idle = IDLE_POLLS;
	qp->max_transfer = opts->max_transfer;
	qp->lists = (uint64_t *)(dma + sq_bytes(opts) + cq_bytes(opts));
	while (cid-- > 0)
		trackers[cid] = (struct brg_nvme_tracker){.dw0 = cid << 16, .cid = cid};
	brg_queue_restart(qp);
}

void brg_queue_free_trackers(struct brg_nvme_qpair *qp)
{
	uint32_t cid = qp->path.depth - 1;

	qp->path.free = NULL;
	while (cid-- > 0) {
		struct brg_nvme_tracker *tracker = brg_queue_trackers(qp) + cid;

		if (tracker->cb)
			continue;
		tracker->u.next = qp->path.free;
		qp->path.free = tracker;
	}
	if (qp->timed) {
		qp->timed_free = qp->path.free;
		qp->path.free = NULL;
	}
}

void brg_queue_hide_trackers(struct brg_nvme_qpair *qp)
{
	qp->path.free = NULL;
	qp->timed_free = NULL;
}

void brg_queue_restart(struct brg_nvme_qpair *qp)
{
	qp->path.sq_base = brg_queue_submitted(qp);
	qp->cq_base = qp->path.sq_base - qp->cancelled;
	qp->path.sq_at = 0;
	qp->sq_rung = 0;
	qp->cq_rung = 0;
	qp->path.next = qp->cq;
	qp->path.phase = 1; /* the first pass inverts the zeroes that the ring starts with */
	begin_stretch(qp);
	brg_queue_free_trackers(qp);
}

int brg_queue_full(const struct brg_nvme_qpair *qp)
{
	if (qp->error)
		return brg_fail(-qp->error,
				"queue pair %u takes no more commands; free it, or reset the "
				"controller",
				qp->qid);
	return -EAGAIN; /* part of every busy loop: no sentence */
}

static inline bool is_ready(const struct brg_nvme_qpair *qp, const struct brg_nvme_cqe *cqe)
{
	return !((*(const volatile uint16_t *)&cqe->status ^ qp->path.phase) & 1);
}

bool brg_queue_is_ready(const struct brg_nvme_qpair *qp)
{
	return is_ready(qp, qp->path.next);
}

/* The tracker of the command that a ready entry is about; NULL when there is none in flight. */
static inline struct brg_nvme_tracker *tracker_of(struct brg_nvme_qpair *qp,
						  const struct brg_nvme_cqe *cqe)
{
	struct brg_nvme_tracker *tracker;
	uint16_t cid;

	/* The rest of the entry, and the data, must not be read before the phase bit. */
	rte_io_rmb();
	cid = *(const volatile uint16_t *)&cqe->cid; /* checked and used: read once */
	if (unlikely(cid >= qp->path.depth))
		return NULL;
	tracker = brg_queue_trackers(qp) + cid;
	return likely(tracker->cb) ? tracker : NULL;
}

/* All state is settled before the callback, which may submit. The entry stays valid meanwhile: the
 * controller may reuse it only after the doorbell. */
static inline void call_back(struct brg_nvme_qpair *qp, struct brg_nvme_tracker *tracker,
			     const struct brg_nvme_cqe *cqe)
{
	brg_nvme_cb cb = tracker->cb;
	void *arg = tracker->u.arg;

	qp->path.next = cqe + 1;
	tracker->cb = NULL;
	tracker->u.next = qp->path.free;
	qp->path.free = tracker;
	cb(arg, cqe);
}

/* Tell the controller which entries it may use again. */
static void ring_cq(struct brg_nvme_qpair *qp)
{
	uint32_t old = qp->cq_rung, now = qp->path.next - qp->cq;

	qp->cq_rung = now;
	if (qp->cq_shadow) {
		rte_io_wmb();
		*qp->cq_shadow = now;
		rte_smp_mb();
		if (!brg_nvme_event_is_due(*brg_nvme_event(qp->cq_shadow), now, old))
			return;
	}
	rte_write32(now, qp->cq_doorbell);
}

void brg_queue_acknowledge(struct brg_nvme_qpair *qp)
{
	if (qp->path.next - qp->cq != qp->cq_rung)
		ring_cq(qp);
}

static __attribute__((noinline)) void end_stretch(struct brg_nvme_qpair *qp)
{
	if (qp->path.next == qp->cq_end) {
		qp->path.next = qp->cq;
		qp->path.phase ^= 1;
		qp->cq_base += qp->cq_end - qp->cq;
	}
	begin_stretch(qp);
	ring_cq(qp);
	/* A queue that is never found empty is to be looked after as well. */
	if (qp->path.idle > qp->stretch) {
		qp->path.idle -= qp->stretch;
	} else if (qp->qid) {
		qp->path.idle = IDLE_POLLS;
		brg_watch(qp);
	}
}

/* The entry is left in place, so that every later poll ends here again, until the controller has
 * been reset. The gate's entry is one that never was in flight: so the gate costs a poll nothing.
 */
static __attribute__((cold, noinline)) int stray_completion(struct brg_nvme_qpair *qp,
							    unsigned int max)
{
	if (qp->is_shut)
		return brg_gate_poll(qp, max);
	qp->stats.strays++;
	brg_fail(EIO, "queue pair %u: the controller completed command %u, which is not in flight",
		 qp->qid, qp->path.next->cid);
	if (qp->qid)
		return brg_watch_stray(qp);
	qp->error = -EIO;
	qp->path.free = NULL;
	return -EIO;
}

/* Take entries that are ready up to a limit, at least one; how many, 0: the first is stray. */
static inline unsigned int take_until(struct brg_nvme_qpair *qp, const struct brg_nvme_cqe *limit)
{
	const struct brg_nvme_cqe *first = qp->path.next, *cqe = first;

	do {
		struct brg_nvme_tracker *tracker = tracker_of(qp, cqe);

		if (unlikely(!tracker))
			break;
		call_back(qp, tracker, cqe++);
	} while (cqe != limit && is_ready(qp, cqe));
	return cqe - first;
}

static __attribute__((noinline)) int take_many(struct brg_nvme_qpair *qp, unsigned int max)
{
	unsigned int taken = 0, count;

	do {
		const struct brg_nvme_cqe *limit = qp->stop;

		if (max && max - taken < limit - qp->path.next)
			limit = qp->path.next + (max - taken);
		count = take_until(qp, limit);
		taken += count;
		if (qp->path.next == qp->stop)
			end_stretch(qp);
	} while (count && taken != max && is_ready(qp, qp->path.next));
	return likely(taken) ? (int)taken : stray_completion(qp, max);
}

int brg_nvme_poll_ready(struct brg_nvme_qpair *qp, const struct brg_nvme_cqe *cqe, unsigned int max)
{
	struct brg_nvme_tracker *tracker;

	/* One completion is the common case, and much less work when it is known to be just one,
	 * which at the end of a stretch is not. */
	if (cqe + 1 == qp->stop || is_ready(qp, cqe + 1))
		return take_many(qp, max);
	tracker = tracker_of(qp, cqe);
	if (unlikely(!tracker))
		return stray_completion(qp, max);
	call_back(qp, tracker, cqe);
	return 1;
}

int brg_nvme_poll_idle(struct brg_nvme_qpair *qp)
{
	qp->path.idle = IDLE_POLLS;
	return qp->qid ? brg_watch(qp) : 0;
}

void brg_nvme_ring(struct brg_nvme_qpair *qp)
{
	uint32_t old = qp->sq_rung, now = brg_nvme_tail(&qp->path);

	if (now == old)
		return;
	if (unlikely(qp->is_shut)) { /* a reset may have the queue */
		qp->ring_due = true;
		return;
	}
	qp->sq_rung = now;
	rte_io_wmb();
	if (qp->sq_shadow) {
		*qp->sq_shadow = now;
		rte_smp_mb();
		if (!brg_nvme_event_is_due(*brg_nvme_event(qp->sq_shadow), now, old))
			return;
	}
	rte_write32(now, qp->path.sq_doorbell);
}

uint64_t brg_queue_submitted(const struct brg_nvme_qpair *qp)
{
	return qp->path.sq_base + brg_nvme_tail(&qp->path);
}

uint64_t brg_queue_completed(const struct brg_nvme_qpair *qp)
{
	const struct brg_nvme_cqe *next = qp->is_shut ? qp->kept_next : qp->path.next;

	return qp->cq_base + (next - qp->cq);
}

unsigned int brg_nvme_outstanding(const struct brg_nvme_qpair *qp)
{
	return brg_queue_submitted(qp) - brg_queue_completed(qp) - qp->cancelled;
}

unsigned int brg_queue_cancel(struct brg_nvme_qpair *qp, uint16_t status)
{
	struct brg_nvme_cqe cqe = {
		.sq_id = qp->qid,
		.status = status << 1,
	};
	unsigned int count = 0;
	uint32_t cid;

	brg_queue_hide_trackers(qp);
	for (cid = 0; cid + 1 < qp->path.depth; cid++) {
		struct brg_nvme_tracker *tracker = brg_queue_trackers(qp) + cid;
		brg_nvme_cb cb = tracker->cb;

		if (!cb)
			continue;
		tracker->cb = NULL;
		qp->cancelled++;
		count++;
		cqe.cid = cid;
		cb(tracker->u.arg, &cqe);
	}
	return count;
}

void brg_queue_abort(struct brg_nvme_qpair *qp)
{
	qp->error = -EIO;
	brg_queue_cancel(qp, NVME_SC_ABORT_QUEUE);
}
