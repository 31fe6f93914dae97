/* SPDX-License-Identifier: BSD-3-Clause */
/* Config space through VFIO: reading, writing, capabilities, the command register. */

#include <errno.h>
#include <linux/pci_regs.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base.h"
#include "device.h"

static int check_range(const struct brg_device *dev, uint32_t offset, size_t len)
{
	uint64_t size = dev->region[BRG_REGION_CONFIG].size;

	if (offset > size || len > size - offset)
		return brg_fail(EINVAL, "%s has %llu bytes of config space: %zu at 0x%x is outside",
				dev->info.bdf, (unsigned long long)size, len, offset);
	return 0;
}

int brg_device_config_read(const struct brg_device *dev, uint32_t offset, void *buf, size_t len)
{
	off_t at = (off_t)(dev->region[BRG_REGION_CONFIG].offset + offset);
	int rc = check_range(dev, offset, len);
	ssize_t done;

	if (rc)
		return rc;
	done = pread(dev->fd, buf, len, at);
	if (done != (ssize_t)len)
		return brg_fail(EIO, "reading config space of %s at 0x%x failed: %s", dev->info.bdf,
				offset, done < 0 ? strerror(errno) : "cut short");
	return 0;
}

int brg_device_config_write(const struct brg_device *dev, uint32_t offset, const void *buf,
			    size_t len)
{
	off_t at = (off_t)(dev->region[BRG_REGION_CONFIG].offset + offset);
	int rc = check_range(dev, offset, len);
	ssize_t done;

	if (rc)
		return rc;
	done = pwrite(dev->fd, buf, len, at);
	if (done != (ssize_t)len)
		return brg_fail(EIO, "writing config space of %s at 0x%x failed: %s", dev->info.bdf,
				offset, done < 0 ? strerror(errno) : "cut short");
	return 0;
}

int brg_device_find_cap(const struct brg_device *dev, uint8_t id)
{
	int longest = (PCI_CFG_SPACE_SIZE - PCI_STD_HEADER_SIZEOF) / 4; /* or it is a loop */
	uint16_t status;
	uint8_t at;

	if (brg_device_config_read(dev, PCI_STATUS, &status, 2) ||
	    brg_device_config_read(dev, PCI_CAPABILITY_LIST, &at, 1))
		return -EIO;
	if (!(status & PCI_STATUS_CAP_LIST))
		at = 0;
	for (at &= 0xfc; at && longest; longest--) {
		uint8_t cap[2]; /* identifier, next */

		if (brg_device_config_read(dev, at, cap, 2))
			return -EIO;
		if (cap[0] == id)
			return at;
		at = cap[1] & 0xfc;
	}
	return brg_fail(ENOENT, "%s has no PCI capability 0x%02x", dev->info.bdf, id);
}

int brg_device_find_ext_cap(const struct brg_device *dev, uint16_t id)
{
	int longest = (PCI_CFG_SPACE_EXP_SIZE - PCI_CFG_SPACE_SIZE) / 8;
	uint32_t at = PCI_CFG_SPACE_SIZE;

	if (dev->region[BRG_REGION_CONFIG].size <= PCI_CFG_SPACE_SIZE)
		at = 0;
	for (; at && longest; longest--) {
		uint32_t header;

		if (brg_device_config_read(dev, at, &header, 4))
			return -EIO;
		if (PCI_EXT_CAP_ID(header) == id && header)
			return (int)at;
		at = PCI_EXT_CAP_NEXT(header);
	}
	return brg_fail(ENOENT, "%s has no extended PCI capability 0x%04x", dev->info.bdf, id);
}

static int set_command(struct brg_device *dev, uint16_t bit, bool on)
{
	uint16_t command;
	int rc;

	rc = brg_device_config_read(dev, PCI_COMMAND, &command, 2);
	if (rc)
		return rc;
	command = on ? command | bit : command & (uint16_t)~bit;
	return brg_device_config_write(dev, PCI_COMMAND, &command, 2);
}

int brg_device_set_bus_master(struct brg_device *dev, bool on)
{
	return set_command(dev, PCI_COMMAND_MASTER, on);
}

int brg_device_set_memory_decode(struct brg_device *dev, bool on)
{
	return set_command(dev, PCI_COMMAND_MEMORY, on);
}
