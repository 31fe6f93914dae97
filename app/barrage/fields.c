/* SPDX-License-Identifier: BSD-3-Clause */
/* One field of a page as text and as JSON. */

#include "fields.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#define MOST_TEXT 512

uint64_t field_number(const void *bytes, unsigned int n)
{
	const uint8_t *b = bytes;
	uint64_t value = 0;

	while (n-- > 0)
		value = value << 8 | b[n];
	return value;
}

json_t *field_json(uint64_t value)
{
	return value <= INT64_MAX ? json_integer((json_int_t)value)
				  : json_sprintf("%" PRIu64, value);
}

static unsigned __int128 big(const void *bytes)
{
	const uint8_t *b = bytes;

	return (unsigned __int128)field_number(b + 8, 8) << 64 | field_number(b, 8);
}

const char *field_big(char text[40], const void *bytes)
{
	unsigned __int128 value = big(bytes);
	char digits[40];
	size_t n = 0;

	do
		digits[n++] = (char)('0' + (int)(value % 10));
	while (value /= 10);
	for (size_t i = 0; i < n; i++)
		text[i] = digits[n - 1 - i];
	text[n] = 0;
	return text;
}

/* Strings should be ASCII (Base 1.8), padded with blanks; what is not printable is a "?". */
static void plain_text(char *text, const char *bytes, size_t n)
{
	n = strnlen(bytes, n < MOST_TEXT ? n : MOST_TEXT - 1);
	for (size_t i = 0; i < n; i++)
		text[i] = isascii(bytes[i]) && isprint(bytes[i]) ? bytes[i] : '?';
	text[n] = 0;
}

static void hex_text(char *text, const uint8_t *bytes, size_t n, bool uuid)
{
	for (size_t i = 0; i < n; i++) {
		if (uuid && (i == 4 || i == 6 || i == 8 || i == 10))
			*text++ = '-';
		text += sprintf(text, "%02x", bytes[i]);
	}
}

/* 512,000 bytes each (5.16.1.3), in units of a thousand as on the device's label. */
static void data_units_text(char *text, size_t size, const void *bytes)
{
	static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
	double value = (double)big(bytes) * 512;
	char number[40];
	size_t unit = 0;

	while (value >= 1000 && unit < 5) {
		value /= 1000;
		unit++;
	}
	snprintf(text, size, "%s (%.2f %s)", field_big(number, bytes), value, units[unit]);
}

static void number_text(char *text, const struct field *f, const void *at)
{
	if (f->bytes == 16)
		field_big(text, at);
	else
		sprintf(text, "%" PRIu64, field_number(at, f->bytes));
}

static void value_text(char text[MOST_TEXT], const struct field *f, const void *at)
{
	uint64_t number = f->bytes <= 8 ? field_number(at, f->bytes) : 0;

	switch (f->kind) {
	case FIELD_HEX:
		sprintf(text, "%#" PRIx64, number);
		break;
	case FIELD_TEXT:
		plain_text(text, at, f->bytes);
		break;
	case FIELD_BYTES:
	case FIELD_UUID:
		hex_text(text, at, f->bytes, f->kind == FIELD_UUID);
		break;
	case FIELD_KELVIN:
		sprintf(text, "%d °C (%" PRIu64 " K)", (int)number - 273, number);
		break;
	case FIELD_PERCENT:
		sprintf(text, "%" PRIu64 " %%", number);
		break;
	case FIELD_DATA_UNITS:
		data_units_text(text, MOST_TEXT, at);
		break;
	case FIELD_MINUTES:
		number_text(text, f, at);
		strcat(text, " min");
		break;
	case FIELD_HOURS:
		number_text(text, f, at);
		strcat(text, " h");
		break;
	default:
		number_text(text, f, at);
	}
}

static json_t *value_json(const struct field *f, const void *at)
{
	char text[MOST_TEXT];

	switch (f->kind) {
	case FIELD_TEXT:
	case FIELD_BYTES:
	case FIELD_UUID:
		value_text(text, f, at);
		return json_string(text);
	default:
		if (f->bytes == 16)
			return json_string(field_big(text, at));
		return field_json(field_number(at, f->bytes));
	}
}

void fields_to_json(json_t *object, const struct field *fields, const void *page)
{
	for (const struct field *f = fields; f->name; f++)
		json_object_set_new(object, f->name,
				    value_json(f, (const uint8_t *)page + f->offset));
}

void fields_print(FILE *out, const struct field *fields, const void *page)
{
	char text[MOST_TEXT];
	int wide = 0;

	for (const struct field *f = fields; f->name; f++)
		wide = (int)strlen(f->name) > wide ? (int)strlen(f->name) : wide;
	for (const struct field *f = fields; f->name; f++) {
		value_text(text, f, (const uint8_t *)page + f->offset);
		for (size_t end = strlen(text); end && text[end - 1] == ' ';)
			text[--end] = 0; /* no blanks at line ends */
		fprintf(out, "%-*s : %s\n", wide, f->name, text);
	}
}
