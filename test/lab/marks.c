/* SPDX-License-Identifier: BSD-3-Clause */
/* A program that sets markers: twice around nothing, again and again, and once. For test_cost.c. */

#include <brg_stat.h>

int main(void)
{
	for (int i = 0; i < 8; i++) {
		brg_stat_mark("begin");
		brg_stat_mark("end");
	}
	brg_stat_mark("last");
	return 0;
}
