/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef APP_PRINT_JSON_H
#define APP_PRINT_JSON_H

#include <jansson.h>

/** Print to standard output, and free. @return the exit status. */
int print_json(json_t *json);

#endif
