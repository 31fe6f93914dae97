/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BRG_ZAP_H
#define BRG_ZAP_H

/*
 * A reset, and whatever else turns a function's memory off and on, makes the kernel zap all
 * mappings of its BARs: the next access of every lcore faults. Who maps BARs listens here for what
 * this process is about to do. What others do to the device nobody is told.
 */

#include "brg_device.h"

struct brg_zap_listener {
	/** A zap is to come: 0, and after() follows; or an error, and the device is left alone. */
	int (*before)(struct brg_device *dev);
	void (*after)(struct brg_device *dev);
};

/** There is one listener, from its first mapping on. Static storage; any thread. */
void brg_zap_listen(const struct brg_zap_listener *listener);

int brg_zap_begin(struct brg_device *dev);
void brg_zap_end(struct brg_device *dev);

#endif
