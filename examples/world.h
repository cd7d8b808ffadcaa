/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_EXAMPLES_WORLD_H
#define GBM_EXAMPLES_WORLD_H

/*
 * The tasks that gbm_sim was started as: what it does alone, or all ranks of
 * MPI do together.  Nobody else sees MPI.
 */

#include <stdbool.h>

#include <gbm-mc/gbm.h>
#include <gbm-mc/run.h>
#include <gbm-mc/samples.h>
#include <gbm-mc/summary.h>

#include "cli.h"

#define NODE_NAME 256

struct world {
	bool mpi; /* MPI is running */
	int rank;
	int size;
};

/* One line on stderr, from rank 0, in one write. */
void complain(const struct world *world, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The status of sysexits.h for one of the library's. */
int exit_code(int status);

/* Begins; *world was that of one task.  Returns a status of sysexits.h. */
int start(struct world *world);

/* All end with the status of rank 0, which alone knows whether it printed. */
int finish(struct world *world, int code);

int make_plan(const struct world *world, const struct cli *cli,
	      struct gbm_plan **plan, struct gbm_error *err);

/* Runs the plan into the file of --out. */
int run_samples(const struct world *world, const struct cli *cli,
		const struct gbm_plan *plan, struct gbm_result *result,
		struct gbm_error *err);

/* gbm_run_until() of all tasks, into rank 0's summary. */
int run_until(const struct world *world, const struct gbm_plan *plan,
	      const struct gbm_goal *goal, struct gbm_summary *summary,
	      uint64_t *done, struct gbm_ending *ending);

/* What each task has, to rank 0's array of as many. */
bool from_all(const struct world *world, uint64_t mine, uint64_t *all);

/* What rank 0 has. */
uint64_t from_first(const struct world *world, uint64_t value);

/* Writes the plan's paths from cli->samples.first_path on, without a result. */
int write_samples(const struct world *world, const struct cli *cli,
		  const struct gbm_plan *plan, struct gbm_error *err);

int verify_samples(const struct world *world, const struct cli *cli,
		   const struct gbm_plan *plan, struct gbm_error *err);

/* The least status of all ranks: failures are negative. */
int worst(const struct world *world, int status);

/* The largest value of all ranks and the node that has it. */
bool largest(const struct world *world, double *value, char node[NODE_NAME]);

#endif
