/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ask the controller to abort commands (5.1). An aborted one completes with a status that says so,
 * and any other as usual: either way its callback comes by a poll, and nothing here touches it.
 *
 * One Abort at a time is within every Abort Command Limit (ACL). The user names what he submitted
 * by its callback and argument: an identifier would have to be handed out by every submission.
 */

#include <errno.h>

#include "base.h"
#include "ctrl.h"

#define NOT_ABORTED 1u /* dword 0 of the completion */

int brg_abort(struct brg_nvme_qpair *qp, uint16_t cid)
{
	const struct brg_nvme_sqe sqe = {
		.opcode = nvme_admin_abort_cmd,
		.cdw10 = (uint32_t)cid << 16 | qp->qid,
	};
	struct brg_nvme_cqe cqe;
	int err;

	qp->stats.aborts++;
	err = brg_admin_run(qp->ctrl, &sqe, &cqe);
	return err ? err : !(cqe.dw0 & NOT_ABORTED);
}

/* Callbacks of ours may stand before the user's, the last to come first. */
static bool is_of(const struct brg_nvme_tracker *tracker, brg_nvme_cb cb, const void *arg)
{
	struct brg_nvme_tracker t = *tracker;

	brg_watch_unwrap(&t);
	brg_latency_unwrap(&t);
	brg_fused_unwrap(&t);
	brg_long_unwrap(&t);
	return t.cb && t.cb == cb && t.u.arg == arg;
}

/* The caller has the controller's lock. */
static int abort_all(struct brg_nvme_qpair *qp, brg_nvme_cb cb, const void *arg)
{
	unsigned int found = 0, aborted = 0;
	uint32_t cid;
	int rc;

	for (cid = 0; cid + 1 < qp->path.depth; cid++) {
		if (!is_of(brg_queue_trackers(qp) + cid, cb, arg))
			continue;
		rc = brg_abort(qp, cid);
		if (rc < 0)
			return rc;
		found++;
		aborted += rc;
	}
	if (!found)
		return brg_fail(ENOENT,
				"queue pair %u: no command in flight has this callback and "
				"argument %p",
				qp->qid, arg);
	return aborted;
}

/* Whoever has the lock may be about to reset, and wait for us to poll. */
int brg_nvme_abort(struct brg_nvme_qpair *qp, brg_nvme_cb cb, const void *arg)
{
	int rc;

	if (pthread_mutex_trylock(&qp->ctrl->lock))
		return -EAGAIN;
	rc = abort_all(qp, cb, arg);
	pthread_mutex_unlock(&qp->ctrl->lock);
	return rc;
}
