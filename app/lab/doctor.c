/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage-lab doctor: whether this machine can run the lab, and what to do if it cannot. */

#include <argp.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "accel.h"
#include "cache.h"
#include "commands.h"
#include "emulator.h"
#include "folder.h"
#include "kernel.h"
#include "process.h"
#include "table.h"
#include "text.h"

struct doctor {
	bool json, ok;
	struct emulator qemu; /* this machine's */
	struct table *table;
	json_t *list;
};

/* One finding; takes @finding over. */
static void say(struct doctor *d, const char *what, bool good, char *finding)
{
	d->ok &= good;
	table_cell(d->table, "%s", what);
	table_cell(d->table, "%s", good ? "ok" : "missing");
	table_cell(d->table, "%s", finding);
	json_array_append_new(d->list, json_pack("{s:s, s:b, s:s}", "what", what, "ok", good,
						 "finding", finding));
	free(finding);
}

static void look_at_qemu(struct doctor *d)
{
	const char *version = d->qemu.version;

	say(d, "QEMU", version,
	    version ? format("%s", version)
		    : format("no qemu-system-x86_64; run: apt-get install qemu-system-x86"));
}

static void look_at_backports(struct doctor *d)
{
	char *version = emulator_cached_version();

	say(d, "QEMU " EMULATOR_BACKPORTS, true,
	    version[0] ? format("%s in the cache", version)
		       : format("fetched from Debian when needed"));
	free(version);
}

/* Tools that are called by name, and the package that brings each. */
static void look_at_tools(struct doctor *d)
{
	static const struct {
		const char *tool, *package;
	} tools[] = {{"apt-get", "apt"},
		     {"make", "make"},
		     {"gcc-12", "gcc-12"},
		     {"gnuplot", "gnuplot-nox"}}; /* of --report */

	for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++) {
		char *const which[] = {"sh", "-c", "command -v \"$0\"", (char *)tools[i].tool,
				       NULL};
		char *path = process_output(which);

		if (path)
			path[strcspn(path, "\n")] = '\0';
		say(d, tools[i].tool, path,
		    path ? format("%s", path)
			 : format("run: apt-get install %s", tools[i].package));
		free(path);
	}
}

/* KVM is only tried with a kernel that is there already. */
static void look_at_accel(struct doctor *d)
{
	const struct kernel_series *tried = kernel_series;
	const char *reason = "not tried: no kernel in the cache yet";
	struct kernel kernel = {0};
	bool cached = false, kvm = false;

	for (; tried->name && !cached; tried++) {
		char *version = kernel_cached_version(tried);

		cached = version[0] && kernel_get(tried->name, NULL, &kernel) == 0;
		free(version);
	}
	if (access("/dev/kvm", R_OK | W_OK) < 0)
		reason = "no access to /dev/kvm";
	else if (cached)
		kvm = accel_kvm(&kernel, &d->qemu, &reason);
	say(d, "accelerator", true, kvm ? format("kvm") : format("tcg: %s", reason));
	kernel_free(&kernel);
}

/* A kernel with its headers takes 300 MiB while it is fetched. */
static void look_at_cache(struct doctor *d)
{
	const unsigned long need_mib = 600;
	struct statvfs fs;
	unsigned long mib;

	if (make_folders(cache_root()) < 0 || access(cache_root(), W_OK) < 0 ||
	    statvfs(cache_root(), &fs) < 0) {
		say(d, "cache", false,
		    format("%s cannot be written; set XDG_CACHE_HOME", cache_root()));
		return;
	}
	mib = (unsigned long)((double)fs.f_bavail * (double)fs.f_frsize / (1 << 20));
	say(d, "cache", mib >= need_mib,
	    format("%s, %lu MiB free (a kernel takes up to %lu)", cache_root(), mib, need_mib));
}

static void look_at_kernels(struct doctor *d)
{
	for (const struct kernel_series *s = kernel_series; s->name; s++) {
		char *version = kernel_cached_version(s);

		say(d, s->name, true,
		    version[0] ? format("%s in the cache", version)
			       : format("fetched from Debian when needed"));
		free(version);
	}
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct doctor *d = state->input;

	if (key == 'j')
		d->json = true;
	else if (key == ARGP_KEY_ARG)
		argp_error(state, "nothing is expected here: %s", arg);
	else
		return ARGP_ERR_UNKNOWN;
	return 0;
}

int cmd_doctor(int argc, char **argv)
{
	static const char *const heads[] = {"what", "state", "finding", NULL};
	static const struct argp_option options[] = {
		{"json", 'j', NULL, 0, "print JSON", 0},
		{0},
	};
	static const struct argp argp = {options,
					 parse,
					 NULL,
					 "What this machine can do for the lab, and what is "
					 "missing; exits with 1 if anything is.\v"
					 "Example:\n  barrage-lab doctor",
					 NULL,
					 NULL,
					 NULL};
	struct doctor d = {.ok = true, .table = table_new(heads), .list = json_array()};

	argp_parse(&argp, argc, argv, 0, NULL, &d);
	emulator_get(&d.qemu); /* what is missing is said by look_at_qemu() */
	look_at_qemu(&d);
	look_at_backports(&d);
	look_at_accel(&d);
	look_at_tools(&d);
	look_at_cache(&d);
	look_at_kernels(&d);
	if (d.json) {
		json_dumpf(d.list, stdout, JSON_INDENT(2));
		printf("\n");
	} else {
		table_print(d.table, stdout);
	}
	emulator_free(&d.qemu);
	table_free(d.table);
	json_decref(d.list);
	return d.ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
