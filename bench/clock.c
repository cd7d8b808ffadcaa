/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The core's clock, by additions each of which waits for the last: one cycle
 * each.  Of a register, not of a constant: some cores merge those.
 */
#include "bench/contender.h"

#if defined(__x86_64__)
#define ADD "add %1, %0\n\t"
#elif defined(__aarch64__)
#define ADD "add %0, %0, %1\n\t"
#else
#error "an addition of two registers is needed here"
#endif
#define ADD8  ADD ADD ADD ADD ADD ADD ADD ADD
#define ADD64 ADD8 ADD8 ADD8 ADD8 ADD8 ADD8 ADD8 ADD8

void contender_init(int argc, char **argv)
{
	(void)argc;
	(void)argv;
}

int contender_run(enum workload w, uint64_t count, struct sample *s)
{
	uint64_t x = 0, one = 1;
	double start;

	if (w != W_CLOCK)
		return -1;
	start = cpu_now();
	for (uint64_t i = 0; i < count; i += 64)
		__asm__ volatile(ADD64 : "+r"(x) : "r"(one));
	s->seconds = cpu_now() - start;
	s->units = x;
	return 0;
}
