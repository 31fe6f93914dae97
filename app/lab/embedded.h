/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LAB_EMBEDDED_H
#define LAB_EMBEDDED_H

/*
 * Files that the linker put into barrage-lab, so that it needs no folder to find them in. The names
 * are those that ld makes from the files' paths in the build folder. meson.build has the list of
 * the handlers' texts and makes HANDLER_FILES of it: unfixed.c is embedded_unfixed_c.
 */

#include "handler_files.h"

#define EMBEDDED(file)                                                                  \
	extern const char embedded_##file[] __asm__("_binary_app_lab_" #file "_start"); \
	extern const char embedded_##file##_end[] __asm__("_binary_app_lab_" #file "_end");

EMBEDDED(barrage_guest_init)
HANDLER_FILES

#endif
