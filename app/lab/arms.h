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

/** Nanoseconds, in the order in which they were measured. */
struct times {
	uint64_t *ns;
	size_t n;
};

#define ARMS_MOST (SHARINGS * 5) /* of one handler: there are five policies */

/** One arm: a handler, and so many lcores on mappings made and shared in one way. */
struct arm {
	const char *handler, *kernel; /* not owned */
	const char *policy;	      /* of brg_bar_map(); not owned */
	enum sharing sharing;
	unsigned int lcores;
	unsigned int fail_after; /* pages after which a trial's first fill fails; 0: it does not */

	unsigned int left;     /* trials still to run */
	bool io_done;	       /* throughput measured, or given up */
	unsigned int survived; /* trials that ended */
	unsigned int kernel_bugs, hangs;
	char bug_at[128];  /* of the first kernel BUG; "" when there was none */
	char refused[256]; /* why the library does not map with the policy; "" when it does */
	int bar;	   /* -1: not known yet, no trial has ended */
	uint64_t bar_bytes;
	struct times first; /* access of every lcore in every trial */
	struct times retry; /* and the next, after a fill that failed */
	double window_ns;   /* all trials: from the first lcore's access to the last one's end */
	double cycle_ns;    /* the same with mapping and unmapping */
	unsigned int mappings;
	double iops; /* < 0: not measured */
};

/**
 * The arms of a handler, three for each policy: a lone lcore, and some of them on a shared VMA and
 * on one each. Handler, kernel, lcores, fail_after and the trials that are left are those of
 * @p like.
 *
 * @param policies  ended by NULL.
 * @param io        whether throughput is to be measured, where the policy is lazy: it does not
 *                  depend on it.
 * @return how many there are, at most ARMS_MOST.
 */
size_t arms_init(struct arm *arms, const struct arm *like, const char *const policies[], bool io);

/** Take a line that the bench streamed out, parsed. False when it is none of this arm's. */
bool arm_take(struct arm *arm, const json_t *record);

void arm_free(struct arm *arm);

/** Whether something of it is still to be measured. */
bool arm_wants_more(const struct arm *arm);

/** Smallest sample at or below which a share q of them lies (nearest rank); @p ns is sorted. */
uint64_t arm_quantile(const uint64_t *ns, size_t n, double q);

/** The table of all arms. */
void arms_print(const struct arm *arms, size_t n, FILE *out);

/** Draw how the first-fault latencies of the arms are distributed. 0, or -1 after a message. */
int arms_draw(const struct arm *arms, size_t n, const char *path);

/** One sentence, or two: what the second handler changed against the first. Freed by the caller. */
char *arms_verdict(const struct arm *arms, size_t n, const char *before, const char *after);

/** The elements of "arms" in barrage-compare/1. */
json_t *arms_to_json(const struct arm *arms, size_t n);

#endif
