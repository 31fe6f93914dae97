/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Steps on their way. QMP is a line of JSON for each command, answer and event; a command is sent
 * when the one before has been answered (QEMU's QMP specification, 2.2 to 2.6).
 */

#include <err.h>
#include <linux/pci_regs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "steps.h"
#include "text.h"

/* The "id" that QMP answers with: of a step's commands its number, of the first command this. */
#define HELLO (-1)

/* Of what the program prints this much is kept to look for texts in. */
#define MOST_SAID 65536

static void fail(struct stepper *s, const char *what, const char *why)
{
	const struct step *step = stepper_left(s);

	snprintf(s->error, sizeof(s->error), "%s:%u: %s: %s", s->steps->path, step ? step->line : 0,
		 what, why);
}

/* The socket takes more than a command has. */
static void send_text(struct stepper *s, int fd, const char *text)
{
	char *line = format("%s\n", text);
	ssize_t len = (ssize_t)strlen(line);

	if (send(fd, line, (size_t)len, MSG_NOSIGNAL) != len)
		fail(s, "QMP", "QEMU takes no commands");
	free(line);
}

static void send_line(struct stepper *s, const json_t *command)
{
	char *text = json_dumps(command, JSON_COMPACT);

	if (!text)
		err(1, "steps");
	send_text(s, s->fd, text);
	free(text);
}

/*
 * QMP has no command that takes a device away before the guest has agreed. But a slot whose power
 * controller and power indicator are both off may be emptied, and so QEMU empties it the moment
 * that they are (hw/pci/pcie.c): it is not the guest that turns them off, but a write to the root
 * port's Slot Control, past the CPUs. The next one turns the power on again, since a guest that is
 * told of an empty slot without power takes it for one that it has emptied itself. QEMU reads both
 * at once and does both before a CPU gets at the port.
 *
 * ECAM is where SeaBIOS puts it on q35, slot 4 of bus 0 is the port, and its PCI Express capability
 * is at 54h.
 */
#define ECAM	     0xb0000000u
#define SLOT_CONTROL (ECAM + (4u << 15) + 0x54 + PCI_EXP_SLTCTL)
#define ALWAYS                                                                     \
	(PCI_EXP_SLTCTL_ATTN_IND_OFF | PCI_EXP_SLTCTL_HPIE | PCI_EXP_SLTCTL_CCIE | \
	 PCI_EXP_SLTCTL_PDCE | PCI_EXP_SLTCTL_ABPE)

static void pull_out(struct stepper *s)
{
	char *text = format("writew %#x %#x\nwritew %#x %#x", SLOT_CONTROL,
			    ALWAYS | PCI_EXP_SLTCTL_PCC | PCI_EXP_SLTCTL_PWR_IND_OFF, SLOT_CONTROL,
			    ALWAYS | PCI_EXP_SLTCTL_PWR_IND_ON);

	send_text(s, s->bus, text);
	s->unanswered = 2;
	s->pulled = true;
	free(text);
}

void stepper_open(struct stepper *s, const struct steps *steps, int fd, int bus)
{
	json_t *hello;

	*s = (struct stepper){.steps = steps, .fd = fd, .bus = bus, .waiting = true};
	if (!steps)
		return;
	hello = json_pack("{s:s, s:i}", "execute", "qmp_capabilities", "id", HELLO);
	send_line(s, hello);
	json_decref(hello);
}

void stepper_close(struct stepper *s)
{
	free(s->said);
	free(s->answer);
}

const struct step *stepper_left(const struct stepper *s)
{
	return s->steps && s->next < s->steps->count ? &s->steps->list[s->next] : NULL;
}

void stepper_start(struct stepper *s, double now)
{
	s->started = true;
	s->start = s->previous = now;
}

static void append(char **text, size_t *len, const char *data, size_t size)
{
	*text = realloc(*text, *len + size + 1);
	if (!*text)
		err(1, "steps");
	memcpy(*text + *len, data, size);
	*len += size;
	(*text)[*len] = '\0';
}

static void drop(char *text, size_t *len, size_t size)
{
	*len -= size;
	memmove(text, text + size, *len + 1);
}

void stepper_hear(struct stepper *s, const char *data, size_t size)
{
	if (!stepper_left(s))
		return;
	append(&s->said, &s->nsaid, data, size);
	if (s->nsaid > MOST_SAID)
		drop(s->said, &s->nsaid, s->nsaid - MOST_SAID);
}

/* Whether it has been said; what was said up to there is for no other step. */
static bool has_said(struct stepper *s, const char *text)
{
	char *found = s->said ? memmem(s->said, s->nsaid, text, strlen(text)) : NULL;

	if (!found)
		return false;
	drop(s->said, &s->nsaid, (size_t)(found - s->said) + strlen(text));
	return true;
}

static void finish_step(struct stepper *s, double now)
{
	s->next++;
	s->command = 0;
	s->removed = false;
	s->pulled = false;
	s->waiting = false;
	s->previous = now;
}

/* What comes next within a step. */
static void send_next(struct stepper *s, double now)
{
	const struct step *step = stepper_left(s);
	size_t commands = json_array_size(step->commands);

	if (step->yank && !s->pulled && s->command + 1 == commands) {
		pull_out(s);
		s->waiting = true;
	} else if (s->command < commands) {
		json_t *command = json_array_get(step->commands, s->command++);

		json_object_set_new(command, "id", json_integer((json_int_t)s->next));
		send_line(s, command);
		s->waiting = true;
	} else if (!step->until_removed || s->removed) {
		finish_step(s, now);
	}
}

/* It may be gone before all is said that the step has to say. */
static void note_removal(struct stepper *s, double now)
{
	const struct step *step = stepper_left(s);

	s->removed = true;
	if (s->command == json_array_size(step->commands))
		finish_step(s, now);
}

static void take(struct stepper *s, const json_t *json, double now)
{
	const struct step *step = stepper_left(s);
	const json_t *error = json_object_get(json, "error"), *id = json_object_get(json, "id");
	const json_t *data = json_object_get(json, "data");
	const char *event = json_string_value(json_object_get(json, "event"));
	const char *device = json_string_value(json_object_get(data, "device"));

	if (error) {
		fail(s, step ? step->name : "QMP",
		     json_string_value(json_object_get(error, "desc")));
	} else if (id && json_integer_value(id) == HELLO) {
		s->waiting = false;
	} else if (id && json_integer_value(id) == (json_int_t)s->next) {
		send_next(s, now);
	} else if (event && s->command && step->until_removed && device &&
		   !strcmp(event, "DEVICE_DELETED") && !strcmp(device, STEPS_CONTROLLER)) {
		note_removal(s, now);
	}
}

void stepper_answer(struct stepper *s, const char *data, size_t size, double now)
{
	char *end;

	append(&s->answer, &s->nanswer, data, size);
	while ((end = memchr(s->answer, '\n', s->nanswer))) {
		json_error_t error;
		json_t *json = json_loadb(s->answer, (size_t)(end - s->answer), 0, &error);

		if (json)
			take(s, json, now);
		else
			fail(s, "QMP", error.text);
		json_decref(json);
		drop(s->answer, &s->nanswer, (size_t)(end - s->answer) + 1);
	}
}

/* qtest answers each command with a line, "OK" or what was wrong. */
void stepper_bus_answer(struct stepper *s, const char *data, size_t size, double now)
{
	if (memmem(data, size, "FAIL", 4) || memmem(data, size, "ERR", 3))
		fail(s, "yank", "QEMU does not let anybody write to the slot");
	for (size_t i = 0; i < size && s->unanswered; i++)
		if (data[i] == '\n' && !--s->unanswered)
			send_next(s, now);
}

double stepper_go_on(struct stepper *s, double now)
{
	const struct step *step;

	while (s->started && !s->waiting && !s->error[0] && (step = stepper_left(s))) {
		double due = step->seconds + (step->when == STEP_AT ? s->start : s->previous);

		if (step->when == STEP_WHEN && !has_said(s, step->text))
			return -1;
		if (step->when != STEP_WHEN && now < due)
			return due - now;
		send_next(s, now);
	}
	return -1;
}
