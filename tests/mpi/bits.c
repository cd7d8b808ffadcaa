/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Runs each built-in payoff, and one of the program's own, on all ranks with
 * every number of threads and every chunk below.  Rank 0 prints a line for
 * each: the payoff, then mean, variance, least and largest value as bits.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gbm-mc/mpi.h>

/* Not a multiple of a block; every thread of every rank gets some. */
#define PATHS 200003

static const unsigned threads[] = { 1, 2 };
static const uint64_t chunks[] = { 64 << 10, 192 << 10, 2 << 20 };

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* The largest price on the way. */
static int lookback(const struct gbm_block *block, void *user, double *out)
{
	(void)user;
	memcpy(out, block->values, block->n_paths * sizeof(*out));
	for (size_t t = 1; t < block->n_times; t++)
		for (size_t i = 0; i < block->n_paths; i++)
			out[i] = fmax(out[i],
				      block->values[t * block->stride + i]);
	return 0;
}

static uint64_t bits(double x)
{
	uint64_t word;

	memcpy(&word, &x, sizeof(word));
	return word;
}

static int run(const struct gbm_functional *functional, unsigned n_threads,
	       uint64_t chunk, struct gbm_result *result)
{
	struct gbm_options options = GBM_OPTIONS_INIT;
	struct gbm_plan_info info = GBM_PLAN_INFO_INIT;
	struct gbm_model model = GBM_MODEL_INIT;
	struct gbm_error err = { 0 };
	struct gbm_plan *plan;
	int status;

	model.steps = 5;
	options.threads = n_threads;
	options.chunk_bytes = chunk;
	status = gbm_mpi_plan_create(&plan, &model, functional, PATHS, &options,
				     MPI_COMM_WORLD, &err);
	if (status == GBM_OK)
		status = gbm_plan_info(plan, &info);
	if (status == GBM_OK &&
	    (info.threads != n_threads || info.chunk_bytes > chunk ||
	     info.chunk_bytes < chunk / 2)) {
		fprintf(stderr,
			"%u threads and %" PRIu64 " bytes became %u "
			"and %" PRIu64 "\n",
			n_threads, chunk, info.threads, info.chunk_bytes);
		status = GBM_EINVAL;
	}
	if (status == GBM_OK)
		status = gbm_mpi_run(plan, MPI_COMM_WORLD, result);
	if (status != GBM_OK)
		fprintf(stderr, "%s: %s\n", gbm_strerror(status), err.text);
	gbm_plan_destroy(&plan);
	return status;
}

static int run_all(int rank, int payoff)
{
	struct gbm_functional functional = GBM_FUNCTIONAL_INIT;
	struct gbm_result result = GBM_RESULT_INIT;
	int status = GBM_OK;

	if (payoff > GBM_ASIAN_PUT)
		functional.fn = lookback;
	else
		functional.payoff = (enum gbm_payoff)payoff;
	for (size_t t = 0; t < ARRAY_SIZE(threads); t++)
		for (size_t c = 0; c < ARRAY_SIZE(chunks); c++) {
			if (status == GBM_OK)
				status = run(&functional, threads[t], chunks[c],
					     &result);
			if (status != GBM_OK || rank != 0)
				continue;
			printf("%d %" PRIu64 " %" PRIx64 " %" PRIx64 " %" PRIx64
			       " %" PRIx64 "\n",
			       payoff, result.n, bits(result.mean),
			       bits(result.variance), bits(result.min),
			       bits(result.max));
		}
	return status;
}

int main(void)
{
	int provided, rank, status = GBM_OK;

	if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided) !=
	    MPI_SUCCESS)
		return EXIT_FAILURE;
	MPI_Comm_rank(MPI_COMM_WORLD, &rank);
	for (int payoff = GBM_TERMINAL; payoff <= GBM_ASIAN_PUT + 1; payoff++)
		if (status == GBM_OK)
			status = run_all(rank, payoff);
	MPI_Finalize();
	return status == GBM_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
