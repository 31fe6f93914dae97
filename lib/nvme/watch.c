/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a queue pair's poller does once in some thousand polls: step aside for a reset, see whether
 * the device is still there, and find commands that take too long.
 *
 * Submitting notes no time. Instead a look replaces the callback of each command in flight by
 * is_done(), which calls the true one. The next command of that identifier overwrites it, so a
 * later look tells by it the commands that were in flight at the look before.
 */

#include <errno.h>
#include <inttypes.h>

#include "base.h"
#include "ctrl.h"

/* A command is late when so many looks have found it in flight, after the first. */
#define LOOKS 4

/* Between two readings of CSTS, while anything is in flight. */
#define CHECK_US 100000u

static void is_done(void *arg, const struct brg_nvme_cqe *cqe)
{
	struct brg_aged *aged = arg;

	aged->cb(aged->arg, cqe);
}

void brg_watch_unwrap(struct brg_nvme_tracker *tracker)
{
	const struct brg_aged *aged = tracker->u.arg;

	if (tracker->cb != is_done)
		return;
	tracker->cb = aged->cb;
	tracker->u.arg = aged->arg;
}

/* Whether the command has been in flight for so many looks. */
static bool is_late(struct brg_nvme_tracker *tracker, struct brg_aged *aged)
{
	if (!tracker->cb)
		return false;
	if (tracker->cb == is_done)
		return ++aged->looks >= LOOKS;
	*aged = (struct brg_aged){.cb = tracker->cb, .arg = tracker->u.arg};
	tracker->cb = is_done;
	tracker->u.arg = aged;
	return false;
}

/* Without waiting for whoever else has the admin queue. Returns as brg_nvme_poll(). */
static int try_abort(struct brg_nvme_qpair *qp, uint16_t cid, struct brg_aged *aged)
{
	bool failed;

	if (pthread_mutex_trylock(&qp->ctrl->lock))
		return 0; /* at the next time-out */
	aged->aborted = true;
	if (brg_abort(qp, cid) < 0)
		BRG_LOG(WARNING, "%s", brg_errmsg());
	failed = qp->ctrl->failed;
	pthread_mutex_unlock(&qp->ctrl->lock);
	return failed ? brg_reset_by_poller(qp) : 0;
}

static enum brg_nvme_verdict judge(struct brg_nvme_qpair *qp, uint16_t cid, struct brg_aged *aged)
{
	struct brg_nvme_ctrl *ctrl = qp->ctrl;

	if (ctrl->on_timeout)
		return ctrl->on_timeout(ctrl->timeout_arg, qp, cid);
	return aged->aborted ? BRG_NVME_RESET : BRG_NVME_ABORT;
}

/* Returns as brg_nvme_poll(). */
static int act_on(struct brg_nvme_qpair *qp, uint16_t cid, struct brg_aged *aged)
{
	qp->stats.timeouts++;
	aged->looks = 0;
	switch (judge(qp, cid, aged)) {
	case BRG_NVME_ABORT:
		return try_abort(qp, cid, aged);
	case BRG_NVME_RESET:
		BRG_LOG(WARNING, "%s: queue pair %u: command %u is late: reset", qp->ctrl->bdf,
			qp->qid, cid);
		return brg_reset_by_poller(qp);
	default:
		return 0;
	}
}

/* Returns as brg_nvme_poll(). */
static int look_for_late(struct brg_nvme_qpair *qp)
{
	uint32_t cid;
	int rc = 0;

	/* After a reset, or when we have stepped aside for one, there is nothing more to look for.
	 */
	for (cid = 0; !rc && !qp->is_shut && cid + 1 < qp->path.depth; cid++)
		if (is_late(brg_queue_trackers(qp) + cid, &qp->aged[cid]))
			rc = act_on(qp, cid, &qp->aged[cid]);
	return rc;
}

static int give_up(struct brg_nvme_qpair *qp)
{
	BRG_LOG(ERR, "queue pair %u: %s", qp->qid, brg_errmsg());
	return brg_gate_fail(qp, -ENODEV, BRG_STATUS_GONE);
}

/* One that comes back must not find itself in the middle of what it did before. */
static int is_gone(struct brg_nvme_qpair *qp)
{
	brg_device_set_bus_master(qp->ctrl->dev, false);
	brg_ctrl_gone(qp->ctrl);
	return give_up(qp);
}

/* It is still there, and lets go in good order of what it was told to do. */
static int is_wanted_back(struct brg_nvme_qpair *qp)
{
	struct brg_nvme_ctrl *ctrl = qp->ctrl;

	if (pthread_mutex_trylock(&ctrl->lock))
		return 0; /* at the next look */
	if (brg_qpair_delete_rings(qp))
		brg_device_set_bus_master(ctrl->dev, false);
	pthread_mutex_unlock(&ctrl->lock);
	brg_fail(ENODEV, "%s: the kernel wants the device back", ctrl->bdf);
	return give_up(qp);
}

/* Whether the device is there, and in order, while anything is asked of it. */
static int check(struct brg_nvme_qpair *qp)
{
	int err = brg_ctrl_check_by(qp->ctrl, qp->regs);

	if (!err && qp->lost)
		err = brg_fail(EIO, "%s: its registers could not be accessed for a while",
			       qp->ctrl->bdf);
	return err;
}

int brg_watch(struct brg_nvme_qpair *qp)
{
	struct brg_nvme_ctrl *ctrl = qp->ctrl;
	uint64_t now;
	int err;

	if (atomic_load(&ctrl->resetting)) {
		brg_gate_park(qp);
		return 0;
	}
	atomic_store_explicit(&qp->poller, pthread_self(), memory_order_relaxed);
	/* A doorbell did not get there. If the device is back already, it knows nothing of us. */
	qp->lost |= brg_bar_lost(qp->bar);
	now = brg_now_us();
	if (now < qp->next_check && !qp->lost)
		return 0;
	qp->next_check = now + CHECK_US;
	if (brg_device_wanted_back(ctrl->dev))
		return is_wanted_back(qp);
	if (!brg_nvme_outstanding(qp) && !qp->lost)
		return 0;
	err = check(qp);
	if (err == -ENODEV)
		return is_gone(qp);
	if (err) {
		BRG_LOG(ERR, "%s: reset", brg_errmsg());
		return brg_reset_by_poller(qp);
	}
	if (now < qp->next_look)
		return 0;
	qp->next_look = now + ctrl->io_timeout_ms * UINT64_C(1000) / LOOKS;
	return look_for_late(qp);
}

int brg_watch_stray(struct brg_nvme_qpair *qp)
{
	BRG_LOG(ERR, "%s: %s: reset", qp->ctrl->bdf, brg_errmsg());
	return brg_reset_by_poller(qp);
}

void brg_nvme_stats_get(const struct brg_nvme_qpair *qp, struct brg_nvme_stats *stats)
{
	*stats = qp->stats;
	stats->submitted = brg_queue_submitted(qp);
	stats->cancelled = qp->cancelled;
	stats->completed = stats->submitted - stats->cancelled - brg_nvme_outstanding(qp);
}
