/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DASH_FINGERPRINT_H
#define DASH_FINGERPRINT_H

#include "batch.h"

/** Which series a measurement belongs to: the same texts give the same fingerprint, ever. */
void fingerprint(const struct measurement *m, const char *machine, char digits[FINGERPRINT_SIZE]);

/** SHA-256 of some bytes, in hex. */
void hash_hex(const void *bytes, size_t size, char digits[65]);

#endif
