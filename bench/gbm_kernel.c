/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * W_NORMALS by one kernel.  The library's generators take the fastest there is
 * whatever GBM_ISA says, so this does by the kernel table what
 * gbm_rng_fill_normal() does.
 */
#include <stdio.h>
#include <stdlib.h>

#include <gbm-mc/gbm.h>

#include "bench/contender.h"
#include "libgbm/isa.h"

static const struct gbm_kernel *kernel;
static struct gbm_lanes lanes;

void contender_init(int argc, char **argv)
{
	struct gbm_error err;

	kernel = gbm_kernel_select(argc > 1 ? argv[1] : NULL, &err);
	if (!kernel) {
		fprintf(stderr, "gbm_kernel: %s\n", err.text);
		exit(EXIT_FAILURE);
	}
	kernel->seed(&lanes, 1, GBM_PURPOSE_USER, 0);
}

int contender_run(enum workload w, uint64_t count, struct sample *s)
{
	static double buffer[BUFFER];
	double start = cpu_now();

	if (w != W_NORMALS)
		return -1;
	for (s->units = 0; s->units < count; s->units += BUFFER)
		kernel->fill(&lanes, buffer, BUFFER / GBM_LANES);
	s->seconds = cpu_now() - start;
	s->values = BUFFER;
	for (size_t i = 0; i < BUFFER; i++) {
		s->sum += buffer[i];
		s->sum2 += buffer[i] * buffer[i];
	}
	return 0;
}
