/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_SUMMARY_H
#define GBM_SUMMARY_H

/* What a run collects. */

#include <gbm-mc/summary.h>

#include "libgbm/joint.h"
#include "libgbm/kernel.h"
#include "libgbm/stats.h"

#define GBM_COLLECT_ALL (GBM_COLLECT_SKETCH | GBM_COLLECT_MOMENTS)

/* Of one functional. */
struct gbm_tally {
	struct gbm_stats stats;
	struct gbm_sketch *sketch; /* NULL: not collected */
};

struct gbm_summary {
	unsigned collect;
	size_t n_functionals;
	struct gbm_joint *joint; /* NULL: not collected */
	struct gbm_tally tally[];
};

/* Bytes of a summary. */
uint64_t gbm_summary_bytes(unsigned collect, size_t n_functionals);

/* An empty summary or NULL. */
struct gbm_summary *gbm_summary_make(unsigned collect, size_t n_functionals);

/* Likewise, of the same kind. */
struct gbm_summary *gbm_summary_like(const struct gbm_summary *summary);

/* Adds a block of 1 <= n <= GBM_BLOCK_PATHS values. */
void gbm_tally_add(struct gbm_tally *tally, const struct gbm_kernel *kernel,
		   const double *values, size_t n);

#endif
