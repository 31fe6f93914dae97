/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The regions of a device and the parts of them that may be mapped (linux/vfio.h,
 * VFIO_DEVICE_GET_REGION_INFO and its capabilities).
 */

#include <errno.h>
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base.h"
#include "device.h"

_Static_assert(BRG_REGION_READ == VFIO_REGION_INFO_FLAG_READ, "same bits as VFIO");
_Static_assert(BRG_REGION_WRITE == VFIO_REGION_INFO_FLAG_WRITE, "same bits as VFIO");
_Static_assert(BRG_REGION_MMAP == VFIO_REGION_INFO_FLAG_MMAP, "same bits as VFIO");
_Static_assert(BRG_REGION_CONFIG == VFIO_PCI_CONFIG_REGION_INDEX, "same number as VFIO");

void *brg_vfio_get_info(int fd, unsigned long request, const void *info, size_t size)
{
	uint32_t argsz = (uint32_t)size;

	for (;;) {
		uint32_t *answer = calloc(1, argsz);

		if (!answer)
			return NULL;
		memcpy(answer, info, size);
		answer[0] = argsz;
		if (ioctl(fd, request, answer)) {
			int err = errno;

			free(answer);
			errno = err;
			return NULL;
		}
		if (answer[0] <= argsz)
			return answer;
		argsz = answer[0];
		free(answer);
	}
}

const struct vfio_info_cap_header *brg_vfio_find_cap(const void *info, uint32_t offset, uint16_t id)
{
	while (offset) {
		const struct vfio_info_cap_header *cap =
			(const void *)((const char *)info + offset);

		if (cap->id == id)
			return cap;
		offset = cap->next;
	}
	return NULL;
}

static const struct vfio_info_cap_header *region_cap(const struct vfio_region_info *info,
						     uint16_t id)
{
	if (!(info->flags & VFIO_REGION_INFO_FLAG_CAPS))
		return NULL;
	return brg_vfio_find_cap(info, info->cap_offset, id);
}

static uint64_t page_down(uint64_t x)
{
	return x & ~((uint64_t)sysconf(_SC_PAGESIZE) - 1);
}

static uint64_t page_up(uint64_t x)
{
	return page_down(x + (uint64_t)sysconf(_SC_PAGESIZE) - 1);
}

static int by_offset(const void *a, const void *b)
{
	const struct brg_area *x = a;
	const struct brg_area *y = b;

	return (x->offset > y->offset) - (x->offset < y->offset);
}

static void add_area(struct brg_region *region, uint64_t start, uint64_t end)
{
	if (start < end)
		region->areas[region->nareas++] = (struct brg_area){start, end - start};
}

/* Leave the pages of [start, end) out; the array has room for one area more. */
static void cut_hole(struct brg_region *region, uint64_t start, uint64_t end)
{
	unsigned int n = region->nareas;
	struct brg_area old[n];

	memcpy(old, region->areas, sizeof(old));
	region->nareas = 0;
	for (unsigned int i = 0; i < n; i++) {
		uint64_t first = old[i].offset;
		uint64_t last = first + old[i].size;

		add_area(region, first, last < start ? last : start);
		add_area(region, first > end ? first : end, last);
	}
}

int brg_region_init(struct brg_region *region, const struct vfio_region_info *info,
		    const struct brg_area *msix)
{
	const struct vfio_region_info_cap_sparse_mmap *sparse;
	uint32_t n;

	*region = (struct brg_region){
		.size = info->size,
		.offset = info->offset,
		.flags = info->flags & (BRG_REGION_READ | BRG_REGION_WRITE | BRG_REGION_MMAP),
	};
	if (!info->size || !(info->flags & VFIO_REGION_INFO_FLAG_MMAP))
		return 0;

	sparse = (const void *)region_cap(info, VFIO_REGION_INFO_CAP_SPARSE_MMAP);
	n = sparse ? sparse->nr_areas : 1;
	region->areas = calloc(n + 1, sizeof(*region->areas));
	if (!region->areas)
		return brg_fail(ENOMEM, "no memory for the %u mappable areas of region %u", n,
				info->index);
	if (!sparse) {
		/* A BAR smaller than a page that vfio-pci lets us map has its page to itself. */
		add_area(region, 0, page_up(info->size));
	} else {
		for (uint32_t i = 0; i < n; i++)
			add_area(region, page_up(sparse->areas[i].offset),
				 page_down(sparse->areas[i].offset + sparse->areas[i].size));
		qsort(region->areas, region->nareas, sizeof(*region->areas), by_offset);
	}

	/* Before 4.16 mmap() refused the MSI-X table; since then this capability says it may be. */
	if (msix && !region_cap(info, VFIO_REGION_INFO_CAP_MSIX_MAPPABLE))
		cut_hole(region, page_down(msix->offset), page_up(msix->offset + msix->size));
	return 0;
}

static int read_region(struct brg_device *dev, uint32_t index, const struct brg_area *msix)
{
	struct vfio_region_info ask = {.index = index};
	struct vfio_region_info *info;
	int rc;

	info = brg_vfio_get_info(dev->fd, VFIO_DEVICE_GET_REGION_INFO, &ask, sizeof(ask));
	if (!info) {
		/* There is a VGA region on graphics cards only. */
		if (errno == EINVAL && index == VFIO_PCI_VGA_REGION_INDEX)
			return 0;
		return brg_fail(errno, "VFIO does not tell of region %u of %s: %s", index,
				dev->info.bdf, strerror(errno));
	}
	rc = brg_region_init(&dev->region[index], info, msix);
	free(info);
	return rc;
}

/* Where the MSI-X table is (PCIe 7.7.2). @return its BAR, or -1 when there is none. */
static int find_msix_table(const struct brg_device *dev, struct brg_area *table)
{
	int cap = brg_device_find_cap(dev, PCI_CAP_ID_MSIX);
	uint16_t control;
	uint32_t where;

	if (cap < 0 || brg_device_config_read(dev, (uint32_t)cap + PCI_MSIX_FLAGS, &control, 2) ||
	    brg_device_config_read(dev, (uint32_t)cap + PCI_MSIX_TABLE, &where, 4))
		return -1;
	table->offset = where & PCI_MSIX_TABLE_OFFSET;
	table->size = ((control & PCI_MSIX_FLAGS_QSIZE) + 1u) * PCI_MSIX_ENTRY_SIZE;
	return (int)(where & PCI_MSIX_TABLE_BIR);
}

int brg_device_read_regions(struct brg_device *dev)
{
	struct brg_area table;
	int msix_bar;
	int rc;

	/* Config space first: finding the MSI-X table reads it. */
	rc = read_region(dev, BRG_REGION_CONFIG, NULL);
	if (rc)
		return rc;
	msix_bar = find_msix_table(dev, &table);
	for (uint32_t i = 0; i < VFIO_PCI_NUM_REGIONS && !rc; i++) {
		if (i != BRG_REGION_CONFIG)
			rc = read_region(dev, i, (int)i == msix_bar ? &table : NULL);
	}
	return rc;
}

void brg_device_free_regions(struct brg_device *dev)
{
	for (uint32_t i = 0; i < VFIO_PCI_NUM_REGIONS; i++)
		free(dev->region[i].areas);
}

const struct brg_region *brg_device_region(const struct brg_device *dev, unsigned int index)
{
	if (index >= VFIO_PCI_NUM_REGIONS || !dev->region[index].size)
		return NULL;
	return &dev->region[index];
}
