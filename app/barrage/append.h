/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BARRAGE_APPEND_H
#define BARRAGE_APPEND_H

/* barrage zns append: data to where zones have room, and where that was. */

#include "brg_nvme.h"
#include "bytes.h"

/** A zone that takes more, and how much. */
struct room {
	uint64_t zone; /* its first block */
	uint64_t nblocks;
};

struct append {
	struct bytes input;
	uint32_t depth;
	uint64_t io_bytes;
	bool json;
	struct brg_nvme_ns ns;
	struct brg_nvme_zoned zoned;
	struct room *rooms; /* noted by append_zone(); the caller frees them */
	size_t nrooms;
	uint64_t room; /* of all of them, blocks */
};

/** Note a zone of a report. @param append  struct append. @return whether more are needed. */
bool append_zone(void *append, const struct nvme_zns_desc *zone);

/** Append, in the order of the zones, and print. @return 0, or 1 after a message. */
int append_run(struct append *a, struct brg_nvme_ctrl *ctrl);

#endif
