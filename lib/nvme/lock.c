/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The controller's lock, which whoever sends admin commands has. A reset has it, too, while it
 * waits for the threads that poll to step aside: one of these must not wait for the lock meanwhile.
 */

#include <errno.h>
#include <time.h>

#include "base.h"
#include "ctrl.h"

#define WHILE_NS 1000000

/* The next queue pair that the calling thread polls. Under the lock of the list, as the other one
 * is somebody else's. */
static struct brg_nvme_qpair *next_own(const struct brg_nvme_ctrl *ctrl, unsigned int *qid)
{
	while (++*qid <= ctrl->granted) {
		struct brg_nvme_qpair *qp = ctrl->qpairs[*qid];

		if (qp && atomic_load(&qp->gate) == BRG_GATE_OPEN &&
		    pthread_equal(atomic_load(&qp->poller), pthread_self()))
			return qp;
	}
	return NULL;
}

static bool polls_any(struct brg_nvme_ctrl *ctrl)
{
	unsigned int qid = 0;
	bool any;

	pthread_mutex_lock(&ctrl->list_lock);
	any = next_own(ctrl, &qid);
	pthread_mutex_unlock(&ctrl->list_lock);
	return any;
}

static void park_own(struct brg_nvme_ctrl *ctrl)
{
	struct brg_nvme_qpair *qp;
	unsigned int qid = 0;

	pthread_mutex_lock(&ctrl->list_lock);
	while ((qp = next_own(ctrl, &qid)))
		brg_gate_park(qp);
	pthread_mutex_unlock(&ctrl->list_lock);
}

/* Waits in the mutex, not beside it: else who has it most of the time would have it always. */
static bool lock_for_a_while(struct brg_nvme_ctrl *ctrl)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += WHILE_NS;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	return !pthread_mutex_clocklock(&ctrl->lock, CLOCK_MONOTONIC, &until);
}

int brg_ctrl_lock(struct brg_nvme_ctrl *ctrl)
{
	while (!lock_for_a_while(ctrl)) {
		if (atomic_load(&ctrl->resetting) && polls_any(ctrl))
			return brg_fail(EAGAIN,
					"%s: another thread resets the controller, and waits for "
					"this one to poll its queue pairs",
					ctrl->bdf);
	}
	return 0;
}

void brg_ctrl_lock_parked(struct brg_nvme_ctrl *ctrl)
{
	while (!lock_for_a_while(ctrl)) {
		if (atomic_load(&ctrl->resetting))
			park_own(ctrl);
	}
}

void brg_ctrl_list(struct brg_nvme_ctrl *ctrl, uint16_t qid, struct brg_nvme_qpair *qp)
{
	pthread_mutex_lock(&ctrl->list_lock);
	ctrl->qpairs[qid] = qp;
	pthread_mutex_unlock(&ctrl->list_lock);
}
