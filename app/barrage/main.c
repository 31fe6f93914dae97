/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * barrage: find PCI functions, move them between drivers, administer NVMe controllers, measure how
 * fast they are, and ask the kernel how it maps BARs.
 */

#include <err.h>
#include <stdlib.h>

#include "cli.h"
#include "commands.h"

static const struct cli_command commands[] = {
	{"list", "NVMe controllers of this machine, or other PCI functions", cmd_list},
	{"show", "one function: driver, IOMMU group, users, BARs, and whether it is usable",
	 cmd_show},
	{"bind", "give a function to vfio-pci, or to another driver", cmd_bind},
	{"unbind", "take a function from its driver", cmd_unbind},
	{"identify", "what an NVMe controller says of itself and its namespaces", cmd_identify},
	{"health", "whether an NVMe device is well, and what to do if not", cmd_health},
	{"log", "log pages: SMART, errors, firmware slots, effects, telemetry", cmd_log},
	{"feature", "get, set or list features", cmd_feature},
	{"ns", "list, create, delete, attach or detach namespaces", cmd_ns},
	{"zns", "report the zones of a namespace, and manage them", cmd_zns},
	{"vf", "list, enable or disable virtual functions (SR-IOV)", cmd_vf},
	{"fdp", "where a namespace's writes go, with flexible data placement", cmd_fdp},
	{"format", "format a namespace; its data is lost", cmd_format},
	{"sanitize", "erase a whole device for good", cmd_sanitize},
	{"self-test", "let a device test itself", cmd_self_test},
	{"fw", "update firmware, or choose which to run", cmd_fw},
	{"read", "read blocks of a namespace into a file or pipe", cmd_read},
	{"write", "write a file or pipe to blocks of a namespace", cmd_write},
	{"compare", "compare blocks of a namespace with a file or pipe", cmd_compare},
	{"reset", "reset a function and see its controller become ready", cmd_reset},
	{"kernel", "whether lcores may touch a mapping together for the first time", cmd_kernel},
	{"bar", "how a BAR would be mapped, and why so", cmd_bar},
	{"perf", "IOPS, bandwidth and latency of NVMe controllers", cmd_perf},
	{0},
};

int main(int argc, char **argv)
{
	static const struct cli cli = {
		.program = "barrage",
		.summary = "Prepare PCI devices for polled use from user space, and look at them.",
		.example = "barrage bind 0000:00:04.0 && barrage identify 0000:00:04.0",
		.commands = commands,
	};

	const char *token = getenv("BARRAGE_VF_TOKEN");

	if (token && brg_device_set_vf_token(token))
		errx(CLI_USAGE, "BARRAGE_VF_TOKEN: %s", brg_errmsg());
	return cli_main(&cli, argc, argv);
}
