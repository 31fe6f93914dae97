/* SPDX-License-Identifier: BSD-3-Clause */
/* A store in an SQLite file, in WAL mode: readers and a writer do not wait for each other. */

#include <assert.h>
#include <err.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend.h"
#include "text.h"

/* "brgD", in the file's header (sqlite.org/fileformat2.html, application ID). */
#define APPLICATION_ID 0x62726744

/* How long a writer waits for the others. */
#define PATIENCE_MS 60000

struct sqlite_db {
	struct db db;
	sqlite3 *handle;
};

struct sqlite_rows {
	struct rows rows;
	struct sqlite_db *db;
	sqlite3_stmt *statement;
};

static const struct backend backend;

static void explain(const struct sqlite_db *s)
{
	warnx("%s: %s", s->db.name, sqlite3_errmsg(s->handle));
}

static void sqlite_close(struct db *db)
{
	struct sqlite_db *s = (struct sqlite_db *)db;

	sqlite3_close(s->handle);
	free(s->db.name);
	free(s->db.url);
	free(s);
}

static int sqlite_exec(struct db *db, const char *sql)
{
	struct sqlite_db *s = (struct sqlite_db *)db;

	if (sqlite3_exec(s->handle, sql, NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	explain(s);
	return -1;
}

static int bind(sqlite3_stmt *statement, int index, const struct value *v)
{
	switch (v->type) {
	case 'i':
		return sqlite3_bind_int64(statement, index, v->integer);
	case 'r':
		return sqlite3_bind_double(statement, index, v->real);
	default:
		return sqlite3_bind_text(statement, index, v->text, -1, SQLITE_TRANSIENT);
	}
}

static void sqlite_end(struct rows *rows)
{
	struct sqlite_rows *r = (struct sqlite_rows *)rows;

	sqlite3_finalize(r->statement);
	free(r);
}

static struct rows *sqlite_query(struct db *db, const char *sql, const struct value *values,
				 size_t n)
{
	struct sqlite_db *s = (struct sqlite_db *)db;
	struct sqlite_rows *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		err(1, NULL);
	r->rows.backend = &backend;
	r->db = s;
	rc = sqlite3_prepare_v2(s->handle, sql, -1, &r->statement, NULL);
	assert(rc != SQLITE_OK || sqlite3_bind_parameter_count(r->statement) == (int)n);
	for (size_t i = 0; rc == SQLITE_OK && i < n; i++)
		rc = bind(r->statement, (int)i + 1, &values[i]);
	if (rc == SQLITE_OK)
		return &r->rows;
	explain(s);
	sqlite_end(&r->rows);
	return NULL;
}

static int sqlite_next(struct rows *rows)
{
	struct sqlite_rows *r = (struct sqlite_rows *)rows;

	switch (sqlite3_step(r->statement)) {
	case SQLITE_ROW:
		return 1;
	case SQLITE_DONE:
		return 0;
	default:
		explain(r->db);
		return -1;
	}
}

static int64_t sqlite_integer(const struct rows *rows, int column)
{
	return sqlite3_column_int64(((const struct sqlite_rows *)rows)->statement, column);
}

static double sqlite_real(const struct rows *rows, int column)
{
	return sqlite3_column_double(((const struct sqlite_rows *)rows)->statement, column);
}

static const char *sqlite_text(const struct rows *rows, int column)
{
	const unsigned char *text =
		sqlite3_column_text(((const struct sqlite_rows *)rows)->statement, column);

	return text ? (const char *)text : "";
}

static const struct backend backend = {
	.identity = "INTEGER PRIMARY KEY",
	.has_table = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1",
	.begin = "BEGIN IMMEDIATE",
	.compact = "VACUUM",
	.close = sqlite_close,
	.exec = sqlite_exec,
	.query = sqlite_query,
	.next = sqlite_next,
	.integer = sqlite_integer,
	.real = sqlite_real,
	.text = sqlite_text,
	.end = sqlite_end,
};

static int64_t pragma(struct sqlite_db *s, const char *sql)
{
	struct rows *rows = sqlite_query(&s->db, sql, NULL, 0);
	int64_t value = rows && sqlite_next(rows) > 0 ? sqlite_integer(rows, 0) : -1;

	rows_end(rows);
	return value;
}

/* No other program's file becomes a store by mistake. */
static int claim(struct sqlite_db *s)
{
	char *set;
	int ret;

	if (pragma(s, "PRAGMA application_id") == APPLICATION_ID)
		return 0;
	ret = sqlite_exec(&s->db, "BEGIN IMMEDIATE");
	if (ret)
		return ret;
	if (pragma(s, "PRAGMA application_id") != APPLICATION_ID) {
		if (pragma(s, "SELECT count(*) FROM sqlite_master") != 0) {
			warnx("%s is the database of another program", s->db.name);
			ret = -1;
		} else {
			set = format("PRAGMA application_id = %d", APPLICATION_ID);
			ret = sqlite_exec(&s->db, set);
			free(set);
		}
	}
	db_exec(&s->db, ret ? "ROLLBACK" : "COMMIT");
	return ret;
}

/* SQLite does not wait for other processes that turn WAL on at the same moment. */
static int use_wal(struct sqlite_db *s)
{
	int rc = SQLITE_BUSY;

	for (int ms = 0; rc == SQLITE_BUSY && ms < PATIENCE_MS; ms += 10) {
		if (ms)
			usleep(10000);
		rc = sqlite3_exec(s->handle, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
	}
	if (rc == SQLITE_OK)
		return 0;
	explain(s);
	return -1;
}

struct db *sqlite_open(const char *path, bool create)
{
	struct sqlite_db *s = calloc(1, sizeof(*s));

	if (!s)
		err(1, NULL);
	s->db.backend = &backend;
	s->db.name = format("%s", path);
	if (sqlite3_open_v2(path, &s->handle,
			    SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0),
			    NULL) != SQLITE_OK) {
		explain(s);
		goto fail;
	}
	sqlite3_busy_timeout(s->handle, PATIENCE_MS);
	if (claim(s) || sqlite_exec(&s->db, "PRAGMA foreign_keys = ON") ||
	    (!sqlite3_db_readonly(s->handle, "main") && use_wal(s)))
		goto fail;
	s->db.url = realpath(path, NULL);
	if (s->db.url)
		return &s->db;
	warn("%s", path);
fail:
	sqlite_close(&s->db);
	return NULL;
}
