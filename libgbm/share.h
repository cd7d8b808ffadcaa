/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_SHARE_H
#define GBM_SHARE_H

/* A range of paths, shared out to threads in items. */

#include <stdint.h>

#include "libgbm/plan.h"

struct gbm_share {
	const struct gbm_plan *plan; /* whose progress function is called */
	uint64_t first, n;	     /* paths */
	uint64_t item;		     /* paths that a thread takes at a time */
	/*
	 * Works on the n paths from first on, in one of the threads, which are
	 * numbered from 0; non-zero ends the run.  Items begin in path order.
	 */
	int (*fn)(void *user, unsigned thread, uint64_t first, uint64_t n);
	void *user;
	/* Progress is of base + scale * paths done, of total; scale 0: of n. */
	uint64_t base, total;
	double scale;
};

/* Threads that gbm_share_run() will use: no more than there are items. */
unsigned gbm_share_threads(const struct gbm_share *share);

/*
 * Returns 0 when all items are done; or GBM_ECANCELED, and *code is what fn
 * returned for the least such item, or else the progress function.
 */
int gbm_share_run(const struct gbm_share *share, int *code);

#endif
