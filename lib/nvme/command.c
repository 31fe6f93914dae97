/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * I/O commands that are not read, write or flush: rare enough to be called, not compiled in. What
 * they have in common with those is checked in one place; the rest is the controller's to judge.
 */

#include <errno.h>
#include <inttypes.h>

#include "base.h"
#include "command.h"
#include "ctrl.h"
#include "prp.h"

#define MOST_BLOCKS (UINT32_C(1) << 16) /* 0's based in 16 bits */
#define MOST_RANGES 256u

#define DEAC	    (UINT32_C(1) << 25) /* Write Zeroes, command dword 12: deallocate */
#define DSM_AD	    4u			/* Dataset Management, command dword 11: deallocate */

int brg_command_needs(const struct brg_nvme_qpair *qp, unsigned int oncs, const char *what)
{
	if (qp->ctrl->id.oncs & oncs)
		return 0;
	return brg_admin_unsupported(qp->ctrl, what, "ONCS", qp->ctrl->id.oncs);
}

int brg_command_range(const struct brg_nvme_ns *ns, uint64_t lba, uint32_t nblocks, uint32_t most)
{
	uint64_t end;

	if (!nblocks)
		return brg_fail(EINVAL, "no blocks to work on");
	if (nblocks > most)
		return brg_fail(EINVAL,
				"%" PRIu32 " blocks are more than the %" PRIu32
				" that one command may be about",
				nblocks, most);
	if (__builtin_add_overflow(lba, nblocks, &end) || end > ns->blocks)
		return brg_fail(EINVAL,
				"blocks %" PRIu64 " to %" PRIu64
				" are beyond the namespace's %" PRIu64,
				lba, lba + nblocks - 1, ns->blocks);
	return 0;
}

int brg_nvme_submit_data(struct brg_nvme_qpair *qp, const struct brg_nvme_sqe *sqe, void *buf,
			 size_t len, brg_nvme_cb cb, void *arg)
{
	uint64_t first = (uintptr_t)buf, last = first + len - 1;
	const struct brg_nvme_tracker *tracker = brg_queue_next(qp);
	struct brg_nvme_sqe whole = *sqe;
	int err;

	if (first & 3)
		return brg_fail(EINVAL, "buffer %#" PRIx64 " is not dword-aligned", first);
	if (!len || len > qp->max_transfer)
		return brg_fail(EINVAL, "%zu bytes of data: it takes 1 to %zu", len,
				qp->max_transfer);
	err = brg_buffer_check(qp, buf, len);
	if (err)
		return err;
	if (!tracker)
		return brg_queue_full(qp);
	whole.prp1 = first;
	whole.prp2 = 0;
	/* The list of the command that brg_nvme_submit() is about to take. */
	if (!brg_prp_is_one_page(first, last))
		whole.prp2 = brg_prp2(first, last, brg_queue_list(qp, tracker->cid));
	return brg_nvme_submit(qp, &whole, cb, arg);
}

int brg_nvme_compare(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, const void *buf,
		     uint64_t lba, uint32_t nblocks, brg_nvme_cb cb, void *arg)
{
	int err = brg_command_needs(qp, NVME_CTRL_ONCS_COMPARE, "Compare");

	if (err)
		return err;
	return brg_nvme_submit_any(qp, ns, nvme_cmd_compare, (void *)(uintptr_t)buf, lba, nblocks,
				   cb, arg);
}

/* Commands about blocks whose data is not transferred. */
static int submit_range(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
			enum nvme_io_opcode opcode, uint64_t lba, uint32_t nblocks, uint32_t flags,
			brg_nvme_cb cb, void *arg)
{
	const struct brg_nvme_sqe sqe = {
		.opcode = opcode,
		.nsid = ns->nsid,
		.cdw10 = lba,
		.cdw11 = lba >> 32,
		.cdw12 = (nblocks - 1) | flags,
	};
	int err = brg_command_range(ns, lba, nblocks, MOST_BLOCKS);

	return err ? err : brg_nvme_submit(qp, &sqe, cb, arg);
}

int brg_nvme_write_zeroes(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, uint64_t lba,
			  uint32_t nblocks, bool deallocate, brg_nvme_cb cb, void *arg)
{
	int err = brg_command_needs(qp, NVME_CTRL_ONCS_WRITE_ZEROES, "Write Zeroes");

	return err ? err
		   : submit_range(qp, ns, nvme_cmd_write_zeroes, lba, nblocks,
				  deallocate ? DEAC : 0, cb, arg);
}

int brg_nvme_verify(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, uint64_t lba,
		    uint32_t nblocks, brg_nvme_cb cb, void *arg)
{
	int err = brg_command_needs(qp, NVME_CTRL_ONCS_VERIFY, "Verify");

	return err ? err : submit_range(qp, ns, nvme_cmd_verify, lba, nblocks, 0, cb, arg);
}

int brg_nvme_write_uncorrectable(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
				 uint64_t lba, uint32_t nblocks, brg_nvme_cb cb, void *arg)
{
	int err = brg_command_needs(qp, NVME_CTRL_ONCS_WRITE_UNCORRECTABLE, "Write Uncorrectable");

	return err ? err : submit_range(qp, ns, nvme_cmd_write_uncor, lba, nblocks, 0, cb, arg);
}

static int check_ranges(unsigned int n, unsigned int most)
{
	if (n >= 1 && n <= most)
		return 0;
	return brg_fail(EINVAL, "%u ranges: it takes 1 to %u", n, most);
}

int brg_nvme_deallocate(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
			const struct nvme_dsm_range *ranges, unsigned int n, brg_nvme_cb cb,
			void *arg)
{
	const struct brg_nvme_sqe sqe = {
		.opcode = nvme_cmd_dsm,
		.nsid = ns->nsid,
		.cdw10 = n - 1,
		.cdw11 = DSM_AD,
	};
	int err = brg_command_needs(qp, NVME_CTRL_ONCS_DSM, "Dataset Management");

	if (!err)
		err = check_ranges(n, MOST_RANGES);
	for (unsigned int i = 0; !err && i < n; i++)
		err = brg_command_range(ns, ranges[i].slba, ranges[i].nlb, UINT32_MAX);
	if (err)
		return err;
	return brg_nvme_submit_data(qp, &sqe, (void *)(uintptr_t)ranges, n * sizeof(*ranges), cb,
				    arg);
}

int brg_nvme_copy(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
		  const struct nvme_copy_range *ranges, unsigned int n, uint64_t lba,
		  brg_nvme_cb cb, void *arg)
{
	const struct brg_nvme_sqe sqe = {
		.opcode = nvme_cmd_copy,
		.nsid = ns->nsid,
		.cdw10 = lba,
		.cdw11 = lba >> 32,
		.cdw12 = n - 1,
	};
	int err = brg_command_needs(qp, NVME_CTRL_ONCS_COPY, "Copy");
	uint32_t total = 0;

	if (!err)
		err = check_ranges(n, ns->id.msrc + 1u);
	for (unsigned int i = 0; !err && i < n; i++) {
		total += ranges[i].nlb + 1u;
		err = brg_command_range(ns, ranges[i].slba, ranges[i].nlb + 1u, ns->id.mssrl);
	}
	if (!err)
		err = brg_command_range(ns, lba, total, ns->id.mcl);
	if (err)
		return err;
	return brg_nvme_submit_data(qp, &sqe, (void *)(uintptr_t)ranges, n * sizeof(*ranges), cb,
				    arg);
}
