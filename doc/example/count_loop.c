/* SPDX-License-Identifier: BSD-3-Clause */
/* Count instructions between markers: barrage-lab cost fixed -- ./count_loop */

#include <brg_stat.h>

static inline void turn(unsigned long turns) /* two instructions each */
{
	__asm__ volatile("1: dec %0\n\tjnz 1b" : "+r"(turns) : : "cc");
}

int main(void)
{
	for (int run = 0; run < 5; run++) { /* a timer interrupt may be in one of them */
		brg_stat_mark("begin");
		turn(1000);
		brg_stat_mark("short");
		turn(11000);
		brg_stat_mark("long");
	}
	return 0;
}
