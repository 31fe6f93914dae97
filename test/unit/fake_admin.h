/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef FAKE_ADMIN_H
#define FAKE_ADMIN_H

/*
 * A controller's admin queue that answers: a thread takes what is submitted, asks the test's device
 * what to say, and completes it. Include after unit.h. EAL must be up.
 */

#include <pthread.h>
#include <rte_malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl.h"
#include "device.h"
#include "prp.h"

#define FAKE_DEPTH 16
#define NEVER	   0xffff /* the status of a command that is not completed */
#define MOST_SEEN  64

struct fake_admin {
	struct brg_nvme_ctrl ctrl;
	struct brg_bar bar;
	struct brg_device dev;
	void *dma;
	uint32_t sq_doorbell, cq_doorbell;
	uint64_t regs[64];

	/* The device's side. */
	uint16_t (*device)(struct fake_admin *f, const struct brg_nvme_sqe *sqe, uint32_t *dw0);
	struct brg_nvme_sqe seen[MOST_SEEN];
	atomic_uint nseen;
	uint32_t sq_head, cq_tail;
	uint16_t cq_phase;
	pthread_t thread;
	atomic_bool stop;
};

static inline void fake_complete(struct fake_admin *f, uint16_t cid, uint16_t status, uint32_t dw0)
{
	struct brg_nvme_cqe *cqe = (void *)(uintptr_t)&f->ctrl.admin->cq[f->cq_tail];

	cqe->dw0 = dw0;
	cqe->cid = cid;
	atomic_thread_fence(memory_order_release);
	*(volatile uint16_t *)&cqe->status = status << 1 | f->cq_phase;
	if (++f->cq_tail == FAKE_DEPTH) {
		f->cq_tail = 0;
		f->cq_phase ^= 1;
	}
}

static inline void *fake_work(void *arg)
{
	struct fake_admin *f = arg;

	while (!f->stop) {
		uint32_t tail = *(volatile uint32_t *)&f->sq_doorbell, dw0 = 0;
		struct brg_nvme_sqe sqe;
		uint16_t status;

		if (tail == f->sq_head) {
			brg_breathe();
			continue;
		}
		atomic_thread_fence(memory_order_acquire);
		sqe = f->ctrl.admin->path.sq[f->sq_head];
		f->sq_head = (f->sq_head + 1) % FAKE_DEPTH;
		if (f->nseen < MOST_SEEN)
			f->seen[f->nseen] = sqe;
		f->nseen++;
		status = f->device(f, &sqe, &dw0);
		if (status != NEVER)
			fake_complete(f, sqe.cid, status, dw0);
	}
	return NULL;
}

/** Where byte @p at of a command's data is, by its PRPs; IOVA = VA. */
static inline uint8_t *fake_data(const struct brg_nvme_sqe *sqe, size_t len, size_t at)
{
	size_t page = at / BRG_PRP_PAGE;

	assert_true(sqe->prp1 && sqe->prp1 % BRG_PRP_PAGE == 0);
	if (!page)
		return (uint8_t *)(uintptr_t)sqe->prp1 + at;
	if (len <= 2 * BRG_PRP_PAGE)
		return (uint8_t *)(uintptr_t)sqe->prp2 + at % BRG_PRP_PAGE;
	return (uint8_t *)(uintptr_t)((uint64_t *)(uintptr_t)sqe->prp2)[page - 1] +
	       at % BRG_PRP_PAGE;
}

static inline struct fake_admin *
fake_admin_new(uint16_t (*device)(struct fake_admin *, const struct brg_nvme_sqe *, uint32_t *))
{
	struct fake_admin *f = calloc(1, sizeof(*f));
	size_t bytes = RTE_ALIGN_CEIL(brg_queue_bytes(FAKE_DEPTH), RTE_CACHE_LINE_SIZE);
	struct brg_queue_opts opts = {.depth = FAKE_DEPTH, .cq_depth = FAKE_DEPTH};
	size_t dma_bytes = brg_queue_dma_bytes(&opts);

	assert_non_null(f);
	f->device = device;
	f->cq_phase = 1;
	f->bar.base = (volatile uint8_t *)f->regs;
	f->dev.info.numa_node = -1;
	f->ctrl.bar = &f->bar;
	f->ctrl.dev = &f->dev;
	f->ctrl.bdf = "0000:00:1f.7";
	f->ctrl.admin_timeout_ms = 5000;
	f->ctrl.max_transfer = 32 * BRG_PRP_PAGE;
	f->ctrl.admin = aligned_alloc(RTE_CACHE_LINE_SIZE, bytes);
	f->ctrl.admin_page = brg_ctrl_alloc(&f->ctrl, BRG_PRP_PAGE, BRG_PRP_PAGE);
	f->dma = aligned_alloc(BRG_PRP_PAGE, dma_bytes);
	assert_non_null(f->ctrl.admin);
	assert_non_null(f->ctrl.admin_page);
	assert_non_null(f->dma);
	memset(f->ctrl.admin, 0, bytes);
	memset(f->dma, 0, dma_bytes);
	opts.dma = f->dma;
	opts.sq_doorbell = &f->sq_doorbell;
	opts.cq_doorbell = &f->cq_doorbell;
	brg_queue_init(f->ctrl.admin, &opts);
	assert_int_equal(pthread_create(&f->thread, NULL, fake_work, f), 0);
	return f;
}

static inline void fake_admin_free(struct fake_admin *f)
{
	f->stop = true;
	pthread_join(f->thread, NULL);
	rte_free(f->ctrl.admin_page);
	free(f->dma);
	free(f->ctrl.admin);
	free(f);
}

#endif
