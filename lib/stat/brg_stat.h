/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BRG_STAT_H
#define BRG_STAT_H

/*
 * Latency histograms, and markers to count instructions between.
 *
 * The histogram has a bounded relative error: buckets are powers of two, each cut into 128
 * equal parts, so a quantile read back is at most 1/128 (0.8 %) above the true sample. Units are
 * the caller's (ticks, nanoseconds).
 *
 * Thread-safety: one writer per histogram; merge the histograms of lcores afterwards.
 */

#include <stddef.h>
#include <stdint.h>

#include "brg_base.h"

#ifdef __cplusplus
extern "C" {
#endif

#define BRG_HIST_SUB_BITS 7
#define BRG_HIST_SUB	  (1u << BRG_HIST_SUB_BITS)
#define BRG_HIST_BUCKETS  ((64 - BRG_HIST_SUB_BITS + 1) * BRG_HIST_SUB)

/** A histogram; zeroed memory is an empty one. About 58 KiB: allocate it. */
struct brg_hist {
	uint64_t count;
	uint64_t min, max; /* exact; meaningful when count > 0 */
	uint64_t sum;	   /* exact while it fits */
	uint64_t bucket[BRG_HIST_BUCKETS];
};

/** Count one sample. No allocation, no division. */
BRG_API
void brg_hist_add(struct brg_hist *h, uint64_t value);

/** Add all samples of @p from to @p to. */
BRG_API
void brg_hist_merge(struct brg_hist *to, const struct brg_hist *from);

/**
 * The smallest bucket's upper end below or at which a share @p q of the samples lies (nearest
 * rank), never outside [min, max].
 * @param q  0 to 1.
 * @return 0 when the histogram is empty.
 */
BRG_API
uint64_t brg_hist_quantile(const struct brg_hist *h, double q);

/** Arithmetic mean; 0 when empty. */
BRG_API
double brg_hist_mean(const struct brg_hist *h);

/**
 * Set a marker: say how many ticks of the TSC have gone by on this thread since its previous
 * marker, the markers' own work left out. In the lab's counting mode a tick is an instruction:
 * barrage-lab cost -- PROGRAM shows what lies between the markers that PROGRAM sets; where it sets
 * them several times, the least, and whether that repeats.
 *
 * Writes a line of JSON to the file that the environment variable BARRAGE_RECORDS names; does
 * nothing where there is none. Not for hot paths.
 *
 * @param name  letters, digits and "-/.:"; anything else becomes '_'. The first 63 bytes count.
 *
 * Thread-safety: the first call of the process must have returned before other threads call.
 */
BRG_API
void brg_stat_mark(const char *name);

#ifdef __cplusplus
}
#endif
#endif
