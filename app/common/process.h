/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef APP_PROCESS_H
#define APP_PROCESS_H

/* Run a program of the host and wait for it. */

/**
 * Run argv (searched in PATH) with its output, stdout and stderr, appended to the file @p log (an
 * absolute path). When it fails, its name and the last lines of the log are printed.
 *
 * @param dir  the folder to run it in; NULL: the present one.
 *
 * @return 0 when it exited with 0, else -1.
 */
int process_run(char *const argv[], const char *dir, const char *log);

/**
 * What argv prints on stdout, as a string that the caller frees; its stderr is dropped.
 * NULL when it could not be run or exited with another status than 0.
 */
char *process_output(char *const argv[]);

#endif
