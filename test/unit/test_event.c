/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Asynchronous events over resets, which may come at any moment: from another thread or a poller,
 * and between the arrival of an event and its callback.
 */

#include "unit.h"

#include <errno.h>

#include "fake_ctrl.h"

#define HAPPEN 0xc0 /* a command of this device's vendor: all that waits for events gets one */

/* The device's side. */
static uint16_t waiting[8];
static atomic_uint nwaiting, nrequests, most, mask;
static atomic_bool refuse;

static uint16_t events(struct fake *f, const struct brg_nvme_sqe *sqe)
{
	switch (sqe->opcode) {
	case nvme_admin_set_features:
		if (sqe->cdw10 != NVME_FEAT_FID_ASYNC_EVENT)
			return 0;
		nwaiting = 0; /* it comes first, after a reset as well */
		mask = sqe->cdw11;
		return refuse ? NVME_SC_INTERNAL : 0;
	case nvme_admin_async_event:
		nrequests++;
		if (nwaiting == most)
			return NVME_SCT_CMD_SPECIFIC << 8 | NVME_SC_ASYNC_LIMIT;
		waiting[nwaiting++] = sqe->cid;
		return NEVER;
	case HAPPEN:
		for (unsigned int i = 0; i < nwaiting; i++)
			post(&f->rings[0], waiting[i], 0, i << 8 | NVME_AER_NOTICE);
		nwaiting = 0;
		return 0;
	default:
		return 0;
	}
}

static struct fake *device(void)
{
	static uint8_t page[4096];
	struct fake *f = fake_new();

	f->admin = events;
	f->ctrl.admin_page = page;
	f->ctrl.id.aerl = 9;
	most = RTE_DIM(waiting);
	nwaiting = nrequests = mask = 0;
	refuse = false;
	return f;
}

/* When it has been completed, all requests before it have been looked at. */
static void run(struct fake *f, uint8_t opcode)
{
	struct brg_nvme_sqe sqe = {.opcode = opcode};

	assert_int_equal(brg_nvme_admin(&f->ctrl, &sqe, NULL, 0, NULL), 0);
}

static unsigned int waiting_now(struct fake *f)
{
	run(f, HAPPEN + 1);
	return nwaiting;
}

struct listener {
	struct fake *f;
	unsigned int calls;
	bool resets; /* at the first call */
};

static void on_event(void *arg, const struct brg_nvme_event *event)
{
	struct listener *l = arg;

	assert_int_equal(event->type, NVME_AER_NOTICE);
	if (!l->calls++ && l->resets)
		assert_int_equal(brg_nvme_reset(&l->f->ctrl), 0);
}

/* As many requests as before, and none of what arrived before the reset. */
static void reset_during_a_callback(void **state)
{
	struct fake *f = device();
	struct listener l = {.f = f, .resets = true};

	assert_int_equal(brg_nvme_events_listen(&f->ctrl, 0x100, on_event, &l), 0);
	assert_int_equal(waiting_now(f), BRG_MOST_EVENTS);
	run(f, HAPPEN);
	assert_int_equal(brg_nvme_events_poll(&f->ctrl), 1);
	assert_int_equal(waiting_now(f), BRG_MOST_EVENTS);
	assert_int_equal(mask, 0x100);
	run(f, HAPPEN);
	assert_int_equal(brg_nvme_events_poll(&f->ctrl), BRG_MOST_EVENTS);
	assert_int_equal(l.calls, 1 + BRG_MOST_EVENTS);
	assert_int_equal(waiting_now(f), BRG_MOST_EVENTS);
	fake_free(f);
}

/* The reset has succeeded all the same, and who listens goes on to. */
static void listening_again_fails(void **state)
{
	struct fake *f = device();
	struct listener l = {.f = f};

	assert_int_equal(brg_nvme_events_listen(&f->ctrl, 0x100, on_event, &l), 0);
	refuse = true;
	assert_int_equal(brg_nvme_reset(&f->ctrl), 0);
	assert_int_equal(waiting_now(f), 0);
	assert_fails(brg_nvme_events_poll(&f->ctrl), EIO, "admin command 0x9");
	assert_fails(brg_nvme_events_listen(&f->ctrl, 0x100, on_event, &l), EBUSY, "already");
	refuse = false;
	assert_int_equal(brg_nvme_events_poll(&f->ctrl), 0);
	assert_int_equal(waiting_now(f), BRG_MOST_EVENTS);
	assert_int_equal(mask, 0x100);
	run(f, HAPPEN);
	assert_int_equal(brg_nvme_events_poll(&f->ctrl), BRG_MOST_EVENTS);
	fake_free(f);
}

static void not_listening_at_all(void **state)
{
	struct fake *f = device();
	struct listener l = {.f = f};

	assert_int_equal(brg_nvme_events_poll(&f->ctrl), 0);
	refuse = true;
	assert_fails(brg_nvme_events_listen(&f->ctrl, 0, on_event, &l), EIO, "admin command 0x9");
	assert_int_equal(brg_nvme_events_poll(&f->ctrl), 0);
	assert_int_equal(brg_nvme_reset(&f->ctrl), 0);
	assert_int_equal(nrequests, 0);
	refuse = false;
	assert_int_equal(brg_nvme_events_listen(&f->ctrl, 0, on_event, &l), 0);
	assert_int_equal(waiting_now(f), BRG_MOST_EVENTS);
	fake_free(f);
}

/* What the controller has no room for is not requested over and over. */
static void over_the_limit(void **state)
{
	struct fake *f = device();
	struct listener l = {.f = f};

	most = 2;
	assert_int_equal(brg_nvme_events_listen(&f->ctrl, 0, on_event, &l), 0);
	assert_int_equal(waiting_now(f), 2);
	assert_int_equal(brg_nvme_events_poll(&f->ctrl), 0);
	run(f, HAPPEN);
	assert_int_equal(brg_nvme_events_poll(&f->ctrl), 2);
	assert_int_equal(waiting_now(f), 2);
	assert_int_equal(nrequests, BRG_MOST_EVENTS + 2);
	fake_free(f);
}

/* Two of them are not in OAES. */
static void all_that_there_is(void **state)
{
	const uint64_t pmrs = UINT64_C(1) << 56;
	const struct {
		uint64_t cap;
		uint32_t oaes;
		uint8_t lpa;
		uint32_t mask;
	} cases[] = {
		{0, 0, 0, 0x1f},
		{0, NVME_CTRL_OAES_NA, 0xff & ~NVME_CTRL_LPA_TELEMETRY, 0x11f},
		{0, NVME_CTRL_OAES_NA, NVME_CTRL_LPA_TELEMETRY, 0x51f},
		{pmrs, 0, 0, 0x3f},
	};

	for (size_t i = 0; i < RTE_DIM(cases); i++) {
		struct fake *f = device();
		struct listener l = {.f = f};

		f->ctrl.cap |= cases[i].cap;
		f->ctrl.id.oaes = cases[i].oaes;
		f->ctrl.id.lpa = cases[i].lpa;
		assert_int_equal(brg_nvme_events_listen(&f->ctrl, 0, on_event, &l), 0);
		assert_int_equal(mask, cases[i].mask);
		fake_free(f);
	}
}

static atomic_bool stop;

static void *reset_often(void *arg)
{
	struct fake *f = arg;

	for (unsigned int i = 0; i < 30; i++)
		assert_int_equal(brg_nvme_reset(&f->ctrl), 0);
	stop = true;
	return NULL;
}

/* Wherever in a poll the reset comes. */
static void resets_while_polled(void **state)
{
	struct fake *f = device();
	struct listener l = {.f = f};
	pthread_t thread;

	stop = false;
	assert_int_equal(brg_nvme_events_listen(&f->ctrl, 0, on_event, &l), 0);
	assert_int_equal(pthread_create(&thread, NULL, reset_often, f), 0);
	while (!stop) {
		run(f, HAPPEN);
		assert_in_range(brg_nvme_events_poll(&f->ctrl), 0, BRG_MOST_EVENTS);
	}
	pthread_join(thread, NULL);
	assert_in_range(brg_nvme_events_poll(&f->ctrl), 0, BRG_MOST_EVENTS);
	assert_int_equal(waiting_now(f), BRG_MOST_EVENTS);
	run(f, HAPPEN);
	assert_int_equal(brg_nvme_events_poll(&f->ctrl), BRG_MOST_EVENTS);
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reset_during_a_callback), cmocka_unit_test(listening_again_fails),
		cmocka_unit_test(not_listening_at_all),	   cmocka_unit_test(over_the_limit),
		cmocka_unit_test(all_that_there_is),	   cmocka_unit_test(resets_while_polled),
	};

	return cmocka_run_group_tests(tests, start_small_eal, NULL);
}
