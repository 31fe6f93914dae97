/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Data in pieces. PRPs can say it where the pieces meet at page boundaries, and cost the controller
 * no more than data in one piece; all else takes a scatter gather list (Base 4.1.2). Either is
 * built in the memory that every command has for its PRP list, while the pieces are asked for one
 * by one: PRPs as long as they will do, which the first piece that does not fit turns into
 * descriptors.
 */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base.h"
#include "command.h"
#include "ctrl.h"
#include "prp.h"

/* Scatter gather list descriptors: an address, a length, and a type in the last byte. */
struct sgl {
	uint64_t address;
	uint64_t length_and_type; /* of data: type 0 */
};

#define SGL_LAST_SEGMENT (UINT64_C(0x30) << 56)
#define SGL_IN_USE	 0x40 /* flags of the command: PSDT 01b */
#define SGL_SUPPORTED	 3u   /* Identify Controller, SGLS */

/* What the pieces so far have come to. */
struct layout {
	const struct brg_nvme_qpair *qp;
	union {
		uint64_t *pages;  /* every page but the first one's, */
		struct sgl *sgls; /* or all of the data */
	} list;
	unsigned int npages, nsgls; /* nsgls 0: PRPs do as yet */
	unsigned int npieces;
	uint64_t first, end; /* the address of the first byte, and that behind the last */
	uint64_t bytes;
};

static int check_piece(const struct layout *l, const struct iovec *piece)
{
	if (((uintptr_t)piece->iov_base | piece->iov_len) & 3)
		return brg_fail(EINVAL, "piece %u: %zu bytes at %p are not dword-aligned",
				l->npieces, piece->iov_len, piece->iov_base);
	if (!piece->iov_len)
		return brg_fail(EINVAL, "piece %u is empty", l->npieces);
	if (piece->iov_len > l->qp->max_transfer - l->bytes)
		return brg_fail(
			EINVAL,
			"with piece %u the data is more than the %zu bytes that one command "
			"may carry",
			l->npieces, l->qp->max_transfer);
	return brg_buffer_check(l->qp, piece->iov_base, piece->iov_len);
}

/* Pages that lie next to each other are one piece of memory, however they were given. */
static int add_sgl(struct layout *l, uint64_t start, uint64_t bytes)
{
	unsigned int most =
		brg_queue_list_entries(l->qp->max_transfer) * sizeof(uint64_t) / sizeof(struct sgl);
	struct sgl *sgl = l->list.sgls + l->nsgls;

	if (l->nsgls && sgl[-1].address + sgl[-1].length_and_type == start) {
		sgl[-1].length_and_type += bytes;
		return 0;
	}
	if (l->nsgls == most)
		return brg_fail(EINVAL, "piece %u is one too many: a command has room for %u",
				l->npieces, most);
	*sgl = (struct sgl){start, bytes};
	l->nsgls++;
	return 0;
}

/* No more than a page of them was written, however much data there is: room for a copy. */
static int turn_into_sgl(struct layout *l)
{
	uint64_t pages[BRG_PRP_PAGE / sizeof(uint64_t)];
	uint64_t left = l->bytes, here = RTE_MIN(left, BRG_PRP_PAGE - l->first % BRG_PRP_PAGE);
	int err;

	if (!(l->qp->ctrl->id.sgls & SGL_SUPPORTED))
		return brg_fail(ENOTSUP,
				"%s: the pieces do not meet at page boundaries, and the controller "
				"has no scatter gather lists (SGLS %#" PRIx32 ")",
				l->qp->ctrl->bdf, (uint32_t)l->qp->ctrl->id.sgls);
	memcpy(pages, l->list.pages, l->npages * sizeof(*pages));
	err = add_sgl(l, l->first, here);
	for (unsigned int i = 0; !err && i < l->npages; i++) {
		left -= here;
		here = RTE_MIN(left, BRG_PRP_PAGE);
		err = add_sgl(l, pages[i], here);
	}
	return err;
}

/* PRP1 is where the data begins; every further page that a piece begins is an entry. */
static void add_pages(struct layout *l, uint64_t start, uint64_t end)
{
	uint64_t page = RTE_ALIGN_CEIL(start, BRG_PRP_PAGE);

	if (!l->npieces) {
		l->first = start;
		page = (start | (BRG_PRP_PAGE - 1)) + 1;
	}
	for (; page < end; page += BRG_PRP_PAGE)
		l->list.pages[l->npages++] = page;
}

static int add(struct layout *l, const struct iovec *piece)
{
	uint64_t start = (uintptr_t)piece->iov_base, end = start + piece->iov_len;
	bool fits = !l->npieces || start == l->end || !((start | l->end) % BRG_PRP_PAGE);
	int err = check_piece(l, piece);

	if (!err && !fits && !l->nsgls)
		err = turn_into_sgl(l);
	if (!err && l->nsgls)
		err = add_sgl(l, start, piece->iov_len);
	else if (!err)
		add_pages(l, start, end);
	l->npieces++;
	l->bytes += piece->iov_len;
	l->end = end;
	return err;
}

static void set_addresses(const struct layout *l, struct brg_nvme_sqe *sqe)
{
	if (l->nsgls) {
		sqe->flags = SGL_IN_USE;
		sqe->prp1 = (uintptr_t)l->list.sgls;
		sqe->prp2 = l->nsgls * sizeof(struct sgl) | SGL_LAST_SEGMENT;
		return;
	}
	sqe->prp1 = l->first;
	if (l->npages == 1)
		sqe->prp2 = l->list.pages[0];
	else if (l->npages)
		sqe->prp2 = (uintptr_t)l->list.pages;
}

static int submit(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
		  enum nvme_io_opcode opcode, brg_nvme_next_piece next, void *pieces, uint64_t lba,
		  brg_nvme_cb cb, void *arg)
{
	const struct brg_nvme_tracker *tracker = brg_queue_next(qp);
	struct brg_nvme_sqe sqe = {
		.opcode = opcode,
		.nsid = ns->nsid,
		.cdw10 = lba,
		.cdw11 = lba >> 32,
	};
	struct layout l = {.qp = qp};
	struct iovec piece;
	int err;

	err = brg_io_check_format(ns);
	if (err)
		return err;
	if (!tracker)
		return brg_queue_full(qp);
	/* That of the command that brg_nvme_submit() is about to take. */
	l.list.pages = brg_queue_list(qp, tracker->cid);
	while (!err && next(pieces, &piece))
		err = add(&l, &piece);
	if (err)
		return err;
	if (!l.npieces)
		return brg_fail(EINVAL, "no pieces to transfer");
	if (l.bytes % ns->block_size)
		return brg_fail(EINVAL,
				"%" PRIu64 " bytes are no multiple of the block size, %" PRIu32,
				l.bytes, ns->block_size);
	err = brg_command_range(ns, lba, l.bytes / ns->block_size, UINT32_C(1) << 16);
	if (err)
		return err;
	sqe.cdw12 = l.bytes / ns->block_size - 1;
	set_addresses(&l, &sqe);
	return brg_nvme_submit(qp, &sqe, cb, arg);
}

int brg_nvme_read_pieces(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
			 brg_nvme_next_piece next, void *pieces, uint64_t lba, brg_nvme_cb cb,
			 void *arg)
{
	return submit(qp, ns, nvme_cmd_read, next, pieces, lba, cb, arg);
}

int brg_nvme_write_pieces(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
			  brg_nvme_next_piece next, void *pieces, uint64_t lba, brg_nvme_cb cb,
			  void *arg)
{
	return submit(qp, ns, nvme_cmd_write, next, pieces, lba, cb, arg);
}

/* Those of an array. */
struct array {
	const struct iovec *next, *end;
};

static bool next_of_array(void *pieces, struct iovec *piece)
{
	struct array *a = pieces;

	if (a->next == a->end)
		return false;
	*piece = *a->next++;
	return true;
}

int brg_nvme_readv(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, const struct iovec *iov,
		   unsigned int n, uint64_t lba, brg_nvme_cb cb, void *arg)
{
	struct array array = {iov, iov + n};

	return submit(qp, ns, nvme_cmd_read, next_of_array, &array, lba, cb, arg);
}

int brg_nvme_writev(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
		    const struct iovec *iov, unsigned int n, uint64_t lba, brg_nvme_cb cb,
		    void *arg)
{
	struct array array = {iov, iov + n};

	return submit(qp, ns, nvme_cmd_write, next_of_array, &array, lba, cb, arg);
}
