/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MADE_DEVICE_H
#define MADE_DEVICE_H

/*
 * A made device to map BARs of: a memfd stands in for the VFIO file, and the device layer's calls
 * that the bar layer needs are defined here, as is what kernel it runs on. BAR 0 is of 4 MiB with
 * holes, BAR 4 of 64 MiB; BAR 2 cannot be mapped, BAR 1 is I/O ports.
 */

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bar.h"
#include "container.h"

#define PAGE  4096u
#define PAGES 1024u /* 4 MiB */
#define MIB   (UINT64_C(1) << 20)
/* Where BAR 0 lies in the device file. */
#define AT (16u * PAGE)

struct brg_device {
	struct brg_device_info info;
	struct brg_region region[BRG_PCI_BARS];
	struct brg_area areas[3];
	struct brg_area large;
	uint16_t command;
	int fd;
};

static struct brg_bar_handler handler;

const struct brg_bar_handler *brg_bar_running(void)
{
	return &handler;
}

bool brg_bar_known_safe(void)
{
	return !handler.vulnerable;
}

static void run_on(enum brg_bar_era era)
{
	handler.era = era;
	handler.vulnerable = era <= BRG_BAR_ERA_SKIP_EXISTING;
}

const struct brg_device_info *brg_device_get_info(const struct brg_device *dev)
{
	return &dev->info;
}

const struct brg_region *brg_device_region(const struct brg_device *dev, unsigned int index)
{
	return dev->region[index].size ? &dev->region[index] : NULL;
}

int brg_device_fd(const struct brg_device *dev)
{
	return dev->fd;
}

int brg_device_config_read(const struct brg_device *dev, uint32_t offset, void *buf, size_t len)
{
	assert_int_equal(offset, PCI_COMMAND);
	assert_int_equal(len, sizeof(dev->command));
	memcpy(buf, &dev->command, len);
	return 0;
}

struct brg_container *brg_device_container(const struct brg_device *dev)
{
	return NULL;
}

/* What the IOMMU was to map. */
static struct brg_area by_iommu[4];
static unsigned int by_iommu_count;
static int iommu_rc;

int brg_container_fault_in(struct brg_container *c, void *vaddr, size_t len)
{
	assert_in_range(by_iommu_count, 0, 3);
	by_iommu[by_iommu_count++] = (struct brg_area){(uintptr_t)vaddr, len};
	return iommu_rc;
}

/* Every page of the BAR starts with its own number. */
static int make_device(void **state)
{
	struct brg_device *dev = calloc(1, sizeof(*dev));

	dev->fd = memfd_create("bar", MFD_CLOEXEC);
	if (dev->fd < 0 || ftruncate(dev->fd, AT + PAGES * PAGE))
		return -1;
	for (uint32_t i = 0; i < PAGES; i++) {
		if (pwrite(dev->fd, &i, sizeof(i), AT + i * PAGE) != sizeof(i))
			return -1;
	}
	strcpy(dev->info.bdf, "0000:00:04.0");
	dev->command = PCI_COMMAND_MEMORY;
	dev->areas[0] = (struct brg_area){0, 2 * PAGE};
	dev->areas[1] = (struct brg_area){3 * PAGE, PAGE};
	dev->areas[2] = (struct brg_area){8 * PAGE, (PAGES - 8) * PAGE};
	dev->info.bar_size[0] = PAGES * PAGE;
	dev->region[0] = (struct brg_region){
		.size = PAGES * PAGE, .offset = AT, .nareas = 3, .areas = dev->areas};
	dev->region[1] = (struct brg_region){.size = 32}; /* I/O ports */
	dev->large = (struct brg_area){0, 64 * MIB};
	dev->info.bar_size[4] = 64 * MIB;
	dev->region[4] = (struct brg_region){
		.size = 64 * MIB, .offset = 64 * MIB, .nareas = 1, .areas = &dev->large};
	dev->info.numa_node = -1;
	run_on(BRG_BAR_ERA_FIXED);
	by_iommu_count = 0;
	iommu_rc = 0;
	dev->info.bar_size[2] = PAGE;
	dev->region[2] = (struct brg_region){.size = PAGE}; /* memory, but not to be mapped */
	*state = dev;
	return 0;
}

static int free_device(void **state)
{
	struct brg_device *dev = *state;

	close(dev->fd);
	free(dev);
	return 0;
}

#endif
