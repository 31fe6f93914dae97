/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage self-test: let the device test itself, and wait for what it finds. */

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
	"Run a self-test of an NVMe device, and wait until it is done; the exit status is 1 when "
	"it "
	"fails. No data is changed. A short test takes two minutes at most, and ends with this "
	"command; an extended one goes on in the device.\v"
	"Examples:\n"
	"  barrage self-test 0000:00:04.0\n"
	"  barrage self-test --self-test-code extended --no-wait 0000:00:04.0\n"
	"  barrage log self-test 0000:00:04.0   (what the last ones found)";

static const struct choice codes[] = {
	{"short", NVME_ST_CODE_SHORT},
	{"extended", NVME_ST_CODE_EXTENDED},
	{"abort", NVME_ST_CODE_ABORT},
	{0},
};

static struct {
	const char *bdf;
	uint64_t code, nsid;
	bool no_wait, json;
} opt = {.code = NVME_ST_CODE_SHORT, .nsid = NVME_NSID_ALL};

static const struct option_spec options[] = {
	CHOICE("self-test-code", 's', "TEST", "short (default), extended, or abort what runs",
	       &opt.code, NVME_ST_CODE_ABORT, codes),
	NUMBER("namespace-id", 'n', "N", "with this namespace (default: all; 0: none)", &opt.nsid,
	       0, UINT32_MAX),
	FLAG("no-wait", 'W', "only start it; an extended test goes on in the device", &opt.no_wait),
	JSON_FLAG(&opt.json),
	{0},
};

static int wait_until_done(struct brg_nvme_ctrl *ctrl, struct nvme_self_test_log *log)
{
	const struct brg_nvme_log what = {.lid = NVME_LOG_LID_DEVICE_SELF_TEST};
	int err;

	for (;;) {
		err = brg_nvme_log_read(ctrl, &what, log, sizeof(*log));
		if (err || opt.no_wait || !(log->current_operation & NVME_ST_CURR_OP_MASK))
			break;
		progress("self-test: %u %%", log->completion & NVME_ST_CURR_OP_CMPL_MASK);
		usleep(500000);
	}
	progress_clear();
	return err;
}

/* What ended without an error, or was stopped on purpose, is no failure. */
static bool failed(const struct nvme_self_test_log *log)
{
	unsigned int result = log->result[0].dsts & NVME_ST_RESULT_MASK;

	return opt.code != NVME_ST_CODE_ABORT && !opt.no_wait && result != NVME_ST_RESULT_NO_ERR;
}

static int self_test(struct brg_nvme_ctrl *ctrl, void *arg)
{
	static struct nvme_self_test_log log;
	struct page_of p = {session_bdf(), &log, sizeof(log)};
	int err = brg_nvme_self_test(ctrl, (uint32_t)opt.nsid, (enum nvme_st_code)opt.code);

	if (!err)
		err = wait_until_done(ctrl, &log);
	if (err)
		return err;
	page_show(&p, self_test_log_json, self_test_log_print, opt.json, false);
	return failed(&log);
}

int cmd_self_test(int argc, char **argv)
{
	static const struct command_line line = {doc, "BDF", "", options};

	parse_line(&line, argc, argv, &opt.bdf);
	if (opt.no_wait && opt.code == NVME_ST_CODE_SHORT)
		errx(CLI_USAGE, "--no-wait would end a short test at once: the controller is reset "
				"when this command ends");
	return session_run(opt.bdf, self_test, NULL);
}
