/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BRG_SYSFS_H
#define BRG_SYSFS_H

/*
 * Small reads and writes of /sys and /proc. These return plain negative errno without a sentence:
 * only the caller knows what a missing file means.
 */

#include <stddef.h>

#define PCI_DEVICES "/sys/bus/pci/devices"
#define PCI_DRIVERS "/sys/bus/pci/drivers"

/** Put before every path of the device layer: "" but in tests, which make a tree of their own. */
extern const char *brg_root;

/** The path that @p fmt gives, below brg_root. */
void brg_sysfs_path(char *path, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** The first line of a file, without its newline. */
int brg_sysfs_read(char *line, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** Write @p text in one write(), as attributes want it. */
int brg_sysfs_write(const char *text, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** The last component of what a symbolic link points to. */
int brg_sysfs_link(char *name, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
