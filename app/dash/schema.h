/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DASH_SCHEMA_H
#define DASH_SCHEMA_H

#include "db.h"

/** Make the tables that are not there yet. 0, or -1 after a message. */
int schema_create(struct db *db);

/** Whether the tables are there, and of the version that this program knows: 1, 0, or -1. */
int schema_check(struct db *db);

#endif
