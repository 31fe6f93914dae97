/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LAB_COMMANDS_H
#define LAB_COMMANDS_H

/* The sub-commands; argv[0] is "barrage-lab NAME". They return the exit status. */

int cmd_compare(int argc, char **argv);
int cmd_cost(int argc, char **argv);
int cmd_exec(int argc, char **argv);
int cmd_matrix(int argc, char **argv);
int cmd_kernels(int argc, char **argv);
int cmd_emulators(int argc, char **argv);
int cmd_handlers(int argc, char **argv);
int cmd_doctor(int argc, char **argv);

/** A positive number from an option's text, or the end of the program with a sentence. */
unsigned int number_option(const char *option, const char *text, unsigned int least,
			   unsigned int most);

#endif
