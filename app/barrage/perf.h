/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BARRAGE_PERF_H
#define BARRAGE_PERF_H

/*
 * barrage perf in parts: what is asked for (perf_options.c), which blocks that means
 * and when (perf_pattern.c), what is in them (perf_verify.c), the I/O on the lcores (perf_run.c)
 * and the figures (perf_report.c). perf.c puts them together.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "brg_nvme.h"
#include "brg_stat.h"
#include "options.h"

#define PERF_MOST_DEVICES MOST_ARGUMENTS
#define PERF_MOST_SIZES	  16

/* What is asked for */

/** One size of --bssplit. */
struct perf_size {
	uint32_t bytes;
	unsigned int below; /* it is for those of 100 draws that are below this, but for no earlier
			       size */
};

struct perf_options {
	const char *bdfs[PERF_MOST_DEVICES];
	unsigned int ndevices;
	uint32_t nsid;	    /* 0: the first active one */
	const char *rw;	    /* as it was given */
	bool random;	    /* else sequential */
	unsigned int reads; /* percent; the others are writes */
	struct perf_size sizes[PERF_MOST_SIZES];
	unsigned int nsizes;
	uint64_t offset, area; /* bytes of each namespace to use; area 0: up to its end */
	uint32_t queue_depth;  /* commands in flight per lcore and device */
	unsigned int lcores;
	double seconds, warmup; /* seconds 0: until count */
	uint64_t count;		/* commands per device; 0: until seconds */
	double rate;		/* commands per second and device; 0: as many as it takes */
	uint64_t seed;
	bool seed_given, verify, json;
};

/** Parse a command line; a mistake ends the program with a sentence. */
void perf_parse(struct perf_options *options, int argc, char **argv);

uint32_t perf_largest(const struct perf_options *options);

/* Which blocks */

/** Where the next command of one lcore on one namespace goes. */
struct perf_pattern {
	const struct perf_options *options;
	uint64_t first, blocks; /* the part of the namespace that it keeps to, in logical blocks */
	uint64_t next;		/* sequential: from first on */
	uint32_t block_size;
};

struct perf_access {
	uint64_t lba;
	uint32_t blocks;
	bool write;
};

/**
 * Set up lcore @p index: sequential lcores divide the area, random ones share it.
 * @return 0, or -EINVAL with the reason in @p why: the area or a size do not fit the namespace.
 */
int perf_pattern_init(struct perf_pattern *pattern, const struct perf_options *options,
		      const struct brg_nvme_ns *ns, unsigned int index, char *why, size_t size);

/** Draws from rte_rand(). */
void perf_pattern_next(struct perf_pattern *pattern, struct perf_access *access);

/** When commands may go under --rate. Ticks; those that come late are made up for. */
struct perf_pace {
	uint64_t start;
	double interval; /* between two commands; 0: no limit */
	double due;	 /* from start, when the next one may go */
};

/** Whether a command may go now; if so, it must. */
bool perf_pace_due(struct perf_pace *pace, uint64_t now);

/* What is in them, with --verify */

/** Fill blocks with data that is made of @p seed and each block's number, and seal each. */
void perf_seal(void *data, uint32_t block_size, uint64_t lba, uint32_t blocks, uint64_t seed);

/** Make sure that blocks which the device then fails to fill are not taken for sealed ones. */
void perf_spoil(void *data, uint32_t block_size, uint32_t blocks);

/**
 * Check blocks that were read.
 * @param seed  they must have been sealed with; NULL: any.
 * @return 0, or -EILSEQ with what is wrong, and in which block, in @p why.
 */
int perf_check(const void *data, uint32_t block_size, uint64_t lba, uint32_t blocks,
	       const uint64_t *seed, char *why, size_t size);

/* The I/O */

enum {
	PERF_READ,
	PERF_WRITE,
	PERF_DIRECTIONS
};

/** What has been measured. One 58 KiB histogram each: allocate it. */
struct perf_figures {
	uint64_t bytes;
	struct brg_hist latency; /* TSC ticks from submission to callback; count is that of commands
				  */
};

struct perf_flow;

struct perf_device {
	struct brg_device *dev;
	struct brg_nvme_ctrl *ctrl;
	struct brg_nvme_ns ns;
	struct perf_flow **flows; /* one per lcore */
};

/**
 * Make a queue pair, buffers and a pattern for each lcore. EAL is up, the controller open.
 * @return 0, or a negative errno with the reason in @p why; perf_flows_free() in any case.
 */
int perf_flows_make(struct perf_device *device, const struct perf_options *options, char *why,
		    size_t size);

void perf_flows_free(struct perf_device *device, const struct perf_options *options);

/**
 * Run them all to the end, or to perf_stop(); progress is shown on a terminal.
 * @return 0, or with the reason in @p why: -EIO (a command failed), -ENODEV (the kernel wants a
 *         device back), -EAGAIN (no thread).
 */
int perf_run(struct perf_device *devices, const struct perf_options *options, char *why,
	     size_t size);

/** Say of which device it is, if that is not said already. */
void perf_explain(const struct perf_device *device, const char *what, char *why, size_t size);

/** Submit nothing more. May be called in a signal handler. */
void perf_stop(void);

/** Add up the figures of one direction over the lcores. */
void perf_sum(const struct perf_device *device, const struct perf_options *options,
	      unsigned int direction, struct perf_figures *to);

/** Seconds from the first measured submission to the last measured completion; 0: none was. */
double perf_seconds(const struct perf_device *devices, unsigned int ndevices,
		    const struct perf_options *options);

/* The figures */

json_t *perf_json(const struct perf_device *devices, const struct perf_options *options);

void perf_print(const json_t *json);

#endif
