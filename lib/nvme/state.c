/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The controller's states: disabled, ready, shut down (3.5, 3.6). Every wait has an end, and ends
 * early when the registers read all-ones, as those of a device that is gone do, or when the
 * controller reports that it has failed.
 */

#include <errno.h>
#include <inttypes.h>
#include <linux/pci_regs.h>
#include <rte_common.h>
#include <time.h>

#include "base.h"
#include "ctrl.h"

#define MS	  1000u /* microseconds */

#define SQE_BITS  (__builtin_ctz(sizeof(struct brg_nvme_sqe)))
#define CQE_BITS  (__builtin_ctz(sizeof(struct brg_nvme_cqe)))

#define READY	  NVME_SET(1, CSTS_RDY)
#define SHST_MASK NVME_SET(NVME_CSTS_SHST_MASK, CSTS_SHST)
#define SHUT_DOWN NVME_SET(NVME_CSTS_SHST_CMPLT, CSTS_SHST)

uint64_t brg_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void brg_breathe(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
}

int brg_ctrl_gone(const struct brg_nvme_ctrl *ctrl)
{
	return brg_fail(ENODEV, "%s: registers read all-ones: the device is gone", ctrl->bdf);
}

static int check(const struct brg_nvme_ctrl *ctrl, uint32_t csts)
{
	if (csts == UINT32_MAX)
		return brg_ctrl_gone(ctrl);
	if (NVME_CSTS_CFS(csts))
		return brg_fail(EIO, "%s: the controller reports a fatal error (CSTS %#" PRIx32 ")",
				ctrl->bdf, csts);
	return 0;
}

/*
 * Memory that no device answers for reads all-ones on PCI Express, but 0 in QEMU's guests. Config
 * space reads all-ones there, too. (VFIO answers for the vendor's identifier itself.)
 */
static bool is_absent(const struct brg_nvme_ctrl *ctrl)
{
	uint32_t class_revision;

	return !brg_device_config_read(ctrl->dev, PCI_CLASS_REVISION, &class_revision,
				       sizeof(class_revision)) &&
	       class_revision == UINT32_MAX;
}

int brg_ctrl_check_by(const struct brg_nvme_ctrl *ctrl, const struct brg_bar *bar)
{
	uint32_t csts = brg_bar_read32(bar, NVME_REG_CSTS);

	if (!csts && is_absent(ctrl))
		return brg_fail(ENODEV, "%s: its config space reads all-ones: the device is gone",
				ctrl->bdf);
	return check(ctrl, csts);
}

int brg_ctrl_check(const struct brg_nvme_ctrl *ctrl)
{
	return brg_ctrl_check_by(ctrl, ctrl->bar);
}

/* Wait until CSTS & mask == wanted. */
static int wait_status(const struct brg_nvme_ctrl *ctrl, uint32_t mask, uint32_t wanted,
		       uint64_t timeout_us, const char *what)
{
	uint64_t deadline = brg_now_us() + timeout_us;

	for (;;) {
		bool late = brg_now_us() > deadline; /* asked before the last look, not after */
		uint32_t csts = brg_bar_read32(ctrl->bar, NVME_REG_CSTS);
		int err = check(ctrl, csts);

		if (err == -ENODEV)
			return err;
		if ((csts & mask) == wanted)
			return 0;
		if (err && wanted) /* a failed controller can still be reset */
			return err;
		if (late)
			return brg_fail(ETIMEDOUT,
					"%s: not %s after %" PRIu64 " ms (CSTS %#" PRIx32 ")",
					ctrl->bdf, what, timeout_us / MS, csts);
		brg_breathe();
	}
}

/* How long becoming ready or disabled may take: CAP.TO, in units of 500 ms (3.1.3.1), or what
 * CRTO says where it fits no CAP.TO (3.1.3.1, CAP.CRMS). */
static uint64_t ready_timeout_us(const struct brg_nvme_ctrl *ctrl)
{
	uint64_t units = NVME_CAP_TO(ctrl->cap);

	if (NVME_CAP_CRMS(ctrl->cap))
		units = RTE_MAX(units, NVME_CRTO_CRWMT(brg_bar_read32(ctrl->bar, NVME_REG_CRTO)));
	return RTE_MAX(units, 1u) * 500 * MS;
}

int brg_ctrl_disable(struct brg_nvme_ctrl *ctrl)
{
	uint32_t cc = brg_bar_read32(ctrl->bar, NVME_REG_CC);
	uint64_t timeout = ready_timeout_us(ctrl);

	if (NVME_CC_EN(cc)) {
		/* Clearing EN while the controller is still becoming ready is undefined
		 * (3.1.3.5). One that never gets there leaves no other way. */
		if (wait_status(ctrl, READY, READY, timeout, "ready") == -ENODEV)
			return -ENODEV;
		brg_bar_write32(ctrl->bar, NVME_REG_CC,
				cc & ~NVME_SET(~0u, CC_EN) & ~NVME_SET(~0u, CC_SHN));
	}
	return wait_status(ctrl, READY, 0, timeout, "disabled");
}

int brg_ctrl_enable(struct brg_nvme_ctrl *ctrl)
{
	uint32_t last = ctrl->admin->path.depth - 1; /* sizes are given 0's based */
	/* All I/O command sets where there are more than one: zoned namespaces are then zoned. */
	uint32_t css =
		NVME_CAP_CSS(ctrl->cap) & NVME_CAP_CSS_CSI ? NVME_CC_CSS_CSI : NVME_CC_CSS_NVM;
	uint32_t cc = NVME_SET(css, CC_CSS) | NVME_SET(NVME_CC_AMS_RR, CC_AMS) |
		      NVME_SET(SQE_BITS, CC_IOSQES) | NVME_SET(CQE_BITS, CC_IOCQES);
	int err;

	/* Nobody handles the pin interrupt, and its line may be shared with a driver that would
	 * be called for nothing. With MSI-X the register is not to be touched (3.1.3.3). */
	if (!ctrl->vectors)
		brg_bar_write32(ctrl->bar, NVME_REG_INTMS, UINT32_MAX);
	brg_bar_write32(ctrl->bar, NVME_REG_AQA,
			NVME_SET(last, AQA_ASQS) | NVME_SET(last, AQA_ACQS));
	brg_bar_write64(ctrl->bar, NVME_REG_ASQ, (uintptr_t)ctrl->admin->path.sq);
	brg_bar_write64(ctrl->bar, NVME_REG_ACQ, (uintptr_t)ctrl->admin->cq);
	brg_bar_write32(ctrl->bar, NVME_REG_CC, cc | NVME_SET(1, CC_EN));
	err = wait_status(ctrl, READY, READY, ready_timeout_us(ctrl), "ready");
	if (err) /* waited for already: brg_ctrl_disable() need not do so again */
		brg_bar_write32(ctrl->bar, NVME_REG_CC, cc);
	return err;
}

/* RTD3 Entry Latency if the controller gives one, yet at least the second that 3.6.1 recommends
 * without, and no more than a minute: it may claim over an hour. */
static uint64_t shutdown_timeout_us(const struct brg_nvme_ctrl *ctrl)
{
	if (ctrl->id.rtd3e < 1000 * MS)
		return 1000 * MS;
	return RTE_MIN(ctrl->id.rtd3e, 60000 * MS);
}

int brg_ctrl_shutdown(struct brg_nvme_ctrl *ctrl)
{
	int err = brg_ctrl_check(ctrl);
	uint32_t cc;

	if (err)
		return err;
	cc = brg_bar_read32(ctrl->bar, NVME_REG_CC);
	brg_bar_write32(ctrl->bar, NVME_REG_CC,
			(cc & ~NVME_SET(~0u, CC_SHN)) | NVME_SET(NVME_CC_SHN_NORMAL, CC_SHN));
	return wait_status(ctrl, SHST_MASK, SHUT_DOWN, shutdown_timeout_us(ctrl), "shut down");
}
