/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage perf without a device: what options mean, which blocks are used, what is in them. */

#include "unit.h"

#include <errno.h>
#include <rte_random.h>
#include <string.h>

#include "perf.h"

#define PARSE(o, ...)                                                              \
	do {                                                                       \
		char *argv_[] = {"barrage perf", __VA_ARGS__, NULL};               \
		perf_parse(o, (int)(sizeof(argv_) / sizeof(argv_[0])) - 1, argv_); \
	} while (0)

static void defaults(void **state)
{
	struct perf_options o;

	PARSE(&o, "0000:00:04.0");
	assert_int_equal(o.ndevices, 1);
	assert_string_equal(o.rw, "randread");
	assert_true(o.random);
	assert_int_equal(o.reads, 100);
	assert_int_equal(o.nsizes, 1);
	assert_int_equal(o.sizes[0].bytes, 4096);
	assert_int_equal(o.queue_depth, 32);
	assert_int_equal(o.lcores, 1);
	assert_true(o.seconds == 10);
	assert_int_equal(o.count, 0);
	assert_false(o.verify || o.json || o.seed_given);
}

static void everything(void **state)
{
	struct perf_options o;

	PARSE(&o, "1:0.0", "--rw", "randrw", "--mix=70", "--bssplit", "512/10:4k/50:64KiB/40",
	      "--qd", "8", "--lcores", "2", "--time", "0.5", "--count", "1000", "--warmup", "2",
	      "--rate", "5000", "--offset", "1m", "--size", "1g", "--seed", "0x10", "--verify",
	      "--json", "--write-destroys-data", "2:0.0");
	assert_int_equal(o.ndevices, 2);
	assert_string_equal(o.bdfs[1], "2:0.0");
	assert_true(o.random);
	assert_int_equal(o.reads, 70);
	assert_int_equal(o.nsizes, 3);
	assert_int_equal(o.sizes[0].bytes, 512);
	assert_int_equal(o.sizes[0].below, 10);
	assert_int_equal(o.sizes[1].bytes, 4096);
	assert_int_equal(o.sizes[1].below, 60);
	assert_int_equal(o.sizes[2].bytes, 65536);
	assert_int_equal(o.sizes[2].below, 100);
	assert_int_equal(perf_largest(&o), 65536);
	assert_int_equal(o.queue_depth, 8);
	assert_int_equal(o.lcores, 2);
	assert_true(o.seconds == 0.5 && o.warmup == 2 && o.rate == 5000);
	assert_int_equal(o.count, 1000);
	assert_int_equal(o.offset, 1 << 20);
	assert_int_equal(o.area, 1 << 30);
	assert_int_equal(o.seed, 16);
	assert_true(o.seed_given && o.verify && o.json);
}

/* As in every other command: no zero in front makes a number octal. */
static void zeroes_in_front(void **state)
{
	struct perf_options o;

	PARSE(&o, "1:0.0", "--count", "010", "--qd", "08", "--bssplit", "01k/040:0x200/60");
	assert_int_equal(o.count, 10);
	assert_int_equal(o.queue_depth, 8);
	assert_int_equal(o.sizes[0].bytes, 1024);
	assert_int_equal(o.sizes[0].below, 40);
	assert_int_equal(o.sizes[1].bytes, 512);
}

/* A count alone has no time limit. */
static void count_without_time(void **state)
{
	struct perf_options o;

	PARSE(&o, "1:0.0", "--count", "5", "--rw", "read", "--bs", "2M");
	assert_true(o.seconds == 0);
	assert_false(o.random);
	assert_int_equal(o.reads, 100);
	assert_int_equal(o.sizes[0].bytes, 2 << 20);
}

static const struct brg_nvme_ns disk = {.nsid = 1, .block_size = 512, .blocks = 1000};

static void sequential_lcores_divide_the_area(void **state)
{
	struct perf_pattern p;
	struct perf_access a;
	struct perf_options o;
	char why[256];

	PARSE(&o, "1:0.0", "--rw", "read", "--bs", "1k", "--lcores", "3", "--offset", "5k");
	for (unsigned int lcore = 0; lcore < 3; lcore++) {
		uint64_t first = 10 + lcore * 330; /* of 990 blocks */

		assert_int_equal(perf_pattern_init(&p, &o, &disk, lcore, why, sizeof(why)), 0);
		for (unsigned int i = 0; i < 400; i++) {
			perf_pattern_next(&p, &a);
			assert_int_equal(a.blocks, 2);
			assert_false(a.write);
			assert_int_equal(a.lba, first + i % 165 * 2);
		}
	}
}

/* What does not fit before the end begins at the beginning again. */
static void sequential_wraps(void **state)
{
	static const uint64_t expected[] = {0, 3, 0, 3};
	struct perf_pattern p;
	struct perf_access a;
	struct perf_options o;
	char why[256];

	PARSE(&o, "1:0.0", "--rw", "read", "--bs", "1536", "--size", "4k");
	assert_int_equal(perf_pattern_init(&p, &o, &disk, 0, why, sizeof(why)), 0);
	for (size_t i = 0; i < 4; i++) {
		perf_pattern_next(&p, &a);
		assert_int_equal(a.lba, expected[i]);
	}
}

/* All of the area is reached and nothing else; sizes and writes come in their shares. */
static void random_stays_in_the_area(void **state)
{
	enum {
		DRAWS = 20000
	};
	unsigned int small = 0, writes = 0, reached = 0;
	struct perf_pattern p;
	struct perf_access a;
	struct perf_options o;
	bool seen[64] = {0};
	char why[256];

	PARSE(&o, "1:0.0", "--rw", "randrw", "--mix", "75", "--bssplit", "512/20:4k/80", "--size",
	      "32k", "--offset", "64k", "--write-destroys-data");
	assert_int_equal(perf_pattern_init(&p, &o, &disk, 0, why, sizeof(why)), 0);
	rte_srand(1);
	for (unsigned int i = 0; i < DRAWS; i++) {
		perf_pattern_next(&p, &a);
		assert_true(a.blocks == 1 || a.blocks == 8);
		assert_in_range(a.lba, 128, 128 + 64 - a.blocks);
		assert_int_equal((a.lba - 128) % a.blocks, 0);
		small += a.blocks == 1;
		writes += a.write;
		memset(seen + a.lba - 128, true, a.blocks);
	}
	for (size_t i = 0; i < 64; i++)
		reached += seen[i];
	assert_int_equal(reached, 64);
	assert_in_range(small, DRAWS / 100 * 17, DRAWS / 100 * 23);
	assert_in_range(writes, DRAWS / 100 * 22, DRAWS / 100 * 28);
}

/* One in 2.5 ticks, though there is a look at the clock in every third only, and then none for
 * long: never more than are due, and in the end as many. */
static void pace_is_kept(void **state)
{
	struct perf_pace pace = {.start = 1000, .interval = 2.5}, none = {.start = 1000};
	unsigned int gone = 0;

	for (uint64_t now = 1000; now < 2000; now += now == 1300 ? 200 : 3) {
		while (perf_pace_due(&pace, now))
			gone++;
		assert_int_equal(gone, (now - 1000) * 2 / 5 + 1);
		assert_true(perf_pace_due(&none, now));
	}
}

static void refused(const struct perf_options *o, const char *words)
{
	struct perf_pattern p;
	char why[256] = "";

	assert_int_equal(perf_pattern_init(&p, o, &disk, 0, why, sizeof(why)), -EINVAL);
	if (!strstr(why, words))
		fail_msg("\"%s\" does not say \"%s\"", why, words);
}

static void what_does_not_fit_is_refused(void **state)
{
	struct perf_options o;

	PARSE(&o, "1:0.0", "--bs", "700");
	refused(&o, "700 bytes are no whole number of the namespace's blocks of 512");
	PARSE(&o, "1:0.0", "--offset", "100");
	refused(&o, "--offset and --size must be whole numbers");
	PARSE(&o, "1:0.0", "--size", "1m");
	refused(&o, "--size 1048576 reach beyond the namespace's 512000 bytes");
	PARSE(&o, "1:0.0", "--offset", "512000");
	refused(&o, "reach beyond");
	PARSE(&o, "1:0.0", "--offset", "511488", "--size", "1024");
	refused(&o, "reach beyond");
	PARSE(&o, "1:0.0", "--bs", "1m");
	refused(&o, "do not fit in the 512000 that each lcore has");
	PARSE(&o, "1:0.0", "--rw", "read", "--bs", "4k", "--size", "4k", "--lcores", "2");
	refused(&o, "do not fit in the 2048 that each lcore has");
}

#define BLOCK 512

static void sealed_blocks_are_recognised(void **state)
{
	const uint64_t seed = 7, other = 8;
	char data[4 * BLOCK], why[256];

	perf_seal(data, BLOCK, 100, 4, seed);
	assert_int_equal(perf_check(data, BLOCK, 100, 4, NULL, why, sizeof(why)), 0);
	assert_int_equal(perf_check(data, BLOCK, 100, 4, &seed, why, sizeof(why)), 0);
	/* Each block for itself. */
	assert_int_equal(perf_check(data + BLOCK, BLOCK, 101, 2, &seed, why, sizeof(why)), 0);

	assert_int_equal(perf_check(data, BLOCK, 100, 4, &other, why, sizeof(why)), -EILSEQ);
	assert_string_equal(why, "block 100 was written with --seed 7, not 8");
	assert_int_equal(perf_check(data, BLOCK, 99, 4, NULL, why, sizeof(why)), -EILSEQ);
	assert_string_equal(why, "block 99 has the data of block 100");
	perf_spoil(data, BLOCK, 4);
	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(
			perf_check(data + i * BLOCK, BLOCK, 100 + i, 1, NULL, why, sizeof(why)),
			-EILSEQ);
}

static void any_flipped_bit_is_found(void **state)
{
	char data[BLOCK], why[256];

	perf_seal(data, BLOCK, 5, 1, 1);
	for (unsigned int bit = 0; bit < 8 * BLOCK; bit++) {
		data[bit / 8] ^= (char)(1 << bit % 8);
		assert_int_equal(perf_check(data, BLOCK, 5, 1, NULL, why, sizeof(why)), -EILSEQ);
		data[bit / 8] ^= (char)(1 << bit % 8);
	}
	assert_int_equal(perf_check(data, BLOCK, 5, 1, NULL, why, sizeof(why)), 0);
}

/* The block as others would compute it: CRC-32C of "123456789" is e3069283 (RFC 3720, B.4). */
static void checksum_is_crc32c(void **state)
{
	uint32_t crc = UINT32_MAX, stored;
	unsigned char data[BLOCK];

	perf_seal(data, BLOCK, 0, 1, 0);
	for (unsigned int i = 0; i < BLOCK - 4; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	memcpy(&stored, data + BLOCK - 4, 4);
	assert_int_equal(~crc, stored);
}

static void blocks_and_seeds_differ(void **state)
{
	char a[BLOCK], b[BLOCK];

	perf_seal(a, BLOCK, 1, 1, 1);
	perf_seal(b, BLOCK, 2, 1, 1);
	assert_memory_not_equal(a + 24, b + 24, BLOCK - 28);
	perf_seal(b, BLOCK, 1, 1, 2);
	assert_memory_not_equal(a + 24, b + 24, BLOCK - 28);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(everything),
		cmocka_unit_test(zeroes_in_front),
		cmocka_unit_test(count_without_time),
		cmocka_unit_test(sequential_lcores_divide_the_area),
		cmocka_unit_test(sequential_wraps),
		cmocka_unit_test(random_stays_in_the_area),
		cmocka_unit_test(pace_is_kept),
		cmocka_unit_test(what_does_not_fit_is_refused),
		cmocka_unit_test(sealed_blocks_are_recognised),
		cmocka_unit_test(any_flipped_bit_is_found),
		cmocka_unit_test(checksum_is_crc32c),
		cmocka_unit_test(blocks_and_seeds_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
