/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Chunks on many ranks: each reads its own range of the paths, and the
 * statistics are added up at the end.  The numbers are the same to the last
 * bit on any number of ranks.
 *
 *	mpicc iterate_mpi.c $(pkg-config --cflags --libs gbm-mc-mpi)
 *	mpirun ./a.out
 *
 * What is asked: how many of 252 days does the price spend above where it
 * began?
 */

#include <stdio.h>
#include <stdlib.h>

#include <gbm-mc/mpi.h>

#define PATHS 100000

/* This rank's paths. */
static int read_paths(const struct gbm_plan *plan, struct gbm_stats *stats)
{
	struct gbm_stream *stream;
	struct gbm_block block;
	int status = gbm_mpi_stream_open(&stream, plan, MPI_COMM_WORLD);

	if (status != GBM_OK)
		return status;
	while ((status = gbm_stream_next(stream, &block)) > 0) {
		for (size_t i = 0; i < block.n_paths; i++) {
			const double *price = block.values + i;
			double days = 0.0;

			for (size_t t = 1; t < block.n_times; t++)
				days += price[t * block.stride] > price[0];
			gbm_stats_add(stats, &days, 1);
		}
	}
	gbm_stream_close(&stream);
	return status;
}

/* Ends with the same status on every rank. */
static int average(const struct gbm_plan *plan, struct gbm_result *result)
{
	struct gbm_stats *stats = NULL;
	int status = gbm_stats_create(&stats), worst;

	if (status == GBM_OK)
		status = read_paths(plan, stats);
	/*
	 * The merge is collective: a rank that failed must not just leave, or
	 * the others would wait for it.  Errors are negative.
	 */
	MPI_Allreduce(&status, &worst, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
	if (worst == GBM_OK)
		worst = gbm_mpi_stats_merge(stats, MPI_COMM_WORLD);
	if (worst == GBM_OK)
		worst = gbm_stats_result(stats, result);
	gbm_stats_destroy(&stats);
	return worst;
}

int main(int argc, char **argv)
{
	struct gbm_model model = GBM_MODEL_INIT;
	struct gbm_result result = GBM_RESULT_INIT;
	struct gbm_plan *plan;
	struct gbm_error err;
	int provided, rank, status;

	/* libgbm's threads never call MPI: FUNNELED is enough. */
	if (MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided) !=
	    MPI_SUCCESS)
		return EXIT_FAILURE;
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);

	model.steps = 252;
	status = gbm_mpi_plan_create(&plan, &model, NULL, PATHS, NULL,
				     MPI_COMM_WORLD, &err);
	if (status == GBM_OK) {
		status = average(plan, &result);
		gbm_plan_destroy(&plan);
		if (status != GBM_OK && rank == 0)
			fprintf(stderr, "iterate_mpi: %s\n",
				gbm_strerror(status));
	} else if (rank == 0) {
		fprintf(stderr, "iterate_mpi: %s\n", err.text);
	}
	if (status == GBM_OK && rank == 0)
		printf("days above the start %.17g, standard error %.3g\n",
		       result.mean, result.std_error);
	MPI_Finalize();
	return status == GBM_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
