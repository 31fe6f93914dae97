/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATTERN_H
#define PATTERN_H

/* Data that says where it belongs: every dword follows from a seed and its place on the disk. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline uint32_t pattern_at(uint64_t seed, uint64_t offset)
{
	uint64_t x = (seed << 48 ^ offset) * UINT64_C(0x9e3779b97f4a7c15);

	return (x ^ x >> 29) >> 16;
}

/** Fill a dword-aligned buffer with what belongs at byte @p offset of the disk. */
static inline void pattern_fill(void *buf, size_t len, uint64_t seed, uint64_t offset)
{
	uint32_t *p = buf;
	size_t i;

	for (i = 0; i < len / sizeof(*p); i++)
		p[i] = pattern_at(seed, offset + i * sizeof(*p));
}

static inline bool pattern_is(const void *buf, size_t len, uint64_t seed, uint64_t offset)
{
	const uint32_t *p = buf;
	size_t i;

	for (i = 0; i < len / sizeof(*p); i++)
		if (p[i] != pattern_at(seed, offset + i * sizeof(*p)))
			return false;
	return true;
}

#endif
