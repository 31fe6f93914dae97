/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Metadata, and protection information in it (NVM Command Set 1.0, 5.2): 8 bytes per block, a CRC
 * of the block as guard and two tags, big-endian as T10 DIF has them.
 */

#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <isa-l/crc.h>
#include <string.h>

#include "base.h"
#include "command.h"
#include "ctrl.h"

/* Command dword 12: PRINFO. */
#define PRACT	    (UINT32_C(1) << 29)
#define PRCHK_GUARD (UINT32_C(1) << 28)
#define PRCHK_APP   (UINT32_C(1) << 27)
#define PRCHK_REF   (UINT32_C(1) << 26)

#define MOST_BLOCKS (UINT32_C(1) << 16) /* 0's based in 16 bits */
#define NOT_CHECKED 0xffffu /* an application tag that says so; for type 3 with all-ones */

struct pi {
	uint16_t guard, app_tag;
	uint32_t ref_tag;
} __attribute__((packed));

_Static_assert(sizeof(struct pi) == 8, "5.2.1.1");

/* The controller keeps the metadata to itself: it is nothing but what it inserts and strips. */
static bool is_stripped(const struct brg_nvme_meta *meta, const struct brg_nvme_protect *protect)
{
	return protect->action && meta->bytes == sizeof(struct pi);
}

static uint32_t flags(const struct brg_nvme_meta *meta, const struct brg_nvme_protect *p)
{
	if (!meta->pi_type)
		return 0;
	return (p->action ? PRACT : 0) | (p->check_guard ? PRCHK_GUARD : 0) |
	       (p->check_app ? PRCHK_APP : 0) | (p->check_ref ? PRCHK_REF : 0);
}

static int submit(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
		  const struct brg_nvme_meta *meta, const struct brg_nvme_protect *protect,
		  enum nvme_io_opcode opcode, void *buf, void *md, uint64_t lba, uint32_t nblocks,
		  brg_nvme_cb cb, void *arg)
{
	bool transferred = meta->bytes && !is_stripped(meta, protect);
	bool separate = transferred && !meta->extended;
	size_t each = ns->block_size + (transferred && meta->extended ? meta->bytes : 0);
	const struct brg_nvme_sqe sqe = {
		.opcode = opcode,
		.nsid = ns->nsid,
		.mptr = separate ? (uintptr_t)md : 0,
		.cdw10 = lba,
		.cdw11 = lba >> 32,
		.cdw12 = (nblocks - 1) | flags(meta, protect),
		.cdw14 = protect->ref_tag,
		.cdw15 = (uint32_t)protect->app_mask << 16 | protect->app_tag,
	};
	int err = brg_command_range(ns, lba, nblocks, MOST_BLOCKS);

	if (err)
		return err;
	if (protect->action && !meta->pi_type)
		return brg_fail(EINVAL, "namespace %" PRIu32 " has no protection information",
				ns->nsid);
	if (separate && (!md || (uintptr_t)md & 3))
		return brg_fail(EINVAL, "%p is no dword-aligned buffer for metadata", md);
	if (separate)
		err = brg_buffer_check(qp, md, (size_t)nblocks * meta->bytes);
	if (err)
		return err;
	return brg_nvme_submit_data(qp, &sqe, buf, each * nblocks, cb, arg);
}

int brg_nvme_read_meta(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
		       const struct brg_nvme_meta *meta, const struct brg_nvme_protect *protect,
		       void *buf, void *md, uint64_t lba, uint32_t nblocks, brg_nvme_cb cb,
		       void *arg)
{
	return submit(qp, ns, meta, protect, nvme_cmd_read, buf, md, lba, nblocks, cb, arg);
}

int brg_nvme_write_meta(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
			const struct brg_nvme_meta *meta, const struct brg_nvme_protect *protect,
			const void *buf, const void *md, uint64_t lba, uint32_t nblocks,
			brg_nvme_cb cb, void *arg)
{
	return submit(qp, ns, meta, protect, nvme_cmd_write, (void *)(uintptr_t)buf,
		      (void *)(uintptr_t)md, lba, nblocks, cb, arg);
}

/* A block in memory: its data, its metadata, and what the guard is to be. */
struct block {
	const uint8_t *data;
	uint8_t *md;
	uint8_t *pi;
	struct pi expected;
};

/* The guard is of the data, and of the metadata before it where it is the last of that. */
static uint16_t guard(const struct brg_nvme_ns *ns, const struct brg_nvme_meta *meta,
		      const struct block *b)
{
	size_t before = meta->pi_first ? 0 : meta->bytes - sizeof(struct pi);
	uint16_t crc = crc16_t10dif(0, b->data, ns->block_size);

	return before ? crc16_t10dif(crc, b->md, before) : crc;
}

static struct block block_of(const struct brg_nvme_ns *ns, const struct brg_nvme_meta *meta,
			     const struct brg_nvme_protect *protect, const void *buf,
			     const void *md, uint32_t i)
{
	size_t stride = ns->block_size + (meta->extended ? meta->bytes : 0);
	const uint8_t *data = (const uint8_t *)buf + i * stride;
	const uint8_t *at = meta->extended ? data + ns->block_size
					   : (const uint8_t *)md + (size_t)i * meta->bytes;
	struct block b = {.data = data, .md = (uint8_t *)(uintptr_t)at};

	b.pi = b.md + (meta->pi_first ? 0 : meta->bytes - sizeof(struct pi));
	b.expected.guard = htobe16(guard(ns, meta, &b));
	b.expected.app_tag = htobe16(protect->app_tag);
	b.expected.ref_tag = htobe32(protect->ref_tag + (meta->pi_type == 3 ? 0 : i));
	return b;
}

void brg_nvme_protect_fill(const struct brg_nvme_ns *ns, const struct brg_nvme_meta *meta,
			   const struct brg_nvme_protect *protect, void *buf, void *md,
			   uint32_t nblocks)
{
	for (uint32_t i = 0; i < nblocks && meta->pi_type; i++) {
		struct block b = block_of(ns, meta, protect, buf, md, i);

		memcpy(b.pi, &b.expected, sizeof(b.expected));
	}
}

/* All-ones in the tags turn the checks off, as for blocks that were never written (5.2.1.2). */
static bool is_exempt(const struct brg_nvme_meta *meta, const struct pi *pi)
{
	return pi->app_tag == NOT_CHECKED && (meta->pi_type != 3 || pi->ref_tag == UINT32_MAX);
}

int brg_nvme_protect_check(const struct brg_nvme_ns *ns, const struct brg_nvme_meta *meta,
			   const struct brg_nvme_protect *protect, const void *buf, const void *md,
			   uint32_t nblocks)
{
	for (uint32_t i = 0; i < nblocks && meta->pi_type; i++) {
		struct block b = block_of(ns, meta, protect, buf, md, i);
		uint16_t mask = htobe16(protect->app_mask);
		struct pi pi;

		memcpy(&pi, b.pi, sizeof(pi));
		if (is_exempt(meta, &pi))
			continue;
		if (protect->check_guard && pi.guard != b.expected.guard)
			return brg_fail(EILSEQ,
					"block %" PRIu32 ": its guard is %#x, its data's %#x", i,
					be16toh(pi.guard), be16toh(b.expected.guard));
		if (protect->check_app && (pi.app_tag ^ b.expected.app_tag) & mask)
			return brg_fail(EILSEQ,
					"block %" PRIu32 ": its application tag is %#x, not %#x", i,
					be16toh(pi.app_tag), protect->app_tag);
		if (protect->check_ref && pi.ref_tag != b.expected.ref_tag)
			return brg_fail(EILSEQ,
					"block %" PRIu32 ": its reference tag is %#" PRIx32
					", not %#" PRIx32,
					i, be32toh(pi.ref_tag), be32toh(b.expected.ref_tag));
	}
	return 0;
}
