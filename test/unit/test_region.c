/* SPDX-License-Identifier: BSD-3-Clause */
/* Which parts of a region may be mapped, from what VFIO says: whole, sparse, with an MSI-X hole. */

#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"

#define PAGE 4096u

/* A region as the kernel describes it, with room for capabilities behind. */
struct said {
	struct vfio_region_info info;
	char caps[256];
	uint32_t used;
};

static struct said said(uint64_t size, uint32_t flags)
{
	return (struct said){.info = {.argsz = sizeof(struct said),
				      .flags = flags,
				      .size = size,
				      .offset = 1ull << 40}};
}

/* Put a capability at the head of the chain. */
static void *add_cap(struct said *s, uint16_t id, size_t size)
{
	struct vfio_info_cap_header *cap = (void *)(s->caps + s->used);

	*cap = (struct vfio_info_cap_header){.id = id, .version = 1, .next = s->info.cap_offset};
	s->info.cap_offset = (uint32_t)(sizeof(s->info) + s->used);
	s->info.flags |= VFIO_REGION_INFO_FLAG_CAPS;
	s->used += (uint32_t)((size + 7) & ~7ul);
	assert_in_range(s->used, 0, sizeof(s->caps));
	return cap;
}

static void add_sparse(struct said *s, uint32_t n, const struct vfio_region_sparse_mmap_area *areas)
{
	struct vfio_region_info_cap_sparse_mmap *cap =
		add_cap(s, VFIO_REGION_INFO_CAP_SPARSE_MMAP, sizeof(*cap) + n * sizeof(*areas));

	cap->nr_areas = n;
	for (uint32_t i = 0; i < n; i++)
		cap->areas[i] = areas[i];
}

/* The areas must be these: pairs of offset and size. */
static void check_areas(const struct said *s, const struct brg_area *msix, unsigned int n,
			const struct brg_area *expected)
{
	struct brg_region region;

	assert_int_equal(brg_region_init(&region, &s->info, msix), 0);
	assert_int_equal(region.size, s->info.size);
	assert_int_equal(region.offset, s->info.offset);
	assert_int_equal(region.nareas, n);
	for (unsigned int i = 0; i < n; i++) {
		assert_int_equal(region.areas[i].offset, expected[i].offset);
		assert_int_equal(region.areas[i].size, expected[i].size);
	}
	free(region.areas);
}

#define AREAS(...)                                                          \
	sizeof((struct brg_area[]){__VA_ARGS__}) / sizeof(struct brg_area), \
		(const struct brg_area[])                                   \
	{                                                                   \
		__VA_ARGS__                                                 \
	}

#define MAPPABLE (VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_MMAP)

static void whole_bar(void **state)
{
	struct said s = said(16 * 1024, MAPPABLE);

	check_areas(&s, NULL, AREAS({0, 16 * 1024}));
}

static void bar_smaller_than_a_page(void **state)
{
	struct said s = said(256, MAPPABLE);

	check_areas(&s, NULL, AREAS({0, PAGE}));
}

static void not_mappable(void **state)
{
	struct said io = said(32, VFIO_REGION_INFO_FLAG_READ);
	struct said none = said(0, 0);

	check_areas(&io, NULL, 0, NULL);
	check_areas(&none, NULL, 0, NULL);
}

static void flags_are_those_promised(void **state)
{
	struct said s = said(32, VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE);
	struct brg_region region;

	add_cap(&s, VFIO_REGION_INFO_CAP_TYPE, sizeof(struct vfio_region_info_cap_type));
	assert_int_equal(brg_region_init(&region, &s.info, NULL), 0);
	assert_int_equal(region.flags, BRG_REGION_READ | BRG_REGION_WRITE);
}

static void msix_table_at_the_end(void **state)
{
	struct said s = said(4 * PAGE, MAPPABLE);
	struct brg_area table = {2 * PAGE, 65 * 16};

	check_areas(&s, &table, AREAS({0, 2 * PAGE}, {3 * PAGE, PAGE}));
}

static void msix_table_takes_whole_pages(void **state)
{
	struct said s = said(8 * PAGE, MAPPABLE);
	struct brg_area start = {0, 16};
	struct brg_area across = {2 * PAGE + 0x800, PAGE};
	struct brg_area end = {8 * PAGE - 16, 16};
	struct brg_area all = {0, 2048 * 16};

	check_areas(&s, &start, AREAS({PAGE, 7 * PAGE}));
	check_areas(&s, &across, AREAS({0, 2 * PAGE}, {4 * PAGE, 4 * PAGE}));
	check_areas(&s, &end, AREAS({0, 7 * PAGE}));
	check_areas(&s, &all, 0, NULL);
}

static void msix_table_may_be_mappable(void **state)
{
	struct said s = said(4 * PAGE, MAPPABLE);
	struct brg_area table = {2 * PAGE, 65 * 16};

	add_cap(&s, VFIO_REGION_INFO_CAP_MSIX_MAPPABLE, sizeof(struct vfio_info_cap_header));
	check_areas(&s, &table, AREAS({0, 4 * PAGE}));
}

static void sparse_areas_sorted(void **state)
{
	struct said s = said(16 * PAGE, MAPPABLE);

	add_sparse(&s, 3,
		   (const struct vfio_region_sparse_mmap_area[]){
			   {8 * PAGE, 2 * PAGE}, {0, PAGE}, {4 * PAGE, 0}});
	add_cap(&s, VFIO_REGION_INFO_CAP_TYPE, sizeof(struct vfio_region_info_cap_type));
	check_areas(&s, NULL, AREAS({0, PAGE}, {8 * PAGE, 2 * PAGE}));
}

static void sparse_areas_never_grow(void **state)
{
	struct said s = said(16 * PAGE, MAPPABLE);

	add_sparse(&s, 2,
		   (const struct vfio_region_sparse_mmap_area[]){{0x800, 2 * PAGE},
								 {8 * PAGE + 1, PAGE}});
	check_areas(&s, NULL, AREAS({PAGE, PAGE}));
}

static void sparse_areas_with_msix_hole(void **state)
{
	struct said s = said(16 * PAGE, MAPPABLE);
	struct brg_area table = {PAGE, 16};

	add_sparse(&s, 2,
		   (const struct vfio_region_sparse_mmap_area[]){{0, 4 * PAGE}, {8 * PAGE, PAGE}});
	check_areas(&s, &table, AREAS({0, PAGE}, {2 * PAGE, 2 * PAGE}, {8 * PAGE, PAGE}));
}

static void nothing_sparse_is_nothing(void **state)
{
	struct said s = said(16 * PAGE, MAPPABLE);

	add_sparse(&s, 0, NULL);
	check_areas(&s, NULL, 0, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_bar),
		cmocka_unit_test(bar_smaller_than_a_page),
		cmocka_unit_test(not_mappable),
		cmocka_unit_test(flags_are_those_promised),
		cmocka_unit_test(msix_table_at_the_end),
		cmocka_unit_test(msix_table_takes_whole_pages),
		cmocka_unit_test(msix_table_may_be_mappable),
		cmocka_unit_test(sparse_areas_sorted),
		cmocka_unit_test(sparse_areas_never_grow),
		cmocka_unit_test(sparse_areas_with_msix_hole),
		cmocka_unit_test(nothing_sparse_is_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
