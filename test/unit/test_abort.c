/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Commands that their user wants aborted, on a controller that does so, or does not, or no longer
 * answers: each is called back once all the same.
 */

#include "unit.h"

#include <errno.h>

#include "fake_ctrl.h"

static struct fake *holding(void)
{
	struct fake *f = fake_new();

	f->ctrl.io_timeout_ms = 100000;
	f->mood = HOLD;
	return f;
}

static void other_callback(void *arg, const struct brg_nvme_cqe *cqe)
{
	on_done(arg, cqe);
}

static void poll_until(struct brg_nvme_qpair *qp, unsigned int outstanding)
{
	while (brg_nvme_outstanding(qp) > outstanding)
		assert_true(brg_nvme_poll(qp, 0) >= 0);
}

/* Those with the argument and the callback, and no others. */
static void aborts_what_is_named(void **state)
{
	struct fake *f = holding();
	struct brg_nvme_qpair *qp = qpair(f);
	struct calls a = {0}, b = {0}, none = {0};

	assert_fails(brg_nvme_abort(qp, on_done, &a), ENOENT, "no command in flight");
	for (unsigned int i = 0; i < 4; i++) {
		submit(qp, &a, 1);
		submit(qp, &b, 1);
	}
	assert_int_equal(brg_nvme_flush(qp, &ns, other_callback, &a), 0);
	assert_fails(brg_nvme_abort(qp, on_done, &none), ENOENT, "no command in flight");
	assert_fails(brg_nvme_abort(qp, NULL, NULL), ENOENT, "no command in flight");
	assert_int_equal(stats_of(qp).aborts, 0);
	assert_int_equal(brg_nvme_abort(qp, on_done, &a), 4);
	assert_int_equal(ended(&a), 0); /* only a poll calls back */
	poll_until(qp, 5);
	assert_int_equal(a.aborted, 4);
	assert_int_equal(ended(&b), 0);
	assert_int_equal(f->aborted & 0xffff, 1);  /* the queue, */
	assert_int_equal(f->aborted >> 16, 3 * 2); /* the last command */
	assert_int_equal(brg_nvme_abort(qp, other_callback, &a), 1);
	poll_until(qp, 4);
	assert_int_equal(a.aborted, 5);
	assert_int_equal(stats_of(qp).aborts, 5);
	assert_int_equal(brg_nvme_abort(qp, on_done, &b), 4);
	assert_int_equal(drain(qp), 0);
	assert_int_equal(b.aborted, 4);
	f->mood = OBEY;
	assert_works(qp);
	fake_free(f);
}

/* Then they are still in flight: a reset ends them. */
static void the_controller_may_not(void **state)
{
	struct fake *f = holding();
	struct brg_nvme_qpair *qp = qpair(f);
	struct calls c = {0};

	f->cannot_abort = true;
	submit(qp, &c, 3);
	assert_int_equal(brg_nvme_abort(qp, on_done, &c), 0);
	assert_int_equal(stats_of(qp).aborts, 3);
	assert_int_equal(brg_nvme_outstanding(qp), 3);
	assert_int_equal(brg_nvme_reset(&f->ctrl), 0);
	/* The reset has been, its callbacks have not: nothing is there to abort. */
	assert_int_equal(brg_nvme_abort(qp, on_done, &c), 0);
	assert_int_equal(ended(&c), 0);
	assert_int_equal(drain(qp), 0);
	assert_int_equal(c.again, 3);
	assert_int_equal(ended(&c), 3);
	fake_free(f);
}

static enum brg_nvme_verdict wait_for_it(void *arg, struct brg_nvme_qpair *qp, uint16_t cid)
{
	return BRG_NVME_WAIT;
}

/* Found although it is timed, has been in flight for a while, and is one half of two. */
static void behind_other_callbacks(void **state)
{
	struct brg_nvme_qpair_opts opts = {.depth = DEPTH};
	struct fake *f = holding();
	char buf[512] __attribute__((aligned(4)));
	struct brg_nvme_qpair *qp;
	struct calls c = {0}, fused = {0};

	f->ctrl.io_timeout_ms = 40;
	f->ctrl.on_timeout = wait_for_it;
	f->ctrl.id.fuses = NVME_CTRL_FUSES_COMPARE_AND_WRITE;
	opts.bar = &f->own.bar;
	for (unsigned int i = 0; i < 2; i++) {
		opts.latency = i;
		c = fused = (struct calls){0};
		assert_int_equal(brg_nvme_qpair_create(&f->ctrl, &opts, &qp), 0);
		submit(qp, &c, 2);
		assert_int_equal(
			brg_nvme_compare_and_write(qp, &ns, buf, buf, 0, 1, on_done, &fused), 0);
		while (!stats_of(qp).timeouts)
			assert_int_equal(brg_nvme_poll(qp, 0), 0);
		assert_int_equal(brg_nvme_abort(qp, on_done, &fused), 2);
		poll_until(qp, 2);
		assert_int_equal(fused.aborted, 1);
		assert_int_equal(ended(&fused), 1);
		assert_int_equal(brg_nvme_abort(qp, on_done, &c), 2);
		assert_int_equal(drain(qp), 0);
		assert_int_equal(c.aborted, 2);
		brg_nvme_qpair_free(qp);
	}
	fake_free(f);
}

/* Those of its commands that are in flight, and so it ends without the rest. */
static void long_transfer(void **state)
{
	struct fake *f = holding();
	struct brg_nvme_qpair *qp = qpair(f);
	uint8_t *data = aligned_alloc(4096, 128 * 4096);
	struct brg_nvme_long l;
	struct calls c = {0};

	assert_non_null(data);
	assert_int_equal(brg_nvme_read_long(qp, &ns, data, 0, 1000, &l, on_done, &c), 0);
	assert_int_equal(brg_nvme_outstanding(qp), COMMANDS);
	assert_fails(brg_nvme_abort(qp, other_callback, &c), ENOENT, "no command in flight");
	assert_int_equal(brg_nvme_abort(qp, on_done, &c), COMMANDS);
	assert_int_equal(drain(qp), 0);
	assert_int_equal(c.aborted, 1);
	assert_int_equal(ended(&c), 1);
	assert_int_equal(stats_of(qp).submitted, COMMANDS);
	free(data);
	fake_free(f);
}

static struct brg_nvme_qpair *aborting;
static struct calls others;

static void abort_others(void *arg, const struct brg_nvme_cqe *cqe)
{
	assert_int_equal(brg_nvme_abort(aborting, on_done, &others), 2);
}

static void from_a_callback(void **state)
{
	struct fake *f = holding();
	struct calls one = {0};

	aborting = qpair(f);
	others = (struct calls){0};
	submit(aborting, &others, 2);
	submit(aborting, &one, 1);
	while (f->rings[1].head != 3)
		usleep(100);
	f->mood = OBEY;
	assert_int_equal(brg_nvme_flush(aborting, &ns, abort_others, NULL), 0);
	poll_until(aborting, 1);
	assert_int_equal(others.aborted, 2);
	assert_int_equal(ended(&one), 0);
	assert_int_equal(brg_nvme_abort(aborting, on_done, &one), 1);
	assert_int_equal(drain(aborting), 0);
	fake_free(f);
}

/* Nobody is waited for who may wait for us, and no answer is no answer. */
static void admin_queue_out_of_reach(void **state)
{
	struct fake *f = holding();
	struct brg_nvme_qpair *qp = qpair(f);
	struct calls c = {0};

	submit(qp, &c, 2);
	pthread_mutex_lock(&f->ctrl.lock);
	assert_int_equal(brg_nvme_abort(qp, on_done, &c), -EAGAIN);
	pthread_mutex_unlock(&f->ctrl.lock);
	assert_int_equal(stats_of(qp).aborts, 0);
	f->admin_is_silent = true;
	assert_fails(brg_nvme_abort(qp, on_done, &c), ETIMEDOUT, "admin command 0x8");
	assert_fails(brg_nvme_abort(qp, on_done, &c), EIO, "reset the controller");
	f->admin_is_silent = false;
	assert_int_equal(brg_nvme_reset(&f->ctrl), 0);
	assert_int_equal(drain(qp), 0);
	assert_int_equal(c.again, 2);
	submit(qp, &c, 1);
	assert_int_equal(brg_nvme_abort(qp, on_done, &c), 1);
	assert_int_equal(drain(qp), 0);
	assert_int_equal(c.aborted, 1);
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(aborts_what_is_named),
		cmocka_unit_test(the_controller_may_not),
		cmocka_unit_test(behind_other_callbacks),
		cmocka_unit_test(long_transfer),
		cmocka_unit_test(from_a_callback),
		cmocka_unit_test(admin_queue_out_of_reach),
	};

	return cmocka_run_group_tests(tests, start_small_eal, NULL);
}
