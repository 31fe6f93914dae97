/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef FAKE_CTRL_H
#define FAKE_CTRL_H

/*
 * A controller in memory that fails and lies: a thread follows CC, runs the admin and I/O queues
 * that it is given, and does with I/O commands what the test wants. Include after unit.h. EAL must
 * be up.
 */

#include <linux/pci_regs.h>
#include <pthread.h>
#include <rte_malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bar.h"
#include "ctrl.h"
#include "device.h"

#define QPAIRS	 2
#define DEPTH	 16
#define COMMANDS (DEPTH - 1)
#define REGS	 (2 * 4096)
#define NEVER	 0xffff /* the status of an admin command that is not completed */

/* What becomes of I/O commands. */
enum mood {
	OBEY,
	HOLD,	   /* they are never completed */
	WRONG_CID, /* the next completion is of a command that is not in flight, then OBEY */
	TWICE,	   /* the next command is completed twice, then OBEY */
};

struct ring {
	struct brg_nvme_sqe *sq;
	struct brg_nvme_cqe *cq;
	uint32_t sq_depth, cq_depth, head, tail;
	uint16_t phase;
};

struct fake {
	struct brg_nvme_ctrl ctrl;
	struct brg_mapping bar, own; /* the controller's mapping, and that of queue pairs */
	struct brg_region region;
	struct brg_area area;
	struct brg_device dev;
	uint8_t *regs;

	/* The controller's side. */
	pthread_t thread;
	atomic_bool stop, gone, never_ready, admin_is_silent, cannot_abort;
	atomic_int mood, grants;
	atomic_uint aborted; /* command dword 10 of the last abort */
	/* What the test says to an admin command: its status. NULL: success. */
	uint16_t (*admin)(struct fake *f, const struct brg_nvme_sqe *sqe);
	/* What becomes of I/O commands instead, where the test knows better. */
	void (*io)(struct fake *f, struct ring *r, const struct brg_nvme_sqe *sqe);
	bool enabled;
	struct ring rings[QPAIRS + 1];
};

static inline uint32_t get(struct fake *f, uint32_t reg)
{
	return *(volatile uint32_t *)(f->regs + reg);
}

static inline void set(struct fake *f, uint32_t reg, uint32_t value)
{
	*(volatile uint32_t *)(f->regs + reg) = value;
}

/* The controller */

static inline void post(struct ring *r, uint16_t cid, uint16_t status, uint32_t dw0)
{
	struct brg_nvme_cqe *cqe = &r->cq[r->tail];

	cqe->dw0 = dw0;
	cqe->cid = cid;
	cqe->sq_head = 0xbeef; /* nobody believes it */
	atomic_thread_fence(memory_order_release);
	*(volatile uint16_t *)&cqe->status = status << 1 | r->phase;
	if (++r->tail == r->cq_depth) {
		r->tail = 0;
		r->phase ^= 1;
	}
}

static inline void make_sq(struct fake *f, const struct brg_nvme_sqe *sqe)
{
	struct ring *r = &f->rings[sqe->cdw10 & 0xffff];

	r->sq = (void *)(uintptr_t)sqe->prp1;
	r->sq_depth = (sqe->cdw10 >> 16) + 1;
	r->head = 0;
	set(f, BRG_REG_DOORBELLS + 8 * (sqe->cdw10 & 0xffff), 0);
}

static inline void make_cq(struct fake *f, const struct brg_nvme_sqe *sqe)
{
	struct ring *r = &f->rings[sqe->cdw10 & 0xffff];

	r->cq = (void *)(uintptr_t)sqe->prp1;
	r->cq_depth = (sqe->cdw10 >> 16) + 1;
	r->tail = 0;
	r->phase = 1;
}

static inline void run_admin(struct fake *f, const struct brg_nvme_sqe *sqe)
{
	struct ring *admin = &f->rings[0];
	uint32_t dw0 = 0;
	uint16_t status;

	if (f->admin_is_silent)
		return;
	switch (sqe->opcode) {
	case nvme_admin_create_cq:
		make_cq(f, sqe);
		break;
	case nvme_admin_create_sq:
		make_sq(f, sqe);
		break;
	case nvme_admin_delete_sq:
		f->rings[sqe->cdw10 & 0xffff].sq = NULL;
		break;
	case nvme_admin_set_features:
		dw0 = (f->grants - 1) << 16 | (f->grants - 1);
		break;
	case nvme_admin_abort_cmd:
		f->aborted = sqe->cdw10;
		if (f->cannot_abort)
			dw0 = 1;
		else
			post(&f->rings[sqe->cdw10 & 0xffff], sqe->cdw10 >> 16, NVME_SC_ABORT_REQ,
			     0);
		break;
	}
	status = f->admin ? f->admin(f, sqe) : 0;
	if (status != NEVER)
		post(admin, sqe->cid, status, dw0);
}

static inline void run_io(struct fake *f, struct ring *r, const struct brg_nvme_sqe *sqe)
{
	int mood = f->mood;

	if (mood == HOLD)
		return;
	if (mood == WRONG_CID)
		post(r, sqe->cid ^ 0x40, 0, 0);
	if (mood == TWICE)
		post(r, sqe->cid, 0, 0);
	post(r, sqe->cid, 0, 0);
	if (mood != OBEY)
		f->mood = OBEY;
}

static inline void run_rings(struct fake *f)
{
	for (unsigned int qid = 0; qid <= QPAIRS; qid++) {
		struct ring *r = &f->rings[qid];

		while (r->sq && r->head != get(f, BRG_REG_DOORBELLS + 8 * qid)) {
			struct brg_nvme_sqe sqe;

			atomic_thread_fence(memory_order_acquire);
			sqe = r->sq[r->head];
			r->head = (r->head + 1) % r->sq_depth;
			if (!qid)
				run_admin(f, &sqe);
			else if (f->io)
				f->io(f, r, &sqe);
			else
				run_io(f, r, &sqe);
		}
	}
}

static inline void follow_cc(struct fake *f)
{
	uint32_t aqa = get(f, NVME_REG_AQA);
	bool enable = NVME_CC_EN(get(f, NVME_REG_CC));

	if (enable == f->enabled || (enable && f->never_ready))
		return;
	f->enabled = enable;
	memset(f->rings, 0, sizeof(f->rings));
	if (enable)
		f->rings[0] = (struct ring){
			.sq = *(void **)(f->regs + NVME_REG_ASQ),
			.cq = *(void **)(f->regs + NVME_REG_ACQ),
			.sq_depth = NVME_AQA_ASQS(aqa) + 1,
			.cq_depth = NVME_AQA_ACQS(aqa) + 1,
			.phase = 1,
		};
	else
		memset(f->regs + BRG_REG_DOORBELLS, 0, 4096);
	set(f, NVME_REG_CSTS, NVME_SET(enable, CSTS_RDY));
}

static inline void *control(void *arg)
{
	struct fake *f = arg;

	while (!f->stop) {
		if (f->gone) {
			memset(f->regs, 0xff, BRG_REG_DOORBELLS);
			f->enabled = false;
		} else if (get(f, NVME_REG_CSTS) == UINT32_MAX) {
			memset(f->regs, 0, REGS); /* back, as after power-on */
		} else {
			follow_cc(f);
			run_rings(f);
		}
		usleep(20);
	}
	return NULL;
}

static inline void come_back(struct fake *f)
{
	f->gone = false;
	while (get(f, NVME_REG_CSTS) == UINT32_MAX)
		usleep(100);
}

/* The host */

static struct brg_queue_opts queue_opts = {.depth = DEPTH, .cq_depth = DEPTH};

static inline void map(struct fake *f, struct brg_mapping *m)
{
	m->bar = (struct brg_bar){.base = f->regs, .length = REGS, .size = REGS, .dev = &f->dev};
	m->region = &f->region;
}

static inline struct fake *fake_new(void)
{
	struct fake *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->regs = aligned_alloc(4096, REGS);
	assert_non_null(f->regs);
	memset(f->regs, 0, REGS);
	f->area = (struct brg_area){0, REGS};
	f->region = (struct brg_region){.size = REGS, .nareas = 1, .areas = &f->area};
	map(f, &f->bar);
	map(f, &f->own);

	f->dev.fd = memfd_create("config", 0);
	assert_int_equal(ftruncate(f->dev.fd, 4096), 0);
	f->dev.region[BRG_REGION_CONFIG].size = 4096;
	f->dev.info.numa_node = -1;
	f->grants = QPAIRS;

	f->dev.request_fd = -1; /* nobody asks */
	f->ctrl.dev = &f->dev;
	f->ctrl.bar = &f->bar.bar;
	f->ctrl.bdf = "0000:00:1f.7";
	f->ctrl.cap = 255; /* MQES */
	f->ctrl.max_transfer = 4096;
	f->ctrl.admin_timeout_ms = 200;
	f->ctrl.io_timeout_ms = 40;
	f->ctrl.granted = QPAIRS;
	f->ctrl.qpairs = calloc(QPAIRS + 1, sizeof(*f->ctrl.qpairs));
	assert_non_null(f->ctrl.qpairs);
	assert_int_equal(brg_qpair_alloc(&f->ctrl, f->ctrl.bar, 0, &queue_opts, &f->ctrl.admin), 0);
	assert_int_equal(pthread_create(&f->thread, NULL, control, f), 0);
	assert_int_equal(brg_ctrl_enable(&f->ctrl), 0);
	return f;
}

static inline void fake_free(struct fake *f)
{
	f->stop = true;
	pthread_join(f->thread, NULL);
	for (unsigned int qid = 1; qid <= QPAIRS; qid++)
		brg_qpair_release(f->ctrl.qpairs[qid]);
	brg_qpair_release(f->ctrl.admin);
	free(f->ctrl.qpairs);
	close(f->dev.fd);
	free(f->regs);
	free(f);
}

static inline struct brg_nvme_qpair *qpair(struct fake *f)
{
	const struct brg_nvme_qpair_opts opts = {.depth = DEPTH, .bar = &f->own.bar};
	struct brg_nvme_qpair *qp;

	assert_int_equal(brg_nvme_qpair_create(&f->ctrl, &opts, &qp), 0);
	return qp;
}

static inline bool is_bus_master(struct fake *f)
{
	uint16_t command;

	assert_int_equal(brg_device_config_read(&f->dev, PCI_COMMAND, &command, sizeof(command)),
			 0);
	return command & PCI_COMMAND_MASTER;
}

static const struct brg_nvme_ns ns = {
	.nsid = 1, .block_size = 512, .blocks = 1000, .simple_end = BRG_SIMPLE_END(512)};

/* How the commands of a test ended, by brg_nvme_status_errno(). */
struct calls {
	unsigned int submitted, ok, again, gone, aborted, other;
};

static inline void on_done(void *arg, const struct brg_nvme_cqe *cqe)
{
	struct calls *c = arg;

	switch (brg_nvme_status_errno(brg_nvme_status(cqe))) {
	case 0:
		c->ok++;
		break;
	case -EAGAIN:
		c->again++;
		break;
	case -ENODEV:
		c->gone++;
		break;
	case -ECANCELED:
		c->aborted++;
		break;
	default:
		c->other++;
	}
}

static inline unsigned int ended(const struct calls *c)
{
	return c->ok + c->again + c->gone + c->aborted + c->other;
}

static inline void submit(struct brg_nvme_qpair *qp, struct calls *c, unsigned int count)
{
	while (count-- > 0) {
		assert_int_equal(brg_nvme_flush(qp, &ns, on_done, c), 0);
		c->submitted++;
	}
}

/* Until nothing is in flight; the last error of a poll, or 0. */
static inline int drain(struct brg_nvme_qpair *qp)
{
	uint64_t deadline = brg_now_us() + 20000000;
	int rc = 0;

	while (rc >= 0 && brg_nvme_outstanding(qp)) {
		rc = brg_nvme_poll(qp, 0);
		assert_true(brg_now_us() < deadline);
	}
	return rc < 0 ? rc : 0;
}

static inline void assert_works(struct brg_nvme_qpair *qp)
{
	struct calls c = {0};

	for (unsigned int i = 0; i < 3 * DEPTH; i++) {
		submit(qp, &c, 1 + i % COMMANDS);
		assert_int_equal(drain(qp), 0);
		assert_int_equal(c.ok, c.submitted);
	}
}

static inline struct brg_nvme_stats stats_of(const struct brg_nvme_qpair *qp)
{
	struct brg_nvme_stats stats;

	brg_nvme_stats_get(qp, &stats);
	return stats;
}

static inline int start_small_eal(void **state)
{
	const struct brg_env_opts opts = {.hugepages = BRG_ENV_HUGEPAGES_OFF, .memory_mib = 64};

	return brg_env_init(&opts);
}

#endif
