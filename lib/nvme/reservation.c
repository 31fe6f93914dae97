/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reservations (8.19): which of the hosts that share a namespace may read and write it. What a
 * command says with its 16 bytes of keys it says from the memory that it has for a PRP list.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base.h"
#include "command.h"
#include "ctrl.h"

#define IGNORE_KEY     (1u << 3) /* Register, command dword 10: IEKEY */
#define EXTENDED       1u	 /* Report, command dword 11: EDS */
#define EXTENDED_HOST  1u	 /* feature 81h, command dword 11: EXHID */
#define HOST_ID_BYTES  8u
#define EXTENDED_BYTES 16u

/* RESCAP has a bit for each type in the place of its number, and in bit 0 PTPL (5.17.2.1). */
static int needs(const struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, unsigned int rescap,
		 const char *what)
{
	int err = brg_command_needs(qp, NVME_CTRL_ONCS_RESERVATIONS, "reservations");

	if (err || (ns->id.rescap && (ns->id.rescap & rescap) == rescap))
		return err;
	return brg_fail(ENOTSUP, "namespace %" PRIu32 " does not support %s (RESCAP %#x)", ns->nsid,
			what, ns->id.rescap);
}

static int needs_type(const struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
		      enum nvme_resv_rtype type)
{
	char what[40];

	if (type < NVME_RESERVATION_RTYPE_WE || type > NVME_RESERVATION_RTYPE_EAAR)
		return brg_fail(EINVAL, "there is no reservation of type %d: 1 to 6 are", type);
	snprintf(what, sizeof(what), "reservations of type %d", type);
	return needs(qp, ns, 1u << type, what);
}

static int submit_keys(struct brg_nvme_qpair *qp, const struct brg_nvme_sqe *sqe, uint64_t key,
		       uint64_t other, brg_nvme_cb cb, void *arg)
{
	const struct brg_nvme_tracker *tracker = brg_queue_next(qp);
	struct brg_nvme_sqe whole = *sqe;
	uint64_t *keys;

	if (!tracker)
		return brg_queue_full(qp);
	keys = brg_queue_list(qp, tracker->cid);
	keys[0] = key;
	keys[1] = other;
	whole.prp1 = (uintptr_t)keys;
	return brg_nvme_submit(qp, &whole, cb, arg);
}

int brg_nvme_resv_register(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
			   enum nvme_resv_rrega action, uint64_t key, uint64_t new_key,
			   bool ignore_key, enum nvme_resv_cptpl ptpl, brg_nvme_cb cb, void *arg)
{
	const struct brg_nvme_sqe sqe = {
		.opcode = nvme_cmd_resv_register,
		.nsid = ns->nsid,
		.cdw10 = (uint32_t)ptpl << 30 | (ignore_key ? IGNORE_KEY : 0) | action,
	};
	unsigned int rescap = ptpl == NVME_RESERVATION_CPTPL_PERSIST ? NVME_NS_RESCAP_PTPL : 0;
	int err = needs(qp, ns, rescap, "reservations that persist through power loss");

	return err ? err : submit_keys(qp, &sqe, key, new_key, cb, arg);
}

int brg_nvme_resv_acquire(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
			  enum nvme_resv_racqa action, enum nvme_resv_rtype type, uint64_t key,
			  uint64_t preempted_key, brg_nvme_cb cb, void *arg)
{
	const struct brg_nvme_sqe sqe = {
		.opcode = nvme_cmd_resv_acquire,
		.nsid = ns->nsid,
		.cdw10 = (uint32_t)type << 8 | action,
	};
	int err = needs_type(qp, ns, type);

	return err ? err : submit_keys(qp, &sqe, key, preempted_key, cb, arg);
}

int brg_nvme_resv_release(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
			  enum nvme_resv_rrela action, enum nvme_resv_rtype type, uint64_t key,
			  brg_nvme_cb cb, void *arg)
{
	const struct brg_nvme_sqe sqe = {
		.opcode = nvme_cmd_resv_release,
		.nsid = ns->nsid,
		.cdw10 = (uint32_t)type << 8 | action,
	};
	int err = action == NVME_RESERVATION_RRELA_RELEASE ? needs_type(qp, ns, type)
							   : needs(qp, ns, 0, "reservations");

	return err ? err : submit_keys(qp, &sqe, key, 0, cb, arg);
}

int brg_nvme_resv_report(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns, bool extended,
			 struct nvme_resv_status *report, uint32_t len, brg_nvme_cb cb, void *arg)
{
	const struct brg_nvme_sqe sqe = {
		.opcode = nvme_cmd_resv_report,
		.nsid = ns->nsid,
		.cdw10 = len / sizeof(uint32_t) - 1, /* 0's based */
		.cdw11 = extended ? EXTENDED : 0,
	};
	size_t least = extended ? offsetof(struct nvme_resv_status, regctl_eds)
				: offsetof(struct nvme_resv_status, regctl_ds);
	int err = needs(qp, ns, 0, "reservations");

	if (err)
		return err;
	if (len < least || len % sizeof(uint32_t))
		return brg_fail(EINVAL,
				"%" PRIu32 " bytes for a report of reservations: it takes %zu at "
				"least, and a multiple of 4",
				len, least);
	return brg_nvme_submit_data(qp, &sqe, report, len, cb, arg);
}

/* How long it is decides which of the two identifiers is meant (5.27.1.25). */
static int host_id(struct brg_nvme_ctrl *ctrl, void *id, size_t len,
		   int (*get_or_set)(struct brg_nvme_ctrl *, const struct brg_nvme_feature *,
				     uint32_t *))
{
	const struct brg_nvme_feature feature = {
		.fid = NVME_FEAT_FID_HOST_ID,
		.cdw11 = len == EXTENDED_BYTES ? EXTENDED_HOST : 0,
		.data = id,
		.len = len,
	};

	if (len != HOST_ID_BYTES && len != EXTENDED_BYTES)
		return brg_fail(EINVAL, "a host identifier of %zu bytes: it has %u or %u", len,
				HOST_ID_BYTES, EXTENDED_BYTES);
	if (feature.cdw11 && !(ctrl->id.ctratt & NVME_CTRL_CTRATT_128_ID))
		return brg_admin_unsupported(ctrl, "host identifiers of 128 bits", "CTRATT",
					     ctrl->id.ctratt);
	return get_or_set(ctrl, &feature, NULL);
}

int brg_nvme_host_id_get(struct brg_nvme_ctrl *ctrl, void *id, size_t len)
{
	return host_id(ctrl, id, len, brg_nvme_feature_get);
}

int brg_nvme_host_id_set(struct brg_nvme_ctrl *ctrl, const void *id, size_t len)
{
	/* Only read from. */
	return host_id(ctrl, (void *)(uintptr_t)id, len, brg_nvme_feature_set);
}
