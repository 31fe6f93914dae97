/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * barrage-cost: what it costs to map a BAR and to use it for the first time, in ticks of the TSC.
 * Meant for a guest of the lab's counting mode, where a tick is an instruction and the figures are
 * the same on every boot.
 *
 * Every operation is done several times on fresh mappings, and the least is told, with the mean and
 * how many of the runs had it: a timer interrupt that lands in one of them does not show.
 *
 * With --fail-after it is a first touch that is made to fail half-way, and the one after it.
 */

#include <err.h>
#include <errno.h>
#include <jansson.h>
#include <rte_cycles.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "brg_bar.h"
#include "fail.h"

#define PAGE 4096ul
#define RUNS 21

static FILE *records;

/* The ticks of all runs of one operation. */
struct samples {
	uint64_t ticks[RUNS];
	unsigned int count;
};

/* One way to get at a BAR. */
struct way {
	const char *policy;
	bool plain; /* mmap(NULL), as a driver without Barrage does */
	enum brg_bar_policy brg;
};

static const struct way ways[] = {
	{.policy = "plain", .plain = true},	   {.policy = "lazy", .brg = BRG_BAR_LAZY},
	{.policy = "auto", .brg = BRG_BAR_AUTO},   {.policy = "touch", .brg = BRG_BAR_TOUCH},
	{.policy = "iommu", .brg = BRG_BAR_IOMMU},
};

/* A BAR that is mapped in one of the ways. */
struct mapping {
	struct brg_bar *bar; /* NULL: a plain one */
	volatile uint8_t *base;
	uint64_t size;
};

static void add(struct samples *s, uint64_t ticks)
{
	s->ticks[s->count++] = ticks;
}

static uint64_t least(const struct samples *s)
{
	uint64_t min = s->ticks[0];

	for (unsigned int i = 1; i < s->count; i++)
		min = s->ticks[i] < min ? s->ticks[i] : min;
	return min;
}

/* How many of the runs had it. */
static int agreed(const struct samples *s)
{
	int count = 0;

	for (unsigned int i = 0; i < s->count; i++)
		count += s->ticks[i] == least(s);
	return count;
}

static double mean(const struct samples *s)
{
	double sum = 0;

	for (unsigned int i = 0; i < s->count; i++)
		sum += (double)s->ticks[i];
	return sum / s->count;
}

static void tell(const char *policy, const char *op, uint64_t bar_bytes, const struct samples *s)
{
	json_t *record =
		json_pack("{s:s, s:s, s:I, s:I, s:f, s:i, s:i}", "policy", policy, "op", op,
			  "bar_bytes", (json_int_t)bar_bytes, "ticks", (json_int_t)least(s), "mean",
			  mean(s), "runs", (int)s->count, "agreed", agreed(s));

	json_dumpf(record, records, JSON_COMPACT);
	fputc('\n', records);
	json_decref(record);
}

/* A minor fault on a page that is in the page cache: what any first touch costs at least. */
static void reference_fault(void)
{
	int fd = memfd_create("reference", MFD_CLOEXEC);
	struct samples s = {.count = 0};

	if (fd < 0 || ftruncate(fd, PAGE) < 0 || pwrite(fd, "x", 1, 0) != 1)
		err(1, "memfd");
	while (s.count < RUNS) {
		volatile uint32_t *page = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
		uint64_t start;

		if (page == MAP_FAILED)
			err(1, "mmap");
		start = rte_rdtsc();
		(void)*page;
		add(&s, rte_rdtsc() - start);
		munmap((void *)(uintptr_t)page, PAGE);
	}
	close(fd);
	tell("-", "reference-fault", PAGE, &s);
}

static void map(struct brg_device *dev, unsigned int index, const struct way *way,
		struct mapping *m)
{
	const struct brg_region *region = brg_device_region(dev, index);
	const struct brg_bar_opts opts = {.policy = way->brg};

	*m = (struct mapping){.size = region->size};
	if (way->plain) {
		m->base = mmap(NULL, region->size, PROT_READ | PROT_WRITE, MAP_SHARED,
			       brg_device_fd(dev), (off_t)region->offset);
		if (m->base == MAP_FAILED)
			err(1, "mmap");
	} else if (brg_bar_map(dev, index, &opts, &m->bar) < 0) {
		errx(1, "%s", brg_errmsg());
	} else {
		m->base = m->bar->base;
	}
}

static void unmap(struct mapping *m)
{
	if (m->bar)
		brg_bar_unmap(m->bar);
	else
		munmap((void *)(uintptr_t)m->base, m->size);
}

static void touch(const struct mapping *m, uint64_t bytes)
{
	for (uint64_t off = 0; off < bytes; off += PAGE)
		(void)*(volatile uint32_t *)(m->base + off);
}

static void measure(struct brg_device *dev, unsigned int index, const struct way *way)
{
	uint64_t size = brg_device_region(dev, index)->size;
	struct samples s_map = {0}, s_first = {0}, s_all = {0}, s_unmap = {0};
	struct mapping m;
	uint64_t t0;

	for (unsigned int i = 0; i < RUNS; i++) {
		t0 = rte_rdtsc();
		map(dev, index, way, &m);
		add(&s_map, rte_rdtsc() - t0);

		t0 = rte_rdtsc();
		touch(&m, PAGE);
		add(&s_first, rte_rdtsc() - t0);

		t0 = rte_rdtsc();
		unmap(&m);
		add(&s_unmap, rte_rdtsc() - t0);

		map(dev, index, way, &m);
		t0 = rte_rdtsc();
		touch(&m, size);
		add(&s_all, rte_rdtsc() - t0);
		unmap(&m);
	}
	tell(way->policy, "map", size, &s_map);
	tell(way->policy, "first-touch", size, &s_first);
	tell(way->policy, "touch-all", size, &s_all);
	tell(way->policy, "unmap", size, &s_unmap);
}

/* The ticks of a touch of one page. */
static uint64_t touch_page(const struct mapping *m, unsigned int page)
{
	uint64_t start = rte_rdtsc();

	(void)*(volatile uint32_t *)(m->base + page * PAGE);
	return rte_rdtsc() - start;
}

/* A fresh mapping whose first fill will fail. */
static void map_failing(struct brg_device *dev, unsigned int index, unsigned int pages,
			struct mapping *m)
{
	static const struct way lazy = {.policy = "lazy", .brg = BRG_BAR_LAZY};

	if (fail_next_fill(pages))
		errx(1, "this vfio-pci has no parameter fail_after");
	map(dev, index, &lazy, m);
}

/*
 * The first touch, whose fill fails, which the guard makes all-ones; and the next one, of the same
 * page, the first that was not filled. That may be a kernel BUG: what has been counted is written
 * before.
 */
static void measure_failure(struct brg_device *dev, unsigned int index, unsigned int pages)
{
	uint64_t size = brg_device_region(dev, index)->size;
	struct samples s_failed = {0}, s_retry = {0};
	struct mapping m;

	if (size <= pages * PAGE)
		errx(1, "BAR %u has no more than %u pages: no fill of it would fail", index, pages);
	while (s_failed.count < RUNS) {
		map_failing(dev, index, pages, &m);
		add(&s_failed, touch_page(&m, pages));
		unmap(&m);
	}
	if (!fill_failed())
		errx(1, "no fill of BAR %u failed: does this handler fill at once?", index);
	tell("lazy", "failed-touch", size, &s_failed);
	fflush(records);
	while (s_retry.count < RUNS) {
		map_failing(dev, index, pages, &m);
		touch_page(&m, pages);
		add(&s_retry, touch_page(&m, pages));
		unmap(&m);
	}
	tell("lazy", "retry", size, &s_retry);
}

/* BDF:BAR, which is cut in two. */
static void measure_bar(char *what, unsigned int fail_after)
{
	char *colon = strrchr(what, ':');
	struct brg_device *dev;
	unsigned int index;

	if (!colon || sscanf(colon, ":%u", &index) != 1)
		errx(2, "%s: it takes BDF:BAR", what);
	*colon = '\0';
	if (brg_device_open(what, &dev) < 0)
		errx(1, "%s", brg_errmsg());
	if (!brg_device_region(dev, index) || !brg_device_region(dev, index)->size)
		errx(1, "%s has no BAR %u", what, index);
	if (fail_after)
		measure_failure(dev, index, fail_after);
	for (size_t w = 0; !fail_after && w < sizeof(ways) / sizeof(ways[0]); w++)
		measure(dev, index, &ways[w]);
	brg_device_close(dev);
}

int main(int argc, char **argv)
{
	const char *path = getenv("BARRAGE_RECORDS");
	unsigned int fail_after = 0;
	int first = 1;

	records = path ? fopen(path, "w") : stdout;
	if (!records)
		err(1, "%s", path);
	if (argc > 2 && !strcmp(argv[1], "--fail-after")) {
		fail_after = (unsigned int)strtoul(argv[2], NULL, 10);
		first = 3;
	}
	if (argc <= first)
		errx(2, "usage: barrage-cost [--fail-after PAGES] BDF:BAR...\n"
			"Example: barrage-cost 0000:00:04.0:0");
	/* What is told is written when all is measured: writing makes the host interrupt us. */
	setvbuf(records, NULL, _IOFBF, 1 << 20);
	reference_fault();
	for (int i = first; i < argc; i++)
		measure_bar(argv[i], fail_after);
	return fclose(records) == 0 ? 0 : 1;
}
