/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Every kernel gives the bytes of the scalar one, and all give those that
 * tests/kat/golden.txt keeps.
 */
#define _GNU_SOURCE
#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gbm-mc/gbm.h>

#include "libgbm/isa.h"
#include "libgbm/model.h"
#include "tests/unit/check_main.h"

static const struct gbm_kernel *const scalar = &gbm_kernel_scalar;

static uint64_t state = 1;

static uint64_t word(void)
{
	state = state * UINT64_C(6364136223846793005) +
		UINT64_C(1442695040888963407);
	return (state ^ state >> 29) * UINT64_C(0xBF58476D1CE4E5B9);
}

static double uniform(void)
{
	return ldexp((double)(word() >> 11), -53);
}

#define MAX_VALUES (1 << 15)

/* Two results of n values and a guard, at addresses aligned to 8 bytes only. */
static double buffer[2][MAX_VALUES + 3];

static double *result(unsigned which, size_t n)
{
	memset(buffer[which], 0x5a, sizeof(buffer[which]));
	ck_assert_uint_le(n, MAX_VALUES);
	return buffer[which] + 1 + which;
}

static void check_results(const char *name, const char *what)
{
	if (memcmp(buffer[0] + 1, buffer[1] + 2, MAX_VALUES * sizeof(double)))
		ck_abort_msg("%s of %s differs", what, name);
}

START_TEST(words_normals_exp2)
{
	enum { N = 1 << 14 };
	static uint64_t w[2][N + 8];
	static double x[N + 1];
	const struct gbm_kernel *k;

	for (unsigned i = 1; (k = gbm_kernel_available(i)); i++)
		for (size_t rows = 1; rows <= N / GBM_LANES;
		     rows = 2 * rows + 1) {
			size_t n = rows * GBM_LANES;
			struct gbm_lanes s[2];

			scalar->seed(s, rows, GBM_PURPOSE_USER, i);
			k->seed(s + 1, rows, GBM_PURPOSE_USER, i);
			ck_assert_mem_eq(s, s + 1, sizeof(*s));
			scalar->words(s, w[0] + 1, rows);
			k->words(s + 1, w[1] + 1, rows);
			ck_assert_mem_eq(w[0] + 1, w[1] + 1, n * sizeof(**w));
			ck_assert_mem_eq(s, s + 1, sizeof(*s));

			/* Half of them by the way of the residual. */
			for (size_t j = 0; j < n; j += 2)
				w[0][j + 1] |= 0x7fe;
			scalar->normals(w[0] + 1, result(0, n), n);
			k->normals(w[0] + 1, result(1, n), n);
			check_results(k->name, "normals");

			for (size_t j = 0; j < n; j++)
				x[j + 1] = (uniform() - 0.5) *
					   ldexp(1, (int)(word() % 13));
			scalar->exp2(x + 1, result(0, n), n);
			k->exp2(x + 1, result(1, n), n);
			check_results(k->name, "exp2");
		}
}
END_TEST

START_TEST(payoffs_and_moments)
{
	const struct gbm_kernel *k;

	for (unsigned i = 1; (k = gbm_kernel_available(i)); i++)
		for (size_t n = 1; n <= 2100; n += n < 70 ? 1 : 67) {
			double *v[2] = { result(0, n), result(1, n) };
			double sign = n % 2 ? 1 : -1, strike = 100;
			struct gbm_moments m[2];

			for (size_t j = 0; j < n; j++)
				v[0][j] = v[1][j] =
					j % 5 ? 200 * uniform() : strike;
			scalar->payoff(v[0], n, sign, strike, 0.93);
			k->payoff(v[1], n, sign, strike, 0.93);
			check_results(k->name, "payoff");
			scalar->moments(v[0], n, m);
			k->moments(v[1], n, m + 1);
			ck_assert_mem_eq(m, m + 1, sizeof(*m));
			/* Extremes first, last, and large values. */
			v[0][0] = v[1][0] = -1e100 * uniform();
			v[0][n - 1] = v[1][n - 1] = 1e150 * uniform();
			scalar->moments(v[0], n, m);
			k->moments(v[1], n, m + 1);
			ck_assert_mem_eq(m, m + 1, sizeof(*m));
			ck_assert(m->max == v[0][n - 1]);
		}
}
END_TEST

/* The last ones leave the range of doubles on both sides. */
static const struct {
	double spot, drift, vol, horizon;
	uint64_t steps;
} cases[] = {
	{ 100, 0.05, 0.2, 1, 1 },     { 100, 0.05, 0.2, 1, 7 },
	{ 100, -0.5, 0.7, 3, 252 },   { 100, 0.05, 0, 1, 12 },
	{ 100, 0, 0, 1, 3 },	      { 1, 0.1, 0.3, 1e-300, 5 },
	{ 1, 0.1, 0.3, 1e-12, 1000 }, { 0x1p-1074, 0.05, 0.5, 1, 10 },
	{ 1e-310, 0.05, 2, 1, 10 },   { DBL_MAX, -0.05, 0.5, 1, 10 },
	{ 3, 0, 20, 1, 4 },	      { 3, 400, 30, 1, 5 },
	{ 3, -400, 30, 1, 5 },	      { 3, 0, 300, 1, 3 },
};

#define N_CASES (sizeof(cases) / sizeof(*cases))

static struct gbm_dynamics dynamics_of(size_t i)
{
	struct gbm_model m = GBM_MODEL_INIT;
	struct gbm_dynamics d;

	m.spot = cases[i].spot;
	m.drift = cases[i].drift;
	m.vol = cases[i].vol;
	m.horizon = cases[i].horizon;
	m.steps = cases[i].steps;
	ck_assert_int_eq(gbm_model_check(&m, NULL), GBM_OK);
	gbm_model_dynamics(&m, 1000 + i, &d);
	return d;
}

START_TEST(simulations)
{
	static const uint64_t groups[] = { 0, 1, 255, UINT64_C(1) << 54 };
	const struct gbm_kernel *k;
	unsigned slow = 0;

	for (unsigned i = 1; (k = gbm_kernel_available(i)); i++)
		for (size_t c = 0; c < N_CASES * 4; c++) {
			struct gbm_dynamics d = dynamics_of(c / 4);
			uint64_t group = groups[c % 4];
			size_t n, n_groups = 1 + (size_t)(word() >> 40) % 6;
			size_t row = (size_t)(word() >> 40) % GBM_ROWS;
			size_t n_rows =
				1 + (size_t)(word() >> 40) % (GBM_ROWS - row);
			size_t stride =
				n_rows * GBM_LANES + (size_t)(word() >> 40) % 9;
			const double *v;

			n = n_groups * GBM_GROUP_PATHS;
			scalar->terminal(&d, group, n_groups, result(0, n),
					 NULL);
			k->terminal(&d, group, n_groups, result(1, n), NULL);
			check_results(k->name, "terminal");
			v = buffer[0] + 1;
			for (size_t j = 0; j < n; j++)
				slow += v[j] == 0 || isinf(v[j]);

			scalar->average(&d, group, n_groups, result(0, n),
					NULL);
			k->average(&d, group, n_groups, result(1, n), NULL);
			check_results(k->name, "average");

			while ((d.steps + 1) * stride > MAX_VALUES)
				d.steps /= 2;
			scalar->paths(&d, group, row, n_rows,
				      result(0, (d.steps + 1) * stride),
				      stride);
			k->paths(&d, group, row, n_rows,
				 result(1, (d.steps + 1) * stride), stride);
			check_results(k->name, "paths");
		}
	/* Some vectors did leave the fast way of exp2. */
	if (gbm_kernel_available(1))
		ck_assert_uint_gt(slow, 100);
}
END_TEST

/* Rows of paths, the terminal values and the averages are of one process. */
START_TEST(terminal_and_average_of_paths)
{
	for (size_t c = 0; c < N_CASES; c++) {
		struct gbm_dynamics d = dynamics_of(c);
		double *v, last[GBM_GROUP_PATHS], mean[GBM_GROUP_PATHS];
		static double one[MAX_VALUES];

		while ((d.steps + 1) * GBM_GROUP_PATHS > MAX_VALUES)
			d.steps /= 2;
		v = result(0, (d.steps + 1) * GBM_GROUP_PATHS);
		scalar->paths(&d, 3, 0, GBM_ROWS, v, GBM_GROUP_PATHS);
		scalar->terminal(&d, 3, 1, last, NULL);
		scalar->average(&d, 3, 1, mean, NULL);
		ck_assert_mem_eq(v + d.steps * GBM_GROUP_PATHS, last,
				 sizeof(last));
		/* Some of the rows are those rows of all. */
		scalar->paths(&d, 3, 5, 1, one, GBM_LANES);
		for (uint64_t t = 0; t <= d.steps; t++)
			ck_assert_mem_eq(one + t * GBM_LANES,
					 v + t * GBM_GROUP_PATHS +
						 5 * GBM_LANES,
					 GBM_LANES * sizeof(*one));
		for (size_t i = 0; i < GBM_GROUP_PATHS; i++) {
			double sum = 0, want;

			ck_assert(v[i] == d.spot);
			for (uint64_t t = 1; t <= d.steps; t++)
				sum += v[t * GBM_GROUP_PATHS + i] /
				       (double)d.steps;
			/* Where neither way leaves the normal range. */
			want = mean[i];
			if (d.spot > 1e-290 && d.spot < 1e300 &&
			    isfinite(sum) && isfinite(want) && want > 1e-290)
				ck_assert_double_le(fabs(sum - want),
						    1e-13 * want);
		}
	}
}
END_TEST

/* Groups run together are those run alone: the pipeline mixes nothing. */
START_TEST(groups_are_independent)
{
	enum { GROUPS = 11 };
	double one[GBM_GROUP_PATHS];

	for (uint64_t steps = 1; steps <= 4; steps++)
		for (uint64_t first = 0; first < 5; first++) {
			struct gbm_dynamics d = dynamics_of(1);
			double *v = result(0, GROUPS * GBM_GROUP_PATHS);

			d.steps = steps;
			scalar->terminal(&d, first, GROUPS, v, NULL);
			for (uint64_t g = 0; g < GROUPS; g++) {
				scalar->terminal(&d, first + g, 1, one, NULL);
				ck_assert_mem_eq(v + g * GBM_GROUP_PATHS, one,
						 sizeof(one));
			}
			scalar->average(&d, first, GROUPS, v, NULL);
			for (uint64_t g = 0; g < GROUPS; g++) {
				scalar->average(&d, first + g, 1, one, NULL);
				ck_assert_mem_eq(v + g * GBM_GROUP_PATHS, one,
						 sizeof(one));
			}
		}
}
END_TEST

/*
 * The prices from their definition: S(0) 2^(vol times the sum of normals, plus
 * t drifts), the normals being draws t * GBM_ROWS + row of their lane.
 */
START_TEST(paths_are_their_definition)
{
	enum { GROUP = 6, STEPS = 40 };
	static uint64_t w[STEPS * GBM_GROUP_PATHS];
	static double z[STEPS * GBM_GROUP_PATHS];
	struct gbm_dynamics d = dynamics_of(2);
	double y[GBM_GROUP_PATHS] = { 0 };
	struct gbm_lanes lanes;
	double *v;

	d.steps = STEPS;
	scalar->seed(&lanes, d.seed, GBM_PURPOSE_PATHS, GROUP);
	scalar->words(&lanes, w, STEPS * GBM_ROWS);
	scalar->normals(w, z, STEPS * GBM_GROUP_PATHS);
	v = result(0, (STEPS + 1) * GBM_GROUP_PATHS);
	scalar->paths(&d, GROUP, 0, GBM_ROWS, v, GBM_GROUP_PATHS);
	for (size_t t = 1; t <= STEPS; t++)
		for (size_t i = 0; i < GBM_GROUP_PATHS; i++) {
			double want, got = v[t * GBM_GROUP_PATHS + i];

			y[i] += z[(t - 1) * GBM_GROUP_PATHS + i];
			want = d.spot *
			       exp2(d.vol2 * y[i] + (double)t * d.drift2);
			if (!(fabs(got - want) <= 1e-14 * want))
				ck_abort_msg("path %zu, step %zu: %a not %a", i,
					     t, got, want);
		}
}
END_TEST

START_TEST(selection)
{
	struct gbm_model model = GBM_MODEL_INIT;
	struct gbm_plan_info info = GBM_PLAN_INFO_INIT;
	const struct gbm_kernel *k, *last = NULL;
	struct gbm_error err;
	struct gbm_plan *plan;
	char want[200];

	ck_assert_ptr_eq(gbm_kernel_available(0), scalar);
	ck_assert_str_eq(scalar->name, "scalar");
	snprintf(want, sizeof(want), "GBM_ISA=sse9 is unknown; use one of: ");
	for (unsigned i = 0; (k = gbm_kernel_available(i)); i++) {
		if (i)
			strcat(want, ", ");
		strcat(want, k->name);
		ck_assert_ptr_eq(gbm_kernel_select(k->name, &err), k);
		last = k;
		ck_assert_int_eq(setenv("GBM_ISA", k->name, 1), 0);
		ck_assert_int_eq(
			gbm_plan_create(&plan, &model, NULL, 10, NULL, &err),
			GBM_OK);
		ck_assert_int_eq(gbm_plan_info(plan, &info), GBM_OK);
		ck_assert_str_eq(info.isa, k->name);
		gbm_plan_destroy(&plan);
	}
	ck_assert_ptr_eq(gbm_kernel_select(NULL, NULL), last);
	ck_assert_ptr_eq(gbm_kernel_select("", NULL), last);
	memset(&err, 0, sizeof(err));
	ck_assert_ptr_null(gbm_kernel_select("sse9", &err));
	ck_assert_int_eq(err.status, GBM_EISA);
	ck_assert_str_eq(err.text, want);
	ck_assert_ptr_null(gbm_kernel_select("sse9", NULL));
	ck_assert_ptr_null(gbm_kernel_select("scalars", NULL));

	memset(&err, 0, sizeof(err));
	ck_assert_int_eq(setenv("GBM_ISA", "sse9", 1), 0);
	ck_assert_int_eq(gbm_plan_create(&plan, &model, NULL, 10, NULL, &err),
			 GBM_EISA);
	ck_assert_ptr_null(plan);
	ck_assert_str_eq(err.text, want);
}
END_TEST

#define GOLDEN GBM_SRCDIR "/tests/kat/golden.txt"

static const char *const payoffs[] = { "terminal", "call", "put", "asian-call",
				       "asian-put" };

/* Fills the rest of a line, by what it asks for. */
static void answer(const char *line, char *out, size_t size)
{
	struct gbm_functional f = GBM_FUNCTIONAL_INIT;
	struct gbm_result r = GBM_RESULT_INIT;
	struct gbm_options o = GBM_OPTIONS_INIT;
	struct gbm_model m = GBM_MODEL_INIT;
	unsigned long long seed, steps, n;
	struct gbm_plan *plan;
	struct gbm_rng rng;
	char payoff[16];
	int used = 0;

	if (sscanf(line, "normals %llu %llu%n", &seed, &n, &used) == 2) {
		size_t at = (size_t)snprintf(out, size, "%.*s =", used, line);

		gbm_rng_init(&rng, seed, n);
		for (unsigned i = 0; i < 12; i++)
			at += (size_t)snprintf(out + at, size - at, " %a",
					       gbm_rng_normal(&rng));
		return;
	}
	ck_assert_msg(
		sscanf(line, "%15s %lf %lf %lf %lf %lf %lf %llu %llu %llu%n",
		       payoff, &f.strike, &m.spot, &m.rate, &m.dividend, &m.vol,
		       &m.horizon, &steps, &n, &seed, &used) == 10,
		"malformed: %s", line);
	while (strcmp(payoffs[f.payoff], payoff) != 0)
		ck_assert_int_le(++f.payoff, GBM_ASIAN_PUT);
	m.steps = steps;
	o.seed = seed;
	ck_assert_int_eq(gbm_plan_create(&plan, &m, &f, n, &o, NULL), GBM_OK);
	ck_assert_int_eq(gbm_run(plan, &r), GBM_OK);
	gbm_plan_destroy(&plan);
	snprintf(out, size, "%.*s = %a %a %a %a", used, line, r.mean,
		 r.std_error, r.min, r.max);
}

/*
 * With GBM_GOLDEN_NEW=FILE in the environment, writes what the file should be
 * there; without, compares.
 */
START_TEST(golden_values)
{
	const char *to = getenv("GBM_GOLDEN_NEW");
	FILE *in = fopen(GOLDEN, "r"), *out = NULL;
	char line[1024], want[1024];
	unsigned n = 0, version = 0;

	ck_assert_ptr_nonnull(in);
	if (to) {
		out = fopen(to, "w");
		ck_assert_ptr_nonnull(out);
	}
	while (fgets(line, sizeof(line), in)) {
		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "stream-version %u", &version) == 1)
			snprintf(want, sizeof(want), "stream-version %u",
				 GBM_STREAM_VERSION);
		else if (line[0] == '#' || !line[0])
			strcpy(want, line);
		else
			answer(line, want, sizeof(want));
		n += line[0] && line[0] != '#';
		if (out)
			fprintf(out, "%s\n", want);
		else
			ck_assert_str_eq(line, want);
	}
	ck_assert_uint_ge(n, 20);
	ck_assert_uint_ge(version, 1);
	fclose(in);
	if (out)
		ck_assert_int_eq(fclose(out), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("isa");
	TCase *t = tcase_create("isa");

	tcase_set_timeout(t, 120);
	tcase_add_test(t, words_normals_exp2);
	tcase_add_test(t, payoffs_and_moments);
	tcase_add_test(t, simulations);
	tcase_add_test(t, terminal_and_average_of_paths);
	tcase_add_test(t, groups_are_independent);
	tcase_add_test(t, paths_are_their_definition);
	tcase_add_test(t, selection);
	tcase_add_test(t, golden_values);
	suite_add_tcase(s, t);
	return gbm_check_main(s);
}
