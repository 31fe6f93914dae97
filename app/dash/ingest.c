/* SPDX-License-Identifier: BSD-3-Clause */
/* Result files: read whole, told apart by what is in them, refused whole when anything is wrong. */

#include <err.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "fingerprint.h"
#include "ingest.h"
#include "text.h"

static const struct format {
	const char *name;
	void (*ingest)(const struct field *top, struct batch *batch);
} formats[] = {
	{"barrage-compare/1", ingest_compare}, {"barrage-matrix/1", ingest_matrix},
	{"barrage-cost/1", ingest_cost},       {"barrage-marks/1", ingest_marks},
	{"barrage-perf/1", ingest_perf},
};

static const struct format google_benchmark = {"google-benchmark", ingest_google_benchmark};

static const struct format *recognise(const struct field *top)
{
	const char *schema;

	if (!json_is_object(top->object)) {
		warnx("%s: an object is expected, as a result file is", top->file);
		return NULL;
	}
	if (json_object_get(top->object, "benchmarks"))
		return &google_benchmark;
	schema = field_optional_text(top, "schema");
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (!strcmp(schema, formats[i].name))
			return &formats[i];
	if (schema[0])
		warnx("%s: schema: \"%s\" is not known to this program", top->file, schema);
	else if (!*top->bad)
		warnx("%s: neither \"benchmarks\" (Google Benchmark) nor \"schema\" (Barrage) is "
		      "there",
		      top->file);
	return NULL;
}

/* ISO 8601 as Google Benchmark writes it: 2026-11-23T21:46:12+00:00. */
int64_t ingest_date(const struct field *at)
{
	const char *date = field_optional_text(at, "date");
	struct tm tm = {0};
	const char *end;
	long offset;

	if (!date[0])
		return 0;
	end = strptime(date, "%Y-%m-%dT%H:%M:%S%z", &tm);
	if (!end || *end) {
		field_complain(at, "date",
			       "\"%s\" is no date and time as 2026-11-23T21:46:12+00:00", date);
		return 0;
	}
	offset = tm.tm_gmtoff; /* timegm() clears it */
	return timegm(&tm) - offset;
}

static char *machine_class(const struct field *context, const char *name_member,
			   const char *cpus_member)
{
	const char *name = field_optional_text(context, name_member);
	const char *accel = field_optional_text(context, "accel");
	int64_t cpus = field_has(context, cpus_member) ? field_integer(context, cpus_member) : 0;
	char *count = cpus ? format(cpus == 1 ? ", %lld CPU" : ", %lld CPUs", (long long)cpus)
			   : format("%s", "");
	char *class =
		format("%s%s%s%s", name[0] ? name : "unknown", count, accel[0] ? ", " : "", accel);

	free(count);
	return class;
}

void ingest_context(const struct field *context, const char *name_member, const char *cpus_member,
		    struct batch *batch)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)context->object, key, value)
		if (json_is_string(value) || json_is_number(value) || json_is_boolean(value))
			json_object_set(batch->provenance, key, value);
	if (field_has(context, "date"))
		batch->measured = ingest_date(context);
	if (!batch->commit)
		batch->commit = format("%s", field_optional_text(context, "commit"));
	if (!batch->machine)
		batch->machine = machine_class(context, name_member, cpus_member);
}

/* The whole file, NUL-terminated; NULL after a message. */
static char *read_whole(const char *path, size_t *size, int64_t *modified)
{
	FILE *in = fopen(path, "re"), *out = NULL;
	char *text = NULL, piece[65536];
	struct stat st;
	size_t got;

	if (!in) {
		warn("%s", path);
		return NULL;
	}
	out = open_memstream(&text, size);
	if (!out)
		err(1, NULL);
	while ((got = fread(piece, 1, sizeof(piece), in)) > 0)
		fwrite(piece, 1, got, out);
	if (fclose(out))
		err(1, NULL);
	if (ferror(in) || fstat(fileno(in), &st)) {
		warn("%s", path);
		free(text);
		text = NULL;
	} else {
		*modified = st.st_mtime;
	}
	fclose(in);
	return text;
}

static json_t *parse(const char *path, const char *text, size_t size)
{
	json_error_t error;
	json_t *document = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);

	if (!document && size == 0)
		warnx("%s is empty", path);
	else if (!document)
		warnx("%s: line %d, column %d: %s", path, error.line, error.column, error.text);
	return document;
}

/* Give the batch what the user says, then what the document does. */
static int take(const char *path, const json_t *document, const struct ingest_options *options,
		struct batch *batch)
{
	bool bad = false;
	struct field top = field_top(path, document, &bad);
	const struct format *how = recognise(&top);

	if (!how)
		return -1;
	batch->format = how->name;
	batch->commit = options->commit ? format("%s", options->commit) : NULL;
	batch->machine = options->machine ? format("%s", options->machine) : NULL;
	batch->provenance = json_object();
	how->ingest(&top, batch);
	if (!bad && batch->nmeasurements == 0) {
		warnx("%s: there is no measurement in it", path);
		bad = true;
	}
	json_object_set_new(batch->provenance, "file", json_string(path));
	return bad ? -1 : 0;
}

int ingest_text(const char *path, const char *text, size_t size,
		const struct ingest_options *options, struct batch *batch)
{
	json_t *document = parse(path, text, size);
	int ret = -1;

	if (document) {
		hash_hex(text, size, batch->hash);
		ret = take(path, document, options, batch);
	}
	json_decref(document);
	return ret;
}

int ingest_file(const char *path, const struct ingest_options *options, struct batch *batch)
{
	size_t size;
	char *text = read_whole(path, &size, &batch->measured);
	int ret = text ? ingest_text(path, text, size, options, batch) : -1;

	free(text);
	return ret;
}

int ingest_hash(const char *path, char hash[65])
{
	int64_t modified;
	size_t size;
	char *text = read_whole(path, &size, &modified);

	if (!text)
		return -1;
	hash_hex(text, size, hash);
	free(text);
	return 0;
}
