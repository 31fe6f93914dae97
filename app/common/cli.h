/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef APP_CLI_H
#define APP_CLI_H

/* Programs made of sub-commands: `program command [options]`. */

/* Exit status of a wrong command line, argp's mistakes included. */
#define CLI_USAGE 2

struct cli_command {
	const char *name;
	const char *summary; /* one line for the program's --help */
	/* argv[0] is "program command", ready for argp; returns the exit status. */
	int (*run)(int argc, char **argv);
};

struct cli {
	const char *program;
	const char *summary;		    /* one sentence */
	const char *example;		    /* a command line, printed below the commands */
	const struct cli_command *commands; /* ended by a NULL name */
};

/** Run the command that argv names; --help, --version and mistakes are dealt with here. */
int cli_main(const struct cli *cli, int argc, char **argv);

#endif
