/* SPDX-License-Identifier: BSD-3-Clause */
/* barrage-lab: measure VFIO's fault handlers on any kernel, in guests, without hardware. */

#include <err.h>
#include <errno.h>
#include <stdlib.h>

#include "cli.h"
#include "commands.h"

unsigned int number_option(const char *option, const char *text, unsigned int least,
			   unsigned int most)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || value < least || value > most)
		errx(CLI_USAGE, "%s %s: it takes a number from %u to %u", option, text, least,
		     most);
	return (unsigned int)value;
}

static const struct cli_command commands[] = {
	{"compare", "what a kernel fix changed: crashes, first faults, throughput", cmd_compare},
	{"matrix", "compare, over many handlers, kernels, BAR sizes and lcores", cmd_matrix},
	{"cost", "what mapping a BAR costs, in instructions", cmd_cost},
	{"exec", "run a program of this machine in a guest, with an NVMe controller on VFIO",
	 cmd_exec},
	{"kernels", "the kernels a guest can run", cmd_kernels},
	{"emulators", "the QEMUs that can run one", cmd_emulators},
	{"handlers", "the fault handlers of vfio-pci, and what each means", cmd_handlers},
	{"doctor", "what this machine can do, and what is missing", cmd_doctor},
	{NULL, NULL, NULL},
};

int main(int argc, char **argv)
{
	static const struct cli cli = {
		.program = "barrage-lab",
		.summary =
			"Measure VFIO's fault handlers on any kernel, in guests, without hardware.",
		.example = "barrage-lab compare --before unfixed --after fixed --lcores 2",
		.commands = commands,
	};

	return cli_main(&cli, argc, argv);
}
