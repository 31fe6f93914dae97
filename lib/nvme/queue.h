/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BRG_QUEUE_H
#define BRG_QUEUE_H

/*
 * A queue pair: a submission and a completion ring, and the commands in flight between them
 * (3.3.1). Rings and doorbells are just memory here; the tests put a controller of their own there.
 *
 * A ring of N entries is full with N - 1, else full would look like empty, so N - 1 commands may be
 * in flight. Whoever has got one of the N - 1 trackers therefore has room in both rings: neither
 * the submission queue head nor the fill of a ring is ever looked at.
 *
 * Nothing here allocates, locks or logs. Only one thread may use a queue pair at a time.
 */

#include <rte_branch_prediction.h>
#include <rte_common.h>
#include <rte_io.h>
#include <stdbool.h>

#include "brg_nvme.h"
#include "prp.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "NVMe structures are used in place");
_Static_assert(sizeof(struct brg_nvme_sqe) == 64, "3.3.3.1");
_Static_assert(sizeof(struct brg_nvme_cqe) == 16, "3.3.3.2");

struct brg_nvme_qpair {
	struct brg_nvme_path path; /* what is done for every I/O; must be first */

	/* Completions: the end of this stretch, where the doorbell is due. */
	const struct brg_nvme_cqe *stop;

	/* Once in a while. */
	bool dead; /* takes no more submissions; see brg_queue_kill() */
	volatile uint32_t *cq_doorbell;
	volatile uint32_t *sq_shadow, *cq_shadow; /* NULL: no shadows */
	const uint32_t *sq_event, *cq_event;
	const struct brg_nvme_cqe *cq, *cq_end;
	uint32_t stretch;   /* completions to one doorbell */
	uint32_t sq_rung;   /* tail the controller knows of, where the user rings */
	uint32_t cq_rung;   /* head the controller knows of */
	uint64_t cq_base;   /* commands completed in the passes before this one */
	uint64_t cancelled; /* commands called back without a completion */
	uint32_t unread;    /* what publish points to, where the user rings */
	size_t max_transfer;
	uint64_t *lists; /* room for one PRP list per identifier */

	/* The owner's. */
	struct brg_nvme_ctrl *ctrl;
	struct brg_bar *share; /* of the controller's mapping; NULL: the user's own */
	void *dma;
	uint16_t qid;
} __rte_cache_aligned;

/** How to make a queue pair. */
struct brg_queue_opts {
	uint16_t depth;	   /* entries of the submission queue, and one more than the trackers */
	uint16_t cq_depth; /* at least as many; the more, the fewer doorbells */
	size_t max_transfer;
	void *dma; /* brg_queue_dma_bytes(), zeroed and page-aligned */
	volatile uint32_t *sq_doorbell, *cq_doorbell;
	/* Shadow doorbells and event indices (5.8); NULL: the controller has none. */
	volatile uint32_t *sq_shadow, *cq_shadow;
	const uint32_t *sq_event, *cq_event;
	bool manual; /* the user rings */
};

/** Bytes of a queue pair structure, to be zeroed and cache-aligned by whoever allocates it. */
size_t brg_queue_bytes(uint16_t depth);

/** Bytes of device-visible memory for rings and PRP lists. */
size_t brg_queue_dma_bytes(const struct brg_queue_opts *opts);

/** Make a queue pair of zeroed memory: brg_queue_bytes() of it. */
void brg_queue_init(struct brg_nvme_qpair *qp, const struct brg_queue_opts *opts);

/**
 * Take no more submissions: no tracker is free from now on, which every submission checks anyway.
 * What is in flight stays so.
 */
void brg_queue_kill(struct brg_nvme_qpair *qp);

/** Kill it and call back what is in flight with "Command Aborted due to SQ Deletion". */
void brg_queue_abort(struct brg_nvme_qpair *qp);

/* Behind the structure: found without a load. */
static inline struct brg_nvme_tracker *brg_queue_trackers(const struct brg_nvme_qpair *qp)
{
	return (struct brg_nvme_tracker *)(uintptr_t)(qp + 1);
}

/** Room for the PRP list of a command; it does not cross a page. */
static inline uint64_t *brg_queue_list(const struct brg_nvme_qpair *qp, uint16_t cid)
{
	return qp->lists + cid * brg_prp_list_entries(qp->max_transfer);
}

#endif
