/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The same call as gbm_sim's, the way it is written first: all samples in one
 * array, then their mean.  It needs 8 bytes a path, 8 GB for the default
 * of 1e9, and is here to be stopped by a memory cap.  Do not run it without
 * one.
 *
 *	naive_gbm [PATHS]
 */

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gbm-mc/gbm.h>

static void simulate(double *price, size_t n)
{
	const double rate = 0.05, vol = 0.2, horizon = 1.0;
	double drift = (rate - 0.5 * vol * vol) * horizon;
	double scale = vol * sqrt(horizon);
	struct gbm_rng rng;

	gbm_rng_init(&rng, 1, 0);
	for (size_t i = 0; i < n; i++)
		price[i] = 100.0 * exp(drift + scale * gbm_rng_normal(&rng));
}

/* The mean of the payoffs, discounted. */
static double average(const double *price, size_t n)
{
	double sum = 0.0;

	for (size_t i = 0; i < n; i++)
		sum += fmax(price[i] - 100.0, 0.0);
	return exp(-0.05) * sum / (double)n;
}

int main(int argc, char **argv)
{
	const char *text = argc > 1 ? argv[1] : "1e9";
	double paths, *price;
	char *end;
	size_t n;

	paths = strtod(text, &end);
	if (argc > 2 || end == text || *end != '\0' || !(paths >= 1.0) ||
	    paths > 1e15) {
		fprintf(stderr, "naive_gbm: give one number of paths from 1 to "
				"1e15, such as 1e6\n");
		return 64;
	}
	n = (size_t)paths;

	printf("naive_gbm: %zu paths in one array of %.3f GB\n", n,
	       (double)n * sizeof(*price) / 1e9);
	fflush(stdout);
	price = malloc(n * sizeof(*price));
	if (!price) {
		fprintf(stderr, "naive_gbm: no memory for it: %s\n",
			strerror(errno));
		return 71;
	}
	simulate(price, n);
	printf("naive_gbm: call %.6f\n", average(price, n));
	free(price);
	return EXIT_SUCCESS;
}
