/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LAB_ARMS_H
#define LAB_ARMS_H

/*
 * The arms of a comparison: what each is, what its trials said, how the whole is shown. Nothing
 * here runs anything.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/** Who shares a mapping of the BAR. */
enum sharing {
	SINGLE,
	SHARED,
	PER_LCORE,
	SHARINGS
};

/** As the bench and the JSON name them. */
extern const char *const sharing_names[SHARINGS];

/** One arm: a handler, and so many lcores on mappings shared in one way. */
struct arm {
	const char *handler, *kernel; /* not owned */
	enum sharing sharing;
	unsigned int lcores;

	unsigned int left;     /* trials still to run */
	bool io_done;	       /* throughput measured, or given up */
	unsigned int survived; /* trials that ended */
	unsigned int kernel_bugs, hangs;
	char bug_at[128]; /* of the first kernel BUG; "" when there was none */
	int bar;	  /* -1: not known yet, no trial has ended */
	uint64_t bar_bytes;
	uint64_t *ns; /* first-fault latency of every lcore in every trial */
	size_t nns;
	double window_ns; /* all trials: from the first lcore's start to the last one's end */
	double iops;	  /* < 0: not measured */
};

/**
 * The three arms of a handler: a lone lcore, and @p lcores of them on a shared VMA and on one each.
 * @param io  whether throughput is to be measured.
 */
void arms_init(struct arm arms[SHARINGS], const char *handler, const char *kernel,
	       unsigned int lcores, unsigned int trials, bool io);

/** Take a line that the bench streamed out, parsed. False when it is none of this arm's. */
bool arm_take(struct arm *arm, const json_t *record);

void arm_free(struct arm *arm);

/** Smallest sample at or below which a share q of them lies (nearest rank); @p ns is sorted. */
uint64_t arm_quantile(const uint64_t *ns, size_t n, double q);

/** The table of all arms. */
void arms_print(struct arm *arms, size_t n, FILE *out);

/** Draw how the first-fault latencies of the arms are distributed. 0, or -1 after a message. */
int arms_draw(struct arm *arms, size_t n, const char *path);

/** One sentence, or two: what the second handler changed against the first. Freed by the caller. */
char *arms_verdict(struct arm *arms, size_t n, const char *before, const char *after);

/** The elements of "arms" in barrage-compare/1. */
json_t *arms_to_json(struct arm *arms, size_t n);

#endif
