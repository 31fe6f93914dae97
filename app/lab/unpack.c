/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Archives in archives, read as a stream: the kernel source is a .tar.xz in a .tar.xz in an ar
 * file, 1.4 GB unpacked, of which a folder is wanted.
 */

#include <archive.h>
#include <archive_entry.h>
#include <err.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unpack.h"

/* Feeds an inner archive with the data of the outer one's current member. */
static la_ssize_t read_outer(struct archive *inner, void *outer, const void **block)
{
	size_t size;
	la_int64_t offset;

	switch (archive_read_data_block(outer, block, &size, &offset)) {
	case ARCHIVE_OK:
		return (la_ssize_t)size;
	case ARCHIVE_EOF:
		return 0;
	default:
		archive_set_error(inner, archive_errno(outer), "%s", archive_error_string(outer));
		return -1;
	}
}

static struct archive *new_reader(void)
{
	struct archive *in = archive_read_new();

	if (!in)
		errx(1, "libarchive: out of memory");
	archive_read_support_filter_all(in);
	archive_read_support_format_all(in);
	return in;
}

static const char *plain_name(const char *name)
{
	return strncmp(name, "./", 2) == 0 ? name + 2 : name;
}

static void move_into(struct archive_entry *entry, const char *into)
{
	const char *link = archive_entry_hardlink(entry);
	char path[4096];

	if (link) {
		snprintf(path, sizeof(path), "%s/%s", into, plain_name(link));
		archive_entry_set_hardlink(entry, path);
	}
	snprintf(path, sizeof(path), "%s/%s", into, plain_name(archive_entry_pathname(entry)));
	archive_entry_set_pathname(entry, path);
}

/* Extract what starts with @keep; members come in order, so the last one ends the reading. */
static int extract(struct archive *in, const char *keep, const char *into)
{
	const int flags =
		ARCHIVE_EXTRACT_PERM | ARCHIVE_EXTRACT_TIME | ARCHIVE_EXTRACT_SECURE_NODOTDOT;
	struct archive_entry *entry;
	unsigned int extracted = 0;
	int ret;

	while ((ret = archive_read_next_header(in, &entry)) == ARCHIVE_OK) {
		const char *name = plain_name(archive_entry_pathname(entry));

		if (keep && strncmp(name, keep, strlen(keep)) != 0) {
			if (extracted)
				return 0;
			continue;
		}
		move_into(entry, into);
		ret = archive_read_extract(in, entry, flags);
		if (ret != ARCHIVE_OK)
			break;
		extracted++;
	}
	if (ret != ARCHIVE_EOF) {
		warnx("unpacking into %s: %s: %s", into, archive_error_string(in),
		      strerror(archive_errno(in)));
		return -1;
	}
	if (!extracted)
		warnx("unpacking: nothing named %s in it", keep ? keep : "at all");
	return extracted ? 0 : -1;
}

static int descend(struct archive *in, const char *const nest[], const char *keep, const char *into)
{
	struct archive_entry *entry;
	struct archive *inner;
	int ret;

	if (!nest[0])
		return extract(in, keep, into);

	while ((ret = archive_read_next_header(in, &entry)) == ARCHIVE_OK)
		if (fnmatch(nest[0], plain_name(archive_entry_pathname(entry)), 0) == 0)
			break;
	if (ret != ARCHIVE_OK) {
		warnx("unpacking: no %s in it", nest[0]);
		return -1;
	}
	inner = new_reader();
	ret = archive_read_open(inner, in, NULL, read_outer, NULL);
	if (ret == ARCHIVE_OK)
		ret = descend(inner, nest + 1, keep, into);
	else
		warnx("unpacking %s: %s", nest[0], archive_error_string(inner));
	archive_read_free(inner);
	return ret;
}

int unpack(const char *path, const char *const nest[], const char *keep, const char *into)
{
	struct archive *in = new_reader();
	int ret = -1;

	if (archive_read_open_filename(in, path, 1 << 20) == ARCHIVE_OK)
		ret = descend(in, nest, keep, into);
	else
		warnx("%s: %s", path, archive_error_string(in));
	archive_read_free(in);
	return ret;
}

void *unpack_file(const char *path, size_t *size)
{
	struct archive *in = archive_read_new();
	struct archive_entry *entry;
	size_t room = 1 << 16;
	char *data = malloc(room);
	la_ssize_t got = -1;

	if (!in || !data)
		errx(1, "%s: out of memory", path);
	archive_read_support_filter_all(in);
	archive_read_support_format_raw(in);
	archive_read_support_format_empty(in);
	*size = 0;
	if (archive_read_open_filename(in, path, 1 << 16) == ARCHIVE_OK &&
	    archive_read_next_header(in, &entry) == ARCHIVE_OK) {
		while ((got = archive_read_data(in, data + *size, room - *size)) > 0) {
			*size += (size_t)got;
			if (*size == room && !(data = realloc(data, room *= 2)))
				errx(1, "%s: out of memory", path);
		}
	}
	if (got < 0) {
		warnx("%s: %s", path, archive_error_string(in));
		free(data);
		data = NULL;
	}
	archive_read_free(in);
	return data;
}
