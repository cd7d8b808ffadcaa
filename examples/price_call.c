/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The shortest use of libgbm: the price of a European call.
 *
 *	cc price_call.c $(pkg-config --cflags --libs gbm-mc)
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <gbm-mc/gbm.h>

int main(void)
{
	/* Start from the initializers and change what differs. */
	struct gbm_model model = GBM_MODEL_INIT;
	struct gbm_functional call = GBM_FUNCTIONAL_INIT;
	struct gbm_result result = GBM_RESULT_INIT;
	struct gbm_plan *plan;
	struct gbm_error err;
	double exact;
	int status;

	model.vol = 0.25;
	call.payoff = GBM_CALL;
	call.strike = 105.0;

	/* Checks every input and decides how much memory to use: O(1) in n. */
	status = gbm_plan_create(&plan, &model, &call, 10000000, NULL, &err);
	if (status != GBM_OK) {
		fprintf(stderr, "price_call: %s\n", err.text);
		return EXIT_FAILURE;
	}
	status = gbm_run(plan, &result);
	gbm_plan_destroy(&plan);
	if (status != GBM_OK) {
		fprintf(stderr, "price_call: %s\n", gbm_strerror(status));
		return EXIT_FAILURE;
	}

	printf("price %.17g, standard error %.3g\n", result.mean,
	       result.std_error);
	if (gbm_reference(&model, &call, &exact) == GBM_OK)
		printf("Black-Scholes %.6f, %.2f standard errors away\n", exact,
		       fabs(result.mean - exact) / result.std_error);
	return EXIT_SUCCESS;
}
