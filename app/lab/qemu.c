/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * QEMU's command line. Everything goes through file descriptors that it inherits: the initramfs and
 * empty disks are memory files, the serial console and the virtio-serial ports are socket pairs.
 */

#include <err.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest/job.h"
#include "qemu.h"
#include "text.h"

static const char *const port_names[CHANNELS] = {
	[CONTROL] = PORT_CONTROL, [RECORDS] = PORT_RECORDS, [STDOUT] = PORT_STDOUT,
	[STDERR] = PORT_STDERR,	  [STDIN] = PORT_STDIN,
};

/* Without it QEMU takes any root bus, where there are several. */
#define ROOT_BUS ",bus=pcie.0"

/* QEMU's command line. */
struct args {
	char *argv[160];
	int argc;
};

static void add(struct args *args, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void add(struct args *args, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&args->argv[args->argc++], fmt, ap) < 0)
		err(1, NULL);
	va_end(ap);
}

static void add_option(struct args *args, const char *option, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void add_option(struct args *args, const char *option, const char *fmt, ...)
{
	va_list ap;

	args->argv[args->argc++] = format("%s", option);
	va_start(ap, fmt);
	if (vasprintf(&args->argv[args->argc++], fmt, ap) < 0)
		err(1, NULL);
	va_end(ap);
}

/*
 * One thread for all CPUs, where that is asked for: QEMU may crash or hang when one CPU moves a BAR
 * while another uses any device. Before 8.2 an address space changed under the other CPU's eyes;
 * commit 0d58c660689f lets each CPU change its own, and still 10.0 finds sections of the one before
 * in its TLB ("iotlb_to_section: Assertion `section_index < d->map.sections_nb' failed").
 *
 * Counting mode: one guest instruction is one nanosecond of guest time, and one tick of its TSC.
 * erms and fsrm are off because TCG counts each byte of a "rep stosb".
 */
static void add_cpus(struct args *args, const struct vm_config *c)
{
	if (c->counting) {
		add_option(args, "-accel", "tcg,thread=single");
		add_option(args, "-icount", "shift=0,sleep=off");
		add_option(args, "-cpu", "max,-erms,-fsrm");
	} else {
		add_option(args, "-accel", "%s",
			   c->kvm	   ? "kvm"
			   : c->one_thread ? "tcg,thread=single"
					   : "tcg,thread=multi");
		add_option(args, "-cpu", c->kvm ? "host" : "max");
	}
	add_option(args, "-smp", "%u", c->cpus);
}

/* Nodes 0 and 1; an expander bridge is a root bus of its own, which can be on a node, for ports. */
static void add_nodes(struct args *args, const struct vm_config *c)
{
	unsigned int half = c->cpus / 2;

	add_option(args, "-object", "memory-backend-ram,id=node0,size=%uM", c->memory_mib / 2);
	add_option(args, "-object", "memory-backend-ram,id=node1,size=%uM",
		   c->memory_mib - c->memory_mib / 2);
	add_option(args, "-numa", "node,nodeid=0,memdev=node0,cpus=0-%u", half - 1);
	add_option(args, "-numa", "node,nodeid=1,memdev=node1,cpus=%u-%u", half, c->cpus - 1);
	add_option(args, "-device", "pxb-pcie,id=far,bus_nr=16,numa_node=1" ROOT_BUS ",addr=0x4");
	add_option(args, "-device", "pcie-root-port,id=far-port,bus=far,chassis=1,addr=0x0");
}

static void add_machine(struct args *args, const struct vm_config *c)
{
	add_option(args, "-machine", "q35,kernel-irqchip=split");
	add_option(args, "-m", "%u", c->memory_mib);
	add(args, "-nodefaults");
	add(args, "-no-user-config");
	add(args, "-no-reboot"); /* a panic ends it */
	add_option(args, "-display", "none");
	add_option(args, "-device", "intel-iommu,intremap=on,aw-bits=%u", c->iommu_bits);
	if (c->two_nodes)
		add_nodes(args, c);
}

/*
 * Where addresses are random, so is whether a fault needs another page-table page. On a busy host
 * an emulated timer may fall silent for longer than the kernel allows when it tries it at boot; it
 * would panic.
 */
static void add_kernel(struct args *args, const struct vm_config *c)
{
	add_option(args, "-kernel", "%s", c->image);
	add_option(args, "-initrd", "/proc/self/fd/%d", c->initramfs);
	add_option(args, "-append",
		   "console=ttyS0 %s panic=-1 oops=panic intel_iommu=on mitigations=off "
		   "no_timer_check%s",
		   c->verbose ? "" : "quiet", c->counting ? " nokaslr norandmaps" : "");
}

/* A comma in a QEMU option is written twice. */
static char *with_commas(const char *path)
{
	char *doubled = format("%s", "");

	for (const char *p = path; *p; p++) {
		char *longer = format("%s%c%s", doubled, *p, *p == ',' ? "," : "");

		free(doubled);
		doubled = longer;
	}
	return doubled;
}

/* A -blockdev stays when the controller is unplugged; a -drive would go with it. */
static void add_disk(struct args *args, const struct qemu_files *files, const struct vm_config *c)
{
	char *path =
		files->disk >= 0 ? format("/proc/self/fd/%d", files->disk) : with_commas(c->disk);

	add_option(args, "-blockdev",
		   "driver=raw,node-name=" STEPS_DISK ",file.driver=file,file.filename=%s", path);
	free(path);
}

static void add_controller(struct args *args, const struct vm_config *c)
{
	/* In a subsystem it takes no drive: all its namespaces are devices of their own then. */
	const char *disk = c->subsystem ? "subsys=subsys0" : "drive=" STEPS_DISK;
	const char *where = c->two_nodes ? ",bus=far-port" : ",addr=0x4";

	if (c->subsystem)
		add_option(args, "-device", "nvme-subsys,id=subsys0%s%s", *c->subsystem ? "," : "",
			   c->subsystem);
	if (c->steps) {
		where = ",bus=" STEPS_SLOT;
		/* The port's own hot-plug, not ACPI's, tells of a device that is gone. */
		if (c->steps->yank)
			add_option(args, "-global",
				   "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off");
		add_option(args, "-device",
			   "pcie-root-port,id=" STEPS_SLOT ",chassis=1,slot=1,addr=0x4");
	}
	if (c->pmr)
		add_option(args, "-object", "memory-backend-ram,id=pmr,share=on,size=%s", c->pmr);
	add_option(args, "-device", "nvme,id=" STEPS_CONTROLLER ",serial=barrage,%s%s%s%s%s", disk,
		   where, c->pmr ? ",pmrdev=pmr" : "", c->nvme ? "," : "", c->nvme ? c->nvme : "");
	if (c->subsystem)
		add_option(args, "-device",
			   "nvme-ns,bus=" STEPS_CONTROLLER ",nsid=1,drive=" STEPS_DISK);
}

/* Each on a disk of its own: namespaces 2, 3 and so on. */
static void add_namespaces(struct args *args, const struct qemu_files *files,
			   const struct vm_config *c)
{
	for (int i = 0; c->namespaces && c->namespaces[i]; i++) {
		const char *more = strchr(c->namespaces[i], ',');
		int nsid = i + 2;

		add_option(args, "-blockdev",
			   "driver=raw,node-name=" STEPS_DISK
			   "%d,file.driver=file,file.filename=/proc/self/fd/%d",
			   nsid, files->namespace_disks[i]);
		add_option(args, "-device",
			   "nvme-ns,bus=" STEPS_CONTROLLER ",nsid=%d,drive=" STEPS_DISK "%d%s",
			   nsid, nsid, more ? more : "");
	}
}

const char *vm_nvme_bdf(const struct vm_config *c)
{
	return c->steps ? VM_SLOT_BDF : c->two_nodes ? VM_NODE_BDF : VM_NVME_BDF;
}

/* What stands behind the colon of a device that is ours, or NULL. */
static const char *size_of(const char *device, const char *kind)
{
	size_t len = strlen(kind);

	return !strncmp(device, kind, len) && device[len] == ':' ? device + len + 1 : NULL;
}

static void add_devices(struct args *args, const struct qemu_files *files,
			const struct vm_config *c)
{
	int slot = VM_FIRST_SLOT + 1;

	for (char *const *d = c->devices; d && *d; d++, slot++) {
		const char *bar = size_of(*d, "ivshmem");

		if (bar) {
			add_option(args, "-object", "memory-backend-ram,id=m%d,share=on,size=%s",
				   slot, bar);
			add_option(args, "-device",
				   "ivshmem-plain,memdev=m%d" ROOT_BUS ",addr=0x%x", slot, slot);
		} else if (size_of(*d, "nvme")) {
			add_option(args, "-blockdev",
				   "driver=raw,node-name=disk%d,file.driver=file,"
				   "file.filename=/proc/self/fd/%d",
				   slot, files->more_disks[slot]);
			add_option(args, "-device",
				   "nvme,id=nvme%d,serial=barrage%d,drive=disk%d" ROOT_BUS
				   ",addr=0x%x",
				   slot, slot, slot, slot);
		} else {
			add_option(args, "-device", "%s" ROOT_BUS ",addr=0x%x", *d, slot);
		}
	}
}

static void add_channels(struct args *args, const struct qemu_files *files,
			 const struct vm_config *c)
{
	add_option(args, "-chardev", "socket,id=console,fd=%d", files->channels[CONSOLE]);
	add_option(args, "-serial", "chardev:console");
	if (c->steps) {
		add_option(args, "-chardev", "socket,id=qmp,fd=%d", files->channels[QMP]);
		add_option(args, "-mon", "chardev=qmp,mode=control");
	}
	if (c->steps && c->steps->yank) {
		add_option(args, "-chardev", "socket,id=qtest,fd=%d", files->channels[QTEST]);
		add_option(args, "-qtest", "chardev:qtest");
		add_option(args, "-qtest-log", "none");
	}
	/* A write is dealt with before the guest goes on, not when QEMU's main loop gets to it. */
	add_option(args, "-device", "virtio-serial-pci,ioeventfd=off" ROOT_BUS ",addr=0x3");
	for (int i = 0; i < CHANNELS; i++) {
		if (!port_names[i])
			continue;
		add_option(args, "-chardev", "socket,id=c%d,fd=%d", i, files->channels[i]);
		add_option(args, "-device", "virtserialport,chardev=c%d,name=%s", i, port_names[i]);
	}
}

static int empty_disk(uint64_t bytes)
{
	int fd = memfd_create("disk", 0);

	if (fd < 0 || bytes > INT64_MAX || ftruncate(fd, (off_t)bytes) < 0)
		err(1, "an empty disk of %lu MiB", bytes >> 20);
	return fd;
}

/* "64M", "1G", and what may come after a comma; 0 for anything else. */
static uint64_t parse_size(const char *text)
{
	char *end;
	uint64_t size = strtoull(text, &end, 10);
	unsigned int shift = *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
	bool ends = shift && (!end[1] || end[1] == ',');

	return ends && size <= UINT64_MAX >> shift ? size << shift : 0;
}

bool vm_namespace_ok(const char *namespace)
{
	return parse_size(namespace) != 0;
}

bool vm_pmr_ok(const char *size)
{
	uint64_t bytes = parse_size(size);

	return bytes && !(bytes & (bytes - 1)) && !strchr(size, ',');
}

bool vm_device_ok(const char *device)
{
	const char *size = size_of(device, "nvme");

	return !size || parse_size(size);
}

void qemu_open_disks(struct qemu_files *files, const struct vm_config *c)
{
	char *const *more = c->namespaces;
	int slot = VM_FIRST_SLOT + 1;

	for (int i = 0; more && more[i]; i++)
		files->namespace_disks[i] = empty_disk(parse_size(more[i]));
	files->disk = c->disk ? -1 : empty_disk((uint64_t)c->disk_mib << 20);
	for (char *const *d = c->devices; d && *d; d++, slot++) {
		const char *size = size_of(*d, "nvme");

		files->more_disks[slot] = size ? empty_disk(parse_size(size)) : -1;
	}
}

/* QEMU has them. */
void qemu_close_disks(struct qemu_files *files, const struct vm_config *c)
{
	char *const *more = c->namespaces;
	int slot = VM_FIRST_SLOT + 1;

	for (int i = 0; more && more[i]; i++)
		close(files->namespace_disks[i]);
	if (files->disk >= 0)
		close(files->disk);
	for (char *const *d = c->devices; d && *d; d++, slot++)
		if (files->more_disks[slot] >= 0)
			close(files->more_disks[slot]);
}

char **qemu_argv(const struct qemu_files *files, const struct vm_config *c)
{
	struct args *args = calloc(1, sizeof(*args)); /* argv[] is its beginning */

	if (!args)
		err(1, "QEMU's command line");
	args->argc = emulator_words(c->qemu, args->argv);
	add_cpus(args, c);
	add_machine(args, c);
	add_kernel(args, c);
	add_disk(args, files, c);
	add_controller(args, c);
	add_namespaces(args, files, c);
	add_devices(args, files, c);
	add_channels(args, files, c);
	return args->argv;
}

void qemu_free_argv(char **argv)
{
	for (char **a = argv; *a; a++)
		free(*a);
	free(argv);
}
