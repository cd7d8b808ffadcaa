/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The elementary functions of the kernels, against 113 bits. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libgbm/vec_scalar.h"

#include "libgbm/isa.h"
#include "libgbm/vecmath.h"
#include "tests/unit/check_main.h"
#include "tests/unit/quad.h"

#ifdef HAVE_QUAD

/*
 * Measured over the points below: 0.8130, most where the result is just above
 * sqrt(1/2); 0.8223 of the least subnormal, where a second rounding adds to it.
 */
#define EXP2_ULP     0.82
#define EXP2_SUB_ULP 0.84

#define BATCH 4096

static uint64_t state = 1;

/* Uniform on [0, 1). */
static double uniform(void)
{
	state = state * UINT64_C(6364136223846793005) +
		UINT64_C(1442695040888963407);
	return ldexp((double)(state >> 11), -53);
}

/* The largest error of out[i] = 2^x[i]. */
static double worst_exp2(const struct gbm_kernel *k, const double *x, size_t n)
{
	static double out[BATCH];
	double worst = 0;

	k->exp2(x, out, n);
	for (size_t i = 0; i < n; i++) {
		double err = quad_ulps(out[i], Q(exp2)((quad)x[i]));

		/* Also when it is not a number. */
		if (!(err <= worst))
			worst = err;
	}
	return worst;
}

START_TEST(exp2_normal_results)
{
	static double x[BATCH];
	const struct gbm_kernel *k;
	double worst = 0;

	for (unsigned n = 0; (k = gbm_kernel_available(n)); n++)
		for (unsigned batch = 0; batch < 120; batch++) {
			double err;

			for (unsigned i = 0; i < BATCH; i++) {
				double u = uniform(), v = uniform();

				switch (batch % 4) {
				case 0: /* all of the range */
					x[i] = -1022 + 2046 * u;
					break;
				case 1: /* the polynomial's own */
					x[i] = u - 0.5;
					break;
				case 2: /* where the integer part changes */
					x[i] = floor(-1021 + 2044 * u) + 0.5 +
					       ldexp(v - 0.5, -(int)(i % 50));
					break;
				default: /* next to integers, and 0 */
					x[i] = floor(-1021 + 2044 * u) +
					       ldexp(v - 0.5, -(int)(i % 50));
					if (i % 2)
						x[i] = ldexp(v - 0.5,
							     -(int)(i % 1000));
				}
			}
			err = worst_exp2(k, x, BATCH);
			worst = err > worst ? err : worst;
			ck_assert_msg(err < EXP2_ULP, "%s: %.4f ulp", k->name,
				      err);
		}
	/* A bound far above what is measured would hide a loss. */
	ck_assert_double_gt(worst, EXP2_ULP - 0.02);
}
END_TEST

START_TEST(exp2_integers_are_exact)
{
	const struct gbm_kernel *k;

	for (unsigned n = 0; (k = gbm_kernel_available(n)); n++)
		for (int e = -1100; e <= 1100; e += GBM_LANES) {
			double x[GBM_LANES], out[GBM_LANES];

			for (int l = 0; l < GBM_LANES; l++)
				x[l] = e + l;
			k->exp2(x, out, GBM_LANES);
			for (int l = 0; l < GBM_LANES; l++)
				ck_assert_msg(out[l] == ldexp(1, e + l),
					      "%s: 2^%d", k->name, e + l);
		}
}
END_TEST

START_TEST(exp2_subnormal_results)
{
	static double x[BATCH];
	const struct gbm_kernel *k;
	double worst = 0;

	for (unsigned n = 0; (k = gbm_kernel_available(n)); n++)
		for (unsigned batch = 0; batch < 16; batch++) {
			double err;

			for (unsigned i = 0; i < BATCH; i++)
				x[i] = -1022 - 55 * uniform();
			err = worst_exp2(k, x, BATCH);
			worst = err > worst ? err : worst;
			ck_assert_msg(err < EXP2_SUB_ULP, "%s: %.4f ulp",
				      k->name, err);
		}
	ck_assert_double_gt(worst, EXP2_SUB_ULP - 0.02);
}
END_TEST

START_TEST(exp2_ends_of_the_range)
{
	static const struct {
		double x, want;
	} rows[] = {
		{ 1024, INFINITY },
		{ 1025.5, INFINITY },
		{ 1e5, INFINITY },
		{ DBL_MAX, INFINITY },
		{ INFINITY, INFINITY },
		{ -1074, 0x1p-1074 },
		{ -0x1.0cbffffffffffp+10, 0x1p-1074 }, /* just above -1075 */
		{ -1075, 0 },			       /* ties to even */
		{ -1e5, 0 },
		{ -DBL_MAX, 0 },
		{ -INFINITY, 0 },
		{ 0.0, 1 },
		{ -0.0, 1 },
		{ 0x1p-1074, 1 },
		{ -0x1p-1074, 1 },
	};
	const struct gbm_kernel *k;
	double x[GBM_LANES], out[GBM_LANES];

	for (unsigned n = 0; (k = gbm_kernel_available(n)); n++) {
		for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
			for (unsigned l = 0; l < GBM_LANES; l++)
				x[l] = rows[i].x;
			k->exp2(x, out, GBM_LANES);
			for (unsigned l = 0; l < GBM_LANES; l++)
				ck_assert_msg(out[l] == rows[i].want &&
						      !signbit(out[l]),
					      "%s: 2^%a = %a", k->name,
					      rows[i].x, out[l]);
		}
		for (unsigned l = 0; l < GBM_LANES; l++)
			x[l] = nextafter(1024, 0);
		ck_assert_double_lt(worst_exp2(k, x, GBM_LANES), 1);
	}
}
END_TEST

/* One far element sends its whole vector on the slow way: the same bits. */
START_TEST(exp2_mixed_vectors)
{
	static const double edge[] = { 1020,  1020.25, -1020, -1020.75, 1e4,
				       -1e4,  1023.5,  -1050, INFINITY, 0,
				       0.375, -7.0625, 500.5, -999.5 };
	const size_t n = sizeof(edge) / sizeof(*edge);
	const struct gbm_kernel *k;
	double x[GBM_LANES], out[GBM_LANES], alone[GBM_LANES];
	unsigned both = 0;

	for (unsigned i = 0; (k = gbm_kernel_available(i)); i++)
		for (unsigned turn = 0; turn < 5000; turn++) {
			int far = 0, near = 0;

			for (unsigned l = 0; l < GBM_LANES; l++) {
				x[l] = edge[(size_t)(uniform() * (double)n)];
				if (turn % 3 == 0)
					x[l] = nextafter(x[l], 0);
				if (turn % 3 == 1)
					x[l] = nextafter(x[l], HUGE_VAL);
				far |= fabs(x[l]) > 1020;
				near |= fabs(x[l]) <= 1020;
			}
			both += far && near;
			k->exp2(x, out, GBM_LANES);
			for (unsigned l = 0; l < GBM_LANES; l++) {
				double same[GBM_LANES];

				for (unsigned j = 0; j < GBM_LANES; j++)
					same[j] = x[l];
				k->exp2(same, alone, GBM_LANES);
				ck_assert(!memcmp(out + l, alone,
						  sizeof(double)));
			}
		}
	ck_assert_uint_gt(both, 1000);
}
END_TEST

/*
 * A step of growth, as grow_row() does it: its error relative to
 * g 2^(vol2 z + drift2), |z| <= most, in units of 2^-53.  g is next to 1, where a
 * last place is largest beside the number.
 */
static double worst_growth(double vol2, double drift2, unsigned degree,
			   double most, unsigned n)
{
	double terms[VM_GROWTH_TERMS], worst = 0;

	vm_growth_terms(vol2, drift2, degree, terms);
	for (unsigned i = 0; i < n; i++) {
		double z = most * (2 * uniform() - 1);
		double g = 1 + ldexp(uniform(), -(int)(i % 30)), got, err;
		quad want;

		if (i % 7 == 0)
			z = ldexp(z, -(int)(i % 60));
		want = (quad)vol2 * (quad)z + (quad)drift2;
		want = (quad)g * Q(exp2)(want);
		if (degree == 7)
			vm_growth(&z, terms, 7, 1, &got);
		else if (degree == 9)
			vm_growth(&z, terms, 9, 1, &got);
		else
			vm_growth(&z, terms, 11, 1, &got);
		got = fma(g, got, g);
		err = (double)(Q(fabs)((quad)got - want) / want * 0x1p53);
		if (!(err <= worst))
			worst = err;
	}
	return worst;
}

#define BODY 4.21 /* GBM_NORMAL_BODY */

START_TEST(growth_of_a_step)
{
	/* The largest steps of each degree, up and down. */
	double half = worst_growth(0.037, 0.018, 11, 13, 1000000);
	double down = worst_growth(0.02, -0.24, 11, 13, 1000000);
	double quarter = worst_growth(0.0188, 0.005, 9, 13, 1000000);
	double small = worst_growth(0.0186, 0.0016, 7, BODY, 1000000);
	/* Most days, at a volatility of 20 %. */
	double day = worst_growth(0.018, 0.0002, 7, 2, 1000000);

	ck_assert_msg(half <= 1.80 && half > 1.72, "%.4f", half);
	ck_assert_msg(down <= 1.66 && down > 1.58, "%.4f", down);
	ck_assert_msg(quarter <= 1.44 && quarter > 1.38, "%.4f", quarter);
	ck_assert_msg(small <= 1.41 && small > 1.34, "small %.4f", small);
	ck_assert_msg(day <= 1.10 && day > 1.04, "day %.4f", day);
}
END_TEST

/*
 * Two roundings: of the difference, and of its product with the discount.
 * Measured: 1.4075.
 */
#define PAYOFF_ULP 1.42

START_TEST(payoffs)
{
	static double v[BATCH], got[BATCH];
	const struct gbm_kernel *k;
	unsigned zeros = 0;

	for (unsigned n = 0; (k = gbm_kernel_available(n)); n++) {
		double worst = 0;

		for (unsigned batch = 0; batch < 60; batch++) {
			double strike = 50 + 100 * uniform();
			double scale = 0.5 + uniform();
			double sign = batch % 2 ? 1 : -1;

			for (unsigned i = 0; i < BATCH; i++) {
				double u = uniform();

				/* A third of them next to the strike. */
				v[i] = 200 * u;
				if (i % 3 == 0)
					v[i] = strike +
					       ldexp(u - 0.5, -(int)(i % 45));
			}
			memcpy(got, v, sizeof(got));
			k->payoff(got, BATCH, sign, strike, scale);
			for (unsigned i = 0; i < BATCH; i++) {
				quad x = (quad)sign * ((quad)v[i] - strike);
				double err;

				if (!(x > 0)) {
					ck_assert(got[i] == 0);
					zeros++;
					continue;
				}
				err = quad_ulps(got[i], x * scale);
				if (!(err <= worst))
					worst = err;
			}
		}
		ck_assert_msg(worst <= PAYOFF_ULP && worst > 1.35, "%s: %.4f",
			      k->name, worst);
	}
	ck_assert_uint_gt(zeros, 1000);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("vecmath");
	TCase *t = tcase_create("vecmath");

	tcase_set_timeout(t, 120);
	tcase_add_test(t, exp2_normal_results);
	tcase_add_test(t, exp2_integers_are_exact);
	tcase_add_test(t, exp2_subnormal_results);
	tcase_add_test(t, exp2_ends_of_the_range);
	tcase_add_test(t, exp2_mixed_vectors);
	tcase_add_test(t, growth_of_a_step);
	tcase_add_test(t, payoffs);
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
