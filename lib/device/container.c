/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * VFIO containers of the type1v2 IOMMU. A process has one, and another only when a group cannot
 * share the domain of those there are. Mapping for DMA, and why it was refused.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base.h"
#include "container.h"
#include "device.h"
#include "sysfs.h"

struct brg_container {
	int fd;
	unsigned int groups;
	struct brg_container *next;
};

static struct brg_container *containers;

static int open_vfio(void)
{
	char path[64];
	int fd;

	brg_sysfs_path(path, sizeof(path), "/dev/vfio/vfio");
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		if (errno == ENOENT || errno == ENODEV)
			return brg_fail(ENOTSUP,
					"%s: the vfio module is not loaded; run: "
					"modprobe vfio-pci",
					path);
		return brg_fail(errno, "cannot open %s: %s", path, strerror(errno));
	}
	if (ioctl(fd, VFIO_GET_API_VERSION) != VFIO_API_VERSION) {
		close(fd);
		return brg_fail(ENOTSUP, "the kernel speaks another version of VFIO than %d",
				VFIO_API_VERSION);
	}
	if (ioctl(fd, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU) != 1) {
		close(fd);
		return brg_fail(ENOTSUP, "VFIO has no type1 IOMMU; run: modprobe vfio_iommu_type1");
	}
	return fd;
}

static int attach_new(const struct brg_device *dev, int group_fd, struct brg_container **c)
{
	int rc;
	int fd;

	fd = open_vfio();
	if (fd < 0)
		return fd;
	*c = calloc(1, sizeof(**c));
	if (!*c) {
		rc = brg_fail(ENOMEM, "no memory for a container");
		goto close_fd;
	}
	if (ioctl(group_fd, VFIO_GROUP_SET_CONTAINER, &fd)) {
		rc = brg_fail(errno, "VFIO refuses IOMMU group %d of %s: %s", dev->info.iommu_group,
			      dev->info.bdf, strerror(errno));
		goto free_container;
	}
	if (ioctl(fd, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU)) {
		int err = errno;

		/* The only EPERM of vfio_iommu_type1_attach_group() in the kernel. */
		if (err == EPERM)
			rc = brg_fail(ENOTSUP,
				      "the IOMMU of %s does not remap interrupts: a device could "
				      "forge them; turn remapping on in the firmware, or load "
				      "vfio_iommu_type1 with allow_unsafe_interrupts=1",
				      dev->info.bdf);
		else
			rc = brg_fail(err, "the IOMMU refuses group %d of %s: %s",
				      dev->info.iommu_group, dev->info.bdf, strerror(err));
		ioctl(group_fd, VFIO_GROUP_UNSET_CONTAINER);
		goto free_container;
	}
	(*c)->fd = fd;
	(*c)->groups = 1;
	(*c)->next = containers;
	containers = *c;
	return 0;

free_container:
	free(*c);
close_fd:
	close(fd);
	return rc;
}

int brg_container_attach(const struct brg_device *dev, int group_fd, struct brg_container **c)
{
	for (*c = containers; *c; *c = (*c)->next) {
		if (!ioctl(group_fd, VFIO_GROUP_SET_CONTAINER, &(*c)->fd)) {
			(*c)->groups++;
			return 0;
		}
	}
	return attach_new(dev, group_fd, c);
}

void brg_container_put(struct brg_container *c)
{
	struct brg_container **at = &containers;

	if (--c->groups)
		return;
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	close(c->fd);
	free(c);
}

/* The IOVA ranges that the IOMMU translates, ascending. */
struct ranges {
	struct vfio_iommu_type1_info *info; /* holds them; to be freed */
	const char *cap;		    /* NULL: the kernel does not tell */
	uint32_t n;
};

static struct ranges read_ranges(const struct brg_container *c)
{
	struct vfio_iommu_type1_info_cap_iova_range head = {0};
	struct vfio_iommu_type1_info ask = {0};
	struct ranges r = {0};

	r.info = brg_vfio_get_info(c->fd, VFIO_IOMMU_GET_INFO, &ask, sizeof(ask));
	if (r.info && (r.info->flags & VFIO_IOMMU_INFO_CAPS))
		r.cap = (const void *)brg_vfio_find_cap(r.info, r.info->cap_offset,
							VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE);
	/* Before a881b496941f (6.6) a capability may follow one of 12 bytes, not aligned to 8. */
	if (r.cap)
		memcpy(&head, r.cap, sizeof(head));
	r.n = head.nr_iovas;
	return r;
}

static struct vfio_iova_range range_at(const struct ranges *r, uint32_t i)
{
	struct vfio_iova_range range;

	memcpy(&range,
	       r->cap + sizeof(struct vfio_iommu_type1_info_cap_iova_range) + i * sizeof(range),
	       sizeof(range));
	return range;
}

/* Words for a refused address: whether it lies outside what the IOMMU translates. */
static int fail_range(const struct brg_container *c, uint64_t start, uint64_t end)
{
	struct ranges ranges = read_ranges(c);
	char text[256] = "";
	size_t len = 0;
	bool inside = false;

	for (uint32_t i = 0; i < ranges.n; i++) {
		struct vfio_iova_range range = range_at(&ranges, i);
		uint64_t first = range.start;
		uint64_t last = range.end;

		inside |= start >= first && end - 1 <= last;
		if (len < sizeof(text))
			len += (size_t)snprintf(text + len, sizeof(text) - len,
						"%s0x%" PRIx64 "-0x%" PRIx64, i ? ", " : "", first,
						last);
	}
	free(ranges.info);
	if (inside || !ranges.cap)
		return brg_fail(EINVAL, "the IOMMU refuses to map 0x%" PRIx64 "-0x%" PRIx64, start,
				end - 1);
	return brg_fail(ERANGE,
			"0x%" PRIx64 "-0x%" PRIx64 " is outside what the IOMMU can map: %s; use "
			"memory of EAL, which lies low",
			start, end - 1, text);
}

static int fail_memory(size_t len)
{
	struct rlimit limit;

	getrlimit(RLIMIT_MEMLOCK, &limit);
	if (limit.rlim_cur == RLIM_INFINITY)
		return brg_fail(ENOMEM, "the kernel has no memory to map %zu KiB for DMA",
				len >> 10);
	return brg_fail(ENOMEM,
			"cannot lock %zu KiB more for DMA: at most %llu KiB may be locked (ulimit "
			"-l); raise memlock in /etc/security/limits.conf or with ulimit -l",
			len >> 10, (unsigned long long)limit.rlim_cur >> 10);
}

int brg_container_map(struct brg_container *c, void *vaddr, size_t len)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)vaddr,
		.iova = (uintptr_t)vaddr,
		.size = len,
	};

	if (!ioctl(c->fd, VFIO_IOMMU_MAP_DMA, &map))
		return 0;
	switch (errno) {
	case EINVAL:
		return fail_range(c, map.iova, map.iova + len);
	case ENOMEM:
		return fail_memory(len);
	case ENOSPC:
		return brg_fail(ENOMEM,
				"the IOMMU container is full; use larger hugepages, or load "
				"vfio_iommu_type1 with a larger dma_entry_limit");
	case EEXIST:
		return brg_fail(EEXIST, "part of %p + %zu is mapped for DMA already", vaddr, len);
	case EFAULT:
		return brg_fail(EFAULT, "%p + %zu is not all readable and writable memory", vaddr,
				len);
	default:
		return brg_fail(errno, "cannot map %p + %zu for DMA: %s", vaddr, len,
				strerror(errno));
	}
}

int brg_container_unmap(struct brg_container *c, void *vaddr, size_t len)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap),
		.iova = (uintptr_t)vaddr,
		.size = len,
	};

	if (ioctl(c->fd, VFIO_IOMMU_UNMAP_DMA, &unmap))
		return brg_fail(errno, "cannot unmap %p + %zu: %s", vaddr, len, strerror(errno));
	if (!unmap.size)
		return brg_fail(ENOENT, "%p + %zu is not mapped for DMA", vaddr, len);
	return 0;
}

/*
 * Mapped at the upper end of what the IOMMU translates, where with 48 bits no address of a program
 * can be, and with fewer hardly any is.
 */
int brg_container_fault_in(struct brg_container *c, void *vaddr, size_t len)
{
	struct ranges ranges = read_ranges(c);
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)vaddr,
		.size = len,
	};
	struct vfio_iommu_type1_dma_unmap unmap = {.argsz = sizeof(unmap), .size = len};
	static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER; /* there */
	int mapped, unmapped = 0, err;

	if (ranges.n)
		map.iova = range_at(&ranges, ranges.n - 1).end + 1 - len;
	free(ranges.info);
	if (!map.iova)
		return brg_fail(ENOTSUP, "the IOMMU does not tell which addresses it translates");
	unmap.iova = map.iova;
	pthread_mutex_lock(&one_at_a_time);
	mapped = ioctl(c->fd, VFIO_IOMMU_MAP_DMA, &map);
	if (!mapped)
		unmapped = ioctl(c->fd, VFIO_IOMMU_UNMAP_DMA, &unmap);
	err = errno;
	pthread_mutex_unlock(&one_at_a_time);
	if (mapped)
		return brg_fail(err, "the IOMMU does not map a BAR: %s", strerror(err));
	if (unmapped)
		return brg_fail(err, "a BAR stays mapped for DMA at 0x%llx: %s",
				(unsigned long long)map.iova, strerror(err));
	return 0;
}
