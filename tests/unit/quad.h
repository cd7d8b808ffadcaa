/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_TESTS_UNIT_QUAD_H
#define GBM_TESTS_UNIT_QUAD_H

/*
 * A type of 113 bits for references, and glibc's functions for it, which are
 * those of libquadmath: quad, and Q(exp) for expf128 and so on.  HAVE_QUAD is
 * undefined where the compiler has none.  _GNU_SOURCE must be defined before
 * anything is included.
 */

#include <float.h>
#include <math.h>

#if LDBL_MANT_DIG == 113

typedef long double quad;
#define HAVE_QUAD
#define Q(function) function##l

#elif defined(__clang__) && defined(__SIZEOF_FLOAT128__)

typedef __float128 quad;
#define HAVE_QUAD
#define Q(function) function##f128
/* glibc shows them only to compilers with _Float128. */
quad expf128(quad x);
quad exp2f128(quad x);
quad fabsf128(quad x);
quad frexpf128(quad x, int *exponent);
quad ldexpf128(quad x, int exponent);
quad logf128(quad x);
quad sqrtf128(quad x);

#elif defined(__FLT128_MANT_DIG__)

__extension__ typedef _Float128 quad;
#define HAVE_QUAD
#define Q(function) function##f128

#endif

#ifdef HAVE_QUAD

/*
 * |got - want| in units of the last place of want as a double, a subnormal's
 * at least.
 */
static inline double quad_ulps(double got, quad want)
{
	int e;

	Q(frexp)(want, &e);
	if (e < DBL_MIN_EXP)
		e = DBL_MIN_EXP;
	return (double)Q(fabs)(Q(ldexp)((quad)got - want, DBL_MANT_DIG - e));
}

#endif

#endif
