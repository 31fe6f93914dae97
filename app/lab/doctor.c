/* SPDX-License-Identifier: BSD-3-Clause */
#include "commands.h"
int cmd_doctor(int argc, char **argv)
{
	return 0;
}
