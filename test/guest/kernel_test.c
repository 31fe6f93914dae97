/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Barrage and the kernel's nvme driver take turns on one disk: what the one wrote the other reads
 * back, all of it, through O_DIRECT so that no cache answers instead.
 */

#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/fs.h>
#include <rte_malloc.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pattern.h"

#define MIB	     (1024 * 1024)
#define DISK_USED    (24 * (uint64_t)MIB)
#define CHUNK	     MIB
#define WAIT_SECONDS 20

static void *chunk; /* CHUNK bytes of EAL memory */

static int start(void **state)
{
	if (brg_env_init(NULL)) {
		fprintf(stderr, "%s\n", brg_errmsg());
		return -1;
	}
	chunk = rte_malloc(NULL, CHUNK, 4096);
	return chunk ? 0 : -1;
}

static int stop(void **state)
{
	rte_free(chunk);
	brg_env_cleanup();
	return 0;
}

/*
 * Of a controller in a subsystem that others may join, as QEMU 10's always is, sysfs has the path
 * to the namespace, "nvme0c0n1"; the device of all paths together is "nvme0n1".
 */
static void device_of(const char *name, char *path, size_t size)
{
	unsigned int subsystem, namespace;

	if (sscanf(name, "nvme%uc%*un%u", &subsystem, &namespace) == 2)
		snprintf(path, size, "/dev/nvme%un%u", subsystem, namespace);
	else
		snprintf(path, size, "/dev/%s", name);
}

/* The namespace's block device; it appears some time after the driver is bound. */
static int open_block_device(int flags)
{
	char pattern[128], path[64];
	unsigned int tries;
	glob_t found;
	int fd = -1;

	snprintf(pattern, sizeof(pattern), "/sys/bus/pci/devices/%s/nvme/nvme*/nvme*n1",
		 test_bdf());
	for (tries = 0; tries < WAIT_SECONDS * 100 && fd < 0; tries++) {
		if (!glob(pattern, 0, NULL, &found)) {
			device_of(strrchr(found.gl_pathv[0], '/') + 1, path, sizeof(path));
			fd = open(path, flags | O_DIRECT | O_CLOEXEC);
			globfree(&found);
		}
		if (fd < 0)
			usleep(10000);
	}
	if (fd < 0)
		fail_msg("the kernel's driver made no block device of %s", test_bdf());
	return fd;
}

/* Give the disk to the kernel, and take it back. */
static int to_kernel(int flags)
{
	assert_works(brg_device_bind(test_bdf(), "nvme"));
	return open_block_device(flags);
}

static void from_kernel(int fd)
{
	assert_int_equal(close(fd), 0);
	assert_works(brg_device_bind(test_bdf(), "vfio-pci"));
}

static void kernel_writes(uint64_t seed)
{
	int fd = to_kernel(O_RDWR);
	uint64_t at;

	for (at = 0; at < DISK_USED; at += CHUNK) {
		pattern_fill(chunk, CHUNK, seed, at);
		assert_int_equal(pwrite(fd, chunk, CHUNK, (off_t)at), CHUNK);
	}
	assert_int_equal(fsync(fd), 0);
	from_kernel(fd);
}

static void kernel_reads(uint64_t seed)
{
	int fd = to_kernel(O_RDONLY);
	uint64_t at;

	for (at = 0; at < DISK_USED; at += CHUNK) {
		memset(chunk, 0, CHUNK);
		assert_int_equal(pread(fd, chunk, CHUNK, (off_t)at), CHUNK);
		if (!pattern_is(chunk, CHUNK, seed, at))
			fail_msg("the kernel reads something else at %llu", (unsigned long long)at);
	}
	from_kernel(fd);
}

/* Do the whole disk in commands of all sizes, from a buffer of all alignments. */
static void barrage(bool write, uint64_t seed)
{
	struct brg_device *dev;
	struct brg_nvme_ctrl *ctrl;
	struct brg_nvme_qpair *qp;
	struct brg_nvme_ns ns;
	uint64_t lba = 0, end;
	uint32_t nblocks, max, turn;

	assert_works(brg_device_open(test_bdf(), &dev));
	assert_works(brg_nvme_open(dev, NULL, &ctrl));
	assert_works(brg_nvme_ns_get(ctrl, 1, &ns));
	assert_works(brg_nvme_qpair_create(ctrl, NULL, &qp));
	end = DISK_USED / ns.block_size;
	assert_true(end <= ns.blocks);
	max = RTE_MIN(brg_nvme_max_transfer(ctrl), CHUNK / 2u) / ns.block_size;
	for (turn = 0; lba < end; lba += nblocks, turn++) {
		uint8_t *buf = (uint8_t *)chunk + turn * 4 % 4096;
		size_t len;

		nblocks = 1 + turn * turn % max;
		if (nblocks > end - lba)
			nblocks = end - lba;
		len = (size_t)nblocks * ns.block_size;
		if (write) {
			pattern_fill(buf, len, seed, lba * ns.block_size);
			assert_int_equal(write_blocks(qp, &ns, buf, lba, nblocks), 0);
			continue;
		}
		memset(buf, 0, len);
		assert_int_equal(read_blocks(qp, &ns, buf, lba, nblocks), 0);
		if (!pattern_is(buf, len, seed, lba * ns.block_size))
			fail_msg("Barrage reads something else at block %llu",
				 (unsigned long long)lba);
	}
	if (write) {
		struct io io = {0};

		assert_works(brg_nvme_flush(qp, &ns, io_done, &io));
		drain(qp);
		assert_int_equal(io.status, 0);
	}
	brg_nvme_qpair_free(qp);
	brg_nvme_close(ctrl);
	brg_device_close(dev);
}

static void kernel_reads_what_barrage_wrote(void **state)
{
	barrage(true, 1);
	kernel_reads(1);
}

static void barrage_reads_what_the_kernel_wrote(void **state)
{
	kernel_writes(2);
	barrage(false, 2);
}

/* And once more, to be sure that it was not the first time only. */
static void by_turns(void **state)
{
	kernel_writes(3);
	barrage(false, 3);
	barrage(true, 4);
	kernel_reads(4);
}

static void sizes_agree(void **state)
{
	struct brg_device *dev;
	struct brg_nvme_ctrl *ctrl;
	struct brg_nvme_ns ns;
	uint64_t bytes = 0;
	int block = 0, fd;

	assert_works(brg_device_open(test_bdf(), &dev));
	assert_works(brg_nvme_open(dev, NULL, &ctrl));
	assert_works(brg_nvme_ns_get(ctrl, 1, &ns));
	brg_nvme_close(ctrl);
	brg_device_close(dev);

	fd = to_kernel(O_RDONLY);
	assert_int_equal(ioctl(fd, BLKGETSIZE64, &bytes), 0);
	assert_int_equal(ioctl(fd, BLKSSZGET, &block), 0);
	from_kernel(fd);
	assert_int_equal(block, ns.block_size);
	assert_true(bytes == ns.blocks * ns.block_size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_agree),
		cmocka_unit_test(kernel_reads_what_barrage_wrote),
		cmocka_unit_test(barrage_reads_what_the_kernel_wrote),
		cmocka_unit_test(by_turns),
	};

	test_bdf(); /* or exit */
	return cmocka_run_group_tests(tests, start, stop);
}
