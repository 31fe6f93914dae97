/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef FUZZ_H
#define FUZZ_H

/* What the fuzz targets share: reading the input piece by piece. */

#include <stddef.h>
#include <stdint.h>

/** libFuzzer calls this with one input after the other. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *data;
	size_t left;
};

/** The next byte; 0 at the end. */
static inline uint8_t next_byte(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->data++;
}

static inline uint16_t next_word(struct input *in)
{
	uint16_t low = next_byte(in);

	return (uint16_t)(low | next_byte(in) << 8);
}

/** A property that must hold whatever the input was: libFuzzer keeps the input where it does not.
 */
#define must(condition)                   \
	do {                              \
		if (!(condition))         \
			__builtin_trap(); \
	} while (0)

#endif
