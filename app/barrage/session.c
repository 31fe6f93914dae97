/* SPDX-License-Identifier: BSD-3-Clause */
/* A controller brought up for one command, and the question before data is destroyed. */

#include "session.h"

#include <err.h>
#include <inttypes.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One lcore, where we are: a thread on each CPU of the machine would only take time. */
static int start_eal(unsigned int memory_mib)
{
	struct brg_env_opts opts = {.memory_mib = memory_mib};
	char lcore[16];

	snprintf(lcore, sizeof(lcore), "%d", sched_getcpu());
	opts.lcores = lcore;
	return brg_env_init(&opts);
}

int session_open_device(const char *bdf, struct brg_device **out)
{
	struct brg_device *dev;

	if (brg_device_open(bdf, &dev)) {
		warnx("%s", brg_errmsg());
		return -1;
	}
	if (brg_device_get_info(dev)->class_code != BRG_PCI_CLASS_NVME) {
		warnx("%s is no NVMe controller: its class is %06x", brg_device_get_info(dev)->bdf,
		      brg_device_get_info(dev)->class_code);
		brg_device_close(dev);
		return -1;
	}
	*out = dev;
	return 0;
}

static struct brg_device *at_work;

struct brg_device *session_device(void)
{
	return at_work;
}

const char *session_bdf(void)
{
	return brg_device_get_info(at_work)->bdf;
}

int session_run_with(const char *bdf, unsigned int memory_mib, session_work work, void *arg)
{
	struct brg_nvme_ctrl *ctrl;
	struct brg_device *dev;
	int status = EXIT_FAILURE;
	int rc;

	/* The device first: opening it says soonest what is wrong with it. */
	if (session_open_device(bdf, &dev))
		return EXIT_FAILURE;
	if (start_eal(memory_mib) || brg_nvme_open(dev, NULL, &ctrl)) {
		warnx("%s", brg_errmsg());
		goto close_device;
	}
	at_work = dev;
	rc = work(ctrl, arg);
	if (rc < 0)
		warnx("%s", brg_errmsg());
	status = rc ? EXIT_FAILURE : EXIT_SUCCESS;
	brg_nvme_close(ctrl);
close_device:
	brg_device_close(dev);
	brg_env_cleanup();
	return status;
}

int session_run(const char *bdf, session_work work, void *arg)
{
	return session_run_with(bdf, 16, work, arg);
}

void session_done(void *arg, const struct brg_nvme_cqe *cqe)
{
	struct session_command *command = arg;

	command->status = brg_nvme_status(cqe);
	command->done = true;
}

int session_wait(const char *bdf, struct brg_nvme_qpair *qp, struct session_command *command,
		 int submitted)
{
	int err = submitted;

	while (!err && !command->done) {
		int n = brg_nvme_poll(qp, 0);

		err = n < 0 ? n : 0;
	}
	command->done = false;
	if (err || !command->status)
		return err;
	warnx("%s: %s (status %#x)", bdf, brg_nvme_status_str(command->status), command->status);
	return 1;
}

bool session_confirm(bool yes, const char *fmt, ...)
{
	char what[256], answer[16];
	va_list ap;

	if (yes)
		return true;
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (!isatty(STDIN_FILENO)) {
		warnx("%s? Nobody is there to be asked; --yes says yes beforehand", what);
		return false;
	}
	fprintf(stderr, "%s? Type yes to go on: ", what);
	if (fgets(answer, sizeof(answer), stdin) && !strcmp(answer, "yes\n"))
		return true;
	warnx("nothing was done");
	return false;
}
