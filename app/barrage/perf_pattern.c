/* SPDX-License-Identifier: BSD-3-Clause */
/* Which blocks the commands of barrage perf are for, and when each may go. */

#include <errno.h>
#include <inttypes.h>
#include <rte_random.h>
#include <stdio.h>

#include "perf.h"

static int check_sizes(const struct perf_pattern *p, char *why, size_t size)
{
	for (unsigned int i = 0; i < p->options->nsizes; i++) {
		uint32_t bytes = p->options->sizes[i].bytes;

		if (bytes % p->block_size) {
			snprintf(why, size,
				 "%" PRIu32 " bytes are no whole number of the namespace's blocks "
				 "of %" PRIu32,
				 bytes, p->block_size);
			return -EINVAL;
		}
		if (bytes / p->block_size > p->blocks) {
			snprintf(why, size,
				 "%" PRIu32 " bytes do not fit in the %" PRIu64 " that each lcore "
				 "has: take fewer lcores, a larger --size or a smaller --bs",
				 bytes, p->blocks * p->block_size);
			return -EINVAL;
		}
	}
	return 0;
}

int perf_pattern_init(struct perf_pattern *p, const struct perf_options *o,
		      const struct brg_nvme_ns *ns, unsigned int index, char *why, size_t size)
{
	uint64_t all = ns->blocks * ns->block_size, area = o->area;

	if (o->offset % ns->block_size || area % ns->block_size) {
		snprintf(why, size,
			 "--offset and --size must be whole numbers of the namespace's blocks of "
			 "%" PRIu32 " bytes",
			 ns->block_size);
		return -EINVAL;
	}
	if (o->offset >= all || area > all - o->offset) {
		snprintf(why, size,
			 "--offset %" PRIu64 " and --size %" PRIu64 " reach beyond the namespace's "
			 "%" PRIu64 " bytes",
			 o->offset, area, all);
		return -EINVAL;
	}
	if (!area)
		area = all - o->offset;
	*p = (struct perf_pattern){
		.options = o,
		.first = o->offset / ns->block_size,
		.blocks = area / ns->block_size,
		.block_size = ns->block_size,
	};
	if (!o->random) {
		p->blocks /= o->lcores;
		p->first += index * p->blocks;
	}
	return check_sizes(p, why, size);
}

static uint32_t draw_bytes(const struct perf_options *o)
{
	const struct perf_size *s = o->sizes;
	uint64_t draw;

	if (o->nsizes == 1)
		return s->bytes;
	draw = rte_rand_max(100);
	while (draw >= s->below)
		s++;
	return s->bytes;
}

static bool draw_write(const struct perf_options *o)
{
	if (o->reads == 100 || o->reads == 0)
		return o->reads == 0;
	return rte_rand_max(100) >= o->reads;
}

void perf_pattern_next(struct perf_pattern *p, struct perf_access *a)
{
	a->blocks = draw_bytes(p->options) / p->block_size;
	a->write = draw_write(p->options);
	if (p->options->random) {
		a->lba = p->first + rte_rand_max(p->blocks / a->blocks) * a->blocks;
		return;
	}
	if (p->next + a->blocks > p->blocks)
		p->next = 0;
	a->lba = p->first + p->next;
	p->next += a->blocks;
}

bool perf_pace_due(struct perf_pace *p, uint64_t now)
{
	if (!p->interval)
		return true;
	if ((double)(now - p->start) < p->due)
		return false;
	p->due += p->interval;
	return true;
}
