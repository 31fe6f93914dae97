/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * I/O queue pairs: their memory near the device, and the admin commands that create and delete
 * them. Memory goes back, and commands are called back, only when the controller has said that it
 * no longer uses it, or has been disabled.
 */

#include <errno.h>
#include <inttypes.h>
#include <rte_malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base.h"
#include "cmb.h"
#include "ctrl.h"
#include "prp.h"
#include "trace.h"

#define DEFAULT_DEPTH 256u

/* Create I/O Completion and Submission Queue, command dword 11 (5.4, 5.5): the ring is physically
 * (here: in IOVA) contiguous, a completion queue raises its vector. */
#define QUEUE_CONTIGUOUS 1u
#define QUEUE_INTERRUPTS 2u

void *brg_ctrl_alloc(const struct brg_nvme_ctrl *ctrl, size_t bytes, unsigned int align)
{
	int node = brg_device_get_info(ctrl->dev)->numa_node;
	void *memory = rte_zmalloc_socket("barrage", bytes, align, node);

	/* EAL may have no memory on that node: slower then, but it works. */
	return memory ? memory : rte_zmalloc("barrage", bytes, align);
}

/* Doorbells, shadows and event indices are laid out alike; index 2 * qid is a submission queue's,
 * the next its completion queue's. */
static uint64_t doorbell_offset(const struct brg_nvme_ctrl *ctrl, unsigned int index)
{
	return index * (UINT64_C(4) << NVME_CAP_DSTRD(ctrl->cap));
}

static volatile uint32_t *doorbell(const struct brg_nvme_ctrl *ctrl, const struct brg_bar *bar,
				   unsigned int index)
{
	return brg_bar_ptr(bar, BRG_REG_DOORBELLS + doorbell_offset(ctrl, index), sizeof(uint32_t));
}

int brg_ctrl_alloc_shadows(struct brg_nvme_ctrl *ctrl)
{
	if (!(ctrl->id.oacs & NVME_CTRL_OACS_DBBUF_CFG) ||
	    doorbell_offset(ctrl, 2 * ctrl->granted + 2) > BRG_PRP_PAGE)
		return 0;
	ctrl->shadows = brg_ctrl_alloc(ctrl, 2 * BRG_PRP_PAGE, BRG_PRP_PAGE);
	if (!ctrl->shadows)
		return brg_fail(ENOMEM, "%s: EAL has no two pages of memory left", ctrl->bdf);
	return 0;
}

int brg_ctrl_set_shadows(struct brg_nvme_ctrl *ctrl)
{
	const struct brg_nvme_sqe sqe = {
		.opcode = nvme_admin_dbbuf,
		.prp1 = (uintptr_t)ctrl->shadows,
		.prp2 = (uintptr_t)ctrl->shadows + BRG_PRP_PAGE,
	};

	return ctrl->shadows ? brg_admin_run(ctrl, &sqe, NULL) : 0;
}

static volatile uint32_t *shadow(const struct brg_nvme_ctrl *ctrl, unsigned int index)
{
	return (volatile uint32_t *)(ctrl->shadows + doorbell_offset(ctrl, index));
}

/* The admin queue's doorbells are always rung. */
static void find_shadows(const struct brg_nvme_ctrl *ctrl, uint16_t qid, struct brg_queue_opts *o)
{
	if (!ctrl->shadows || !qid)
		return;
	o->sq_shadow = shadow(ctrl, 2 * qid);
	o->cq_shadow = shadow(ctrl, 2 * qid + 1);
}

void brg_qpair_clear(struct brg_nvme_qpair *qp)
{
	memset(qp->path.sq, 0, qp->path.sq_end);
	memset((void *)(uintptr_t)qp->cq, 0, (size_t)((uintptr_t)qp->cq_end - (uintptr_t)qp->cq));
	if (!qp->sq_shadow)
		return;
	*qp->sq_shadow = *qp->cq_shadow = 0;
	*brg_nvme_event(qp->sq_shadow) = *brg_nvme_event(qp->cq_shadow) = 0;
}

int brg_qpair_alloc(struct brg_nvme_ctrl *ctrl, const struct brg_bar *bar, uint16_t qid,
		    const struct brg_queue_opts *opts, struct brg_nvme_qpair **qp)
{
	struct brg_queue_opts o = *opts;
	size_t dma_bytes = brg_queue_dma_bytes(opts);

	o.sq_doorbell = doorbell(ctrl, bar, 2 * qid);
	o.cq_doorbell = doorbell(ctrl, bar, 2 * qid + 1);
	if (!o.sq_doorbell || !o.cq_doorbell)
		return brg_fail(
			EINVAL,
			"%s: the doorbells of queue pair %u are not in the mapping of BAR 0, "
			"which has bytes %#" PRIx64 " to %#" PRIx64,
			ctrl->bdf, qid, bar->offset, bar->offset + bar->length - 1);
	*qp = brg_ctrl_alloc(ctrl, brg_queue_bytes(o.depth), RTE_CACHE_LINE_SIZE);
	o.dma = brg_ctrl_alloc(ctrl, dma_bytes, BRG_PRP_PAGE);
	if (!*qp || !o.dma) {
		rte_free(*qp);
		rte_free(o.dma);
		return brg_fail(ENOMEM,
				"%s: EAL has no %zu KiB left for the rings of a queue pair of "
				"depth %u",
				ctrl->bdf, dma_bytes / 1024, o.depth);
	}
	find_shadows(ctrl, qid, &o);
	brg_queue_init(*qp, &o);
	(*qp)->ctrl = ctrl;
	(*qp)->qid = qid;
	(*qp)->bar = bar;
	(*qp)->regs = bar;
	brg_qpair_clear(*qp); /* the shadows may be those of a queue pair before */
	return 0;
}

void brg_qpair_release(struct brg_nvme_qpair *qp)
{
	if (!qp)
		return;
	if (qp->qid)
		brg_ctrl_list(qp->ctrl, qp->qid, NULL);
	brg_cmb_give_ring(qp->ctrl, &qp->sq_ring);
	brg_bar_unmap(qp->share);
	free(qp->aged);
	free(qp->halves);
	brg_latency_free(qp);
	rte_free(qp->dma);
	rte_free(qp);
}

static int create_cq(const struct brg_nvme_qpair *qp)
{
	const struct brg_nvme_sqe sqe = {
		.opcode = nvme_admin_create_cq,
		.prp1 = (uintptr_t)qp->cq,
		.cdw10 = (uint32_t)(qp->cq_end - qp->cq - 1) << 16 | qp->qid,
		.cdw11 = (uint32_t)qp->vector << 16 | (qp->vector ? QUEUE_INTERRUPTS : 0) |
			 QUEUE_CONTIGUOUS,
	};

	return brg_admin_run(qp->ctrl, &sqe, NULL);
}

static int create_sq(const struct brg_nvme_qpair *qp)
{
	const struct brg_nvme_sqe sqe = {
		.opcode = nvme_admin_create_sq,
		.prp1 = qp->sq_ring.entries ? qp->sq_ring.address : (uintptr_t)qp->path.sq,
		.cdw10 = (qp->path.depth - 1) << 16 | qp->qid,
		.cdw11 = (uint32_t)qp->qid << 16 | QUEUE_CONTIGUOUS, /* its completion queue */
	};

	return brg_admin_run(qp->ctrl, &sqe, NULL);
}

static int delete_queue(const struct brg_nvme_qpair *qp, enum nvme_admin_opcode opcode)
{
	const struct brg_nvme_sqe sqe = {.opcode = opcode, .cdw10 = qp->qid};

	return brg_admin_run(qp->ctrl, &sqe, NULL);
}

int brg_qpair_create_rings(struct brg_nvme_qpair *qp)
{
	int err = create_cq(qp);

	if (err)
		return err;
	err = create_sq(qp);
	if (err && !qp->ctrl->failed)
		delete_queue(qp, nvme_admin_delete_cq);
	qp->has_rings = !err;
	return err;
}

int brg_qpair_delete_rings(struct brg_nvme_qpair *qp)
{
	int err;

	if (!qp->has_rings)
		return 0;
	err = delete_queue(qp, nvme_admin_delete_sq);
	if (!err)
		err = delete_queue(qp, nvme_admin_delete_cq);
	qp->has_rings = err;
	return err;
}

static uint16_t free_qid(const struct brg_nvme_ctrl *ctrl)
{
	unsigned int qid;

	for (qid = 1; qid <= ctrl->granted; qid++)
		if (!ctrl->qpairs[qid])
			return qid;
	return 0;
}

static unsigned int max_depth(const struct brg_nvme_ctrl *ctrl)
{
	return RTE_MIN(NVME_CAP_MQES(ctrl->cap) + 1, UINT64_C(65535));
}

static int check(const struct brg_nvme_ctrl *ctrl, const struct brg_nvme_qpair_opts *opts,
		 unsigned int depth, uint16_t qid)
{
	if (ctrl->failed)
		return brg_admin_failed(ctrl);
	if (depth < 2 || depth > max_depth(ctrl))
		return brg_fail(EINVAL, "%s: depth %u is not within 2 to %u", ctrl->bdf, depth,
				max_depth(ctrl));
	if (opts->bar && (opts->bar->dev != ctrl->dev || opts->bar->index))
		return brg_fail(EINVAL, "%s: the mapping is not of this device's BAR 0", ctrl->bdf);
	if (!qid)
		return brg_fail(ENOSPC,
				"%s: all %u queue pairs that the controller granted are in use",
				ctrl->bdf, ctrl->granted);
	if (opts->interrupts && qid >= ctrl->vectors)
		return brg_fail(ctrl->vectors ? ENOSPC : EINVAL,
				"%s: %u interrupt vectors are connected: none for queue pair %u",
				ctrl->bdf, ctrl->vectors, qid);
	return 0;
}

/* Registers are read by the poller, too, and the controller's mapping is not for several at once.
 */
static bool has_registers(const struct brg_bar *bar)
{
	return bar && brg_bar_ptr(bar, 0, BRG_REG_DOORBELLS);
}

/* What a queue pair has before the controller knows of it. */
static int make(struct brg_nvme_ctrl *ctrl, const struct brg_nvme_qpair_opts *opts,
		unsigned int depth, uint16_t qid, struct brg_nvme_qpair **qp)
{
	struct brg_queue_opts queue = {.depth = depth,
				       .cq_depth = RTE_MIN(2 * depth, max_depth(ctrl)),
				       .max_transfer = ctrl->max_transfer,
				       .manual = opts->manual};
	const struct brg_bar *bar = opts->bar == ctrl->bar ? NULL : opts->bar;
	struct brg_cmb_ring ring = {0};
	struct brg_bar *share = NULL;
	int err = 0;

	if (!has_registers(bar))
		err = brg_bar_share(ctrl->bar, &share);
	if (!err && opts->sq_in_cmb)
		err = brg_cmb_take_ring(ctrl, depth * sizeof(struct brg_nvme_sqe), &ring);
	queue.sq = ring.entries;
	if (!err)
		err = brg_qpair_alloc(ctrl, bar ? bar : share, qid, &queue, qp);
	if (err) {
		brg_cmb_give_ring(ctrl, &ring);
		brg_bar_unmap(share);
		return err;
	}
	(*qp)->regs = share ? share : bar;
	(*qp)->sq_ring = ring;
	(*qp)->share = share;
	(*qp)->vector = opts->interrupts ? qid : 0;
	(*qp)->checks_buffers = opts->check_buffers;
	return 0;
}

static int allocate_extras(struct brg_nvme_qpair *qp, bool latency)
{
	int err;

	qp->aged = calloc(qp->path.depth, sizeof(*qp->aged));
	if (!qp->aged)
		return brg_fail(ENOMEM, "out of memory");
	err = brg_fused_init(qp);
	/* Commands that are timed do not take the short way, which does not look at buffers. */
	if (!err && (latency || qp->checks_buffers || brg_trace_is_on()))
		err = brg_latency_init(qp);
	return err;
}

static int create(struct brg_nvme_ctrl *ctrl, const struct brg_nvme_qpair_opts *opts,
		  struct brg_nvme_qpair **out)
{
	unsigned int depth = opts->depth ? opts->depth : RTE_MIN(DEFAULT_DEPTH, max_depth(ctrl));
	uint16_t qid = free_qid(ctrl);
	struct brg_nvme_qpair *qp;
	int err;

	err = check(ctrl, opts, depth, qid);
	if (!err)
		err = make(ctrl, opts, depth, qid, &qp);
	if (err)
		return err;
	brg_ctrl_list(ctrl, qid, qp);
	err = allocate_extras(qp, opts->latency);
	if (!err)
		err = brg_qpair_create_rings(qp);
	if (err) {
		qp->leaving = qp->orphaned = ctrl->failed; /* it may yet use the rings */
		if (!ctrl->failed)
			brg_qpair_release(qp);
		return err;
	}
	brg_gate_shut(qp); /* until its first poll */
	brg_queue_free_trackers(qp);
	*out = qp;
	return 0;
}

int brg_nvme_qpair_create(struct brg_nvme_ctrl *ctrl, const struct brg_nvme_qpair_opts *opts,
			  struct brg_nvme_qpair **qp)
{
	static const struct brg_nvme_qpair_opts defaults;
	int err = brg_ctrl_lock(ctrl);

	if (err)
		return err;
	err = create(ctrl, opts ? opts : &defaults, qp);
	pthread_mutex_unlock(&ctrl->lock);
	return err;
}

/* Callbacks are called without the lock: they may send admin commands. */
static void abort_and_release(struct brg_nvme_qpair *qp)
{
	struct brg_nvme_ctrl *ctrl = qp->ctrl;

	brg_queue_abort(qp);
	pthread_mutex_lock(&ctrl->lock);
	brg_qpair_release(qp);
	pthread_mutex_unlock(&ctrl->lock);
}

/* While the controller may use its memory nobody is called back: they would take that back. */
void brg_nvme_qpair_free(struct brg_nvme_qpair *qp)
{
	struct brg_nvme_ctrl *ctrl;
	int err;

	if (!qp)
		return;
	ctrl = qp->ctrl;
	brg_gate_park(qp); /* a reset need not wait for us */
	brg_ctrl_lock_parked(ctrl);
	qp->leaving = true;
	err = brg_qpair_delete_rings(qp);
	qp->orphaned = err;
	pthread_mutex_unlock(&ctrl->lock);
	if (!err) {
		abort_and_release(qp);
		return;
	}
	BRG_LOG(WARNING,
		"%s: queue pair %u is kept, and its commands are not called back, until the "
		"controller is reset or closed: %s",
		ctrl->bdf, qp->qid, brg_errmsg());
}

static struct brg_nvme_qpair *take_orphan(struct brg_nvme_ctrl *ctrl)
{
	struct brg_nvme_qpair *qp = NULL;

	pthread_mutex_lock(&ctrl->lock);
	for (unsigned int qid = 1; !qp && qid <= ctrl->granted; qid++)
		if (ctrl->qpairs[qid] && ctrl->qpairs[qid]->orphaned &&
		    !ctrl->qpairs[qid]->has_rings)
			qp = ctrl->qpairs[qid];
	if (qp)
		qp->orphaned = false;
	pthread_mutex_unlock(&ctrl->lock);
	return qp;
}

void brg_qpair_free_orphans(struct brg_nvme_ctrl *ctrl)
{
	struct brg_nvme_qpair *qp;

	while ((qp = take_orphan(ctrl)))
		abort_and_release(qp);
}
