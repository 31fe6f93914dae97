/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LAB_EMULATOR_H
#define LAB_EMULATOR_H

/*
 * The QEMU that runs a guest: this machine's, Debian's newest, fetched as kernels are and never
 * installed, or a program of the user's.
 */

#include <argp.h>

/** That of the backports to the Debian that this machine runs. */
#define EMULATOR_BACKPORTS "debian:backports"

/** A QEMU. Zeroed, and then emulator_get(): this machine's. */
struct emulator {
	const char *what; /* EMULATOR_BACKPORTS, or a program; NULL: this machine's; not owned */
	char *program;
	char *folder;  /* it was unpacked there and is to find its parts there; NULL: it is not */
	char *version; /* "7.2.22"; NULL: it cannot be run */
};

/** The option --qemu, for a command's argp to have as a child; input: the emulator. */
extern const struct argp emulator_argp;

/**
 * Get it ready to run, fetched when it is not in the cache.
 * @return 0, or -1 after a message; emulator_free() in any case. That this machine has none is said
 *         by a version of NULL only.
 */
int emulator_get(struct emulator *emulator);

void emulator_free(struct emulator *emulator);

/**
 * What a command line for it begins with.
 * @param argv  room for EMULATOR_WORDS strings, which become the caller's.
 * @return how many there are.
 */
int emulator_words(const struct emulator *emulator, char **argv);

#define EMULATOR_WORDS 10

/** The version of EMULATOR_BACKPORTS in the cache, "" when there is none. Freed by the caller. */
char *emulator_cached_version(void);

/**
 * Ask Debian for the newest one, and fetch it where that is another than in the cache. Guests that
 * start just then may fail. 0, or -1 after a message; the cache is as it was then.
 */
int emulator_refresh(void);

#endif
