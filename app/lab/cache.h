/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LAB_CACHE_H
#define LAB_CACHE_H

/*
 * Where the lab keeps what is costly to get: kernels, rebuilt modules, what it learnt of KVM.
 * ${XDG_CACHE_HOME:-~/.cache}/barrage; everything in it can be deleted at any time.
 */

/** The cache's folder. Static storage; ends the program when there is no home to put it in. */
const char *cache_root(void);

/** Path of a name in the cache. Freed by the caller. */
char *cache_path(const char *name);

/** Wait until no other lab prepares the cache. Held until cache_unlock(), or the program ends. */
int cache_lock(void);
void cache_unlock(int lock);

/**
 * A new empty folder to prepare @p path in, so that a half-made one is never used: cache_publish()
 * renames it to @p path, and replaces what was there. Freed by the caller; NULL after a message.
 */
char *cache_prepare(const char *path);
int cache_publish(const char *prepared, const char *path);

/** rm -rf; nothing there is fine. */
void remove_tree(const char *path);

#endif
