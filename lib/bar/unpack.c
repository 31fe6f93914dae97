/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What distributions compress kernel modules with: gzip, xz, zstd. Each by its own small library;
 * libarchive, which knows them all, would draw ICU's 30 MB into every application.
 */

#include <errno.h>
#include <fcntl.h>
#include <lzma.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base.h"
#include "unpack.h"

/* A hundred times what vfio-pci-core takes, debug information included. */
#define MAX_SIZE ((size_t)256 << 20)

struct buffer {
	uint8_t *data;
	size_t size; /* bytes in use */
	size_t room;
};

/* Room for at least a byte more. */
static bool make_room(struct buffer *b)
{
	size_t room = b->room ? 2 * b->room : (size_t)1 << 18;
	uint8_t *data;

	if (b->size < b->room)
		return true;
	data = room <= MAX_SIZE ? realloc(b->data, room) : NULL;
	if (!data)
		return false;
	b->data = data;
	b->room = room;
	return true;
}

static bool unpack_gzip(const struct buffer *in, struct buffer *out)
{
	z_stream z = {.next_in = in->data, .avail_in = (uInt)in->size};
	int rc = inflateInit2(&z, 16 + MAX_WBITS); /* 16: with gzip's header */

	while (rc == Z_OK && make_room(out)) {
		z.next_out = out->data + out->size;
		z.avail_out = (uInt)(out->room - out->size);
		rc = inflate(&z, Z_NO_FLUSH);
		out->size = out->room - z.avail_out;
	}
	inflateEnd(&z);
	return rc == Z_STREAM_END;
}

static bool unpack_xz(const struct buffer *in, struct buffer *out)
{
	lzma_stream xz = LZMA_STREAM_INIT;
	lzma_ret rc = lzma_stream_decoder(&xz, MAX_SIZE, 0);

	xz.next_in = in->data;
	xz.avail_in = in->size;
	while (rc == LZMA_OK && make_room(out)) {
		xz.next_out = out->data + out->size;
		xz.avail_out = out->room - out->size;
		rc = lzma_code(&xz, LZMA_FINISH);
		out->size = out->room - xz.avail_out;
	}
	lzma_end(&xz);
	return rc == LZMA_STREAM_END;
}

static bool unpack_zstd(const struct buffer *in, struct buffer *out)
{
	ZSTD_inBuffer from = {in->data, in->size, 0};
	ZSTD_DStream *zstd = ZSTD_createDStream();
	size_t left = 1; /* 0: the end; what it is otherwise does not matter */
	bool progress = zstd;

	while (left && progress && make_room(out)) {
		ZSTD_outBuffer to = {out->data, out->room, out->size};
		size_t at = from.pos;

		left = ZSTD_decompressStream(zstd, &to, &from);
		progress = !ZSTD_isError(left) && (to.pos > out->size || from.pos > at);
		out->size = to.pos;
	}
	ZSTD_freeDStream(zstd);
	return !left;
}

/* How the files begin: RFC 1952 2.3.1, the .xz file format 2.1.1.1, RFC 8878 3.1.1. */
static const struct format {
	const char *magic;
	size_t len;
	bool (*unpack)(const struct buffer *in, struct buffer *out);
} formats[] = {
	{"\x1f\x8b", 2, unpack_gzip},
	{"\xfd\x37zXZ", 6, unpack_xz}, /* the last is the NUL */
	{"\x28\xb5\x2f\xfd", 4, unpack_zstd},
};

static const struct format *format_of(const struct buffer *b)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (b->size >= formats[i].len && !memcmp(b->data, formats[i].magic, formats[i].len))
			return &formats[i];
	return NULL;
}

static int read_all(const char *path, struct buffer *b)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = 0;
	int err;

	if (fd < 0)
		return brg_fail(errno, "%s: %s", path, strerror(errno));
	while (make_room(b) && (got = read(fd, b->data + b->size, b->room - b->size)) > 0)
		b->size += (size_t)got;
	err = got < 0 ? errno : got > 0 ? ENOMEM : 0;
	close(fd);
	return err ? brg_fail(err, "%s: %s", path, strerror(err)) : 0;
}

int brg_unpack(const char *path, void **data, size_t *size)
{
	struct buffer packed = {0};
	struct buffer plain = {0};
	const struct format *format;
	int rc;

	rc = read_all(path, &packed);
	format = rc ? NULL : format_of(&packed);
	if (format && !format->unpack(&packed, &plain))
		rc = brg_fail(EINVAL, "%s cannot be decompressed", path);
	if (!format) {
		plain = packed;
		packed = (struct buffer){0};
	}
	free(packed.data);
	if (rc) {
		free(plain.data);
		return rc;
	}
	*data = plain.data;
	*size = plain.size;
	return 0;
}
