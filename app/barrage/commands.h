/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BARRAGE_COMMANDS_H
#define BARRAGE_COMMANDS_H

/* The sub-commands, and what they share. */

#include <jansson.h>
#include <stdint.h>

#include "brg_device.h"
#include "print_json.h"

/* argv[0] is "barrage NAME". They return the exit status. */
int cmd_list(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_bind(int argc, char **argv);
int cmd_unbind(int argc, char **argv);
int cmd_identify(int argc, char **argv);
int cmd_kernel(int argc, char **argv);
int cmd_bar(int argc, char **argv);
int cmd_perf(int argc, char **argv);
int cmd_health(int argc, char **argv);
int cmd_log(int argc, char **argv);
int cmd_feature(int argc, char **argv);
int cmd_ns(int argc, char **argv);
int cmd_zns(int argc, char **argv);
int cmd_vf(int argc, char **argv);
int cmd_fdp(int argc, char **argv);
int cmd_format(int argc, char **argv);
int cmd_sanitize(int argc, char **argv);
int cmd_self_test(int argc, char **argv);
int cmd_fw(int argc, char **argv);
int cmd_reset(int argc, char **argv);
int cmd_read(int argc, char **argv);
int cmd_write(int argc, char **argv);
int cmd_compare(int argc, char **argv);

/** What sysfs says, and who uses the function, as an object. */
json_t *info_json(const struct brg_device_info *info);

/** The first BAR of which something can be mapped; 0 where there is none. */
unsigned int first_bar(const struct brg_device *dev);

/** "16 KiB"; @return @p text. */
const char *size_text(char text[24], uint64_t bytes);

#endif
