/* SPDX-License-Identifier: BSD-3-Clause */
/* Debian's kernels: the newest of a series, as apt finds it. */

#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache.h"
#include "debian.h"
#include "kernel.h"
#include "process.h"
#include "progress.h"
#include "text.h"

#define DEBIAN	  "debian:"
#define BACKPORTS "debian:backports"

const struct kernel_series kernel_series[] = {
	{
		.name = "debian:5.10",
		.suite = "bullseye",
		.security = true,
		.meaning = "Debian 11's; the fixed handler, backported",
	},
	{
		.name = "debian:6.1",
		.suite = "bookworm",
		.security = true,
		.sources = true,
		.meaning =
			"Debian 12's; the fixed handler, and what the other handlers are built on",
	},
	{
		.name = "debian:6.12",
		.suite = "trixie",
		.security = true,
		.meaning = "Debian 13's; one page-table entry per fault, of up to 1 GiB",
	},
	{
		.name = BACKPORTS,
		.suite = "trixie-backports",
		.split = true,
		.meaning = "the newest that Debian 13 has",
	},
	{.name = NULL},
};

/*
 * A series by its name. "debian:7.3" may stand for the backports as well: what they have now is
 * compared later.
 */
static const struct kernel_series *find_series(const char *name)
{
	const struct kernel_series *s;

	for (s = kernel_series; s->name; s++)
		if (!strcmp(s->name, name))
			return s;
	if (!strncmp(name, DEBIAN, strlen(DEBIAN)) && name[strlen(DEBIAN)] >= '7' &&
	    name[strlen(DEBIAN)] <= '9')
		return find_series(BACKPORTS);
	warnx("no kernel \"%s\"; see: barrage-lab kernels", name);
	return NULL;
}

static const char *number_of(const struct kernel_series *series)
{
	return series->name + strlen(DEBIAN);
}

/* "debian:6.1" is kept in kernels/debian-6.1. */
static char *folder_of(const struct kernel_series *series)
{
	return format("%s/kernels/debian-%s", cache_root(), number_of(series));
}

/*
 * Release and version of the image that the series' meta package depends on at present, in its
 * line "Depends: linux-image-6.1.0-56-cloud-amd64 (= 6.1.192-2)".
 */
static int newest(const struct kernel_series *series, struct kernel *k)
{
	static const char name[] = " linux-image-";
	char *const show[] = {"apt-cache", "show", "--no-all-versions", "linux-image-cloud-amd64",
			      NULL};
	char *text = process_output(show);
	char *found = text ? strstr(text, "\nDepends:") : NULL;
	int ret = -1;

	found = found ? strstr(found, name) : NULL;
	if (found &&
	    sscanf(found + strlen(name), "%m[^ ] (= %m[^)])", &k->release, &k->version) == 2)
		ret = 0;
	else
		warnx("Debian's %s has no linux-image-cloud-amd64", series->suite);
	free(text);
	return ret;
}

static struct debian_package *add_package(struct debian_packages *packages, const struct kernel *k,
					  char *name)
{
	return debian_add(packages, name, format("%s", k->version));
}

/* "6.1.0-56-cloud-amd64" has its common headers in "linux-headers-6.1.0-56-common". */
static char *common_headers(const char *release)
{
	return format("linux-headers-%.*s-common", (int)(strstr(release, "-cloud") - release),
		      release);
}

static void choose_packages(struct debian_packages *packages, const struct kernel_series *series,
			    const struct kernel *k)
{
	const char *release = k->release, *number = number_of(series);
	struct debian_package *source;

	if (series->split) {
		add_package(packages, k, format("linux-binary-%s", release));
		add_package(packages, k, format("linux-modules-%s", release));
	} else {
		add_package(packages, k, format("linux-image-%s", release));
	}
	if (!series->sources)
		return;
	add_package(packages, k, format("linux-headers-%s", release));
	add_package(packages, k, common_headers(release));
	add_package(packages, k, format("linux-kbuild-%s", number));
	/* The source is an archive in its package, of which drivers/vfio is wanted. */
	source = add_package(packages, k, format("linux-source-%s", number));
	source->nest[1] = "*/linux-source-*.tar.*";
	source->keep = format("linux-source-%s/drivers/vfio/", number);
}

/*
 * The headers' Makefile names the package with the common headers by the absolute path that it has
 * once installed; @folder is the path it will have.
 */
static int relocate_headers(const char *release, const char *dir, const char *folder)
{
	char *common = common_headers(release);
	char *path = format("%s/usr/src/linux-headers-%s/Makefile", dir, release);
	char *text = format("include %s/usr/src/%s/Makefile\n", folder, common);
	int ret = save_text(path, text);

	free(common);
	free(path);
	free(text);
	return ret;
}

static int write_version(const struct kernel *k, const char *dir)
{
	char *path = format("%s/version", dir);
	char *text = format("%s\n%s\n", k->version, k->release);
	int ret = save_text(path, text);

	free(path);
	free(text);
	return ret;
}

/* Fetch into @dir, which will be renamed to @folder. */
static int fetch_into(const struct kernel_series *series, const char *dir, const char *folder,
		      const struct kernel *k, const char *log)
{
	struct debian_packages packages = {0};
	int ret;

	choose_packages(&packages, series, k);
	progress("downloading Linux %s from Debian (%d MB)", k->version,
		 series->sources ? 180 : 30);
	ret = debian_fetch(&packages, dir, log);
	if (ret == 0 && series->sources)
		ret = relocate_headers(k->release, dir, folder);
	if (ret == 0)
		ret = write_version(k, dir);
	debian_free(&packages);
	return ret;
}

/* @have: the version that there is, which is not fetched again; NULL: none. */
static int fetch(const struct kernel_series *series, const char *folder, const char *have)
{
	const char *const suites[] = {series->suite, NULL};
	char *log = cache_path("fetch.log");
	struct kernel k = {0};
	char *dir = NULL;
	int ret = -1;

	progress("asking Debian for its newest kernel in %s", series->suite);
	if (debian_enter(suites, series->security, log) == 0 && newest(series, &k) == 0) {
		if (have && !strcmp(k.version, have))
			ret = 0;
		else
			dir = cache_prepare(folder);
	}
	if (dir && fetch_into(series, dir, folder, &k, log) == 0)
		ret = cache_publish(dir, folder);
	if (dir && ret)
		remove_tree(dir);
	progress_clear();
	debian_leave();
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

char *kernel_cached_version(const struct kernel_series *series)
{
	char *folder = folder_of(series);
	char *path = format("%s/version", folder);
	char *version = first_line(path);

	free(path);
	free(folder);
	return version;
}

int kernel_refresh(const struct kernel_series *series)
{
	char *folder = folder_of(series);
	int lock = cache_lock(), ret;
	char *have = kernel_cached_version(series);

	ret = fetch(series, folder, have);
	cache_unlock(lock);
	free(have);
	free(folder);
	return ret;
}

/* The first of two paths if there is such a file, else the second. Takes both over. */
static char *either(char *first, char *second)
{
	bool use_first = access(first, F_OK) == 0;

	free(use_first ? second : first);
	return use_first ? first : second;
}

/* Packages differ in where things are: /usr was merged in Debian 13, and 7.x moved the image. */
static void fill_in(struct kernel *k, const struct kernel_series *series, const char *folder)
{
	k->name = format("%s", series->name);
	k->modules = either(format("%s/usr/lib/modules/%s", folder, k->release),
			    format("%s/lib/modules/%s", folder, k->release));
	k->image = either(format("%s/vmlinuz", k->modules),
			  format("%s/boot/vmlinuz-%s", folder, k->release));
	if (series->sources) {
		k->headers = format("%s/usr/src/linux-headers-%s", folder, k->release);
		k->source = format("%s/linux-source-%s", folder, number_of(series));
	}
}

/* Who asked for "debian:7.3" by number does not want what else the backports may have by now. */
static int check_number(const char *name, const struct kernel_series *series,
			const struct kernel *k)
{
	const char *number = name + strlen(DEBIAN);

	if (!strcmp(name, series->name) || !strncmp(k->version, number, strlen(number)))
		return 0;
	warnx("no kernel \"%s\": Debian's backports have %s (barrage-lab kernels --refresh looks "
	      "for a newer one)",
	      name, k->version);
	return -1;
}

static int get_debian(const char *name, struct kernel *k)
{
	const struct kernel_series *series = find_series(name);
	char *folder;
	int lock, ret;

	if (!series)
		return -1;
	folder = folder_of(series);
	lock = cache_lock();
	ret = access(folder, F_OK) == 0 ? 0 : fetch(series, folder, NULL);
	cache_unlock(lock);
	if (ret == 0 && (ret = read_version(folder, k)))
		warnx("%s is damaged; delete it and try again", folder);
	if (ret == 0)
		ret = check_number(name, series, k);
	if (ret == 0)
		fill_in(k, series, folder);
	free(folder);
	return ret;
}

/* A user's own: the image, and a folder with modules in it. */
static int get_own(const char *image, const char *modules, struct kernel *k)
{
	struct stat st;

	if (stat(image, &st) < 0 || !S_ISREG(st.st_mode)) {
		warnx("no kernel %s: it takes a bzImage, a folder that Linux was built in, or a "
		      "name "
		      "that barrage-lab kernels lists",
		      image);
		return -1;
	}
	if (!modules || stat(modules, &st) < 0 || !S_ISDIR(st.st_mode)) {
		warnx("--modules %s is no folder; %s needs the one that make modules_install "
		      "filled",
		      modules ? modules : "(none)", image);
		return -1;
	}
	k->name = format("%s", image);
	k->image = format("%s", image);
	k->modules = format("%s", modules);
	return 0;
}

/* Modules can be built for it, too. A folder of its own, make O=…, has a link to the source. */
static void add_build(const char *folder, struct kernel *k)
{
	char *path = realpath(folder, NULL); /* make is run in another one */

	if (!path)
		err(1, "%s", folder);
	k->source = either(format("%s/source", path), format("%s", path));
	k->headers = path;
}

int kernel_get(const char *what, const char *modules, struct kernel *k)
{
	char *image;
	struct stat st;
	int ret;

	*k = (struct kernel){0};
	if (!strncmp(what, DEBIAN, strlen(DEBIAN)))
		return get_debian(what, k);
	if (stat(what, &st) < 0 || !S_ISDIR(st.st_mode))
		return get_own(what, modules, k);
	image = format("%s/arch/x86/boot/bzImage", what);
	ret = get_own(image, modules ? modules : what, k);
	free(image);
	if (ret == 0)
		add_build(what, k);
	return ret;
}

const char *kernel_title(const struct kernel *k)
{
	return k->release ? k->release : k->name;
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
