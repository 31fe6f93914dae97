/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Host Memory Buffers: what a controller is told of which memory, when it is told, and that the
 * memory is EAL's again afterwards, and no earlier.
 */

#include "unit.h"

#include <errno.h>

#include "fake_admin.h"
#include "fake_ctrl.h"

#define PAGE 4096u
#define MIB  (1024 * 1024u)

struct entry {
	uint64_t address;
	uint32_t pages, reserved;
};

/* What the device was told last, and what it says to that. */
static struct brg_nvme_sqe told;
static struct entry list[256];
static atomic_uint tellings;
static uint16_t answer;
static size_t at_telling; /* bytes that EAL had given out then */

static size_t in_use(void)
{
	struct rte_malloc_socket_stats stats;

	assert_int_equal(rte_malloc_get_socket_stats(0, &stats), 0);
	return stats.heap_allocsz_bytes;
}

static uint64_t list_address(const struct brg_nvme_sqe *sqe)
{
	return (uint64_t)sqe->cdw14 << 32 | sqe->cdw13;
}

static void hear(const struct brg_nvme_sqe *sqe)
{
	told = *sqe;
	at_telling = in_use();
	if (sqe->cdw15 <= 256)
		memcpy(list, (void *)(uintptr_t)list_address(sqe), sqe->cdw15 * sizeof(*list));
	tellings++;
}

static uint16_t device(struct fake_admin *f, const struct brg_nvme_sqe *sqe, uint32_t *dw0)
{
	hear(sqe);
	return answer;
}

/* Prefers 8 MiB, takes 1. */
static struct fake_admin *new_device(void)
{
	struct fake_admin *f = fake_admin_new(device);

	answer = 0;
	tellings = 0;
	f->ctrl.id.hmpre = 8 * MIB / PAGE;
	f->ctrl.id.hmmin = MIB / PAGE;
	return f;
}

static void free_device(struct fake_admin *f)
{
	brg_hmb_release(&f->ctrl);
	fake_admin_free(f);
}

/* All of it is there, page-aligned, apart, and no piece smaller than @p least bytes. */
static void check_list(size_t bytes, unsigned int most, size_t least)
{
	uint64_t sum = 0;

	assert_int_equal(told.opcode, nvme_admin_set_features);
	assert_int_equal(told.cdw10, NVME_FEAT_FID_HOST_MEM_BUF);
	assert_int_equal(told.cdw12, bytes / PAGE);
	assert_int_equal(told.cdw13 % 16, 0);
	assert_in_range(told.cdw15, 1, most);
	for (unsigned int i = 0; i < told.cdw15; i++) {
		assert_true(list[i].address && list[i].address % PAGE == 0);
		assert_true(list[i].pages * (uint64_t)PAGE >= least);
		assert_int_equal(list[i].reserved, 0);
		sum += list[i].pages;
		for (unsigned int j = 0; j < i; j++)
			assert_true(list[j].address + list[j].pages * PAGE <= list[i].address ||
				    list[i].address + list[i].pages * PAGE <= list[j].address);
		/* It is memory: the sanitizers would say if it were not. */
		memset((void *)(uintptr_t)list[i].address, 0x5a, list[i].pages * (size_t)PAGE);
	}
	assert_int_equal(sum, told.cdw12);
}

static void given_and_taken_back(void **state)
{
	struct fake_admin *f = new_device();
	size_t before = in_use();

	assert_fails(brg_nvme_hmb_disable(&f->ctrl), ENXIO, "not enabled");
	assert_int_equal(brg_nvme_hmb_enable(&f->ctrl, 0), 0);
	assert_int_equal(told.cdw11, 1);
	check_list(8 * MIB, 1, 8 * MIB);
	assert_true(in_use() >= before + 8 * MIB);
	assert_fails(brg_nvme_hmb_enable(&f->ctrl, 0), EALREADY, "of 8192 KiB");
	assert_int_equal(brg_nvme_hmb_disable(&f->ctrl), 0);
	assert_int_equal(told.cdw11, 0);
	assert_true(at_telling >= before + 8 * MIB); /* told first */
	assert_int_equal(in_use(), before);
	assert_fails(brg_nvme_hmb_disable(&f->ctrl), ENXIO, "not enabled");
	assert_int_equal(tellings, 2);
	assert_int_equal(brg_nvme_hmb_enable(&f->ctrl, MIB + 1), 0);
	check_list(MIB + PAGE, 1, MIB + PAGE);
	free_device(f);
	assert_true(in_use() <= before);
}

static void limits(void **state)
{
	struct fake_admin *f = new_device();

	assert_fails(brg_nvme_hmb_enable(&f->ctrl, MIB - PAGE), EINVAL,
		     "1020 KiB is less than the 1024");
	assert_fails(brg_nvme_hmb_enable(&f->ctrl, SIZE_MAX), EINVAL, "cannot have");
	f->ctrl.id.hmminds = 3 * MIB / PAGE; /* rounded up to three of them */
	assert_int_equal(brg_nvme_hmb_enable(&f->ctrl, 0), 0);
	check_list(9 * MIB, 3, 3 * MIB);
	assert_int_equal(brg_nvme_hmb_disable(&f->ctrl), 0);
	f->ctrl.id.hmpre = UINT32_MAX;
	assert_fails(brg_nvme_hmb_enable(&f->ctrl, 0), EINVAL, "cannot have");
	f->ctrl.id.hmpre = 0;
	assert_fails(brg_nvme_hmb_enable(&f->ctrl, 0), ENOTSUP, "host memory buffers (HMPRE 0)");
	assert_fails(brg_nvme_hmb_enable(&f->ctrl, 8 * MIB), ENOTSUP, "HMPRE");
	assert_int_equal(tellings, 2);
	free_device(f);
}

/* EAL with holes of somewhat more than a megabyte, and nothing larger. */
static void in_pieces(void **state)
{
	struct fake_admin *f = new_device();
	void *blocks[64] = {NULL};
	unsigned int n = 0;
	size_t before;

	while (n < 64 && (blocks[n] = rte_malloc(NULL, MIB + PAGE, PAGE)))
		n++;
	assert_in_range(n, 20, 63);
	for (unsigned int i = 0; i < n; i += 2) {
		rte_free(blocks[i]);
		blocks[i] = NULL;
	}
	before = in_use();
	assert_int_equal(brg_nvme_hmb_enable(&f->ctrl, 0), 0);
	assert_in_range(told.cdw15, 5, 256);
	check_list(8 * MIB, 256, PAGE);
	assert_int_equal(brg_nvme_hmb_disable(&f->ctrl), 0);
	assert_int_equal(in_use(), before);
	f->ctrl.id.hmmaxd = 3;
	assert_fails(brg_nvme_hmb_enable(&f->ctrl, 0), ENOMEM, "in up to 3 pieces");
	assert_int_equal(in_use(), before);
	f->ctrl.id.hmmaxd = 0;
	f->ctrl.id.hmminds = 4 * MIB / PAGE;
	assert_fails(brg_nvme_hmb_enable(&f->ctrl, 0), ENOMEM, "of at least 4096 KiB");
	assert_int_equal(in_use(), before);
	assert_int_equal(tellings, 2);
	for (unsigned int i = 0; i < n; i++)
		rte_free(blocks[i]);
	free_device(f);
}

/* Refused: nothing stays. Not answered, or not given back: it stays until that is known. */
static void failures(void **state)
{
	struct fake_admin *f = new_device();
	size_t before = in_use();

	answer = NVME_SC_INVALID_FIELD;
	assert_int_equal(brg_nvme_hmb_enable(&f->ctrl, 0), -EINVAL);
	assert_int_equal(in_use(), before);
	answer = 0;
	assert_int_equal(brg_nvme_hmb_enable(&f->ctrl, 0), 0);
	answer = NVME_SC_INTERNAL;
	assert_int_equal(brg_nvme_hmb_disable(&f->ctrl), -EIO);
	assert_true(in_use() >= before + 8 * MIB);
	assert_fails(brg_nvme_hmb_enable(&f->ctrl, 0), EALREADY, "disable that first");
	answer = 0;
	assert_int_equal(brg_nvme_hmb_disable(&f->ctrl), 0);
	assert_int_equal(in_use(), before);
	answer = NEVER;
	f->ctrl.admin_timeout_ms = 50;
	assert_int_equal(brg_nvme_hmb_enable(&f->ctrl, 0), -ETIMEDOUT);
	assert_true(in_use() >= before + 8 * MIB);
	brg_hmb_release(&f->ctrl);
	assert_int_equal(in_use(), before);
	assert_fails(brg_nvme_hmb_enable(&f->ctrl, 0), EIO, "reset the controller");
	assert_int_equal(in_use(), before);
	free_device(f);
}

static uint16_t hear_it(struct fake *f, const struct brg_nvme_sqe *sqe)
{
	if (sqe->opcode != nvme_admin_set_features || sqe->cdw10 != NVME_FEAT_FID_HOST_MEM_BUF)
		return 0;
	hear(sqe);
	return answer;
}

static struct fake *new_ctrl(void)
{
	struct fake *f = fake_new();

	answer = 0;
	tellings = 0;
	f->admin = hear_it;
	f->ctrl.id.hmpre = 8 * MIB / PAGE;
	return f;
}

/* The same again, with what it holds; and no longer once it has been taken back. */
static void over_resets(void **state)
{
	struct fake *f = new_ctrl();
	struct brg_nvme_qpair *qp = qpair(f);
	struct brg_nvme_sqe first;
	size_t before = in_use();

	assert_int_equal(brg_nvme_hmb_enable(&f->ctrl, 0), 0);
	check_list(8 * MIB, 1, 8 * MIB); /* and writes to it, as the controller may */
	first = told;
	for (unsigned int i = 0; i < 3; i++) {
		const uint8_t *memory = (const uint8_t *)(uintptr_t)list[0].address;

		assert_int_equal(brg_nvme_reset(&f->ctrl), 0);
		assert_int_equal(tellings, i + 2);
		assert_int_equal(told.cdw11, 1 | 2);
		assert_int_equal(told.cdw12, first.cdw12);
		assert_true(list_address(&told) == list_address(&first));
		assert_int_equal(told.cdw15, first.cdw15);
		assert_true(memory == (const uint8_t *)(uintptr_t)list[0].address);
		for (size_t at = 0; at < 8 * MIB; at++)
			assert_true(memory[at] == 0x5a);
		assert_int_equal(brg_nvme_poll(qp, 0), 0);
		assert_works(qp);
	}
	assert_int_equal(brg_nvme_hmb_disable(&f->ctrl), 0);
	assert_int_equal(in_use(), before);
	assert_int_equal(brg_nvme_reset(&f->ctrl), 0);
	assert_int_equal(tellings, 5);
	fake_free(f);
}

/* A controller that does not take it back is reset all the same, and has it no more. */
static void not_taken_after_a_reset(void **state)
{
	struct fake *f = new_ctrl();
	struct brg_nvme_qpair *qp = qpair(f);
	size_t before = in_use();

	assert_int_equal(brg_nvme_hmb_enable(&f->ctrl, 0), 0);
	answer = NVME_SC_INTERNAL;
	assert_int_equal(brg_nvme_reset(&f->ctrl), 0);
	assert_int_equal(told.cdw11, 1 | 2);
	assert_int_equal(in_use(), before);
	assert_int_equal(brg_nvme_poll(qp, 0), 0);
	assert_works(qp);
	assert_fails(brg_nvme_hmb_disable(&f->ctrl), ENXIO, "not enabled");
	answer = 0;
	assert_int_equal(brg_nvme_hmb_enable(&f->ctrl, 0), 0);
	assert_int_equal(told.cdw11, 1);
	brg_hmb_release(&f->ctrl);
	fake_free(f);
}

/* What was never confirmed is not given again, and what should go back does, in a reset. */
static void lost_on_the_way(void **state)
{
	struct fake *f = new_ctrl();
	size_t before = in_use();

	f->admin_is_silent = true;
	assert_int_equal(brg_nvme_hmb_enable(&f->ctrl, 0), -ETIMEDOUT);
	assert_true(in_use() >= before + 8 * MIB);
	f->admin_is_silent = false;
	assert_int_equal(brg_nvme_reset(&f->ctrl), 0);
	assert_int_equal(in_use(), before);
	assert_int_equal(tellings, 0);
	assert_int_equal(brg_nvme_hmb_enable(&f->ctrl, 0), 0);
	f->admin_is_silent = true;
	assert_int_equal(brg_nvme_hmb_disable(&f->ctrl), -ETIMEDOUT);
	assert_true(in_use() >= before + 8 * MIB);
	f->admin_is_silent = false;
	assert_int_equal(brg_nvme_reset(&f->ctrl), 0);
	assert_int_equal(in_use(), before);
	assert_int_equal(tellings, 1);
	fake_free(f);
}

/* A controller that goes through a shutdown, and touches nothing of the fake's after it. */
struct closing {
	struct fake *f;
	size_t when_disabled; /* bytes that EAL had given out then */
};

static void *shut_down(void *arg)
{
	struct closing *c = arg;
	volatile uint32_t *csts = (volatile uint32_t *)(c->f->regs + NVME_REG_CSTS);
	uint32_t cc;

	while (NVME_CC_EN((cc = get(c->f, NVME_REG_CC)))) {
		run_rings(c->f);
		if (NVME_CC_SHN(cc))
			*csts = NVME_SET(1, CSTS_RDY) | NVME_SET(NVME_CSTS_SHST_CMPLT, CSTS_SHST);
		usleep(20);
	}
	c->when_disabled = in_use();
	*csts = 0;
	return NULL;
}

/* Told first, where it listens; else the memory is its own until it is disabled. */
static void given_back_at_close(void **state)
{
	static const uint16_t answers[] = {0, NVME_SC_INTERNAL};
	static uint64_t group[64]; /* without a container, and so without memory for DMA */

	for (unsigned int i = 0; i < 2; i++) {
		size_t before = in_use();
		struct closing c = {.f = new_ctrl()};
		uint8_t *regs = c.f->regs;
		int fd = c.f->dev.fd;
		pthread_t thread;

		qpair(c.f);
		assert_int_equal(brg_nvme_hmb_enable(&c.f->ctrl, 0), 0);
		answer = answers[i];
		c.f->stop = true;
		pthread_join(c.f->thread, NULL);
		assert_int_equal(pthread_create(&thread, NULL, shut_down, &c), 0);
		c.f->dev.group = (struct brg_group *)group;
		c.f->bar.shares = 1;	    /* memory of the test's: not to be unmapped */
		brg_nvme_close(&c.f->ctrl); /* and frees it, and so all of the fake */
		pthread_join(thread, NULL);
		assert_int_equal(told.cdw11, 0);
		assert_int_equal(tellings, 2);
		assert_true(at_telling >= before + 8 * MIB);
		if (answer)
			assert_true(c.when_disabled >= before + 8 * MIB);
		assert_int_equal(in_use(), before);
		close(fd);
		free(regs);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(given_and_taken_back),
		cmocka_unit_test(limits),
		cmocka_unit_test(in_pieces),
		cmocka_unit_test(failures),
		cmocka_unit_test(over_resets),
		cmocka_unit_test(not_taken_after_a_reset),
		cmocka_unit_test(lost_on_the_way),
		cmocka_unit_test(given_back_at_close),
	};

	return cmocka_run_group_tests(tests, start_small_eal, NULL);
}
