/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The Host Memory Buffer (8.9): memory of the host that a controller without enough of its own
 * keeps its tables in. It belongs to the controller from the moment that it is told of it until it
 * has said that it no longer uses it, or has been disabled; nobody else looks at it meanwhile.
 */

#include <errno.h>
#include <inttypes.h>
#include <rte_malloc.h>
#include <stdlib.h>

#include "base.h"
#include "ctrl.h"
#include "prp.h"

/* Set Features, command dword 11 (5.27.1.10). */
#define ENABLE	      1u
#define MEMORY_RETURN 2u /* as it was before the reset, what it holds too */

#define KIB_PER_PAGE  (BRG_PRP_PAGE / 1024)

/* An entry of the Host Memory Descriptor List. */
struct descriptor {
	uint64_t address;
	uint32_t pages;
	uint32_t reserved;
};

#define MOST_DESCRIPTORS (BRG_PRP_PAGE / sizeof(struct descriptor)) /* a page of them */

struct brg_hmb {
	bool wanted; /* else its memory only waits until the controller has let go of it */
	uint32_t pages, n;
	struct descriptor *list;
};

void brg_hmb_release(struct brg_nvme_ctrl *ctrl)
{
	struct brg_hmb *hmb = ctrl->hmb;

	if (!hmb)
		return;
	for (uint32_t i = 0; i < hmb->n; i++)
		rte_free((void *)(uintptr_t)hmb->list[i].address);
	rte_free(hmb->list);
	free(hmb);
	ctrl->hmb = NULL;
}

static int tell(struct brg_nvme_ctrl *ctrl, uint32_t what)
{
	uint64_t list = (uintptr_t)ctrl->hmb->list;
	const struct brg_nvme_sqe sqe = {
		.opcode = nvme_admin_set_features,
		.cdw10 = NVME_FEAT_FID_HOST_MEM_BUF,
		.cdw11 = what,
		.cdw12 = ctrl->hmb->pages,
		.cdw13 = list,
		.cdw14 = list >> 32,
		.cdw15 = ctrl->hmb->n,
	};

	return brg_admin_run(ctrl, &sqe, NULL);
}

/* In one piece where EAL has that, else in as few as it takes, none smaller than @p least pages. */
static int allocate(struct brg_nvme_ctrl *ctrl, uint32_t least)
{
	uint32_t most =
		ctrl->id.hmmaxd ? RTE_MIN(ctrl->id.hmmaxd, MOST_DESCRIPTORS) : MOST_DESCRIPTORS;
	struct brg_hmb *hmb = ctrl->hmb;
	uint32_t left = hmb->pages, piece = left;
	void *memory;

	while (left && piece && hmb->n < most) {
		piece = RTE_MIN(piece, left);
		memory = brg_ctrl_alloc(ctrl, piece * BRG_PRP_PAGE, BRG_PRP_PAGE);
		if (memory) {
			hmb->list[hmb->n++] = (struct descriptor){(uintptr_t)memory, piece, 0};
			left -= piece;
		} else {
			piece = piece / 2 / least * least;
		}
	}
	if (!left)
		return 0;
	return brg_fail(ENOMEM,
			"%s: EAL has no %" PRIu64 " KiB left for its host memory buffer, in up to "
			"%" PRIu32 " pieces of at least %" PRIu64
			" KiB (HMMAXD, HMMINDS); its minimum is %" PRIu64 " KiB",
			ctrl->bdf, hmb->pages * KIB_PER_PAGE, most, least * KIB_PER_PAGE,
			ctrl->id.hmmin * KIB_PER_PAGE);
}

/* How many pages it is to be, a multiple of @p least. */
static int count_pages(const struct brg_nvme_ctrl *ctrl, size_t bytes, uint32_t least,
		       uint32_t *pages)
{
	uint64_t wanted =
		bytes ? bytes / BRG_PRP_PAGE + (bytes % BRG_PRP_PAGE != 0) : ctrl->id.hmpre;
	uint64_t whole = (wanted + least - 1) / least * least;

	if (!ctrl->id.hmpre)
		return brg_admin_unsupported(ctrl, "host memory buffers", "HMPRE", 0);
	if (wanted < ctrl->id.hmmin)
		return brg_fail(EINVAL,
				"%s: a host memory buffer of %" PRIu64
				" KiB is less than the %" PRIu64 " that it takes at least (HMMIN)",
				ctrl->bdf, wanted * KIB_PER_PAGE, ctrl->id.hmmin * KIB_PER_PAGE);
	if (whole > UINT32_MAX)
		return brg_fail(EINVAL, "%s: a host memory buffer cannot have %" PRIu64 " KiB",
				ctrl->bdf, whole * KIB_PER_PAGE);
	*pages = whole;
	return 0;
}

static int enable(struct brg_nvme_ctrl *ctrl, size_t bytes)
{
	uint32_t least = RTE_MAX(ctrl->id.hmminds, 1u), pages = 0;
	int err = count_pages(ctrl, bytes, least, &pages);

	if (err)
		return err;
	if (ctrl->hmb)
		return brg_fail(EALREADY,
				"%s: it has a host memory buffer already, of %" PRIu64
				" KiB; disable that first",
				ctrl->bdf, ctrl->hmb->pages * KIB_PER_PAGE);
	if (ctrl->failed)
		return brg_admin_failed(ctrl);
	ctrl->hmb = calloc(1, sizeof(*ctrl->hmb));
	if (!ctrl->hmb)
		return brg_fail(ENOMEM, "out of memory");
	ctrl->hmb->pages = pages;
	ctrl->hmb->list = brg_ctrl_alloc(ctrl, BRG_PRP_PAGE, BRG_PRP_PAGE);
	err = ctrl->hmb->list
		      ? allocate(ctrl, least)
		      : brg_fail(ENOMEM, "%s: EAL has not a page of memory left", ctrl->bdf);
	if (!err)
		err = tell(ctrl, ENABLE);
	ctrl->hmb->wanted = !err;
	if (err && !ctrl->failed) /* else it may yet use the memory */
		brg_hmb_release(ctrl);
	return err;
}

int brg_nvme_hmb_enable(struct brg_nvme_ctrl *ctrl, size_t bytes)
{
	int err;

	pthread_mutex_lock(&ctrl->lock);
	err = enable(ctrl, bytes);
	pthread_mutex_unlock(&ctrl->lock);
	return err;
}

static int disable(struct brg_nvme_ctrl *ctrl)
{
	int err;

	if (!ctrl->hmb)
		return brg_fail(ENXIO, "%s: its host memory buffer is not enabled", ctrl->bdf);
	ctrl->hmb->wanted = false;
	err = tell(ctrl, 0);
	if (!err)
		brg_hmb_release(ctrl);
	return err;
}

int brg_nvme_hmb_disable(struct brg_nvme_ctrl *ctrl)
{
	int err;

	pthread_mutex_lock(&ctrl->lock);
	err = disable(ctrl);
	pthread_mutex_unlock(&ctrl->lock);
	return err;
}

/* It has let go of the memory by being disabled, and gets the same back. One that does not take it
 * works without, if more slowly: no reason for the reset to fail. */
int brg_hmb_again(struct brg_nvme_ctrl *ctrl)
{
	int err = 0;

	if (!ctrl->hmb)
		return 0;
	if (ctrl->hmb->wanted) {
		err = tell(ctrl, ENABLE | MEMORY_RETURN);
		if (!err || ctrl->failed)
			return err;
		BRG_LOG(WARNING, "%s: it goes on without its host memory buffer", brg_errmsg());
	}
	brg_hmb_release(ctrl);
	return 0;
}
