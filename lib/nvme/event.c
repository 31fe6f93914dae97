/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Asynchronous events (5.2). Their requests wait in the admin queue among the other commands; any
 * poll of that queue may find one completed, in the middle of somebody's admin command. What it
 * says is kept until brg_nvme_events_poll(), whose callback is then free to send admin commands,
 * and only then is the request sent anew: there are never more events kept than there were
 * requests.
 */

#include <errno.h>
#include <string.h>

#include "base.h"
#include "ctrl.h"

/* Notices in feature 0Bh are in the places that they have in OAES, below those of SMART. */
#define SMART_EVENTS 0x1fu

static void on_event(void *arg, const struct brg_nvme_cqe *cqe)
{
	struct brg_events *events = arg;

	if (brg_nvme_status(cqe)) /* aborted, or over the controller's limit: one request less */
		return;
	events->pending[events->npending++] = (struct brg_nvme_event){
		.type = cqe->dw0 & 7,
		.info = cqe->dw0 >> 8 & 0xff,
		.lid = cqe->dw0 >> 16 & 0xff,
	};
}

static int request(struct brg_nvme_ctrl *ctrl)
{
	const struct brg_nvme_sqe sqe = {.opcode = nvme_admin_async_event};

	return brg_nvme_submit(ctrl->admin, &sqe, on_event, &ctrl->events);
}

int brg_nvme_events_listen(struct brg_nvme_ctrl *ctrl, uint32_t mask, brg_nvme_event_cb cb,
			   void *arg)
{
	struct brg_nvme_feature which = {
		.fid = NVME_FEAT_FID_ASYNC_EVENT,
		.cdw11 = mask ? mask : ctrl->id.oaes | SMART_EVENTS,
	};
	unsigned int n = RTE_MIN(ctrl->id.aerl + 1u, BRG_MOST_EVENTS);
	int err;

	if (ctrl->events.cb)
		return brg_fail(EBUSY, "%s: its events are listened to already", ctrl->bdf);
	err = brg_nvme_feature_set(ctrl, &which, NULL);
	pthread_mutex_lock(&ctrl->lock);
	while (!err && n-- > 0)
		err = request(ctrl);
	pthread_mutex_unlock(&ctrl->lock);
	if (err)
		return err;
	ctrl->events.mask = which.cdw11;
	ctrl->events.cb = cb;
	ctrl->events.arg = arg;
	return 0;
}

/* What arrived before the reset and was not told is about a controller that is no more. */
int brg_events_again(struct brg_nvme_ctrl *ctrl)
{
	brg_nvme_event_cb cb = ctrl->events.cb;

	if (!cb)
		return 0;
	ctrl->events.cb = NULL;
	ctrl->events.npending = 0;
	return brg_nvme_events_listen(ctrl, ctrl->events.mask, cb, ctrl->events.arg);
}

int brg_nvme_events_poll(struct brg_nvme_ctrl *ctrl)
{
	struct brg_events *events = &ctrl->events;
	struct brg_nvme_event event;
	int told = 0, err;

	if (ctrl->failed)
		return brg_admin_failed(ctrl);
	pthread_mutex_lock(&ctrl->lock);
	err = brg_nvme_poll(ctrl->admin, 0);
	pthread_mutex_unlock(&ctrl->lock);
	while (err >= 0 && events->npending) {
		event = events->pending[0];
		events->npending--;
		memmove(events->pending, events->pending + 1,
			events->npending * sizeof(events->pending[0]));
		events->cb(events->arg, &event);
		told++;
		pthread_mutex_lock(&ctrl->lock);
		err = request(ctrl);
		pthread_mutex_unlock(&ctrl->lock);
	}
	return err < 0 ? err : told;
}

static const char *const errors[] = {
	[NVME_AER_ERROR_INVALID_DB_REG] = "a doorbell that does not exist was written",
	[NVME_AER_ERROR_INVALID_DB_VAL] = "a doorbell was written with an invalid value",
	[NVME_AER_ERROR_DIAG_FAILURE] = "diagnostic failure",
	[NVME_AER_ERROR_PERSISTENT_INTERNAL_ERROR] = "persistent internal error",
	[NVME_AER_ERROR_TRANSIENT_INTERNAL_ERROR] = "transient internal error",
	[NVME_AER_ERROR_FW_IMAGE_LOAD_ERROR] = "the firmware image could not be loaded",
};

static const char *const smart[] = {
	[NVME_AER_SMART_SUBSYSTEM_RELIABILITY] = "the device's reliability is degraded",
	[NVME_AER_SMART_TEMPERATURE_THRESHOLD] = "temperature beyond a threshold",
	[NVME_AER_SMART_SPARE_THRESHOLD] = "available spare below its threshold",
};

static const char *const notices[] = {
	[NVME_AER_NOTICE_NS_CHANGED] = "namespaces have changed",
	[NVME_AER_NOTICE_FW_ACT_STARTING] = "firmware activation is starting",
	[NVME_AER_NOTICE_TELEMETRY] = "the controller has collected telemetry",
	[NVME_AER_NOTICE_ANA] = "asymmetric access has changed",
	[NVME_AER_NOTICE_PL_EVENT] = "predictable latency event",
	[NVME_AER_NOTICE_LBA_STATUS_ALERT] = "blocks may be unreadable",
	[NVME_AER_NOTICE_EG_EVENT] = "endurance group event",
};

static const char *const command_set[] = {
	[NVME_AER_CSS_NVM_RESERVATION] = "reservations have changed",
	[NVME_AER_CSS_NVM_SANITIZE_COMPLETED] = "sanitize has ended",
	[NVME_AER_CSS_NVM_UNEXPECTED_SANITIZE_DEALLOC] =
		"sanitize has ended and deallocated blocks",
};

static const struct {
	const char *const *names;
	unsigned int count;
	const char *other;
} types[8] = {
	[NVME_AER_ERROR] = {errors, RTE_DIM(errors), "error of an unknown kind"},
	[NVME_AER_SMART] = {smart, RTE_DIM(smart), "health event of an unknown kind"},
	[NVME_AER_NOTICE] = {notices, RTE_DIM(notices), "notice of an unknown kind"},
	[NVME_AER_CSS] = {command_set, RTE_DIM(command_set), "event of the I/O command set"},
	[NVME_AER_VS] = {.other = "vendor specific event"},
};

const char *brg_nvme_event_str(const struct brg_nvme_event *event)
{
	unsigned int type = event->type & 7;

	if (event->info < types[type].count && types[type].names[event->info])
		return types[type].names[event->info];
	return types[type].other ? types[type].other : "event of a reserved type";
}
