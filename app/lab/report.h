/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LAB_REPORT_H
#define LAB_REPORT_H

/*
 * Where the results of a command go besides the terminal: a JSON file, and a folder with the table,
 * the JSON, the raw records and a picture, each named after the command.
 */

#include <argp.h>
#include <jansson.h>
#include <stdio.h>

struct report {
	const char *command; /* "compare" */
	const char *json;    /* --json; NULL: not asked for */
	const char *folder;  /* --report; NULL: not asked for */
	FILE *raw[2];	     /* a line of JSON for each record: beside the file, in the folder */
};

/** The options --json and --report, for a command's argp to have as a child; input: the report. */
extern const struct argp report_argp;

/**
 * Make the folder and open the files of raw records: before the work, so that a path that cannot be
 * written is known then. 0, or -1 after a message; report_close() in any case.
 */
int report_open(struct report *r);

/** A record that a guest streamed out, with what it was measured under. */
void report_raw(const struct report *r, json_t *record, const char *handler, const char *kernel);

/**
 * Write the result, and the table once more as a file.
 * @param print  writes the table; called for stdout, too.
 * @param draw   draws the picture into a file, 0 or -1 after a message; NULL: there is none.
 * @return 0, or -1 after a message; the result's reference is taken over.
 */
int report_write(const struct report *r, json_t *result, void (*print)(const void *arg, FILE *out),
		 int (*draw)(const void *arg, const char *path), const void *arg);

void report_close(struct report *r);

#endif
