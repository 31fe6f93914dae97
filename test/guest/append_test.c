/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * barrage zns append, to namespace 2: 16 zones of 4 MiB with a capacity of 3, of which two may be
 * open and three active; 8 KiB at most in one append. What was appended is where it says, to the
 * kernel's driver. BARRAGE in the environment is the path of the command.
 */

#include "guest.h"

#include <fcntl.h>
#include <jansson.h>

#include "file.h"

#define DISK   "/dev/nvme0n2"
#define INPUT  "/tmp/input"
#define ZONE   8192 /* blocks */
#define ROOM   6144
#define MIB    (1 << 20)
#define FIRST  (5 * MIB + 100) /* bytes: a zone, and a part of the next */
#define SECOND (4 * MIB)

static const char *barrage, *bdf;

struct run_of {
	uint64_t zone, lba, blocks, input_byte;
};

static struct run_of run_at(const json_t *runs, size_t i)
{
	const json_t *r = json_array_get(runs, i);

	return (struct run_of){
		(uint64_t)json_integer_value(json_object_get(r, "zslba")),
		(uint64_t)json_integer_value(json_object_get(r, "slba")),
		(uint64_t)json_integer_value(json_object_get(r, "blocks")),
		(uint64_t)json_integer_value(json_object_get(r, "input_byte")),
	};
}

/* What was just printed: pieces of the input in order, without a gap, each within its zone. */
static json_t *printed_runs(uint64_t bytes, uint64_t padding)
{
	json_t *json = json_loads(printed, JSON_DISABLE_EOF_CHECK, NULL);
	json_t *runs = json_object_get(json, "appended");
	uint64_t at = 0;

	if (!json)
		fail_msg("no JSON: %s", printed);
	assert_int_equal(json_integer_value(json_object_get(json, "bytes")), bytes + padding);
	assert_int_equal(json_integer_value(json_object_get(json, "padding_bytes")), padding);
	for (size_t i = 0; i < json_array_size(runs); i++) {
		struct run_of r = run_at(runs, i);

		assert_int_equal(r.input_byte, at);
		assert_int_equal(r.zone, r.lba / ZONE * ZONE);
		assert_in_range(r.blocks, 1, r.zone + ROOM - r.lba);
		at += r.blocks * 512;
	}
	assert_int_equal(at, bytes + padding);
	json_incref(runs);
	json_decref(json);
	return runs;
}

static json_t *first, *second, *by_pipe;

static void goes_on_in_the_next_zone(void **state)
{
	struct run_of r;

	make_file(INPUT, FIRST, 1);
	works(run(barrage, "zns", "append", "-n", "2", "-f", INPUT, "-j", bdf, NULL));
	first = printed_runs(FIRST, 412);
	r = run_at(first, 0);
	assert_int_equal(r.lba, 0);
	r = run_at(first, json_array_size(first) - 1);
	assert_int_equal(r.lba + r.blocks, ZONE + (FIRST + 412) / 512 - ROOM);
	/* Behind that, as it is the first that has room. */
	make_file(INPUT, SECOND, 2);
	works(run(barrage, "zns", "append", "-n", "2", "-f", INPUT, "-q", "7", "-i", "512", "-j",
		  bdf, NULL));
	second = printed_runs(SECOND, 0);
	assert_int_equal(run_at(second, 0).lba, ZONE + (FIRST + 412) / 512 - ROOM);
}

static void starts_where_it_is_told_to(void **state)
{
	char command[256];

	snprintf(command, sizeof(command),
		 "head -c 10000 " INPUT " | %s zns append -n 2 -s 40960 -j %s", barrage, bdf);
	works(run("/usr/bin/bash", "-c", command, NULL));
	by_pipe = printed_runs(10000, 240);
	assert_int_equal(run_at(by_pipe, 0).lba, 40960);
	/* As a table, behind that. */
	make_file(INPUT, 512, 3);
	works(run(barrage, "zns", "append", "-n", "2", "-s", "40960", "-f", INPUT, bdf, NULL));
}

/* Zones 2 and 5 are active already: one more may be. */
static void limits_are_kept_and_told(void **state)
{
	make_file(INPUT, 512, 3);
	works(run(barrage, "zns", "append", "-n", "2", "-s", "57344", "-f", INPUT, bdf, NULL));
	assert_printed("0xe000");
	assert_int_equal(
		run(barrage, "zns", "append", "-n", "2", "-s", "65536", "-f", INPUT, bdf, NULL), 1);
	assert_printed(
		"append of blocks 0 to 0 of the input to the zone at block 0x10000 failed: ");
	assert_printed("Too Many Active Zones");
	assert_int_equal(run(barrage, "zns", "append", "-f", INPUT, bdf, NULL), 1);
	assert_printed("not zoned");
}

/* A file is refused beforehand; of a pipe all that fits is appended. */
static void what_does_not_fit(void **state)
{
	char command[256];

	make_file(INPUT, 4 * MIB, 4);
	assert_int_equal(
		run(barrage, "zns", "append", "-n", "2", "-s", "122880", "-f", INPUT, bdf, NULL),
		1);
	assert_printed("/tmp/input has 8192 blocks, and the zones have room for 6144");
	works(run(barrage, "zns", "finish", "-n", "2", "-s", "57344", bdf, NULL));
	snprintf(command, sizeof(command),
		 "head -c 4194304 " INPUT " | %s zns append -n 2 "
		 "-s 122880 -j %s",
		 barrage, bdf);
	assert_int_equal(run("/usr/bin/bash", "-c", command, NULL), 1);
	assert_printed("behind the first 3145728 bytes");
	assert_int_equal(
		run(barrage, "zns", "append", "-n", "2", "-s", "122880", "-f", INPUT, bdf, NULL),
		1);
	assert_printed("no zone there has room");
}

static void check_runs(int fd, json_t *runs, size_t bytes, uint64_t seed)
{
	uint8_t *data = calloc(1, bytes + 512);

	for (size_t i = 0; i < json_array_size(runs); i++) {
		struct run_of r = run_at(runs, i);

		assert_int_equal(pread(fd, data + r.input_byte, r.blocks * 512, (off_t)r.lba * 512),
				 r.blocks * 512);
	}
	assert_true(pattern_is(data, bytes, seed, 0));
	for (size_t i = bytes; i % 512; i++)
		assert_int_equal(data[i], 0);
	free(data);
	json_decref(runs);
}

static void the_kernel_reads_it_there(void **state)
{
	int fd = -1;

	works(run(barrage, "bind", "--kernel", bdf, NULL));
	for (int i = 0; i < 300 && (fd = open(DISK, O_RDONLY)) < 0; i++)
		usleep(100000);
	if (fd < 0)
		fail_msg(DISK ": %s", strerror(errno));
	check_runs(fd, first, FIRST, 1);
	check_runs(fd, second, SECOND, 2);
	check_runs(fd, by_pipe, 10000, 2);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(goes_on_in_the_next_zone),
		cmocka_unit_test(starts_where_it_is_told_to),
		cmocka_unit_test(limits_are_kept_and_told),
		cmocka_unit_test(what_does_not_fit),
		cmocka_unit_test(the_kernel_reads_it_there),
	};

	bdf = test_bdf();
	barrage = test_command("BARRAGE");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
