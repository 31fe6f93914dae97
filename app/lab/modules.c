/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Module dependencies, read from the modules themselves with libkmod: an unpacked package has no
 * modules.dep, that file is made when it is installed.
 */

#include <err.h>
#include <fts.h>
#include <libkmod.h>
#include <stdlib.h>
#include <string.h>

#include "modules.h"
#include "text.h"

/* Module names treat '-' and '_' alike; a file name ends at its first '.'. */
static bool same_name(const char *file, const char *name)
{
	for (; *name; file++, name++) {
		char a = *file == '-' ? '_' : *file, b = *name == '-' ? '_' : *name;

		if (a != b)
			return false;
	}
	return strncmp(file, ".ko", 3) == 0;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The file of a module below a folder; NULL when there is none. Freed by the caller. */
static char *find(const char *folder, const char *name)
{
	char *const roots[] = {(char *)folder, NULL};
	FTS *fts = fts_open(roots, FTS_COMFOLLOW | FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	char *path = NULL;
	FTSENT *e;

	if (!fts)
		return NULL;
	while (!path && (e = fts_read(fts)))
		if (e->fts_info == FTS_F && same_name(e->fts_name, name))
			path = format("%s", e->fts_path);
	fts_close(fts);
	return path;
}

static bool has(const struct modules *m, const char *name)
{
	for (size_t i = 0; i < m->count; i++)
		if (same_name(base_name(m->paths[i]), name))
			return true;
	return false;
}

/* The comma-separated names that the module's .modinfo gives as "depends". */
static char *depends_of(const char *path)
{
	struct kmod_ctx *ctx = kmod_new(NULL, NULL);
	struct kmod_list *info = NULL, *item;
	struct kmod_module *module = NULL;
	char *depends = NULL;

	if (ctx && kmod_module_new_from_path(ctx, path, &module) == 0 &&
	    kmod_module_get_info(module, &info) >= 0) {
		kmod_list_foreach(item,
				  info) if (!strcmp(kmod_module_info_get_key(item), "depends"))
			depends = format("%s", kmod_module_info_get_value(item));
	}
	kmod_module_info_free_list(info);
	kmod_module_unref(module);
	kmod_unref(ctx);
	if (!depends)
		warnx("%s is no kernel module", path);
	return depends;
}

int modules_add(struct modules *m, const char *folder, const char *override, const char *name)
{
	char *path, *depends, *rest;
	int ret = 0;

	if (has(m, name))
		return 0;
	if (override && same_name(base_name(override), name))
		path = format("%s", override);
	else
		path = find(folder, name);
	if (!path)
		return 0; /* built in; if not, the guest says what it misses */

	depends = rest = depends_of(path);
	if (!depends) {
		free(path);
		return -1;
	}
	for (char *d = strsep(&rest, ","); ret == 0 && d; d = strsep(&rest, ","))
		if (*d)
			ret = modules_add(m, folder, override, d);
	free(depends);

	m->paths = realloc(m->paths, (m->count + 1) * sizeof(*m->paths));
	if (!m->paths)
		err(1, NULL);
	m->paths[m->count++] = path;
	return ret;
}

void modules_free(struct modules *m)
{
	for (size_t i = 0; i < m->count; i++)
		free(m->paths[i]);
	free(m->paths);
}
