/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DASH_OPTIONS_H
#define DASH_OPTIONS_H

/* Options that several commands have, as children for their argp. */

#include <argp.h>

#include "print_json.h"
#include "store.h"

/** --db URL; its input is a const char *, which stays NULL where the option is not given. */
extern const struct argp db_argp;

/** --benchmark, --handler, --machine, --metric, --kernel; input: struct store_filter *. */
extern const struct argp filter_argp;

/** What commands have that read what matches, and nothing else. */
struct reader {
	const char *db;
	struct store_filter filter;
};

/** --db, the filters, --commit, and no arguments; input: struct reader *. */
extern const struct argp reader_argp;

/** A whole number, or the end of the program through argp_error(). */
long long whole_number(struct argp_state *state, const char *option, const char *text,
		       long long least, long long most);

#define DATE_SIZE 32

/** A time as ISO 8601 in UTC, as 2026-11-23T21:46:12Z. */
const char *date_text(int64_t at, char text[DATE_SIZE]);

/**
 * A series as the user reads it: "first_fault lcores=2 sharing=shared". Freed by the caller.
 * @param with_handler  and the handler.
 */
char *series_title(const struct series *series, bool with_handler);

/** A series as JSON, as list, show, check and export give it. */
json_t *series_json(const struct series *series);

#endif
