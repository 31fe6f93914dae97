/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BARRAGE_OPTIONS_H
#define BARRAGE_OPTIONS_H

/*
 * Command lines that are described, not programmed: each option names the variable it sets and the
 * range it takes, so that every mistake gets the same sentence.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_kind {
	OPTION_END,
	OPTION_FLAG,   /* target: bool */
	OPTION_NUMBER, /* target: uint64_t; decimal or 0x…; least to most */
	OPTION_SIZE,   /* target: uint64_t, bytes; K, M, G or T behind it are powers of 1024 */
	OPTION_TEXT,   /* target: const char * */
	OPTION_CHOICE, /* target: uint64_t; one of choices by name, or its number */
	OPTION_REAL,   /* target: double; 0 to most */
};

struct choice {
	const char *name; /* NULL ends the list */
	uint64_t value;
};

struct option_spec {
	const char *name;
	int key; /* a letter, or a number above 255 of the command's own */
	const char *arg;
	const char *doc;
	enum option_kind kind;
	void *target;
	uint64_t least, most;
	const struct choice *choices;
};

/** Number of options that a command has at most, and of arguments. */
#define MOST_OPTIONS   24
#define MOST_ARGUMENTS 64

struct command_line {
	const char *doc;       /* for --help; after \v come the examples */
	const char *arguments; /* "PAGE BDF"; the last one is the device's address, "BDF..." those
				  of one device or more; NULL: none */
	const char *first_question; /* when the argument before the device is missing */
	const struct option_spec *options;
};

/**
 * Parse a command line; a mistake ends the program with a sentence.
 * @param values  set to the arguments: as many as @p line->arguments has words, or of
 *                "BDF..." up to MOST_ARGUMENTS.
 * @return how many there are.
 */
unsigned int parse_line(const struct command_line *line, int argc, char **argv,
			const char **values);

/*
 * Numbers are read in one way everywhere: decimal, with zeroes in front or not, or hexadecimal with
 * 0x. Both of these set @p end to what comes after it. @return whether there was one.
 */
bool read_number(const char *text, uint64_t *value, char **end);

/** The same of a size, whose unit, K, M, G or T, may be in front of "iB". */
bool read_size(const char *text, uint64_t *bytes, char **end);

/** Whether it is a number as those below are written: decimal, or hexadecimal with 0x. */
bool is_number(const char *text);

/** A number in a range, or the end of the program; @p what is named in the sentence. */
uint64_t parse_number(const char *what, const char *text, uint64_t least, uint64_t most);

/**
 * The value of a name in a list, or of a number up to @p most, none if that is 0; ends the program
 * if it is neither.
 */
uint64_t parse_choice(const char *what, const char *text, const struct choice *choices,
		      uint64_t most);

/** The name of a value, or NULL. */
const char *choice_name(const struct choice *choices, uint64_t value);

/* One option each: its name, its letter, what its argument is called, and its help. */
#define FLAG(name, key, doc, target)                                  \
	{                                                             \
		name, key, NULL, doc, OPTION_FLAG, target, 0, 0, NULL \
	}
#define TEXT(name, key, arg, doc, target)                            \
	{                                                            \
		name, key, arg, doc, OPTION_TEXT, target, 0, 0, NULL \
	}
#define NUMBER(name, key, arg, doc, target, least, most)                      \
	{                                                                     \
		name, key, arg, doc, OPTION_NUMBER, target, least, most, NULL \
	}
#define SIZE(name, key, arg, doc, target, least, most)                      \
	{                                                                   \
		name, key, arg, doc, OPTION_SIZE, target, least, most, NULL \
	}
#define CHOICE(name, key, arg, doc, target, most, choices)                   \
	{                                                                    \
		name, key, arg, doc, OPTION_CHOICE, target, 0, most, choices \
	}

#define REAL(name, key, arg, doc, target, most)                         \
	{                                                               \
		name, key, arg, doc, OPTION_REAL, target, 0, most, NULL \
	}

#define JSON_FLAG(target) FLAG("json", 'j', "print JSON", target)
#define YES_FLAG(target)  FLAG("yes", 'y', "do not ask before data is destroyed", target)
#define NSID_NUMBER(target) \
	NUMBER("namespace-id", 'n', "N", "namespace (default 1)", target, 1, UINT32_MAX)

#endif
