/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The controller is taken away under load and put back, as hotplug.steps has it: every command that
 * was submitted is called back once, the program goes on, notices the controller's return, opens it
 * again and finds its data. CYCLES in the environment says how often.
 */

#include "disk.h"
#include "pattern.h"

#include <errno.h>
#include <poll.h>
#include <rte_cycles.h>
#include <rte_malloc.h>

#define DEPTH  32
#define BLOCKS 64

static const char *bdf;
static struct brg_device_watch *watch;

/* Printed for the steps to go on. */
static void tell(const char *what)
{
	printf("<%s>\n", what);
	fflush(stdout);
}

/* Wait for the next event of the controller; other functions may have some as well. */
static void expect(bool added)
{
	struct pollfd fd = {.fd = brg_device_watch_fd(watch), .events = POLLIN};
	struct brg_device_event event;
	int rc;

	do {
		assert_int_equal(poll(&fd, 1, 60000), 1);
		while ((rc = brg_device_watch_next(watch, &event)) > 0) {
			if (strcmp(event.bdf, bdf) != 0)
				continue;
			assert_int_equal(event.added, added);
			assert_int_equal(event.class_code, BRG_PCI_CLASS_NVME);
			return;
		}
		assert_int_equal(rc, 0);
	} while (true);
}

/* A controller in use. */
struct disk {
	struct brg_device *dev;
	struct brg_nvme_ctrl *ctrl;
	struct brg_nvme_ns ns;
	struct brg_nvme_qpair *qp;
	char *buffer; /* of all blocks */
};

static void open_disk(struct disk *d)
{
	assert_works(brg_device_open(bdf, &d->dev));
	assert_works(brg_nvme_open(d->dev, NULL, &d->ctrl));
	assert_works(brg_nvme_ns_get(d->ctrl, 1, &d->ns));
	assert_works(brg_nvme_qpair_create(d->ctrl, NULL, &d->qp));
	d->buffer = rte_malloc(NULL, BLOCKS * d->ns.block_size, 4096);
	assert_non_null(d->buffer);
}

struct read {
	struct reading *all;
	void *buffer;
	unsigned int submitted, called;
};

struct reading {
	struct disk *disk;
	unsigned int read_well, cut_off;
	bool stop;
	struct read reads[DEPTH];
};

static void submit(struct read *r);

static void on_read(void *arg, const struct brg_nvme_cqe *cqe)
{
	struct read *r = arg;

	r->called++;
	if (brg_nvme_status(cqe))
		r->all->cut_off++;
	else
		r->all->read_well++;
	if (!r->all->stop)
		submit(r);
}

static void submit(struct read *r)
{
	struct disk *d = r->all->disk;

	assert_works(brg_nvme_read(d->qp, &d->ns, r->buffer, r->submitted % BLOCKS, 1, on_read, r));
	r->submitted++;
}

static bool kernel_asks(struct disk *d)
{
	struct pollfd fd = {.fd = brg_device_request_fd(d->dev), .events = POLLIN};

	assert_works(fd.fd);
	return poll(&fd, 1, 0) == 1;
}

/* Keep the queue full until the kernel wants the controller; then let go with commands in flight.
 */
static void read_until_it_goes(struct disk *d)
{
	static struct reading all;
	uint64_t limit = rte_rdtsc() + 60 * rte_get_tsc_hz();
	bool told = false;

	all = (struct reading){.disk = d};
	assert_false(kernel_asks(d));
	for (unsigned int i = 0; i < DEPTH; i++) {
		all.reads[i] = (struct read){.all = &all,
					     .buffer = d->buffer + (size_t)i * d->ns.block_size};
		submit(&all.reads[i]);
	}
	for (unsigned int turn = 0; turn % 64 || !kernel_asks(d); turn++) {
		assert_works(brg_nvme_poll(d->qp, 0));
		if (!told && all.read_well > 1000) {
			tell("reading");
			told = true;
		}
		assert_true(rte_rdtsc() < limit);
	}
	all.stop = true;
	assert_int_equal(brg_nvme_outstanding(d->qp), DEPTH);
	brg_nvme_qpair_free(d->qp);
	for (unsigned int i = 0; i < DEPTH; i++)
		assert_int_equal(all.reads[i].called, all.reads[i].submitted);
	assert_int_equal(all.cut_off, DEPTH);
}

static void close_disk(struct disk *d)
{
	brg_nvme_close(d->ctrl);
	brg_device_close(d->dev);
	rte_free(d->buffer);
}

/* The kernel's own driver wants it as well, and may be in the middle of taking it. */
static void take_back(void)
{
	int rc;

	for (int tries = 0; (rc = brg_device_bind(bdf, "vfio-pci")) && tries < 100; tries++)
		rte_delay_us_sleep(50000);
	assert_works(rc);
}

static void check_data(struct disk *d, uint64_t seed)
{
	memset(d->buffer, 0, BLOCKS * d->ns.block_size);
	assert_int_equal(read_blocks(d->qp, &d->ns, d->buffer, 0, BLOCKS), 0);
	assert_true(pattern_is(d->buffer, BLOCKS * d->ns.block_size, seed, 0));
}

static void write_data(struct disk *d, uint64_t seed)
{
	pattern_fill(d->buffer, BLOCKS * d->ns.block_size, seed, 0);
	assert_int_equal(write_blocks(d->qp, &d->ns, d->buffer, 0, BLOCKS), 0);
}

static void survives_unplugging(void **state)
{
	int cycles = atoi(getenv("CYCLES"));
	struct disk d;

	assert_true(cycles > 0);
	assert_works(brg_device_watch_open(&watch));
	open_disk(&d);
	for (int i = 0; i < cycles; i++) {
		write_data(&d, (uint64_t)i);
		read_until_it_goes(&d);
		close_disk(&d);
		expect(false);
		tell("gone");
		expect(true);
		take_back();
		open_disk(&d);
		check_data(&d, (uint64_t)i);
	}
	close_disk(&d);
	brg_device_watch_close(watch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(survives_unplugging),
	};

	bdf = test_bdf();
	if (!getenv("CYCLES") || brg_env_init(NULL)) {
		fprintf(stderr, "no EAL, or CYCLES is not set\n");
		return 2;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
