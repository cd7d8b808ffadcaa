/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_EXAMPLES_PROGRESS_H
#define GBM_EXAMPLES_PROGRESS_H

/* How far gbm_sim is, on stderr. */

#include <stdbool.h>
#include <stdint.h>

struct progress {
	uint64_t paths; /* of the whole run */
	uint64_t base;	/* of them, done before what runs now */
	uint64_t part;	/* what runs now; 0: all */
	uint64_t start; /* done before this process began */
	bool rewrite;	/* one line, written over and over */
	bool shown;
	double begin;
	double next; /* when to show again */
};

/* Seconds of a clock that only goes forward. */
double now(void);

/*
 * gbm_progress_fn.  Rank 0's share of its own part stands for the whole run:
 * all parts are equal.
 */
int on_progress(void *user, uint64_t done, uint64_t total);

void begin_progress(struct progress *p);
void end_progress(const struct progress *p);

#endif
