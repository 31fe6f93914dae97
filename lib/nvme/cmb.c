/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The Controller Memory Buffer (8.5): memory of the device, behind a BAR, that submission queues
 * and data may lie in.
 *
 * The host tells the controller at which address its commands name that memory (CMBMSC.CBA). That
 * address never leaves the controller, so it may be anything that host memory is not: here it is
 * where the CMB is mapped. A pointer into it is then what a PRP entry needs, as with all other
 * memory, and nothing need be mapped in the IOMMU.
 *
 * Before NVMe 1.4 the address was the BAR's on the bus, where the process may as well have memory
 * mapped for DMA; such a CMB is told of and not used.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base.h"
#include "cmb.h"
#include "prp.h"

#define ENABLED	 (NVME_SET(1, CMBMSC_CRE) | NVME_SET(1, CMBMSC_CMSE))
#define CBA_BITS (NVME_CMBMSC_CBA_MASK << NVME_CMBMSC_CBA_SHIFT)
/* CMBLOC.BIR may be 0 and 2 to 5 (3.1.3.11). */
#define BAR_OK(n) ((n) < BRG_PCI_BARS && (n) != 1)

struct brg_cmb {
	struct brg_nvme_cmb has;
	bool mixed; /* commands in it may have their PRP lists elsewhere */
	struct brg_bar *bar;
	uint32_t npages;
	uint32_t runs[]; /* by page: how many are allocated from here on; 0: this one is free */
};

static int none(const struct brg_nvme_ctrl *ctrl)
{
	return brg_fail(ENOTSUP, "%s: no Controller Memory Buffer (CAP %#" PRIx64 ", CMBSZ 0)",
			ctrl->bdf, ctrl->cap);
}

/* Offset and size are in units of CMBSZ.SZU. What does not fit into the BAR is not there
 * (3.1.3.12). */
static int describe(const struct brg_nvme_ctrl *ctrl, uint32_t cmbloc, uint32_t cmbsz,
		    struct brg_nvme_cmb *cmb)
{
	unsigned int unit = 12 + 4 * NVME_CMBSZ_SZU(cmbsz);
	unsigned int bir = NVME_CMBLOC_BIR(cmbloc);
	uint64_t bar = BAR_OK(bir) ? brg_device_get_info(ctrl->dev)->bar_size[bir] : 0;

	*cmb = (struct brg_nvme_cmb){
		.bar = bir,
		.legacy = !NVME_CAP_CMBS(ctrl->cap),
		.submission_queues = NVME_CMBSZ_SQS(cmbsz),
		.completion_queues = NVME_CMBSZ_CQS(cmbsz),
		.lists = NVME_CMBSZ_LISTS(cmbsz),
		.read_data = NVME_CMBSZ_RDS(cmbsz),
		.write_data = NVME_CMBSZ_WDS(cmbsz),
	};
	/* The largest unit is 64 GiB: no 20-bit number of them overflows. */
	if (NVME_CMBSZ_SZU(cmbsz) <= NVME_CMBSZ_SZU_64G)
		cmb->offset = (uint64_t)NVME_CMBLOC_OFST(cmbloc) << unit;
	if (NVME_CMBSZ_SZU(cmbsz) > NVME_CMBSZ_SZU_64G || cmb->offset >= bar)
		return brg_fail(EIO,
				"%s: its Controller Memory Buffer is beyond BAR %u, which has "
				"%" PRIu64 " bytes (CMBLOC %#" PRIx32 ", CMBSZ %#" PRIx32 ")",
				ctrl->bdf, bir, bar, cmbloc, cmbsz);
	cmb->size = RTE_MIN(nvme_cmb_size(cmbsz), bar - cmb->offset);
	return 0;
}

/* Both registers read 0 until they are enabled, but before NVMe 1.4 (3.1.3.11). */
static int read_registers(const struct brg_nvme_ctrl *ctrl, struct brg_nvme_cmb *cmb, bool *mixed)
{
	uint32_t cmbloc, cmbsz;

	if (NVME_CAP_CMBS(ctrl->cap) &&
	    !NVME_CMBMSC_CRE(brg_bar_read64(ctrl->bar, NVME_REG_CMBMSC)))
		brg_bar_write64(ctrl->bar, NVME_REG_CMBMSC, NVME_SET(1, CMBMSC_CRE));
	cmbloc = brg_bar_read32(ctrl->bar, NVME_REG_CMBLOC);
	cmbsz = brg_bar_read32(ctrl->bar, NVME_REG_CMBSZ);
	if (cmbsz == UINT32_MAX)
		return brg_ctrl_gone(ctrl);
	if (!NVME_CMBSZ_SZ(cmbsz))
		return none(ctrl);
	*mixed = NVME_CMBLOC_CDPCILS(cmbloc);
	return describe(ctrl, cmbloc, cmbsz, cmb);
}

int brg_nvme_cmb_get(struct brg_nvme_ctrl *ctrl, struct brg_nvme_cmb *cmb)
{
	bool mixed;
	int err;

	pthread_mutex_lock(&ctrl->lock);
	err = read_registers(ctrl, cmb, &mixed);
	pthread_mutex_unlock(&ctrl->lock);
	return err;
}

int brg_cmb_again(struct brg_nvme_ctrl *ctrl)
{
	uint64_t address;

	if (!ctrl->cmb)
		return 0;
	address = (uintptr_t)ctrl->cmb->bar->base + ctrl->cmb->has.offset;
	brg_bar_write64(ctrl->bar, NVME_REG_CMBMSC, (address & CBA_BITS) | ENABLED);
	if (NVME_CMBSTS_CBAI(brg_bar_read32(ctrl->bar, NVME_REG_CMBSTS)))
		return brg_fail(
			EIO, "%s: it cannot have its memory buffer at %#" PRIx64 " (CMBSTS.CBAI)",
			ctrl->bdf, address);
	return 0;
}

void brg_cmb_release(struct brg_nvme_ctrl *ctrl)
{
	if (!ctrl->cmb)
		return;
	brg_bar_write64(ctrl->bar, NVME_REG_CMBMSC, 0);
	brg_bar_unmap(ctrl->cmb->bar);
	free(ctrl->cmb);
	ctrl->cmb = NULL;
}

static int map(struct brg_nvme_ctrl *ctrl, const struct brg_nvme_cmb *has, bool mixed,
	       const struct brg_bar_opts *opts)
{
	struct brg_bar_opts range = {
		.policy = opts ? opts->policy : BRG_BAR_AUTO,
		.lcores = opts && opts->lcores ? opts->lcores : 1,
		.offset = has->offset,
		.length = has->size,
	};
	uint32_t npages = RTE_MIN(has->size / BRG_PRP_PAGE, UINT32_MAX);
	struct brg_cmb *cmb = calloc(1, sizeof(*cmb) + npages * sizeof(*cmb->runs));
	int err;

	if (!cmb)
		return brg_fail(ENOMEM, "out of memory");
	cmb->has = *has;
	cmb->mixed = mixed;
	cmb->npages = npages;
	err = brg_bar_map(ctrl->dev, has->bar, &range, &cmb->bar);
	if (err) {
		free(cmb);
		return err;
	}
	ctrl->cmb = cmb;
	err = brg_cmb_again(ctrl);
	if (err)
		brg_cmb_release(ctrl);
	return err;
}

static int enable(struct brg_nvme_ctrl *ctrl, const struct brg_bar_opts *opts)
{
	struct brg_nvme_cmb has;
	bool mixed = false;
	int err;

	if (ctrl->cmb)
		return brg_fail(EALREADY, "%s: its memory buffer is enabled already", ctrl->bdf);
	err = read_registers(ctrl, &has, &mixed);
	if (err)
		return err;
	if (has.legacy)
		return brg_fail(ENOTSUP,
				"%s: its memory buffer is of the kind before NVMe 1.4, at a bus "
				"address that memory for DMA may have as well (CAP.CMBS 0)",
				ctrl->bdf);
	return map(ctrl, &has, mixed, opts);
}

int brg_nvme_cmb_enable(struct brg_nvme_ctrl *ctrl, const struct brg_bar_opts *opts)
{
	int err;

	pthread_mutex_lock(&ctrl->lock);
	err = enable(ctrl, opts);
	pthread_mutex_unlock(&ctrl->lock);
	return err;
}

/* First fit. */
static int take_pages(struct brg_nvme_ctrl *ctrl, size_t bytes, uint64_t *offset)
{
	struct brg_cmb *cmb = ctrl->cmb;
	uint64_t wanted = bytes / BRG_PRP_PAGE + (bytes % BRG_PRP_PAGE != 0);
	uint32_t free_pages = 0, page = 0;

	if (!cmb)
		return brg_fail(ENXIO, "%s: call brg_nvme_cmb_enable() first", ctrl->bdf);
	if (!bytes)
		return brg_fail(EINVAL, "%s: 0 bytes of its memory buffer", ctrl->bdf);
	while (page < cmb->npages && free_pages < wanted) {
		if (cmb->runs[page]) {
			page += cmb->runs[page];
			free_pages = 0;
		} else {
			page++;
			free_pages++;
		}
	}
	if (free_pages < wanted)
		return brg_fail(ENOSPC,
				"%s: its memory buffer of %" PRIu64
				" KiB has no %zu bytes left in one piece",
				ctrl->bdf, cmb->has.size / 1024, bytes);
	page -= free_pages;
	cmb->runs[page] = wanted;
	*offset = cmb->has.offset + page * BRG_PRP_PAGE;
	return 0;
}

static void give_pages(const struct brg_nvme_ctrl *ctrl, uint64_t offset)
{
	ctrl->cmb->runs[(offset - ctrl->cmb->has.offset) / BRG_PRP_PAGE] = 0;
}

int brg_nvme_cmb_alloc(struct brg_nvme_ctrl *ctrl, size_t bytes, void **buf)
{
	uint64_t offset;
	int err;

	pthread_mutex_lock(&ctrl->lock);
	err = take_pages(ctrl, bytes, &offset);
	if (!err)
		*buf = (void *)(uintptr_t)(ctrl->cmb->bar->base + offset);
	pthread_mutex_unlock(&ctrl->lock);
	return err;
}

void brg_nvme_cmb_free(struct brg_nvme_ctrl *ctrl, void *buf)
{
	if (!buf)
		return;
	pthread_mutex_lock(&ctrl->lock);
	give_pages(ctrl, (uintptr_t)buf - (uintptr_t)ctrl->cmb->bar->base);
	pthread_mutex_unlock(&ctrl->lock);
}

/* A ring has a share of the mapping: queues of several lcores are in it. PRP lists stay in host
 * memory, which a command in the CMB may use only where CMBLOC.CDPCILS says so (8.5). */
int brg_cmb_take_ring(struct brg_nvme_ctrl *ctrl, size_t bytes, struct brg_cmb_ring *ring)
{
	struct brg_cmb *cmb = ctrl->cmb;
	uint64_t offset;
	int err;

	if (cmb && !(cmb->has.submission_queues && cmb->mixed))
		return brg_fail(
			ENOTSUP, "%s: no submission queue can be in its memory buffer (%s 0)",
			ctrl->bdf, cmb->has.submission_queues ? "CMBLOC.CDPCILS" : "CMBSZ.SQS");
	err = take_pages(ctrl, bytes, &offset);
	if (err)
		return err;
	err = brg_bar_share(cmb->bar, &ring->share);
	if (err) {
		give_pages(ctrl, offset);
		return err;
	}
	ring->entries = (void *)(uintptr_t)(ring->share->base + offset);
	ring->address = (uintptr_t)cmb->bar->base + offset;
	return 0;
}

void brg_cmb_give_ring(struct brg_nvme_ctrl *ctrl, const struct brg_cmb_ring *ring)
{
	if (!ring->share)
		return;
	give_pages(ctrl, ring->address - (uintptr_t)ctrl->cmb->bar->base);
	brg_bar_unmap(ring->share);
}

bool brg_cmb_has(const struct brg_nvme_ctrl *ctrl, const void *buf, size_t len)
{
	const struct brg_bar *bar = ctrl->cmb ? ctrl->cmb->bar : NULL;

	return bar && brg_bar_ptr(bar, (uintptr_t)buf - (uintptr_t)bar->base, len);
}
