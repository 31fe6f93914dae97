/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DASH_FIELD_H
#define DASH_FIELD_H

/*
 * Fields of a result file. What is not as it should be is told with its place, as
 * "result.json: arms[3].lcores: a whole number is expected, not text", and remembered: a reader
 * takes all fields it needs, and looks at `bad` once.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct field {
	const char *file;
	const json_t *object;
	char where[128]; /* "arms[3]."; "" at the top */
	bool *bad;
};

/** The top of a document. */
struct field field_top(const char *file, const json_t *document, bool *bad);

/** Say what is wrong with a member. */
void field_complain(const struct field *at, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Larger numbers are refused, so that sums and conversions of them stay numbers. */
#define FIELD_LARGEST 1e200

/** A member that has to be there; "", 0 or false after a complaint. */
const char *field_text(const struct field *at, const char *name);
int64_t field_integer(const struct field *at, const char *name);
bool field_boolean(const struct field *at, const char *name);
double field_number(const struct field *at, const char *name);
struct field field_object(const struct field *at, const char *name);
const json_t *field_array(const struct field *at, const char *name);

/** Whether a member is there and not null. */
bool field_has(const struct field *at, const char *name);

/** A text that may be missing or null, and is "" then. */
const char *field_optional_text(const struct field *at, const char *name);

/** An element of an array that is a member; it has to be an object. */
struct field field_element(const struct field *at, const char *name, const json_t *array,
			   size_t index);

#endif
