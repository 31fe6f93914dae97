/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BRG_BAR_PRIVATE_H
#define BRG_BAR_PRIVATE_H

/* What the files of this layer share. */

#include "brg_bar.h"

/** Whether the device answers reads of its BARs, or the guard would: 0 or -EIO. */
int brg_bar_check_decode(struct brg_device *dev);

#endif
