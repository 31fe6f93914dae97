/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A controller that is pulled out under load, as yank.steps has it: nobody has asked the kernel
 * before, registers and memory are gone from one access to the next. Every command that was in
 * flight is called back once, the queue pair says that it takes no more, the kernel asks for the
 * device, and one that is put in again can be used. CYCLES in the environment says how often.
 */

#include "disk.h"
#include "pattern.h"
#include "plug.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <poll.h>
#include <rte_cycles.h>
#include <rte_malloc.h>

#define DEPTH	 32
#define BLOCKS	 64
#define PORT	 "/sys/bus/pci/devices/0000:00:04.0/config" /* that the slot belongs to, */
#define PORT_CAP 0x54					    /* and its PCI Express capability */

static const char *bdf;
static struct brg_device_watch *watch;
static struct brg_device *dev;
static struct brg_nvme_ctrl *ctrl;
static struct brg_nvme_qpair *qp;
static struct brg_nvme_ns ns;
static uint8_t *buffer; /* of all blocks */
static int port;

static void open_disk(void)
{
	assert_works(brg_device_open(bdf, &dev));
	assert_works(brg_nvme_open(dev, NULL, &ctrl));
	assert_works(brg_nvme_ns_get(ctrl, 1, &ns));
	assert_works(brg_nvme_qpair_create(ctrl, NULL, &qp));
	buffer = rte_malloc(NULL, BLOCKS * ns.block_size, 4096);
	assert_non_null(buffer);
}

static void close_disk(void)
{
	brg_nvme_close(ctrl);
	brg_device_close(dev);
	rte_free(buffer);
}

/* The load: a full queue of reads of one block each, as long as they are good. */

static unsigned int submitted, ngood, nbad;
static uint16_t worst;

static void submit(void *block);

static void on_read(void *block, const struct brg_nvme_cqe *cqe)
{
	if (brg_nvme_status(cqe)) {
		nbad++;
		worst = brg_nvme_status(cqe);
		return;
	}
	ngood++;
	submit(block);
}

static void submit(void *block)
{
	uint64_t lba = (uint64_t)((uint8_t *)block - buffer) / ns.block_size;

	if (!brg_nvme_read(qp, &ns, block, lba, 1, on_read, block))
		submitted++;
}

/* Until the queue pair takes no more: what its poll says then. */
static int read_until_it_goes(void)
{
	uint64_t limit = rte_rdtsc() + 60 * rte_get_tsc_hz();
	int n;

	submitted = ngood = nbad = 0;
	for (unsigned int i = 0; i < DEPTH; i++)
		submit(buffer + (size_t)i * ns.block_size);
	while (ngood < 1000)
		assert_works(brg_nvme_poll(qp, 0));
	tell("reading");
	while ((n = brg_nvme_poll(qp, 0)) >= 0)
		assert_true(rte_rdtsc() < limit);
	return n;
}

static void check_calls(void)
{
	assert_int_equal(brg_nvme_outstanding(qp), 0);
	assert_int_equal(ngood + nbad, submitted);
	assert_int_equal(nbad, DEPTH);
	assert_int_equal(brg_nvme_status_errno(worst), -ENODEV);
}

/* After the fact: it has found the slot empty. It waits until the device is closed. */
static void expect_request(void)
{
	struct pollfd fd = {.fd = brg_device_request_fd(dev), .events = POLLIN};

	assert_works(fd.fd);
	assert_int_equal(poll(&fd, 1, 60000), 1);
}

/*
 * The kernel's hot-plug driver turns an empty slot off, and the power indicator last: what is put
 * in before that is turned off with it.
 */
static void expect_slot_off(void)
{
	uint64_t limit = rte_rdtsc() + 60 * rte_get_tsc_hz();
	uint16_t control;

	do {
		rte_delay_us_sleep(10000);
		assert_int_equal(pread(port, &control, 2, PORT_CAP + PCI_EXP_SLTCTL), 2);
		assert_true(rte_rdtsc() < limit);
	} while ((control & PCI_EXP_SLTCTL_PIC) != PCI_EXP_SLTCTL_PWR_IND_OFF);
}

/* The kernel's own driver wants it as well, and may be in the middle of taking it. */
static void take_back(void)
{
	int rc;

	for (int tries = 0; (rc = brg_device_bind(bdf, "vfio-pci")) && tries < 100; tries++)
		rte_delay_us_sleep(50000);
	assert_works(rc);
}

static void pulling_out_is_survived(void **state)
{
	int cycles = atoi(getenv("CYCLES"));

	assert_true(cycles > 0);
	assert_works(brg_device_watch_open(&watch));
	open_disk();
	for (int i = 0; i < cycles; i++) {
		assert_works(brg_device_request_fd(dev));
		assert_int_equal(read_until_it_goes(), -ENODEV);
		check_calls();
		assert_int_equal(brg_nvme_read(qp, &ns, buffer, 0, 1, on_read, buffer), -ENODEV);
		expect_request();
		close_disk();
		expect_event(watch, bdf, false);
		expect_slot_off();
		tell("empty");
		expect_event(watch, bdf, true);
		take_back();
		open_disk();
		pattern_fill(buffer, BLOCKS * ns.block_size, (uint64_t)i, 0);
		assert_int_equal(write_blocks(qp, &ns, buffer, 0, BLOCKS), 0);
	}
	close_disk();
	brg_device_watch_close(watch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pulling_out_is_survived),
	};

	bdf = test_bdf();
	port = open(PORT, O_RDONLY | O_CLOEXEC);
	if (port < 0 || !getenv("CYCLES") || brg_env_init(NULL)) {
		fprintf(stderr, "no EAL, no " PORT ", or CYCLES is not set\n");
		return 2;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
