/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Queue pairs on a controller in memory that fails and lies. Whatever it does, each command that
 * was accepted is called back once.
 */

#include "unit.h"

#include <errno.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "brg_stat.h"
#include "fake_ctrl.h"

static void reset_again_and_again(void **state)
{
	struct fake *f = fake_new();
	struct brg_nvme_qpair *qp = qpair(f), *other = qpair(f);

	for (unsigned int i = 1; i <= 5; i++) {
		struct calls c = {0}, c_other = {0};

		assert_works(qp);
		f->mood = HOLD;
		submit(qp, &c, COMMANDS);
		submit(other, &c_other, i);
		assert_int_equal(brg_nvme_reset(&f->ctrl), 0);
		assert_int_equal(ended(&c), 0); /* nobody but the poller calls back */
		assert_int_equal(brg_nvme_flush(qp, &ns, on_done, &c), -EAGAIN);
		assert_int_equal(brg_nvme_poll(qp, 0), COMMANDS);
		assert_int_equal(c.again, COMMANDS);
		assert_int_equal(brg_nvme_poll(other, 0), i);
		assert_int_equal(c_other.again, i);
		assert_int_equal(stats_of(qp).resets, i);
		assert_int_equal(stats_of(qp).cancelled, i * COMMANDS);
		f->mood = OBEY;
		assert_works(other);
	}
	fake_free(f);
}

/* A completion of nothing, or of a command for the second time. */
static void lies_about_commands(void **state)
{
	static const int moods[] = {WRONG_CID, TWICE};
	struct fake *f = fake_new();
	struct brg_nvme_qpair *qp = qpair(f);

	assert_works(qp);
	for (unsigned int i = 0; i < 2; i++) {
		struct calls c = {0};

		f->mood = moods[i];
		submit(qp, &c, COMMANDS);
		assert_int_equal(drain(qp), 0);
		assert_int_equal(ended(&c), COMMANDS);
		assert_int_equal(c.ok + c.again, COMMANDS);
		assert_int_equal(stats_of(qp).strays, i + 1);
		assert_int_equal(stats_of(qp).resets, i + 1);
		assert_works(qp);
	}
	fake_free(f);
}

static void fatal_status(void **state)
{
	struct fake *f = fake_new();
	struct brg_nvme_qpair *qp = qpair(f);
	struct calls c = {0};

	assert_works(qp);
	f->mood = HOLD;
	submit(qp, &c, 5);
	f->ctrl.io_timeout_ms = 100000; /* that is not what ends it */
	set(f, NVME_REG_CSTS, get(f, NVME_REG_CSTS) | NVME_SET(1, CSTS_CFS));
	assert_int_equal(drain(qp), 0);
	assert_int_equal(c.again, 5);
	assert_int_equal(stats_of(qp).timeouts, 0);
	f->mood = OBEY;
	assert_works(qp);
	fake_free(f);
}

static void gone_and_back(void **state)
{
	struct fake *f = fake_new();
	struct brg_nvme_qpair *qp = qpair(f);
	struct calls c = {0};

	assert_works(qp);
	f->mood = HOLD;
	submit(qp, &c, COMMANDS);
	brg_device_set_bus_master(&f->dev, true);
	f->gone = true;
	assert_int_equal(drain(qp), 0);
	assert_int_equal(c.gone, COMMANDS);
	assert_false(is_bus_master(f));
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(brg_nvme_poll(qp, 0), -ENODEV);
		assert_fails(brg_nvme_flush(qp, &ns, on_done, &c), ENODEV, "no more commands");
		assert_int_equal(brg_nvme_reset(&f->ctrl), -ENODEV);
	}
	assert_int_equal(ended(&c), COMMANDS);

	come_back(f);
	f->mood = OBEY;
	assert_int_equal(brg_nvme_reset(&f->ctrl), 0);
	assert_true(is_bus_master(f));
	assert_int_equal(brg_nvme_poll(qp, 0), 0);
	assert_works(qp);
	fake_free(f);
}

static void late_and_aborted(void **state)
{
	struct fake *f = fake_new();
	struct brg_nvme_qpair *qp = qpair(f);
	struct calls c = {0};
	uint64_t before = brg_now_us();

	assert_works(qp);
	f->mood = HOLD;
	submit(qp, &c, 3);
	assert_int_equal(drain(qp), 0);
	assert_true(brg_now_us() - before >= f->ctrl.io_timeout_ms * 1000);
	assert_int_equal(c.aborted, 3);
	assert_int_equal(f->aborted & 0xffff, 1); /* the queue */
	assert_int_equal(stats_of(qp).aborts, 3);
	assert_int_equal(stats_of(qp).timeouts, 3);
	assert_int_equal(stats_of(qp).resets, 0);
	f->mood = OBEY;
	assert_works(qp);
	fake_free(f);
}

/* One never ends, while others with the same and with other identifiers come and go. */
static void late_in_a_busy_queue(void **state)
{
	struct fake *f = fake_new();
	struct brg_nvme_qpair *qp = qpair(f);
	struct calls c = {0}, held = {0};

	f->cannot_abort = true;
	f->mood = HOLD;
	submit(qp, &held, 1);
	while (f->rings[1].head != 1)
		usleep(100);
	f->mood = OBEY;
	while (!ended(&held)) {
		if (brg_nvme_outstanding(qp) < 4)
			submit(qp, &c, 1);
		assert_true(brg_nvme_poll(qp, 0) >= 0);
	}
	assert_int_equal(held.again, 1);
	assert_int_equal(stats_of(qp).aborts, 1);
	assert_int_equal(stats_of(qp).timeouts, 2); /* before the abort and after it */
	assert_int_equal(stats_of(qp).resets, 1);
	assert_int_equal(drain(qp), 0);
	assert_int_equal(ended(&c), c.submitted);
	assert_true(c.ok > 10);
	fake_free(f);
}

/* Nothing answers any more: an error in time, and everything called back. */
static void cannot_be_reset(void **state)
{
	struct fake *f = fake_new();
	struct brg_nvme_qpair *qp = qpair(f);
	struct calls c = {0};
	uint64_t before;

	assert_works(qp);
	f->mood = HOLD;
	submit(qp, &c, 7);
	f->admin_is_silent = f->never_ready = true;
	before = brg_now_us();
	assert_int_equal(drain(qp), 0);
	assert_true(brg_now_us() - before < 10000000);
	assert_int_equal(c.again, 7);
	assert_true(brg_nvme_poll(qp, 0) < 0);
	assert_true(brg_nvme_flush(qp, &ns, on_done, &c) < 0);
	assert_false(is_bus_master(f));

	f->mood = OBEY;
	f->admin_is_silent = f->never_ready = false;
	assert_int_equal(brg_nvme_reset(&f->ctrl), 0);
	assert_int_equal(brg_nvme_poll(qp, 0), 0);
	assert_works(qp);
	f->grants = 1;
	assert_int_not_equal(brg_nvme_reset(&f->ctrl), 0); /* and no reset of the function here */
	assert_true(brg_nvme_poll(qp, 0) < 0);
	fake_free(f);
}

/* Timed commands are commands as all others, and counted when they complete. */
static void latency(void **state)
{
	const struct brg_nvme_qpair_opts opts = {.depth = DEPTH, .latency = true};
	struct brg_nvme_qpair_opts own = opts;
	struct fake *f = fake_new();
	struct calls c = {0};
	struct brg_nvme_qpair *qp;
	uint64_t count, before = rte_rdtsc();
	char buf[512] __attribute__((aligned(4)));

	own.bar = &f->own.bar;
	assert_null(brg_nvme_latency(qpair(f)));
	assert_int_equal(brg_nvme_qpair_create(&f->ctrl, &own, &qp), 0);
	assert_works(qp);
	count = brg_nvme_latency(qp)->count;
	assert_int_equal(count, stats_of(qp).completed);
	assert_true(brg_nvme_latency(qp)->min > 0);
	assert_true(brg_nvme_latency(qp)->max < rte_rdtsc() - before);

	f->mood = HOLD;
	f->cannot_abort = true;
	submit(qp, &c, COMMANDS - 1);
	assert_int_equal(brg_nvme_read(qp, &ns, buf, 0, 1, on_done, &c), 0);
	assert_int_equal(brg_nvme_read(qp, &ns, buf, 0, 1, on_done, &c), -EAGAIN);
	assert_int_equal(brg_nvme_flush(qp, &ns, on_done, &c), -EAGAIN);
	assert_int_equal(drain(qp), 0);
	assert_int_equal(c.again, COMMANDS);
	assert_int_equal(brg_nvme_latency(qp)->count, count);
	f->mood = OBEY;
	assert_works(qp);
	assert_int_equal(brg_nvme_latency(qp)->count, stats_of(qp).completed);
	fake_free(f);
}

/* Ask as dpdk-telemetry.py does; the answer without its outermost braces. */
static const char *ask(int fd, const char *command)
{
	static char answer[16384];
	ssize_t got;

	assert_int_equal(send(fd, command, strlen(command), 0), (ssize_t)strlen(command));
	got = recv(fd, answer, sizeof(answer) - 1, 0);
	assert_true(got > 0);
	answer[got] = '\0';
	return answer;
}

static int telemetry_socket(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/dpdk_telemetry.v2",
		 rte_eal_get_runtime_dir());
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ask(fd, "/"); /* after its greeting */
	return fd;
}

static void assert_says(const char *answer, const char *words)
{
	if (!strstr(answer, words))
		fail_msg("%s does not say %s", answer, words);
}

static void telemetry(void **state)
{
	struct fake *f = fake_new();
	struct brg_nvme_qpair *qp = qpair(f);
	struct calls c = {0};
	int fd;

	memset(f->ctrl.id.mn, ' ', sizeof(f->ctrl.id.mn));
	memcpy(f->ctrl.id.mn, "A \"name\"\n", 9);
	brg_telemetry_add(&f->ctrl);
	fd = telemetry_socket();
	recv(fd, (char[16384]){0}, 16384, 0); /* what "/" was answered */
	submit(qp, &c, 5);
	assert_int_equal(drain(qp), 0);
	f->mood = HOLD;
	submit(qp, &c, 2);
	assert_says(ask(fd, "/barrage/list"), "[\"0000:00:1f.7\"]");
	assert_says(ask(fd, "/barrage/info,0000:00:1f.7"), "\"model\":\"A ?name??\"");
	assert_says(ask(fd, "/barrage/info,0000:00:1f.7"), "\"queue_pairs\":[1]");
	assert_says(ask(fd, "/barrage/qpair,0000:00:1f.7,1"), "\"submitted\":7,\"completed\":5,");
	assert_int_equal(brg_nvme_reset(&f->ctrl), 0);
	assert_int_equal(drain(qp), 0);
	assert_says(ask(fd, "/barrage/qpair,0000:00:1f.7,1"), "\"cancelled\":2,");
	assert_says(ask(fd, "/barrage/qpair,0000:00:1f.7,2"), "null");
	assert_says(ask(fd, "/barrage/qpair,0000:00:1f.7"), "null");
	assert_says(ask(fd, "/barrage/info,0000:00:1f.6"), "null");
	brg_telemetry_remove(&f->ctrl);
	assert_says(ask(fd, "/barrage/list"), "[]");
	close(fd);
	fake_free(f);
}

/* Another thread polls. */
struct poller {
	struct brg_nvme_qpair *qp;
	struct calls calls;
	atomic_bool stop, pause, paused;
	atomic_uint ended;
};

static void *poll_on(void *arg)
{
	struct poller *p = arg;

	while (!p->stop) {
		while (p->pause) {
			p->paused = true;
			usleep(100);
		}
		p->paused = false;
		while (brg_nvme_outstanding(p->qp) < COMMANDS &&
		       !brg_nvme_flush(p->qp, &ns, on_done, &p->calls))
			p->calls.submitted++;
		brg_nvme_poll(p->qp, 0);
		p->ended = ended(&p->calls);
	}
	drain(p->qp);
	return NULL;
}

static void wait_for(atomic_uint *count, unsigned int more)
{
	unsigned int before = *count;

	while (*count - before < more)
		usleep(100);
}

static void under_a_poller(void **state)
{
	struct fake *f = fake_new();
	struct poller p = {.qp = qpair(f)};
	pthread_t thread;

	f->ctrl.io_timeout_ms = 10000;
	assert_int_equal(pthread_create(&thread, NULL, poll_on, &p), 0);
	for (unsigned int i = 0; i < 50; i++) {
		wait_for(&p.ended, DEPTH);
		assert_int_equal(brg_nvme_reset(&f->ctrl), 0);
	}
	/* One that does not poll is not waited for for ever, and has lost nothing. */
	wait_for(&p.ended, DEPTH);
	p.pause = true;
	while (!p.paused)
		usleep(100);
	assert_fails(brg_nvme_reset(&f->ctrl), EBUSY, "queue pair 1");
	p.pause = false;
	wait_for(&p.ended, DEPTH);
	p.stop = true;
	pthread_join(thread, NULL);
	assert_int_equal(ended(&p.calls), p.calls.submitted);
	assert_int_equal(p.calls.ok + p.calls.again, p.calls.submitted);
	assert_int_equal(stats_of(p.qp).resets, 50);
	assert_int_equal(stats_of(p.qp).strays, 0);
	assert_true(p.calls.ok > 0);
	fake_free(f);
}

/* With telemetry, which brg_env_init() leaves out. */
static int start_eal(void **state)
{
	static char prefix[64];
	char *argv[] = {"test_reset",  "-l",
			"0",	       "--no-huge",
			"-m",	       "64",
			"--no-pci",    "--iova-mode=va",
			"--no-shconf", "--log-level=error",
			prefix,	       NULL};

	snprintf(prefix, sizeof(prefix), "--file-prefix=test_reset_%d", (int)getpid());
	return rte_eal_init(11, argv) < 0 ? -1 : 0;
}

static int stop_eal(void **state)
{
	char path[256], telemetry_file[300];

	snprintf(path, sizeof(path), "%s", rte_eal_get_runtime_dir());
	snprintf(telemetry_file, sizeof(telemetry_file), "%s/dpdk_telemetry.v2", path);
	rte_eal_cleanup();
	unlink(telemetry_file);
	rmdir(path);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reset_again_and_again),
		cmocka_unit_test(lies_about_commands),
		cmocka_unit_test(fatal_status),
		cmocka_unit_test(gone_and_back),
		cmocka_unit_test(late_and_aborted),
		cmocka_unit_test(late_in_a_busy_queue),
		cmocka_unit_test(cannot_be_reset),
		cmocka_unit_test(under_a_poller),
		cmocka_unit_test(telemetry),
		cmocka_unit_test(latency),
	};

	return cmocka_run_group_tests(tests, start_eal, stop_eal);
}
