/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BENCH_TRIALS_H
#define BENCH_TRIALS_H

/*
 * The trial stream (--trials-out): one JSON object per line and per finished trial. Every line
 * leaves the process with one write(), so a kernel crash takes nothing with it that was measured
 * before. Without a stream the calls do nothing. All return 0 or a negative errno.
 */

#include "bench.h"

/** The arm begins; to be called before its first trial. */
int trials_begin(const struct arm *arm, const char *benchmark);

/** What a first_fault was. Arrays have an element per lcore, those of mappings one per mapping. */
struct trial {
	uint64_t bar_bytes;
	unsigned int mappings;
	const double *map_ns;	/* brg_bar_map() took */
	const double *ns;	/* the first access took */
	const double *retry_ns; /* and the next, where a fill had failed; NULL: none had */
	const double *unmap_ns;
	double window_ns; /* from the first lcore's access to the end of the last one's */
	double cycle_ns;  /* that, and the same of mapping, of trying again and of unmapping */
};

/** One first_fault. */
int trials_first_fault(const struct arm *arm, const struct trial *trial);

/** The library refuses to map the BAR with the arm's policy, for this reason. */
int trials_refused(const struct arm *arm, const char *why);

/** One nvme_io. */
int trials_nvme_io(const struct arm *arm, uint64_t ios, double seconds);

#endif
