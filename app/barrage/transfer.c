/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * barrage read, write and compare: blocks of a namespace from and to files and pipes, with their
 * metadata and protection information where it has any.
 */

#include <err.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bytes.h"
#include "cli.h"
#include "commands.h"
#include "options.h"
#include "progress.h"
#include "session.h"
#include "stream.h"

#define META_DOC                                                                                 \
	"Metadata that is interleaved with the data is part of it; metadata in a buffer of its " \
	"own goes from or to --metadata. A check of protection information that fails is told "  \
	"with the block and the field."

static const char read_doc[] =
	"Read blocks of a namespace into a file or a pipe. " META_DOC "\v"
	"Examples:\n"
	"  barrage read --file image 0000:00:04.0\n"
	"  barrage read --start-block 2048 --data-size 1M 0000:00:04.0 | sha256sum\n"
	"  barrage read --file image --metadata image.md --prinfo 7 0000:00:04.0";

static const char write_doc[] =
	"Write a file, or what comes from a pipe, to blocks of a namespace. WHAT WAS THERE IS "
	"LOST. "
	"If the data ends in the middle of a block, the rest of that is filled with "
	"zeroes. " META_DOC "\v"
	"Examples:\n"
	"  barrage write --file image 0000:00:04.0\n"
	"  zcat image.gz | barrage write --yes 0000:00:04.0\n"
	"  barrage write --file image --prinfo 8 0000:00:04.0   (the controller protects it)";

static const char compare_doc[] =
	"Compare blocks of a namespace with a file, or with what comes from a pipe, up to its end. "
	"The exit status is 1 where they differ, and the first difference is told. " META_DOC "\v"
	"Examples:\n"
	"  barrage compare --file image 0000:00:04.0";

#define NOT_GIVEN UINT64_MAX

static struct {
	const char *bdf, *file, *metadata;
	uint64_t nsid, start, count, bytes, depth, io_bytes;
	uint64_t prinfo, app_tag, app_mask, ref_tag;
	bool yes, json;
} opt = {
	.nsid = 1,
	.depth = 64,
	.io_bytes = 128 << 10,
	.app_tag = NOT_GIVEN,
	.app_mask = NOT_GIVEN,
	.ref_tag = NOT_GIVEN,
};

/* Bits of --prinfo, those of command dword 12 from bit 26 on. */
enum {
	PRCHK_REF = 1,
	PRCHK_APP = 2,
	PRCHK_GUARD = 4,
	PRACT = 8,
};

static struct transfer {
	const char *what; /* "read" */
	struct bytes file, md_file;
	struct brg_nvme_ns ns;
	struct brg_nvme_meta meta;
	struct stream *stream;
	uint64_t block_bytes, md_bytes; /* of a block in each of the two files */
	uint64_t piece_bytes;		/* most that one command brings for either of them */
	uint64_t done, all; /* bytes; all is 0 where only the end of the input will tell */
	double start;
	uint64_t padding;
} t;

static bool is_read(void)
{
	return !strcmp(t.what, "read");
}

static void advance(uint64_t bytes)
{
	t.done += bytes;
	bytes_progress(t.what, t.done, t.all);
}

static int read_blocks(void)
{
	struct piece p;
	int more;

	while ((more = stream_read(t.stream, &p)) > 0) {
		if (bytes_write(&t.file, p.data, p.nblocks * t.block_bytes))
			return -1;
		if (opt.metadata && bytes_write(&t.md_file, p.md, p.nblocks * t.md_bytes))
			return -1;
		advance(p.nblocks * t.block_bytes);
	}
	return more;
}

/* What is left over when the namespace is full did not fit. */
static int check_input_ends(void)
{
	char byte;
	ssize_t n = opt.bytes || opt.count ? 0 : bytes_read(&t.file, &byte, 1);

	if (n > 0)
		warnx("the input is longer than what there is room for: %" PRIu64
		      " bytes were written",
		      t.done);
	return n ? -1 : 0;
}

/* Less than was asked for is not what was asked for. */
static int check_input_sufficed(void)
{
	if (t.done >= t.all)
		return 0;
	warnx("the input ended after %" PRIu64 " of %" PRIu64 " bytes", t.done, t.all);
	return -1;
}

/* Metadata of as many blocks as there is data of: whatever is missing or too much belongs to other
 * data. */
static int read_metadata(void *md, uint32_t nblocks)
{
	size_t wanted = nblocks * t.md_bytes;
	ssize_t n = bytes_read(&t.md_file, md, wanted);

	if (n >= 0 && (size_t)n < wanted)
		warnx("%s ends before the metadata of block %" PRIu64, opt.metadata,
		      opt.start + t.done / t.block_bytes + (uint64_t)n / t.md_bytes);
	return n == (ssize_t)wanted ? 0 : -1;
}

static int check_metadata_ends(void)
{
	char byte;
	ssize_t n = opt.metadata ? bytes_read(&t.md_file, &byte, 1) : 0;

	if (n > 0)
		warnx("%s is longer than the metadata of %" PRIu64 " bytes of data", opt.metadata,
		      t.done);
	return n ? -1 : 0;
}

/* Fill the last block up. There is no telling what its interleaved metadata would have been. */
static int pad(struct piece *p, size_t bytes)
{
	t.padding = (t.block_bytes - bytes % t.block_bytes) % t.block_bytes;
	if (t.padding && t.block_bytes != t.ns.block_size) {
		warnx("the input ends in the middle of a block; with its metadata, each has "
		      "%" PRIu64 " bytes",
		      t.block_bytes);
		return -1;
	}
	memset(p->data + bytes, 0, t.padding);
	p->nblocks = (uint32_t)((bytes + t.padding) / t.block_bytes);
	return 0;
}

static int write_blocks(void)
{
	struct piece p;
	ssize_t room, n;
	int more;

	while ((more = stream_room(t.stream, &p)) > 0) {
		room = (ssize_t)(p.nblocks * t.block_bytes);
		if (t.all && (uint64_t)room > t.all - t.done)
			room = (ssize_t)(t.all - t.done);
		n = room ? bytes_read(&t.file, p.data, (size_t)room) : 0;
		if (n < 0)
			return -1;
		if (!n)
			break;
		if (pad(&p, (size_t)n) || (opt.metadata && read_metadata(p.md, p.nblocks)) ||
		    stream_write(t.stream, p.nblocks))
			return -1;
		advance((uint64_t)n);
		if (n < room)
			break;
	}
	if (more < 0 || (!more && !t.all && check_input_ends()))
		return -1;
	if (stream_flush(t.stream) || check_input_sufficed())
		return -1;
	return check_metadata_ends();
}

static size_t first_difference(const uint8_t *ours, const uint8_t *theirs)
{
	size_t i = 0;

	while (ours[i] == theirs[i])
		i++;
	return i;
}

static int tell_difference(const uint8_t *ours, const uint8_t *theirs)
{
	size_t i = first_difference(ours, theirs);

	progress_clear();
	warnx("they differ at byte %" PRIu64 ", in block %" PRIu64
	      ": %#04x on the device, %#04x in the file",
	      t.done + i, opt.start + (t.done + i) / t.block_bytes, ours[i], theirs[i]);
	return -1;
}

static int compare_metadata(const struct piece *p, uint8_t *theirs, uint32_t nblocks)
{
	size_t i;

	if (!opt.metadata)
		return 0;
	if (read_metadata(theirs, nblocks))
		return -1;
	if (!memcmp(p->md, theirs, nblocks * t.md_bytes))
		return 0;
	i = first_difference(p->md, theirs);
	progress_clear();
	warnx("they differ at byte %zu of the metadata of block %" PRIu64
	      ": %#04x on the device, %#04x in the file",
	      i % t.md_bytes, p->lba + i / t.md_bytes, p->md[i], theirs[i]);
	return -1;
}

/* @param theirs  room for a piece, as long as its data or metadata is. */
static int compare_pieces(uint8_t *theirs)
{
	struct piece p;
	ssize_t n, got;
	int more;

	while ((more = stream_read(t.stream, &p)) > 0) {
		n = (ssize_t)(p.nblocks * t.block_bytes);
		if (t.all && (uint64_t)n > t.all - t.done)
			n = (ssize_t)(t.all - t.done);
		got = bytes_read(&t.file, theirs, (size_t)n);
		if (got < 0)
			return -1;
		if (memcmp(p.data, theirs, (size_t)got))
			return tell_difference(p.data, theirs);
		p.nblocks = (uint32_t)(((uint64_t)got + t.block_bytes - 1) / t.block_bytes);
		if (compare_metadata(&p, theirs, p.nblocks))
			return -1;
		advance((uint64_t)got);
		if (got < n || t.done == t.all)
			return check_input_sufficed() ? -1 : check_metadata_ends();
	}
	if (more < 0 || check_input_ends())
		return -1;
	return check_metadata_ends();
}

static int compare_blocks(void)
{
	uint8_t *theirs = malloc(t.piece_bytes);
	int rc;

	if (!theirs)
		err(EXIT_FAILURE, "compare");
	rc = compare_pieces(theirs);
	free(theirs);
	return rc;
}

static int report(void)
{
	double seconds = seconds_now() - t.start;
	char size[24], rate[24];

	progress_clear();
	if (opt.json)
		return print_json(json_pack("{s:s, s:I, s:I, s:I, s:I, s:f}", "bdf", session_bdf(),
					    "nsid", (json_int_t)opt.nsid, "start_block",
					    (json_int_t)opt.start, "bytes", (json_int_t)t.done,
					    "padding_bytes", (json_int_t)t.padding, "seconds",
					    seconds));
	fprintf(stderr, "%s: %s in %.1f s, %s/s%s\n", t.what, size_text(size, t.done), seconds,
		size_text(rate, (uint64_t)((double)t.done / seconds) >> 10 << 10),
		strcmp(t.what, "compare") ? "" : ", no difference");
	if (t.padding)
		fprintf(stderr, "%s: the last block was filled up with %" PRIu64 " zero bytes\n",
			t.what, t.padding);
	return 0;
}

/* How many blocks to stream over; what is asked for must fit. */
static int choose_range(struct stream_opts *o)
{
	uint64_t block = t.block_bytes, most = t.ns.blocks - opt.start, bytes = opt.bytes;

	if (opt.start >= t.ns.blocks) {
		warnx("--start-block %" PRIu64 ": the namespace has %" PRIu64 " blocks", opt.start,
		      t.ns.blocks);
		return -1;
	}
	if (opt.count > most || (bytes + block - 1) / block > most) {
		warnx("from block %" PRIu64 " on there are %" PRIu64 " blocks of %" PRIu64
		      " bytes, "
		      "which is less than was asked for",
		      opt.start, most, block);
		return -1;
	}
	if (opt.count)
		bytes = opt.count * block;
	if (is_read() && !bytes)
		bytes = most * block;
	if (is_read() && bytes % block) {
		warnx("--data-size %" PRIu64 " is no multiple of the block size, %" PRIu64, bytes,
		      block);
		return -1;
	}
	t.all = bytes;
	o->lba = opt.start;
	o->nblocks = bytes ? (bytes + block - 1) / block : most;
	return 0;
}

/* The controller's most is with the metadata that is interleaved. */
static int choose_io(struct stream_opts *o)
{
	uint64_t most = brg_nvme_max_transfer(o->ctrl) / t.block_bytes;
	uint64_t blocks = opt.io_bytes / t.ns.block_size;

	if (opt.io_bytes % t.ns.block_size) {
		warnx("--io-size %" PRIu64 " is no multiple of the block size, %" PRIu32,
		      opt.io_bytes, t.ns.block_size);
		return -1;
	}
	if (!most) {
		warnx("one block with its metadata has %" PRIu64 " bytes, and one command of this "
		      "controller carries no more than %zu",
		      t.block_bytes, brg_nvme_max_transfer(o->ctrl));
		return -1;
	}
	o->io_blocks = (uint32_t)(blocks < most ? blocks : most);
	o->depth = (uint32_t)opt.depth;
	t.piece_bytes = o->io_blocks * (t.block_bytes > t.md_bytes ? t.block_bytes : t.md_bytes);
	return 0;
}

/* Where the metadata is, and whether what was said about it fits that. */
static int check_metadata(void)
{
	if (opt.metadata && !t.md_bytes) {
		warnx("--metadata: namespace %" PRIu64 " has %s", opt.nsid,
		      !t.meta.bytes	 ? "none"
		      : !t.meta.extended ? "none but what --prinfo leaves to the controller"
					 : "it behind the data of each block, in the same file");
		return -1;
	}
	if (!opt.metadata && t.md_bytes && !strcmp(t.what, "write")) {
		warnx("namespace %" PRIu64 " has %u bytes of metadata per block: name a file of it "
		      "with --metadata%s",
		      opt.nsid, t.meta.bytes,
		      t.meta.pi_type && t.meta.bytes == 8
			      ? ", or let the controller make it with --prinfo 8"
			      : "");
		return -1;
	}
	return 0;
}

static int check_protection(void)
{
	bool said = opt.prinfo || opt.app_tag != NOT_GIVEN || opt.app_mask != NOT_GIVEN ||
		    opt.ref_tag != NOT_GIVEN;

	if (said && !t.meta.pi_type) {
		warnx("namespace %" PRIu64 " has no protection information, which --prinfo and "
		      "the tags are about; barrage format --pi gives it that",
		      opt.nsid);
		return -1;
	}
	/* 5.2.1.3: the controller would call all of the command's fields invalid. */
	if (t.meta.pi_type == 1 && opt.prinfo & PRCHK_REF && opt.ref_tag != NOT_GIVEN &&
	    opt.ref_tag != (uint32_t)opt.start) {
		warnx("--ref-tag %" PRIu64 ": of protection information of type 1 it is the "
		      "number of the first block, %" PRIu32,
		      opt.ref_tag, (uint32_t)opt.start);
		return -1;
	}
	return 0;
}

static int choose_protection(struct stream_opts *o)
{
	uint64_t ref_tag = t.meta.pi_type == 3 ? 0 : opt.start;

	if (check_protection())
		return -1;
	o->protect = (struct brg_nvme_protect){
		.app_tag = opt.app_tag == NOT_GIVEN ? 0 : (uint16_t)opt.app_tag,
		.app_mask = opt.app_mask == NOT_GIVEN ? UINT16_MAX : (uint16_t)opt.app_mask,
		.ref_tag = (uint32_t)(opt.ref_tag == NOT_GIVEN ? ref_tag : opt.ref_tag),
		.check_guard = opt.prinfo & PRCHK_GUARD,
		.check_app = opt.prinfo & PRCHK_APP,
		.check_ref = opt.prinfo & PRCHK_REF,
		.action = opt.prinfo & PRACT,
	};
	o->meta = t.meta.bytes ? &t.meta : NULL;
	t.block_bytes = stream_block_bytes(o);
	t.md_bytes = stream_md_bytes(o);
	return check_metadata();
}

/* A file tells beforehand whether it fits. */
static void check_file_size(void)
{
	struct stat st;

	if (is_read() || fstat(t.file.fd, &st) || !S_ISREG(st.st_mode))
		return;
	if (!opt.bytes && !opt.count)
		opt.bytes = (uint64_t)st.st_size;
}

/* Not before it is certain that there will be something to put into them. */
static int open_files(void)
{
	if ((is_read() || !opt.file) && bytes_open(&t.file, is_read()))
		return -1;
	/* Of nothing it would be said that it was written, or that it does not differ. */
	if (!is_read() && bytes_begin(&t.file))
		return -1;
	return is_read() && opt.metadata ? bytes_open(&t.md_file, true) : 0;
}

static int transfer(struct brg_nvme_ctrl *ctrl, void *arg)
{
	int (*blocks)(void) = *(int (**)(void))arg;
	struct stream_opts o = {.ctrl = ctrl, .ns = &t.ns};
	int err = brg_nvme_ns_get_meta(ctrl, (uint32_t)opt.nsid, &t.ns, &t.meta);

	if (err)
		return err;
	check_file_size();
	if (choose_protection(&o) || choose_range(&o) || choose_io(&o) || open_files())
		return 1;
	if (blocks == write_blocks &&
	    !session_confirm(opt.yes, "overwrite %" PRIu64 " blocks of namespace %" PRIu64 " of %s",
			     o.nblocks, opt.nsid, session_bdf()))
		return 1;
	t.stream = stream_open(&o);
	if (!t.stream)
		return 1;
	t.start = seconds_now();
	err = blocks();
	progress_clear();
	stream_close(t.stream);
	return err ? 1 : report();
}

#define RANGE_OPTIONS(bytes_doc)                                                                   \
	NSID_NUMBER(&opt.nsid),                                                                    \
		NUMBER("start-block", 's', "N", "first block (default 0)", &opt.start, 0,          \
		       INT64_MAX),                                                                 \
		NUMBER("block-count", 'c', "N", "blocks (default: " bytes_doc ")", &opt.count, 1,  \
		       INT64_MAX),                                                                 \
		SIZE("data-size", 'z', "SIZE", "bytes, instead", &opt.bytes, 1, INT64_MAX),        \
		NUMBER("prinfo", 'p', "N",                                                         \
		       "protection information: 1 to check reference tags, 2 application tags, 4 " \
		       "guards, 8 to let the controller insert and strip it, or their sum",        \
		       &opt.prinfo, 0, 15),                                                        \
		NUMBER("app-tag", 'a', "N", "its application tag (default 0)", &opt.app_tag, 0,    \
		       UINT16_MAX),                                                                \
		NUMBER("app-tag-mask", 'm', "N", "bits of that to check (default 0xffff)",         \
		       &opt.app_mask, 0, UINT16_MAX),                                              \
		NUMBER("ref-tag", 'r', "N",                                                        \
		       "reference tag of the first block (default: its number; of type 3, 0)",     \
		       &opt.ref_tag, 0, UINT32_MAX),                                               \
		NUMBER("depth", 'q', "N", "commands in flight (default 64)", &opt.depth, 1,        \
		       STREAM_MOST_DEPTH),                                                         \
		SIZE("io-size", 'i', "SIZE", "bytes of each (default 128K, or the device's most)", \
		     &opt.io_bytes, 512, 2 << 20),                                                 \
		JSON_FLAG(&opt.json)

static int run(const char *what, int (*blocks)(void))
{
	int status;

	t.what = what;
	t.file.path = opt.file;
	t.md_file.path = opt.metadata;
	if (opt.count && opt.bytes)
		errx(CLI_USAGE, "--block-count and --data-size exclude each other");
	if (is_read() && opt.json && !opt.file)
		errx(CLI_USAGE, "--json needs --file: data goes to standard output otherwise");
	if (!is_read() && ((opt.file && bytes_open(&t.file, false)) ||
			   (opt.metadata && bytes_open(&t.md_file, false))))
		return EXIT_FAILURE;
	signal(SIGPIPE, SIG_IGN); /* whoever reads may have enough: the device is still closed */
	status = session_run_with(opt.bdf, stream_memory_mib(opt.depth, opt.io_bytes), transfer,
				  &blocks);
	if (opt.file && t.file.fd > 0 && close(t.file.fd) && !status)
		err(EXIT_FAILURE, "%s", opt.file);
	if (opt.metadata && t.md_file.fd > 0 && close(t.md_file.fd) && !status)
		err(EXIT_FAILURE, "%s", opt.metadata);
	return status;
}

int cmd_read(int argc, char **argv)
{
	static const struct option_spec options[] = {
		TEXT("file", 'f', "FILE", "where to (default: standard output)", &opt.file),
		TEXT("metadata", 'M', "FILE", "where metadata goes (default: nowhere)",
		     &opt.metadata),
		RANGE_OPTIONS("all there are"),
		{0},
	};
	static const struct command_line line = {read_doc, "BDF", "", options};

	parse_line(&line, argc, argv, &opt.bdf);
	return run("read", read_blocks);
}

int cmd_write(int argc, char **argv)
{
	static const struct option_spec options[] = {
		TEXT("file", 'f', "FILE", "where from (default: standard input)", &opt.file),
		TEXT("metadata", 'M', "FILE", "where metadata comes from", &opt.metadata),
		YES_FLAG(&opt.yes),
		RANGE_OPTIONS("what the input has"),
		{0},
	};
	static const struct command_line line = {write_doc, "BDF", "", options};

	parse_line(&line, argc, argv, &opt.bdf);
	return run("write", write_blocks);
}

int cmd_compare(int argc, char **argv)
{
	static const struct option_spec options[] = {
		TEXT("file", 'f', "FILE", "with what (default: standard input)", &opt.file),
		TEXT("metadata", 'M', "FILE", "with what metadata (default: it is not compared)",
		     &opt.metadata),
		RANGE_OPTIONS("what the input has"),
		{0},
	};
	static const struct command_line line = {compare_doc, "BDF", "", options};

	parse_line(&line, argc, argv, &opt.bdf);
	return run("compare", compare_blocks);
}
