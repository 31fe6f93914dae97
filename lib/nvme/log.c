/* SPDX-License-Identifier: BSD-3-Clause */
/* Log pages (5.16), read in pieces that every controller can transfer. */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base.h"
#include "ctrl.h"
#include "prp.h"

/* Without LPA bit 2 the number of dwords has 12 bits, as before NVMe 1.2.1. */
#define MOST_AT_ONCE	(4096 * sizeof(uint32_t))

#define TELEMETRY_BLOCK 512u /* unit of its data areas, and size of its header */

static int read_piece(struct brg_nvme_ctrl *ctrl, const struct brg_nvme_log *log, uint64_t offset,
		      void *data, size_t len, bool retain)
{
	uint32_t last = len / sizeof(uint32_t) - 1; /* 0's based */
	struct brg_nvme_sqe sqe = {
		.opcode = nvme_admin_get_log_page,
		.nsid = log->nsid ? log->nsid : NVME_NSID_ALL,
		.cdw10 = last << 16 | (uint32_t)retain << 15 | (log->lsp & 0x7fu) << 8 | log->lid,
		.cdw11 = (uint32_t)log->lsi << 16 | last >> 16,
		.cdw12 = offset,
		.cdw13 = offset >> 32,
		.cdw14 = (uint32_t)log->csi << 24,
	};

	return brg_nvme_admin(ctrl, &sqe, data, len, NULL);
}

/* A controller without a log page says Invalid Log Page, or just Invalid Field. */
static int explain(const struct brg_nvme_log *log, int err)
{
	if (err != -EINVAL)
		return err;
	return brg_fail(EINVAL, "%s: it has no log page %#x, or not with these arguments",
			brg_errmsg(), log->lid);
}

int brg_nvme_log_read(struct brg_nvme_ctrl *ctrl, const struct brg_nvme_log *log, void *data,
		      size_t len)
{
	bool extended = ctrl->id.lpa & NVME_CTRL_LPA_EXTENDED;
	size_t piece = BRG_PRP_PAGE, done;
	int err = 0;

	if (!len || len % sizeof(uint32_t) || log->offset % sizeof(uint32_t))
		return brg_fail(EINVAL,
				"log page %#x: %zu bytes at offset %" PRIu64
				": both must be multiples of 4, and the first not 0",
				log->lid, len, log->offset);
	if (!extended && (log->offset || len > MOST_AT_ONCE))
		return brg_admin_unsupported(ctrl, "offsets into log pages", "LPA", ctrl->id.lpa);
	if (!extended)
		piece = MOST_AT_ONCE;
	for (done = 0; !err && done < len; done += piece) {
		piece = RTE_MIN(piece, len - done);
		err = read_piece(ctrl, log, log->offset + done, (uint8_t *)data + done, piece,
				 log->retain || done + piece < len);
	}
	return explain(log, err);
}

size_t brg_nvme_log_bytes(const struct brg_nvme_ctrl *ctrl, uint8_t lid)
{
	switch (lid) {
	case NVME_LOG_LID_SUPPORTED_LOG_PAGES:
		return sizeof(struct nvme_supported_log_pages);
	case NVME_LOG_LID_ERROR:
		return (ctrl->id.elpe + 1) * sizeof(struct nvme_error_log_page);
	case NVME_LOG_LID_SMART:
		return sizeof(struct nvme_smart_log);
	case NVME_LOG_LID_FW_SLOT:
		return sizeof(struct nvme_firmware_slot);
	case NVME_LOG_LID_CHANGED_NS:
		return sizeof(struct nvme_ns_list);
	case NVME_LOG_LID_CMD_EFFECTS:
		return sizeof(struct nvme_cmd_effects_log);
	case NVME_LOG_LID_DEVICE_SELF_TEST:
		return sizeof(struct nvme_self_test_log);
	case NVME_LOG_LID_ENDURANCE_GROUP:
		return sizeof(struct nvme_endurance_group_log);
	case NVME_LOG_LID_FDP_STATS:
		return sizeof(struct nvme_fdp_stats_log);
	case NVME_LOG_LID_FDP_EVENTS:
		return sizeof(struct nvme_fdp_events_log);
	case NVME_LOG_LID_SANITIZE:
		return sizeof(struct nvme_sanitize_log_page);
	case NVME_LOG_LID_ZNS_CHANGED_ZONES:
		return sizeof(struct nvme_zns_changed_zone_log);
	default:
		return 0;
	}
}

/* Data areas follow the header; each includes those before it (5.16.1.8). */
static size_t telemetry_bytes(const struct nvme_telemetry_log *header, unsigned int area)
{
	const uint16_t last_block[] = {header->dalb1, header->dalb2, header->dalb3};

	return (last_block[area - 1] + (size_t)1) * TELEMETRY_BLOCK;
}

static uint8_t generation(const struct nvme_telemetry_log *header, enum nvme_cmd_get_log_lid lid)
{
	return lid == NVME_LOG_LID_TELEMETRY_HOST ? header->hostdgn : header->ctrldgn;
}

int brg_nvme_telemetry(struct brg_nvme_ctrl *ctrl, enum nvme_cmd_get_log_lid lid, bool create,
		       unsigned int area, void **data, size_t *len)
{
	/* Log specific field bit 0: create the host-initiated data now. */
	struct brg_nvme_log log = {.lid = lid, .lsp = create, .retain = true};
	uint8_t header[TELEMETRY_BLOCK], after[TELEMETRY_BLOCK];
	void *all;
	int err;

	if (!(ctrl->id.lpa & NVME_CTRL_LPA_TELEMETRY))
		return brg_admin_unsupported(ctrl, "telemetry logs", "LPA", ctrl->id.lpa);
	if (area < 1 || area > 3)
		return brg_fail(EINVAL, "telemetry data area %u is not within 1 to 3", area);
	err = brg_nvme_log_read(ctrl, &log, header, sizeof(header));
	if (err)
		return err;
	log.lsp = 0;
	*len = telemetry_bytes((const void *)header, area);
	all = malloc(*len);
	if (!all)
		return brg_fail(ENOMEM, "no memory for %zu bytes of telemetry", *len);
	err = brg_nvme_log_read(ctrl, &log, all, *len);
	if (!err)
		err = brg_nvme_log_read(ctrl, &log, after, sizeof(after));
	/* The length is the first header's: what was replaced after that may have another. */
	if (!err && generation((const void *)after, lid) != generation((const void *)header, lid))
		err = brg_fail(EAGAIN, "%s: the controller has replaced its telemetry meanwhile",
			       ctrl->bdf);
	if (err) {
		free(all);
		return err;
	}
	*data = all;
	return 0;
}
