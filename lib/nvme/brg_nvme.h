/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BRG_NVME_H
#define BRG_NVME_H

/*
 * A polled NVMe driver. A controller is brought to ready once; each lcore then creates a queue pair
 * of its own and submits to and polls it without locks.
 *
 * Register layouts, identify pages and status codes are libnvme's (nvme/types.h). Specification
 * sections are those of NVM Express Base Specification 2.0.
 */

#include <nvme/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "brg_bar.h"
#include "brg_device.h"

#ifdef __cplusplus
extern "C" {
#endif

struct brg_nvme_ctrl;
struct brg_nvme_qpair;

/** Submission queue entry, 64 bytes (3.3.3.1). Little-endian, as everything NVMe. */
struct brg_nvme_sqe {
	uint8_t opcode;
	uint8_t flags; /* fused operation, PRP or SGL */
	uint16_t cid;  /* command identifier: set by the queue pair */
	uint32_t nsid;
	uint32_t cdw2, cdw3;
	uint64_t mptr;
	uint64_t prp1, prp2;
	uint32_t cdw10, cdw11, cdw12, cdw13, cdw14, cdw15;
};

/** Completion queue entry, 16 bytes (3.3.3.2). */
struct brg_nvme_cqe {
	uint32_t dw0; /* command-specific result */
	uint32_t dw1;
	uint16_t sq_head;
	uint16_t sq_id;
	uint16_t cid;
	uint16_t status; /* bit 0: phase; above it the status field */
};

/** The status field of a completion without its phase bit: 0 is success (4.2 of NVM, 3.3.3.2.1). */
static inline uint16_t brg_nvme_status(const struct brg_nvme_cqe *cqe)
{
	return cqe->status >> 1;
}

/** A status field as text, "Invalid Field in Command". Never NULL; static storage; any thread. */
BRG_API
const char *brg_nvme_status_str(uint16_t status);

/** The negative errno that stands for a status field; 0 for success. Any thread. */
BRG_API
int brg_nvme_status_errno(uint16_t status);

/** What to do about a command that is late. */
enum brg_nvme_verdict {
	BRG_NVME_WAIT,	/* nothing; ask again after another time-out */
	BRG_NVME_ABORT, /* ask the controller to abort it (5.1), which it may do or not */
	BRG_NVME_RESET, /* as brg_nvme_reset() */
};

/**
 * Called by brg_nvme_poll() for a command that has been in flight for the time-out, or longer: by
 * up to a quarter of it and half a second, as far as there are polls. It may submit, and send admin
 * commands, but not poll, reset or free.
 */
typedef enum brg_nvme_verdict (*brg_nvme_timeout_cb)(void *arg, struct brg_nvme_qpair *qp,
						     uint16_t cid);

/** How to open a controller. A zeroed structure asks for the defaults. */
struct brg_nvme_opts {
	struct brg_bar_opts bar;   /* how the controller maps BAR 0; of lcores, 0 is one at a time:
				      queue pairs take a brg_bar_share() each */
	uint16_t io_queues;	   /* I/O queue pairs to ask for; 0: one per lcore of EAL */
	uint32_t admin_timeout_ms; /* for one admin command; 0: 10,000 */
	uint32_t io_timeout_ms;	   /* for one I/O command, see brg_nvme_timeout_cb; 0: 30,000. What
				      is in flight is looked at four times in it, but not more
				      often than every 100 ms: less than 400 is as 400 */
	brg_nvme_timeout_cb on_timeout; /* NULL: abort a late command, then reset */
	void *timeout_arg;
	bool interrupts;	  /* connect an MSI-X vector per queue pair, for those that
				     want it; until the controller is closed */
	bool no_shadow_doorbells; /* ring every doorbell, also where the controller offers shadow
				     doorbells (Doorbell Buffer Config, 5.8) */
};

/**
 * Bring the controller of an open device to ready: map BAR 0, attach EAL's memory for DMA, reset,
 * enable bus mastering, set up the admin queue, enable, identify the controller, ask for queues.
 * EAL must be up. Interrupts are masked: connect MSI-X vectors afterwards, if at all.
 *
 * Waits no longer than CAP.TO or CRTO say (3.1.3). The device stays the caller's.
 *
 * @return 0; -ETIMEDOUT (never became ready, or an admin command did not complete), -ENODEV
 *         (registers read all-ones: the device is gone), -EIO (CSTS.CFS set), -ENOTSUP (no NVM
 *         command set, or a memory page size the host lacks), -EINVAL (the mapping asked for
 *         leaves out registers), -ENOMEM, and what brg_bar_map(), brg_dma_attach() and
 *         brg_nvme_admin() return. Nothing stays behind on failure.
 */
BRG_API
int brg_nvme_open(struct brg_device *dev, const struct brg_nvme_opts *opts,
		  struct brg_nvme_ctrl **ctrl);

/**
 * Reset the controller and create its queue pairs anew; if that does not help, by resetting the
 * function. What was in flight is called back by the next poll of each queue pair, once, with
 * "Command Aborted By Host", which may be retried: it may have been carried out or not. If all
 * fails the queue pairs take no more commands. Also done by a poll that finds that the controller
 * has failed (CSTS.CFS), has completed a command that was not in flight, or is late.
 *
 * Any thread but from a callback. Waits for the threads that poll the other queue pairs: they must
 * go on doing so, and may. A queue pair that was not polled yet must not be used meanwhile.
 *
 * @return 0; -EBUSY: a thread does not poll, nothing was done; -EAGAIN: another thread resets the
 *         controller already, and waits for this one to poll; -ENODEV, -EIO, -ETIMEDOUT and others
 *         of brg_nvme_open().
 */
BRG_API
int brg_nvme_reset(struct brg_nvme_ctrl *ctrl);

/**
 * Free what queue pairs are left, shut the controller down in order (CC.SHN, 3.6.1), disable it and
 * release all of it: the kernel's driver finds it as after power-on. NULL is allowed.
 * Thread-safety: no lcore may be using the controller or its queue pairs.
 */
BRG_API
void brg_nvme_close(struct brg_nvme_ctrl *ctrl);

/** Identify Controller (CNS 01h) as read by brg_nvme_open(). Owned by the controller; any thread.
 */
BRG_API
const struct nvme_id_ctrl *brg_nvme_id_ctrl(const struct brg_nvme_ctrl *ctrl);

/**
 * The controller's own mapping of BAR 0; owned by the controller, which reads registers in it.
 * Other lcores access it through a brg_bar_share() of theirs. Any thread.
 */
BRG_API
const struct brg_bar *brg_nvme_bar(const struct brg_nvme_ctrl *ctrl);

/** Most bytes one command may carry: MDTS, or what one PRP list page can say. Any thread. */
BRG_API
size_t brg_nvme_max_transfer(const struct brg_nvme_ctrl *ctrl);

/** I/O queue pairs the controller granted. Any thread. */
BRG_API
unsigned int brg_nvme_max_qpairs(const struct brg_nvme_ctrl *ctrl);

/** A namespace, as the data path needs it. Filled by the library; the caller's to keep. */
struct brg_nvme_ns {
	uint32_t nsid;
	uint32_t block_size; /* bytes of data per logical block */
	uint64_t blocks;     /* NSZE, logical blocks */
	uint64_t simple_end; /* the library's alone: see brg_nvme_is_simple() */
	uint16_t metadata;   /* bytes of it per block: where it has any, brg_nvme_read_meta() and
				brg_nvme_write_meta() transfer data, and no other calls */
	struct nvme_id_ns id;
};

/** Which of its formats a namespace has: an index into lbaf (FLBAS, 5.17.2.1). */
static inline unsigned int brg_nvme_format_in_use(const struct nvme_id_ns *id)
{
	unsigned int more = id->nlbaf > 15 ? (id->flbas & NVME_NS_FLBAS_HIGHER_MASK) >> 1 : 0;

	return (id->flbas & NVME_NS_FLBAS_LOWER_MASK) | more;
}

/**
 * Identify a namespace (CNS 00h). -ENOENT: not active; -ENOTSUP: its format carries metadata, which
 * read and write do not handle, and refuse; see brg_nvme_ns_get_meta(). Any thread.
 */
BRG_API
int brg_nvme_ns_get(struct brg_nvme_ctrl *ctrl, uint32_t nsid, struct brg_nvme_ns *ns);

/**
 * Identifiers of the active namespaces (CNS 02h), ascending. Any thread.
 * @param max  elements @p nsids has room for.
 * @return how many were written, or a negative errno.
 */
BRG_API
int brg_nvme_ns_list(struct brg_nvme_ctrl *ctrl, uint32_t *nsids, unsigned int max);

/**
 * Run one admin command and wait for it. Not for commands that complete only when something
 * happens, as Asynchronous Event Request: after a time-out every later admin command fails with
 * -EIO until the controller is reset. Any thread; one waits for the other.
 *
 * @param sqe   the command; cid and PRPs are filled in here.
 * @param data  a buffer in any memory (it is copied through DMA memory), or NULL.
 * @param len   its bytes: up to 4096, or brg_nvme_max_transfer() where that is more. Direction
 *              follows bits 1:0 of the opcode (3.3.3.1).
 * @param cqe   set to the completion if there was one; may be NULL.
 * @return 0, -ETIMEDOUT, -ENODEV (registers read all-ones), -EIO (CSTS.CFS set), -EINVAL (len),
 *         -ENOMEM (EAL has no room for more than a page), -EAGAIN (another thread resets the
 *         controller, and waits for this one to poll its queue pairs), or what
 *         brg_nvme_status_errno() makes of the status.
 */
BRG_API
int brg_nvme_admin(struct brg_nvme_ctrl *ctrl, struct brg_nvme_sqe *sqe, void *data, size_t len,
		   struct brg_nvme_cqe *cqe);

/** How to create a queue pair. A zeroed structure asks for the defaults. */
struct brg_nvme_qpair_opts {
	uint16_t depth; /* entries of each queue, one more than the commands it can have in flight;
			   at least 2, at most CAP.MQES; 0: 256, or CAP.MQES if that is less */
	const struct brg_bar *bar; /* mapping whose doorbells it rings, which must outlive it; NULL:
				      a brg_bar_share() of the controller's, safe on any kernel */
	bool interrupts; /* completions raise a vector: see brg_nvme_wait(); the controller must
			    have been opened with interrupts, too */
	bool latency; /* time every command, at some 100 instructions each: see brg_nvme_latency()
		       */
	bool check_buffers; /* refuse data and metadata in memory that is not mapped for DMA
			       (-EFAULT), also at some hundred instructions, and with locks: for
			       development */
	bool manual;	    /* what is submitted waits for brg_nvme_ring(): one doorbell for many */
	bool sq_in_cmb;	    /* its submission queue lies in the device: see brg_nvme_cmb_enable() */
};

/**
 * Create an I/O queue pair, its memory on the device's NUMA node. Any thread may create it for
 * another.
 *
 * The queue pair belongs to the lcore that uses it: submit and poll are for one thread at a time,
 * which a reset waits for: see brg_nvme_hand_over().
 *
 * Where the library is built with -Dtrace=enabled and EAL runs with --trace=barrage.nvme.*, its
 * commands leave the trace points barrage.nvme.submit (qid, cid, opcode, nsid, lba) and
 * barrage.nvme.complete (qid, cid, status, TSC ticks); they are timed then, too.
 *
 * @return 0; -ENOSPC (no queue left: the sentence has how many were granted, or no room in the
 *         CMB), -ENOMEM, -EINVAL, -ENXIO (the CMB is not enabled), -ENOTSUP (it takes no queues),
 *         and errors of brg_nvme_admin().
 */
BRG_API
int brg_nvme_qpair_create(struct brg_nvme_ctrl *ctrl, const struct brg_nvme_qpair_opts *opts,
			  struct brg_nvme_qpair **qp);

/**
 * Delete both queues and free the pair: for the thread that uses it, or any other once that does so
 * no more. Not from a callback. Callbacks of commands still outstanding are called with "Command
 * Aborted due to SQ Deletion". Where the controller does not delete the queues, it may still use
 * what they point to: they are then called by brg_nvme_reset() or brg_nvme_close(), once it cannot
 * any more. NULL is allowed.
 */
BRG_API
void brg_nvme_qpair_free(struct brg_nvme_qpair *qp);

/**
 * Leave polling to another thread, the next one that polls the queue pair. Until then it may be
 * submitted to, as after it was created, but the controller must not be reset.
 */
BRG_API
void brg_nvme_hand_over(struct brg_nvme_qpair *qp);

/**
 * Called by brg_nvme_poll() for each finished command, on the polling lcore. It may submit to the
 * same queue pair, but not poll or free it. @p cqe is valid during the call only.
 */
typedef void (*brg_nvme_cb)(void *arg, const struct brg_nvme_cqe *cqe);

/**
 * Read blocks into @p buf: memory EAL gave out or brg_dma_register() was told of, dword-aligned,
 * untouched until the callback. One doorbell write per call, or none (brg_nvme_qpair_opts.manual).
 *
 * @param lba      first logical block.
 * @param nblocks  how many: at least 1, at most brg_nvme_max_transfer() bytes of them.
 * @param cb       not NULL.
 * @return 0 when submitted: the callback comes once. -EAGAIN: queue full, poll first (part of
 *         normal work: brg_errmsg() keeps what it had). -EINVAL: buffer not dword-aligned, nothing
 *         or too much to transfer (see brg_nvme_read_long()), or beyond the end of the namespace.
 *         -ENOTSUP: the namespace's blocks have metadata, see brg_nvme_read_meta().
 *         -EFAULT: see brg_nvme_qpair_opts.check_buffers.
 *         -EIO: the queue pair takes no more, see brg_nvme_poll(). On failure the callback does not
 *         come.
 */
static inline int brg_nvme_read(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, void *buf,
				uint64_t lba, uint32_t nblocks, brg_nvme_cb cb, void *arg);

/** Write blocks from @p buf. As brg_nvme_read(). */
static inline int brg_nvme_write(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
				 const void *buf, uint64_t lba, uint32_t nblocks, brg_nvme_cb cb,
				 void *arg);

/**
 * Read blocks with flags of the command (NVM Command Set 1.0, 3.2.4), at some more instructions:
 * NVME_IO_FUA (from or to non-volatile media, past a volatile cache), NVME_IO_LR (give up early on
 * blocks that are hard to read or write), or both. To a command that was built they are added as
 *
 *     sqe.cdw12 |= (uint32_t)NVME_IO_FUA << 16;
 *
 * @param flags  of enum nvme_io_control_flags.
 * @return as brg_nvme_read(); also -EINVAL: another flag.
 */
BRG_API
int brg_nvme_read_flags(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, void *buf,
			uint64_t lba, uint32_t nblocks, uint16_t flags, brg_nvme_cb cb, void *arg);

/** Write blocks with flags. As brg_nvme_read_flags(). */
BRG_API
int brg_nvme_write_flags(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, const void *buf,
			 uint64_t lba, uint32_t nblocks, uint16_t flags, brg_nvme_cb cb, void *arg);

/** One of many reads or writes: as the arguments of brg_nvme_read(). */
struct brg_nvme_io {
	void *buf;
	uint64_t lba;
	uint32_t nblocks;
	brg_nvme_cb cb;
	void *arg;
};

/**
 * Read many with one doorbell write, in the order of the array, which may be gone or changed after
 * the call.
 * @return how many were submitted: fewer than @p count when the queue is full or the next one would
 *         be refused. When that is the first one, what brg_nvme_read() returns for it.
 */
BRG_API
int brg_nvme_read_many(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
		       const struct brg_nvme_io *ios, unsigned int count);

/** Write many. As brg_nvme_read_many(). */
BRG_API
int brg_nvme_write_many(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
			const struct brg_nvme_io *ios, unsigned int count);

/**
 * Submit an I/O command as it is, but for its identifier: the rest of it is the caller's, its
 * addresses too, and so are all checks. The command is copied: it may be submitted again at once,
 * and changed, its block address for instance.
 * @return 0; -EAGAIN or -EIO as brg_nvme_read().
 */
static inline int brg_nvme_submit(struct brg_nvme_qpair *qp, const struct brg_nvme_sqe *sqe,
				  brg_nvme_cb cb, void *arg);

/**
 * Build a read or a write once, to submit it many times; for flags see brg_nvme_read_flags().
 * @param opcode  nvme_cmd_read or nvme_cmd_write; buffer and blocks are as for brg_nvme_read().
 * @param list    where the data touches more than two pages: memory for DMA as the buffer, 8 bytes
 *                for each page after the first, which do not cross a page; the caller's, and not
 *                to be changed while the command is in flight. Otherwise not used, may be NULL.
 * @return 0, or -EINVAL or -ENOTSUP as brg_nvme_read(); -EINVAL also where the list is missing. Any
 *         thread.
 */
BRG_API
int brg_nvme_prepare(const struct brg_nvme_ctrl *ctrl, const struct brg_nvme_ns *ns,
		     enum nvme_io_opcode opcode, void *buf, uint64_t lba, uint32_t nblocks,
		     uint64_t *list, struct brg_nvme_sqe *sqe);

/** A command that is submitted many times. Filled by the caller, its sqe by brg_nvme_prepare(). */
struct brg_nvme_prepared {
	brg_nvme_cb cb;
	void *arg;
	struct brg_nvme_sqe sqe;
};

/** As brg_nvme_submit(), in fewer instructions. */
static inline int brg_nvme_submit_prepared(struct brg_nvme_qpair *qp,
					   const struct brg_nvme_prepared *prepared);

/**
 * Hand over what was submitted to a queue pair whose user rings (brg_nvme_qpair_opts.manual): one
 * doorbell write, or none if nothing was. On other queue pairs it does nothing.
 */
BRG_API
void brg_nvme_ring(struct brg_nvme_qpair *qp);

/** Commit written data to non-volatile media (NVM command set, Flush). Returns as brg_nvme_read().
 */
BRG_API
int brg_nvme_flush(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, brg_nvme_cb cb,
		   void *arg);

/**
 * Call back what has finished. Doorbells are rung as the queue needs room, not at every call.
 *
 * @param max  most completions to take; 0: all there are.
 * Once in some thousand calls it looks after the controller: whether it is still there, has failed,
 * or a command is late. See brg_nvme_reset() for what follows.
 *
 * @return how many were called back, or, when there is nothing left to call back: -ENODEV: the
 *         device is gone, or the kernel wants it back, to unplug it or for another driver (what was
 *         in flight has been called back with "Host Pathing Error", of which
 *         brg_nvme_status_errno() makes -ENODEV): close controller and device, for which the kernel
 *         waits; another: it could not be reset. The queue pair takes no more commands until a
 *         brg_nvme_reset() succeeds. -EBUSY: a reset that is needed waits for another queue
 *         pair's poller.
 */
static inline int brg_nvme_poll(struct brg_nvme_qpair *qp, unsigned int max);

/**
 * An eventfd, for epoll and its like, that is readable when something may have completed since
 * brg_nvme_arm(), or the controller was reset. Owned by the controller: read it only by
 * brg_nvme_arm(). -ENOTSUP: the queue pair was created without interrupts. Any thread.
 */
BRG_API
int brg_nvme_qpair_fd(const struct brg_nvme_qpair *qp);

/**
 * Before sleeping on brg_nvme_qpair_fd(): forget the interrupts so far. After it and until the next
 * poll, the queue pair takes no commands (-EAGAIN). A sleeper is told of resets, but not of
 * time-outs or of a device that is gone: it polls every now and then.
 * @return 0: sleep. 1: something has completed already, poll instead. -ENOTSUP as above.
 */
BRG_API
int brg_nvme_arm(struct brg_nvme_qpair *qp);

/**
 * brg_nvme_arm(), and sleep.
 * @param timeout_ms  -1: for as long as it takes.
 * @return 1: poll now. 0: nothing has happened; a poll then looks after the controller. -ENOTSUP.
 */
BRG_API
int brg_nvme_wait(struct brg_nvme_qpair *qp, int timeout_ms);

struct brg_hist;

/**
 * How long commands took from submission to callback, in ticks of the TSC (brg_stat.h); those that
 * were cancelled are left out. NULL: the queue pair was created without. Owned by the queue pair;
 * for the thread that uses it.
 */
BRG_API
const struct brg_hist *brg_nvme_latency(const struct brg_nvme_qpair *qp);

/** What has become of a queue pair's commands since it was created. */
struct brg_nvme_stats {
	uint64_t submitted;
	uint64_t completed; /* by the controller, whatever the status */
	uint64_t cancelled; /* called back because of a reset, or as the queue pair was freed */
	uint64_t timeouts;  /* commands found late, each as often as it was */
	uint64_t aborts;    /* sent */
	uint64_t strays;    /* completions of commands that were not in flight */
	uint64_t resets;    /* of the controller: what was set and not saved is lost with each, see
			       brg_nvme_feature_set() */
};

/** For the thread that uses the queue pair; others may get torn figures. */
BRG_API
void brg_nvme_stats_get(const struct brg_nvme_qpair *qp, struct brg_nvme_stats *stats);

/** Commands submitted and not yet called back. */
BRG_API
unsigned int brg_nvme_outstanding(const struct brg_nvme_qpair *qp);

/**
 * Ask the controller to abort every command in flight that was submitted with this callback and
 * this argument (5.1), one after the other, and wait for its answers. Each command is called back
 * once as ever, by a later poll: one that was aborted with NVME_SC_ABORT_REQ, others as they end.
 * What still waits for brg_nvme_ring() is not known to the controller, which cannot abort it. Of a
 * long read or write the commands in flight are aborted; where one has been, the rest is not
 * submitted.
 *
 * For the thread that uses the queue pair, from callbacks too.
 *
 * @return how many the controller says that it has aborted; it may as well have none. -EAGAIN:
 *         another thread uses the admin queue, or resets the controller; poll, and try again
 *         (brg_errmsg() keeps what it had).
 *         -ENOENT: none is in flight. Others as brg_nvme_admin().
 */
BRG_API
int brg_nvme_abort(struct brg_nvme_qpair *qp, brg_nvme_cb cb, const void *arg);

/*
 * Memory on the device. Commands can use it as they use host memory: pointers into it are what
 * brg_nvme_read() and brg_nvme_write() take, and the data does not cross the link again. Only
 * commands of this controller can; another device would need it mapped for DMA. For the CPU it is
 * uncached: write it, and read it only where that does not matter. The guard (brg_bar.h) covers it.
 * A reset of the controller leaves what is in it undefined, but enabled and where it was.
 */

/** A Controller Memory Buffer (3.1.3.11, 3.1.3.12). */
struct brg_nvme_cmb {
	unsigned int bar;      /* that it is in, */
	uint64_t offset, size; /* from where on, bytes */
	bool legacy;	       /* of the kind before NVMe 1.4: not used here */
	bool submission_queues, completion_queues, lists; /* what may lie in it */
	bool read_data;	 /* data that commands read from the namespace, */
	bool write_data; /* and that they write to it */
};

/**
 * What the controller has. -ENOTSUP: none; -ENODEV; -EIO (it contradicts its BARs). Any thread.
 */
BRG_API
int brg_nvme_cmb_get(struct brg_nvme_ctrl *ctrl, struct brg_nvme_cmb *cmb);

/**
 * Map the Controller Memory Buffer and let commands use it, until brg_nvme_close().
 *
 * @param opts  policy and lcores as for brg_bar_map(); of lcores, 0 is one at a time, as on a
 *              vulnerable kernel buffers in it then must be used. Queues have shares of their own.
 *              NULL for the defaults. The range is the library's.
 * @return 0; -EALREADY; -ENOTSUP (none, or of the kind before NVMe 1.4), -EIO (it contradicts its
 *         BARs, or refuses its address), -ENOMEM, -ENODEV and errors of brg_bar_map(). Any thread.
 */
BRG_API
int brg_nvme_cmb_enable(struct brg_nvme_ctrl *ctrl, const struct brg_bar_opts *opts);

/**
 * Take a buffer out of it, page-aligned, for brg_nvme_cmb_free(). For data only as
 * brg_nvme_cmb.read_data and write_data allow: else the controller fails the command.
 * @return 0; -ENXIO (not enabled), -ENOSPC, -EINVAL (0 bytes). Any thread.
 */
BRG_API
int brg_nvme_cmb_alloc(struct brg_nvme_ctrl *ctrl, size_t bytes, void **buf);

/** Give it back; NULL is allowed. Commands must not use it any more. Any thread. */
BRG_API
void brg_nvme_cmb_free(struct brg_nvme_ctrl *ctrl, void *buf);

/** A Persistent Memory Region (8.14), which is all of a BAR. */
struct brg_nvme_pmr {
	const struct brg_bar *bar;  /* the controller's, mapped until it is closed */
	bool read_data, write_data; /* as of brg_nvme_cmb */
};

/**
 * Enable the Persistent Memory Region, map it, and let commands use it where the controller can,
 * until brg_nvme_close(). What it holds is its user's: nothing in it is changed.
 *
 * Waits until it is ready, no longer than PMRCAP says: up to hours.
 *
 * @param opts  as for brg_nvme_cmb_enable().
 * @return as brg_nvme_cmb_enable(), and -ETIMEDOUT (not ready). Any thread.
 */
BRG_API
int brg_nvme_pmr_enable(struct brg_nvme_ctrl *ctrl, const struct brg_bar_opts *opts,
			struct brg_nvme_pmr *pmr);

/**
 * Make durable what the calling thread has written to the Persistent Memory Region.
 * @return 0; -EIO: it reports an error, is read only or unreliable; -ENXIO (not enabled), -ENODEV.
 */
BRG_API
int brg_nvme_pmr_flush(struct brg_nvme_ctrl *ctrl);

/**
 * Give the controller memory of the host for its own use, a Host Memory Buffer (8.9): EAL's, on the
 * device's NUMA node, in as few pieces as EAL has it. It is the controller's over resets too, until
 * brg_nvme_hmb_disable() or brg_nvme_close(). Where a controller does not take it back after a
 * reset that is logged, and it goes on without.
 *
 * @param bytes  0: as much as the controller prefers (HMPRE). At least HMMIN; rounded up to whole
 *               pieces of the smallest size that it takes (HMMINDS).
 * @return 0; -ENOTSUP (HMPRE is 0: it wants none), -EINVAL (less than HMMIN), -ENOMEM (EAL has no
 *         such pieces left), -EALREADY, and errors of brg_nvme_admin(). Any thread.
 */
BRG_API
int brg_nvme_hmb_enable(struct brg_nvme_ctrl *ctrl, size_t bytes);

/**
 * Take it back. Where the controller does not answer or refuses, its memory is kept until the
 * controller is reset or closed. -ENXIO: it has none. Any thread.
 */
BRG_API
int brg_nvme_hmb_disable(struct brg_nvme_ctrl *ctrl);

/*
 * Administration. All of this is serialised by the caller with the other admin calls, returns as
 * brg_nvme_admin() and, where the controller says in advance that it does not have something,
 * -ENOTSUP with the field that says so.
 */

/** Which data structure Identify is to return (5.17). Zeroed: the namespace's. */
struct brg_nvme_identify {
	uint8_t cns; /* enum nvme_identify_cns */
	uint8_t csi; /* enum nvme_csi */
	uint16_t cntid;
	uint16_t cns_specific; /* CNSID: an NVM set, a domain, a format index */
	uint8_t uuid_index;
	uint32_t nsid;
};

/** Identify. @param page  4096 bytes, in any memory. */
BRG_API
int brg_nvme_identify(struct brg_nvme_ctrl *ctrl, const struct brg_nvme_identify *what, void *page);

/** Which log page, and from where on (5.16). Zeroed but for lid: the whole controller's. */
struct brg_nvme_log {
	uint8_t lid;   /* enum nvme_cmd_get_log_lid */
	uint8_t lsp;   /* log specific field */
	uint16_t lsi;  /* log specific identifier: an endurance group, an NVM set */
	uint8_t csi;   /* enum nvme_csi */
	bool retain;   /* RAE: the event that this page belongs to stays masked */
	uint32_t nsid; /* 0: the controller's or subsystem's */
	uint64_t offset;
};

/**
 * Read a log page or a part of it, in as many commands as it takes; the events it belongs to are
 * cleared by the last. What the device changes meanwhile may be torn.
 *
 * @param data  in any memory.
 * @param len   bytes, a multiple of 4. More than 4096, or an offset, needs LPA bit 2 (extended
 *              data); without it one command reads up to 16 KiB.
 * @return also -EINVAL: length or offset no multiple of 4, or the controller has no such page.
 */
BRG_API
int brg_nvme_log_read(struct brg_nvme_ctrl *ctrl, const struct brg_nvme_log *log, void *data,
		      size_t len);

/** Bytes of a log page of fixed size; the error log's follow from ELPE. 0: it varies, or unknown.
 */
BRG_API
size_t brg_nvme_log_bytes(const struct brg_nvme_ctrl *ctrl, uint8_t lid);

/**
 * Read all of a telemetry log (5.16.1.8): its header says how long it is.
 *
 * @param create  host-initiated only: have the controller collect the data anew first.
 * @param area    the last data area that is wanted, 1 to 3.
 * @param data    set to memory from malloc(), to be freed by the caller.
 * @return -EAGAIN: the controller has replaced the data meanwhile.
 */
BRG_API
int brg_nvme_telemetry(struct brg_nvme_ctrl *ctrl, enum nvme_cmd_get_log_lid lid, bool create,
		       unsigned int area, void **data, size_t *len);

/** A feature to get or set (5.15, 5.27). Zeroed but for fid: its current value. */
struct brg_nvme_feature {
	uint8_t fid;	/* enum nvme_features_id */
	uint8_t select; /* to get: enum nvme_get_features_sel */
	bool save;	/* to set: keep it over resets and power cycles */
	uint32_t nsid;
	uint32_t cdw11; /* to set: the value; to get: what selects it, as the threshold's kind */
	uint32_t cdw12;
	void *data; /* of those that have data; in any memory */
	size_t len;
};

/**
 * @param value  set to dword 0 of the completion; may be NULL.
 * @return also -EINVAL: no such feature, or it has more data than @p feature has room for.
 */
BRG_API
int brg_nvme_feature_get(struct brg_nvme_ctrl *ctrl, const struct brg_nvme_feature *feature,
			 uint32_t *value);

/**
 * As brg_nvme_feature_get(). What is not saved is lost when the controller is closed, and by every
 * reset: those that the library does by itself, too. Whoever needs it looks at
 * brg_nvme_stats.resets, or for commands called back with "Command Aborted By Host", and sets it
 * again. Brought back without that are: the number of queues, what brg_nvme_events_listen() asked
 * for, and a host memory buffer.
 * @return also -EINVAL: less data than the feature has, or one that is set in another way: the
 *         number of queues, a host memory buffer (brg_nvme_hmb_enable()).
 */
BRG_API
int brg_nvme_feature_set(struct brg_nvme_ctrl *ctrl, const struct brg_nvme_feature *feature,
			 uint32_t *value);

/** Bytes of data that come with a feature's value when it is got; 0: none, or unknown. Any thread.
 */
BRG_API
size_t brg_nvme_feature_bytes(uint8_t fid);

/** The controller's clock (feature 0Eh), milliseconds since 1970. */
BRG_API
int brg_nvme_timestamp_get(struct brg_nvme_ctrl *ctrl, uint64_t *ms);

/** Set it: milliseconds since 1970. A reset of the controller may set it back to 0. */
BRG_API
int brg_nvme_timestamp_set(struct brg_nvme_ctrl *ctrl, uint64_t ms);

/**
 * The identifier by which reservations tell this host from others (feature 81h). It belongs to the
 * controller, and all that were given the same are one host.
 * @param len  8 bytes or 16. -ENOTSUP: 16, and CTRATT says that the controller has only 8; -EINVAL:
 *             another length, or no such feature.
 */
BRG_API
int brg_nvme_host_id_get(struct brg_nvme_ctrl *ctrl, void *id, size_t len);

/**
 * Set it, before a key is registered. A controller may refuse to change it (Command Sequence Error)
 * until it is reset, which loses it: set it again then.
 */
BRG_API
int brg_nvme_host_id_set(struct brg_nvme_ctrl *ctrl, const void *id, size_t len);

/** An asynchronous event (5.2). */
struct brg_nvme_event {
	uint8_t type; /* enum nvme_ae_type */
	uint8_t info; /* what it means depends on the type */
	uint8_t lid;  /* the log page to read; until it is read no more of this type come */
};

/** Called by brg_nvme_events_poll(), on its thread. It may send admin commands, and reset. */
typedef void (*brg_nvme_event_cb)(void *arg, const struct brg_nvme_event *event);

/**
 * Listen to asynchronous events until the controller is closed. After a reset it is listened again:
 * what happened before it and was not told by then is lost. Any thread.
 * @param mask  which, as in feature 0Bh; 0: all that the controller has.
 * @return -EBUSY: somebody listens already.
 */
BRG_API
int brg_nvme_events_listen(struct brg_nvme_ctrl *ctrl, uint32_t mask, brg_nvme_event_cb cb,
			   void *arg);

/**
 * Tell what has happened. Where the controller did not take the mask after a reset, which is logged
 * then, it is given it again first. Any thread.
 * Not from a callback of a command.
 * @return how many callbacks were made, or a negative errno.
 */
BRG_API
int brg_nvme_events_poll(struct brg_nvme_ctrl *ctrl);

/** An event in a sentence, "temperature beyond a threshold". Never NULL; static; any thread. */
BRG_API
const char *brg_nvme_event_str(const struct brg_nvme_event *event);

/** How to format (5.14). Zeroed but for nsid: format 0, no metadata, nothing erased on purpose. */
struct brg_nvme_format {
	uint32_t nsid; /* NVME_NSID_ALL: every namespace */
	uint8_t lbaf;  /* index into the formats of Identify Namespace */
	enum nvme_cmd_format_ses erase;
	enum nvme_cmd_format_pi pi;
	bool pi_first;	     /* protection information in the first bytes of the metadata */
	bool extended;	     /* metadata interleaved with the data */
	uint32_t timeout_ms; /* 0: ten minutes */
};

/**
 * Format a namespace: ALL ITS DATA IS LOST. No queue pair may be using it; what brg_nvme_ns_get()
 * said of it before is no longer so.
 * @return also -EINVAL: the namespace has no such format, or not with that protection information;
 *         or it is one of several, and the controller can only format, or erase, all of them at
 *         once (FNA bits 0 and 1), which has to be asked for with NVME_NSID_ALL.
 */
BRG_API
int brg_nvme_format(struct brg_nvme_ctrl *ctrl, const struct brg_nvme_format *format);

/** How to sanitize (5.24). */
struct brg_nvme_sanitize {
	enum nvme_sanitize_sanact action;
	bool allow_unrestricted_exit; /* after a failure the device may be used again */
	bool no_deallocate;
	uint8_t passes; /* of an overwrite, 1 to 16 */
	bool invert;	/* the pattern between passes */
	uint32_t pattern;
};

/**
 * Start to sanitize: ALL DATA OF THE NVM SUBSYSTEM IS LOST, of its other controllers too. It goes
 * on in the device, over resets; log page NVME_LOG_LID_SANITIZE tells how far it is.
 */
BRG_API
int brg_nvme_sanitize(struct brg_nvme_ctrl *ctrl, const struct brg_nvme_sanitize *how);

/**
 * Start or abort a self-test (5.9). Log page NVME_LOG_LID_DEVICE_SELF_TEST tells how far it is. A
 * reset, and so closing the controller, aborts a short one.
 * @param nsid  NVME_NSID_ALL: with all namespaces; 0: without.
 * @param code  NVME_ST_CODE_SHORT, _EXTENDED or _ABORT.
 */
BRG_API
int brg_nvme_self_test(struct brg_nvme_ctrl *ctrl, uint32_t nsid, enum nvme_st_code code);

/**
 * Create a namespace (5.23). It is attached to no controller yet.
 * @param wanted  nsze, ncap, flbas, dps, nmic, anagrpid, nvmsetid and endgid; the rest is ignored.
 * @param nsid    set to what the controller called it.
 */
BRG_API
int brg_nvme_ns_create(struct brg_nvme_ctrl *ctrl, const struct nvme_id_ns *wanted,
		       enum nvme_csi csi, uint32_t *nsid);

/** Delete a namespace, or NVME_NSID_ALL: ALL ITS DATA IS LOST. */
BRG_API
int brg_nvme_ns_delete(struct brg_nvme_ctrl *ctrl, uint32_t nsid);

/** Attach a namespace to controllers of the subsystem, or detach it from them (5.22). */
BRG_API
int brg_nvme_ns_attach(struct brg_nvme_ctrl *ctrl, uint32_t nsid, const uint16_t *cntlids,
		       unsigned int n, bool attach);

/**
 * Send a firmware image to the controller (5.12); brg_nvme_fw_commit() then puts it in place. It is
 * lost by a reset, and so when the controller is closed.
 * @param len       bytes, a multiple of 4.
 * @param progress  called now and then with the bytes sent; may be NULL.
 */
BRG_API
int brg_nvme_fw_download(struct brg_nvme_ctrl *ctrl, const void *image, size_t len,
			 void (*progress)(void *arg, size_t sent), void *arg);

/** What a committed firmware image waits for. */
enum brg_nvme_fw_needs {
	BRG_NVME_FW_ACTIVE,	       /* nothing */
	BRG_NVME_FW_NEEDS_RESET,       /* a controller reset, as closing and opening does */
	BRG_NVME_FW_NEEDS_CONV_RESET,  /* a reset of the PCI function by its link or slot */
	BRG_NVME_FW_NEEDS_SUBSYS_RESET /* an NVM subsystem reset, or power off and on */
};

/**
 * Put the downloaded image in a slot, or make a slot's image the one to run (5.11).
 * @param slot  1 to 7; 0: the controller chooses.
 * @param needs set to what is left to do; may be NULL.
 */
BRG_API
int brg_nvme_fw_commit(struct brg_nvme_ctrl *ctrl, unsigned int slot, enum nvme_fw_commit_ca action,
		       enum brg_nvme_fw_needs *needs);

/**
 * Give a secondary controller, such as a virtual function's (brg_device_set_vfs()), queues and
 * interrupts of the primary one, @p ctrl, and bring it online (8.26); then its function can be
 * opened. It is taken offline first. A reset of the primary one takes it offline.
 * @param cntlid      its identifier: identify, CNS 15h.
 * @param queues      VQ resources: queue pairs, the admin queue's included.
 * @param interrupts  VI resources: interrupt vectors.
 */
BRG_API
int brg_nvme_secondary_online(struct brg_nvme_ctrl *ctrl, uint16_t cntlid, uint16_t queues,
			      uint16_t interrupts);

/** Take it offline: nobody may be using it. */
BRG_API
int brg_nvme_secondary_offline(struct brg_nvme_ctrl *ctrl, uint16_t cntlid);

/**
 * Security Send (5.26).
 * @param data  the protocol's own bytes, in any memory; the caller's.
 * @param len   of them, at most what brg_nvme_admin() takes.
 */
BRG_API
int brg_nvme_security_send(struct brg_nvme_ctrl *ctrl, uint8_t protocol, uint16_t specific,
			   const void *data, uint32_t len);

/** Security Receive (5.25). @param data  the caller's, filled with up to @p len bytes. */
BRG_API
int brg_nvme_security_receive(struct brg_nvme_ctrl *ctrl, uint8_t protocol, uint16_t specific,
			      void *data, uint32_t len);

/** A directive to send or receive (5.7, 5.8). */
struct brg_nvme_directive {
	uint32_t nsid;
	uint8_t type; /* enum nvme_directive_dtype */
	uint8_t operation;
	uint16_t specific;
	uint32_t cdw12;
	void *data; /* in any memory */
	uint32_t len;
};

/** Directive Send (5.8). @param result  set to dword 0 of the completion; may be NULL. */
BRG_API
int brg_nvme_directive_send(struct brg_nvme_ctrl *ctrl, const struct brg_nvme_directive *directive,
			    uint32_t *result);

/** Directive Receive (5.7), into the caller's data. @param result  as for sending. */
BRG_API
int brg_nvme_directive_receive(struct brg_nvme_ctrl *ctrl,
			       const struct brg_nvme_directive *directive, uint32_t *result);

/*
 * More I/O commands. They return and call back as brg_nvme_read(), and -ENOTSUP where the
 * controller's ONCS says that it does not have them.
 */

/** Compare blocks with @p buf: NVME_SC_COMPARE_FAILED is the status where they differ. */
BRG_API
int brg_nvme_compare(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, const void *buf,
		     uint64_t lba, uint32_t nblocks, brg_nvme_cb cb, void *arg);

/**
 * Write blocks if they are what @p cmp_buf has, as one operation that no other command comes
 * between (fused, 3.4.2). Takes room for two commands, and counts as two everywhere; both of them
 * are handed over with one doorbell write.
 * @param nblocks  what is more than NACWU or ACWU say need not be atomic, and may be refused by the
 *                 controller.
 * @param cb       called once, when both have completed. NVME_SC_COMPARE_FAILED: the blocks differ,
 *                 and nothing was written.
 * @return also -ENOTSUP: FUSES says that the controller has none; -EINVAL: a queue pair of depth 2.
 *         -EAGAIN: no room for both, and nothing was submitted.
 */
BRG_API
int brg_nvme_compare_and_write(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
			       const void *cmp_buf, const void *buf, uint64_t lba, uint32_t nblocks,
			       brg_nvme_cb cb, void *arg);

/**
 * Make blocks read as zeroes, without transferring any.
 * @param nblocks     at most 65,536; controllers may take less, see WZSL and MDTS.
 * @param deallocate  the device need not keep room for them.
 */
BRG_API
int brg_nvme_write_zeroes(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, uint64_t lba,
			  uint32_t nblocks, bool deallocate, brg_nvme_cb cb, void *arg);

/** Have the device check that blocks can be read, without transferring any. At most 65,536. */
BRG_API
int brg_nvme_verify(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, uint64_t lba,
		    uint32_t nblocks, brg_nvme_cb cb, void *arg);

/** Make blocks fail to be read until they are written again. At most 65,536. */
BRG_API
int brg_nvme_write_uncorrectable(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
				 uint64_t lba, uint32_t nblocks, brg_nvme_cb cb, void *arg);

/**
 * Dataset Management, deallocate: the device need not keep what is in these blocks.
 * @param ranges  1 to 256 of them, in memory as for brg_nvme_read(), untouched until the callback.
 */
BRG_API
int brg_nvme_deallocate(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
			const struct nvme_dsm_range *ranges, unsigned int n, brg_nvme_cb cb,
			void *arg);

/**
 * Copy blocks within the namespace, one source behind the other, to @p lba on. How much at most is
 * in Identify Namespace: MSRC + 1 ranges, MSSRL blocks each, MCL blocks in all.
 * @param ranges  of format 0, in memory as for brg_nvme_deallocate(); nlb is 0's based.
 */
BRG_API
int brg_nvme_copy(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
		  const struct nvme_copy_range *ranges, unsigned int n, uint64_t lba,
		  brg_nvme_cb cb, void *arg);

/*
 * Reservations (8.19): hosts that share a namespace register a key each, and one of them, or all
 * that are registered, reserve it against the others. Types and actions are those of nvme/types.h.
 * -ENOTSUP also where the namespace's RESCAP does not have what is asked for. A key that is not the
 * registered one, and what another host's reservation forbids, end with
 * NVME_SC_RESERVATION_CONFLICT. Keys are copied.
 */

/**
 * Register a key, unregister it, or replace it (Reservation Register, 7.3).
 * @param key         the current one, to unregister or replace it.
 * @param new_key     to register, or to replace it by.
 * @param ignore_key  whatever the current one is (IEKEY).
 * @param ptpl        whether registrations and reservations persist through a loss of power.
 */
BRG_API
int brg_nvme_resv_register(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
			   enum nvme_resv_rrega action, uint64_t key, uint64_t new_key,
			   bool ignore_key, enum nvme_resv_cptpl ptpl, brg_nvme_cb cb, void *arg);

/**
 * Reserve the namespace, or take it from another host (Reservation Acquire, 7.2).
 * @param key            this host's.
 * @param preempted_key  the other host's, to preempt it; else 0.
 */
BRG_API
int brg_nvme_resv_acquire(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
			  enum nvme_resv_racqa action, enum nvme_resv_rtype type, uint64_t key,
			  uint64_t preempted_key, brg_nvme_cb cb, void *arg);

/**
 * Release the reservation, or clear it together with all registrations (Reservation Release, 7.4).
 * @param type  that of the reservation that is held; of no importance to clear it.
 * @param key   this host's.
 */
BRG_API
int brg_nvme_resv_release(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
			  enum nvme_resv_rrela action, enum nvme_resv_rtype type, uint64_t key,
			  brg_nvme_cb cb, void *arg);

/**
 * Report who is registered, and how the namespace is reserved (Reservation Report, 7.5). Those that
 * do not fit are left out, and counted.
 * @param extended  with host identifiers of 16 bytes, in regctl_eds; else of 8, in regctl_ds. It
 *                  has to be what brg_nvme_host_id_set() was given.
 * @param report    memory as for brg_nvme_read(), dword-aligned.
 * @param len       bytes of it, a multiple of 4.
 */
BRG_API
int brg_nvme_resv_report(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, bool extended,
			 struct nvme_resv_status *report, uint32_t len, brg_nvme_cb cb, void *arg);

/**
 * Submit any I/O command with data: its addresses are filled in here, the rest is the caller's, and
 * so are the checks. For one without data see brg_nvme_submit().
 * @param buf  memory as for brg_nvme_read(), dword-aligned.
 * @param len  at least 1, at most brg_nvme_max_transfer().
 */
BRG_API
int brg_nvme_submit_data(struct brg_nvme_qpair *qp, const struct brg_nvme_sqe *sqe, void *buf,
			 size_t len, brg_nvme_cb cb, void *arg);

/** What a long read or write keeps while it is in flight: nobody's but the library's. */
struct brg_nvme_long {
	struct brg_nvme_qpair *qp;
	const struct brg_nvme_ns *ns;
	enum nvme_io_opcode opcode;
	uint8_t *buf; /* of what is not submitted yet: */
	uint64_t lba;
	uint32_t left;	    /* blocks */
	uint32_t in_flight; /* commands */
	bool failed;
	struct brg_nvme_cqe cqe; /* of the first that failed, else of the last */
	brg_nvme_cb cb;
	void *arg;
};

/**
 * Read blocks, any number of them: as commands of brg_nvme_max_transfer() bytes at most, which do
 * not cross the namespace's optimal boundaries (NOIOB). They take what room the queue has, and the
 * rest follows as commands complete, in brg_nvme_poll(). On a queue pair whose user rings he also
 * rings for these.
 *
 * @param ns     stays until the callback, as buffer and state do.
 * @param state  memory for it, of any content; the caller's, and not to be touched.
 * @param cb     called once, when nothing of it is in flight any more, with the completion of the
 *               first command that failed, and then the rest has not been submitted; else with that
 *               of the last one that completed.
 * @return as brg_nvme_read(); -EAGAIN: nothing was submitted.
 */
BRG_API
int brg_nvme_read_long(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, void *buf,
		       uint64_t lba, uint32_t nblocks, struct brg_nvme_long *state, brg_nvme_cb cb,
		       void *arg);

/** Write blocks, any number of them. As brg_nvme_read_long(). */
BRG_API
int brg_nvme_write_long(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, const void *buf,
			uint64_t lba, uint32_t nblocks, struct brg_nvme_long *state, brg_nvme_cb cb,
			void *arg);

/**
 * The next piece of memory of a transfer. Called on the thread that submits, during the call, until
 * there are no more, or what there is cannot be: it must not use the queue pair.
 * @param pieces  the caller's, which remembers how far it is.
 * @param piece   to be set, to memory as for brg_nvme_read().
 * @return false: there are no more.
 */
typedef bool (*brg_nvme_next_piece)(void *pieces, struct iovec *piece);

/**
 * Read blocks into pieces of memory, in order. By PRP where every piece but the first begins, and
 * every piece but the last ends, at a page; else by SGL. Pieces that lie one behind the other in
 * memory count as one.
 * @param next    gives the pieces, of a multiple of the block size together.
 * @param pieces  its argument; may be gone after the call.
 * @return also -ENOTSUP: only an SGL could say it, and the controller has none; -EINVAL: more
 *         pieces than a command has room for, the sentence says how many. -EAGAIN as
 *         brg_nvme_read(), and no piece has been asked for; after other errors some have.
 */
BRG_API
int brg_nvme_read_pieces(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
			 brg_nvme_next_piece next, void *pieces, uint64_t lba, brg_nvme_cb cb,
			 void *arg);

/** Write blocks from pieces of memory. As brg_nvme_read_pieces(). */
BRG_API
int brg_nvme_write_pieces(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
			  brg_nvme_next_piece next, void *pieces, uint64_t lba, brg_nvme_cb cb,
			  void *arg);

/** As brg_nvme_read_pieces(), of an array of @p n pieces, which may be gone after the call. */
BRG_API
int brg_nvme_readv(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, const struct iovec *iov,
		   unsigned int n, uint64_t lba, brg_nvme_cb cb, void *arg);

/** Write blocks from an array of pieces. As brg_nvme_readv(). */
BRG_API
int brg_nvme_writev(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
		    const struct iovec *iov, unsigned int n, uint64_t lba, brg_nvme_cb cb,
		    void *arg);

/*
 * Flexible data placement (TP4146; Base 2.1, 8.1.10). A write may say by which of the namespace's
 * reclaim unit handles it goes: what is written by one handle lies together on the media, so that
 * data which dies together is erased together. Log pages NVME_LOG_LID_FDP_CONFIGS, _RUH_USAGE,
 * _STATS and _EVENTS, of the endurance group that brg_nvme_log.lsi names, tell what there is and
 * what came of it; features NVME_FEAT_FID_FDP and _FDP_EVENTS turn it and its events on.
 *
 * A placement identifier is the index of one of the namespace's placement handles, with the reclaim
 * group in its upper bits where there are several. Calls return and call back as brg_nvme_read(),
 * and -ENOTSUP where the controller has no flexible data placement (CTRATT bit 19).
 */

/** Status codes that libnvme 1.3 does not have yet: generic ones (SCT 0). */
enum {
	BRG_NVME_SC_FDP_DISABLED = 0x29, /* in this endurance group */
	BRG_NVME_SC_INVALID_PLACEMENT =
		0x2a, /* a placement identifier is none of the namespace's */
};

/**
 * Write blocks by a placement identifier.
 * @param placement  one that brg_nvme_ruh_status() lists. A controller takes others for the first,
 *                   and makes an event of it (NVME_FDP_EVENT_PID).
 */
BRG_API
int brg_nvme_write_placed(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, const void *buf,
			  uint64_t lba, uint32_t nblocks, uint16_t placement, brg_nvme_cb cb,
			  void *arg);

#define BRG_NVME_DTYPE_PLACEMENT 2u /* directive type, Base 2.1, 8.1.8 */

/**
 * Make a write that was built, by brg_nvme_prepare() or by hand, one by a placement identifier; or
 * by another one. Nothing is checked: on a controller without flexible data placement the command
 * fails, or is an ordinary write.
 */
static inline void brg_nvme_place(struct brg_nvme_sqe *sqe, uint16_t placement)
{
	/* DTYPE and DSPEC (NVM Command Set 1.1, Write). */
	sqe->cdw12 = (sqe->cdw12 & ~(0xfu << 20)) | BRG_NVME_DTYPE_PLACEMENT << 20;
	sqe->cdw13 = (sqe->cdw13 & 0xffffu) | (uint32_t)placement << 16;
}

/**
 * The namespace's placement identifiers, and the reclaim unit handle of each with what is left of
 * its reclaim unit: a struct nvme_fdp_ruh_status (I/O Management Receive).
 * @param buf  memory as for brg_nvme_read(). Its nruhsd counts what there is, which may be more
 *             than @p len has room for.
 * @param len  bytes, a multiple of 4.
 */
BRG_API
int brg_nvme_ruh_status(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, void *buf,
			uint32_t len, brg_nvme_cb cb, void *arg);

#define BRG_NVME_MOST_PLACEMENTS 2048 /* of one command: a page of them */

/**
 * Have the reclaim unit handles of these placement identifiers go on with an empty reclaim unit
 * each (I/O Management Send).
 * @param placements  1 to BRG_NVME_MOST_PLACEMENTS of them, in memory as for brg_nvme_read(),
 *                    untouched until the callback.
 */
BRG_API
int brg_nvme_ruh_update(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
			const uint16_t *placements, unsigned int n, brg_nvme_cb cb, void *arg);

/*
 * Metadata and protection information (NVM Command Set 1.0, 5.2). What a namespace was formatted
 * with decides where it is: in a buffer of its own, or behind each block's data.
 */

/** A namespace's metadata. Filled by the library; the caller's to keep. */
struct brg_nvme_meta {
	uint16_t bytes;	 /* of each block */
	bool extended;	 /* behind each block's data; else in a buffer of its own */
	uint8_t pi_type; /* protection information of type 1 to 3; 0: none */
	bool pi_first;	 /* its 8 bytes are the first of the metadata; else the last */
};

/** As brg_nvme_ns_get(), for a namespace with or without metadata. -ENOTSUP: its protection
 *  information has another guard than 16 bits. */
BRG_API
int brg_nvme_ns_get_meta(struct brg_nvme_ctrl *ctrl, uint32_t nsid, struct brg_nvme_ns *ns,
			 struct brg_nvme_meta *meta);

/** What protection information says, and what the controller does about it. */
struct brg_nvme_protect {
	uint16_t app_tag, app_mask; /* those bits of the tag are checked */
	uint32_t ref_tag; /* of the first block; types 1 and 2 count on from there, and type 1
			     wants it to be the lower half of the block address */
	bool check_guard, check_app, check_ref;
	bool action; /* the controller inserts it on a write and, where it is all of the metadata,
			strips it on a read: then no metadata is transferred */
};

/**
 * Read blocks with their metadata.
 * @param buf   as for brg_nvme_read(), with room for the metadata where that is extended.
 * @param md    memory of the same kind for the metadata where that has a buffer of its own,
 *              dword-aligned; NULL where none is transferred.
 * @return as brg_nvme_read(). A check that fails is the status of the completion
 *         (NVME_SC_GUARD_CHECK, _APPTAG_CHECK, _REFTAG_CHECK).
 */
BRG_API
int brg_nvme_read_meta(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
		       const struct brg_nvme_meta *meta, const struct brg_nvme_protect *protect,
		       void *buf, void *md, uint64_t lba, uint32_t nblocks, brg_nvme_cb cb,
		       void *arg);

/** Write blocks with their metadata. As brg_nvme_read_meta(). */
BRG_API
int brg_nvme_write_meta(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
			const struct brg_nvme_meta *meta, const struct brg_nvme_protect *protect,
			const void *buf, const void *md, uint64_t lba, uint32_t nblocks,
			brg_nvme_cb cb, void *arg);

/**
 * Write protection information into the metadata of blocks in memory: a CRC of each block, and the
 * tags of @p protect. Any thread.
 */
BRG_API
void brg_nvme_protect_fill(const struct brg_nvme_ns *ns, const struct brg_nvme_meta *meta,
			   const struct brg_nvme_protect *protect, void *buf, void *md,
			   uint32_t nblocks);

/**
 * Check protection information in memory for what @p protect says is to be checked.
 * @return 0, or -EILSEQ with the block and the field. Any thread.
 */
BRG_API
int brg_nvme_protect_check(const struct brg_nvme_ns *ns, const struct brg_nvme_meta *meta,
			   const struct brg_nvme_protect *protect, const void *buf, const void *md,
			   uint32_t nblocks);

/*
 * Zoned namespaces (Zoned Namespace Command Set 1.1). Blocks of a zone are written in order, by
 * writes at its write pointer or by appends, which find it themselves.
 */

/** A zoned namespace's limits. Filled by the library; the caller's to keep. */
struct brg_nvme_zoned {
	uint64_t zone_blocks; /* from the start of one zone to that of the next */
	uint64_t zones;
	uint32_t max_open, max_active; /* zones; 0: no limit */
	uint32_t append_blocks;	       /* at most, of one append */
	struct nvme_zns_id_ns id;
};

/** Identify a zoned namespace. -ENOTSUP: it is not zoned, or the controller has no such command
 *  set. */
BRG_API
int brg_nvme_zoned_get(struct brg_nvme_ctrl *ctrl, const struct brg_nvme_ns *ns,
		       struct brg_nvme_zoned *zoned);

/**
 * Report zones from the one that @p lba is in: a struct nvme_zone_report, whose nr_zones counts
 * those in @p buf.
 * @param len  bytes, a multiple of 4.
 */
BRG_API
int brg_nvme_zone_report(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, uint64_t lba,
			 enum nvme_zns_report_options which, void *buf, uint32_t len,
			 brg_nvme_cb cb, void *arg);

/**
 * Open, close, finish, reset or take offline a zone. Reset: ITS DATA IS LOST.
 * @param lba  first block of the zone.
 * @param all  every zone for which it makes sense, instead.
 */
BRG_API
int brg_nvme_zone_manage(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, uint64_t lba,
			 enum nvme_zns_send_action action, bool all, brg_nvme_cb cb, void *arg);

/**
 * Write blocks at the write pointer of a zone. Where they have gone is brg_nvme_appended() of the
 * completion.
 * @param lba      first block of the zone.
 * @param nblocks  at most brg_nvme_zoned.append_blocks.
 */
BRG_API
int brg_nvme_zone_append(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
			 const struct brg_nvme_zoned *zoned, const void *buf, uint64_t lba,
			 uint32_t nblocks, brg_nvme_cb cb, void *arg);

/** The first block that an append has written. */
static inline uint64_t brg_nvme_appended(const struct brg_nvme_cqe *cqe)
{
	return (uint64_t)cqe->dw1 << 32 | cqe->dw0;
}

#include "brg_nvme_path.h"

#ifdef __cplusplus
}
#endif
#endif
