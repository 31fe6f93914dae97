/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The CMB and the PMR of a controller whose registers are plain memory and whose BAR is a made
 * device's: where they are, what the controller is told, who gets which pages, and registers that
 * say what cannot be.
 */

#include "made_device.h"

#include "cmb.h"
#include "prp.h"

#define SZU_4K	      0u
#define SZU_1M	      2u
#define SIZE(szu, sz) (NVME_SET(sz, CMBSZ_SZ) | NVME_SET(szu, CMBSZ_SZU))
#define ALL	      (NVME_SET(1, CMBSZ_SQS) | NVME_SET(1, CMBSZ_RDS) | NVME_SET(1, CMBSZ_WDS))
#define CRE	      NVME_SET(1, CMBMSC_CRE)
#define CMSE	      NVME_SET(1, CMBMSC_CMSE)

struct fake {
	struct brg_nvme_ctrl ctrl;
	struct brg_bar bar;
	uint64_t regs[512];
};

/* Four pages of the made device's BAR 4, from its second MiB on. */
/* Nobody resets here. */
int brg_ctrl_lock(struct brg_nvme_ctrl *ctrl)
{
	return pthread_mutex_lock(&ctrl->lock);
}

static struct fake *fake_new(struct brg_device *dev)
{
	struct fake *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->bar.base = (volatile uint8_t *)f->regs;
	f->ctrl.bar = &f->bar;
	f->ctrl.dev = dev;
	f->ctrl.bdf = "0000:00:04.0";
	f->ctrl.cap = UINT64_C(1) << NVME_CAP_CMBS_SHIFT | UINT64_C(1) << NVME_CAP_PMRS_SHIFT;
	assert_int_equal(pthread_mutex_init(&f->ctrl.lock, NULL), 0);
	assert_int_equal(ftruncate(dev->fd, 128 * MIB), 0);
	brg_bar_write32(&f->bar, NVME_REG_CMBLOC,
			4 | NVME_SET(256, CMBLOC_OFST) | NVME_SET(1, CMBLOC_CDPCILS));
	brg_bar_write32(&f->bar, NVME_REG_CMBSZ, SIZE(SZU_4K, 4) | ALL);
	return f;
}

static void fake_free(struct fake *f)
{
	brg_cmb_release(&f->ctrl);
	brg_pmr_release(&f->ctrl);
	free(f);
}

static void set(struct fake *f, uint32_t reg, uint32_t value)
{
	brg_bar_write32(&f->bar, reg, value);
}

static void is_where_the_registers_say(void **state)
{
	struct fake *f = fake_new(*state);
	struct brg_nvme_cmb cmb;

	assert_int_equal(brg_nvme_cmb_get(&f->ctrl, &cmb), 0);
	assert_int_equal(cmb.bar, 4);
	assert_int_equal(cmb.offset, MIB);
	assert_int_equal(cmb.size, 4 * PAGE);
	assert_true(cmb.submission_queues && cmb.read_data && cmb.write_data);
	assert_false(cmb.completion_queues || cmb.lists || cmb.legacy);
	assert_int_equal(brg_bar_read64(&f->bar, NVME_REG_CMBMSC), CRE);

	/* What does not fit into the BAR is not there. */
	set(f, NVME_REG_CMBLOC, 4 | NVME_SET(60, CMBLOC_OFST));
	set(f, NVME_REG_CMBSZ, SIZE(SZU_1M, 16));
	assert_int_equal(brg_nvme_cmb_get(&f->ctrl, &cmb), 0);
	assert_int_equal(cmb.offset, 60 * MIB);
	assert_int_equal(cmb.size, 4 * MIB);
	assert_false(cmb.submission_queues || cmb.read_data || cmb.write_data);
	fake_free(f);
}

static void registers_that_cannot_be(void **state)
{
	static const struct {
		uint32_t cmbloc, cmbsz;
		int err;
		const char *words;
	} cases[] = {
		{4, 0, ENOTSUP, "no Controller Memory Buffer"},
		{4, UINT32_MAX, ENODEV, "all-ones"},
		{7, SIZE(SZU_4K, 1), EIO, "beyond BAR 7"},
		{1, SIZE(SZU_4K, 1), EIO, "beyond BAR 1"},
		{3, SIZE(SZU_4K, 1), EIO, "beyond BAR 3, which has 0 bytes"},
		{4, SIZE(7, 1), EIO, "CMBSZ 0x1700"},
		{4 | NVME_SET(1, CMBLOC_OFST), SIZE(15, 1), EIO, "CMBSZ 0x1f00"},
		{4 | NVME_SET(64, CMBLOC_OFST), SIZE(SZU_1M, 1), EIO, "has 67108864 bytes"},
		{4 | NVME_SET(0xfffff, CMBLOC_OFST), SIZE(6, 0xfffff), EIO, "beyond BAR 4"},
	};
	struct fake *f = fake_new(*state);
	struct brg_nvme_cmb cmb;

	for (size_t i = 0; i < RTE_DIM(cases); i++) {
		set(f, NVME_REG_CMBLOC, cases[i].cmbloc);
		set(f, NVME_REG_CMBSZ, cases[i].cmbsz);
		assert_fails(brg_nvme_cmb_get(&f->ctrl, &cmb), cases[i].err, cases[i].words);
		assert_fails(brg_nvme_cmb_enable(&f->ctrl, NULL), cases[i].err, cases[i].words);
		assert_null(f->ctrl.cmb);
	}
	fake_free(f);
}

/* Registers that need not be enabled: the address of its memory is the bus's. */
static void the_old_kind_is_not_used(void **state)
{
	struct fake *f = fake_new(*state);
	struct brg_nvme_cmb cmb;

	brg_bar_write64(&f->bar, NVME_REG_CMBMSC, 0);
	f->ctrl.cap = 0;
	assert_int_equal(brg_nvme_cmb_get(&f->ctrl, &cmb), 0);
	assert_true(cmb.legacy);
	assert_fails(brg_nvme_cmb_enable(&f->ctrl, NULL), ENOTSUP, "before NVMe 1.4");
	assert_int_equal(brg_bar_read64(&f->bar, NVME_REG_CMBMSC), 0);
	fake_free(f);
}

static void pages_are_given_out_once(void **state)
{
	struct fake *f = fake_new(*state);
	struct brg_nvme_ctrl *ctrl = &f->ctrl;
	void *buf[4], *none;

	assert_fails(brg_nvme_cmb_alloc(ctrl, 1, buf), ENXIO, "brg_nvme_cmb_enable");
	assert_int_equal(brg_nvme_cmb_enable(ctrl, NULL), 0);
	assert_fails(brg_nvme_cmb_enable(ctrl, NULL), EALREADY, "already");
	assert_fails(brg_nvme_cmb_alloc(ctrl, 0, buf), EINVAL, "0 bytes");
	assert_fails(brg_nvme_cmb_alloc(ctrl, 4 * PAGE + 1, buf), ENOSPC, "16 KiB");
	assert_fails(brg_nvme_cmb_alloc(ctrl, SIZE_MAX, buf), ENOSPC, "16 KiB");
	for (int i = 0; i < 4; i++) {
		assert_int_equal(brg_nvme_cmb_alloc(ctrl, i ? PAGE : 1, &buf[i]), 0);
		assert_ptr_equal(buf[i], (uint8_t *)buf[0] + i * PAGE);
	}
	assert_fails(brg_nvme_cmb_alloc(ctrl, 1, &none), ENOSPC, "no 1 bytes left");

	/* The address that the controller has is the pointer; the first page is the BAR's. */
	assert_true(brg_bar_read64(&f->bar, NVME_REG_CMBMSC) == ((uintptr_t)buf[0] | CRE | CMSE));
	memset(buf[1], 0x5a, PAGE);
	assert_int_equal(pread(((struct brg_device *)*state)->fd, &none, 1, 64 * MIB + MIB + PAGE),
			 1);
	assert_int_equal((uint8_t)(uintptr_t)none, 0x5a);

	/* Two that are free need not be one piece. */
	brg_nvme_cmb_free(ctrl, buf[0]);
	brg_nvme_cmb_free(ctrl, buf[2]);
	assert_fails(brg_nvme_cmb_alloc(ctrl, 2 * PAGE, &none), ENOSPC, "in one piece");
	brg_nvme_cmb_free(ctrl, buf[1]);
	assert_int_equal(brg_nvme_cmb_alloc(ctrl, 2 * PAGE + 1, &none), 0);
	assert_ptr_equal(none, buf[0]);
	brg_nvme_cmb_free(ctrl, none);
	brg_nvme_cmb_free(ctrl, NULL);

	brg_cmb_release(ctrl);
	assert_int_equal(brg_bar_read64(&f->bar, NVME_REG_CMBMSC), 0);
	fake_free(f);
}

static void an_address_it_refuses(void **state)
{
	struct fake *f = fake_new(*state);

	set(f, NVME_REG_CMBSTS, 1);
	assert_fails(brg_nvme_cmb_enable(&f->ctrl, NULL), EIO, "CMBSTS.CBAI");
	assert_null(f->ctrl.cmb);
	fake_free(f);
}

/* Where lcores may not share a VMA, a ring is written elsewhere than its data is found. */
static void rings(void **state)
{
	struct fake *f = fake_new(*state);
	struct brg_cmb_ring ring[2] = {{0}};
	void *rest;

	for (int vulnerable = 0; vulnerable < 2; vulnerable++) {
		uint64_t cba;

		run_on(vulnerable ? BRG_BAR_ERA_UNFIXED : BRG_BAR_ERA_FIXED);
		assert_int_equal(brg_nvme_cmb_enable(&f->ctrl, NULL), 0);
		cba = brg_bar_read64(&f->bar, NVME_REG_CMBMSC) & ~(uint64_t)(PAGE - 1);
		for (int i = 0; i < 2; i++) {
			assert_int_equal(brg_cmb_take_ring(&f->ctrl, PAGE, &ring[i]), 0);
			assert_true(ring[i].address == cba + i * PAGE);
			assert_int_equal(ring[i].address == (uintptr_t)ring[i].entries,
					 !vulnerable);
		}
		assert_fails(brg_cmb_take_ring(&f->ctrl, 3 * PAGE, &ring[0]), ENOSPC, "16 KiB");
		*(uint32_t *)ring[1].entries = 0x12345678;
		assert_int_equal(*(volatile uint32_t *)(uintptr_t)ring[1].address, 0x12345678);
		brg_cmb_give_ring(&f->ctrl, &ring[0]);
		brg_cmb_give_ring(&f->ctrl, &ring[1]);
		brg_cmb_give_ring(&f->ctrl, &(struct brg_cmb_ring){0});
		assert_int_equal(brg_nvme_cmb_alloc(&f->ctrl, 4 * PAGE, &rest), 0);
		brg_cmb_release(&f->ctrl);
	}
	fake_free(f);
}

static void rings_it_does_not_take(void **state)
{
	struct fake *f = fake_new(*state);
	struct brg_cmb_ring ring;

	assert_fails(brg_cmb_take_ring(&f->ctrl, PAGE, &ring), ENXIO, "brg_nvme_cmb_enable");
	set(f, NVME_REG_CMBSZ, SIZE(SZU_4K, 4));
	assert_int_equal(brg_nvme_cmb_enable(&f->ctrl, NULL), 0);
	assert_fails(brg_cmb_take_ring(&f->ctrl, PAGE, &ring), ENOTSUP, "CMBSZ.SQS");
	brg_cmb_release(&f->ctrl);
	set(f, NVME_REG_CMBSZ, SIZE(SZU_4K, 4) | ALL);
	set(f, NVME_REG_CMBLOC, 4);
	assert_int_equal(brg_nvme_cmb_enable(&f->ctrl, NULL), 0);
	assert_fails(brg_cmb_take_ring(&f->ctrl, PAGE, &ring), ENOTSUP, "CMBLOC.CDPCILS");
	fake_free(f);
}

#define IN_BAR_4 (NVME_SET(4, PMRCAP_BIR) | NVME_SET(1, PMRCAP_CMSS) | NVME_SET(1, PMRCAP_RDS))

static void persistent_memory(void **state)
{
	struct fake *f = fake_new(*state);
	struct brg_nvme_pmr pmr;
	uint64_t base;

	assert_fails(brg_nvme_pmr_flush(&f->ctrl), ENXIO, "brg_nvme_pmr_enable");
	set(f, NVME_REG_PMRCAP, IN_BAR_4);
	assert_int_equal(brg_nvme_pmr_enable(&f->ctrl, NULL, &pmr), 0);
	assert_fails(brg_nvme_pmr_enable(&f->ctrl, NULL, &pmr), EALREADY, "already");
	assert_int_equal(pmr.bar->length, 64 * MIB);
	assert_true(pmr.read_data);
	assert_false(pmr.write_data);
	base = (uintptr_t)pmr.bar->base;
	assert_int_equal(brg_bar_read32(&f->bar, NVME_REG_PMRCTL), 1);
	assert_int_equal(brg_bar_read32(&f->bar, NVME_REG_PMRMSCU), base >> 32);
	assert_int_equal(brg_bar_read32(&f->bar, NVME_REG_PMRMSCL), (uint32_t)base | CMSE);
	assert_int_equal(brg_nvme_pmr_flush(&f->ctrl), 0);
	set(f, NVME_REG_PMRSTS, NVME_SET(2, PMRSTS_HSTS));
	assert_fails(brg_nvme_pmr_flush(&f->ctrl), EIO, "read only");
	set(f, NVME_REG_PMRSTS, NVME_SET(7, PMRSTS_HSTS));
	assert_fails(brg_nvme_pmr_flush(&f->ctrl), EIO, "unreliable");
	set(f, NVME_REG_PMRSTS, UINT32_MAX);
	assert_fails(brg_nvme_pmr_flush(&f->ctrl), ENODEV, "all-ones");
	brg_pmr_release(&f->ctrl);
	assert_int_equal(brg_bar_read32(&f->bar, NVME_REG_PMRCTL), 0);
	assert_int_equal(brg_bar_read32(&f->bar, NVME_REG_PMRMSCL), 0);
	fake_free(f);
}

static void persistent_memory_that_cannot_be(void **state)
{
	struct fake *f = fake_new(*state);
	struct brg_nvme_pmr pmr;

	set(f, NVME_REG_PMRCAP, NVME_SET(6, PMRCAP_BIR));
	assert_fails(brg_nvme_pmr_enable(&f->ctrl, NULL, &pmr), EIO, "in BAR 6");
	set(f, NVME_REG_PMRCAP, NVME_SET(2, PMRCAP_BIR));
	assert_int_equal(brg_nvme_pmr_enable(&f->ctrl, NULL, &pmr), -ENOTSUP);
	set(f, NVME_REG_PMRCAP, UINT32_MAX);
	assert_fails(brg_nvme_pmr_enable(&f->ctrl, NULL, &pmr), ENODEV, "all-ones");
	set(f, NVME_REG_PMRCAP, IN_BAR_4);
	set(f, NVME_REG_PMRSTS, NVME_SET(1, PMRSTS_NRDY));
	assert_fails(brg_nvme_pmr_enable(&f->ctrl, NULL, &pmr), ETIMEDOUT, "after 500 ms");
	set(f, NVME_REG_PMRSTS, NVME_SET(1, PMRSTS_CBAI));
	assert_fails(brg_nvme_pmr_enable(&f->ctrl, NULL, &pmr), EIO, "PMRSTS.CBAI");
	assert_int_equal(brg_bar_read32(&f->bar, NVME_REG_PMRCTL), 0);
	f->ctrl.cap = 0;
	assert_fails(brg_nvme_pmr_enable(&f->ctrl, NULL, &pmr), ENOTSUP, "no Persistent Memory");
	assert_null(f->ctrl.pmr);
	fake_free(f);
}

#define on_a_device(test) cmocka_unit_test_setup_teardown(test, make_device, free_device)

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_a_device(is_where_the_registers_say),
		on_a_device(registers_that_cannot_be),
		on_a_device(the_old_kind_is_not_used),
		on_a_device(pages_are_given_out_once),
		on_a_device(an_address_it_refuses),
		on_a_device(rings),
		on_a_device(rings_it_does_not_take),
		on_a_device(persistent_memory),
		on_a_device(persistent_memory_that_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
