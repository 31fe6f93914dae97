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

/** The address of the first page behind the one that @p buf is in. */
static inline uint64_t brg_prp_second(uint64_t buf)
{
	return (buf | (BRG_PRP_PAGE - 1)) + 1;
}

/** Whether the buffer touches more than two pages, so that its list must be written. */
static inline bool brg_prp_needs_list(uint64_t buf, size_t len)
{
	return buf + len > brg_prp_second(buf) + BRG_PRP_PAGE;
}

/**
 * PRP2 of [buf, buf + len), PRP1 being buf itself: 0, the second page, or the list.
 * @param buf,len  buf dword-aligned; len more than 0.
 */
static inline uint64_t brg_prp2(uint64_t buf, size_t len, const uint64_t *list)
{
	if (buf + len <= brg_prp_second(buf))
		return 0;
	return brg_prp_needs_list(buf, len) ? (uintptr_t)list : brg_prp_second(buf);
}

/** Write the list: all pages but the first. It must not cross a page of its own. */
void brg_prp_write_list(uint64_t buf, size_t len, uint64_t *list);

#endif
