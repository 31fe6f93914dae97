/* SPDX-License-Identifier: BSD-3-Clause */
/* Facts of the host, for results and for the doctor. */

#include <err.h>
#include <libgen.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host.h"
#include "provenance.h"
#include "text.h"

unsigned int host_cpus(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned int)CPU_COUNT(&set) : 1;
}

json_t *host_json(const char *accel, const struct emulator *qemu)
{
	char *machine = cpu_model(), *command = command_line(), *date = date_now();
	json_t *host =
		json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:s, s:s}", "machine", machine, "cpus",
			  (int)host_cpus(), "accel", accel, "qemu",
			  qemu->version ? qemu->version : "unknown", "barrage_version", BRG_VERSION,
			  "commit", build_commit(), "command", command, "date", date);

	free(machine);
	free(command);
	free(date);
	return host;
}

char *host_program(const char *name)
{
	static const char *const places[] = {".", "../libexec/barrage", "../../bench"};
	char self[4096];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (len < 0)
		err(1, "/proc/self/exe");
	self[len] = '\0';
	dirname(self);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		char *path = format("%s/%s/%s", self, places[i], name);

		if (access(path, X_OK) == 0)
			return path;
		free(path);
	}
	errx(1, "no %s beside %s: is it built?", name, self);
}
