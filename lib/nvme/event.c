/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Asynchronous events (5.2). Their requests wait in the admin queue among the other commands; any
 * poll of that queue may find one completed, in the middle of somebody's admin command. What it
 * says is kept until brg_nvme_events_poll(), whose callback is then free to send admin commands,
 * and only then is the request sent anew: requests that wait and events that are kept are together
 * no more than there is room for.
 *
 * Whoever polls the admin queue has the controller's lock, and so has all that is done here but the
 * user's callback.
 */

#include <errno.h>
#include <string.h>

#include "base.h"
#include "ctrl.h"

/* Notices in feature 0Bh are in the places that they have in OAES, below them those of SMART. Two
 * are told of elsewhere: telemetry by LPA, and the Persistent Memory Region by CAP (5.27.1.8). */
#define SMART_EVENTS	 0x1fu
#define PMR_EVENT	 (UINT32_C(1) << 5)
#define TELEMETRY_NOTICE (UINT32_C(1) << 10)

static uint32_t all_notices(const struct brg_nvme_ctrl *ctrl)
{
	return ctrl->id.oaes | SMART_EVENTS | (NVME_CAP_PMRS(ctrl->cap) ? PMR_EVENT : 0) |
	       (ctrl->id.lpa & NVME_CTRL_LPA_TELEMETRY ? TELEMETRY_NOTICE : 0);
}

static void on_event(void *arg, const struct brg_nvme_cqe *cqe)
{
	struct brg_events *events = arg;

	events->requested--;
	if (brg_nvme_status(cqe)) { /* aborted, or over the controller's limit: not sent anew */
		events->most--;
		return;
	}
	if (events->npending == BRG_MOST_EVENTS)
		return;
	events->pending[events->npending++] = (struct brg_nvme_event){
		.type = cqe->dw0 & 7,
		.info = cqe->dw0 >> 8 & 0xff,
		.lid = cqe->dw0 >> 16 & 0xff,
	};
}

static int send_requests(struct brg_nvme_ctrl *ctrl)
{
	const struct brg_nvme_sqe sqe = {.opcode = nvme_admin_async_event};
	struct brg_events *events = &ctrl->events;
	int err = 0;

	while (!err && events->requested + events->npending < events->most) {
		err = brg_nvme_submit(ctrl->admin, &sqe, on_event, events);
		events->requested += !err;
	}
	return err;
}

static int turn_on(struct brg_nvme_ctrl *ctrl, uint32_t mask)
{
	const struct brg_nvme_sqe sqe = {
		.opcode = nvme_admin_set_features,
		.cdw10 = NVME_FEAT_FID_ASYNC_EVENT,
		.cdw11 = mask,
	};
	int err = brg_admin_run(ctrl, &sqe, NULL);

	if (err)
		return err;
	ctrl->events.most = RTE_MIN(ctrl->id.aerl + 1u, BRG_MOST_EVENTS);
	ctrl->events.is_on = true;
	return 0;
}

/* Do what is yet to do, or again, for the controller to tell the listener of events. */
static int keep_listening(struct brg_nvme_ctrl *ctrl)
{
	int err = 0;

	if (ctrl->failed)
		return brg_admin_failed(ctrl);
	if (!ctrl->events.cb)
		return 0;
	if (!ctrl->events.is_on)
		err = turn_on(ctrl, ctrl->events.mask);
	return err ? err : send_requests(ctrl);
}

static int start_listening(struct brg_nvme_ctrl *ctrl, uint32_t mask, brg_nvme_event_cb cb,
			   void *arg)
{
	struct brg_events *events = &ctrl->events;
	int err;

	if (events->cb)
		return brg_fail(EBUSY, "%s: its events are listened to already", ctrl->bdf);
	events->mask = mask ? mask : all_notices(ctrl);
	events->cb = cb;
	events->arg = arg;
	err = keep_listening(ctrl);
	if (err) {
		events->cb = NULL;
		events->is_on = false;
	}
	return err;
}

int brg_nvme_events_listen(struct brg_nvme_ctrl *ctrl, uint32_t mask, brg_nvme_event_cb cb,
			   void *arg)
{
	int err = brg_ctrl_lock(ctrl);

	if (err)
		return err;
	err = start_listening(ctrl, mask, cb, arg);
	pthread_mutex_unlock(&ctrl->lock);
	return err;
}

/* What arrived before the reset and was not told is about a controller that is no more. One that
 * does not listen now may do so later: no reason for the reset to have failed. */
void brg_events_again(struct brg_nvme_ctrl *ctrl)
{
	ctrl->events.npending = 0;
	ctrl->events.is_on = false;
	if (keep_listening(ctrl))
		BRG_LOG(WARNING, "%s: no events until they are polled for", brg_errmsg());
}

static struct brg_nvme_event take_first(struct brg_events *events)
{
	struct brg_nvme_event first = events->pending[0];

	events->npending--;
	memmove(events->pending, events->pending + 1,
		events->npending * sizeof(events->pending[0]));
	return first;
}

/* The lock is given back for the callback, which may send admin commands; meanwhile all but the
 * listener may change. */
static void tell(struct brg_nvme_ctrl *ctrl)
{
	struct brg_nvme_event event = take_first(&ctrl->events);
	brg_nvme_event_cb cb = ctrl->events.cb;
	void *arg = ctrl->events.arg;

	pthread_mutex_unlock(&ctrl->lock);
	cb(arg, &event);
	brg_ctrl_lock_parked(ctrl);
}

int brg_nvme_events_poll(struct brg_nvme_ctrl *ctrl)
{
	int told = 0, err = brg_ctrl_lock(ctrl);

	if (err)
		return err;
	err = keep_listening(ctrl);
	if (!err)
		err = brg_nvme_poll(ctrl->admin, 0);
	while (err >= 0 && ctrl->events.cb && ctrl->events.npending) {
		tell(ctrl);
		told++;
		err = keep_listening(ctrl);
	}
	pthread_mutex_unlock(&ctrl->lock);
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
