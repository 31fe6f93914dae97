/* SPDX-License-Identifier: BSD-3-Clause */
/* PRP2, out of line: commands of one page do without it. */

#include "prp.h"

uint64_t brg_prp2(uint64_t first, uint64_t last, uint64_t *list)
{
	uint64_t page = (first | (BRG_PRP_PAGE - 1)) + 1, *entry;

	if (brg_prp_is_one_page(page, last))
		return page;
	for (entry = list; page <= last; page += BRG_PRP_PAGE)
		*entry++ = page;
	return (uintptr_t)list;
}
