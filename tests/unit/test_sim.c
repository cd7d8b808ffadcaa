/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Whole runs and streams: their prices, and that no bit depends on how the work
 * was cut and shared.  Seeds are fixed: what passes once passes always.
 */
#define _GNU_SOURCE
#include <float.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <gbm-mc/gbm.h>

#include "libgbm/isa.h"
#include "libgbm/model.h"
#include "libgbm/plan.h"
#include "libgbm/stats.h"
#include "tests/unit/check_main.h"
#include "tests/unit/values.h"

static uint64_t state = 1;

static uint64_t word(void)
{
	state = state * UINT64_C(6364136223846793005) +
		UINT64_C(1442695040888963407);
	return (state ^ state >> 29) >> 8;
}

static struct gbm_plan *plan_of(const struct gbm_model *m,
				const struct gbm_functional *f, uint64_t n,
				const struct gbm_options *o)
{
	struct gbm_error err = { 0, "" };
	struct gbm_plan *plan;

	ck_assert_msg(gbm_plan_create(&plan, m, f, n, o, &err) == GBM_OK, "%s",
		      err.text);
	return plan;
}

static struct gbm_result run(const struct gbm_model *m,
			     const struct gbm_functional *f, uint64_t n,
			     const struct gbm_options *o)
{
	struct gbm_plan *plan = plan_of(m, f, n, o);
	struct gbm_result r = GBM_RESULT_INIT;

	ck_assert_int_eq(gbm_run(plan, &r), GBM_OK);
	ck_assert_int_eq(r.user_code, 0);
	ck_assert_uint_eq(r.n, n);
	gbm_plan_destroy(&plan);
	ck_assert_ptr_null(plan);
	return r;
}

static struct gbm_functional builtin(enum gbm_payoff payoff, double strike)
{
	struct gbm_functional f = GBM_FUNCTIONAL_INIT;

	f.payoff = payoff;
	f.strike = strike;
	return f;
}

static struct gbm_functional callback(gbm_functional_fn *fn, void *user)
{
	struct gbm_functional f = GBM_FUNCTIONAL_INIT;

	f.fn = fn;
	f.user = user;
	return f;
}

static struct gbm_model model_of(const struct value *v)
{
	struct gbm_model m = GBM_MODEL_INIT;

	m.spot = value_number(v, "S");
	m.vol = value_number(v, "sigma");
	m.horizon = value_number(v, "T");
	if (value_text(v, "mu")) {
		m.drift = value_number(v, "mu");
	} else {
		m.rate = value_number(v, "r");
		m.dividend = value_number(v, "q");
	}
	return m;
}

/* Within the tolerance and 4 standard errors, which are small themselves. */
static void check_estimate(const char *id, const struct gbm_result *r,
			   double want, double tolerance)
{
	ck_assert_msg(fabs(r->mean - want) <= tolerance + 4 * r->std_error,
		      "%s: %g +- %g, not %g", id, r->mean, r->std_error, want);
	ck_assert_msg(r->std_error > 0 && r->std_error < 0.01 * want,
		      "%s: %g +- %g", id, r->mean, r->std_error);
}

START_TEST(published_europeans)
{
	static const char *const products[] = { "european_call",
						"european_put" };
	unsigned rows = 0;

	for (unsigned p = 0; p < 2; p++)
		for (const struct value *v = NULL;
		     (v = value_next(v, products[p])); rows++) {
			struct gbm_functional f = builtin(
				p ? GBM_PUT : GBM_CALL, value_number(v, "K"));
			struct gbm_options o = GBM_OPTIONS_INIT;
			struct gbm_model m = model_of(v);
			struct gbm_result r;

			o.seed = rows;
			m.steps = 1 + rows % 3;
			r = run(&m, &f, 400000, &o);
			check_estimate(v->id, &r, v->value, v->tolerance);
			ck_assert(r.min == 0 && r.max > r.mean);
		}
	ck_assert_uint_eq(rows, 33);
}
END_TEST

static int squared_distance(const struct gbm_block *b, void *user, double *out)
{
	const double *last = b->values + (b->n_times - 1) * b->stride;
	const double *from = user;

	for (size_t i = 0; i < b->n_paths; i++)
		out[i] = (last[i] - *from) * (last[i] - *from);
	return 0;
}

START_TEST(published_terminal_moments)
{
	const struct value *v = value_next(NULL, "gbm_terminal_mean");
	struct gbm_functional f = builtin(GBM_TERMINAL, 0);
	struct gbm_model m = model_of(v);
	struct gbm_result r;
	double mean;

	r = run(&m, &f, 1000000, NULL);
	check_estimate(v->id, &r, v->value, v->tolerance);
	/* Not discounted: rate has no part in it. */
	m.rate = 0.3;
	ck_assert(run(&m, &f, 1000000, NULL).mean == r.mean);

	v = value_next(NULL, "gbm_terminal_variance");
	m = model_of(v);
	ck_assert(fabs(r.variance - v->value) < 0.02 * v->value);
	mean = m.spot * exp(m.drift * m.horizon);
	f = callback(squared_distance, &mean);
	r = run(&m, &f, 1000000, NULL);
	check_estimate(v->id, &r, v->value, v->tolerance);
}
END_TEST

/* So many paths that a hundredth of sigma^2 / 2 would show. */
START_TEST(terminal_mean_precisely)
{
	struct gbm_functional f = builtin(GBM_TERMINAL, 0);
	struct gbm_model m = GBM_MODEL_INIT;

	for (m.steps = 1; m.steps <= 4; m.steps += 3) {
		struct gbm_result r;
		double want;

		m.vol = 0.5;
		r = run(&m, &f, 16000000, NULL);
		ck_assert_int_eq(gbm_reference(&m, &f, &want), GBM_OK);
		check_estimate("terminal", &r, want, 0);
		ck_assert_double_lt(r.std_error, 2e-4 * want);
	}
}
END_TEST

struct asian {
	double strike, sign, discount;
	double first, last; /* weights of the first and the last price */
	int geometric;
};

static int asian(const struct gbm_block *b, void *user, double *out)
{
	const struct asian *a = user;
	double n = (double)b->n_times - 2 + a->first + a->last;

	for (size_t i = 0; i < b->n_paths; i++) {
		double sum = 0, mean;

		for (size_t t = 0; t < b->n_times; t++) {
			double s = b->values[t * b->stride + i];
			double w = t == 0		 ? a->first
				   : t == b->n_times - 1 ? a->last
							 : 1;

			sum += w * (a->geometric ? log(s) : s);
		}
		mean = a->geometric ? exp(sum / n) : sum / n;
		out[i] = a->discount * fmax(a->sign * (mean - a->strike), 0);
	}
	return 0;
}

START_TEST(published_asians)
{
	unsigned rows = 0;

	/* Fixings from t = 0 on: one step less than fixings. */
	for (const struct value *v = NULL;
	     (v = value_next(v, "asian_arithmetic_discrete_put")); rows++) {
		struct gbm_model m = model_of(v);
		struct asian a = { value_number(v, "K"),
				   -1,
				   exp(-m.rate * m.horizon),
				   1,
				   1,
				   0 };
		struct gbm_functional f = callback(asian, &a);
		struct gbm_result r;

		ck_assert(value_number(v, "t_first") == 0);
		ck_assert(value_number(v, "t_last") == m.horizon);
		m.steps = (uint64_t)value_number(v, "n_fixings") - 1;
		r = run(&m, &f, 100000, NULL);
		check_estimate(v->id, &r, v->value, v->tolerance);
	}
	/* The trapezoids' error is of second order in the step: 1e-5 here. */
	for (const struct value *v = NULL;
	     (v = value_next(v, "asian_arithmetic_continuous_call")); rows++) {
		struct gbm_model m = model_of(v);
		struct asian a = { value_number(v, "K"),
				   1,
				   exp(-m.rate * m.horizon),
				   0.5,
				   0.5,
				   0 };
		struct gbm_functional f = callback(asian, &a);
		struct gbm_result r;

		m.steps = 100;
		r = run(&m, &f, 100000, NULL);
		check_estimate(v->id, &r, v->value, v->tolerance + 1e-5);
	}
	ck_assert_uint_eq(rows, 8);
}
END_TEST

/* Payoffs that are not built in, of the price at one step and at the last. */
enum exotic_kind {
	CASH_OR_NOTHING_PUT,
	ASSET_OR_NOTHING_PUT,
	GAP_CALL,
	FORWARD_START_CALL,
	FORWARD_START_PUT,
	EXOTICS
};

struct exotic {
	enum exotic_kind kind;
	double a, b, discount;
	uint64_t step;
};

static double exotic_payoff(const struct exotic *e, double first, double last)
{
	switch (e->kind) {
	case CASH_OR_NOTHING_PUT:
		return last < e->a ? e->b : 0;
	case ASSET_OR_NOTHING_PUT:
		return last < e->a ? last : 0;
	case GAP_CALL:
		return last > e->a ? last - e->b : 0;
	case FORWARD_START_CALL:
		return fmax(last - e->a * first, 0);
	default:
		return fmax(e->a * first - last, 0);
	}
}

static int exotic(const struct gbm_block *b, void *user, double *out)
{
	const struct exotic *e = user;
	const double *first = b->values + e->step * b->stride;
	const double *last = b->values + (b->n_times - 1) * b->stride;

	for (size_t i = 0; i < b->n_paths; i++)
		out[i] = e->discount * exotic_payoff(e, first[i], last[i]);
	return 0;
}

START_TEST(published_payoffs_by_callbacks)
{
	/* The product, and what its parameters are called. */
	static const char *const names[EXOTICS][3] = {
		{ "cash_or_nothing_put", "K", "cash" },
		{ "asset_or_nothing_put", "K", "K" },
		{ "gap_call", "K_trigger", "K_payment" },
		{ "forward_start_call", "moneyness", "moneyness" },
		{ "forward_start_put", "moneyness", "moneyness" },
	};

	for (unsigned kind = 0; kind < EXOTICS; kind++) {
		const struct value *v = value_next(NULL, names[kind][0]);
		struct gbm_model m = model_of(v);
		struct exotic e = { (enum exotic_kind)kind,
				    value_number(v, names[kind][1]),
				    value_number(v, names[kind][2]),
				    exp(-m.rate * m.horizon), 0 };
		struct gbm_functional f = callback(exotic, &e);
		struct gbm_result r;

		if (value_text(v, "t_start")) {
			m.steps = 4;
			e.step = (uint64_t)(value_number(v, "t_start") /
					    m.horizon * 4);
			ck_assert_uint_eq(e.step, 1);
		}
		r = run(&m, &f, 2000000, NULL);
		ck_assert_msg(fabs(r.mean - v->value) <=
				      v->tolerance + 4 * r.std_error,
			      "%s: %g +- %g, not %g", v->id, r.mean,
			      r.std_error, v->value);
		/* The gap's price is next to 0. */
		ck_assert_double_lt(r.std_error,
				    fmax(2e-3 * fabs(v->value), 5e-3));
	}
}
END_TEST

START_TEST(geometric_asians)
{
	for (unsigned i = 0; i < 2; i++) {
		struct gbm_model m = GBM_MODEL_INIT;
		struct asian a = { 103, i ? 1 : -1, exp(-0.05), 0, 1, 1 };
		struct gbm_functional f = callback(asian, &a);
		struct gbm_result r;
		double want;

		m.drift = i ? 0.08 : (double)NAN;
		m.steps = 5 + i;
		r = run(&m, &f, 200000, NULL);
		f = builtin(i ? GBM_ASIAN_CALL : GBM_ASIAN_PUT, 103);
		ck_assert_int_eq(gbm_geometric_asian(&m, &f, &want), GBM_OK);
		check_estimate("geometric", &r, want, 0);
	}
}
END_TEST

/* The built-in payoffs and the same by a callback, path by path nearly. */
START_TEST(builtins_are_the_callback)
{
	for (unsigned i = 0; i < 4; i++) {
		struct gbm_model m = GBM_MODEL_INIT;
		struct asian a = { 103, i % 2 ? 1 : -1, exp(-0.05), 0, 1, 0 };
		struct gbm_functional f = callback(asian, &a);
		struct gbm_functional g =
			i < 2 ? builtin(i ? GBM_ASIAN_CALL : GBM_ASIAN_PUT, 103)
			      : builtin(i % 2 ? GBM_CALL : GBM_PUT, 103);
		struct gbm_result x, y;

		m.steps = i < 2 ? 12 : 1;
		x = run(&m, &f, 12345, NULL);
		y = run(&m, &g, 12345, NULL);
		ck_assert_double_le(fabs(x.mean - y.mean), 1e-13 * y.mean);
		ck_assert_double_le(fabs(x.std_error - y.std_error),
				    1e-12 * y.std_error);
		ck_assert_double_le(fabs(x.max - y.max), 1e-12 * y.max);
	}
}
END_TEST

/* Not by memcmp(): the structure has padding. */
static void check_same(const struct gbm_result *a, const struct gbm_result *b)
{
	ck_assert(a->n == b->n && a->mean == b->mean &&
		  a->variance == b->variance && a->std_error == b->std_error &&
		  a->min == b->min && a->max == b->max);
}

/* A functional of all prices: a bit moved anywhere shows. */
static int weighted(const struct gbm_block *b, void *user, double *out)
{
	(void)user;
	for (size_t i = 0; i < b->n_paths; i++) {
		double sum = 0;

		for (size_t t = 0; t < b->n_times; t++)
			sum += (double)(t + 1) * b->values[t * b->stride + i];
		out[i] = sum;
	}
	return 0;
}

static unsigned char *packed(const struct gbm_stats *s)
{
	unsigned char *bytes = malloc(gbm_stats_packed_size());

	ck_assert_ptr_nonnull(bytes);
	gbm_stats_pack(s, bytes);
	return bytes;
}

struct european {
	double sign, strike, discount;
};

/* As kernel.h has it, by one rounding; of a spot that is a power of two. */
static int european(const struct gbm_block *b, void *user, double *out)
{
	const double *last = b->values + (b->n_times - 1) * b->stride;
	const struct european *e = user;
	double spot = b->values[0], scale = e->sign * e->discount;

	for (size_t i = 0; i < b->n_paths; i++)
		out[i] = e->sign != 0 ? fmax(fma(scale * spot, last[i] / spot,
						 -scale * e->strike),
					     0)
				      : last[i];
	return 0;
}

/*
 * A callback that computes a built-in payoff of the last price that way gives
 * its very bytes, of sums and all, on every instruction set: they see the same
 * prices.
 */
START_TEST(builtin_europeans_are_the_callback)
{
	static const uint64_t n = 5 * GBM_BLOCK_PATHS + 77;
	static const uint64_t steps[] = { 1, 2, 12 };
	const struct gbm_kernel *k;

	for (unsigned i = 0; (k = gbm_kernel_available(i)); i++)
		for (unsigned turn = 0; turn < 9; turn++) {
			unsigned payoff = turn % 3;
			struct european e = { payoff == GBM_CALL  ? 1
					      : payoff == GBM_PUT ? -1
								  : 0,
					      131, 0 };
			struct gbm_functional f =
				builtin((enum gbm_payoff)payoff, e.strike);
			struct gbm_functional g = callback(european, &e);
			struct gbm_model m = GBM_MODEL_INIT;
			struct gbm_plan *plan, *same;
			unsigned char *want, *got;
			struct gbm_stats s;

			m.spot = 128;
			m.steps = steps[turn / 3];
			ck_assert_int_eq(setenv("GBM_ISA", k->name, 1), 0);
			plan = plan_of(&m, &f, n, NULL);
			same = plan_of(&m, &g, n, NULL);
			e.discount = plan->discount;
			gbm_stats_zero(&s);
			ck_assert_int_eq(gbm_run_range(plan, 0, n, &s, NULL),
					 GBM_OK);
			want = packed(&s);
			gbm_stats_zero(&s);
			ck_assert_int_eq(gbm_run_range(same, 0, n, &s, NULL),
					 GBM_OK);
			got = packed(&s);
			ck_assert(!memcmp(want, got, gbm_stats_packed_size()));
			free(want);
			free(got);
			gbm_plan_destroy(&plan);
			gbm_plan_destroy(&same);
		}
}
END_TEST

/* Runs the plan in random ranges of whole blocks, in random order. */
static void run_ranges(const struct gbm_plan *plan, uint64_t n,
		       struct gbm_stats *s)
{
	uint64_t blocks = (n + GBM_BLOCK_PATHS - 1) / GBM_BLOCK_PATHS;
	uint64_t first[64], count[64], total = 0;
	unsigned ranges = 0;

	for (uint64_t b = 0; b < blocks; b += count[ranges], ranges++) {
		ck_assert_uint_lt(ranges, 64);
		first[ranges] = b;
		count[ranges] = 1 + word() % 4;
		if (count[ranges] > blocks - b)
			count[ranges] = blocks - b;
	}
	while (ranges) {
		unsigned i = (unsigned)(word() % ranges);
		uint64_t from = first[i] * GBM_BLOCK_PATHS;
		uint64_t paths = count[i] * GBM_BLOCK_PATHS;
		int code = -1;

		if (paths > n - from)
			paths = n - from;
		ck_assert_int_eq(gbm_run_range(plan, from, paths, s, &code),
				 GBM_OK);
		ck_assert_int_eq(code, 0);
		total += paths;
		ranges--;
		first[i] = first[ranges];
		count[i] = count[ranges];
	}
	ck_assert_uint_eq(total, n);
	/* An empty range is one, too. */
	ck_assert_int_eq(gbm_run_range(plan, 0, 0, s, NULL), GBM_OK);
}

START_TEST(same_bits_however_it_is_run)
{
	static const uint64_t chunks[] = { 0, 1, 3000, 30000, 1 << 20 };
	static const uint64_t n = 30 * GBM_BLOCK_PATHS + 517;
	const struct gbm_kernel *k;
	struct gbm_model m = GBM_MODEL_INIT;
	unsigned sizes = 0;

	m.steps = 5;
	for (unsigned kind = 0; kind < 4; kind++) {
		struct gbm_functional f = builtin((enum gbm_payoff)kind, 101);
		unsigned char *want = NULL;
		struct gbm_result first = GBM_RESULT_INIT;

		if (kind == 2)
			f = callback(weighted, NULL);
		for (unsigned turn = 0; turn < 5 * 3; turn++) {
			struct gbm_plan_info info = GBM_PLAN_INFO_INIT;
			struct gbm_options o = GBM_OPTIONS_INIT;
			struct gbm_result r = GBM_RESULT_INIT;
			unsigned char *got;
			struct gbm_plan *plan;
			struct gbm_stats s;
			unsigned isas = 1;

			while (gbm_kernel_available(isas))
				isas++;
			k = gbm_kernel_available(turn % isas);
			ck_assert_int_eq(setenv("GBM_ISA", k->name, 1), 0);
			o.threads = 1 + turn % 3;
			o.chunk_bytes = chunks[turn / 3];
			plan = plan_of(&m, &f, n, &o);
			ck_assert_int_eq(gbm_plan_info(plan, &info), GBM_OK);
			sizes |= info.chunk_paths < GBM_GROUP_PATHS ? 1 : 2;
			sizes |= info.chunk_paths > GBM_BLOCK_PATHS ? 4 : 0;
			gbm_stats_zero(&s);
			run_ranges(plan, n, &s);
			got = packed(&s);
			ck_assert_int_eq(gbm_run(plan, &r), GBM_OK);
			gbm_plan_destroy(&plan);
			if (!want) {
				want = got;
				first = r;
				continue;
			}
			ck_assert(!memcmp(want, got, gbm_stats_packed_size()));
			check_same(&first, &r);
			free(got);
		}
		ck_assert_uint_eq(first.n, n);
		ck_assert(first.variance > 0);
		free(want);
	}
	ck_assert_uint_eq(sizes, 7);
}
END_TEST

/* One immutable plan, run by two threads at a time. */
START_TEST(plans_are_shared)
{
	struct gbm_functional f = builtin(GBM_CALL, 100);
	struct gbm_model m = GBM_MODEL_INIT;
	struct gbm_options o = GBM_OPTIONS_INIT;
	struct gbm_result r[4];
	struct gbm_plan *plan;
	int status[4];

	o.threads = 2;
	plan = plan_of(&m, &f, 200000, &o);
#ifdef _OPENMP
#pragma omp parallel for num_threads(2)
#endif
	for (int i = 0; i < 4; i++) {
		r[i] = (struct gbm_result)GBM_RESULT_INIT;
		status[i] = gbm_run(plan, r + i);
	}
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(status[i], GBM_OK);
		check_same(r, r + i);
	}
	gbm_plan_destroy(&plan);
}
END_TEST

/* Every price that callbacks are shown, by path and time. */
struct record {
	double *values; /* [path * times + t] */
	double spot;
	uint64_t paths;
	size_t times;
	atomic_uint wrong;
	atomic_ullong seen;
};

static int record(const struct gbm_block *b, void *user, double *out)
{
	struct record *r = user;

	if (b->n_times != r->times || b->n_paths < 1 ||
	    b->stride < b->n_paths || b->first_path + b->n_paths > r->paths) {
		r->wrong++;
		return 0;
	}
	r->seen += b->n_paths;
	for (size_t i = 0; i < b->n_paths; i++) {
		for (size_t t = 0; t < b->n_times; t++)
			r->values[(b->first_path + i) * r->times + t] =
				b->values[t * b->stride + i];
		r->wrong += b->values[i] != r->spot;
		out[i] = 1;
	}
	return 0;
}

static struct record recorded(const struct gbm_model *m, uint64_t n,
			      const struct gbm_options *o)
{
	struct record r = { .spot = m->spot,
			    .paths = n,
			    .times = (size_t)m->steps + 1 };
	struct gbm_functional f = callback(record, &r);

	r.values = calloc(n * r.times, sizeof(*r.values));
	ck_assert_ptr_nonnull(r.values);
	ck_assert(run(m, &f, n, o).mean == 1);
	ck_assert_uint_eq(r.wrong, 0);
	ck_assert_uint_eq(r.seen, n);
	return r;
}

static void check_stream(const struct gbm_plan *plan, const struct record *r,
			 uint64_t first, uint64_t n)
{
	struct gbm_stream *stream;
	struct gbm_block b;
	uint64_t at = first;
	int status;

	ck_assert_int_eq(gbm_stream_open(&stream, plan, first, n), GBM_OK);
	while ((status = gbm_stream_next(stream, &b)) == 1) {
		if (b.first_path != at || b.n_times != r->times ||
		    b.n_paths < 1 || b.n_paths > b.stride ||
		    b.n_paths > first + n - at)
			ck_abort_msg("path %llu: %zu paths, %zu times",
				     (unsigned long long)at, b.n_paths,
				     b.n_times);
		for (size_t i = 0; i < b.n_paths; i++)
			for (size_t t = 0; t < b.n_times; t++)
				if (b.values[t * b.stride + i] !=
				    r->values[(at + i) * r->times + t])
					ck_abort_msg("path %llu, time %zu",
						     (unsigned long long)at + i,
						     t);
		at += b.n_paths;
	}
	ck_assert_int_eq(status, 0);
	ck_assert_int_eq(gbm_stream_next(stream, &b), 0);
	ck_assert_uint_eq(at, first + n);
	gbm_stream_close(&stream);
	ck_assert_ptr_null(stream);
	gbm_stream_close(&stream);
}

START_TEST(streams_show_the_same_paths)
{
	static const uint64_t chunks[] = { 0, 1, 5000, 50000, 1 << 20 };
	enum { N = 5003 };
	struct gbm_functional f = builtin(GBM_CALL, 100);
	struct gbm_model m = GBM_MODEL_INIT;
	struct record r;

	m.steps = 7;
	r = recorded(&m, N, NULL);
	for (size_t c = 0; c < sizeof(chunks) / sizeof(*chunks); c++) {
		struct gbm_options o = GBM_OPTIONS_INIT;
		struct gbm_plan *plan;
		struct record again;

		o.chunk_bytes = chunks[c];
		o.threads = 1 + c % 2;
		/* What callbacks see does not depend on the chunk either. */
		again = recorded(&m, N, &o);
		ck_assert(!memcmp(again.values, r.values,
				  N * r.times * sizeof(*r.values)));
		free(again.values);
		plan = plan_of(&m, c % 2 ? &f : NULL, N, &o);
		check_stream(plan, &r, 0, N);
		for (unsigned i = 0; i < 60; i++) {
			uint64_t first = word() % N;

			check_stream(plan, &r, first, word() % (N - first + 1));
		}
		check_stream(plan, &r, N - 1, 1);
		check_stream(plan, &r, N, 0);
		check_stream(plan, &r, 0, 0);
		gbm_plan_destroy(&plan);
	}
	free(r.values);
}
END_TEST

/* The last prices are those that the built-in payoffs see. */
START_TEST(terminal_values_are_the_last_row)
{
	enum { N = 3 * GBM_GROUP_PATHS };
	struct gbm_model m = GBM_MODEL_INIT;
	struct gbm_options o = GBM_OPTIONS_INIT;
	struct gbm_dynamics d;
	struct record r;

	o.seed = 31;
	m.steps = 9;
	m.vol = 0.6;
	r = recorded(&m, N, &o);
	gbm_model_dynamics(&m, o.seed, &d);
	for (uint64_t g = 0; g < 3; g++) {
		double want[GBM_GROUP_PATHS];

		gbm_kernel_scalar.terminal(&d, g, 1, want, NULL);
		for (size_t i = 0; i < GBM_GROUP_PATHS; i++)
			if (want[i] !=
			    r.values[(g * GBM_GROUP_PATHS + i) * r.times + 9])
				ck_abort_msg("group %llu, path %zu",
					     (unsigned long long)g, i);
	}
	free(r.values);
}
END_TEST

/* A path depends on its number, the seed and dt only. */
START_TEST(paths_depend_on_nothing_else)
{
	struct gbm_model m = GBM_MODEL_INIT;
	struct gbm_options o = GBM_OPTIONS_INIT;
	struct record all, few, short_ones, other;
	unsigned equal = 0;

	m.steps = 8;
	m.horizon = 2;
	all = recorded(&m, 3000, &o);
	few = recorded(&m, 13, &o);
	ck_assert(!memcmp(all.values, few.values,
			  13 * all.times * sizeof(*all.values)));
	m.steps = 3;
	m.horizon = 0.75;
	short_ones = recorded(&m, 1500, &o);
	for (size_t i = 0; i < 1500; i++)
		ck_assert(!memcmp(all.values + i * all.times,
				  short_ones.values + i * short_ones.times,
				  short_ones.times * sizeof(double)));
	o.seed = 2;
	other = recorded(&m, 1500, &o);
	for (size_t i = 0; i < 1500; i++)
		for (size_t t = 1; t <= 3; t++)
			equal += other.values[i * 4 + t] ==
				 short_ones.values[i * 4 + t];
	ck_assert_uint_eq(equal, 0);
	free(all.values);
	free(few.values);
	free(short_ones.values);
	free(other.values);
}
END_TEST

/* No two paths are alike, over groups, rows and lanes. */
static int compare_doubles(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

START_TEST(paths_differ)
{
	enum { N = 20000 };
	struct gbm_model m = GBM_MODEL_INIT;
	struct record r = recorded(&m, N, NULL);
	unsigned same = 0;

	/* Of 52-bit values a coincidence has a probability of 1e-7. */
	for (size_t i = 0; i < N; i++)
		r.values[i] = r.values[2 * i + 1];
	qsort(r.values, N, sizeof(*r.values), compare_doubles);
	for (size_t i = 1; i < N; i++)
		same += r.values[i] == r.values[i - 1];
	ck_assert_uint_eq(same, 0);
	free(r.values);
}
END_TEST

static int cancel_at(const struct gbm_block *b, void *user, double *out)
{
	const uint64_t *path = user;

	for (size_t i = 0; i < b->n_paths; i++)
		out[i] = 1;
	return b->first_path <= *path && *path < b->first_path + b->n_paths
		       ? -42
		       : 0;
}

START_TEST(callbacks_cancel)
{
	static const uint64_t at[] = { 0, 9999, 70000 };

	for (unsigned i = 0; i < 6; i++) {
		struct gbm_model m = GBM_MODEL_INIT;
		uint64_t path = at[i % 3];
		struct gbm_functional f = callback(cancel_at, &path);
		struct gbm_options o = GBM_OPTIONS_INIT;
		struct gbm_result r = GBM_RESULT_INIT;
		unsigned char *before, *after;
		struct gbm_stats s;
		struct gbm_plan *plan;
		int code = 0;

		o.threads = 1 + i / 3;
		plan = plan_of(&m, &f, 70001, &o);
		ck_assert_int_eq(gbm_run(plan, &r), GBM_ECANCELED);
		ck_assert_int_eq(r.user_code, -42);
		ck_assert(r.n == 0 && isnan(r.mean) && isnan(r.min));

		gbm_stats_zero(&s);
		gbm_stats_add(&s, (const double[]){ 3, 4 }, 2);
		before = packed(&s);
		ck_assert_int_eq(gbm_run_range(plan, 0, 70001, &s, &code),
				 GBM_ECANCELED);
		ck_assert_int_eq(code, -42);
		after = packed(&s);
		ck_assert(!memcmp(before, after, gbm_stats_packed_size()));
		/* The same plan runs where nobody cancels. */
		path = UINT64_MAX;
		ck_assert_int_eq(gbm_run(plan, &r), GBM_OK);
		ck_assert(r.n == 70001 && r.mean == 1 && r.user_code == 0);
		free(before);
		free(after);
		gbm_plan_destroy(&plan);
	}
}
END_TEST

/* Also with so many paths left that counting them would take years. */
START_TEST(cancel_returns_at_once)
{
	struct gbm_model m = GBM_MODEL_INIT;
	uint64_t path = 0;
	struct gbm_functional f = callback(cancel_at, &path);
	struct gbm_options o = GBM_OPTIONS_INIT;
	struct gbm_result r = GBM_RESULT_INIT;

	for (o.threads = 1; o.threads <= 2; o.threads++) {
		struct gbm_plan *plan = plan_of(&m, &f, UINT64_C(1) << 62, &o);

		ck_assert_int_eq(gbm_run(plan, &r), GBM_ECANCELED);
		gbm_plan_destroy(&plan);
	}
}
END_TEST

struct progress {
	uint64_t last, total;
	unsigned calls, wrong;
	long thread;
	unsigned end; /* the call that cancels */
};

static int progress(void *user, uint64_t done, uint64_t total)
{
	struct progress *p = user;

	p->wrong += done <= p->last || done > total || total != p->total ||
		    syscall(SYS_gettid) != p->thread;
	p->last = done;
	return ++p->calls == p->end ? 77 : 0;
}

START_TEST(progress_is_told_and_cancels)
{
	const uint64_t n = UINT64_C(1) << 40;
	struct gbm_functional f = builtin(GBM_TERMINAL, 0);
	struct gbm_model m = GBM_MODEL_INIT;
	struct gbm_options o = GBM_OPTIONS_INIT;
	struct gbm_result r = GBM_RESULT_INIT;
	struct progress p = { .total = n, .end = 3 };
	struct timespec begin, end;
	struct gbm_plan *plan;

	p.thread = syscall(SYS_gettid);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	o.threads = 2;
	o.progress = progress;
	o.progress_user = &p;
	plan = plan_of(&m, &f, n, &o);
	ck_assert_int_eq(gbm_run(plan, &r), GBM_ECANCELED);
	ck_assert_int_eq(r.user_code, 77);
	ck_assert_uint_eq(p.calls, 3);
	/* Now and then, not for every item. */
	clock_gettime(CLOCK_MONOTONIC, &end);
	ck_assert_double_ge(
		(double)(end.tv_sec - begin.tv_sec) +
			1e-9 * (double)(end.tv_nsec - begin.tv_nsec),
		0.29);
	ck_assert_uint_eq(p.wrong, 0);
	gbm_plan_destroy(&plan);
}
END_TEST

START_TEST(misuse)
{
	const uint64_t n = 5000, block = GBM_BLOCK_PATHS;
	struct gbm_functional f = builtin(GBM_CALL, 100);
	struct gbm_model m = GBM_MODEL_INIT;
	struct gbm_plan *plan = plan_of(&m, &f, n, NULL);
	struct gbm_plan *bare = plan_of(&m, NULL, n, NULL);
	struct gbm_result r = GBM_RESULT_INIT;
	struct gbm_stream *stream;
	struct gbm_block b;
	struct gbm_stats s;
	const struct {
		uint64_t first, n;
	} bad[] = {
		{ 1, block },
		{ block, 1 },
		{ block, block + 1 },
		{ 0, n + 1 },
		{ 4 * block, 905 },
		{ 5 * block, 0 },
		{ UINT64_MAX - 1023, block },
		{ 0, UINT64_MAX },
		{ block, UINT64_MAX },
		{ 512, 512 },
	};

	gbm_stats_zero(&s);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ck_assert_msg(gbm_run_range(plan, bad[i].first, bad[i].n, &s,
					    NULL) == GBM_EINVAL,
			      "range %zu", i);
	ck_assert_int_eq(gbm_run_range(plan, 4 * block, 904, &s, NULL), 0);
	ck_assert_uint_eq(s.n, 904);
	ck_assert_int_eq(gbm_run_range(NULL, 0, block, &s, NULL), GBM_EINVAL);
	ck_assert_int_eq(gbm_run_range(plan, 0, n, NULL, NULL), GBM_EINVAL);
	ck_assert_int_eq(gbm_run_range(bare, 0, n, &s, NULL), GBM_EINVAL);
	ck_assert_int_eq(gbm_run(bare, &r), GBM_EINVAL);
	ck_assert_int_eq(gbm_run(NULL, &r), GBM_EINVAL);
	ck_assert_int_eq(gbm_run(plan, NULL), GBM_EINVAL);
	r.size = 8;
	ck_assert_int_eq(gbm_run(plan, &r), GBM_EINVAL);

	stream = (struct gbm_stream *)&s;
	ck_assert_int_eq(gbm_stream_open(&stream, plan, 0, n + 1), GBM_EINVAL);
	ck_assert_ptr_null(stream);
	ck_assert_int_eq(gbm_stream_open(&stream, plan, n + 1, 0), GBM_EINVAL);
	ck_assert_int_eq(gbm_stream_open(&stream, plan, 1, UINT64_MAX),
			 GBM_EINVAL);
	ck_assert_int_eq(gbm_stream_open(&stream, NULL, 0, 1), GBM_EINVAL);
	ck_assert_int_eq(gbm_stream_open(NULL, plan, 0, 1), GBM_EINVAL);
	ck_assert_int_eq(gbm_stream_next(NULL, &b), GBM_EINVAL);
	ck_assert_int_eq(gbm_stream_open(&stream, plan, 0, 1), GBM_OK);
	ck_assert_int_eq(gbm_stream_next(stream, NULL), GBM_EINVAL);
	ck_assert_int_eq(gbm_stream_next(stream, &b), 1);
	gbm_stream_close(&stream);
	gbm_stream_close(NULL);
	gbm_plan_destroy(&plan);
	gbm_plan_destroy(&bare);
	gbm_plan_destroy(&bare);
	gbm_plan_destroy(NULL);
}
END_TEST

static int one_is_not_finite(const struct gbm_block *b, void *user, double *out)
{
	const double *value = user;

	for (size_t i = 0; i < b->n_paths; i++)
		out[i] = b->first_path + i == 1500 ? *value : 2;
	return 0;
}

START_TEST(values_that_are_not_finite)
{
	struct gbm_model m = GBM_MODEL_INIT;
	double value = NAN;
	struct gbm_functional f = callback(one_is_not_finite, &value);
	struct gbm_result r = run(&m, &f, 3000, NULL);

	ck_assert(isnan(r.mean) && isnan(r.variance));
	ck_assert(r.min == 2 && r.max == 2);
	value = INFINITY;
	r = run(&m, &f, 3000, NULL);
	ck_assert(r.mean == INFINITY && r.min == 2 && r.max == INFINITY);
}
END_TEST

START_TEST(few_paths)
{
	struct gbm_functional f = builtin(GBM_TERMINAL, 0);
	struct gbm_model m = GBM_MODEL_INIT;
	struct record r = recorded(&m, 1100, NULL);

	for (uint64_t n = 1; n < 1100; n += n < 20 ? 1 : 333) {
		struct gbm_result got = run(&m, &f, n, NULL);
		double sum = 0, min = HUGE_VAL, max = 0;

		for (uint64_t i = 0; i < n; i++) {
			double s = r.values[2 * i + 1];

			sum += s;
			min = s < min ? s : min;
			max = s > max ? s : max;
		}
		ck_assert_double_le(fabs(got.mean - sum / (double)n), 1e-11);
		ck_assert(got.min == min && got.max == max);
		ck_assert(n > 1 ? got.variance > 0 : isnan(got.variance));
	}
	free(r.values);
}
END_TEST

START_TEST(many_steps)
{
	struct gbm_functional f = builtin(GBM_TERMINAL, 0);
	struct gbm_model m = GBM_MODEL_INIT;
	struct gbm_result r;
	double want;

	m.steps = 100000;
	m.vol = 1e-9;
	m.horizon = 3;
	r = run(&m, &f, 256, NULL);
	ck_assert_int_eq(gbm_reference(&m, &f, &want), GBM_OK);
	/* Rounding: 1e5 sums below 1 of 2^-53 each, at random. */
	ck_assert_double_le(fabs(r.mean - want),
			    4 * r.std_error + 1e-11 * want);
	ck_assert_double_le(r.std_error, 1e-9 * want);
}
END_TEST

START_TEST(no_volatility)
{
	struct gbm_model m = GBM_MODEL_INIT;

	m.vol = 0;
	for (m.steps = 1; m.steps < 400; m.steps *= 7)
		for (unsigned p = GBM_TERMINAL; p <= GBM_PUT; p++) {
			struct gbm_functional f =
				builtin((enum gbm_payoff)p, 101);
			struct gbm_result r = run(&m, &f, 5000, NULL);
			double want;

			ck_assert_int_eq(gbm_reference(&m, &f, &want), GBM_OK);
			ck_assert_double_le(fabs(r.mean - want), 1e-12 * 100);
			ck_assert(r.min == r.max);
			ck_assert(r.variance <= 1e-25);
			/* No step at all: the spot itself. */
			m.horizon = 0;
			f.payoff = GBM_TERMINAL;
			r = run(&m, &f, 5000, NULL);
			ck_assert(r.mean == 100 && r.variance == 0);
			m.horizon = 1;
		}
}
END_TEST

/* Prices are in units of the spot, over all of the doubles' range. */
START_TEST(extreme_spots)
{
	static const double spots[] = { 0x1p1000, 0x1p-900, 0x1p-1020,
					0x1p-1040 };
	struct gbm_functional f = builtin(GBM_TERMINAL, 0);
	struct gbm_model m = GBM_MODEL_INIT;
	struct gbm_result one, r;

	m.spot = 1;
	one = run(&m, &f, 2000, NULL);
	for (size_t i = 0; i < 4; i++) {
		/* Subnormal prices have fewer bits. */
		double allowed = spots[i] < DBL_MIN ? 0x1p-30 : 0x1p-50;

		m.spot = spots[i];
		r = run(&m, &f, 2000, NULL);
		ck_assert_double_le(fabs(r.mean / m.spot - one.mean), allowed);
		ck_assert_double_le(fabs(r.std_error / m.spot - one.std_error),
				    allowed);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sim");
	TCase *t = tcase_create("sim");

	tcase_set_timeout(t, 120);
	tcase_add_test(t, published_europeans);
	tcase_add_test(t, published_terminal_moments);
	tcase_add_test(t, terminal_mean_precisely);
	tcase_add_test(t, published_asians);
	tcase_add_test(t, published_payoffs_by_callbacks);
	tcase_add_test(t, geometric_asians);
	tcase_add_test(t, builtins_are_the_callback);
	tcase_add_test(t, builtin_europeans_are_the_callback);
	tcase_add_test(t, same_bits_however_it_is_run);
	tcase_add_test(t, plans_are_shared);
	tcase_add_test(t, streams_show_the_same_paths);
	tcase_add_test(t, terminal_values_are_the_last_row);
	tcase_add_test(t, paths_depend_on_nothing_else);
	tcase_add_test(t, paths_differ);
	tcase_add_test(t, callbacks_cancel);
	tcase_add_test(t, cancel_returns_at_once);
	tcase_add_test(t, progress_is_told_and_cancels);
	tcase_add_test(t, misuse);
	tcase_add_test(t, values_that_are_not_finite);
	tcase_add_test(t, few_paths);
	tcase_add_test(t, many_steps);
	tcase_add_test(t, no_volatility);
	tcase_add_test(t, extreme_spots);
	suite_add_tcase(s, t);
	return gbm_check_main(s);
}
