/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage read, write and compare: blocks of a namespace from and to files and pipes. */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "commands.h"
#include "options.h"
#include "progress.h"
#include "session.h"
#include "stream.h"

static const char read_doc[] =
	"Read blocks of a namespace into a file or a pipe.\v"
	"Examples:\n"
	"  barrage read --file image 0000:00:04.0\n"
	"  barrage read --start-block 2048 --data-size 1M 0000:00:04.0 | sha256sum";

static const char write_doc[] =
	"Write a file, or what comes from a pipe, to blocks of a namespace. WHAT WAS THERE IS "
	"LOST. "
	"If the data ends in the middle of a block, the rest of that is filled with zeroes.\v"
	"Examples:\n"
	"  barrage write --file image 0000:00:04.0\n"
	"  zcat image.gz | barrage write --yes 0000:00:04.0";

static const char compare_doc[] =
	"Compare blocks of a namespace with a file, or with what comes from a pipe, up to its end. "
	"The exit status is 1 where they differ, and the first difference is told.\v"
	"Examples:\n"
	"  barrage compare --file image 0000:00:04.0";

#define MEMORY_MIB 64
#define MOST_DEPTH 1024

static struct {
	const char *bdf, *file;
	uint64_t nsid, start, count, bytes, depth, io_bytes;
	bool yes, json;
} opt = {.nsid = 1, .depth = 64, .io_bytes = 128 << 10};

static struct transfer {
	const char *what; /* "read" */
	int fd;
	struct brg_nvme_ns ns;
	struct stream *stream;
	uint64_t done, all; /* bytes; all is 0 where only the end of the input will tell */
	double start;
	uint64_t padding;
} t;

static bool is_read(void)
{
	return !strcmp(t.what, "read");
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void advance(uint64_t bytes)
{
	static double last;
	char done[24], all[24];

	t.done += bytes;
	if (now() - last < 0.2)
		return;
	last = now();
	if (t.all)
		progress("%s: %s of %s", t.what, size_text(done, t.done), size_text(all, t.all));
	else
		progress("%s: %s", t.what, size_text(done, t.done));
}

/* All of it, or what there is before the end. */
static ssize_t read_all(void *data, size_t bytes)
{
	size_t got = 0;

	while (got < bytes) {
		ssize_t n = read(t.fd, (char *)data + got, bytes - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			warn("%s", opt.file ? opt.file : "standard input");
			return -1;
		}
		if (!n)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

static int write_all(const void *data, size_t bytes)
{
	for (size_t put = 0; put < bytes;) {
		ssize_t n = write(t.fd, (const char *)data + put, bytes - put);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			warn("%s", opt.file ? opt.file : "standard output");
			return -1;
		}
		put += (size_t)n;
	}
	return 0;
}

static int read_blocks(void)
{
	const void *data;
	ssize_t n;

	while ((n = stream_read(t.stream, &data)) > 0) {
		if (write_all(data, (size_t)n))
			return -1;
		advance((uint64_t)n);
	}
	return (int)n;
}

/* What is left over when the namespace is full did not fit. */
static int check_input_ends(void)
{
	char byte;
	ssize_t n = opt.bytes || opt.count ? 0 : read_all(&byte, 1);

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

static int write_blocks(void)
{
	uint32_t block = t.ns.block_size;
	ssize_t room, n;
	void *data;

	while ((room = stream_room(t.stream, &data)) > 0) {
		if (t.all && (uint64_t)room > t.all - t.done)
			room = (ssize_t)(t.all - t.done);
		n = room ? read_all(data, (size_t)room) : 0;
		if (n < 0)
			return -1;
		if (!n)
			break;
		t.padding = (block - (uint64_t)n % block) % block;
		memset((char *)data + n, 0, t.padding);
		if (stream_write(t.stream, (size_t)n + t.padding))
			return -1;
		advance((uint64_t)n);
		if (n < room)
			break;
	}
	if (room < 0 || (!room && !t.all && check_input_ends()))
		return -1;
	return stream_flush(t.stream) || check_input_sufficed() ? -1 : 0;
}

static int tell_difference(const uint8_t *ours, const uint8_t *theirs, size_t n)
{
	size_t i = 0;

	while (i < n && ours[i] == theirs[i])
		i++;
	progress_clear();
	warnx("they differ at byte %" PRIu64 ", in block %" PRIu64
	      ": %#04x on the device, %#04x in "
	      "the file",
	      t.done + i, opt.start + (t.done + i) / t.ns.block_size, ours[i], theirs[i]);
	return -1;
}

static int compare_blocks(void)
{
	static uint8_t theirs[2 << 20];
	const void *ours;
	ssize_t n, got;

	while ((n = stream_read(t.stream, &ours)) > 0) {
		if (t.all && (uint64_t)n > t.all - t.done)
			n = (ssize_t)(t.all - t.done);
		got = read_all(theirs, (size_t)n);
		if (got < 0)
			return -1;
		if (memcmp(ours, theirs, (size_t)got))
			return tell_difference(ours, theirs, (size_t)got);
		advance((uint64_t)got);
		if (got < n || t.done == t.all)
			return check_input_sufficed();
	}
	if (!n && check_input_ends())
		return -1;
	return (int)n;
}

static int report(void)
{
	double seconds = now() - t.start;
	char size[24], rate[24];

	progress_clear();
	if (opt.json)
		return print_json(json_pack("{s:s, s:I, s:I, s:I, s:I, s:f}", "bdf", opt.bdf,
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
	uint64_t block = t.ns.block_size, most = t.ns.blocks - opt.start, bytes = opt.bytes;

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

static int choose_io(struct stream_opts *o)
{
	uint64_t most = brg_nvme_max_transfer(o->ctrl);
	uint64_t bytes = opt.io_bytes < most ? opt.io_bytes : most;

	if (bytes % t.ns.block_size) {
		warnx("--io-size %" PRIu64 " is no multiple of the block size, %" PRIu32, bytes,
		      t.ns.block_size);
		return -1;
	}
	o->io_blocks = (uint32_t)(bytes / t.ns.block_size);
	o->depth = (uint32_t)opt.depth;
	return 0;
}

/* A file tells beforehand whether it fits. */
static void check_file_size(void)
{
	struct stat st;

	if (is_read() || fstat(t.fd, &st) || !S_ISREG(st.st_mode))
		return;
	if (!opt.bytes && !opt.count)
		opt.bytes = (uint64_t)st.st_size;
}

/* Standard input or output, or the file. @return 0, or -1 after a message. */
static int open_file(void)
{
	t.fd = is_read() ? STDOUT_FILENO : STDIN_FILENO;
	if (!opt.file && isatty(t.fd)) {
		warnx("standard %s is a terminal: name a file with --file, or use a pipe",
		      is_read() ? "output" : "input");
		return -1;
	}
	if (!opt.file)
		return 0;
	t.fd = is_read() ? open(opt.file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)
			 : open(opt.file, O_RDONLY | O_CLOEXEC);
	if (t.fd < 0)
		warn("%s", opt.file);
	return t.fd < 0 ? -1 : 0;
}

static int transfer(struct brg_nvme_ctrl *ctrl, void *arg)
{
	int (*blocks)(void) = *(int (**)(void))arg;
	struct stream_opts o = {.ctrl = ctrl, .ns = &t.ns};
	int err = brg_nvme_ns_get(ctrl, (uint32_t)opt.nsid, &t.ns);

	if (err)
		return err;
	check_file_size();
	if (choose_range(&o) || choose_io(&o))
		return 1;
	/* Not before it is certain that there will be something to put into it. */
	if ((is_read() || !opt.file) && open_file())
		return 1;
	if (blocks == write_blocks &&
	    !session_confirm(opt.yes, "overwrite %" PRIu64 " blocks of namespace %" PRIu64 " of %s",
			     o.nblocks, opt.nsid, opt.bdf))
		return 1;
	t.stream = stream_open(&o);
	if (!t.stream)
		return 1;
	t.start = now();
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
		NUMBER("depth", 'q', "N", "commands in flight (default 64)", &opt.depth, 1,        \
		       MOST_DEPTH),                                                                \
		SIZE("io-size", 'i', "SIZE", "bytes of each (default 128K, or the device's most)", \
		     &opt.io_bytes, 512, 2 << 20),                                                 \
		JSON_FLAG(&opt.json)

static int run(const char *what, int (*blocks)(void))
{
	int status;

	t.what = what;
	if (opt.count && opt.bytes)
		errx(CLI_USAGE, "--block-count and --data-size exclude each other");
	if (is_read() && opt.json && !opt.file)
		errx(CLI_USAGE, "--json needs --file: data goes to standard output otherwise");
	if (opt.file && !is_read() && open_file())
		return EXIT_FAILURE;
	signal(SIGPIPE, SIG_IGN); /* whoever reads may have enough: the device is still closed */
	status = session_run_with(opt.bdf, MEMORY_MIB, transfer, &blocks);
	if (opt.file && t.fd > 0 && close(t.fd) && !status)
		err(EXIT_FAILURE, "%s", opt.file);
	return status;
}

int cmd_read(int argc, char **argv)
{
	static const struct option_spec options[] = {
		TEXT("file", 'f', "FILE", "where to (default: standard output)", &opt.file),
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
		RANGE_OPTIONS("what the input has"),
		{0},
	};
	static const struct command_line line = {compare_doc, "BDF", "", options};

	parse_line(&line, argc, argv, &opt.bdf);
	return run("compare", compare_blocks);
}
