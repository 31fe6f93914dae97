/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PLUG_H
#define PLUG_H

/* The kernel's events of a controller that goes and comes. Include after guest.h. */

#include <poll.h>

/** Wait for the next event of @p bdf, as it is to be; other functions may have some as well. */
static inline void expect_event(struct brg_device_watch *watch, const char *bdf, bool added)
{
	struct pollfd fd = {.fd = brg_device_watch_fd(watch), .events = POLLIN};
	struct brg_device_event event;
	int rc;

	do {
		assert_int_equal(poll(&fd, 1, 60000), 1);
		while ((rc = brg_device_watch_next(watch, &event)) > 0) {
			if (strcmp(event.bdf, bdf) != 0)
				continue;
			assert_int_equal(event.added, added);
			assert_int_equal(event.class_code, BRG_PCI_CLASS_NVME);
			return;
		}
		assert_int_equal(rc, 0);
	} while (true);
}

#endif
