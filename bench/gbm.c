/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Ourselves, as a program that uses the library: one thread, exact statistics.
 */
#include <stdio.h>
#include <stdlib.h>

#include <gbm-mc/gbm.h>

#include "bench/contender.h"

/* Normals come from one of their own, so that no row of it is half used. */
static struct gbm_rng rng, seeds;

void contender_init(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	if (gbm_rng_init(&rng, 1, 0) || gbm_rng_init(&seeds, 1, 1)) {
		fprintf(stderr, "gbm: %s\n", gbm_strerror(GBM_EISA));
		exit(EXIT_FAILURE);
	}
}

static void normals(uint64_t count, struct sample *s)
{
	static double buffer[BUFFER];
	double start = cpu_now();

	for (s->units = 0; s->units < count; s->units += BUFFER)
		gbm_rng_fill_normal(&rng, buffer, BUFFER);
	s->seconds = cpu_now() - start;
	s->values = BUFFER;
	for (size_t i = 0; i < BUFFER; i++) {
		s->sum += buffer[i];
		s->sum2 += buffer[i] * buffer[i];
	}
}

static void paths(enum workload w, uint64_t count, struct sample *s)
{
	struct gbm_model model = GBM_MODEL_INIT;
	struct gbm_functional functional = GBM_FUNCTIONAL_INIT;
	struct gbm_options options = GBM_OPTIONS_INIT;
	struct gbm_result r = GBM_RESULT_INIT;
	struct gbm_error err;
	struct gbm_plan *plan;
	double start, scale;
	uint64_t n;

	model.spot = SPOT;
	model.rate = RATE;
	model.vol = VOL;
	model.horizon = HORIZON;
	model.steps = w == W_TERMINAL ? 1 : STEPS;
	functional.payoff = w == W_ASIAN ? GBM_ASIAN_CALL : GBM_CALL;
	functional.strike = STRIKE;
	options.seed = gbm_rng_u64(&seeds);
	options.threads = 1;
	n = (count + model.steps - 1) / model.steps;
	n = (n + GBM_BLOCK_PATHS - 1) / GBM_BLOCK_PATHS * GBM_BLOCK_PATHS;
	if (gbm_plan_create(&plan, &model, &functional, n, &options, &err)) {
		fprintf(stderr, "gbm: %s\n", err.text);
		exit(EXIT_FAILURE);
	}
	start = cpu_now();
	if (gbm_run(plan, &r)) {
		fprintf(stderr, "gbm: the run failed\n");
		exit(EXIT_FAILURE);
	}
	s->seconds = cpu_now() - start;
	gbm_plan_destroy(&plan);
	scale = exp(RATE * HORIZON);
	s->units = n * model.steps;
	s->values = n;
	s->sum = scale * r.mean * (double)n;
	s->sum2 = scale * scale *
		  (r.variance * (double)(n - 1) + r.mean * r.mean * (double)n);
}

int contender_run(enum workload w, uint64_t count, struct sample *s)
{
	if (w < W_TERMINAL || w > W_NORMALS)
		return -1;
	if (w == W_NORMALS)
		normals(count, s);
	else
		paths(w, count, s);
	return 0;
}
