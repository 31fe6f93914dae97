/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BENCH_SHIM_GB_H
#define BENCH_SHIM_GB_H

/*
 * Google Benchmark for C. Every benchmark here times itself ("manual time") on one Google Benchmark
 * thread, the main lcore: its own threads would inherit the one-CPU mask that EAL gives the main
 * lcore, and their times mean different things from release to release.
 *
 * Call all of it from the main thread.
 */

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gb_state;

enum gb_unit {
	GB_NANOSECONDS,
	GB_MILLISECONDS
};

typedef void (*gb_function)(struct gb_state *state, void *arg);

/**
 * Take Google Benchmark's own flags out of argv. "--help" calls @p help and exits with 0; a value
 * that a flag does not accept is left in argv, as what is not a flag of Google Benchmark is.
 */
void gb_initialize(int *argc, char **argv, void (*help)(void));

/** Print what Google Benchmark's own flags are, to stdout. */
void gb_print_flags(void);

/** Add a line to the context that every report begins with. */
void gb_context(const char *key, const char *value);

/**
 * Register a benchmark. @p arg stays the caller's and must outlive gb_run().
 * @param iterations  how often the loop runs; 0: as often as --benchmark_min_time needs.
 */
void gb_register(const char *name, gb_function fn, void *arg, uint64_t iterations,
		 enum gb_unit unit);

/** Run what --benchmark_filter selects, or list it. Returns how many benchmarks that were. */
unsigned int gb_run(void);

/** How many runs ended in gb_skip() so far: Google Benchmark itself exits with 0 all the same. */
unsigned int gb_errors(void);

/*
 * For use in a benchmark function:
 *
 *	while (gb_loop(state)) {
 *		if (…)
 *			return gb_skip(state, "what went wrong");
 *		gb_iteration_seconds(state, …);
 *	}
 *	gb_counter(state, "p99_ns", …);
 */

/** Whether to go round once more. */
int gb_loop(struct gb_state *state);

/** How often the loop of this run goes round. */
uint64_t gb_iterations(const struct gb_state *state);

/** The time this iteration took; once per iteration. */
void gb_iteration_seconds(struct gb_state *state, double seconds);

/**
 * Report a value with the run. NaN and infinity would make the JSON report invalid: they turn the
 * run into an error instead.
 */
void gb_counter(struct gb_state *state, const char *name, double value);

/** End the run as an error; return from the function right after. The text is copied. */
void gb_skip(struct gb_state *state, const char *why);

#ifdef __cplusplus
}
#endif
#endif
