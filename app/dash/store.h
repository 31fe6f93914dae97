/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DASH_STORE_H
#define DASH_STORE_H

/*
 * The results store. What was added is a run: one file, made at one time on one machine. It has a
 * result for each metric of each benchmark in it, and results with the same fingerprint form a
 * series.
 *
 * A store is used by one thread at a time; any number of processes may use the same one. Functions
 * that fail say why on stderr; out of memory ends the program.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which direction of a metric is an improvement. */
enum better {
	BETTER_LOWER = -1,
	BETTER_UNKNOWN = 0, /* a change is told, and is no regression */
	BETTER_HIGHER = 1
};

/** Results that may be compared with each other. */
struct series {
	int64_t id;
	const char *fingerprint; /* 16 hex digits; what the user calls the series */
	const char *benchmark;	 /* as "first_fault" */
	const char *parameters;	 /* a JSON object: {"lcores":2,"sharing":"shared"} */
	const char *handler;	 /* or a kernel that was compared as one; "" where there is none */
	const char *machine;	 /* machine class */
	const char *metric;	 /* as "first_fault", "survived", "real_time" */
	const char *unit;	 /* "ns", "1/s", "instructions", "share", "" */
	enum better better;
	bool exact; /* all of it counts that repeat to the digit: any change is a change */
};

/** One metric of one benchmark in one run. */
struct result {
	int64_t id, series, run;
	int64_t measured;   /* seconds since the epoch */
	const char *commit; /* "" where it is not known */
	const char *kernel; /* "" where it is not known */
	/* Median of the repetitions; for the unit "share" (of trials that ended well) their mean.
	 */
	double value;
	const double *repetitions; /* as measured, never empty; 1 or 0 each for the unit "share" */
	size_t nrepetitions;
	const char *histogram; /* a JSON array of [upper end, count]; "" where the file had none */
};

/** What was added at once. */
struct run {
	int64_t id;
	const char *hash;   /* SHA-256 of the file, in hex */
	const char *format; /* "google-benchmark", "barrage-compare/1", … */
	int64_t measured, added;
	const char *commit;
	const char *machine;
	/*
	 * A JSON object of strings and numbers: machine, cpus, accel, qemu, barrage_version,
	 * command (that reproduces the run), host_name, file, …; what of these was known.
	 */
	const char *provenance;
};

/** How somebody judged a change in a series. */
struct triage {
	int64_t series, result;	   /* the first result after the change */
	const char *verdict;	   /* "known", "fixed" or "wanted" */
	const char *note, *author; /* "" where there is none */
	int64_t at;
};

struct store;

/**
 * Open a store.
 * @param url  postgresql://…, or the path of an SQLite file; NULL: the user's own
 *             ($XDG_DATA_HOME/barrage/results.db).
 * @param create  make it when there is none; otherwise that is a failure.
 * @return NULL after a message.
 */
struct store *store_open(const char *url, bool create);

void store_close(struct store *store);

/** Where it is, in words for the user; without the password of a server. Lives as the store. */
const char *store_name(const struct store *store);

/**
 * What --db has to be for a command of somebody in another folder; without a server's password.
 * NULL: it is the user's own store. Lives as the store.
 */
const char *store_url(const struct store *store);

/**
 * What to read. A zeroed filter is all there is. Texts match in full; a fingerprint by its
 * beginning.
 */
struct store_filter {
	const char *fingerprint, *benchmark, *handler, *machine, *metric, *kernel, *commit;
	const char *hash;    /* of runs alone */
	int64_t run, result; /* 0: any */
};

/** All runs of a commit, or one run. */
struct store_part {
	const char *commit; /* NULL: the run decides */
	int64_t run;	    /* 0: the commit decides */
};

/*
 * Reading: a cursor at a time of each kind. What _next() gives lives until the cursor's next call.
 * It returns 1, 0 at the end, -1 after a message.
 */

struct cursor;

/** All series, by id. @return NULL after a message. */
struct cursor *store_series(struct store *store, const struct store_filter *filter);
int series_next(struct cursor *cursor, struct series *series);

/** Results, by series id and in each by time. @return NULL after a message. */
struct cursor *store_results(struct store *store, const struct store_filter *filter);
int result_next(struct cursor *cursor, struct result *result);

/**
 * For a comparison, as store_results() but without histograms: results of either part, and those
 * that somebody judged.
 */
struct cursor *store_results_of(struct store *store, const struct store_filter *filter,
				const struct store_part *one, const struct store_part *other);

/** The same: those of a part, and in each series that has such the last @p most before the first.
 */
struct cursor *store_results_before(struct store *store, const struct store_filter *filter,
				    const struct store_part *part, int64_t most);

/** Runs that have results which match, by time, oldest first. @return NULL after a message. */
struct cursor *store_runs(struct store *store, const struct store_filter *filter);
int run_next(struct cursor *cursor, struct run *run);

/** The newest of them alone. */
struct cursor *store_newest_run(struct store *store, const struct store_filter *filter);

/** The commits that have results, each once; those that begin so. @return NULL after a message. */
struct cursor *store_commits(struct store *store, const char *start);
int commit_next(struct cursor *cursor, const char **commit);

/** Triage, by series and result. @return NULL after a message. */
struct cursor *store_triage(struct store *store);
int triage_next(struct cursor *cursor, struct triage *triage);

/** End a cursor; NULL is fine. */
void cursor_end(struct cursor *cursor);

#endif
