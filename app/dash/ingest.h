/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DASH_INGEST_H
#define DASH_INGEST_H

#include "batch.h"
#include "field.h"

/** What the user says about a file; wins over what is in it. */
struct ingest_options {
	const char *commit, *machine; /* NULL: as the file says */
};

/**
 * Read a result file of any format that is known.
 * @param batch  zeroed; to be freed with batch_free() in any case.
 * @return 0, or -1 after a message with the line or the field that is wrong.
 */
int ingest_file(const char *path, const struct ingest_options *options, struct batch *batch);

/** The same of what was read already; @p path is for messages. */
int ingest_text(const char *path, const char *text, size_t size,
		const struct ingest_options *options, struct batch *batch);

/** What a file is known by in the store. 0, or -1 after a message. */
int ingest_hash(const char *path, char hash[65]);

/* The formats: take all that @p top has to say into the batch. Mistakes are told through @p top. */

void ingest_google_benchmark(const struct field *top, struct batch *batch);
void ingest_compare(const struct field *top, struct batch *batch);
void ingest_matrix(const struct field *top, struct batch *batch);
void ingest_cost(const struct field *top, struct batch *batch);
void ingest_perf(const struct field *top, struct batch *batch);
void ingest_marks(const struct field *top, struct batch *batch);

/* For the formats. */

/** The member "date", in seconds since the epoch; 0 where there is none, or after a complaint. */
int64_t ingest_date(const struct field *at);

/**
 * Who measured and when: what the batch knows of that already stays. All scalar members of
 * @p context become provenance.
 * @param name_member  of @p context: the name of the CPU or of the machine.
 * @param cpus_member  of @p context: how many CPUs.
 */
void ingest_context(const struct field *context, const char *name_member, const char *cpus_member,
		    struct batch *batch);

#endif
