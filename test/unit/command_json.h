/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef COMMAND_JSON_H
#define COMMAND_JSON_H

/* Run a program that prints JSON. Include after unit.h. */

#include <jansson.h>

#include "command.h"

/** What was printed, which must be one JSON document; to be json_decref()'d. */
static inline json_t *printed_json(void)
{
	json_error_t error;
	json_t *json = json_loads(printed, 0, &error);

	if (!json)
		fail_msg("%s in:\n%s", error.text, printed);
	return json;
}

#endif
