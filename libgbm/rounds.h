/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_ROUNDS_H
#define GBM_ROUNDS_H

/*
 * Who does what of some files of paths, in rounds between which all processes
 * agree.
 *
 * What is done of each file is always its first paths.  Where there are no
 * fewer files than processes each has its own, one after the other; else
 * several share one, and each gets as much of it in a round as it did in the
 * same time before, so that a slow one keeps no other waiting.
 *
 * All processes compute the parts of all, from the same numbers.
 */

#include <gbm-mc/samples.h>

/* What is left of a file, and, after gbm_rounds_deal(), goes into a round. */
struct gbm_deal {
	uint64_t at, end; /* paths */
	/* By blocks: where the first begins, how many, */
	uint64_t base, blocks;
	/* how many its processes want, and those that have their part. */
	uint64_t wanted, before;
};

struct gbm_part {
	unsigned file;
	uint64_t first, n; /* paths */
};

struct gbm_rounds {
	const struct gbm_team *team;
	unsigned n_files;
	struct gbm_deal *files;
	/* Of each process, */
	struct gbm_part *parts;
	uint64_t *threads;
	uint64_t *ns;	 /* that a block takes all of them; 0: not known */
	uint64_t *wants; /* blocks that it is to do in a round */
};

/* Memory; returns 0 or GBM_ENOMEM.  gbm_rounds_close() in any case. */
int gbm_rounds_open(struct gbm_rounds *r, const struct gbm_team *team,
		    unsigned n_files);
void gbm_rounds_close(struct gbm_rounds *r);

/* Before the first round; collective.  Returns 0 or a status of the team's. */
int gbm_rounds_begin(struct gbm_rounds *r, unsigned threads);

/* What is left of a file: the paths from at to end, or none. */
void gbm_rounds_left(struct gbm_rounds *r, unsigned file, uint64_t at,
		     uint64_t end);

/*
 * Deals out a round, or with last all that is left, into parts; returns how
 * many paths that is.  Parts end where a block does, or a file.
 */
uint64_t gbm_rounds_deal(struct gbm_rounds *r, int last);

/*
 * After a round, of which this process' own part took so many seconds;
 * collective.  Returns 0 or a status of the team's.
 */
int gbm_rounds_learn(struct gbm_rounds *r, double seconds);

#endif
