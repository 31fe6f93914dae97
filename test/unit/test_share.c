/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lcores that use one BAR: who gets a mapping of its own, and that nobody touches a shared one
 * between its zap and the end of its filling. Made device, real threads, a real EAL.
 */

#include "made_device.h"

#include <pthread.h>
#include <rte_lcore.h>
#include <rte_pause.h>
#include <stdatomic.h>

#include "brg_base.h"
#include "zap.h"

#define LCORES 4

static int start_eal(void **state)
{
	return brg_env_init(&(struct brg_env_opts){.lcores = "0"});
}

static int stop_eal(void **state)
{
	brg_env_cleanup();
	return 0;
}

static struct brg_bar *map_for(struct brg_device *dev, unsigned int lcores)
{
	const struct brg_bar_opts opts = {.lcores = lcores};
	struct brg_bar *bar;

	assert_int_equal(brg_bar_map(dev, 0, &opts, &bar), 0);
	return bar;
}

/* Who shares */

static void a_safe_kernel_shares_the_mapping(void **state)
{
	struct brg_bar *bar = map_for(*state, LCORES);
	struct brg_bar *shares[2];

	assert_int_equal(brg_bar_share(bar, &shares[0]), 0);
	assert_int_equal(brg_bar_share(shares[0], &shares[1]), 0);
	assert_ptr_equal(shares[0], bar);
	assert_ptr_equal(shares[1], bar);
	brg_bar_unmap(bar);
	brg_bar_unmap(shares[1]);
	assert_int_equal(brg_bar_read32(shares[0], PAGE), 1);
	brg_bar_unmap(shares[0]);
}

static void a_vulnerable_kernel_shares_nothing(void **state)
{
	struct brg_bar_opts part = {.offset = 8 * PAGE, .length = PAGE};
	struct brg_bar *bar, *own;

	run_on(BRG_BAR_ERA_UNFIXED);
	assert_int_equal(brg_bar_map(*state, 0, &part, &bar), 0);
	assert_int_equal(brg_bar_share(bar, &own), 0);
	assert_ptr_not_equal(own->base, bar->base);
	assert_int_equal(own->offset, bar->offset);
	assert_int_equal(own->length, bar->length);
	brg_bar_unmap(bar);
	assert_int_equal(brg_bar_read32(own, 8 * PAGE), 8);
	brg_bar_unmap(own);
}

static void lazily_for_many_is_refused_where_it_is_a_bug(void **state)
{
	const struct brg_bar_opts opts = {.policy = BRG_BAR_LAZY, .lcores = 8};
	struct brg_bar *bar;

	assert_int_equal(brg_bar_map(*state, 0, &opts, &bar), 0);
	brg_bar_unmap(bar);
	run_on(BRG_BAR_ERA_UNFIXED);
	assert_fails(brg_bar_map(*state, 0, &opts, &bar), ENOTSUP, "lazily for 8 lcores");
	assert_null(bar);
}

/* Who may zap */

static void what_needs_registered_lcores(void **state)
{
	struct brg_device *dev = *state;
	struct brg_device other = *dev;
	struct brg_bar *bar = map_for(dev, LCORES);

	assert_int_equal(brg_zap_begin(dev), 0); /* a safe kernel */
	brg_zap_end(dev);
	brg_bar_unmap(bar);

	run_on(BRG_BAR_ERA_UNFIXED);
	bar = map_for(dev, 1);
	assert_int_equal(brg_zap_begin(dev), 0); /* one lcore */
	brg_zap_end(dev);
	brg_bar_unmap(bar);

	bar = map_for(dev, 2);
	assert_fails(brg_zap_begin(dev), EBUSY, "BAR 0 of 0000:00:04.0 is mapped for 2 lcores");
	assert_int_equal(brg_zap_begin(&other), 0); /* another device */
	brg_zap_end(&other);
	brg_bar_unmap(bar);
	assert_int_equal(brg_zap_begin(dev), 0); /* no mapping any more */
	brg_zap_end(dev);
}

static void *register_without_being_an_lcore(void *arg)
{
	assert_fails(brg_bar_lcore_register(), EINVAL, "not an lcore");
	brg_bar_quiescent();
	return NULL;
}

static void only_lcores_register(void **state)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, register_without_being_an_lcore, NULL), 0);
	pthread_join(thread, NULL);
}

/* Around a zap */

/* Threads of a busy machine may be late, which is an error that leaves all as it was. */
static int begin_zap(struct brg_device *dev)
{
	int rc;

	do
		rc = brg_zap_begin(dev);
	while (rc == -ETIMEDOUT);
	return rc;
}

static struct {
	struct brg_bar *bar;
	atomic_bool stop, zapping;
	atomic_uint ready, accesses, accesses_while_zapping, faults;
} load;

static void access_shared(void)
{
	long before = faults();

	if (atomic_load(&load.zapping))
		atomic_fetch_add(&load.accesses_while_zapping, 1);
	(void)brg_bar_read32(load.bar, 0);
	atomic_fetch_add(&load.accesses, 1);
	atomic_fetch_add(&load.faults, (unsigned int)(faults() - before));
}

static void *access_until_stopped(void *arg)
{
	assert_int_equal(rte_thread_register(), 0);
	assert_int_equal(brg_bar_lcore_register(), 0);
	assert_int_equal(brg_bar_lcore_register(), 0);
	(void)faults(); /* the program's own pages */
	access_shared();
	atomic_store(&load.faults, 0);
	atomic_fetch_add(&load.ready, 1);
	for (unsigned int i = 0; !atomic_load(&load.stop); i++) {
		access_shared();
		if (i % 64) {
			brg_bar_quiescent();
		} else {
			brg_bar_offline();
			brg_bar_online();
		}
	}
	brg_bar_lcore_unregister();
	rte_thread_unregister();
	return NULL;
}

static void start_load(struct brg_bar *bar, pthread_t threads[LCORES])
{
	memset(&load, 0, sizeof(load));
	load.bar = bar;
	for (int i = 0; i < LCORES; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, access_until_stopped, NULL), 0);
	while (atomic_load(&load.ready) < LCORES)
		rte_pause();
}

static void stop_load(const pthread_t threads[LCORES])
{
	atomic_store(&load.stop, true);
	for (int i = 0; i < LCORES; i++)
		pthread_join(threads[i], NULL);
}

/* What the kernel does to every mapping of the device. */
static void zap(const struct brg_bar *bar)
{
	assert_int_equal(madvise((void *)(uintptr_t)bar->base, bar->length, MADV_DONTNEED), 0);
}

static void nobody_sees_an_empty_mapping(void **state)
{
	struct brg_device *dev = *state;
	pthread_t threads[LCORES];
	struct brg_bar *bar;

	run_on(BRG_BAR_ERA_UNFIXED);
	bar = map_for(dev, LCORES + 1); /* main, too */
	start_load(bar, threads);
	for (int i = 0; i < 100; i++) {
		unsigned int before = atomic_load(&load.accesses);

		assert_int_equal(begin_zap(dev), 0);
		atomic_store(&load.zapping, true);
		zap(bar);
		for (int wait = 0; wait < 100; wait++)
			rte_pause();
		atomic_store(&load.zapping, false);
		brg_zap_end(dev);
		while (atomic_load(&load.accesses) == before)
			sched_yield();
	}
	stop_load(threads);
	assert_int_equal(load.accesses_while_zapping, 0);
	assert_int_equal(load.faults, 0);
	brg_bar_unmap(bar);
}

/* Each maps and zaps for itself, all registered: none waits for another for ever. */
static void *map_and_zap(void *arg)
{
	struct brg_device *dev = arg;
	int bad = 0;

	rte_thread_register();
	brg_bar_lcore_register();
	atomic_fetch_add(&load.ready, 1);
	while (atomic_load(&load.ready) < LCORES)
		brg_bar_quiescent();
	for (int i = 0; i < 25; i++) {
		const struct brg_bar_opts opts = {.lcores = 2};
		struct brg_bar *bar = NULL;

		bad += !!brg_bar_map(dev, 0, &opts, &bar);
		if (begin_zap(dev))
			bad++;
		else
			brg_zap_end(dev);
		brg_bar_unmap(bar);
		brg_bar_quiescent();
	}
	atomic_fetch_add(&load.ready, 1);
	while (atomic_load(&load.ready) < 2 * LCORES) /* the mappings of others are for two */
		brg_bar_quiescent();
	brg_bar_lcore_unregister();
	rte_thread_unregister();
	return (void *)(uintptr_t)bad;
}

static void all_may_zap_at_once(void **state)
{
	pthread_t threads[LCORES];

	run_on(BRG_BAR_ERA_UNFIXED);
	memset(&load, 0, sizeof(load));
	for (int i = 0; i < LCORES; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, map_and_zap, *state), 0);
	for (int i = 0; i < LCORES; i++) {
		void *bad;

		pthread_join(threads[i], &bad);
		assert_null(bad);
	}
}

static void *stay_away(void *arg)
{
	rte_thread_register();
	brg_bar_lcore_register();
	atomic_fetch_add(&load.ready, 1);
	while (!atomic_load(&load.stop)) /* never quiescent */
		sched_yield();
	brg_bar_lcore_unregister();
	rte_thread_unregister();
	return NULL;
}

static void an_lcore_that_never_comes_is_named(void **state)
{
	struct brg_device *dev = *state;
	struct brg_bar *bar;
	pthread_t thread;

	run_on(BRG_BAR_ERA_UNFIXED);
	bar = map_for(dev, 2);
	memset(&load, 0, sizeof(load));
	assert_int_equal(pthread_create(&thread, NULL, stay_away, NULL), 0);
	while (!atomic_load(&load.ready))
		sched_yield();
	assert_fails(brg_zap_begin(dev), ETIMEDOUT, "lcore 1 has not called brg_bar_quiescent()");
	atomic_store(&load.stop, true);
	pthread_join(thread, NULL);
	brg_bar_unmap(bar);
}

/* A thread that is an lcore only to be the second user. */
static void *quiesce_until_stopped(void *arg)
{
	rte_thread_register();
	brg_bar_lcore_register();
	atomic_fetch_add(&load.ready, 1);
	while (!atomic_load(&load.stop))
		brg_bar_quiescent();
	brg_bar_lcore_unregister();
	rte_thread_unregister();
	return NULL;
}

/* Left empty while memory decode is off, and filled by what turns it on. */
static void filled_when_decode_is_back(void **state)
{
	struct brg_device *dev = *state;
	struct brg_bar *bar;
	pthread_t thread;
	long before;

	run_on(BRG_BAR_ERA_UNFIXED);
	memset(&load, 0, sizeof(load));
	bar = map_for(dev, 2);
	assert_int_equal(pthread_create(&thread, NULL, quiesce_until_stopped, NULL), 0);
	while (!atomic_load(&load.ready))
		sched_yield();

	assert_int_equal(begin_zap(dev), 0);
	dev->command = 0;
	zap(bar);
	brg_zap_end(dev);
	before = faults();
	(void)brg_bar_read32(bar, 0);
	assert_int_equal(faults() - before, 1); /* in a device the guard's work */

	assert_int_equal(begin_zap(dev), 0);
	dev->command = PCI_COMMAND_MEMORY;
	zap(bar);
	brg_zap_end(dev);
	before = faults();
	(void)brg_bar_read32(bar, 0);
	assert_int_equal(faults() - before, 0);

	atomic_store(&load.stop, true);
	pthread_join(thread, NULL);
	brg_bar_unmap(bar);
}

#define with_device(test) cmocka_unit_test_setup_teardown(test, make_device, free_device)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_device(a_safe_kernel_shares_the_mapping),
		with_device(a_vulnerable_kernel_shares_nothing),
		with_device(lazily_for_many_is_refused_where_it_is_a_bug),
		with_device(what_needs_registered_lcores),
		with_device(only_lcores_register),
		with_device(nobody_sees_an_empty_mapping),
		with_device(all_may_zap_at_once),
		with_device(an_lcore_that_never_comes_is_named),
		with_device(filled_when_decode_is_back),
	};

	return cmocka_run_group_tests(tests, start_eal, stop_eal);
}
