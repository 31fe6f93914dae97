/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What --verify writes. Each logical block is sealed for itself: one block is what a controller
 * writes and reads atomically even where commands overlap (NVM Command Set 1.0, 2.1.4), so a read
 * that races with a write still finds whole blocks.
 *
 * Its number tells a misdirected write, the seed a lost one when the run before had another, and
 * the CRC-32C at its end all else.
 */

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <isa-l/crc.h>
#include <stdio.h>
#include <string.h>

#include "perf.h"

#define MAGIC UINT64_C(0x4547415252414201) /* version 1, "BARRAGE" */

/* All of it little-endian. */
struct seal {
	uint64_t magic, lba, seed;
};

static uint32_t checksum(const void *block, uint32_t block_size)
{
	/* ISA-L's prototype lacks the const. */
	return ~crc32_iscsi((unsigned char *)(uintptr_t)block, (int)(block_size - sizeof(uint32_t)),
			    UINT32_MAX);
}

/* SplitMix64: the words of a block look random and tell blocks and seeds apart. */
static uint64_t word(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static void seal_block(char *block, uint32_t block_size, uint64_t lba, uint64_t seed)
{
	const struct seal seal = {htole64(MAGIC), htole64(lba), htole64(seed)};
	uint64_t state = lba ^ seed << 32;
	uint32_t crc;

	for (uint32_t i = sizeof(seal); i < block_size; i += sizeof(state)) {
		uint64_t w = htole64(word(&state));

		memcpy(block + i, &w, sizeof(w));
	}
	memcpy(block, &seal, sizeof(seal));
	crc = htole32(checksum(block, block_size));
	memcpy(block + block_size - sizeof(crc), &crc, sizeof(crc));
}

void perf_seal(void *data, uint32_t block_size, uint64_t lba, uint32_t blocks, uint64_t seed)
{
	for (uint32_t i = 0; i < blocks; i++)
		seal_block((char *)data + (size_t)i * block_size, block_size, lba + i, seed);
}

void perf_spoil(void *data, uint32_t block_size, uint32_t blocks)
{
	for (uint32_t i = 0; i < blocks; i++)
		memset((char *)data + (size_t)i * block_size, 0, sizeof(uint64_t));
}

static int check_block(const char *block, uint32_t block_size, uint64_t lba, const uint64_t *seed,
		       char *why, size_t size)
{
	struct seal seal;
	uint32_t crc;

	memcpy(&seal, block, sizeof(seal));
	memcpy(&crc, block + block_size - sizeof(crc), sizeof(crc));
	if (le64toh(seal.magic) != MAGIC)
		snprintf(why, size,
			 "block %" PRIu64 " was not written by barrage perf --verify, or has been "
			 "overwritten",
			 lba);
	else if (le32toh(crc) != checksum(block, block_size))
		snprintf(why, size, "block %" PRIu64 ": its checksum is %08x, its data's %08x", lba,
			 le32toh(crc), checksum(block, block_size));
	else if (le64toh(seal.lba) != lba)
		snprintf(why, size, "block %" PRIu64 " has the data of block %" PRIu64, lba,
			 le64toh(seal.lba));
	else if (seed && le64toh(seal.seed) != *seed)
		snprintf(why, size,
			 "block %" PRIu64 " was written with --seed %" PRIu64 ", not %" PRIu64, lba,
			 le64toh(seal.seed), *seed);
	else
		return 0;
	return -EILSEQ;
}

int perf_check(const void *data, uint32_t block_size, uint64_t lba, uint32_t blocks,
	       const uint64_t *seed, char *why, size_t size)
{
	for (uint32_t i = 0; i < blocks; i++) {
		int rc = check_block((const char *)data + (size_t)i * block_size, block_size,
				     lba + i, seed, why, size);

		if (rc)
			return rc;
	}
	return 0;
}
