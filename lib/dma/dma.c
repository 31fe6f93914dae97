/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * EAL's memory, present and future, mapped into the IOMMU domains of the devices that asked.
 *
 * Locks, outermost first: EAL's memory hotplug lock, then ours. EAL calls on_event() with its lock
 * held for writing; everything here that looks at EAL's memory or at the domains' attach counts
 * takes it for reading first, so no event comes in between.
 */

#include <errno.h>
#include <pthread.h>
#include <rte_eal_memconfig.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_memory.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "base.h"
#include "brg_dma.h"
#include "container.h"

/* What the application registered, so that only that is taken back. */
struct range {
	char *addr;
	size_t len;
	struct range *next;
};

/* An IOMMU domain in which something is mapped. */
struct domain {
	struct brg_container *container;
	unsigned int attached;
	struct range *ranges;
	struct domain *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct domain *domains;

static struct domain *find_domain(const struct brg_device *dev)
{
	struct brg_container *c = brg_device_container(dev);
	struct domain *d = domains;

	while (d && d->container != c)
		d = d->next;
	return d;
}

static struct domain *find_or_add_domain(const struct brg_device *dev)
{
	struct domain *d = find_domain(dev);

	if (d)
		return d;
	d = calloc(1, sizeof(*d));
	if (!d)
		return NULL;
	d->container = brg_device_container(dev);
	d->next = domains;
	domains = d;
	return d;
}

static void drop_if_unused(struct domain *d)
{
	struct domain **at = &domains;

	if (d->attached || d->ranges)
		return;
	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	free(d);
}

/*
 * How much one mapping may cover. Hugepages come and go one by one, and type1v2 unmaps only what
 * was mapped as a whole: each gets its own. Small pages (--no-huge, or external memory) stay
 * together: one entry instead of thousands.
 */
static size_t mapping_len(const struct rte_memseg_list *msl, size_t len)
{
	return msl->page_sz > (size_t)sysconf(_SC_PAGESIZE) ? msl->page_sz : len;
}

/* Map [addr, addr + len) of one memory list; all of it or nothing. */
static int map_area(struct domain *d, const struct rte_memseg_list *msl, char *addr, size_t len)
{
	size_t step = mapping_len(msl, len);

	for (size_t done = 0; done < len; done += step) {
		int rc = brg_container_map(d->container, addr + done, step);

		if (rc) {
			if (done)
				brg_container_unmap(d->container, addr, done);
			return rc;
		}
	}
	return 0;
}

/* External memory that is no heap is the application's to register (rte_extmem_register()). */
static bool is_ours(const struct rte_memseg_list *msl)
{
	return !msl->external || msl->heap;
}

struct walk {
	struct domain *domain;
	const void *failed; /* the first area that could not be mapped */
	int rc;
};

static int map_one(const struct rte_memseg_list *msl, const struct rte_memseg *ms, size_t len,
		   void *arg)
{
	struct walk *w = arg;

	if (!is_ours(msl))
		return 0;
	w->rc = map_area(w->domain, msl, ms->addr, len);
	if (w->rc)
		w->failed = ms->addr;
	return w->rc ? 1 : 0;
}

/* Unmap in the same order, up to the area that failed. */
static int unmap_one(const struct rte_memseg_list *msl, const struct rte_memseg *ms, size_t len,
		     void *arg)
{
	struct walk *w = arg;

	if (ms->addr == w->failed)
		return 1;
	/* -ENOENT: a page that on_event() could not map. */
	if (is_ours(msl))
		brg_container_unmap(w->domain->container, ms->addr, len);
	return 0;
}

static void map_new(struct domain *d, const struct rte_memseg_list *msl, char *addr, size_t len)
{
	if (map_area(d, msl, addr, len))
		BRG_LOG(ERR, "new memory is not mapped for DMA, devices cannot use it: %s",
			brg_errmsg());
}

static void on_event(enum rte_mem_event event, const void *addr, size_t len, void *arg)
{
	const struct rte_memseg_list *msl = rte_mem_virt2memseg_list(addr);
	char *start = (char *)(uintptr_t)addr;

	if (!msl || !is_ours(msl))
		return;
	pthread_mutex_lock(&lock);
	for (struct domain *d = domains; d; d = d->next) {
		if (!d->attached)
			continue;
		if (event == RTE_MEM_EVENT_ALLOC)
			map_new(d, msl, start, len);
		else
			brg_container_unmap(d->container, start, len);
	}
	pthread_mutex_unlock(&lock);
}

static int attach_first(struct domain *d)
{
	struct walk w = {.domain = d};
	/* Once in a process: EEXIST says that it was done for another domain, or before. ENOTSUP:
	 * the memory is --no-huge or --legacy-mem and never changes. */
	int rc = rte_mem_event_callback_register("barrage", on_event, NULL);

	if (rc && rte_errno != EEXIST && rte_errno != ENOTSUP)
		return brg_fail(rte_errno, "EAL does not tell of new memory: %s",
				rte_strerror(rte_errno));
	rte_memseg_contig_walk_thread_unsafe(map_one, &w);
	if (w.rc)
		rte_memseg_contig_walk_thread_unsafe(unmap_one, &w);
	return w.rc;
}

int brg_dma_attach(struct brg_device *dev)
{
	struct domain *d;
	int rc = 0;

	if (!rte_lcore_count())
		return brg_fail(ENXIO,
				"EAL is not up; call rte_eal_init() or brg_env_init() first");

	rte_mcfg_mem_read_lock();
	pthread_mutex_lock(&lock);
	d = find_or_add_domain(dev);
	if (!d)
		rc = brg_fail(ENOMEM, "no memory for an IOMMU domain");
	else if (!d->attached)
		rc = attach_first(d);
	if (!rc)
		d->attached++;
	else if (d)
		drop_if_unused(d);
	pthread_mutex_unlock(&lock);
	rte_mcfg_mem_read_unlock();
	return rc;
}

void brg_dma_detach(struct brg_device *dev)
{
	struct domain *d;

	rte_mcfg_mem_read_lock();
	pthread_mutex_lock(&lock);
	d = find_domain(dev);
	if (d && d->attached && !--d->attached) {
		struct walk w = {.domain = d};

		rte_memseg_contig_walk_thread_unsafe(unmap_one, &w);
		drop_if_unused(d);
	}
	pthread_mutex_unlock(&lock);
	rte_mcfg_mem_read_unlock();
}

static int register_locked(struct brg_device *dev, char *addr, size_t len)
{
	struct range *r = calloc(1, sizeof(*r));
	struct domain *d = find_or_add_domain(dev);
	int rc;

	if (!r || !d) {
		rc = brg_fail(ENOMEM, "no memory to remember %p + %zu", (void *)addr, len);
		goto undo;
	}
	rc = brg_container_map(d->container, addr, len);
	if (rc)
		goto undo;
	*r = (struct range){addr, len, d->ranges};
	d->ranges = r;
	return 0;
undo:
	if (d)
		drop_if_unused(d);
	free(r);
	return rc;
}

int brg_dma_register(struct brg_device *dev, void *addr, size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int rc;

	if (!len || ((uintptr_t)addr | len) % page)
		return brg_fail(EINVAL, "%p + %zu: address and length must be multiples of %zu",
				addr, len, page);
	pthread_mutex_lock(&lock);
	rc = register_locked(dev, addr, len);
	pthread_mutex_unlock(&lock);
	return rc;
}

static int unregister_locked(struct brg_device *dev, const char *addr, size_t len)
{
	struct domain *d = find_domain(dev);
	struct range **at = d ? &d->ranges : NULL;
	struct range *r;
	int rc;

	while (at && *at && ((*at)->addr != addr || (*at)->len != len))
		at = &(*at)->next;
	if (!at || !*at)
		return brg_fail(ENOENT, "%p + %zu was not registered", (const void *)addr, len);
	r = *at;
	rc = brg_container_unmap(d->container, r->addr, r->len);
	*at = r->next;
	free(r);
	drop_if_unused(d);
	return rc;
}

int brg_dma_unregister(struct brg_device *dev, void *addr, size_t len)
{
	int rc;

	pthread_mutex_lock(&lock);
	rc = unregister_locked(dev, addr, len);
	pthread_mutex_unlock(&lock);
	return rc;
}

static bool is_registered(const struct domain *d, const char *addr, size_t len)
{
	for (const struct range *r = d->ranges; r; r = r->next)
		if (addr >= r->addr && (size_t)(addr - r->addr) <= r->len &&
		    len <= r->len - (size_t)(addr - r->addr))
			return true;
	return false;
}

/* Page by page: those next to each other need not both be there. */
static bool is_eal_memory(const char *addr, size_t len)
{
	const struct rte_memseg_list *msl = rte_mem_virt2memseg_list(addr);
	const char *end = addr + len;

	while (msl && is_ours(msl) && addr < end) {
		const struct rte_memseg *ms = rte_mem_virt2memseg(addr, msl);

		if (!ms)
			return false;
		addr = (const char *)ms->addr + ms->len;
	}
	return msl && is_ours(msl);
}

int brg_dma_check(const struct brg_device *dev, const void *addr, size_t len)
{
	const struct domain *d;
	bool mapped;

	rte_mcfg_mem_read_lock();
	pthread_mutex_lock(&lock);
	d = find_domain(dev);
	mapped = d && (is_registered(d, addr, len) || (d->attached && is_eal_memory(addr, len)));
	pthread_mutex_unlock(&lock);
	rte_mcfg_mem_read_unlock();
	if (mapped)
		return 0;
	return brg_fail(EFAULT,
			"%p + %zu is not mapped for DMA: take it from rte_malloc(), or "
			"brg_dma_register() it",
			addr, len);
}
