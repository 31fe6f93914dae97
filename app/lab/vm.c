/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * QEMU as a child process. Everything goes through file descriptors it inherits: the initramfs and
 * an empty disk are memory files, the serial console and the virtio-serial ports are socket pairs.
 * It dies with the lab.
 */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest/job.h"
#include "text.h"
#include "vm.h"

enum channel {
	CONSOLE,
	CONTROL,
	RECORDS,
	STDOUT,
	STDERR,
	STDIN,
	QEMU_STDERR,
	QMP,
	CHANNELS
};

static const char *const port_names[CHANNELS] = {
	[CONTROL] = PORT_CONTROL, [RECORDS] = PORT_RECORDS, [STDOUT] = PORT_STDOUT,
	[STDERR] = PORT_STDERR,	  [STDIN] = PORT_STDIN,
};

/* Lines that come in pieces. */
struct line {
	char text[4096];
	size_t len;
};

struct vm {
	const struct vm_config *config;
	const struct vm_streams *streams;
	struct vm_outcome *outcome;
	pid_t pid;
	int disk; /* memory file, -1 when the disk is a file of the user's */
	int more_disks[VM_FIRST_SLOT + VM_SLOTS]; /* by slot; -1: the device has none */
	int namespace_disks[VM_NAMESPACES];
	int ours[CHANNELS];   /* our ends; -1: closed */
	int theirs[CHANNELS]; /* QEMU's ends */
	struct line control, record;
	struct ending endings[CHANNELS]; /* of those that the program has */
	bool said;			 /* init told how the program ended */
	bool whole;			 /* and all that it wrote has come */
	bool stopped;			 /* we ended QEMU at a limit */
	double deadline, last_word;	 /* seconds, CLOCK_MONOTONIC */
	int in;				 /* the user's stdin, -1 once it has ended */
	char pending[4096];		 /* read from it, not taken by QEMU yet */
	size_t npending;
	struct stepper stepper;
};

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* QEMU's command line. */
struct args {
	char *argv[160];
	int argc;
};

static void add(struct args *args, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void add(struct args *args, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&args->argv[args->argc++], fmt, ap) < 0)
		err(1, NULL);
	va_end(ap);
}

static void add_option(struct args *args, const char *option, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void add_option(struct args *args, const char *option, const char *fmt, ...)
{
	va_list ap;

	args->argv[args->argc++] = format("%s", option);
	va_start(ap, fmt);
	if (vasprintf(&args->argv[args->argc++], fmt, ap) < 0)
		err(1, NULL);
	va_end(ap);
}

/*
 * Counting mode: one guest instruction is one nanosecond of guest time, and one tick of its TSC.
 * erms and fsrm are off because TCG counts each byte of a "rep stosb".
 */
static void add_cpus(struct args *args, const struct vm_config *c)
{
	if (c->counting) {
		add_option(args, "-accel", "tcg,thread=single");
		add_option(args, "-icount", "shift=0,sleep=off");
		add_option(args, "-cpu", "max,-erms,-fsrm");
	} else {
		add_option(args, "-accel", "%s",
			   c->kvm	   ? "kvm"
			   : c->one_thread ? "tcg,thread=single"
					   : "tcg,thread=multi");
		add_option(args, "-cpu", c->kvm ? "host" : "max");
	}
	add_option(args, "-smp", "%u", c->cpus);
}

static void add_machine(struct args *args, const struct vm_config *c)
{
	add_option(args, "-machine", "q35,kernel-irqchip=split");
	add_option(args, "-m", "%u", c->memory_mib);
	add(args, "-nodefaults");
	add(args, "-no-user-config");
	add(args, "-no-reboot"); /* a panic ends it */
	add_option(args, "-display", "none");
	add_option(args, "-device", "intel-iommu,intremap=on,aw-bits=%u", c->iommu_bits);
}

/*
 * Where addresses are random, so is whether a fault needs another page-table page. On a busy host
 * an emulated timer may fall silent for longer than the kernel allows when it tries it at boot; it
 * would panic.
 */
static void add_kernel(struct args *args, const struct vm_config *c)
{
	add_option(args, "-kernel", "%s", c->image);
	add_option(args, "-initrd", "/proc/self/fd/%d", c->initramfs);
	add_option(args, "-append",
		   "console=ttyS0 %s panic=-1 oops=panic intel_iommu=on mitigations=off "
		   "no_timer_check%s",
		   c->verbose ? "" : "quiet", c->counting ? " nokaslr norandmaps" : "");
}

/* A comma in a QEMU option is written twice. */
static char *with_commas(const char *path)
{
	char *doubled = format("%s", "");

	for (const char *p = path; *p; p++) {
		char *longer = format("%s%c%s", doubled, *p, *p == ',' ? "," : "");

		free(doubled);
		doubled = longer;
	}
	return doubled;
}

/* A -blockdev stays when the controller is unplugged; a -drive would go with it. */
static void add_disk(struct args *args, const struct vm *vm)
{
	char *path = vm->disk >= 0 ? format("/proc/self/fd/%d", vm->disk)
				   : with_commas(vm->config->disk);

	add_option(args, "-blockdev",
		   "driver=raw,node-name=" STEPS_DISK ",file.driver=file,file.filename=%s", path);
	free(path);
}

static void add_controller(struct args *args, const struct vm_config *c)
{
	/* In a subsystem it takes no drive: all its namespaces are devices of their own then. */
	const char *disk = c->subsystem ? "subsys=subsys0" : "drive=" STEPS_DISK;
	const char *where = ",addr=0x4";

	if (c->subsystem)
		add_option(args, "-device", "nvme-subsys,id=subsys0");
	if (c->steps) {
		where = ",bus=" STEPS_SLOT;
		add_option(args, "-device",
			   "pcie-root-port,id=" STEPS_SLOT ",chassis=1,slot=1,addr=0x4");
	}
	add_option(args, "-device", "nvme,id=" STEPS_CONTROLLER ",serial=barrage,%s%s%s%s", disk,
		   where, c->nvme ? "," : "", c->nvme ? c->nvme : "");
	if (c->subsystem)
		add_option(args, "-device",
			   "nvme-ns,bus=" STEPS_CONTROLLER ",nsid=1,drive=" STEPS_DISK);
}

/* Each on a disk of its own: namespaces 2, 3 and so on. */
static void add_namespaces(struct args *args, const struct vm *vm)
{
	for (int i = 0; vm->config->namespaces && vm->config->namespaces[i]; i++) {
		const char *more = strchr(vm->config->namespaces[i], ',');
		int nsid = i + 2;

		add_option(args, "-blockdev",
			   "driver=raw,node-name=" STEPS_DISK
			   "%d,file.driver=file,file.filename=/proc/self/fd/%d",
			   nsid, vm->namespace_disks[i]);
		add_option(args, "-device",
			   "nvme-ns,bus=" STEPS_CONTROLLER ",nsid=%d,drive=" STEPS_DISK "%d%s",
			   nsid, nsid, more ? more : "");
	}
}

const char *vm_nvme_bdf(const struct vm_config *c)
{
	return c->steps ? VM_SLOT_BDF : VM_NVME_BDF;
}

/* What stands behind the colon of a device that is ours, or NULL. */
static const char *size_of(const char *device, const char *kind)
{
	size_t len = strlen(kind);

	return !strncmp(device, kind, len) && device[len] == ':' ? device + len + 1 : NULL;
}

static void add_devices(struct args *args, const struct vm *vm)
{
	int slot = VM_FIRST_SLOT + 1;

	for (char *const *d = vm->config->devices; d && *d; d++, slot++) {
		const char *bar = size_of(*d, "ivshmem");

		if (bar) {
			add_option(args, "-object", "memory-backend-ram,id=m%d,share=on,size=%s",
				   slot, bar);
			add_option(args, "-device", "ivshmem-plain,memdev=m%d,addr=0x%x", slot,
				   slot);
		} else if (size_of(*d, "nvme")) {
			add_option(args, "-blockdev",
				   "driver=raw,node-name=disk%d,file.driver=file,"
				   "file.filename=/proc/self/fd/%d",
				   slot, vm->more_disks[slot]);
			add_option(args, "-device",
				   "nvme,id=nvme%d,serial=barrage%d,drive=disk%d,addr=0x%x", slot,
				   slot, slot, slot);
		} else {
			add_option(args, "-device", "%s,addr=0x%x", *d, slot);
		}
	}
}

static void add_channels(struct args *args, const struct vm *vm)
{
	add_option(args, "-chardev", "socket,id=console,fd=%d", vm->theirs[CONSOLE]);
	add_option(args, "-serial", "chardev:console");
	if (vm->config->steps) {
		add_option(args, "-chardev", "socket,id=qmp,fd=%d", vm->theirs[QMP]);
		add_option(args, "-mon", "chardev=qmp,mode=control");
	}
	/* A write is dealt with before the guest goes on, not when QEMU's main loop gets to it. */
	add_option(args, "-device", "virtio-serial-pci,addr=0x3,ioeventfd=off");
	for (int c = 0; c < CHANNELS; c++) {
		if (!port_names[c])
			continue;
		add_option(args, "-chardev", "socket,id=c%d,fd=%d", c, vm->theirs[c]);
		add_option(args, "-device", "virtserialport,chardev=c%d,name=%s", c, port_names[c]);
	}
}

static void open_channels(struct vm *vm)
{
	for (int c = 0; c < CHANNELS; c++) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
			err(1, "socketpair");
		vm->ours[c] = pair[0];
		vm->theirs[c] = pair[1];
	}
}

static int empty_disk(uint64_t bytes)
{
	int fd = memfd_create("disk", 0);

	if (fd < 0 || bytes > INT64_MAX || ftruncate(fd, (off_t)bytes) < 0)
		err(1, "an empty disk of %lu MiB", bytes >> 20);
	return fd;
}

/* "64M", "1G", and what may come after a comma; 0 for anything else. */
static uint64_t parse_size(const char *text)
{
	char *end;
	uint64_t size = strtoull(text, &end, 10);
	unsigned int shift = *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
	bool ends = shift && (!end[1] || end[1] == ',');

	return ends && size <= UINT64_MAX >> shift ? size << shift : 0;
}

bool vm_namespace_ok(const char *namespace)
{
	return parse_size(namespace) != 0;
}

bool vm_device_ok(const char *device)
{
	const char *size = size_of(device, "nvme");

	return !size || parse_size(size);
}

static void open_disks(struct vm *vm)
{
	char *const *more = vm->config->namespaces;
	int slot = VM_FIRST_SLOT + 1;

	for (int i = 0; more && more[i]; i++)
		vm->namespace_disks[i] = empty_disk(parse_size(more[i]));
	vm->disk = vm->config->disk ? -1 : empty_disk((uint64_t)vm->config->disk_mib << 20);
	for (char *const *d = vm->config->devices; d && *d; d++, slot++) {
		const char *size = size_of(*d, "nvme");

		vm->more_disks[slot] = size ? empty_disk(parse_size(size)) : -1;
	}
}

/* QEMU has them. */
static void close_disks(struct vm *vm)
{
	char *const *more = vm->config->namespaces;
	int slot = VM_FIRST_SLOT + 1;

	for (int i = 0; more && more[i]; i++)
		close(vm->namespace_disks[i]);
	if (vm->disk >= 0)
		close(vm->disk);
	for (char *const *d = vm->config->devices; d && *d; d++, slot++)
		if (vm->more_disks[slot] >= 0)
			close(vm->more_disks[slot]);
}

static void exec_qemu(const struct vm *vm, char **argv) __attribute__((noreturn));

static void exec_qemu(const struct vm *vm, char **argv)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0); /* the terminal's interrupt is for the lab, and the lab's end is QEMU's */
	for (int c = 0; c < CHANNELS; c++)
		fcntl(vm->theirs[c], F_SETFD, 0);
	dup2(vm->theirs[QEMU_STDERR], STDERR_FILENO);
	execvp(argv[0], argv);
	dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static void start(struct vm *vm)
{
	struct args args = {.argc = 0};

	open_channels(vm);
	open_disks(vm);
	add(&args, "qemu-system-x86_64");
	add_cpus(&args, vm->config);
	add_machine(&args, vm->config);
	add_kernel(&args, vm->config);
	add_disk(&args, vm);
	add_controller(&args, vm->config);
	add_namespaces(&args, vm);
	add_devices(&args, vm);
	add_channels(&args, vm);

	vm->pid = fork();
	if (vm->pid == 0)
		exec_qemu(vm, args.argv);
	if (vm->pid < 0)
		err(1, "fork");
	for (int c = 0; c < CHANNELS; c++)
		close(vm->theirs[c]);
	for (int i = 0; i < args.argc; i++)
		free(args.argv[i]);
}

static void set_deadline(struct vm *vm, double seconds)
{
	double at = now() + seconds;

	vm->deadline = at < vm->deadline ? at : vm->deadline;
}

/* A line of init's. */
static void hear(struct vm *vm, const char *line)
{
	struct vm_outcome *o = vm->outcome;
	int number;

	if (!strcmp(line, SAY_READY)) {
		stepper_start(&vm->stepper, now());
		if (vm->streams->ready)
			vm->streams->ready(vm->streams->arg);
		return;
	}
	if (sscanf(line, SAY_EXIT "%d", &number) == 1) {
		o->end = VM_EXIT;
		o->status = number;
	} else if (sscanf(line, SAY_SIGNAL "%d", &number) == 1) {
		o->end = VM_SIGNAL;
		o->status = number;
	} else {
		o->end = VM_FAILED;
		snprintf(o->text, sizeof(o->text), "%s", line);
	}
	vm->said = true;
}

static void hear_record(struct vm *vm, const char *line)
{
	if (vm->streams->record)
		vm->streams->record(vm->streams->arg, line);
}

static void feed_lines(struct vm *vm, struct line *l, const char *data, size_t size,
		       void (*take)(struct vm *, const char *))
{
	for (size_t i = 0; i < size; i++) {
		if (data[i] != '\n') {
			if (l->len < sizeof(l->text) - 1)
				l->text[l->len++] = data[i];
			continue;
		}
		l->text[l->len] = '\0';
		l->len = 0;
		take(vm, l->text);
	}
}

static void feed_console(struct vm *vm, const char *data, size_t size)
{
	struct console *c = &vm->outcome->console;

	if (vm->config->verbose)
		fwrite(data, 1, size, stderr);
	console_feed(c, data, size);
	if (c->bug_at[0] || c->panic[0])
		set_deadline(vm, 10); /* the panic ends QEMU, but for a panic that hangs itself */
}

static void take_records(void *arg, const char *data, size_t size)
{
	struct vm *vm = arg;

	feed_lines(vm, &vm->record, data, size, hear_record);
}

/* Which of the channels end with a mark, and who gets what comes before it. */
static void expect_endings(struct vm *vm)
{
	const struct vm_streams *s = vm->streams;
	const char *mark = vm->config->mark;

	vm->endings[RECORDS] = (struct ending){.mark = mark, .pass = take_records, .arg = vm};
	vm->endings[STDOUT] = (struct ending){.mark = mark, .pass = s->out, .arg = s->arg};
	vm->endings[STDERR] = (struct ending){.mark = mark, .pass = s->err, .arg = s->arg};
}

static void deliver(struct vm *vm, enum channel channel, const char *data, size_t size)
{
	if (channel == STDOUT || channel == STDERR)
		stepper_hear(&vm->stepper, data, size);
	if (vm->endings[channel].mark)
		ending_feed(&vm->endings[channel], data, size);
	else if (channel == QMP)
		stepper_answer(&vm->stepper, data, size, now());
	else if (channel == CONTROL)
		feed_lines(vm, &vm->control, data, size, hear);
	else
		feed_console(vm, data, size);
}

/* A program that could not be started has written nothing. */
static bool is_whole(const struct vm *vm)
{
	return vm->said && (vm->outcome->end == VM_FAILED ||
			    (vm->endings[RECORDS].seen && vm->endings[STDOUT].seen &&
			     vm->endings[STDERR].seen));
}

/* Init waits for this: what still was on its way would be lost with the guest's power. */
static void let_go(struct vm *vm)
{
	if (vm->whole || !is_whole(vm))
		return;
	vm->whole = true;
	send(vm->ours[CONTROL], "\n", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	set_deadline(vm, 20);
}

static void receive(struct vm *vm, enum channel channel)
{
	char data[16384];
	ssize_t got = recv(vm->ours[channel], data, sizeof(data), MSG_DONTWAIT);

	if (got > 0) {
		vm->last_word = now();
		deliver(vm, channel, data, (size_t)got);
	} else if (got == 0 || errno != EAGAIN) {
		close(vm->ours[channel]);
		vm->ours[channel] = -1;
		if (vm->endings[channel].mark)
			ending_close(&vm->endings[channel]);
	}
}

static void end_stdin(struct vm *vm)
{
	vm->in = -1;
	shutdown(vm->ours[STDIN], SHUT_WR);
}

static void read_stdin(struct vm *vm)
{
	ssize_t got = read(vm->in, vm->pending, sizeof(vm->pending));

	if (got > 0)
		vm->npending = (size_t)got;
	else
		end_stdin(vm);
}

static void pass_stdin(struct vm *vm)
{
	ssize_t put = send(vm->ours[STDIN], vm->pending, vm->npending, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (put < 0 && errno != EAGAIN) {
		vm->npending = 0;
		end_stdin(vm);
	} else if (put > 0) {
		vm->npending -= (size_t)put;
		memmove(vm->pending, vm->pending + put, vm->npending);
	}
}

static bool channels_open(const struct vm *vm)
{
	for (int c = 0; c < CHANNELS; c++)
		if (vm->ours[c] >= 0)
			return true;
	return false;
}

/* Wait for whatever comes next, a second at most. */
static void step(struct vm *vm)
{
	double due = stepper_go_on(&vm->stepper, now());
	int wait_ms = due >= 0 && due < 1 ? (int)(due * 1000) + 1 : 1000;
	struct pollfd fds[CHANNELS + 1];

	for (int c = 0; c < CHANNELS; c++)
		fds[c] = (struct pollfd){.fd = vm->ours[c], .events = POLLIN};
	if (vm->npending)
		fds[STDIN].events |= POLLOUT;
	fds[CHANNELS] = (struct pollfd){.fd = vm->npending ? -1 : vm->in, .events = POLLIN};

	if (poll(fds, CHANNELS + 1, wait_ms) <= 0)
		return;
	if (fds[STDIN].revents & POLLOUT)
		pass_stdin(vm);
	for (int c = 0; c < CHANNELS; c++)
		if (fds[c].revents & (POLLIN | POLLHUP | POLLERR))
			receive(vm, c);
	let_go(vm);
	if (fds[CHANNELS].revents)
		read_stdin(vm);
}

/* The words for a step that failed or waited for the guest, or that a program which would have
 * passed has not reached. */
static const char *step_trouble(const struct vm *vm, char *text, size_t size)
{
	const struct step *left = stepper_left(&vm->stepper);

	if (vm->stepper.error[0])
		return vm->stepper.error;
	if (left && vm->stopped && vm->stepper.command) {
		snprintf(text, size, "%s, line %u of %s, was not done when the guest was stopped",
			 left->name, left->line, vm->config->steps->path);
		return text;
	}
	if (!left || !vm->whole || vm->outcome->end != VM_EXIT || vm->outcome->status)
		return NULL;
	snprintf(text, size, "the program ended before %s, line %u of %s", left->name, left->line,
		 vm->config->steps->path);
	return text;
}

static bool over_limit(const struct vm *vm)
{
	return now() > vm->deadline || now() > vm->last_word + vm->config->silence_s;
}

static void judge(struct vm *vm, int status)
{
	struct vm_outcome *o = vm->outcome;
	const char *trouble;
	char text[512];

	if (o->console.bug_at[0]) {
		o->end = VM_KERNEL_BUG;
	} else if (o->console.panic[0]) {
		o->end = VM_PANIC;
	} else if ((trouble = step_trouble(vm, text, sizeof(text)))) {
		o->end = VM_STEP;
		snprintf(o->text, sizeof(o->text), "%s", trouble);
	} else if (vm->whole) {
		return; /* as init said */
	} else if (vm->stopped) {
		o->end = VM_HANG;
	} else if (WIFSIGNALED(status)) {
		o->end = VM_CRASHED;
		o->status = WTERMSIG(status);
	} else {
		o->end = VM_LOST;
	}
}

int vm_run(const struct vm_config *config, const struct vm_streams *streams,
	   struct vm_outcome *outcome)
{
	struct vm vm = {
		.config = config,
		.streams = streams,
		.outcome = outcome,
		.in = streams->in,
		.deadline = now() + config->limit_s,
		.last_word = now(),
	};
	int status = 0;

	memset(outcome, 0, sizeof(*outcome));
	if (config->disk && access(config->disk, R_OK | W_OK) < 0) {
		warn("--disk %s", config->disk);
		return -1;
	}
	expect_endings(&vm);
	start(&vm);
	stepper_open(&vm.stepper, config->steps, vm.ours[QMP]);
	if (vm.in < 0)
		end_stdin(&vm);
	while (channels_open(&vm)) {
		step(&vm);
		if (!vm.stopped && (over_limit(&vm) || vm.stepper.error[0])) {
			vm.stopped = true;
			kill(vm.pid, SIGKILL);
		}
	}
	waitpid(vm.pid, &status, 0);
	close_disks(&vm);
	judge(&vm, status);
	stepper_close(&vm.stepper);
	return 0;
}

static void print_tail(const struct console *c)
{
	for (unsigned int i = c->nlines > 8 ? c->nlines - 8 : 0; i < c->nlines; i++)
		fprintf(stderr, "    %s\n", c->tail[i % 8]);
}

void vm_explain(const struct vm_outcome *o)
{
	switch (o->end) {
	case VM_EXIT:
		return;
	case VM_SIGNAL:
		warnx("the program was ended by signal %d (%s)", o->status, strsignal(o->status));
		return;
	case VM_FAILED:
		warnx("the guest could not start the program: %s", o->text);
		return;
	case VM_KERNEL_BUG:
		warnx("kernel BUG at %s", o->console.bug_at);
		return;
	case VM_STEP:
		warnx("%s", o->text);
		return;
	case VM_PANIC:
		warnx("the guest's kernel died: %s", o->console.panic);
		break;
	case VM_HANG:
		warnx("the guest hung and was stopped");
		break;
	case VM_CRASHED:
		warnx("QEMU itself was ended by signal %d (%s), not the guest", o->status,
		      strsignal(o->status));
		break;
	case VM_LOST:
		warnx("QEMU ended before the program did; see also: barrage-lab doctor");
		break;
	}
	print_tail(&o->console);
}
