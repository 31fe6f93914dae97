/* SPDX-License-Identifier: BSD-3-Clause */
/* From an open device to a ready controller that is identified, and back (3.5.1, 3.6.1). */

#include <errno.h>
#include <inttypes.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "base.h"
#include "brg_dma.h"
#include "cmb.h"
#include "ctrl.h"
#include "prp.h"

#define ADMIN_DEPTH	 (BRG_PRP_PAGE / sizeof(struct brg_nvme_sqe)) /* one page */
#define ADMIN_TIMEOUT_MS 10000
#define IO_TIMEOUT_MS	 30000

static int check_capabilities(struct brg_nvme_ctrl *ctrl)
{
	ctrl->cap = brg_bar_read64(ctrl->bar, NVME_REG_CAP);
	if (ctrl->cap == UINT64_MAX)
		return brg_ctrl_gone(ctrl);
	if (!(NVME_CAP_CSS(ctrl->cap) & NVME_CAP_CSS_NVM))
		return brg_fail(ENOTSUP, "%s: no NVM command set (CAP %#" PRIx64 ")", ctrl->bdf,
				ctrl->cap);
	if (NVME_CAP_MPSMIN(ctrl->cap))
		return brg_fail(ENOTSUP,
				"%s: its smallest memory page is %" PRIu64
				" KiB, the host's is 4 KiB",
				ctrl->bdf, UINT64_C(4) << NVME_CAP_MPSMIN(ctrl->cap));
	return 0;
}

/* MDTS is a power of two in units of the smallest memory page; 0 is no limit (5.17.2.1). */
static size_t max_transfer(const struct brg_nvme_ctrl *ctrl)
{
	if (!ctrl->id.mdts || ctrl->id.mdts > 9)
		return BRG_PRP_MAX_TRANSFER;
	return BRG_PRP_PAGE << ctrl->id.mdts;
}

static int bring_up(struct brg_nvme_ctrl *ctrl, const struct brg_nvme_opts *opts)
{
	static const struct brg_queue_opts admin_queue = {.depth = ADMIN_DEPTH,
							  .cq_depth = ADMIN_DEPTH};
	unsigned int queues = opts->io_queues ? opts->io_queues : rte_lcore_count();
	int err;

	err = check_capabilities(ctrl);
	if (err)
		return err;
	/* Whatever had the device before may have left it running, with addresses of its own:
	 * it must be stopped before it may do DMA again. */
	err = brg_ctrl_disable(ctrl);
	if (err)
		return err;
	err = brg_device_set_bus_master(ctrl->dev, true);
	if (err)
		return err;
	ctrl->admin_page = brg_ctrl_alloc(ctrl, BRG_PRP_PAGE, BRG_PRP_PAGE);
	if (!ctrl->admin_page)
		return brg_fail(ENOMEM, "%s: EAL has not a page of memory left", ctrl->bdf);
	err = brg_qpair_alloc(ctrl, ctrl->bar, 0, &admin_queue, &ctrl->admin);
	if (err)
		return err;
	err = brg_ctrl_enable(ctrl);
	if (err)
		return err;
	err = brg_admin_identify(ctrl, NVME_IDENTIFY_CNS_CTRL, 0, &ctrl->id);
	if (err)
		return err;
	ctrl->max_transfer = max_transfer(ctrl);
	err = brg_admin_set_queues(ctrl, queues);
	if (err < 0)
		return err;
	ctrl->qpairs = calloc(err + 1, sizeof(*ctrl->qpairs));
	if (!ctrl->qpairs)
		return brg_fail(ENOMEM, "out of memory");
	ctrl->granted = err;
	err = opts->interrupts ? brg_ctrl_connect_vectors(ctrl) : 0;
	if (err)
		return err;
	if (!opts->no_shadow_doorbells)
		err = brg_ctrl_alloc_shadows(ctrl);
	return err ? err : brg_ctrl_set_shadows(ctrl);
}

/* Leave the controller disabled, and all of its memory released. */
static void take_down(struct brg_nvme_ctrl *ctrl)
{
	unsigned int qid;

	if (brg_ctrl_disable(ctrl))
		BRG_LOG(WARNING, "%s", brg_errmsg());
	/* A controller that would not stop still cannot reach the memory that goes back now. */
	brg_device_set_bus_master(ctrl->dev, false);
	for (qid = 1; qid <= ctrl->granted; qid++)
		if (ctrl->qpairs[qid])
			ctrl->qpairs[qid]->has_rings = false;
	brg_qpair_free_orphans(ctrl);
	brg_ctrl_disconnect_vectors(ctrl);
	free(ctrl->qpairs);
	brg_cmb_release(ctrl);
	brg_pmr_release(ctrl);
	brg_hmb_release(ctrl);
	brg_qpair_release(ctrl->admin);
	rte_free(ctrl->shadows);
	rte_free(ctrl->admin_page);
	brg_dma_detach(ctrl->dev);
	brg_bar_unmap(ctrl->bar);
	free(ctrl);
}

int brg_nvme_open(struct brg_device *dev, const struct brg_nvme_opts *opts,
		  struct brg_nvme_ctrl **out)
{
	static const struct brg_nvme_opts defaults;
	struct brg_nvme_ctrl *ctrl = calloc(1, sizeof(*ctrl));
	struct brg_bar_opts bar;
	char why[512];
	int err;

	if (!ctrl)
		return brg_fail(ENOMEM, "out of memory");
	if (!opts)
		opts = &defaults;
	ctrl->dev = dev;
	ctrl->bdf = brg_device_get_info(dev)->bdf;
	ctrl->admin_timeout_ms = opts->admin_timeout_ms ? opts->admin_timeout_ms : ADMIN_TIMEOUT_MS;
	ctrl->io_timeout_ms = opts->io_timeout_ms ? opts->io_timeout_ms : IO_TIMEOUT_MS;
	ctrl->on_timeout = opts->on_timeout;
	ctrl->timeout_arg = opts->timeout_arg;
	bar = opts->bar;
	if (!bar.lcores) /* at a time: queue pairs share it as the kernel allows */
		bar.lcores = 1;
	err = brg_bar_map(dev, 0, &bar, &ctrl->bar);
	if (err)
		goto free_ctrl;
	if (!brg_bar_ptr(ctrl->bar, 0, BRG_REG_DOORBELLS)) {
		err = brg_fail(EINVAL, "%s: the mapping leaves out registers of BAR 0", ctrl->bdf);
		goto unmap;
	}
	err = brg_dma_attach(dev);
	if (err)
		goto unmap;
	err = bring_up(ctrl, opts);
	if (err) {
		snprintf(why, sizeof(why), "%s", brg_errmsg());
		take_down(ctrl);
		return brg_fail(-err, "%s", why); /* not why taking it down failed as well */
	}
	/* Queue pairs look whether the kernel wants the device back: see brg_watch(). */
	if (brg_device_request_fd(dev) < 0)
		BRG_LOG(WARNING, "%s: unplugging it will wait for us: %s", ctrl->bdf, brg_errmsg());
	brg_telemetry_add(ctrl);
	*out = ctrl;
	return 0;

unmap:
	brg_bar_unmap(ctrl->bar);
free_ctrl:
	free(ctrl);
	return err;
}

void brg_nvme_close(struct brg_nvme_ctrl *ctrl)
{
	unsigned int qid;

	if (!ctrl)
		return;
	brg_telemetry_remove(ctrl);
	for (qid = 1; qid <= ctrl->granted; qid++)
		brg_nvme_qpair_free(ctrl->qpairs[qid]);
	if (ctrl->hmb && brg_nvme_hmb_disable(ctrl)) /* its memory then goes when it is disabled */
		BRG_LOG(WARNING, "%s", brg_errmsg());
	if (brg_ctrl_shutdown(ctrl))
		BRG_LOG(WARNING, "%s", brg_errmsg());
	take_down(ctrl);
}

const struct nvme_id_ctrl *brg_nvme_id_ctrl(const struct brg_nvme_ctrl *ctrl)
{
	return &ctrl->id;
}

const struct brg_bar *brg_nvme_bar(const struct brg_nvme_ctrl *ctrl)
{
	return ctrl->bar;
}

size_t brg_nvme_max_transfer(const struct brg_nvme_ctrl *ctrl)
{
	return ctrl->max_transfer;
}

unsigned int brg_nvme_max_qpairs(const struct brg_nvme_ctrl *ctrl)
{
	return ctrl->granted;
}
