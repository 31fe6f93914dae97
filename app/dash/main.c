/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage-dash: keep results, and tell what got better or worse. */

#include "cli.h"
#include "commands.h"

#include <stddef.h>

static const struct cli_command commands[] = {
	{"add", "put result files into the store", cmd_add},
	{"check", "what got better or worse", cmd_check},
	{"list", "the series in the store, or its runs", cmd_list},
	{"show", "one series, or one result and where it comes from", cmd_show},
	{"triage", "say that a change is known, fixed or wanted", cmd_triage},
	{"report", "a page that shows all of it", cmd_report},
	{"export", "results as JSON or CSV, or for Prometheus", cmd_export},
	{"prune", "remove old runs", cmd_prune},
	{NULL, NULL, NULL},
};

int main(int argc, char **argv)
{
	static const struct cli cli = {
		.program = "barrage-dash",
		.summary = "Keep benchmark results, and tell what got better or worse.",
		.example = "barrage-dash add result.json",
		.commands = commands,
	};

	return cli_main(&cli, argc, argv);
}
