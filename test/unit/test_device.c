/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sysfs.c, in_use.c and bind.c on a tree of files made for each test: parsing, listing, and every
 * refusal before the first change. That drivers really change is for the guest tests.
 */

#include "unit.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "brg_device.h"
#include "device.h"
#include "tree.h"

#define NVME  "0000:00:04.0"
#define GPU   "0000:01:00.0"
#define AUDIO "0000:01:00.1"
#define VMD   "10000:00:01.0"

static void check_file(const char *expected, const char *name)
{
	char text[128];

	assert_int_equal(brg_sysfs_read(text, sizeof(text), "%s", name), 0);
	assert_string_equal(text, expected);
}

static void put_function(const char *bdf, const char *ids, const char *class_code,
			 const char *driver, int group)
{
	char target[PATH_MAX], line[64] = "";

	if (driver)
		snprintf(line, sizeof(line), "DRIVER=%s\n", driver);
	snprintf(target, sizeof(target), "%sPCI_CLASS=%s\n%sPCI_SLOT_NAME=%s\n", line, class_code,
		 ids, bdf);
	put(target, PCI_DEVICES "/%s/uevent", bdf);
	put("", PCI_DEVICES "/%s/resource", bdf);
	put("-1\n", PCI_DEVICES "/%s/numa_node", bdf);
	put("(null)\n", PCI_DEVICES "/%s/driver_override", bdf);
	if (driver) {
		snprintf(target, sizeof(target), "../../drivers/%s", driver);
		link_to(target, PCI_DEVICES "/%s/driver", bdf);
		put("", PCI_DRIVERS "/%s/unbind", driver);
	}
	if (group < 0)
		return;
	snprintf(target, sizeof(target), "%s/sys/kernel/iommu_groups/%d", root, group);
	link_to(target, PCI_DEVICES "/%s/iommu_group", bdf);
	put("", "/sys/kernel/iommu_groups/%d/devices/%s", group, bdf);
}

static int make_tree(void **state)
{
	if (new_tree())
		return -1;
	put_function(VMD, "PCI_ID=8086:0B60\n", "10802", NULL, -1);
	put_function(GPU, "PCI_ID=10DE:2204\n", "30000", "vfio-pci", 12);
	put_function(AUDIO, "PCI_ID=10DE:1AEF\n", "40300", "snd_hda_intel", 12);
	put_function(NVME, "PCI_ID=1B36:0010\nPCI_SUBSYS_ID=8086:1100\n", "10802", "nvme", 7);
	put("1\n", PCI_DEVICES "/" NVME "/numa_node");
	put("0x00000000febf0000 0x00000000febf3fff 0x0000000000140204\n"
	    "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
	    "0x000000000000c000 0x000000000000c01f 0x0000000000040101\n"
	    "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
	    "0x0000380000000000 0x0000380003ffffff 0x000000000014220c\n"
	    "0x0000000000000000 0x0000000000000000 0x0000000000000000\n",
	    PCI_DEVICES "/" NVME "/resource");
	put("", PCI_DRIVERS "/vfio-pci/bind");
	put("", "/sys/bus/pci/drivers_probe");
	link_to("../../devices/pci0000:00/" NVME "/nvme/nvme0/nvme0n1", "/sys/class/block/nvme0n1");
	link_to("../../devices/pci0000:00/" NVME "/nvme/nvme0/nvme0n1/nvme0n1p2",
		"/sys/class/block/nvme0n1p2");
	return 0;
}

static void info_is_what_sysfs_says(void **state)
{
	struct brg_device_info info;

	assert_int_equal(brg_device_info_get("00:04.0", &info), 0); /* no domain: 0 */
	assert_string_equal(info.bdf, NVME);
	assert_int_equal(info.vendor, 0x1b36);
	assert_int_equal(info.device, 0x10);
	assert_int_equal(info.subvendor, 0x8086);
	assert_int_equal(info.subdevice, 0x1100);
	assert_int_equal(info.class_code, BRG_PCI_CLASS_NVME);
	assert_string_equal(info.driver, "nvme");
	assert_int_equal(info.iommu_group, 7);
	assert_int_equal(info.numa_node, 1);
	assert_int_equal(info.bar_size[0], 0x4000);
	assert_int_equal(info.bar_size[2], 0); /* I/O ports */
	assert_int_equal(info.bar_size[4], 64 << 20);
}

static void info_without_driver_and_iommu(void **state)
{
	struct brg_device_info info;

	assert_int_equal(brg_device_info_get(VMD, &info), 0);
	assert_string_equal(info.bdf, VMD);
	assert_string_equal(info.driver, "");
	assert_int_equal(info.iommu_group, -1);
	assert_int_equal(info.numa_node, -1);
}

static void no_iommu_mode_is_no_group(void **state)
{
	struct brg_device_info info;

	put("vfio-noiommu\n", "/sys/kernel/iommu_groups/7/name");
	assert_int_equal(brg_device_info_get(NVME, &info), 0);
	assert_int_equal(info.iommu_group, -1);
}

static void bad_addresses(void **state)
{
	static const char *const bad[] = {
		"", "nvme0", "00:04", "0000:00:04.0x", "../0000:00:04.0", "0000:100:04.0"};
	struct brg_device_info info;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_fails(brg_device_info_get(bad[i], &info), EINVAL, "is not a PCI address");
	assert_fails(brg_device_info_get(NULL, &info), EINVAL, "is not a PCI address");
	assert_fails(brg_device_info_get("0000:7f:00.0", &info), ENODEV, "0000:7f:00.0");
}

static void list_is_sorted_and_filtered(void **state)
{
	struct brg_device_info *list;

	assert_int_equal(brg_device_list(BRG_PCI_CLASS_ANY, &list), 4);
	assert_string_equal(list[0].bdf, NVME);
	assert_string_equal(list[1].bdf, GPU);
	assert_string_equal(list[2].bdf, AUDIO);
	assert_string_equal(list[3].bdf, VMD); /* domain 10000 comes after 0000 */
	free(list);

	assert_int_equal(brg_device_list(BRG_PCI_CLASS_NVME, &list), 2);
	free(list);
	assert_int_equal(brg_device_list(0x040000, &list), 1); /* any multimedia */
	assert_string_equal(list[0].bdf, AUDIO);
	free(list);
	assert_int_equal(brg_device_list(0x040100, &list), 0);
	assert_null(list);
}

static void group_members_without_itself(void **state)
{
	struct brg_device_info *list;
	struct brg_device_info info;

	assert_int_equal(brg_device_info_get(GPU, &info), 0);
	assert_int_equal(brg_device_group_members(&info, &list), 1);
	assert_string_equal(list[0].bdf, AUDIO);
	free(list);

	assert_int_equal(brg_device_info_get(NVME, &info), 0);
	assert_int_equal(brg_device_group_members(&info, &list), 0);
	assert_null(list);

	assert_int_equal(brg_device_info_get(VMD, &info), 0);
	assert_fails(brg_device_group_members(&info, &list), ENOTSUP, "no IOMMU");
}

static void check_busy(const char *reason)
{
	struct brg_device_info info;
	char what[128] = "";

	assert_int_equal(brg_device_info_get(NVME, &info), 0);
	assert_fails(brg_device_in_use(&info, what, sizeof(what)), EBUSY, reason);
	assert_string_equal(what, reason);
	/* Binding is refused for the same reason, and nothing is changed. */
	assert_fails(brg_device_bind(NVME, "vfio-pci"), EBUSY, reason);
	assert_fails(brg_device_unbind(NVME), EBUSY, reason);
	check_file("(null)", PCI_DEVICES "/" NVME "/driver_override");
	check_file("", PCI_DRIVERS "/nvme/unbind");
}

static void free_device_is_not_in_use(void **state)
{
	struct brg_device_info info;

	assert_int_equal(brg_device_info_get(NVME, &info), 0);
	assert_int_equal(brg_device_in_use(&info, NULL, 0), 0);
}

/* In sysfs the class entries are links into the device tree: make what they point to. */
static void put_block(const char *disk, const char *part, const char *number)
{
	put(number, "/sys/devices/pci0000:00/" NVME "/nvme/nvme0/%s/%s%sdev", disk, part,
	    part[0] ? "/" : "");
}

static void mounted_partition(void **state)
{
	put_block("nvme0n1", "", "259:0\n");
	put_block("nvme0n1", "nvme0n1p2", "259:2\n");
	put("22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
	    "30 22 259:2 / /home rw,relatime shared:2 master:1 - ext4 /dev/nvme0n1p2 rw\n",
	    "/proc/self/mountinfo");
	check_busy("/dev/nvme0n1p2 is mounted on /home");
}

/* btrfs shows a device number of its own. */
static void mounted_by_source(void **state)
{
	put_block("nvme0n1", "", "259:0\n");
	put("30 22 0:41 /@ /data rw,relatime - btrfs /dev/nvme0n1 rw,subvol=/@\n",
	    "/proc/self/mountinfo");
	check_busy("/dev/nvme0n1 is mounted on /data");
}

static void other_mounts_do_not_matter(void **state)
{
	struct brg_device_info info;

	put_block("nvme0n1", "", "259:0\n");
	put("22 1 259:1 / / rw,relatime - ext4 /dev/nvme1n1 rw\n"
	    "30 22 0:41 / /tmp/nvme0n1 rw - tmpfs nvme0n1 rw\n"
	    "31 22 0:42 / malformed\n",
	    "/proc/self/mountinfo");
	put("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
	    "/dev/nvme0n10                          partition\t1048572\t\t0\t\t-2\n",
	    "/proc/swaps");
	link_to("../../devices/pci0000:00/0000:00:05.0/net/eth0", "/sys/class/net/eth0");
	put("0x1003\n", "/sys/devices/pci0000:00/0000:00:05.0/net/eth0/flags");
	assert_int_equal(brg_device_info_get(NVME, &info), 0);
	assert_int_equal(brg_device_in_use(&info, NULL, 0), 0);
}

static void swap_space(void **state)
{
	put_block("nvme0n1", "", "259:0\n");
	put("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
	    "/dev/nvme0n1                           partition\t1048572\t\t0\t\t-2\n",
	    "/proc/swaps");
	check_busy("/dev/nvme0n1 is swap space");
}

static void held_by_device_mapper(void **state)
{
	put_block("nvme0n1", "", "259:0\n");
	put_block("nvme0n1", "nvme0n1p2", "259:2\n");
	put("", "/sys/devices/pci0000:00/" NVME "/nvme/nvme0/nvme0n1/nvme0n1p2/holders/dm-0");
	link_to("../../devices/virtual/block/dm-0", "/sys/class/block/dm-0");
	put("vg-home\n", "/sys/devices/virtual/block/dm-0/dm/name");
	check_busy("/dev/nvme0n1p2 is part of dm-0 (vg-home)");
}

static void multipath_head_elsewhere(void **state)
{
	char path[PATH_MAX];

	for (const char *const *name = (const char *const[]){"nvme0n1", "nvme0n1p2", NULL}; *name;
	     name++) {
		snprintf(path, sizeof(path), "%s/sys/class/block/%s", root, *name);
		unlink(path);
	}
	link_to("../../devices/pci0000:00/" NVME "/nvme/nvme0/nvme3c0n1",
		"/sys/class/block/nvme3c0n1");
	link_to("../../devices/virtual/nvme-subsystem/nvme-subsys3/nvme3n1",
		"/sys/class/block/nvme3n1");
	link_to("../../devices/virtual/nvme-subsystem/nvme-subsys3/nvme3n1/nvme3n1p1",
		"/sys/class/block/nvme3n1p1");
	put("259:4\n", "/sys/devices/virtual/nvme-subsystem/nvme-subsys3/nvme3n1/dev");
	put("259:5\n", "/sys/devices/virtual/nvme-subsystem/nvme-subsys3/nvme3n1/nvme3n1p1/dev");
	put("30 22 259:5 / /srv rw,relatime - xfs /dev/nvme3n1p1 rw\n", "/proc/self/mountinfo");
	check_busy("/dev/nvme3n1p1 is mounted on /srv");
}

static void interface_that_is_up(void **state)
{
	link_to("../../devices/pci0000:00/" NVME "/net/eth0", "/sys/class/net/eth0");
	put("0x1003\n", "/sys/devices/pci0000:00/" NVME "/net/eth0/flags");
	check_busy("network interface eth0 is up");
}

static void bind_names_the_missing_driver(void **state)
{
	assert_fails(brg_device_bind(NVME, "uio_pci_generic"), ENOENT, "modprobe uio_pci_generic");
	assert_fails(brg_device_bind(NVME, "../nvme"), EINVAL, "not the name of a driver");
	assert_fails(brg_device_bind(NVME, ""), EINVAL, "not the name of a driver");
	assert_fails(brg_device_bind("0000:7f:00.0", "vfio-pci"), ENODEV, "0000:7f:00.0");
}

/* But wait until that driver has finished with it, which its bind file does. */
static void bind_to_the_same_driver_does_nothing(void **state)
{
	put("", PCI_DRIVERS "/nvme/bind");
	assert_int_equal(brg_device_bind(NVME, "nvme"), 0);
	check_file(NVME, PCI_DRIVERS "/nvme/bind");
	assert_int_equal(brg_device_bind(NVME, NULL), 0);
	check_file("(null)", PCI_DEVICES "/" NVME "/driver_override");
	check_file("", PCI_DRIVERS "/nvme/unbind");
}

/* No kernel stands behind the tree: the old driver's link stays, as if vfio-pci had refused. */
static void refused_device_gets_its_override_back(void **state)
{
	put("nvme\n", PCI_DEVICES "/" NVME "/driver_override");
	assert_fails(brg_device_bind(NVME, "vfio-pci"), EIO, "vfio-pci refused " NVME);
	check_file(NVME, PCI_DRIVERS "/nvme/unbind");
	check_file(NVME, "/sys/bus/pci/drivers_probe");
	check_file("nvme", PCI_DEVICES "/" NVME "/driver_override");
}

static void unbind_clears_the_override(void **state)
{
	assert_int_equal(brg_device_unbind(GPU), 0);
	check_file(GPU, PCI_DRIVERS "/vfio-pci/unbind");
	check_file("", PCI_DEVICES "/" GPU "/driver_override");
}

static void open_says_why_not(void **state)
{
	struct brg_device *dev;

	assert_fails(brg_device_open(NVME, &dev), EBUSY, NVME " is bound to nvme; run: barrage");
	assert_null(dev);
	assert_fails(brg_device_open(VMD, &dev), EBUSY, VMD " has no driver; run: barrage bind");
	assert_fails(brg_device_open("0000:7f:00.0", &dev), ENODEV, "there is no PCI function");
	assert_fails(brg_device_open("x", &dev), EINVAL, "not a PCI address");
	assert_fails(brg_device_open(GPU, &dev), ENODEV, "/dev/vfio/12");

	put("vfio-noiommu\n", "/sys/kernel/iommu_groups/12/name");
	assert_fails(brg_device_open(GPU, &dev), ENOTSUP, "no-IOMMU mode");
}

static void virtual_functions(void **state)
{
	struct brg_device pf = {.info.bdf = GPU};
	char bdf[16];

	assert_fails(brg_device_set_vfs(&pf, 1), ENOTSUP, "no virtual functions");
	put("4\n", PCI_DEVICES "/" GPU "/sriov_totalvfs");
	assert_fails(brg_device_set_vfs(&pf, 1), EPERM, "enable_sriov");
	put("0\n", PCI_DEVICES "/" GPU "/sriov_numvfs");
	assert_fails(brg_device_set_vfs(&pf, 5), EINVAL, "at most 4 virtual functions, not 5");
	check_file("0", PCI_DEVICES "/" GPU "/sriov_numvfs");
	assert_int_equal(brg_device_set_vfs(&pf, 3), 0);
	check_file("3", PCI_DEVICES "/" GPU "/sriov_numvfs");
	assert_int_equal(brg_device_set_vfs(&pf, 0), 0);
	check_file("0", PCI_DEVICES "/" GPU "/sriov_numvfs");

	assert_fails(brg_device_vf(&pf, 0, bdf), ENOENT, "no virtual function 0; it has 0 now");
	link_to("../0000:01:10.0", PCI_DEVICES "/" GPU "/virtfn0");
	assert_int_equal(brg_device_vf(&pf, 0, bdf), 0);
	assert_string_equal(bdf, "0000:01:10.0");
}

/* Nobody here could know the token. */
static void virtual_function_without_the_physical_one(void **state)
{
	const struct brg_device vf = {.info.bdf = "0000:01:10.0"};

	link_to("../" GPU, PCI_DEVICES "/0000:01:10.0/physfn");
	assert_fails(brg_vf_open(&vf), EBUSY, "open that first");
	assert_fails(brg_device_set_vf_token("12345678-1234-1234-1234-12345678901g"), EINVAL,
		     "is no token");
	assert_fails(brg_device_set_vf_token("12345678-1234-1234-1234-1234567890123"), EINVAL,
		     "is no token");
	assert_fails(brg_device_set_vf_token("123456781234-1234-1234-1234567-89012"), EINVAL,
		     "is no token");
	assert_fails(brg_device_set_vf_token(""), EINVAL, "is no token");
}

#define on_a_tree(test) cmocka_unit_test_setup_teardown(test, make_tree, remove_tree)

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_a_tree(info_is_what_sysfs_says),
		on_a_tree(info_without_driver_and_iommu),
		on_a_tree(no_iommu_mode_is_no_group),
		on_a_tree(bad_addresses),
		on_a_tree(list_is_sorted_and_filtered),
		on_a_tree(group_members_without_itself),
		on_a_tree(free_device_is_not_in_use),
		on_a_tree(mounted_partition),
		on_a_tree(mounted_by_source),
		on_a_tree(other_mounts_do_not_matter),
		on_a_tree(swap_space),
		on_a_tree(held_by_device_mapper),
		on_a_tree(multipath_head_elsewhere),
		on_a_tree(interface_that_is_up),
		on_a_tree(bind_names_the_missing_driver),
		on_a_tree(bind_to_the_same_driver_does_nothing),
		on_a_tree(refused_device_gets_its_override_back),
		on_a_tree(unbind_clears_the_override),
		on_a_tree(open_says_why_not),
		on_a_tree(virtual_functions),
		on_a_tree(virtual_function_without_the_physical_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
