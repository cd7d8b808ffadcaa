/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Prices, averages and payoffs against the same paths in 113 bits: from the
 * model's parameters and the exact values of the words, with nothing of the
 * kernels but the words themselves and gbm_normal_rest().  By the kernels, and
 * as callbacks and iterators are handed them.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gbm-mc/gbm.h>

#include "libgbm/vec_scalar.h"

#include "libgbm/isa.h"
#include "libgbm/model.h"
#include "libgbm/normal.h"
#include "tests/unit/check_main.h"
#include "tests/unit/quad.h"

#ifdef HAVE_QUAD

#define PATHS	  GBM_GROUP_PATHS
#define MAX_STEPS 1000 /* of which all prices are compared */
#define SEED	  4242

/*
 * Limits are of the error in units of the last place, what was measured and 2 %
 * more: last and path of prices, at the last and at all steps, mean of
 * averages, value of payoffs.  A limit below 0 stands for "not looked at".
 */
static const struct exact_case {
	const char *name;
	double spot, drift, vol, horizon;
	uint64_t steps;
	double last, path, mean, value;
} cases[] = {
	{ "one step", 100, 0.05, 0.2, 1, 1, 1.39, 1.39, 1.39, 0.87 },
	{ "days", 100, 0.05, 0.2, 1, 252, 4.36, 4.85, 12.43, 3.09 },
	{ "months", 100, 0.05, 0.2, 1, 12, 1.30, 1.67, 2.60, 1.12 },
	{ "three years of days", 7, -0.1, 0.35, 3, 756, 12.69, 17.78, 28.00,
	  12.01 },
	{ "tiny steps", 1, 0.1, 0.3, 1e-12, 1000, 0.51, 0.51, 32.35, 1.45 },
	{ "the least horizon", 1, 0.1, 0.3, 0x1p-1074, 5, 0, 0, 0, 0.49 },
	{ "no volatility", 100, 0.05, 0, 1, 252, 0.86, 1.29, 0.26, 0.51 },
	{ "nothing at all", 100, 0, 0, 1, 12, 0, 0, 0.01, 0.02 },
	{ "huge volatility", 100, 0, 10, 1, 4, 90.63, 90.63, 29.12, 0.81 },
	{ "0, numbers and infinity", 3, 45000, 300, 1, 3, 783.45, 783.45,
	  522.30, -1 },
	{ "a vast drift", 3, 400, 30, 1, 5, 132.41, 132.41, 162.35, -1 },
	{ "subnormal spot", 0x1p-1070, 0.05, 0.5, 1, 10, 0.51, 0.51, 0.51, -1 },
	{ "to and from subnormals", 1e-300, 0, 4, 2, 20, 56.49, 56.49, 15.64,
	  26.85 },
	{ "huge spot", 1e306, 0.05, 0.9, 2, 100, 16.80, 19.94, 8.04, 15.66 },
	{ "100,000 steps", 100, 0.05, 0.2, 1, 100000, 21.28, -1, 141.79, -1 },
	{ "100,000 steps of a short time", 100, 0.05, 0.2, 0.1, 100000, 9.37,
	  -1, 148.93, 8.76 },
};

/* The exact normal of a word, to the rounding of the rare ones. */
static quad normal_of(uint64_t w)
{
	uint64_t slot = w % GBM_NORMAL_SLOTS;
	quad u;

	if (slot >= GBM_NORMAL_BANDS)
		return (quad)gbm_normal_rest(w);
	/* Odd multiples of 2^-52 less a half. */
	u = (quad)(w >> 12 | 1) / (quad)(UINT64_C(1) << 52) - (quad)0.5;
	return u * (quad)gbm_normal_x2[slot];
}

/* quad_ulps(), and what rounds to infinity must be it. */
static double error_of(double got, quad want)
{
	const quad most = (quad)DBL_MAX * (1 + (quad)0x1p-54);

	if (want >= most || isinf(got))
		return want >= most * (1 - (quad)0x1p-40) && got >= DBL_MAX
			       ? 0
			       : HUGE_VAL;
	return quad_ulps(got, want);
}

static quad want[MAX_STEPS + 1][PATHS];

/* Prices at the steps up to MAX_STEPS, at the last one, and their means. */
static void reference(const struct exact_case *c, uint64_t seed, uint64_t group,
		      quad *last, quad *mean)
{
	const quad dt = (quad)c->horizon / (quad)c->steps;
	const quad vol = (quad)c->vol * Q(sqrt)(dt);
	const quad half = (quad)c->vol * (quad)c->vol / 2;
	const quad drift = ((quad)c->drift - half) * dt;
	static quad y[PATHS];
	struct gbm_lanes lanes;

	gbm_kernel_scalar.seed(&lanes, seed, GBM_PURPOSE_PATHS, group);
	for (unsigned i = 0; i < PATHS; i++)
		y[i] = mean[i] = 0;
	for (uint64_t t = 1; t <= c->steps; t++) {
		uint64_t w[PATHS];

		gbm_kernel_scalar.words(&lanes, w, GBM_ROWS);
		for (unsigned i = 0; i < PATHS; i++) {
			/* Of very long paths some are enough. */
			if (c->steps > MAX_STEPS && i % 32)
				continue;
			y[i] += normal_of(w[i]);
			last[i] = (quad)c->spot *
				  Q(exp)(vol * y[i] + drift * (quad)t);
			mean[i] += last[i] / (quad)c->steps;
			if (t <= MAX_STEPS)
				want[t][i] = last[i];
		}
	}
}

/* The largest error of a case; also HUGE_VAL or a NaN. */
static double worst(double a, double b)
{
	return a >= b ? a : b;
}

static void check_limit(const struct exact_case *c, const char *kernel,
			const char *what, double got, double limit)
{
	if (limit >= 0)
		ck_assert_msg(got <= limit && got >= 0.9 * limit - 0.01,
			      "%s, %s: %s errs by %.3f ulp, not by about %.3f",
			      c->name, kernel, what, got, limit);
}

/* What callbacks and iterators are given: some times of the last paths. */
struct shown {
	uint64_t first_path, first_time, times;
	double *values; /* [time * PATHS + path] */
	uint64_t seen;
};

static void copy_block(const struct gbm_block *b, struct shown *s)
{
	ck_assert_uint_eq(b->n_times, s->first_time + s->times);
	for (uint64_t i = 0; i < b->n_paths; i++) {
		uint64_t path = b->first_path + i;

		if (path < s->first_path)
			continue;
		for (uint64_t t = 0; t < s->times; t++)
			s->values[t * PATHS + path - s->first_path] =
				b->values[(s->first_time + t) * b->stride + i];
		s->seen++;
	}
}

static int shown_to_callback(const struct gbm_block *b, void *user, double *out)
{
	copy_block(b, user);
	for (size_t i = 0; i < b->n_paths; i++)
		out[i] = 0;
	return 0;
}

static void check_bits(const struct shown *s, const double *prices,
		       uint64_t paths)
{
	ck_assert_uint_eq(s->seen, paths);
	for (uint64_t t = 0; t < s->times; t++)
		ck_assert_mem_eq(s->values + t * PATHS, prices + t * PATHS,
				 paths * sizeof(*prices));
}

/*
 * What a run's callback and an iterator see of the group's first paths, from
 * first_time on, is what the kernel gave, to the bit.
 */
static void check_shown(const struct gbm_model *m, const char *isa,
			uint64_t group, uint64_t paths, uint64_t first_time,
			const double *prices)
{
	static double values[(MAX_STEPS + 1) * PATHS];
	struct shown s = { .first_path = group * PATHS,
			   .first_time = first_time,
			   .times = m->steps + 1 - first_time,
			   .values = values };
	uint64_t end = s.first_path + paths;
	uint64_t block = s.first_path / GBM_BLOCK_PATHS * GBM_BLOCK_PATHS;
	struct gbm_functional f = GBM_FUNCTIONAL_INIT;
	struct gbm_options o = GBM_OPTIONS_INIT;
	struct gbm_stream *stream;
	struct gbm_stats *stats;
	struct gbm_plan *plan;
	struct gbm_block b;

	ck_assert_int_eq(setenv("GBM_ISA", isa, 1), 0);
	o.seed = SEED;
	o.threads = 1;
	f.fn = shown_to_callback;
	f.user = &s;
	ck_assert_int_eq(gbm_plan_create(&plan, m, &f, end, &o, NULL), GBM_OK);
	ck_assert_int_eq(gbm_stats_create(&stats), GBM_OK);
	ck_assert_int_eq(gbm_run_range(plan, block, end - block, stats, NULL),
			 GBM_OK);
	gbm_stats_destroy(&stats);
	check_bits(&s, prices, paths);

	memset(values, 0, sizeof(values));
	s.seen = 0;
	ck_assert_int_eq(gbm_stream_open(&stream, plan, s.first_path, paths),
			 GBM_OK);
	while (gbm_stream_next(stream, &b) == 1)
		copy_block(&b, &s);
	gbm_stream_close(&stream);
	check_bits(&s, prices, paths);
	gbm_plan_destroy(&plan);
}

static void take_values(void *user, double *values, size_t n)
{
	ck_assert_uint_eq(n, PATHS);
	memcpy(user, values, n * sizeof(*values));
}

/*
 * Payoffs that are made of the growth without the price, against those of exact
 * prices; in units of the last place of the price or the strike, whichever is
 * larger, discounted.
 */
static void check_values(const struct exact_case *c, const struct gbm_kernel *k,
			 const struct gbm_dynamics *d, uint64_t group,
			 const quad *prices)
{
	const double discount = 0.95, strike = 1.05 * c->spot;
	double value[PATHS], err = 0;

	for (int call = 0; call < 2; call++) {
		double scale = call ? discount : -discount;
		const struct gbm_take take = { take_values, value,
					       scale * c->spot,
					       -scale * strike };

		ck_assert_int_eq(k->value(d, group, 1, &take), c->value >= 0);
		if (c->value < 0)
			return;
		for (size_t i = 0; i<PATHS; i += c->steps> MAX_STEPS ? 32 : 1) {
			quad large = prices[i] > strike ? prices[i] : strike;
			quad exact =
				call ? prices[i] - strike : strike - prices[i];
			double unit;

			large *= (quad)discount;
			exact = exact > 0 ? (quad)discount * exact : 0;
			unit = nextafter((double)large, HUGE_VAL) -
			       (double)large;
			err = worst((double)Q(fabs)((quad)value[i] - exact) /
					    unit,
				    err);
		}
	}
	check_limit(c, k->name, "value", err, c->value);
}

START_TEST(prices_in_113_bits)
{
	const struct exact_case *c = cases + _i;
	static double prices[(MAX_STEPS + 1) * PATHS];
	double last[PATHS], mean[PATHS];
	quad want_last[PATHS], want_mean[PATHS];
	struct gbm_model m = GBM_MODEL_INIT;
	const struct gbm_kernel *k;
	const uint64_t group = 77;
	struct gbm_dynamics d;
	size_t every = c->steps > MAX_STEPS ? 32 : 1;

	m.spot = c->spot;
	m.drift = c->drift;
	m.vol = c->vol;
	m.horizon = c->horizon;
	m.steps = c->steps;
	ck_assert_int_eq(gbm_model_check(&m, NULL), GBM_OK);
	gbm_model_dynamics(&m, SEED, &d);
	reference(c, SEED, group, want_last, want_mean);
	for (unsigned n = 0; (k = gbm_kernel_available(n)); n++) {
		double of_last = 0, of_path = 0, of_mean = 0;

		k->terminal(&d, group, 1, last, NULL);
		k->average(&d, group, 1, mean, NULL);
		for (size_t i = 0; i < PATHS; i += every) {
			of_last =
				worst(error_of(last[i], want_last[i]), of_last);
			of_mean =
				worst(error_of(mean[i], want_mean[i]), of_mean);
		}
		check_limit(c, k->name, "last", of_last, c->last);
		check_limit(c, k->name, "mean", of_mean, c->mean);
		check_values(c, k, &d, group, want_last);
		if (c->steps > MAX_STEPS) {
			/* At the beginning of a block, so that they are few. */
			k->terminal(&d, group - 1, 1, last, NULL);
			check_shown(&m, k->name, group - 1, 8, c->steps, last);
			continue;
		}
		k->paths(&d, group, 0, GBM_ROWS, prices, PATHS);
		for (uint64_t t = 1; t <= c->steps; t++)
			for (size_t i = 0; i < PATHS; i++)
				of_path = worst(error_of(prices[t * PATHS + i],
							 want[t][i]),
						of_path);
		check_limit(c, k->name, "path", of_path, c->path);
		check_shown(&m, k->name, group, PATHS, 0, prices);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("exact");
	TCase *t = tcase_create("exact");

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, prices_in_113_bits, 0,
			    sizeof(cases) / sizeof(*cases));
	suite_add_tcase(s, t);
	return gbm_check_main(s);
}

#else

int main(void)
{
	puts("1..0 # SKIP this compiler has no type of 128 bits");
	return 0;
}

#endif
