/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef OPENED_H
#define OPENED_H

/* The device that tests run on, open for all of them, and a controller for each. */

#include "disk.h"

static struct brg_device *dev;
static struct brg_nvme_ctrl *ctrl;
static struct brg_nvme_ns ns;

static inline int open_device(void **state)
{
	if (brg_env_init(NULL) || brg_device_open(test_bdf(), &dev)) {
		fprintf(stderr, "%s\n", brg_errmsg());
		return -1;
	}
	return 0;
}

static inline int close_device(void **state)
{
	brg_device_close(dev);
	brg_env_cleanup();
	return 0;
}

/** Bring the controller up, with its namespace 1. */
static inline int open_ctrl_with(const struct brg_nvme_opts *opts)
{
	if (brg_nvme_open(dev, opts, &ctrl) || brg_nvme_ns_get(ctrl, 1, &ns)) {
		fprintf(stderr, "%s\n", brg_errmsg());
		return -1;
	}
	return 0;
}

static inline int close_ctrl(void **state)
{
	brg_nvme_close(ctrl);
	ctrl = NULL;
	return 0;
}

#endif
