/* SPDX-License-Identifier: BSD-3-Clause */
/* A file's measurements, gathered by series. */

#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "fingerprint.h"
#include "stats.h"
#include "text.h"

static void add_values(struct measurement *m, const double *values, size_t n)
{
	m->repetitions = realloc(m->repetitions, (m->nrepetitions + n) * sizeof(*values));
	if (!m->repetitions)
		err(1, NULL);
	memcpy(m->repetitions + m->nrepetitions, values, n * sizeof(*values));
	m->nrepetitions += n;
}

static void measurement_free(struct measurement *m)
{
	free(m->benchmark);
	free(m->parameters);
	free(m->handler);
	free(m->metric);
	free(m->kernel);
	free(m->repetitions);
	free(m->histogram);
}

static struct measurement *find(const struct batch *batch, const char *fingerprint)
{
	for (size_t i = 0; i < batch->nmeasurements; i++)
		if (!strcmp(batch->measurements[i].fingerprint, fingerprint))
			return &batch->measurements[i];
	return NULL;
}

static struct measurement *append(struct batch *batch, const struct measurement *m)
{
	size_t n = batch->nmeasurements++;

	batch->measurements =
		realloc(batch->measurements, batch->nmeasurements * sizeof(*batch->measurements));
	if (!batch->measurements)
		err(1, NULL);
	batch->measurements[n] = *m;
	return &batch->measurements[n];
}

void batch_add(struct batch *batch, const struct sample *sample)
{
	struct measurement m = {
		.benchmark = format("%s", sample->benchmark),
		.parameters = json_dumps(sample->parameters, JSON_COMPACT | JSON_SORT_KEYS),
		.handler = format("%s", sample->handler),
		.metric = format("%s", sample->metric),
		.kernel = format("%s", sample->kernel),
		.unit = sample->unit,
		.better = sample->better,
		.exact = sample->exact,
		.measured = sample->measured,
		.histogram = sample->histogram ? json_dumps(sample->histogram, JSON_COMPACT) : NULL,
	};
	struct measurement *same;

	if (!m.parameters)
		err(1, NULL);
	json_decref(sample->parameters);
	fingerprint(&m, batch->machine, m.fingerprint);
	same = find(batch, m.fingerprint);
	if (same)
		measurement_free(&m);
	else
		same = append(batch, &m);
	same->exact = same->exact && sample->exact;
	add_values(same, sample->values, sample->n);
}

void batch_free(struct batch *batch)
{
	for (size_t i = 0; i < batch->nmeasurements; i++)
		measurement_free(&batch->measurements[i]);
	free(batch->measurements);
	free(batch->commit);
	free(batch->machine);
	json_decref(batch->provenance);
}

double measurement_value(const struct measurement *m)
{
	double sum = 0;

	if (strcmp(m->unit, "share") != 0)
		return stats_median((struct stats_sample){m->repetitions, m->nrepetitions});
	for (size_t i = 0; i < m->nrepetitions; i++)
		sum += m->repetitions[i];
	return sum / (double)m->nrepetitions;
}
