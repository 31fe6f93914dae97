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

#include <stdbool.h>
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

/**
 * How vfio-pci's fault handler fills a mapping, named after what changed it (doc/fault-eras.md).
 */
enum brg_bar_era {
	/* Vulnerable: */
	BRG_BAR_ERA_UNKNOWN, /* built in, no module file, or unlike all below */
	BRG_BAR_ERA_UNFIXED, /* abafbc551fdd, 5.8: two first faults on one VMA are a kernel BUG */
	BRG_BAR_ERA_SKIP_EXISTING, /* proposed only: one fill at a time, but the fault after a fill
				      that failed half-way is a kernel BUG */
	/* Safe: */
	BRG_BAR_ERA_FIXED,	/* 6a45ece4c9af, 5.14: one fill at a time, zapped when it fails */
	BRG_BAR_ERA_INSERT_PFN, /* earlier shape of that commit: fills page by page */
	BRG_BAR_ERA_EAGER,	/* filled outside the handler: a fault is always SIGBUS */
	BRG_BAR_ERA_ADDRESS_SPACE, /* aac6db75a9fc, 6.10: page by page, and no list of VMAs */
	BRG_BAR_ERA_HUGE,	   /* f9e54c3a2f5b, 6.12: a page, 2 MiB or 1 GiB per fault */
};

/** The era's name: "unknown", "unfixed", "fixed", "insert-pfn", … Static storage. */
BRG_API
const char *brg_bar_era_name(enum brg_bar_era era);

/** What is known of a fault handler. */
struct brg_bar_handler {
	enum brg_bar_era era;
	bool vulnerable;    /* first faults on one VMA may be a kernel BUG; unknown is, too */
	bool loaded;	    /* the file is the module this kernel has loaded, by its build ID */
	char module[512];   /* the file; empty when there is none */
	char evidence[512]; /* what was found in it, or why nothing was; no full stop */
};

/**
 * Tell the fault handler's era from the code of the module that holds it (vfio-pci-core, before
 * 5.15 vfio-pci): from what its fault function calls, never from a version. Every doubt is
 * BRG_BAR_ERA_UNKNOWN, which is vulnerable.
 *
 * @param module  a module's file, plain or compressed, of this kernel or another. NULL: the running
 *                kernel's, found as modprobe finds it; its era counts only when its build ID is
 *                that of the loaded module.
 * @param handler always set, to unknown when the call fails.
 * @return 0, also for unknown; a file named by @p module that cannot be read is -ENOENT or another
 *         error of reading, -EINVAL if it is no kernel module, -ENOMEM.
 *
 * Takes some milliseconds. Thread-safe. Without privileges.
 */
BRG_API
int brg_bar_handler_detect(const char *module, struct brg_bar_handler *handler);

/**
 * Hold what was detected against the device: map the first pages of BAR @p index, read a register
 * of each in turn and count the faults. Until 6.11 the first read takes one for all, later each
 * takes its own. The counts are added to the evidence; if they contradict the era, it becomes
 * unknown.
 *
 * @return 0; otherwise an error of brg_bar_map(), or -EIO (memory decode is off), and @p handler is
 *         as it was.
 *
 * Safe on every kernel: one thread, on a mapping of its own. It reads the device as
 * BRG_BAR_PREFAULT does. Thread-safe.
 */
BRG_API
int brg_bar_handler_confirm(struct brg_bar_handler *handler, struct brg_device *dev,
			    unsigned int index);

#ifdef __cplusplus
}
#endif
#endif
