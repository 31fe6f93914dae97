/* SPDX-License-Identifier: BSD-3-Clause */
/* Find the mark at the end of a stream that arrives in pieces. */

#include <err.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "ending.h"

#define FIRST '\x1d' /* ASCII's group separator; hexadecimal digits follow */

void ending_choose(char mark[ENDING_MARK])
{
	unsigned char random[(ENDING_MARK - 2) / 2];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		err(1, "getrandom");
	mark[0] = FIRST;
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(mark + 1 + 2 * i, 3, "%02x", random[i]);
}

static void pass(struct ending *e, const char *data, size_t size)
{
	if (size && e->pass)
		e->pass(e->arg, data, size);
}

void ending_close(struct ending *e)
{
	if (!e->seen)
		pass(e, e->mark, e->matched);
	e->matched = 0;
}

/* How many bytes at the start of @p data go on with the mark from where it was. */
static size_t match(struct ending *e, const char *data, size_t size)
{
	size_t n = 0;

	while (n < size && e->mark[e->matched] && data[n] == e->mark[e->matched]) {
		e->matched++;
		n++;
	}
	e->seen = !e->mark[e->matched];
	return n;
}

/* The first byte is in the mark once: where a match breaks off, none has begun within it. */
void ending_feed(struct ending *e, const char *data, size_t size)
{
	while (size && !e->seen) {
		const char *start;
		size_t n = match(e, data, size);

		data += n;
		size -= n;
		if (!size || e->seen)
			return;
		ending_close(e);
		start = memchr(data, e->mark[0], size);
		n = start ? (size_t)(start - data) : size;
		pass(e, data, n);
		data += n;
		size -= n;
	}
}
