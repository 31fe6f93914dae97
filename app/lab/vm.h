/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LAB_VM_H
#define LAB_VM_H

/*
 * One run of a guest: QEMU with an IOMMU and an NVMe controller, from its start to its end. The end
 * always comes: a guest that says nothing for too long is stopped.
 */

#include <stdbool.h>

#include "console.h"
#include "emulator.h"
#include "ending.h"
#include "steps.h"

/**
 * The NVMe controller's place, in a hot-plug slot where there are steps, on a root bus of node 1
 * where there are two nodes; more devices follow the first.
 */
#define VM_NVME_BDF   "0000:00:04.0"
#define VM_SLOT_BDF   "0000:01:00.0"
#define VM_NODE_BDF   "0000:11:00.0"
#define VM_FIRST_SLOT 4
#define VM_NAMESPACES 16 /* more namespaces at most */
#define VM_SLOTS      24 /* that devices may take, the controller's included */

struct vm_config {
	const struct emulator *qemu;
	const char *image;	/* bzImage */
	int initramfs;		/* file descriptor */
	char mark[ENDING_MARK]; /* init ends the program's ports with it */
	bool kvm;		/* else TCG */
	bool counting;		/* one CPU whose TSC counts instructions, the same on every boot */
	bool one_thread;	/* TCG runs the CPUs in turn, not side by side, see qemu.c */
	unsigned int cpus;
	unsigned int memory_mib;
	bool two_nodes; /* NUMA: half of CPUs and memory each, the controller is on node 1; not with
			   steps, nor with one CPU */
	unsigned int iommu_bits; /* address width of the IOMMU: 39 or 48 */
	const char *disk;	 /* image file of the namespace; NULL: an empty one, of */
	unsigned long disk_mib;
	const char *nvme;	 /* more properties of the controller, as QEMU's; NULL: none */
	const char *pmr;	 /* size of its persistent memory, "16M"; NULL: it has none */
	const char *subsystem;	 /* properties of the NVM subsystem "subsys0", which it is in and
				    others can join, as QEMU's, or ""; NULL: it is in none */
	char *const *namespaces; /* more of its namespaces, as "64M,zoned=on"; NULL: none */
	char *const *devices; /* more devices, from slot 5 on, as QEMU names them, "ivshmem:64M" for
				 a BAR of that size, or "nvme:64M" for a controller with an empty
				 disk; ended by NULL; NULL: none */
	const struct steps *steps; /* done to it while the program runs; NULL: none */
	unsigned int limit_s;	   /* the guest is stopped after so long, */
	unsigned int silence_s;	   /* or when nothing at all has come from it for so long */
	bool verbose;		   /* copy its console to stderr */
};

/** What to do with what a guest's program prints. Callbacks may be NULL. */
struct vm_streams {
	int in;			  /* its stdin; -1: none */
	void (*ready)(void *arg); /* it starts now */
	void (*out)(void *arg, const char *data, size_t size);
	void (*err)(void *arg, const char *data, size_t size);
	void (*record)(void *arg, const char *line); /* a line it streamed out, without newline */
	void *arg;
};

enum vm_end {
	VM_EXIT,       /* the program ended; status is its exit status */
	VM_SIGNAL,     /* a signal, status, ended it */
	VM_FAILED,     /* it could not be started: said in text */
	VM_KERNEL_BUG, /* kernel BUG: console.bug_at */
	VM_PANIC,      /* the kernel died otherwise: console.panic */
	VM_HANG,       /* a limit was reached */
	VM_CRASHED,    /* a signal, status, ended QEMU itself */
	VM_STEP,       /* a step could not be done, or was left: said in text */
	VM_LOST,       /* QEMU ended and nobody said why */
};

struct vm_outcome {
	enum vm_end end;
	int status;
	char text[4096];
	struct console console;
};

/** Whether vm_config.devices may hold it, as far as the lab knows: a size must be one. */
bool vm_device_ok(const char *device);

/** Whether it is a size as vm_config.pmr: a power of two. */
bool vm_pmr_ok(const char *size);

/** The same of vm_config.namespaces. */
bool vm_namespace_ok(const char *namespace);

/** Where the guest has its NVMe controller. */
const char *vm_nvme_bdf(const struct vm_config *config);

/**
 * Run a guest to its end.
 * @return 0 with the outcome filled in, or -1 after a message when QEMU could not be started.
 */
int vm_run(const struct vm_config *config, const struct vm_streams *streams,
	   struct vm_outcome *outcome);

/** Print to stderr how a guest ended, when it was not by its program's own exit. */
void vm_explain(const struct vm_outcome *outcome);

#endif
