/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LAB_IMAGE_H
#define LAB_IMAGE_H

/*
 * The initramfs of a guest. It exists in memory only: nothing is left behind when the lab ends,
 * however it ends.
 *
 * Paths in the guest are the paths on the host, so programs find their libraries where they were
 * linked to look for them. All calls return 0, or -1 after a message; adding a path again does
 * nothing.
 */

#include <stddef.h>
#include <sys/types.h>

struct image;

struct image *image_new(void);
void image_free(struct image *image);

/** A file with the given content. */
int image_add_data(struct image *image, const char *guest, const void *data, size_t size,
		   mode_t mode);

/** A file of the host, or a folder with all in it. */
int image_add_path(struct image *image, const char *host, const char *guest);

/** A program and the shared libraries it loads at start. */
int image_add_program(struct image *image, const char *path);

/** The absolute path of a program of the host, as the shell finds it. Freed by the caller. */
char *image_find_program(const char *name);

/** Write the end. The descriptor is the image's; valid until image_free(). -1 after a message. */
int image_finish(struct image *image);

#endif
