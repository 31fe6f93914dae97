/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Functions that go and come: the kernel asks whoever has a function open through VFIO to let go of
 * it, and tells everybody of functions that it has found or lost.
 */

#include <errno.h>
#include <libudev.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base.h"
#include "device.h"

static int connect_request(const struct brg_device *dev, int fd)
{
	struct {
		struct vfio_irq_set set;
		int32_t fd;
	} irq = {
		.set = {.argsz = sizeof(irq),
			.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
			.index = VFIO_PCI_REQ_IRQ_INDEX,
			.count = 1},
		.fd = fd,
	};

	return ioctl(dev->fd, VFIO_DEVICE_SET_IRQS, &irq) ? -errno : 0;
}

int brg_device_request_fd(struct brg_device *dev)
{
	int fd, rc;

	if (dev->request_fd >= 0)
		return dev->request_fd;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return brg_fail(errno, "no eventfd for the kernel's requests: %s", strerror(errno));
	rc = connect_request(dev, fd);
	if (rc) {
		close(fd);
		return brg_fail(-rc, "VFIO tells no requests for %s: %s", dev->info.bdf,
				strerror(-rc));
	}
	dev->request_fd = fd;
	return fd;
}

bool brg_device_wanted_back(const struct brg_device *dev)
{
	struct pollfd fd = {.fd = dev->request_fd, .events = POLLIN};

	return poll(&fd, 1, 0) == 1;
}

struct brg_device_watch {
	struct udev *udev;
	struct udev_monitor *monitor;
};

int brg_device_watch_open(struct brg_device_watch **watch)
{
	struct brg_device_watch *w = calloc(1, sizeof(*w));
	int err = 0;

	if (!w)
		return brg_fail(ENOMEM, "no memory to watch for devices");
	w->udev = udev_new();
	/* The kernel's own events: there need be no udevd, and nothing has to be waited for. */
	if (w->udev)
		w->monitor = udev_monitor_new_from_netlink(w->udev, "kernel");
	if (!w->monitor)
		err = errno ? errno : ENOMEM;
	else if (udev_monitor_filter_add_match_subsystem_devtype(w->monitor, "pci", NULL) < 0 ||
		 udev_monitor_enable_receiving(w->monitor) < 0)
		err = errno ? errno : EIO;
	if (err) {
		brg_device_watch_close(w);
		return brg_fail(err, "the kernel's device events cannot be received: %s",
				strerror(err));
	}
	*watch = w;
	return 0;
}

int brg_device_watch_fd(const struct brg_device_watch *watch)
{
	return udev_monitor_get_fd(watch->monitor);
}

/* Whether it is of an event that is told; PCI_CLASS is hexadecimal without a prefix. */
static bool fill_event(struct udev_device *device, struct brg_device_event *event)
{
	const char *action = udev_device_get_action(device);
	const char *class_code = udev_device_get_property_value(device, "PCI_CLASS");

	if (!action || (strcmp(action, "add") != 0 && strcmp(action, "remove") != 0))
		return false;
	event->added = !strcmp(action, "add");
	snprintf(event->bdf, sizeof(event->bdf), "%s", udev_device_get_sysname(device));
	event->class_code = class_code ? (uint32_t)strtoul(class_code, NULL, 16) : 0;
	return true;
}

int brg_device_watch_next(struct brg_device_watch *watch, struct brg_device_event *event)
{
	struct udev_device *device;
	bool told = false;

	do {
		errno = 0;
		device = udev_monitor_receive_device(watch->monitor);
		if (!device)
			break;
		told = fill_event(device, event);
		udev_device_unref(device);
	} while (!told);
	if (told)
		return 1;
	if (errno == ENOBUFS)
		return brg_fail(ENOBUFS, "the kernel's device events came faster than they were "
					 "taken, and some are lost: list the devices again");
	return 0;
}

void brg_device_watch_close(struct brg_device_watch *watch)
{
	if (!watch)
		return;
	udev_monitor_unref(watch->monitor);
	udev_unref(watch->udev);
	free(watch);
}
