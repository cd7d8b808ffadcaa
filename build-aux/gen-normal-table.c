/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Writes libgbm/normal_table.h: the tables of the normal sampler, computed in
 * binary128 and rounded once.
 *
 *	gcc -O2 build-aux/gen-normal-table.c -lm && ./a.out >libgbm/normal_table.h
 *
 * Needs gcc's _Float128 and glibc's functions for it; only for those who
 * change the tables.  tests/kat compares its output with the file.
 *
 * f(x) = sqrt(2/pi) exp(-x^2/2) on x >= 0 is cut into horizontal bands from
 * the bottom up.  Band k reaches from height y[k-1] to y[k], and the widest
 * rectangle inside it, 0 <= x <= x[k] with f(x[k]) = y[k], has the area 1/2048.
 * After N bands no further one fits.  What the rectangles leave over has the
 * mass (2048 - N) / 2048: N "wedges" to the right of the rectangles (the first
 * of them is the tail, as y[0] = 0) and the cap above y[N].  Which of these
 * N + 1 pieces a sample falls into is looked up by Walker's alias method.
 * The idea is McFarland's (J. Stat. Comput. Simul. 86, 2016).
 */
#define __STDC_WANT_IEC_60559_TYPES_EXT__
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define SLOTS 2048

typedef _Float128 quad;

static const quad SQRT_2_PI = 0.797884560802865355879892119868763737F128;
static const quad SQRT1_2 = 0.707106781186547524400844362104849039F128;

static quad f(quad x)
{
	return SQRT_2_PI * expf128(-x * x / 2);
}

/* The larger root of x (f(x) - y) = 1/SLOTS, or -1 when there is none. */
static quad band_width(quad y, quad below)
{
	quad lo = 0, hi = below, area = (quad)1 / SLOTS;

	/* The maximum: f(x) - y + x f'(x) = 0, decreasing in x. */
	for (int i = 0; i < 200; i++) {
		quad mid = (lo + hi) / 2;

		if (f(mid) * (1 - mid * mid) > y)
			lo = mid;
		else
			hi = mid;
	}
	if (lo * (f(lo) - y) < area)
		return -1;
	hi = below;
	for (int i = 0; i < 200; i++) {
		quad mid = (lo + hi) / 2;

		if (mid * (f(mid) - y) > area)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

int main(void)
{
	static quad x[SLOTS + 1], mass[SLOTS];
	static uint64_t alias[SLOTS];
	quad y = 0, total = 0, rest;
	int n = 0;

	for (x[0] = 12; n < SLOTS; n++) {
		quad w = band_width(y, x[n]);

		if (w < 0)
			break;
		x[n + 1] = w;
		y = f(w);
	}
	rest = (quad)(SLOTS - n) / SLOTS;

	/* mass[k]: the wedge beside rectangle k + 1; mass[n]: the cap. */
	mass[0] = erfcf128(x[1] * SQRT1_2);
	for (int k = 1; k < n; k++)
		mass[k] = erfcf128(x[k + 1] * SQRT1_2) -
			  erfcf128(x[k] * SQRT1_2) -
			  f(x[k]) * (x[k] - x[k + 1]);
	mass[n] = erff128(x[n] * SQRT1_2) - f(x[n]) * x[n];
	for (int k = 0; k <= n; k++)
		total += mass[k];
	if (fabsf128(total - rest) > 1e-28F128) {
		fprintf(stderr, "the pieces do not add up\n");
		return EXIT_FAILURE;
	}

	/* Robin Hood: the first rich slot fills the first poor one. */
	static quad p[SLOTS];
	for (int k = 0; k < SLOTS; k++)
		p[k] = k <= n ? mass[k] / total * SLOTS : 0;
	static char done[SLOTS];
	for (int round = 0; round < SLOTS; round++) {
		int poor = -1, rich = -1;

		for (int k = 0; k < SLOTS; k++) {
			if (done[k])
				continue;
			if (poor < 0 || p[k] < p[poor])
				poor = k;
			if (rich < 0 || p[k] > p[rich])
				rich = k;
		}
		quad t = p[poor] < 1 ? p[poor] : 1;
		uint64_t thr = (uint64_t)(t * 0x1p53F128);

		if (thr > (UINT64_C(1) << 53) - 1)
			thr = (UINT64_C(1) << 53) - 1;
		alias[poor] = thr << 11 | (uint64_t)rich;
		done[poor] = 1;
		p[rich] -= 1 - p[poor];
	}

	/*
	 * How far f strays from the chord of a wedge, relative to the
	 * wedge's height and per width: bounds for the sampler's squeezes.
	 */
	quad convex = 0, concave = 0;
	int inflection = 0;
	for (int k = 1; k < n; k++) {
		quad w = x[k] - x[k + 1], h = f(x[k + 1]) - f(x[k]);
		quad *worst = x[k + 1] >= 1 ? &convex : &concave;

		if (x[k] > 1 && x[k + 1] < 1) {
			inflection = k;
			continue;
		}
		for (int i = 1; i < 256; i++) {
			quad u = (quad)i / 256;
			quad v = (f(x[k + 1] + u * w) - f(x[k])) / h;

			if (fabsf128(v - (1 - u)) > *worst * w)
				*worst = fabsf128(v - (1 - u)) / w;
		}
	}

	printf("/* SPDX-License-Identifier: GPL-3.0-or-later */\n"
	       "/* Written by build-aux/gen-normal-table.c, which explains it. "
	       "*/\n"
	       "#ifndef GBM_NORMAL_TABLE_H\n#define GBM_NORMAL_TABLE_H\n\n"
	       "#include <stdint.h>\n\n"
	       "/* Rectangles; the slots above mean \"some other piece\". */\n"
	       "#define GBM_NORMAL_BANDS %d\n\n"
	       "/* The wedge that holds the inflection of the density, x = 1. "
	       "*/\n"
	       "#define GBM_NORMAL_INFLECTION %d\n\n"
	       "/* Above the distance of curve and chord, of a wedge's height, "
	       "per width. */\n"
	       "#define GBM_NORMAL_CONVEX_GAP %.4f\n"
	       "#define GBM_NORMAL_CONCAVE_GAP %.4f\n\n"
	       "/* Height of the cap, of the density's peak. */\n"
	       "#define GBM_NORMAL_CAP %a\n\n"
	       "/* 2 x[k + 1]; -0 in the slots that are no rectangle. */\n"
	       "static const double gbm_normal_x2[%d] = {\n",
	       n, inflection, (double)convex * 1.02, (double)concave * 1.02,
	       (double)-expm1f128(-x[n] * x[n] / 2), SLOTS);
	for (int k = 0; k < SLOTS; k += 2)
		printf("\t%a, %a,\n", k < n ? (double)(2 * x[k + 1]) : -0.0,
		       k + 1 < n ? (double)(2 * x[k + 2]) : -0.0);
	printf("};\n\n"
	       "/* Alias table: a threshold in units of 2^-53, then 11 bits. */\n"
	       "static const uint64_t gbm_normal_alias[%d] = {\n", SLOTS);
	for (int k = 0; k < SLOTS; k += 2)
		printf("\t0x%016llx, 0x%016llx,\n",
		       (unsigned long long)alias[k],
		       (unsigned long long)alias[k + 1]);
	printf("};\n\n#endif\n");
	return EXIT_SUCCESS;
}
