/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which memory is mapped into which IOMMU domain, and when it goes: on a real EAL without hugepages
 * and a container that only remembers. The memory events of hugepages are for the guest tests.
 */

#include "unit.h"

#include <errno.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_memory.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "brg_dma.h"
#include "container.h"

#define PAGE 4096u

struct brg_container {
	struct {
		char *addr;
		size_t len;
	} maps[64];
	unsigned int nmaps;
	char *refused; /* a map that contains this address fails */
};

struct brg_device {
	struct brg_container *container;
};

struct brg_container *brg_device_container(const struct brg_device *dev)
{
	return dev->container;
}

int brg_container_map(struct brg_container *c, void *vaddr, size_t len)
{
	char *start = vaddr;

	if (c->refused >= start && c->refused < start + len)
		return -ERANGE;
	for (unsigned int i = 0; i < c->nmaps; i++) {
		if (start < c->maps[i].addr + c->maps[i].len && c->maps[i].addr < start + len)
			return -EEXIST;
	}
	assert_in_range(c->nmaps, 0, 63);
	c->maps[c->nmaps].addr = start;
	c->maps[c->nmaps++].len = len;
	return 0;
}

/* As type1v2: everything inside the range goes, nothing may be cut in two. */
int brg_container_unmap(struct brg_container *c, void *vaddr, size_t len)
{
	char *start = vaddr;
	char *end = start + len;
	bool found = false;

	for (unsigned int i = 0; i < c->nmaps;) {
		char *first = c->maps[i].addr;
		char *last = first + c->maps[i].len;

		if (last <= start || first >= end) {
			i++;
			continue;
		}
		assert_true(first >= start && last <= end);
		c->maps[i] = c->maps[--c->nmaps];
		found = true;
	}
	return found ? 0 : -ENOENT;
}

static bool is_mapped(const struct brg_container *c, const void *addr, size_t len)
{
	const char *start = addr;

	for (unsigned int i = 0; i < c->nmaps; i++) {
		if (start >= c->maps[i].addr && start + len <= c->maps[i].addr + c->maps[i].len)
			return true;
	}
	return false;
}

static void attach_needs_eal(void **state)
{
	struct brg_container c = {0};
	struct brg_device dev = {&c};

	assert_int_equal(rte_lcore_count(), 0);
	assert_fails(brg_dma_attach(&dev), ENXIO, "EAL is not up");
}

static int start_eal(void **state)
{
	struct brg_env_opts opts = {.memory_mib = 16, .hugepages = BRG_ENV_HUGEPAGES_OFF};

	return brg_env_init(&opts);
}

static void eal_memory_is_mapped_in_few_pieces(void **state)
{
	void *memory = rte_zmalloc(NULL, 1 << 20, PAGE);
	struct brg_container c = {0};
	struct brg_device dev = {&c};

	assert_non_null(memory);
	assert_int_equal(brg_dma_attach(&dev), 0);
	assert_true(is_mapped(&c, memory, 1 << 20));
	assert_in_range(c.nmaps, 1, RTE_MAX_NUMA_NODES);
	brg_dma_detach(&dev);
	assert_int_equal(c.nmaps, 0);
	rte_free(memory);
}

static void attach_nests(void **state)
{
	struct brg_container c = {0};
	struct brg_device one = {&c};
	struct brg_device two = {&c};
	unsigned int nmaps;

	assert_int_equal(brg_dma_attach(&one), 0);
	nmaps = c.nmaps;
	assert_int_equal(brg_dma_attach(&two), 0);
	assert_int_equal(brg_dma_attach(&two), 0);
	assert_int_equal(c.nmaps, nmaps);
	brg_dma_detach(&one);
	brg_dma_detach(&two);
	assert_int_equal(c.nmaps, nmaps);
	brg_dma_detach(&two);
	assert_int_equal(c.nmaps, 0);
	brg_dma_detach(&two); /* once too often: nothing to undo */
}

static void domains_are_apart(void **state)
{
	struct brg_container c[2] = {0};
	struct brg_device one = {&c[0]};
	struct brg_device two = {&c[1]};

	assert_int_equal(brg_dma_attach(&one), 0);
	assert_int_equal(brg_dma_attach(&two), 0);
	assert_int_equal(c[0].nmaps, c[1].nmaps);
	brg_dma_detach(&one);
	assert_int_equal(c[0].nmaps, 0);
	assert_in_range(c[1].nmaps, 1, 64);
	brg_dma_detach(&two);
	assert_int_equal(c[1].nmaps, 0);
}

static void refused_attach_leaves_nothing(void **state)
{
	char *memory = rte_zmalloc(NULL, PAGE, PAGE);
	struct brg_container c = {.refused = memory};
	struct brg_device dev = {&c};

	assert_int_equal(brg_dma_attach(&dev), -ERANGE);
	assert_int_equal(c.nmaps, 0);
	c.refused = NULL;
	assert_int_equal(brg_dma_attach(&dev), 0); /* and can be tried again */
	brg_dma_detach(&dev);
	rte_free(memory);
}

static void register_own_memory(void **state)
{
	char *memory =
		mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct brg_container c = {0};
	struct brg_device dev = {&c};

	assert_int_equal(brg_dma_register(&dev, memory, 2 * PAGE), 0);
	assert_int_equal(brg_dma_register(&dev, memory + 2 * PAGE, 2 * PAGE), 0);
	assert_true(is_mapped(&c, memory, 2 * PAGE));
	assert_int_equal(brg_dma_register(&dev, memory + PAGE, PAGE), -EEXIST);

	/* Only what was registered, as it was registered. */
	assert_fails(brg_dma_unregister(&dev, memory, 4 * PAGE), ENOENT, "not registered");
	assert_fails(brg_dma_unregister(&dev, memory, PAGE), ENOENT, "not registered");
	assert_fails(brg_dma_unregister(&dev, memory + PAGE, PAGE), ENOENT, "not registered");
	assert_int_equal(c.nmaps, 2);
	assert_int_equal(brg_dma_unregister(&dev, memory, 2 * PAGE), 0);
	assert_fails(brg_dma_unregister(&dev, memory, 2 * PAGE), ENOENT, "not registered");
	assert_int_equal(brg_dma_unregister(&dev, memory + 2 * PAGE, 2 * PAGE), 0);
	assert_int_equal(c.nmaps, 0);
	munmap(memory, 4 * PAGE);
}

static void registered_memory_outlives_attach(void **state)
{
	static char memory[PAGE] __attribute__((aligned(PAGE)));
	struct brg_container c = {0};
	struct brg_device dev = {&c};

	assert_int_equal(brg_dma_attach(&dev), 0);
	assert_int_equal(brg_dma_register(&dev, memory, PAGE), 0);
	brg_dma_detach(&dev);
	assert_int_equal(c.nmaps, 1);
	assert_int_equal(brg_dma_unregister(&dev, memory, PAGE), 0);
	assert_int_equal(c.nmaps, 0);
}

static void unaligned_is_refused(void **state)
{
	static char memory[2 * PAGE] __attribute__((aligned(PAGE)));
	struct brg_container c = {0};
	struct brg_device dev = {&c};

	assert_fails(brg_dma_register(&dev, memory + 8, PAGE), EINVAL, "multiples of 4096");
	assert_fails(brg_dma_register(&dev, memory, 100), EINVAL, "multiples of 4096");
	assert_fails(brg_dma_register(&dev, memory, 0), EINVAL, "multiples of 4096");
	assert_int_equal(c.nmaps, 0);
}

static void second_start_is_left_alone(void **state)
{
	assert_int_equal(brg_env_init(NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attach_needs_eal), /* before EAL is started */
		cmocka_unit_test_setup(eal_memory_is_mapped_in_few_pieces, start_eal),
		cmocka_unit_test(attach_nests),
		cmocka_unit_test(domains_are_apart),
		cmocka_unit_test(refused_attach_leaves_nothing),
		cmocka_unit_test(register_own_memory),
		cmocka_unit_test(registered_memory_outlives_attach),
		cmocka_unit_test(unaligned_is_refused),
		cmocka_unit_test(second_start_is_left_alone),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	brg_env_cleanup();
	return failed;
}
