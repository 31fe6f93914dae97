/* SPDX-License-Identifier: BSD-3-Clause */
/* Put a handler's definitions in the place of the kernel's. */

#include <ctype.h>
#include <err.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "splice.h"
#include "text.h"

/* A file on its way to become another one. */
struct file {
	const char *handler;
	char *text;
	size_t after; /* how much of the text follows the last definition that was changed */
	bool changed;
};

/* "static int f(int a)\n{\n…\n}\n" or "static struct s v = {\n…\n};\n" in a text. */
struct definition {
	const char *start, *name, *body, *end;
};

/* Whether @at, in a line that starts in column 0, is the name in a definition: set its body. */
static bool has_body(const char *at, size_t len, const char **body)
{
	const char *semicolon = strchr(at, ';');

	if (isalnum((unsigned char)at[-1]) || at[-1] == '_')
		return false;
	if (at[len] == '(')
		*body = strstr(at, "\n{\n");
	else if (!strncmp(at + len, " = {\n", 5))
		*body = at + len;
	else
		return false;
	return *body && (!semicolon || *body < semicolon);
}

static bool find(const char *text, const char *name, struct definition *d)
{
	size_t len = strlen(name);

	for (const char *at = strstr(text, name); at; at = strstr(at + 1, name)) {
		const char *line = at, *end;

		while (line > text && line[-1] != '\n')
			line--;
		if (line == at || isspace((unsigned char)*line) || !has_body(at, len, &d->body))
			continue;
		end = strstr(d->body, "\n}");
		if (!end)
			return false;
		d->start = line;
		d->name = at;
		d->end = end + strcspn(end + 1, "\n") + 2;
		return true;
	}
	return false;
}

/* What declares it. */
static char *declaration(const struct definition *d)
{
	return format("%.*s;\n", (int)(d->body - d->start), d->start);
}

/* Put another text in the place of a definition of file->text. */
static void put(struct file *file, const struct definition *d, const char *instead)
{
	size_t after = strlen(d->end);
	char *text = format("%.*s%s%s", (int)(d->start - file->text), file->text, instead, d->end);

	free(file->text);
	file->text = text;
	if (after < file->after)
		file->after = after;
	file->changed = true;
}

static bool replace(struct file *file, const char *name)
{
	struct definition d, anew;
	char *instead;

	if (!find(file->text, name, &d))
		return false;
	instead = find(file->handler, name, &anew) ? declaration(&d) : format("%s", "");
	put(file, &d, instead);
	free(instead);
	return true;
}

static bool wrap(struct file *file, const char *name)
{
	static const char keyword[] = "static ";
	struct definition d;
	char *declared, *instead;
	bool is_static;

	if (!find(file->text, name, &d))
		return false;
	declared = declaration(&d);
	is_static = !strncmp(d.start, keyword, strlen(keyword));
	instead = format("%s%s%.*sstock_%.*s", declared, is_static ? "" : keyword,
			 (int)(d.name - d.start), d.start, (int)(d.end - d.name), d.name);
	put(file, &d, instead);
	free(declared);
	free(instead);
	return true;
}

/* Change the definition of each name in the handler's lines that start with the tag. */
static bool change(struct file *file, const char *tag, bool (*how)(struct file *, const char *))
{
	for (const char *line = strstr(file->handler, tag); line; line = strstr(line + 1, tag)) {
		const char *list = line + strlen(tag);
		char *names = format("%.*s", (int)strcspn(list, "\n"), list), *rest = names;
		bool ok = true;

		for (char *name = strsep(&rest, " "); ok && name; name = strsep(&rest, " ")) {
			ok = how(file, name);
			if (!ok)
				warnx("the kernel's source has no definition of %s to change",
				      name);
		}
		free(names);
		if (!ok)
			return false;
	}
	return true;
}

char *splice(const char *source, const char *handler, const char *include)
{
	struct file file = {
		.handler = handler,
		.text = format("%s", source),
		.after = strlen(source),
	};
	size_t place;
	char *whole;

	if (!change(&file, " * Replaces: ", replace) || !change(&file, " * Wraps: ", wrap)) {
		free(file.text);
		return NULL;
	}
	if (!file.changed) {
		warnx("the handler does not say which functions it replaces");
		free(file.text);
		return NULL;
	}
	place = strlen(file.text) - file.after;
	whole = format("%.*s#include \"%s\"\n%s", (int)place, file.text, include,
		       file.text + place);
	free(file.text);
	return whole;
}
