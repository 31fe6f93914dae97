/* SPDX-License-Identifier: BSD-3-Clause */
/* QEMUs. Debian's comes with what it needs and this machine lacks, as apt finds it. */

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache.h"
#include "debian.h"
#include "emulator.h"
#include "process.h"
#include "progress.h"
#include "text.h"

#define HOST	"qemu-system-x86_64"
#define PACKAGE "qemu-system-x86"

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct emulator *e = state->input;

	if (key != 'Q')
		return ARGP_ERR_UNKNOWN;
	e->what = arg;
	return 0;
}

static const struct argp_option options[] = {
	{"qemu", 'Q', "WHICH", 0,
	 EMULATOR_BACKPORTS " for the newest that this Debian can have, fetched when needed, or a "
			    "program (default: this machine's)",
	 0},
	{0},
};

const struct argp emulator_argp = {options, parse, NULL, NULL, NULL, NULL, NULL};

static char *folder(void)
{
	return cache_path("qemu/debian-backports");
}

/*
 * The release of Debian that this machine runs, "bookworm" (os-release(5)): what it has installed
 * is what a program of the backports finds.
 */
static char *release(void)
{
	FILE *in = fopen("/etc/os-release", "re");
	char *line = NULL, *name = NULL;
	size_t size = 0;

	while (in && !name && getline(&line, &size, in) > 0)
		if (sscanf(line, "VERSION_CODENAME=%m[a-z]", &name) != 1)
			name = NULL;
	free(line);
	if (in)
		fclose(in);
	if (!name)
		warnx("/etc/os-release names no release of Debian: take --qemu PROGRAM");
	return name;
}

/*
 * What apt would install, as it says in lines like "Inst seabios [1.16.2-1] (1.16.3-2~bpo12+1
 * Debian ...)": QEMU, and what this machine does not have or has too old.
 */
static int choose_packages(struct debian_packages *packages, const char *suite)
{
	char *const simulate[] = {"apt-get", "-s",	    "install", "--no-install-recommends",
				  "-t",	     (char *)suite, PACKAGE,   NULL};
	char *text = process_output(simulate), *rest = text, *line;
	int ret = -1;

	while ((line = strsep(&rest, "\n"))) {
		char *name, *version, *paren = strchr(line, '(');

		if (sscanf(line, "Inst %m[^ ]", &name) != 1)
			continue;
		if (!paren || sscanf(paren, "(%m[^ )]", &version) != 1) {
			free(name);
			continue;
		}
		debian_add(packages, name, version);
		ret = strcmp(name, PACKAGE) == 0 ? 0 : ret;
	}
	if (!text)
		warnx("apt cannot have " PACKAGE " of %s together with the packages installed here",
		      suite);
	else if (ret)
		warnx("Debian's %s has no other " PACKAGE " than is installed here: leave out "
		      "--qemu " EMULATOR_BACKPORTS,
		      suite);
	free(text);
	return ret;
}

/* The package's version is that of what was fetched. */
static const char *version_of(const struct debian_packages *packages)
{
	const struct debian_package *p = packages->list;

	while (strcmp(p->name, PACKAGE) != 0)
		p++;
	return p->version;
}

static int fetch_into(const struct debian_packages *packages, const char *dir, const char *log)
{
	char *path = format("%s/version", dir);
	int ret;

	progress("downloading QEMU %s from Debian (15 MB)", version_of(packages));
	ret = debian_fetch(packages, dir, log);
	if (ret == 0)
		ret = save_text(path, version_of(packages));
	free(path);
	return ret;
}

/* @have: the version that there is, which is not fetched again; NULL: none. */
static int fetch_suite(const char *debian, const char *path, const char *have)
{
	char *suite = format("%s-backports", debian), *log = cache_path("fetch.log"), *dir = NULL;
	const char *const suites[] = {debian, suite, NULL};
	struct debian_packages packages = {0};
	int ret = -1;

	progress("asking Debian for its newest QEMU in %s", suite);
	if (debian_enter(suites, true, log) == 0 && choose_packages(&packages, suite) == 0) {
		if (have && !strcmp(version_of(&packages), have))
			ret = 0;
		else
			dir = cache_prepare(path);
	}
	if (dir && fetch_into(&packages, dir, log) == 0)
		ret = cache_publish(dir, path);
	if (dir && ret)
		remove_tree(dir);
	progress_clear();
	debian_leave();
	debian_free(&packages);
	free(suite);
	free(log);
	free(dir);
	return ret;
}

static int fetch(const char *path, const char *have)
{
	char *debian = release();
	int ret = debian ? fetch_suite(debian, path, have) : -1;

	free(debian);
	return ret;
}

char *emulator_cached_version(void)
{
	char *path = cache_path("qemu/debian-backports/version"), *version = first_line(path);

	free(path);
	return version;
}

int emulator_refresh(void)
{
	char *path = folder(), *have = emulator_cached_version();
	int lock = cache_lock();
	int ret = fetch(path, have);

	cache_unlock(lock);
	free(path);
	free(have);
	return ret;
}

static int get_backports(struct emulator *e)
{
	int lock = cache_lock(), ret;

	e->folder = folder();
	e->program = format("%s/usr/bin/" HOST, e->folder);
	ret = access(e->folder, F_OK) == 0 ? 0 : fetch(e->folder, NULL);
	cache_unlock(lock);
	return ret;
}

/*
 * Debian builds QEMU for /usr: firmware, modules and libraries are looked for there, unless it is
 * told where they are as well.
 */
int emulator_words(const struct emulator *e, char **argv)
{
	static const char *const data[] = {"share/qemu", "share/seabios", "lib/ipxe/qemu"};
	const char *paths = getenv("LD_LIBRARY_PATH"), *lib = "lib/x86_64-linux-gnu";
	int n = 0;

	if (!e->folder) {
		argv[n++] = format("%s", e->program);
		return n;
	}
	argv[n++] = format("env");
	argv[n++] = format("LD_LIBRARY_PATH=%s/usr/%s:%s/%s%s%s", e->folder, lib, e->folder, lib,
			   paths ? ":" : "", paths ? paths : "");
	argv[n++] = format("QEMU_MODULE_DIR=%s/usr/%s/qemu", e->folder, lib);
	argv[n++] = format("%s", e->program);
	for (size_t i = 0; i < sizeof(data) / sizeof(data[0]); i++) {
		argv[n++] = format("-L");
		argv[n++] = format("%s/usr/%s", e->folder, data[i]);
	}
	return n;
}

static char *ask_version(const struct emulator *e)
{
	char *argv[EMULATOR_WORDS + 2] = {NULL}, *text, *version = NULL;

	argv[emulator_words(e, argv)] = "--version";
	text = process_output(argv);
	if (text && sscanf(text, "QEMU emulator version %m[0-9.]", &version) != 1)
		version = NULL;
	for (char **word = argv; word[1]; word++) /* all but the last */
		free(*word);
	free(text);
	return version;
}

int emulator_get(struct emulator *e)
{
	bool backports = e->what && !strcmp(e->what, EMULATOR_BACKPORTS);

	if (!backports)
		e->program = format("%s", e->what ? e->what : HOST);
	else if (get_backports(e) < 0)
		return -1;
	e->version = ask_version(e);
	if (!e->what || e->version)
		return 0;
	if (backports)
		warnx("%s does not run: --version says why; delete %s and try again", e->program,
		      e->folder);
	else
		warnx("--qemu %s: that is no QEMU; it takes " EMULATOR_BACKPORTS " or a " HOST
		      " program",
		      e->what);
	return -1;
}

void emulator_free(struct emulator *e)
{
	free(e->program);
	free(e->folder);
	free(e->version);
}
