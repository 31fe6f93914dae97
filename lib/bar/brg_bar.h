/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BRG_BAR_H
#define BRG_BAR_H

/*
 * Map a PCI BAR through VFIO and access its registers.
 *
 * vfio-pci maps lazily: mmap() installs nothing and the first access faults, filling the whole VMA
 * on most kernels. From 5.8 until commit 6a45ece4c9af ("vfio/pci: Handle concurrent vma faults",
 * 5.14) two lcores that fault one VMA together are a kernel BUG; see doc/fault-eras.md.
 */

#include <stddef.h>
#include <stdint.h>

#include "brg_device.h"

#ifdef __cplusplus
extern "C" {
#endif

/** When the page tables of a mapping are filled. */
enum brg_bar_policy {
	BRG_BAR_PREFAULT, /* before brg_bar_map() returns, by reading one register per page: safe on
			     every kernel as long as no reset or loss of memory decode follows */
	BRG_BAR_LAZY,	  /* by whoever comes first: the kernel's own way */
};

/** How to map. A zeroed structure asks for the defaults. */
struct brg_bar_opts {
	enum brg_bar_policy policy;
	uint64_t offset; /* first byte wanted, page-aligned; default 0 */
	uint64_t
		length; /* bytes wanted from there, rounded up to pages; 0: to the end of the BAR */
};

/**
 * A mapped BAR. Fields are read-only to the user. Offsets everywhere are offsets in the BAR.
 *
 * Where the device forbids mmap (MSI-X table, sparse regions) the address range is reserved but
 * must not be accessed; brg_bar_ptr() tells.
 */
struct brg_bar {
	volatile uint8_t *base; /* address of BAR offset 0, whether or not that byte is mapped */
	uint64_t offset;	/* first byte mapped */
	uint64_t length;	/* bytes reserved from there, holes included */
	uint64_t size;		/* of the whole BAR, bytes */
	unsigned int index;
	struct brg_device *dev;
};

/**
 * Map BAR @p index of the device, one VMA per mappable area. Each call makes new VMAs, so lcores
 * that call it for themselves share none.
 *
 * @param opts  NULL for the defaults.
 * @param bar   set to a mapping that the caller owns and releases with brg_bar_unmap().
 * @return 0; -EINVAL (range outside the BAR, or not aligned), -ENOENT (no such memory BAR),
 *         -ENOTSUP (the kernel does not allow this BAR to be mapped), -EIO (memory decode is off,
 * so that a prefault would be a SIGBUS), -ENOMEM.
 *
 * Thread-safety: may be called for one device from many lcores at once.
 */
BRG_API
int brg_bar_map(struct brg_device *dev, unsigned int index, const struct brg_bar_opts *opts,
		struct brg_bar **bar);

/** Unmap. No lcore may be using the mapping. NULL is allowed. Thread-safe. */
BRG_API
void brg_bar_unmap(struct brg_bar *bar);

/**
 * Address of [offset, offset + len) in the mapping, for registers that are accessed often.
 * NULL when any byte of it is not mapped. Any lcore.
 */
BRG_API
volatile void *brg_bar_ptr(const struct brg_bar *bar, uint64_t offset, uint64_t len);

/*
 * Register accesses at BAR offset @p off, naturally aligned, little-endian as PCI is. They are
 * single loads and stores of the given width, not reordered by the compiler; on x86 uncached
 * accesses are not reordered by the CPU either. The offset is not checked: use brg_bar_ptr() once
 * where it is not a constant. Any lcore.
 */

static inline uint32_t brg_bar_read32(const struct brg_bar *bar, uint64_t off)
{
	return *(volatile uint32_t *)(bar->base + off);
}

static inline uint64_t brg_bar_read64(const struct brg_bar *bar, uint64_t off)
{
	return *(volatile uint64_t *)(bar->base + off);
}

static inline void brg_bar_write32(const struct brg_bar *bar, uint64_t off, uint32_t value)
{
	*(volatile uint32_t *)(bar->base + off) = value;
}

static inline void brg_bar_write64(const struct brg_bar *bar, uint64_t off, uint64_t value)
{
	*(volatile uint64_t *)(bar->base + off) = value;
}

#ifdef __cplusplus
}
#endif
#endif
