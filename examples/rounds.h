/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_EXAMPLES_ROUNDS_H
#define GBM_EXAMPLES_ROUNDS_H

/*
 * A run with a checkpoint: the paths in rounds of a second or so, between which
 * all ranks agree on what comes next.
 */

#include "cli.h"
#include "progress.h"
#include "world.h"

/*
 * Runs the plan's paths from the checkpoint on, if one is to be gone on with,
 * into an empty summary of the plan, and *result; *start is where it began.
 * SIGUSR1 has it write a checkpoint and go on; SIGTERM write one and end.
 *
 * Returns a status of sysexits.h, the same on all ranks; what is wrong has been
 * said.  EX_TEMPFAIL: ended by SIGTERM, to go on another time.
 */
int run_rounds(const struct world *world, const struct cli *cli,
	       const struct gbm_plan *plan, struct progress *progress,
	       struct gbm_summary *summary, struct gbm_result *result,
	       uint64_t *start);

/* SIGTERM and SIGUSR1 are heeded from now on, by what asked() returns. */
void heed_signals(void);

/* Since the last time: an enum gbm_samples_next. */
int asked(void);

/* Slurm has run this job before: a node failed, or it was preempted. */
bool is_restarted(void);

#endif
