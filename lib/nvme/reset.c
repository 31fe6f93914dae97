/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reset a controller under its users. Pollers step aside (gate.c), the controller is disabled, so
 * that it no longer uses any memory, and brought up again with the same queues, empty. Each poller
 * then finds its commands cancelled.
 */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base.h"
#include "brg_bar.h"
#include "cmb.h"
#include "ctrl.h"

/* The next queue pair after @p qid that is not being freed; NULL: there is none. */
static struct brg_nvme_qpair *next_qpair(const struct brg_nvme_ctrl *ctrl, unsigned int *qid)
{
	while (++*qid <= ctrl->granted)
		if (ctrl->qpairs[*qid] && !ctrl->qpairs[*qid]->leaving)
			return ctrl->qpairs[*qid];
	return NULL;
}

/* Whether the queue pair is ours now. */
static bool take(struct brg_nvme_qpair *qp)
{
	int is = atomic_load(&qp->gate);

	if (is != BRG_GATE_OPEN)
		return atomic_compare_exchange_strong(&qp->gate, &is, BRG_GATE_HELD);
	if (pthread_equal(atomic_load(&qp->poller), pthread_self()))
		brg_gate_park(qp); /* we cannot be using it meanwhile */
	return false;
}

static int take_all(struct brg_nvme_ctrl *ctrl)
{
	uint64_t deadline = brg_now_us() + ctrl->admin_timeout_ms * UINT64_C(1000);
	struct brg_nvme_qpair *qp;
	unsigned int qid = 0;

	while ((qp = next_qpair(ctrl, &qid))) {
		while (!take(qp)) {
			if (brg_now_us() > deadline)
				return brg_fail(EBUSY,
						"%s: not reset: the thread that polls queue pair "
						"%u has not done so for %" PRIu32 " ms",
						ctrl->bdf, qid, ctrl->admin_timeout_ms);
			brg_breathe();
		}
	}
	return 0;
}

/* After resetting is over, so that who steps aside now comes back by itself. Those that were not
 * taken are OPEN, and stay so, or have stepped aside just now. */
static void give_back(struct brg_nvme_ctrl *ctrl, bool restarted, int error)
{
	struct brg_nvme_qpair *qp;
	unsigned int qid = 0;

	while ((qp = next_qpair(ctrl, &qid))) {
		int parked = BRG_GATE_PARKED;

		if (atomic_load(&qp->gate) != BRG_GATE_HELD) {
			atomic_compare_exchange_strong(&qp->gate, &parked, BRG_GATE_BACK);
			continue;
		}
		if (restarted) {
			qp->restarted = true;
			qp->restart_error = error;
			qp->stats.resets++;
		}
		atomic_store(&qp->gate, BRG_GATE_BACK);
		brg_interrupt_wake(qp);
	}
}

static int function_reset(struct brg_nvme_ctrl *ctrl)
{
	int err = brg_device_reset(ctrl->dev);

	return err ? err : brg_device_set_memory_decode(ctrl->dev, true);
}

/* A controller that still answers is asked first to let go of its queues: that ends what it does
 * for them in good order. One that does not is disabled all the same. */
static void delete_rings(struct brg_nvme_ctrl *ctrl)
{
	struct brg_nvme_qpair *qp;
	unsigned int qid = 0;

	while (!ctrl->failed && !brg_ctrl_check(ctrl) && (qp = next_qpair(ctrl, &qid)))
		brg_qpair_delete_rings(qp);
}

/* A controller that is disabled has no queues, and uses no memory. */
static void forget_rings(struct brg_nvme_ctrl *ctrl)
{
	for (unsigned int qid = 1; qid <= ctrl->granted; qid++)
		if (ctrl->qpairs[qid])
			ctrl->qpairs[qid]->has_rings = false;
}

/* From whatever state it is in to one with the same queues as before, all of them empty. */
static int restart(struct brg_nvme_ctrl *ctrl)
{
	struct brg_nvme_qpair *qp;
	unsigned int qid = 0;
	int err;

	delete_rings(ctrl);
	err = brg_ctrl_disable(ctrl);
	if (err)
		return err;
	forget_rings(ctrl);
	err = brg_device_set_bus_master(ctrl->dev, true);
	if (err)
		return err;
	brg_queue_cancel(ctrl->admin, BRG_STATUS_RESET);
	brg_qpair_clear(ctrl->admin);
	brg_queue_restart(ctrl->admin);
	ctrl->admin->error = 0;
	ctrl->failed = false;
	err = brg_ctrl_enable(ctrl);
	if (err)
		return err;
	err = brg_cmb_again(ctrl);
	if (!err)
		err = brg_pmr_again(ctrl);
	if (!err)
		err = brg_hmb_again(ctrl);
	if (err)
		return err;
	err = brg_admin_set_queues(ctrl, ctrl->granted);
	if (err >= 0 && (unsigned int)err < ctrl->granted)
		err = brg_fail(EIO, "%s: of %u queue pairs it grants %d after a reset", ctrl->bdf,
			       ctrl->granted, err);
	if (err >= 0)
		err = brg_ctrl_set_shadows(ctrl);
	while (!err && (qp = next_qpair(ctrl, &qid))) {
		brg_qpair_clear(qp);
		err = brg_qpair_create_rings(qp);
	}
	return err;
}

static int restart_or_stop(struct brg_nvme_ctrl *ctrl)
{
	int err = restart(ctrl);

	if (err && err != -ENODEV) { /* the next stronger remedy */
		BRG_LOG(WARNING, "%s: function reset", brg_errmsg());
		err = function_reset(ctrl);
		if (!err)
			err = restart(ctrl);
	}
	if (!err)
		return 0;
	/* It may be running: it must not reach memory that its users take back. */
	brg_device_set_bus_master(ctrl->dev, false);
	forget_rings(ctrl);
	ctrl->failed = true;
	return err;
}

static int reset(struct brg_nvme_ctrl *ctrl)
{
	bool taken;
	int err;

	atomic_store(&ctrl->resetting, true);
	err = take_all(ctrl);
	taken = !err;
	if (taken)
		err = restart_or_stop(ctrl);
	atomic_store(&ctrl->resetting, false);
	give_back(ctrl, taken, err);
	return err;
}

int brg_nvme_reset(struct brg_nvme_ctrl *ctrl)
{
	int err = brg_ctrl_lock(ctrl);

	if (err)
		return err;
	err = reset(ctrl);
	if (!err)
		brg_events_again(ctrl);
	pthread_mutex_unlock(&ctrl->lock);
	brg_qpair_free_orphans(ctrl);
	return err;
}

int brg_reset_by_poller(struct brg_nvme_qpair *qp)
{
	struct brg_nvme_ctrl *ctrl = qp->ctrl;
	int err;

	if (atomic_load(&ctrl->resetting)) {
		brg_gate_park(qp);
		return 0;
	}
	if (pthread_mutex_trylock(&ctrl->lock)) /* whoever has it may be about to reset */
		return 0;
	atomic_store(&qp->poller, pthread_self());
	err = reset(ctrl);
	if (!err)
		brg_events_again(ctrl);
	pthread_mutex_unlock(&ctrl->lock);
	if (err == -EBUSY)
		return err;
	if (err)
		BRG_LOG(ERR, "%s", brg_errmsg());
	brg_qpair_free_orphans(ctrl);
	return brg_gate_poll(qp, 0);
}
