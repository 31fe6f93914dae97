/* SPDX-License-Identifier: BSD-3-Clause */
/* Mapping a BAR of a made device, and planning it. */

#include "made_device.h"

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
	static const enum brg_bar_era eras[] = {BRG_BAR_ERA_HUGE, BRG_BAR_ERA_UNFIXED};
	struct brg_device *dev = *state;

	for (unsigned int i = 0; i < 2; i++) {
		run_on(eras[i]);
		for (uint64_t offset = 0; offset <= 512 * PAGE; offset += 37 * PAGE) {
			struct brg_bar_opts opts = {.offset = offset};
			struct brg_bar *bar;

			assert_int_equal(brg_bar_map(dev, 0, &opts, &bar), 0);
			assert_int_equal((uintptr_t)bar->base % (2 * MIB), 0);
			brg_bar_unmap(bar);
		}
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

/* Where no page is in the file yet, a fault fills no page but its own. */
static void empty_file(const struct brg_device *dev)
{
	assert_int_equal(ftruncate(dev->fd, 0), 0);
	assert_int_equal(ftruncate(dev->fd, 128 * MIB), 0);
}

static unsigned int filled_by(struct brg_device *dev, unsigned int index,
			      const struct brg_bar_opts *opts)
{
	struct brg_bar *bar;
	unsigned int n;

	empty_file(dev);
	assert_int_equal(brg_bar_map(dev, index, opts, &bar), 0);
	n = filled_pages(bar);
	brg_bar_unmap(bar);
	return n;
}

static void policies_fill(void **state)
{
	struct brg_bar_opts opts = {.policy = BRG_BAR_LAZY, .lcores = 3};
	struct brg_device *dev = *state;
	uint64_t pages = 64 * MIB / PAGE;

	assert_int_equal(filled_by(dev, 0, &opts), 0);
	opts.policy = BRG_BAR_TOUCH;
	assert_int_equal(filled_by(dev, 0, &opts), PAGES - 5); /* all but the holes */
	assert_int_equal(filled_by(dev, 4, &opts), pages);
	opts.policy = BRG_BAR_PARALLEL;
	assert_int_equal(filled_by(dev, 0, &opts), PAGES - 5);
	assert_int_equal(filled_by(dev, 4, &opts), pages);
	opts.lcores = 100;
	assert_int_equal(filled_by(dev, 4, &opts), pages);
	opts = (struct brg_bar_opts){.policy = BRG_BAR_TOUCH, .offset = 37 * PAGE};
	assert_int_equal(filled_by(dev, 4, &opts), pages - 37);
	opts = (struct brg_bar_opts){.policy = BRG_BAR_TOUCH, .offset = 2 * MIB - PAGE};
	opts.length = 2 * PAGE + 1;
	assert_int_equal(filled_by(dev, 4, &opts), 3);
	assert_int_equal(filled_by(dev, 0, NULL), PAGES - 5);
	run_on(BRG_BAR_ERA_HUGE);
	assert_int_equal(filled_by(dev, 4, NULL), pages);
	run_on(BRG_BAR_ERA_UNFIXED);
	assert_int_equal(filled_by(dev, 4, NULL), pages);
	run_on(BRG_BAR_ERA_UNKNOWN);
	assert_int_equal(filled_by(dev, 0, NULL), PAGES - 5);
}

static void the_iommu_maps_each_area(void **state)
{
	struct brg_bar_opts opts = {.policy = BRG_BAR_IOMMU, .offset = PAGE, .length = 9 * PAGE};
	struct brg_device *dev = *state;
	struct brg_bar *bar;

	run_on(BRG_BAR_ERA_UNFIXED);
	assert_int_equal(brg_bar_map(dev, 0, &opts, &bar), 0);
	assert_int_equal(by_iommu_count, 3);
	for (unsigned int i = 0; i < 3; i++) {
		static const struct brg_area wanted[] = {
			{PAGE, PAGE}, {3 * PAGE, PAGE}, {8 * PAGE, 2 * PAGE}};

		assert_int_equal(by_iommu[i].offset, (uintptr_t)bar->base + wanted[i].offset);
		assert_int_equal(by_iommu[i].size, wanted[i].size);
	}
	brg_bar_unmap(bar);

	iommu_rc = -EFAULT;
	by_iommu_count = 0;
	assert_int_equal(brg_bar_map(dev, 0, &opts, &bar), -EFAULT);
	assert_null(bar);
	dev->command = 0; /* that is why */
	by_iommu_count = 0;
	assert_int_equal(brg_bar_map(dev, 0, &opts, &bar), 0);
	assert_true(brg_bar_lost(bar));
	brg_bar_unmap(bar);
}

/* Planning */

static struct brg_bar_plan plan_of(struct brg_device *dev, unsigned int index,
				   const struct brg_bar_opts *opts)
{
	struct brg_bar_plan plan;

	assert_int_equal(brg_bar_plan(dev, index, opts, &plan), 0);
	assert_int_equal(plan.era, handler.era);
	assert_true(plan.policy_why[0] && plan.align_why[0] && plan.vmas_why[0] &&
		    plan.cpu_why[0] && plan.share_why[0]);
	return plan;
}

static void plan_follows_the_handler(void **state)
{
	static const struct {
		enum brg_bar_era era;
		unsigned int index;
		enum brg_bar_policy policy;
		uint64_t align;
		unsigned int vmas, faults, threads;
		bool shareable;
	} cases[] = {
		/* 4 MiB in three areas of 2, 1 and 1,016 pages */
		{BRG_BAR_ERA_FIXED, 0, BRG_BAR_TOUCH, PAGE, 3, 3, 1, true},
		{BRG_BAR_ERA_INSERT_PFN, 0, BRG_BAR_TOUCH, PAGE, 3, 3, 1, true},
		{BRG_BAR_ERA_ADDRESS_SPACE, 0, BRG_BAR_TOUCH, PAGE, 3, 3, 1, true},
		{BRG_BAR_ERA_EAGER, 0, BRG_BAR_LAZY, PAGE, 3, 0, 0, true},
		{BRG_BAR_ERA_HUGE, 0, BRG_BAR_TOUCH, 2 * MIB, 3, 2 + 1 + 504 + 1, 1, true},
		{BRG_BAR_ERA_UNFIXED, 0, BRG_BAR_TOUCH, 2 * MIB, 4, 4, 1, false},
		{BRG_BAR_ERA_SKIP_EXISTING, 0, BRG_BAR_TOUCH, 2 * MIB, 4, 4, 1, false},
		{BRG_BAR_ERA_UNKNOWN, 0, BRG_BAR_TOUCH, 2 * MIB, 4, 4, 1, false},
		/* 64 MiB in one */
		{BRG_BAR_ERA_FIXED, 4, BRG_BAR_TOUCH, PAGE, 1, 1, 1, true},
		{BRG_BAR_ERA_ADDRESS_SPACE, 4, BRG_BAR_PARALLEL, PAGE, 4, 4, 4, true},
		{BRG_BAR_ERA_HUGE, 4, BRG_BAR_TOUCH, 2 * MIB, 1, 32, 1, true},
		{BRG_BAR_ERA_UNFIXED, 4, BRG_BAR_TOUCH, 2 * MIB, 32, 32, 1, false},
	};
	const struct brg_bar_opts opts = {.lcores = 4};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct brg_bar_plan plan;

		run_on(cases[i].era);
		plan = plan_of(*state, cases[i].index, &opts);
		assert_int_equal(plan.policy, cases[i].policy);
		assert_int_equal(plan.align, cases[i].align);
		assert_int_equal(plan.vmas, cases[i].vmas);
		assert_int_equal(plan.faults, cases[i].faults);
		assert_int_equal(plan.threads, cases[i].threads);
		assert_int_equal(plan.node, -1);
		assert_int_equal(plan.shareable, cases[i].shareable);
	}
}

static void plan_follows_the_range(void **state)
{
	struct brg_bar_opts opts = {.length = 2 * PAGE, .lcores = 2};
	struct brg_device *dev = *state;
	struct brg_bar_plan plan;

	run_on(BRG_BAR_ERA_HUGE);
	plan = plan_of(dev, 4, &opts);
	assert_int_equal(plan.length, 2 * PAGE);
	assert_int_equal(plan.align, PAGE);
	assert_int_equal(plan.faults, 2);

	opts.offset = 2 * MIB - PAGE;
	opts.length = 4 * MIB + 2 * PAGE;
	plan = plan_of(dev, 4, &opts);
	assert_int_equal(plan.offset, opts.offset);
	assert_int_equal(plan.align, 2 * MIB);
	assert_int_equal(plan.faults, 4);

	/* 1 GiB, as if it were there */
	dev->large.size = dev->region[4].size = 1024 * MIB;
	plan = plan_of(dev, 4, NULL);
	assert_int_equal(plan.align, 1024 * MIB);
	assert_int_equal(plan.faults, 1);
	opts = (struct brg_bar_opts){.offset = PAGE};
	plan = plan_of(dev, 4, &opts);
	assert_int_equal(plan.align, 2 * MIB);
	assert_int_equal(plan.faults, 511 + 511);
}

/* Those that filling a VMA of small pages takes. */
static uint64_t faults_of(enum brg_bar_era era, uint64_t pages)
{
	if (era == BRG_BAR_ERA_EAGER)
		return 0;
	return era == BRG_BAR_ERA_HUGE ? pages : 1;
}

/* Nobody asks for the handler: it is in one page table, or in two with a VMA each, on any of them.
 */
static void small_and_for_one_lcore(void **state)
{
	struct brg_bar_opts opts = {.lcores = 1, .length = 4 * PAGE};
	struct brg_device *dev = *state;
	struct brg_bar_plan plan;

	for (enum brg_bar_era era = BRG_BAR_ERA_UNKNOWN; era <= BRG_BAR_ERA_HUGE; era++) {
		run_on(era);
		opts = (struct brg_bar_opts){.lcores = 1, .length = 4 * PAGE, .offset = MIB};
		plan = plan_of(dev, 4, &opts);
		assert_int_equal(plan.policy, BRG_BAR_TOUCH);
		assert_int_equal(plan.vmas, 1);
		assert_int_equal(plan.faults, faults_of(era, 4));
		opts.length = 32 * PAGE;
		opts.offset = 2 * MIB - 16 * PAGE;
		plan = plan_of(dev, 4, &opts);
		assert_int_equal(plan.align, 2 * MIB);
		assert_int_equal(plan.vmas, 2);
		assert_int_equal(plan.faults, 2 * faults_of(era, 16));
	}
}

static void policies_by_name(void **state)
{
	struct brg_bar_opts opts = {.policy = BRG_BAR_PARALLEL, .lcores = 4};
	struct brg_device *dev = *state;
	struct brg_bar_plan plan;
	struct brg_bar *bar;

	for (enum brg_bar_policy p = BRG_BAR_LAZY; p <= BRG_BAR_PARALLEL; p++) {
		opts.policy = p;
		plan = plan_of(dev, 0, &opts);
		assert_int_equal(plan.policy, p);
		assert_string_equal(plan.policy_why, "asked for by name");
	}
	assert_string_equal(brg_bar_policy_name(BRG_BAR_IOMMU), "iommu");
	assert_null(brg_bar_policy_name(BRG_BAR_PARALLEL + 1));

	run_on(BRG_BAR_ERA_UNKNOWN);
	opts.policy = BRG_BAR_PARALLEL;
	assert_fails(brg_bar_map(dev, 0, &opts, &bar), ENOTSUP, "vulnerable (unknown)");
	assert_fails(brg_bar_plan(dev, 0, &opts, &plan), ENOTSUP, "vulnerable (unknown)");
	opts.policy = BRG_BAR_PARALLEL + 1;
	assert_fails(brg_bar_map(dev, 0, &opts, &bar), EINVAL, "no policy number 5");
	assert_fails(brg_bar_plan(dev, 3, NULL, &plan), ENOENT, "no memory BAR 3");
}

/* A VMA of a vulnerable kernel lies in one page table: neighbours never share one. */
static void pieces_end_at_page_tables(void **state)
{
	struct brg_device *dev = *state;
	struct brg_mapping m = {.region = &dev->region[0],
				.bar = {.offset = PAGE, .length = 1023 * PAGE}};
	static const struct brg_area wanted[] = {
		{PAGE, PAGE}, {3 * PAGE, PAGE}, {8 * PAGE, 504 * PAGE}, {512 * PAGE, 512 * PAGE}};
	struct brg_piece piece = {0};

	for (unsigned int i = 0; i < 4; i++) {
		assert_true(brg_next_piece(&m, 2 * MIB, &piece));
		assert_int_equal(piece.at.offset, wanted[i].offset);
		assert_int_equal(piece.at.size, wanted[i].size);
	}
	assert_false(brg_next_piece(&m, 2 * MIB, &piece));
	assert_false(brg_next_piece(&m, 2 * MIB, &piece));
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
	assert_true(brg_bar_lost(other)); /* touching it was lost */
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
		on_a_device(policies_fill),
		on_a_device(the_iommu_maps_each_area),
		on_a_device(plan_follows_the_handler),
		on_a_device(plan_follows_the_range),
		on_a_device(small_and_for_one_lcore),
		on_a_device(policies_by_name),
		on_a_device(pieces_end_at_page_tables),
		on_a_device(loss_is_survived_and_told),
		on_a_device(refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
