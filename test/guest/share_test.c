/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Many lcores on one BAR, where their first faults on one VMA are a kernel BUG: a thousand mappings
 * that they all come to at once, and resets while they use it. That the kernel survives could be
 * luck; so no lcore may take a single fault in a mapping that it shares.
 *
 * MAPPINGS and RESETS in the environment say how many.
 */

#include "guest.h"

#include <errno.h>
#include <linux/vfio.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_pause.h>
#include <stdatomic.h>
#include <sys/ioctl.h>

#include "brg_bar.h"
#include "brg_nvme.h"

#define CAP   0x00
#define INTMS 0x0c

static struct brg_device *dev;
static struct brg_bar_handler handler;
static uint64_t cap;
static unsigned int mappings, resets;

static unsigned int number(const char *name)
{
	const char *text = getenv(name);

	return text ? (unsigned int)atoi(text) : 0;
}

static int open_all(void **state)
{
	struct brg_bar *bar;

	mappings = number("MAPPINGS");
	resets = number("RESETS");
	if (brg_env_init(NULL) || brg_bar_handler_detect(NULL, &handler) ||
	    brg_device_open(test_bdf(), &dev) || brg_bar_map(dev, 0, NULL, &bar)) {
		fprintf(stderr, "%s\n", brg_errmsg());
		return -1;
	}
	cap = brg_bar_read64(bar, CAP);
	brg_bar_unmap(bar);
	printf("%u lcores, %s, %u mappings, %u resets\n", rte_lcore_count(),
	       brg_bar_era_name(handler.era), mappings, resets);
	return mappings && rte_lcore_count() > 1 ? 0 : -1;
}

static int close_all(void **state)
{
	brg_device_close(dev);
	brg_env_cleanup();
	return 0;
}

static struct {
	struct brg_bar *_Atomic bar; /* that all are to come to */
	atomic_uint round, done, failed, faults, wrong;
	atomic_ulong accesses;
	atomic_bool stop;
} all;

static void access_once(const struct brg_bar *bar)
{
	uint64_t value = brg_bar_read64(bar, CAP);

	if (value != cap)
		atomic_fetch_add(&all.wrong, 1);
	brg_bar_write32(bar, INTMS, 0); /* masks no interrupt */
	atomic_fetch_add(&all.accesses, 1);
}

/* How many faults it takes; the first time the program's own pages do. */
static unsigned int faults_of_access(const struct brg_bar *bar)
{
	long before = faults();

	access_once(bar);
	return (unsigned int)(faults() - before);
}

/* Every lcore comes to each mapping at the same moment. */
static int come_to_each(void *arg)
{
	for (unsigned int round = 1; round <= mappings; round++) {
		unsigned int n;

		while (atomic_load(&all.round) < round)
			rte_pause();
		n = faults_of_access(atomic_load(&all.bar));
		if (round > 1)
			atomic_fetch_add(&all.faults, n);
		atomic_fetch_add(&all.done, 1);
	}
	return 0;
}

static void all_come_to_each_of_many_mappings(void **state)
{
	unsigned int workers = rte_lcore_count() - 1;

	memset(&all, 0, sizeof(all));
	rte_eal_mp_remote_launch(come_to_each, NULL, SKIP_MAIN);
	for (unsigned int round = 1; round <= mappings; round++) {
		struct brg_bar *bar;

		assert_works(brg_bar_map(dev, 0, NULL, &bar));
		atomic_store(&all.bar, bar);
		atomic_store(&all.done, 0);
		atomic_store(&all.round, round);
		access_once(bar);
		while (atomic_load(&all.done) < workers)
			rte_pause();
		brg_bar_unmap(bar);
	}
	rte_eal_mp_wait_lcore();
	assert_int_equal(all.wrong, 0);
	assert_int_equal(all.faults, 0);
}

/* Resets by this library, one mapping for all */

/* Let the workers do that, and wait until all are at it. */
static void start_all(int (*work)(void *arg), void *arg)
{
	rte_eal_mp_remote_launch(work, arg, SKIP_MAIN);
	while (atomic_load(&all.done) < rte_lcore_count() - 1)
		rte_pause();
	if (!atomic_load(&all.failed))
		return;
	atomic_store(&all.stop, true);
	rte_eal_mp_wait_lcore();
	fail_msg("%u lcores could not begin", all.failed);
}

static void stop_all(void)
{
	unsigned int lcore;
	int failed = 0;

	atomic_store(&all.stop, true);
	RTE_LCORE_FOREACH_WORKER (lcore)
		failed += rte_eal_wait_lcore(lcore) != 0;
	assert_int_equal(failed, 0);
}

/* On an lcore, where cmocka's asserts must not be: they would jump onto the main lcore's stack. */
static int fail_to_begin(void)
{
	fprintf(stderr, "lcore %u: %s\n", rte_lcore_id(), brg_errmsg());
	atomic_fetch_add(&all.failed, 1);
	atomic_fetch_add(&all.done, 1);
	return -1;
}

static int use_shared(void *arg)
{
	unsigned int n;

	if (brg_bar_lcore_register())
		return fail_to_begin();
	(void)faults_of_access(all.bar);
	atomic_fetch_add(&all.done, 1);
	while (!atomic_load(&all.stop)) {
		n = faults_of_access(all.bar);
		atomic_fetch_add(&all.faults, n);
		brg_bar_quiescent();
		rte_pause();
	}
	brg_bar_lcore_unregister();
	return 0;
}

static void wait_for_load(unsigned long accesses)
{
	while (atomic_load(&all.accesses) < accesses)
		rte_pause();
}

static void resets_under_load(void **state)
{
	struct brg_bar *bar;

	memset(&all, 0, sizeof(all));
	assert_works(brg_bar_map(dev, 0, NULL, &bar));
	if (resets && handler.vulnerable)
		assert_fails(brg_device_reset(dev), EBUSY, "brg_bar_lcore_register()");
	all.bar = bar;
	start_all(use_shared, NULL);
	for (unsigned int i = 0; i < resets; i++) {
		assert_works(brg_device_reset(dev));
		wait_for_load(atomic_load(&all.accesses) + 2 * rte_lcore_count());
	}
	stop_all();
	assert_int_equal(all.wrong, 0);
	if (handler.vulnerable)
		assert_int_equal(all.faults, 0);
	printf("%lu accesses, %u faults under %u resets\n", all.accesses, all.faults, resets);
	brg_bar_unmap(bar);
}

/* Resets by somebody else, a mapping for each */

static int use_own(void *arg)
{
	struct brg_bar *own;
	int rc;

	if (brg_bar_share(arg, &own))
		return fail_to_begin();
	atomic_fetch_add(&all.done, 1);
	while (!atomic_load(&all.stop)) {
		access_once(own);
		rte_pause();
	}
	rc = brg_bar_read64(own, CAP) == cap ? 0 : -1;
	brg_bar_unmap(own);
	return rc;
}

/*
 * The unfixed handler may fill a mapping that has just been zapped, and nobody zaps it again
 * (doc/fault-eras.md): its lcore then reads what the bus answers for a device in reset.
 */
static void resets_that_nobody_is_told_of(void **state)
{
	struct brg_bar *bar;

	memset(&all, 0, sizeof(all));
	assert_works(brg_bar_map(dev, 0, &(struct brg_bar_opts){.lcores = 1}, &bar));
	start_all(use_own, bar);
	for (unsigned int i = 0; i < resets; i++) {
		assert_int_equal(ioctl(brg_device_fd(dev), VFIO_DEVICE_RESET), 0);
		wait_for_load(atomic_load(&all.accesses) + 2 * rte_lcore_count());
	}
	stop_all();
	if (handler.era != BRG_BAR_ERA_UNFIXED)
		assert_int_equal(all.wrong, 0);
	brg_bar_unmap(bar);
}

/* And NVMe queue pairs do so by themselves. */
static void queue_pairs_share_no_vma(void **state)
{
	struct brg_nvme_qpair *qpairs[2];
	struct brg_nvme_ctrl *ctrl;
	struct brg_bar *bar, *own;

	assert_works(brg_nvme_open(dev, &(struct brg_nvme_opts){.io_queues = 2}, &ctrl));
	bar = (struct brg_bar *)(uintptr_t)brg_nvme_bar(ctrl);
	assert_works(brg_bar_share(bar, &own));
	assert_int_equal(own != bar, handler.vulnerable);
	brg_bar_unmap(own);
	for (int i = 0; i < 2; i++)
		assert_works(brg_nvme_qpair_create(ctrl, NULL, &qpairs[i]));
	assert_works(brg_device_set_memory_decode(dev, false)); /* needs no lcore's consent */
	assert_works(brg_device_set_memory_decode(dev, true));
	for (int i = 0; i < 2; i++)
		brg_nvme_qpair_free(qpairs[i]);
	brg_nvme_close(ctrl);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_come_to_each_of_many_mappings),
		cmocka_unit_test(resets_under_load),
		cmocka_unit_test(resets_that_nobody_is_told_of),
		cmocka_unit_test(queue_pairs_share_no_vma),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
