/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LAB_STEPS_H
#define LAB_STEPS_H

/*
 * What is done to a guest's hardware while a program runs in it: a script of steps, one per line,
 * done one after the other through QMP, the monitor protocol of QEMU.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/** Names that steps have for the parts of the machine (vm.c makes it so). */
#define STEPS_CONTROLLER "nvme"
#define STEPS_SLOT	 "bay"
#define STEPS_DISK	 "disk"

struct step {
	unsigned int line; /* in the file */
	enum {
		STEP_AT,    /* so long after the program's start */
		STEP_AFTER, /* so long after the step before, or the start */
		STEP_WHEN,  /* when the program has printed text, since the step before */
	} when;
	double seconds;
	char *text;
	char *name;	    /* of what is done */
	json_t *commands;   /* for QMP, in order */
	bool until_removed; /* done when QEMU has no such controller any more */
	bool yank;	    /* before the last command pull it out of its slot */
};

struct steps {
	char *path;
	struct step *list;
	size_t count;
	bool yank; /* one of them is such a step: the slot must be of the kind that tells of it */
};

/** Read a file. NULL after a message that says what is wrong in which line. */
struct steps *steps_load(const char *path);

void steps_free(struct steps *steps);

/** Steps on their way. */
struct stepper {
	const struct steps *steps;
	int fd;	 /* to QMP */
	int bus; /* to what writes to the guest's memory, as a CPU would: QEMU's qtest */
	size_t next;
	bool started;		 /* the program has */
	double start, previous;	 /* seconds: of the program, of the end of the step before */
	size_t command;		 /* of the present step: the next to be sent */
	bool waiting;		 /* for the answer to one, or the guest */
	bool removed;		 /* the controller, by the present step */
	unsigned int unanswered; /* of what this step has sent to the bus */
	bool pulled;		 /* it has sent all of that */
	char *said;		 /* by the program, and not looked at */
	size_t nsaid;
	char *answer; /* of QMP, up to the end of a line */
	size_t nanswer;
	char error[512]; /* "": none */
};

/**
 * @param steps  NULL: none.
 * @param fd     a socket that QEMU's monitor is at the other end of, and
 * @param bus    one that its qtest is; both stay the caller's.
 */
void stepper_open(struct stepper *s, const struct steps *steps, int fd, int bus);

void stepper_close(struct stepper *s);

/* Times are seconds of any clock. */

/** The program starts now. */
void stepper_start(struct stepper *s, double now);

/** It has printed something. */
void stepper_hear(struct stepper *s, const char *data, size_t size);

/** QMP has. */
void stepper_answer(struct stepper *s, const char *data, size_t size, double now);

/** What is at the other end of @p bus has. */
void stepper_bus_answer(struct stepper *s, const char *data, size_t size, double now);

/** Do what is due. @return seconds until something is, or -1: nothing by the clock. */
double stepper_go_on(struct stepper *s, double now);

/** The step that has not been done, or NULL: all have. */
const struct step *stepper_left(const struct stepper *s);

#endif
