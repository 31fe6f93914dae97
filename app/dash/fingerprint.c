/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What makes two results comparable: benchmark, parameters, handler, machine class and metric. The
 * kernel and the commit are not among them: they are what changes along a series.
 */

#include <sha256.h>
#include <stdint.h>
#include <string.h>

#include "fingerprint.h"

void hash_hex(const void *bytes, size_t size, char digits[65])
{
	SHA256Data(bytes, size, digits);
}

/* With its terminator, so that no two lists of texts look alike. */
static void add(SHA2_CTX *context, const char *text)
{
	SHA256Update(context, (const uint8_t *)text, strlen(text) + 1);
}

void fingerprint(const struct measurement *m, const char *machine, char digits[FINGERPRINT_SIZE])
{
	char all[SHA256_DIGEST_STRING_LENGTH];
	SHA2_CTX context;

	SHA256Init(&context);
	add(&context, m->benchmark);
	add(&context, m->parameters);
	add(&context, m->handler);
	add(&context, machine);
	add(&context, m->metric);
	SHA256End(&context, all);
	memcpy(digits, all, FINGERPRINT_SIZE - 1);
	digits[FINGERPRINT_SIZE - 1] = '\0';
}
