/* SPDX-License-Identifier: BSD-3-Clause */
/* Debian's packages, fetched with apt and unpacked. */

#include <err.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache.h"
#include "debian.h"
#include "folder.h"
#include "process.h"
#include "progress.h"
#include "text.h"
#include "unpack.h"

/*
 * Let apt keep its lists in the cache, also where apt's own user could not read them.
 *
 * @sources: the archives to look at, as in sources.list(5); NULL: the host's.
 */
static int configure_apt(const char *sources)
{
	char *lists = cache_path("apt/lists"), *conf = cache_path("apt/apt.conf");
	char *list = cache_path("apt/sources.list");
	char *text = format("Dir::State::lists \"%s\";\n"
			    "Dir::Cache \"%s/apt\";\n"
			    "APT::Sandbox::User \"\";\n"
			    "APT::Get::List-Cleanup \"false\";\n",
			    lists, cache_root());
	int ret = make_folders(lists);

	if (ret == 0 && sources) {
		char *more =
			format("%sDir::Etc::sourcelist \"%s\";\nDir::Etc::sourceparts \"-\";\n",
			       text, list);

		free(text);
		text = more;
		ret = save_text(list, sources);
	}
	if (ret == 0)
		ret = save_text(conf, text);
	if (ret == 0)
		ret = setenv("APT_CONFIG", conf, 1);
	free(text);
	free(lists);
	free(conf);
	free(list);
	return ret;
}

static int update_lists(const char *log)
{
	char *const update[] = {"apt-get", "-q", "update", NULL};

	return process_run(update, NULL, log);
}

/* Where the archive with that label is, in a list of "LABEL URI" lines; NULL if nowhere. */
static char *mirror(const char *targets, const char *label)
{
	char *tag = format("\n%s ", label), *found = strstr(targets, tag), *uri = NULL;

	if (found)
		uri = format("%.*s", (int)strcspn(found + strlen(tag), "\n"), found + strlen(tag));
	free(tag);
	return uri;
}

/* Add a line of sources.list. */
static void append_source(char **text, const char *uri, const char *suite, const char *more)
{
	static const char line[] = "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]";
	char *longer = format("%s%s %s %s%s main\n", *text, line, uri, suite, more);

	free(*text);
	*text = longer;
}

/* The lines for some suites, on the mirrors that the host uses; NULL if it has none. */
static char *sources_from(const char *targets, const char *const suites[], bool security)
{
	char *archive = mirror(targets, "Debian"), *updates = mirror(targets, "Debian-Security");
	char *text = NULL;

	if (archive && (updates || !security)) {
		text = format("%s", "");
		for (const char *const *suite = suites; *suite; suite++)
			append_source(&text, archive, *suite, "");
		if (security)
			append_source(&text, updates, suites[0], "-security");
	}
	free(archive);
	free(updates);
	return text;
}

/* The archives that apt knows, a line "LABEL URI" each, after an empty one. */
static char *known_targets(void)
{
	char *const argv[] = {"apt-get",
			      "indextargets",
			      "--format",
			      "$(LABEL) $(REPO_URI)",
			      "Created-By: Packages",
			      NULL};
	char *targets = process_output(argv);
	char *text = format("\n%s", targets ? targets : "");

	free(targets);
	return text;
}

/*
 * The host's package lists tell where its mirrors are; a host that has none yet is asked again with
 * lists of our own.
 */
int debian_enter(const char *const suites[], bool security, const char *log)
{
	char *targets = known_targets(), *sources = sources_from(targets, suites, security);
	int ret = -1;

	unlink(log);
	if (!sources && configure_apt(NULL) == 0 && update_lists(log) == 0) {
		free(targets);
		targets = known_targets();
		sources = sources_from(targets, suites, security);
	}
	if (!sources)
		warnx("apt knows no mirror of Debian; is there one in /etc/apt?");
	else if (configure_apt(sources) == 0)
		ret = update_lists(log);
	free(sources);
	free(targets);
	return ret;
}

void debian_leave(void)
{
	unsetenv("APT_CONFIG");
}

struct debian_package *debian_add(struct debian_packages *packages, char *name, char *version)
{
	struct debian_package *added;

	packages->list = realloc(packages->list, (packages->count + 1) * sizeof(*packages->list));
	if (!packages->list)
		err(1, "packages");
	added = &packages->list[packages->count++];
	*added = (struct debian_package){.name = name, .version = version, .nest = {"data.tar*"}};
	return added;
}

void debian_free(struct debian_packages *packages)
{
	for (size_t i = 0; i < packages->count; i++) {
		free(packages->list[i].name);
		free(packages->list[i].version);
		free(packages->list[i].keep);
	}
	free(packages->list);
}

static int download(const struct debian_packages *packages, const char *dir, const char *log)
{
	char **argv = calloc(packages->count + 4, sizeof(*argv));
	int ret;

	if (!argv)
		err(1, "packages");
	argv[0] = "apt-get";
	argv[1] = "-q";
	argv[2] = "download";
	for (size_t i = 0; i < packages->count; i++)
		argv[3 + i] = format("%s=%s", packages->list[i].name, packages->list[i].version);
	ret = process_run(argv, dir, log);
	for (size_t i = 0; i < packages->count; i++)
		free(argv[3 + i]);
	free(argv);
	return ret;
}

/* Unpack NAME_VERSION_ARCH.deb in @dir, and delete it. */
static int unpack_package(const struct debian_package *package, const char *dir)
{
	char *pattern = format("%s/%s_*.deb", dir, package->name);
	glob_t found;
	int ret = -1;

	if (glob(pattern, 0, NULL, &found) == 0) {
		progress("unpacking %s", package->name);
		ret = unpack(found.gl_pathv[0], package->nest, package->keep, dir);
		unlink(found.gl_pathv[0]);
		globfree(&found);
	} else {
		warnx("apt-get left no %s", pattern);
	}
	free(pattern);
	return ret;
}

int debian_fetch(const struct debian_packages *packages, const char *dir, const char *log)
{
	int ret = download(packages, dir, log);

	for (size_t i = 0; ret == 0 && i < packages->count; i++)
		ret = unpack_package(&packages->list[i], dir);
	return ret;
}
