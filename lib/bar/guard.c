/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The guard: an access to a BAR whose device does not answer, because its memory decode is off or
 * it is gone, is a SIGBUS. The handler here looks whether the address is in a mapping of ours and
 * finishes the instruction with all-ones instead, on whatever thread that is.
 *
 * No page is ever put in place of the device's: that would split the VMA, and splitting makes
 * vfio-pci zap it (vfio_pci_mmap_open()), so that all lcores fault again; and somebody would have
 * to notice when the device is back. Here the next access simply faults it in.
 */

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "access.h"
#include "guard.h"

/*
 * Mappings are read by signal handlers at any time, so their memory is never freed, only used
 * again. A handler that reads one while its addresses change sees an odd or a different sequence
 * number and passes it over: the mapping that the handler looks for does not change while it is
 * accessed.
 */
#define CHUNK 64

struct chunk {
	struct brg_mapping mappings[CHUNK];
	_Atomic(struct chunk *) next;
};

enum state {
	FREE,
	BUSY, /* whoever made it so has it to himself, but for signal handlers */
	USED
};

static struct chunk table; /* the first; more are allocated when they are needed */
static struct sigaction previous;

/* What the signal handler does */

static bool covers(struct brg_mapping *m, uintptr_t address, uintptr_t *start, uintptr_t *end)
{
	unsigned int sequence = atomic_load_explicit(&m->sequence, memory_order_acquire);

	*start = atomic_load_explicit(&m->start, memory_order_relaxed);
	*end = atomic_load_explicit(&m->end, memory_order_relaxed);
	if (address < *start || address >= *end || sequence & 1)
		return false;
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&m->sequence, memory_order_relaxed) == sequence;
}

static struct chunk *next(struct chunk *c)
{
	return atomic_load_explicit(&c->next, memory_order_acquire);
}

static struct brg_mapping *find(uintptr_t address, uintptr_t *start, uintptr_t *end)
{
	for (struct chunk *c = &table; c; c = next(c)) {
		for (unsigned int i = 0; i < CHUNK; i++) {
			if (covers(&c->mappings[i], address, start, end))
				return &c->mappings[i];
		}
	}
	return NULL;
}

bool brg_bar_sigbus(const siginfo_t *info, void *context)
{
	int none = BRG_LOSS_NONE;
	struct brg_mapping *m;
	uintptr_t start, end;

	/* What vfio-pci's fault handler answers with; signals that a process sent have others. */
	if (info->si_code != BUS_ADRERR)
		return false;
	m = find((uintptr_t)info->si_addr, &start, &end);
	if (!m || !brg_access_finish(context, start, end))
		return false;
	atomic_compare_exchange_strong(&m->loss, &none, BRG_LOSS_NEW);
	return true;
}

/*
 * As without our handler: the same signal again, for this thread. It arrives when returning from
 * the handler unblocks it, so that a core dump shows the instruction at fault.
 */
static void take_default_action(int number, siginfo_t *info)
{
	static const struct sigaction defaults = {.sa_handler = SIG_DFL};
	sigset_t set;

	sigaction(number, &defaults, NULL);
	sigemptyset(&set);
	sigaddset(&set, number);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), number, info);
}

/* With the signals blocked that the kernel would block, were it installed itself. */
static void call_previous(int number, siginfo_t *info, void *context)
{
	struct sigaction action = previous;
	sigset_t old;

	if (action.sa_flags & SA_RESETHAND)
		previous.sa_handler = SIG_DFL;
	if (!(action.sa_flags & SA_NODEFER))
		sigaddset(&action.sa_mask, number);
	pthread_sigmask(SIG_BLOCK, &action.sa_mask, &old);
	if (action.sa_flags & SA_SIGINFO)
		action.sa_sigaction(number, info, context);
	else
		action.sa_handler(number);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void on_sigbus(int number, siginfo_t *info, void *context)
{
	bool sent =
		info->si_code <= 0; /* by a process; one that the kernel raises is not ignored */
	int err = errno;

	if (!brg_bar_sigbus(info, context)) {
		if (previous.sa_handler == SIG_DFL || (previous.sa_handler == SIG_IGN && !sent))
			take_default_action(number, info);
		else if (previous.sa_handler != SIG_IGN)
			call_previous(number, info, context);
	}
	errno = err;
}

/* Not blocked in its own handler: what that writes for a copying instruction may be lost as well.
 */
void brg_bar_guard(void)
{
	static const struct sigaction action = {.sa_sigaction = on_sigbus,
						.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
	struct sigaction is;

	sigaction(SIGBUS, NULL, &is);
	if (is.sa_sigaction == on_sigbus)
		return;
	previous = is; /* first: the handler may run before sigaction() has returned */
	sigaction(SIGBUS, &action, NULL);
}

/* The table */

static bool claim(struct brg_mapping *m, unsigned int state)
{
	return atomic_load_explicit(&m->state, memory_order_relaxed) == state &&
	       atomic_compare_exchange_strong(&m->state, &state, BUSY);
}

/* Append a chunk whose first mapping is the caller's already. */
static struct brg_mapping *grow(void)
{
	struct chunk *more = calloc(1, sizeof(*more));
	struct chunk *last = &table;
	struct chunk *none = NULL;

	if (!more)
		return NULL;
	atomic_store(&more->mappings[0].state, BUSY);
	while (!atomic_compare_exchange_strong(&last->next, &none, more)) {
		last = none;
		none = NULL;
	}
	return &more->mappings[0];
}

static void begin(void)
{
	brg_access_init();
	brg_bar_guard();
}

/* Whoever comes first comes here. */
static struct brg_mapping *take_any(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, begin);
	for (struct chunk *c = &table; c; c = next(c)) {
		for (unsigned int i = 0; i < CHUNK; i++) {
			if (claim(&c->mappings[i], FREE))
				return &c->mappings[i];
		}
	}
	return grow();
}

/* The one given back last: most likely free, and in the cache. */
static _Atomic(struct brg_mapping *) recent;

struct brg_mapping *brg_mapping_take(void)
{
	struct brg_mapping *m = atomic_load_explicit(&recent, memory_order_relaxed);

	return m && claim(m, FREE) ? m : take_any();
}

static void set_addresses(struct brg_mapping *m, uintptr_t start, uintptr_t end)
{
	unsigned int sequence = atomic_load_explicit(&m->sequence, memory_order_relaxed);

	atomic_store_explicit(&m->sequence, sequence + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	atomic_store_explicit(&m->start, start, memory_order_relaxed);
	atomic_store_explicit(&m->end, end, memory_order_relaxed);
	atomic_store_explicit(&m->sequence, sequence + 2, memory_order_release);
}

void brg_mapping_guard(struct brg_mapping *m, const volatile void *start, size_t len)
{
	atomic_store_explicit(&m->loss, BRG_LOSS_NONE, memory_order_relaxed);
	set_addresses(m, (uintptr_t)start, (uintptr_t)start + len);
	atomic_store_explicit(&m->state, USED, memory_order_release);
}

void brg_mapping_put(struct brg_mapping *m)
{
	if (atomic_load_explicit(&m->start, memory_order_relaxed)) {
		while (!claim(m, USED))
			sched_yield();
		set_addresses(m, 0, 0);
	}
	atomic_store_explicit(&m->state, FREE, memory_order_release);
	atomic_store_explicit(&recent, m, memory_order_relaxed);
}

void brg_mapping_each(void (*call)(struct brg_mapping *m, void *arg), void *arg)
{
	for (struct chunk *c = &table; c; c = next(c)) {
		for (unsigned int i = 0; i < CHUNK; i++) {
			if (!claim(&c->mappings[i], USED))
				continue;
			call(&c->mappings[i], arg);
			atomic_store_explicit(&c->mappings[i].state, USED, memory_order_release);
		}
	}
}
