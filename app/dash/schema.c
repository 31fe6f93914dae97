/* SPDX-License-Identifier: BSD-3-Clause */
/* The tables of a store, the same on both engines. What a column means is said in store.h. */

#include <err.h>
#include <stdlib.h>

#include "schema.h"
#include "text.h"

#define VERSION 1

/* %1$s numbers the rows. Lists and objects are JSON. */
static const char tables[] =
	"CREATE TABLE IF NOT EXISTS dash_run ("
	"  id %1$s,"
	"  hash TEXT NOT NULL UNIQUE,"
	"  format TEXT NOT NULL,"
	"  measured BIGINT NOT NULL,"
	"  added BIGINT NOT NULL,"
	"  commit_id TEXT NOT NULL,"
	"  machine TEXT NOT NULL,"
	"  provenance TEXT NOT NULL);"
	"CREATE TABLE IF NOT EXISTS dash_series ("
	"  id %1$s,"
	"  fingerprint TEXT NOT NULL UNIQUE,"
	"  benchmark TEXT NOT NULL,"
	"  parameters TEXT NOT NULL,"
	"  handler TEXT NOT NULL,"
	"  machine TEXT NOT NULL,"
	"  metric TEXT NOT NULL,"
	"  unit TEXT NOT NULL,"
	"  better INTEGER NOT NULL,"
	"  exact INTEGER NOT NULL);"
	"CREATE TABLE IF NOT EXISTS dash_result ("
	"  id %1$s,"
	"  run BIGINT NOT NULL REFERENCES dash_run(id) ON DELETE CASCADE,"
	"  series BIGINT NOT NULL REFERENCES dash_series(id) ON DELETE CASCADE,"
	"  measured BIGINT NOT NULL,"
	"  kernel TEXT NOT NULL,"
	"  value DOUBLE PRECISION NOT NULL,"
	"  repetitions TEXT NOT NULL,"
	"  histogram TEXT);"
	"CREATE INDEX IF NOT EXISTS dash_result_series ON dash_result(series, measured, id);"
	"CREATE INDEX IF NOT EXISTS dash_result_run ON dash_result(run);"
	"CREATE TABLE IF NOT EXISTS dash_triage ("
	"  id %1$s,"
	"  series BIGINT NOT NULL REFERENCES dash_series(id) ON DELETE CASCADE,"
	"  result BIGINT NOT NULL UNIQUE REFERENCES dash_result(id) ON DELETE CASCADE,"
	"  verdict TEXT NOT NULL,"
	"  note TEXT NOT NULL,"
	"  author TEXT NOT NULL,"
	"  at BIGINT NOT NULL);"
	"CREATE TABLE IF NOT EXISTS dash_version (version INTEGER NOT NULL);";

static int version(struct db *db)
{
	struct rows *rows = db_query(db, "SELECT version FROM dash_version", "");
	int is = rows && rows_next(rows) > 0 ? (int)rows_integer(rows, 0) : -1;

	rows_end(rows);
	return is;
}

static int is_there(struct db *db)
{
	struct rows *rows = db_query(db, db_has_table(db), "t", "dash_version");
	int there = rows ? rows_next(rows) : -1;

	rows_end(rows);
	return there;
}

int schema_check(struct db *db)
{
	int there = is_there(db), is;

	if (there <= 0)
		return there;
	is = version(db);
	if (is == VERSION)
		return 1;
	if (is >= 0)
		warnx("%s has tables of version %d; this program knows version %d", db_name(db), is,
		      VERSION);
	return -1;
}

int schema_create(struct db *db)
{
	char *sql;
	int ret;

	ret = schema_check(db);
	if (ret)
		return ret > 0 ? 0 : -1;
	if (db_begin(db))
		return -1;
	ret = schema_check(db); /* another process may have been faster */
	if (ret == 0) {
		sql = format(tables, db_identity(db));
		ret = db_exec(db, sql) ||
		      db_run(db, "INSERT INTO dash_version VALUES ($1)", "i", (int64_t)VERSION);
		free(sql);
		if (ret == 0)
			return db_commit(db);
		ret = -1;
	}
	db_rollback(db);
	return ret > 0 ? 0 : -1;
}
