/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How to map a BAR: chosen from the kernel's fault handler, the size of the range and the number of
 * lcores, and explained.
 */

#include <errno.h>
#include <inttypes.h>
#include <numa.h>
#include <rte_lcore.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bar.h"
#include "base.h"

/* From so many bytes on threads begin to pay, where the kernel makes one entry at a time. */
#define PARALLEL_BYTES (UINT64_C(16) << 20)
#define MOST_THREADS   8u

const char *brg_bar_policy_name(enum brg_bar_policy policy)
{
	static const char *const names[] = {
		[BRG_BAR_AUTO] = "auto",	 [BRG_BAR_LAZY] = "lazy",
		[BRG_BAR_TOUCH] = "touch",	 [BRG_BAR_IOMMU] = "iommu",
		[BRG_BAR_PARALLEL] = "parallel",
	};

	return (unsigned int)policy < sizeof(names) / sizeof(names[0]) ? names[policy] : NULL;
}

/* What is to be mapped */

static uint64_t page_up(uint64_t bytes)
{
	return (bytes + BRG_PAGE - 1) & ~(BRG_PAGE - 1);
}

static int choose_range(struct brg_bar *bar, const struct brg_bar_opts *opts)
{
	bar->offset = opts->offset;
	if (bar->offset % BRG_PAGE)
		return brg_fail(EINVAL,
				"BAR offset 0x%" PRIx64 " is not a multiple of the page size",
				bar->offset);
	if (bar->offset >= bar->size || opts->length > bar->size - bar->offset)
		return brg_fail(EINVAL,
				"BAR %u has 0x%" PRIx64 " bytes: 0x%" PRIx64 " at 0x%" PRIx64
				" is outside",
				bar->index, bar->size, opts->length, bar->offset);
	bar->length = page_up(opts->length ? opts->length : bar->size - bar->offset);
	return 0;
}

static int fail_bar(const struct brg_device *dev, unsigned int index)
{
	const struct brg_device_info *info = brg_device_get_info(dev);

	if (index >= BRG_PCI_BARS || !info->bar_size[index])
		return brg_fail(ENOENT, "%s has no memory BAR %u", info->bdf, index);
	return brg_fail(ENOTSUP, "the kernel does not let BAR %u of %s be mapped", index,
			info->bdf);
}

int brg_bar_describe(struct brg_device *dev, unsigned int index, const struct brg_bar_opts *opts,
		     struct brg_mapping *m)
{
	m->region = index < BRG_PCI_BARS ? brg_device_region(dev, index) : NULL;
	if (!m->region || !m->region->nareas)
		return fail_bar(dev, index);
	m->bar = (struct brg_bar){.dev = dev, .index = index, .size = m->region->size};
	return choose_range(&m->bar, opts);
}

/* How */

/* Whether one fault of this handler, once it is through, has filled the whole VMA. */
static bool fills_all(enum brg_bar_era era)
{
	return era != BRG_BAR_ERA_HUGE && era != BRG_BAR_ERA_UNKNOWN && era != BRG_BAR_ERA_EAGER;
}

static unsigned int lcores(const struct brg_bar_opts *opts)
{
	cpu_set_t set;

	if (opts->lcores)
		return opts->lcores;
	if (rte_lcore_count())
		return rte_lcore_count();
	return sched_getaffinity(0, sizeof(set), &set) ? 1 : (unsigned int)CPU_COUNT(&set);
}

/* From 6.12 on a fault makes a page as large as address and BAR offset, aligned alike, allow. */
static uint64_t choose_align(const struct brg_bar *bar)
{
	if (brg_bar_running()->era != BRG_BAR_ERA_HUGE || bar->length < BRG_MIB_2)
		return 0;
	return bar->length >= BRG_GIB_1 ? BRG_GIB_1 : BRG_MIB_2;
}

/*
 * Where the handlers are vulnerable no VMA is larger than what one page table maps: the kernel
 * fills and zaps that under one lock, so that neither a fill that fails nor a reset in the middle
 * of one leaves a VMA half filled, which the next fault would be a kernel BUG on.
 */
static void choose_small_vmas(struct brg_how *how)
{
	how->align = BRG_MIB_2;
	how->vma_bytes = BRG_MIB_2;
}

/* That of 6.10 and 6.11 makes one entry at a time, and lets several threads do so at once. */
static enum brg_bar_policy choose_policy(const struct brg_bar *bar, const struct brg_bar_opts *opts)
{
	enum brg_bar_era era = brg_bar_running()->era;

	if (era == BRG_BAR_ERA_EAGER)
		return BRG_BAR_LAZY;
	if (era == BRG_BAR_ERA_ADDRESS_SPACE && bar->length >= PARALLEL_BYTES && lcores(opts) > 1)
		return BRG_BAR_PARALLEL;
	return BRG_BAR_TOUCH;
}

/* Page tables come from the node of the CPU that faults, whoever uses them later. */
static int choose_node(const struct brg_bar *bar)
{
	int node = brg_device_get_info(bar->dev)->numa_node;

	return node >= 0 && numa_available() >= 0 && numa_max_node() > 0 ? node : -1;
}

static int choose_threads(const struct brg_bar *bar, unsigned int count, struct brg_how *how)
{
	uint64_t unit = how->align ? how->align : BRG_MIB_2;

	if (brg_bar_running()->vulnerable)
		return brg_fail(ENOTSUP,
				"BAR %u is not filled by several threads at once: vfio-pci's fault "
				"handler may be vulnerable (%s)",
				bar->index, brg_bar_era_name(brg_bar_running()->era));
	how->threads = count < MOST_THREADS ? count : MOST_THREADS;
	how->vma_bytes = (bar->length / how->threads + unit - 1) / unit * unit;
	if (how->vma_bytes < unit)
		how->vma_bytes = unit;
	return 0;
}

static int check_lazy(const struct brg_bar_opts *opts, const struct brg_bar *bar)
{
	if (opts->lcores > 1 && brg_bar_running()->vulnerable)
		return brg_fail(ENOTSUP,
				"BAR %u is not mapped lazily for %u lcores: vfio-pci's fault "
				"handler may be vulnerable (%s); map it once for each",
				bar->index, opts->lcores, brg_bar_era_name(brg_bar_running()->era));
	return 0;
}

/* Needs to know the fault handler, which takes some time when first asked. */
static __attribute__((noinline)) int choose_by_handler(const struct brg_bar_opts *opts,
						       struct brg_mapping *m)
{
	const struct brg_bar *bar = &m->bar;
	struct brg_how *how = &m->how;

	if (how->policy != BRG_BAR_LAZY)
		m->users = lcores(opts);
	if (!brg_bar_policy_name(opts->policy))
		return brg_fail(EINVAL, "there is no policy number %d to map BARs", opts->policy);
	how->align = choose_align(bar);
	if (how->policy == BRG_BAR_AUTO)
		how->policy = choose_policy(bar, opts);
	if (how->policy == BRG_BAR_LAZY)
		return check_lazy(opts, bar);
	how->node = choose_node(bar);
	if (how->policy == BRG_BAR_PARALLEL)
		return choose_threads(bar, lcores(opts), how);
	if (brg_bar_running()->vulnerable)
		choose_small_vmas(how);
	return 0;
}

/* The least power of two that is not less. */
static uint64_t power_up(uint64_t bytes)
{
	return bytes > 1 ? UINT64_C(1) << (64 - __builtin_clzll(bytes - 1)) : 1;
}

/* In one page table, or in two that meet where its VMAs do. */
static void choose_for_any_handler(const struct brg_bar *bar, struct brg_how *how)
{
	uint64_t end = bar->offset % BRG_MIB_2 + bar->length;

	if (end > BRG_MIB_2)
		choose_small_vmas(how);
	else
		how->align = power_up(end);
}

/*
 * What is small, as registers are, and used by one lcore at a time is mapped in the way that is
 * right on every kernel, also on a vulnerable one. Which one this is need not be known then.
 */
int brg_bar_choose(const struct brg_bar_opts *opts, struct brg_mapping *m)
{
	struct brg_how *how = &m->how;

	*how = (struct brg_how){.policy = opts->policy, .node = -1};
	m->users = 1;
	if (m->bar.length >= BRG_MIB_2)
		return choose_by_handler(opts, m);
	if (how->policy == BRG_BAR_LAZY && opts->lcores <= 1)
		return 0;
	if ((how->policy != BRG_BAR_AUTO && how->policy != BRG_BAR_TOUCH) || opts->lcores != 1)
		return choose_by_handler(opts, m);
	how->policy = BRG_BAR_TOUCH;
	choose_for_any_handler(&m->bar, how);
	how->node = choose_node(&m->bar);
	return 0;
}

/* In words */

static void say(char why[BRG_BAR_WHY], const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void say(char why[BRG_BAR_WHY], const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, BRG_BAR_WHY, fmt, ap);
	va_end(ap);
}

/* The pages that a piece takes, each of the largest size that fits where it lies. */
static uint64_t pages_of(const struct brg_area *at, uint64_t largest)
{
	uint64_t end = at->offset + at->size;
	uint64_t n = 0;

	for (uint64_t off = at->offset; off < end; n++) {
		uint64_t size = largest;

		while (size > BRG_PAGE && (off % size || end - off < size))
			size = size == BRG_GIB_1 ? BRG_MIB_2 : BRG_PAGE;
		off += size;
	}
	return n;
}

static void count(const struct brg_mapping *m, struct brg_bar_plan *plan)
{
	bool one_each = plan->era != BRG_BAR_ERA_HUGE;
	uint64_t largest = plan->align >= BRG_MIB_2 ? plan->align : BRG_PAGE;
	struct brg_piece piece = {0};

	while (brg_next_piece(m, m->how.vma_bytes, &piece)) {
		plan->vmas++;
		if (m->how.policy != BRG_BAR_LAZY && plan->era != BRG_BAR_ERA_EAGER)
			plan->faults += one_each ? 1 : pages_of(&piece.at, largest);
	}
}

static void explain_policy(const struct brg_bar_opts *opts, struct brg_bar_plan *plan)
{
	if (opts->policy != BRG_BAR_AUTO)
		say(plan->policy_why, "asked for by name");
	else if (plan->era == BRG_BAR_ERA_EAGER)
		say(plan->policy_why, "the kernel fills a mapping when it is made");
	else if (plan->policy == BRG_BAR_PARALLEL)
		say(plan->policy_why,
		    "the kernel makes one page table entry at a time, and several threads may");
	else if (fills_all(plan->era))
		say(plan->policy_why, "one read in each VMA makes the kernel fill all of it");
	else if (plan->era == BRG_BAR_ERA_UNKNOWN)
		say(plan->policy_why,
		    "reading is sure to fill, however much one fault of an unknown handler does");
	else
		say(plan->policy_why, "one read for each page, of the largest size that fits");
}

static void explain_address(const struct brg_bar *bar, struct brg_bar_plan *plan)
{
	if (plan->era == BRG_BAR_ERA_HUGE && plan->align >= BRG_MIB_2)
		say(plan->align_why, "so that pages of up to %s fit",
		    plan->align == BRG_GIB_1 ? "1 GiB" : "2 MiB");
	else if (plan->align > BRG_PAGE)
		say(plan->align_why, "so that each VMA lies in one page table");
	else if (bar->length < BRG_MIB_2)
		say(plan->align_why, "smaller than any larger page");
	else
		say(plan->align_why, "this handler makes no larger pages");
}

static void explain_vmas(const struct brg_mapping *m, struct brg_bar_plan *plan)
{
	if (plan->policy == BRG_BAR_PARALLEL)
		say(plan->vmas_why, "one for each thread's share, or less where there are holes");
	else if (m->how.vma_bytes)
		say(plan->vmas_why,
		    "2 MiB each at most, so that a reset during a fill leaves none half filled");
	else
		say(plan->vmas_why, "one for each part that may be mapped, of which the BAR has %u",
		    m->region->nareas);
}

static void explain_cpus(const struct brg_bar *bar, struct brg_bar_plan *plan)
{
	int node = brg_device_get_info(bar->dev)->numa_node;

	if (plan->policy == BRG_BAR_LAZY)
		say(plan->cpu_why, "nothing is filled beforehand");
	else if (plan->node >= 0)
		say(plan->cpu_why, "CPUs of the device's node, so that its page tables lie there");
	else if (node < 0)
		say(plan->cpu_why, "the device belongs to no NUMA node");
	else
		say(plan->cpu_why, "this machine has one NUMA node");
}

static void explain_sharing(struct brg_bar_plan *plan)
{
	if (plan->shareable)
		say(plan->share_why, "lcores may touch one mapping together for the first time");
	else
		say(plan->share_why,
		    "lcores that touch one mapping together for the first time %s a kernel BUG: "
		    "brg_bar_share() gives each its own",
		    plan->era == BRG_BAR_ERA_UNKNOWN ? "may be" : "are");
}

int brg_bar_plan(struct brg_device *dev, unsigned int index, const struct brg_bar_opts *opts,
		 struct brg_bar_plan *plan)
{
	static const struct brg_bar_opts defaults;
	const struct brg_bar_opts *o = opts ? opts : &defaults;
	struct brg_mapping m;
	int rc;

	rc = brg_bar_describe(dev, index, o, &m);
	if (!rc)
		rc = brg_bar_choose(o, &m);
	if (rc)
		return rc;
	*plan = (struct brg_bar_plan){
		.era = brg_bar_running()->era,
		.offset = m.bar.offset,
		.length = m.bar.length,
		.policy = m.how.policy,
		.align = m.how.align ? m.how.align : BRG_PAGE,
		.threads = m.how.policy == BRG_BAR_LAZY ? 0
			   : m.how.threads		? m.how.threads
							: 1,
		.node = m.how.node,
		.shareable = !brg_bar_running()->vulnerable,
	};
	count(&m, plan);
	explain_policy(o, plan);
	explain_address(&m.bar, plan);
	explain_vmas(&m, plan);
	explain_cpus(&m.bar, plan);
	explain_sharing(plan);
	return 0;
}
