/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * barrage read, write and compare on namespaces with metadata and protection information. What they
 * write, nvme-cli and the kernel's driver read, and the reverse. BARRAGE and NVME in the
 * environment are the paths of the two commands; ONLY and SKIP choose among the tests by name.
 */

#include "guest.h"

#include <fcntl.h>
#include <unistd.h>

#include "file.h"

#define DISK  "/dev/nvme0n1"
#define DATA  "/tmp/data"
#define META  "/tmp/meta"
#define DATA2 "/tmp/data2"
#define META2 "/tmp/meta2"
/*
 * Several commands, and a last one that is shorter. QEMU 7.2 drops part of metadata that is in a
 * buffer of its own, without protection information, and more than 512 bytes but no multiple of it.
 */
#define BLOCKS 1000
#define LBA    "777"
#define BYTES  (BLOCKS * 512)

static const char *barrage, *nvme, *bdf;

/* QEMU's formats 0 to 3 have blocks of 512 bytes and this much metadata. */
static const unsigned int metadata_of[] = {0, 8, 16, 64};

static void format(const char *lbaf, const char *pi, bool extended)
{
	works(run(barrage, "format", "--yes", "--lbaf", lbaf, "--pi", pi, bdf,
		  extended ? "--ms" : NULL, NULL));
}

static void give_to_kernel(void)
{
	works(run(barrage, "bind", "--kernel", bdf, NULL));
	wait_for_disk(DISK);
}

/* So that it is not reset each time it is opened and closed, which took half of the test's time. */
static void give_to_vfio(void)
{
	works(run(barrage, "bind", "--keep-ready", bdf, NULL));
}

static int begin(void **state)
{
	give_to_vfio();
	return 0;
}

static void same_files(const char *a, const char *b, size_t bytes)
{
	uint8_t *ours = file_bytes(a, bytes), *theirs = file_bytes(b, bytes);

	assert_memory_equal(ours, theirs, bytes);
	free(ours);
	free(theirs);
}

/* A byte of a file, changed, and changed back by a second call. */
static void flip(const char *path, off_t where)
{
	int fd = open(path, O_RDWR);
	uint8_t byte;

	assert_int_equal(pread(fd, &byte, 1, where), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, where), 1);
	close(fd);
}

/* What nvme-cli reads of the blocks from LBA on, in pieces of at most 250 blocks. */
static void nvme_reads(unsigned int nblocks, unsigned int each, unsigned int md, bool separate)
{
	uint8_t *data = malloc(nblocks * each), *meta = malloc(nblocks * md);
	FILE *file;

	for (unsigned int i = 0; i < nblocks; i += 250) {
		unsigned int n = nblocks - i < 250 ? nblocks - i : 250;
		char lba[16], count[16], bytes[16], md_bytes[16];
		uint8_t *piece;

		unlink("/tmp/piece"); /* nvme-cli leaves the end of a longer file */
		unlink("/tmp/piece.md");
		snprintf(lba, sizeof(lba), "%u", 777 + i);
		snprintf(count, sizeof(count), "%u", n - 1);
		snprintf(bytes, sizeof(bytes), "%u", n * each);
		snprintf(md_bytes, sizeof(md_bytes), "%u", n * md);
		if (separate)
			works(run(nvme, "read", DISK, "-s", lba, "-c", count, "-z", bytes, "-d",
				  "/tmp/piece", "-y", md_bytes, "-M", "/tmp/piece.md", NULL));
		else
			works(run(nvme, "read", DISK, "-s", lba, "-c", count, "-z", bytes, "-d",
				  "/tmp/piece", NULL));
		piece = file_bytes("/tmp/piece", n * each);
		memcpy(data + i * each, piece, n * each);
		free(piece);
		if (!separate)
			continue;
		piece = file_bytes("/tmp/piece.md", n * md);
		memcpy(meta + i * md, piece, n * md);
		free(piece);
	}
	file = fopen(DATA2, "w");
	assert_int_equal(fwrite(data, each, nblocks, file), nblocks);
	assert_int_equal(fclose(file), 0);
	file = fopen(META2, "w");
	assert_int_equal(fwrite(meta, md, separate ? nblocks : 0, file), separate ? nblocks : 0);
	assert_int_equal(fclose(file), 0);
	free(data);
	free(meta);
}

/* Metadata that nobody looks into, in a buffer of its own and interleaved. */
static void plain_metadata(void **state)
{
	for (unsigned int extended = 0; extended < 2; extended++) {
		size_t each = 512 + (extended ? 64 : 0);

		format("3", "0", extended);
		make_file(DATA, BLOCKS * each, 1);
		make_file(META, BLOCKS * 64, 2);
		if (extended) {
			works(run(barrage, "write", "--yes", "-s", LBA, "-f", DATA, bdf, NULL));
			works(run(barrage, "read", "-s", LBA, "-c", "1000", "-f", DATA2, bdf,
				  NULL));
			works(run(barrage, "compare", "-s", LBA, "-f", DATA, bdf, NULL));
		} else {
			works(run(barrage, "write", "--yes", "-s", LBA, "-f", DATA, "-M", META, bdf,
				  NULL));
			works(run(barrage, "read", "-s", LBA, "-c", "1000", "-f", DATA2, "-M",
				  META2, bdf, NULL));
			works(run(barrage, "compare", "-s", LBA, "-f", DATA, "-M", META, bdf,
				  NULL));
			same_files(META, META2, BLOCKS * 64);
			flip(META, 900 * 64 + 5);
			assert_int_equal(run(barrage, "compare", "-s", LBA, "-f", DATA, "-M", META,
					     bdf, NULL),
					 1);
			assert_printed("byte 5 of the metadata of block 1677");
			flip(META, 900 * 64 + 5);
		}
		same_files(DATA, DATA2, BLOCKS * each);
		flip(DATA, 800 * (off_t)each + 1);
		assert_int_equal(run(barrage, "compare", "-s", LBA, "-f", DATA, bdf, NULL), 1);
		assert_printed("in block 1577");
	}
}

static void what_does_not_fit_the_format_is_refused(void **state)
{
	format("3", "0", false);
	make_file(DATA, 512 * 2, 1);
	make_file(META, 64, 2);
	assert_int_equal(run(barrage, "write", "--yes", "-f", DATA, bdf, NULL), 1);
	assert_printed("64 bytes of metadata per block: name a file");
	assert_int_equal(run(barrage, "write", "--yes", "-f", DATA, "-M", META, bdf, NULL), 1);
	assert_printed("/tmp/meta ends before the metadata of block 1");
	make_file(META, 64 * 2 + 1, 2);
	assert_int_equal(run(barrage, "write", "--yes", "-f", DATA, "-M", META, bdf, NULL), 1);
	assert_printed("/tmp/meta is longer than the metadata of 1024 bytes");
	assert_int_equal(run(barrage, "read", "-c", "1", "-f", DATA2, "-p", "7", bdf, NULL), 1);
	assert_printed("no protection information");
	format("3", "0", true);
	assert_int_equal(run(barrage, "write", "--yes", "-f", DATA, bdf, NULL), 1);
	assert_printed("in the middle of a block; with its metadata, each has 576");
	assert_int_equal(run(barrage, "read", "-c", "1", "-f", DATA2, "-M", META2, bdf, NULL), 1);
	assert_printed("behind the data of each block");
	format("1", "1", false);
	assert_int_equal(run(barrage, "write", "--yes", "-f", DATA, bdf, NULL), 1);
	assert_printed("--prinfo 8");
	assert_int_equal(
		run(barrage, "write", "--yes", "-f", DATA, "-M", META, "-p", "8", bdf, NULL), 1);
	assert_printed("leaves to the controller");
	assert_int_equal(
		run(barrage, "read", "-c", "1", "-f", DATA2, "-p", "1", "-r", "5", bdf, NULL), 1);
	assert_printed("the number of the first block, 0");
	format("0", "0", false);
	assert_int_equal(run(barrage, "read", "-c", "1", "-f", DATA2, "-M", META2, bdf, NULL), 1);
	assert_printed("--metadata: namespace 1 has none");
}

/* Data, and metadata where the controller makes only the last 8 bytes of each block's, interleaved
 * or not. */
static void write_protected(unsigned int md, bool extended)
{
	size_t each = 512 + (extended && md > 8 ? md : 0);
	const char *meta = extended || md == 8 ? NULL : META;

	make_file(DATA, BLOCKS * each, 3);
	make_file(META, BLOCKS * (size_t)md, 4);
	works(run(barrage, "write", "--yes", "-s", LBA, "-f", DATA, "-p", "8", "-a", "0x1234", bdf,
		  meta ? "-M" : NULL, meta, NULL));
}

/* All that is on the device, checked. */
static void read_protected(const char *checks, bool extended)
{
	works(run(barrage, "read", "-s", LBA, "-c", "1000", "-f", DATA, "-p", checks, "-a",
		  "0x1234", bdf, extended ? NULL : "-M", META, NULL));
}

/*
 * The block layer checks it, too. Past the page cache, which would read blocks around these that
 * were never written: QEMU has no protection information for those. In pieces of one bio: of a
 * request that is made of several, Linux 6.1 maps the metadata of the first only.
 */
static void block_layer_reads(void)
{
	const size_t piece = 200 * 512;
	uint8_t *data = file_bytes(DATA, BYTES), *theirs = aligned_alloc(512, piece);
	int fd = open(DISK, O_RDONLY | O_DIRECT);

	for (size_t at = 0; at < BYTES; at += piece) {
		assert_int_equal(pread(fd, theirs, piece, 777 * 512 + (off_t)at), piece);
		assert_memory_equal(theirs, data + at, piece);
	}
	close(fd);
	free(theirs);
	free(data);
}

static void protected(const char *lbaf, const char *type, bool extended)
{
	unsigned int md = metadata_of[atoi(lbaf)];
	size_t each = 512 + (extended ? md : 0);
	/* To type 3 reference tags have no meaning. */
	bool has_ref = strcmp(type, "3") != 0;
	uint8_t *first;

	format(lbaf, type, extended);
	write_protected(md, extended);
	if (md == 8) { /* what the controller has inserted it takes away again */
		works(run(barrage, "read", "-s", LBA, "-c", "1000", "-f", DATA2, "-p",
			  has_ref ? "15" : "14", "-a", "0x1234", bdf, NULL));
		same_files(DATA, DATA2, BYTES);
	}
	read_protected(has_ref ? "7" : "6", extended);
	first = extended ? file_bytes(DATA, BLOCKS * each) : file_bytes(META, BLOCKS * (size_t)md);
	/* Of the last 8 bytes: big-endian, behind the guard. */
	assert_int_equal(first[(extended ? each : md) - 6], 0x12);
	assert_int_equal(first[(extended ? each : md) - 5], 0x34);
	free(first);

	give_to_kernel();
	nvme_reads(BLOCKS, (unsigned int)each, md, !extended);
	same_files(DATA, DATA2, BLOCKS * each);
	if (!extended)
		same_files(META, META2, BLOCKS * (size_t)md);
	if (md == 8 && !extended)
		block_layer_reads();
	give_to_vfio();
}

static void nvme_cli_reads_what_was_written(void **state)
{
	protected("1", "1", false);
	protected("1", "2", true);
	protected("1", "3", false);
	protected("2", "2", false);
	protected("2", "1", true);
}

/* The block layer's own protection information, and what nvme-cli has the controller insert. */
static void what_the_kernel_and_nvme_cli_wrote_is_read(void **state)
{
	uint8_t *data = malloc(BYTES);
	int fd;

	format("1", "1", false);
	give_to_kernel();
	pattern_fill(data, BYTES, 5, 0);
	fd = open(DISK, O_WRONLY);
	assert_int_equal(pwrite(fd, data, BYTES, 777 * 512), BYTES);
	assert_int_equal(fsync(fd), 0);
	close(fd);
	make_file(DATA, 512 * 8, 6);
	works(run(nvme, "write", DISK, "-s", "5000", "-c", "7", "-z", "4096", "-d", DATA, "-p", "8",
		  "-a", "0x4321", "-r", "5000", NULL));
	give_to_vfio();

	works(run(barrage, "read", "-s", LBA, "-c", "1000", "-f", DATA2, "-p", "5", bdf, NULL));
	check_file(DATA2, BYTES, 5);
	works(run(barrage, "read", "-s", "5000", "-c", "8", "-f", DATA2, "-p", "7", "-a", "0x4321",
		  bdf, NULL));
	check_file(DATA2, 512 * 8, 6);
	works(run(barrage, "compare", "-s", "5000", "-f", DATA, "-p", "15", "-a", "0x0021", "-m",
		  "0xff", bdf, NULL));
	free(data);
}

/* Where data is written with checks, and what checked reads of it say. */
#define NEW "5000"

/* One byte of one block is changed: the block is named, and what is wrong with it. */
static void damage(bool extended)
{
	size_t each = 512 + (extended ? 8 : 0);
	const char *meta = extended ? NULL : META;

	format("1", "2", extended);
	write_protected(8, extended);
	read_protected("7", extended);
	flip(DATA, (off_t)each * 800 + 3);
	assert_int_equal(run(barrage, "write", "--yes", "-s", NEW, "-f", DATA, "-p", "7", "-a",
			     "0x1234", "-r", LBA, bdf, meta ? "-M" : NULL, meta, NULL),
			 1);
	assert_printed("write of block 5800 failed: its guard is 0x");
	/* Unchecked it is written as it is. */
	works(run(barrage, "write", "--yes", "-s", NEW, "-f", DATA, bdf, meta ? "-M" : NULL, meta,
		  NULL));
	assert_int_equal(
		run(barrage, "read", "-s", NEW, "-c", "1000", "-f", DATA2, "-p", "4", bdf, NULL),
		1);
	assert_printed("read of block 5800 failed: its guard is 0x");
	assert_int_equal(run(barrage, "compare", "-s", NEW, "-f", DATA, "-p", "4", bdf, NULL), 1);
	assert_printed("read of block 5800 failed: its guard is 0x");
	works(run(barrage, "read", "-s", NEW, "-c", "1000", "-f", DATA2, "-p", "3", "-a", "0x1234",
		  "-r", LBA, bdf, NULL));
	assert_int_equal(run(barrage, "read", "-s", NEW, "-c", "1000", "-f", DATA2, "-p", "10",
			     "-a", "0x1235", bdf, NULL),
			 1);
	assert_printed("read of block 5000 failed: its application tag is 0x1234, not 0x1235");
	assert_int_equal(run(barrage, "read", "-s", "5700", "-c", "9", "-f", DATA2, "-p", "1", "-r",
			     "1500", bdf, NULL),
			 1);
	assert_printed("read of block 5700 failed: its reference tag is 0x5c5, not 0x5dc");
}

static void damage_is_named(void **state)
{
	damage(false);
	damage(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_metadata),
		cmocka_unit_test(what_does_not_fit_the_format_is_refused),
		cmocka_unit_test(nvme_cli_reads_what_was_written),
		cmocka_unit_test(what_the_kernel_and_nvme_cli_wrote_is_read),
		cmocka_unit_test(damage_is_named),
	};

	bdf = test_bdf();
	barrage = test_command("BARRAGE");
	nvme = test_command("NVME");
	cmocka_set_test_filter(getenv("ONLY"));
	cmocka_set_skip_filter(getenv("SKIP"));
	return cmocka_run_group_tests(tests, begin, NULL);
}
