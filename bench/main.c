/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * barrage-bench: options, and the registration of every benchmark they ask for. Google Benchmark
 * takes its own flags first; what is left is ours.
 */

#include <argp.h>
#include <brg_bar.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <rte_lcore.h>
#include <rte_version.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench.h"
#include "provenance.h"

const char *const sharing_names[SHARINGS] = {"single", "shared", "per-lcore"};

const char *argp_program_version = "barrage-bench " BRG_VERSION;

enum {
	OPT_DEVICE = 256,
	OPT_LCORES,
	OPT_SHARING,
	OPT_POLICY,
	OPT_FAIL_AFTER,
	OPT_BAR,
	OPT_OFFSET,
	OPT_QUEUE_DEPTH,
	OPT_TRIALS,
	OPT_SECONDS,
	OPT_BLOCK_SIZE,
	OPT_TRIALS_OUT,
	OPT_ALLOW_KERNEL_BUG,
};

static const struct argp_option options[] = {
	{"device", OPT_DEVICE, "BDF", 0, "PCI function, bound to vfio-pci (default: $BARRAGE_BDF)",
	 1},
	{"lcores", OPT_LCORES, "LIST", 0,
	 "Numbers of lcores (default: those of 1,2,4 for which there are CPUs)", 1},
	{"sharing", OPT_SHARING, "LIST", 0,
	 "Of single (one lcore), shared (all lcores on one VMA), per-lcore (a VMA each); default: "
	 "all three",
	 1},
	{"trials-out", OPT_TRIALS_OUT, "PATH", 0,
	 "Write every trial as a line of JSON when it ends", 1},
	{"policy", OPT_POLICY, "LIST", 0,
	 "first_fault: when and how the mapping is filled, of lazy (by whoever comes first), auto, "
	 "touch, iommu, parallel (default lazy)",
	 2},
	{"bar", OPT_BAR, "N", 0, "first_fault: BAR to map (default 0)", 2},
	{"offset", OPT_OFFSET, "BYTES", 0,
	 "first_fault: register to read (default 0); choose one without read side effects", 2},
	{"trials", OPT_TRIALS, "N", 0,
	 "first_fault: trials of each benchmark (default: as many as --benchmark_min_time needs)",
	 2},
	{"fail-after", OPT_FAIL_AFTER, "PAGES", 0,
	 "first_fault: the first fill of a trial fails after so many pages, and the access is made "
	 "again (on a vfio-pci of barrage-lab exec --handler NAME --fail-after 0)",
	 2},
	{"allow-kernel-bug", OPT_ALLOW_KERNEL_BUG, NULL, 0,
	 "first_fault: let several lcores fault one VMA even on a kernel that this may crash", 2},
	{"queue-depth", OPT_QUEUE_DEPTH, "LIST", 0,
	 "nvme_io: reads in flight per lcore (default 32)", 3},
	{"seconds", OPT_SECONDS, "S", 0, "nvme_io: how long each runs (default 1)", 3},
	{"block-size", OPT_BLOCK_SIZE, "BYTES", 0, "nvme_io: bytes of one read (default 4096)", 3},
	{0}};

static const char doc[] =
	"Measure what the first access to a PCI BAR costs (first_fault) and how many random reads "
	"an NVMe device does (nvme_io), for every number of lcores and way to share the mapping."
	"\vFor example, two lcores with a mapping each, on a device that `barrage bind` has given "
	"to vfio-pci:\n\n"
	"  barrage-bench --device 0000:01:00.0 --lcores 2 --sharing per-lcore --trials 1000 \\\n"
	"      --benchmark_out=result.json\n\n"
	"CPUs are the first this process may run on: choose them with taskset or numactl.";

static int parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 0);
	return isdigit((unsigned char)*text) && !*end && !errno && *value >= min && *value <= max
		       ? 0
		       : -EINVAL;
}

static uint64_t number(struct argp_state *state, const char *option, const char *text, uint64_t min,
		       uint64_t max)
{
	uint64_t value;

	if (parse_number(text, min, max, &value))
		argp_error(state, "--%s: '%s' is not a number from %lu to %lu", option, text, min,
			   max);
	return value;
}

static void number_list(struct argp_state *state, const char *option, char *text, uint64_t max,
			struct list *list)
{
	char *item;

	list->count = 0;
	while ((item = strsep(&text, ","))) {
		if (list->count == BENCH_MAX_LIST)
			argp_error(state, "--%s: more than %u numbers", option, BENCH_MAX_LIST);
		list->value[list->count++] = (uint32_t)number(state, option, item, 1, max);
	}
}

static void sharing_list(struct argp_state *state, char *text, bool *sharing)
{
	char *item;
	int i;

	memset(sharing, 0, SHARINGS * sizeof(*sharing));
	while ((item = strsep(&text, ","))) {
		for (i = 0; i < SHARINGS && strcmp(item, sharing_names[i]); i++)
			;
		if (i == SHARINGS)
			argp_error(state, "--sharing: '%s' is none of single, shared, per-lcore",
				   item);
		sharing[i] = true;
	}
}

static void policy_list(struct argp_state *state, char *text, bool *policies)
{
	char *item;
	int i;

	memset(policies, 0, BENCH_POLICIES * sizeof(*policies));
	while ((item = strsep(&text, ","))) {
		for (i = 0; i < BENCH_POLICIES && strcmp(item, brg_bar_policy_name(i)); i++)
			;
		if (i == BENCH_POLICIES)
			argp_error(state,
				   "--policy: '%s' is none of lazy, auto, touch, iommu, parallel",
				   item);
		policies[i] = true;
	}
}

static double seconds(struct argp_state *state, const char *text)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value > 0 && value <= 86400))
		argp_error(state, "--seconds: '%s' is not a time from 0 to 86400 seconds", text);
	return value;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct bench *b = state->input;

	switch (key) {
	case OPT_DEVICE:
		b->bdf = arg;
		break;
	case OPT_LCORES:
		number_list(state, "lcores", arg, RTE_MAX_LCORE, &b->lcores);
		break;
	case OPT_SHARING:
		sharing_list(state, arg, b->sharing);
		break;
	case OPT_POLICY:
		policy_list(state, arg, b->policies);
		break;
	case OPT_FAIL_AFTER:
		b->fail_after =
			(unsigned int)number(state, "fail-after", arg, 1, (1u << 30) / 4096);
		break;
	case OPT_BAR:
		b->bar = (unsigned int)number(state, "bar", arg, 0, BRG_PCI_BARS - 1);
		break;
	case OPT_OFFSET:
		b->offset = number(state, "offset", arg, 0, UINT64_MAX);
		if (b->offset % sizeof(uint32_t))
			argp_error(state, "--offset: %s is not a multiple of 4", arg);
		break;
	case OPT_QUEUE_DEPTH:
		number_list(state, "queue-depth", arg, UINT16_MAX - 1, &b->queue_depths);
		break;
	case OPT_TRIALS:
		b->trials = number(state, "trials", arg, 1, 1000000000);
		break;
	case OPT_SECONDS:
		b->seconds = seconds(state, arg);
		break;
	case OPT_BLOCK_SIZE:
		b->block_size = (uint32_t)number(state, "block-size", arg, 1, 1u << 30);
		break;
	case OPT_TRIALS_OUT:
		b->trials_path = arg;
		break;
	case OPT_ALLOW_KERNEL_BUG:
		b->allow_kernel_bug = true;
		break;
	case ARGP_KEY_ARG:
		argp_error(state, "nothing is expected here: %s", arg);
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp argp = {.options = options, .parser = parse_option, .doc = doc};

/* Google Benchmark sees --help first and asks for this. */
static void help(void)
{
	char name[] = "barrage-bench";

	argp_help(&argp, stdout, ARGP_HELP_STD_HELP & ~ARGP_HELP_EXIT_OK, name);
	fflush(stdout);
	puts("\nFlags of Google Benchmark, all of which work:\n");
	fflush(stdout);
	gb_print_flags();
}

/* The options' defaults; of 1, 2 and 4 lcores as many as this process has CPUs. */
static void set_defaults(struct bench *b)
{
	cpu_set_t set;
	uint32_t cpus = 1;

	if (!sched_getaffinity(0, sizeof(set), &set))
		cpus = (uint32_t)CPU_COUNT(&set);
	for (uint32_t n = 1; n <= 4 && n <= cpus; n *= 2)
		b->lcores.value[b->lcores.count++] = n;
	b->queue_depths = (struct list){.count = 1, .value = {32}};
	b->sharing[SHARING_SINGLE] = b->sharing[SHARING_SHARED] = b->sharing[SHARING_PER_LCORE] =
		true;
	b->policies[BRG_BAR_LAZY] = true;
	b->bdf = getenv("BARRAGE_BDF");
	b->seconds = 1;
	b->block_size = 4096;
	b->trials_fd = -1;
}

static void context(const struct bench *b)
{
	char *machine = cpu_model(), *command = command_line();
	struct brg_bar_handler handler;
	struct utsname kernel;

	uname(&kernel);
	brg_bar_handler_detect(NULL, &handler);
	gb_context("barrage_version", brg_version());
	gb_context("barrage_build_type", BENCH_BUILD_TYPE);
	gb_context("dpdk_version", rte_version());
	gb_context("kernel_release", kernel.release);
	gb_context("device", b->bdf ? b->bdf : "none");
	gb_context("handler", brg_bar_era_name(handler.era));
	gb_context("commit", build_commit());
	gb_context("machine", machine);
	gb_context("accel", hypervisor());
	gb_context("command", command);
	free(machine);
	free(command);
}

static struct arm *new_arm(struct bench *b, enum sharing sharing, unsigned int lcores)
{
	struct arm *arm = malloc(sizeof(*arm));

	if (!arm) {
		perror("barrage-bench");
		exit(EXIT_FAILURE);
	}
	*arm = (struct arm){.bench = b, .sharing = sharing, .lcores = lcores, .next = b->arms};
	b->arms = arm;
	return arm;
}

/* Lazy is not in the name, which is as old as the benchmark. */
static void register_first_faults(struct bench *b, enum sharing sharing, unsigned int lcores)
{
	for (int policy = 0; policy < BENCH_POLICIES; policy++) {
		bool lazy = policy == BRG_BAR_LAZY;
		struct arm *arm;
		char name[128];

		if (!b->policies[policy])
			continue;
		arm = new_arm(b, sharing, lcores);
		arm->policy = policy;
		snprintf(name, sizeof(name), "first_fault/%s/lcores:%u/bar:%u%s%s",
			 sharing_names[sharing], lcores, b->bar,
			 lazy ? "" : "/policy:", lazy ? "" : brg_bar_policy_name(policy));
		gb_register(name, first_fault, arm, b->trials, GB_NANOSECONDS);
	}
}

static void register_nvme_ios(struct bench *b, enum sharing sharing, unsigned int lcores)
{
	for (unsigned int i = 0; i < b->queue_depths.count; i++) {
		struct arm *arm = new_arm(b, sharing, lcores);
		char name[128];

		arm->queue_depth = b->queue_depths.value[i];
		snprintf(name, sizeof(name), "nvme_io/%s/lcores:%u/qd:%u", sharing_names[sharing],
			 lcores, arm->queue_depth);
		gb_register(name, nvme_io, arm, 1, GB_MILLISECONDS);
	}
}

/* A lone lcore shares nothing: it is `single`, and not repeated where that is asked for. */
static bool repeats_single(const struct bench *b, enum sharing sharing, unsigned int lcores)
{
	return sharing != SHARING_SINGLE && lcores == 1 && b->sharing[SHARING_SINGLE];
}

static void register_each(struct bench *b, void (*reg)(struct bench *, enum sharing, unsigned int))
{
	for (enum sharing s = 0; s < SHARINGS; s++) {
		unsigned int counts = s == SHARING_SINGLE ? 1 : b->lcores.count;

		for (unsigned int i = 0; b->sharing[s] && i < counts; i++) {
			unsigned int lcores = s == SHARING_SINGLE ? 1 : b->lcores.value[i];

			if (!repeats_single(b, s, lcores))
				reg(b, s, lcores);
		}
	}
}

static void free_arms(struct bench *b)
{
	while (b->arms) {
		struct arm *arm = b->arms;

		b->arms = arm->next;
		free(arm);
	}
}

int main(int argc, char **argv)
{
	struct bench bench = {0};
	unsigned int runs;

	set_defaults(&bench);
	gb_initialize(&argc, argv, help);
	argp_err_exit_status = 2;
	argp_parse(&argp, argc, argv, 0, NULL, &bench);

	if (bench.trials_path) {
		bench.trials_fd = open(bench.trials_path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
		if (bench.trials_fd < 0) {
			fprintf(stderr, "barrage-bench: %s: %s\n", bench.trials_path,
				strerror(errno));
			return EXIT_FAILURE;
		}
	}
	context(&bench);
	register_each(&bench, register_first_faults);
	register_each(&bench, register_nvme_ios);

	runs = gb_run();
	if (gb_errors())
		fprintf(stderr, "barrage-bench: %u runs failed\n", gb_errors());

	bench_close(&bench);
	free_arms(&bench);
	if (bench.trials_fd >= 0)
		close(bench.trials_fd);
	return runs && !gb_errors() ? EXIT_SUCCESS : EXIT_FAILURE;
}
