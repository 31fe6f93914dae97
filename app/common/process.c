/* SPDX-License-Identifier: BSD-3-Clause */
/* Child processes of the host: apt-get, make, the dynamic loader. */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process.h"

extern char **environ;

/* Wait for the child; 0 when it exited with 0. */
static int finish(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

static void print_tail(const char *path)
{
	FILE *log = fopen(path, "re");
	char lines[12][512];
	unsigned int n = 0;

	if (!log)
		return;
	while (fgets(lines[n % 12], sizeof(lines[0]), log))
		n++;
	for (unsigned int i = n > 12 ? n - 12 : 0; i < n; i++)
		fprintf(stderr, "    %s", lines[i % 12]);
	fprintf(stderr, "    (%s)\n", path);
	fclose(log);
}

int process_run(char *const argv[], const char *dir, const char *log)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int ret;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log,
					 O_WRONLY | O_CREAT | O_APPEND, 0666);
	posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
	if (dir)
		posix_spawn_file_actions_addchdir_np(&actions, dir);
	ret = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (ret) {
		warnx("%s: %s", argv[0], strerror(ret));
		return -1;
	}
	if (finish(pid) == 0)
		return 0;
	warnx("%s %s failed:", argv[0], argv[1] ? argv[1] : "");
	print_tail(log);
	return -1;
}

static char *read_all(int fd)
{
	FILE *in = fdopen(fd, "re");
	char *text = NULL;
	size_t size = 0;

	if (!in)
		err(1, "pipe");
	if (getdelim(&text, &size, '\0', in) < 0 && text)
		text[0] = '\0';
	fclose(in);
	return text;
}

char *process_output(char *const argv[])
{
	posix_spawn_file_actions_t actions;
	int pipefd[2];
	char *text;
	pid_t pid;
	int ret;

	if (pipe2(pipefd, O_CLOEXEC) < 0)
		err(1, "pipe");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, pipefd[1], STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	ret = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(pipefd[1]);
	text = read_all(pipefd[0]);
	if (ret == 0 && finish(pid) == 0)
		return text;
	free(text);
	return NULL;
}
