/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_MC_MPI_H
#define GBM_MC_MPI_H

/*
 * libgbm_mpi: a plan of libgbm run by all ranks of a communicator, each on
 * paths of its own.  The result has the same bits on any number of ranks.
 *
 * The caller initializes and finalizes MPI; MPI_THREAD_FUNNELED is enough.
 * Functions marked collective must be called by every rank of comm with the
 * same model, functional, n_paths and seed; they return the same status on
 * every rank, also when only one rank failed.
 */

#include <mpi.h>

#include <gbm-mc/gbm.h>
#include <gbm-mc/run.h>
#include <gbm-mc/samples.h>
#include <gbm-mc/summary.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/*
 * gbm_plan_create() for the ranks of comm, collective.  Counts the ranks that
 * share this node and divides the node's memory and cores by them:
 * options->ranks_on_node is ignored.  When one rank fails all do, and *err says
 * why and on which rank.  GBM_EMPI when an MPI call failed.
 */
int gbm_mpi_plan_create(struct gbm_plan **plan, const struct gbm_model *model,
			const struct gbm_functional *functional,
			uint64_t n_paths, const struct gbm_options *options,
			MPI_Comm comm, struct gbm_error *err);

/*
 * This rank's contiguous share of n_paths paths: whole blocks, sizes differing
 * by one block at the most; *count is 0 on ranks that get none.  Not
 * collective.  Returns 0, GBM_EINVAL or GBM_EMPI.
 */
int gbm_mpi_range(MPI_Comm comm, uint64_t n_paths, uint64_t *first_path,
		  uint64_t *count);

/*
 * gbm_run() over all ranks, collective; every rank gets the same *result.
 *
 * The ranks take the paths in turns, some for a tenth of a second at a time: a
 * slow one gets fewer.  They ask rank 0, whose calling thread answers between
 * items of its own work, of some milliseconds; more of where a block of paths
 * takes longer, or where rank 0 is kept from running.  The others ask ahead, so
 * that they do not wait for it.
 *
 * A callback that cancels on one rank ends the run of that rank at once; the
 * others end what they have taken, then all return GBM_ECANCELED with the
 * user_code of the lowest such rank.
 */
int gbm_mpi_run(const struct gbm_plan *plan, MPI_Comm comm,
		struct gbm_result *result);

/*
 * gbm_stream_open() over this rank's range, not collective.  A rank without
 * paths gets a stream that is at its end.
 */
int gbm_mpi_stream_open(struct gbm_stream **stream, const struct gbm_plan *plan,
			MPI_Comm comm);

/* Adds up the statistics of all ranks, in place on every rank; collective. */
int gbm_mpi_stats_merge(struct gbm_stats *stats, MPI_Comm comm);

/*
 * All of <gbm-mc/samples.h>, collective: rank 0 creates the file, which all
 * ranks must be able to open by this name; each writes its part; rank 0
 * completes the manifest.  result may be NULL, and must be for a first_path
 * that is not 0; else it is gbm_mpi_run()'s, of the same paths.  All ranks give
 * the same options; any options->shards but 0 means one file for each rank,
 * which it alone must be able to reach.  Returns as gbm_samples_create() and
 * gbm_samples_run(), and *err says why and on which rank.
 */
int gbm_mpi_run_samples(const struct gbm_plan *plan, MPI_Comm comm,
			const char *file,
			const struct gbm_samples_options *options,
			struct gbm_result *result, struct gbm_error *err);

/*
 * Compares a file of samples with what its seed gives, each rank its part,
 * collective; plan is made of its manifest, as for gbm_samples_open().  Returns
 * as gbm_samples_open() and gbm_samples_verify(); *err names the first block
 * that differs.
 */
int gbm_mpi_verify_samples(const struct gbm_plan *plan, MPI_Comm comm,
			   const char *file, struct gbm_error *err);

/*
 * gbm_run_summary() of what each rank takes of the plan, as for gbm_mpi_run(),
 * into its summary; they are then merged as by gbm_mpi_summary_merge(): what
 * they held before is added up as well.  Collective.  A callback that cancels
 * is as for gbm_mpi_run(), with its code in *user_code (may be NULL).
 */
int gbm_mpi_run_summary(const struct gbm_plan *plan, MPI_Comm comm,
			struct gbm_summary *summary, int *user_code);

/*
 * gbm_run_until() over all ranks, which take the paths as for gbm_mpi_run();
 * collective.  All give the same tolerances and *n_done.  The paths before that
 * are in rank 0's summary; those of the other ranks are cleared, and in the end
 * all get everything.  What the goal says about time counts on rank 0, a pause
 * on any.  *ending is the same on all ranks but for n_own, which tells how the
 * paths were shared out.
 */
int gbm_mpi_run_until(const struct gbm_plan *plan, MPI_Comm comm,
		      const struct gbm_goal *goal, struct gbm_summary *summary,
		      uint64_t *n_done, struct gbm_ending *ending);

/*
 * Adds up the summaries of all ranks, in place on every rank; collective.  They
 * must collect the same.  A rank needs four times the memory of the largest
 * part, for the moment.  After an error a summary may be merged in part.
 */
int gbm_mpi_summary_merge(struct gbm_summary *summary, MPI_Comm comm);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
