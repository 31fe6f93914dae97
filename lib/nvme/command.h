/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BRG_COMMAND_H
#define BRG_COMMAND_H

/* Checks that I/O commands of every command set share. */

#include "queue.h"

/** -ENOTSUP unless one of these bits is set in ONCS. */
int brg_command_needs(const struct brg_nvme_qpair *qp, unsigned int oncs, const char *what);

/** -EINVAL unless there are 1 to @p most blocks, all of them in the namespace. */
int brg_command_range(const struct brg_nvme_ns *ns, uint64_t lba, uint32_t nblocks, uint32_t most);

#endif
