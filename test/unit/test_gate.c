/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who may touch a queue pair while others reset the controller, hand it over, or free it: on a
 * controller that holds commands, fails its admin queue, or is slow to be looked at.
 */

#include "unit.h"

#include <errno.h>

#include "fake_ctrl.h"
#include "guard.h"

static void *reset(void *arg)
{
	struct fake *f = arg;

	return (void *)(intptr_t)brg_nvme_reset(&f->ctrl);
}

static pthread_t reset_apart(struct fake *f)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, reset, f), 0);
	return thread;
}

static int result_of(pthread_t thread)
{
	void *rc;

	assert_int_equal(pthread_join(thread, &rc), 0);
	return (int)(intptr_t)rc;
}

static struct brg_nvme_qpair *manual_qpair(struct fake *f)
{
	const struct brg_nvme_qpair_opts opts = {
		.depth = DEPTH, .bar = &f->own.bar, .manual = true};
	struct brg_nvme_qpair *qp;

	assert_int_equal(brg_nvme_qpair_create(&f->ctrl, &opts, &qp), 0);
	assert_int_equal(brg_nvme_poll(qp, 0), 0);
	return qp;
}

/* What was submitted before a reset is rung at the shut gate: the controller must not see it. */
static void rings_at_a_shut_gate(void **state)
{
	struct fake *f = fake_new();
	struct brg_nvme_qpair *qp = manual_qpair(f);
	struct calls before = {0}, after = {0};
	pthread_t thread;

	f->ctrl.admin_timeout_ms = 5000;
	submit(qp, &before, 5);
	thread = reset_apart(f);
	while (!qp->is_shut)
		brg_nvme_poll(qp, 0);
	assert_int_equal(result_of(thread), 0);
	brg_nvme_ring(qp);
	assert_int_equal(brg_nvme_poll(qp, 0), 5);
	assert_int_equal(before.again, 5);

	f->mood = HOLD;
	submit(qp, &after, 5);
	brg_nvme_ring(qp);
	for (unsigned int i = 0; i < 100; i++)
		assert_int_equal(brg_nvme_poll(qp, 0), 0);
	assert_int_equal(ended(&after), 0);
	assert_int_equal(stats_of(qp).strays, 0);
	fake_free(f);
}

/* A ring that was held back because the gate was shut is made good when it opens unchanged. */
static void rings_when_the_gate_opens(void **state)
{
	struct fake *f = fake_new();
	struct brg_nvme_qpair *qp = manual_qpair(f);
	struct calls c = {0};

	submit(qp, &c, 3);
	brg_gate_park(qp); /* nobody resets: it comes back with the next poll */
	brg_nvme_ring(qp);
	assert_int_equal(get(f, BRG_REG_DOORBELLS + 8), 0);
	assert_int_equal(drain(qp), 0);
	assert_int_equal(c.ok, 3);
	fake_free(f);
}

/* Who sleeps has told the controller of all that it took: else no interrupt may come. */
static void sleepers_acknowledge(void **state)
{
	struct fake *f = fake_new();
	struct brg_nvme_qpair *qp = qpair(f);
	struct calls c = {0};

	assert_int_equal(brg_nvme_poll(qp, 0), 0);
	submit(qp, &c, 1);
	assert_int_equal(drain(qp), 0);
	assert_int_equal(get(f, BRG_REG_DOORBELLS + 12), 0);
	assert_int_equal(brg_gate_leave(qp), 0);
	assert_int_equal(get(f, BRG_REG_DOORBELLS + 12), 1);
	fake_free(f);
}

struct worker {
	struct brg_nvme_qpair *qp;
	struct calls calls;
	int rc;
};

static void *work(void *arg)
{
	struct worker *w = arg;

	submit(w->qp, &w->calls, 3);
	w->rc = drain(w->qp);
	return NULL;
}

/* The thread that polls now resets, though another one polled first. */
static void handed_over(void **state)
{
	struct fake *f = fake_new();
	struct worker w = {.qp = qpair(f)};
	pthread_t thread;

	f->ctrl.io_timeout_ms = 100000;
	assert_works(w.qp);
	brg_nvme_hand_over(w.qp);
	f->mood = WRONG_CID;
	assert_int_equal(pthread_create(&thread, NULL, work, &w), 0);
	pthread_join(thread, NULL);
	assert_int_equal(w.rc, 0);
	assert_int_equal(w.calls.again + w.calls.ok, 3);
	assert_int_equal(stats_of(w.qp).resets, 1);
	fake_free(f);
}

/* Without being told, too: a reset by who polls need not wait for itself. */
static void taken_over(void **state)
{
	struct fake *f = fake_new();
	struct worker w = {.qp = qpair(f)};
	pthread_t thread;

	f->ctrl.io_timeout_ms = 100000;
	assert_works(w.qp);
	f->mood = WRONG_CID;
	assert_int_equal(pthread_create(&thread, NULL, work, &w), 0);
	pthread_join(thread, NULL);
	assert_int_equal(w.rc, 0);
	assert_int_equal(stats_of(w.qp).resets, 1);
	fake_free(f);
}

static struct {
	struct fake *f;
	pthread_t thread;
	unsigned int asked;
} late;

/* While the poller asks about the first late command somebody else resets. */
static enum brg_nvme_verdict when_late(void *arg, struct brg_nvme_qpair *qp, uint16_t cid)
{
	if (!late.asked++) {
		late.thread = reset_apart(late.f);
		while (!atomic_load(&late.f->ctrl.resetting))
			;
	}
	return BRG_NVME_RESET;
}

static void all_are_late(void **state)
{
	struct fake *f = fake_new();
	struct brg_nvme_qpair *qp = qpair(f);
	struct calls c = {0};

	late.f = f;
	late.asked = 0;
	f->ctrl.on_timeout = when_late;
	f->ctrl.admin_timeout_ms = 5000;
	assert_works(qp);
	f->mood = HOLD;
	submit(qp, &c, COMMANDS);
	assert_int_equal(drain(qp), 0);
	assert_int_equal(result_of(late.thread), 0);
	assert_int_equal(late.asked, 1);
	assert_int_equal(c.again, COMMANDS);
	assert_int_equal(stats_of(qp).resets, 1);
	f->mood = OBEY;
	assert_works(qp);
	fake_free(f);
}

/* Nobody is called back as long as the controller may use what the commands point to. */
static void freed_while_the_controller_has_its_memory(void **state)
{
	struct fake *f = fake_new();
	struct brg_nvme_qpair *qp = qpair(f), *other = qpair(f), *again;
	struct calls c = {0};

	f->ctrl.io_timeout_ms = 100000;
	assert_works(qp);
	assert_works(other);
	f->mood = HOLD;
	submit(qp, &c, 4);
	f->ctrl.failed = true; /* as after an admin command that was not completed */
	brg_nvme_qpair_free(qp);
	assert_int_equal(ended(&c), 0);
	f->mood = OBEY;
	assert_int_equal(brg_nvme_reset(&f->ctrl), 0);
	assert_int_equal(c.aborted, 4);
	assert_int_equal(brg_nvme_poll(other, 0), 0); /* it was reset, too */
	assert_works(other);
	again = qpair(f); /* its identifier is free again */
	assert_works(again);
	fake_free(f);
}

/* Somebody has the admin queue when the poller finds that its doorbell was lost: it remembers. */
static void lost_while_the_lock_is_taken(void **state)
{
	struct fake *f = fake_new();
	struct brg_nvme_qpair *qp = qpair(f);
	uint16_t command = PCI_COMMAND_MEMORY;
	struct calls c = {0};

	f->ctrl.io_timeout_ms = 100000;
	assert_int_equal(pwrite(f->dev.fd, &command, sizeof(command), PCI_COMMAND),
			 sizeof(command));
	assert_works(qp);
	f->mood = HOLD;
	submit(qp, &c, 2);
	pthread_mutex_lock(&f->ctrl.lock);
	f->own.loss = BRG_LOSS_NEW;
	for (unsigned int i = 0; i < 3 * 4096; i++)
		assert_int_equal(brg_nvme_poll(qp, 0), 0);
	pthread_mutex_unlock(&f->ctrl.lock);
	assert_int_equal(drain(qp), 0);
	assert_int_equal(c.again, 2);
	assert_int_equal(stats_of(qp).resets, 1);
	fake_free(f);
}

struct lcore {
	struct fake *f;
	struct brg_nvme_qpair *qp;
	atomic_bool polls;
	int refused, rc;
};

/* A thread that polls, and sends an admin command while another one waits for it to poll. */
static void *poll_and_ask(void *arg)
{
	struct brg_nvme_sqe sqe = {.opcode = nvme_admin_get_features,
				   .cdw10 = NVME_FEAT_FID_ARBITRATION};
	struct lcore *l = arg;

	brg_nvme_poll(l->qp, 0);
	l->polls = true;
	while (!atomic_load(&l->f->ctrl.resetting))
		;
	while ((l->rc = brg_nvme_admin(&l->f->ctrl, &sqe, NULL, 0, NULL)) == -EAGAIN) {
		l->refused++;
		for (unsigned int i = 0; i < 4096; i++)
			brg_nvme_poll(l->qp, 0);
	}
	return NULL;
}

static void asks_while_another_resets(void **state)
{
	struct fake *f = fake_new();
	struct lcore l = {.f = f, .qp = qpair(f)};
	pthread_t thread;

	f->ctrl.admin_timeout_ms = 5000;
	f->ctrl.admin_page = aligned_alloc(4096, 4096);
	assert_non_null(f->ctrl.admin_page);
	assert_int_equal(pthread_create(&thread, NULL, poll_and_ask, &l), 0);
	while (!l.polls)
		;
	assert_int_equal(brg_nvme_reset(&f->ctrl), 0);
	pthread_join(thread, NULL);
	assert_int_equal(l.rc, 0);
	assert_in_range(l.refused, 1, 1000);
	free(f->ctrl.admin_page);
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rings_at_a_shut_gate),
		cmocka_unit_test(rings_when_the_gate_opens),
		cmocka_unit_test(sleepers_acknowledge),
		cmocka_unit_test(handed_over),
		cmocka_unit_test(taken_over),
		cmocka_unit_test(all_are_late),
		cmocka_unit_test(freed_while_the_controller_has_its_memory),
		cmocka_unit_test(lost_while_the_lock_is_taken),
		cmocka_unit_test(asks_while_another_resets),
	};

	return cmocka_run_group_tests(tests, start_small_eal, NULL);
}
