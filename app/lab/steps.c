/* SPDX-License-Identifier: BSD-3-Clause */
/* The language of steps: "when TEXT unplug", and what QMP is to be told for each. */

#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "steps.h"
#include "text.h"

/* Out of memory ends the program, here as in format(). */
static json_t *made(json_t *json)
{
	if (!json)
		errx(1, "no memory for a step");
	return json;
}

static void command(struct step *step, const char *name, json_t *arguments)
{
	json_array_append_new(step->commands, made(json_pack("{s:s, s:o}", "execute", name,
							     "arguments", made(arguments))));
}

/* What each action makes of the words behind it; false: it cannot use them. */

static bool unplug(struct step *step, char *words)
{
	command(step, "device_del", json_pack("{s:s}", "id", STEPS_CONTROLLER));
	step->until_removed = true;
	return !*words;
}

/*
 * QEMU's controller does not bear to go while it works: requests that are completed and not posted
 * yet keep it, and its disk, forever, or it crashes. To stop the machine is to wait for requests;
 * to stop it again, for those that they made room for. The guest sees none of that: what it submits
 * after it, nobody takes.
 */
static bool yank(struct step *step, char *words)
{
	for (int i = 0; i < 4; i++)
		command(step, "stop", json_object());
	command(step, "cont", json_object());
	step->yank = true;
	step->until_removed = true;
	return !*words;
}

static bool plug(struct step *step, char *words)
{
	command(step, "device_add",
		json_pack("{s:s, s:s, s:s, s:s, s:s}", "driver", "nvme", "id", STEPS_CONTROLLER,
			  "serial", "barrage", "drive", STEPS_DISK, "bus", STEPS_SLOT));
	return !*words;
}

/* 0: no limit. */
static void throttle(struct step *step, int bytes_per_second, int commands_per_second)
{
	command(step, "block_set_io_throttle",
		json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:i}", "id", STEPS_CONTROLLER, "bps",
			  bytes_per_second, "bps_rd", 0, "bps_wr", 0, "iops", commands_per_second,
			  "iops_rd", 0, "iops_wr", 0));
}

/* At a byte a second a command takes minutes. */
static bool stall(struct step *step, char *words)
{
	throttle(step, 1, 0);
	return !*words;
}

static bool slow(struct step *step, char *words)
{
	char *end;
	long rate = strtol(words, &end, 10);

	throttle(step, 0, (int)rate);
	return isdigit((unsigned char)*words) && !*end && rate > 0 && rate <= 1000000;
}

static bool resume(struct step *step, char *words)
{
	throttle(step, 0, 0);
	return !*words;
}

/* The disk that the controller has, from now on. */
static void use_disk(struct step *step, const char *node)
{
	command(step, "qom-set",
		json_pack("{s:s, s:s, s:s}", "path", "/machine/peripheral/" STEPS_CONTROLLER,
			  "property", "drive", "value", node));
}

/* A filter before the disk: "read", or "read 1234" for those that touch that sector of 512 bytes.
 */
static bool fail(struct step *step, char *words)
{
	char *kind = strsep(&words, " \t"), *end = words, *node;
	unsigned long long sector = 0;
	json_t *rule;

	if (strcmp(kind, "read") != 0 && strcmp(kind, "write") != 0 && strcmp(kind, "flush") != 0)
		return false;
	if (words) {
		errno = 0;
		sector = strtoull(words, &end, 10);
		if (!isdigit((unsigned char)*words) || *end || errno || sector > INT64_MAX)
			return false;
	}
	rule = made(json_pack("{s:s, s:s, s:i}", "event", "none", "iotype", kind, "errno", EIO));
	if (words)
		json_object_set_new(rule, "sector", json_integer((json_int_t)sector));
	node = format("failing%u", step->line);
	command(step, "blockdev-add",
		json_pack("{s:s, s:s, s:s, s:[o]}", "driver", "blkdebug", "node-name", node,
			  "image", STEPS_DISK, "inject-error", rule));
	use_disk(step, node);
	free(node);
	return true;
}

static bool heal(struct step *step, char *words)
{
	use_disk(step, STEPS_DISK);
	return !*words;
}

/* Any command, as it is in QEMU's QMP reference: a name, and an object if it takes arguments. */
static bool qmp(struct step *step, char *words)
{
	char *name = strsep(&words, " \t");
	json_t *arguments = words ? json_loads(words, JSON_REJECT_DUPLICATES, NULL) : json_object();

	if (!*name || !json_is_object(arguments)) {
		json_decref(arguments);
		return false;
	}
	command(step, name, arguments);
	return true;
}

static const struct {
	const char *name;
	bool (*parse)(struct step *step, char *words);
	const char *words; /* that it takes */
} actions[] = {
	{"unplug", unplug, "no more words"},
	{"yank", yank, "no more words"},
	{"plug", plug, "no more words"},
	{"stall", stall, "no more words"},
	{"slow", slow, "commands per second, from 1 to 1000000"},
	{"resume", resume, "no more words"},
	{"fail", fail, "read, write or flush, and perhaps a sector's number"},
	{"heal", heal, "no more words"},
	{"qmp", qmp, "a command, and perhaps its arguments as a JSON object"},
};

static const char *parse_action(struct step *step, char *words)
{
	char *rest = words;

	step->name = format("%s", strsep(&rest, " \t"));
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (strcmp(step->name, actions[i].name) != 0)
			continue;
		rest = rest ? rest + strspn(rest, " \t") : words + strlen(words);
		return actions[i].parse(step, rest) ? NULL : actions[i].words;
	}
	return "unplug, yank, plug, stall, slow, resume, fail, heal or qmp";
}

/* When, and the words behind it; else what was expected. */
static const char *parse_when(struct step *step, char *words, char **rest)
{
	char *kind = strsep(&words, " \t"), *end;

	words = words ? words + strspn(words, " \t") : kind + strlen(kind);
	if (!strcmp(kind, "when")) {
		step->when = STEP_WHEN;
		end = *words == '"' ? strchr(words + 1, '"') : NULL;
		if (!end || end == words + 1)
			return "a text in double quotes after when";
		*end++ = '\0';
		step->text = format("%s", words + 1);
	} else if (!strcmp(kind, "at") || !strcmp(kind, "after")) {
		step->when = !strcmp(kind, "at") ? STEP_AT : STEP_AFTER;
		step->seconds = strtod(words, &end);
		if (!isdigit((unsigned char)*words) || !(step->seconds <= 86400))
			return "seconds after at and after";
	} else {
		return "at SECONDS, after SECONDS or when \"TEXT\"";
	}
	if (*end != ' ' && *end != '\t')
		return "what to do, behind a blank";
	*rest = end + strspn(end, " \t");
	return NULL;
}

static bool parse_line(struct steps *steps, unsigned int number, char *line)
{
	struct step *step;
	const char *expected;
	char *rest;

	line += strspn(line, " \t");
	line[strcspn(line, "\n")] = '\0';
	for (size_t len = strlen(line); len && isspace((unsigned char)line[len - 1]); len--)
		line[len - 1] = '\0';
	if (!*line || *line == '#')
		return true;

	steps->list = realloc(steps->list, (steps->count + 1) * sizeof(*steps->list));
	if (!steps->list)
		err(1, "steps");
	step = &steps->list[steps->count++];
	*step = (struct step){.line = number, .commands = made(json_array())};
	expected = parse_when(step, line, &rest);
	if (!expected)
		expected = parse_action(step, rest);
	steps->yank |= step->yank;
	if (expected)
		warnx("%s:%u: \"%s\": expected is %s", steps->path, number,
		      step->name ? step->name : line, expected);
	return !expected;
}

struct steps *steps_load(const char *path)
{
	struct steps *steps = calloc(1, sizeof(*steps));
	FILE *file = fopen(path, "re");
	unsigned int number = 0;
	char *line = NULL;
	bool right = true;
	size_t size = 0;

	if (!steps)
		err(1, "steps");
	steps->path = format("%s", path);
	if (!file) {
		warn("%s", path);
		steps_free(steps);
		return NULL;
	}
	while (right && getline(&line, &size, file) >= 0)
		right = parse_line(steps, ++number, line);
	if (right && ferror(file)) {
		warn("%s", path);
		right = false;
	}
	free(line);
	fclose(file);
	if (right)
		return steps;
	steps_free(steps);
	return NULL;
}

void steps_free(struct steps *steps)
{
	if (!steps)
		return;
	for (size_t i = 0; i < steps->count; i++) {
		free(steps->list[i].text);
		free(steps->list[i].name);
		json_decref(steps->list[i].commands);
	}
	free(steps->list);
	free(steps->path);
	free(steps);
}
