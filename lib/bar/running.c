/* SPDX-License-Identifier: BSD-3-Clause */
/* The fault handler of the kernel that runs, looked at when it first matters. */

#include <pthread.h>
#include <stdatomic.h>

#include "bar.h"

static struct brg_bar_handler handler;
static atomic_bool known;

static void look(void)
{
	brg_bar_handler_detect(NULL, &handler);
	atomic_store(&known, true);
}

const struct brg_bar_handler *brg_bar_running(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, look);
	return &handler;
}

bool brg_bar_known_safe(void)
{
	return atomic_load(&known) && !handler.vulnerable;
}
