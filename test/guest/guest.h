/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef GUEST_TEST_H
#define GUEST_TEST_H

/* What programs that test on a real device share. They run as root, in a guest. */

#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "brg_device.h"

/** The device to test on. Without one there is nothing to test, and that is a failure. */
static inline const char *test_bdf(void)
{
	const char *bdf = getenv("BARRAGE_BDF");

	if (!bdf) {
		fprintf(stderr, "BARRAGE_BDF is not set: run this with barrage-lab exec\n");
		exit(2);
	}
	return bdf;
}

/** What an environment variable says, as the path of a command; without it there is no test. */
static inline const char *test_command(const char *variable)
{
	const char *path = getenv(variable);

	if (!path) {
		fprintf(stderr, "%s is to be the path of a command\n", variable);
		exit(2);
	}
	return path;
}

/** Printed for the steps that disturb the device to go on (barrage-lab exec --steps). */
static inline void tell(const char *what)
{
	printf("<%s>\n", what);
	fflush(stdout);
}

/**
 * The kernel's driver brings a controller up, and looks for namespaces, on threads of its own; a
 * disk's file is there before the disk is.
 */
static inline void wait_for_disk(const char *path)
{
	int fd = -1;

	for (int i = 0; i < 3000 && fd < 0; i++) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			usleep(10 * 1000);
	}
	if (fd < 0)
		fail_msg("%s did not appear within 30 s", path);
	close(fd);
}

/** The call succeeded; if not, say why not. */
#define assert_works(call)                                                  \
	do {                                                                \
		int works_rc = (call);                                      \
		if (works_rc < 0)                                           \
			fail_msg(#call ": %d, %s", works_rc, brg_errmsg()); \
	} while (0)

#endif
