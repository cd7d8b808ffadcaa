/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The distribution of the normals.  Seeds are fixed, so a test passes always
 * or never; its thresholds are those that a correct sampler with a random seed
 * would miss once in a million.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include <gsl/gsl_cdf.h>

#include <gbm-mc/gbm.h>

#include "libgbm/vec_scalar.h"

#include "libgbm/isa.h"
#include "libgbm/normal.h"
#include "tests/unit/check_main.h"
#include "tests/unit/quad.h"

#define P_LEAST 1e-6
#define Z_MOST	4.9 /* of a standard normal, on both sides: 1e-6 */

static const struct gbm_kernel *best(void)
{
	return gbm_kernel_select(NULL, NULL);
}

/* p-value of counts[i] against n * p[i], cells of less than 10 lumped. */
static double chi_square(const uint64_t *counts, const double *p, size_t cells,
			 double n)
{
	double chi2 = 0, expected = 0, seen = 0, total = 0;
	int used = 0;

	for (size_t i = 0; i < cells; i++) {
		expected += n * p[i];
		seen += (double)counts[i];
		total += p[i];
		if (expected < 10 && i + 1 < cells)
			continue;
		if (expected > 0)
			chi2 += (seen - expected) * (seen - expected) /
				expected;
		used++;
		expected = seen = 0;
	}
	ck_assert_double_le(fabs(total - 1), 1e-12);
	ck_assert_int_ge(used, 200);
	return gsl_cdf_chisq_Q(chi2, used - 1);
}

static void check_p(double p)
{
	ck_assert_msg(p >= P_LEAST && p <= 1 - P_LEAST, "p = %g", p);
}

START_TEST(distribution)
{
	enum { BINS = 4096, STREAMS = 4, BATCH = 1 << 14, BATCHES = 160 };
	const double n = (double)STREAMS * BATCH * BATCHES; /* 1.05e7 */
	static double z[BATCH], p[BINS];
	static uint64_t count[BINS];
	double sum[5] = { 0 }, ks = 0;
	uint64_t beyond[6] = { 0 }, below = 0;

	for (unsigned s = 0; s < STREAMS; s++) {
		struct gbm_rng rng;

		gbm_rng_init(&rng, 20240229, s);
		for (unsigned b = 0; b < BATCHES; b++) {
			gbm_rng_fill_normal(&rng, z, BATCH);
			for (unsigned i = 0; i < BATCH; i++) {
				double x = z[i], x2 = x * x;

				sum[1] += x;
				sum[2] += x2;
				sum[3] += x * x2;
				sum[4] += x2 * x2;
				count[(size_t)(gsl_cdf_ugaussian_P(x) *
					       BINS)]++;
				for (unsigned k = 3; k <= 5; k++)
					beyond[k] += fabs(x) > k;
			}
		}
	}
	/* E z^2k = (2k - 1)!!: 1, 3, 15, 105 */
	ck_assert_double_le(fabs(sum[1]) / sqrt(n), Z_MOST);
	ck_assert_double_le(fabs(sum[2] - n) / sqrt(2 * n), Z_MOST);
	ck_assert_double_le(fabs(sum[3]) / sqrt(15 * n), Z_MOST);
	ck_assert_double_le(fabs(sum[4] - 3 * n) / sqrt(96 * n), Z_MOST);
	for (unsigned k = 3; k <= 5; k++) {
		double mean = 2 * n * gsl_cdf_ugaussian_Q(k);
		unsigned seen = (unsigned)beyond[k];

		check_p(gsl_cdf_poisson_P(seen, mean));
		check_p(gsl_cdf_poisson_Q(seen, mean));
	}
	for (size_t i = 0; i < BINS; i++)
		p[i] = 1.0 / BINS;
	check_p(chi_square(count, p, BINS, n));
	/* Kolmogorov-Smirnov at the cells' edges: exp(-2 n d^2) * 2 = 1e-6 */
	for (size_t i = 0; i < BINS; i++) {
		double d;

		below += count[i];
		d = fabs((double)below / n - (double)(i + 1) / BINS);
		ks = d > ks ? d : ks;
	}
	ck_assert_double_le(ks, sqrt(log(2e6) / (2 * n)));
	ck_assert_double_ge(ks, 0.2 / sqrt(n));
}
END_TEST

/* Neighbours in a row are lanes, eight apart are steps of one lane. */
START_TEST(no_correlation)
{
	enum { N = 1 << 21, LAGS = 17 };
	double *z = malloc(N * sizeof(*z));
	struct gbm_rng rng;

	ck_assert_ptr_nonnull(z);
	gbm_rng_init(&rng, 5, 0);
	gbm_rng_fill_normal(&rng, z, N);
	for (size_t lag = 1; lag < LAGS; lag++) {
		double plain = 0, squares = 0, n = (double)(N - lag);

		for (size_t i = lag; i < N; i++) {
			double x = z[i], y = z[i - lag];

			plain += x * y;
			squares += (x * x - 1) * (y * y - 1);
		}
		ck_assert_double_le(fabs(plain) / sqrt(n), Z_MOST);
		ck_assert_double_le(fabs(squares) / sqrt(4 * n), Z_MOST);
	}
	free(z);
}
END_TEST

/*
 * What the rectangles leave over: 3/2048 of the mass, with the distribution
 *
 *	P(|z| <= x) = (erf(x / sqrt 2) - sum over rectangles k of
 *		       min(x, x[k]) / (2048 x[k])) * 2048 / 3
 *
 * in cells that cut each wedge into four, and the tail and the cap into more.
 */
#define PARTS 4
#define MORE  16

static int descending(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x < *y) - (*x > *y);
}

static long double residual(double x)
{
	const long double sqrt_half = 0.70710678118654752440084436210484904L;
	long double covered = 0;

	for (int k = GBM_NORMAL_BANDS - 1; k >= 0; k--) {
		long double w = gbm_normal_x2[k] / 2;

		covered += x < w ? x / w : 1;
	}
	return (erfl(x * sqrt_half) * GBM_NORMAL_SLOTS - covered) /
	       (GBM_NORMAL_SLOTS - GBM_NORMAL_BANDS);
}

START_TEST(residual_distribution)
{
	enum { N = 3000000, EDGES = PARTS * (GBM_NORMAL_BANDS - 1) + 2 * MORE };
	static double edge[EDGES], p[2 * (EDGES + 1)];
	static uint64_t count[2 * (EDGES + 1)];
	long double above = 1, at;
	struct gbm_rng rng;
	size_t n = 0;

	for (unsigned k = 0; k + 1 < GBM_NORMAL_BANDS; k++)
		for (unsigned j = 0; j < PARTS; j++)
			edge[n++] = (gbm_normal_x2[k] * (PARTS - j) +
				     gbm_normal_x2[k + 1] * j) /
				    (2 * PARTS);
	for (unsigned j = 1; j <= MORE; j++) {
		double cap = gbm_normal_x2[GBM_NORMAL_BANDS - 1] / 2;

		edge[n++] = gbm_normal_x2[0] / 2 + 0.05 * j;
		edge[n++] = cap * j / MORE;
	}
	ck_assert_uint_eq(n, EDGES);
	qsort(edge, n, sizeof(*edge), descending);
	/* Cell i is edge[i] < |z| <= edge[i - 1], by sign. */
	for (size_t i = 0; i <= n; i++) {
		at = i < n ? residual(edge[i]) : 0;
		p[2 * i] = p[2 * i + 1] = (double)(above - at) / 2;
		ck_assert(at < above);
		above = at;
	}

	gbm_rng_init(&rng, 77, 0);
	for (size_t i = 0; i < N; i++) {
		uint64_t slot = GBM_NORMAL_BANDS + i % 3;
		double z =
			gbm_normal_rest(gbm_rng_u64(&rng) / GBM_NORMAL_SLOTS *
						GBM_NORMAL_SLOTS +
					slot);
		size_t lo = 0, hi = n;

		while (lo < hi) {
			size_t mid = (lo + hi) / 2;

			if (edge[mid] >= fabs(z))
				lo = mid + 1;
			else
				hi = mid;
		}
		count[2 * lo + (z < 0)]++;
	}
	check_p(chi_square(count, p, 2 * (n + 1), N));
}
END_TEST

/*
 * The pieces that the residual is put together from, one by one: the tail, the
 * cap, and wedges at the ends and around the inflection.  p[i] is the
 * probability of cell i of 256, which divide from..to evenly; the last cell
 * reaches to infinity when endless.
 */
#define CELLS 256

static void check_piece(double (*draw)(unsigned, struct gbm_normal_draws *),
			unsigned k, double from, double to, double below,
			int endless)
{
	const long double sqrt_half = 0.70710678118654752440084436210484904L;
	const double n = endless ? 4e6 : 1e6, width = (to - from) / CELLS;
	struct gbm_normal_draws d = { k };
	static uint64_t count[CELLS];
	static double p[CELLS];
	long double left, total = 0, mass[CELLS];

	memset(count, 0, sizeof(count));
	left = erfcl(from * sqrt_half);
	for (unsigned i = 0; i < CELLS; i++) {
		long double right =
			endless && i + 1 == CELLS
				? 0
				: erfcl((from + (i + 1) * width) * sqrt_half);

		mass[i] = left - right - (long double)below * width;
		total += mass[i];
		left = right;
	}
	for (unsigned i = 0; i < CELLS; i++)
		p[i] = (double)(mass[i] / total);
	for (unsigned i = 0; i < n; i++) {
		double x = draw(k, &d);
		size_t cell = (size_t)((x - from) / width);

		if (!(x >= from && (endless || x <= to)))
			ck_abort_msg("piece %u: %a", k, x);
		count[cell < CELLS ? cell : CELLS - 1]++;
	}
	check_p(chi_square(count, p, CELLS, n));
}

static double draw_wedge(unsigned k, struct gbm_normal_draws *d)
{
	return gbm_normal_wedge(k, d);
}

static double draw_tail(unsigned k, struct gbm_normal_draws *d)
{
	(void)k;
	return gbm_normal_tail(gbm_normal_x2[0] / 2, d);
}

static double draw_cap(unsigned k, struct gbm_normal_draws *d)
{
	(void)k;
	return gbm_normal_cap(d);
}

/* Of |z|. */
static double density(double x)
{
	return 0.79788456080286535588 * exp(-x * x / 2);
}

START_TEST(residual_pieces)
{
	static const unsigned wedges[] = { 1,
					   2,
					   700,
					   GBM_NORMAL_INFLECTION - 1,
					   GBM_NORMAL_INFLECTION,
					   GBM_NORMAL_INFLECTION + 1,
					   1900,
					   GBM_NORMAL_BANDS - 1 };
	double x = gbm_normal_x2[0] / 2, cap;

	check_piece(draw_tail, 0, x, x + 1.5, 0, 1);
	for (size_t i = 0; i < sizeof(wedges) / sizeof(*wedges); i++) {
		unsigned k = wedges[i];
		double to = gbm_normal_x2[k - 1] / 2;

		check_piece(draw_wedge, k, gbm_normal_x2[k] / 2, to,
			    density(to), 0);
	}
	cap = gbm_normal_x2[GBM_NORMAL_BANDS - 1] / 2;
	check_piece(draw_cap, 0, 0, cap, density(cap), 0);
}
END_TEST

static double normal_of_word(const struct gbm_kernel *k, uint64_t word)
{
	uint64_t w[GBM_LANES] = { word };
	double z[GBM_LANES];

	k->normals(w, z, GBM_LANES);
	return z[0];
}

/*
 * Words whose third hash is next to 0, as the tail needs it: found by running
 * the hash backwards from there.
 */
START_TEST(far_tail_is_reached)
{
	static const uint64_t far[] = { UINT64_C(0x921569a6d37b4ffe),
					UINT64_C(0x498f43c94823a7fd) };
	const struct gbm_kernel *k;
	double most = gbm_normal_x2[0] / 2 + sqrt(-2 * gbm_log(0x1p-53));

	for (unsigned i = 0; (k = gbm_kernel_available(i)); i++) {
		ck_assert_double_gt(normal_of_word(k, far[0]), 8);
		ck_assert_double_lt(normal_of_word(k, far[1]), -8);
	}
	/* The kernels rely on this, gbm_model_check() on 14. */
	ck_assert_double_gt(most, 8);
	ck_assert_double_lt(most, GBM_NORMAL_MOST);
}
END_TEST

/*
 * Negating bits 12..63, the last of them taken as set, negates the normal of a
 * rectangle; none is 0.
 */
START_TEST(rectangles_are_symmetric)
{
	const uint64_t top = UINT64_C(1) << 52;
	const struct gbm_kernel *k = best();
	struct gbm_rng rng;

	gbm_rng_init(&rng, 8, 0);
	for (uint64_t slot = 0; slot < GBM_NORMAL_BANDS; slot++) {
		uint64_t some[] = { 1,		 3,
				    top / 2 - 1, top / 4 + 1,
				    top - 1,	 gbm_rng_u64(&rng) >> 12 | 1 };

		for (size_t i = 0; i < sizeof(some) / sizeof(*some); i++) {
			double x = gbm_normal_x2[slot] / 2;
			double z = normal_of_word(k, some[i] << 12 | slot);
			double y =
				normal_of_word(k, (top - some[i]) << 12 | slot);

			ck_assert(z == -y);
			ck_assert(z == normal_of_word(k, (some[i] - 1) << 12 |
								 slot));
			ck_assert(z != 0 && fabs(z) < x);
			ck_assert_double_le(
				fabs(z -
				     x * (2 * ldexp((double)some[i], -52) - 1)),
				1e-15 * x);
		}
	}
}
END_TEST

/* The same word gives the same bits, in every lane and beside any other. */
START_TEST(pure_function_of_the_word)
{
	const struct gbm_kernel *k;
	struct gbm_rng rng;

	gbm_rng_init(&rng, 9, 0);
	for (unsigned i = 0; i < 3000; i++) {
		uint64_t word = gbm_rng_u64(&rng);
		double want;

		/* Every third one takes the way of the residual. */
		if (i % 3 == 0)
			word |= GBM_NORMAL_SLOTS - 1;
		want = normal_of_word(&gbm_kernel_scalar, word);
		if (i % 3 == 0)
			ck_assert(want == gbm_normal_rest(word));
		for (unsigned n = 0; (k = gbm_kernel_available(n)); n++)
			for (unsigned lane = 0; lane < GBM_LANES; lane++) {
				uint64_t w[GBM_LANES];
				double z[GBM_LANES];

				for (unsigned l = 0; l < GBM_LANES; l++)
					w[l] = gbm_rng_u64(&rng) |
					       (i & 1 ? 0x7fd : 0);
				w[lane] = word;
				k->normals(w, z, GBM_LANES);
				ck_assert(
					!memcmp(z + lane, &want, sizeof(want)));
			}
	}
}
END_TEST

#ifdef HAVE_QUAD

/* Also when it is not a number. */
static void take_worst(double *worst, double err)
{
	if (!(err <= *worst))
		*worst = err;
}

/* Measured over these points: 1.9976. */
#define LOG_ULP 2.05

START_TEST(log_of_uniforms)
{
	struct gbm_rng rng;
	double worst = 0;

	gbm_rng_init(&rng, 11, 0);
	ck_assert(gbm_log(1) == 0);
	for (unsigned i = 0; i < 1000000; i++) {
		double x;

		switch (i % 4) {
		case 0:
			x = 1 - gbm_rng_uniform(&rng);
			break;
		case 1: /* next to 1, where the result cancels */
			x = 1 -
			    ldexp(gbm_rng_uniform(&rng), -(int)(i / 4 % 52));
			break;
		case 2: /* next to sqrt(1/2), where the exponent changes */
			x = 0x1.6a09e667f3bcdp-1 +
			    ldexp(gbm_rng_uniform(&rng) - 0.5,
				  -(int)(i / 4 % 52));
			x = x > 1 ? 1 : x;
			break;
		default: /* down to the least uniform, and far beyond */
			x = ldexp(1 + gbm_rng_uniform(&rng),
				  -1 - (int)(i / 4 % 1022));
		}
		if (x == 1)
			continue;
		take_worst(&worst, quad_ulps(gbm_log(x), Q(log)((quad)x)));
	}
	ck_assert_msg(worst < LOG_ULP, "%.4f ulp", worst);
	ck_assert_double_gt(worst, LOG_ULP - 0.1);
}
END_TEST

/*
 * A rectangle's normal is one product of its width and the word's number,
 * rounded once: half a unit at the most, for every kernel and in all slots.
 */
START_TEST(rectangles_in_113_bits)
{
	const struct gbm_kernel *k;
	struct gbm_rng rng;

	for (unsigned n = 0; (k = gbm_kernel_available(n)); n++) {
		double worst = 0;

		gbm_rng_init(&rng, 12, n);
		for (unsigned i = 0; i < 400 * GBM_NORMAL_BANDS; i++) {
			uint64_t w = gbm_rng_u64(&rng);
			uint64_t slot = i % GBM_NORMAL_BANDS;
			quad u;

			/* From all of the range to next to 0 */
			w = (i % 3 ? w : w >> (i / 3 % 52) | 1ull << 63) &
			    ~UINT64_C(2047);
			w |= slot;
			u = (quad)(w >> 12 | 1) / (quad)(UINT64_C(1) << 52) -
			    (quad)0.5;
			take_worst(&worst,
				   quad_ulps(normal_of_word(k, w),
					     u * (quad)gbm_normal_x2[slot]));
		}
		ck_assert_msg(worst <= 0.5 && worst > 0.499, "%s: %.4f",
			      k->name, worst);
	}
}
END_TEST

static quad uniform_in_113_bits(struct gbm_normal_draws *d)
{
	return (quad)gbm_normal_uniform(d);
}

static quad density_in_113_bits(quad x)
{
	return Q(exp)(-x * x / 2);
}

/* The pieces of normal.h in 113 bits: plain rejection, without squeezes. */
static quad tail_in_113_bits(struct gbm_normal_draws *d)
{
	quad x = (quad)gbm_normal_x2[0] / 2;

	for (;;) {
		quad t = -Q(log)(uniform_in_113_bits(d)) / x;

		if (-2 * Q(log)(uniform_in_113_bits(d)) > t * t)
			return x + t;
	}
}

static quad wedge_in_113_bits(uint64_t k, struct gbm_normal_draws *d)
{
	quad x0 = (quad)gbm_normal_x2[k] / 2;
	quad x1 = (quad)gbm_normal_x2[k - 1] / 2;
	quad y0 = density_in_113_bits(x1), y1 = density_in_113_bits(x0);

	for (;;) {
		quad u = uniform_in_113_bits(d), v = uniform_in_113_bits(d), x;

		if (k < GBM_NORMAL_INFLECTION && u + v > 1) {
			u = 1 - u;
			v = 1 - v;
		}
		x = x0 + u * (x1 - x0);
		if (y0 + v * (y1 - y0) <= density_in_113_bits(x))
			return x;
	}
}

static quad cap_in_113_bits(struct gbm_normal_draws *d)
{
	for (;;) {
		quad x = uniform_in_113_bits(d) *
			 (quad)gbm_normal_x2[GBM_NORMAL_BANDS - 1] / 2;
		quad depth = uniform_in_113_bits(d) * (quad)GBM_NORMAL_CAP;

		if (depth >= 1 - density_in_113_bits(x))
			return x;
	}
}

/* The inverse of an odd number modulo 2^64, by Newton's iteration. */
static uint64_t inverse(uint64_t a)
{
	uint64_t x = a;

	for (unsigned i = 0; i < 5; i++)
		x *= 2 - a * x;
	return x;
}

/* The x of which gbm_mix64() makes h. */
static uint64_t unmix64(uint64_t h)
{
	h = (h ^ h >> 31 ^ h >> 62) * inverse(UINT64_C(0x94D049BB133111EB));
	h = (h ^ h >> 27 ^ h >> 54) * inverse(UINT64_C(0xBF58476D1CE4E5B9));
	return h ^ h >> 30 ^ h >> 60;
}

/* Far into the tail, by words whose first uniform is small. */
START_TEST(far_tail_in_113_bits)
{
	double worst = 0, start = gbm_normal_x2[0] / 2;
	unsigned beyond8 = 0;
	struct gbm_rng rng;

	gbm_rng_init(&rng, 14, 0);
	for (unsigned i = 0; i < 200000; i++) {
		uint64_t h = gbm_rng_u64(&rng) >> i % 27;
		struct gbm_normal_draws d = { unmix64(h) - GBM_GOLDEN }, e = d;
		double x = gbm_normal_tail(start, &d);

		ck_assert_uint_eq(gbm_mix64(unmix64(h)), h);
		take_worst(&worst, quad_ulps(x, tail_in_113_bits(&e)));
		ck_assert_uint_eq(d.state, e.state);
		beyond8 += x > 8;
	}
	ck_assert_uint_ge(beyond8, 8);
	ck_assert_msg(worst <= 0.98 && worst > 0.95, "%.4f", worst);
}
END_TEST

/*
 * The normals of the words that are left over; and no decision about them is
 * lost by rounding, or the error would be large.
 */
START_TEST(residual_in_113_bits)
{
	static const struct {
		const char *name;
		double measured;
	} kinds[] = { { "tail", 0.681 },
		      { "wedges", 0.614 },
		      { "cap", 0.500 } };
	double worst[3] = { 0 };
	struct gbm_rng rng;

	gbm_rng_init(&rng, 13, 0);
	for (unsigned i = 0; i < 400000; i++) {
		uint64_t w = gbm_rng_u64(&rng), h, piece, alias;
		struct gbm_normal_draws d = { w };
		int negative, kind;
		quad x;

		h = gbm_normal_next(&d);
		piece = h % GBM_NORMAL_SLOTS;
		alias = gbm_normal_alias[piece];
		if (h >> 11 >= alias >> 11)
			piece = alias % GBM_NORMAL_SLOTS;
		negative = gbm_normal_next(&d) >> 63 != 0;
		kind = piece == 0 ? 0 : piece < GBM_NORMAL_BANDS ? 1 : 2;
		x = kind == 0	? tail_in_113_bits(&d)
		    : kind == 1 ? wedge_in_113_bits(piece, &d)
				: cap_in_113_bits(&d);
		take_worst(worst + kind,
			   quad_ulps(gbm_normal_rest(w), negative ? -x : x));
	}
	for (unsigned i = 0; i < 3; i++)
		ck_assert_msg(worst[i] <= kinds[i].measured &&
				      worst[i] > 0.95 * kinds[i].measured,
			      "%s: %.4f", kinds[i].name, worst[i]);
}
END_TEST

#endif

int main(void)
{
	Suite *s = suite_create("normal");
	TCase *t = tcase_create("normal");

	tcase_set_timeout(t, 120);
	tcase_add_test(t, distribution);
	tcase_add_test(t, no_correlation);
	tcase_add_test(t, residual_distribution);
	tcase_add_test(t, residual_pieces);
	tcase_add_test(t, far_tail_is_reached);
	tcase_add_test(t, rectangles_are_symmetric);
	tcase_add_test(t, pure_function_of_the_word);
#ifdef HAVE_QUAD
	tcase_add_test(t, log_of_uniforms);
	tcase_add_test(t, rectangles_in_113_bits);
	tcase_add_test(t, far_tail_in_113_bits);
	tcase_add_test(t, residual_in_113_bits);
#endif
	suite_add_tcase(s, t);
	return gbm_check_main(s);
}
