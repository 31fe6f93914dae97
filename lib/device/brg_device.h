/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BRG_DEVICE_H
#define BRG_DEVICE_H

/*
 * PCI functions: find one in sysfs, move it between drivers, open it through VFIO.
 *
 * Nothing here knows what the function does; any PCI function can be opened. A BDF is written as
 * the kernel writes it, "0000:00:04.0"; the domain may be left out on input.
 *
 * Thread-safety: calls on different devices may run in parallel; calls on one device may not,
 * unless a call says otherwise.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "brg_base.h"

#ifdef __cplusplus
extern "C" {
#endif

#define BRG_PCI_BARS 6

/* PCI class codes (PCI Code and ID Assignment Specification), base class and subclass in the upper
 * 16 of 24 bits. */
#define BRG_PCI_CLASS_NVME 0x010802
#define BRG_PCI_CLASS_ANY  0x000000

/** What sysfs says of a PCI function; a snapshot, it does not follow later changes. */
struct brg_device_info {
	char bdf[20];		 /* "0000:00:04.0"; a domain may have up to 8 digits */
	uint16_t vendor, device; /* PCI identifiers */
	uint16_t subvendor, subdevice;
	uint32_t class_code; /* 24 bits: base class, subclass, programming interface */
	char driver[32];     /* driver bound now, "" if none */
	int iommu_group;     /* group number, -1 if the function is behind no IOMMU */
	int numa_node;	     /* node the function hangs off, -1 if the platform has none */
	uint64_t bar_size[BRG_PCI_BARS]; /* bytes, 0 for a BAR that is not memory or not there */
};

/** Read one function. -EINVAL: not a BDF; -ENODEV: no such function. */
BRG_API
int brg_device_info_get(const char *bdf, struct brg_device_info *info);

/**
 * All functions of a class, in BDF order.
 *
 * @param class_code  24 bits; functions match whose class equals it in every non-zero byte from
 *                    the top (0x010802 NVMe I/O controllers, 0x020000 network, 0 everything).
 * @param list        set to an array that the caller frees with free(); NULL when there are none.
 * @return the number of functions, or a negative errno.
 */
BRG_API
int brg_device_list(uint32_t class_code, struct brg_device_info **list);

/**
 * The functions that share the IOMMU group with this one, itself excluded. All of them must be
 * unbound or bound to vfio-pci (or to a bridge driver) before VFIO hands out the group.
 *
 * @param list  set to an array that the caller frees with free(); NULL when there are none.
 * @return their number, or -ENOTSUP when the function is behind no IOMMU.
 */
BRG_API
int brg_device_group_members(const struct brg_device_info *info, struct brg_device_info **list);

/**
 * Whether somebody would lose by the function changing its driver: a block device of it (or a
 * partition) is mounted, swap space, part of a device-mapper or md device or otherwise opened
 * exclusively; a network interface of it is up; or a process has it open through VFIO.
 *
 * What only another mount namespace or container uses is seen by root alone.
 *
 * @param what  set to the reason, as "/dev/nvme0n1p2 is mounted on /home"; may be NULL.
 * @return 0 when it is free, -EBUSY when it is in use, another negative errno on failure.
 */
BRG_API
int brg_device_in_use(const struct brg_device_info *info, char *what, size_t size);

/**
 * Give the function to a driver through driver_override, unbinding the present one first.
 * A function already bound to that driver is left as it is.
 *
 * Nothing is changed when the call is refused: -EBUSY (in use, see brg_device_in_use()), -ENOENT
 * (no such driver; the sentence names the module to load), -EPERM (not root), -ENODEV, -EINVAL.
 * When the new driver refuses the device, the old one is bound again and the call returns -EIO.
 *
 * @param driver  "vfio-pci" for use by Barrage; NULL: whatever driver the kernel prefers.
 */
BRG_API
int brg_device_bind(const char *bdf, const char *driver);

/** Take the function from its driver; it then has none. Errors as brg_device_bind(). */
BRG_API
int brg_device_unbind(const char *bdf);

/**
 * Keep a function that is bound to vfio-pci enabled and awake between its users, and have it handed
 * from one to the next as it is. Else the kernel routes its interrupt, wakes it and resets it each
 * time that it is opened, and waits the 100 ms that PCIe gives a function for that (6.6.1).
 *
 * It is found as it was left then, and brg_device_reset() returns -ENOTSUP; an NVMe controller is
 * brought to a known state by brg_nvme_open() all the same. Lasts until the function is bound or
 * unbound. Before Linux 5.15 it is reset as ever.
 *
 * @return 0, also where it is so already; -EINVAL: not bound to vfio-pci; -EPERM (not root),
 *         -EBUSY (in use), -ENODEV.
 */
BRG_API
int brg_device_keep_ready(const char *bdf);

struct brg_device;

/**
 * Open a function that is bound to vfio-pci: its group is attached to the process's VFIO container
 * (type1v2 IOMMU), the device file is opened and its regions and capabilities are read.
 *
 * The functions of a process share one container, hence one IOMMU domain, wherever the IOMMU
 * allows it. EAL need not be up.
 *
 * @return 0; -EBUSY (bound to another driver, group not viable, or open elsewhere), -EACCES
 *         (/dev/vfio/N may not be opened), -ENOTSUP (no IOMMU; no-IOMMU mode is refused because
 *         IOVA = VA would corrupt memory), -ENODEV, -EINVAL, -ENOMEM. Nothing stays open.
 */
BRG_API
int brg_device_open(const char *bdf, struct brg_device **dev);

/**
 * Undo all of brg_device_open(): interrupts off, bus mastering off, file descriptors closed.
 * BARs mapped and DMA attached must have been released before. NULL is allowed.
 */
BRG_API
void brg_device_close(struct brg_device *dev);

/** What sysfs said when the device was opened. Owned by the device; any thread. */
BRG_API
const struct brg_device_info *brg_device_get_info(const struct brg_device *dev);

/* VFIO region indexes of PCI (linux/vfio.h): BAR n is region n. */
#define BRG_REGION_CONFIG 7

#define BRG_REGION_READ	  1u
#define BRG_REGION_WRITE  2u
#define BRG_REGION_MMAP	  4u

/** A part of a region that may be mapped: offset and size in bytes from the region's start. */
struct brg_area {
	uint64_t offset, size;
};

/** A region of the device, with the parts of it that mmap() accepts. */
struct brg_region {
	uint64_t size;		/* bytes; 0: not implemented */
	uint64_t offset;	/* of the region in the device file, for pread() and mmap() */
	uint32_t flags;		/* BRG_REGION_* */
	unsigned int nareas;	/* 0: nothing may be mapped */
	struct brg_area *areas; /* ascending, page-aligned: sparse-mmap and MSI-X holes left out */
};

/**
 * Describe region @p index. The result is owned by the device and lives as long as it does.
 * NULL when the device has no such region. Any thread.
 */
BRG_API
const struct brg_region *brg_device_region(const struct brg_device *dev, unsigned int index);

/** The VFIO device file, for mmap(); owned by the device: do not close it. Any thread. */
BRG_API
int brg_device_fd(const struct brg_device *dev);

/** Read @p len bytes of config space at @p offset. -EINVAL out of range, -EIO. Any thread. */
BRG_API
int brg_device_config_read(const struct brg_device *dev, uint32_t offset, void *buf, size_t len);

/**
 * Write config space; the kernel virtualises and filters what may be changed. Any thread.
 * @return 0, -EINVAL (out of range), -EIO; where it turns memory decode on or off, changes the
 * power state or resets the function, also what brg_device_reset() returns for mapped BARs.
 */
BRG_API
int brg_device_config_write(struct brg_device *dev, uint32_t offset, const void *buf, size_t len);

/** Offset in config space of a PCI capability (PCI_CAP_ID_*), or -ENOENT. Any thread. */
BRG_API
int brg_device_find_cap(const struct brg_device *dev, uint8_t id);

/** The same for an extended capability (PCI_EXT_CAP_ID_*, PCIe 7.6), or -ENOENT. Any thread. */
BRG_API
int brg_device_find_ext_cap(const struct brg_device *dev, uint16_t id);

/** Allow or forbid the device to start DMA (command register, bus master enable). */
BRG_API
int brg_device_set_bus_master(struct brg_device *dev, bool on);

/**
 * Memory decode (command register): off makes every access to a mapped BAR a SIGBUS, from which
 * mappings made by brg_bar_map() are guarded. Fails for mapped BARs as brg_device_reset() does.
 */
BRG_API
int brg_device_set_memory_decode(struct brg_device *dev, bool on);

/**
 * Share virtual functions with other processes, by a token that all of them set before they open
 * anything: the one that opens the physical function, and those that open virtual functions of it
 * meanwhile. VFIO hands them out to nobody else. Without a token they are for the process that has
 * the physical one open.
 *
 * @param uuid  as 8 to 4 to 4 to 4 to 12 hexadecimal digits, by hyphens; copied. What DPDK's
 *              --vfio-vf-token and QEMU's vf-token take.
 * @return 0; -EINVAL: it is none. One thread, before others open devices.
 */
BRG_API
int brg_device_set_vf_token(const char *uuid);

/**
 * Have this many virtual functions (SR-IOV) of the open function @p pf; those there were before go.
 * They are vfio-pci's as well, and are opened while @p pf is open, by this process or by one with
 * its token, see brg_device_set_vf_token(); all must be closed before their
 * number changes or @p pf is reset or closed.
 *
 * @return 0; -ENOTSUP (it can have none), -EINVAL (more than it can have), -EPERM (vfio-pci's
 *         parameter enable_sriov is off: the sentence says how to turn it on), or what the kernel
 *         says. One thread at a time.
 */
BRG_API
int brg_device_set_vfs(struct brg_device *pf, unsigned int count);

/** The address of virtual function @p index, from 0 on; -ENOENT: there is none. Any thread. */
BRG_API
int brg_device_vf(const struct brg_device *pf, unsigned int index, char bdf[16]);

/** Whether the kernel has a way to reset the function, and has used it to hand it out. Any thread.
 */
BRG_API
bool brg_device_can_reset(const struct brg_device *dev);

/**
 * Reset the function (VFIO_DEVICE_RESET: FLR where there is one). Every mapping of its BARs is
 * zapped: the next access of each lcore faults again. Where that could be a kernel BUG, mappings
 * that several lcores share are kept from them meanwhile and filled again, see
 * brg_bar_lcore_register().
 *
 * @return 0; -ENOTSUP: the function has no reset the kernel can do; -EBUSY: such a mapping is used
 *         by lcores that are not registered; -ETIMEDOUT: one did not come to a quiescent state.
 *         The device has not been reset then.
 */
BRG_API
int brg_device_reset(struct brg_device *dev);

/** How many MSI-X (or, without it, MSI) vectors the function has. Any thread. */
BRG_API
unsigned int brg_device_irq_count(const struct brg_device *dev);

/**
 * Connect vectors 0..count-1 to eventfds that the call makes.
 *
 * @param fds  count elements; the descriptors stay the device's: poll and read them, do not close
 *             them. They go with brg_device_irq_disable() or brg_device_close().
 * @return 0, -EINVAL (more vectors than there are), -EBUSY (already enabled).
 */
BRG_API
int brg_device_irq_enable(struct brg_device *dev, unsigned int count, int *fds);

/** Disconnect all vectors and close their eventfds. Does nothing when none is enabled. */
BRG_API
void brg_device_irq_disable(struct brg_device *dev);

/* Functions that go and come */

/**
 * An eventfd that becomes readable when the kernel wants the function back, because it is being
 * unplugged or somebody unbinds it from vfio-pci. That waits, and the descriptor is signalled again
 * now and then, until the device is closed: free what uses it, and brg_device_close() it. A
 * function that is being unplugged still answers until then. NVMe queue pairs see it by themselves.
 *
 * The descriptor is made at the first call and stays the device's: poll and read it, do not close
 * it.
 *
 * @return the descriptor, or a negative errno.
 */
BRG_API
int brg_device_request_fd(struct brg_device *dev);

/** Whether that descriptor is readable; false where it was never asked for. Any thread. */
BRG_API
bool brg_device_wanted_back(const struct brg_device *dev);

struct brg_device_watch;

/** A PCI function has come or gone. */
struct brg_device_event {
	bool added; /* else removed */
	char bdf[20];
	uint32_t class_code; /* 24 bits */
};

/**
 * Listen to the kernel's events (uevents) for PCI functions from now on. Needs no privileges. A
 * watch is for one thread at a time.
 */
BRG_API
int brg_device_watch_open(struct brg_device_watch **watch);

/** A descriptor that is readable when there may be an event; owned by the watch. */
BRG_API
int brg_device_watch_fd(const struct brg_device_watch *watch);

/**
 * Take the next event. A function that was added has no driver yet, or is being given the one that
 * the kernel prefers: brg_device_bind() it.
 * @return 1: there was one, and is in @p event; 0: none now; -ENOBUFS: some have been lost.
 */
BRG_API
int brg_device_watch_next(struct brg_device_watch *watch, struct brg_device_event *event);

/** NULL is allowed. */
BRG_API
void brg_device_watch_close(struct brg_device_watch *watch);

#ifdef __cplusplus
}
#endif
#endif
