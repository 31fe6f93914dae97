/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a fault handler of the lab has to do, on bare mmap(): Barrage's own mapping would hide most
 * of it. HANDLER names the one that the guest runs. HANDLER_TEST picks a test by its name: some are
 * only run so, as the guest may not survive them.
 */

#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE	   4096
#define PAGES	   4
#define BYTES	   (PAGES * PAGE)

#define FAIL_AFTER "/sys/module/vfio_pci_core/parameters/fail_after"

/* What becomes of a fill that fails half-way. */
enum failure {
	RECOVERS, /* SIGBUS, and the next access is right */
	BREAKS,	  /* SIGBUS, and the next access is a kernel BUG */
	GOES_ON,  /* nothing but another fault later */
	REFUSED,  /* mmap() fails */
	CANNOT,	  /* there is no fail_after */
};

/*
 * The handlers that leave 6.1's own zap alone share its gaps.
 *
 * vm_ops->open empties what fork() copied, so that the child's own faults fill it. But since
 * 35e351780fa9 ("fork: defer linking file vma until vma is fully initialized", 6.9, and in 6.1.y)
 * it is called before the page tables are copied: nobody knows of the child's entries, and it can
 * reach a device whose memory decode is off. What mremap() moved is unknown in the same way.
 *
 * And it holds the mmap_lock for reading, as munmap() does while it takes entries away. Where both
 * are at one mapping, untrack_pfn() may find nothing, and warns.
 */
static const struct expected {
	const char *handler;
	enum failure failure;
	bool gaps;   /* these */
	bool unsafe; /* two threads that touch one mapping first are a kernel BUG */
	bool eager;  /* no faults */
} handlers[] = {
	{"unfixed", BREAKS, .gaps = true, .unsafe = true},
	{"insert-pfn", RECOVERS, .gaps = true},
	{"skip-existing", BREAKS, .gaps = true},
	{"fixed", RECOVERS, .gaps = true},
	{"stock", CANNOT, .gaps = true}, /* Debian's own, which is fixed */
	{"eager", REFUSED, .eager = true},
	{"address-space", GOES_ON, .eager = false},
};

static const struct expected *expected;
static struct brg_device *dev;
static uint32_t first_register; /* the low half of CAP, which never changes */

typedef volatile uint8_t *bar_t;

static __thread sigjmp_buf back;
static __thread volatile sig_atomic_t guarded;

static void on_sigbus(int signal)
{
	if (guarded)
		siglongjmp(back, 1);
	_exit(128 + signal);
}

enum outcome {
	BUS_ERROR,
	RIGHT,
	WRONG, /* read something else than what is there */
};

/* Read a register of that page. */
static enum outcome touch(bar_t bar, unsigned int page)
{
	uint32_t value;

	if (sigsetjmp(back, 1)) {
		guarded = 0;
		return BUS_ERROR;
	}
	guarded = 1;
	value = *(volatile uint32_t *)(bar + page * PAGE);
	guarded = 0;
	return page != 0 || value == first_register ? RIGHT : WRONG;
}

#define assert_works_at(bar, page)  assert_int_equal(touch(bar, page), RIGHT)
#define assert_bus_error(bar, page) assert_int_equal(touch(bar, page), BUS_ERROR)

/* cmocka takes SIGBUS for itself before every test: have it back by mapping something. */
static bar_t map(void)
{
	const struct sigaction action = {.sa_handler = on_sigbus};
	void *at = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, brg_device_fd(dev),
			(off_t)brg_device_region(dev, 0)->offset);

	if (at == MAP_FAILED)
		return NULL;
	sigaction(SIGBUS, &action, NULL);
	return at;
}

static void unmap(bar_t bar)
{
	assert_int_equal(munmap((void *)(uintptr_t)bar, BYTES), 0);
}

static void decode(bool on)
{
	assert_works(brg_device_set_memory_decode(dev, on));
}

static void assert_all(bar_t bar, enum outcome wanted)
{
	for (unsigned int page = 0; page < PAGES; page++)
		assert_int_equal(touch(bar, page), wanted);
}

/* Touch every page; the faults each took, as "1 0 0 0". */
static void assert_faults(bar_t bar, const char *wanted)
{
	char got[4 * PAGES] = "";

	for (unsigned int page = 0; page < PAGES; page++) {
		long before = faults();

		assert_works_at(bar, page);
		snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%ld", page ? " " : "",
			 faults() - before);
	}
	assert_string_equal(got, wanted);
}

static const char *whole_vma(void)
{
	return expected->eager ? "0 0 0 0" : "1 0 0 0";
}

static void one_fault_fills_all(void **state)
{
	bar_t bar = map();

	assert_faults(bar, whole_vma());
	assert_faults(bar, "0 0 0 0");
	unmap(bar);
}

/* Two threads at one mapping, round by round; they spin, to come at the same moment. */
#define MOST_ROUNDS 5000

struct pair {
	unsigned int rounds;
	bar_t bar[MOST_ROUNDS];
	enum outcome outcome[MOST_ROUNDS];
	atomic_uint there; /* how often one of them has come to the start of a round */
};

static void meet(struct pair *p, unsigned int round)
{
	p->there++;
	while (p->there < 2 * (round + 1))
		continue;
}

static void *touch_together(void *arg)
{
	struct pair *p = arg;

	for (unsigned int i = 0; i < p->rounds; i++) {
		meet(p, i);
		p->outcome[i] = touch(p->bar[i], 1);
	}
	return NULL;
}

static void two_threads_touch_first(void **state)
{
	/* A host that is busy makes them miss each other: the guest that shall die gets more. */
	static struct pair p;
	pthread_t thread;

	p.rounds = expected->unsafe ? MOST_ROUNDS : 200;
	for (unsigned int i = 0; i < p.rounds; i++)
		p.bar[i] = map();
	pthread_create(&thread, NULL, touch_together, &p);
	for (unsigned int i = 0; i < p.rounds; i++) {
		meet(&p, i);
		assert_works_at(p.bar[i], 0);
	}
	pthread_join(thread, NULL);
	for (unsigned int i = 0; i < p.rounds; i++) {
		assert_int_equal(p.outcome[i], RIGHT);
		assert_all(p.bar[i], RIGHT);
		unmap(p.bar[i]);
	}
}

static void no_decode_is_sigbus(void **state)
{
	bar_t bar = map();

	for (int i = 0; i < 50; i++) {
		assert_faults(bar, whole_vma());
		decode(false);
		assert_all(bar, BUS_ERROR);
		decode(true);
	}
	assert_all(bar, RIGHT);
	unmap(bar);
}

static void mapped_without_decode(void **state)
{
	bar_t bar;

	decode(false);
	bar = map();
	assert_all(bar, BUS_ERROR);
	decode(true);
	assert_faults(bar, whole_vma());
	unmap(bar);
}

static void mappings_are_apart(void **state)
{
	bar_t touched = map(), untouched = map(), third;

	assert_all(touched, RIGHT);
	decode(false);
	third = map();
	assert_all(touched, BUS_ERROR);
	assert_all(untouched, BUS_ERROR);
	unmap(touched); /* while there is nothing in it */
	decode(true);
	assert_faults(untouched, whole_vma());
	assert_faults(third, whole_vma());
	unmap(untouched);
	assert_all(third, RIGHT);
	unmap(third);
}

static void reset_zaps_and_recovers(void **state)
{
	bar_t bar = map();

	for (int i = 0; i < 20; i++) {
		assert_faults(bar, whole_vma());
		assert_works(brg_device_reset(dev));
	}
	assert_all(bar, RIGHT);
	unmap(bar);
}

/* Function-level reset as a driver in a virtual machine does it: by the bit in config space. */
static void reset_by_config_space(void **state)
{
	int cap = brg_device_find_cap(dev, PCI_CAP_ID_EXP);
	uint32_t at = (uint32_t)cap + PCI_EXP_DEVCTL;
	bar_t bar = map();
	uint16_t control;

	assert_works(cap);
	for (int i = 0; i < 5; i++) {
		assert_faults(bar, whole_vma());
		assert_works(brg_device_config_read(dev, at, &control, sizeof(control)));
		control |= PCI_EXP_DEVCTL_BCR_FLR;
		assert_works(brg_device_config_write(dev, at, &control, sizeof(control)));
	}
	assert_all(bar, RIGHT);
	unmap(bar);
}

static void d3_is_sigbus(void **state)
{
	int cap = brg_device_find_cap(dev, PCI_CAP_ID_PM);
	uint32_t at = (uint32_t)cap + PCI_PM_CTRL;
	bar_t bar = map();

	assert_works(cap);
	for (uint16_t i = 0; i < 5; i++) {
		uint16_t d3 = 3, d0 = 0;

		assert_faults(bar, whole_vma());
		assert_works(brg_device_config_write(dev, at, &d3, sizeof(d3)));
		assert_all(bar, BUS_ERROR);
		assert_works(brg_device_config_write(dev, at, &d0, sizeof(d0)));
	}
	assert_all(bar, RIGHT);
	unmap(bar);
}

static void low_power(uint32_t feature, int wakeup)
{
	struct {
		struct vfio_device_feature header;
		struct vfio_device_low_power_entry_with_wakeup entry;
	} f = {
		.header = {.argsz = sizeof(f.header), .flags = VFIO_DEVICE_FEATURE_SET | feature},
		.entry = {.wakeup_eventfd = wakeup},
	};

	if (wakeup >= 0)
		f.header.argsz = sizeof(f);
	if (ioctl(brg_device_fd(dev), VFIO_DEVICE_FEATURE, &f) < 0)
		fail_msg("VFIO_DEVICE_FEATURE %u: %s", feature, strerror(errno));
}

static void low_power_is_sigbus(void **state)
{
	bar_t bar = map();

	for (int i = 0; i < 5; i++) {
		assert_faults(bar, whole_vma());
		low_power(VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY, -1);
		assert_all(bar, BUS_ERROR);
		low_power(VFIO_DEVICE_FEATURE_LOW_POWER_EXIT, -1);
	}
	assert_all(bar, RIGHT);
	unmap(bar);
}

static void wait_for_suspend(void)
{
	char path[128], text[32] = "";

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/power/runtime_status", test_bdf());
	for (int i = 0; i < 1000 && strcmp(text, "suspended\n") != 0; i++) {
		FILE *in = fopen(path, "re");

		assert_non_null(in);
		assert_non_null(fgets(text, sizeof(text), in));
		fclose(in);
		usleep(10000);
	}
	assert_string_equal(text, "suspended\n");
}

/* Any call that needs the device wakes it, and then its low power is over. */
static void waking_ends_low_power(void **state)
{
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	bar_t bar = map();
	uint64_t woken;
	uint16_t id;

	assert_faults(bar, whole_vma());
	low_power(VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY_WITH_WAKEUP, event);
	assert_all(bar, BUS_ERROR);
	wait_for_suspend();
	assert_works(brg_device_config_read(dev, PCI_VENDOR_ID, &id, sizeof(id)));
	assert_int_equal(read(event, &woken, sizeof(woken)), sizeof(woken));
	assert_faults(bar, whole_vma());
	unmap(bar);
	close(event);
}

/* A part that is unmapped leaves two mappings. */
static void a_hole_in_the_middle(void **state)
{
	for (int filled = 0; filled < 2; filled++) {
		bar_t bar = map();

		if (filled)
			assert_all(bar, RIGHT);
		assert_int_equal(munmap((void *)(uintptr_t)(bar + PAGE), PAGE), 0);
		for (int i = 0; i < 3; i++) {
			assert_works_at(bar, 0);
			assert_works_at(bar, 2);
			assert_works_at(bar, 3);
			decode(false);
			assert_bus_error(bar, 0);
			assert_bus_error(bar, 2);
			assert_bus_error(bar, 3);
			decode(true);
		}
		unmap(bar);
	}
}

static void split_without_decode(void **state)
{
	bar_t bar = map();

	assert_all(bar, RIGHT);
	decode(false);
	assert_int_equal(munmap((void *)(uintptr_t)(bar + PAGE), PAGE), 0);
	decode(true);
	assert_works_at(bar, 0);
	assert_works_at(bar, 2);
	assert_works_at(bar, 3);
	unmap(bar);
}

static void protection_changes(void **state)
{
	bar_t bar = map();

	assert_all(bar, RIGHT);
	assert_int_equal(mprotect((void *)(uintptr_t)(bar + PAGE), PAGE, PROT_READ), 0);
	assert_all(bar, RIGHT);
	decode(false);
	assert_all(bar, BUS_ERROR);
	decode(true);
	assert_all(bar, RIGHT);
	unmap(bar);
}

/* Move a mapping to another address; @filled: with something in it. */
static void move(bool filled)
{
	void *space = mmap(NULL, BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *moved;
	bar_t bar = map();

	assert_true(space != MAP_FAILED);
	if (filled)
		assert_all(bar, RIGHT);
	else
		decode(false);
	moved = mremap((void *)(uintptr_t)bar, BYTES, BYTES, MREMAP_MAYMOVE | MREMAP_FIXED, space);
	assert_true(moved == space);
	if (!filled) {
		assert_all(moved, BUS_ERROR);
		decode(true);
	}
	for (int i = 0; i < 3; i++) {
		assert_all(moved, RIGHT);
		decode(false);
		assert_all(moved, BUS_ERROR);
		decode(true);
	}
	unmap(moved);
}

static void moved_mappings_follow(void **state)
{
	move(true);
	move(false);
}

/* Another process, which touches its mapping when it is asked to. */
struct peer {
	pid_t pid;
	int ask, answer;
};

static void serve(bar_t bar, int ask, int answer) __attribute__((noreturn));

static void serve(bar_t bar, int ask, int answer)
{
	uint8_t page, outcome;

	while (read(ask, &page, 1) == 1) {
		outcome = touch(bar, page);
		if (write(answer, &outcome, 1) != 1)
			_exit(1);
	}
	_exit(0);
}

/* Fork it; @bar: the mapping to inherit, NULL: one of its own. */
static struct peer start_peer(bar_t bar)
{
	int ask[2], answer[2];
	struct peer p;

	assert_int_equal(pipe2(ask, O_CLOEXEC), 0);
	assert_int_equal(pipe2(answer, O_CLOEXEC), 0);
	p.pid = fork();
	if (p.pid == 0) {
		close(ask[1]);
		close(answer[0]);
		serve(bar ? bar : map(), ask[0], answer[1]);
	}
	assert_true(p.pid > 0);
	close(ask[0]);
	close(answer[1]);
	p.ask = ask[1];
	p.answer = answer[0];
	return p;
}

static enum outcome peer_touches(const struct peer *p, uint8_t page)
{
	uint8_t outcome;

	assert_int_equal(write(p->ask, &page, 1), 1);
	assert_int_equal(read(p->answer, &outcome, 1), 1);
	return outcome;
}

static void end_peer(struct peer *p)
{
	int status;

	close(p->ask);
	close(p->answer);
	assert_int_equal(waitpid(p->pid, &status, 0), p->pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Memory goes and comes for both. */
static void follow_decode(bar_t bar, const struct peer *p)
{
	for (int i = 0; i < 10; i++) {
		assert_int_equal(peer_touches(p, 0), RIGHT);
		assert_works_at(bar, 0);
		decode(false);
		assert_int_equal(peer_touches(p, 0), BUS_ERROR);
		assert_bus_error(bar, 1);
		assert_int_equal(peer_touches(p, 3), BUS_ERROR);
		decode(true);
	}
	assert_works(brg_device_reset(dev));
	assert_int_equal(peer_touches(p, 0), RIGHT);
	assert_all(bar, RIGHT);
}

static void a_fork_inherits(void **state)
{
	bar_t bar = map();
	struct peer p;

	assert_all(bar, RIGHT);
	p = start_peer(bar);
	assert_int_equal(peer_touches(&p, 0), RIGHT);
	assert_int_equal(peer_touches(&p, 3), RIGHT);
	assert_all(bar, RIGHT);
	end_peer(&p);
	assert_all(bar, RIGHT);

	/* And what was empty. */
	decode(false);
	p = start_peer(bar);
	assert_int_equal(peer_touches(&p, 0), BUS_ERROR);
	decode(true);
	follow_decode(bar, &p);
	unmap(bar); /* the child's stays */
	assert_int_equal(peer_touches(&p, 0), RIGHT);
	end_peer(&p);
}

static void a_fork_follows(void **state)
{
	bar_t bar = map();
	struct peer p;

	assert_all(bar, RIGHT);
	p = start_peer(bar);
	follow_decode(bar, &p);
	end_peer(&p);
	unmap(bar);
}

static void processes_are_apart(void **state)
{
	bar_t bar = map();
	struct peer p = start_peer(NULL);

	follow_decode(bar, &p);
	decode(false);
	end_peer(&p); /* its mapping goes while decode is off */
	decode(true);
	assert_all(bar, RIGHT);
	unmap(bar);
}

/* Threads that touch and map as fast as they can, while memory comes and goes. */
static atomic_bool stop;
static pthread_mutex_t gap = PTHREAD_MUTEX_INITIALIZER; /* held while memory goes and comes */

static void *touch_on(void *arg)
{
	bar_t bar = arg;

	for (unsigned int i = 0; !stop; i++)
		touch(bar, i % PAGES);
	return NULL;
}

static void *map_on(void *arg)
{
	for (unsigned int i = 0; !stop; i++) {
		bar_t bar = map();

		assert_non_null(bar);
		touch(bar, i % PAGES);
		if (expected->gaps)
			pthread_mutex_lock(&gap);
		if (i % 2)
			munmap((void *)(uintptr_t)(bar + PAGE), PAGE);
		unmap(bar);
		if (expected->gaps)
			pthread_mutex_unlock(&gap);
	}
	return NULL;
}

static void all_at_once(void **state)
{
	bar_t bar = map(), idle = map();
	struct peer p = start_peer(bar);
	pthread_t threads[3];

	stop = false;
	pthread_create(&threads[0], NULL, touch_on, (void *)(uintptr_t)bar);
	pthread_create(&threads[1], NULL, touch_on, (void *)(uintptr_t)bar);
	pthread_create(&threads[2], NULL, map_on, NULL);
	for (int i = 0; i < 200; i++) {
		pthread_mutex_lock(&gap);
		decode(false);
		assert_bus_error(idle, 0);
		decode(true);
		assert_works_at(idle, 0);
		assert_int_equal(peer_touches(&p, 0), RIGHT);
		if (i % 10 == 0)
			assert_works(brg_device_reset(dev));
		pthread_mutex_unlock(&gap);
		if (i % 50 == 0) {
			end_peer(&p);
			p = start_peer(bar);
		}
	}
	stop = true;
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	end_peer(&p);
	assert_all(bar, RIGHT);
	assert_all(idle, RIGHT);
	unmap(bar);
	unmap(idle);
}

static void set_fail_after(unsigned int pages)
{
	FILE *out = fopen(FAIL_AFTER, "we");

	assert_non_null(out);
	fprintf(out, "%u", pages);
	assert_int_equal(fclose(out), 0);
}

static void assert_fail_after(unsigned int pages)
{
	FILE *in = fopen(FAIL_AFTER, "re");
	unsigned int value;

	assert_non_null(in);
	assert_int_equal(fscanf(in, "%u", &value), 1);
	fclose(in);
	assert_int_equal(value, pages);
}

/* Fill half of a mapping, by a handler that faults. NULL when its mmap() failed instead. */
static bar_t fail_half_way(void)
{
	bar_t bar;

	set_fail_after(2);
	bar = map();
	if (expected->failure == REFUSED) {
		assert_null(bar);
		assert_int_equal(errno, ENOMEM);
	} else if (expected->failure == GOES_ON) {
		assert_faults(bar, "1 0 1 0");
	} else {
		assert_bus_error(bar, 0);
	}
	assert_fail_after(0);
	return bar;
}

static void a_fill_fails_half_way(void **state)
{
	bar_t bar = fail_half_way();

	if (expected->failure == RECOVERS)
		assert_faults(bar, "1 0 0 0");
	if (bar)
		unmap(bar);

	bar = map();
	assert_faults(bar, whole_vma());
	unmap(bar);
}

/* Not before the mapping has been invalid and is valid again. */
static void a_later_fill_fails(void **state)
{
	bar_t bar = map(), other = map();

	set_fail_after(1);
	decode(false);
	decode(true);
	assert_fail_after(0);
	assert_true(touch(bar, 0) != touch(other, 0));
	assert_true(touch(bar, 3) != touch(other, 3));
	decode(false);
	decode(true);
	assert_faults(bar, "0 0 0 0");
	assert_faults(other, "0 0 0 0");
	unmap(bar);
	unmap(other);
}

static void a_small_fill_does_not_fail(void **state)
{
	bar_t bar;

	set_fail_after(PAGES);
	bar = map();
	assert_faults(bar, whole_vma());
	assert_fail_after(PAGES);
	set_fail_after(0);
	unmap(bar);
}

static void retry_after_a_failure(void **state)
{
	bar_t bar = fail_half_way();

	assert_all(bar, RIGHT);
	unmap(bar);
}

static int open_device(void **state)
{
	ssize_t got;

	if (brg_device_open(test_bdf(), &dev)) {
		fprintf(stderr, "%s\n", brg_errmsg());
		return -1;
	}
	got = pread(brg_device_fd(dev), &first_register, sizeof(first_register),
		    (off_t)brg_device_region(dev, 0)->offset);
	return got == sizeof(first_register) && first_register != UINT32_MAX ? 0 : -1;
}

/* Whether the kernel has said what it would not say if all were well: then print it. */
static bool kernel_complains(void)
{
	static const char *const complaints[] = {"WARNING:", "BUG:", "blocked for more than"};
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	bool complains = false;
	char record[8192];
	ssize_t got;

	while ((got = read(log, record, sizeof(record) - 1)) > 0) {
		record[got] = '\0';
		for (size_t i = 0; i < sizeof(complaints) / sizeof(complaints[0]); i++) {
			if (!strstr(record, complaints[i]))
				continue;
			fprintf(stderr, "the kernel said: %s", record);
			complains = true;
		}
	}
	if (errno != EAGAIN) {
		fprintf(stderr, "/dev/kmsg: %s\n", strerror(errno));
		complains = true;
	}
	close(log);
	return complains;
}

static int close_device(void **state)
{
	brg_device_close(dev);
	return 0;
}

static const struct expected *find_handler(const char *name)
{
	for (size_t i = 0; name && i < sizeof(handlers) / sizeof(handlers[0]); i++)
		if (!strcmp(handlers[i].handler, name))
			return &handlers[i];
	fprintf(stderr, "HANDLER=%s is none that this knows\n", name ? name : "");
	exit(2);
}

/* A test that makes sense for some handlers; cmocka passes over an empty element. */
#define WHEN(condition, test) \
	((condition) ? (struct CMUnitTest)cmocka_unit_test(test) : (struct CMUnitTest){0})

int main(void)
{
	const char *only = getenv("HANDLER_TEST");
	bool fails;
	int failed;

	expected = find_handler(getenv("HANDLER"));
	fails = expected->failure != CANNOT;

	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_fault_fills_all),
		WHEN(!expected->unsafe || only, two_threads_touch_first),
		cmocka_unit_test(no_decode_is_sigbus),
		cmocka_unit_test(mapped_without_decode),
		cmocka_unit_test(mappings_are_apart),
		cmocka_unit_test(reset_zaps_and_recovers),
		cmocka_unit_test(reset_by_config_space),
		cmocka_unit_test(d3_is_sigbus),
		cmocka_unit_test(low_power_is_sigbus),
		cmocka_unit_test(waking_ends_low_power),
		cmocka_unit_test(a_hole_in_the_middle),
		cmocka_unit_test(split_without_decode),
		cmocka_unit_test(protection_changes),
		WHEN(!expected->gaps, moved_mappings_follow),
		WHEN(!expected->gaps, a_fork_follows),
		cmocka_unit_test(a_fork_inherits),
		cmocka_unit_test(processes_are_apart),
		WHEN(!expected->unsafe, all_at_once),
		WHEN(fails, a_fill_fails_half_way),
		WHEN(fails, a_small_fill_does_not_fail),
		WHEN(expected->eager, a_later_fill_fails),
		WHEN(only, retry_after_a_failure),
	};

	test_bdf(); /* or exit */
	cmocka_set_test_filter(only);
	failed = cmocka_run_group_tests(tests, open_device, close_device);
	return failed || kernel_complains() ? 1 : 0;
}
