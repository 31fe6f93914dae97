/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Map a BAR: reserve its address range first, then lay one VMA over it for each area that the
 * device lets us map. What stays reserved between them faults as any wild pointer does.
 */

#include <errno.h>
#include <linux/pci_regs.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bar.h"
#include "base.h"
#include "guard.h"

/*
 * From 6.12 on (f9e54c3a2f5b) vfio-pci fills 2 MiB or 1 GiB at a fault, where the address and the
 * BAR offset are aligned alike.
 */
#define MIB_2 ((uint64_t)2 << 20)
#define GIB_1 ((uint64_t)1 << 30)

/* What the user sees of a mapping, and what not. */
struct mapping {
	struct brg_bar bar;
	struct brg_guard *guard;
	atomic_int loss; /* enum brg_loss */
};

static struct mapping *mapping(const struct brg_bar *bar)
{
	return (struct mapping *)(uintptr_t)bar;
}

static uint64_t page_size(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

/* The part of a region's area that lies in the wanted range; false when there is none. */
static bool clip(const struct brg_bar *bar, const struct brg_area *area, struct brg_area *part)
{
	uint64_t start = area->offset;
	uint64_t end = start + area->size;

	if (start < bar->offset)
		start = bar->offset;
	if (end > bar->offset + bar->length)
		end = bar->offset + bar->length;
	*part = (struct brg_area){start, end - start};
	return start < end;
}

/* Set offset and length, and say why if they are wrong. */
static int choose_range(struct brg_bar *bar, const struct brg_bar_opts *opts)
{
	uint64_t whole = (bar->size + page_size() - 1) & ~(page_size() - 1);

	bar->offset = opts->offset;
	if (bar->offset % page_size())
		return brg_fail(EINVAL, "BAR offset 0x%llx is not a multiple of the page size",
				(unsigned long long)bar->offset);
	if (bar->offset >= bar->size || opts->length > bar->size - bar->offset)
		return brg_fail(EINVAL, "BAR %u has 0x%llx bytes: 0x%llx at 0x%llx is outside",
				bar->index, (unsigned long long)bar->size,
				(unsigned long long)opts->length, (unsigned long long)bar->offset);
	bar->length = opts->length ? opts->length : whole - bar->offset;
	bar->length = (bar->length + page_size() - 1) & ~(page_size() - 1);
	return 0;
}

static uint64_t alignment(uint64_t length)
{
	if (length >= GIB_1)
		return GIB_1;
	return length >= MIB_2 ? MIB_2 : page_size();
}

/* Address space for the range, congruent to the BAR offset where a huge fault could use that. */
static int reserve(struct brg_bar *bar)
{
	uint64_t align = alignment(bar->length);
	uint64_t extra = align - page_size();
	uint64_t skip;
	char *space;

	space = mmap(NULL, bar->length + extra, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (space == MAP_FAILED)
		return brg_fail(ENOMEM, "no address space for 0x%llx bytes of BAR %u: %s",
				(unsigned long long)bar->length, bar->index, strerror(errno));
	skip = (bar->offset - (uintptr_t)space) % align;
	if (skip)
		munmap(space, skip);
	if (extra > skip)
		munmap(space + skip + bar->length, extra - skip);
	bar->base = (volatile uint8_t *)((uintptr_t)space + skip - bar->offset);
	return 0;
}

static int map_areas(struct brg_bar *bar, const struct brg_region *region)
{
	for (unsigned int i = 0; i < region->nareas; i++) {
		struct brg_area part;
		void *at;

		if (!clip(bar, &region->areas[i], &part))
			continue;
		at = (void *)(uintptr_t)(bar->base + part.offset);
		if (mmap(at, part.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
			 brg_device_fd(bar->dev), (off_t)(region->offset + part.offset)) == at)
			continue;
		if (errno == ENOMEM)
			return brg_fail(ENOMEM, "no memory to map BAR %u", bar->index);
		return brg_fail(ENOTSUP, "the kernel does not map 0x%llx at 0x%llx of BAR %u: %s",
				(unsigned long long)part.size, (unsigned long long)part.offset,
				bar->index, strerror(errno));
	}
	return 0;
}

/*
 * Read one register of every page: kernels to 6.11 fill the whole VMA at the first, later ones a
 * page or 2 MiB at a time. Where memory decode is off nothing is filled and the guard answers.
 */
static void prefault(const struct brg_bar *bar, const struct brg_region *region)
{
	for (unsigned int i = 0; i < region->nareas; i++) {
		struct brg_area part;

		if (!clip(bar, &region->areas[i], &part))
			continue;
		for (uint64_t off = 0; off < part.size; off += page_size())
			(void)brg_bar_read32(bar, part.offset + off);
	}
}

int brg_bar_map(struct brg_device *dev, unsigned int index, const struct brg_bar_opts *opts,
		struct brg_bar **bar)
{
	static const struct brg_bar_opts defaults;
	const struct brg_bar_opts *o = opts ? opts : &defaults;
	const char *bdf = brg_device_get_info(dev)->bdf;
	const struct brg_region *region;
	struct mapping *m;
	int rc;

	*bar = NULL;
	region = index < BRG_PCI_BARS ? brg_device_region(dev, index) : NULL;
	if (!region || !brg_device_get_info(dev)->bar_size[index])
		return brg_fail(ENOENT, "%s has no memory BAR %u", bdf, index);
	if (!region->nareas)
		return brg_fail(ENOTSUP, "the kernel does not let BAR %u of %s be mapped", index,
				bdf);
	m = calloc(1, sizeof(*m));
	if (!m)
		return brg_fail(ENOMEM, "no memory for a BAR mapping");
	m->bar.dev = dev;
	m->bar.index = index;
	m->bar.size = region->size;
	rc = choose_range(&m->bar, o);
	if (!rc)
		rc = reserve(&m->bar);
	if (rc)
		goto free_mapping;
	m->guard = brg_guard_add(m->bar.base + m->bar.offset, m->bar.length, &m->loss);
	if (!m->guard)
		rc = brg_fail(ENOMEM, "no memory for a BAR mapping");
	if (!rc)
		rc = map_areas(&m->bar, region);
	if (rc)
		goto unmap;
	if (o->policy == BRG_BAR_PREFAULT)
		prefault(&m->bar, region);
	*bar = &m->bar;
	return 0;

unmap:
	brg_bar_unmap(&m->bar);
	return rc;
free_mapping:
	free(m);
	return rc;
}

void brg_bar_unmap(struct brg_bar *bar)
{
	if (!bar)
		return;
	brg_guard_remove(mapping(bar)->guard);
	munmap((void *)(uintptr_t)(bar->base + bar->offset), bar->length);
	free(mapping(bar));
}

int brg_bar_check_decode(struct brg_device *dev)
{
	const char *bdf = brg_device_get_info(dev)->bdf;
	uint16_t command;
	int rc;

	rc = brg_device_config_read(dev, PCI_COMMAND, &command, sizeof(command));
	if (rc)
		return rc;
	if (command == UINT16_MAX)
		return brg_fail(EIO, "config space of %s reads all-ones: the device is gone", bdf);
	if (!(command & PCI_COMMAND_MEMORY))
		return brg_fail(EIO, "memory decode of %s is off: its BARs cannot be read", bdf);
	return 0;
}

bool brg_bar_lost(const struct brg_bar *bar)
{
	atomic_int *loss = &mapping(bar)->loss;
	int is = atomic_load_explicit(loss, memory_order_relaxed);

	if (is == BRG_LOSS_NONE)
		return false;
	if (is == BRG_LOSS_KNOWN && !brg_bar_check_decode(bar->dev)) {
		atomic_store(loss, BRG_LOSS_NONE);
		return false;
	}
	atomic_store(loss, BRG_LOSS_KNOWN);
	return true;
}

volatile void *brg_bar_ptr(const struct brg_bar *bar, uint64_t offset, uint64_t len)
{
	const struct brg_region *region = brg_device_region(bar->dev, bar->index);

	if (offset > bar->size || len > bar->size - offset)
		return NULL;
	for (unsigned int i = 0; i < region->nareas; i++) {
		struct brg_area part;

		if (clip(bar, &region->areas[i], &part) && offset >= part.offset &&
		    offset + len <= part.offset + part.size)
			return bar->base + offset;
	}
	return NULL;
}
