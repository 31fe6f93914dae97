/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BRG_DEVICE_PRIVATE_H
#define BRG_DEVICE_PRIVATE_H

/* What the files of the device layer share. */

#include <linux/vfio.h>

#include "brg_device.h"

struct brg_container;
struct brg_group;

struct brg_device {
	struct brg_device_info info;
	struct brg_group *group;
	struct brg_device *next; /* on the group's list */
	int fd;
	bool can_reset;
	struct brg_region region[VFIO_PCI_NUM_REGIONS];
	unsigned int irq_index; /* VFIO_PCI_MSIX_IRQ_INDEX or VFIO_PCI_MSI_IRQ_INDEX */
	unsigned int irq_max;
	unsigned int irq_enabled;
	int *irq_fds;
	int request_fd; /* -1: not asked for */
};

/* group.c: a group and its container are shared by all functions of it that are open. */

/** Make @p dev's group its own, opening and attaching it if need be. -EBUSY: open already. */
int brg_group_join(struct brg_device *dev);
void brg_group_leave(struct brg_device *dev);
int brg_group_fd(const struct brg_group *group);

/** The VFIO file of a function that is open in this process; -1: it is not. */
int brg_group_find_fd(const char *bdf);

/* container.c; the caller holds group.c's lock. */

/** Attach the group of @p dev to a container that takes it, a new one if none does. */
int brg_container_attach(const struct brg_device *dev, int group_fd, struct brg_container **c);
/** The group's file has been closed, which detached it. */
void brg_container_put(struct brg_container *c);

/* region.c */

/**
 * Run a VFIO "get info" ioctl, whose structures all start with argsz and may be followed by
 * capabilities, again until all of it fits.
 *
 * @param info  @p size bytes, filled in as the ioctl wants it but for argsz.
 * @return what the kernel said, to be freed; NULL with errno set.
 */
void *brg_vfio_get_info(int fd, unsigned long request, const void *info, size_t size);

/** The capability @p id in a chain that starts @p offset bytes into @p info, or NULL. */
const struct vfio_info_cap_header *brg_vfio_find_cap(const void *info, uint32_t offset,
						     uint16_t id);

/**
 * Make a region of what VFIO says of it.
 * @param msix  where the MSI-X table lies in this region; NULL: not in this one.
 */
int brg_region_init(struct brg_region *region, const struct vfio_region_info *info,
		    const struct brg_area *msix);

int brg_device_read_regions(struct brg_device *dev);
void brg_device_free_regions(struct brg_device *dev);

/* vf.c */

/** The VFIO file of a function, virtual or not, whose group is joined; -EBUSY: it is virtual and
 * the physical one is to be open here, too. */
int brg_vf_open(const struct brg_device *dev);

/* irq.c */
int brg_device_read_irqs(struct brg_device *dev);

#endif
