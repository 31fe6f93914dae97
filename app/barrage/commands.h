/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BARRAGE_COMMANDS_H
#define BARRAGE_COMMANDS_H

/* The sub-commands, and what they share. */

#include <argp.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "brg_device.h"

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
int cmd_format(int argc, char **argv);
int cmd_sanitize(int argc, char **argv);
int cmd_self_test(int argc, char **argv);
int cmd_fw(int argc, char **argv);
int cmd_reset(int argc, char **argv);
int cmd_read(int argc, char **argv);
int cmd_write(int argc, char **argv);
int cmd_compare(int argc, char **argv);

/** What the command lines can say; a command lets in its own options only. */
struct args {
	const char *bdf;
	const char *driver;
	const char *module;
	uint32_t class_code;
	bool kernel;
	bool keep_ready;
	bool json;
};

/* Keys of the options without a letter of their own. */
enum {
	OPT_KERNEL = 256,
	OPT_ALL,
	OPT_CONFIRM,
	OPT_KEEP_READY
};

#define OPTION_JSON                                   \
	{                                             \
		"json", 'j', NULL, 0, "print JSON", 0 \
	}

/**
 * Parse a command line; a mistake ends the program with a sentence.
 * @param doc  for --help; after \v comes the example. The command takes a BDF if @p wants_bdf.
 */
void parse_args(struct args *args, const struct argp_option *options, bool wants_bdf,
		const char *doc, int argc, char **argv);

/** Print and free. @return the exit status. */
int print_json(json_t *json);

/** What sysfs says, and who uses the function, as an object. */
json_t *info_json(const struct brg_device_info *info);

/** "16 KiB"; @return @p text. */
const char *size_text(char text[24], uint64_t bytes);

#endif
