/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DASH_DB_H
#define DASH_DB_H

/*
 * SQL on SQLite or PostgreSQL: the statements are the same, with parameters $1, $2, … in the order
 * in which they first appear. A failure is told on stderr.
 */

#include <stdbool.h>
#include <stdint.h>

struct db;
struct rows;

/**
 * @param url     postgresql://… or postgres://…, or the path of an SQLite file.
 * @param create  make the SQLite file when there is none.
 * @return NULL after a message.
 */
struct db *db_open(const char *url, bool create);

void db_close(struct db *db);

/** What to call it in messages. */
const char *db_name(const struct db *db);

/** What db_open() takes to open it again from anywhere, without the password of a server. */
const char *db_url(const struct db *db);

/** What a column that numbers its rows is declared as. */
const char *db_identity(const struct db *db);

/** A query that gives a row when there is a table named $1. */
const char *db_has_table(const struct db *db);

/** Run statements that take no parameters and give no rows. 0 or -1. */
int db_exec(struct db *db, const char *sql);

/**
 * A transaction that may write. Writers wait for each other here, so that what one of them reads
 * in its transaction stays true until its end.
 */
int db_begin(struct db *db);
int db_commit(struct db *db);
void db_rollback(struct db *db);

/** Give back room that deleted rows took. */
int db_compact(struct db *db);

/**
 * Run one statement.
 * @param types  a letter for each parameter that follows: i (int64_t), r (double), t (const char *;
 *               NULL is SQL's).
 * @return rows to be ended with rows_end(); NULL after a message.
 */
struct rows *db_query(struct db *db, const char *sql, const char *types, ...);

/** Go to the next row: 1, 0 when there is none, -1 after a message. */
int rows_next(struct rows *rows);

/** A column of the row, from 0. Texts live until the next row; NULL becomes "" and 0. */
int64_t rows_integer(const struct rows *rows, int column);
double rows_real(const struct rows *rows, int column);
const char *rows_text(const struct rows *rows, int column);

void rows_end(struct rows *rows);

/** A statement whose rows do not matter: 0 or -1. Parameters as for db_query(). */
#define db_run(...) db_drop_rows(db_query(__VA_ARGS__))
int db_drop_rows(struct rows *rows);

#endif
