/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * barrage vf: an owner of virtual functions, other processes that use them, and what is left when
 * it ends, is killed or loses the physical one. BARRAGE in the environment is the path of the
 * command; the controller at BARRAGE_DEVICES has no virtual functions.
 */

#include "guest.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>

#include "file.h"

#define TOKEN "6f1d2b3c-0a1b-4c2d-8e3f-0123456789ab"
#define DATA  "/tmp/data"

static const char *barrage, *bdf;
static pid_t owner;
static char vf[2][16];

static void put(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int vfs_now(void)
{
	char path[128];
	FILE *file;
	int n = -1;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/sriov_numvfs", bdf);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%d", &n), 1);
	fclose(file);
	return n;
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static json_int_t number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* One object, and not the end of the pipe: its writer stays. */
static json_t *read_object(int fd)
{
	FILE *in = fdopen(fd, "r");
	json_t *json;

	assert_non_null(in);
	json = json_loadf(in, JSON_DISABLE_EOF_CHECK, NULL);
	fclose(in);
	assert_non_null(json);
	return json;
}

/* Start an owner, and wait until it has them. */
static void enable(void)
{
	json_t *json, *list;
	int output[2];

	assert_int_equal(pipe(output), 0);
	owner = fork();
	if (owner == 0) {
		dup2(output[1], STDOUT_FILENO);
		execl(barrage, barrage, "vf", "enable", "--count", "2", "--json", bdf, NULL);
		_exit(127);
	}
	close(output[1]);
	json = read_object(output[0]);
	list = json_object_get(json, "functions");
	assert_int_equal(number_of(json, "count"), 2);
	assert_string_equal(text_of(json, "token"), TOKEN);
	assert_int_equal(json_array_size(list), 2);
	for (size_t i = 0; i < 2; i++) {
		const json_t *function = json_array_get(list, i);

		assert_string_equal(text_of(function, "state"), "online");
		assert_string_equal(text_of(function, "driver"), "vfio-pci");
		assert_int_equal(number_of(function, "queues"), 2);
		assert_int_equal(number_of(function, "interrupts"), 1);
		snprintf(vf[i], sizeof(vf[i]), "%s", text_of(function, "bdf"));
	}
	json_decref(json);
}

/* @return the owner's exit status, or -1: it was killed. */
static int end_owner(int number)
{
	int status;

	if (number)
		assert_int_equal(kill(owner, number), 0);
	assert_int_equal(waitpid(owner, &status, 0), owner);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void what_is_refused(void **state)
{
	const char *other = getenv("BARRAGE_DEVICES");

	assert_int_equal(run(barrage, "vf", "enable", "-c", "2", bdf, NULL), 1);
	assert_printed("enable_sriov");
	assert_int_equal(run(barrage, "vf", "enable", "-c", "3", bdf, NULL), 1);
	assert_printed("for each of 3 virtual functions");
	assert_int_equal(run(barrage, "vf", "enable", "-c", "2", "-q", "9", bdf, NULL), 1);
	assert_printed("9 queues for each of 2 virtual functions: each needs 2, and there are 4");
	assert_int_equal(run(barrage, "vf", "enable", "-c", "2", "-i", "2", bdf, NULL), 1);
	assert_printed("2 interrupts for each of 2 virtual functions");
	assert_int_equal(run(barrage, "vf", "enable", "-c", "1", other, NULL), 1);
	assert_printed("virtual");
	assert_int_equal(run(barrage, "vf", other, NULL), 1);
	assert_printed("has no virtual functions");
	works(run(barrage, "vf", bdf, NULL));
	assert_printed("0 of 2 virtual functions");
	assert_printed("4 queues and 2 interrupts for them, of which each takes up to 2 and 1");
	works(run(barrage, "vf", "disable", "--yes", bdf, NULL));
	put("/sys/module/vfio_pci/parameters/enable_sriov", "1");
	assert_int_equal(run(barrage, "vf", "enable", "-c", "3", "-q", "2", bdf, NULL), 1);
	assert_int_equal(vfs_now(), 0);
}

static void others_use_them(void **state)
{
	enable();
	make_file(DATA, 100 * 512, 1);
	works(run(barrage, "write", "--yes", "-f", DATA, vf[0], NULL));
	works(run(barrage, "compare", "-f", DATA, vf[1], NULL));
	setenv("BARRAGE_VF_TOKEN", "6f1d2b3c-0a1b-4c2d-8e3f-0123456789ac", 1);
	assert_int_equal(run(barrage, "identify", vf[0], NULL), 1);
	assert_printed("another token");
	unsetenv("BARRAGE_VF_TOKEN");
	assert_int_equal(run(barrage, "identify", vf[0], NULL), 1);
	assert_printed("set the token");
	setenv("BARRAGE_VF_TOKEN", TOKEN, 1);

	/* The controller is its owner's; the kernel still tells which functions there are. */
	works(run(barrage, "vf", bdf, NULL));
	assert_printed("2 of 2 virtual functions");
	assert_printed(vf[1]);
	assert_printed("(barrage)");
	assert_int_equal(run(barrage, "vf", "disable", "--yes", bdf, NULL), 1);
	assert_printed("(barrage)");
	assert_int_equal(run(barrage, "vf", "enable", "-c", "1", bdf, NULL), 1);
	assert_printed("(barrage)");
}

/* The owner is still there. A user of a function is asked by the kernel to let go of it. */
static void a_user_is_waited_for(void **state)
{
	pid_t user = fork();
	int status;

	if (user == 0) {
		execl(barrage, barrage, "perf", "--time", "1000", vf[0], NULL);
		_exit(127);
	}
	do {
		works(run(barrage, "vf", bdf, NULL));
	} while (!strstr(printed, "vfio-pci  /dev/vfio/"));
	assert_int_equal(end_owner(SIGTERM), 0);
	assert_int_equal(waitpid(user, &status, 0), user);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_int_equal(vfs_now(), 0);
	works(run(barrage, "compare", "-f", DATA, bdf, NULL));
	works(run(barrage, "vf", bdf, NULL));
	assert_printed("offline");
}

static void what_a_killed_owner_leaves(void **state)
{
	enable();
	assert_int_equal(end_owner(SIGKILL), -1);
	assert_int_equal(vfs_now(), 2);
	/* They are made anew, */
	enable();
	works(run(barrage, "identify", vf[1], NULL));
	assert_int_equal(end_owner(SIGKILL), -1);
	/* or taken away. */
	assert_int_equal(run(barrage, "vf", "disable", bdf, NULL), 1);
	assert_printed("--yes");
	works(run(barrage, "vf", "disable", "--yes", bdf, NULL));
	assert_printed("2 virtual functions are gone");
	assert_int_equal(vfs_now(), 0);
}

static void the_kernel_wants_it_back(void **state)
{
	enable();
	put("/sys/bus/pci/drivers/vfio-pci/unbind", bdf);
	assert_int_equal(end_owner(0), 1);
	assert_int_equal(vfs_now(), 0);
	works(run(barrage, "bind", bdf, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(others_use_them),
		cmocka_unit_test(a_user_is_waited_for),
		cmocka_unit_test(what_a_killed_owner_leaves),
		cmocka_unit_test(the_kernel_wants_it_back),
	};

	bdf = test_bdf();
	barrage = test_command("BARRAGE");
	setenv("BARRAGE_VF_TOKEN", TOKEN, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
