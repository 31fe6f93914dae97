/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BARRAGE_STREAM_H
#define BARRAGE_STREAM_H

/*
 * Blocks in order, many commands in flight: reads run ahead of whoever takes the data, writes and
 * appends behind whoever brings it. What fails has said so on stderr.
 */

#include <stddef.h>

#include "brg_nvme.h"

/** Most commands that a stream can have in flight. */
#define STREAM_MOST_DEPTH 1024

struct stream;

/** Blocks in the stream's memory. */
struct piece {
	uint8_t *data; /* where metadata is interleaved, each block has its own behind it */
	uint8_t *md;   /* metadata in a buffer of its own; NULL where none is transferred so */
	uint64_t lba;
	uint32_t nblocks;
};

/** What to stream over, and how. */
struct stream_opts {
	struct brg_nvme_ctrl *ctrl;
	const struct brg_nvme_ns *ns;
	const struct brg_nvme_meta *meta; /* NULL: none */
	struct brg_nvme_protect protect;  /* of the first block; for those with metadata */
	uint64_t lba, nblocks;		  /* within the namespace */
	uint32_t depth;			  /* commands in flight */
	uint32_t io_blocks;		  /* blocks of each */
	/* Called, in their order, for the pieces that stream_append() was given: they are at @p lba
	 * on. NULL for reads and writes. */
	void (*appended)(void *arg, const struct piece *piece, uint64_t lba);
	void *arg;
};

/** EAL's memory that commands of so many bytes need, for session_run_with(). */
unsigned int stream_memory_mib(uint64_t depth, uint64_t io_bytes);

/** Bytes that a block is in struct piece.data, and in its .md. */
size_t stream_block_bytes(const struct stream_opts *opts);
size_t stream_md_bytes(const struct stream_opts *opts);

/** @return NULL after a message. */
struct stream *stream_open(const struct stream_opts *opts);

/** Waits for what is in flight. NULL is allowed. */
void stream_close(struct stream *s);

/**
 * The next blocks in order, with the reads behind them on their way; valid until the next call.
 * @return 1, 0 at the end, -1 after a message.
 */
int stream_read(struct stream *s, struct piece *piece);

/** Where to put what is written next, and how much at most. @return as stream_read(). */
int stream_room(struct stream *s, struct piece *piece);

/** Write so many of the blocks that were put there. @return 0, or -1 after a message. */
int stream_write(struct stream *s, uint32_t nblocks);

/** The same at the write pointer of a zone, named by its first block. */
int stream_append(struct stream *s, const struct brg_nvme_zoned *zoned, uint64_t zone,
		  uint32_t nblocks);

/**
 * Wait for everything, also where some of it has failed. @return 0, or -1 after a message, of this
 * call or an earlier one.
 */
int stream_settle(struct stream *s);

/** The same, and have the device keep it (Flush). */
int stream_flush(struct stream *s);

#endif
