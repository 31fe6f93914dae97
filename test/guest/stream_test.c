/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * barrage read, write and compare. A file system that is written through Barrage is mounted by the
 * kernel; what the kernel then writes to it Barrage reads. BARRAGE, MKE2FS, E2FSCK and DEBUGFS in
 * the environment are the paths of the commands.
 */

#include "guest.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "file.h"

#define DISK  "/dev/nvme0n1"
#define IMAGE "/tmp/image"
#define COPY  "/tmp/copy"
#define TREE  "/tmp/tree"
#define MIB   (1 << 20)
#define SIZE  (24 * MIB)

static const char *barrage, *bdf, *mke2fs, *e2fsck, *debugfs;

/* ext4 with a journal, and files in it, made without any mount. */
static int make_image(void **state)
{
	char size[16];

	mkdir(TREE, 0755);
	make_file(TREE "/small", 1000, 1);
	make_file(TREE "/large", 9 * MIB + 123, 2);
	unlink(IMAGE);
	snprintf(size, sizeof(size), "%dM", SIZE / MIB);
	works(run(mke2fs, "-q", "-t", "ext4", "-d", TREE, IMAGE, size, NULL));
	return 0;
}

static void kernel_mounts_what_was_written(void **state)
{
	works(run(barrage, "write", "--yes", "--file", IMAGE, bdf, NULL));
	works(run(barrage, "bind", "--kernel", bdf, NULL));
	wait_for_disk(DISK);
	works(run(e2fsck, "-f", "-n", DISK, NULL));
	mkdir("/mnt", 0755);
	assert_int_equal(mount(DISK, "/mnt", "ext4", 0, NULL), 0);
	check_file("/mnt/small", 1000, 1);
	check_file("/mnt/large", 9 * MIB + 123, 2);
	/* And the reverse. */
	make_file("/mnt/new", 5 * MIB + 77, 3);
	assert_int_equal(unlink("/mnt/small"), 0);
	assert_int_equal(umount("/mnt"), 0);
}

static void what_the_kernel_wrote_is_read(void **state)
{
	char size[16];

	works(run(barrage, "bind", bdf, NULL));
	snprintf(size, sizeof(size), "%dM", SIZE / MIB);
	works(run(barrage, "read", "--data-size", size, "--file", COPY, bdf, NULL));
	works(run(e2fsck, "-f", "-n", COPY, NULL));
	works(run(debugfs, "-R", "dump /new /tmp/new", COPY, NULL));
	check_file("/tmp/new", 5 * MIB + 77, 3);
	works(run(debugfs, "-R", "dump /large /tmp/large", COPY, NULL));
	check_file("/tmp/large", 9 * MIB + 123, 2);
	works(run(debugfs, "-R", "ls -p /", COPY, NULL));
	assert_null(strstr(printed, "/small/"));
}

static void differences_are_found(void **state)
{
	const off_t where = 7 * MIB + 4321;
	int fd = open(COPY, O_RDWR);
	uint8_t byte;

	works(run(barrage, "compare", "--file", COPY, bdf, NULL));
	assert_int_equal(pread(fd, &byte, 1, where), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, where), 1);
	close(fd);
	assert_int_equal(run(barrage, "compare", "--file", COPY, bdf, NULL), 1);
	assert_printed("differ at byte 7344353, in block 14344");
}

/* Through pipes, one command in flight or many, small ones and large ones: a copy within the disk.
 */
static void pipes(void **state)
{
	static const char *const shapes[] = {"-q 3 -i 4K", "-q 200 -i 512"};
	char command[512];

	for (size_t i = 0; i < 2; i++) {
		snprintf(command, sizeof(command),
			 "head -c 1000100 " COPY " | %s write --yes -s 65536 %s %s && "
			 "%s read -s 65536 -z 1000448 %s %s | head -c 1000100 | cmp -n 1000100 "
			 "- " COPY,
			 barrage, shapes[i], bdf, barrage, shapes[1 - i], bdf);
		works(run("/usr/bin/bash", "-o", "pipefail", "-c", command, NULL));
	}
	/* Nobody may be asked, since stdin is the data. */
	snprintf(command, sizeof(command), "echo x | %s write %s", barrage, bdf);
	assert_int_equal(run("/usr/bin/bash", "-c", command, NULL), 1);
	assert_printed("--yes");
}

static void what_does_not_fit_is_refused(void **state)
{
	assert_int_equal(run(barrage, "write", "--yes", "-s", "2097150", "-f", IMAGE, bdf, NULL),
			 1);
	assert_printed("there are 2 blocks");
	assert_int_equal(run(barrage, "read", "-s", "99999999", "-f", "/tmp/none", bdf, NULL), 1);
	assert_printed("the namespace has 2097152 blocks");
	assert_int_equal(access("/tmp/none", F_OK), -1);
	assert_int_equal(run(barrage, "compare", "-i", "700", "-f", IMAGE, bdf, NULL), 1);
	assert_printed("no multiple of the block size");
}

/* Of nothing it would be said that it was written, and that it does not differ. */
static void nothing_is_refused(void **state)
{
	static const char *const commands[] = {"write", "write --yes", "compare"};
	char command[256];

	works(run(barrage, "read", "--data-size", "1M", "--file", COPY, bdf, NULL));
	make_file("/tmp/nothing", 0, 0);
	for (size_t i = 0; i < 3; i++) {
		snprintf(command, sizeof(command), "%s %s -f /tmp/nothing %s", barrage, commands[i],
			 bdf);
		assert_int_equal(run("/usr/bin/bash", "-c", command, NULL), 1);
		assert_printed("barrage: /tmp/nothing is empty\n");
		snprintf(command, sizeof(command), ": | %s %s %s", barrage, commands[i], bdf);
		assert_int_equal(run("/usr/bin/bash", "-c", command, NULL), 1);
		assert_printed("barrage: standard input is empty\n");
	}
	/* What is there was not touched, */
	works(run(barrage, "compare", "--file", COPY, bdf, NULL));
	/* and the byte that was read to see whether there is one is compared like all others. */
	snprintf(command, sizeof(command), "printf x | %s compare -s 65536 %s", barrage, bdf);
	assert_int_equal(run("/usr/bin/bash", "-c", command, NULL), 1);
	assert_printed("differ at byte 0, in block 65536");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(kernel_mounts_what_was_written, make_image),
		cmocka_unit_test(what_the_kernel_wrote_is_read),
		cmocka_unit_test(differences_are_found),
		cmocka_unit_test(pipes),
		cmocka_unit_test(what_does_not_fit_is_refused),
		cmocka_unit_test(nothing_is_refused),
	};

	bdf = test_bdf();
	barrage = test_command("BARRAGE");
	mke2fs = test_command("MKE2FS");
	e2fsck = test_command("E2FSCK");
	debugfs = test_command("DEBUGFS");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
