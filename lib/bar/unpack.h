/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BRG_BAR_UNPACK_H
#define BRG_BAR_UNPACK_H

/* Files that may be compressed. */

#include <stddef.h>

/**
 * A whole file, decompressed if it is gzip, xz or zstd.
 *
 * @param data  set to a buffer that the caller frees.
 * @return 0; an error of opening or reading it, -EINVAL if it is damaged, -ENOMEM.
 */
int brg_unpack(const char *path, void **data, size_t *size);

#endif
