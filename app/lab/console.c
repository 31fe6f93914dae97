/* SPDX-License-Identifier: BSD-3-Clause */
/* The console recogniser. */

#include <stdio.h>
#include <string.h>

#include "console.h"

/* What the kernel says when it stops, and where the words worth keeping begin. */
static const struct {
	const char *start;
	size_t keep_from;
} oopses[] = {
	{"BUG: unable to handle ", 5},	      {"BUG: kernel NULL pointer dereference", 5},
	{"general protection fault", 0},      {"watchdog: BUG: soft lockup", 10},
	{"Kernel panic - not syncing: ", 28},
};

static void copy(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from);
}

static void recognise(struct console *c, const char *line)
{
	static const char bug[] = "kernel BUG at ";
	const char *found = strstr(line, bug);

	if (found && !c->bug_at[0]) {
		copy(c->bug_at, sizeof(c->bug_at), found + strlen(bug));
		c->bug_at[strcspn(c->bug_at, "! ")] = '\0';
	}
	/* The first is the cause; what follows ("Fatal exception") only tells that it was fatal. */
	for (size_t i = 0; !c->panic[0] && i < sizeof(oopses) / sizeof(oopses[0]); i++) {
		found = strstr(line, oopses[i].start);
		if (found)
			copy(c->panic, sizeof(c->panic), found + oopses[i].keep_from);
	}
}

static void end_line(struct console *c)
{
	c->line[c->len] = '\0';
	if (c->len) {
		recognise(c, c->line);
		memcpy(c->tail[c->nlines++ % 8], c->line, c->len + 1);
	}
	c->len = 0;
}

void console_feed(struct console *c, const char *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (data[i] == '\n')
			end_line(c);
		else if (data[i] != '\r' && c->len < sizeof(c->line) - 1)
			c->line[c->len++] = data[i];
	}
}
