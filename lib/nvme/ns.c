/* SPDX-License-Identifier: BSD-3-Clause */
/* Namespaces: which are active, and what the data path needs to know of one. */

#include <errno.h>
#include <inttypes.h>
#include <rte_common.h>
#include <string.h>

#include "base.h"
#include "ctrl.h"

int brg_nvme_ns_list(struct brg_nvme_ctrl *ctrl, uint32_t *nsids, unsigned int max)
{
	struct nvme_ns_list list;
	unsigned int count = 0, i;
	uint32_t after = 0; /* the controller lists those above it */
	int err;

	while (count < max) {
		err = brg_admin_identify(ctrl, NVME_IDENTIFY_CNS_NS_ACTIVE_LIST, after, &list);
		if (err)
			return err;
		for (i = 0; i < NVME_ID_NS_LIST_MAX && list.ns[i] && count < max; i++)
			nsids[count++] = after = list.ns[i];
		if (i < NVME_ID_NS_LIST_MAX)
			break;
	}
	return count;
}

static const struct nvme_lbaf *format_of(const struct brg_nvme_ns *ns)
{
	return &ns->id.lbaf[brg_nvme_format_in_use(&ns->id)];
}

/* What every namespace has, whatever its format. */
static int identify_ns(struct brg_nvme_ctrl *ctrl, uint32_t nsid, struct brg_nvme_ns *ns)
{
	unsigned int shift;
	int err;

	if (nsid == NVME_NSID_NONE || nsid == NVME_NSID_ALL)
		return brg_fail(ENOENT, "%s: %" PRIu32 " is not a namespace", ctrl->bdf, nsid);
	err = brg_admin_identify(ctrl, NVME_IDENTIFY_CNS_NS, nsid, &ns->id);
	if (err)
		return err;
	if (!ns->id.nsze) /* an inactive one is all zeroes (5.17.2.1) */
		return brg_fail(ENOENT, "%s: namespace %" PRIu32 " is not active", ctrl->bdf, nsid);
	shift = format_of(ns)->ds;
	if (shift < 9 || shift > 31)
		return brg_fail(EIO, "%s: namespace %" PRIu32 " claims blocks of 2^%u bytes",
				ctrl->bdf, nsid, shift);
	ns->nsid = nsid;
	ns->block_size = UINT32_C(1) << shift;
	ns->blocks = ns->id.nsze;
	ns->metadata = format_of(ns)->ms;
	ns->simple_end = 0;
	if (!ns->metadata && ns->block_size <= BRG_PRP_PAGE &&
	    ns->blocks >= BRG_PRP_PAGE / ns->block_size)
		ns->simple_end = BRG_SIMPLE_END(ns->block_size);
	return 0;
}

int brg_nvme_ns_get(struct brg_nvme_ctrl *ctrl, uint32_t nsid, struct brg_nvme_ns *ns)
{
	int err = identify_ns(ctrl, nsid, ns);

	if (err)
		return err;
	if (ns->metadata)
		return brg_fail(ENOTSUP,
				"%s: namespace %" PRIu32 " has %u bytes of metadata per block; "
				"format it without",
				ctrl->bdf, nsid, ns->metadata);
	return 0;
}

/* Guards of 32 and 64 bits come with formats that the NVM command set's own page describes. */
static int check_guard(struct brg_nvme_ctrl *ctrl, const struct brg_nvme_ns *ns)
{
	const struct brg_nvme_identify what = {
		.cns = NVME_IDENTIFY_CNS_CSI_NS, .csi = NVME_CSI_NVM, .nsid = ns->nsid};
	struct nvme_nvm_id_ns id;

	if (!(NVME_CAP_CSS(ctrl->cap) & NVME_CAP_CSS_CSI) || brg_nvme_identify(ctrl, &what, &id))
		return 0; /* there is no such page, and so no such guard */
	if (id.elbaf[brg_nvme_format_in_use(&ns->id)] >> 7 & 3)
		return brg_fail(ENOTSUP,
				"%s: namespace %" PRIu32 " has a guard of more than 16 bits",
				ctrl->bdf, ns->nsid);
	return 0;
}

int brg_nvme_ns_get_meta(struct brg_nvme_ctrl *ctrl, uint32_t nsid, struct brg_nvme_ns *ns,
			 struct brg_nvme_meta *meta)
{
	int err = identify_ns(ctrl, nsid, ns);

	if (err)
		return err;
	*meta = (struct brg_nvme_meta){
		.bytes = ns->metadata,
		.extended = ns->id.flbas & NVME_NS_FLBAS_META_EXT,
		.pi_type = ns->id.dps & NVME_NS_DPS_PI_MASK,
		.pi_first = ns->id.dps & NVME_NS_DPS_PI_FIRST,
	};
	if (meta->pi_type && meta->bytes < 8)
		return brg_fail(EIO,
				"%s: namespace %" PRIu32
				" claims protection information in %u bytes of metadata",
				ctrl->bdf, nsid, meta->bytes);
	return meta->pi_type ? check_guard(ctrl, ns) : 0;
}
