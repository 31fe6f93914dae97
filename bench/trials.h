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

/** One first_fault: how long each lcore's access took, and all of them together. */
int trials_first_fault(const struct arm *arm, uint64_t bar_bytes, const double *ns,
		       double window_ns);

/** One nvme_io. */
int trials_nvme_io(const struct arm *arm, uint64_t ios, double seconds);

#endif
