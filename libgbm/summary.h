/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_SUMMARY_H
#define GBM_SUMMARY_H

/* What a run collects. */

#include <gbm-mc/summary.h>

#include "libgbm/fan.h"
#include "libgbm/joint.h"
#include "libgbm/kernel.h"
#include "libgbm/stats.h"

#define GBM_COLLECT_ALL                                                        \
	(GBM_COLLECT_SKETCH | GBM_COLLECT_MOMENTS | GBM_COLLECT_FAN)

/* Of one functional. */
struct gbm_tally {
	struct gbm_stats stats;
	struct gbm_sketch *sketch; /* NULL: not collected */
};

struct gbm_summary {
	unsigned collect;
	size_t n_functionals;
	struct gbm_joint *joint; /* NULL: not collected */
	struct gbm_fan *fan;	 /* likewise */
	struct gbm_tally tally[];
};

/* Bytes of a summary, without a fan. */
uint64_t gbm_summary_bytes(unsigned collect, size_t n_functionals);

/* An empty summary or NULL; whoever collects one adds the fan. */
struct gbm_summary *gbm_summary_make(unsigned collect, size_t n_functionals);

/* Likewise, what a thread collects for it: all but the fan. */
struct gbm_summary *gbm_summary_like(const struct gbm_summary *summary);

/* Adds what a thread has collected. */
int gbm_summary_take(struct gbm_summary *into, const struct gbm_summary *from);

/* Adds a block of 1 <= n <= GBM_BLOCK_PATHS values. */
void gbm_tally_add(struct gbm_tally *tally, const struct gbm_kernel *kernel,
		   const double *values, size_t n);

#endif
