/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * GSL's distributions on libgbm's random streams: a price that also jumps
 * (Merton 1976), a Poisson number of times in a year.
 *
 *	cc gsl_stream.c $(pkg-config --cflags --libs gbm-mc gsl)
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>

#include <gbm-mc/gbm.h>
#include <gbm-mc/gsl.h>

#define SAMPLES 1000000

static const double spot = 100.0, rate = 0.05, vol = 0.2;
static const double jumps_a_year = 0.8, jump_mean = -0.1, jump_dev = 0.15;

static double price_after_a_year(const gsl_rng *r)
{
	double expected = exp(jump_mean + 0.5 * jump_dev * jump_dev) - 1.0;
	double drift = rate - 0.5 * vol * vol - jumps_a_year * expected;
	unsigned jumps = gsl_ran_poisson(r, jumps_a_year);
	double x =
		drift + gsl_ran_gaussian_ziggurat(r, vol) + jumps * jump_mean;

	if (jumps > 0)
		x += gsl_ran_gaussian_ziggurat(r, jump_dev * sqrt(jumps));
	return spot * exp(x);
}

int main(void)
{
	struct gbm_result result = GBM_RESULT_INIT;
	struct gbm_stats *stats = NULL;
	gsl_rng *r;
	int status;

	/* Without a handler of its own, GSL ends the program on an error. */
	gsl_set_error_handler_off();
	r = gsl_rng_alloc(gbm_gsl_rng_type());
	if (!r) {
		fprintf(stderr, "gsl_stream: out of memory\n");
		return EXIT_FAILURE;
	}
	status = gbm_stats_create(&stats);
	/* A stream for each rank, thread or task: they never overlap. */
	if (status == GBM_OK)
		status = gbm_gsl_rng_set_stream(r, 1, 7);
	for (long i = 0; status == GBM_OK && i < SAMPLES; i++) {
		double price = price_after_a_year(r);

		gbm_stats_add(stats, &price, 1);
	}
	if (status == GBM_OK)
		status = gbm_stats_result(stats, &result);
	gbm_stats_destroy(&stats);
	gsl_rng_free(r);
	if (status != GBM_OK) {
		fprintf(stderr, "gsl_stream: %s\n", gbm_strerror(status));
		return EXIT_FAILURE;
	}
	printf("price after a year %.17g, standard error %.3g, expected %.6f\n",
	       result.mean, result.std_error, spot * exp(rate));
	return EXIT_SUCCESS;
}
