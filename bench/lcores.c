/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Launch one function on several lcores so that all of them enter it at the same moment.
 *
 * A spin barrier alone does that only while all lcores are on a CPU. Where they are not their CPUs'
 * only users, in a guest above all, one is now and then descheduled while it spins, and comes late
 * by milliseconds. So the lcores leave the barrier together, compare when each did, and go once
 * these times are close: the next barrier comes so soon that all of them are still running.
 *
 * An lcore that wakes up or goes to sleep slows down what the others do next, where CPUs are
 * emulated by half. So all of EAL's are launched, however few are to call the function: what is
 * measured on one and on several then differs in nothing else.
 */

#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "lcores.h"

#define CLOSE_NS 3000 /* an emulated barrier takes about 1000, a real one a tenth of that */

/* How long they try, before they go as they are. Where lcores share CPUs they are hardly ever
 * close: each time in vain halves it, and being close restores it. */
#define MOST_NS	 1000000000
#define LEAST_NS 20000000

struct launch {
	void (*fn)(unsigned int index, void *arg);
	void *arg;
	unsigned int count; /* that call it */
	uint64_t patience_ns;
	atomic_bool close;
	atomic_uint arrived;	      /* at any barrier of this launch */
	uint64_t left[RTE_MAX_LCORE]; /* TSC, when each left the barrier */
};

double ticks_to_ns(uint64_t ticks)
{
	return (double)ticks * 1e9 / (double)rte_get_tsc_hz();
}

/* Wait for all lcores, at the barrier that is the nth of this launch. No pause: it delays. */
static void meet(struct launch *l, unsigned int nth)
{
	unsigned int all = nth * rte_lcore_count();

	atomic_fetch_add(&l->arrived, 1);
	while (atomic_load(&l->arrived) < all)
		;
}

/* When the first and the last of them left the barrier. */
static void find_ends(const struct launch *l, uint64_t *first, uint64_t *last)
{
	*first = UINT64_MAX;
	*last = 0;
	for (unsigned int i = 0; i < rte_lcore_count(); i++) {
		*first = RTE_MIN(*first, l->left[i]);
		*last = RTE_MAX(*last, l->left[i]);
	}
}

/* brg_env_init() was given no main lcore: EAL takes the first, whose index is 0. */
static int meet_and_call(void *arg)
{
	struct launch *l = arg;
	unsigned int index = (unsigned int)rte_lcore_index(-1), barrier = 0;
	uint64_t start = 0, first, last;

	/* All lcores compare the same times, so all leave the loop in the same round. */
	do {
		meet(l, ++barrier);
		l->left[index] = rte_rdtsc();
		meet(l, ++barrier);
		find_ends(l, &first, &last);
		if (!start)
			start = first;
	} while (ticks_to_ns(last - first) > CLOSE_NS &&
		 ticks_to_ns(last - start) < (double)l->patience_ns);
	l->close = ticks_to_ns(last - first) <= CLOSE_NS;
	meet(l, ++barrier);
	if (index < l->count)
		l->fn(index, l->arg);
	return 0;
}

void lcores_run(unsigned int count, void (*fn)(unsigned int index, void *arg), void *arg)
{
	static uint64_t patience_ns = MOST_NS;
	struct launch l = {.fn = fn, .arg = arg, .count = count, .patience_ns = patience_ns};
	unsigned int lcore;

	RTE_LCORE_FOREACH_WORKER (lcore)
		rte_eal_remote_launch(meet_and_call, &l, lcore);
	meet_and_call(&l);
	rte_eal_mp_wait_lcore();
	patience_ns = l.close ? MOST_NS : RTE_MAX(patience_ns / 2, (uint64_t)LEAST_NS);
}
