/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Controller states and admin commands against registers in plain memory. Controllers that never
 * answer are memory that nobody changes; those that do are a thread that follows CC with CSTS. A
 * completion that an admin command is to find is simply put into the ring beforehand.
 */

#include "unit.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ctrl.h"
#include "device.h"
#include "prp.h"

#define DEPTH 8

struct fake {
	struct brg_nvme_ctrl ctrl;
	struct brg_bar bar;
	struct brg_device dev; /* of whose config space nothing can be read, or it is a file */
	void *dma;
	uint32_t sq_doorbell, cq_doorbell;
	uint64_t regs[64];

	pthread_t thread;
	atomic_bool stop;
};

static struct fake *fake_new(void)
{
	struct fake *f = calloc(1, sizeof(*f));
	size_t bytes = RTE_ALIGN_CEIL(brg_queue_bytes(DEPTH), RTE_CACHE_LINE_SIZE);
	struct brg_queue_opts opts = {.depth = DEPTH, .cq_depth = DEPTH};
	size_t dma_bytes = brg_queue_dma_bytes(&opts);

	assert_non_null(f);
	f->bar.base = (volatile uint8_t *)f->regs;
	f->ctrl.bar = &f->bar;
	f->ctrl.dev = &f->dev;
	f->ctrl.bdf = "0000:00:1f.7";
	f->ctrl.admin_timeout_ms = 50;
	f->ctrl.admin = aligned_alloc(RTE_CACHE_LINE_SIZE, bytes);
	f->ctrl.admin_page = aligned_alloc(BRG_PRP_PAGE, BRG_PRP_PAGE);
	f->dma = aligned_alloc(BRG_PRP_PAGE, dma_bytes);
	assert_non_null(f->ctrl.admin);
	assert_non_null(f->ctrl.admin_page);
	assert_non_null(f->dma);
	memset(f->ctrl.admin, 0, bytes);
	memset(f->dma, 0, dma_bytes);
	memset(f->ctrl.admin_page, 0xff, BRG_PRP_PAGE); /* of some command before */
	opts.dma = f->dma;
	opts.sq_doorbell = &f->sq_doorbell;
	opts.cq_doorbell = &f->cq_doorbell;
	brg_queue_init(f->ctrl.admin, &opts);
	return f;
}

static void fake_free(struct fake *f)
{
	free(f->dma);
	free(f->ctrl.admin_page);
	free(f->ctrl.admin);
	free(f);
}

static uint32_t get(struct fake *f, uint32_t reg)
{
	return brg_bar_read32(&f->bar, reg);
}

static void set(struct fake *f, uint32_t reg, uint32_t value)
{
	brg_bar_write32(&f->bar, reg, value);
}

/* A controller that does what CC says, a moment later. */
static void *follow_cc(void *arg)
{
	struct fake *f = arg;

	while (!f->stop) {
		uint32_t cc = get(f, NVME_REG_CC), csts = NVME_SET(NVME_CC_EN(cc), CSTS_RDY);

		if (NVME_CC_SHN(cc))
			csts |= NVME_SET(NVME_CSTS_SHST_CMPLT, CSTS_SHST);
		brg_breathe();
		set(f, NVME_REG_CSTS, csts);
	}
	return NULL;
}

static void start(struct fake *f)
{
	assert_int_equal(pthread_create(&f->thread, NULL, follow_cc, f), 0);
}

static void stop(struct fake *f)
{
	f->stop = true;
	pthread_join(f->thread, NULL);
}

static void through_all_states(void **state)
{
	struct fake *f = fake_new();
	uint32_t cc;

	start(f);
	assert_int_equal(brg_ctrl_disable(&f->ctrl), 0);
	assert_int_equal(brg_ctrl_enable(&f->ctrl), 0);
	assert_int_equal(NVME_CSTS_RDY(get(f, NVME_REG_CSTS)), 1);
	cc = get(f, NVME_REG_CC);
	assert_int_equal(NVME_CC_EN(cc), 1);
	assert_int_equal(1 << NVME_CC_IOSQES(cc), 64);
	assert_int_equal(1 << NVME_CC_IOCQES(cc), 16);
	assert_int_equal(NVME_CC_MPS(cc), 0);
	assert_int_equal(get(f, NVME_REG_AQA), (DEPTH - 1) << 16 | (DEPTH - 1));
	assert_true(brg_bar_read64(&f->bar, NVME_REG_ASQ) == (uintptr_t)f->ctrl.admin->path.sq);
	assert_true(brg_bar_read64(&f->bar, NVME_REG_ACQ) == (uintptr_t)f->ctrl.admin->cq);
	assert_int_equal(get(f, NVME_REG_INTMS), UINT32_MAX);
	assert_int_equal(brg_ctrl_shutdown(&f->ctrl), 0);
	assert_int_equal(NVME_CC_SHN(get(f, NVME_REG_CC)), NVME_CC_SHN_NORMAL);
	assert_int_equal(brg_ctrl_disable(&f->ctrl), 0);
	cc = get(f, NVME_REG_CC);
	assert_int_equal(NVME_CC_EN(cc), 0);
	assert_int_equal(NVME_CC_SHN(cc), 0);
	stop(f);
	fake_free(f);
}

/* CAP.TO = 0 and = 2: half a second, a second. */
static void never_ready(void **state)
{
	struct fake *f = fake_new();
	uint64_t before = brg_now_us(), took;

	assert_fails(brg_ctrl_enable(&f->ctrl), ETIMEDOUT, "not ready after 500 ms");
	took = brg_now_us() - before;
	assert_true(took >= 500000);

	f->ctrl.cap = UINT64_C(2) << NVME_CAP_TO_SHIFT;
	assert_fails(brg_ctrl_enable(&f->ctrl), ETIMEDOUT, "not ready after 1000 ms");
	fake_free(f);
}

static void never_disabled(void **state)
{
	struct fake *f = fake_new();

	set(f, NVME_REG_CC, NVME_SET(1, CC_EN));
	set(f, NVME_REG_CSTS, NVME_SET(1, CSTS_RDY));
	assert_fails(brg_ctrl_disable(&f->ctrl), ETIMEDOUT, "not disabled after 500 ms");
	assert_int_equal(NVME_CC_EN(get(f, NVME_REG_CC)), 0);
	fake_free(f);
}

/* CRTO counts where CAP.TO is too narrow for the truth. */
static void crto_extends_the_wait(void **state)
{
	struct fake *f = fake_new();

	f->ctrl.cap = (uint64_t)NVME_CAP_CRWMS << NVME_CAP_CRMS_SHIFT;
	set(f, NVME_REG_CRTO, 0xffff0002); /* CRIMT is not what counts here */
	assert_fails(brg_ctrl_enable(&f->ctrl), ETIMEDOUT, "not ready after 1000 ms");
	fake_free(f);
}

static void fatal_status(void **state)
{
	struct fake *f = fake_new();

	set(f, NVME_REG_CSTS, NVME_SET(1, CSTS_CFS));
	assert_fails(brg_ctrl_enable(&f->ctrl), EIO, "fatal");
	assert_fails(brg_ctrl_shutdown(&f->ctrl), EIO, "fatal");
	assert_fails(brg_ctrl_check(&f->ctrl), EIO, "fatal");
	/* A failed controller can still be reset, whether or not it had become ready. */
	set(f, NVME_REG_CC, NVME_SET(1, CC_EN));
	assert_int_equal(brg_ctrl_disable(&f->ctrl), 0);
	assert_int_equal(NVME_CC_EN(get(f, NVME_REG_CC)), 0);
	/* The error does not end the wait for it to stop, which it does not in the time it has. */
	set(f, NVME_REG_CSTS, NVME_SET(1, CSTS_CFS) | NVME_SET(1, CSTS_RDY));
	assert_fails(brg_ctrl_disable(&f->ctrl), ETIMEDOUT, "not disabled");
	fake_free(f);
}

/* Where registers of a device that is gone read 0, config space does not. */
static void all_zeroes(void **state)
{
	struct fake *f = fake_new();
	uint8_t config[64];

	assert_int_equal(brg_ctrl_check(&f->ctrl), 0);
	memset(config, 0xff, sizeof(config));
	memset(config + PCI_CLASS_REVISION, 1, 4);
	f->dev.fd = memfd_create("config", MFD_CLOEXEC);
	f->dev.region[BRG_REGION_CONFIG].size = sizeof(config);
	assert_int_equal(pwrite(f->dev.fd, config, sizeof(config), 0), sizeof(config));
	assert_int_equal(brg_ctrl_check(&f->ctrl), 0);
	memset(config, 0xff, sizeof(config));
	assert_int_equal(pwrite(f->dev.fd, config, sizeof(config), 0), sizeof(config));
	assert_fails(brg_ctrl_check(&f->ctrl), ENODEV, "config space reads all-ones");
	assert_fails(brg_ctrl_shutdown(&f->ctrl), ENODEV, "config space");
	set(f, NVME_REG_CSTS, 1);
	assert_int_equal(brg_ctrl_check(&f->ctrl), 0);
	close(f->dev.fd);
	fake_free(f);
}

static void all_ones(void **state)
{
	struct fake *f = fake_new();
	uint64_t before = brg_now_us();

	memset(f->regs, 0xff, sizeof(f->regs));
	f->ctrl.cap = UINT64_MAX;
	f->ctrl.id.rtd3e = UINT32_MAX;
	assert_fails(brg_ctrl_check(&f->ctrl), ENODEV, "all-ones");
	assert_fails(brg_ctrl_disable(&f->ctrl), ENODEV, "all-ones");
	assert_fails(brg_ctrl_shutdown(&f->ctrl), ENODEV, "all-ones");
	assert_int_equal(get(f, NVME_REG_CC), UINT32_MAX); /* nothing was written */
	assert_fails(brg_ctrl_enable(&f->ctrl), ENODEV, "all-ones");
	assert_true(brg_now_us() - before < 5000000); /* CAP.TO alone would be 127 s */
	fake_free(f);
}

static void never_shut_down(void **state)
{
	struct fake *f = fake_new();

	set(f, NVME_REG_CC, NVME_SET(1, CC_EN));
	set(f, NVME_REG_CSTS, NVME_SET(1, CSTS_RDY));
	assert_fails(brg_ctrl_shutdown(&f->ctrl), ETIMEDOUT, "not shut down after 1000 ms");
	f->ctrl.id.rtd3e = 1200000;
	assert_fails(brg_ctrl_shutdown(&f->ctrl), ETIMEDOUT, "not shut down after 1200 ms");
	fake_free(f);
}

/* The next admin command will find this completion. */
static void answer(struct fake *f, uint16_t cid, uint16_t status, uint32_t dw0)
{
	*(struct brg_nvme_cqe *)(uintptr_t)f->ctrl.admin->path.next = (struct brg_nvme_cqe){
		.dw0 = dw0,
		.cid = cid,
		.status = status << 1 | f->ctrl.admin->path.phase,
	};
}

static void admin_completes(void **state)
{
	struct fake *f = fake_new();
	struct brg_nvme_sqe sqe = {.opcode = nvme_admin_get_features};
	struct brg_nvme_cqe cqe;
	char data[100] = "stale";
	unsigned int i;

	for (i = 0; i < 5 * DEPTH; i++) {
		answer(f, f->ctrl.admin->path.free->dw0 >> 16, 0, i);
		assert_int_equal(brg_nvme_admin(&f->ctrl, &sqe, data, sizeof(data), &cqe), 0);
		assert_int_equal(cqe.dw0, i);
		assert_string_equal(data, ""); /* nobody wrote to the page: it must read as zero */
		assert_int_equal(f->cq_doorbell, (i + 1) % DEPTH);
	}
	assert_true(f->ctrl.admin->path.sq[0].prp1 == (uintptr_t)f->ctrl.admin_page);
	fake_free(f);
}

static void admin_writes_data(void **state)
{
	struct fake *f = fake_new();
	struct brg_nvme_sqe sqe = {.opcode = nvme_admin_set_features};
	char data[100] = "data";

	answer(f, 0, 0, 0);
	assert_int_equal(brg_nvme_admin(&f->ctrl, &sqe, data, sizeof(data), NULL), 0);
	assert_string_equal(f->ctrl.admin_page, "data");
	assert_fails(brg_nvme_admin(&f->ctrl, &sqe, data, 4097, NULL), EINVAL, "4097");
	assert_fails(brg_nvme_admin(&f->ctrl, &sqe, NULL, 1, NULL), EINVAL, "1 bytes");
	fake_free(f);
}

static void admin_error_is_decoded(void **state)
{
	struct fake *f = fake_new();
	struct brg_nvme_sqe sqe = {.opcode = nvme_admin_identify};
	struct brg_nvme_cqe cqe;

	answer(f, 0, NVME_SC_DNR | NVME_SC_INVALID_FIELD, 0);
	assert_fails(brg_nvme_admin(&f->ctrl, &sqe, NULL, 0, &cqe), EINVAL,
		     "Invalid Field in Command (status 0x4002)");
	assert_int_equal(brg_nvme_status(&cqe), NVME_SC_DNR | NVME_SC_INVALID_FIELD);
	answer(f, 0, 0, 0);
	assert_int_equal(brg_nvme_admin(&f->ctrl, &sqe, NULL, 0, NULL), 0);
	fake_free(f);
}

static void admin_times_out(void **state)
{
	struct fake *f = fake_new();
	struct brg_nvme_sqe sqe = {.opcode = nvme_admin_identify};
	uint32_t rung;

	assert_fails(brg_nvme_admin(&f->ctrl, &sqe, NULL, 0, NULL), ETIMEDOUT,
		     "0x6 not completed after 50 ms");
	/* Too late an answer must not be taken for that of another command. */
	rung = f->sq_doorbell;
	answer(f, 0, 0, 0);
	assert_fails(brg_nvme_admin(&f->ctrl, &sqe, NULL, 0, NULL), EIO, "open it again");
	assert_int_equal(f->sq_doorbell, rung);
	fake_free(f);
}

static void admin_meets_a_dead_controller(void **state)
{
	struct brg_nvme_sqe sqe = {.opcode = nvme_admin_identify};
	struct fake *f = fake_new();

	f->ctrl.admin_timeout_ms = 60000;
	set(f, NVME_REG_CSTS, UINT32_MAX);
	assert_fails(brg_nvme_admin(&f->ctrl, &sqe, NULL, 0, NULL), ENODEV, "all-ones");
	fake_free(f);

	f = fake_new();
	f->ctrl.admin_timeout_ms = 60000;
	set(f, NVME_REG_CSTS, NVME_SET(1, CSTS_RDY) | NVME_SET(1, CSTS_CFS));
	assert_fails(brg_nvme_admin(&f->ctrl, &sqe, NULL, 0, NULL), EIO, "fatal");
	fake_free(f);

	f = fake_new();
	f->ctrl.admin_timeout_ms = 60000;
	answer(f, 5, 0, 0);
	assert_fails(brg_nvme_admin(&f->ctrl, &sqe, NULL, 0, NULL), EIO, "not in flight");
	fake_free(f);
}

static void fewer_queues_are_granted(void **state)
{
	struct fake *f = fake_new();

	answer(f, 0, 0, 3 << 16 | 1); /* 0's based: 4 completion, 2 submission queues */
	assert_int_equal(brg_admin_set_queues(&f->ctrl, 8), 2);
	assert_int_equal(f->ctrl.admin->path.sq[0].cdw11, 7 << 16 | 7);
	answer(f, 0, 0, 0xfffefffe);
	assert_int_equal(brg_admin_set_queues(&f->ctrl, 8), 8);
	answer(f, 0, NVME_SC_INTERNAL, 0);
	assert_fails(brg_admin_set_queues(&f->ctrl, 8), EIO, "Internal Error");
	fake_free(f);
}

static void status_text(void **state)
{
	unsigned int status;

	assert_string_equal(brg_nvme_status_str(0), "Successful Completion");
	assert_string_equal(brg_nvme_status_str(0x4002), "Invalid Field in Command");
	assert_string_equal(brg_nvme_status_str(0x80), "LBA Out of Range");
	assert_string_equal(brg_nvme_status_str(0x101), "Invalid Queue Identifier");
	assert_string_equal(brg_nvme_status_str(0x182), "Attempted Write to Read Only Range");
	assert_string_equal(brg_nvme_status_str(0x41bd), "Too Many Active Zones");
	assert_string_equal(brg_nvme_status_str(0x281), "Unrecovered Read Error");
	assert_string_equal(brg_nvme_status_str(0x371), "Command Aborted By Host");
	assert_string_equal(brg_nvme_status_str(0x7ff), "Vendor Specific Status");
	assert_string_equal(brg_nvme_status_str(0x07f), "Unknown Generic Status");
	for (status = 0; status < 0x8000; status++) {
		assert_non_null(brg_nvme_status_str(status));
		/* Only success is 0, whatever the retry and more bits say. */
		assert_int_equal(brg_nvme_status_errno(status) == 0, !(status & 0x7ff));
		assert_true(brg_nvme_status_errno(status) <= 0);
	}
	assert_int_equal(brg_nvme_status_errno(0x4002), -EINVAL);
	assert_int_equal(brg_nvme_status_errno(0x0b), -ENOENT);
	assert_int_equal(brg_nvme_status_errno(0x80), -ERANGE);
	assert_int_equal(brg_nvme_status_errno(NVME_SC_ABORT_QUEUE), -ECANCELED);
	assert_int_equal(brg_nvme_status_errno(0x281), -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(through_all_states),
		cmocka_unit_test(never_ready),
		cmocka_unit_test(never_disabled),
		cmocka_unit_test(crto_extends_the_wait),
		cmocka_unit_test(fatal_status),
		cmocka_unit_test(all_ones),
		cmocka_unit_test(all_zeroes),
		cmocka_unit_test(never_shut_down),
		cmocka_unit_test(admin_completes),
		cmocka_unit_test(admin_writes_data),
		cmocka_unit_test(admin_error_is_decoded),
		cmocka_unit_test(admin_times_out),
		cmocka_unit_test(admin_meets_a_dead_controller),
		cmocka_unit_test(fewer_queues_are_granted),
		cmocka_unit_test(status_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
