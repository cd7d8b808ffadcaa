/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_MC_MPI_H
#define GBM_MC_MPI_H

/*
 * libgbm_mpi: a plan of libgbm run by all ranks of a communicator, each on its
 * own range of paths.  The result has the same bits on any number of ranks.
 *
 * The caller initializes and finalizes MPI; MPI_THREAD_FUNNELED is enough.
 * Functions marked collective must be called by every rank of comm with the
 * same model, functional, n_paths and seed; they return the same status on
 * every rank, also when only one rank failed.
 */

#include <mpi.h>

#include <gbm-mc/gbm.h>

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
 * gbm_run() over all ranks, collective; every rank gets the same *result.  A
 * callback that cancels on one rank ends the run of that rank at once; the
 * others end theirs, then all return GBM_ECANCELED with the user_code of the
 * lowest such rank.
 */
int gbm_mpi_run(const struct gbm_plan *plan, MPI_Comm comm,
		struct gbm_result *result);

/*
 * gbm_stream_open() over this rank's range, not collective.  A rank without
 * paths gets a stream that is at its end.
 */
int gbm_mpi_stream_open(struct gbm_stream **stream,
			const struct gbm_plan *plan, MPI_Comm comm);

/* Adds up the statistics of all ranks, in place on every rank; collective. */
int gbm_mpi_stats_merge(struct gbm_stats *stats, MPI_Comm comm);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
