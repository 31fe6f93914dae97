/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Data in pieces. PRPs can say it where the pieces meet at page boundaries, and cost the controller
 * no more than data in one piece; all else takes a scatter gather list (Base 4.1.2), in the memory
 * that every command has for its PRP list.
 */

#include <errno.h>
#include <inttypes.h>

#include "base.h"
#include "command.h"
#include "ctrl.h"
#include "prp.h"

/* Scatter gather list descriptors: an address, a length, and a type in the last byte. */
struct sgl {
	uint64_t address;
	uint64_t length_and_type;
};

#define SGL_DATA	 UINT64_C(0)
#define SGL_LAST_SEGMENT (UINT64_C(0x30) << 56)
#define SGL_IN_USE	 0x40 /* flags of the command: PSDT 01b */
#define SGL_SUPPORTED	 3u   /* Identify Controller, SGLS */

static int check(const struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
		 const struct iovec *iov, unsigned int n, uint64_t lba, uint64_t *bytes)
{
	*bytes = 0;
	for (unsigned int i = 0; i < n; i++) {
		if (((uintptr_t)iov[i].iov_base | iov[i].iov_len) & 3)
			return brg_fail(EINVAL, "piece %u: %zu bytes at %p are not dword-aligned",
					i, iov[i].iov_len, iov[i].iov_base);
		if (!iov[i].iov_len)
			return brg_fail(EINVAL, "piece %u is empty", i);
		if (iov[i].iov_len > qp->max_transfer - *bytes)
			return brg_fail(
				EINVAL,
				"%u pieces are more than the %zu bytes that one command may "
				"carry",
				n, qp->max_transfer);
		*bytes += iov[i].iov_len;
	}
	if (!n)
		return brg_fail(EINVAL, "no pieces to transfer");
	if (*bytes % ns->block_size)
		return brg_fail(EINVAL,
				"%" PRIu64 " bytes are no multiple of the block size, %" PRIu32,
				*bytes, ns->block_size);
	return brg_command_range(ns, lba, *bytes / ns->block_size, UINT32_C(1) << 16);
}

static bool fits_prp(const struct iovec *iov, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		uint64_t start = (uintptr_t)iov[i].iov_base, end = start + iov[i].iov_len;

		if ((i && start % BRG_PRP_PAGE) || (i + 1 < n && end % BRG_PRP_PAGE))
			return false;
	}
	return true;
}

/* PRP1 is where the data begins; every further page of every piece is an entry. */
static void set_prp(struct brg_nvme_sqe *sqe, const struct iovec *iov, unsigned int n,
		    uint64_t *list)
{
	uint64_t *entry = list;

	sqe->prp1 = (uintptr_t)iov[0].iov_base;
	for (unsigned int i = 0; i < n; i++) {
		uint64_t page = (uintptr_t)iov[i].iov_base, end = page + iov[i].iov_len;

		if (!i)
			page = (page | (BRG_PRP_PAGE - 1)) + 1;
		for (; page < end; page += BRG_PRP_PAGE)
			*entry++ = page;
	}
	if (entry - list == 1)
		sqe->prp2 = list[0];
	else if (entry > list)
		sqe->prp2 = (uintptr_t)list;
}

static int set_sgl(const struct brg_nvme_qpair *qp, struct brg_nvme_sqe *sqe,
		   const struct iovec *iov, unsigned int n, void *room)
{
	unsigned int most =
		brg_queue_list_entries(qp->max_transfer) * sizeof(uint64_t) / sizeof(struct sgl);
	struct sgl *list = room;

	if (!(qp->ctrl->id.sgls & SGL_SUPPORTED))
		return brg_fail(ENOTSUP,
				"%s: the pieces do not meet at page boundaries, and the controller "
				"has no scatter gather lists (SGLS %#" PRIx32 ")",
				qp->ctrl->bdf, (uint32_t)qp->ctrl->id.sgls);
	if (n > most)
		return brg_fail(EINVAL, "%u pieces: a command has room for %u", n, most);
	for (unsigned int i = 0; i < n; i++)
		list[i] = (struct sgl){(uintptr_t)iov[i].iov_base, iov[i].iov_len | SGL_DATA};
	sqe->flags = SGL_IN_USE;
	sqe->prp1 = (uintptr_t)list;
	sqe->prp2 = n * sizeof(*list) | SGL_LAST_SEGMENT;
	return 0;
}

static int submit(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
		  enum nvme_io_opcode opcode, const struct iovec *iov, unsigned int n, uint64_t lba,
		  brg_nvme_cb cb, void *arg)
{
	const struct brg_nvme_tracker *tracker = brg_queue_next(qp);
	struct brg_nvme_sqe sqe = {
		.opcode = opcode,
		.nsid = ns->nsid,
		.cdw10 = lba,
		.cdw11 = lba >> 32,
	};
	uint64_t *list, bytes;
	int err = check(qp, ns, iov, n, lba, &bytes);

	if (err)
		return err;
	if (!tracker)
		return brg_queue_full(qp);
	sqe.cdw12 = bytes / ns->block_size - 1;
	/* That of the command that brg_nvme_submit() is about to take. */
	list = brg_queue_list(qp, tracker->cid);
	if (fits_prp(iov, n))
		set_prp(&sqe, iov, n, list);
	else
		err = set_sgl(qp, &sqe, iov, n, list);
	return err ? err : brg_nvme_submit(qp, &sqe, cb, arg);
}

int brg_nvme_readv(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, const struct iovec *iov,
		   unsigned int n, uint64_t lba, brg_nvme_cb cb, void *arg)
{
	return submit(qp, ns, nvme_cmd_read, iov, n, lba, cb, arg);
}

int brg_nvme_writev(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
		    const struct iovec *iov, unsigned int n, uint64_t lba, brg_nvme_cb cb,
		    void *arg)
{
	return submit(qp, ns, nvme_cmd_write, iov, n, lba, cb, arg);
}
