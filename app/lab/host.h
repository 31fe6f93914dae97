/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LAB_HOST_H
#define LAB_HOST_H

#include <jansson.h>

#include "emulator.h"

/* What the machine that runs the lab is. Strings are freed by the caller. */

/** CPUs this process may run on. */
unsigned int host_cpus(void);

/**
 * "host" in the results of a guest: this machine, the program and its command line, the time.
 * @param accel  what runs the guests' CPUs.
 * @param qemu   and what runs the guests.
 */
json_t *host_json(const char *accel, const struct emulator *qemu);

/**
 * Path of another program of Barrage: beside this one or in libexec when installed, in bench/ of
 * the same build otherwise.
 */
char *host_program(const char *name);

#endif
