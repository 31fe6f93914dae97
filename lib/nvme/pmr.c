/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The Persistent Memory Region (8.14): memory of the device that outlives its power, all of a BAR.
 * As with the Controller Memory Buffer (cmb.c), the controller is told to have it at the address
 * where it is mapped, so that commands can name it by pointers.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base.h"
#include "cmb.h"

struct brg_pmr {
	struct brg_bar *bar;
	uint32_t cap;
};

static const char *const states[] = {"normal", "a restore error", "read only", "unreliable"};

static uint32_t status(const struct brg_nvme_ctrl *ctrl)
{
	return brg_bar_read32(ctrl->bar, NVME_REG_PMRSTS);
}

/* PMRCAP.PMRTO, in units of 500 ms or of a minute (3.1.3.19). */
static uint64_t timeout_us(uint32_t cap)
{
	uint64_t unit = NVME_PMRCAP_PMRTU(cap) == NVME_PMRCAP_PMRTU_60S ? 60000000 : 500000;

	return RTE_MAX(NVME_PMRCAP_PMRTO(cap), 1u) * unit;
}

static int wait_ready(const struct brg_nvme_ctrl *ctrl, uint32_t cap)
{
	uint64_t deadline = brg_now_us() + timeout_us(cap);

	for (;;) {
		bool late = brg_now_us() > deadline; /* asked before the last look, not after */
		uint32_t sts = status(ctrl);

		if (sts == UINT32_MAX)
			return brg_ctrl_gone(ctrl);
		if (!NVME_PMRSTS_NRDY(sts))
			return 0;
		if (late)
			return brg_fail(ETIMEDOUT,
					"%s: persistent memory not ready after %" PRIu64
					" ms (PMRSTS %#" PRIx32 ")",
					ctrl->bdf, timeout_us(cap) / 1000, sts);
		brg_breathe();
	}
}

int brg_pmr_again(struct brg_nvme_ctrl *ctrl)
{
	uint64_t address;
	int err;

	if (!ctrl->pmr)
		return 0;
	address = (uintptr_t)ctrl->pmr->bar->base;
	brg_bar_write32(ctrl->bar, NVME_REG_PMRCTL, NVME_SET(1, PMRCTL_EN));
	err = wait_ready(ctrl, ctrl->pmr->cap);
	if (err || !NVME_PMRCAP_CMSS(ctrl->pmr->cap))
		return err;
	/* The lower half has the bit that makes both count (3.1.3.24). */
	brg_bar_write32(ctrl->bar, NVME_REG_PMRMSCU, address >> 32);
	brg_bar_write32(ctrl->bar, NVME_REG_PMRMSCL, (uint32_t)address | NVME_SET(1, PMRMSC_CMSE));
	if (NVME_PMRSTS_CBAI(status(ctrl)))
		return brg_fail(EIO,
				"%s: it cannot have its persistent memory at %#" PRIx64
				" (PMRSTS.CBAI)",
				ctrl->bdf, address);
	return 0;
}

void brg_pmr_release(struct brg_nvme_ctrl *ctrl)
{
	if (!ctrl->pmr)
		return;
	if (NVME_PMRCAP_CMSS(ctrl->pmr->cap))
		brg_bar_write32(ctrl->bar, NVME_REG_PMRMSCL, 0);
	brg_bar_write32(ctrl->bar, NVME_REG_PMRCTL, 0);
	brg_bar_unmap(ctrl->pmr->bar);
	free(ctrl->pmr);
	ctrl->pmr = NULL;
}

static int map(struct brg_nvme_ctrl *ctrl, const struct brg_bar_opts *opts, uint32_t cap)
{
	struct brg_bar_opts all = {
		.policy = opts ? opts->policy : BRG_BAR_AUTO,
		.lcores = opts && opts->lcores ? opts->lcores : 1,
	};
	struct brg_pmr *pmr = calloc(1, sizeof(*pmr));
	int err;

	if (!pmr)
		return brg_fail(ENOMEM, "out of memory");
	pmr->cap = cap;
	err = brg_bar_map(ctrl->dev, NVME_PMRCAP_BIR(cap), &all, &pmr->bar);
	if (err) {
		free(pmr);
		return err;
	}
	ctrl->pmr = pmr;
	err = brg_pmr_again(ctrl);
	if (err)
		brg_pmr_release(ctrl);
	return err;
}

static int enable(struct brg_nvme_ctrl *ctrl, const struct brg_bar_opts *opts)
{
	uint32_t cap;

	if (ctrl->pmr)
		return brg_fail(EALREADY, "%s: its persistent memory is enabled already",
				ctrl->bdf);
	if (!NVME_CAP_PMRS(ctrl->cap))
		return brg_fail(ENOTSUP, "%s: no Persistent Memory Region (CAP %#" PRIx64 ")",
				ctrl->bdf, ctrl->cap);
	cap = brg_bar_read32(ctrl->bar, NVME_REG_PMRCAP);
	if (cap == UINT32_MAX)
		return brg_ctrl_gone(ctrl);
	if (NVME_PMRCAP_BIR(cap) >= BRG_PCI_BARS)
		return brg_fail(EIO, "%s: its persistent memory is in BAR %u (PMRCAP %#" PRIx32 ")",
				ctrl->bdf, NVME_PMRCAP_BIR(cap), cap);
	return map(ctrl, opts, cap);
}

int brg_nvme_pmr_enable(struct brg_nvme_ctrl *ctrl, const struct brg_bar_opts *opts,
			struct brg_nvme_pmr *pmr)
{
	int err;

	pthread_mutex_lock(&ctrl->lock);
	err = enable(ctrl, opts);
	if (!err)
		*pmr = (struct brg_nvme_pmr){
			.bar = ctrl->pmr->bar,
			.read_data =
				NVME_PMRCAP_CMSS(ctrl->pmr->cap) && NVME_PMRCAP_RDS(ctrl->pmr->cap),
			.write_data =
				NVME_PMRCAP_CMSS(ctrl->pmr->cap) && NVME_PMRCAP_WDS(ctrl->pmr->cap),
		};
	pthread_mutex_unlock(&ctrl->lock);
	return err;
}

/* A read makes the writes before it durable: of PMRSTS, or of the memory itself, as PMRCAP.PMRWBM
 * says (3.1.3.19). */
int brg_nvme_pmr_flush(struct brg_nvme_ctrl *ctrl)
{
	uint32_t sts;
	int err;

	if (!ctrl->pmr)
		return brg_fail(ENXIO, "%s: call brg_nvme_pmr_enable() first", ctrl->bdf);
	rte_io_wmb();
	if (NVME_PMRCAP_PMRWMB(ctrl->pmr->cap) & 1)
		brg_bar_read32(ctrl->pmr->bar, 0);
	err = brg_ctrl_lock(ctrl); /* for its mapping */
	if (err)
		return err;
	sts = status(ctrl);
	pthread_mutex_unlock(&ctrl->lock);
	if (sts == UINT32_MAX)
		return brg_ctrl_gone(ctrl);
	if (NVME_PMRSTS_ERR(sts) || NVME_PMRSTS_HSTS(sts))
		return brg_fail(EIO, "%s: persistent memory: %s (PMRSTS %#" PRIx32 ")", ctrl->bdf,
				states[RTE_MIN(NVME_PMRSTS_HSTS(sts), RTE_DIM(states) - 1)], sts);
	return 0;
}

bool brg_pmr_has(const struct brg_nvme_ctrl *ctrl, const void *buf, size_t len)
{
	const struct brg_bar *bar = ctrl->pmr ? ctrl->pmr->bar : NULL;

	return bar && brg_bar_ptr(bar, (uintptr_t)buf - (uintptr_t)bar->base, len);
}
