/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BRG_BASE_H
#define BRG_BASE_H

/*
 * What every layer shares: the export macro, the error sentence, the version, and a quick start of
 * DPDK's EAL for programs that have none.
 *
 * Errors: every call that can fail returns 0 (or a count) on success and a negative errno value on
 * failure. brg_errmsg() then says in a sentence what was wrong, with which value, and what to do.
 */

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BRG_API __attribute__((visibility("default")))

/** The library's version, as "0.1.0". Never NULL; static storage; any thread. */
BRG_API
const char *brg_version(void);

/**
 * The sentence that belongs to the last failure of a Barrage call on this thread, for example
 * "0000:00:04.0 is bound to nvme; run: barrage bind 0000:00:04.0".
 *
 * Owned by the library, valid until the next Barrage call on the same thread. Empty when nothing
 * has failed yet.
 */
BRG_API
const char *brg_errmsg(void);

enum brg_env_hugepages {
	BRG_ENV_HUGEPAGES_AUTO, /* use hugepages if enough are free, plain memory otherwise */
	BRG_ENV_HUGEPAGES_ON,
	BRG_ENV_HUGEPAGES_OFF,
};

/** How brg_env_init() starts EAL. A zeroed structure asks for the defaults. */
struct brg_env_opts {
	const char *program;	 /* argv[0] for EAL's messages; NULL: "barrage" */
	const char *lcores;	 /* EAL's -l list, as "0-3"; NULL: this thread's CPUs */
	unsigned int memory_mib; /* memory EAL reserves at start, in MiB; 0: 64, of hugepages
				    8, and more when needed */
	enum brg_env_hugepages hugepages; /* where that memory comes from */
	char **eal_args;		  /* more EAL arguments, appended; NULL: none */
	int eal_nargs;			  /* how many */
	bool verbose;			  /* let EAL print its own messages */
};

/**
 * Start EAL for a program that has not done so: in memory only (no files left behind), no PCI scan
 * (Barrage opens VFIO itself), no telemetry socket, IOVA = VA.
 *
 * In a program whose EAL is already up this does nothing and returns 0: that EAL is used as it is,
 * and brg_env_cleanup() leaves it alone.
 *
 * @param opts  NULL for the defaults.
 * @return 0, or -EINVAL (bad lcore list or EAL argument), -ENOMEM (not enough memory or hugepages),
 *         -EIO (EAL failed otherwise). EAL cannot be started twice in one process.
 *
 * Thread-safety: call once, from the thread that becomes the main lcore.
 */
BRG_API
int brg_env_init(const struct brg_env_opts *opts);

/** Stop the EAL that brg_env_init() started; does nothing otherwise. Main lcore only. */
BRG_API
void brg_env_cleanup(void);

#ifdef __cplusplus
}
#endif
#endif
