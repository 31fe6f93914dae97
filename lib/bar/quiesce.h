/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BRG_QUIESCE_H
#define BRG_QUIESCE_H

#include "bar.h"

/**
 * Fill a mapping for several lcores on a vulnerable kernel as brg_bar_populate() does, and see to
 * it from now on that it is never empty when these come to it, whatever this process does to the
 * device.
 */
int brg_quiesce_fill(struct brg_mapping *m);

#endif
