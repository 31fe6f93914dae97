/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Compare and Write, the one fused operation there is (3.4.2, and NVM Command Set 1.0): a Compare
 * and a Write, next to each other in the submission queue and handed over together. They are two
 * commands to everything but their user, who is called back once, when both have completed.
 *
 * A half is by the identifier of its command, and so is valid as long as that is in flight. The one
 * that completes first leaves what it was told with the other.
 */

#include <errno.h>
#include <stdlib.h>

#include "base.h"
#include "ctrl.h"

/* Command dword 0: FUSE. */
#define FIRST  (UINT32_C(1) << 8)
#define SECOND (UINT32_C(2) << 8)

struct brg_half {
	struct brg_half *other;	 /* NULL: it has completed, */
	struct brg_nvme_cqe its; /* with this */
	brg_nvme_cb cb;
	void *arg;
};

int brg_fused_init(struct brg_nvme_qpair *qp)
{
	if (!(qp->ctrl->id.fuses & NVME_CTRL_FUSES_COMPARE_AND_WRITE))
		return 0;
	qp->halves = calloc(qp->path.depth, sizeof(*qp->halves));
	return qp->halves ? 0 : brg_fail(ENOMEM, "out of memory");
}

/* Whether one is done with: what it was told is then with the other. */
static bool was_first(struct brg_half *half, const struct brg_nvme_cqe *cqe)
{
	if (!half->other)
		return false;
	half->other->its = *cqe;
	half->other->other = NULL;
	return true;
}

/* The Compare counts, unless it succeeded or failed for the Write's sake only. */
static void tell(const struct brg_half *half, const struct brg_nvme_cqe *compare,
		 const struct brg_nvme_cqe *write)
{
	uint16_t status = brg_nvme_status(compare), code = nvme_status_code(status);
	bool fine = nvme_status_code_type(status) == NVME_SCT_GENERIC &&
		    (code == NVME_SC_SUCCESS || code == NVME_SC_FUSED_FAIL);

	half->cb(half->arg, fine ? write : compare);
}

static void on_compare(void *arg, const struct brg_nvme_cqe *cqe)
{
	struct brg_half half = *(struct brg_half *)arg; /* the callback may submit */

	if (!was_first(arg, cqe))
		tell(&half, cqe, &half.its);
}

static void on_write(void *arg, const struct brg_nvme_cqe *cqe)
{
	struct brg_half half = *(struct brg_half *)arg;

	if (!was_first(arg, cqe))
		tell(&half, &half.its, cqe);
}

void brg_fused_unwrap(struct brg_nvme_tracker *tracker)
{
	const struct brg_half *half = tracker->u.arg;

	if (tracker->cb != on_compare && tracker->cb != on_write)
		return;
	tracker->cb = half->cb;
	tracker->u.arg = half->arg;
}

static int check(const struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, const void *cmp_buf,
		 const void *buf, uint64_t lba, uint32_t nblocks)
{
	int err;

	if (!qp->halves)
		return brg_admin_unsupported(qp->ctrl, "Compare and Write", "FUSES",
					     qp->ctrl->id.fuses);
	if (qp->path.depth < 3)
		return brg_fail(EINVAL,
				"queue pair %u has room for one command, and Compare and Write is "
				"two: create it with a depth of 3 or more",
				qp->qid);
	err = brg_io_check(qp->max_transfer, ns, cmp_buf, lba, nblocks);
	if (!err)
		err = brg_io_check(qp->max_transfer, ns, buf, lba, nblocks);
	if (!err)
		err = brg_buffer_check(qp, cmp_buf, (size_t)nblocks * ns->block_size);
	return err ? err : brg_buffer_check(qp, buf, (size_t)nblocks * ns->block_size);
}

/* It was checked, and there is a tracker. */
static void put(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, uint32_t dw0,
		const struct brg_nvme_io *io)
{
	brg_io_fill(qp, ns, dw0, io);
	qp->path.sq_at += sizeof(struct brg_nvme_sqe);
	brg_queue_wrap(&qp->path);
}

int brg_nvme_compare_and_write(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
			       const void *cmp_buf, const void *buf, uint64_t lba, uint32_t nblocks,
			       brg_nvme_cb cb, void *arg)
{
	const struct brg_nvme_tracker *first = brg_queue_next(qp);
	struct brg_half *compare, *write;
	uint32_t old = brg_nvme_tail(&qp->path);
	int err = check(qp, ns, cmp_buf, buf, lba, nblocks);

	if (err)
		return err;
	if (!first || !first->u.next)
		return brg_queue_full(qp);
	compare = &qp->halves[first->cid];
	write = &qp->halves[first->u.next->cid];
	*compare = (struct brg_half){.other = write, .cb = cb, .arg = arg};
	*write = (struct brg_half){.other = compare, .cb = cb, .arg = arg};
	put(qp, ns, nvme_cmd_compare | FIRST,
	    &(struct brg_nvme_io){(void *)(uintptr_t)cmp_buf, lba, nblocks, on_compare, compare});
	put(qp, ns, nvme_cmd_write | SECOND,
	    &(struct brg_nvme_io){(void *)(uintptr_t)buf, lba, nblocks, on_write, write});
	brg_queue_publish(&qp->path, old);
	return 0;
}
