/* SPDX-License-Identifier: BSD-3-Clause */
/* The handlers there are, and how a module is built from one: Debian's source, Debian's headers. */

#include <err.h>
#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache.h"
#include "embedded.h"
#include "handler.h"
#include "kernel.h"
#include "process.h"
#include "progress.h"
#include "splice.h"
#include "text.h"
#include "unpack.h"

#define TEXT(file) .text = embedded_##file, .text_end = embedded_##file##_end

const struct handler handlers[] = {
	{
		.name = "unfixed",
		.meaning =
			"records the VMA, drops the lock, fills the VMA: two first faults together "
			"are a kernel BUG",
		.commit = "abafbc551fdd (5.8) to 5.13",
		.kernel = "debian:6.1",
		TEXT(unfixed_c),
	},
	{
		.name = "insert-pfn",
		.meaning =
			"inserts page by page and leaves alone what is there: safe, but slow where "
			"a BAR is big",
		.commit = "v1 and v2 of 6a45ece4c9af (March 2021)",
		.kernel = "debian:6.1",
		TEXT(insert_pfn_c),
	},
	{
		.name = "skip-existing",
		.meaning =
			"holds the lock, skips a VMA that is filled already; a retry after a fill "
			"that failed half-way is a kernel BUG",
		.commit = "proposed on the list (June 2021)",
		.kernel = "debian:6.1",
		TEXT(skip_existing_c),
	},
	{
		.name = "fixed",
		.meaning = "holds the lock, skips a VMA that is filled already, zaps a failed fill",
		.commit = "6a45ece4c9af (5.14); Debian 6.1's own",
		.kernel = "debian:6.1",
		TEXT(fixed_c),
		.stock = true,
	},
	{
		.name = "eager",
		.meaning =
			"fills in mmap() and whenever the memory becomes accessible again; a fault "
			"is always SIGBUS",
		.commit = "Jason Gunthorpe's suggestion (2021)",
		.kernel = "debian:6.1",
		TEXT(eager_c),
	},
	{
		.name = "address-space",
		.meaning =
			"keeps no list of VMAs, zaps by unmap_mapping_range(), fills the VMA page "
			"by page, in parallel",
		.commit = "aac6db75a9fc, d71a989cf5d9 (6.10)",
		.kernel = "debian:6.1",
		TEXT(address_space_c),
	},
	{.name = NULL},
};

const struct handler *handler_find(const char *name)
{
	const struct handler *h;

	for (h = handlers; h->name; h++)
		if (!strcmp(h->name, name))
			return h;
	warnx("no handler \"%s\"; see: barrage-lab handlers", name);
	return NULL;
}

/* FNV-1a: enough to tell versions of a text apart. */
static uint64_t hash(uint64_t h, const char *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		h = (h ^ (unsigned char)data[i]) * 0x100000001b3;
	return h;
}

static int write_text(const char *dir, const char *name, const char *text, size_t size)
{
	char *path = format("%s/%s", dir, name);
	FILE *out = fopen(path, "we");
	int ret = -1;

	if (out) {
		ret = fwrite(text, 1, size, out) == size ? 0 : -1;
		ret = fclose(out) == 0 ? ret : -1;
	}
	if (ret)
		warn("%s", path);
	free(path);
	return ret;
}

/* The files the module is made from, but for the one that is spliced. */
static int copy_source(const char *from, const char *dir)
{
	char *pattern = format("%s/*.[ch]", from);
	glob_t files = {0};
	int ret = glob(pattern, 0, NULL, &files) == 0 ? 0 : -1;

	if (ret)
		warnx("no kernel source in %s", from);
	for (size_t i = 0; ret == 0 && i < files.gl_pathc; i++) {
		const char *path = files.gl_pathv[i];
		size_t size;
		char *text = unpack_file(path, &size);

		ret = text ? write_text(dir, strrchr(path, '/') + 1, text, size) : -1;
		free(text);
	}
	globfree(&files);
	free(pattern);
	return ret;
}

/* The module's parts as drivers/vfio/pci/Makefile has them on x86. */
#define KBUILD_PARTS                                                           \
	"obj-m := vfio-pci-core.o\n"                                           \
	"vfio-pci-core-y := vfio_pci_core.o vfio_pci_intrs.o vfio_pci_rdwr.o " \
	"vfio_pci_config.o\n"

/* All that a module is made from, but for what is copied from the kernel's source as it is. */
struct recipe {
	const struct handler *handler;
	const struct kernel *kernel;
	char *source;	    /* folder of the kernel's source of vfio-pci */
	char *core;	    /* text of its vfio_pci_core.c */
	const char *kbuild; /* text of the Kbuild file */
};

static int make(const struct kernel *kernel, const char *dir)
{
	char *m = format("M=%s", dir), *log = cache_path("module.log");
	char *const argv[] = {"make", "-C", kernel->headers, m, "modules", NULL};
	int ret;

	unlink(log);
	ret = process_run(argv, NULL, log);
	free(m);
	free(log);
	return ret;
}

static int build(const struct recipe *r, const char *dir)
{
	const struct handler *h = r->handler;
	char *handler = format("%.*s", (int)(h->text_end - h->text), h->text);
	char *spliced = splice(r->core, handler, "handler.c");
	int ret = -1;

	progress("building vfio-pci with the handler \"%s\" for %s", h->name,
		 kernel_title(r->kernel));
	if (spliced && copy_source(r->source, dir) == 0 &&
	    write_text(dir, "vfio_pci_core.c", spliced, strlen(spliced)) == 0 &&
	    write_text(dir, "handler.c", handler, strlen(handler)) == 0 &&
	    write_text(dir, "fill.h", embedded_fill_h,
		       (size_t)(embedded_fill_h_end - embedded_fill_h)) == 0 &&
	    write_text(dir, "Kbuild", r->kbuild, strlen(r->kbuild)) == 0)
		ret = make(r->kernel, dir);
	progress_clear();
	if (ret)
		warnx("handler \"%s\", made for %s, does not build for %s", h->name, h->kernel,
		      kernel_title(r->kernel));
	free(spliced);
	free(handler);
	return ret;
}

static int build_cached(const struct recipe *r, const char *folder)
{
	char *dir;
	int ret;

	if (access(folder, F_OK) == 0)
		return 0;
	dir = cache_prepare(folder);
	if (!dir)
		return -1;
	ret = build(r, dir);
	if (ret == 0)
		ret = cache_publish(dir, folder);
	free(dir);
	return ret;
}

static uint64_t hash_files(uint64_t h, const char *folder, const char *names)
{
	char *pattern = format("%s/%s", folder, names);
	glob_t files = {0};

	glob(pattern, 0, NULL, &files); /* none that fit: nothing to tell apart */
	for (size_t i = 0; i < files.gl_pathc; i++) {
		size_t size;
		char *text = unpack_file(files.gl_pathv[i], &size);

		if (text)
			h = hash(h, text, size);
		free(text);
	}
	globfree(&files);
	free(pattern);
	return h;
}

/*
 * A package's version says what is in it. A user's own build has the number and date of its making
 * in its image; vfio, which may be made anew without that, is told apart by its files.
 */
static uint64_t hash_kernel(uint64_t h, const struct kernel *kernel)
{
	if (kernel->version)
		return hash(h, kernel->version, strlen(kernel->version));
	h = hash_files(h, kernel->headers, "arch/x86/boot/bzImage");
	h = hash_files(h, kernel->headers, ".config");
	h = hash_files(h, kernel->headers, "Module.symvers");
	h = hash_files(h, kernel->source, "include/linux/vfio*.h");
	return hash_files(h, kernel->source, "drivers/vfio/pci/*.[ch]");
}

/* The folder in the cache for what the recipe makes. */
static char *folder_of(const struct recipe *r)
{
	const struct handler *h = r->handler;
	const char *version = r->kernel->version ? r->kernel->version : "own";
	uint64_t key = hash_kernel(0xcbf29ce484222325, r->kernel);

	key = hash(key, r->core, strlen(r->core));
	key = hash(key, h->text, (size_t)(h->text_end - h->text));
	key = hash(key, embedded_fill_h, (size_t)(embedded_fill_h_end - embedded_fill_h));
	key = hash(key, r->kbuild, strlen(r->kbuild));
	return format("%s/modules/%s-%s-%016" PRIx64, cache_root(), h->name, version, key);
}

/* The text of the source's vfio_pci_core.c, as a string. */
static char *read_core(const char *source)
{
	char *path = format("%s/vfio_pci_core.c", source), *text, *data;
	size_t size;

	data = unpack_file(path, &size);
	text = data ? format("%.*s", (int)size, data) : NULL;
	free(data);
	free(path);
	return text;
}

static int make_module(const struct recipe *r, char **path)
{
	char *folder = folder_of(r);
	int lock = cache_lock();
	int ret = build_cached(r, folder);

	cache_unlock(lock);
	if (ret == 0)
		*path = format("%s/vfio-pci-core.ko", folder);
	free(folder);
	return ret;
}

int handler_module(const struct handler *h, const struct kernel *kernel, bool failing, char **path)
{
	struct recipe r = {
		.handler = h,
		.kernel = kernel,
		.kbuild = failing ? KBUILD_PARTS "ccflags-y := -DFAIL_AFTER\n" : KBUILD_PARTS,
	};
	int ret = -1;

	*path = NULL;
	if (h->stock && !failing && !strcmp(kernel->name, h->kernel))
		return 0;
	if (!kernel->headers) {
		warnx("handler \"%s\" is made for %s, not for %s (a folder that Linux was built in "
		      "may do)",
		      h->name, h->kernel, kernel->name);
		return -1;
	}
	r.source = format("%s/drivers/vfio/pci", kernel->source);
	r.core = read_core(r.source);
	if (r.core)
		ret = make_module(&r, path);
	else
		warnx("handler \"%s\" takes the place of functions in that file, which Linux has "
		      "from 5.15 on",
		      h->name);
	free(r.source);
	free(r.core);
	return ret;
}
