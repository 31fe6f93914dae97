/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * PRP entries of every dword alignment and of every length up to the most that one command may
 * carry, against a reference that knows nothing of page arithmetic: it walks the buffer a dword at
 * a time and notes each page it has not been in before.
 */

#include "unit.h"

#include <string.h>

#include "prp.h"

#define BASE	   UINT64_C(0x7f1234560000)
#define LIST_ROOM  (BRG_PRP_PAGE / sizeof(uint64_t))
#define UNTOUCHED  UINT64_C(0x5555555555555555)
#define SMALL_ENDS (8 * BRG_PRP_PAGE)

/* The pages of a buffer, in order; the first entry is the buffer's own address. */
struct walk {
	uint64_t pages[LIST_ROOM + 2];
	unsigned int count;
};

static void step(struct walk *walk, uint64_t address)
{
	uint64_t page = address / 4096 * 4096;

	if (!walk->count)
		walk->pages[walk->count++] = address;
	else if (page > walk->pages[walk->count - 1])
		walk->pages[walk->count++] = page;
}

static void assert_same(const struct walk *walk, uint64_t buf, size_t len)
{
	static uint64_t list[LIST_ROOM + 1] __attribute__((aligned(4096)));
	uint64_t last = buf + len - 1, prp2;
	unsigned int listed = walk->count - 1;

	assert_int_equal(brg_prp_is_one_page(buf, last), walk->count == 1);
	if (walk->count == 1)
		return;
	assert_in_range(listed, 1, LIST_ROOM);
	list[0] = UNTOUCHED;
	list[listed] = UNTOUCHED;
	prp2 = brg_prp2(buf, last, list);
	if (walk->count == 2) {
		assert_true(prp2 == walk->pages[1]);
		assert_true(list[0] == UNTOUCHED);
		return;
	}
	assert_true(prp2 == (uintptr_t)list);
	assert_memory_equal(list, &walk->pages[1], listed * sizeof(*list));
	assert_true(list[listed] == UNTOUCHED);
}

/* All lengths that are multiples of a block, up to the most there is. */
static void every_alignment(void **state)
{
	uint64_t buf, offset;

	for (buf = BASE; buf < BASE + BRG_PRP_PAGE; buf += 4) {
		struct walk walk = {0};

		for (offset = 0; offset < BRG_PRP_MAX_TRANSFER; offset += 4) {
			if (offset && offset % 512 == 0)
				assert_same(&walk, buf, offset);
			step(&walk, buf + offset);
		}
		assert_same(&walk, buf, BRG_PRP_MAX_TRANSFER);
	}
}

/* Lengths that are no multiple of a block do not come from read and write; they hold as well. */
static void every_dword_length(void **state)
{
	uint64_t buf, offset;

	for (buf = BASE; buf < BASE + BRG_PRP_PAGE; buf += 4) {
		struct walk walk = {0};

		for (offset = 0; offset < SMALL_ENDS; offset += 4) {
			if (offset)
				assert_same(&walk, buf, offset);
			step(&walk, buf + offset);
		}
	}
}

/* What queue.c allocates per command is enough for any alignment, and is used to the full. */
static void list_room_is_exact(void **state)
{
	size_t max;

	for (max = 2 * BRG_PRP_PAGE; max <= BRG_PRP_MAX_TRANSFER; max *= 2) {
		uint64_t list[LIST_ROOM + 1];
		size_t room = brg_prp_list_entries(max);

		memset(list, 0x55, sizeof(list));
		brg_prp2(BASE + BRG_PRP_PAGE - 4, BASE + BRG_PRP_PAGE - 4 + max - 1, list);
		assert_true(list[room - 1] != UNTOUCHED);
		assert_true(list[room] == UNTOUCHED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_alignment),
		cmocka_unit_test(every_dword_length),
		cmocka_unit_test(list_room_is_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
