/* SPDX-License-Identifier: BSD-3-Clause */
/* A ring of buffers, each with a command of its own; used in order, whatever order they end in. */

#include "stream.h"

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <rte_common.h>
#include <rte_malloc.h>
#include <stdlib.h>
#include <string.h>

#define PAGE		4096u
#define PI_BYTES	8u

#define MOST_MEMORY_MIB 64

struct slot {
	struct piece piece;
	uint64_t zone, appended; /* where an append was to go, and where it has gone */
	uint16_t status;
	bool busy;
};

struct stream {
	struct stream_opts opts;
	struct brg_nvme_qpair *qp;
	uint8_t *memory;
	uint64_t next, end; /* block to submit, and the one behind the last */
	uint32_t oldest;    /* slot that was submitted first */
	uint32_t used;	    /* slots from there on that were submitted */
	bool lent;	    /* the oldest one's data is with the caller */
	bool failed;	    /* and has said so: what fails after it has the same reason */
	struct slot aside;  /* for what is not part of the stream */
	struct slot slots[];
};

static void on_done(void *arg, const struct brg_nvme_cqe *cqe)
{
	struct slot *slot = arg;

	slot->status = brg_nvme_status(cqe);
	slot->appended = brg_nvme_appended(cqe);
	slot->busy = false;
}

/* Protection information that is all of the metadata does not leave the controller that inserts it
 * (NVM Command Set 1.0, 5.2.2). */
static size_t transferred(const struct stream_opts *o, bool extended)
{
	if (!o->meta || o->meta->extended != extended ||
	    (o->protect.action && o->meta->bytes == PI_BYTES))
		return 0;
	return o->meta->bytes;
}

/*
 * Twice the data: metadata, and what a heap of pages loses. It is cleared and mapped page by page,
 * which takes longer than a short read; beyond the most it is better to fail than to have a process
 * hold that much of the machine.
 */
unsigned int stream_memory_mib(uint64_t depth, uint64_t io_bytes)
{
	uint64_t wanted = 16 + (2 * depth * io_bytes >> 20);

	return wanted < MOST_MEMORY_MIB ? (unsigned int)wanted : MOST_MEMORY_MIB;
}

size_t stream_block_bytes(const struct stream_opts *opts)
{
	return opts->ns->block_size + transferred(opts, true);
}

size_t stream_md_bytes(const struct stream_opts *opts)
{
	return transferred(opts, false);
}

struct stream *stream_open(const struct stream_opts *opts)
{
	const struct brg_nvme_qpair_opts qpair = {.depth = (uint16_t)(opts->depth + 1)};
	size_t data = RTE_ALIGN_CEIL(opts->io_blocks * stream_block_bytes(opts), PAGE);
	size_t md = RTE_ALIGN_CEIL(opts->io_blocks * stream_md_bytes(opts), RTE_CACHE_LINE_SIZE);
	struct stream *s = calloc(1, sizeof(*s) + opts->depth * sizeof(s->slots[0]));

	if (!s)
		err(EXIT_FAILURE, "stream");
	s->opts = *opts;
	s->next = opts->lba;
	s->end = opts->lba + opts->nblocks;
	s->memory = rte_malloc("stream", opts->depth * (data + md), PAGE);
	if (!s->memory) {
		warnx("EAL has not %zu MiB left for %u buffers of %zu KiB; use a smaller --depth "
		      "or --io-size",
		      opts->depth * (data + md) >> 20, opts->depth, (data + md) >> 10);
		goto free_stream;
	}
	for (uint32_t i = 0; i < opts->depth; i++) {
		s->slots[i].piece.data = s->memory + i * data;
		s->slots[i].piece.md = md ? s->memory + opts->depth * data + i * md : NULL;
	}
	if (brg_nvme_qpair_create(opts->ctrl, &qpair, &s->qp) == 0)
		return s;
	warnx("%s", brg_errmsg());
	rte_free(s->memory);
free_stream:
	free(s);
	return NULL;
}

static int poll_once(struct stream *s)
{
	if (brg_nvme_poll(s->qp, 0) >= 0)
		return 0;
	warnx("%s", brg_errmsg());
	return -1;
}

void stream_close(struct stream *s)
{
	if (!s)
		return;
	while (brg_nvme_outstanding(s->qp) && !poll_once(s))
		;
	brg_nvme_qpair_free(s->qp); /* calls back what it still has */
	rte_free(s->memory);
	free(s);
}

/* Reference tags count on from block to block, but not those of type 3 (5.2.3). */
static struct brg_nvme_protect protect_at(const struct stream *s, uint64_t lba)
{
	struct brg_nvme_protect protect = s->opts.protect;

	if (s->opts.meta->pi_type != 3)
		protect.ref_tag += (uint32_t)(lba - s->opts.lba);
	return protect;
}

static bool is_failed_check(uint16_t status)
{
	switch (status & 0x7ff) {
	case NVME_SCT_MEDIA << 8 | NVME_SC_GUARD_CHECK:
	case NVME_SCT_MEDIA << 8 | NVME_SC_APPTAG_CHECK:
	case NVME_SCT_MEDIA << 8 | NVME_SC_REFTAG_CHECK:
		return true;
	default:
		return false;
	}
}

/* Read one block as it is. Its slot is done, so that there is room for another command. */
static bool read_unchecked(struct stream *s, struct piece *piece)
{
	const struct brg_nvme_protect none = {0};

	s->aside.busy = true;
	if (brg_nvme_read_meta(s->qp, s->opts.ns, s->opts.meta, &none, piece->data, piece->md,
			       piece->lba, 1, on_done, &s->aside))
		return false;
	while (s->aside.busy)
		if (poll_once(s))
			return false;
	return !s->aside.status;
}

/* The library counts blocks from the start of a buffer: what it says of the field is behind that.
 */
static bool tell_block(const struct stream *s, const char *what, const struct piece *block)
{
	const struct brg_nvme_protect protect = protect_at(s, block->lba);
	const char *field;

	if (!brg_nvme_protect_check(s->opts.ns, s->opts.meta, &protect, block->data, block->md, 1))
		return false;
	field = strchr(brg_errmsg(), ':');
	warnx("%s of block %" PRIu64 " failed%s", what, block->lba, field ? field : "");
	return true;
}

/* The controller says which check has failed but not where: look at each block of a read again. */
static bool tell_read_block(struct stream *s, const struct slot *slot)
{
	size_t md_at = RTE_ALIGN_CEIL(s->opts.ns->block_size + (size_t)s->opts.meta->bytes, PAGE);
	uint8_t *memory = rte_malloc("block", md_at + s->opts.meta->bytes, PAGE);
	bool told = false;

	for (uint32_t i = 0; memory && !told && i < slot->piece.nblocks; i++) {
		struct piece block = {memory, memory + md_at, slot->piece.lba + i, 1};

		if (!read_unchecked(s, &block))
			break;
		told = tell_block(s, "read", &block);
	}
	rte_free(memory);
	return told;
}

static bool tell_written_block(const struct stream *s, const struct slot *slot)
{
	const struct piece *p = &slot->piece;

	if (s->opts.protect.action)
		return false; /* what the controller made itself is not here */
	for (uint32_t i = 0; i < p->nblocks; i++) {
		const struct piece block = {
			.data = p->data + i * stream_block_bytes(&s->opts),
			.md = p->md ? p->md + i * stream_md_bytes(&s->opts) : NULL,
			.lba = p->lba + i,
		};

		if (tell_block(s, "write", &block))
			return true;
	}
	return false;
}

static void tell_failure(struct stream *s, const struct slot *slot, bool is_read)
{
	uint64_t first = slot->piece.lba, last = first + slot->piece.nblocks - 1;

	if (is_failed_check(slot->status) &&
	    (is_read ? tell_read_block(s, slot) : tell_written_block(s, slot)))
		return;
	if (s->opts.appended)
		warnx("append of blocks %" PRIu64 " to %" PRIu64 " of the input to the zone at "
		      "block %#" PRIx64 " failed: %s (status %#x)",
		      first, last, slot->zone, brg_nvme_status_str(slot->status), slot->status);
	else
		warnx("%s of blocks %" PRIu64 " to %" PRIu64 " failed: %s (status %#x)",
		      is_read ? "read" : "write", first, last, brg_nvme_status_str(slot->status),
		      slot->status);
}

/* Wait for the oldest command, and tell how it ended. */
static int finish_oldest(struct stream *s, bool is_read)
{
	struct slot *slot = &s->slots[s->oldest];

	while (slot->busy)
		if (poll_once(s))
			return -1;
	if (slot->status) {
		if (!s->failed)
			tell_failure(s, slot, is_read);
		s->failed = true;
		return -1;
	}
	if (s->opts.appended)
		s->opts.appended(s->opts.arg, &slot->piece, slot->appended);
	return 0;
}

static void drop_oldest(struct stream *s)
{
	s->oldest = (s->oldest + 1) % s->opts.depth;
	s->used--;
}

/* The slot behind those in use, for the next blocks. */
static struct slot *next_slot(struct stream *s)
{
	struct slot *slot = &s->slots[(s->oldest + s->used) % s->opts.depth];

	slot->piece.lba = s->next;
	slot->piece.nblocks = (uint32_t)RTE_MIN(s->opts.io_blocks, s->end - s->next);
	return slot;
}

/* There are as many trackers as slots: the queue is never full. */
static int submitted(struct stream *s, struct slot *slot, int rc)
{
	if (rc) {
		warnx("%s", brg_errmsg());
		return -1;
	}
	slot->busy = true;
	s->next += slot->piece.nblocks;
	s->used++;
	return 0;
}

static int submit_read(struct stream *s, struct slot *slot)
{
	const struct piece *p = &slot->piece;
	struct brg_nvme_protect protect;

	if (!s->opts.meta)
		return brg_nvme_read(s->qp, s->opts.ns, p->data, p->lba, p->nblocks, on_done, slot);
	protect = protect_at(s, p->lba);
	return brg_nvme_read_meta(s->qp, s->opts.ns, s->opts.meta, &protect, p->data, p->md, p->lba,
				  p->nblocks, on_done, slot);
}

static int submit_write(struct stream *s, struct slot *slot)
{
	const struct piece *p = &slot->piece;
	struct brg_nvme_protect protect;

	if (!s->opts.meta)
		return brg_nvme_write(s->qp, s->opts.ns, p->data, p->lba, p->nblocks, on_done,
				      slot);
	protect = protect_at(s, p->lba);
	return brg_nvme_write_meta(s->qp, s->opts.ns, s->opts.meta, &protect, p->data, p->md,
				   p->lba, p->nblocks, on_done, slot);
}

int stream_read(struct stream *s, struct piece *piece)
{
	if (s->lent)
		drop_oldest(s);
	s->lent = false;
	while (s->used < s->opts.depth && s->next < s->end) {
		struct slot *slot = next_slot(s);

		if (submitted(s, slot, submit_read(s, slot)))
			return -1;
	}
	if (!s->used)
		return 0;
	if (finish_oldest(s, true))
		return -1;
	s->lent = true;
	*piece = s->slots[s->oldest].piece;
	return 1;
}

/* All that are done already leave, and so their errors are seen soon. */
int stream_room(struct stream *s, struct piece *piece)
{
	if (s->next == s->end)
		return 0;
	while (s->used == s->opts.depth || (s->used && !s->slots[s->oldest].busy)) {
		if (finish_oldest(s, false))
			return -1;
		drop_oldest(s);
	}
	*piece = next_slot(s)->piece;
	return 1;
}

int stream_write(struct stream *s, uint32_t nblocks)
{
	struct slot *slot = next_slot(s);

	slot->piece.nblocks = nblocks;
	return submitted(s, slot, submit_write(s, slot));
}

int stream_append(struct stream *s, const struct brg_nvme_zoned *zoned, uint64_t zone,
		  uint32_t nblocks)
{
	struct slot *slot = next_slot(s);

	slot->piece.nblocks = nblocks;
	slot->zone = zone;
	return submitted(s, slot,
			 brg_nvme_zone_append(s->qp, s->opts.ns, zoned, slot->piece.data, zone,
					      nblocks, on_done, slot));
}

int stream_settle(struct stream *s)
{
	for (; s->used; drop_oldest(s))
		if (finish_oldest(s, false) && !s->failed)
			return -1; /* polling has failed: nothing will finish any more */
	return s->failed ? -1 : 0;
}

int stream_flush(struct stream *s)
{
	struct slot *slot = &s->aside;

	if (stream_settle(s))
		return -1;
	slot->busy = true;
	if (brg_nvme_flush(s->qp, s->opts.ns, on_done, slot)) {
		warnx("%s", brg_errmsg());
		return -1;
	}
	while (slot->busy)
		if (poll_once(s))
			return -1;
	if (slot->status)
		warnx("flush failed: %s (status %#x)", brg_nvme_status_str(slot->status),
		      slot->status);
	return slot->status ? -1 : 0;
}
