/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LAB_EMBEDDED_H
#define LAB_EMBEDDED_H

/*
 * Files that the linker put into barrage-lab, so that it needs no folder to find them in: see
 * meson.build. The names are those that ld makes from the files' paths in the build folder.
 */

#define EMBEDDED(name, file)                                                \
	extern const char name[] __asm__("_binary_app_lab_" file "_start"); \
	extern const char name##_end[] __asm__("_binary_app_lab_" file "_end")

EMBEDDED(embedded_init, "barrage_guest_init");
EMBEDDED(embedded_unfixed, "unfixed_c");

#endif
