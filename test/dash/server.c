/* SPDX-License-Identifier: BSD-3-Clause */
/* A PostgreSQL server for one test program. */

#include <err.h>
#include <glob.h>
#include <grp.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server.h"

static char ctl[512], data[512], options[1024], url[512];

static void leave_root(void)
{
	const struct passwd *nobody = getpwnam("nobody");

	if (geteuid() != 0)
		return;
	if (!nobody || setgroups(0, NULL) || setgid(nobody->pw_gid) || setuid(nobody->pw_uid))
		err(1, "user nobody");
}

/* Run a program of the server's; what it prints goes to a file that is shown when it fails. */
static void run_as_server(char *const argv[])
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		leave_root();
		if (!freopen("log", "a", stdout) || dup2(STDOUT_FILENO, STDERR_FILENO) < 0)
			_exit(126);
		execv(argv[0], argv);
		_exit(127);
	}
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	fprintf(stderr, "%s failed:\n", argv[0]);
	if (system("cat log server.log >&2"))
		perror("log");
	exit(1);
}

/* A folder that belongs to whom the server runs as, with this one as its working folder. */
static void make_home(const char *folder)
{
	const struct passwd *nobody = getpwnam("nobody");
	char home[256];

	snprintf(home, sizeof(home), "%s/server", folder);
	if (mkdir(home, 0755) || chmod(folder, 0755))
		err(1, "%s", home);
	if (geteuid() == 0 && (!nobody || chown(home, nobody->pw_uid, nobody->pw_gid)))
		err(1, "%s", home);
	snprintf(data, sizeof(data), "%s/data", home);
	/* Durability is not tried here: no power fails. */
	snprintf(options, sizeof(options),
		 "-c listen_addresses= -c unix_socket_directories=%s -c fsync=off -c "
		 "max_connections=40",
		 home);
	snprintf(url, sizeof(url), "postgresql:///postgres?host=%s&user=barrage", home);
}

static void in_home(char *const argv[])
{
	char here[512], home[512];

	snprintf(home, sizeof(home), "%.*s", (int)(strlen(data) - strlen("/data")), data);
	if (!getcwd(here, sizeof(here)) || chdir(home))
		err(1, "%s", home);
	run_as_server(argv);
	if (chdir(here))
		err(1, "%s", here);
}

/* Debian keeps the programs of a server out of PATH, those of each version in a folder. */
static bool find_server(void)
{
	glob_t found;
	bool any = glob("/usr/lib/postgresql/*/bin/pg_ctl", 0, NULL, &found) == 0;

	if (any)
		snprintf(ctl, sizeof(ctl), "%s", found.gl_pathv[found.gl_pathc - 1]);
	globfree(&found);
	return any;
}

const char *server_start(const char *folder)
{
	char initdb[512];
	char *const make[] = {initdb,
			      "-D",
			      data,
			      "-U",
			      "barrage",
			      "--auth=trust",
			      "--no-sync",
			      "--locale=C.UTF-8",
			      "--encoding=UTF8",
			      NULL};
	char *const start[] = {ctl,	     "-D", data,  "-o", options, "-l",
			       "server.log", "-t", "120", "-w", "start", NULL};

	if (!find_server())
		return NULL;
	snprintf(initdb, sizeof(initdb), "%.*sinitdb", (int)(strrchr(ctl, '/') + 1 - ctl), ctl);
	make_home(folder);
	in_home(make);
	in_home(start);
	atexit(server_stop);
	return url;
}

void server_run(const char *sql)
{
	PGconn *connection = PQconnectdb(url);
	PGresult *result = PQexec(connection, sql);

	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		errx(1, "%s", PQerrorMessage(connection));
	PQclear(result);
	PQfinish(connection);
}

void server_empty(void)
{
	server_run("SET client_min_messages = warning;"
		   "DROP SCHEMA public CASCADE; CREATE SCHEMA public");
}

void server_stop(void)
{
	char *const stop[] = {ctl, "-D", data, "-m", "immediate", "-w", "stop", NULL};

	if (!data[0])
		return;
	in_home(stop);
	data[0] = '\0';
}
