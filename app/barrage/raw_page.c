/* SPDX-License-Identifier: BSD-3-Clause */
/* A page in any of its three forms, and those of pages that nobody has described. */

#include <string.h>

#include "brg_nvme.h"
#include "commands.h"
#include "pages.h"

json_t *raw_json(const struct page_of *p)
{
	const uint8_t *bytes = p->page;
	json_t *array = json_array();

	for (size_t i = 0; i < p->len; i++)
		json_array_append_new(array, json_integer(bytes[i]));
	return json_pack("{s:o}", "data", array);
}

static bool same_as_before(const uint8_t *line, size_t at, size_t len)
{
	return at >= 16 && at + 16 < len && !memcmp(line, line - 16, 16);
}

/* As hexdump does: lines like the one before are a single star. */
void raw_print(FILE *out, const struct page_of *p)
{
	const uint8_t *bytes = p->page;
	bool star = false;

	for (size_t at = 0; at < p->len; at += 16) {
		if (same_as_before(bytes + at, at, p->len)) {
			if (!star)
				fprintf(out, "*\n");
			star = true;
			continue;
		}
		star = false;
		fprintf(out, "%04zx:", at);
		for (size_t i = at; i < at + 16 && i < p->len; i++)
			fprintf(out, " %02x", bytes[i]);
		fprintf(out, "\n");
	}
}

int page_show(const struct page_of *p, page_json json, page_print print, bool as_json, bool as_is)
{
	if (as_json)
		return print_json(json(p));
	if (as_is)
		fwrite(p->page, p->len, 1, stdout);
	else
		print(stdout, p);
	return 0;
}
