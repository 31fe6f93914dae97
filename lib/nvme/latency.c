/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How long commands take, for queue pairs that want to know; the others have no part in it. Such a
 * queue pair keeps its free trackers to itself, so that every submission finds none and comes here;
 * and a callback of ours stands in front of the user's.
 */

#include <rte_cycles.h>
#include <stdlib.h>

#include "base.h"
#include "brg_stat.h"
#include "ctrl.h"
#include "trace.h"

/* A command that is timed: by identifier. */
struct brg_timed {
	struct brg_nvme_qpair *qp;
	brg_nvme_cb cb;
	void *arg;
	uint64_t start; /* TSC */
};

int brg_latency_init(struct brg_nvme_qpair *qp)
{
	qp->timed = calloc(qp->path.depth, sizeof(*qp->timed));
	qp->latency = calloc(1, sizeof(*qp->latency));
	return qp->timed && qp->latency ? 0 : brg_fail(ENOMEM, "out of memory");
}

void brg_latency_free(struct brg_nvme_qpair *qp)
{
	free(qp->timed);
	free(qp->latency);
}

static void on_done(void *arg, const struct brg_nvme_cqe *cqe)
{
	struct brg_timed *timed = arg;
	struct brg_nvme_qpair *qp = timed->qp;
	struct brg_nvme_tracker *tracker = brg_queue_trackers(qp) + (timed - qp->timed);
	uint64_t ticks = rte_rdtsc() - timed->start;

	if (qp->path.free == tracker) { /* else it was cancelled */
		qp->path.free = NULL;
		tracker->u.next = qp->timed_free;
		qp->timed_free = tracker;
		brg_hist_add(qp->latency, ticks);
	}
	brg_trace_complete(qp->qid, cqe->cid, brg_nvme_status(cqe), ticks);
	timed->cb(timed->arg, cqe);
}

void brg_latency_unwrap(struct brg_nvme_tracker *tracker)
{
	const struct brg_timed *timed = tracker->u.arg;

	if (tracker->cb != on_done)
		return;
	tracker->cb = timed->cb;
	tracker->u.arg = timed->arg;
}

struct brg_nvme_tracker *brg_latency_take(struct brg_nvme_qpair *qp, brg_nvme_cb cb, void *arg)
{
	struct brg_nvme_tracker *tracker = qp->timed_free;
	struct brg_timed *timed;

	if (!tracker)
		return NULL;
	qp->timed_free = tracker->u.next;
	timed = &qp->timed[tracker - brg_queue_trackers(qp)];
	*timed = (struct brg_timed){qp, cb, arg, rte_rdtsc()};
	tracker->cb = on_done;
	tracker->u.arg = timed;
	return tracker;
}

const struct brg_hist *brg_nvme_latency(const struct brg_nvme_qpair *qp)
{
	return qp->latency;
}
