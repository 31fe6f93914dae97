/* SPDX-License-Identifier: BSD-3-Clause */
/* Config space through VFIO: reading, writing, capabilities, the command register. */

#include <errno.h>
#include <linux/pci_regs.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base.h"
#include "device.h"
#include "zap.h"

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

static int write_config(const struct brg_device *dev, uint32_t offset, const void *buf, size_t len)
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

/* Writing, where the kernel may zap all mappings of the BARs for it */

/* What is written to the byte of config space at @p at; -1: it is not written. */
static int written(uint32_t offset, const void *buf, size_t len, int at)
{
	if (at < 0 || (uint32_t)at < offset || (uint32_t)at - offset >= len)
		return -1;
	return ((const uint8_t *)buf)[(uint32_t)at - offset];
}

static int in_cap(const struct brg_device *dev, uint8_t id, int at)
{
	int cap = brg_device_find_cap(dev, id);

	return cap < 0 ? cap : cap + at;
}

/* Memory decode, the power state, and a function-level reset the PCIe and the conventional way. */
static bool zaps(const struct brg_device *dev, uint32_t offset, const void *buf, size_t len)
{
	int command = written(offset, buf, len, PCI_COMMAND);
	uint8_t is;
	int byte;

	if (command >= 0 && !brg_device_config_read(dev, PCI_COMMAND, &is, 1) &&
	    (command ^ is) & PCI_COMMAND_MEMORY)
		return true;
	if (offset + len <= PCI_STD_HEADER_SIZEOF || offset >= PCI_CFG_SPACE_SIZE)
		return false;
	if (written(offset, buf, len, in_cap(dev, PCI_CAP_ID_PM, PCI_PM_CTRL)) >= 0)
		return true;
	byte = written(offset, buf, len, in_cap(dev, PCI_CAP_ID_EXP, PCI_EXP_DEVCTL + 1));
	if (byte >= 0 && byte & PCI_EXP_DEVCTL_BCR_FLR >> 8)
		return true;
	byte = written(offset, buf, len, in_cap(dev, PCI_CAP_ID_AF, PCI_AF_CTRL));
	return byte >= 0 && byte & PCI_AF_CTRL_FLR;
}

int brg_device_config_write(struct brg_device *dev, uint32_t offset, const void *buf, size_t len)
{
	int rc;

	if (!zaps(dev, offset, buf, len))
		return write_config(dev, offset, buf, len);
	rc = brg_zap_begin(dev);
	if (rc)
		return rc;
	rc = write_config(dev, offset, buf, len);
	brg_zap_end(dev);
	return rc;
}

static int set_command(struct brg_device *dev, uint16_t bit, bool on)
{
	uint16_t command;
	int rc;

	rc = brg_device_config_read(dev, PCI_COMMAND, &command, 2);
	if (rc)
		return rc;
	command = on ? command | bit : command & (uint16_t)~bit;
	return write_config(dev, PCI_COMMAND, &command, 2);
}

int brg_device_set_bus_master(struct brg_device *dev, bool on)
{
	return set_command(dev, PCI_COMMAND_MASTER, on);
}

int brg_device_set_memory_decode(struct brg_device *dev, bool on)
{
	int rc = brg_zap_begin(dev);

	if (rc)
		return rc;
	rc = set_command(dev, PCI_COMMAND_MEMORY, on);
	brg_zap_end(dev);
	return rc;
}
