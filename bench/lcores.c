/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Launch one function on several lcores so that all of them enter it at the same moment: each
 * lcore, once it runs, spins until the last has arrived.
 */

#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_pause.h>
#include <stdatomic.h>

#include "lcores.h"

struct launch {
	void (*fn)(unsigned int index, void *arg);
	void *arg;
	unsigned int count;
	atomic_uint arrived;
};

double ticks_to_ns(uint64_t ticks)
{
	return (double)ticks * 1e9 / (double)rte_get_tsc_hz();
}

/* brg_env_init() was given no main lcore: EAL takes the first, whose index is 0. */
static int meet_and_call(void *arg)
{
	struct launch *l = arg;

	atomic_fetch_add(&l->arrived, 1);
	while (atomic_load(&l->arrived) < l->count)
		rte_pause();
	l->fn((unsigned int)rte_lcore_index(-1), l->arg);
	return 0;
}

void lcores_run(unsigned int count, void (*fn)(unsigned int index, void *arg), void *arg)
{
	struct launch l = {.fn = fn, .arg = arg, .count = count};
	unsigned int lcore;

	RTE_LCORE_FOREACH_WORKER (lcore) {
		if ((unsigned int)rte_lcore_index((int)lcore) < count)
			rte_eal_remote_launch(meet_and_call, &l, lcore);
	}
	meet_and_call(&l);
	rte_eal_mp_wait_lcore();
}
