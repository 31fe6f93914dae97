/* SPDX-License-Identifier: BSD-3-Clause */
/* Features (5.15, 5.27): what a controller can be told about how to work, and what it says. */

#include <errno.h>
#include <inttypes.h>

#include "base.h"
#include "ctrl.h"

#define SAVE (UINT32_C(1) << 31)

/* Command dword 11 of two of them (5.27.1.3, 5.27.1.25). */
#define LBA_RANGE_NUM 0x3fu /* 0's based */
#define EXHID	      1u

static int explain(const struct brg_nvme_feature *feature, int err)
{
	if (err != -EINVAL)
		return err;
	return brg_fail(EINVAL, "%s: it has no feature %#x, or not with these arguments",
			brg_errmsg(), feature->fid);
}

static int run(struct brg_nvme_ctrl *ctrl, enum nvme_admin_opcode opcode, uint32_t cdw10,
	       const struct brg_nvme_feature *feature, uint32_t *value)
{
	struct brg_nvme_sqe sqe = {
		.opcode = opcode,
		.nsid = feature->nsid,
		.cdw10 = cdw10,
		.cdw11 = feature->cdw11,
		.cdw12 = feature->cdw12,
	};
	struct brg_nvme_cqe cqe;
	int err;

	if (cdw10 != feature->fid && !(ctrl->id.oncs & NVME_CTRL_ONCS_SAVE_FEATURES))
		return brg_admin_unsupported(ctrl, "saved and default values of features", "ONCS",
					     ctrl->id.oncs);
	err = brg_nvme_admin(ctrl, &sqe, feature->data, feature->len, &cqe);
	if (err)
		return explain(feature, err);
	if (value)
		*value = cqe.dw0;
	return 0;
}

/* A host identifier is of 16 bytes where EXHID asks for that. */
static size_t bytes_of(const struct brg_nvme_feature *feature)
{
	if (feature->fid == NVME_FEAT_FID_HOST_ID && feature->cdw11 & EXHID)
		return 16;
	return brg_nvme_feature_bytes(feature->fid);
}

/* Two of them are lists, of as many entries as dword 11 says. */
static size_t bytes_to_set(const struct brg_nvme_feature *feature)
{
	switch (feature->fid) {
	case NVME_FEAT_FID_LBA_RANGE:
		return sizeof(struct nvme_lba_range_type_entry) *
		       ((feature->cdw11 & LBA_RANGE_NUM) + 1);
	case NVME_FEAT_FID_FDP_EVENTS:
		return feature->cdw11 >> 16 & 0xff; /* NOET */
	default:
		return bytes_of(feature);
	}
}

int brg_nvme_feature_get(struct brg_nvme_ctrl *ctrl, const struct brg_nvme_feature *feature,
			 uint32_t *value)
{
	uint32_t cdw10 = (feature->select & 7u) << 8 | feature->fid;
	size_t bytes = bytes_of(feature);

	/* The controller would write it to address 0, or behind the buffer. */
	if (feature->select != NVME_GET_FEATURES_SEL_SUPPORTED && feature->len < bytes)
		return brg_fail(EINVAL, "feature %#x has %zu bytes of data; there is room for %zu",
				feature->fid, bytes, feature->len);
	return run(ctrl, nvme_admin_get_features, cdw10, feature, value);
}

int brg_nvme_feature_set(struct brg_nvme_ctrl *ctrl, const struct brg_nvme_feature *feature,
			 uint32_t *value)
{
	uint32_t cdw10 = (feature->save ? SAVE : 0) | feature->fid;
	size_t bytes = bytes_to_set(feature);

	/* Queue pairs exist by the number that was negotiated when the controller was opened. */
	if (feature->fid == NVME_FEAT_FID_NUM_QUEUES)
		return brg_fail(EINVAL,
				"%s: the number of queues is set when the controller is "
				"opened",
				ctrl->bdf);
	/* Where the memory is takes more dwords than a feature has here, and would be address 0. */
	if (feature->fid == NVME_FEAT_FID_HOST_MEM_BUF)
		return brg_fail(EINVAL,
				"%s: a host memory buffer is set by brg_nvme_hmb_enable() and "
				"brg_nvme_hmb_disable()",
				ctrl->bdf);
	/* The controller would read the rest from address 0, or what an earlier command left. */
	if (feature->len < bytes)
		return brg_fail(EINVAL, "feature %#x has %zu bytes of data; %zu are given",
				feature->fid, bytes, feature->len);
	return run(ctrl, nvme_admin_set_features, cdw10, feature, value);
}

size_t brg_nvme_feature_bytes(uint8_t fid)
{
	switch (fid) {
	case NVME_FEAT_FID_LBA_RANGE:
		return sizeof(struct nvme_lba_range_type);
	case NVME_FEAT_FID_AUTO_PST:
		return sizeof(struct nvme_feat_auto_pst);
	case NVME_FEAT_FID_HOST_MEM_BUF:
		return sizeof(struct nvme_host_mem_buf_attrs);
	case NVME_FEAT_FID_TIMESTAMP:
		return sizeof(struct nvme_timestamp);
	case NVME_FEAT_FID_PLM_CONFIG:
		return sizeof(struct nvme_plm_config);
	case NVME_FEAT_FID_HOST_BEHAVIOR:
		return sizeof(struct nvme_feat_host_behavior);
	case NVME_FEAT_FID_FDP_EVENTS: /* for as many event types as command dword 11 can say */
		return UINT8_MAX * sizeof(struct nvme_fdp_supported_event_desc);
	case NVME_FEAT_FID_ENH_CTRL_METADATA:
	case NVME_FEAT_FID_CTRL_METADATA:
	case NVME_FEAT_FID_NS_METADATA:
		return sizeof(struct nvme_host_metadata);
	case NVME_FEAT_FID_HOST_ID:
		return 8;
	default:
		return 0;
	}
}

static int timestamp(struct brg_nvme_ctrl *ctrl, struct nvme_timestamp *data,
		     int (*get_or_set)(struct brg_nvme_ctrl *, const struct brg_nvme_feature *,
				       uint32_t *))
{
	const struct brg_nvme_feature feature = {
		.fid = NVME_FEAT_FID_TIMESTAMP,
		.data = data,
		.len = sizeof(*data),
	};

	if (!(ctrl->id.oncs & NVME_CTRL_ONCS_TIMESTAMP))
		return brg_admin_unsupported(ctrl, "timestamps", "ONCS", ctrl->id.oncs);
	return get_or_set(ctrl, &feature, NULL);
}

int brg_nvme_timestamp_get(struct brg_nvme_ctrl *ctrl, uint64_t *ms)
{
	struct nvme_timestamp data;
	int err = timestamp(ctrl, &data, brg_nvme_feature_get);
	unsigned int i;

	if (err)
		return err;
	for (*ms = 0, i = sizeof(data.timestamp); i-- > 0;) /* 48 bits, little-endian */
		*ms = *ms << 8 | data.timestamp[i];
	return 0;
}

int brg_nvme_timestamp_set(struct brg_nvme_ctrl *ctrl, uint64_t ms)
{
	struct nvme_timestamp data = {0};

	if (ms >> 48)
		return brg_fail(EINVAL, "a timestamp of %" PRIu64 " ms has more than 48 bits", ms);
	for (unsigned int i = 0; i < sizeof(data.timestamp); i++)
		data.timestamp[i] = ms >> 8 * i;
	return timestamp(ctrl, &data, brg_nvme_feature_set);
}
