/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Mapping a BAR of a made device: a memfd stands in for the VFIO file, and the device layer's calls
 * that bar.c needs are defined here.
 */

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "brg_bar.h"

#define PAGE  4096u
#define PAGES 1024u /* 4 MiB */
/* Where BAR 0 lies in the device file. */
#define AT (16u * PAGE)

struct brg_device {
	struct brg_device_info info;
	struct brg_region region[BRG_PCI_BARS];
	struct brg_area areas[3];
	uint16_t command;
	int fd;
};

const struct brg_device_info *brg_device_get_info(const struct brg_device *dev)
{
	return &dev->info;
}

const struct brg_region *brg_device_region(const struct brg_device *dev, unsigned int index)
{
	return dev->region[index].size ? &dev->region[index] : NULL;
}

int brg_device_fd(const struct brg_device *dev)
{
	return dev->fd;
}

int brg_device_config_read(const struct brg_device *dev, uint32_t offset, void *buf, size_t len)
{
	assert_int_equal(offset, PCI_COMMAND);
	assert_int_equal(len, sizeof(dev->command));
	memcpy(buf, &dev->command, len);
	return 0;
}

/* Every page of the BAR starts with its own number. */
static int make_device(void **state)
{
	struct brg_device *dev = calloc(1, sizeof(*dev));

	dev->fd = memfd_create("bar", MFD_CLOEXEC);
	if (dev->fd < 0 || ftruncate(dev->fd, AT + PAGES * PAGE))
		return -1;
	for (uint32_t i = 0; i < PAGES; i++) {
		if (pwrite(dev->fd, &i, sizeof(i), AT + i * PAGE) != sizeof(i))
			return -1;
	}
	strcpy(dev->info.bdf, "0000:00:04.0");
	dev->command = PCI_COMMAND_MEMORY;
	dev->areas[0] = (struct brg_area){0, 2 * PAGE};
	dev->areas[1] = (struct brg_area){3 * PAGE, PAGE};
	dev->areas[2] = (struct brg_area){8 * PAGE, (PAGES - 8) * PAGE};
	dev->info.bar_size[0] = PAGES * PAGE;
	dev->region[0] = (struct brg_region){
		.size = PAGES * PAGE, .offset = AT, .nareas = 3, .areas = dev->areas};
	dev->region[1] = (struct brg_region){.size = 32}; /* I/O ports */
	dev->info.bar_size[2] = PAGE;
	dev->region[2] = (struct brg_region){.size = PAGE}; /* memory, but not to be mapped */
	*state = dev;
	return 0;
}

static int free_device(void **state)
{
	struct brg_device *dev = *state;

	close(dev->fd);
	free(dev);
	return 0;
}

/* Resident pages of [start, start + len), or -1 where nothing is mapped. */
static int resident(const volatile void *start, size_t len)
{
	unsigned char vec[PAGES];
	int n = 0;

	if (mincore((void *)(uintptr_t)start, len, vec))
		return -1;
	for (size_t i = 0; i < len / PAGE; i++)
		n += vec[i] & 1;
	return n;
}

static void whole_bar_with_holes(void **state)
{
	struct brg_device *dev = *state;
	struct brg_bar *bar;

	assert_int_equal(brg_bar_map(dev, 0, NULL, &bar), 0);
	assert_int_equal(bar->offset, 0);
	assert_int_equal(bar->length, PAGES * PAGE);
	assert_int_equal(bar->size, PAGES * PAGE);
	for (uint32_t i = 0; i < PAGES; i++) {
		bool hole = i == 2 || (i >= 4 && i < 8);

		assert_int_equal(brg_bar_ptr(bar, i * PAGE, 4) == NULL, hole);
		if (!hole)
			assert_int_equal(brg_bar_read32(bar, i * PAGE), i);
	}
	brg_bar_unmap(bar);
}

static void pointers_stay_inside(void **state)
{
	struct brg_device *dev = *state;
	struct brg_bar *bar;

	assert_int_equal(brg_bar_map(dev, 0, NULL, &bar), 0);
	assert_ptr_equal(brg_bar_ptr(bar, 8, 8), bar->base + 8);
	assert_ptr_equal(brg_bar_ptr(bar, 0, 2 * PAGE), bar->base);
	assert_null(brg_bar_ptr(bar, 0, 2 * PAGE + 1));	    /* into a hole */
	assert_null(brg_bar_ptr(bar, 0, 4 * PAGE));	    /* across one */
	assert_null(brg_bar_ptr(bar, PAGES * PAGE - 4, 8)); /* off the end */
	assert_null(brg_bar_ptr(bar, UINT64_MAX - 3, 8));   /* wraps */
	assert_null(brg_bar_ptr(bar, 8, UINT64_MAX));
	assert_ptr_equal(brg_bar_ptr(bar, PAGES * PAGE - 4, 4), bar->base + PAGES * PAGE - 4);
	brg_bar_unmap(bar);
}

static void part_of_a_bar(void **state)
{
	struct brg_bar_opts opts = {.offset = PAGE, .length = 8 * PAGE + 1};
	struct brg_device *dev = *state;
	struct brg_bar *bar;

	assert_int_equal(brg_bar_map(dev, 0, &opts, &bar), 0);
	assert_int_equal(bar->offset, PAGE);
	assert_int_equal(bar->length, 9 * PAGE);
	assert_int_equal(brg_bar_read32(bar, PAGE), 1);
	assert_int_equal(brg_bar_read32(bar, 9 * PAGE), 9);
	assert_null(brg_bar_ptr(bar, 0, 4));
	assert_null(brg_bar_ptr(bar, 10 * PAGE, 4));
	brg_bar_unmap(bar);
}

static void writes_reach_the_device(void **state)
{
	struct brg_device *dev = *state;
	struct brg_bar *one;
	struct brg_bar *two;
	uint64_t value;

	assert_int_equal(brg_bar_map(dev, 0, NULL, &one), 0);
	assert_int_equal(brg_bar_map(dev, 0, NULL, &two), 0);
	assert_ptr_not_equal(one->base, two->base);
	brg_bar_write64(one, 0x10, 0x1122334455667788);
	brg_bar_write32(one, 0x10, 0xaabbccdd);
	assert_true(brg_bar_read64(two, 0x10) == 0x11223344aabbccdd);
	assert_int_equal(pread(dev->fd, &value, sizeof(value), AT + 0x10), sizeof(value));
	assert_true(value == 0x11223344aabbccdd);
	brg_bar_unmap(one);
	brg_bar_unmap(two);
	brg_bar_unmap(NULL);
}

static void unmap_leaves_nothing(void **state)
{
	struct brg_device *dev = *state;
	struct brg_bar *bar;
	volatile uint8_t *base;

	assert_int_equal(brg_bar_map(dev, 0, NULL, &bar), 0);
	base = bar->base;
	brg_bar_unmap(bar);
	for (uint32_t i = 0; i < PAGES; i++)
		assert_int_equal(resident(base + i * PAGE, PAGE), -1);
}

/* Congruent to the BAR modulo 2 MiB, whatever part of it is mapped: huge faults need that. */
static void large_mappings_are_aligned(void **state)
{
	struct brg_device *dev = *state;

	for (uint64_t offset = 0; offset <= 512 * PAGE; offset += 37 * PAGE) {
		struct brg_bar_opts opts = {.offset = offset};
		struct brg_bar *bar;

		assert_int_equal(brg_bar_map(dev, 0, &opts, &bar), 0);
		assert_int_equal((uintptr_t)bar->base % (2 << 20), 0);
		brg_bar_unmap(bar);
	}
}

/* A page table entry exists when the kernel has something to say of it in pagemap. */
static unsigned int filled_pages(const struct brg_bar *bar)
{
	unsigned int n = 0;
	FILE *f = fopen("/proc/self/pagemap", "re");

	assert_non_null(f);
	for (uint64_t off = 0; off < bar->length; off += PAGE) {
		uint64_t entry;

		fseek(f, (long)(((uintptr_t)bar->base + bar->offset + off) / PAGE * 8), SEEK_SET);
		assert_int_equal(fread(&entry, sizeof(entry), 1, f), 1);
		n += entry >> 63;
	}
	fclose(f);
	return n;
}

static void lazy_touches_nothing_prefault_all(void **state)
{
	struct brg_bar_opts lazy = {.policy = BRG_BAR_LAZY};
	struct brg_device *dev = *state;
	struct brg_bar *bar;

	assert_int_equal(brg_bar_map(dev, 0, &lazy, &bar), 0);
	assert_int_equal(filled_pages(bar), 0);
	brg_bar_unmap(bar);

	assert_int_equal(brg_bar_map(dev, 0, NULL, &bar), 0);
	assert_int_equal(filled_pages(bar), PAGES - 5); /* all but the holes */
	brg_bar_unmap(bar);
}

/* The file loses its pages as the device loses memory decode. */
static void loss_is_survived_and_told(void **state)
{
	struct brg_device *dev = *state;
	struct brg_bar *other;
	struct brg_bar *bar;

	assert_int_equal(brg_bar_map(dev, 0, NULL, &bar), 0);
	brg_bar_guard(); /* cmocka has put a handler of its own in place */
	assert_false(brg_bar_lost(bar));

	dev->command = 0;
	assert_int_equal(ftruncate(dev->fd, 0), 0);
	assert_false(brg_bar_lost(bar)); /* nobody has looked */
	assert_int_equal(brg_bar_read32(bar, 8), UINT32_MAX);
	brg_bar_write64(bar, 8, 5);
	assert_true(brg_bar_lost(bar));
	assert_true(brg_bar_lost(bar));
	assert_true(brg_bar_read64(bar, 8 * PAGE) == UINT64_MAX);
	assert_int_equal(brg_bar_map(dev, 0, NULL, &other), 0);
	assert_true(brg_bar_lost(other)); /* prefaulting it was lost */
	brg_bar_unmap(other);

	dev->command = PCI_COMMAND_MEMORY;
	assert_int_equal(ftruncate(dev->fd, AT + PAGES * PAGE), 0);
	assert_int_equal(brg_bar_read32(bar, 8), 0);
	assert_false(brg_bar_lost(bar));

	/* Come and gone before anybody asks: told all the same, once. */
	assert_int_equal(ftruncate(dev->fd, 0), 0);
	assert_int_equal(brg_bar_read32(bar, 8), UINT32_MAX);
	assert_int_equal(ftruncate(dev->fd, AT + PAGES * PAGE), 0);
	assert_true(brg_bar_lost(bar));
	assert_false(brg_bar_lost(bar));

	/* Config space of a device that is gone reads all-ones as well. */
	assert_int_equal(ftruncate(dev->fd, 0), 0);
	dev->command = UINT16_MAX;
	assert_int_equal(brg_bar_read32(bar, 8), UINT32_MAX);
	assert_true(brg_bar_lost(bar));
	assert_true(brg_bar_lost(bar));
	brg_bar_unmap(bar);
}

static void refusals(void **state)
{
	struct brg_device *dev = *state;
	struct brg_bar *bar;

	assert_fails(brg_bar_map(dev, 1, NULL, &bar), ENOENT, "no memory BAR 1");
	assert_fails(brg_bar_map(dev, 3, NULL, &bar), ENOENT, "no memory BAR 3");
	assert_fails(brg_bar_map(dev, 7, NULL, &bar), ENOENT, "no memory BAR 7");
	assert_fails(brg_bar_map(dev, 2, NULL, &bar), ENOTSUP, "BAR 2");
	assert_null(bar);

	struct brg_bar_opts odd = {.offset = 8};
	struct brg_bar_opts beyond = {.offset = PAGES * PAGE};
	struct brg_bar_opts longer = {.offset = PAGE, .length = PAGES * PAGE};
	struct brg_bar_opts wraps = {.offset = PAGE, .length = UINT64_MAX - 100};

	assert_fails(brg_bar_map(dev, 0, &odd, &bar), EINVAL, "page size");
	assert_fails(brg_bar_map(dev, 0, &beyond, &bar), EINVAL, "is outside");
	assert_fails(brg_bar_map(dev, 0, &longer, &bar), EINVAL, "is outside");
	assert_fails(brg_bar_map(dev, 0, &wraps, &bar), EINVAL, "is outside");

	close(dev->fd);
	dev->fd = open("/dev/null", O_RDONLY);
	assert_fails(brg_bar_map(dev, 0, NULL, &bar), ENOTSUP, "does not map");
}

#define on_a_device(test) cmocka_unit_test_setup_teardown(test, make_device, free_device)

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_a_device(whole_bar_with_holes),
		on_a_device(pointers_stay_inside),
		on_a_device(part_of_a_bar),
		on_a_device(writes_reach_the_device),
		on_a_device(unmap_leaves_nothing),
		on_a_device(large_mappings_are_aligned),
		on_a_device(lazy_touches_nothing_prefault_all),
		on_a_device(loss_is_survived_and_told),
		on_a_device(refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
