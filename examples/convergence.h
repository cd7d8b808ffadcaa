/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_EXAMPLES_CONVERGENCE_H
#define GBM_EXAMPLES_CONVERGENCE_H

/* How the estimate comes nearer, path by path, in a file for gbm_plot. */

#include <stdio.h>

#include "cli.h"
#include "world.h"

/*
 * Runs the plan, whose paths go into an empty summary of it on rank 0, and
 * *result there; with the bits of run_rounds().  Each time that the paths have
 * grown by a fifth or so, rank 0 adds a line to the file, which is its alone.
 * Returns the library's status, the same on all ranks.
 */
int run_convergence(const struct world *world, const struct cli *cli,
		    const struct gbm_plan *plan, struct gbm_summary *summary,
		    struct gbm_result *result, FILE *file);

#endif
