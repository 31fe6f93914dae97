/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The device layer on a real function: opening, regions, config space, reset, interrupts, and
 * moving between drivers. The function must be bound to vfio-pci, and is so again afterwards.
 *
 * Called with "open" it only tries to open the function, as another process.
 */

#include "guest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"

#define CONFIG_SYSFS "/sys/bus/pci/devices/%s/config"

static int open_device(void **state)
{
	struct brg_device *dev;

	if (brg_device_open(test_bdf(), &dev)) {
		fprintf(stderr, "%s\n", brg_errmsg());
		return -1;
	}
	*state = dev;
	return 0;
}

static int close_device(void **state)
{
	brg_device_close(*state);
	return 0;
}

static void opens_again_after_close(void **state)
{
	for (int i = 0; i < 10; i++) {
		assert_int_equal(open_device(state), 0);
		close_device(state);
	}
	brg_device_close(NULL);
}

static void descriptors_are_all_given_back(void **state)
{
	int before = dup(STDERR_FILENO);
	int after;

	close(before);
	assert_int_equal(open_device(state), 0);
	close_device(state);
	after = dup(STDERR_FILENO);
	close(after);
	assert_int_equal(after, before);
}

static void second_open_is_refused(void **state)
{
	struct brg_device *dev;

	assert_fails(brg_device_open(test_bdf(), &dev), EBUSY, "open in this process already");
	assert_null(dev);
}

static pid_t start_self(const char *what)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl("/proc/self/exe", "device_test", what, NULL);
		_exit(127);
	}
	return pid;
}

static int exit_status(pid_t pid)
{
	int status;

	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* main() with "open": 0 when it was refused because of the process that started this one. */
static int try_to_open(void)
{
	char parent[64];
	struct brg_device *dev;
	int rc = brg_device_open(test_bdf(), &dev);

	snprintf(parent, sizeof(parent), "is open in process %d (", getppid());
	if (rc != -EBUSY || !strstr(brg_errmsg(), parent)) {
		fprintf(stderr, "open: %d, %s\n", rc, rc ? brg_errmsg() : "opened");
		return 1;
	}
	return 0;
}

static void open_elsewhere_is_refused(void **state)
{
	assert_int_equal(exit_status(start_self("open")), 0);
}

/* An unbind would block until this process closes the function. */
static void unbind_while_open_is_refused(void **state)
{
	struct brg_device_info info;

	assert_fails(brg_device_unbind(test_bdf()), EBUSY, "is open in process");
	assert_fails(brg_device_bind(test_bdf(), "nvme"), EBUSY, "is open in process");
	assert_works(brg_device_info_get(test_bdf(), &info));
	assert_string_equal(info.driver, "vfio-pci");
}

static void info_is_kept(void **state)
{
	const struct brg_device_info *info = brg_device_get_info(*state);

	assert_string_equal(info->bdf, test_bdf());
	assert_string_equal(info->driver, "vfio-pci");
	assert_int_equal(info->class_code, BRG_PCI_CLASS_NVME);
	assert_in_range(info->iommu_group, 0, 1 << 16);
}

static void group_members_are_others(void **state)
{
	struct brg_device_info *list;
	int n = brg_device_group_members(brg_device_get_info(*state), &list);

	assert_works(n);
	for (int i = 0; i < n; i++)
		assert_string_not_equal(list[i].bdf, test_bdf());
	free(list);
}

static void regions_agree_with_sysfs(void **state)
{
	const struct brg_device_info *info = brg_device_get_info(*state);
	const struct brg_region *config = brg_device_region(*state, BRG_REGION_CONFIG);

	for (unsigned int i = 0; i < BRG_PCI_BARS; i++) {
		const struct brg_region *bar = brg_device_region(*state, i);

		if (!info->bar_size[i])
			continue;
		assert_non_null(bar);
		assert_int_equal(bar->size, info->bar_size[i]);
		assert_int_equal(bar->flags, BRG_REGION_READ | BRG_REGION_WRITE | BRG_REGION_MMAP);
		assert_in_range(bar->nareas, 1, 8);
	}
	assert_non_null(config);
	assert_int_equal(config->flags, BRG_REGION_READ | BRG_REGION_WRITE);
	assert_int_equal(config->nareas, 0);
	assert_null(brg_device_region(*state, 100));
	assert_in_range(brg_device_fd(*state), 0, 1 << 20);
}

static void config_space_reads(void **state)
{
	const struct brg_device_info *info = brg_device_get_info(*state);
	uint64_t size = brg_device_region(*state, BRG_REGION_CONFIG)->size;
	uint16_t ids[2];
	uint8_t all[4096];

	assert_works(brg_device_config_read(*state, PCI_VENDOR_ID, ids, sizeof(ids)));
	assert_int_equal(ids[0], info->vendor);
	assert_int_equal(ids[1], info->device);
	assert_works(brg_device_config_read(*state, 0, all, size));
	assert_memory_equal(all, ids, sizeof(ids));

	assert_fails(brg_device_config_read(*state, (uint32_t)size, ids, 1), EINVAL, "outside");
	assert_fails(brg_device_config_read(*state, (uint32_t)size - 2, ids, 4), EINVAL, "outside");
	assert_fails(brg_device_config_write(*state, UINT32_MAX, ids, 4), EINVAL, "outside");
}

static void capabilities_are_where_they_say(void **state)
{
	static const uint8_t wanted[] = {PCI_CAP_ID_MSIX, PCI_CAP_ID_EXP};
	uint8_t id;
	int at;

	for (size_t i = 0; i < sizeof(wanted); i++) {
		at = brg_device_find_cap(*state, wanted[i]);
		assert_works(at);
		assert_works(brg_device_config_read(*state, (uint32_t)at, &id, 1));
		assert_int_equal(id, wanted[i]);
	}
	assert_fails(brg_device_find_cap(*state, 0xee), ENOENT, "capability 0xee");
	assert_fails(brg_device_find_ext_cap(*state, 0xeee), ENOENT, "capability 0x0eee");
}

static uint16_t command(struct brg_device *dev)
{
	uint16_t value;

	assert_works(brg_device_config_read(dev, PCI_COMMAND, &value, sizeof(value)));
	return value;
}

static void command_bits_are_set_alone(void **state)
{
	uint16_t before = command(*state);

	assert_works(brg_device_set_bus_master(*state, true));
	assert_int_equal(command(*state), before | PCI_COMMAND_MASTER);
	assert_works(brg_device_set_bus_master(*state, false));
	assert_int_equal(command(*state), before & ~PCI_COMMAND_MASTER);
	assert_works(brg_device_set_memory_decode(*state, false));
	assert_int_equal(command(*state) & PCI_COMMAND_MEMORY, 0);
	assert_works(brg_device_set_memory_decode(*state, true));
	assert_int_equal(command(*state) & PCI_COMMAND_MEMORY, PCI_COMMAND_MEMORY);
}

/* Read past VFIO: does the function itself keep the bit? */
static void close_stops_dma(void **state)
{
	char path[128];
	uint16_t value;
	int fd;

	assert_int_equal(open_device(state), 0);
	assert_works(brg_device_set_bus_master(*state, true));
	snprintf(path, sizeof(path), CONFIG_SYSFS, test_bdf());
	fd = open(path, O_RDONLY);
	assert_int_equal(pread(fd, &value, 2, PCI_COMMAND), 2);
	assert_int_equal(value & PCI_COMMAND_MASTER, PCI_COMMAND_MASTER);
	close_device(state);
	assert_int_equal(pread(fd, &value, 2, PCI_COMMAND), 2);
	assert_int_equal(value & PCI_COMMAND_MASTER, 0);
	close(fd);
}

static void reset_works(void **state)
{
	assert_works(brg_device_set_bus_master(*state, true));
	assert_works(brg_device_reset(*state));
	assert_works(brg_device_reset(*state));
}

/* vfio can raise a vector by itself (linux/vfio.h, DATA_NONE with ACTION_TRIGGER). */
static void raise_vector(struct brg_device *dev, uint32_t vector)
{
	struct vfio_irq_set set = {
		.argsz = sizeof(set),
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = VFIO_PCI_MSIX_IRQ_INDEX,
		.start = vector,
		.count = 1,
	};

	assert_int_equal(ioctl(brg_device_fd(dev), VFIO_DEVICE_SET_IRQS, &set), 0);
}

static void interrupts_reach_their_eventfd(void **state)
{
	unsigned int max = brg_device_irq_count(*state);
	uint64_t times;
	int fds[4] = {-1, -1, -1, -1};

	assert_in_range(max, 4, 2048);
	for (int again = 0; again < 2; again++) {
		assert_works(brg_device_irq_enable(*state, 4, fds));
		assert_fails(brg_device_irq_enable(*state, 1, fds), EBUSY, "enabled already");
		raise_vector(*state, 2);
		for (int i = 0; i < 4; i++) {
			ssize_t got = read(fds[i], &times, sizeof(times));

			assert_int_equal(got, i == 2 ? (ssize_t)sizeof(times) : -1);
		}
		assert_int_equal(times, 1);
		brg_device_irq_disable(*state);
		assert_int_equal(fcntl(fds[0], F_GETFD), -1);
	}
	brg_device_irq_disable(*state); /* nothing to do */
}

static void vector_count_is_checked(void **state)
{
	unsigned int max = brg_device_irq_count(*state);
	int fds[1];

	assert_fails(brg_device_irq_enable(*state, max + 1, fds), EINVAL, "interrupt vectors");
	assert_fails(brg_device_irq_enable(*state, 0, fds), EINVAL, "interrupt vectors");
}

static void close_disables_interrupts(void **state)
{
	int fds[2];

	assert_int_equal(open_device(state), 0);
	assert_works(brg_device_irq_enable(*state, 2, fds));
	close_device(state);
	assert_int_equal(fcntl(fds[0], F_GETFD), -1);
	assert_int_equal(fcntl(fds[1], F_GETFD), -1);
	assert_int_equal(open_device(state), 0);
	assert_works(brg_device_irq_enable(*state, 2, fds));
	close_device(state);
}

static void check_driver(const char *driver)
{
	struct brg_device_info info;

	assert_works(brg_device_info_get(test_bdf(), &info));
	assert_string_equal(info.driver, driver);
}

static int back_to_vfio(void **state)
{
	if (!brg_device_bind(test_bdf(), "vfio-pci"))
		return 0;
	fprintf(stderr, "%s\n", brg_errmsg());
	return -1;
}

static void round_trip_through_drivers(void **state)
{
	struct brg_device *dev;

	assert_works(brg_device_unbind(test_bdf()));
	check_driver("");
	assert_fails(brg_device_open(test_bdf(), &dev), EBUSY, "has no driver; run: barrage bind");
	assert_works(brg_device_unbind(test_bdf())); /* nothing left to do */

	assert_works(brg_device_bind(test_bdf(), "nvme"));
	check_driver("nvme");
	assert_fails(brg_device_open(test_bdf(), &dev), EBUSY, "is bound to nvme; run: barrage");

	assert_works(brg_device_bind(test_bdf(), "vfio-pci"));
	check_driver("vfio-pci");
	assert_int_equal(open_device(state), 0);
	close_device(state);
}

static void kernel_chooses_its_own(void **state)
{
	char line[32];
	char path[128];
	FILE *f;

	assert_works(brg_device_bind(test_bdf(), NULL));
	check_driver("nvme");
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver_override", test_bdf());
	f = fopen(path, "re");
	assert_non_null(fgets(line, sizeof(line), f));
	assert_string_equal(line, "(null)\n");
	fclose(f);
}

/* driver_override makes virtio-pci try; it finds an NVMe controller and declines. */
static void refusing_driver_gives_it_back(void **state)
{
	assert_fails(brg_device_bind(test_bdf(), "virtio-pci"), EIO, "virtio-pci refused");
	assert_non_null(strstr(brg_errmsg(), "it is back with vfio-pci"));
	check_driver("vfio-pci");
	assert_int_equal(open_device(state), 0);
	close_device(state);
}

static void only_root_may_bind(void **state)
{
	assert_int_equal(seteuid(1000), 0);
	assert_fails(brg_device_bind(test_bdf(), "nvme"), EPERM, "only root");
	assert_fails(brg_device_unbind(test_bdf()), EPERM, "only root");
	assert_int_equal(seteuid(0), 0);
	check_driver("vfio-pci");
}

static void stranger_may_not_open(void **state)
{
	struct brg_device *dev;

	assert_int_equal(seteuid(1000), 0);
	assert_fails(brg_device_open(test_bdf(), &dev), EACCES, "no permission to open /dev/vfio/");
	assert_int_equal(seteuid(0), 0);
}

static int bind_and_open_disk(const char *disk)
{
	int fd;

	assert_works(brg_device_bind(test_bdf(), "nvme"));
	wait_for_disk(disk);
	fd = open(disk, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		fail_msg("%s: %s", disk, strerror(errno));
	return fd;
}

#define DISK "/dev/nvme0n1"

static void check_refused(const char *reason)
{
	struct brg_device_info info;
	char what[128];

	assert_works(brg_device_info_get(test_bdf(), &info));
	assert_int_equal(brg_device_in_use(&info, what, sizeof(what)), -EBUSY);
	assert_string_equal(what, reason);
	assert_fails(brg_device_bind(test_bdf(), "vfio-pci"), EBUSY, reason);
	assert_fails(brg_device_unbind(test_bdf()), EBUSY, reason);
	check_driver("nvme");
}

static void check_free(void)
{
	struct brg_device_info info;

	assert_works(brg_device_info_get(test_bdf(), &info));
	assert_works(brg_device_in_use(&info, NULL, 0));
}

static void exclusive_opener_keeps_the_device(void **state)
{
	int fd;

	close(bind_and_open_disk(DISK));
	check_free();
	fd = open(DISK, O_RDONLY | O_EXCL | O_CLOEXEC);
	assert_in_range(fd, 0, 1 << 20);
	check_refused(DISK " is held exclusively by the kernel or a process");
	close(fd);
}

/* The header that mkswap writes (union swap_header in the kernel's linux/swap.h). */
static void write_swap_header(int fd, uint32_t pages)
{
	static char page[4096];
	uint32_t info[2] = {1, pages - 1}; /* version, last page */

	memcpy(page + 1024, info, sizeof(info));
	memcpy(page + sizeof(page) - 10, "SWAPSPACE2", 10);
	assert_int_equal(pwrite(fd, page, sizeof(page), 0), sizeof(page));
	assert_int_equal(fsync(fd), 0);
}

static void swap_keeps_the_device(void **state)
{
	int fd = bind_and_open_disk(DISK);

	write_swap_header(fd, 256);
	close(fd);
	assert_int_equal(swapon(DISK, 0), 0);
	check_refused(DISK " is swap space");
	assert_int_equal(swapoff(DISK), 0);
	check_free();
}

static void mounted_device_is_kept(void **state)
{
	close(bind_and_open_disk(DISK));
	assert_int_equal(run(test_command("MKE2FS"), "-q", "-F", DISK, NULL), 0);
	mkdir("/mnt", 0755);
	assert_int_equal(mount(DISK, "/mnt", "ext2", 0, NULL), 0);
	check_refused(DISK " is mounted on /mnt");
	assert_int_equal(umount("/mnt"), 0);
	check_free();
}

/* A mount that only another namespace sees. */
static void hidden_mount_keeps_the_device(void **state)
{
	int ready[2];
	pid_t pid;
	char c;

	close(bind_and_open_disk(DISK));
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		    mount(DISK, "/mnt", "ext2", 0, NULL))
			_exit(1);
		close(ready[0]);
		(void)!write(ready[1], "", 1);
		pause();
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	check_refused(DISK " is held exclusively by the kernel or a process");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	check_free();
}

#define opened(test) cmocka_unit_test_setup_teardown(test, open_device, close_device)
#define moved(test)  cmocka_unit_test_teardown(test, back_to_vfio)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_again_after_close),
		cmocka_unit_test(descriptors_are_all_given_back),
		opened(second_open_is_refused),
		opened(open_elsewhere_is_refused),
		opened(unbind_while_open_is_refused),
		opened(info_is_kept),
		opened(group_members_are_others),
		opened(regions_agree_with_sysfs),
		opened(config_space_reads),
		opened(capabilities_are_where_they_say),
		opened(command_bits_are_set_alone),
		cmocka_unit_test(close_stops_dma),
		opened(reset_works),
		opened(interrupts_reach_their_eventfd),
		opened(vector_count_is_checked),
		cmocka_unit_test(close_disables_interrupts),
		moved(round_trip_through_drivers),
		moved(kernel_chooses_its_own),
		moved(refusing_driver_gives_it_back),
		cmocka_unit_test(only_root_may_bind),
		cmocka_unit_test(stranger_may_not_open),
		moved(exclusive_opener_keeps_the_device),
		moved(swap_keeps_the_device),
		moved(mounted_device_is_kept),
		moved(hidden_mount_keeps_the_device),
	};

	test_bdf();
	if (argc == 2 && !strcmp(argv[1], "open"))
		return try_to_open();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
