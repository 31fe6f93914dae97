/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef COMMAND_H
#define COMMAND_H

/* Run a program and look at what it printed. Include after unit.h. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/** What the last run() printed, on stdout and stderr together. */
static char printed[1 << 18];

#define MOST_WORDS 24

/** Run a program with these arguments, ended by NULL, without a shell. @return its exit status. */
static inline int run(const char *program, ...)
{
	char *argv[MOST_WORDS + 1] = {(char *)(uintptr_t)program};
	size_t len = 0;
	int output[2];
	ssize_t got;
	int status;
	va_list ap;
	pid_t pid;

	va_start(ap, program);
	for (int i = 1; i < MOST_WORDS && (argv[i] = va_arg(ap, char *)); i++)
		;
	va_end(ap);
	assert_int_equal(pipe(output), 0);
	pid = fork();
	if (pid == 0) {
		dup2(output[1], STDOUT_FILENO);
		dup2(output[1], STDERR_FILENO);
		close(output[0]);
		close(output[1]);
		execv(program, argv);
		_exit(127);
	}
	close(output[1]);
	while (len < sizeof(printed) - 1 &&
	       (got = read(output[0], printed + len, sizeof(printed) - 1 - len)) > 0)
		len += (size_t)got;
	printed[len] = 0;
	close(output[0]);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define assert_printed(words)                                                                 \
	do {                                                                                  \
		if (!strstr(printed, (words)))                                                \
			fail_msg("\"%s\" is not in what was printed:\n%s", (words), printed); \
	} while (0)

#endif
