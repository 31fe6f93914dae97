/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The histogram against the truth: the same samples, sorted. Quantiles are asked for in thousandths
 * so that the true rank is found with integers alone.
 */

#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "brg_stat.h"

#define SAMPLES 20011 /* a prime: no quantile falls on a round rank */

static uint64_t seed;

/* xorshift64*: the same numbers on every machine, unlike rand(). */
static uint64_t next_random(void)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return seed * UINT64_C(2685821657736338717);
}

static uint64_t any_bits(void)
{
	return next_random();
}

/* Every power of two equally likely, as latencies with a long tail. */
static uint64_t any_magnitude(void)
{
	return next_random() >> (next_random() % 64);
}

static uint64_t small(void)
{
	return next_random() % (2 * BRG_HIST_SUB);
}

/* Nearly all equal, one in a thousand far out. */
static uint64_t spiked(void)
{
	return next_random() % 1000 ? 7000 + next_random() % 30 : 9000000;
}

/* On and next to the powers of two, where buckets change their width. */
static uint64_t around_powers(void)
{
	return (UINT64_C(1) << (next_random() % 64)) + next_random() % 3 - 1;
}

static struct brg_hist *hist_new(void)
{
	struct brg_hist *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	return h;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void assert_quantiles(const struct brg_hist *h, uint64_t *samples, size_t n)
{
	unsigned int thousandths;

	qsort(samples, n, sizeof(*samples), by_value);
	assert_int_equal(h->count, n);
	assert_true(h->min == samples[0]);
	assert_true(h->max == samples[n - 1]);
	for (thousandths = 0; thousandths <= 1000; thousandths++) {
		size_t rank = (thousandths * n + 999) / 1000;
		uint64_t truth = samples[rank ? rank - 1 : 0];
		uint64_t got = brg_hist_quantile(h, thousandths / 1000.0);

		assert_true(got >= truth);
		assert_true(got <= h->max);
		assert_true(got - truth <= truth / BRG_HIST_SUB);
	}
}

static void quantiles_of(uint64_t (*draw)(void))
{
	struct brg_hist *h = hist_new();
	uint64_t *samples = malloc(SAMPLES * sizeof(*samples));
	size_t i;

	assert_non_null(samples);
	seed = 20210914;
	for (i = 0; i < SAMPLES; i++) {
		samples[i] = draw();
		brg_hist_add(h, samples[i]);
	}
	assert_quantiles(h, samples, SAMPLES);
	free(samples);
	free(h);
}

static void quantiles_are_within_the_bound(void **state)
{
	quantiles_of(any_bits);
	quantiles_of(any_magnitude);
	quantiles_of(small);
	quantiles_of(spiked);
	quantiles_of(around_powers);
}

static void any_number_of_samples(void **state)
{
	struct brg_hist *h = hist_new();
	uint64_t samples[200], sorted[200];
	size_t n;

	seed = 42;
	for (n = 1; n <= 200; n++) {
		samples[n - 1] = any_magnitude();
		brg_hist_add(h, samples[n - 1]);
		memcpy(sorted, samples, n * sizeof(*samples));
		assert_quantiles(h, sorted, n);
	}
	free(h);
}

static void edges_are_exact(void **state)
{
	static const uint64_t edges[] = {
		0,
		1,
		BRG_HIST_SUB - 1,
		BRG_HIST_SUB,
		2 * BRG_HIST_SUB - 1,
		2 * BRG_HIST_SUB,
		(UINT64_C(1) << 63) - 1,
		UINT64_C(1) << 63,
		UINT64_MAX - 1,
		UINT64_MAX,
	};
	size_t i;

	for (i = 0; i < sizeof(edges) / sizeof(*edges); i++) {
		struct brg_hist *h = hist_new();

		/* One sample is every quantile, exactly: min and max are. */
		brg_hist_add(h, edges[i]);
		assert_true(brg_hist_quantile(h, 0) == edges[i]);
		assert_true(brg_hist_quantile(h, 0.5) == edges[i]);
		assert_true(brg_hist_quantile(h, 1) == edges[i]);
		assert_true(brg_hist_mean(h) == (double)edges[i]);
		/* Below the largest the bucket's end shows. */
		brg_hist_add(h, UINT64_MAX);
		assert_true(brg_hist_quantile(h, 0.5) >= edges[i]);
		assert_true(brg_hist_quantile(h, 0.5) - edges[i] <= edges[i] / BRG_HIST_SUB);
		assert_true(brg_hist_quantile(h, 1) == UINT64_MAX);
		free(h);
	}
}

static void empty_is_zero(void **state)
{
	struct brg_hist *h = hist_new();

	assert_int_equal(brg_hist_quantile(h, 0.5), 0);
	assert_true(brg_hist_mean(h) == 0);
	free(h);
}

static void odd_shares_are_clamped(void **state)
{
	struct brg_hist *h = hist_new();

	brg_hist_add(h, 10);
	brg_hist_add(h, 20);
	assert_int_equal(brg_hist_quantile(h, -1), 10);
	assert_int_equal(brg_hist_quantile(h, __builtin_nan("")), 10);
	assert_int_equal(brg_hist_quantile(h, 2), 20);
	assert_int_equal(brg_hist_quantile(h, __builtin_inf()), 20);
	free(h);
}

static void merge_is_union(void **state)
{
	struct brg_hist *a = hist_new(), *b = hist_new(), *both = hist_new();
	unsigned int i;

	seed = 7;
	for (i = 0; i < SAMPLES; i++) {
		uint64_t value = any_magnitude() >> 16; /* so that the sum does not wrap */

		brg_hist_add(i % 3 ? a : b, value);
		brg_hist_add(both, value);
	}
	brg_hist_merge(a, b);
	assert_memory_equal(a, both, sizeof(*a));

	/* The empty one on either side changes nothing: its min of 0 must not show. */
	memset(b, 0, sizeof(*b));
	brg_hist_merge(a, b);
	assert_memory_equal(a, both, sizeof(*a));
	brg_hist_merge(b, a);
	assert_memory_equal(b, both, sizeof(*b));
	free(a);
	free(b);
	free(both);
}

static void mean_is_exact(void **state)
{
	struct brg_hist *h = hist_new();
	unsigned int i;

	for (i = 1; i <= 1000; i++)
		brg_hist_add(h, i);
	assert_true(brg_hist_mean(h) == 500.5);
	free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quantiles_are_within_the_bound),
		cmocka_unit_test(any_number_of_samples),
		cmocka_unit_test(edges_are_exact),
		cmocka_unit_test(empty_is_zero),
		cmocka_unit_test(odd_shares_are_clamped),
		cmocka_unit_test(mean_is_exact),
		cmocka_unit_test(merge_is_union),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
