/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Reading the paths themselves, a chunk at a time: how far does the price fall
 * from its highest point within a year?  Memory holds one chunk, whatever the
 * number of paths.
 */

#include <stdio.h>
#include <stdlib.h>

#include <gbm-mc/gbm.h>

#define PATHS 100000
#define SLICE 256 /* paths whose drawdowns are kept at a time */

/* out[i] = the largest fall from a maximum so far, as a share of it. */
static void drawdown(const struct gbm_block *block, size_t first, size_t n,
		     double *out)
{
	double top[SLICE];

	for (size_t i = 0; i < n; i++) {
		top[i] = block->values[first + i];
		out[i] = 0.0;
	}
	for (size_t t = 1; t < block->n_times; t++) {
		const double *row = block->values + t * block->stride + first;

		for (size_t i = 0; i < n; i++) {
			double fall = 1.0 - row[i] / top[i];

			top[i] = row[i] > top[i] ? row[i] : top[i];
			out[i] = fall > out[i] ? fall : out[i];
		}
	}
}

static int read_paths(const struct gbm_plan *plan, struct gbm_stats *stats)
{
	struct gbm_stream *stream;
	struct gbm_block block;
	double falls[SLICE];
	int status = gbm_stream_open(&stream, plan, 0, PATHS);

	if (status != GBM_OK)
		return status;
	/* Each chunk is valid until the next call. */
	while ((status = gbm_stream_next(stream, &block)) > 0) {
		for (size_t i = 0, n; i < block.n_paths; i += n) {
			n = block.n_paths - i < SLICE ? block.n_paths - i
						      : SLICE;
			drawdown(&block, i, n, falls);
			gbm_stats_add(stats, falls, n);
		}
	}
	gbm_stream_close(&stream);
	return status;
}

int main(void)
{
	struct gbm_model model = GBM_MODEL_INIT;
	struct gbm_result result = GBM_RESULT_INIT;
	struct gbm_stats *stats = NULL;
	struct gbm_plan *plan;
	struct gbm_error err;
	int status;

	model.steps = 252;
	/* A plan without a functional can be streamed, but not run. */
	status = gbm_plan_create(&plan, &model, NULL, PATHS, NULL, &err);
	if (status != GBM_OK) {
		fprintf(stderr, "iterate_chunks: %s\n", err.text);
		return EXIT_FAILURE;
	}
	status = gbm_stats_create(&stats);
	if (status == GBM_OK)
		status = read_paths(plan, stats);
	if (status == GBM_OK)
		status = gbm_stats_result(stats, &result);
	gbm_stats_destroy(&stats);
	gbm_plan_destroy(&plan);
	if (status != GBM_OK) {
		fprintf(stderr, "iterate_chunks: %s\n", gbm_strerror(status));
		return EXIT_FAILURE;
	}
	printf("mean drawdown %.17g, standard error %.3g, worst %.17g\n",
	       result.mean, result.std_error, result.max);
	return EXIT_SUCCESS;
}
