/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether taking a function from its driver would hurt somebody: a mounted file system, swap, a
 * stacked block device, a network interface that is up, a process that has it open through VFIO.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base.h"
#include "brg_device.h"
#include "in_use.h"
#include "sysfs.h"

static bool has_component(const char *path, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = path; (at = strstr(at, name)); at += len) {
		bool starts = at > path && at[-1] == '/';

		if (starts && (at[len] == '/' || at[len] == 0))
			return true;
	}
	return false;
}

typedef bool (*check_fn)(const char *name, char *what, size_t size);

/*
 * Run a check on every entry of a class directory whose place in the device tree is at or below
 * @p component; true as soon as one says true.
 */
static bool any_below(const char *class_dir, const char *component, check_fn check, char *what,
		      size_t size)
{
	char path[PATH_MAX];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	brg_sysfs_path(path, sizeof(path), "%s", class_dir);
	dir = opendir(path);
	if (!dir)
		return false; /* no such class: a kernel without block devices or network */
	while (!found && (entry = readdir(dir))) {
		char target[PATH_MAX];
		ssize_t len;

		len = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
		if (len < 0)
			continue;
		target[len] = 0;
		if (has_component(target, component))
			found = check(entry->d_name, what, size);
	}
	closedir(dir);
	return found;
}

/*
 * By device number, or by name for file systems that show a number of their own (btrfs). Fields:
 * Documentation/filesystems/proc.rst, /proc/<pid>/mountinfo.
 */
static bool is_mounted(const char *name, const char *number, char *what, size_t size)
{
	char path[PATH_MAX];
	char node[NAME_MAX + 8];
	char *line = NULL;
	bool found = false;
	size_t room = 0;
	FILE *f;

	brg_sysfs_path(path, sizeof(path), "/proc/self/mountinfo");
	f = fopen(path, "re");
	if (!f)
		return false;
	snprintf(node, sizeof(node), "/dev/%s", name);
	while (!found && getline(&line, &room, f) > 0) {
		char *rest = strstr(line, " - ");
		char *mount_point = NULL;
		char *source = NULL;
		char *dev = NULL;

		if (rest && sscanf(rest, " - %*s %ms", &source) == 1 &&
		    sscanf(line, "%*s %*s %ms %*s %ms", &dev, &mount_point) == 2)
			found = !strcmp(dev, number) || !strcmp(source, node);
		if (found)
			snprintf(what, size, "%s is mounted on %s", node, mount_point);
		free(mount_point);
		free(source);
		free(dev);
	}
	free(line);
	fclose(f);
	return found;
}

static bool is_swap(const char *name, char *what, size_t size)
{
	char path[PATH_MAX];
	char node[NAME_MAX + 8];
	char *line = NULL;
	bool found = false;
	size_t room = 0;
	FILE *f;

	brg_sysfs_path(path, sizeof(path), "/proc/swaps");
	f = fopen(path, "re");
	if (!f)
		return false;
	snprintf(node, sizeof(node), "/dev/%s", name);
	while (!found && getline(&line, &room, f) > 0) {
		line[strcspn(line, " \t\n")] = 0;
		found = !strcmp(line, node);
	}
	if (found)
		snprintf(what, size, "%s is swap space", node);
	free(line);
	fclose(f);
	return found;
}

static bool is_held(const char *name, char *what, size_t size)
{
	char path[PATH_MAX];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	brg_sysfs_path(path, sizeof(path), "/sys/class/block/%s/holders", name);
	dir = opendir(path);
	if (!dir)
		return false;
	while (!found && (entry = readdir(dir))) {
		char dm_name[128];

		if (entry->d_name[0] == '.')
			continue;
		found = true;
		if (brg_sysfs_read(dm_name, sizeof(dm_name), "/sys/class/block/%s/dm/name",
				   entry->d_name))
			snprintf(what, size, "/dev/%s is part of %s", name, entry->d_name);
		else
			snprintf(what, size, "/dev/%s is part of %s (%s)", name, entry->d_name,
				 dm_name);
	}
	closedir(dir);
	return found;
}

/*
 * What leaves no trace in the places above still holds the device exclusively: a mount in another
 * namespace, the second disk of a btrfs, ZFS, mkfs at work. Opening for reading changes nothing.
 */
static bool is_exclusive(const char *name, const char *number, char *what, size_t size)
{
	char path[PATH_MAX];
	char expected[32];
	struct stat st;
	bool busy;
	int fd;

	brg_sysfs_path(path, sizeof(path), "/dev/%s", name);
	if (stat(path, &st) || !S_ISBLK(st.st_mode))
		return false;
	snprintf(expected, sizeof(expected), "%u:%u", major(st.st_rdev), minor(st.st_rdev));
	if (strcmp(expected, number) != 0)
		return false;
	fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC);
	busy = fd < 0 && errno == EBUSY;
	if (fd >= 0)
		close(fd);
	if (busy)
		snprintf(what, size, "/dev/%s is held exclusively by the kernel or a process",
			 name);
	return busy;
}

static bool block_in_use(const char *name, char *what, size_t size)
{
	unsigned int subsystem;
	unsigned int controller;
	unsigned int head;
	char number[32];
	int end = 0;

	/*
	 * With multipath, what hangs off the function is a hidden path, nvme<subsystem>c<ctrl>n<n>.
	 * The disk people use is nvme<subsystem>n<n>, elsewhere in the device tree.
	 */
	if (sscanf(name, "nvme%uc%un%u%n", &subsystem, &controller, &head, &end) == 3 &&
	    !name[end]) {
		char disk[NAME_MAX];

		snprintf(disk, sizeof(disk), "nvme%un%u", subsystem, head);
		return any_below("/sys/class/block", disk, block_in_use, what, size);
	}
	if (brg_sysfs_read(number, sizeof(number), "/sys/class/block/%s/dev", name))
		return false;
	return is_mounted(name, number, what, size) || is_swap(name, what, size) ||
	       is_held(name, what, size) || is_exclusive(name, number, what, size);
}

static bool interface_is_up(const char *name, char *what, size_t size)
{
	char flags[32];

	if (brg_sysfs_read(flags, sizeof(flags), "/sys/class/net/%s/flags", name))
		return false;
	if (!(strtoul(flags, NULL, 0) & IFF_UP))
		return false;
	snprintf(what, size, "network interface %s is up", name);
	return true;
}

static bool process_has_open(const char *pid, const char *file)
{
	char path[PATH_MAX];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	brg_sysfs_path(path, sizeof(path), "/proc/%s/fd", pid);
	dir = opendir(path);
	if (!dir)
		return false;
	while (!found && (entry = readdir(dir))) {
		char target[PATH_MAX];
		ssize_t len;

		len = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
		found = len > 0 && (size_t)len == strlen(file) &&
			!memcmp(target, file, (size_t)len);
	}
	closedir(dir);
	return found;
}

void brg_opener(const char *file, char *who, size_t size)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *dir;

	snprintf(who, size, "another process");
	brg_sysfs_path(path, sizeof(path), "/proc");
	dir = opendir(path);
	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		char name[32] = "?";

		if (entry->d_name[0] < '1' || entry->d_name[0] > '9' ||
		    !process_has_open(entry->d_name, file))
			continue;
		brg_sysfs_read(name, sizeof(name), "/proc/%s/comm", entry->d_name);
		snprintf(who, size, "process %s (%s)", entry->d_name, name);
		break;
	}
	closedir(dir);
}

/*
 * A group opens once (vfio_group_fops_open() in the kernel). To unbind a function that is open
 * would block, unkillable, until the process that has it lets go.
 */
static bool open_through_vfio(const struct brg_device_info *info, char *what, size_t size)
{
	char path[64];
	char who[64];
	int fd;

	if (info->iommu_group < 0 || !strstr(info->driver, "vfio"))
		return false;
	brg_sysfs_path(path, sizeof(path), "/dev/vfio/%d", info->iommu_group);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0) {
		close(fd);
		return false;
	}
	if (errno != EBUSY)
		return false;
	brg_opener(path, who, sizeof(who));
	snprintf(what, size, "%s is open in %s", path, who);
	return true;
}

int brg_device_in_use(const struct brg_device_info *info, char *what, size_t size)
{
	char reason[512];

	if (!any_below("/sys/class/block", info->bdf, block_in_use, reason, sizeof(reason)) &&
	    !any_below("/sys/class/net", info->bdf, interface_is_up, reason, sizeof(reason)) &&
	    !open_through_vfio(info, reason, sizeof(reason)))
		return 0;
	if (what)
		snprintf(what, size, "%s", reason);
	return brg_fail(EBUSY, "%s is in use: %s", info->bdf, reason);
}
