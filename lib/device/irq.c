/* SPDX-License-Identifier: BSD-3-Clause */
/* Interrupts as eventfds: MSI-X, or MSI where the function has no MSI-X. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base.h"
#include "device.h"

static unsigned int vectors(const struct brg_device *dev, uint32_t index)
{
	struct vfio_irq_info info = {.argsz = sizeof(info), .index = index};

	return ioctl(dev->fd, VFIO_DEVICE_GET_IRQ_INFO, &info) ? 0 : info.count;
}

int brg_device_read_irqs(struct brg_device *dev)
{
	dev->irq_index = VFIO_PCI_MSIX_IRQ_INDEX;
	dev->irq_max = vectors(dev, dev->irq_index);
	if (!dev->irq_max) {
		dev->irq_index = VFIO_PCI_MSI_IRQ_INDEX;
		dev->irq_max = vectors(dev, dev->irq_index);
	}
	if (!dev->irq_max)
		return 0;
	dev->irq_fds = calloc(dev->irq_max, sizeof(*dev->irq_fds));
	if (!dev->irq_fds)
		return brg_fail(ENOMEM, "no memory for %u interrupt vectors", dev->irq_max);
	return 0;
}

unsigned int brg_device_irq_count(const struct brg_device *dev)
{
	return dev->irq_max;
}

static int connect_fds(struct brg_device *dev)
{
	size_t fds_size = dev->irq_enabled * sizeof(*dev->irq_fds);
	struct vfio_irq_set *set = calloc(1, sizeof(*set) + fds_size);
	int err = 0;

	if (!set)
		return brg_fail(ENOMEM, "no memory for %u interrupt vectors", dev->irq_enabled);
	set->argsz = (uint32_t)(sizeof(*set) + fds_size);
	set->flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER;
	set->index = dev->irq_index;
	set->count = dev->irq_enabled;
	memcpy(set->data, dev->irq_fds, fds_size);
	if (ioctl(dev->fd, VFIO_DEVICE_SET_IRQS, set))
		err = errno;
	free(set);
	if (err)
		return brg_fail(err, "VFIO cannot connect %u vectors of %s: %s", dev->irq_enabled,
				dev->info.bdf, strerror(err));
	return 0;
}

static void close_fds(struct brg_device *dev)
{
	while (dev->irq_enabled)
		close(dev->irq_fds[--dev->irq_enabled]);
}

int brg_device_irq_enable(struct brg_device *dev, unsigned int count, int *fds)
{
	int rc;

	if (!count || count > dev->irq_max)
		return brg_fail(EINVAL, "%s has %u interrupt vectors, not %u", dev->info.bdf,
				dev->irq_max, count);
	if (dev->irq_enabled)
		return brg_fail(EBUSY, "%u vectors of %s are enabled already", dev->irq_enabled,
				dev->info.bdf);

	while (dev->irq_enabled < count) {
		int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

		if (fd < 0) {
			rc = brg_fail(errno, "no eventfd for vector %u: %s", dev->irq_enabled,
				      strerror(errno));
			goto undo;
		}
		dev->irq_fds[dev->irq_enabled++] = fd;
	}
	rc = connect_fds(dev);
	if (rc)
		goto undo;
	memcpy(fds, dev->irq_fds, count * sizeof(*fds));
	return 0;
undo:
	close_fds(dev);
	return rc;
}

void brg_device_irq_disable(struct brg_device *dev)
{
	/* No data and a count of 0 turn the whole index off (linux/vfio.h). */
	struct vfio_irq_set set = {
		.argsz = sizeof(set),
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = dev->irq_index,
	};

	if (!dev->irq_enabled)
		return;
	ioctl(dev->fd, VFIO_DEVICE_SET_IRQS, &set);
	close_fds(dev);
}
