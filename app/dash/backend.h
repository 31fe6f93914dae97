/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DASH_BACKEND_H
#define DASH_BACKEND_H

/* What an SQL engine gives db.c; the functions are those of db.h. */

#include <stddef.h>

#include "db.h"

struct value {
	char type; /* 'i', 'r' or 't' */
	union {
		int64_t integer;
		double real;
		const char *text;
	};
};

struct backend {
	const char *identity, *has_table, *begin, *compact;
	void (*close)(struct db *db);
	int (*exec)(struct db *db, const char *sql);
	struct rows *(*query)(struct db *db, const char *sql, const struct value *values, size_t n);
	int (*next)(struct rows *rows);
	int64_t (*integer)(const struct rows *rows, int column);
	double (*real)(const struct rows *rows, int column);
	const char *(*text)(const struct rows *rows, int column);
	void (*end)(struct rows *rows);
};

/* The first members of each engine's own. */
struct db {
	const struct backend *backend;
	char *name, *url; /* allocated */
};

struct rows {
	const struct backend *backend;
};

struct db *sqlite_open(const char *path, bool create);
struct db *postgres_open(const char *url);

#endif
