/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DASH_COMMANDS_H
#define DASH_COMMANDS_H

/* The sub-commands; argv[0] is "barrage-dash NAME". They return the exit status. */

int cmd_add(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_prune(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_triage(int argc, char **argv);

#endif
