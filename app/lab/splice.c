/* SPDX-License-Identifier: BSD-3-Clause */
/* Put a handler's functions in the place of the kernel's. */

#include <ctype.h>
#include <err.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "splice.h"
#include "text.h"

/* The names after "Replaces:", separated by blanks. */
static char *replaced_names(const char *handler)
{
	static const char tag[] = " * Replaces: ";
	const char *line = strstr(handler, tag);

	if (!line) {
		warnx("the handler does not say which functions it replaces");
		return NULL;
	}
	line += strlen(tag);
	return format("%.*s", (int)strcspn(line, "\n"), line);
}

/* Whether @at, in a line that starts in column 0, is the name in a function's definition. */
static bool is_definition(const char *at, size_t len)
{
	const char *brace, *semicolon;

	if (at[len] != '(' || isalnum((unsigned char)at[-1]) || at[-1] == '_')
		return false;
	brace = strstr(at, "\n{\n");
	semicolon = strchr(at, ';');
	return brace && (!semicolon || brace < semicolon);
}

/* Where the definition starts and ends (after its newline); false when there is none. */
static bool find_function(const char *source, const char *name, const char **start,
			  const char **end)
{
	size_t len = strlen(name);

	for (const char *at = strstr(source, name); at; at = strstr(at + 1, name)) {
		const char *line = at;

		while (line > source && line[-1] != '\n')
			line--;
		if (line == at || isspace((unsigned char)*line) || !is_definition(at, len))
			continue;
		*start = line;
		*end = strstr(at, "\n}\n");
		if (!*end)
			return false;
		*end += 3;
		return true;
	}
	return false;
}

char *splice(const char *source, const char *handler, const char *include)
{
	char *names = replaced_names(handler), *rest = names;
	char *text = names ? format("%s", source) : NULL;
	size_t place = 0;

	for (char *name = strsep(&rest, " "); text && name; name = strsep(&rest, " ")) {
		const char *start, *end;
		char *without;

		if (!find_function(text, name, &start, &end)) {
			warnx("the kernel's source has no function %s to replace", name);
			free(text);
			text = NULL;
			break;
		}
		place = (size_t)(start - text);
		without = format("%.*s%s", (int)place, text, end);
		free(text);
		text = without;
	}
	if (text) {
		char *whole =
			format("%.*s#include \"%s\"\n%s", (int)place, text, include, text + place);

		free(text);
		text = whole;
	}
	free(names);
	return text;
}
