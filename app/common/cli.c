/* SPDX-License-Identifier: BSD-3-Clause */
/* Find the sub-command, or say which there are. */

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static void usage(const struct cli *cli, FILE *out)
{
	fprintf(out, "Usage: %s COMMAND [OPTION...]\n%s\n\nCommands:\n", cli->program,
		cli->summary);
	for (const struct cli_command *c = cli->commands; c->name; c++)
		fprintf(out, "  %-10s  %s\n", c->name, c->summary);
	fprintf(out, "\n%s COMMAND --help tells the options of a command.\n\nExample:\n  %s\n",
		cli->program, cli->example);
}

/* What was printed has got there, or the command has not succeeded: a full disk, for instance. */
static int printed(const struct cli *cli, int status)
{
	if (status != EXIT_SUCCESS || (!fflush(stdout) && !ferror(stdout)))
		return status;
	fprintf(stderr, "%s: standard output: %s\n", cli->program, strerror(errno));
	return EXIT_FAILURE;
}

int cli_main(const struct cli *cli, int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	argp_err_exit_status = CLI_USAGE;
	if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
		usage(cli, stdout);
		return printed(cli, EXIT_SUCCESS);
	}
	if (!strcmp(name, "--version")) {
		printf("%s %s\n", cli->program, BRG_VERSION);
		return EXIT_SUCCESS;
	}
	for (const struct cli_command *c = cli->commands; c->name; c++) {
		char full_name[64];

		if (strcmp(c->name, name) != 0)
			continue;
		snprintf(full_name, sizeof(full_name), "%s %s", cli->program, name);
		argv[1] = full_name;
		return printed(cli, c->run(argc - 1, argv + 1));
	}
	if (name[0])
		fprintf(stderr, "%s: no command \"%s\"; there are:", cli->program, name);
	else
		fprintf(stderr, "%s: which command? There are:", cli->program);
	for (const struct cli_command *c = cli->commands; c->name; c++)
		fprintf(stderr, " %s", c->name);
	fprintf(stderr, "\n");
	return CLI_USAGE;
}
