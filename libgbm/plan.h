/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_PLAN_H
#define GBM_PLAN_H

/* A plan's inside, for those who run it. */

#include <gbm-mc/gbm.h>

#include "libgbm/budget.h"
#include "libgbm/kernel.h"

struct gbm_plan {
	struct gbm_model model;
	struct gbm_dynamics dynamics;
	struct gbm_functional functional;
	int has_functional;
	unsigned collect; /* of summaries, as the next two are */
	size_t n_others;
	struct gbm_functional others[GBM_MAX_FUNCTIONALS - 1];
	double discount; /* of the built-in payoffs */
	uint64_t n_paths;
	unsigned threads;
	unsigned ranks;
	gbm_progress_fn *progress;
	void *progress_user;
	const struct gbm_kernel *kernel;
	struct gbm_budget budget;
	struct gbm_chunk chunk;	       /* of a run */
	struct gbm_chunk stream_chunk; /* of a stream; paths 0: does not fit */
	uint64_t need;
};

/* The functional with that number, from 0 to n_others. */
const struct gbm_functional *gbm_plan_functional(const struct gbm_plan *plan,
						 size_t k);

/* Whether a run needs whole paths; rows of values that a thread then holds. */
int gbm_plan_needs_paths(const struct gbm_plan *plan);
size_t gbm_plan_rows(const struct gbm_plan *plan, unsigned collect);

/*
 * Simulates n paths from first on, a multiple of GBM_LANES, into
 * out[t * stride + i]; n is rounded up to a multiple of GBM_LANES <= stride.
 */
void gbm_plan_paths(const struct gbm_plan *plan, uint64_t first, uint64_t n,
		    double *out, size_t stride);

/* A buffer for n bytes, aligned to a cache line, or NULL; free() it. */
void *gbm_plan_alloc(uint64_t n);

#endif
