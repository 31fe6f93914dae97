/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Keep lcores from mappings that they share while the kernel zaps these, and fill them again before
 * they come back, where two lcores that fault one VMA together may be a kernel BUG.
 *
 * DPDK's quiescent-state-based RCU tells when each registered lcore is between two accesses; a gate
 * that each looks at right after it has said so keeps it there.
 */

#include "quiesce.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <rte_lcore.h>
#include <rte_pause.h>
#include <rte_rcu_qsbr.h>
#include <stdlib.h>
#include <time.h>

#include "base.h"
#include "guard.h"
#include "zap.h"

#define TIMEOUT_MS 1000

static struct rte_rcu_qsbr *rcu;
static atomic_bool closed;
static atomic_bool registered[RTE_MAX_LCORE];

/* What lcores call */

static void init_rcu(void)
{
	size_t size = rte_rcu_qsbr_get_memsize(RTE_MAX_LCORE);

	rcu = aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN(size, RTE_CACHE_LINE_SIZE));
	if (rcu)
		rte_rcu_qsbr_init(rcu, RTE_MAX_LCORE);
}

static bool is_registered(unsigned int lcore)
{
	return lcore < RTE_MAX_LCORE &&
	       atomic_load_explicit(&registered[lcore], memory_order_relaxed);
}

/* Online first, then look: whoever closes the gate looks the other way around. */
static void pass_gate(unsigned int lcore)
{
	for (;;) {
		rte_rcu_qsbr_thread_online(rcu, lcore);
		if (!atomic_load(&closed))
			return;
		rte_rcu_qsbr_thread_offline(rcu, lcore);
		while (atomic_load_explicit(&closed, memory_order_relaxed))
			rte_pause();
	}
}

int brg_bar_lcore_register(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	unsigned int lcore = rte_lcore_id();

	pthread_once(&once, init_rcu);
	if (!rcu)
		return brg_fail(ENOMEM, "no memory to register lcores");
	if (lcore >= RTE_MAX_LCORE)
		return brg_fail(EINVAL,
				"this thread is not an lcore; rte_thread_register() makes it one");
	if (is_registered(lcore))
		return 0;
	rte_rcu_qsbr_thread_register(rcu, lcore);
	pass_gate(lcore);
	atomic_store(&registered[lcore], true);
	return 0;
}

void brg_bar_lcore_unregister(void)
{
	unsigned int lcore = rte_lcore_id();

	if (!is_registered(lcore))
		return;
	atomic_store(&registered[lcore], false);
	rte_rcu_qsbr_thread_offline(rcu, lcore);
	rte_rcu_qsbr_thread_unregister(rcu, lcore);
}

void brg_bar_offline(void)
{
	if (is_registered(rte_lcore_id()))
		rte_rcu_qsbr_thread_offline(rcu, rte_lcore_id());
}

void brg_bar_online(void)
{
	if (is_registered(rte_lcore_id()))
		pass_gate(rte_lcore_id());
}

void brg_bar_quiescent(void)
{
	unsigned int lcore = rte_lcore_id();

	if (!is_registered(lcore))
		return;
	rte_rcu_qsbr_quiescent(rcu, lcore);
	if (atomic_load_explicit(&closed, memory_order_acquire)) {
		rte_rcu_qsbr_thread_offline(rcu, lcore);
		pass_gate(lcore);
	}
}

/* Around a zap */

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* The first registered lcore that is still to come to a quiescent state. */
static unsigned int late_lcore(uint64_t token)
{
	for (unsigned int lcore = 0; lcore < RTE_MAX_LCORE; lcore++) {
		uint64_t seen = __atomic_load_n(&rcu->qsbr_cnt[lcore].cnt, __ATOMIC_RELAXED);

		if (is_registered(lcore) && seen != __RTE_QSBR_CNT_THR_OFFLINE && seen < token)
			return lcore;
	}
	return RTE_MAX_LCORE;
}

static int wait_for_lcores(const struct brg_device *dev)
{
	uint64_t token = rte_rcu_qsbr_start(rcu);
	uint64_t deadline = now_ms() + TIMEOUT_MS;
	unsigned int late;

	while (!rte_rcu_qsbr_check(rcu, token, false)) {
		if (now_ms() < deadline) {
			rte_pause();
			continue;
		}
		late = late_lcore(token);
		if (late == RTE_MAX_LCORE)
			continue; /* it came at the last moment */
		return brg_fail(ETIMEDOUT,
				"%s: lcore %u has not called brg_bar_quiescent() for %u ms, and "
				"uses a mapping that is about to be zapped",
				brg_device_get_info(dev)->bdf, late, TIMEOUT_MS);
	}
	return 0;
}

/* The mapping of a device that most lcores use. */
struct shared {
	const struct brg_device *dev;
	unsigned int index, users;
};

static void find_shared(struct brg_mapping *m, void *arg)
{
	struct shared *shared = arg;

	if (m->bar.dev != shared->dev || m->users <= shared->users)
		return;
	shared->users = m->users;
	shared->index = m->bar.index;
}

/* Registered lcores, and the caller, who touches nothing as long as it is here. */
static unsigned int count_quiet(void)
{
	unsigned int n = 0;

	for (unsigned int lcore = 0; lcore < RTE_MAX_LCORE; lcore++)
		n += is_registered(lcore) || lcore == rte_lcore_id();
	return n;
}

static int close_gate(const struct brg_device *dev)
{
	int rc;

	atomic_store(&closed, true);
	atomic_thread_fence(memory_order_seq_cst);
	rc = rcu ? wait_for_lcores(dev) : 0;
	if (rc)
		atomic_store(&closed, false);
	return rc;
}

static bool is_online(unsigned int lcore)
{
	return is_registered(lcore) &&
	       __atomic_load_n(&rcu->qsbr_cnt[lcore].cnt, __ATOMIC_RELAXED) !=
		       __RTE_QSBR_CNT_THR_OFFLINE;
}

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
static bool comes_back; /* whoever holds it was online */

/* Offline, or two that want to zap would wait for each other. */
static void enter(void)
{
	bool online = is_online(rte_lcore_id());

	brg_bar_offline();
	pthread_mutex_lock(&one_at_a_time);
	comes_back = online;
}

static void leave(void)
{
	bool online = comes_back;

	pthread_mutex_unlock(&one_at_a_time);
	if (online)
		brg_bar_online();
}

static int before(struct brg_device *dev)
{
	struct shared shared = {.dev = dev, .users = 1};
	int rc = 0;

	enter();
	brg_mapping_each(find_shared, &shared);
	if (shared.users > count_quiet())
		rc = brg_fail(EBUSY,
			      "BAR %u of %s is mapped for %u lcores, and lcores that fault it "
			      "together may be a kernel BUG: each must call "
			      "brg_bar_lcore_register() first, or use brg_bar_share()",
			      shared.index, brg_device_get_info(dev)->bdf, shared.users);
	else if (shared.users > 1)
		rc = close_gate(dev);
	if (rc)
		leave();
	return rc;
}

/* A register that should not be read is read sooner than lcores come back to an empty mapping. */
static void refill(struct brg_mapping *m, void *arg)
{
	if (m->bar.dev != arg || m->users < 2 || !brg_bar_populate(m))
		return;
	BRG_LOG(WARNING, "%s; filled by reading instead", brg_errmsg());
	m->how.policy = BRG_BAR_TOUCH;
	brg_bar_populate(m);
}

static void after(struct brg_device *dev)
{
	if (!brg_bar_check_decode(dev)) /* else what turns it on comes here again */
		brg_mapping_each(refill, dev);
	atomic_store_explicit(&closed, false, memory_order_release);
	leave();
}

int brg_quiesce_fill(struct brg_mapping *m)
{
	static const struct brg_zap_listener listener = {before, after};
	int rc;

	brg_zap_listen(&listener);
	enter();
	rc = brg_bar_populate(m);
	leave();
	return rc;
}
