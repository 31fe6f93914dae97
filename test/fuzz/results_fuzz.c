/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Result files as anybody may make them up, through all that barrage-dash add reads them with. What
 * it accepts must be fit for the store: a series that is named, with numbers that are numbers.
 */

#include "fuzz.h"

#include <math.h>
#include <string.h>

#include "batch.h"
#include "ingest.h"

static void judge(const struct batch *batch)
{
	must(batch->nmeasurements > 0);
	must(batch->machine && batch->commit && json_is_object(batch->provenance));
	for (size_t i = 0; i < batch->nmeasurements; i++) {
		const struct measurement *m = &batch->measurements[i];

		must(strlen(m->fingerprint) == FINGERPRINT_SIZE - 1);
		must(m->nrepetitions > 0);
		for (size_t r = 0; r < m->nrepetitions; r++)
			must(isfinite(m->repetitions[r]));
		must(isfinite(measurement_value(m)));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ingest_options options;
	struct batch batch = {0};

	if (ingest_text("input", (const char *)data, size, &options, &batch) == 0)
		judge(&batch);
	batch_free(&batch);
	return 0;
}
