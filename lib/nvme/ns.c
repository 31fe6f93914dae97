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

/* Identify Namespace, FLBAS: bits 6:5 extend the index where there are more than 16 formats. */
static const struct nvme_lbaf *format_in_use(const struct nvme_id_ns *id)
{
	unsigned int index = id->flbas & NVME_NS_FLBAS_LOWER_MASK;

	if (id->nlbaf > 15)
		index |= (id->flbas & NVME_NS_FLBAS_HIGHER_MASK) >> 1;
	return &id->lbaf[index];
}

int brg_nvme_ns_get(struct brg_nvme_ctrl *ctrl, uint32_t nsid, struct brg_nvme_ns *ns)
{
	const struct nvme_lbaf *format;
	int err;

	if (nsid == NVME_NSID_NONE || nsid == NVME_NSID_ALL)
		return brg_fail(ENOENT, "%s: %" PRIu32 " is not a namespace", ctrl->bdf, nsid);
	err = brg_admin_identify(ctrl, NVME_IDENTIFY_CNS_NS, nsid, &ns->id);
	if (err)
		return err;
	if (!ns->id.nsze) /* an inactive one is all zeroes (5.17.2.1) */
		return brg_fail(ENOENT, "%s: namespace %" PRIu32 " is not active", ctrl->bdf, nsid);
	format = format_in_use(&ns->id);
	if (format->ms)
		return brg_fail(ENOTSUP,
				"%s: namespace %" PRIu32 " has %u bytes of metadata per block; "
				"format it without",
				ctrl->bdf, nsid, format->ms);
	if (format->ds < 9 || format->ds > 31)
		return brg_fail(EIO, "%s: namespace %" PRIu32 " claims blocks of 2^%u bytes",
				ctrl->bdf, nsid, format->ds);
	ns->nsid = nsid;
	ns->block_size = UINT32_C(1) << format->ds;
	ns->blocks = ns->id.nsze;
	return 0;
}
