/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BRG_BAR_PRIVATE_H
#define BRG_BAR_PRIVATE_H

/* What the files of this layer share. */

#include <stdatomic.h>

#include "brg_bar.h"

#define BRG_PAGE UINT64_C(4096) /* of x86-64 */
#define BRG_MIB_2                                                                                \
	(UINT64_C(2) << 20)	      /* what one page table maps, and a page of the level above \
				       */
#define BRG_GIB_1 (UINT64_C(1) << 30) /* the level above that */

/** How to map, and to fill what is mapped. A zeroed one: lazily, in one VMA per area, anywhere. */
struct brg_how {
	enum brg_bar_policy policy; /* never AUTO */
	uint64_t align;		    /* of the address, congruent to the BAR offset; 0: a page */
	uint64_t vma_bytes;	    /* a VMA ends at each multiple of it in the BAR; 0: at none */
	unsigned int threads;	    /* that fill, each its VMAs; 0: the caller */
	int node;		    /* whose CPUs fill; -1: any */
};

/** What the user sees of a mapping, and what not. */
struct brg_mapping {
	struct brg_bar bar;
	const struct brg_region *region; /* the BAR */
	struct brg_how how;
	void *space; /* all that was reserved */
	size_t space_len;
	unsigned int users; /* lcores that are to touch it, as far as that matters */
	atomic_uint shares; /* of brg_bar_share(), not yet unmapped */
	atomic_int loss;    /* enum brg_loss */

	/* guard.c */
	atomic_uint state;
	atomic_uint sequence;
	atomic_uintptr_t start, end;
};

/** A part of a mapping that has, or will have, a VMA of its own: offset and size in the BAR. */
struct brg_piece {
	struct brg_area at;
	unsigned int area; /* where brg_next_piece() goes on */
	uint64_t next;
};

/** Step to the next piece, from a zeroed one to the first. False: there is none. */
bool brg_next_piece(const struct brg_mapping *m, uint64_t vma_bytes, struct brg_piece *piece);

/** What is behind the user's view of a mapping. */
static inline struct brg_mapping *brg_mapping_of(const struct brg_bar *bar)
{
	return (struct brg_mapping *)(uintptr_t)bar;
}

/** Whether the device answers reads of its BARs, or the guard would: 0 or -EIO. */
int brg_bar_check_decode(struct brg_device *dev);

/* plan.c */

/** Check what is asked for and describe it: all of the BAR but its address. As brg_bar_map(). */
int brg_bar_describe(struct brg_device *dev, unsigned int index, const struct brg_bar_opts *opts,
		     struct brg_mapping *m);

/** Choose how. -ENOTSUP: a policy by name that the kernel does not allow. */
int brg_bar_choose(const struct brg_bar_opts *opts, struct brg_mapping *m);

/* populate.c */

/** Fill the page tables of a mapping as it was decided, which is not lazily. */
int brg_bar_populate(struct brg_mapping *m);

/* running.c */

/** The running kernel's handler, looked at once. Any thread. */
const struct brg_bar_handler *brg_bar_running(void);

/** Whether that has been looked at, and lcores may fault one mapping together. Any thread. */
bool brg_bar_known_safe(void);

#endif
