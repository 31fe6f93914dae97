/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BRG_IN_USE_H
#define BRG_IN_USE_H

#include <stddef.h>

/** "process 1234 (qemu)" for the first process that has @p file open, or "another process". */
void brg_opener(const char *file, char *who, size_t size);

#endif
