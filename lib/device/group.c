/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IOMMU groups: the unit in which VFIO gives away devices. A group opens once, so all functions of
 * it that this process opens share one file; the last to leave closes it.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base.h"
#include "container.h"
#include "device.h"
#include "in_use.h"
#include "sysfs.h"

struct brg_group {
	int number;
	int fd;
	struct brg_container *container;
	struct brg_device *devices;
	struct brg_group *next;
};

/* Guards the list, the groups on it, and the list of containers. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct brg_group *groups;

static int open_group(const struct brg_device_info *info)
{
	char path[64];
	char who[64];
	int fd;

	brg_sysfs_path(path, sizeof(path), "/dev/vfio/%d", info->iommu_group);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	switch (errno) {
	case EBUSY:
		brg_opener(path, who, sizeof(who));
		return brg_fail(EBUSY, "%s, the group of %s, is open in %s", path, info->bdf, who);
	case EACCES:
	case EPERM:
		return brg_fail(EACCES,
				"no permission to open %s for %s; be root, or let root run: chown "
				"\"$USER\" %s",
				path, info->bdf, path);
	case ENOENT:
		return brg_fail(ENODEV,
				"there is no %s for %s; in a container it must be passed in", path,
				info->bdf);
	default:
		return brg_fail(errno, "cannot open %s for %s: %s", path, info->bdf,
				strerror(errno));
	}
}

/*
 * Drivers that do no DMA of their own leave a group viable: vfio's, pci-stub, and bridges' (those
 * with driver_managed_dma in the kernel).
 */
static bool spoils_group(const struct brg_device_info *info)
{
	return info->driver[0] && !strstr(info->driver, "vfio") &&
	       strcmp(info->driver, "pci-stub") != 0 && strcmp(info->driver, "pcieport") != 0;
}

static int fail_not_viable(const struct brg_device_info *info)
{
	struct brg_device_info *list;
	char names[256] = "";
	size_t len = 0;
	int n;

	n = brg_device_group_members(info, &list);
	for (int i = 0; i < n; i++) {
		if (spoils_group(&list[i]) && len < sizeof(names))
			len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s (%s)",
						len ? ", " : "", list[i].bdf, list[i].driver);
	}
	free(list);
	if (!len)
		return brg_fail(EBUSY,
				"IOMMU group %d of %s is not viable: the kernel still uses it",
				info->iommu_group, info->bdf);
	return brg_fail(EBUSY,
			"IOMMU group %d of %s is not viable: its other members are bound to "
			"drivers of the kernel: %s; bind each to vfio-pci too",
			info->iommu_group, info->bdf, names);
}

static int open_new(struct brg_device *dev, struct brg_group **group)
{
	struct vfio_group_status status = {.argsz = sizeof(status)};
	struct brg_group *g;
	int rc;

	g = calloc(1, sizeof(*g));
	if (!g)
		return brg_fail(ENOMEM, "no memory for a group");
	g->number = dev->info.iommu_group;
	rc = g->fd = open_group(&dev->info);
	if (rc < 0)
		goto free_group;
	if (ioctl(g->fd, VFIO_GROUP_GET_STATUS, &status)) {
		rc = brg_fail(errno, "VFIO does not tell of group %d: %s", g->number,
			      strerror(errno));
		goto close_fd;
	}
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE)) {
		rc = fail_not_viable(&dev->info);
		goto close_fd;
	}
	rc = brg_container_attach(dev, g->fd, &g->container);
	if (rc)
		goto close_fd;
	g->next = groups;
	groups = g;
	*group = g;
	return 0;

close_fd:
	close(g->fd);
free_group:
	free(g);
	return rc;
}

static int join_locked(struct brg_device *dev)
{
	struct brg_group *g = groups;
	int rc;

	while (g && g->number != dev->info.iommu_group)
		g = g->next;
	if (!g) {
		rc = open_new(dev, &g);
		if (rc)
			return rc;
	}
	for (const struct brg_device *d = g->devices; d; d = d->next) {
		if (!strcmp(d->info.bdf, dev->info.bdf))
			return brg_fail(EBUSY, "%s is open in this process already", d->info.bdf);
	}
	dev->group = g;
	dev->next = g->devices;
	g->devices = dev;
	return 0;
}

int brg_group_join(struct brg_device *dev)
{
	int rc;

	pthread_mutex_lock(&lock);
	rc = join_locked(dev);
	pthread_mutex_unlock(&lock);
	return rc;
}

static void close_group(struct brg_group *g)
{
	struct brg_group **at = &groups;

	while (*at != g)
		at = &(*at)->next;
	*at = g->next;
	close(g->fd);
	brg_container_put(g->container);
	free(g);
}

void brg_group_leave(struct brg_device *dev)
{
	struct brg_device **at = &dev->group->devices;

	pthread_mutex_lock(&lock);
	while (*at != dev)
		at = &(*at)->next;
	*at = dev->next;
	if (!dev->group->devices)
		close_group(dev->group);
	pthread_mutex_unlock(&lock);
}

int brg_group_fd(const struct brg_group *group)
{
	return group->fd;
}

int brg_group_find_fd(const char *bdf)
{
	int fd = -1;

	pthread_mutex_lock(&lock);
	for (const struct brg_group *g = groups; g; g = g->next)
		for (const struct brg_device *d = g->devices; d; d = d->next)
			if (!strcmp(d->info.bdf, bdf))
				fd = d->fd;
	pthread_mutex_unlock(&lock);
	return fd;
}

struct brg_container *brg_device_container(const struct brg_device *dev)
{
	return dev->group->container;
}
