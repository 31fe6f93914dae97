/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * QEMU as a child process, which dies with the lab: what comes from it and goes to it, and how it
 * ended.
 */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest/job.h"
#include "qemu.h"
#include "vm.h"

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
	struct qemu_files files;
	int ours[CHANNELS]; /* our ends; -1: closed */
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

static void open_channels(struct vm *vm)
{
	for (int c = 0; c < CHANNELS; c++) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
			err(1, "socketpair");
		vm->ours[c] = pair[0];
		vm->files.channels[c] = pair[1];
	}
}

static void exec_qemu(const struct vm *vm, char **argv) __attribute__((noreturn));

static void exec_qemu(const struct vm *vm, char **argv)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0); /* the terminal's interrupt is for the lab, and the lab's end is QEMU's */
	for (int c = 0; c < CHANNELS; c++)
		fcntl(vm->files.channels[c], F_SETFD, 0);
	dup2(vm->files.channels[QEMU_STDERR], STDERR_FILENO);
	execvp(argv[0], argv);
	dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static void start(struct vm *vm)
{
	char **argv;

	open_channels(vm);
	qemu_open_disks(&vm->files, vm->config);
	argv = qemu_argv(&vm->files, vm->config);
	vm->pid = fork();
	if (vm->pid == 0)
		exec_qemu(vm, argv);
	if (vm->pid < 0)
		err(1, "fork");
	for (int c = 0; c < CHANNELS; c++)
		close(vm->files.channels[c]);
	qemu_free_argv(argv);
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
	else if (channel == QTEST)
		stepper_bus_answer(&vm->stepper, data, size, now());
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
	stepper_open(&vm.stepper, config->steps, vm.ours[QMP], vm.ours[QTEST]);
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
	qemu_close_disks(&vm.files, config);
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
