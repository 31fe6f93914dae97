/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LAB_QEMU_H
#define LAB_QEMU_H

/* What QEMU is started with: its command line, and the files it inherits. */

#include "vm.h"

/** Sockets between the lab and the guest. */
enum channel {
	CONSOLE,
	CONTROL,
	RECORDS,
	STDOUT,
	STDERR,
	STDIN,
	QEMU_STDERR,
	QMP,
	QTEST,
	CHANNELS
};

struct qemu_files {
	int channels[CHANNELS]; /* QEMU's ends */
	int disk;		/* memory file, -1 when the disk is a file of the user's */
	int more_disks[VM_FIRST_SLOT + VM_SLOTS]; /* by slot; -1: the device has none */
	int namespace_disks[VM_NAMESPACES];
};

/** Make the empty disks; the channels are the caller's. */
void qemu_open_disks(struct qemu_files *files, const struct vm_config *config);

void qemu_close_disks(struct qemu_files *files, const struct vm_config *config);

/** The command line, ended by NULL; qemu_free_argv() it. */
char **qemu_argv(const struct qemu_files *files, const struct vm_config *config);

void qemu_free_argv(char **argv);

#endif
