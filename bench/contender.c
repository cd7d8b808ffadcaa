/* SPDX-License-Identifier: GPL-3.0-or-later */
#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench/contender.h"

double cpu_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
	unsigned w;
	uint64_t count;

	contender_init(argc, argv);
	while (scanf("%u %" SCNu64, &w, &count) == 2) {
		struct sample s = { 0 };

		if (contender_run((enum workload)w, count, &s)) {
			fprintf(stderr, "%s: no workload %u\n", argv[0], w);
			return EXIT_FAILURE;
		}
		printf("%.9e %" PRIu64 " %" PRIu64 " %.17g %.17g\n", s.seconds,
		       s.units, s.values, s.sum, s.sum2);
		fflush(stdout);
	}
	return EXIT_SUCCESS;
}
