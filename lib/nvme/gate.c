/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who may touch a queue pair. Its poller has it to himself and takes no lock; a reset, by another
 * thread, waits until the poller has stepped aside. While the gate is shut polls find an entry that
 * matches no command, and submissions no tracker: neither had to be told to look here.
 *
 * A poller steps aside in a poll, when it looks after the controller, and finds what has become of
 * its commands in a later one: callbacks are only ever called by who polls.
 */

#include <errno.h>

#include "base.h"
#include "ctrl.h"

/* Ready in the phase that it is looked at in, and no queue is deep enough for its identifier. What
 * is behind it is not ready. */
static const struct brg_nvme_cqe shut[2] = {{.cid = UINT16_MAX}, {.status = 1}};

void brg_gate_shut(struct brg_nvme_qpair *qp)
{
	if (!qp->is_shut) {
		qp->kept_next = qp->path.next;
		qp->kept_phase = qp->path.phase;
		qp->is_shut = true;
	}
	qp->path.next = shut;
	qp->path.phase = 0;
	brg_queue_hide_trackers(qp);
}

static void open_gate(struct brg_nvme_qpair *qp)
{
	qp->is_shut = false;
	qp->path.next = qp->kept_next;
	qp->path.phase = qp->kept_phase;
	brg_queue_free_trackers(qp);
	if (qp->ring_due)
		brg_nvme_ring(qp);
	qp->ring_due = false;
}

static bool change(struct brg_nvme_qpair *qp, int from, int to)
{
	return atomic_compare_exchange_strong(&qp->gate, &from, to);
}

/* A reset that is over may have gone by just before: it would not open the gate again. */
void brg_gate_park(struct brg_nvme_qpair *qp)
{
	brg_gate_shut(qp);
	if (change(qp, BRG_GATE_OPEN, BRG_GATE_PARKED) && !atomic_load(&qp->ctrl->resetting))
		change(qp, BRG_GATE_PARKED, BRG_GATE_BACK);
}

void brg_nvme_hand_over(struct brg_nvme_qpair *qp)
{
	if (qp->is_shut)
		return;
	brg_gate_shut(qp);
	brg_queue_free_trackers(qp);
	change(qp, BRG_GATE_OPEN, BRG_GATE_UNUSED);
}

int brg_gate_leave(struct brg_nvme_qpair *qp)
{
	if (qp->is_shut || brg_queue_is_ready(qp))
		return 1;
	/* It need not raise an interrupt again for a queue that is not empty as far as it knows. */
	brg_queue_acknowledge(qp);
	qp->path.idle = 1; /* the poll after it finds something, or looks after the controller */
	brg_gate_shut(qp);
	atomic_store(&qp->gate, BRG_GATE_UNUSED);
	return 0;
}

int brg_gate_fail(struct brg_nvme_qpair *qp, int error, uint16_t status)
{
	unsigned int count;

	brg_gate_shut(qp);
	qp->error = error;
	count = brg_queue_cancel(qp, status);
	atomic_store(&qp->gate, BRG_GATE_DEAD);
	return count ? (int)count : error;
}

/* The reset is over; if it has taken place, commands from before it are lost. */
static int come_back(struct brg_nvme_qpair *qp, unsigned int max)
{
	unsigned int count;

	if (!qp->restarted) {
		open_gate(qp);
		return brg_nvme_poll(qp, max);
	}
	qp->restarted = false;
	qp->ring_due = false;
	qp->lost = false;
	qp->error = qp->restart_error;
	if (qp->error)
		return brg_gate_fail(qp, qp->error,
				     qp->error == -ENODEV ? BRG_STATUS_GONE : BRG_STATUS_RESET);
	count = brg_queue_cancel(qp, BRG_STATUS_RESET);
	brg_bar_lost(qp->bar); /* of doorbells before the reset we need not be told */
	qp->is_shut = false;
	brg_queue_restart(qp);
	return count;
}

int brg_gate_poll(struct brg_nvme_qpair *qp, unsigned int max)
{
	int is = atomic_load(&qp->gate);

	switch (is) {
	case BRG_GATE_UNUSED:
	case BRG_GATE_BACK:
		atomic_store(&qp->poller, pthread_self());
		if (!atomic_compare_exchange_strong(&qp->gate, &is, BRG_GATE_OPEN))
			return 0; /* a reset was faster */
		return come_back(qp, max);
	case BRG_GATE_DEAD:
		return brg_queue_full(qp);
	default:
		return 0;
	}
}
