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
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "access.h"
#include "brg_bar.h"
#include "guard.h"

/*
 * Guards are read by signal handlers at any time, so their memory is never freed, only used again.
 * A handler that reads one while it changes sees an odd or a different sequence number and passes
 * it over: the mapping that the handler looks for does not change while it is accessed.
 */
struct brg_guard {
	atomic_uint sequence;
	atomic_uintptr_t start, end; /* equal: not in use */
	_Atomic(atomic_int *) loss;
	struct brg_guard *next_free;
};

#define CHUNK 64

struct chunk {
	struct brg_guard guards[CHUNK];
	_Atomic(struct chunk *) next;
};

static struct chunk table; /* the first; more are allocated when they are needed */
static struct sigaction previous;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* for those that change the table */
static struct brg_guard *free_guards;

/* What the signal handler does */

static bool read_guard(struct brg_guard *guard, uintptr_t address, uintptr_t *start, uintptr_t *end)
{
	unsigned int sequence = atomic_load_explicit(&guard->sequence, memory_order_acquire);

	*start = atomic_load_explicit(&guard->start, memory_order_relaxed);
	*end = atomic_load_explicit(&guard->end, memory_order_relaxed);
	if (address < *start || address >= *end || sequence & 1)
		return false;
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&guard->sequence, memory_order_relaxed) == sequence;
}

static struct brg_guard *find(uintptr_t address, uintptr_t *start, uintptr_t *end)
{
	for (struct chunk *c = &table; c;
	     c = atomic_load_explicit(&c->next, memory_order_acquire)) {
		for (unsigned int i = 0; i < CHUNK; i++) {
			if (read_guard(&c->guards[i], address, start, end))
				return &c->guards[i];
		}
	}
	return NULL;
}

bool brg_bar_sigbus(const siginfo_t *info, void *context)
{
	int none = BRG_LOSS_NONE;
	struct brg_guard *guard;
	uintptr_t start, end;

	/* What vfio-pci's fault handler answers with; signals that a process sent have others. */
	if (info->si_code != BUS_ADRERR)
		return false;
	guard = find((uintptr_t)info->si_addr, &start, &end);
	if (!guard || !brg_access_finish(context, start, end))
		return false;
	atomic_compare_exchange_strong(guard->loss, &none, BRG_LOSS_NEW);
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

/* Changing the table, under the lock */

static void set_guard(struct brg_guard *guard, uintptr_t start, uintptr_t end, atomic_int *loss)
{
	unsigned int sequence = atomic_load_explicit(&guard->sequence, memory_order_relaxed);

	atomic_store_explicit(&guard->sequence, sequence + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	atomic_store_explicit(&guard->start, start, memory_order_relaxed);
	atomic_store_explicit(&guard->end, end, memory_order_relaxed);
	atomic_store_explicit(&guard->loss, loss, memory_order_relaxed);
	atomic_store_explicit(&guard->sequence, sequence + 2, memory_order_release);
}

static void put_free(struct chunk *chunk)
{
	for (unsigned int i = CHUNK; i--;) {
		chunk->guards[i].next_free = free_guards;
		free_guards = &chunk->guards[i];
	}
}

static struct brg_guard *take_free(void)
{
	struct brg_guard *guard;
	struct chunk *last = &table;
	struct chunk *more;

	if (!free_guards) {
		while (last->next)
			last = last->next;
		more = calloc(1, sizeof(*more));
		if (!more)
			return NULL;
		put_free(more);
		atomic_store_explicit(&last->next, more, memory_order_release);
	}
	guard = free_guards;
	free_guards = guard->next_free;
	return guard;
}

static void begin(void)
{
	put_free(&table);
	brg_access_init();
	brg_bar_guard();
}

struct brg_guard *brg_guard_add(const volatile void *start, size_t len, atomic_int *loss)
{
	struct brg_guard *guard;

	pthread_once(&once, begin);
	pthread_mutex_lock(&lock);
	guard = take_free();
	if (guard)
		set_guard(guard, (uintptr_t)start, (uintptr_t)start + len, loss);
	pthread_mutex_unlock(&lock);
	return guard;
}

void brg_guard_remove(struct brg_guard *guard)
{
	if (!guard)
		return;
	pthread_mutex_lock(&lock);
	set_guard(guard, 0, 0, NULL);
	guard->next_free = free_guards;
	free_guards = guard;
	pthread_mutex_unlock(&lock);
}
