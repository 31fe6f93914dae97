/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DASH_STORE_WRITE_H
#define DASH_STORE_WRITE_H

/* What changes a store; each call is one transaction. */

#include "batch.h"
#include "store.h"

/** Add a run: all of it or nothing. 1 when it was added, 0 when it is there already, or -1. */
int store_add(struct store *store, const struct batch *batch);

#endif
