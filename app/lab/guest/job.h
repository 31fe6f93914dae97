/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LAB_JOB_H
#define LAB_JOB_H

/*
 * What the lab tells the guest's init to do, and how the two talk. Shared by both.
 *
 * The job is a file of NUL-terminated strings, a key and a value in turn; init acts on them in
 * order:
 */

#define JOB_FOLDER    "/barrage" /* in the guest: the modules, and */
#define JOB_FILE      JOB_FOLDER "/job"

#define JOB_MODULE    "module"	  /* path of a module to load; its parameters follow a blank */
#define JOB_HUGEPAGES "hugepages" /* number of 2 MiB pages to reserve */
#define JOB_VFIO      "vfio"	  /* BDF of a function to bind to vfio-pci */
#define JOB_ENV	      "env"	  /* NAME=VALUE for the program */
#define JOB_TTY	      "tty"	  /* "ROWS COLUMNS": give the program a terminal of that size */
#define JOB_MARK      "mark"	  /* what ends the program's ports, see below */
#define JOB_CALIBRATE "calibrate" /* tell in the records what a tick of the TSC is; no value */
#define JOB_ARG	      "arg"	  /* the program and its arguments, one by one */

/*
 * virtio-serial ports, by name. QEMU takes what is written at once, so that it is not lost in a
 * crash, as long as the lab keeps up. Where it does not, up to 128 writes wait in the guest. So
 * when the program has ended init writes the mark to the ports that the program had, says how it
 * ended, and turns the machine off when the host, having all, has sent a byte to the control port.
 */
#define PORT_STDIN   "barrage.stdin"
#define PORT_STDOUT  "barrage.stdout"
#define PORT_STDERR  "barrage.stderr"
#define PORT_CONTROL "barrage.control" /* init's own words, below */
#define PORT_RECORDS "barrage.records" /* lines that the program streams out */

/* Where the program finds the records port. */
#define RECORDS_PATH "/run/barrage/records"

/* Lines that init writes to the control port. */
#define SAY_READY  "ready"    /* the program starts now */
#define SAY_EXIT   "exit "    /* + status: it ended */
#define SAY_SIGNAL "signal "  /* + number: a signal ended it */
#define SAY_FAILED "failed: " /* + sentence: it could not be started */

#endif
