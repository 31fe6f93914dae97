/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LAB_ACCEL_H
#define LAB_ACCEL_H

#include <stdbool.h>

struct emulator;
struct kernel;

/**
 * Whether guests run on KVM. /dev/kvm may open and yet never run a guest, so the first call on a
 * machine tries: KVM gets a few seconds to reach a guest's first line. The answer is kept in the
 * cache until the host reboots, and said once when it is no.
 *
 * @param kernel,qemu  what to try with.
 * @param reason  set to why not, or "" (static storage); may be NULL.
 */
bool accel_kvm(const struct kernel *kernel, const struct emulator *qemu, const char **reason);

/** The accelerator's name in QEMU's terms: "kvm" or "tcg". */
const char *accel_name(bool kvm);

#endif
