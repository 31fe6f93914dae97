/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage-lab exec: a program of the host in a guest, its output and exit status passed through. */

#include <argp.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "accel.h"
#include "cli.h"
#include "commands.h"
#include "guest.h"
#include "text.h"

#define MOST 64

struct exec_options {
	const char *handler, *kernel, *modules;
	int fail_after;
	struct vm_config vm;
	struct emulator qemu;
	struct steps *steps;
	bool shell, keep_driver;
	char *env[MOST + 1], *files[MOST + 1], *programs[MOST + 1], *devices[VM_SLOTS],
		*namespaces[VM_NAMESPACES + 1];
	char **argv;
};

static const char doc[] =
	"Run a program of this machine, with its shared libraries, in a guest: an NVMe controller "
	"is "
	"bound to vfio-pci behind an IOMMU, hugepages are reserved. The controller's address is in "
	"the environment as BARRAGE_BDF. The exit status is the program's, or 125 when the guest "
	"did not let it finish.\v"
	"Example:\n"
	"  barrage-lab exec --lcores 2 -- build/app/barrage/barrage list";

enum {
	OPT_MODULES = 256,
	OPT_IOMMU,
	OPT_DISK_SIZE,
	OPT_TIMEOUT,
	OPT_KEEP_DRIVER,
	OPT_SHELL,
	OPT_DEVICE,
	OPT_NVME,
	OPT_PMR,
	OPT_NAMESPACE,
	OPT_SUBSYSTEM,
	OPT_COUNTING,
	OPT_ONE_THREAD,
	OPT_FAIL_AFTER,
	OPT_STEPS,
	OPT_NUMA,
};

static const struct argp_option options[] = {
	{"handler", 'H', "NAME", 0, "fault handler of vfio-pci (default: the kernel's own)", 0},
	{"fail-after", OPT_FAIL_AFTER, "PAGES", 0,
	 "the handler's first fill of more pages fails after so many; 0: not before "
	 "/sys/module/vfio_pci_core/parameters/fail_after is set",
	 0},
	{"kernel", 'k', "KERNEL", 0,
	 "one that barrage-lab kernels lists, a folder that Linux was built in, or a bzImage with "
	 "--modules (default debian:6.1)",
	 0},
	{"modules", OPT_MODULES, "DIR", 0,
	 "the bzImage's modules, as make modules_install wrote them", 0},
	{"lcores", 'l', "N", 0, "CPUs of the guest (default 2)", 0},
	{"memory", 'm', "MIB", 0, "its memory; a quarter becomes hugepages (default 1024)", 0},
	{"numa", OPT_NUMA, NULL, 0,
	 "two NUMA nodes, each with half of the CPUs and memory; the controller is on node 1", 0},
	{"disk", 'd', "FILE", 0, "image of the NVMe namespace, written to (default: an empty one)",
	 0},
	{"disk-size", OPT_DISK_SIZE, "MIB", 0, "size of the empty one (default 1024)", 0},
	{"nvme", OPT_NVME, "PROPERTIES", 0,
	 "more properties of the NVMe controller, as QEMU names them: mdts=3,cmb_size_mb=64", 0},
	{"pmr", OPT_PMR, "SIZE", 0,
	 "a Persistent Memory Region of the controller, empty, of that size: 16M", 0},
	{"namespace", OPT_NAMESPACE, "SIZE[,PROPERTIES]", 0,
	 "another namespace of it, empty, of that size: 64M,zoned=on", 0},
	{"subsystem", OPT_SUBSYSTEM, "PROPERTIES", OPTION_ARG_OPTIONAL,
	 "put it into an NVM subsystem, which has such properties, as QEMU names them: "
	 "--subsystem=fdp=on,fdp.nruh=4; others can join it: --device "
	 "nvme,serial=barrage,subsys=subsys0",
	 0},
	{"device", OPT_DEVICE, "DEVICE", 0,
	 "another PCI function on vfio-pci: a QEMU device, as edu or e1000e, ivshmem:SIZE for a "
	 "BAR 2 of that size, or nvme:SIZE for a controller with an empty disk; the addresses are "
	 "in BARRAGE_DEVICES",
	 0},
	{"steps", OPT_STEPS, "FILE", 0,
	 "what to do to the controller meanwhile, as 'when \"reading\" unplug' (barrage-lab(1))",
	 0},
	{"counting", OPT_COUNTING, NULL, 0,
	 "one CPU, whose TSC counts instructions, the same on every boot", 0},
	{"one-thread", OPT_ONE_THREAD, NULL, 0,
	 "TCG runs the CPUs in turn: for programs that switch a device's memory on and off while "
	 "another CPU uses it, which may crash QEMU, 10.0 too",
	 0},
	{"iommu-bits", OPT_IOMMU, "39|48", 0, "address width of the IOMMU (default 48)", 0},
	{"env", 'e', "NAME=VALUE", 0, "set a variable for the program", 0},
	{"file", 'f', "PATH", 0, "put a file or folder into the guest, at the same path", 0},
	{"with", 'w', "PROGRAM", 0, "put another program into the guest, with its libraries", 0},
	{"keep-driver", OPT_KEEP_DRIVER, NULL, 0, "leave the controller to the kernel's driver", 0},
	{"shell", OPT_SHELL, NULL, 0, "an interactive shell instead of a program", 0},
	{"timeout", OPT_TIMEOUT, "SECONDS", 0, "stop the guest after so long (default 600)", 0},
	{"verbose", 'v', NULL, 0, "show the guest's console", 0},
	{0},
};

/* Append to a list of at most @most, which ends with NULL. */
static void append(const char *option, char **list, int most, char *value)
{
	for (int i = 0; i < most; i++) {
		if (!list[i]) {
			list[i] = value;
			return;
		}
	}
	errx(CLI_USAGE, "%s: %d at most", option, most);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct exec_options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->qemu;
		break;
	case 'H':
		o->handler = arg;
		break;
	case OPT_FAIL_AFTER:
		o->fail_after = (int)number_option("--fail-after", arg, 0, FAIL_AFTER_MOST);
		break;
	case 'k':
		o->kernel = arg;
		break;
	case OPT_MODULES:
		o->modules = arg;
		break;
	case 'l':
		o->vm.cpus = number_option("--lcores", arg, 1, 255);
		break;
	case 'm':
		o->vm.memory_mib = number_option("--memory", arg, 256, 1 << 20);
		break;
	case 'd':
		o->vm.disk = arg;
		break;
	case OPT_DISK_SIZE:
		o->vm.disk_mib = number_option("--disk-size", arg, 1, 1 << 24);
		break;
	case OPT_IOMMU:
		o->vm.iommu_bits = number_option("--iommu-bits", arg, 39, 48);
		if (o->vm.iommu_bits != 39 && o->vm.iommu_bits != 48)
			argp_error(state, "--iommu-bits %s: it takes 39 or 48", arg);
		break;
	case 'e':
		if (!strchr(arg, '='))
			argp_error(state, "--env %s: it takes NAME=VALUE", arg);
		append("--env", o->env, MOST, arg);
		break;
	case 'f':
		append("--file", o->files, MOST, arg);
		break;
	case 'w':
		append("--with", o->programs, MOST, arg);
		break;
	case OPT_DEVICE:
		if (!vm_device_ok(arg))
			argp_error(state, "--device %s: a size is a number and M or G", arg);
		append("--device", o->devices, VM_SLOTS - 1, arg);
		break;
	case OPT_STEPS:
		steps_free(o->steps);
		o->steps = steps_load(arg);
		if (!o->steps)
			exit(CLI_USAGE);
		o->vm.steps = o->steps;
		break;
	case OPT_NVME:
		o->vm.nvme = arg;
		break;
	case OPT_PMR:
		if (!vm_pmr_ok(arg))
			argp_error(state, "--pmr %s: it takes a power of two and M or G, as 16M",
				   arg);
		o->vm.pmr = arg;
		break;
	case OPT_NAMESPACE:
		if (!vm_namespace_ok(arg))
			argp_error(state,
				   "--namespace %s: it takes a size, and properties after a comma, "
				   "as 64M,zoned=on",
				   arg);
		append("--namespace", o->namespaces, VM_NAMESPACES, arg);
		break;
	case OPT_SUBSYSTEM:
		o->vm.subsystem = arg ? arg : "";
		break;
	case OPT_COUNTING:
		o->vm.counting = true;
		break;
	case OPT_ONE_THREAD:
		o->vm.one_thread = true;
		break;
	case OPT_KEEP_DRIVER:
		o->keep_driver = true;
		break;
	case OPT_NUMA:
		o->vm.two_nodes = true;
		break;
	case OPT_SHELL:
		o->shell = true;
		break;
	case OPT_TIMEOUT:
		o->vm.limit_s = number_option("--timeout", arg, 1, 86400);
		break;
	case 'v':
		o->vm.verbose = true;
		break;
	case ARGP_KEY_ARGS:
		o->argv = state->argv + state->next;
		break;
	case ARGP_KEY_END:
		if (!o->argv && !o->shell)
			argp_error(state, "which program? Name it after --, or take --shell");
		if (o->argv && o->shell)
			argp_error(state, "--shell takes no program");
		if (o->vm.counting)
			o->vm.cpus = 1; /* two hang in this mode */
		if (o->vm.two_nodes && o->vm.cpus < 2)
			argp_error(state, "--numa: two nodes take at least --lcores 2, not %u",
				   o->vm.cpus);
		if (o->vm.two_nodes && o->steps)
			argp_error(state, "--numa and --steps, which has a place of its own for "
					  "the controller, do not go together");
		o->vm.devices = o->devices;
		o->vm.namespaces = o->namespaces;
		if (o->modules && !o->kernel)
			argp_error(state, "--modules goes with --kernel");
		if (o->fail_after != NO_FAIL_AFTER && !o->handler)
			argp_error(state, "--fail-after needs a --handler");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static void write_all(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t put = write(fd, data, size);

		if (put < 0)
			return; /* nobody reads it any more: the guest goes on to its end */
		data += put;
		size -= (size_t)put;
	}
}

static void to_stdout(void *arg, const char *data, size_t size)
{
	write_all(STDOUT_FILENO, data, size);
}

static void to_stderr(void *arg, const char *data, size_t size)
{
	write_all(STDERR_FILENO, data, size);
}

static void record_to_stdout(void *arg, const char *line)
{
	printf("%s\n", line);
	fflush(stdout);
}

static struct termios saved;

static void restore_terminal(void)
{
	tcsetattr(STDIN_FILENO, TCSANOW, &saved);
}

/* A shell needs what a user types now: no line editing, no signals, no echo on this side. */
static void prepare_shell(struct exec_options *o, struct guest_job *job)
{
	static char *const shell[] = {"bash", "--norc", "-i", NULL};
	static char *const tools[] = {"ls",   "cat", "dmesg",	"grep",	  "head",
				      "tail", "ps",  "mount",	"umount", "mkdir",
				      "cp",   "dd",  "hexdump", "sleep",  NULL};
	struct winsize size = {.ws_row = 24, .ws_col = 80};
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &saved) < 0)
		errx(CLI_USAGE, "--shell needs a terminal");
	ioctl(STDIN_FILENO, TIOCGWINSZ, &size);
	job->argv = shell;
	job->rows = size.ws_row;
	job->columns = size.ws_col;
	for (int i = 0; tools[i]; i++)
		append("--with", o->programs, MOST, tools[i]);
	append("--env", o->env, MOST, "TERM=linux");
	append("--env", o->env, MOST, "PS1=guest# ");

	raw = saved;
	cfmakeraw(&raw);
	atexit(restore_terminal);
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

static int exit_status(const struct vm_outcome *outcome)
{
	vm_explain(outcome);
	switch (outcome->end) {
	case VM_EXIT:
		return outcome->status;
	case VM_SIGNAL:
		return 128 + outcome->status;
	default:
		return 125;
	}
}

int cmd_exec(int argc, char **argv)
{
	static const struct argp_child children[] = {{&emulator_argp, 0, NULL, 0}, {0}};
	static const struct argp argp = {
		options, parse, "[--] PROGRAM [ARGUMENT...]\n--shell", doc, children, NULL, NULL};
	struct exec_options o = {
		.fail_after = NO_FAIL_AFTER,
		.vm = {.cpus = 2,
		       .memory_mib = 1024,
		       .iommu_bits = 48,
		       .disk_mib = 1024,
		       .limit_s = 600,
		       .silence_s = 86400},
	};
	struct vm_streams streams = {
		.in = STDIN_FILENO,
		.out = to_stdout,
		.err = to_stderr,
		.record = record_to_stdout,
	};
	const struct handler *handler = NULL;
	struct guest_job job;
	struct vm_outcome outcome;
	struct guest guest = {0};
	int status = 125;

	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &o);
	if (o.handler && !(handler = handler_find(o.handler)))
		return CLI_USAGE;
	o.vm.qemu = &o.qemu;
	if (emulator_get(&o.qemu) == 0 &&
	    guest_prepare(&guest, handler, o.kernel, o.modules, o.fail_after) == 0) {
		job = (struct guest_job){
			.argv = o.argv,
			.env = o.env,
			.files = o.files,
			.programs = o.programs,
			.keep_driver = o.keep_driver,
		};
		o.vm.kvm = !o.vm.counting && accel_kvm(&guest.kernel, &o.qemu, NULL);
		if (o.shell)
			prepare_shell(&o, &job);
		if (guest_run(&guest, &job, &o.vm, &streams, &outcome) == 0)
			status = exit_status(&outcome);
	}
	guest_free(&guest);
	emulator_free(&o.qemu);
	steps_free(o.steps);
	return status;
}
