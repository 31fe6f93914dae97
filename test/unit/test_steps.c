/* SPDX-License-Identifier: BSD-3-Clause */
/* The lab's steps: how they are read, and in which order QMP hears of them. The test is QMP. */

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "steps.h"

/* What barrage-lab would have printed goes nowhere: the tests look at what is made of the file. */
static struct steps *load(const char *text)
{
	char path[] = "/tmp/steps-XXXXXX";
	int fd = mkstemp(path);
	struct steps *steps;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	steps = steps_load(path);
	unlink(path);
	return steps;
}

static const char *command(const struct step *step, size_t i)
{
	return json_string_value(json_object_get(json_array_get(step->commands, i), "execute"));
}

static json_t *arguments(const struct step *step, size_t i)
{
	return json_object_get(json_array_get(step->commands, i), "arguments");
}

static void every_action(void **state)
{
	struct steps *steps = load("# nothing\n\n"
				   "  when \"it is ready\" unplug\n"
				   "after 0.5\tplug  \n"
				   "at 2 stall\n"
				   "at 3 resume\n"
				   "at 4 fail read 1234\n"
				   "at 5 fail flush\n"
				   "at 6 heal\n"
				   "at 7 qmp stop\n"
				   "at 7 slow 8\n"
				   "at 8 qmp set_link {\"name\": \"x\", \"up\": false}");
	const json_t *rule;

	assert_non_null(steps);
	assert_int_equal(steps->count, 10);
	assert_int_equal(steps->list[0].when, STEP_WHEN);
	assert_string_equal(steps->list[0].text, "it is ready");
	assert_int_equal(steps->list[0].line, 3);
	assert_string_equal(command(&steps->list[0], 0), "device_del");
	assert_true(steps->list[0].until_removed);

	assert_int_equal(steps->list[1].when, STEP_AFTER);
	assert_true(steps->list[1].seconds == 0.5);
	assert_string_equal(command(&steps->list[1], 0), "device_add");
	assert_false(steps->list[1].until_removed);

	assert_int_equal(steps->list[2].when, STEP_AT);
	assert_int_equal(json_integer_value(json_object_get(arguments(&steps->list[2], 0), "bps")),
			 1);
	assert_int_equal(json_integer_value(json_object_get(arguments(&steps->list[3], 0), "bps")),
			 0);

	assert_string_equal(command(&steps->list[4], 0), "blockdev-add");
	assert_string_equal(command(&steps->list[4], 1), "qom-set");
	rule = json_array_get(json_object_get(arguments(&steps->list[4], 0), "inject-error"), 0);
	assert_int_equal(json_integer_value(json_object_get(rule, "sector")), 1234);
	rule = json_array_get(json_object_get(arguments(&steps->list[5], 0), "inject-error"), 0);
	assert_string_equal(json_string_value(json_object_get(rule, "iotype")), "flush");
	assert_null(json_object_get(rule, "sector"));

	assert_string_equal(command(&steps->list[7], 0), "stop");
	assert_int_equal(json_object_size(arguments(&steps->list[7], 0)), 0);
	assert_int_equal(json_integer_value(json_object_get(arguments(&steps->list[8], 0), "iops")),
			 8);
	assert_true(json_is_false(json_object_get(arguments(&steps->list[9], 0), "up")));
	steps_free(steps);
}

static void mistakes(void **state)
{
	static const char *const bad[] = {
		"unplug",
		"at unplug",
		"at -1 unplug",
		"at 1e9 unplug",
		"at 1",
		"at 1unplug",
		"after 1 ",
		"when ready unplug",
		"when \"ready",
		"when \"\" plug",
		"at 1 vanish",
		"at 1 plug nvme",
		"at 1 stall 5",
		"at 1 yank now",
		"at 1 fail",
		"at 1 fail erase",
		"at 1 fail read x",
		"at 1 fail read 1 2",
		"at 1 fail read -1",
		"at 1 qmp",
		"at 1 qmp stop {",
		"at 1 qmp stop []",
		"at 1 slow",
		"at 1 slow 0",
		"at 1 slow 5x",
		"at 1 heal all",
		"when \"ready\"unplug",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct steps *steps = load(bad[i]);

		if (steps)
			fail_msg("\"%s\" was taken", bad[i]);
	}
	assert_null(steps_load("/nowhere"));
}

/* A stepper, and the other end of its socket. */
struct talk {
	struct steps *steps;
	struct stepper s;
	int fds[2], bus[2];
};

static struct talk *talk(const char *text)
{
	struct talk *t = calloc(1, sizeof(*t));

	t->steps = load(text);
	assert_non_null(t->steps);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, t->fds), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, t->bus), 0);
	stepper_open(&t->s, t->steps, t->fds[0], t->bus[0]);
	return t;
}

static void end(struct talk *t)
{
	stepper_close(&t->s);
	steps_free(t->steps);
	close(t->fds[0]);
	close(t->fds[1]);
	close(t->bus[0]);
	close(t->bus[1]);
	free(t);
}

/* What was sent since, as it went over the wire: the name of the one command; "" for none. */
static const char *sent(struct talk *t)
{
	static char name[64];
	char line[4096];
	ssize_t got = recv(t->fds[1], line, sizeof(line), MSG_DONTWAIT);
	json_t *json;

	if (got <= 0)
		return "";
	json = json_loadb(line, (size_t)got, JSON_DISABLE_EOF_CHECK, NULL);
	assert_int_equal(line[got - 1], '\n');
	assert_ptr_equal(memchr(line, '\n', (size_t)got), line + got - 1);
	snprintf(name, sizeof(name), "%s", json_string_value(json_object_get(json, "execute")));
	json_decref(json);
	return name;
}

static void says(struct talk *t, const char *line, double now)
{
	stepper_answer(&t->s, line, strlen(line), now);
}

/* A command waits for the answer to the one before, a step for the end of the one before. */
static void one_after_the_other(void **state)
{
	struct talk *t = talk("at 1 fail write\nafter 2 unplug\nat 1 plug\n");

	assert_string_equal(sent(t), "qmp_capabilities");
	stepper_start(&t->s, 100);
	assert_true(stepper_go_on(&t->s, 101) < 0); /* QMP has not answered */
	says(t, "{\"QMP\": {}}\n{\"return\": {}, \"id\"", 101);
	assert_string_equal(sent(t), "");
	says(t, ": -1}\n", 101);
	assert_true(stepper_go_on(&t->s, 100.75) == 0.25);
	stepper_go_on(&t->s, 101);
	assert_string_equal(sent(t), "blockdev-add");
	says(t, "{\"event\": \"RESUME\"}\n", 101);
	assert_string_equal(sent(t), "");
	says(t, "{\"return\": {}, \"id\": 0}\n", 101);
	assert_string_equal(sent(t), "qom-set");
	says(t, "{\"return\": {}, \"id\": 0}\n", 103);
	assert_true(stepper_go_on(&t->s, 104) == 1);
	stepper_go_on(&t->s, 105);
	assert_string_equal(sent(t), "device_del");
	says(t, "{\"return\": {}, \"id\": 1}\n", 105);
	says(t, "{\"event\": \"DEVICE_DELETED\", \"data\": {\"path\": \"/x\"}}\n", 106);
	assert_true(stepper_go_on(&t->s, 110) < 0); /* the guest has not let go */
	says(t, "{\"event\": \"DEVICE_DELETED\", \"data\": {\"device\": \"nvme\"}}\n", 110);
	stepper_go_on(&t->s, 110);
	assert_string_equal(sent(t), "device_add");
	assert_non_null(stepper_left(&t->s));
	says(t, "{\"return\": {}, \"id\": 2}\n", 110);
	assert_null(stepper_left(&t->s));
	assert_string_equal(t->s.error, "");
	end(t);
}

/* The same words twice are there for two steps; in pieces they count as well. */
static void waits_for_words(void **state)
{
	struct talk *t = talk("when \"go\" qmp stop\nwhen \"go\" qmp cont\n");

	sent(t);
	says(t, "{\"return\": {}, \"id\": -1}\n", 0);
	stepper_start(&t->s, 0);
	stepper_hear(&t->s, "here we g", 9);
	stepper_go_on(&t->s, 1);
	assert_string_equal(sent(t), "");
	stepper_hear(&t->s, "o", 1);
	stepper_go_on(&t->s, 1);
	assert_string_equal(sent(t), "stop");
	says(t, "{\"return\": {}, \"id\": 0}\n", 1);
	stepper_go_on(&t->s, 1);
	assert_string_equal(sent(t), "");
	stepper_hear(&t->s, " and go", 7);
	stepper_go_on(&t->s, 1);
	assert_string_equal(sent(t), "cont");
	end(t);
}

static void an_error_ends_it(void **state)
{
	struct talk *t = talk("# first\nat 0 unplug\nat 0 plug\n");

	sent(t);
	says(t, "{\"return\": {}, \"id\": -1}\n", 0);
	stepper_start(&t->s, 0);
	stepper_go_on(&t->s, 0);
	assert_string_equal(sent(t), "device_del");
	says(t,
	     "{\"error\": {\"class\": \"DeviceNotFound\", \"desc\": \"Device 'nvme' not found\"}, "
	     "\"id\": 0}\n",
	     0);
	assert_non_null(strstr(t->s.error, ":2: unplug: Device 'nvme' not found"));
	assert_true(stepper_go_on(&t->s, 1) < 0);
	assert_string_equal(sent(t), "");
	end(t);
}

/* With the machine at rest, and past QMP. */
static void a_device_is_yanked(void **state)
{
	struct talk *t = talk("at 0 yank\nat 0 plug\n");
	char line[64] = "";

	assert_true(t->steps->yank);
	sent(t);
	says(t, "{\"return\": {}, \"id\": -1}\n", 0);
	stepper_start(&t->s, 0);
	stepper_go_on(&t->s, 0);
	for (int i = 0; i < 4; i++) {
		assert_string_equal(sent(t), "stop");
		assert_true(recv(t->bus[1], line, sizeof(line), MSG_DONTWAIT) < 0);
		says(t, "{\"return\": {}, \"id\": 0}\n", 0);
	}
	assert_string_equal(sent(t), "");
	assert_true(recv(t->bus[1], line, sizeof(line) - 1, MSG_DONTWAIT) > 0);
	assert_string_equal(line, "writew 0xb002006c 0x7f9\nwritew 0xb002006c 0x1f9\n");
	says(t, "{\"event\": \"DEVICE_DELETED\", \"data\": {\"device\": \"nvme\"}}\n", 0);
	stepper_bus_answer(&t->s, "OK\nO", 4, 1);
	assert_string_equal(sent(t), "");
	stepper_bus_answer(&t->s, "K\n", 2, 1);
	assert_string_equal(sent(t), "cont");
	says(t, "{\"return\": {}, \"id\": 0}\n", 1);
	stepper_go_on(&t->s, 1);
	assert_string_equal(sent(t), "device_add");
	assert_string_equal(t->s.error, "");
	end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_action),	       cmocka_unit_test(mistakes),
		cmocka_unit_test(one_after_the_other), cmocka_unit_test(waits_for_words),
		cmocka_unit_test(an_error_ends_it),    cmocka_unit_test(a_device_is_yanked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
