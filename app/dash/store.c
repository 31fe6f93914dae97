/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs, series and results in SQL. */

#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "batch.h"
#include "db.h"
#include "folder.h"
#include "schema.h"
#include "store.h"
#include "store_write.h"
#include "text.h"

struct store {
	struct db *db;
	bool own; /* nobody named it */
};

struct cursor {
	struct rows *rows;
	double *repetitions; /* of the row */
	size_t room;
};

/* XDG Base Directory Specification 0.8: a relative XDG_DATA_HOME is to be ignored. */
static char *own_folder(void)
{
	const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");

	if (data && data[0] == '/')
		return format("%s/barrage", data);
	if (home && home[0] == '/')
		return format("%s/.local/share/barrage", home);
	warnx("neither XDG_DATA_HOME nor HOME says where the results are: name a store with --db");
	return NULL;
}

static bool is_server(const char *url)
{
	return strstr(url, "://");
}

static struct db *open_db(const char *url, bool create)
{
	char *own = NULL;
	struct db *db = NULL;

	if (!url) {
		char *folder = own_folder();

		if (!folder || (create && make_folders(folder) < 0)) {
			free(folder);
			return NULL;
		}
		url = own = format("%s/results.db", folder);
		free(folder);
	}
	if (!is_server(url) && !create && access(url, F_OK) < 0)
		warnx("there are no results in %s yet: add some with barrage-dash add FILE", url);
	else
		db = db_open(url, create);
	free(own);
	return db;
}

struct store *store_open(const char *url, bool create)
{
	struct db *db = open_db(url, create);
	struct store *store;
	int there;

	if (!db)
		return NULL;
	there = create ? (schema_create(db) == 0 ? 1 : -1) : schema_check(db);
	if (there == 0)
		warnx("%s holds no results yet: add some with barrage-dash add FILE", db_name(db));
	if (there <= 0) {
		db_close(db);
		return NULL;
	}
	store = malloc(sizeof(*store));
	if (!store)
		err(1, NULL);
	*store = (struct store){.db = db, .own = !url};
	return store;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	db_close(store->db);
	free(store);
}

const char *store_name(const struct store *store)
{
	return db_name(store->db);
}

const char *store_url(const struct store *store)
{
	return store->own ? NULL : db_url(store->db);
}

/* The number in the first row's first column; 0 when there is no row, -1 after a message. */
static int64_t first_integer(struct rows *rows)
{
	int64_t number = -1;
	int got;

	if (!rows)
		return -1;
	got = rows_next(rows);
	if (got >= 0)
		number = got ? rows_integer(rows, 0) : 0;
	rows_end(rows);
	return number;
}

/* 0 when the run is there already. */
static int64_t insert_run(struct db *db, const struct batch *b)
{
	char *provenance = json_dumps(b->provenance, JSON_COMPACT | JSON_SORT_KEYS);
	int64_t id;

	if (!provenance)
		err(1, NULL);
	id = first_integer(db_query(db,
				    "INSERT INTO dash_run(hash, format, measured, added, "
				    "commit_id, machine, provenance)"
				    " VALUES ($1, $2, $3, $4, $5, $6, $7)"
				    " ON CONFLICT (hash) DO NOTHING RETURNING id",
				    "ttiittt", b->hash, b->format, b->measured, (int64_t)time(NULL),
				    b->commit, b->machine, provenance));
	free(provenance);
	return id;
}

/* 0 when there is none. */
static int64_t find_series(struct db *db, const struct measurement *m, bool *exact)
{
	struct rows *rows = db_query(db, "SELECT id, exact FROM dash_series WHERE fingerprint = $1",
				     "t", m->fingerprint);
	int64_t id = rows ? rows_next(rows) : -1;

	if (id > 0) {
		id = rows_integer(rows, 0);
		*exact = rows_integer(rows, 1);
	}
	rows_end(rows);
	return id;
}

/* A count that was not exact once makes its series one with noise. */
static int take_exact(struct db *db, int64_t series)
{
	return db_run(db, "UPDATE dash_series SET exact = 0 WHERE id = $1", "i", series);
}

static int64_t insert_series(struct db *db, const struct measurement *m, const char *machine)
{
	return first_integer(
		db_query(db,
			 "INSERT INTO dash_series(fingerprint, benchmark, parameters, handler,"
			 " machine, metric, unit, better, exact)"
			 " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id",
			 "tttttttii", m->fingerprint, m->benchmark, m->parameters, m->handler,
			 machine, m->metric, m->unit, (int64_t)m->better, (int64_t)m->exact));
}

static char *numbers_text(const double *numbers, size_t n)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		err(1, NULL);
	for (size_t i = 0; i < n; i++)
		fprintf(out, "%c%.17g", i ? ',' : '[', numbers[i]);
	fputc(']', out);
	if (fclose(out))
		err(1, NULL);
	return text;
}

/* 1 when the result was added, 0 when it is there already, -1 after a message. */
static int insert_result(struct db *db, const struct batch *b, int64_t run,
			 const struct measurement *m)
{
	bool exact = false;
	int64_t series = find_series(db, m, &exact), there = 0;
	char *repetitions;
	int ret;

	if (series > 0 && m->measured)
		there = first_integer(db_query(db,
					       "SELECT id FROM dash_result"
					       " WHERE series = $1 AND measured = $2",
					       "ii", series, m->measured));
	if (there)
		return there > 0 ? 0 : -1;
	if (series == 0)
		series = insert_series(db, m, b->machine);
	if (series < 0 || (exact && !m->exact && take_exact(db, series)))
		return -1;
	repetitions = numbers_text(m->repetitions, m->nrepetitions);
	ret = db_run(db,
		     "INSERT INTO dash_result(run, series, measured, kernel, value, repetitions,"
		     " histogram) VALUES ($1, $2, $3, $4, $5, $6, $7)",
		     "iiitrtt", run, series, m->measured ? m->measured : b->measured, m->kernel,
		     measurement_value(m), repetitions, m->histogram);
	free(repetitions);
	return ret ? -1 : 1;
}

int store_add(struct store *store, const struct batch *b)
{
	int64_t run;
	int added = 0, one = 0;

	if (db_begin(store->db))
		return -1;
	run = insert_run(store->db, b);
	for (size_t i = 0; run > 0 && one >= 0 && i < b->nmeasurements; i++) {
		one = insert_result(store->db, b, run, &b->measurements[i]);
		added += one > 0;
	}
	if (one >= 0 && added)
		return db_commit(store->db) == 0 ? added : -1;
	db_rollback(store->db);
	return run < 0 || one < 0 ? -1 : 0;
}

/* A pattern for LIKE: what begins so. Fingerprints have no wildcard in them. */
static char *beginning(const char *text)
{
	return text ? format("%s%%", text) : NULL;
}

static struct cursor *cursor_new(struct rows *rows)
{
	struct cursor *cursor;

	if (!rows)
		return NULL;
	cursor = calloc(1, sizeof(*cursor));
	if (!cursor)
		err(1, NULL);
	cursor->rows = rows;
	return cursor;
}

void cursor_end(struct cursor *cursor)
{
	if (!cursor)
		return;
	rows_end(cursor->rows);
	free(cursor->repetitions);
	free(cursor);
}

/* A parameter that is NULL matches all. PostgreSQL has to be told the type of what may be NULL. */
#define WHERE_SERIES                                           \
	" (CAST($1 AS TEXT) IS NULL OR s.fingerprint LIKE $1)" \
	" AND (CAST($2 AS TEXT) IS NULL OR s.benchmark = $2)"  \
	" AND (CAST($3 AS TEXT) IS NULL OR s.handler = $3)"    \
	" AND (CAST($4 AS TEXT) IS NULL OR s.machine = $4)"    \
	" AND (CAST($5 AS TEXT) IS NULL OR s.metric = $5)"
#define WHERE_KERNEL " AND (CAST($6 AS TEXT) IS NULL OR r.kernel = $6)"
#define WHERE_RESULT                                          \
	WHERE_SERIES                                          \
	WHERE_KERNEL                                          \
	" AND (CAST($7 AS TEXT) IS NULL OR n.commit_id = $7)" \
	" AND (CAST($8 AS BIGINT) = 0 OR r.run = $8)"         \
	" AND (CAST($9 AS BIGINT) = 0 OR r.id = $9)"

/* Results with their runs and series. */
#define FROM_RESULTS          \
	" FROM dash_result r" \
	" JOIN dash_series s ON s.id = r.series JOIN dash_run n ON n.id = r.run"
#define RESULT_COLUMNS \
	"SELECT r.id, r.series, r.run, r.measured, n.commit_id, r.kernel, r.value, r.repetitions"
#define BY_SERIES " ORDER BY r.series, r.measured, r.id"

struct cursor *store_series(struct store *store, const struct store_filter *f)
{
	char *start = beginning(f->fingerprint);
	struct rows *rows = db_query(
		store->db,
		"SELECT id, fingerprint, benchmark, parameters, handler, machine, metric, unit,"
		" better, exact FROM dash_series s WHERE" WHERE_SERIES " ORDER BY id",
		"ttttt", start, f->benchmark, f->handler, f->machine, f->metric);

	free(start);
	return cursor_new(rows);
}

int series_next(struct cursor *cursor, struct series *series)
{
	const struct rows *rows = cursor->rows;
	int got = rows_next(cursor->rows);

	if (got > 0)
		*series = (struct series){
			.id = rows_integer(rows, 0),
			.fingerprint = rows_text(rows, 1),
			.benchmark = rows_text(rows, 2),
			.parameters = rows_text(rows, 3),
			.handler = rows_text(rows, 4),
			.machine = rows_text(rows, 5),
			.metric = rows_text(rows, 6),
			.unit = rows_text(rows, 7),
			.better = (enum better)rows_integer(rows, 8),
			.exact = rows_integer(rows, 9),
		};
	return got;
}

struct cursor *store_results(struct store *store, const struct store_filter *f)
{
	char *start = beginning(f->fingerprint);
	struct rows *rows = db_query(store->db,
				     RESULT_COLUMNS ", r.histogram" FROM_RESULTS
						    " WHERE" WHERE_RESULT BY_SERIES,
				     "tttttttii", start, f->benchmark, f->handler, f->machine,
				     f->metric, f->kernel, f->commit, f->run, f->result);

	free(start);
	return cursor_new(rows);
}

#define OF_EITHER                                                            \
	"SELECT x.id FROM dash_run y JOIN dash_result x ON x.run = y.id"     \
	" WHERE y.commit_id = CAST($7 AS TEXT) OR y.id = CAST($8 AS BIGINT)" \
	" OR y.commit_id = CAST($9 AS TEXT) OR y.id = CAST($10 AS BIGINT)"

struct cursor *store_results_of(struct store *store, const struct store_filter *f,
				const struct store_part *one, const struct store_part *other)
{
	char *start = beginning(f->fingerprint);
	struct rows *rows =
		db_query(store->db,
			 RESULT_COLUMNS ", NULL" FROM_RESULTS " WHERE" WHERE_SERIES WHERE_KERNEL
					" AND r.id IN (" OF_EITHER
					" UNION ALL SELECT result FROM dash_triage)" BY_SERIES,
			 "tttttttiti", start, f->benchmark, f->handler, f->machine, f->metric,
			 f->kernel, one->commit, one->run, other->commit, other->run);

	free(start);
	return cursor_new(rows);
}

/*
 * The first results of a part in their series; and the index by series and time leads from each so
 * many back: what lies between is all that is read.
 */
#define FIRST_OF_PART                                                             \
	"SELECT r.series, r.measured, r.id,"                                      \
	" row_number() OVER (PARTITION BY r.series ORDER BY r.measured, r.id) AS" \
	" place" FROM_RESULTS " WHERE" WHERE_SERIES WHERE_KERNEL                  \
	" AND r.run IN (SELECT y.id FROM dash_run y"                              \
	"  WHERE y.commit_id = CAST($7 AS TEXT) OR y.id = CAST($8 AS BIGINT))"
#define SO_MANY_BACK                                               \
	"SELECT x.id FROM dash_result x WHERE x.series = f.series" \
	" AND (x.measured, x.id) < (f.measured, f.id)"             \
	" AND (CAST($6 AS TEXT) IS NULL OR x.kernel = $6)"         \
	" ORDER BY x.measured DESC, x.id DESC LIMIT 1 OFFSET CAST($9 AS BIGINT) - 1"

struct cursor *store_results_before(struct store *store, const struct store_filter *f,
				    const struct store_part *part, int64_t most)
{
	char *start = beginning(f->fingerprint);
	struct rows *rows = db_query(
		store->db,
		"WITH fresh AS (" FIRST_OF_PART "),"
		" since AS (SELECT f.series, f.measured, f.id, (" SO_MANY_BACK ") AS oldest"
		"  FROM fresh f WHERE f.place = 1) " RESULT_COLUMNS ", NULL"
		" FROM since f LEFT JOIN dash_result o ON o.id = f.oldest"
		" JOIN dash_result r ON r.series = f.series AND (r.measured, r.id) >="
		"  (COALESCE(o.measured, -9223372036854775807), COALESCE(o.id, 0))"
		" JOIN dash_run n ON n.id = r.run"
		" WHERE ((r.measured, r.id) < (f.measured, f.id)"
		"  OR n.commit_id = $7 OR n.id = $8)" WHERE_KERNEL BY_SERIES,
		"tttttttii", start, f->benchmark, f->handler, f->machine, f->metric, f->kernel,
		part->commit, part->run, most);

	free(start);
	return cursor_new(rows);
}

/* A JSON array of numbers, as numbers_text() wrote it. @return how many. */
static size_t read_numbers(struct cursor *cursor, const char *text)
{
	size_t n = 0;
	char *end;

	while (*text == '[' || *text == ',') {
		double number = strtod(text + 1, &end);

		if (end == text + 1)
			break;
		if (n == cursor->room) {
			cursor->room = cursor->room ? 2 * cursor->room : 64;
			cursor->repetitions = realloc(cursor->repetitions,
						      cursor->room * sizeof(*cursor->repetitions));
			if (!cursor->repetitions)
				err(1, NULL);
		}
		cursor->repetitions[n++] = number;
		text = end;
	}
	return n;
}

int result_next(struct cursor *cursor, struct result *result)
{
	const struct rows *rows = cursor->rows;
	int got = rows_next(cursor->rows);

	if (got <= 0)
		return got;
	*result = (struct result){
		.id = rows_integer(rows, 0),
		.series = rows_integer(rows, 1),
		.run = rows_integer(rows, 2),
		.measured = rows_integer(rows, 3),
		.commit = rows_text(rows, 4),
		.kernel = rows_text(rows, 5),
		.value = rows_real(rows, 6),
		.nrepetitions = read_numbers(cursor, rows_text(rows, 7)),
		.histogram = rows_text(rows, 8),
	};
	result->repetitions = cursor->repetitions; /* may have moved */
	return got;
}

#define RUNS                                                                          \
	"SELECT n.id, n.hash, n.format, n.measured, n.added, n.commit_id, n.machine," \
	" n.provenance FROM dash_run n WHERE"                                         \
	" (CAST($1 AS TEXT) IS NULL OR n.commit_id = $1)"                             \
	" AND (CAST($2 AS TEXT) IS NULL OR n.machine = $2)"                           \
	" AND (CAST($3 AS TEXT) IS NULL OR n.hash = $3)"                              \
	" AND (CAST($4 AS BIGINT) = 0 OR n.id = $4)"
/* Only where asked for: a run always has results. */
#define WITH_RESULTS                                                                     \
	" AND EXISTS (SELECT 1 FROM dash_result r JOIN dash_series s ON s.id = r.series" \
	"  WHERE r.run = n.id AND (CAST($5 AS TEXT) IS NULL OR s.fingerprint LIKE $5)"   \
	"  AND (CAST($6 AS TEXT) IS NULL OR s.benchmark = $6)"                           \
	"  AND (CAST($7 AS TEXT) IS NULL OR s.handler = $7)"                             \
	"  AND (CAST($8 AS TEXT) IS NULL OR s.metric = $8)"                              \
	"  AND (CAST($9 AS TEXT) IS NULL OR r.kernel = $9))"

static struct cursor *query_runs(struct store *store, const struct store_filter *f,
				 const char *order)
{
	bool of_results = f->fingerprint || f->benchmark || f->handler || f->metric || f->kernel;
	char *sql = format("%s%s%s", RUNS, of_results ? WITH_RESULTS : "", order);
	char *start = beginning(f->fingerprint);
	struct rows *rows =
		db_query(store->db, sql, of_results ? "tttittttt" : "ttti", f->commit, f->machine,
			 f->hash, f->run, start, f->benchmark, f->handler, f->metric, f->kernel);

	free(start);
	free(sql);
	return cursor_new(rows);
}

struct cursor *store_runs(struct store *store, const struct store_filter *filter)
{
	return query_runs(store, filter, " ORDER BY n.measured, n.id");
}

struct cursor *store_newest_run(struct store *store, const struct store_filter *filter)
{
	return query_runs(store, filter, " ORDER BY n.measured DESC, n.id DESC LIMIT 1");
}

int run_next(struct cursor *cursor, struct run *run)
{
	const struct rows *rows = cursor->rows;
	int got = rows_next(cursor->rows);

	if (got > 0)
		*run = (struct run){
			.id = rows_integer(rows, 0),
			.hash = rows_text(rows, 1),
			.format = rows_text(rows, 2),
			.measured = rows_integer(rows, 3),
			.added = rows_integer(rows, 4),
			.commit = rows_text(rows, 5),
			.machine = rows_text(rows, 6),
			.provenance = rows_text(rows, 7),
		};
	return got;
}

struct cursor *store_commits(struct store *store, const char *start)
{
	return cursor_new(db_query(store->db,
				   "SELECT DISTINCT commit_id FROM dash_run"
				   " WHERE commit_id <> '' AND"
				   " substr(commit_id, 1, length(CAST($1 AS TEXT))) = $1"
				   " ORDER BY commit_id",
				   "t", start));
}

int commit_next(struct cursor *cursor, const char **commit)
{
	int got = rows_next(cursor->rows);

	if (got > 0)
		*commit = rows_text(cursor->rows, 0);
	return got;
}

struct cursor *store_triage(struct store *store)
{
	return cursor_new(db_query(store->db,
				   "SELECT series, result, verdict, note, author, at"
				   " FROM dash_triage ORDER BY series, result",
				   ""));
}

int triage_next(struct cursor *cursor, struct triage *triage)
{
	const struct rows *rows = cursor->rows;
	int got = rows_next(cursor->rows);

	if (got > 0)
		*triage = (struct triage){
			.series = rows_integer(rows, 0),
			.result = rows_integer(rows, 1),
			.verdict = rows_text(rows, 2),
			.note = rows_text(rows, 3),
			.author = rows_text(rows, 4),
			.at = rows_integer(rows, 5),
		};
	return got;
}

/* 1 when a row was hit, 0 when none was, -1 after a message. */
static int hit(struct rows *rows)
{
	int64_t id = first_integer(rows);

	return id > 0 ? 1 : (int)id;
}

int store_judge(struct store *store, const struct triage *triage)
{
	int ret;

	if (db_begin(store->db))
		return -1;
	ret = db_run(store->db, "DELETE FROM dash_triage WHERE result = $1", "i", triage->result);
	if (ret == 0)
		ret = hit(db_query(
			store->db,
			"INSERT INTO dash_triage(result, series, verdict, note, author, at)"
			" SELECT id, series, CAST($1 AS TEXT), CAST($2 AS TEXT),"
			" CAST($3 AS TEXT), CAST($4 AS BIGINT)"
			" FROM dash_result WHERE id = $5 RETURNING id",
			"tttii", triage->verdict, triage->note, triage->author, (int64_t)time(NULL),
			triage->result));
	if (ret > 0 && db_commit(store->db) == 0)
		return 1;
	db_rollback(store->db);
	return ret > 0 ? -1 : ret;
}

int store_unjudge(struct store *store, int64_t result)
{
	return hit(db_query(store->db, "DELETE FROM dash_triage WHERE result = $1 RETURNING id",
			    "i", result));
}

/* Which runs are to go: those of a number, or measured before a time. */
#define DOOMED " WHERE (CAST($1 AS BIGINT) <> 0 AND id = $1) OR measured < $2"

int64_t store_count_doomed(struct store *store, const struct prune *prune)
{
	return first_integer(db_query(store->db, "SELECT count(*) FROM dash_run" DOOMED, "ii",
				      prune->run, prune->before));
}

int store_prune(struct store *store, const struct prune *prune)
{
	if (db_begin(store->db))
		return -1;
	if (db_run(store->db, "DELETE FROM dash_run" DOOMED, "ii", prune->run, prune->before) ||
	    db_exec(store->db, "DELETE FROM dash_series WHERE NOT EXISTS"
			       " (SELECT 1 FROM dash_result WHERE series = dash_series.id)") ||
	    db_commit(store->db)) {
		db_rollback(store->db);
		return -1;
	}
	return db_compact(store->db);
}
