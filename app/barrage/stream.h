/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BARRAGE_STREAM_H
#define BARRAGE_STREAM_H

/*
 * Blocks in order, many commands in flight: reads run ahead of whoever takes the data, writes
 * behind whoever brings it. What fails has said so on stderr.
 */

#include <stddef.h>

#include "brg_nvme.h"

struct stream;

/** What to stream over, and how. */
struct stream_opts {
	struct brg_nvme_ctrl *ctrl;
	const struct brg_nvme_ns *ns;
	uint64_t lba, nblocks; /* within the namespace */
	uint32_t depth;	       /* commands in flight */
	uint32_t io_blocks;    /* blocks of each */
};

/** @return NULL after a message. */
struct stream *stream_open(const struct stream_opts *opts);

/** Waits for what is in flight. NULL is allowed. */
void stream_close(struct stream *s);

/**
 * The next data in order, with the reads behind it on their way; it is valid until the next call.
 * @return bytes, 0 at the end, -1 after a message.
 */
ssize_t stream_read(struct stream *s, const void **data);

/** Where to put what is written next. @return room in bytes, 0 at the end, -1 after a message. */
ssize_t stream_room(struct stream *s, void **data);

/** Write what was put there, a multiple of the block size. @return 0, or -1 after a message. */
int stream_write(struct stream *s, size_t bytes);

/** Wait for all writes, and have the device keep them (Flush). @return 0, or -1 after a message. */
int stream_flush(struct stream *s);

#endif
