/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory in a real IOMMU domain. Whether an address is mapped shows when it is registered: the
 * kernel refuses what overlaps.
 *
 * IOMMU_BITS in the environment tells how wide the guest's IOMMU is; with NO_HUGE in it EAL runs
 * without hugepages.
 */

#include "guest.h"

#include <errno.h>
#include <linux/capability.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_memory.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "brg_dma.h"

#define PAGE ((size_t)4096)
#define MIB  ((size_t)1 << 20)

static struct brg_device *dev;

static int open_all(void **state)
{
	struct brg_env_opts opts = {
		.memory_mib = 16,
		.hugepages = getenv("NO_HUGE") ? BRG_ENV_HUGEPAGES_OFF : BRG_ENV_HUGEPAGES_ON,
	};

	if (!brg_env_init(&opts) && !brg_device_open(test_bdf(), &dev))
		return 0;
	fprintf(stderr, "%s\n", brg_errmsg());
	return -1;
}

static int close_all(void **state)
{
	brg_device_close(dev);
	brg_env_cleanup();
	return 0;
}

static char *new_pages(size_t len, int prot)
{
	char *pages = mmap(NULL, len, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	assert_ptr_not_equal(pages, MAP_FAILED);
	return pages;
}

static bool is_mapped(void *addr)
{
	int rc = brg_dma_register(dev, addr, PAGE);

	if (rc == -EEXIST)
		return true;
	assert_works(rc);
	assert_works(brg_dma_unregister(dev, addr, PAGE));
	return false;
}

static void attach_maps_all_of_eal(void **state)
{
	char *memory = rte_malloc(NULL, 4 * MIB, PAGE);

	assert_non_null(memory);
	assert_false(is_mapped(memory));
	assert_works(brg_dma_attach(dev));
	for (size_t off = 0; off < 4 * MIB; off += PAGE)
		assert_true(is_mapped(memory + off));
	assert_works(brg_dma_attach(dev));
	brg_dma_detach(dev);
	assert_true(is_mapped(memory));
	brg_dma_detach(dev);
	assert_false(is_mapped(memory));
	rte_free(memory);
}

/* More than EAL reserved at its start: it takes hugepages while we are attached, and returns them.
 */
static void memory_added_later_is_mapped(void **state)
{
	char *memory;

	assert_works(brg_dma_attach(dev));
	memory = rte_malloc(NULL, 32 * MIB, PAGE);
	assert_non_null(memory);
	for (size_t off = 0; off < 32 * MIB; off += PAGE)
		assert_true(is_mapped(memory + off));
	rte_free(memory);
	/* Given back to the kernel, and out of the IOMMU: nothing is there to overlap. */
	assert_int_equal(brg_dma_register(dev, memory + 16 * MIB, PAGE), -EFAULT);

	memory = rte_malloc(NULL, 32 * MIB, PAGE); /* the same addresses can be mapped again */
	assert_non_null(memory);
	assert_true(is_mapped(memory));
	assert_true(is_mapped(memory + 32 * MIB - PAGE));
	brg_dma_detach(dev);
	assert_false(is_mapped(memory + 32 * MIB - PAGE));
	rte_free(memory);
}

static int take_and_return_memory(void *arg)
{
	for (int i = 0; i < 15; i++) {
		void *memory = rte_malloc(NULL, 20 * MIB, PAGE);

		if (!memory)
			return -1;
		rte_free(memory);
	}
	return 0;
}

/* EAL's memory lock and ours are taken from both sides. */
static void attach_while_memory_comes_and_goes(void **state)
{
	unsigned int worker = rte_get_next_lcore(-1, 1, 0);
	char *memory;
	int rounds = 0;

	assert_int_not_equal(worker, RTE_MAX_LCORE);
	assert_int_equal(rte_eal_remote_launch(take_and_return_memory, NULL, worker), 0);
	while (rte_eal_get_lcore_state(worker) == RUNNING || rounds < 15) {
		assert_works(brg_dma_attach(dev));
		brg_dma_detach(dev);
		rounds++;
	}
	assert_int_equal(rte_eal_wait_lcore(worker), 0);

	memory = rte_malloc(NULL, 20 * MIB, PAGE);
	assert_non_null(memory);
	for (size_t off = 0; off < 20 * MIB; off += MIB / 2)
		assert_false(is_mapped(memory + off)); /* nothing was left behind */
	rte_free(memory);
}

static void register_and_unregister(void **state)
{
	char *memory = new_pages(8 * PAGE, PROT_READ | PROT_WRITE);

	for (int again = 0; again < 3; again++) {
		assert_works(brg_dma_register(dev, memory, 8 * PAGE));
		assert_fails(brg_dma_register(dev, memory + 4 * PAGE, PAGE), EEXIST, "mapped");
		assert_works(brg_dma_unregister(dev, memory, 8 * PAGE));
		assert_fails(brg_dma_unregister(dev, memory, 8 * PAGE), ENOENT, "not registered");
	}
	munmap(memory, 8 * PAGE);
}

static void what_cannot_be_mapped(void **state)
{
	char *unreadable = new_pages(PAGE, PROT_NONE);

	assert_fails(brg_dma_register(dev, unreadable, PAGE), EFAULT, "readable and writable");
	munmap(unreadable, PAGE);
	assert_fails(brg_dma_register(dev, unreadable, PAGE), EFAULT, "readable and writable");
	assert_fails(brg_dma_register(dev, unreadable + 1, PAGE), EINVAL, "multiples of 4096");
}

/* Where x86 puts message signalled interrupts no memory can be mapped for DMA. */
static void reserved_addresses_are_refused(void **state)
{
	char *memory = mmap((void *)0xfee00000, PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

#ifdef __SANITIZE_ADDRESS__
	skip(); /* the address is part of AddressSanitizer's shadow */
#endif
	assert_ptr_equal(memory, (void *)0xfee00000);
	assert_fails(brg_dma_register(dev, memory, PAGE), ERANGE, "0xfee00000-0xfee00fff is out");
	assert_non_null(strstr(brg_errmsg(), "0x0-0xfedfffff"));
	munmap(memory, PAGE);
}

/* The kernel hands out addresses near 2^47: too wide for a 39-bit IOMMU. */
static void width_of_the_iommu_decides(void **state)
{
	const char *bits = getenv("IOMMU_BITS");
	char *memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true((uintptr_t)memory >> 39);
	if (bits && !strcmp(bits, "39")) {
		assert_fails(brg_dma_register(dev, memory, PAGE), ERANGE, "outside what the IOMMU");
		assert_non_null(strstr(brg_errmsg(), "-0x7fffffffff;"));
	} else {
		assert_works(brg_dma_register(dev, memory, PAGE));
		assert_works(brg_dma_unregister(dev, memory, PAGE));
	}
	munmap(memory, PAGE);
}

static void keep_capability(unsigned int capability, bool on)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	assert_int_equal(syscall(SYS_capget, &header, data), 0);
	if (on)
		data[0].effective |= 1u << capability;
	else
		data[0].effective &= ~(1u << capability);
	assert_int_equal(syscall(SYS_capset, &header, data), 0);
}

static void memlock_is_named(void **state)
{
	char *memory = new_pages(2 * MIB, PROT_READ | PROT_WRITE);
	struct rlimit old, low = {.rlim_cur = MIB, .rlim_max = RLIM_INFINITY};

	assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &old), 0);
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &low), 0);
	keep_capability(CAP_IPC_LOCK, false);

	assert_fails(brg_dma_register(dev, memory, 2 * MIB), ENOMEM, "at most 1024 KiB");
	assert_fails(brg_dma_attach(dev), ENOMEM, "at most 1024 KiB");
	assert_false(is_mapped(memory));
	assert_works(brg_dma_register(dev, memory, MIB / 2)); /* what is allowed still works */
	assert_works(brg_dma_unregister(dev, memory, MIB / 2));

	keep_capability(CAP_IPC_LOCK, true);
	assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &old), 0);
	assert_works(brg_dma_attach(dev));
	brg_dma_detach(dev);
	munmap(memory, 2 * MIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attach_maps_all_of_eal),
		cmocka_unit_test(register_and_unregister),
		cmocka_unit_test(what_cannot_be_mapped),
		cmocka_unit_test(reserved_addresses_are_refused),
		cmocka_unit_test(width_of_the_iommu_decides),
		cmocka_unit_test(memlock_is_named),
		/* With hugepages only: */
		cmocka_unit_test(memory_added_later_is_mapped),
		cmocka_unit_test(attach_while_memory_comes_and_goes),
	};
	size_t n = sizeof(tests) / sizeof(tests[0]) - (getenv("NO_HUGE") ? 2 : 0);

	test_bdf();
	return _cmocka_run_group_tests("dma", tests, n, open_all, close_all);
}
