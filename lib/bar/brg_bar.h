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

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "brg_device.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The guard. An access to a BAR whose device does not answer, because its memory decode is off or
 * it is gone, is a SIGBUS. From the moment a BAR is mapped by brg_bar_map() until it is unmapped, a
 * handler for that signal makes every load from it all-ones and drops every store, on any thread,
 * as the bus itself does with a device that is gone. When the device answers again, the next access
 * reaches it. Accesses that succeed cost nothing.
 *
 * The handler is installed by the first brg_bar_map() of a process, and stays. It knows plain
 * moves, string instructions, and arithmetic with an operand in memory, which covers the accessors
 * below, what compilers make of a volatile access, memcpy() and memset(). Anything else, and any
 * SIGBUS that is not about a mapping of Barrage, goes to the handler that was installed before, or
 * does what SIGBUS does by default. A program that installs a handler of its own later calls
 * brg_bar_sigbus() in it.
 */

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

/** When and how the page tables of a mapping are filled. */
enum brg_bar_policy {
	BRG_BAR_AUTO,	  /* as brg_bar_plan() tells: before brg_bar_map() returns, and safely,
			     which may take the threads of PARALLEL */
	BRG_BAR_LAZY,	  /* by whoever comes first: the kernel's own way. On a vulnerable kernel
			     such a mapping is for one lcore only, and refused if it is said to be
			     for more */
	BRG_BAR_TOUCH,	  /* by reading a register wherever a fault is due, counting the faults */
	BRG_BAR_IOMMU,	  /* by mapping the BAR for DMA and unmapping it: no register is read, for
			     devices where reading has an effect */
	BRG_BAR_PARALLEL, /* as TOUCH, by several threads, each its own part; refused on a
			     vulnerable kernel */
};

/** "auto", "lazy", "touch", "iommu", "parallel"; NULL for anything else. Static storage. */
BRG_API
const char *brg_bar_policy_name(enum brg_bar_policy policy);

/** How to map. A zeroed structure asks for the defaults. */
struct brg_bar_opts {
	enum brg_bar_policy policy;
	uint64_t offset;     /* first byte wanted, page-aligned; default 0 */
	uint64_t length;     /* bytes wanted from there, rounded up to pages; 0: to the end */
	unsigned int lcores; /* that will use it; 0: all of EAL's */
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
 * Map BAR @p index of the device and fill the page tables as brg_bar_plan() tells. Each call makes
 * new VMAs, so lcores that call it for themselves share none.
 *
 * @param opts  NULL for the defaults.
 * @param bar   set to a mapping that the caller owns and releases with brg_bar_unmap().
 * @return 0; -EINVAL (range outside the BAR, or not aligned), -ENOENT (no such memory BAR),
 *         -ENOTSUP (the kernel does not allow this BAR to be mapped, or not with this policy),
 *         -ENOMEM. A device that does not answer can be mapped all the same, see brg_bar_lost().
 *
 * Thread-safety: may be called for one device from many lcores at once.
 */
BRG_API
int brg_bar_map(struct brg_device *dev, unsigned int index, const struct brg_bar_opts *opts,
		struct brg_bar **bar);

#define BRG_BAR_WHY 192

/**
 * How brg_bar_map() would go about it, and in a sentence each why. What is expected of the kernel
 * is an expectation; brg_bar_map() looks at what it gets.
 */
struct brg_bar_plan {
	enum brg_bar_era era;	 /* of the running kernel's fault handler */
	uint64_t offset, length; /* of the BAR, mapped */

	enum brg_bar_policy policy; /* never AUTO */
	uint64_t faults;	    /* expected before brg_bar_map() returns */
	char policy_why[BRG_BAR_WHY];

	uint64_t align; /* of the address, congruent to the BAR offset */
	char align_why[BRG_BAR_WHY];

	unsigned int vmas;
	char vmas_why[BRG_BAR_WHY];

	unsigned int threads; /* that fill */
	int node;	      /* whose CPUs they run on; -1: where they are called */
	char cpu_why[BRG_BAR_WHY];

	bool shareable; /* by lcores; otherwise each uses a mapping of its own */
	char share_why[BRG_BAR_WHY];
};

/**
 * Tell what brg_bar_map() with the same arguments would do now. Nothing is mapped or accessed.
 * @return 0, or the error that brg_bar_map() would return for its arguments.
 */
BRG_API
int brg_bar_plan(struct brg_device *dev, unsigned int index, const struct brg_bar_opts *opts,
		 struct brg_bar_plan *plan);

/**
 * Unmap, or give back what brg_bar_share() gave. The caller's lcore may not be using the mapping,
 * and when it is the last to give it back no lcore. NULL is allowed. Thread-safe.
 */
BRG_API
void brg_bar_unmap(struct brg_bar *bar);

/*
 * Several lcores at one BAR. Where the fault handler is safe nothing is to be observed. On a
 * vulnerable kernel (brg_bar_plan(): not shareable) two lcores must never fault one VMA together,
 * at the start or after a zap: a reset, memory decode off and on, a power state. Two ways:
 *
 * A mapping for each lcore, by brg_bar_share(): safe whoever zaps it, and no lcore need wait for
 * another. What NVMe queue pairs do.
 *
 * One mapping for all: brg_bar_map() fills it before anybody has it. Each of opts.lcores calls
 * brg_bar_lcore_register() and then, in its loop, brg_bar_quiescent(); what zaps through this
 * library waits for them, and fills it again before it lets them go on. A zap that it is not told
 * of, as a hot reset by another process, is beyond it.
 */

/**
 * A mapping of the same range for the use of one lcore: the same one where the kernel's fault
 * handler is known to be safe, and one of its own, filled in the same way, where it is not, or
 * where nobody has had to find out, which takes longer than a small mapping.
 *
 * @param own  set to what the caller releases with brg_bar_unmap(), in any order with @p bar.
 * @return 0, or an error of brg_bar_map(). Thread-safe.
 */
BRG_API
int brg_bar_share(const struct brg_bar *bar, struct brg_bar **own);

/**
 * The calling lcore uses mappings that other lcores use, too, and will call brg_bar_quiescent()
 * many times a second until it unregisters or goes offline. Again does nothing.
 * @return 0, -EINVAL (the thread is not an lcore), -ENOMEM.
 */
BRG_API
int brg_bar_lcore_register(void);

/** Undo it. Before the lcore's thread ends. */
BRG_API
void brg_bar_lcore_unregister(void);

/**
 * The calling lcore is not accessing a shared mapping now. Returns at once, except while one is
 * being zapped: then when it is filled again. Does nothing on an lcore that is not registered.
 */
BRG_API
void brg_bar_quiescent(void);

/** Until brg_bar_online() the calling lcore, which is about to sleep or block, accesses none. */
BRG_API
void brg_bar_offline(void);

/** Undo brg_bar_offline(); waits as brg_bar_quiescent() does. */
BRG_API
void brg_bar_online(void);

/**
 * Whether the device did not answer an access through this mapping: true from the first access that
 * the guard finished until a call finds the device there again, with memory decode on. So a loss
 * that has come and gone between two calls is reported by one. Costs a load unless it is lost. Any
 * thread, one at a time.
 */
BRG_API
bool brg_bar_lost(const struct brg_bar *bar);

/**
 * Put the guard's handler in front of the handler for SIGBUS that there is now, and pass on to that
 * what is not ours. Only needed after something else has installed a handler that knows nothing of
 * the guard, and that does not itself pass on to it. One thread at a time.
 */
BRG_API
void brg_bar_guard(void);

/**
 * What the guard's handler does, for a program with a SIGBUS handler of its own, installed later.
 * Async-signal-safe.
 *
 * @param info,context  the second and third argument of the handler (SA_SIGINFO).
 * @return true when the signal was an access to a mapping of Barrage and is dealt with: the handler
 *         shall return. False: it is the program's to deal with.
 */
BRG_API
bool brg_bar_sigbus(const siginfo_t *info, void *context);

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
 *
 * Loads are in assembler because clang folds a volatile one into whatever uses the value, a
 * multiplication for instance, which the guard could not finish.
 */

static inline uint32_t brg_bar_read32(const struct brg_bar *bar, uint64_t off)
{
	uint32_t value;

	__asm__ volatile("movl %1, %0"
			 : "=r"(value)
			 : "m"(*(volatile uint32_t *)(bar->base + off)));
	return value;
}

static inline uint64_t brg_bar_read64(const struct brg_bar *bar, uint64_t off)
{
	uint64_t value;

	__asm__ volatile("movq %1, %0"
			 : "=r"(value)
			 : "m"(*(volatile uint64_t *)(bar->base + off)));
	return value;
}

static inline void brg_bar_write32(const struct brg_bar *bar, uint64_t off, uint32_t value)
{
	*(volatile uint32_t *)(bar->base + off) = value;
}

static inline void brg_bar_write64(const struct brg_bar *bar, uint64_t off, uint64_t value)
{
	*(volatile uint64_t *)(bar->base + off) = value;
}

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
 * BRG_BAR_TOUCH does. Thread-safe.
 */
BRG_API
int brg_bar_handler_confirm(struct brg_bar_handler *handler, struct brg_device *dev,
			    unsigned int index);

#ifdef __cplusplus
}
#endif
#endif
