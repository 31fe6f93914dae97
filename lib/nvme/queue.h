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
 * The fast path does not allocate, lock or log. Only one thread may use a queue pair at a time.
 */

#include <pthread.h>
#include <rte_branch_prediction.h>
#include <rte_common.h>
#include <rte_io.h>
#include <stdbool.h>

#include "brg_nvme.h"
#include "prp.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "NVMe structures are used in place");
_Static_assert(sizeof(struct brg_nvme_sqe) == 64, "3.3.3.1");
_Static_assert(sizeof(struct brg_nvme_cqe) == 16, "3.3.3.2");

/** Room for a submission queue in the device's own memory, see cmb.c. */
struct brg_cmb_ring {
	void *entries;	       /* where the CPU writes them; NULL: there is none */
	uint64_t address;      /* where the controller reads them */
	struct brg_bar *share; /* of the mapping, for the one lcore that uses the queue */
};

struct brg_nvme_qpair {
	struct brg_nvme_path path; /* what is done for every I/O; must be first */

	/* Completions: the end of this stretch, where the doorbell is due. */
	const struct brg_nvme_cqe *stop;

	/* Once in a while. */
	volatile uint32_t *cq_doorbell;
	volatile uint32_t *sq_shadow, *cq_shadow; /* NULL: no shadows */
	const struct brg_nvme_cqe *cq, *cq_end;
	uint32_t stretch;   /* completions to one doorbell */
	uint32_t sq_rung;   /* tail the controller knows of, where the user rings */
	uint32_t cq_rung;   /* head the controller knows of */
	uint64_t cq_base;   /* commands completed in the passes before this one */
	uint64_t cancelled; /* commands called back without a completion */
	uint32_t unread;    /* what publish points to, where the user rings */
	size_t max_transfer;
	uint64_t *lists; /* room for one PRP list per identifier */

	/* Its gate, see gate.c. */
	_Atomic int gate;	   /* enum brg_gate */
	_Atomic(pthread_t) poller; /* the thread that polled it last */
	bool is_shut; /* polls find the gate's entry, and what was next and its phase bit are */
	uint16_t kept_phase;
	const struct brg_nvme_cqe *kept_next;
	bool restarted;	   /* its rings are empty and new: what is in flight will not complete */
	int restart_error; /* of the reset, for the poller to take over */
	bool ring_due;	   /* its user has rung at the shut gate */
	bool leaving;	   /* being freed */
	bool orphaned;	   /* its user has freed it, but the controller may still use its memory */
	int error;	   /* negative errno: takes no commands because of it */

	/* watch.c */
	uint64_t next_check;   /* microseconds; of the controller */
	uint64_t next_look;    /* for late commands */
	bool lost;	       /* a doorbell did not get there, and no reset has made good for it */
	struct brg_aged *aged; /* one per identifier */
	struct brg_nvme_stats stats;

	struct brg_half *halves; /* of fused commands, see fused.c: one per identifier; NULL: the
				    controller has none */

	/* latency.c */
	struct brg_timed *timed; /* one per identifier; NULL: commands are not timed */
	struct brg_nvme_tracker *timed_free;
	struct brg_hist *latency;

	/* The owner's. */
	struct brg_nvme_ctrl *ctrl;
	const struct brg_bar *bar;  /* that its doorbells are in */
	const struct brg_bar *regs; /* where its poller reads registers: its own, too */
	struct brg_bar *share;	    /* of the controller's mapping; NULL: the user's own */
	struct brg_cmb_ring sq_ring;
	bool has_rings; /* the controller knows them */
	bool checks_buffers;
	void *dma;
	uint16_t qid;
	uint16_t vector; /* of MSI-X; 0: none */
} __rte_cache_aligned;

/* Status fields that no controller gives: of commands that none will complete. */
#define BRG_STATUS_GONE	 (NVME_SCT_PATH << 8 | NVME_SC_HOST_PATH_ERROR)
#define BRG_STATUS_RESET (NVME_SCT_PATH << 8 | NVME_SC_CMD_ABORTED_BY_HOST)

/* What stands in a tracker for a command that has been in flight for a while: see watch.c. */
struct brg_aged {
	brg_nvme_cb cb;
	void *arg;
	uint32_t looks; /* how many looks have found it in flight, the first not counted */
	bool aborted;	/* it has been tried */
};

/** Who may touch a queue pair. */
enum brg_gate {
	BRG_GATE_UNUSED, /* nobody has polled it yet */
	BRG_GATE_OPEN,	 /* its poller */
	BRG_GATE_PARKED, /* nobody: the poller has stepped aside for a reset, */
	BRG_GATE_HELD,	 /* which then has it */
	BRG_GATE_BACK,	 /* the poller, once it comes: the reset is over */
	BRG_GATE_DEAD,	 /* nobody: brg_nvme_qpair.error */
};

/** How to make a queue pair. */
struct brg_queue_opts {
	uint16_t depth;	   /* entries of the submission queue, and one more than the trackers */
	uint16_t cq_depth; /* at least as many; the more, the fewer doorbells */
	size_t max_transfer;
	void *dma; /* brg_queue_dma_bytes(), zeroed and page-aligned */
	void *sq;  /* where the submission queue is; NULL: in dma */
	volatile uint32_t *sq_doorbell, *cq_doorbell;
	/* Shadow doorbells (5.8), each a page before its event index; NULL: there are none. */
	volatile uint32_t *sq_shadow, *cq_shadow;
	bool manual; /* the user rings */
};

/** Bytes of a queue pair structure, to be zeroed and cache-aligned by whoever allocates it. */
size_t brg_queue_bytes(uint16_t depth);

/** Bytes of device-visible memory for rings and PRP lists. */
size_t brg_queue_dma_bytes(const struct brg_queue_opts *opts);

/** Make a queue pair of zeroed memory: brg_queue_bytes() of it. */
void brg_queue_init(struct brg_nvme_qpair *qp, const struct brg_queue_opts *opts);

/** Why there is no tracker: -EAGAIN, or the error that the queue pair takes no commands for. */
int brg_queue_full(const struct brg_nvme_qpair *qp) __attribute__((cold));

/** No tracker is free from now on, which every submission checks anyway. */
void brg_queue_hide_trackers(struct brg_nvme_qpair *qp);

/** Put all trackers that are not in use into the free list. */
void brg_queue_free_trackers(struct brg_nvme_qpair *qp);

/** Begin with empty rings; commands still in flight are not counted as outstanding any more. */
void brg_queue_restart(struct brg_nvme_qpair *qp);

/** Take no more submissions, and call back what is in flight with @p status; how many. */
unsigned int brg_queue_cancel(struct brg_nvme_qpair *qp, uint16_t status);

/** Kill it for good: what is in flight is called back with "Command Aborted due to SQ Deletion". */
void brg_queue_abort(struct brg_nvme_qpair *qp);

/** Tell the controller of all completions that were taken: else it hears of a stretch at a time. */
void brg_queue_acknowledge(struct brg_nvme_qpair *qp);

/** Whether the next completion is there. */
bool brg_queue_is_ready(const struct brg_nvme_qpair *qp);

/** Submissions of the passes before, and of this one. */
uint64_t brg_queue_submitted(const struct brg_nvme_qpair *qp);

/** Completions. */
uint64_t brg_queue_completed(const struct brg_nvme_qpair *qp);

/* buffer.c */

/** -EFAULT, where the queue pair is to look and the buffer is none that commands can use. */
int brg_buffer_check(const struct brg_nvme_qpair *qp, const void *buf, size_t len);

/* io.c */

/** brg_nvme_ns.simple_end where there are such requests, see brg_nvme_is_simple(). */
#define BRG_SIMPLE_END(block_size) (BRG_PRP_PAGE - (block_size) + 1)

/** -ENOTSUP, and a sentence, where a namespace's blocks have metadata. */
int brg_io_check_format(const struct brg_nvme_ns *ns);

/** What a request must be: -EINVAL and a sentence, where its data or its blocks are not so; errors
 *  of brg_io_check_format(). */
int brg_io_check(size_t max_transfer, const struct brg_nvme_ns *ns, const void *data, uint64_t lba,
		 uint32_t nblocks);

/**
 * Fill the next entry of the submission queue for a request that brg_io_check() has passed, without
 * handing it over: sq_at stays. -EAGAIN as brg_nvme_read().
 * @param dw0  opcode and flags, in their places in command dword 0.
 */
int brg_io_fill(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, uint32_t dw0,
		const struct brg_nvme_io *io);

/* fused.c */

/** Allocate what fused commands need, where the controller has them. */
int brg_fused_init(struct brg_nvme_qpair *qp);

/** In a copy of a tracker: the user's callback and argument, where ours stand before them. */
void brg_fused_unwrap(struct brg_nvme_tracker *tracker);

/* gate.c */

/** Nobody polls it yet: shut it until somebody does. */
void brg_gate_shut(struct brg_nvme_qpair *qp);

/** A poll has come to the gate. Returns as brg_nvme_poll(). */
int brg_gate_poll(struct brg_nvme_qpair *qp, unsigned int max);

/** The poller will sleep: others may have the queue pair until it polls again. 1: there is
 * something to poll for already, or a reset is going on. */
int brg_gate_leave(struct brg_nvme_qpair *qp);

/** By the poller, or who knows that it is not polling: it keeps out until the reset that is going
 * on is over. */
void brg_gate_park(struct brg_nvme_qpair *qp);

/** By the poller: no more commands, because of @p error; those in flight get @p status. How many
 *  were called back, or the error. */
int brg_gate_fail(struct brg_nvme_qpair *qp, int error, uint16_t status);

/* latency.c */

int brg_latency_init(struct brg_nvme_qpair *qp);
void brg_latency_free(struct brg_nvme_qpair *qp);

/** As brg_queue_take(), for commands that are timed. */
struct brg_nvme_tracker *brg_latency_take(struct brg_nvme_qpair *qp, brg_nvme_cb cb, void *arg);

/** As brg_fused_unwrap(). */
void brg_latency_unwrap(struct brg_nvme_tracker *tracker);

/* long.c */

/** As brg_fused_unwrap(). */
void brg_long_unwrap(struct brg_nvme_tracker *tracker);

/* watch.c */

/** Look after an I/O queue pair once in a while. Returns as brg_nvme_poll(). */
int brg_watch(struct brg_nvme_qpair *qp);

/** A completion that nobody waits for. Returns as brg_nvme_poll(). */
int brg_watch_stray(struct brg_nvme_qpair *qp);

/** As brg_fused_unwrap(). */
void brg_watch_unwrap(struct brg_nvme_tracker *tracker);

/* abort.c */

/** Ask the controller to abort a command; the caller has its lock. 1: it has been aborted, 0: it
 *  has not; errors of brg_nvme_admin(). */
int brg_abort(struct brg_nvme_qpair *qp, uint16_t cid);

/* Behind the structure: found without a load. */
static inline struct brg_nvme_tracker *brg_queue_trackers(const struct brg_nvme_qpair *qp)
{
	return (struct brg_nvme_tracker *)(uintptr_t)(qp + 1);
}

/* 16 scatter gather list descriptors take as many entries: data may come in small pieces. */
#define BRG_LEAST_ENTRIES 32

/** Entries of 8 bytes that each command has room for. */
static inline size_t brg_queue_list_entries(size_t max_transfer)
{
	size_t needed = brg_prp_list_entries(max_transfer);

	return needed && needed < BRG_LEAST_ENTRIES ? BRG_LEAST_ENTRIES : needed;
}

/** The tracker of the command that is submitted next. NULL: there is none. */
static inline struct brg_nvme_tracker *brg_queue_next(const struct brg_nvme_qpair *qp)
{
	return qp->timed ? qp->timed_free : qp->path.free;
}

/** Take a tracker for a command. NULL: there is none. */
static inline struct brg_nvme_tracker *brg_queue_take(struct brg_nvme_qpair *qp, brg_nvme_cb cb,
						      void *arg)
{
	struct brg_nvme_tracker *tracker = qp->path.free;

	if (!tracker)
		return qp->timed ? brg_latency_take(qp, cb, arg) : NULL;
	qp->path.free = tracker->u.next;
	tracker->cb = cb;
	tracker->u.arg = arg;
	return tracker;
}

/** After the last entry comes the first. */
static inline void brg_queue_wrap(struct brg_nvme_path *p)
{
	if (p->sq_at != p->sq_end)
		return;
	p->sq_base += p->depth;
	p->sq_at = 0;
}

/** Hand over all entries from @p old on. */
static inline void brg_queue_publish(struct brg_nvme_path *p, uint32_t old)
{
	uint32_t tail = brg_nvme_tail(p);

	__atomic_thread_fence(__ATOMIC_RELEASE);
	*p->publish = tail;
	if (!p->has_shadow)
		return;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (brg_nvme_event_is_due(*brg_nvme_event(p->publish), tail, old))
		*p->sq_doorbell = tail;
}

/** Room for the PRP list of a command; it does not cross a page. */
static inline uint64_t *brg_queue_list(const struct brg_nvme_qpair *qp, uint16_t cid)
{
	return qp->lists + cid * brg_queue_list_entries(qp->max_transfer);
}

#endif
