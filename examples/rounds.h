/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_EXAMPLES_ROUNDS_H
#define GBM_EXAMPLES_ROUNDS_H

/*
 * An estimate: a run until its goal, that pauses for a checkpoint or a signal.
 */

#include "cli.h"
#include "progress.h"
#include "world.h"

/* Not of sysexits.h: the answer is there, but not as good as was asked for. */
#define EX_NOT_MET 1

struct rounds {
	uint64_t start;	 /* paths that an earlier process had done */
	uint64_t own;	 /* that this one did */
	bool met, unmet; /* a tolerance, if there was one */
};

/*
 * Runs the plan's paths from the checkpoint on, if one is to be gone on with,
 * into an empty summary of the plan, and *result.  With a checkpoint, SIGUSR1
 * has it write one and go on; SIGTERM write one and end.  In a job of Slurm a
 * run of more than a minute has one unless that is not wanted.
 *
 * Returns a status of sysexits.h, the same on all ranks; what is wrong has been
 * said.  EX_TEMPFAIL: ended by SIGTERM, to go on another time.
 */
int run_rounds(const struct world *world, const struct cli *cli,
	       const struct gbm_plan *plan, struct progress *progress,
	       struct gbm_summary *summary, struct gbm_result *result,
	       struct rounds *rounds);

/* What of gbm_plan_memory()'s flags such a run has. */
unsigned memory_flags(const struct world *world, const struct cli *cli);

/* SIGTERM and SIGUSR1 are heeded from now on, by what asked() returns. */
void heed_signals(void);

/* Since the last time: an enum gbm_samples_next. */
int asked(void);

/* Slurm has run this job before: a node failed, or it was preempted. */
bool is_restarted(void);

#endif
