/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BARRAGE_FIELDS_H
#define BARRAGE_FIELDS_H

/*
 * Pages that a device returns, described field by field: printed and made JSON from one table each.
 * Names are those of nvme-cli's JSON output.
 */

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum field_kind {
	FIELD_NUMBER, /* little-endian, up to 8 bytes */
	FIELD_HEX,    /* the same, printed in hexadecimal */
	FIELD_BIG,    /* 16 bytes; in JSON a string, as they may not fit a number */
	FIELD_TEXT,   /* padded with blanks */
	FIELD_BYTES,  /* as hexadecimal digits, in order */
	FIELD_UUID,
	FIELD_KELVIN,
	FIELD_PERCENT,
	FIELD_DATA_UNITS, /* FIELD_BIG in thousands of 512 bytes */
	FIELD_MINUTES,	  /* FIELD_BIG or a number */
	FIELD_HOURS,
};

struct field {
	const char *name; /* NULL ends a table */
	uint16_t offset, bytes;
	enum field_kind kind;
};

#define FIELD_AS(page, member, name, kind)                                                    \
	{                                                                                     \
		name, offsetof(struct page, member), sizeof(((struct page *)0)->member), kind \
	}
#define FIELD(page, member, kind) FIELD_AS(page, member, #member, kind)

/** Add every field of a page to a JSON object. */
void fields_to_json(json_t *object, const struct field *fields, const void *page);

/** One "name : value" per line, the names padded to one width. */
void fields_print(FILE *out, const struct field *fields, const void *page);

/** A little-endian number of up to 8 bytes. */
uint64_t field_number(const void *bytes, unsigned int n);

/** A number; beyond what a JSON integer is here, 2^63 - 1, a string of its digits. */
json_t *field_json(uint64_t value);

/** 16 bytes as decimal digits; @return @p text. */
const char *field_big(char text[40], const void *bytes);

#endif
