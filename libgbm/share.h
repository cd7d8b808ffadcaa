/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_SHARE_H
#define GBM_SHARE_H

/* A range of paths, shared out to threads in items. */

#include <stdint.h>

#include <gbm-mc/run.h>

#include "libgbm/plan.h"

struct gbm_share {
	const struct gbm_plan *plan; /* whose progress function is called */
	uint64_t first, n; /* paths; of a feed, all that it may give */
	uint64_t item;	   /* paths that a thread takes at a time */
	/*
	 * Works on the n paths from first on, in one of the threads, which are
	 * numbered from 0; non-zero ends the run.  Items begin in path order.
	 */
	int (*fn)(void *user, unsigned thread, uint64_t first, uint64_t n);
	void *user;
	/* Progress is of base + scale * paths done, of total; scale 0: of n. */
	uint64_t base, total;
	double scale;
	/* NULL: the range is all this process's; else where it gets parts of it
	 * from, and items are smaller where an item takes long. */
	const struct gbm_feed *feed;
};

/* Threads that gbm_share_run() will use: no more than there are items. */
unsigned gbm_share_threads(const struct gbm_share *share);

/*
 * Returns 0 when all items are done; or GBM_ECANCELED, and *code is what fn
 * returned for the least such item, or else the progress function; or what the
 * feed failed with.
 */
int gbm_share_run(const struct gbm_share *share, int *code);

#endif
