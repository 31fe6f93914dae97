/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A controller on node 1 of a machine with two (barrage-lab exec --numa), and this thread on node
 * 0: the page tables of its BARs are made by CPUs of node 1, and its queues lie there. The kernel
 * counts for each node the faults that its CPUs take.
 */

#include "opened.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <numa.h>
#include <numaif.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "brg_bar.h"

#define NODES	 2
#define MOST	 16
#define CMB_BAR	 2
#define PARALLEL 4

/* The page faults of this thread, and of those it starts, on every CPU. */
static int counters[MOST];
static int cpus;

static int open_counter(int cpu)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_PAGE_FAULTS,
		.inherit = 1,
	};

	return (int)syscall(SYS_perf_event_open, &attr, 0, cpu, -1, 0);
}

static void read_faults(uint64_t faults[NODES])
{
	memset(faults, 0, NODES * sizeof(*faults));
	for (int cpu = 0; cpu < cpus; cpu++) {
		uint64_t count;

		assert_int_equal(read(counters[cpu], &count, sizeof(count)), sizeof(count));
		faults[numa_node_of_cpu(cpu)] += count;
	}
}

static int start(void **state)
{
	cpu_set_t first;

	cpus = numa_num_configured_cpus();
	if (numa_max_node() != NODES - 1 || cpus > MOST) {
		fprintf(stderr, "this is no machine of two nodes: take barrage-lab exec --numa\n");
		return -1;
	}
	if (open_device(state))
		return -1;
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	sched_setaffinity(0, sizeof(first), &first);
	for (int cpu = 0; cpu < cpus; cpu++) {
		counters[cpu] = open_counter(cpu);
		if (counters[cpu] < 0) {
			perror("perf_event_open");
			return -1;
		}
	}
	return 0;
}

/* The faults on each node while a BAR is mapped; the first time the code's own pages fault. */
static void map_and_count(unsigned int bar, const struct brg_bar_opts *opts, uint64_t faults[NODES])
{
	uint64_t before[NODES];
	struct brg_bar *mapped;

	for (int i = 0; i < 2; i++) {
		read_faults(before);
		assert_works(brg_bar_map(dev, bar, opts, &mapped));
		read_faults(faults);
		for (int node = 0; node < NODES; node++)
			faults[node] -= before[node];
		brg_bar_unmap(mapped);
	}
}

static void the_plan_says_where(void **state)
{
	struct brg_bar_plan plan;

	assert_int_equal(brg_device_get_info(dev)->numa_node, 1);
	assert_works(brg_bar_plan(dev, 0, NULL, &plan));
	assert_int_equal(plan.node, 1);
	assert_non_null(strstr(plan.cpu_why, "the device's node"));
}

static void check_filled_near(enum brg_bar_policy policy)
{
	const struct brg_bar_opts opts = {.policy = policy};
	struct brg_bar_plan plan;
	uint64_t faults[NODES];

	assert_works(brg_bar_plan(dev, 0, &opts, &plan));
	map_and_count(0, &opts, faults);
	printf("%s: %lu faults on node 0, %lu on node 1\n", brg_bar_policy_name(policy), faults[0],
	       faults[1]);
	assert_int_equal(faults[1], plan.faults);
	assert_int_equal(sched_getcpu(), 0);
}

static void a_bar_is_filled_by_its_node(void **state)
{
	check_filled_near(BRG_BAR_AUTO);
	check_filled_near(BRG_BAR_TOUCH);
}

/* Each thread fills a VMA of its own; that of an lcore of node 0 would fault there. */
static void threads_are_of_its_node(void **state)
{
	const struct brg_bar_opts opts = {.policy = BRG_BAR_PARALLEL, .lcores = PARALLEL};
	struct brg_bar_plan plan;
	uint64_t faults[NODES], alone[NODES];

	assert_works(brg_bar_plan(dev, CMB_BAR, &opts, &plan));
	assert_int_equal(plan.threads, PARALLEL);
	map_and_count(CMB_BAR, &(struct brg_bar_opts){.policy = BRG_BAR_TOUCH}, alone);
	map_and_count(CMB_BAR, &opts, faults);
	printf("parallel: %lu faults on node 0, %lu on node 1; by one thread: %lu, %lu\n",
	       faults[0], faults[1], alone[0], alone[1]);
	assert_true(faults[1] >= plan.faults);
	assert_int_equal(faults[0], alone[0]);
}

static int node_of(const void *address)
{
	int node = -1;

	assert_int_equal(get_mempolicy(&node, NULL, 0, (void *)(uintptr_t)address,
				       MPOL_F_NODE | MPOL_F_ADDR),
			 0);
	return node;
}

static void on_read(void *arg, const struct brg_nvme_cqe *cqe)
{
	*(unsigned int *)arg = brg_nvme_status(cqe);
}

/* Data is the application's, and lies where it asked for it. */
static void queues_lie_on_its_node(void **state)
{
	unsigned int status = UINT32_MAX;
	struct brg_nvme_qpair *qp;
	uint8_t *data;

	assert_works(open_ctrl_with(&(struct brg_nvme_opts){.io_queues = 1}));
	assert_works(brg_nvme_qpair_create(ctrl, NULL, &qp));
	data = rte_zmalloc_socket(NULL, ns.block_size, 4096, 0);
	assert_non_null(data);
	assert_int_equal(node_of(data), 0);
	assert_works(brg_nvme_read(qp, &ns, data, 0, 1, on_read, &status));
	while (brg_nvme_outstanding(qp))
		assert_works(brg_nvme_poll(qp, 0));
	assert_int_equal(status, 0);

	assert_int_equal(node_of(qp), 1);
	assert_int_equal(node_of(brg_nvme_path(qp)->sq), 1);
	assert_int_equal(node_of(brg_nvme_path(qp)->next), 1); /* its completion queue */
	rte_free(data);
	brg_nvme_qpair_free(qp);
	close_ctrl(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_plan_says_where),
		cmocka_unit_test(a_bar_is_filled_by_its_node),
		cmocka_unit_test(threads_are_of_its_node),
		cmocka_unit_test(queues_lie_on_its_node),
	};

	return cmocka_run_group_tests(tests, start, close_device);
}
