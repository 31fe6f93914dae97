/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage sanitize: erase all of an NVM subsystem so that nothing can be brought back. */

#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "commands.h"
#include "options.h"
#include "pages.h"
#include "progress.h"
#include "session.h"

static const char doc[] =
	"Sanitize an NVM subsystem, and wait until that is done: ALL DATA OF THE DEVICE IS LOST, "
	"in every namespace and in its caches. It cannot be stopped, not by a reset either.\v"
	"Examples:\n"
	"  barrage sanitize --sanact block-erase 0000:00:04.0\n"
	"  barrage sanitize --sanact overwrite --owpass 3 --ovrpat 0xa5a5a5a5 0000:00:04.0\n"
	"  barrage log sanitize 0000:00:04.0   (how far it is)";

static const struct choice actions[] = {
	{"exit-failure", NVME_SANITIZE_SANACT_EXIT_FAILURE},
	{"block-erase", NVME_SANITIZE_SANACT_START_BLOCK_ERASE},
	{"overwrite", NVME_SANITIZE_SANACT_START_OVERWRITE},
	{"crypto-erase", NVME_SANITIZE_SANACT_START_CRYPTO_ERASE},
	{0},
};

static struct {
	const char *bdf;
	uint64_t action, passes, pattern;
	bool unrestricted, no_deallocate, invert, no_wait, yes, json;
} opt = {.passes = 1};

static const struct option_spec options[] = {
	CHOICE("sanact", 'a', "ACTION",
	       "block-erase, overwrite, crypto-erase, or exit-failure to leave a failed one",
	       &opt.action, 4, actions),
	FLAG("ause", 'u', "after a failure the device may be used again", &opt.unrestricted),
	FLAG("no-dealloc", 'd', "do not deallocate the blocks afterwards", &opt.no_deallocate),
	NUMBER("owpass", 'n', "N", "passes of an overwrite, 1 (default) to 16", &opt.passes, 1, 16),
	FLAG("oipbp", 'i', "invert the pattern between passes", &opt.invert),
	NUMBER("ovrpat", 'p', "N", "the pattern, 32 bits (default 0)", &opt.pattern, 0, UINT32_MAX),
	FLAG("no-wait", 'W', "only start it", &opt.no_wait),
	YES_FLAG(&opt.yes),
	JSON_FLAG(&opt.json),
	{0},
};

static int wait_until_done(struct brg_nvme_ctrl *ctrl, struct nvme_sanitize_log_page *log)
{
	const struct brg_nvme_log what = {.lid = NVME_LOG_LID_SANITIZE};
	int err;

	for (;;) {
		err = brg_nvme_log_read(ctrl, &what, log, sizeof(*log));
		if (err || opt.no_wait ||
		    (log->sstat & NVME_SANITIZE_SSTAT_STATUS_MASK) !=
			    NVME_SANITIZE_SSTAT_STATUS_IN_PROGESS)
			break;
		progress("sanitize: %u %%", log->sprog * 100u / 65536);
		usleep(200000);
	}
	progress_clear();
	return err;
}

static int sanitize(struct brg_nvme_ctrl *ctrl, void *arg)
{
	const struct brg_nvme_sanitize how = {
		.action = (enum nvme_sanitize_sanact)opt.action,
		.allow_unrestricted_exit = opt.unrestricted,
		.no_deallocate = opt.no_deallocate,
		.passes = (uint8_t)opt.passes,
		.invert = opt.invert,
		.pattern = (uint32_t)opt.pattern,
	};
	struct nvme_sanitize_log_page log;
	struct page_of p = {session_bdf(), &log, sizeof(log)};
	int err;

	if (opt.action != NVME_SANITIZE_SANACT_EXIT_FAILURE &&
	    !session_confirm(opt.yes, "sanitize %s; all data of the device is lost", session_bdf()))
		return 1;
	err = brg_nvme_sanitize(ctrl, &how);
	if (!err)
		err = wait_until_done(ctrl, &log);
	if (err)
		return err;
	page_show(&p, sanitize_log_json, sanitize_log_print, opt.json, false);
	return (log.sstat & NVME_SANITIZE_SSTAT_STATUS_MASK) ==
	       NVME_SANITIZE_SSTAT_STATUS_COMPLETED_FAILED;
}

int cmd_sanitize(int argc, char **argv)
{
	static const struct command_line line = {doc, "BDF", "", options};

	parse_line(&line, argc, argv, &opt.bdf);
	if (!opt.action)
		errx(CLI_USAGE, "how? Say so with --sanact: block-erase, overwrite, crypto-erase "
				"or exit-failure");
	return session_run(opt.bdf, sanitize, NULL);
}
