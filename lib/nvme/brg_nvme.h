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
#include <stddef.h>
#include <stdint.h>

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

/** How to open a controller. A zeroed structure asks for the defaults. */
struct brg_nvme_opts {
	struct brg_bar_opts bar;   /* how the controller maps BAR 0; of lcores, 0 is one at a time:
				      queue pairs take a brg_bar_share() each */
	uint16_t io_queues;	   /* I/O queue pairs to ask for; 0: one per lcore of EAL */
	uint32_t admin_timeout_ms; /* for one admin command; 0: 10,000 */
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
	struct nvme_id_ns id;
};

/**
 * Identify a namespace (CNS 00h). -ENOENT: not active; -ENOTSUP: its format carries metadata, which
 * read and write here do not handle. Serialised by the caller with other admin calls.
 */
BRG_API
int brg_nvme_ns_get(struct brg_nvme_ctrl *ctrl, uint32_t nsid, struct brg_nvme_ns *ns);

/**
 * Identifiers of the active namespaces (CNS 02h), ascending. Serialised as brg_nvme_ns_get().
 * @param max  elements @p nsids has room for.
 * @return how many were written, or a negative errno.
 */
BRG_API
int brg_nvme_ns_list(struct brg_nvme_ctrl *ctrl, uint32_t *nsids, unsigned int max);

/**
 * Run one admin command and wait for it. Not for commands that complete only when something
 * happens, as Asynchronous Event Request: after a time-out every later admin command fails with
 * -EIO until the controller is closed and opened again. Serialised by the caller.
 *
 * @param sqe   the command; cid and PRPs are filled in here.
 * @param data  a buffer in any memory (it is copied through DMA memory), or NULL.
 * @param len   its bytes, at most 4096. Direction follows bits 1:0 of the opcode (3.3.3.1).
 * @param cqe   set to the completion if there was one; may be NULL.
 * @return 0, -ETIMEDOUT, -ENODEV (registers read all-ones), -EIO (CSTS.CFS set), -EINVAL (len), or
 *         what brg_nvme_status_errno() makes of the status.
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
};

/**
 * Create an I/O queue pair, its memory on the device's NUMA node.
 *
 * The queue pair belongs to the lcore that uses it: submit and poll are for one thread at a time.
 * Creating and freeing send admin commands: serialise them with the other admin calls.
 *
 * @return 0; -ENOSPC (no queue left: the sentence has how many were granted), -ENOMEM, -EINVAL,
 *         and errors of brg_nvme_admin().
 */
BRG_API
int brg_nvme_qpair_create(struct brg_nvme_ctrl *ctrl, const struct brg_nvme_qpair_opts *opts,
			  struct brg_nvme_qpair **qp);

/**
 * Delete both queues and free the pair. Callbacks of commands still outstanding are called with
 * "Command Aborted due to SQ Deletion". NULL is allowed.
 */
BRG_API
void brg_nvme_qpair_free(struct brg_nvme_qpair *qp);

/**
 * Called by brg_nvme_poll() for each finished command, on the polling lcore. It may submit to the
 * same queue pair, but not poll or free it. @p cqe is valid during the call only.
 */
typedef void (*brg_nvme_cb)(void *arg, const struct brg_nvme_cqe *cqe);

/**
 * Read blocks into @p buf: memory EAL gave out or brg_dma_register() was told of, dword-aligned,
 * untouched until the callback. One doorbell write per call.
 *
 * @param lba      first logical block.
 * @param nblocks  how many: at least 1, at most brg_nvme_max_transfer() bytes of them.
 * @param cb       not NULL.
 * @return 0 when submitted: the callback comes once. -EAGAIN: queue full, poll first (part of
 *         normal work: brg_errmsg() keeps what it had). -EINVAL: buffer not dword-aligned, nothing
 *         or too much to transfer, or beyond the end of the namespace. -EIO: the queue pair takes
 *         no more, see brg_nvme_poll(). On failure the callback does not come.
 */
BRG_API
int brg_nvme_read(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, void *buf, uint64_t lba,
		  uint32_t nblocks, brg_nvme_cb cb, void *arg);

/** Write blocks from @p buf. As brg_nvme_read(). */
BRG_API
int brg_nvme_write(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, const void *buf,
		   uint64_t lba, uint32_t nblocks, brg_nvme_cb cb, void *arg);

/** Commit written data to non-volatile media (NVM command set, Flush). Returns as brg_nvme_read().
 */
BRG_API
int brg_nvme_flush(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, brg_nvme_cb cb,
		   void *arg);

/**
 * Call back what has finished. One doorbell write per call that finds something.
 *
 * @param max  most completions to take; 0: all there are.
 * @return how many were taken, or -EIO: the device completed a command that was not outstanding;
 *         the queue pair is of no more use but to be freed.
 */
BRG_API
int brg_nvme_poll(struct brg_nvme_qpair *qp, unsigned int max);

/** Commands submitted and not yet called back. */
BRG_API
unsigned int brg_nvme_outstanding(const struct brg_nvme_qpair *qp);

#ifdef __cplusplus
}
#endif
#endif
