/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BRG_CTRL_H
#define BRG_CTRL_H

/* The controller, shared by the files of this layer. */

#include <stdatomic.h>
#include <stdbool.h>

#include "queue.h"

/* Doorbells: NVMe over PCIe Transport 1.0, 3.1.2. */
#define BRG_REG_DOORBELLS 0x1000u

/* Asynchronous Event Requests in flight at most: QEMU's default limit, and plenty. */
#define BRG_MOST_EVENTS 4u

struct brg_events {
	brg_nvme_event_cb cb; /* NULL: nobody listens */
	void *arg;
	uint32_t mask;
	bool is_on; /* the controller knows the mask; else it is to be told, as after a reset */
	unsigned int most;	/* requests that the controller takes */
	unsigned int requested; /* of them, that it has */
	unsigned int npending;
	struct brg_nvme_event pending[BRG_MOST_EVENTS]; /* arrived, not yet told */
};

struct brg_nvme_ctrl {
	pthread_mutex_t lock;	    /* whoever sends admin commands has it */
	pthread_mutex_t list_lock;  /* within it: of qpairs, for those without the other */
	atomic_bool resetting;	    /* pollers are to step aside */
	struct brg_nvme_ctrl *next; /* of those that telemetry tells of */

	uint32_t io_timeout_ms;
	brg_nvme_timeout_cb on_timeout;
	void *timeout_arg;

	struct brg_device *dev;
	struct brg_bar *bar;
	const char *bdf;
	uint64_t cap;
	struct nvme_id_ctrl id;
	size_t max_transfer;

	/* ctrl.c and admin.c */
	struct brg_nvme_qpair *admin;
	uint8_t *shadows; /* a page of shadow doorbells, one of event indices; NULL: none */
	void *admin_page; /* data of the one admin command in flight */
	uint32_t admin_timeout_ms;
	bool admin_done;
	struct brg_nvme_cqe admin_cqe;
	bool failed; /* an admin command never completed: nobody knows what the device still uses */

	struct brg_events events; /* event.c */
	struct brg_cmb *cmb;	  /* cmb.c; NULL: not enabled */
	struct brg_pmr *pmr;	  /* pmr.c; NULL: not enabled */
	struct brg_hmb *hmb;	  /* hmb.c; NULL: none of its memory is the controller's */

	/* interrupt.c */
	unsigned int vectors; /* connected; 0: none */
	int *vector_fds;

	/* qpair.c: the I/O queue pairs by identifier, 1 to granted; element 0 is unused */
	unsigned int granted;
	struct brg_nvme_qpair **qpairs;
};

/* lock.c */

/**
 * Take the controller's lock. -EAGAIN: a reset waits for the calling thread to poll, which may be
 * in the middle of a poll and cannot step aside.
 */
int brg_ctrl_lock(struct brg_nvme_ctrl *ctrl);

/** The same by a thread that is in no poll: it steps aside. */
void brg_ctrl_lock_parked(struct brg_nvme_ctrl *ctrl);

/** Put a queue pair on the controller's list, or NULL. The caller has the lock. */
void brg_ctrl_list(struct brg_nvme_ctrl *ctrl, uint16_t qid, struct brg_nvme_qpair *qp);

/** Microseconds of a clock that only goes forward. */
uint64_t brg_now_us(void);

/** Let the controller work for a moment. */
void brg_breathe(void);

/** -ENODEV, and the sentence for registers that read all-ones. */
int brg_ctrl_gone(const struct brg_nvme_ctrl *ctrl);

/** -ENODEV when the registers read all-ones, -EIO when CSTS.CFS is set, else 0. For who has the
 *  lock, and with it the controller's mapping. */
int brg_ctrl_check(const struct brg_nvme_ctrl *ctrl);

/** The same by a mapping of the calling thread's. */
int brg_ctrl_check_by(const struct brg_nvme_ctrl *ctrl, const struct brg_bar *bar);

/** CC.EN = 0, and wait for CSTS.RDY = 0. */
int brg_ctrl_disable(struct brg_nvme_ctrl *ctrl);

/** Set up the admin queues in the disabled controller, CC.EN = 1, and wait for CSTS.RDY. */
int brg_ctrl_enable(struct brg_nvme_ctrl *ctrl);

/** CC.SHN = normal, and wait for CSTS.SHST. */
int brg_ctrl_shutdown(struct brg_nvme_ctrl *ctrl);

/** -EIO, and the sentence for a controller whose admin queue has failed. */
int brg_admin_failed(const struct brg_nvme_ctrl *ctrl);

/**
 * Run an admin command whose PRPs are set, and wait for it. The caller has the controller's lock,
 * or nobody else has the controller. Returns as brg_nvme_admin().
 */
int brg_admin_run(struct brg_nvme_ctrl *ctrl, const struct brg_nvme_sqe *sqe,
		  struct brg_nvme_cqe *cqe);

/** As brg_nvme_admin(), of a command that may take this long, if that is longer than usual. */
int brg_admin_patiently(struct brg_nvme_ctrl *ctrl, struct brg_nvme_sqe *sqe, void *data,
			size_t len, uint32_t timeout_ms, struct brg_nvme_cqe *cqe);

/** -ENOTSUP, and the sentence with the field of Identify Controller that says so. */
int brg_admin_unsupported(const struct brg_nvme_ctrl *ctrl, const char *what, const char *field,
			  uint32_t value);

/** Identify (5.17): a page of data. */
int brg_admin_identify(struct brg_nvme_ctrl *ctrl, enum nvme_identify_cns cns, uint32_t nsid,
		       void *page);

/** Ask for I/O queue pairs (5.27, feature 07h); returns how many were granted. */
int brg_admin_set_queues(struct brg_nvme_ctrl *ctrl, unsigned int wanted);

/** Zeroed memory on the device's NUMA node if EAL has some there; NULL when it has none at all. */
void *brg_ctrl_alloc(const struct brg_nvme_ctrl *ctrl, size_t bytes, unsigned int align);

/**
 * Allocate a queue pair, the admin queue (0) too, whose doorbells are rung through @p bar. Of
 * @p opts depths, max_transfer and manual are looked at.
 */
int brg_qpair_alloc(struct brg_nvme_ctrl *ctrl, const struct brg_bar *bar, uint16_t qid,
		    const struct brg_queue_opts *opts, struct brg_nvme_qpair **qp);

/** Create both queues of a pair that is allocated. The caller has the lock. */
int brg_qpair_create_rings(struct brg_nvme_qpair *qp);

/** Delete them if it has any. The caller has the lock. */
int brg_qpair_delete_rings(struct brg_nvme_qpair *qp);

/** Give back those that were freed while the controller may have used their memory, now that it
 *  does not, and call back what they had in flight. The caller does not have the lock. */
void brg_qpair_free_orphans(struct brg_nvme_ctrl *ctrl);

/** Zero its rings, and its shadow doorbells. */
void brg_qpair_clear(struct brg_nvme_qpair *qp);

/** By the poller of a queue pair, instead of what it found. Returns as brg_nvme_poll(). */
int brg_reset_by_poller(struct brg_nvme_qpair *qp);

/** Connect as many interrupt vectors as there are queues, or as the device has. */
int brg_ctrl_connect_vectors(struct brg_nvme_ctrl *ctrl);
void brg_ctrl_disconnect_vectors(struct brg_nvme_ctrl *ctrl);

/** Wake a queue pair's poller if it sleeps. */
void brg_interrupt_wake(const struct brg_nvme_qpair *qp);

/** Tell of an open controller, until it is removed. Any thread. */
void brg_telemetry_add(struct brg_nvme_ctrl *ctrl);
void brg_telemetry_remove(struct brg_nvme_ctrl *ctrl);

/** After a reset: listen to events as before, now or with the next poll for them. The caller has
 * the lock. */
void brg_events_again(struct brg_nvme_ctrl *ctrl);

/** After a reset: give the controller its host memory buffer back, if it had one. The caller has
 *  the lock. */
int brg_hmb_again(struct brg_nvme_ctrl *ctrl);

/** Give its memory back: the controller must not use it any more. */
void brg_hmb_release(struct brg_nvme_ctrl *ctrl);

/** Allocate shadow doorbells if the controller takes them (5.8). */
int brg_ctrl_alloc_shadows(struct brg_nvme_ctrl *ctrl);

/** Tell the controller of its shadow doorbells, if any, before I/O queues are created. */
int brg_ctrl_set_shadows(struct brg_nvme_ctrl *ctrl);

/** Give its memory back: the controller must not use it any more. NULL is allowed. */
void brg_qpair_release(struct brg_nvme_qpair *qp);

#endif
