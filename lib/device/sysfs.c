/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What sysfs says of PCI functions (Documentation/ABI/testing/sysfs-bus-pci and
 * Documentation/PCI/sysfs-pci.rst in the kernel tree): identifiers, driver, IOMMU group, BARs.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <rte_pci.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base.h"
#include "brg_device.h"
#include "sysfs.h"

#define RESOURCE_MEM 0x200 /* IORESOURCE_MEM of the kernel, shown in the resource file */

const char *brg_root = "";

static void join(char *path, size_t size, const char *fmt, va_list ap)
{
	size_t len = (size_t)snprintf(path, size, "%s", brg_root);

	if (len < size)
		vsnprintf(path + len, size - len, fmt, ap);
}

void brg_sysfs_path(char *path, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	join(path, size, fmt, ap);
	va_end(ap);
}

int brg_sysfs_read(char *line, size_t size, const char *fmt, ...)
{
	char path[PATH_MAX];
	ssize_t len;
	va_list ap;
	int err;
	int fd;

	va_start(ap, fmt);
	join(path, sizeof(path), fmt, ap);
	va_end(ap);

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	len = read(fd, line, size - 1);
	err = errno;
	close(fd);
	if (len < 0)
		return -err;
	line[len] = 0;
	line[strcspn(line, "\n")] = 0;
	return 0;
}

int brg_sysfs_write(const char *text, const char *fmt, ...)
{
	char path[PATH_MAX];
	ssize_t len;
	va_list ap;
	int err;
	int fd;

	va_start(ap, fmt);
	join(path, sizeof(path), fmt, ap);
	va_end(ap);

	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	len = write(fd, text, strlen(text));
	err = errno;
	close(fd);
	return len < 0 ? -err : 0;
}

int brg_sysfs_link(char *name, size_t size, const char *fmt, ...)
{
	char target[PATH_MAX];
	char path[PATH_MAX];
	const char *slash;
	ssize_t len;
	va_list ap;

	va_start(ap, fmt);
	join(path, sizeof(path), fmt, ap);
	va_end(ap);

	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0)
		return -errno;
	target[len] = 0;
	slash = strrchr(target, '/');
	snprintf(name, size, "%s", slash ? slash + 1 : target);
	return 0;
}

/* All of a file of a function's directory, as text; "" where there is none. */
static void read_at(int dir, const char *name, char *text, size_t size)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, text, size - 1);

	text[len > 0 ? len : 0] = 0;
	if (fd >= 0)
		close(fd);
}

/* The value in the line KEY=VALUE; "" where there is none. It ends with the line. */
static const char *value_of(const char *lines, const char *key)
{
	size_t len = strlen(key);

	for (; *lines; lines += strcspn(lines, "\n"), lines += *lines == '\n')
		if (!strncmp(lines, key, len) && lines[len] == '=')
			return lines + len + 1;
	return "";
}

/* "1B36:0010" */
static void set_pair(const char *value, uint16_t *first, uint16_t *second)
{
	char *end;

	*first = (uint16_t)strtoul(value, &end, 16);
	*second = *end == ':' ? (uint16_t)strtoul(end + 1, NULL, 16) : 0;
}

/* One file has what else is in six. */
static void read_identity(int dir, struct brg_device_info *info)
{
	char uevent[1024];
	const char *driver;

	read_at(dir, "uevent", uevent, sizeof(uevent));
	driver = value_of(uevent, "DRIVER");
	snprintf(info->driver, sizeof(info->driver), "%.*s", (int)strcspn(driver, "\n"), driver);
	info->class_code = (uint32_t)strtoul(value_of(uevent, "PCI_CLASS"), NULL, 16);
	set_pair(value_of(uevent, "PCI_ID"), &info->vendor, &info->device);
	set_pair(value_of(uevent, "PCI_SUBSYS_ID"), &info->subvendor, &info->subdevice);
}

static void read_node(int dir, struct brg_device_info *info)
{
	char text[32];

	read_at(dir, "numa_node", text, sizeof(text));
	info->numa_node = *text ? (int)strtol(text, NULL, 10) : -1;
}

/* One line per BAR: first address, last address, flags. */
static void read_bar_sizes(int dir, struct brg_device_info *info)
{
	char text[2048], *at = text;

	read_at(dir, "resource", text, sizeof(text));
	for (int i = 0; i < BRG_PCI_BARS; i++) {
		unsigned long long first = strtoull(at, &at, 16);
		unsigned long long last = strtoull(at, &at, 16);

		if (strtoull(at, &at, 16) & RESOURCE_MEM)
			info->bar_size[i] = last - first + 1;
	}
}

/*
 * In no-IOMMU mode vfio makes up a group so that the function looks like any other (the kernel's
 * vfio_noiommu_group_alloc()); its name gives it away.
 */
static void read_iommu_group(int dir, struct brg_device_info *info)
{
	char target[PATH_MAX], name[32];
	ssize_t len = readlinkat(dir, "iommu_group", target, sizeof(target) - 1);
	const char *slash;

	info->iommu_group = -1;
	if (len < 0)
		return;
	target[len] = 0;
	read_at(dir, "iommu_group/name", name, sizeof(name));
	slash = strrchr(target, '/');
	if (strcmp(name, "vfio-noiommu\n") != 0)
		info->iommu_group = atoi(slash ? slash + 1 : target);
}

int brg_device_info_get(const char *bdf, struct brg_device_info *info)
{
	struct rte_pci_addr addr;
	char path[PATH_MAX];
	int dir;

	memset(info, 0, sizeof(*info));
	if (!bdf || rte_pci_addr_parse(bdf, &addr))
		return brg_fail(EINVAL, "\"%s\" is not a PCI address; write it as 0000:00:04.0",
				bdf ? bdf : "");
	rte_pci_device_name(&addr, info->bdf, sizeof(info->bdf));

	brg_sysfs_path(path, sizeof(path), PCI_DEVICES "/%s", info->bdf);
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return brg_fail(ENODEV, "there is no PCI function %s; barrage list --all shows all",
				info->bdf);
	read_identity(dir, info);
	read_node(dir, info);
	read_iommu_group(dir, info);
	read_bar_sizes(dir, info);
	close(dir);
	return 0;
}

static int by_address(const void *a, const void *b)
{
	struct rte_pci_addr x;
	struct rte_pci_addr y;

	rte_pci_addr_parse(((const struct brg_device_info *)a)->bdf, &x);
	rte_pci_addr_parse(((const struct brg_device_info *)b)->bdf, &y);
	return rte_pci_addr_cmp(&x, &y);
}

/* The bytes of a class that a caller asks for: from the top down to the last that is not zero. */
static uint32_t class_mask(uint32_t class_code)
{
	if (class_code & 0xff)
		return 0xffffff;
	if (class_code & 0xff00)
		return 0xffff00;
	return class_code ? 0xff0000 : 0;
}

/* The functions named in a directory that are of a class and not @p except. */
static int list_directory(const char *path, uint32_t class_code, const char *except,
			  struct brg_device_info **list)
{
	struct brg_device_info *found = NULL;
	uint32_t mask = class_mask(class_code);
	struct dirent *entry;
	size_t n = 0;
	DIR *dir;

	*list = NULL;
	dir = opendir(path);
	if (!dir)
		return brg_fail(errno, "cannot read %s: %s", path, strerror(errno));
	while ((entry = readdir(dir))) {
		struct brg_device_info info;
		struct brg_device_info *more;

		if (entry->d_name[0] == '.' || brg_device_info_get(entry->d_name, &info))
			continue; /* or it has just been unplugged */
		if ((info.class_code & mask) != (class_code & mask) || !strcmp(info.bdf, except))
			continue;
		more = realloc(found, (n + 1) * sizeof(*found));
		if (!more) {
			free(found);
			closedir(dir);
			return brg_fail(ENOMEM, "no memory for a list of %zu functions", n + 1);
		}
		found = more;
		found[n++] = info;
	}
	closedir(dir);
	if (n)
		qsort(found, n, sizeof(*found), by_address);
	*list = found;
	return (int)n;
}

int brg_device_list(uint32_t class_code, struct brg_device_info **list)
{
	char path[PATH_MAX];

	brg_sysfs_path(path, sizeof(path), PCI_DEVICES);
	return list_directory(path, class_code, "", list);
}

int brg_device_group_members(const struct brg_device_info *info, struct brg_device_info **list)
{
	char path[PATH_MAX];

	*list = NULL;
	if (info->iommu_group < 0)
		return brg_fail(ENOTSUP, "%s is behind no IOMMU and so in no group", info->bdf);
	brg_sysfs_path(path, sizeof(path), PCI_DEVICES "/%s/iommu_group/devices", info->bdf);
	return list_directory(path, BRG_PCI_CLASS_ANY, info->bdf, list);
}
