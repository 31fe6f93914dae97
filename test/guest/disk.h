/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DISK_H
#define DISK_H

/* Read and write one thing at a time, for tests where only the data matters. */

#include "guest.h"

#include "brg_nvme.h"

/** What a callback has seen. */
struct io {
	unsigned int calls;
	uint16_t status;
};

static inline void io_done(void *arg, const struct brg_nvme_cqe *cqe)
{
	struct io *io = arg;

	io->calls++;
	io->status = brg_nvme_status(cqe);
}

/** Poll until nothing is in flight. */
static inline void drain(struct brg_nvme_qpair *qp)
{
	while (brg_nvme_outstanding(qp))
		assert_works(brg_nvme_poll(qp, 0));
}

static inline uint16_t read_blocks(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
				   void *buf, uint64_t lba, uint32_t nblocks)
{
	struct io io = {0};

	assert_works(brg_nvme_read(qp, ns, buf, lba, nblocks, io_done, &io));
	drain(qp);
	assert_int_equal(io.calls, 1);
	return io.status;
}

static inline uint16_t write_blocks(struct brg_nvme_qpair *qp, const struct brg_nvme_ns *ns,
				    const void *buf, uint64_t lba, uint32_t nblocks)
{
	struct io io = {0};

	assert_works(brg_nvme_write(qp, ns, buf, lba, nblocks, io_done, &io));
	drain(qp);
	assert_int_equal(io.calls, 1);
	return io.status;
}

#endif
