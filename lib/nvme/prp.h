/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BRG_PRP_H
#define BRG_PRP_H

/*
 * Physical region pages: how a command says where its data is (4.1.1). PRP1 is the address of the
 * first byte. What lies beyond its page is one further page in PRP2, or a list of pages that PRP2
 * points to. IOVA = VA, so every entry is a pointer.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BRG_PRP_PAGE UINT64_C(4096) /* CC.MPS = 0 */

/* A list stays within one page, so that it never has to continue in another. 512 pages behind an
 * unaligned first one are the most that it can say. */
#define BRG_PRP_MAX_TRANSFER (BRG_PRP_PAGE / sizeof(uint64_t) * BRG_PRP_PAGE)

/** Entries that the list of a buffer of up to @p max_transfer bytes can need, however aligned. */
static inline size_t brg_prp_list_entries(size_t max_transfer)
{
	return max_transfer / BRG_PRP_PAGE;
}

/** Whether the bytes from @p first to @p last lie in one page, so that PRP2 is not used. */
static inline bool brg_prp_is_one_page(uint64_t first, uint64_t last)
{
	return (first ^ last) < BRG_PRP_PAGE;
}

/**
 * PRP2 for the bytes from @p first to @p last, which do not lie in one page: the second page, or
 * the list, which is then written.
 * @param list  room for brg_prp_list_entries() that does not cross a page.
 */
uint64_t brg_prp2(uint64_t first, uint64_t last, uint64_t *list);

#endif
