/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DASH_SERVER_H
#define DASH_SERVER_H

/*
 * A PostgreSQL server of a test's own, on a Unix socket and nothing else. PostgreSQL refuses to run
 * as root; under root it is run as the user nobody.
 */

/**
 * @param folder  where its files may be.
 * @return the URL of its database; NULL when no server is installed. One that does not start ends
 *         the program.
 */
const char *server_start(const char *folder);

/** Forget all that is in its database. */
void server_empty(void);

/** Run statements. */
void server_run(const char *sql);

/** Stop it, in any case before the program ends. */
void server_stop(void);

#endif
