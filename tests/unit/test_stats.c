/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Exact sums, and the moments that follow from them. */
#include <float.h>
#include <stdlib.h>
#include <string.h>

#include <gbm-mc/gbm.h>

#include "libgbm/isa.h"
#include "libgbm/stats.h"
#include "tests/unit/check_main.h"
#include "tests/unit/values.h"

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

/* A finite double of any magnitude: uniform in its bits. */
static double any_double(void)
{
	for (;;) {
		uint64_t w = word();
		double x;

		memcpy(&x, &w, sizeof(x));
		if (isfinite(x))
			return x;
	}
}

static struct gbm_result result_of(const struct gbm_stats *s)
{
	struct gbm_result r = GBM_RESULT_INIT;

	ck_assert_int_eq(gbm_stats_result(s, &r), GBM_OK);
	ck_assert_int_eq(r.user_code, 0);
	return r;
}

static struct gbm_result result_of_values(const double *v, size_t n)
{
	struct gbm_stats s;

	gbm_stats_zero(&s);
	gbm_stats_add(&s, v, n);
	return result_of(&s);
}

/* The data sets of values.csv, by what its rows say. */
static size_t data_set(const struct value *row, double *v)
{
	const char *name = value_text(row, "dataset"), *text;
	size_t n = 0;

	if (!name || !strcmp(name, "NIST_StRD_NumAcc1")) {
		for (text = value_text(row, "data"); text;
		     text = strchr(text, '|')) {
			text += *text == '|';
			v[n++] = strtod(text, NULL);
		}
		return n;
	}
	/* "a then (b|c) x500" */
	ck_assert_ptr_nonnull(text = value_text(row, "data"));
	v[0] = strtod(text, NULL);
	ck_assert_ptr_nonnull(text = strchr(text, '('));
	v[1] = strtod(text + 1, NULL);
	v[2] = strtod(strchr(text, '|') + 1, NULL);
	for (n = 3; n < 1001; n++)
		v[n] = v[n - 2];
	return n;
}

START_TEST(certified_values)
{
	static const char *const products[] = { "stat_mean", "stat_stddev",
						"stat_variance" };
	const struct gbm_kernel *k;
	unsigned rows = 0;

	for (unsigned p = 0; p < 3; p++)
		for (const struct value *row = NULL;
		     (row = value_next(row, products[p])); rows++) {
			double v[1001], got[2], allowed = row->tolerance;
			size_t n = data_set(row, v);

			ck_assert(n == 3 || n == 10 || n == 1001);
			if (row->relative)
				allowed *= fabs(row->value);
			for (unsigned i = 0; (k = gbm_kernel_available(i));
			     i++) {
				struct gbm_stats s;
				struct gbm_result r[2];

				r[0] = result_of_values(v, n);
				gbm_stats_zero(&s);
				gbm_stats_add_block(&s, k, v, n);
				r[1] = result_of(&s);
				for (unsigned way = 0; way < 2; way++) {
					got[way] =
						p == 0	 ? r[way].mean
						: p == 1 ? sqrt(r[way].variance)
							 : r[way].variance;
					ck_assert_uint_eq(r[way].n, n);
					ck_assert_msg(
						fabs(got[way] - row->value) <=
							allowed,
						"%s %s %u: %.17g", row->id,
						k->name, way, got[way]);
				}
			}
		}
	ck_assert_uint_eq(rows, 11);
}
END_TEST

static unsigned char *packed(const struct gbm_stats *s)
{
	unsigned char *bytes = malloc(gbm_stats_packed_size());

	ck_assert_ptr_nonnull(bytes);
	gbm_stats_pack(s, bytes);
	return bytes;
}

static void check_same(const struct gbm_stats *a, const struct gbm_stats *b)
{
	unsigned char *x = packed(a), *y = packed(b);

	ck_assert(!memcmp(x, y, gbm_stats_packed_size()));
	free(x);
	free(y);
}

/* Adds v to s through a random tree of parts. */
static void add_tree(struct gbm_stats *s, const double *v, size_t n)
{
	struct gbm_stats parts[2];
	size_t cut;

	if (n < 3 || word() % 8 == 0) {
		gbm_stats_add(s, v, n);
		return;
	}
	cut = (size_t)(word() >> 16) % n;
	gbm_stats_zero(parts);
	gbm_stats_zero(parts + 1);
	add_tree(parts, v, cut);
	add_tree(parts + 1, v + cut, n - cut);
	if (word() % 2) {
		gbm_stats_merge(s, parts);
		gbm_stats_merge(s, parts + 1);
	} else {
		gbm_stats_merge(parts + 1, parts);
		gbm_stats_merge(s, parts + 1);
	}
}

START_TEST(order_and_partition)
{
	enum { N = 1500 };
	static const double special[] = { 0.0,	    -0.0,      DBL_MAX,
					  -DBL_MAX, 0x1p-1074, DBL_MIN,
					  INFINITY, NAN };

	for (unsigned turn = 0; turn < 40; turn++) {
		struct gbm_stats all, other;
		double v[N];

		for (size_t i = 0; i < N; i++) {
			v[i] = any_double();
			if (i % 50 == 0)
				/* Infinities and NaN in some turns only. */
				v[i] = special[word() % (turn % 2 ? 8 : 6)];
			if (i % 7 == 0 && i)
				v[i] = -v[i - 1];
		}
		gbm_stats_zero(&all);
		gbm_stats_add(&all, v, N);
		for (size_t i = N - 1; i; i--) {
			size_t j = (size_t)(word() >> 16) % (i + 1);
			double x = v[i];

			v[i] = v[j];
			v[j] = x;
		}
		gbm_stats_zero(&other);
		add_tree(&other, v, N);
		check_same(&all, &other);
		/* And the sum is not just lost. */
		gbm_stats_add(&other, (const double[]){ 0x1p-1074 }, 1);
		other.n--;
		ck_assert(memcmp(&all.sum, &other.sum, sizeof(all.sum)) != 0);
	}
}
END_TEST

START_TEST(exact_cancellation)
{
	static const double v[] = { 1e308, 5e-324, -1e308, 1.5,	  -1e16,
				    1e308, 1e16,   -1.5,   -1e308 };
	struct gbm_result r = result_of_values(v, 3);

	ck_assert(r.mean == 0x1p-1074 / 3); /* rounds to 0 */
	r = result_of_values(v, 9);
	ck_assert(r.mean == 0); /* a ninth of 5e-324 */
	ck_assert(r.min == -1e308 && r.max == 1e308);

	{
		struct gbm_stats s;
		double hi, lo;
		int e;

		gbm_stats_zero(&s);
		gbm_stats_add(&s, v, 9);
		gbm_acc_round(&s.sum, &hi, &lo, &e);
		ck_assert(hi == 0.5 && lo == 0 && e == -1073);
	}
	r = result_of_values((const double[]){ 1, 1e-30, -1 }, 3);
	ck_assert(r.mean == 1e-30 / 3);
}
END_TEST

static void check_near(double got, double want, double relative)
{
	ck_assert_msg(got == want || fabs(got - want) <= relative * fabs(want),
		      "%.17g, not %.17g", got, want);
}

START_TEST(ends_of_the_range)
{
	static const struct {
		double v[2];
		double mean, variance, std_error;
	} rows[] = {
		{ { DBL_MAX, DBL_MAX }, DBL_MAX, 0, 0 },
		{ { DBL_MAX, -DBL_MAX }, 0, INFINITY, DBL_MAX },
		{ { 1e200, -1e200 }, 0, INFINITY, 1e200 },
		{ { 1e200, 3e200 }, 2e200, INFINITY, 1e200 },
		{ { 3, 5 }, 4, 2, 1 },
		{ { 1e-100, -1e-100 }, 0, 2e-200, 1e-100 },
		{ { 1e-200, -1e-200 }, 0, 0, 1e-200 },
		{ { 1e-200, 3e-200 }, 2e-200, 0, 1e-200 },
		{ { 1e-160, -1e-160 }, 0, 2e-320, 1e-160 },
		{ { 0x1p-1074, 3 * 0x1p-1074 }, 0x1p-1073, 0, 0x1p-1074 },
		{ { 0x1p-1074, -0x1p-1074 }, 0, 0, 0x1p-1074 },
		{ { 0, 0 }, 0, 0, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct gbm_result r = result_of_values(rows[i].v, 2);

		check_near(r.mean, rows[i].mean, 1e-15);
		check_near(r.variance, rows[i].variance, 1e-15);
		check_near(r.std_error, rows[i].std_error, 1e-15);
	}
}
END_TEST

START_TEST(not_finite)
{
	struct gbm_result r;

	r = result_of_values((const double[]){ 1, NAN, 3 }, 3);
	ck_assert(isnan(r.mean) && isnan(r.variance) && isnan(r.std_error));
	ck_assert(r.n == 3 && r.min == 1 && r.max == 3);
	r = result_of_values((const double[]){ NAN }, 1);
	ck_assert(isnan(r.min) && isnan(r.max) && r.n == 1);
	r = result_of_values((const double[]){ 1, INFINITY }, 2);
	ck_assert(r.mean == INFINITY && isnan(r.variance));
	ck_assert(r.min == 1 && r.max == INFINITY);
	r = result_of_values((const double[]){ 1, -INFINITY }, 2);
	ck_assert(r.mean == -INFINITY && r.min == -INFINITY && r.max == 1);
	r = result_of_values((const double[]){ INFINITY, -INFINITY }, 2);
	ck_assert(isnan(r.mean));
}
END_TEST

START_TEST(few_values)
{
	struct gbm_result r = result_of_values(NULL, 0);
	struct gbm_stats *s = NULL;

	ck_assert(r.n == 0 && isnan(r.mean) && isnan(r.variance));
	ck_assert(isnan(r.std_error) && isnan(r.min) && isnan(r.max));
	r = result_of_values((const double[]){ 7.5 }, 1);
	ck_assert(r.n == 1 && r.mean == 7.5 && isnan(r.variance));
	ck_assert(isnan(r.std_error) && r.min == 7.5 && r.max == 7.5);
	/* No zero is less than the other: the sign would tell the order. */
	r = result_of_values((const double[]){ -0.0, 0.0, -0.0 }, 3);
	ck_assert(r.min == 0 && !signbit(r.min) && !signbit(r.max));
	ck_assert(r.mean == 0 && !signbit(r.mean));

	ck_assert_int_eq(gbm_stats_create(&s), GBM_OK);
	r.size--;
	ck_assert_int_eq(gbm_stats_result(s, &r), GBM_EINVAL);
	ck_assert_int_eq(gbm_stats_result(s, NULL), GBM_EINVAL);
	ck_assert_int_eq(gbm_stats_result(NULL, &r), GBM_EINVAL);
	gbm_stats_destroy(&s);
	ck_assert_ptr_null(s);
	gbm_stats_destroy(&s);
	gbm_stats_destroy(NULL);
}
END_TEST

START_TEST(pack_and_unpack)
{
	const size_t n = gbm_stats_packed_size();
	struct gbm_stats s, t, untouched;
	unsigned char *bytes, *again;

	gbm_stats_zero(&s);
	for (unsigned i = 0; i < 500; i++)
		gbm_stats_add(&s, (const double[]){ any_double() }, 1);
	gbm_stats_add(&s, (const double[]){ NAN, INFINITY, -INFINITY }, 3);
	bytes = packed(&s);
	memset(&t, 0xa5, sizeof(t));
	ck_assert_int_eq(gbm_stats_unpack(&t, bytes, n), GBM_OK);
	check_same(&s, &t);
	ck_assert_uint_eq(t.n, 503);
	ck_assert(t.n_nan == 1 && t.n_pos_inf == 1 && t.n_neg_inf == 1);
	ck_assert(t.min == s.min && t.max == s.max);

	/* The form is the same on every machine: words, least byte first. */
	ck_assert_uint_eq(bytes[8], 503 % 256);
	ck_assert_uint_eq(bytes[9], 503 / 256);

	untouched = t;
	for (size_t i = 0; i < n; i++) {
		unsigned char was = bytes[i];

		bytes[i] ^= (unsigned char)(1u << i % 8);
		ck_assert_int_eq(gbm_stats_unpack(&t, bytes, n), GBM_EFORMAT);
		bytes[i] = was;
	}
	ck_assert_int_eq(gbm_stats_unpack(&t, bytes, n - 1), GBM_EFORMAT);
	ck_assert_int_eq(gbm_stats_unpack(&t, bytes, n - 8), GBM_EFORMAT);
	ck_assert_int_eq(gbm_stats_unpack(&t, bytes, n + 1), GBM_EFORMAT);
	ck_assert_int_eq(gbm_stats_unpack(&t, bytes, 0), GBM_EFORMAT);
	ck_assert_mem_eq(&t, &untouched, sizeof(t));

	/* What was unpacked goes on as what was packed. */
	gbm_stats_add(&s, (const double[]){ 2.5, -1e-300 }, 2);
	gbm_stats_add(&t, (const double[]){ 2.5, -1e-300 }, 2);
	check_same(&s, &t);
	again = packed(&s);
	ck_assert(memcmp(bytes, again, n) != 0);
	free(bytes);
	free(again);
}
END_TEST

/* m * 2^e, m a sum of a few doubles: exact by __int128. */
__extension__ typedef __int128 wide;

static void check_round(wide m, const struct gbm_acc *acc, int e0)
{
	struct gbm_acc copy = *acc;
	int negative = m < 0, exp = 0, e;
	double hi = 0, lo = 0, want_hi = 0, want_lo = 0;
	wide a = negative ? -m : m, rest;

	if (a) {
		while (a >> exp)
			exp++;
		/* The conversions round to nearest even, as 64 bits do. */
		want_hi = (double)a;
		rest = a - (wide)want_hi;
		want_lo = ldexp((double)rest, -exp);
		want_hi = ldexp(want_hi, -exp);
		if (want_hi == 1) {
			want_hi = 0.5;
			want_lo /= 2;
			exp++;
		}
		exp += e0;
	}
	gbm_acc_round(&copy, &hi, &lo, &e);
	ck_assert(hi == (negative ? -want_hi : want_hi));
	ck_assert(lo == (negative ? -want_lo : want_lo));
	ck_assert_int_eq(e, exp);
}

START_TEST(round_against_int128)
{
	unsigned ties = 0, carries = 0;

	for (unsigned turn = 0; turn < 20000; turn++) {
		struct gbm_acc acc;
		int e0 = (int)(word() % 1900) - 1000;
		wide m = 0;

		gbm_acc_zero(&acc);
		for (unsigned i = 0; i < 1 + turn % 4; i++) {
			double x =
				(double)((int64_t)word() >> (11 + word() % 50));
			int shift = (int)(word() % 60);

			gbm_acc_add(&acc, ldexp(x, e0 + shift));
			m += (wide)x * ((wide)1 << shift);
		}
		check_round(m, &acc, e0);
	}
	/* 53 bits, and below them just a half, a little less, a little more */
	for (unsigned turn = 0; turn < 4000; turn++) {
		uint64_t top = word() >> 11 | UINT64_C(1) << 52;
		int less = (int)(turn % 3) - 1, negative = turn / 3 % 2;
		struct gbm_acc acc;
		double sign = negative ? -1 : 1;
		wide m;

		if (turn % 5 == 0)
			top = (UINT64_C(1) << 53) - 1;
		gbm_acc_zero(&acc);
		gbm_acc_add(&acc, sign * ldexp((double)top, 54));
		gbm_acc_add(&acc, sign * 0x1p53);
		gbm_acc_add(&acc, sign * less);
		m = ((wide)top << 54) + ((wide)1 << 53) + less;
		check_round(negative ? -m : m, &acc, 0);
		ties += !less;
		carries += turn % 5 == 0;
	}
	ck_assert_uint_gt(ties, 1000);
	ck_assert_uint_gt(carries, 500);
}
END_TEST

/* Products of any two doubles: 106 bits, which fit an __int128. */
START_TEST(products_are_exact)
{
	for (unsigned turn = 0; turn < 20000; turn++) {
		double a = any_double(), b = any_double();
		struct gbm_acc acc;
		int ea, eb;
		wide m;

		if (turn % 4 == 0)
			a = ldexp(a, -(int)(word() % 2100));
		if (turn % 8 == 0)
			b = a;
		if (turn % 100 == 0)
			a = b = turn % 200 ? DBL_MAX : -0x1p-1074;
		m = (wide)ldexp(frexp(a, &ea), 53) *
		    (wide)ldexp(frexp(b, &eb), 53);
		gbm_acc_zero(&acc);
		gbm_acc_add_product(&acc, a, b);
		check_round(m, &acc, m ? ea + eb - 106 : 0);
	}
}
END_TEST

/* Through blocks or one by one: the same but for the rounding in a block. */
START_TEST(blocks_and_single_values)
{
	const struct gbm_kernel *k;

	for (unsigned i = 0; (k = gbm_kernel_available(i)); i++)
		for (unsigned turn = 0; turn < 60; turn++) {
			static double v[20 * GBM_BLOCK_PATHS];
			size_t n = 1 + (size_t)(word() >> 20) %
					       (20 * GBM_BLOCK_PATHS);
			double scale = ldexp(1, (int)(word() % 600) - 300);
			/* Squares of shifted values would lose 1e-7. */
			double shift = turn % 3 ? 0 : 1e4;
			double allowed = turn % 3 ? 1e-14 : 1e-11;
			struct gbm_result a, b;
			struct gbm_stats s;

			for (size_t j = 0; j < n; j++)
				v[j] = scale * (shift + uniform() - 0.3);
			gbm_stats_zero(&s);
			for (size_t j = 0; j < n; j += GBM_BLOCK_PATHS)
				gbm_stats_add_block(&s, k, v + j,
						    n - j < GBM_BLOCK_PATHS
							    ? n - j
							    : GBM_BLOCK_PATHS);
			a = result_of(&s);
			b = result_of_values(v, n);
			ck_assert_uint_eq(a.n, n);
			check_near(a.mean, b.mean, 1e-14);
			ck_assert(a.min == b.min && a.max == b.max);
			if (n > 1) {
				check_near(a.variance, b.variance, allowed);
				check_near(a.std_error, b.std_error, allowed);
			}
		}
}
END_TEST

/* Beyond 2^+-400, and what is not finite, a block is added value by value. */
START_TEST(block_fallback)
{
	static const double odd[] = { 0x1p401,	-0x1p401,  0x1p1023, -0x1p1023,
				      INFINITY, -INFINITY, NAN,	     0 };
	const struct gbm_kernel *k;

	for (unsigned i = 0; (k = gbm_kernel_available(i)); i++)
		for (size_t o = 0; o < sizeof(odd) / sizeof(*odd); o++)
			for (size_t at = 0; at < 70; at++) {
				struct gbm_stats a, b;
				double v[70];

				/* 0 stands for a block of tiny values. */
				for (size_t j = 0; j < 70; j++)
					v[j] = odd[o] == 0
						       ? ldexp(uniform(), -401)
						       : uniform();
				if (odd[o] != 0)
					v[at] = odd[o];
				gbm_stats_zero(&a);
				gbm_stats_zero(&b);
				gbm_stats_add_block(&a, k, v, 70);
				gbm_stats_add(&b, v, 70);
				check_same(&a, &b);
			}
}
END_TEST

/* Limbs may grow until 2^30 additions are counted, but not one more. */
START_TEST(carries_in_time)
{
	const uint32_t limit = UINT32_C(1) << 30;
	struct gbm_acc acc, want;

	for (int sign = -1; sign <= 1; sign += 2) {
		double hi, lo;
		int e;

		gbm_acc_zero(&acc);
		gbm_acc_add(&acc, sign * 0x1p60);
		/* As full as limit - 2 additions can make it. */
		acc.limb[GBM_ACC_BIAS / 32] =
			sign * (int64_t)(limit - 2) * 0xffffffff;
		acc.pending = limit - 2;
		want = acc;
		gbm_acc_normalize(&want);
		gbm_acc_add(&acc, sign * 0xffffffffp0);
		ck_assert_uint_eq(acc.pending, limit - 1);
		gbm_acc_add(&acc, sign * 0xffffffffp0);
		ck_assert_uint_eq(acc.pending, 0);
		gbm_acc_add(&want, sign * 0x1.fffffffep32);
		gbm_acc_normalize(&want);
		ck_assert_mem_eq(acc.limb, want.limb, sizeof(acc.limb));
		gbm_acc_round(&acc, &hi, &lo, &e);
		ck_assert(sign * hi > 0);
		for (unsigned i = 0; i + 1 < GBM_ACC_LIMBS; i++)
			ck_assert(acc.limb[i] >= 0 && acc.limb[i] >> 32 == 0);
	}
}
END_TEST

/*
 * One value 2^62 - 1 times, by doubling: sums of squares far above 2^2048, and
 * a count that no double holds.
 */
START_TEST(very_many_values)
{
	static const double v[] = { DBL_MAX, 0x1p-1074, -3.25 };

	for (size_t i = 0; i < 3; i++) {
		struct gbm_stats s, all;
		struct gbm_result r;

		gbm_stats_zero(&all);
		gbm_stats_zero(&s);
		gbm_stats_add(&s, v + i, 1);
		for (unsigned j = 0; j < 62; j++) {
			gbm_stats_merge(&all, &s);
			gbm_stats_merge(&s, &s);
		}
		r = result_of(&all);
		ck_assert_uint_eq(r.n, (UINT64_C(1) << 62) - 1);
		ck_assert(r.mean == v[i]);
		ck_assert(r.variance == 0 && r.std_error == 0);
	}
}
END_TEST

/* The largest sum of squares that is promised: 2^62 values. */
START_TEST(largest_squares)
{
	static const double v[] = { DBL_MAX, -DBL_MAX };
	struct gbm_stats s;
	struct gbm_result r;

	gbm_stats_zero(&s);
	gbm_stats_add(&s, v, 2);
	for (unsigned j = 0; j < 61; j++)
		gbm_stats_merge(&s, &s);
	r = result_of(&s);
	ck_assert_uint_eq(r.n, UINT64_C(1) << 62);
	ck_assert(r.mean == 0 && isinf(r.variance));
	check_near(r.std_error, ldexp(DBL_MAX, -31), 1e-15);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("stats");
	TCase *t = tcase_create("stats");

	tcase_set_timeout(t, 120);
	tcase_add_test(t, certified_values);
	tcase_add_test(t, order_and_partition);
	tcase_add_test(t, exact_cancellation);
	tcase_add_test(t, ends_of_the_range);
	tcase_add_test(t, not_finite);
	tcase_add_test(t, few_values);
	tcase_add_test(t, pack_and_unpack);
	tcase_add_test(t, round_against_int128);
	tcase_add_test(t, products_are_exact);
	tcase_add_test(t, blocks_and_single_values);
	tcase_add_test(t, block_fallback);
	tcase_add_test(t, carries_in_time);
	tcase_add_test(t, very_many_values);
	tcase_add_test(t, largest_squares);
	suite_add_tcase(s, t);
	return gbm_check_main(s);
}
