/* SPDX-License-Identifier: BSD-3-Clause */
/* JSON as all programs print it. */

#include "print_json.h"

#include <stdio.h>
#include <stdlib.h>

int print_json(json_t *json)
{
	int rc = json_dumpf(json, stdout, JSON_INDENT(2));

	printf("\n");
	json_decref(json);
	return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}
