/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef FILE_H
#define FILE_H

/* Files of a pattern, for tests of what copies them. Include after guest.h. */

#include <errno.h>

#include "command.h"
#include "pattern.h"

/** What was run has succeeded; if not, say what it printed. */
static inline void works(int status)
{
	if (status)
		fail_msg("%d: %s", status, printed);
}

static inline void make_file(const char *path, size_t bytes, uint64_t seed)
{
	uint8_t *data = malloc(bytes + sizeof(uint32_t));
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	pattern_fill(data, bytes, seed, 0);
	assert_int_equal(fwrite(data, 1, bytes, file), bytes);
	assert_int_equal(fclose(file), 0);
	free(data);
}

/** A file as it is; freed by the caller. @param bytes  that it has to have. */
static inline uint8_t *file_bytes(const char *path, size_t bytes)
{
	uint8_t *data = malloc(bytes + 1);
	FILE *file = fopen(path, "r");

	if (!file)
		fail_msg("%s: %s", path, strerror(errno));
	assert_int_equal(fread(data, 1, bytes + 1, file), bytes);
	fclose(file);
	return data;
}

static inline void check_file(const char *path, size_t bytes, uint64_t seed)
{
	uint8_t *data = file_bytes(path, bytes);

	assert_true(pattern_is(data, bytes, seed, 0));
	free(data);
}

#endif
