/* SPDX-License-Identifier: BSD-3-Clause */
/* The PRP list: out of line, because commands of up to two pages do without it. */

#include "prp.h"

void brg_prp_write_list(uint64_t buf, size_t len, uint64_t *list)
{
	uint64_t page, end = buf + len;

	for (page = brg_prp_second(buf); page < end; page += BRG_PRP_PAGE)
		*list++ = page;
}
