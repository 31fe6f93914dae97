/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Data into zones by Zone Append, many in flight. The controller chooses where in its zone each of
 * them goes, and may do so in another order than that of the input: where is told at the end, as
 * runs of blocks that follow each other in both.
 */

#include "append.h"

#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "commands.h"
#include "progress.h"
#include "runs.h"
#include "session.h"
#include "stream.h"
#include "table.h"

struct appending {
	struct append *a;
	struct stream *stream;
	size_t next_room;
	struct runs runs;	 /* that were appended */
	uint64_t padding, taken; /* bytes of zeroes; bytes of the input */
	double start;
};

/* The size of a file, in blocks; 0 where only its end will tell. */
static uint64_t input_blocks(const struct append *a)
{
	struct stat st;

	if (fstat(a->input.fd, &st) || !S_ISREG(st.st_mode))
		return 0;
	return ((uint64_t)st.st_size + a->ns.block_size - 1) / a->ns.block_size;
}

/* Blocks between the write pointer and the capacity, in the states that have one (ZNS 1.1, 2.1). */
static uint64_t room_of(const struct append *a, const struct nvme_zns_desc *zone)
{
	uint64_t written = zone->wp - zone->zslba;

	switch (zone->zs >> 4) {
	case NVME_ZNS_ZS_EMPTY:
	case NVME_ZNS_ZS_IMPL_OPEN:
	case NVME_ZNS_ZS_EXPL_OPEN:
	case NVME_ZNS_ZS_CLOSED:
		return zone->zcap <= a->zoned.zone_blocks && written < zone->zcap
			       ? zone->zcap - written
			       : 0;
	default:
		return 0;
	}
}

bool append_zone(void *append, const struct nvme_zns_desc *zone)
{
	struct append *a = append;
	uint64_t wanted = input_blocks(a), nblocks = room_of(a, zone);

	if (!nblocks)
		return true;
	a->rooms = grow_array(a->rooms, a->nrooms, sizeof(*a->rooms));
	a->rooms[a->nrooms++] = (struct room){zone->zslba, nblocks};
	a->room += nblocks;
	return !wanted || a->room < wanted;
}

static void on_appended(void *arg, const struct piece *piece, uint64_t lba)
{
	struct appending *w = arg;
	const struct run run = {piece->lba, lba, piece->nblocks};

	runs_add(&w->runs, &run, w->a->zoned.zone_blocks);
}

/* A zone that is not yet full is active, as the next one will be: where their number has a limit,
 * let this one become full first. */
static int leave_zone(struct appending *w)
{
	w->next_room++;
	if (!w->a->zoned.max_active && !w->a->zoned.max_open)
		return 0;
	return stream_settle(w->stream);
}

static int append_piece(struct appending *w, struct piece *p, size_t bytes)
{
	uint32_t block = w->a->ns.block_size;
	struct room *room = &w->a->rooms[w->next_room];

	w->padding = (block - bytes % block) % block;
	memset(p->data + bytes, 0, w->padding);
	w->taken += bytes;
	p->nblocks = (uint32_t)((bytes + w->padding) / block);
	if (stream_append(w->stream, &w->a->zoned, room->zone, p->nblocks))
		return -1;
	bytes_progress("append", w->taken, 0);
	room->nblocks -= p->nblocks;
	return room->nblocks ? 0 : leave_zone(w);
}

static int check_input_ends(const struct appending *w)
{
	char byte;
	ssize_t n = bytes_read(&w->a->input, &byte, 1);

	if (n > 0)
		warnx("the zones are full: what comes behind the first %" PRIu64
		      " bytes of the input was not appended",
		      w->taken);
	return n ? -1 : 0;
}

static int append_all(struct appending *w)
{
	struct piece p;
	ssize_t n, most;
	int more;

	while ((more = stream_room(w->stream, &p)) > 0) {
		uint64_t left = w->a->rooms[w->next_room].nblocks;

		most = (ssize_t)((p.nblocks < left ? p.nblocks : left) * w->a->ns.block_size);
		n = bytes_read(&w->a->input, p.data, (size_t)most);
		if (n <= 0)
			return (int)n;
		if (append_piece(w, &p, (size_t)n))
			return -1;
		if (n < most)
			return 0;
	}
	return more < 0 ? -1 : check_input_ends(w);
}

static void print_runs(const struct appending *w)
{
	static const char *const heads[] = {">zone", ">start lba", ">blocks", ">input byte", NULL};
	struct table *t = table_new(heads);

	for (size_t i = 0; i < w->runs.n; i++) {
		const struct run *r = &w->runs.list[i];

		table_cell(t, "%#" PRIx64, r->lba - r->lba % w->a->zoned.zone_blocks);
		table_cell(t, "%#" PRIx64, r->lba);
		table_cell(t, "%" PRIu64, r->nblocks);
		table_cell(t, "%" PRIu64, r->input * w->a->ns.block_size);
	}
	table_print(t, stdout);
	table_free(t);
}

static json_t *runs_json(const struct appending *w)
{
	json_t *array = json_array();

	for (size_t i = 0; i < w->runs.n; i++) {
		const struct run *r = &w->runs.list[i];

		json_array_append_new(
			array,
			json_pack("{s:I, s:I, s:I, s:I}", "zslba",
				  (json_int_t)(r->lba - r->lba % w->a->zoned.zone_blocks), "slba",
				  (json_int_t)r->lba, "blocks", (json_int_t)r->nblocks,
				  "input_byte", (json_int_t)(r->input * w->a->ns.block_size)));
	}
	return array;
}

/* Also after a failure: what was appended before it, and beside it, stays. */
static void report(const struct appending *w)
{
	double seconds = seconds_now() - w->start;
	uint64_t bytes = w->runs.nblocks * w->a->ns.block_size;
	char size[24], rate[24];

	progress_clear();
	if (w->a->json) {
		print_json(json_pack("{s:s, s:I, s:I, s:I, s:f, s:o}", "bdf", session_bdf(), "nsid",
				     (json_int_t)w->a->ns.nsid, "bytes", (json_int_t)bytes,
				     "padding_bytes", (json_int_t)w->padding, "seconds", seconds,
				     "appended", runs_json(w)));
		return;
	}
	if (w->runs.n)
		print_runs(w);
	fprintf(stderr, "append: %s in %.1f s, %s/s\n", size_text(size, bytes), seconds,
		size_text(rate, (uint64_t)((double)bytes / seconds) >> 10 << 10));
	if (w->padding)
		fprintf(stderr,
			"append: the last block was filled up with %" PRIu64 " zero bytes\n",
			w->padding);
}

static int check_room(const struct append *a)
{
	uint64_t wanted = input_blocks(a);

	if (!a->room) {
		warnx("no zone there has room; barrage zns report shows them, and barrage zns "
		      "reset empties one");
		return -1;
	}
	if (wanted > a->room) {
		warnx("%s has %" PRIu64 " blocks, and the zones have room for %" PRIu64,
		      a->input.path ? a->input.path : "the input", wanted, a->room);
		return -1;
	}
	return 0;
}

static int choose_io(const struct append *a, struct stream_opts *o)
{
	uint64_t blocks = a->io_bytes / a->ns.block_size;

	if (!a->zoned.append_blocks) {
		warnx("the controller appends less at once than a block, %" PRIu32 " bytes",
		      a->ns.block_size);
		return -1;
	}
	if (a->io_bytes % a->ns.block_size) {
		warnx("--io-size %" PRIu64 " is no multiple of the block size, %" PRIu32,
		      a->io_bytes, a->ns.block_size);
		return -1;
	}
	o->io_blocks =
		(uint32_t)(blocks < a->zoned.append_blocks ? blocks : a->zoned.append_blocks);
	return 0;
}

int append_run(struct append *a, struct brg_nvme_ctrl *ctrl)
{
	struct appending w = {.a = a, .start = seconds_now()};
	struct stream_opts o = {
		.ctrl = ctrl,
		.ns = &a->ns,
		.nblocks = a->room,
		.depth = a->depth,
		.appended = on_appended,
		.arg = &w,
	};
	int rc;

	if (check_room(a) || choose_io(a, &o) || bytes_begin(&a->input))
		return 1;
	w.stream = stream_open(&o);
	if (!w.stream)
		return 1;
	rc = append_all(&w);
	if (rc)
		stream_settle(w.stream);
	else
		rc = stream_flush(w.stream);
	stream_close(w.stream);
	report(&w);
	free(w.runs.list);
	return rc ? 1 : 0;
}
