/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_NORMAL_H
#define GBM_NORMAL_H

/*
 * The standard normal as a pure function of one 64-bit word r.
 *
 * Bits 0..10 of r choose one of 2048 slots.  In 2045 of them the sample is
 * uniform on a rectangle that lies wholly under the density, by bits 12..63;
 * the kernel does that.  The three others stand for what the rectangles leave
 * uncovered: here a piece of that is chosen and sampled by rejection, drawing
 * from a hash sequence of r.  build-aux/gen-normal-table.c defines the pieces.
 */

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "libgbm/normal_table.h"
#include "libgbm/rng.h"
#include "libgbm/vecmath.h"

#define GBM_NORMAL_SLOTS 2048

/* No normal is further from 0: see gbm_normal_tail(). */
#define GBM_NORMAL_MOST 13.0

/* But in the tail, one in 37,000, none is further than this. */
#define GBM_NORMAL_BODY 4.21

/* ln x for 0 < x <= 1, normal: 2 atanh((m - 1) / (m + 1)) + e ln 2. */
static inline double gbm_log(double x)
{
	/* 1 / (2k + 1), k = 10..1: |s| <= 0.172, so the rest is < 2^-56. */
	static const double odd[] = { 1.0 / 21, 1.0 / 19, 1.0 / 17, 1.0 / 15,
				      1.0 / 13, 1.0 / 11, 1.0 / 9,  1.0 / 7,
				      1.0 / 5,	1.0 / 3 };
	uint64_t bits;
	double m, s, s2, p = 0;
	int e;

	memcpy(&bits, &x, sizeof(bits));
	e = (int)(bits >> 52) - 1023;
	bits = (bits & ((UINT64_C(1) << 52) - 1)) | UINT64_C(0x3FF) << 52;
	memcpy(&m, &bits, sizeof(m));
	if (m > 0x1.6a09e667f3bcdp+0) {
		m *= 0.5;
		e++;
	}
	s = (m - 1) / (m + 1);
	s2 = s * s;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		p = fma(p, s2, odd[i]);
	p = fma(p * s2, s, s); /* atanh(s) */
	return fma((double)e, 0x1.62e42fefa39efp-1,
		   fma((double)e, 0x1.abc9e3b39803fp-56, 2 * p));
}

/* The hash sequence: SplitMix64 started at the word itself. */
struct gbm_normal_draws {
	uint64_t state;
};

static inline uint64_t gbm_normal_next(struct gbm_normal_draws *d)
{
	d->state += GBM_GOLDEN;
	return gbm_mix64(d->state);
}

/* Uniform on (0, 1]. */
static inline double gbm_normal_uniform(struct gbm_normal_draws *d)
{
	return (double)((gbm_normal_next(d) >> 11) + 1) * 0x1p-53;
}

/* exp(-x^2/2), from the vector function so that it exists once. */
static inline double gbm_normal_density(double x)
{
	const double half_log2e = 0x1.71547652b82fep-1;

	return vd_first(vm_exp2(vd_set1(-half_log2e * (x * x))));
}

/* Marsaglia (1964): beyond x > 0 the density falls faster than exp(-x t). */
static inline double gbm_normal_tail(double x, struct gbm_normal_draws *d)
{
	for (;;) {
		double t = -gbm_log(gbm_normal_uniform(d)) / x;

		if (-2 * gbm_log(gbm_normal_uniform(d)) > t * t)
			return x + t;
	}
}

/*
 * Uniform on the piece between the curve and the rectangle k + 1 and above
 * rectangle k: (u, v) runs over the band from (x[k+1], y[k]) to
 * (x[k], y[k+1]).
 */
static inline double gbm_normal_wedge(unsigned k, struct gbm_normal_draws *d)
{
	double x0 = gbm_normal_x2[k] / 2, x1 = gbm_normal_x2[k - 1] / 2;

	for (;;) {
		double u = gbm_normal_uniform(d), v = gbm_normal_uniform(d);
		double x, y0, y1, over, width = x1 - x0;

		if (k < GBM_NORMAL_INFLECTION) {
			/* Convex: the curve is below the chord u + v = 1. */
			if (u + v > 1) {
				u = 1 - u;
				v = 1 - v;
			}
			over = u + v - (1 - GBM_NORMAL_CONVEX_GAP * width);
		} else if (k > GBM_NORMAL_INFLECTION) {
			over = u + v - 1;
			if (over > GBM_NORMAL_CONCAVE_GAP * width)
				continue;
		} else {
			over = 1;
		}
		x = x0 + u * width;
		if (over <= 0)
			return x;
		y0 = gbm_normal_density(x1);
		y1 = gbm_normal_density(x0);
		if (y0 + v * (y1 - y0) <= gbm_normal_density(x))
			return x;
	}
}

/*
 * The piece of the density above all rectangles: x and a depth below the peak,
 * in units of the peak.  The curve's own depth is 1 - exp(-q), q = x^2 / 2,
 * between q - q^2 / 2 and q.
 */
static inline double gbm_normal_cap(struct gbm_normal_draws *d)
{
	for (;;) {
		double x = gbm_normal_uniform(d) *
			   (gbm_normal_x2[GBM_NORMAL_BANDS - 1] / 2);
		double depth = gbm_normal_uniform(d) * GBM_NORMAL_CAP;
		double q = x * x / 2;

		if (depth >= q)
			return x;
		if (depth < q - q * q / 2)
			continue;
		if (depth >= 1 - gbm_normal_density(x))
			return x;
	}
}

/* The normal of a word whose slot is no rectangle. */
static double gbm_normal_rest(uint64_t r)
{
	struct gbm_normal_draws d = { r };
	uint64_t h = gbm_normal_next(&d), piece = h & (GBM_NORMAL_SLOTS - 1);
	uint64_t sign, alias;
	double x;

	alias = gbm_normal_alias[piece];
	if (h >> 11 >= alias >> 11)
		piece = alias & (GBM_NORMAL_SLOTS - 1);
	sign = gbm_normal_next(&d) >> 63;
	if (piece == 0)
		x = gbm_normal_tail(gbm_normal_x2[0] / 2, &d);
	else if (piece < GBM_NORMAL_BANDS)
		x = gbm_normal_wedge((unsigned)piece, &d);
	else
		x = gbm_normal_cap(&d);
	return sign ? -x : x;
}

#endif
