/* SPDX-License-Identifier: BSD-3-Clause */
/* One series for the page. */

#include <err.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "page.h"
#include "pick.h"
#include "stats.h"
#include "text.h"
#include "track.h"

/* Up to so many repetitions are told one by one, more as a histogram of so many buckets. */
#define MOST_REPETITIONS 32
#define BUCKETS		 32

/* How many of the newest values the small picture beside a series has. */
#define SPARK 48

struct point {
	int64_t id, run, measured;
	char *commit;
	size_t kernel;
	size_t repetitions, nrepetitions; /* where they begin, and how many */
};

struct track {
	struct point *points;
	double *values; /* those of the points */
	size_t n, room;
	double *repetitions; /* of all points; a point knows where its own begin */
	size_t nrepetitions, repetitions_room;
	FILE *details; /* a JSON value for each point, comma-separated */
	char *details_text;
	size_t details_size;
};

static void *grown(void *array, size_t n, size_t size)
{
	void *larger = reallocarray(array, n, size);

	if (!larger)
		err(EXIT_FAILURE, "%zu results", n);
	return larger;
}

void kernels_free(struct kernels *kernels)
{
	for (size_t i = 0; i < kernels->n; i++)
		free(kernels->names[i]);
	free(kernels->names);
}

static size_t kernel_number(struct kernels *kernels, const char *name)
{
	for (size_t i = 0; i < kernels->n; i++)
		if (!strcmp(kernels->names[i], name))
			return i;
	kernels->names = grown(kernels->names, kernels->n + 1, sizeof(*kernels->names));
	kernels->names[kernels->n] = format("%s", name);
	return kernels->n++;
}

struct track *track_new(void)
{
	struct track *track = calloc(1, sizeof(*track));

	if (!track)
		err(EXIT_FAILURE, NULL);
	track_clear(track);
	return track;
}

static void forget(struct track *track)
{
	for (size_t i = 0; i < track->n; i++)
		free(track->points[i].commit);
	track->n = track->nrepetitions = 0;
	if (track->details)
		fclose(track->details);
	free(track->details_text);
	track->details_text = NULL;
}

void track_free(struct track *track)
{
	forget(track);
	free(track->repetitions);
	free(track->values);
	free(track->points);
	free(track);
}

void track_clear(struct track *track)
{
	forget(track);
	track->details = open_memstream(&track->details_text, &track->details_size);
	if (!track->details)
		err(EXIT_FAILURE, NULL);
}

static void keep_repetitions(struct track *track, const double *values, size_t n)
{
	if (track->nrepetitions + n > track->repetitions_room) {
		track->repetitions_room = 2 * (track->nrepetitions + n);
		track->repetitions = grown(track->repetitions, track->repetitions_room,
					   sizeof(*track->repetitions));
	}
	memcpy(track->repetitions + track->nrepetitions, values, n * sizeof(*values));
	track->nrepetitions += n;
}

static bool all_zero_or_one(struct stats_sample sample)
{
	for (size_t i = 0; i < sample.n; i++)
		if (sample.values[i] != 0 && sample.values[i] != 1)
			return false;
	return true;
}

/* Survivals: how many of how many. */
static void put_share(struct stats_sample sample, FILE *out)
{
	double sum = 0;

	for (size_t i = 0; i < sample.n; i++)
		sum += sample.values[i];
	fprintf(out, "{\"of\":%zu,\"sum\":%.0f}", sample.n, sum);
}

/*
 * Buckets as [upper end, count]. They are of equal width, or of equal ratio where the values span
 * more than a decade.
 */
static void put_buckets(struct stats_sample sample, double least, double most, FILE *out)
{
	bool ratio = least > 0 && most > 10 * least;
	double low = ratio ? log(least) : least, width = ratio ? log(most) - low : most - low;
	size_t counts[BUCKETS] = {0};

	for (size_t i = 0; i < sample.n; i++) {
		double at = ratio ? log(sample.values[i]) : sample.values[i];
		double bucket = width > 0 ? floor((at - low) / width * BUCKETS) : 0;

		counts[(size_t)fmax(0, fmin(bucket, BUCKETS - 1))]++;
	}
	for (size_t i = 0; i < BUCKETS; i++) {
		double upper = low + width * (double)(i + 1) / BUCKETS;

		fputs(i ? ",[" : "[", out);
		put_number(out, ratio ? exp(upper) : upper);
		fprintf(out, ",%zu]", counts[i]);
	}
}

static void put_distribution(struct stats_sample sample, FILE *out)
{
	static const double shares[] = {0, 0.5, 0.9, 0.99, 1};

	fprintf(out, "{\"n\":%zu,\"q\":[", sample.n);
	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++) {
		fputs(i ? "," : "", out);
		put_number(out, stats_quantile(sample, shares[i]));
	}
	fputs("],\"h\":[", out);
	put_buckets(sample, stats_quantile(sample, 0), stats_quantile(sample, 1), out);
	fputs("]}", out);
}

static void put_details(const struct result *result, FILE *out)
{
	struct stats_sample sample = {result->repetitions, result->nrepetitions};

	if (result->histogram && result->histogram[0]) {
		fputs("{\"h\":", out);
		put_json(out, result->histogram);
		fputs("}", out);
	} else if (sample.n > 1 && all_zero_or_one(sample)) {
		put_share(sample, out);
	} else if (sample.n > MOST_REPETITIONS) {
		put_distribution(sample, out);
	} else {
		for (size_t i = 0; i < sample.n; i++) {
			fputs(i ? "," : "[", out);
			put_number(out, sample.values[i]);
		}
		fputs("]", out);
	}
}

void track_add(struct track *track, const struct result *result, struct kernels *kernels)
{
	if (track->n == track->room) {
		track->room = track->room ? 2 * track->room : 64;
		track->points = grown(track->points, track->room, sizeof(*track->points));
		track->values = grown(track->values, track->room, sizeof(*track->values));
	}
	track->values[track->n] = result->value;
	track->points[track->n] = (struct point){
		.id = result->id,
		.run = result->run,
		.measured = result->measured,
		.commit = format("%s", result->commit),
		.kernel = kernel_number(kernels, result->kernel),
		.repetitions = track->nrepetitions,
		.nrepetitions = result->nrepetitions,
	};
	fputs(track->n ? "," : "", track->details);
	put_details(result, track->details);
	track->n++;
	keep_repetitions(track, result->repetitions, result->nrepetitions);
}

size_t track_results(const struct track *track)
{
	return track->n;
}

void track_put_values(const struct track *track, FILE *out)
{
	fputs("{\"t\":[", out);
	for (size_t i = 0; i < track->n; i++)
		fprintf(out, "%s%lld", i ? "," : "", (long long)track->points[i].measured);
	fputs("],\"i\":[", out);
	for (size_t i = 0; i < track->n; i++)
		fprintf(out, "%s%lld", i ? "," : "", (long long)track->points[i].id);
	fputs("],\"r\":[", out);
	for (size_t i = 0; i < track->n; i++)
		fprintf(out, "%s%lld", i ? "," : "", (long long)track->points[i].run);
	fputs("],\"k\":[", out);
	for (size_t i = 0; i < track->n; i++)
		fprintf(out, "%s%zu", i ? "," : "", track->points[i].kernel);
	fputs("],\"v\":[", out);
	for (size_t i = 0; i < track->n; i++) {
		fputs(i ? "," : "", out);
		put_number(out, track->values[i]);
	}
	fputs("],\"d\":[", out);
	fflush(track->details);
	fputs(track->details_text, out);
	fputs("]}", out);
}

/* [index, p, before, after] */
static void put_change(const struct stats_change *change, FILE *out)
{
	fprintf(out, "[%zu,%.3g,", change->index, change->p);
	put_number(out, change->before);
	fputc(',', out);
	put_number(out, change->after);
	fputc(']', out);
}

/* [index, verdict, note] of each result that somebody judged. */
static void put_triage(const struct track *track, const struct series *series,
		       const struct triages *triages, FILE *out)
{
	const char *comma = "";

	fputs(",\"judged\":[", out);
	for (size_t i = 0; i < track->n; i++) {
		const struct triage *t = triages_find(triages, series->id, track->points[i].id);

		if (!t)
			continue;
		fprintf(out, "%s[%zu,", comma, i);
		put_text(out, t->verdict);
		fputc(',', out);
		put_text(out, t->note);
		fputc(']', out);
		comma = ",";
	}
	fputc(']', out);
}

/* [first index, end, low, high]: the band that values between two changes keep within. */
static void put_band(const struct track *track, size_t start, size_t end, FILE *out)
{
	struct stats_interval band =
		stats_noise_band((struct stats_sample){track->values + start, end - start});

	fprintf(out, "[%zu,%zu,", start, end);
	put_number(out, band.low);
	fputc(',', out);
	put_number(out, band.high);
	fputc(']', out);
}

static void put_changes(const struct track *track, const struct series *series, FILE *out)
{
	struct stats_change_policy policy = STATS_CHANGE_POLICY_DEFAULT;
	struct stats_change *changes;
	size_t n, start = 0;

	policy.exact = series->exact;
	n = stats_changes(track->values, track->n, &policy, &changes);
	fputs(",\"changes\":[", out);
	for (size_t i = 0; i < n; i++) {
		fputs(i ? "," : "", out);
		put_change(&changes[i], out);
	}
	fputs("],\"bands\":[", out);
	for (size_t i = 0; i <= n; i++) {
		size_t end = i < n ? changes[i].index : track->n;

		fputs(i ? "," : "", out);
		put_band(track, start, end, out);
		start = end;
	}
	fputc(']', out);
	free(changes);
}

/* [kernel, index, value] of the newest result on each kernel. */
static void put_newest(const struct track *track, FILE *out)
{
	const char *comma = "";

	fputs(",\"now\":[", out);
	for (size_t i = track->n; i-- > 0;) {
		size_t later = i + 1;

		while (later < track->n && track->points[later].kernel != track->points[i].kernel)
			later++;
		if (later < track->n)
			continue;
		fprintf(out, "%s[%zu,%zu,", comma, track->points[i].kernel, i);
		put_number(out, track->values[i]);
		fputc(']', out);
		comma = ",";
	}
	fputc(']', out);
}

void track_put_summary(const struct track *track, const struct series *series,
		       const struct triages *triages, FILE *out)
{
	const struct {
		const char *name, *text;
	} texts[] = {
		{"series", series->fingerprint}, {"benchmark", series->benchmark},
		{"handler", series->handler},	 {"machine", series->machine},
		{"metric", series->metric},	 {"unit", series->unit},
	};

	fprintf(out, "\"id\":\"s%lld\",\"n\":%zu,\"better\":%d,\"exact\":%s,\"last\":%lld",
		(long long)series->id, track->n, series->better, series->exact ? "true" : "false",
		(long long)track->points[track->n - 1].measured);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		fprintf(out, ",\"%s\":", texts[i].name);
		put_text(out, texts[i].text);
	}
	fputs(",\"parameters\":", out);
	put_json(out, series->parameters);
	fputs(",\"spark\":[", out);
	for (size_t i = track->n > SPARK ? track->n - SPARK : 0; i < track->n; i++) {
		put_number(out, track->values[i]);
		fputs(i + 1 < track->n ? "," : "]", out);
	}
	put_newest(track, out);
	put_changes(track, series, out);
	put_triage(track, series, triages, out);
}

static struct result result_at(const struct track *track, const struct kernels *kernels, size_t i)
{
	const struct point *p = &track->points[i];

	return (struct result){
		.id = p->id,
		.run = p->run,
		.measured = p->measured,
		.commit = p->commit,
		.kernel = kernels->names[p->kernel],
		.value = track->values[i],
		.repetitions = track->repetitions + p->repetitions,
		.nrepetitions = p->nrepetitions,
	};
}

bool track_latest(const struct track *track, const struct series *series,
		  const struct kernels *kernels, const struct triages *triages,
		  struct track_latest *latest)
{
	struct against *against = against_new(false);
	struct result result = result_at(track, kernels, track->n - 1);
	struct pick newest = pick_around(&result);
	int sides;

	for (size_t i = 0; i < track->n; i++) {
		result = result_at(track, kernels, i);
		against_add(against, &result, pick_has(&newest, &result) ? SIDE_NEW : SIDE_OLD,
			    triages_find(triages, series->id, result.id));
	}
	sides = against_end(against, series, &latest->outcome);
	against_free(against);
	pick_free(&newest);
	if (sides != (SIDE_OLD | SIDE_NEW))
		return false;
	latest->at = 0;
	while (track->points[latest->at].id != latest->outcome.result)
		latest->at++;
	return true;
}
