/* SPDX-License-Identifier: BSD-3-Clause */
/* Which engine a store is in, and what does not depend on it. */

#include <err.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "backend.h"

#define MOST_PARAMETERS 16

static bool starts_with(const char *text, const char *start)
{
	return !strncmp(text, start, strlen(start));
}

struct db *db_open(const char *url, bool create)
{
	if (starts_with(url, "postgresql://") || starts_with(url, "postgres://"))
		return postgres_open(url);
	if (strstr(url, "://")) {
		warnx("%.*s…: results are kept in an SQLite file or at postgresql://…",
		      (int)(strstr(url, "://") + 3 - url), url);
		return NULL;
	}
	return sqlite_open(url, create);
}

void db_close(struct db *db)
{
	if (db)
		db->backend->close(db);
}

const char *db_name(const struct db *db)
{
	return db->name;
}

const char *db_url(const struct db *db)
{
	return db->url;
}

const char *db_identity(const struct db *db)
{
	return db->backend->identity;
}

const char *db_has_table(const struct db *db)
{
	return db->backend->has_table;
}

int db_exec(struct db *db, const char *sql)
{
	return db->backend->exec(db, sql);
}

int db_begin(struct db *db)
{
	return db_exec(db, db->backend->begin);
}

int db_commit(struct db *db)
{
	return db_exec(db, "COMMIT");
}

void db_rollback(struct db *db)
{
	db_exec(db, "ROLLBACK");
}

int db_compact(struct db *db)
{
	return db_exec(db, db->backend->compact);
}

struct rows *db_query(struct db *db, const char *sql, const char *types, ...)
{
	struct value values[MOST_PARAMETERS];
	size_t n = 0;
	va_list ap;

	va_start(ap, types);
	for (; types[n]; n++) {
		values[n].type = types[n];
		if (types[n] == 'i')
			values[n].integer = va_arg(ap, int64_t);
		else if (types[n] == 'r')
			values[n].real = va_arg(ap, double);
		else
			values[n].text = va_arg(ap, const char *);
	}
	va_end(ap);
	return db->backend->query(db, sql, values, n);
}

int rows_next(struct rows *rows)
{
	return rows->backend->next(rows);
}

int64_t rows_integer(const struct rows *rows, int column)
{
	return rows->backend->integer(rows, column);
}

double rows_real(const struct rows *rows, int column)
{
	return rows->backend->real(rows, column);
}

const char *rows_text(const struct rows *rows, int column)
{
	return rows->backend->text(rows, column);
}

void rows_end(struct rows *rows)
{
	if (rows)
		rows->backend->end(rows);
}

int db_drop_rows(struct rows *rows)
{
	int ret;

	if (!rows)
		return -1;
	while ((ret = rows_next(rows)) > 0)
		continue;
	rows_end(rows);
	return ret;
}
