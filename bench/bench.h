/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BENCH_H
#define BENCH_H

/* What the files of barrage-bench share: the options, the device under test, and an arm. */

#include <brg_bar.h>
#include <brg_device.h>
#include <stdbool.h>
#include <stdint.h>

#include "shim/gb.h"

#define BENCH_MAX_LIST 16
#define BENCH_POLICIES (BRG_BAR_PARALLEL + 1)

/** Which mapping of the BAR the lcores use. */
enum sharing {
	SHARING_SINGLE,	   /* one lcore, one VMA */
	SHARING_SHARED,	   /* all lcores one VMA */
	SHARING_PER_LCORE, /* every lcore a VMA of its own */
	SHARINGS
};

/** "single", "shared", "per-lcore". */
extern const char *const sharing_names[SHARINGS];

struct list {
	unsigned int count;
	uint32_t value[BENCH_MAX_LIST];
};

struct bench {
	/* options */
	const char *bdf; /* NULL: none was given */
	bool sharing[SHARINGS];
	bool policies[BENCH_POLICIES]; /* by enum brg_bar_policy; first_fault only */
	struct list lcores;
	struct list queue_depths;
	unsigned int bar;
	uint64_t offset;	 /* of the register that first_fault reads */
	uint64_t trials;	 /* 0: as many as Google Benchmark wants */
	unsigned int fail_after; /* pages after which a trial's first fill fails; 0: it does not */
	double seconds;		 /* for each nvme_io */
	uint32_t block_size;
	const char *trials_path; /* NULL: no trial stream */
	bool allow_kernel_bug;

	/* state */
	int trials_fd; /* -1: no trial stream */
	bool opened;   /* whether bench_open() was tried; its outcome: */
	struct brg_device *dev;
	char error[512];
	struct arm *arms; /* all that are registered */
};

/** One registered benchmark: a cell of the cross product. */
struct arm {
	struct bench *bench;
	enum sharing sharing;
	unsigned int lcores;
	enum brg_bar_policy policy; /* first_fault only */
	unsigned int queue_depth;   /* nvme_io only */
	uint64_t trials;	    /* ended so far, over all of Google Benchmark's calls */
	struct arm *next;
};

/**
 * Start EAL and open the device, once: later calls give the first one's outcome. Called by the
 * first arm that runs, so that --benchmark_list_tests needs no device.
 * Returns 0 or a negative errno; bench->error has the sentence.
 */
int bench_open(struct bench *bench);

/** Undo bench_open(). */
void bench_close(struct bench *bench);

/** The benchmarks: @p arg is a struct arm. */
void first_fault(struct gb_state *state, void *arg);
void nvme_io(struct gb_state *state, void *arg);

#endif
