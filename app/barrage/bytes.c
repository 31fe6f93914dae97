/* SPDX-License-Identifier: BSD-3-Clause */
/* Files and pipes that data is copied from and to, and how far that is. */

#include "bytes.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "progress.h"

int bytes_open(struct bytes *b, bool write)
{
	b->fd = write ? STDOUT_FILENO : STDIN_FILENO;
	if (!b->path && isatty(b->fd)) {
		warnx("standard %s is a terminal: name a file with --file, or use a pipe",
		      write ? "output" : "input");
		return -1;
	}
	if (!b->path)
		return 0;
	b->fd = write ? open(b->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)
		      : open(b->path, O_RDONLY | O_CLOEXEC);
	if (b->fd < 0)
		warn("%s", b->path);
	return b->fd < 0 ? -1 : 0;
}

int bytes_begin(struct bytes *b)
{
	ssize_t n = bytes_read(b, &b->first, 1);

	b->ahead = n > 0;
	if (!n)
		warnx("%s is empty", b->path ? b->path : "standard input");
	return n > 0 ? 0 : -1;
}

ssize_t bytes_read(struct bytes *b, void *data, size_t n)
{
	size_t done = 0;

	if (b->ahead && n) {
		*(uint8_t *)data = b->first;
		b->ahead = false;
		done = 1;
	}
	while (done < n) {
		ssize_t got = read(b->fd, (char *)data + done, n - done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			warn("%s", b->path ? b->path : "standard input");
			return -1;
		}
		if (!got)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

int bytes_write(const struct bytes *b, const void *data, size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t put = write(b->fd, (const char *)data + done, n - done);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0) {
			warn("%s", b->path ? b->path : "standard output");
			return -1;
		}
		done += (size_t)put;
	}
	return 0;
}

double seconds_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

void bytes_progress(const char *what, uint64_t done, uint64_t all)
{
	static double last;
	char done_text[24], all_text[24];

	if (seconds_now() - last < 0.2)
		return;
	last = seconds_now();
	if (all)
		progress("%s: %s of %s", what, size_text(done_text, done),
			 size_text(all_text, all));
	else
		progress("%s: %s", what, size_text(done_text, done));
}
