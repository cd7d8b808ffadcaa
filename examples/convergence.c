/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "convergence.h"

#include <inttypes.h>

#include <gbm-mc/run.h>

/* Lines for each doubling of the paths: dense enough for a curve. */
#define LINES_PER_DOUBLING 4

/* Where line number i is due: whole blocks but at the end. */
static uint64_t paths_of_line(unsigned i, uint64_t end)
{
	double blocks = exp2((double)i / LINES_PER_DOUBLING);
	double paths = floor(blocks) * GBM_BLOCK_PATHS;

	return paths < (double)end ? (uint64_t)paths : end;
}

static void write_line(const struct cli *cli, struct gbm_summary *summary,
		       FILE *file)
{
	struct gbm_result r = GBM_RESULT_INIT;
	double exact;

	gbm_stats_result(gbm_summary_stats(summary, 0), &r);
	fprintf(file, "%" PRIu64 ",%.17g,%.17g,", r.n, r.mean, r.std_error);
	if (gbm_reference(&cli->model, &cli->functional, &exact) == GBM_OK)
		fprintf(file, "%.17g", exact);
	fputc('\n', file);
	fflush(file);
}

int run_convergence(const struct world *world, const struct cli *cli,
		    const struct gbm_plan *plan, struct gbm_summary *summary,
		    struct gbm_result *result, FILE *file)
{
	struct gbm_goal goal = GBM_GOAL_INIT;
	uint64_t done = 0;
	int status = GBM_OK;

	if (file)
		fputs("paths,estimate,std_error,reference\n", file);
	for (unsigned i = 0; status == GBM_OK && done < cli->paths; i++) {
		struct gbm_ending ending = GBM_ENDING_INIT;
		uint64_t next = paths_of_line(i, cli->paths);

		if (next == done)
			continue;
		goal.paths = next < cli->paths ? next : 0;
		status = worst(world, run_until(world, plan, &goal, summary,
						&done, &ending));
		if (status == GBM_OK && file)
			write_line(cli, summary, file);
	}
	if (status == GBM_OK && world->rank == 0)
		status =
			gbm_stats_result(gbm_summary_stats(summary, 0), result);
	return status;
}
