/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Hashes what programs get by the public calls: runs of all payoffs, prices
 * handed to callbacks and by streams, and generators.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gbm-mc/gbm.h>

#include "libgbm/rng.h"
#include "libgbm/topo.h"
#include "tests/isa/hash.h"

/* Whole blocks, and a rest that is not a whole group. */
#define PATHS (3 * GBM_BLOCK_PATHS + 517)

/* No hwloc: it is not there for other machines. */
void gbm_topo_read(struct gbm_topo *topo)
{
	*topo = (struct gbm_topo){ 1, UINT64_C(512) << 10, 0 };
}

static void check(int status)
{
	if (status >= 0)
		return;
	fprintf(stderr, "identity: %s\n", gbm_strerror(status));
	exit(EXIT_FAILURE);
}

/* Of prices, in whatever order they come. */
static uint64_t hash_block(const struct gbm_block *b)
{
	uint64_t sum = 0, bits;

	for (size_t t = 0; t < b->n_times; t++)
		for (size_t i = 0; i < b->n_paths; i++) {
			memcpy(&bits, b->values + t * b->stride + i,
			       sizeof(bits));
			sum += gbm_mix64(bits + gbm_mix64((b->first_path + i)
								  << 20 |
							  t));
		}
	return sum;
}

/* A functional of all of a path's prices. */
static int weighted(const struct gbm_block *b, void *user, double *out)
{
	uint64_t *sum = user;

	*sum += hash_block(b);
	for (size_t i = 0; i < b->n_paths; i++) {
		out[i] = 0;
		for (size_t t = 0; t < b->n_times; t++)
			out[i] += (double)(t + 1) *
				  b->values[t * b->stride + i];
	}
	return 0;
}

static struct gbm_plan *plan_of(const struct gbm_model *m,
				const struct gbm_functional *f,
				unsigned threads)
{
	struct gbm_options o = GBM_OPTIONS_INIT;
	struct gbm_plan *plan;

	o.seed = 99;
	o.threads = threads;
	check(gbm_plan_create(&plan, m, f, PATHS, &o, NULL));
	return plan;
}

static void hash_run(const struct gbm_plan *plan, int finite)
{
	struct gbm_result r = GBM_RESULT_INIT;
	size_t size = gbm_stats_packed_size();
	unsigned char *bytes = malloc(size);
	struct gbm_stats *stats;

	check(gbm_stats_create(&stats));
	check(gbm_run_range(plan, 0, PATHS, stats, NULL));
	check(bytes ? GBM_OK : GBM_ENOMEM);
	gbm_stats_pack(stats, bytes);
	hash_add(bytes, size);
	gbm_stats_destroy(&stats);
	free(bytes);
	check(gbm_run(plan, &r));
	/* The bits of a NaN are the CPU's own. */
	if (!finite)
		return;
	hash_add(&r.mean, sizeof(r.mean));
	hash_add(&r.variance, sizeof(r.variance));
	hash_add(&r.std_error, sizeof(r.std_error));
	hash_add(&r.min, sizeof(r.min));
	hash_add(&r.max, sizeof(r.max));
}

static void hash_model(const struct gbm_model *m, int finite)
{
	struct gbm_functional f = GBM_FUNCTIONAL_INIT;
	uint64_t of_callback = 0, of_stream = 0;
	struct gbm_stream *stream;
	struct gbm_plan *plan;
	struct gbm_block b;

	for (f.payoff = GBM_TERMINAL; f.payoff <= GBM_ASIAN_PUT; f.payoff++) {
		f.strike = m->spot;
		plan = plan_of(m, &f, 3);
		hash_run(plan, finite);
		gbm_plan_destroy(&plan);
	}
	f.fn = weighted;
	f.user = &of_callback;
	plan = plan_of(m, &f, 1);
	hash_run(plan, finite);
	check(gbm_stream_open(&stream, plan, 0, PATHS));
	while (gbm_stream_next(stream, &b) > 0)
		of_stream += hash_block(&b);
	gbm_stream_close(&stream);
	gbm_plan_destroy(&plan);
	/* hash_run() runs twice. */
	if (of_callback != 2 * of_stream) {
		fprintf(stderr, "identity: streams are not what callbacks "
				"see\n");
		exit(EXIT_FAILURE);
	}
	hash_add(&of_stream, sizeof(of_stream));
}

static void hash_generator(void)
{
	static double z[1000];
	struct gbm_rng rng;

	gbm_rng_init(&rng, 3, UINT64_MAX);
	for (size_t n = 0; n < 1000; n += 37) {
		uint64_t w = gbm_rng_u64(&rng);

		hash_add(&w, sizeof(w));
		z[0] = gbm_rng_uniform(&rng);
		z[1] = gbm_rng_normal(&rng);
		hash_add(z, 2 * sizeof(*z));
		gbm_rng_fill_normal(&rng, z, n);
		hash_add(z, n * sizeof(*z));
	}
}

void hash_calls(void)
{
	/* spot, drift, vol, horizon, steps */
	static const struct {
		double spot, drift, vol, horizon;
		uint64_t steps;
	} rows[] = {
		{ 100, 0.05, 0.2, 1, 1 },
		{ 100, 0.05, 0.2, 1, 12 },
		{ 100, 0.05, 0.2, 1, 252 }, /* averages by growth */
		{ 7, -0.1, 0.35, 3, 252 },
		{ 100, 0.05, 0, 1, 5 },
		{ 1, 0.1, 0.3, 1e-12, 20 },
		{ 0x1p-1070, 0.05, 0.5, 1, 3 },
		{ 1e306, 0.05, 0.1, 1, 3 },
		{ 3, 45000, 300, 1, 3 }, /* 0, numbers and infinity */
	};
	const size_t n = sizeof(rows) / sizeof(*rows);

	for (size_t i = 0; i < n; i++) {
		struct gbm_model m = GBM_MODEL_INIT;

		m.spot = rows[i].spot;
		m.drift = rows[i].drift;
		m.vol = rows[i].vol;
		m.horizon = rows[i].horizon;
		m.steps = rows[i].steps;
		hash_model(&m, i + 1 < n);
	}
	hash_generator();
}
