/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One mapping for several lcores where the kernel is known to allow it, and a VMA each where first
 * faults on one may be a kernel BUG: then it does not matter who zaps them when. To find out takes
 * longer than a mapping.
 */

#include "bar.h"

int brg_bar_share(const struct brg_bar *bar, struct brg_bar **own)
{
	struct brg_mapping *m = brg_mapping_of(bar);
	const struct brg_bar_opts opts = {
		.policy = m->how.policy,
		.offset = bar->offset,
		.length = bar->length,
		.lcores = 1,
	};

	if (!brg_bar_known_safe())
		return brg_bar_map(bar->dev, bar->index, &opts, own);
	atomic_fetch_add_explicit(&m->shares, 1, memory_order_relaxed);
	*own = &m->bar;
	return 0;
}
