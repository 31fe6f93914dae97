/* SPDX-License-Identifier: BSD-3-Clause */
/* The error sentence of each thread, the log type and the version. */

#include <stdarg.h>
#include <stdio.h>

#include "base.h"

static __thread char errmsg[512];

RTE_LOG_REGISTER(brg_logtype, lib.barrage, NOTICE)

const char *brg_version(void)
{
	return BRG_VERSION;
}

const char *brg_errmsg(void)
{
	return errmsg;
}

int brg_fail(int err, const char *fmt, ...)
{
	char sentence[sizeof(errmsg)]; /* an argument may be the previous sentence itself */
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);
	snprintf(errmsg, sizeof(errmsg), "%s", sentence);
	return -err;
}
