/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_EXAMPLES_PROGRESS_H
#define GBM_EXAMPLES_PROGRESS_H

/* How far gbm_sim is, on stderr. */

#include <stdbool.h>
#include <stdint.h>

struct progress {
	uint64_t paths; /* of the whole run */
	uint64_t done;	/* of them, as far as rank 0 knows */
	uint64_t start; /* done before this process began */
	bool show;	/* on stderr */
	bool open_end;	/* paths is a limit that is not meant to be reached */
	bool rewrite;	/* one line, written over and over */
	bool shown;
	double begin;
	double next; /* when to show again */
};

/* Seconds of a clock that only goes forward. */
double now(void);

/*
 * gbm_progress_fn.  Where rank 0 has a part of its own, its share of that
 * stands for the whole run.
 */
int on_progress(void *user, uint64_t done, uint64_t total);

void begin_progress(struct progress *p);
void end_progress(const struct progress *p);

#endif
