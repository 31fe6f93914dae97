/* SPDX-License-Identifier: BSD-3-Clause */
/* Command lines from their description, by way of argp. */

#include "options.h"

#include <argp.h>
#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

struct parsing {
	const struct command_line *line;
	const char **values;
	unsigned int nvalues, wanted, most;
};

bool read_number(const char *text, uint64_t *value, char **end)
{
	bool hex = !strncasecmp(text, "0x", 2);

	if (!isdigit((unsigned char)text[0]))
		return false;
	errno = 0;
	*value = strtoull(text, end, hex ? 16 : 10);
	return errno == 0;
}

bool read_size(const char *text, uint64_t *bytes, char **end)
{
	static const char units[] = "KMGT";
	const char *unit;

	if (!read_number(text, bytes, end))
		return false;
	unit = **end ? strchr(units, toupper((unsigned char)**end)) : NULL;
	if (!unit)
		return true;
	*end += strncasecmp(*end + 1, "iB", 2) ? 1 : 3;
	for (; unit >= units; unit--)
		if (__builtin_mul_overflow(*bytes, 1024, bytes))
			return false;
	return true;
}

bool is_number(const char *text)
{
	uint64_t value;
	char *end;

	return read_number(text, &value, &end) && !*end;
}

uint64_t parse_number(const char *what, const char *text, uint64_t least, uint64_t most)
{
	uint64_t value;
	char *end;

	if (!read_number(text, &value, &end) || *end || value < least || value > most)
		errx(CLI_USAGE, "%s %s: it takes a number from %" PRIu64 " to %" PRIu64, what, text,
		     least, most);
	return value;
}

static uint64_t parse_size(const char *what, const char *text, uint64_t least, uint64_t most)
{
	uint64_t value;
	char *end;

	if (!read_size(text, &value, &end) || *end || value < least || value > most)
		errx(CLI_USAGE,
		     "%s %s: it takes bytes, from %" PRIu64 " to %" PRIu64 ", as 4096, 64K or 1G",
		     what, text, least, most);
	return value;
}

/* Not "nan", which is in no range. */
static double parse_real(const char *what, const char *text, uint64_t most)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value >= 0 && value <= (double)most))
		errx(CLI_USAGE, "%s %s: it takes a number from 0 to %" PRIu64, what, text, most);
	return value;
}

uint64_t parse_choice(const char *what, const char *text, const struct choice *choices,
		      uint64_t most)
{
	uint64_t value;
	char *end;

	for (const struct choice *c = choices; c->name; c++)
		if (!strcmp(c->name, text))
			return c->value;
	if (most && read_number(text, &value, &end) && !*end && value <= most)
		return value;
	fprintf(stderr, "%s: %s %s: it takes", program_invocation_short_name, what, text);
	for (const struct choice *c = choices; c->name; c++)
		fprintf(stderr, "%s %s", c == choices ? "" : c[1].name ? "," : " or", c->name);
	if (most)
		fprintf(stderr, ", or a number up to %#" PRIx64, most);
	fprintf(stderr, "\n");
	exit(CLI_USAGE);
}

const char *choice_name(const struct choice *choices, uint64_t value)
{
	for (; choices->name; choices++)
		if (choices->value == value)
			return choices->name;
	return NULL;
}

static void take(const struct option_spec *o, const char *arg)
{
	char what[64];

	snprintf(what, sizeof(what), "--%s", o->name);
	switch (o->kind) {
	case OPTION_FLAG:
		*(bool *)o->target = true;
		break;
	case OPTION_NUMBER:
		*(uint64_t *)o->target = parse_number(what, arg, o->least, o->most);
		break;
	case OPTION_SIZE:
		*(uint64_t *)o->target = parse_size(what, arg, o->least, o->most);
		break;
	case OPTION_CHOICE:
		*(uint64_t *)o->target = parse_choice(what, arg, o->choices, o->most);
		break;
	case OPTION_REAL:
		*(double *)o->target = parse_real(what, arg, o->most);
		break;
	default:
		*(const char **)o->target = arg;
	}
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct parsing *p = state->input;

	for (const struct option_spec *o = p->line->options; o->kind != OPTION_END; o++) {
		if (o->key == key) {
			take(o, arg);
			return 0;
		}
	}
	switch (key) {
	case ARGP_KEY_ARG:
		if (p->nvalues == p->most)
			argp_error(state, "\"%s\" is one argument too many", arg);
		p->values[p->nvalues++] = arg;
		return 0;
	case ARGP_KEY_END:
		if (p->nvalues + 1 < p->wanted)
			argp_error(state, "%s", p->line->first_question);
		if (p->nvalues < p->wanted)
			argp_error(state, "which device? Name one as 0000:00:04.0; barrage list "
					  "shows them");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static unsigned int count_words(const char *words)
{
	unsigned int n = !!words;

	for (; words && *words; words++)
		n += *words == ' ';
	return n;
}

unsigned int parse_line(const struct command_line *line, int argc, char **argv, const char **values)
{
	struct argp_option options[MOST_OPTIONS + 1] = {0};
	const struct argp argp = {options, parse, line->arguments, line->doc, NULL, NULL, NULL};
	struct parsing p = {line, values, 0, count_words(line->arguments), 0};

	p.most = p.wanted && strstr(line->arguments, "...") ? MOST_ARGUMENTS : p.wanted;
	for (int i = 0; line->options[i].kind != OPTION_END; i++)
		options[i] = (struct argp_option){
			.name = line->options[i].name,
			.key = line->options[i].key,
			.arg = line->options[i].arg,
			.doc = line->options[i].doc,
		};
	argp_parse(&argp, argc, argv, 0, NULL, &p);
	return p.nvalues;
}
