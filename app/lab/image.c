/* SPDX-License-Identifier: BSD-3-Clause */
/* Write an initramfs (cpio, "newc") with libarchive into a memory file. */

#include <archive.h>
#include <archive_entry.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <gelf.h>
#include <search.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image.h"
#include "process.h"
#include "text.h"

struct image {
	struct archive *out;
	int fd;
	void *seen; /* tsearch(3) tree of the guest paths written so far */
};

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* True the first time a path comes by. */
static bool is_new(struct image *image, const char *guest)
{
	char *key;

	if (tfind(guest, &image->seen, compare))
		return false;
	key = format("%s", guest);
	if (!tsearch(key, &image->seen, compare))
		err(1, NULL);
	return true;
}

struct image *image_new(void)
{
	struct image *image = calloc(1, sizeof(*image));

	if (!image || !(image->out = archive_write_new()))
		err(1, NULL);
	image->fd = memfd_create("initramfs", 0);
	if (image->fd < 0)
		err(1, "memfd_create");
	archive_write_set_format_cpio_newc(image->out);
	archive_write_add_filter_none(image->out);
	if (archive_write_open_fd(image->out, image->fd) != ARCHIVE_OK)
		errx(1, "initramfs: %s", archive_error_string(image->out));
	return image;
}

void image_free(struct image *image)
{
	archive_write_free(image->out);
	close(image->fd);
	tdestroy(image->seen, free);
	free(image);
}

static int put(struct image *image, const char *guest, mode_t mode, const void *data, size_t size)
{
	struct archive_entry *entry = archive_entry_new();
	int ret;

	archive_entry_set_pathname(entry, guest + 1); /* relative to the guest's root */
	archive_entry_set_mode(entry, mode);
	archive_entry_set_size(entry, (la_int64_t)size);
	ret = archive_write_header(image->out, entry);
	if (ret == ARCHIVE_OK && size &&
	    archive_write_data(image->out, data, size) != (la_ssize_t)size)
		ret = ARCHIVE_FATAL;
	archive_entry_free(entry);
	if (ret == ARCHIVE_OK)
		return 0;
	warnx("initramfs: %s: %s", guest, archive_error_string(image->out));
	return -1;
}

static int put_folders_above(struct image *image, const char *guest)
{
	char part[4096];

	snprintf(part, sizeof(part), "%s", guest);
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (is_new(image, part) && put(image, part, S_IFDIR | 0755, NULL, 0) < 0)
			return -1;
		*slash = '/';
	}
	return 0;
}

int image_add_data(struct image *image, const char *guest, const void *data, size_t size,
		   mode_t mode)
{
	if (put_folders_above(image, guest) < 0)
		return -1;
	if (!is_new(image, guest))
		return 0;
	return put(image, guest, S_IFREG | mode, data, size);
}

static int add_file(struct image *image, const char *host, const char *guest)
{
	int fd = open(host, O_RDONLY | O_CLOEXEC);
	void *data = NULL;
	struct stat st;
	int ret = -1;

	if (fd < 0 || fstat(fd, &st) < 0)
		goto out;
	if (st.st_size) {
		data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (data == MAP_FAILED)
			goto out;
	}
	ret = image_add_data(image, guest, data, (size_t)st.st_size, st.st_mode & 0777);
	if (data)
		munmap(data, (size_t)st.st_size);
	close(fd);
	return ret;
out:
	warn("%s", host);
	if (fd >= 0)
		close(fd);
	return ret;
}

int image_add_path(struct image *image, const char *host, const char *guest)
{
	char *const roots[] = {(char *)host, NULL};
	FTS *fts = fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, NULL);
	int ret = 0;
	FTSENT *e;

	if (!fts)
		err(1, "%s", host);
	while (ret == 0 && (e = fts_read(fts))) {
		char *to = format("%s%s", guest, e->fts_path + strlen(host));

		if (e->fts_info == FTS_F) {
			ret = add_file(image, e->fts_path, to);
		} else if (e->fts_info == FTS_D) {
			ret = put_folders_above(image, to);
			if (ret == 0 && is_new(image, to))
				ret = put(image, to, S_IFDIR | 0755, NULL, 0);
		} else if (e->fts_info == FTS_NS || e->fts_info == FTS_DNR) {
			warnx("%s: %s", e->fts_path, strerror(e->fts_errno));
			ret = -1;
		}
		free(to);
	}
	fts_close(fts);
	return ret;
}

/* The dynamic loader that a program asks for; "" for a static one, NULL for what is no program. */
static char *interpreter_of(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	Elf *elf = NULL;
	char *found = NULL;
	size_t n = 0;

	elf_version(EV_CURRENT);
	if (fd >= 0)
		elf = elf_begin(fd, ELF_C_READ, NULL);
	if (elf && elf_kind(elf) == ELF_K_ELF && elf_getphdrnum(elf, &n) == 0) {
		size_t size;
		const char *raw = elf_rawfile(elf, &size);

		found = format("%s", "");
		for (size_t i = 0; i < n; i++) {
			GElf_Phdr ph;

			if (!gelf_getphdr(elf, (int)i, &ph) || ph.p_type != PT_INTERP ||
			    ph.p_offset + ph.p_filesz > size)
				continue;
			free(found);
			found = format("%.*s", (int)ph.p_filesz, raw + ph.p_offset);
		}
	}
	elf_end(elf);
	if (fd >= 0)
		close(fd);
	return found;
}

/*
 * The loader itself lists what it would load: "name => path (address)", or "path (address)".
 */
static int add_libraries(struct image *image, char *loader, const char *path)
{
	char *const argv[] = {loader, "--list", (char *)path, NULL};
	char *list = process_output(argv), *rest = list;
	int ret = list ? 0 : -1;

	for (char *line = strsep(&rest, "\n"); ret == 0 && line; line = strsep(&rest, "\n")) {
		char *lib = strchr(line, '/'), *end = lib ? strstr(lib, " (") : NULL;

		if (strstr(line, "=> not found")) {
			warnx("%s needs a library that is not here: %s", path, line);
			ret = -1;
		} else if (end) {
			*end = '\0';
			ret = add_file(image, lib, lib);
		}
	}
	if (!list)
		warnx("%s --list %s failed", loader, path);
	free(list);
	return ret;
}

int image_add_program(struct image *image, const char *path)
{
	char *loader = interpreter_of(path);
	int ret = add_file(image, path, path);

	if (!loader) {
		warnx("%s is no program for this machine (scripts: name the interpreter)", path);
		return -1;
	}
	if (ret == 0 && loader[0]) {
		ret = add_file(image, loader, loader);
		if (ret == 0)
			ret = add_libraries(image, loader, path);
	}
	free(loader);
	return ret;
}

char *image_find_program(const char *name)
{
	const char *path = getenv("PATH");
	char *dirs, *rest;

	if (strchr(name, '/')) {
		char *absolute = realpath(name, NULL);

		if (!absolute)
			warn("%s", name);
		return absolute;
	}
	dirs = rest = format("%s:/usr/sbin:/sbin", path ? path : "/usr/bin:/bin");
	for (char *dir = strsep(&rest, ":"); dir; dir = strsep(&rest, ":")) {
		char *full = format("%s/%s", dir, name);

		if (access(full, X_OK) == 0) {
			free(dirs);
			return full;
		}
		free(full);
	}
	free(dirs);
	warnx("no program \"%s\" in PATH", name);
	return NULL;
}

int image_finish(struct image *image)
{
	if (archive_write_close(image->out) == ARCHIVE_OK)
		return image->fd;
	warnx("initramfs: %s", archive_error_string(image->out));
	return -1;
}
