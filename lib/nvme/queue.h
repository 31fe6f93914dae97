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

/** What is known of the command with one identifier. */
struct brg_tracker {
	brg_nvme_cb cb; /* NULL: no command with it is in flight */
	union {
		void *arg;
		struct brg_tracker *next; /* the next free one */
	};
	uint16_t cid; /* its index, never changed */
};

struct brg_nvme_qpair {
	/* What every poll needs. */
	const struct brg_nvme_cqe *cqe; /* the next entry to complete */
	uint16_t phase;			/* the phase bit that it will have then */
	bool dead;			/* takes no more submissions; see brg_queue_kill() */
	uint32_t depth;			/* entries of each ring */
	struct brg_tracker *trackers;	/* by command identifier */
	struct brg_tracker *free; /* the one last used comes first: it is still in the cache */
	const struct brg_nvme_cqe *cq, *cq_end;
	volatile uint32_t *cq_doorbell;

	/* And every submission. */
	struct brg_nvme_sqe *sq;
	volatile uint32_t *sq_doorbell;
	uint32_t sq_tail; /* the next entry to fill */
	size_t max_transfer;

	uint64_t *lists; /* room for one PRP list per identifier */

	/* The owner's. */
	struct brg_nvme_ctrl *ctrl;
	struct brg_bar *share; /* of the controller's mapping; NULL: the user's own */
	void *dma;
	uint16_t qid;
} __rte_cache_aligned;

/** Bytes of a queue pair structure, to be zeroed and cache-aligned by whoever allocates it. */
size_t brg_queue_bytes(uint16_t depth);

/** Bytes of device-visible memory for rings and PRP lists, to be zeroed and page-aligned. */
size_t brg_queue_dma_bytes(uint16_t depth, size_t max_transfer);

/** Make a queue pair of zeroed memory: brg_queue_bytes() and brg_queue_dma_bytes() of it. */
void brg_queue_init(struct brg_nvme_qpair *qp, uint16_t depth, void *dma, size_t max_transfer,
		    volatile uint32_t *sq_doorbell, volatile uint32_t *cq_doorbell);

/** Copy a command to the ring, give it an identifier and ring. Returns as brg_nvme_flush(). */
int brg_queue_submit(struct brg_nvme_qpair *qp, const struct brg_nvme_sqe *sqe, brg_nvme_cb cb,
		     void *arg);

/**
 * Take no more submissions: no tracker is free from now on, which every submission checks anyway.
 * What is in flight stays so.
 */
void brg_queue_kill(struct brg_nvme_qpair *qp);

/** Kill it and call back what is in flight with "Command Aborted due to SQ Deletion". */
void brg_queue_abort(struct brg_nvme_qpair *qp);

/** Why there is no tracker: -EAGAIN, or -EIO when the queue pair is dead. */
int brg_queue_full(const struct brg_nvme_qpair *qp) __attribute__((cold));

/** Room for the PRP list of a command; it does not cross a page. */
static inline uint64_t *brg_queue_list(const struct brg_nvme_qpair *qp, uint16_t cid)
{
	return qp->lists + cid * brg_prp_list_entries(qp->max_transfer);
}

/** Take a tracker for a command. NULL: there is none. */
static inline struct brg_tracker *brg_tracker_take(struct brg_nvme_qpair *qp, brg_nvme_cb cb,
						   void *arg)
{
	struct brg_tracker *tracker = qp->free;

	if (unlikely(!tracker))
		return NULL;
	qp->free = tracker->next;
	tracker->cb = cb;
	tracker->arg = arg;
	return tracker;
}

/** Hand the entry that was filled to the controller. */
static inline void brg_sq_ring(struct brg_nvme_qpair *qp)
{
	uint32_t tail = qp->sq_tail + 1;

	if (unlikely(tail == qp->depth))
		tail = 0;
	qp->sq_tail = tail;
	/* rte_write32() begins with rte_io_wmb(): entry, PRP list and data must be in memory
	 * before the controller is told to fetch them. On x86 that is a compiler barrier, since
	 * stores to memory and to the uncached BAR keep their order. */
	rte_write32(tail, qp->sq_doorbell);
}

#endif
