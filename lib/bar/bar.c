/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Map a BAR as it was decided: anywhere, or at an address of our choice, one VMA or several for
 * each area that the device lets us map. What stays reserved between them faults as any wild
 * pointer does.
 */

#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>
#include <sys/mman.h>

#include "bar.h"
#include "base.h"
#include "guard.h"
#include "quiesce.h"

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

bool brg_next_piece(const struct brg_mapping *m, uint64_t vma_bytes, struct brg_piece *piece)
{
	for (; piece->area < m->region->nareas; piece->area++) {
		struct brg_area part;
		uint64_t end;

		if (!clip(&m->bar, &m->region->areas[piece->area], &part))
			continue;
		end = part.offset + part.size;
		if (part.offset < piece->next)
			part.offset = piece->next;
		if (part.offset >= end)
			continue;
		if (vma_bytes && end > part.offset - part.offset % vma_bytes + vma_bytes)
			end = part.offset - part.offset % vma_bytes + vma_bytes;
		piece->at = (struct brg_area){part.offset, end - part.offset};
		piece->next = end;
		return true;
	}
	return false;
}

static int fail_map(const struct brg_bar *bar, const struct brg_area *at)
{
	if (errno == ENOMEM)
		return brg_fail(ENOMEM, "no memory to map BAR %u", bar->index);
	return brg_fail(ENOTSUP, "the kernel does not map 0x%llx at 0x%llx of BAR %u: %s",
			(unsigned long long)at->size, (unsigned long long)at->offset, bar->index,
			strerror(errno));
}

static void *map_piece(const struct brg_mapping *m, const struct brg_area *at, void *address)
{
	return mmap(address, at->size, PROT_READ | PROT_WRITE,
		    MAP_SHARED | (address ? MAP_FIXED : 0), brg_device_fd(m->bar.dev),
		    (off_t)(m->region->offset + at->offset));
}

static void set_space(struct brg_mapping *m, void *space, size_t len, uint64_t base)
{
	m->space = space;
	m->space_len = len;
	m->bar.base = (volatile uint8_t *)(uintptr_t)base;
}

/*
 * Address space for the range, congruent to the BAR offset modulo the alignment. Since 6.7
 * (efa7df3e3bb5) the kernel aligns what is large by itself, mostly; otherwise it takes some more,
 * which stays reserved before and behind the range: giving it back takes longer than it is worth.
 */
static int reserve(struct brg_mapping *m, size_t extra)
{
	uint64_t align = m->how.align ? m->how.align : BRG_PAGE;
	size_t len = m->bar.length + extra;
	void *space = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uintptr_t start = (uintptr_t)space;
	size_t skip = (m->bar.offset - start) % align;

	if (space == MAP_FAILED)
		return brg_fail(ENOMEM, "no address space for 0x%zx bytes of BAR %u: %s", len,
				m->bar.index, strerror(errno));
	if (skip > extra) {
		munmap(space, len);
		return reserve(m, align - BRG_PAGE);
	}
	set_space(m, space, len, start + skip - m->bar.offset);
	return 0;
}

/* Apart, to keep registers and stack out of the way of what maps at once. */
static __attribute__((noinline)) int map_pieces(struct brg_mapping *m)
{
	struct brg_piece piece = {0};
	int rc;

	rc = reserve(m, 0);
	if (rc)
		return rc;
	while (brg_next_piece(m, m->how.vma_bytes, &piece)) {
		void *address = (void *)(uintptr_t)(m->bar.base + piece.at.offset);

		if (map_piece(m, &piece.at, address) == MAP_FAILED)
			return fail_map(&m->bar, &piece.at);
	}
	return 0;
}

/* One VMA anywhere: the kernel finds the address, and nothing need be reserved before. */
static int map_at_once(struct brg_mapping *m)
{
	const struct brg_area at = {m->bar.offset, m->bar.length};
	void *address = map_piece(m, &at, NULL);

	if (address == MAP_FAILED)
		return fail_map(&m->bar, &at);
	set_space(m, address, at.size, (uintptr_t)address - at.offset);
	return 0;
}

/* Nothing to be said about the address, and one area that is all of the range. */
static bool fits_at_once(const struct brg_mapping *m)
{
	const struct brg_area *area = &m->region->areas[0];

	return !m->how.align && !m->how.vma_bytes && m->region->nareas == 1 &&
	       area->offset <= m->bar.offset &&
	       area->offset + area->size >= m->bar.offset + m->bar.length;
}

static int fill(struct brg_mapping *m)
{
	if (m->users > 1 && brg_bar_running()->vulnerable)
		return brg_quiesce_fill(m);
	return brg_bar_populate(m);
}

/* Guarded before anybody can have the address. */
static int map_and_populate(struct brg_mapping *m)
{
	int rc = fits_at_once(m) ? map_at_once(m) : map_pieces(m);

	if (rc)
		return rc;
	brg_mapping_guard(m, m->bar.base + m->bar.offset, m->bar.length);
	return m->how.policy == BRG_BAR_LAZY ? 0 : fill(m);
}

static void unmap(struct brg_mapping *m)
{
	void *space = m->space;
	size_t len = m->space_len;

	brg_mapping_put(m);
	if (space)
		munmap(space, len);
}

int brg_bar_map(struct brg_device *dev, unsigned int index, const struct brg_bar_opts *opts,
		struct brg_bar **bar)
{
	static const struct brg_bar_opts defaults;
	const struct brg_bar_opts *o = opts ? opts : &defaults;
	struct brg_mapping *m = brg_mapping_take();
	int rc;

	*bar = NULL;
	if (!m)
		return brg_fail(ENOMEM, "no memory for a BAR mapping");
	m->space = NULL;
	atomic_store_explicit(&m->shares, 0, memory_order_relaxed);
	rc = brg_bar_describe(dev, index, o, m);
	if (!rc)
		rc = brg_bar_choose(o, m);
	if (!rc)
		rc = map_and_populate(m);
	if (rc) {
		unmap(m);
		return rc;
	}
	*bar = &m->bar;
	return 0;
}

void brg_bar_unmap(struct brg_bar *bar)
{
	struct brg_mapping *m = brg_mapping_of(bar);

	if (bar && !atomic_fetch_sub_explicit(&m->shares, 1, memory_order_acq_rel))
		unmap(m);
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
	atomic_int *loss = &brg_mapping_of(bar)->loss;
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
	struct brg_piece piece = {0};

	while (offset <= bar->size && len <= bar->size - offset &&
	       brg_next_piece(brg_mapping_of(bar), 0, &piece)) {
		if (offset >= piece.at.offset && offset + len <= piece.at.offset + piece.at.size)
			return bar->base + offset;
	}
	return NULL;
}
