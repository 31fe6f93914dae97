/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The first and, but for the job, only program of a guest: mounts what a program expects, loads
 * modules, gives functions to vfio-pci, runs the job on the virtio-serial ports, tells the host how
 * it ended and powers off. Linked statically: nothing else is in the image but what the job needs.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>

#include "job.h"

static int control = -1;

static void power_off(void) __attribute__((noreturn));

/* What waits in the ports goes with the power: not before the host has it. */
static void power_off(void)
{
	char leave;

	while (control >= 0 && read(control, &leave, 1) < 0 && errno == EINTR)
		;
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A line to the host; to the console as long as there is no port. */
static void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vdprintf(control >= 0 ? control : STDERR_FILENO, fmt, ap);
	va_end(ap);
}

#define FAIL(fmt, ...)                                   \
	do {                                             \
		say(SAY_FAILED fmt "\n", ##__VA_ARGS__); \
		power_off();                             \
	} while (0)

/* The root is in memory already: /tmp and /run are folders of it, where the job may have files. */
static void mount_all(void)
{
	static const struct {
		const char *type, *where;
	} mounts[] = {
		{"proc", "/proc"},	{"sysfs", "/sys"},     {"devtmpfs", "/dev"},
		{"devpts", "/dev/pts"}, {"tmpfs", "/dev/shm"}, {"hugetlbfs", "/dev/hugepages"},
	};

	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		mkdir(mounts[i].where, 0755);
		mount(mounts[i].type, mounts[i].where, mounts[i].type, 0, NULL);
	}
	mkdir("/tmp", 0755);
	mkdir("/run", 0755);
	mkdir("/var", 0755);
	symlink("/run", "/var/run"); /* where EAL keeps its files */
	symlink("/proc/self/fd", "/dev/fd");
	symlink("/proc/self/fd/0", "/dev/stdin");
	symlink("/proc/self/fd/1", "/dev/stdout");
	symlink("/proc/self/fd/2", "/dev/stderr");
	mkdir("/run/barrage", 0755);
}

/* The modules where a program of this kernel looks for them; depmod's index is not there. */
static void show_modules(void)
{
	struct utsname kernel;
	char path[128];

	uname(&kernel);
	mkdir("/lib", 0755);
	mkdir("/lib/modules", 0755);
	snprintf(path, sizeof(path), "/lib/modules/%s", kernel.release);
	symlink(JOB_FOLDER, path);
}

static void loopback_up(void)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	ioctl(fd, SIOCSIFFLAGS, &lo);
	close(fd);
}

/* Write to a file of /proc or /sys. */
static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t put = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return put < 0 ? -1 : 0;
}

static bool get(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, size - 1);

	if (fd >= 0)
		close(fd);
	if (got < 0)
		return false;
	text[got] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return true;
}

static void load(const char *module)
{
	size_t len = strcspn(module, " ");
	char *path = strndup(module, len);
	const char *parameters = module + len;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || (syscall(SYS_finit_module, fd, parameters, 0) < 0 && errno != EEXIST))
		FAIL("loading %s: %s", module, strerror(errno));
	close(fd);
	free(path);
}

/* Find the port of that name, as /dev/vportXpY. */
static bool find_port(const char *name, char *dev, size_t size)
{
	DIR *dir = opendir("/sys/class/virtio-ports");
	bool found = false;
	struct dirent *e;

	while (dir && !found && (e = readdir(dir))) {
		char path[512], text[64];

		snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", e->d_name);
		found = get(path, text, sizeof(text)) && !strcmp(text, name);
		if (found)
			snprintf(dev, size, "/dev/%s", e->d_name);
	}
	if (dir)
		closedir(dir);
	return found;
}

/* The host announces ports one by one after the driver has started: wait for ours. */
static void wait_for_port(const char *name, char *dev, size_t size)
{
	for (int i = 0; i < 1000; i++) {
		if (find_port(name, dev, size))
			return;
		usleep(10 * 1000);
	}
	FAIL("no virtio-serial port %s: is virtio_console missing?", name);
}

static int open_port(const char *name, int flags)
{
	char dev[300];
	int fd;

	wait_for_port(name, dev, sizeof(dev));
	fd = open(dev, flags | O_CLOEXEC);
	if (fd < 0)
		FAIL("%s: %s", dev, strerror(errno));
	return fd;
}

static void bind_to_vfio(const char *bdf)
{
	char dir[64], path[512], text[512], driver[256] = "none";
	ssize_t len;

	snprintf(dir, sizeof(dir), "/sys/bus/pci/devices/%s", bdf);
	if (access(dir, F_OK) < 0)
		FAIL("no PCI function %s", bdf);
	snprintf(path, sizeof(path), "%s/driver/unbind", dir);
	put(path, bdf);
	snprintf(path, sizeof(path), "%s/driver_override", dir);
	put(path, "vfio-pci");
	put("/sys/bus/pci/drivers_probe", bdf);

	snprintf(path, sizeof(path), "%s/driver", dir);
	len = readlink(path, text, sizeof(text) - 1);
	if (len > 0) {
		text[len] = '\0';
		snprintf(driver, sizeof(driver), "%s", strrchr(text, '/') + 1);
	}
	if (strcmp(driver, "vfio-pci") != 0)
		FAIL("%s would not bind to vfio-pci (driver: %s)", bdf, driver);
}

struct job {
	char *argv[1024];
	int argc;
	const char *mark;
	struct winsize tty; /* no rows: no terminal */
	bool calibrate;
};

static void act(struct job *job, const char *key, char *value)
{
	if (!strcmp(key, JOB_MODULE))
		load(value);
	else if (!strcmp(key, JOB_HUGEPAGES))
		put("/proc/sys/vm/nr_hugepages", value);
	else if (!strcmp(key, JOB_VFIO))
		bind_to_vfio(value);
	else if (!strcmp(key, JOB_ENV))
		putenv(value);
	else if (!strcmp(key, JOB_TTY))
		sscanf(value, "%hu %hu", &job->tty.ws_row, &job->tty.ws_col);
	else if (!strcmp(key, JOB_MARK))
		job->mark = value;
	else if (!strcmp(key, JOB_CALIBRATE))
		job->calibrate = true;
	else if (!strcmp(key, JOB_ARG) && job->argc < 1023)
		job->argv[job->argc++] = value;
	else
		FAIL("cannot do \"%s %s\"", key, value);
}

/* The strings stay in memory: argv and the environment point to them. */
static void do_job_file(struct job *job)
{
	int fd = open(JOB_FILE, O_RDONLY | O_CLOEXEC);
	struct stat st;
	char *text, *end;

	if (fd < 0 || fstat(fd, &st) < 0 || !(text = malloc((size_t)st.st_size)) ||
	    read(fd, text, (size_t)st.st_size) != st.st_size)
		FAIL("%s: %s", JOB_FILE, strerror(errno));
	close(fd);

	end = text + st.st_size;
	while (text < end) {
		char *key = text, *value = key + strlen(key) + 1;

		act(job, key, value);
		text = value + strlen(value) + 1;
	}
	if (!job->argc)
		FAIL("the job has no program");
}

static void exec_program(char *const argv[]) __attribute__((noreturn));

static void exec_program(char *const argv[])
{
	execv(argv[0], argv);
	dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

/* The program's ports. A port has one opener, and init writes to them when the program has ended.
 */
struct ports {
	int in, out, err;
};

static pid_t start_on_ports(const struct job *job, const struct ports *ports)
{
	pid_t pid = fork();

	if (pid == 0) {
		setsid();
		dup2(ports->in, STDIN_FILENO);
		dup2(ports->out, STDOUT_FILENO);
		dup2(ports->err, STDERR_FILENO);
		exec_program(job->argv);
	}
	return pid;
}

/* Move what can be read; false at the end. */
static bool copy(int from, int to)
{
	char data[4096];
	ssize_t got = read(from, data, sizeof(data));

	return got > 0 && write(to, data, (size_t)got) == got;
}

static void relay(int in, int out, int tty)
{
	struct pollfd fds[] = {{.fd = in, .events = POLLIN}, {.fd = tty, .events = POLLIN}};

	while (poll(fds, 2, -1) > 0 || errno == EINTR) {
		if (fds[1].revents && !copy(tty, out))
			return;
		if (fds[0].revents && !copy(in, tty))
			fds[0].fd = -1;
	}
}

static pid_t start_on_terminal(const struct job *job, const struct ports *ports)
{
	int tty;
	pid_t pid = forkpty(&tty, NULL, NULL, &job->tty);

	if (pid == 0)
		exec_program(job->argv);
	if (pid > 0)
		relay(ports->in, ports->out, tty);
	return pid;
}

/* Orphans of the program end up here as well; the program's own end is what counts. */
static int wait_for(pid_t program)
{
	int status;
	pid_t pid;

	while ((pid = wait(&status)) != program)
		if (pid < 0 && errno != EINTR)
			FAIL("waiting for the program: %s", strerror(errno));
	return status;
}

/* Nobody but init is left. */
static void end_orphans(void)
{
	kill(-1, SIGKILL);
	while (wait(NULL) > 0 || errno == EINTR)
		;
}

static void end_port(int port, const char *mark)
{
	if (write(port, mark, strlen(mark)) != (ssize_t)strlen(mark))
		FAIL("a port is not taking what is written: %s", strerror(errno));
}

static void end_ports(const struct ports *ports, const char *records, const char *mark)
{
	int port = open(records, O_WRONLY | O_CLOEXEC);

	if (port < 0)
		FAIL("%s: %s", records, strerror(errno));
	end_port(port, mark);
	end_port(ports->out, mark);
	end_port(ports->err, mark);
}

/* The ticks of a loop of two instructions per turn; the least of some runs, for interrupts. */
static unsigned long long loop_ticks(unsigned long turns)
{
	unsigned long long least = ~0ull;

	for (int run = 0; run < 21; run++) {
		unsigned long left = turns;
		unsigned long long start = __rdtsc(), ticks;

		__asm__ volatile("1: dec %0\n\tjnz 1b" : "+r"(left) : : "cc");
		ticks = __rdtsc() - start;
		least = ticks < least ? ticks : least;
	}
	return least;
}

/* What 60,000 turns take more than 10,000: 100,000 instructions, and nothing else. */
static void calibrate(const char *records)
{
	unsigned long long ticks = loop_ticks(60000) - loop_ticks(10000);
	int port = open(records, O_WRONLY | O_CLOEXEC);

	if (port < 0)
		FAIL("%s: %s", records, strerror(errno));
	dprintf(port, "{\"op\":\"calibration\",\"ticks\":%llu}\n", ticks);
	close(port);
}

int main(void)
{
	struct job job = {0};
	struct ports ports;
	char records[300];
	pid_t pid;
	int status;

	mount_all();
	show_modules();
	loopback_up();
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/root", 1);
	/* Modules come first in the job; the port's own driver is among them. */
	do_job_file(&job);
	control = open_port(PORT_CONTROL, O_RDWR);
	wait_for_port(PORT_RECORDS, records, sizeof(records));
	symlink(records, RECORDS_PATH);
	ports.in = open_port(PORT_STDIN, O_RDONLY);
	ports.out = open_port(PORT_STDOUT, O_WRONLY);
	ports.err = open_port(PORT_STDERR, O_WRONLY);

	if (job.calibrate)
		calibrate(records);
	say(SAY_READY "\n");
	pid = (job.tty.ws_row ? start_on_terminal : start_on_ports)(&job, &ports);
	if (pid < 0)
		FAIL("fork: %s", strerror(errno));
	status = wait_for(pid);
	end_orphans();
	end_ports(&ports, records, job.mark);
	if (WIFSIGNALED(status))
		say(SAY_SIGNAL "%d\n", WTERMSIG(status));
	else
		say(SAY_EXIT "%d\n", WEXITSTATUS(status));
	sync();
	power_off();
}
