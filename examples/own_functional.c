/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A functional of one's own: a down-and-out call, worthless once the price has
 * closed below a barrier on any of 252 days.
 *
 *	own_functional [SECONDS]	give up after so many seconds
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <gbm-mc/gbm.h>

/*
 * What the callback needs.  Several threads read it at once, so that nothing
 * here may be written during the run.
 */
struct barrier_call {
	double strike;
	double barrier;
	double discount;
	time_t deadline;
};

enum { OUT_OF_TIME = 1 };

/*
 * Called with one rectangle of prices after another: row t holds the prices of
 * all paths at time t, so that the inner loops run along rows.
 */
static int down_and_out(const struct gbm_block *block, void *user, double *out)
{
	const struct barrier_call *call = user;
	const double *last =
		block->values + (block->n_times - 1) * block->stride;

	/* Any return but 0 ends the run; gbm_run() hands it to its caller. */
	if (time(NULL) > call->deadline)
		return OUT_OF_TIME;

	for (size_t i = 0; i < block->n_paths; i++)
		out[i] = call->discount * fmax(last[i] - call->strike, 0.0);
	for (size_t t = 1; t < block->n_times; t++) {
		const double *row = block->values + t * block->stride;

		for (size_t i = 0; i < block->n_paths; i++)
			if (row[i] <= call->barrier)
				out[i] = 0.0;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct gbm_model model = GBM_MODEL_INIT;
	struct gbm_functional functional = GBM_FUNCTIONAL_INIT;
	struct gbm_functional plain = GBM_FUNCTIONAL_INIT;
	struct gbm_result result = GBM_RESULT_INIT;
	struct barrier_call call = { .strike = 100.0, .barrier = 90.0 };
	long seconds = argc > 1 ? strtol(argv[1], NULL, 10) : 3600;
	struct gbm_plan *plan;
	struct gbm_error err;
	double exact;
	int status;

	model.steps = 252;
	call.discount = exp(-model.rate * model.horizon);
	call.deadline = time(NULL) + seconds;
	functional.fn = down_and_out;
	functional.user = &call;

	status =
		gbm_plan_create(&plan, &model, &functional, 200000, NULL, &err);
	if (status != GBM_OK) {
		fprintf(stderr, "own_functional: %s\n", err.text);
		return EXIT_FAILURE;
	}
	status = gbm_run(plan, &result);
	gbm_plan_destroy(&plan);
	if (status == GBM_ECANCELED && result.user_code == OUT_OF_TIME) {
		fprintf(stderr, "own_functional: not done within %ld s\n",
			seconds);
		return EXIT_FAILURE;
	}
	if (status != GBM_OK) {
		fprintf(stderr, "own_functional: %s\n", gbm_strerror(status));
		return EXIT_FAILURE;
	}

	printf("down-and-out call %.17g, standard error %.3g\n", result.mean,
	       result.std_error);
	plain.payoff = GBM_CALL;
	plain.strike = call.strike;
	if (gbm_reference(&model, &plain, &exact) == GBM_OK)
		printf("without the barrier it would cost %.6f\n", exact);
	return EXIT_SUCCESS;
}
