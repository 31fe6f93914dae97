/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BRG_NVME_PATH_H
#define BRG_NVME_PATH_H

/*
 * The fast path, part of brg_nvme.h: what is done for every I/O is compiled into the application,
 * where its arguments need not be passed and mostly are constants. All else is called. What is
 * declared here is the library's alone, and may be different in the next version.
 */

/** What is known of the command with one identifier. */
struct brg_nvme_tracker {
	brg_nvme_cb cb; /* NULL: no command with it is in flight */
	union {
		void *arg;
		struct brg_nvme_tracker *next; /* the next free one */
	} u;
	uint32_t dw0; /* the identifier in its place in command dword 0; never changed, */
	uint16_t cid; /* nor is the identifier */
};

/** The beginning of a queue pair. */
struct brg_nvme_path {
	/* Completions. */
	const struct brg_nvme_cqe *next; /* entry to complete */
	uint16_t phase;			 /* the phase bit that it will have then */
	uint32_t idle;			 /* empty polls until the library has a look around */

	/* Submissions. */
	struct brg_nvme_tracker *free; /* the one last used comes first: it is in the cache */
	struct brg_nvme_sqe *sq;       /* the submission queue, */
	uint32_t sq_at;		       /* where in it the entry to fill is, in bytes, */
	uint32_t sq_stop; /* from where on a step takes more than writing a shadow: its end, or,
			     without a shadow, its beginning, */
	uint32_t sq_end;  /* and where it ends */
	bool has_shadow;
	volatile uint32_t *publish; /* takes the tail after each call: the shadow doorbell, the
				       doorbell, or, where the user rings, a word that nobody
				       reads */
	volatile uint32_t *sq_doorbell;
	uint32_t depth;	  /* entries of the submission queue */
	uint64_t sq_base; /* commands submitted in the passes of the ring before this one */
};

static inline struct brg_nvme_path *brg_nvme_path(struct brg_nvme_qpair *qp)
{
	return (struct brg_nvme_path *)qp;
}

/* What is not the usual case. */
BRG_API
int brg_nvme_submit_any(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
			enum nvme_io_opcode opcode, void *buf, uint64_t lba, uint32_t nblocks,
			brg_nvme_cb cb, void *arg);
BRG_API
int brg_nvme_submit_slowly(struct brg_nvme_qpair *qp, const struct brg_nvme_sqe *sqe,
			   brg_nvme_cb cb, void *arg);
BRG_API
void brg_nvme_publish_last(struct brg_nvme_path *p);
BRG_API
int brg_nvme_poll_ready(struct brg_nvme_qpair *qp, const struct brg_nvme_cqe *cqe,
			unsigned int max);
BRG_API
int brg_nvme_poll_idle(struct brg_nvme_qpair *qp);

#define BRG_NVME_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define BRG_NVME_PAGE	     4096u /* CC.MPS = 0 */

/* The entry to fill, and its index. */
static inline struct brg_nvme_sqe *brg_nvme_slot(const struct brg_nvme_path *p)
{
	return (struct brg_nvme_sqe *)((uint8_t *)p->sq + p->sq_at);
}

static inline uint32_t brg_nvme_tail(const struct brg_nvme_path *p)
{
	return p->sq_at / sizeof(struct brg_nvme_sqe);
}

/* Entries are written in wide stores. */
typedef uint64_t __attribute__((may_alias)) brg_nvme_qword;
typedef uint32_t __attribute__((may_alias)) brg_nvme_dword;

/*
 * Whether data lies within a page, dword-aligned, and the blocks in the namespace: one that is so
 * needs no other check. @p last is the number of blocks less one, which is huge when there are
 * none.
 *
 * The last block's data begins below simple_end in its page. That is 0 where no request is simple:
 * where a block is larger than a page, or has metadata; and where the namespace has not as many
 * blocks as a page, of which more could then be asked for than it has, and their difference would
 * wrap.
 */
static inline bool brg_nvme_is_simple(const struct brg_nvme_ns *ns, uint64_t buf, uint64_t lba,
				      uint64_t last)
{
	return !(buf & 3) && buf % BRG_NVME_PAGE + last * ns->block_size < ns->simple_end &&
	       lba < ns->blocks - last;
}

/* Read and write have their fields in the same places (NVM Command Set 1.0, 3.2.4, 3.2.6). */
static inline void brg_nvme_fill(struct brg_nvme_sqe *slot, uint32_t dw0, uint32_t nsid,
				 uint64_t buf, uint64_t prp2, uint64_t lba, uint64_t last)
{
	brg_nvme_qword *q = (brg_nvme_qword *)slot;

	((brg_nvme_dword *)slot)[0] = dw0;
	((brg_nvme_dword *)slot)[1] = nsid;
	q[1] = 0; /* cdw2, cdw3 */
	q[2] = 0; /* mptr */
	q[3] = buf;
	q[4] = prp2;
	q[5] = lba;  /* cdw10, cdw11 */
	q[6] = last; /* cdw12, cdw13 */
	q[7] = 0;    /* cdw14, cdw15 */
}

/* The event index that belongs to a shadow doorbell: the library lays their pages side by side. The
 * controller sets it to the shadow at which it wants its doorbell rung (5.8). */
static inline uint32_t *brg_nvme_event(const volatile uint32_t *shadow)
{
	return (uint32_t *)((uintptr_t)shadow + BRG_NVME_PAGE);
}

/*
 * Whether the other side asks for its doorbell when an index goes from @p old to @p now: its event
 * index is one of those that are passed by (as virtio's; 5.8 leaves the arithmetic to the reader).
 */
static inline bool brg_nvme_event_is_due(uint16_t event, uint16_t now, uint16_t old)
{
	return (uint16_t)(now - event - 1) < (uint16_t)(now - old);
}

/* Hand over the entry that was filled, or leave that to brg_nvme_ring(). Entry, PRP list and data
 * must be in memory before the controller is told to fetch them. */
static inline void brg_nvme_publish(struct brg_nvme_path *p)
{
	uint32_t next = p->sq_at + sizeof(struct brg_nvme_sqe);
	volatile uint32_t *publish = p->publish;
	uint32_t tail, old;

	if (BRG_NVME_UNLIKELY(next >= p->sq_stop)) {
		if (BRG_NVME_UNLIKELY(next == p->sq_end)) {
			brg_nvme_publish_last(p);
			return;
		}
		p->sq_at = next;
		/* On x86 a compiler barrier: stores to memory and to the uncached BAR keep their
		 * order. */
		__atomic_thread_fence(__ATOMIC_RELEASE);
		*publish = brg_nvme_tail(p);
		return;
	}
	p->sq_at = next;
	tail = next / sizeof(struct brg_nvme_sqe);
	/* The controller looks at the shadow after it has written the event index, and we at the
	 * index after we have written the shadow: one of us sees the other. What was in the shadow
	 * is the tail before, and for a single step brg_nvme_event_is_due() comes down to this. */
	old = __atomic_exchange_n(publish, tail, __ATOMIC_SEQ_CST);
	if (*brg_nvme_event(publish) == old)
		*p->sq_doorbell = tail;
}

static inline __attribute__((always_inline)) int
brg_nvme_submit_rw(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
		   enum nvme_io_opcode opcode, void *buf, uint64_t lba, uint32_t nblocks,
		   brg_nvme_cb cb, void *arg)
{
	struct brg_nvme_path *p = brg_nvme_path(qp);
	struct brg_nvme_tracker *tracker;
	uint32_t last = nblocks - 1;

	if (BRG_NVME_UNLIKELY(!brg_nvme_is_simple(ns, (uintptr_t)buf, lba, last)))
		return brg_nvme_submit_any(qp, ns, opcode, buf, lba, nblocks, cb, arg);
	tracker = p->free;
	if (BRG_NVME_UNLIKELY(!tracker))
		return brg_nvme_submit_any(qp, ns, opcode, buf, lba, nblocks, cb, arg);
	p->free = tracker->u.next;
	tracker->cb = cb;
	tracker->u.arg = arg;
	brg_nvme_fill(brg_nvme_slot(p), tracker->dw0 | opcode, ns->nsid, (uintptr_t)buf, 0, lba,
		      last);
	brg_nvme_publish(p);
	return 0;
}

static inline int brg_nvme_read(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, void *buf,
				uint64_t lba, uint32_t nblocks, brg_nvme_cb cb, void *arg)
{
	return brg_nvme_submit_rw(qp, ns, nvme_cmd_read, buf, lba, nblocks, cb, arg);
}

static inline int brg_nvme_write(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
				 const void *buf, uint64_t lba, uint32_t nblocks, brg_nvme_cb cb,
				 void *arg)
{
	return brg_nvme_submit_rw(qp, ns, nvme_cmd_write, (void *)(uintptr_t)buf, lba, nblocks, cb,
				  arg);
}

/* Fill the next entry with a command that has its tracker, and hand it over. */
static inline void brg_nvme_put(struct brg_nvme_path *p, const struct brg_nvme_tracker *tracker,
				const struct brg_nvme_sqe *sqe)
{
	struct brg_nvme_sqe *slot = brg_nvme_slot(p);

	*slot = *sqe;
	slot->cid = tracker->cid;
	brg_nvme_publish(p);
}

static inline int brg_nvme_submit(struct brg_nvme_qpair *qp, const struct brg_nvme_sqe *sqe,
				  brg_nvme_cb cb, void *arg)
{
	struct brg_nvme_path *p = brg_nvme_path(qp);
	struct brg_nvme_tracker *tracker = p->free;

	if (BRG_NVME_UNLIKELY(!tracker))
		return brg_nvme_submit_slowly(qp, sqe, cb, arg);
	p->free = tracker->u.next;
	tracker->cb = cb;
	tracker->u.arg = arg;
	brg_nvme_put(p, tracker, sqe);
	return 0;
}

static inline int brg_nvme_submit_prepared(struct brg_nvme_qpair *qp,
					   const struct brg_nvme_prepared *prepared)
{
	struct brg_nvme_path *p = brg_nvme_path(qp);
	struct brg_nvme_tracker *tracker = p->free;

	if (BRG_NVME_UNLIKELY(!tracker))
		return brg_nvme_submit_slowly(qp, &prepared->sqe, prepared->cb, prepared->arg);
	p->free = tracker->u.next;
	/* Callback and argument lie in a tracker as in what is prepared: in one store. */
	__builtin_memcpy(tracker, prepared, sizeof(prepared->cb) + sizeof(prepared->arg));
	brg_nvme_put(p, tracker, &prepared->sqe);
	return 0;
}

static inline int brg_nvme_poll(struct brg_nvme_qpair *qp, unsigned int max)
{
	struct brg_nvme_path *p = brg_nvme_path(qp);
	const struct brg_nvme_cqe *cqe = p->next;
	uint16_t status = *(const volatile uint16_t *)&cqe->status;

	if (!((status ^ p->phase) & 1))
		return brg_nvme_poll_ready(qp, cqe, max);
	if (--p->idle)
		return 0;
	return brg_nvme_poll_idle(qp);
}

#endif
