/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Debian's kernels, by way of apt: it finds the newest package of a series, downloads it and checks
 * it against the archive's signature. Package lists of the lab's own leave the host's alone and
 * need no root.
 */

#include <err.h>
#include <glob.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache.h"
#include "kernel.h"
#include "process.h"
#include "progress.h"
#include "text.h"
#include "unpack.h"

#define DEBIAN "debian:"

const struct kernel_series kernel_series[] = {
	{"debian:6.1", "Debian 12's kernel; its stock vfio-pci is the handler \"fixed\""},
	{NULL, NULL},
};

static bool known(const char *name)
{
	for (const struct kernel_series *s = kernel_series; s->name; s++)
		if (!strcmp(s->name, name))
			return true;
	warnx("no kernel \"%s\"; see: barrage-lab kernels", name);
	return false;
}

/* "debian:6.1" is kept in kernels/debian-6.1. */
static char *folder_of(const char *name)
{
	return format("%s/kernels/debian-%s", cache_root(), name + strlen(DEBIAN));
}

/* Let apt keep its lists in the cache, also where apt's own user could not read them. */
static int configure_apt(void)
{
	char *lists = cache_path("apt/lists"), *conf = cache_path("apt/apt.conf");
	FILE *out = NULL;
	int ret = -1;

	if (make_folders(lists) == 0 && (out = fopen(conf, "we"))) {
		fprintf(out,
			"Dir::State::lists \"%s\";\n"
			"Dir::Cache \"%s/apt\";\n"
			"APT::Sandbox::User \"\";\n",
			lists, cache_root());
		ret = fclose(out) == 0 && setenv("APT_CONFIG", conf, 1) == 0 ? 0 : -1;
	}
	if (ret)
		warn("%s", conf);
	free(lists);
	free(conf);
	return ret;
}

/*
 * Release and version of the image that the series' meta package depends on at present, in its
 * line "Depends: linux-image-6.1.0-56-cloud-amd64 (= 6.1.192-2)".
 */
static int newest(struct kernel *k)
{
	static const char field[] = "\nDepends: linux-image-";
	char *const show[] = {"apt-cache", "show", "--no-all-versions", "linux-image-cloud-amd64",
			      NULL};
	char *text = process_output(show);
	char *found = text ? strstr(text, field) : NULL;
	int ret = -1;

	if (found &&
	    sscanf(found + strlen(field), "%m[^ ] (= %m[^)])", &k->release, &k->version) == 2)
		ret = 0;
	else
		warnx("apt knows no linux-image-cloud-amd64; is Debian's archive in /etc/apt?");
	free(text);
	return ret;
}

/* A package of a kernel, and what of it is wanted. */
struct package {
	char *name;
	const char *nest[3];
	const char *keep;
};

enum {
	IMAGE,
	HEADERS,
	COMMON,
	KBUILD,
	SOURCE,
	PACKAGES
};

static int download(const struct package *packages, const char *version, const char *dir,
		    const char *log)
{
	char *argv[PACKAGES + 4] = {"apt-get", "-q", "download"};
	int ret;

	for (int i = 0; i < PACKAGES; i++)
		argv[3 + i] = format("%s=%s", packages[i].name, version);
	ret = process_run(argv, dir, log);
	for (int i = 0; i < PACKAGES; i++)
		free(argv[3 + i]);
	return ret;
}

/* Unpack NAME_VERSION_ARCH.deb in @dir, and delete it. */
static int unpack_package(const struct package *package, const char *dir)
{
	char *pattern = format("%s/%s_*.deb", dir, package->name);
	glob_t found;
	int ret = -1;

	if (glob(pattern, 0, NULL, &found) == 0) {
		ret = unpack(found.gl_pathv[0], package->nest, package->keep, dir);
		unlink(found.gl_pathv[0]);
		globfree(&found);
	} else {
		warnx("apt-get left no %s", pattern);
	}
	free(pattern);
	return ret;
}

static int write_file(const char *path, const char *text)
{
	FILE *out = fopen(path, "we");
	int ret = -1;

	if (out) {
		ret = fputs(text, out) == EOF ? -1 : 0;
		ret = fclose(out) == 0 ? ret : -1;
	}
	if (ret)
		warn("%s", path);
	return ret;
}

/*
 * The headers' Makefile names the package with the common headers by the absolute path that it has
 * once installed; @folder is the path it will have.
 */
static int relocate_headers(const struct package *packages, const char *dir, const char *folder)
{
	char *path = format("%s/usr/src/%s/Makefile", dir, packages[HEADERS].name);
	char *text = format("include %s/usr/src/%s/Makefile\n", folder, packages[COMMON].name);
	int ret = write_file(path, text);

	free(path);
	free(text);
	return ret;
}

/* "6.1.0-56-cloud-amd64" has its common headers in "linux-headers-6.1.0-56-common". */
static char *common_headers(const char *release)
{
	const char *flavour = strstr(release, "-cloud");
	int abi = flavour ? (int)(flavour - release) : (int)strlen(release);

	return format("linux-headers-%.*s-common", abi, release);
}

static int fetch_into(const char *series, const char *dir, const char *folder, struct kernel *k)
{
	char *log = cache_path("fetch.log");
	struct package packages[PACKAGES] = {
		[IMAGE] = {format("linux-image-%s", k->release), {"data.tar*"}, NULL},
		[HEADERS] = {format("linux-headers-%s", k->release), {"data.tar*"}, NULL},
		[COMMON] = {common_headers(k->release), {"data.tar*"}, NULL},
		[KBUILD] = {format("linux-kbuild-%s", series), {"data.tar*"}, NULL},
		[SOURCE] = {format("linux-source-%s", series),
			    {"data.tar*", "*/linux-source-*.tar.*"},
			    NULL},
	};
	char *source_folder = format("linux-source-%s/drivers/vfio/", series);
	char *version_file = format("%s/version", dir);
	char *version_text = format("%s\n%s\n", k->version, k->release);
	int ret;

	packages[SOURCE].keep = source_folder;
	progress("downloading Linux %s from Debian (180 MB)", k->version);
	ret = download(packages, k->version, dir, log);
	for (int i = 0; ret == 0 && i < PACKAGES; i++) {
		progress("unpacking %s", packages[i].name);
		ret = unpack_package(&packages[i], dir);
	}
	if (ret == 0)
		ret = relocate_headers(packages, dir, folder);
	if (ret == 0)
		ret = write_file(version_file, version_text);

	for (int i = 0; i < PACKAGES; i++)
		free(packages[i].name);
	free(source_folder);
	free(version_file);
	free(version_text);
	free(log);
	return ret;
}

static int fetch(const char *name, const char *folder)
{
	char *const update[] = {"apt-get", "-q", "update", NULL};
	char *log = cache_path("fetch.log");
	struct kernel k = {0};
	char *dir = NULL;
	int ret = -1;

	progress("asking Debian for its newest kernel");
	unlink(log);
	if (configure_apt() == 0 && process_run(update, NULL, log) == 0 && newest(&k) == 0)
		dir = cache_prepare(folder);
	if (dir && fetch_into(name + strlen(DEBIAN), dir, folder, &k) == 0)
		ret = cache_publish(dir, folder);
	if (dir && ret)
		remove_tree(dir);
	progress_clear();
	kernel_free(&k);
	free(dir);
	free(log);
	return ret;
}

/* The version file: the package's version, then the release. */
static int read_version(const char *folder, struct kernel *k)
{
	char *path = format("%s/version", folder);
	FILE *in = fopen(path, "re");
	int ret = -1;

	if (in) {
		ret = fscanf(in, "%ms %ms", &k->version, &k->release) == 2 ? 0 : -1;
		fclose(in);
	}
	free(path);
	return ret;
}

char *kernel_cached_version(const char *name)
{
	char *folder = folder_of(name);
	char *path = format("%s/version", folder);
	char *version = first_line(path);

	free(path);
	free(folder);
	return version;
}

int kernel_get(const char *name, struct kernel *k)
{
	char *folder;
	int lock, ret;

	*k = (struct kernel){0};
	if (!known(name))
		return -1;
	folder = folder_of(name);
	lock = cache_lock();
	ret = access(folder, F_OK) == 0 ? 0 : fetch(name, folder);
	cache_unlock(lock);
	if (ret == 0 && (ret = read_version(folder, k)))
		warnx("%s is damaged; delete it and try again", folder);
	if (ret == 0) {
		k->name = format("%s", name);
		k->image = format("%s/boot/vmlinuz-%s", folder, k->release);
		k->modules = format("%s/lib/modules/%s", folder, k->release);
		k->headers = format("%s/usr/src/linux-headers-%s", folder, k->release);
		k->source = format("%s/linux-source-%s", folder, name + strlen(DEBIAN));
	}
	free(folder);
	return ret;
}

int kernel_own(const char *image, const char *modules, struct kernel *k)
{
	struct stat st;

	*k = (struct kernel){0};
	if (stat(image, &st) < 0 || !S_ISREG(st.st_mode)) {
		warnx("--kernel %s is no file; it takes a bzImage", image);
		return -1;
	}
	if (stat(modules, &st) < 0 || !S_ISDIR(st.st_mode)) {
		warnx("--modules %s is no folder; it takes what make modules_install wrote",
		      modules);
		return -1;
	}
	k->name = format("%s", image);
	k->image = format("%s", image);
	k->modules = format("%s", modules);
	return 0;
}

void kernel_free(struct kernel *k)
{
	free(k->name);
	free(k->release);
	free(k->version);
	free(k->image);
	free(k->modules);
	free(k->headers);
	free(k->source);
}
