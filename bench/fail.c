/* SPDX-License-Identifier: BSD-3-Clause */
/* The module's parameter: a number of pages, which the fill that fails sets to 0. */

#include <errno.h>
#include <stdio.h>

#include "fail.h"

#define FAIL_AFTER "/sys/module/vfio_pci_core/parameters/fail_after"

int fail_next_fill(unsigned int pages)
{
	FILE *out = fopen(FAIL_AFTER, "we");

	if (!out)
		return -errno;
	fprintf(out, "%u", pages);
	return fclose(out) ? -errno : 0;
}

bool fill_failed(void)
{
	FILE *in = fopen(FAIL_AFTER, "re");
	unsigned int pages = 1;

	if (in) {
		if (fscanf(in, "%u", &pages) != 1)
			pages = 1;
		fclose(in);
	}
	return pages == 0;
}
