/* SPDX-License-Identifier: BSD-3-Clause */
/* A ring of buffers, each with a command of its own; used in order, whatever order they end in. */

#include "stream.h"

#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <rte_common.h>
#include <rte_malloc.h>
#include <stdlib.h>

#define PAGE 4096u

struct slot {
	uint8_t *data;
	uint64_t lba;
	uint32_t nblocks;
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
	struct slot slots[];
};

static void on_done(void *arg, const struct brg_nvme_cqe *cqe)
{
	struct slot *slot = arg;

	slot->status = brg_nvme_status(cqe);
	slot->busy = false;
}

struct stream *stream_open(const struct stream_opts *opts)
{
	const struct brg_nvme_qpair_opts qpair = {.depth = (uint16_t)(opts->depth + 1)};
	size_t each = RTE_ALIGN_CEIL((size_t)opts->io_blocks * opts->ns->block_size, PAGE);
	struct stream *s = calloc(1, sizeof(*s) + opts->depth * sizeof(s->slots[0]));

	if (!s)
		err(EXIT_FAILURE, "stream");
	s->opts = *opts;
	s->next = opts->lba;
	s->end = opts->lba + opts->nblocks;
	s->memory = rte_malloc("stream", opts->depth * each, PAGE);
	if (!s->memory) {
		warnx("EAL has not %zu MiB left for %u buffers of %zu KiB; use a smaller --depth "
		      "or "
		      "--io-size",
		      opts->depth * each >> 20, opts->depth, each >> 10);
		goto free_stream;
	}
	for (uint32_t i = 0; i < opts->depth; i++)
		s->slots[i].data = s->memory + i * each;
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

/* Wait for the oldest command, and tell how it ended. */
static int finish_oldest(struct stream *s, const char *what)
{
	struct slot *slot = &s->slots[s->oldest];

	while (slot->busy)
		if (poll_once(s))
			return -1;
	if (!slot->status)
		return 0;
	warnx("%s of blocks %" PRIu64 " to %" PRIu64 " failed: %s (status %#x)", what, slot->lba,
	      slot->lba + slot->nblocks - 1, brg_nvme_status_str(slot->status), slot->status);
	return -1;
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

	slot->lba = s->next;
	slot->nblocks = (uint32_t)RTE_MIN(s->opts.io_blocks, s->end - s->next);
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
	s->next += slot->nblocks;
	s->used++;
	return 0;
}

ssize_t stream_read(struct stream *s, const void **data)
{
	struct slot *slot;

	if (s->lent)
		drop_oldest(s);
	s->lent = false;
	while (s->used < s->opts.depth && s->next < s->end) {
		slot = next_slot(s);
		if (submitted(s, slot,
			      brg_nvme_read(s->qp, s->opts.ns, slot->data, slot->lba, slot->nblocks,
					    on_done, slot)))
			return -1;
	}
	if (!s->used)
		return 0;
	if (finish_oldest(s, "read"))
		return -1;
	s->lent = true;
	slot = &s->slots[s->oldest];
	*data = slot->data;
	return (ssize_t)slot->nblocks * s->opts.ns->block_size;
}

/* All that are done already leave, and so their errors are seen soon. */
ssize_t stream_room(struct stream *s, void **data)
{
	struct slot *slot;

	if (s->next == s->end)
		return 0;
	while (s->used == s->opts.depth || (s->used && !s->slots[s->oldest].busy)) {
		if (finish_oldest(s, "write"))
			return -1;
		drop_oldest(s);
	}
	slot = next_slot(s);
	*data = slot->data;
	return (ssize_t)slot->nblocks * s->opts.ns->block_size;
}

int stream_write(struct stream *s, size_t bytes)
{
	struct slot *slot = next_slot(s);

	slot->nblocks = (uint32_t)(bytes / s->opts.ns->block_size);
	return submitted(s, slot,
			 brg_nvme_write(s->qp, s->opts.ns, slot->data, slot->lba, slot->nblocks,
					on_done, slot));
}

int stream_flush(struct stream *s)
{
	struct slot *slot;

	for (; s->used; drop_oldest(s))
		if (finish_oldest(s, "write"))
			return -1;
	slot = &s->slots[s->oldest];
	*slot = (struct slot){.data = slot->data, .busy = true};
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
