/* SPDX-License-Identifier: BSD-3-Clause */
/* Open a function through VFIO, close it, reset it. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base.h"
#include "device.h"
#include "sysfs.h"
#include "zap.h"

static int check_openable(const struct brg_device_info *info)
{
	char name[32];

	if (!info->driver[0])
		return brg_fail(EBUSY, "%s has no driver; run: barrage bind %s", info->bdf,
				info->bdf);
	/* Or a relative of vfio-pci for one kind of device, as mlx5-vfio-pci. */
	if (!strstr(info->driver, "vfio"))
		return brg_fail(EBUSY, "%s is bound to %s; run: barrage bind %s", info->bdf,
				info->driver, info->bdf);
	if (info->iommu_group >= 0)
		return 0;
	if (!brg_sysfs_link(name, sizeof(name), PCI_DEVICES "/%s/iommu_group", info->bdf))
		return brg_fail(ENOTSUP,
				"%s is in VFIO's no-IOMMU mode, refused because the device would "
				"take virtual addresses for physical ones; turn the IOMMU on",
				info->bdf);
	return brg_fail(ENOTSUP,
			"%s is behind no IOMMU; turn it on in the firmware and boot with "
			"intel_iommu=on or its equal",
			info->bdf);
}

static int open_file(struct brg_device *dev)
{
	struct vfio_device_info info = {.argsz = sizeof(info)};

	dev->fd = brg_vf_open(dev);
	if (dev->fd < 0)
		return dev->fd;
	if (ioctl(dev->fd, VFIO_DEVICE_GET_INFO, &info)) {
		int err = errno;

		close(dev->fd);
		return brg_fail(err, "VFIO does not tell of %s: %s", dev->info.bdf, strerror(err));
	}
	dev->can_reset = info.flags & VFIO_DEVICE_FLAGS_RESET;
	return 0;
}

int brg_device_open(const char *bdf, struct brg_device **dev)
{
	struct brg_device *d;
	int rc;

	*dev = NULL;
	d = calloc(1, sizeof(*d));
	if (!d)
		return brg_fail(ENOMEM, "no memory for a device");
	d->request_fd = -1;
	rc = brg_device_info_get(bdf, &d->info);
	if (!rc)
		rc = check_openable(&d->info);
	if (!rc)
		rc = brg_group_join(d);
	if (rc)
		goto free_device;
	rc = open_file(d);
	if (rc)
		goto leave_group;
	rc = brg_device_read_regions(d);
	if (!rc)
		rc = brg_device_read_irqs(d);
	if (rc)
		goto close_file;
	*dev = d;
	return 0;

close_file:
	brg_device_free_regions(d);
	close(d->fd);
leave_group:
	brg_group_leave(d);
free_device:
	free(d);
	return rc;
}

void brg_device_close(struct brg_device *dev)
{
	if (!dev)
		return;
	brg_device_irq_disable(dev);
	/* Closing the file resets the function where it can be; stop its DMA where it cannot. */
	brg_device_set_bus_master(dev, false);
	free(dev->irq_fds);
	brg_device_free_regions(dev);
	close(dev->fd);
	if (dev->request_fd >= 0)
		close(dev->request_fd);
	brg_group_leave(dev);
	free(dev);
}

const struct brg_device_info *brg_device_get_info(const struct brg_device *dev)
{
	return &dev->info;
}

int brg_device_fd(const struct brg_device *dev)
{
	return dev->fd;
}

bool brg_device_can_reset(const struct brg_device *dev)
{
	return dev->can_reset;
}

int brg_device_reset(struct brg_device *dev)
{
	int rc;

	if (!dev->can_reset)
		return brg_fail(ENOTSUP,
				"the kernel knows no way to reset %s alone, or was told not to by "
				"barrage bind --keep-ready",
				dev->info.bdf);
	rc = brg_zap_begin(dev);
	if (rc)
		return rc;
	if (ioctl(dev->fd, VFIO_DEVICE_RESET))
		rc = brg_fail(errno, "reset of %s failed: %s", dev->info.bdf, strerror(errno));
	brg_zap_end(dev);
	return rc;
}
