/* SPDX-License-Identifier: BSD-3-Clause */
/* Typed access to JSON that somebody else wrote. */

#include <err.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "field.h"

struct field field_top(const char *file, const json_t *document, bool *bad)
{
	return (struct field){.file = file, .object = document, .bad = bad};
}

void field_complain(const struct field *at, const char *name, const char *fmt, ...)
{
	char *why;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&why, fmt, ap) < 0)
		err(1, NULL);
	va_end(ap);
	warnx("%s: %s%s: %s", at->file, at->where, name, why);
	free(why);
	*at->bad = true;
}

/* Names are short: they are those of the formats that this program knows. */
static void set_where(struct field *at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(at->where, sizeof(at->where), fmt, ap);
	va_end(ap);
}

static const char *type_name(const json_t *value)
{
	if (!value)
		return "missing";
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "text";
	case JSON_INTEGER:
	case JSON_REAL:
		return "a number";
	case JSON_NULL:
		return "null";
	default:
		return "true or false";
	}
}

static const json_t *member(const struct field *at, const char *name)
{
	return json_object_get(at->object, name);
}

static void expected(const struct field *at, const char *name, const char *what)
{
	if (member(at, name))
		field_complain(at, name, "%s is expected, not %s", what,
			       type_name(member(at, name)));
	else
		field_complain(at, name, "is missing; %s is expected", what);
}

const char *field_text(const struct field *at, const char *name)
{
	const json_t *value = member(at, name);

	if (json_is_string(value))
		return json_string_value(value);
	expected(at, name, "text");
	return "";
}

int64_t field_integer(const struct field *at, const char *name)
{
	const json_t *value = member(at, name);

	if (!json_is_integer(value))
		expected(at, name, "a whole number");
	return json_integer_value(value);
}

bool field_boolean(const struct field *at, const char *name)
{
	const json_t *value = member(at, name);

	if (!json_is_boolean(value))
		expected(at, name, "true or false");
	return json_is_true(value);
}

double field_number(const struct field *at, const char *name)
{
	const json_t *value = member(at, name);

	if (!json_is_number(value))
		expected(at, name, "a number");
	else if (fabs(json_number_value(value)) > FIELD_LARGEST)
		field_complain(at, name, "%g is out of range", json_number_value(value));
	return json_number_value(value);
}

struct field field_object(const struct field *at, const char *name)
{
	struct field inner = *at;

	inner.object = member(at, name);
	if (!json_is_object(inner.object))
		expected(at, name, "an object");
	set_where(&inner, "%s%s.", at->where, name);
	return inner;
}

const json_t *field_array(const struct field *at, const char *name)
{
	const json_t *value = member(at, name);

	if (!json_is_array(value))
		expected(at, name, "an array");
	return value;
}

bool field_has(const struct field *at, const char *name)
{
	return member(at, name) && !json_is_null(member(at, name));
}

const char *field_optional_text(const struct field *at, const char *name)
{
	return field_has(at, name) ? field_text(at, name) : "";
}

struct field field_element(const struct field *at, const char *name, const json_t *array,
			   size_t index)
{
	struct field element = *at;

	element.object = json_array_get(array, index);
	set_where(&element, "%s%s[%zu].", at->where, name, index);
	if (!json_is_object(element.object)) {
		warnx("%s: %s%s[%zu]: an object is expected, not %s", at->file, at->where, name,
		      index, type_name(element.object));
		*at->bad = true;
	}
	return element;
}
