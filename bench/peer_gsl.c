/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static gsl_rng *rng;

static inline double normal(void)
{
	return gsl_ran_gaussian_ziggurat(rng, 1.0);
}

#include "bench/peer.h"

void contender_init(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	if (strcmp(name, "taus2") == 0) {
		rng = gsl_rng_alloc(gsl_rng_taus2);
	} else if (strcmp(name, "mt19937") == 0) {
		rng = gsl_rng_alloc(gsl_rng_mt19937);
	} else {
		fprintf(stderr, "peer_gsl: name taus2 or mt19937\n");
		exit(EXIT_FAILURE);
	}
}
