/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What runs collect: against closed forms of the log-normal distribution, and
 * the same bytes however the work was cut and shared.  Seeds are fixed: what
 * passes once passes always.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>
#include <string.h>

#include <gsl/gsl_cdf.h>

#include <gbm-mc/summary.h>

#include "libgbm/isa.h"
#include "tests/unit/check_main.h"

static struct gbm_plan *plan_of(const struct gbm_functional *f, uint64_t n,
				const struct gbm_options *o)
{
	struct gbm_model m = GBM_MODEL_INIT;
	struct gbm_error err = { 0, "" };
	struct gbm_plan *plan;

	m.steps = 3;
	ck_assert_msg(gbm_plan_create(&plan, &m, f, n, o, &err) == GBM_OK, "%s",
		      err.text);
	return plan;
}

static struct gbm_functional builtin(enum gbm_payoff payoff)
{
	struct gbm_functional f = GBM_FUNCTIONAL_INIT;

	f.payoff = payoff;
	return f;
}

/* A gain or loss: the sum of the changes in one direction. */
static int gains(const struct gbm_block *b, void *user, double *out)
{
	(void)user;
	for (size_t i = 0; i < b->n_paths; i++)
		out[i] = b->values[3 * b->stride + i] - b->values[i];
	return 0;
}

static struct gbm_summary *make(const struct gbm_plan *plan)
{
	struct gbm_summary *s;

	ck_assert_int_eq(gbm_summary_create(&s, plan), GBM_OK);
	return s;
}

static struct gbm_summary *run_of(const struct gbm_plan *plan, uint64_t n)
{
	struct gbm_summary *s = make(plan);
	int code = 7;

	ck_assert_int_eq(gbm_run_summary(plan, 0, n, s, &code), GBM_OK);
	ck_assert_int_eq(code, 0);
	return s;
}

static void check_same(const struct gbm_summary *a, const struct gbm_summary *b)
{
	size_t part = 0, n;

	while ((n = gbm_summary_packed_size(a, part)) != 0) {
		unsigned char *pa = malloc(n), *pb = malloc(n);

		ck_assert_uint_eq(gbm_summary_packed_size(b, part), n);
		ck_assert(pa && pb);
		gbm_summary_pack(a, part, pa);
		gbm_summary_pack(b, part, pb);
		ck_assert_msg(!memcmp(pa, pb, n), "part %zu", part);
		free(pa);
		free(pb);
		part++;
	}
	ck_assert_uint_gt(part, 1);
	ck_assert_uint_eq(gbm_summary_packed_size(b, part), 0);
}

/* Of a value distributed as 100 exp(N(0.03, 0.2^2)). */
static double price_at(double level)
{
	return 100 * exp(0.03 + 0.2 * gsl_cdf_ugaussian_Pinv(level));
}

START_TEST(closed_forms)
{
	static const double levels[] = { 0.001, 0.01, 0.05, 0.5, 0.95, 0.999 };
	static const double alphas[] = { 0.5, 0.95, 0.99, 0.999 };
	struct gbm_options o = GBM_OPTIONS_INIT;
	struct gbm_functional f = builtin(GBM_TERMINAL);
	struct gbm_summary *s;
	struct gbm_plan *plan;
	struct gbm_sketch *sketch;

	o.collect = GBM_COLLECT_SKETCH;
	plan = plan_of(&f, 4000000, &o);
	s = run_of(plan, 4000000);
	sketch = gbm_summary_sketch(s, 0);
	ck_assert_uint_eq(gbm_sketch_count(sketch), 4000000);
	for (size_t i = 0; i < sizeof(levels) / sizeof(*levels); i++) {
		struct gbm_quantile q = GBM_QUANTILE_INIT;
		double exact = price_at(levels[i]);

		ck_assert_int_eq(gbm_sketch_quantile(sketch, levels[i], &q),
				 GBM_OK);
		/* Twice the interval: four standard errors. */
		ck_assert_msg(fabs(q.value - exact) < q.ci_hi - q.ci_lo,
			      "%g: %g, not %g", levels[i], q.value, exact);
		ck_assert(q.ci_hi - q.ci_lo < 0.01 * exact);
	}
	for (size_t i = 0; i < sizeof(alphas) / sizeof(*alphas); i++) {
		struct gbm_risk r = GBM_RISK_INIT;
		double tail = 1 - alphas[i], es;

		ck_assert_int_eq(gbm_sketch_risk(sketch, 100, alphas[i], &r),
				 GBM_OK);
		/* E[S; S < s] = E[S] N(z - sigma), z that of s */
		es = 100 - exp(0.05) * 100 *
				   gsl_cdf_ugaussian_P(
					   gsl_cdf_ugaussian_Pinv(tail) - 0.2) /
				   tail;
		ck_assert(fabs(r.var - (100 - price_at(tail))) < 0.1);
		ck_assert_msg(fabs(r.es - es) < 4 * r.es_std_error,
			      "%g: %g +- %g, not %g", alphas[i], r.es,
			      r.es_std_error, es);
		ck_assert(r.es_std_error < 0.1 && r.es_lo <= r.es &&
			  r.es <= r.es_hi);
	}
	gbm_summary_destroy(&s);
	ck_assert_ptr_null(s);
	gbm_plan_destroy(&plan);
}
END_TEST

static struct gbm_functional functional_of(int i)
{
	struct gbm_functional f = builtin((enum gbm_payoff)i);

	if (i > GBM_ASIAN_PUT)
		f.fn = gains;
	return f;
}

/* By instruction set, threads, chunk and ranges: the same bytes. */
START_TEST(partitions)
{
	const uint64_t n = 40 * GBM_BLOCK_PATHS + 77;
	struct gbm_functional f = functional_of(_i);
	const struct gbm_functional others[] = { builtin(GBM_PUT),
						 builtin(GBM_ASIAN_CALL) };
	struct gbm_options o = GBM_OPTIONS_INIT;
	struct gbm_result want = GBM_RESULT_INIT, got = GBM_RESULT_INIT;
	const struct gbm_kernel *k;
	struct gbm_summary *all, *s;
	struct gbm_plan *plan;

	o.collect = GBM_COLLECT_SKETCH;
	if (_i % 2) {
		o.collect |= GBM_COLLECT_MOMENTS;
		o.others = others;
		o.n_others = 2;
	}
	if (_i % 3 == 2)
		o.collect |= GBM_COLLECT_FAN;
	o.threads = 1;
	plan = plan_of(&f, n, &o);
	all = run_of(plan, n);
	ck_assert_int_eq(gbm_run(plan, &want), GBM_OK);
	ck_assert_int_eq(gbm_stats_result(gbm_summary_stats(all, 0), &got),
			 GBM_OK);
	ck_assert(want.n == got.n && want.mean == got.mean &&
		  want.variance == got.variance && want.min == got.min &&
		  want.max == got.max);
	gbm_plan_destroy(&plan);

	for (unsigned i = 0; (k = gbm_kernel_available(i)); i++)
		for (unsigned turn = 0; turn < 4; turn++) {
			uint64_t cut = (7 + 9 * turn) * GBM_BLOCK_PATHS;

			ck_assert_int_eq(setenv("GBM_ISA", k->name, 1), 0);
			o.threads = 1 + turn % 3;
			o.chunk_bytes = turn ? UINT64_C(16384) << turn : 0;
			plan = plan_of(&f, n, &o);
			s = make(plan);
			ck_assert_int_eq(
				gbm_run_summary(plan, cut, n - cut, s, NULL),
				GBM_OK);
			ck_assert_int_eq(gbm_run_summary(plan, 0, cut, s, NULL),
					 GBM_OK);
			check_same(all, s);
			gbm_summary_destroy(&s);
			gbm_plan_destroy(&plan);
		}
	unsetenv("GBM_ISA");
	gbm_summary_destroy(&all);
}
END_TEST

/* The sketch of a run is that of its values one by one. */
START_TEST(run_and_stream)
{
	struct gbm_functional f = builtin(GBM_TERMINAL);
	struct gbm_options o = GBM_OPTIONS_INIT;
	struct gbm_sketch *values;
	struct gbm_stream *stream;
	struct gbm_summary *s;
	struct gbm_block block;
	struct gbm_plan *plan;
	size_t n;

	o.collect = GBM_COLLECT_SKETCH;
	plan = plan_of(&f, 50000, &o);
	s = run_of(plan, 50000);
	ck_assert_int_eq(gbm_sketch_create(&values), GBM_OK);
	ck_assert_int_eq(gbm_stream_open(&stream, plan, 0, 50000), GBM_OK);
	while (gbm_stream_next(stream, &block) == 1)
		gbm_sketch_add(values, block.values + 3 * block.stride,
			       block.n_paths);
	gbm_stream_close(&stream);
	n = gbm_sketch_packed_size(values);
	{
		unsigned char *a = malloc(n), *b = malloc(n);

		ck_assert(a && b);
		gbm_sketch_pack(values, a);
		gbm_sketch_pack(gbm_summary_sketch(s, 0), b);
		ck_assert(!memcmp(a, b, n));
		free(a);
		free(b);
	}
	gbm_sketch_destroy(&values);
	gbm_summary_destroy(&s);
	gbm_plan_destroy(&plan);
}
END_TEST

/* Raw moments of a log-normal price are exp(k m + k^2 s^2 / 2). */
START_TEST(shapes)
{
	const double w = exp(0.04), k = 4000000;
	struct gbm_functional f = builtin(GBM_TERMINAL);
	struct gbm_options o = GBM_OPTIONS_INIT;
	struct gbm_shape shape = GBM_SHAPE_INIT;
	double skewness = (w + 2) * sqrt(w - 1);
	double kurtosis = w * w * w * w + 2 * w * w * w + 3 * w * w - 6;
	struct gbm_summary *s;
	struct gbm_plan *plan;

	o.collect = GBM_COLLECT_MOMENTS;
	plan = plan_of(&f, 4000000, &o);
	s = run_of(plan, 4000000);
	ck_assert_int_eq(gbm_summary_shape(s, 0, &shape), GBM_OK);
	ck_assert_uint_eq(shape.n, 4000000);
	/* Somewhat more than sqrt(6 / n) and sqrt(24 / n). */
	ck_assert_msg(fabs(shape.skewness - skewness) < 4 * sqrt(30 / k),
		      "%g, not %g", shape.skewness, skewness);
	ck_assert_msg(fabs(shape.excess_kurtosis - kurtosis) <
			      4 * sqrt(600 / k),
		      "%g, not %g", shape.excess_kurtosis, kurtosis);
	ck_assert_int_eq(gbm_summary_shape(s, 1, &shape), GBM_EINVAL);
	gbm_summary_destroy(&s);
	gbm_plan_destroy(&plan);
}
END_TEST

/* E[S^2; S > K] = E[S^2] N(d1 + sigma): Cov(S, call) by hand. */
START_TEST(covariances)
{
	const struct gbm_functional others[] = { builtin(GBM_CALL),
						 builtin(GBM_PUT) };
	struct gbm_functional f = builtin(GBM_TERMINAL);
	struct gbm_options o = GBM_OPTIONS_INIT;
	struct gbm_covariance c[3][3];
	double d1 = (0.05 + 0.02) / 0.2, forward = 100 * exp(0.05);
	double square = 1e4 * exp(0.14) * gsl_cdf_ugaussian_P(d1 + 0.2);
	double first = forward * gsl_cdf_ugaussian_P(d1);
	double call =
		exp(-0.05) * (first - 100 * gsl_cdf_ugaussian_P(d1 - 0.2));
	double exact = exp(-0.05) * (square - 100 * first) - forward * call;
	struct gbm_summary *s;
	struct gbm_plan *plan;

	o.collect = GBM_COLLECT_MOMENTS;
	o.others = others;
	o.n_others = 2;
	plan = plan_of(&f, 1000000, &o);
	s = run_of(plan, 1000000);
	for (size_t i = 0; i < 3; i++)
		for (size_t j = 0; j < 3; j++) {
			c[i][j] = (struct gbm_covariance)GBM_COVARIANCE_INIT;
			ck_assert_int_eq(
				gbm_summary_covariance(s, i, j, &c[i][j]),
				GBM_OK);
			ck_assert_uint_eq(c[i][j].n, 1000000);
		}
	for (size_t i = 0; i < 3; i++) {
		struct gbm_result alone = GBM_RESULT_INIT, r = GBM_RESULT_INIT;
		struct gbm_options plain = GBM_OPTIONS_INIT;
		const struct gbm_functional *g = i ? others + i - 1 : &f;
		struct gbm_plan *one = plan_of(g, 1000000, &plain);

		/* Each has the bits of a run of its own. */
		ck_assert_int_eq(gbm_run(one, &alone), GBM_OK);
		ck_assert_int_eq(gbm_stats_result(gbm_summary_stats(s, i), &r),
				 GBM_OK);
		ck_assert(r.mean == alone.mean && r.variance == alone.variance);
		gbm_plan_destroy(&one);
		ck_assert(fabs(c[i][i].covariance / r.variance - 1) < 1e-12);
		ck_assert(fabs(c[i][i].correlation - 1) < 1e-12);
		for (size_t j = 0; j < 3; j++)
			ck_assert(c[i][j].covariance == c[j][i].covariance);
	}
	ck_assert_msg(fabs(c[0][1].covariance / exact - 1) < 0.01, "%g, not %g",
		      c[0][1].covariance, exact);
	ck_assert(c[0][2].correlation < -0.5 && c[0][2].correlation > -1);
	ck_assert(c[1][2].correlation < 0);
	/* exp(-rT) (S - K) = call - put on each path. */
	ck_assert(fabs(c[0][1].covariance - c[0][2].covariance -
		       exp(-0.05) * c[0][0].covariance) < 1e-9);
	ck_assert_int_eq(gbm_summary_covariance(s, 0, 3, &c[0][0]), GBM_EINVAL);
	c[0][0].size = 1;
	ck_assert_int_eq(gbm_summary_covariance(s, 0, 0, &c[0][0]), GBM_EINVAL);
	gbm_summary_destroy(&s);
	gbm_plan_destroy(&plan);
}
END_TEST

/* At each step log S is normal; and the last step's prices are the terminal. */
START_TEST(fans)
{
	static const double levels[] = { 0.01, 0.5, 0.95 };
	struct gbm_functional f = builtin(GBM_TERMINAL);
	struct gbm_options o = GBM_OPTIONS_INIT;
	struct gbm_summary *s;
	struct gbm_plan *plan;

	o.collect = GBM_COLLECT_FAN | GBM_COLLECT_SKETCH;
	o.threads = 2;
	plan = plan_of(&f, 400000, &o);
	s = run_of(plan, 400000);
	ck_assert_ptr_null(gbm_summary_fan(s, 0));
	ck_assert_ptr_null(gbm_summary_fan(s, 4));
	ck_assert_ptr_null(gbm_summary_fan(NULL, 1));
	for (uint64_t t = 1; t <= 3; t++)
		for (size_t i = 0; i < 3; i++) {
			struct gbm_quantile q = GBM_QUANTILE_INIT;
			double time = (double)t / 3, exact;

			exact = 100 *
				exp(0.03 * time +
				    0.2 * sqrt(time) *
					    gsl_cdf_ugaussian_Pinv(levels[i]));
			ck_assert_int_eq(
				gbm_sketch_quantile(gbm_summary_fan(s, t),
						    levels[i], &q),
				GBM_OK);
			ck_assert_uint_eq(q.n, 400000);
			ck_assert_msg(fabs(q.value - exact) < q.ci_hi - q.ci_lo,
				      "step %d, level %g: %g, not %g", (int)t,
				      levels[i], q.value, exact);
			if (t == 3) {
				struct gbm_quantile last = GBM_QUANTILE_INIT;

				gbm_sketch_quantile(gbm_summary_sketch(s, 0),
						    levels[i], &last);
				ck_assert(last.value == q.value);
			}
		}
	gbm_summary_destroy(&s);
	gbm_plan_destroy(&plan);
}
END_TEST

/* Any spread of prices, and none. */
START_TEST(odd_fans)
{
	static const double vols[] = { 0, 1e-6, 3, 40 };

	for (size_t i = 0; i < sizeof(vols) / sizeof(*vols); i++) {
		struct gbm_functional f = builtin(GBM_TERMINAL);
		struct gbm_options o = GBM_OPTIONS_INIT;
		struct gbm_model m = GBM_MODEL_INIT;
		struct gbm_quantile q = GBM_QUANTILE_INIT;
		struct gbm_summary *s;
		struct gbm_plan *plan;
		struct gbm_error err;

		m.steps = 5;
		m.vol = vols[i];
		o.collect = GBM_COLLECT_FAN;
		ck_assert_msg(gbm_plan_create(&plan, &m, &f, 5000, &o, &err) ==
				      GBM_OK,
			      "%s", err.text);
		s = run_of(plan, 5000);
		ck_assert_int_eq(
			gbm_sketch_quantile(gbm_summary_fan(s, 5), 1, &q),
			GBM_OK);
		ck_assert_uint_eq(q.n, 5000);
		ck_assert(q.value > 0 && q.lo <= q.value && q.value <= q.hi);
		gbm_summary_destroy(&s);
		gbm_plan_destroy(&plan);
	}
}
END_TEST

START_TEST(memory_of_fans)
{
	struct gbm_functional f = builtin(GBM_CALL);
	struct gbm_options o = GBM_OPTIONS_INIT;
	struct gbm_model m = GBM_MODEL_INIT;
	struct gbm_plan *plan;
	struct gbm_error err;

	o.collect = GBM_COLLECT_FAN;
	o.threads = 2;
	m.steps = 252;
	ck_assert_int_eq(gbm_plan_create(&plan, &m, &f, 10000, &o, &err),
			 GBM_OK);
	gbm_plan_destroy(&plan);
	/* Twice 252 steps of 64 KiB are 32 MiB. */
	o.mem_cap = UINT64_C(31) << 20;
	ck_assert_int_eq(gbm_plan_create(&plan, &m, &f, 10000, &o, &err),
			 GBM_ENOMEM);
	ck_assert(strstr(err.text, "fewer steps"));
	o.mem_cap = 0;
	m.steps = UINT64_C(1) << 40;
	ck_assert_int_eq(gbm_plan_create(&plan, &m, &f, 10000, &o, &err),
			 GBM_ENOMEM);
}
END_TEST

/* Values whose mean dwarfs their spread; and by how much their block may lie.
 */
static int shifted(const struct gbm_block *b, void *user, double *out)
{
	const double *shift = user;

	for (size_t i = 0; i < b->n_paths; i++)
		out[i] = *shift + ldexp(b->values[3 * b->stride + i] - 105, -4);
	return 0;
}

START_TEST(soundness)
{
	static const double shifts[] = { 0, 1, 1e9, -1e12 };
	double want[2] = { 0, 0 };

	for (size_t i = 0; i < sizeof(shifts) / sizeof(*shifts); i++) {
		struct gbm_functional f = builtin(GBM_TERMINAL);
		struct gbm_options o = GBM_OPTIONS_INIT;
		struct gbm_shape shape = GBM_SHAPE_INIT;
		double shift = shifts[i], allowed = fabs(shift) * 1e-15 + 1e-12;
		struct gbm_summary *s;
		struct gbm_plan *plan;

		f.fn = shifted;
		f.user = &shift;
		o.collect = GBM_COLLECT_MOMENTS;
		plan = plan_of(&f, 50000, &o);
		s = run_of(plan, 50000);
		ck_assert_int_eq(gbm_summary_shape(s, 0, &shape), GBM_OK);
		if (i == 0) {
			want[0] = shape.skewness;
			want[1] = shape.excess_kurtosis;
		}
		ck_assert_msg(fabs(shape.skewness - want[0]) < allowed,
			      "%g: %.17g, not %.17g", shift, shape.skewness,
			      want[0]);
		ck_assert(fabs(shape.excess_kurtosis - want[1]) < allowed);
		gbm_summary_destroy(&s);
		gbm_plan_destroy(&plan);
	}
}
END_TEST

/* All values the same, and too large ones: no number rather than a wrong one.
 */
static int odd(const struct gbm_block *b, void *user, double *out)
{
	const double *far = user;

	for (size_t i = 0; i < b->n_paths; i++)
		out[i] = b->first_path + i == 5000 ? *far : 7.5;
	return 0;
}

START_TEST(shapes_that_are_none)
{
	static const double fars[] = { 7.5, INFINITY, NAN, 1e300 };

	for (size_t i = 0; i < sizeof(fars) / sizeof(*fars); i++) {
		struct gbm_functional f = builtin(GBM_TERMINAL);
		struct gbm_options o = GBM_OPTIONS_INIT;
		struct gbm_shape shape = GBM_SHAPE_INIT;
		double far = fars[i];
		struct gbm_summary *s;
		struct gbm_plan *plan;

		f.fn = odd;
		f.user = &far;
		o.collect = GBM_COLLECT_MOMENTS;
		plan = plan_of(&f, 10000, &o);
		s = run_of(plan, 10000);
		ck_assert_int_eq(gbm_summary_shape(s, 0, &shape), GBM_OK);
		ck_assert(isnan(shape.skewness));
		ck_assert(isnan(shape.excess_kurtosis));
		gbm_summary_destroy(&s);
		gbm_plan_destroy(&plan);
	}
}
END_TEST

static int stop_late(const struct gbm_block *b, void *user, double *out)
{
	memset(out, 0, b->n_paths * sizeof(*out));
	return b->first_path + b->n_paths > 9000 ? *(int *)user : 0;
}

START_TEST(errors)
{
	struct gbm_functional f = builtin(GBM_CALL), stops = builtin(GBM_CALL);
	struct gbm_options o = GBM_OPTIONS_INIT;
	struct gbm_plan *plan, *plain, *stopped;
	struct gbm_summary *s = (struct gbm_summary *)&o, *empty, *bare;
	int want = 42, code = 0;

	stops.fn = stop_late;
	stops.user = &want;
	plain = plan_of(&f, 10000, &o);
	o.collect = GBM_COLLECT_SKETCH;
	plan = plan_of(&f, 10000, &o);
	stopped = plan_of(&stops, 10000, &o);

	ck_assert_int_eq(gbm_summary_create(NULL, plan), GBM_EINVAL);
	ck_assert_int_eq(gbm_summary_create(&s, NULL), GBM_EINVAL);
	ck_assert_ptr_null(s);
	gbm_summary_destroy(&s);
	gbm_summary_destroy(NULL);
	ck_assert_ptr_null(gbm_summary_stats(NULL, 0));

	s = make(plan);
	empty = make(plan);
	bare = make(plain);
	ck_assert_ptr_null(gbm_summary_stats(s, 1));
	ck_assert_ptr_null(gbm_summary_sketch(s, 1));
	ck_assert_ptr_null(gbm_summary_sketch(bare, 0));
	ck_assert_int_eq(gbm_run_summary(plan, 0, 10000, bare, NULL),
			 GBM_EINVAL);
	ck_assert_int_eq(gbm_run_summary(plan, 0, 10000, NULL, NULL),
			 GBM_EINVAL);
	ck_assert_int_eq(gbm_run_summary(plan, 5, 9995, s, NULL), GBM_EINVAL);
	ck_assert_int_eq(gbm_run_summary(plan, 0, 10001, s, NULL), GBM_EINVAL);
	ck_assert_int_eq(gbm_summary_merge(s, bare), GBM_EINVAL);
	ck_assert_int_eq(gbm_summary_merge(bare, s), GBM_EINVAL);
	ck_assert_int_eq(gbm_summary_merge(s, NULL), GBM_EINVAL);
	ck_assert_int_eq(gbm_run_summary(stopped, 0, 10000, s, &code),
			 GBM_ECANCELED);
	ck_assert_int_eq(code, 42);
	check_same(s, empty);

	gbm_summary_destroy(&s);
	gbm_summary_destroy(&empty);
	gbm_summary_destroy(&bare);
	gbm_plan_destroy(&plan);
	gbm_plan_destroy(&plain);
	gbm_plan_destroy(&stopped);
}
END_TEST

START_TEST(parts)
{
	struct gbm_functional f = builtin(GBM_CALL);
	struct gbm_options o = GBM_OPTIONS_INIT;
	struct gbm_summary *s, *t, *both;
	struct gbm_plan *plan;
	size_t n;

	o.collect = GBM_COLLECT_SKETCH | GBM_COLLECT_MOMENTS | GBM_COLLECT_FAN;
	o.others = &f;
	o.n_others = 1;
	plan = plan_of(&f, 30000, &o);
	s = make(plan);
	t = make(plan);
	both = make(plan);
	ck_assert_int_eq(gbm_run_summary(plan, 0, 20480, s, NULL), GBM_OK);
	ck_assert_int_eq(gbm_run_summary(plan, 20480, 9520, t, NULL), GBM_OK);
	for (size_t part = 0; (n = gbm_summary_packed_size(s, part)); part++) {
		unsigned char *a = malloc(n), *b = malloc(n);

		ck_assert(a && b);
		gbm_summary_pack(s, part, a);
		gbm_summary_pack(t, part, b);
		ck_assert_int_eq(gbm_summary_merge_packed(a, b, n), GBM_OK);
		ck_assert_int_eq(gbm_summary_unpack(both, part, a, n), GBM_OK);
		ck_assert_int_eq(gbm_summary_unpack(both, (part + 3) % 8, a, n),
				 GBM_EFORMAT);
		ck_assert_int_eq(gbm_summary_unpack(both, 99, a, n),
				 GBM_EFORMAT);
		for (size_t i = 0; i < 64; i++) {
			size_t at = i < 32 ? i : n - 1 - (i - 32) * (n / 40);

			b[at] ^= 4;
			ck_assert_int_eq(gbm_summary_merge_packed(a, b, n),
					 GBM_EFORMAT);
			ck_assert_int_eq(gbm_summary_merge_packed(b, a, n),
					 GBM_EFORMAT);
			ck_assert_int_eq(gbm_summary_unpack(both, part, b, n),
					 GBM_EFORMAT);
			b[at] ^= 4;
		}
		ck_assert_int_eq(gbm_summary_merge_packed(a, b, n - 8),
				 GBM_EFORMAT);
		ck_assert_int_eq(gbm_summary_merge_packed(a, b, 0),
				 GBM_EFORMAT);
		free(a);
		free(b);
	}
	ck_assert_int_eq(gbm_summary_merge_packed(NULL, &n, 8), GBM_EFORMAT);
	ck_assert_int_eq(gbm_summary_merge(s, t), GBM_OK);
	check_same(s, both);
	gbm_summary_destroy(&t);
	t = run_of(plan, 30000);
	check_same(s, t);
	gbm_summary_destroy(&s);
	gbm_summary_destroy(&t);
	gbm_summary_destroy(&both);
	gbm_plan_destroy(&plan);
}
END_TEST

static struct gbm_plan_info info_of(const struct gbm_plan *plan)
{
	struct gbm_plan_info i = GBM_PLAN_INFO_INIT;

	ck_assert_int_eq(gbm_plan_info(plan, &i), GBM_OK);
	return i;
}

/* A megabyte a thread and one for the sum are part of the plan's need. */
START_TEST(memory)
{
	struct gbm_functional f = builtin(GBM_CALL);
	struct gbm_options o = GBM_OPTIONS_INIT;
	struct gbm_model m = GBM_MODEL_INIT;
	struct gbm_plan *plain, *plan;
	struct gbm_error err;
	uint64_t more, resident;

	o.threads = 2;
	plain = plan_of(&f, 10000, &o);
	o.collect = GBM_COLLECT_SKETCH;
	plan = plan_of(&f, 10000, &o);
	more = info_of(plan).need_bytes - info_of(plain).need_bytes;
	ck_assert_uint_gt(more, UINT64_C(3) << 20);
	ck_assert_uint_lt(more, UINT64_C(4) << 20);
	resident = info_of(plain).need_bytes;
	gbm_plan_destroy(&plan);
	gbm_plan_destroy(&plain);

	o.mem_cap = resident + (UINT64_C(2) << 20);
	ck_assert_int_eq(gbm_plan_create(&plan, &m, &f, 10000, &o, &err),
			 GBM_ENOMEM);
	ck_assert(strstr(err.text, "the budget is"));
	/* What is resident grows as tests run: it is asked anew. */
	o.collect = 0;
	o.mem_cap = 0;
	plain = plan_of(&f, 10000, &o);
	resident = info_of(plain).need_bytes;
	gbm_plan_destroy(&plain);
	o.collect = GBM_COLLECT_SKETCH;
	o.threads = 0; /* fewer of them fit */
	o.mem_cap = resident + (UINT64_C(11) << 18);
	ck_assert_int_eq(gbm_plan_create(&plan, &m, &f, 10000, &o, &err),
			 GBM_OK);
	gbm_plan_destroy(&plan);

	o.others = &f;
	o.n_others = GBM_MAX_FUNCTIONALS;
	ck_assert_int_eq(gbm_plan_create(&plan, &m, &f, 10000, &o, &err),
			 GBM_EINVAL);
	ck_assert(strstr(err.text, "n_others"));
	o.n_others = 1;
	ck_assert_int_eq(gbm_plan_create(&plan, &m, NULL, 10000, &o, &err),
			 GBM_EINVAL);
	ck_assert(strstr(err.text, "functional"));
	o.others = NULL;
	ck_assert_int_eq(gbm_plan_create(&plan, &m, &f, 10000, &o, &err),
			 GBM_EINVAL);
	ck_assert(strstr(err.text, "others"));
	o.n_others = 0;
	o.collect = 1u << 31;
	ck_assert_int_eq(gbm_plan_create(&plan, &m, &f, 10000, &o, &err),
			 GBM_EINVAL);
	ck_assert(strstr(err.text, "collect"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("summary");
	TCase *t = tcase_create("summary");

	tcase_set_timeout(t, 120);
	tcase_add_test(t, closed_forms);
	tcase_add_loop_test(t, partitions, 0, GBM_ASIAN_PUT + 2);
	tcase_add_test(t, run_and_stream);
	tcase_add_test(t, shapes);
	tcase_add_test(t, covariances);
	tcase_add_test(t, fans);
	tcase_add_test(t, odd_fans);
	tcase_add_test(t, memory_of_fans);
	tcase_add_test(t, soundness);
	tcase_add_test(t, shapes_that_are_none);
	tcase_add_test(t, errors);
	tcase_add_test(t, parts);
	tcase_add_test(t, memory);
	suite_add_tcase(s, t);
	return gbm_check_main(s);
}
