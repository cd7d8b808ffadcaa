/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_VEC_SCALAR_H
#define GBM_VEC_SCALAR_H

/*
 * Vectors of one element: the reference for the other vec_<isa>.h, and what
 * runs where none of them can.  fma() is exact everywhere, by the C library
 * where the hardware has none.
 */

#include <math.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define VL 1

typedef double vd;
typedef uint64_t vu;
typedef int vm; /* a truth value for each element */

static inline vd vd_load(const double *p) { return *p; }
static inline void vd_store(double *p, vd a) { *p = a; }
static inline vd vd_set1(double a) { return a; }
static inline double vd_first(vd a) { return a; }
/* The same, in a register, where the compiler would load it for each use. */
static inline vd vd_keep(vd a) { return a; }
static inline vu vu_keep(vu a) { return a; }
static inline vd vd_add(vd a, vd b) { return a + b; }
static inline vd vd_sub(vd a, vd b) { return a - b; }
static inline vd vd_mul(vd a, vd b) { return a * b; }
/* a + b where cores have pipes for products to spare and none for sums. */
static inline vd vd_add_by_product(vd a, vd b) { return vd_add(a, b); }
static inline vd vd_fma(vd a, vd b, vd c) { return fma(a, b, c); }

#ifdef __SSE2__
/* a < b ? a : b, likewise below, of which a compiler may make a branch. */
static inline vd vd_min(vd a, vd b)
{
	return _mm_cvtsd_f64(_mm_min_sd(_mm_set_sd(a), _mm_set_sd(b)));
}

static inline vd vd_max(vd a, vd b)
{
	return _mm_cvtsd_f64(_mm_max_sd(_mm_set_sd(a), _mm_set_sd(b)));
}
#else
static inline vd vd_min(vd a, vd b) { return a < b ? a : b; }
static inline vd vd_max(vd a, vd b) { return a > b ? a : b; }
#endif

static inline vm vd_sign(vd a)
{
	return signbit(a) != 0;
}
static inline vm vd_abs_above(vd a, vd b) { return fabs(a) > b; }
static inline vm vm_or(vm a, vm b) { return a | b; }
static inline int vm_any(vm a) { return a; }

/* Eight elements as the bits of a number. */
static inline uint64_t vm_bits8(const vm *m)
{
	uint64_t bits = 0;

	for (unsigned i = 0; i < 8; i++)
		bits |= (uint64_t)m[i] << i;
	return bits;
}

static inline vu vu_load(const uint64_t *p) { return *p; }
static inline void vu_store(uint64_t *p, vu a) { *p = a; }
static inline vu vu_set1(uint64_t a) { return a; }
static inline vu vu_add(vu a, vu b) { return a + b; }
static inline vu vu_xor(vu a, vu b) { return a ^ b; }
static inline vu vu_or(vu a, vu b) { return a | b; }

/* n is a constant, 0 < n < 64. */
#define vu_shl(a, n)  ((a) << (n))
#define vu_shr(a, n)  ((a) >> (n))
#define vu_rotl(a, n) ((a) << (n) | (a) >> (64 - (n)))

static inline vu vu_of_bits(vd a)
{
	vu r;

	memcpy(&r, &a, sizeof(r));
	return r;
}

static inline vd vd_of_bits(vu a)
{
	vd r;

	memcpy(&r, &a, sizeof(r));
	return r;
}

/* table[w[i] & mask] for each element i. */
static inline vd vd_lookup(const double *table, const uint64_t *w,
			   uint64_t mask)
{
	return table[*w & mask];
}

#endif
