/* SPDX-License-Identifier: BSD-3-Clause */
/* KVM, or software emulation (TCG) where KVM does not serve. */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "accel.h"
#include "cache.h"
#include "image.h"
#include "kernel.h"
#include "progress.h"
#include "text.h"
#include "vm.h"

#define TRY_SECONDS 5

const char *accel_name(bool kvm)
{
	return kvm ? "kvm" : "tcg";
}

/* A guest with nothing in it: its kernel talks, then panics for want of an init. */
static bool try_kvm(const struct kernel *kernel, const struct emulator *qemu)
{
	struct image *image = image_new();
	struct vm_config config = {
		.qemu = qemu,
		.image = kernel->image,
		.initramfs = image_finish(image),
		.kvm = true,
		.cpus = 1,
		.memory_mib = 512,
		.iommu_bits = 48,
		.disk_mib = 1,
		.limit_s = TRY_SECONDS,
		.silence_s = TRY_SECONDS,
	};
	struct vm_streams streams = {.in = -1};
	struct vm_outcome outcome;
	bool talked;

	progress("trying whether KVM runs a guest");
	talked = vm_run(&config, &streams, &outcome) == 0 && outcome.end == VM_PANIC;
	progress_clear();
	image_free(image);
	return talked;
}

/* Remembered as "BOOT-ID kvm" or "BOOT-ID tcg". */
static char *memory_line(bool kvm)
{
	char *boot = first_line("/proc/sys/kernel/random/boot_id");
	char *line = format("%s %s", boot, accel_name(kvm));

	free(boot);
	return line;
}

static bool remembers(const char *path, bool kvm)
{
	char *line = first_line(path), *wanted = memory_line(kvm);
	bool same = !strcmp(line, wanted);

	free(line);
	free(wanted);
	return same;
}

static void remember(const char *path, bool kvm)
{
	char *line = memory_line(kvm);
	FILE *out = fopen(path, "we");

	if (out) {
		fprintf(out, "%s\n", line);
		fclose(out);
	}
	free(line);
}

bool accel_kvm(const struct kernel *kernel, const struct emulator *qemu, const char **reason)
{
	static char why[128];
	char *path;
	bool kvm;
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	why[0] = '\0';
	if (reason)
		*reason = why;
	if (fd < 0) {
		snprintf(why, sizeof(why), "/dev/kvm: %s", strerror(errno));
		return false;
	}
	close(fd);

	path = cache_path("accel");
	kvm = remembers(path, true);
	if (!kvm && !remembers(path, false)) {
		kvm = try_kvm(kernel, qemu);
		remember(path, kvm);
		if (!kvm)
			warnx("/dev/kvm opens but no guest ran on it within %d s: using software "
			      "emulation from now on",
			      TRY_SECONDS);
	}
	if (!kvm)
		snprintf(why, sizeof(why), "/dev/kvm opens, but no guest runs on it");
	free(path);
	return kvm;
}
