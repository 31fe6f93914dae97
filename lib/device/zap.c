/* SPDX-License-Identifier: BSD-3-Clause */
/* Tell the listener what is about to zap the mappings of a function's BARs. */

#include "zap.h"

#include <stdatomic.h>

static _Atomic(const struct brg_zap_listener *) listener;

void brg_zap_listen(const struct brg_zap_listener *l)
{
	atomic_store_explicit(&listener, l, memory_order_release);
}

int brg_zap_begin(struct brg_device *dev)
{
	const struct brg_zap_listener *l = atomic_load_explicit(&listener, memory_order_acquire);

	return l ? l->before(dev) : 0;
}

void brg_zap_end(struct brg_device *dev)
{
	const struct brg_zap_listener *l = atomic_load_explicit(&listener, memory_order_acquire);

	if (l)
		l->after(dev);
}
