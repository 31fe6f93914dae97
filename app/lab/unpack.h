/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LAB_UNPACK_H
#define LAB_UNPACK_H

/* Read archives with libarchive: Debian packages, archives inside them, compressed files. */

#include <stddef.h>

/**
 * Extract from an archive inside an archive.
 *
 * @param path  the outermost archive.
 * @param nest  the members to descend into, outermost first, as shell patterns, ended by NULL:
 *              {"data.tar*", NULL} for the files of a Debian package.
 * @param keep  only members whose name (without a leading "./") starts so; NULL: all.
 * @param into  the folder to extract to.
 * @return 0, or -1 after a message. Finding nothing to extract is a failure.
 */
int unpack(const char *path, const char *const nest[], const char *keep, const char *into);

/** A whole file, decompressed if it is compressed. Freed by the caller; NULL after a message. */
void *unpack_file(const char *path, size_t *size);

#endif
