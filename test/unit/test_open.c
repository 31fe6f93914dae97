/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Opening functions through a VFIO that is played by this file: groups, containers, and every way
 * the kernel can refuse. ioctl() is ours, the files are plain ones.
 */

#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "brg_device.h"
#include "container.h"
#include "tree.h"

#define GPU   "0000:01:00.0" /* group 12 */
#define AUDIO "0000:01:00.1" /* group 12 too */
#define NVME  "0000:02:00.0" /* group 13 */

static struct {
	bool not_viable;
	bool no_type1;
	unsigned long refused; /* this request fails ... */
	int error;	       /* ... like this ... */
	int calls_before;      /* ... after so many have worked ... */
	bool once;	       /* ... and works again afterwards */
	unsigned int sets_of_container, sets_of_iommu;
} kernel;

static int answer_region(struct vfio_region_info *info)
{
	static const uint64_t sizes[VFIO_PCI_NUM_REGIONS] = {[0] = 16384, [7] = 256};

	if (info->index == VFIO_PCI_VGA_REGION_INDEX) {
		errno = EINVAL;
		return -1;
	}
	info->size = sizes[info->index];
	info->offset = (uint64_t)info->index << 20;
	info->flags = VFIO_REGION_INFO_FLAG_READ;
	if (info->index == 0)
		info->flags |= VFIO_REGION_INFO_FLAG_MMAP;
	return 0;
}

/* The device file: config space without capabilities in region 7. */
static int new_device_file(void)
{
	int fd = memfd_create("device", MFD_CLOEXEC);

	return ftruncate(fd, 16 << 20) ? -1 : fd;
}

static int answer(unsigned long request, void *arg)
{
	switch (request) {
	case VFIO_GET_API_VERSION:
		return VFIO_API_VERSION;
	case VFIO_CHECK_EXTENSION:
		return !kernel.no_type1;
	case VFIO_SET_IOMMU:
		kernel.sets_of_iommu++;
		return 0;
	case VFIO_GROUP_GET_STATUS:
		((struct vfio_group_status *)arg)->flags =
			kernel.not_viable ? 0 : VFIO_GROUP_FLAGS_VIABLE;
		return 0;
	case VFIO_GROUP_SET_CONTAINER:
		kernel.sets_of_container++;
		return 0;
	case VFIO_GROUP_GET_DEVICE_FD:
		return new_device_file();
	case VFIO_DEVICE_GET_INFO:
		((struct vfio_device_info *)arg)->flags = VFIO_DEVICE_FLAGS_PCI;
		return 0;
	case VFIO_DEVICE_GET_REGION_INFO:
		return answer_region(arg);
	case VFIO_DEVICE_GET_IRQ_INFO:
		((struct vfio_irq_info *)arg)->count = 4;
		return 0;
	default:
		return 0;
	}
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	if (request == kernel.refused && kernel.calls_before-- <= 0) {
		if (kernel.once)
			kernel.refused = 0;
		errno = kernel.error;
		return -1;
	}
	return answer(request, arg);
}

static void refuse(unsigned long request, int error, int calls_before)
{
	kernel.refused = request;
	kernel.error = error;
	kernel.calls_before = calls_before;
}

static void put_function(const char *bdf, const char *driver, int group)
{
	char target[PATH_MAX];

	snprintf(target, sizeof(target), "DRIVER=%s\nPCI_CLASS=10802\n", driver);
	put(target, PCI_DEVICES "/%s/uevent", bdf);
	snprintf(target, sizeof(target), "../../drivers/%s", driver);
	link_to(target, PCI_DEVICES "/%s/driver", bdf);
	snprintf(target, sizeof(target), "%s/sys/kernel/iommu_groups/%d", root, group);
	link_to(target, PCI_DEVICES "/%s/iommu_group", bdf);
	put("", "/sys/kernel/iommu_groups/%d/devices/%s", group, bdf);
	put("", "/dev/vfio/%d", group);
}

static int make_tree(void **state)
{
	memset(&kernel, 0, sizeof(kernel));
	if (new_tree())
		return -1;
	put("", "/dev/vfio/vfio");
	put_function(GPU, "vfio-pci", 12);
	put_function(AUDIO, "vfio-pci", 12);
	put_function(NVME, "vfio-pci", 13);
	return 0;
}

static int open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static struct brg_device *open_one(const char *bdf)
{
	struct brg_device *dev;
	int rc = brg_device_open(bdf, &dev);

	if (rc)
		fail_msg("open %s: %d, %s", bdf, rc, brg_errmsg());
	return dev;
}

static void check_refused(const char *bdf, int err, const char *words)
{
	struct brg_device *dev;
	int before = open_files();

	assert_fails(brg_device_open(bdf, &dev), err, words);
	assert_null(dev);
	assert_int_equal(open_files(), before);
	/* Nothing of it is left in the way. */
	memset(&kernel, 0, sizeof(kernel));
	brg_device_close(open_one(bdf));
	assert_int_equal(open_files(), before);
}

static void open_and_close(void **state)
{
	int before = open_files();
	struct brg_device *dev = open_one("02:00.0");

	assert_string_equal(brg_device_get_info(dev)->bdf, NVME);
	assert_int_equal(brg_device_region(dev, 0)->nareas, 1);
	assert_null(brg_device_region(dev, 1));
	assert_int_equal(brg_device_irq_count(dev), 4);
	assert_fails(brg_device_reset(dev), ENOTSUP, "no way to reset " NVME);
	brg_device_close(dev);
	assert_int_equal(open_files(), before);
}

static void functions_of_a_group_share_it(void **state)
{
	struct brg_device *gpu = open_one(GPU);
	struct brg_device *audio = open_one(AUDIO);
	struct brg_device *dev;

	assert_int_equal(kernel.sets_of_container, 1);
	assert_ptr_equal(brg_device_container(gpu), brg_device_container(audio));
	assert_fails(brg_device_open(GPU, &dev), EBUSY, GPU " is open in this process already");
	brg_device_close(gpu);
	dev = open_one(GPU); /* while its neighbour keeps the group open */
	assert_int_equal(kernel.sets_of_container, 1);
	brg_device_close(audio);
	brg_device_close(dev);
}

static void groups_share_a_container(void **state)
{
	struct brg_device *gpu = open_one(GPU);
	struct brg_device *nvme = open_one(NVME);

	assert_ptr_equal(brg_device_container(gpu), brg_device_container(nvme));
	assert_int_equal(kernel.sets_of_iommu, 1);
	brg_device_close(gpu);
	brg_device_close(nvme);
	brg_device_close(open_one(NVME)); /* the container went with the last */
	assert_int_equal(kernel.sets_of_iommu, 2);
}

static void incompatible_groups_do_not(void **state)
{
	struct brg_device *gpu = open_one(GPU);
	struct brg_device *nvme;

	/* The first container refuses the second group, so it gets its own. */
	refuse(VFIO_GROUP_SET_CONTAINER, EINVAL, 0);
	kernel.once = true;
	nvme = open_one(NVME);
	assert_ptr_not_equal(brg_device_container(gpu), brg_device_container(nvme));
	assert_int_equal(kernel.sets_of_iommu, 2);
	brg_device_close(nvme);
	brg_device_close(gpu);
}

static void spoiled_group(void **state)
{
	put("DRIVER=snd_hda_intel\n", PCI_DEVICES "/" AUDIO "/uevent");
	put_function("0000:01:00.2", "pcieport", 12);
	kernel.not_viable = true;
	check_refused(GPU, EBUSY,
		      "its other members are bound to drivers of the kernel: " AUDIO
		      " (snd_hda_intel); bind each");
}

static void group_that_the_kernel_uses(void **state)
{
	kernel.not_viable = true;
	check_refused(NVME, EBUSY, "group 13 of " NVME " is not viable: the kernel still uses it");
}

static void missing_modules(void **state)
{
	struct brg_device *dev;
	char path[PATH_MAX];

	kernel.no_type1 = true;
	check_refused(NVME, ENOTSUP, "modprobe vfio_iommu_type1");
	snprintf(path, sizeof(path), "%s/dev/vfio/vfio", root);
	unlink(path);
	assert_fails(brg_device_open(NVME, &dev), ENOTSUP, "modprobe vfio-pci");
}

static void no_interrupt_remapping(void **state)
{
	refuse(VFIO_SET_IOMMU, EPERM, 0);
	check_refused(NVME, ENOTSUP, "does not remap interrupts");
}

static void whatever_else_fails(void **state)
{
	refuse(VFIO_GROUP_GET_STATUS, EIO, 0);
	check_refused(NVME, EIO, "does not tell of group 13");
	refuse(VFIO_GROUP_SET_CONTAINER, EBUSY, 0);
	check_refused(NVME, EBUSY, "refuses IOMMU group 13");
	refuse(VFIO_SET_IOMMU, ENODEV, 0);
	check_refused(NVME, ENODEV, "the IOMMU refuses group 13");
	refuse(VFIO_GROUP_GET_DEVICE_FD, ENODEV, 0);
	check_refused(NVME, ENODEV, "does not hand out " NVME);
	refuse(VFIO_DEVICE_GET_INFO, ENODEV, 0);
	check_refused(NVME, ENODEV, "does not tell of " NVME);
	refuse(VFIO_DEVICE_GET_REGION_INFO, EIO, 0);
	check_refused(NVME, EIO, "region 7");
	refuse(VFIO_DEVICE_GET_REGION_INFO, EIO, 5);
	check_refused(NVME, EIO, "region 4");
}

/* A failure in a group that is open already leaves the other function alone. */
static void failure_beside_an_open_function(void **state)
{
	struct brg_device *gpu = open_one(GPU);
	struct brg_device *audio;

	refuse(VFIO_DEVICE_GET_INFO, ENODEV, 0);
	assert_fails(brg_device_open(AUDIO, &audio), ENODEV, "does not tell of " AUDIO);
	refuse(0, 0, 0);
	audio = open_one(AUDIO);
	assert_int_equal(kernel.sets_of_container, 1);
	brg_device_close(gpu);
	brg_device_close(audio);
}

#define on_a_tree(test) cmocka_unit_test_setup_teardown(test, make_tree, remove_tree)

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_a_tree(open_and_close),
		on_a_tree(functions_of_a_group_share_it),
		on_a_tree(groups_share_a_container),
		on_a_tree(incompatible_groups_do_not),
		on_a_tree(spoiled_group),
		on_a_tree(group_that_the_kernel_uses),
		on_a_tree(missing_modules),
		on_a_tree(no_interrupt_remapping),
		on_a_tree(whatever_else_fails),
		on_a_tree(failure_beside_an_open_function),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
