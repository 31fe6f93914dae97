/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef UNIT_H
#define UNIT_H

/* cmocka wants these included first, in every test. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include <cmocka.h>

/** Page faults of this thread so far that took no I/O. */
static inline long faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_minflt;
}

/** The call failed with this errno, and its sentence says @p words. */
#define assert_fails(call, err, words)                                                 \
	do {                                                                           \
		assert_int_equal((call), -(err));                                      \
		if (!strstr(brg_errmsg(), (words)))                                    \
			fail_msg("\"%s\" does not say \"%s\"", brg_errmsg(), (words)); \
	} while (0)

#endif
