/* SPDX-License-Identifier: BSD-3-Clause */
/* The error sentence: one per thread, and safe to build from the sentence before. */

#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base.h"

static void sentence_follows_failure(void **state)
{
	assert_fails(brg_fail(EBUSY, "%s is bound to %s", "0000:00:04.0", "nvme"), EBUSY,
		     "0000:00:04.0 is bound to nvme");
	assert_int_equal(brg_fail(ENODEV, "second"), -ENODEV);
	assert_string_equal(brg_errmsg(), "second");
}

static void sentence_may_quote_the_last(void **state)
{
	brg_fail(EIO, "cause");
	brg_fail(EIO, "effect: %s", brg_errmsg());
	assert_string_equal(brg_errmsg(), "effect: cause");
}

static void long_sentence_is_cut(void **state)
{
	char words[2000];

	memset(words, 'x', sizeof(words) - 1);
	words[sizeof(words) - 1] = 0;
	brg_fail(EINVAL, "%s", words);
	assert_in_range(strlen(brg_errmsg()), 100, sizeof(words) - 2);
}

static void *fail_elsewhere(void *empty_at_first)
{
	*(int *)empty_at_first = brg_errmsg()[0] == 0;
	brg_fail(EIO, "elsewhere");
	return NULL;
}

static void threads_have_their_own(void **state)
{
	pthread_t thread;
	int empty_at_first = 0;

	brg_fail(EIO, "here");
	assert_int_equal(pthread_create(&thread, NULL, fail_elsewhere, &empty_at_first), 0);
	pthread_join(thread, NULL);
	assert_true(empty_at_first);
	assert_string_equal(brg_errmsg(), "here");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sentence_follows_failure),
		cmocka_unit_test(sentence_may_quote_the_last),
		cmocka_unit_test(long_sentence_is_cut),
		cmocka_unit_test(threads_have_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
