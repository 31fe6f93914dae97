/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DASH_BATCH_H
#define DASH_BATCH_H

/*
 * What a file holds, before it goes into the store: one run, and a measurement for each series that
 * it adds to.
 */

#include <jansson.h>

#include "store.h"

#define FINGERPRINT_SIZE 17 /* hex digits and a terminator */

struct measurement {
	char fingerprint[FINGERPRINT_SIZE];
	char *benchmark, *parameters, *handler, *metric, *kernel;
	const char *unit; /* not owned */
	enum better better;
	bool exact;
	double *repetitions;
	size_t nrepetitions;
	int64_t measured; /* 0: when the run was; otherwise the same result may come again */
	char *histogram;  /* NULL: none */
};

struct batch {
	char hash[65];	    /* SHA-256 of the file, in hex */
	const char *format; /* not owned */
	int64_t measured;
	char *commit, *machine;
	json_t *provenance;
	struct measurement *measurements;
	size_t nmeasurements;
};

/** What batch_add() is told of a measurement. */
struct sample {
	const char *benchmark;
	json_t *parameters; /* an object; released by batch_add() */
	const char *handler, *metric, *kernel, *unit;
	enum better better;
	bool exact;
	const double *values; /* at least one */
	size_t n;
	int64_t measured;	 /* as above */
	const json_t *histogram; /* NULL: none */
};

/**
 * Add a measurement; one of the same series that is there already gets the values as further
 * repetitions. The batch's machine must be known before. All is copied.
 */
void batch_add(struct batch *batch, const struct sample *sample);

void batch_free(struct batch *batch);

/** The number that stands for a measurement: see struct result. */
double measurement_value(const struct measurement *m);

#endif
