/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * barrage fw: new firmware. Download and commit are one command here: an image that was only
 * downloaded is lost with the reset at the end of the command.
 */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "commands.h"
#include "options.h"
#include "progress.h"
#include "session.h"

static const char doc[] =
	"Give an NVMe controller new firmware (update), or choose which of its slots to run "
	"(commit). barrage log fw shows the slots.\v"
	"Examples:\n"
	"  barrage fw update --fw image.bin --slot 2 0000:00:04.0\n"
	"  barrage fw commit --slot 1 0000:00:04.0";

static const char question[] = "what to do? update or commit";

static const struct choice actions[] = {
	{"replace", NVME_FW_COMMIT_CA_REPLACE},
	{"activate", NVME_FW_COMMIT_CA_REPLACE_AND_ACTIVATE},
	{"set-active", NVME_FW_COMMIT_CA_SET_ACTIVE},
	{"activate-now", NVME_FW_COMMIT_CA_REPLACE_AND_ACTIVATE_IMMEDIATE},
	{0},
};

#define NOT_GIVEN UINT64_MAX

static struct {
	const char *words[2]; /* what to do, device */
	const char *file;
	uint64_t slot, action;
	bool yes, json;
	void *image;
	size_t len;
} opt = {.action = NOT_GIVEN};

static const struct option_spec options[] = {
	TEXT("fw", 'f', "FILE", "the image", &opt.file),
	NUMBER("slot", 's', "N", "the slot, 1 to 7 (default 0: the controller chooses)", &opt.slot,
	       0, 7),
	CHOICE("action", 'a', "ACTION",
	       "replace the slot's image; activate: also run it after the next reset (default of "
	       "update); set-active: run what is in the slot (default of commit); activate-now: "
	       "without a reset",
	       &opt.action, 3, actions),
	FLAG("yes", 'y', "do not ask before firmware is changed", &opt.yes),
	JSON_FLAG(&opt.json),
	{0},
};

static void on_progress(void *arg, size_t sent)
{
	progress("download: %zu of %zu KiB", sent / 1024, opt.len / 1024);
}

static int report(enum brg_nvme_fw_needs needs)
{
	static const char *const texts[] = {
		[BRG_NVME_FW_ACTIVE] = "committed",
		[BRG_NVME_FW_NEEDS_RESET] = "committed; it runs after the next reset, which the "
					    "next command on the device does",
		[BRG_NVME_FW_NEEDS_CONV_RESET] = "committed; it runs after a conventional reset of "
						 "the PCI function, as by a reboot",
		[BRG_NVME_FW_NEEDS_SUBSYS_RESET] = "committed; it runs after the device was "
						   "without power",
	};
	static const char *const names[] = {"nothing", "reset", "conventional-reset",
					    "subsystem-reset"};

	if (opt.json)
		return print_json(json_pack("{s:s, s:I, s:s}", "bdf", session_bdf(), "slot",
					    (json_int_t)opt.slot, "needs", names[needs]));
	printf("%s: %s\n", session_bdf(), texts[needs]);
	return 0;
}

static int change(struct brg_nvme_ctrl *ctrl, void *arg)
{
	enum brg_nvme_fw_needs needs;
	int err = 0;

	if (!session_confirm(opt.yes, "%s the firmware of %s", opt.image ? "replace" : "switch",
			     session_bdf()))
		return 1;
	if (opt.image)
		err = brg_nvme_fw_download(ctrl, opt.image, opt.len, on_progress, NULL);
	progress_clear();
	if (!err)
		err = brg_nvme_fw_commit(ctrl, (unsigned int)opt.slot,
					 (enum nvme_fw_commit_ca)opt.action, &needs);
	return err ? err : report(needs);
}

static void map_image(void)
{
	int fd = open(opt.file, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		err(EXIT_FAILURE, "%s", opt.file);
	if (!st.st_size || st.st_size % 4)
		errx(EXIT_FAILURE, "%s: a firmware image is a multiple of 4 bytes, this has %jd",
		     opt.file, (intmax_t)st.st_size);
	opt.len = (size_t)st.st_size;
	opt.image = mmap(NULL, opt.len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (opt.image == MAP_FAILED)
		err(EXIT_FAILURE, "%s", opt.file);
	close(fd);
}

int cmd_fw(int argc, char **argv)
{
	static const struct command_line line = {doc, "update|commit BDF", question, options};
	bool update;

	parse_line(&line, argc, argv, opt.words);
	update = !strcmp(opt.words[0], "update");
	if (!update && strcmp(opt.words[0], "commit") != 0)
		errx(CLI_USAGE, "fw %s: %s", opt.words[0], question);
	if (update && !opt.file)
		errx(CLI_USAGE, "fw update: which image? Name its file with --fw");
	if (!update && opt.file)
		errx(CLI_USAGE, "fw commit takes no image; fw update does");
	if (opt.action == NOT_GIVEN)
		opt.action = update ? NVME_FW_COMMIT_CA_REPLACE_AND_ACTIVATE
				    : NVME_FW_COMMIT_CA_SET_ACTIVE;
	if (update)
		map_image();
	return session_run(opt.words[1], change, NULL);
}
