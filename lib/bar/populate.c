/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fill the page tables of a mapping before anybody uses it. How much one fault fills depends on the
 * kernel; whether a read was a fault is counted, so nothing need be believed about it.
 */

#include <errno.h>
#include <numa.h>
#include <pthread.h>
#include <rte_lcore.h>
#include <sched.h>
#include <sys/resource.h>

#include "bar.h"
#include "base.h"
#include "container.h"
#include "guard.h"

/* By reading */

static long faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_minflt;
}

static bool faults_at(const struct brg_bar *bar, uint64_t offset)
{
	long before = faults();

	(void)brg_bar_read32(bar, offset);
	return faults() != before;
}

static uint64_t next_smaller(uint64_t size)
{
	return size == BRG_GIB_1 ? BRG_MIB_2 : BRG_PAGE;
}

/* The largest page of at most @p most that lies at @p offset, as addresses are aligned alike. */
static uint64_t page_at(uint64_t offset, uint64_t end, uint64_t most)
{
	while (most > BRG_PAGE && (offset % most || end - offset < most))
		most = next_smaller(most);
	return most;
}

/*
 * A fault that did not fill the VMA filled a page, of 4 KiB, 2 MiB or 1 GiB. The kernel is tried
 * with the largest that fits: if the next smaller one behind its start faults as well, it was not
 * that.
 */
static void touch_pages(const struct brg_bar *bar, uint64_t offset, uint64_t end)
{
	uint64_t most = BRG_GIB_1;
	uint64_t proven = BRG_PAGE;

	while (offset < end) {
		uint64_t size = page_at(offset, end, most);

		(void)brg_bar_read32(bar, offset);
		while (size > proven && faults_at(bar, offset + next_smaller(size)))
			most = size = next_smaller(size);
		if (size > proven)
			proven = size;
		offset += size;
	}
}

static void touch(const struct brg_bar *bar, const struct brg_area *at)
{
	uint64_t end = at->offset + at->size;

	(void)brg_bar_read32(bar, at->offset);
	/* Most handlers fill the whole VMA at once. */
	if (at->size > BRG_PAGE && faults_at(bar, end - BRG_PAGE))
		touch_pages(bar, at->offset, end);
}

static void touch_all(const struct brg_mapping *m)
{
	struct brg_piece piece = {0};

	while (brg_next_piece(m, m->how.vma_bytes, &piece))
		touch(&m->bar, &piece.at);
}

/* By the IOMMU */

static int fault_in(struct brg_mapping *m)
{
	struct brg_container *container = brg_device_container(m->bar.dev);
	struct brg_piece piece = {0};

	/* By areas: how many VMAs one has does not matter here. */
	while (brg_next_piece(m, 0, &piece)) {
		void *at = (void *)(uintptr_t)(m->bar.base + piece.at.offset);
		int rc = brg_container_fault_in(container, at, piece.at.size);

		if (rc && !brg_bar_check_decode(m->bar.dev))
			return rc;
		if (rc) /* it does not answer, as the guard would have found */
			atomic_store(&m->loss, BRG_LOSS_NEW);
	}
	return 0;
}

/* By several threads */

struct share {
	const struct brg_mapping *m;
	unsigned int index; /* of the thread; it fills each how.threads'th piece from there */
	pthread_t thread;
};

static void *touch_share(void *arg)
{
	const struct share *share = arg;
	const struct brg_mapping *m = share->m;
	struct brg_piece piece = {0};

	for (unsigned int i = 0; brg_next_piece(m, m->how.vma_bytes, &piece); i++)
		if (i % m->how.threads == share->index)
			touch(&m->bar, &piece.at);
	return NULL;
}

/*
 * CPUs to fill from: EAL's lcores, or what this thread may run on, as far as they are on the node.
 * All of them if none is.
 */
static void find_cpus(int node, cpu_set_t *cpus)
{
	cpu_set_t near;
	unsigned int lcore;

	CPU_ZERO(cpus);
	CPU_ZERO(&near);
	if (!rte_lcore_count())
		sched_getaffinity(0, sizeof(*cpus), cpus);
	RTE_LCORE_FOREACH (lcore) {
		cpu_set_t own = rte_lcore_cpuset(lcore);

		CPU_OR(cpus, cpus, &own);
	}
	for (int cpu = 0; node >= 0 && cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, cpus) && numa_node_of_cpu(cpu) == node)
			CPU_SET(cpu, &near);
	if (CPU_COUNT(&near))
		*cpus = near;
}

/* The @p n'th CPU of a set, around again when there are fewer. */
static int nth_cpu(const cpu_set_t *cpus, unsigned int n)
{
	int count = CPU_COUNT(cpus);
	int cpu = 0;

	for (unsigned int left = n % (unsigned int)(count ? count : 1); cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, cpus) && !left--)
			break;
	return cpu;
}

static int start_thread(struct share *share, const cpu_set_t *cpus)
{
	pthread_attr_t attr;
	cpu_set_t one;
	int rc;

	CPU_ZERO(&one);
	CPU_SET(nth_cpu(cpus, share->index), &one);
	pthread_attr_init(&attr);
	pthread_attr_setaffinity_np(&attr, sizeof(one), &one);
	rc = pthread_create(&share->thread, &attr, touch_share, share);
	pthread_attr_destroy(&attr);
	return rc;
}

/* What no thread can be started for is done here. */
static void touch_in_parallel(const struct brg_mapping *m)
{
	unsigned int n = m->how.threads;
	struct share shares[n];
	bool started[n];
	cpu_set_t cpus;

	find_cpus(m->how.node, &cpus);
	for (unsigned int i = 0; i < n; i++) {
		shares[i] = (struct share){.m = m, .index = i};
		started[i] = i && !start_thread(&shares[i], &cpus);
	}
	for (unsigned int i = 0; i < n; i++)
		if (!started[i])
			touch_share(&shares[i]);
	for (unsigned int i = 0; i < n; i++)
		if (started[i])
			pthread_join(shares[i].thread, NULL);
}

/* Where */

static int populate_here(struct brg_mapping *m)
{
	switch (m->how.policy) {
	case BRG_BAR_IOMMU:
		return fault_in(m);
	case BRG_BAR_PARALLEL:
		touch_in_parallel(m);
		return 0;
	default:
		touch_all(m);
		return 0;
	}
}

/* Where the process may not use the node's CPUs the page tables are made here. */
static bool move_to(int node, cpu_set_t *before)
{
	struct bitmask *cpus;
	bool moved;

	if (node < 0 || numa_node_of_cpu(sched_getcpu()) == node ||
	    sched_getaffinity(0, sizeof(*before), before))
		return false;
	cpus = numa_allocate_cpumask();
	moved = !numa_node_to_cpus(node, cpus) && numa_sched_setaffinity(0, cpus) >= 0;
	numa_free_cpumask(cpus);
	return moved;
}

int brg_bar_populate(struct brg_mapping *m)
{
	cpu_set_t before;
	bool moved = move_to(m->how.node, &before);
	int rc = populate_here(m);

	if (moved)
		sched_setaffinity(0, sizeof(before), &before);
	return rc;
}
