/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef APP_PROVENANCE_H
#define APP_PROVENANCE_H

/* Where a result comes from. Allocated strings are freed by the caller. */

/** The commit this program was built from, "-dirty" after it where files differed; "": unknown. */
const char *build_commit(void);

/** The CPU's model name; allocated. */
char *cpu_model(void);

/** What this machine is emulated or virtualised by, as "tcg", "kvm"; "" on bare metal. */
const char *hypervisor(void);

/** The command line of this program, quoted for a shell; allocated. */
char *command_line(void);

/** The time now, as 2026-11-23T21:46:12+0000; allocated. */
char *date_now(void);

#endif
