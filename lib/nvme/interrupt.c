/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sleep until something has completed. Every queue pair that wants interrupts has an MSI-X vector
 * of its own, which VFIO turns into an eventfd. While its poller sleeps a queue pair's gate is
 * shut: a reset need not wait for it, and wakes it.
 */

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base.h"
#include "ctrl.h"

/* Vector 0 is the admin queue's, which is polled: so the vector of a queue pair is its number. */
int brg_ctrl_connect_vectors(struct brg_nvme_ctrl *ctrl)
{
	unsigned int count = RTE_MIN(ctrl->granted + 1, brg_device_irq_count(ctrl->dev));
	int err;

	if (count < 2)
		return brg_fail(ENOTSUP, "%s has %u interrupt vectors: none for a queue pair",
				ctrl->bdf, count);
	ctrl->vector_fds = calloc(count, sizeof(*ctrl->vector_fds));
	if (!ctrl->vector_fds)
		return brg_fail(ENOMEM, "out of memory");
	err = brg_device_irq_enable(ctrl->dev, count, ctrl->vector_fds);
	if (!err)
		ctrl->vectors = count;
	return err;
}

void brg_ctrl_disconnect_vectors(struct brg_nvme_ctrl *ctrl)
{
	if (ctrl->vectors)
		brg_device_irq_disable(ctrl->dev);
	free(ctrl->vector_fds);
}

int brg_nvme_qpair_fd(const struct brg_nvme_qpair *qp)
{
	if (!qp->vector)
		return brg_fail(ENOTSUP, "queue pair %u was created without interrupts", qp->qid);
	return qp->ctrl->vector_fds[qp->vector];
}

void brg_interrupt_wake(const struct brg_nvme_qpair *qp)
{
	static const uint64_t one = 1;

	if (qp->vector && write(brg_nvme_qpair_fd(qp), &one, sizeof(one)) < 0)
		BRG_LOG(ERR, "%s: queue pair %u cannot be woken", qp->ctrl->bdf, qp->qid);
}

int brg_nvme_arm(struct brg_nvme_qpair *qp)
{
	int fd = brg_nvme_qpair_fd(qp);
	uint64_t count;

	if (fd < 0)
		return fd;
	/* First forget the past, then look: what completes after that signals again. */
	if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return brg_fail(errno, "queue pair %u: its eventfd cannot be read", qp->qid);
	return brg_gate_leave(qp);
}

int brg_nvme_wait(struct brg_nvme_qpair *qp, int timeout_ms)
{
	struct pollfd fd = {.events = POLLIN};
	int armed = brg_nvme_arm(qp);

	if (armed)
		return armed;
	fd.fd = brg_nvme_qpair_fd(qp);
	return poll(&fd, 1, timeout_ms) > 0;
}
