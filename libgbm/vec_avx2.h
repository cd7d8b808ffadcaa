/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_VEC_AVX2_H
#define GBM_VEC_AVX2_H

/* Vectors of four: x86-64 with AVX2 and FMA.  vec_scalar.h says more. */

#if !defined(__AVX2__) || !defined(__FMA__)
#error "compile with -mavx2 -mfma"
#endif

#include <immintrin.h>
#include <stdint.h>

#define VL 4

typedef __m256d vd;
typedef __m256i vu;
typedef __m256d vm;

static inline vd vd_load(const double *p) { return _mm256_loadu_pd(p); }
static inline void vd_store(double *p, vd a) { _mm256_storeu_pd(p, a); }
static inline vd vd_set1(double a) { return _mm256_set1_pd(a); }
static inline double vd_first(vd a) { return _mm256_cvtsd_f64(a); }

static inline vd vd_keep(vd a)
{
	__asm__("" : "+x"(a));
	return a;
}

static inline vu vu_keep(vu a) { return a; }

static inline vd vd_add(vd a, vd b) { return _mm256_add_pd(a, b); }
static inline vd vd_sub(vd a, vd b) { return _mm256_sub_pd(a, b); }
static inline vd vd_mul(vd a, vd b) { return _mm256_mul_pd(a, b); }
static inline vd vd_fma(vd a, vd b, vd c) { return _mm256_fmadd_pd(a, b, c); }
static inline vd vd_add_by_product(vd a, vd b)
{
	return _mm256_fmadd_pd(b, _mm256_set1_pd(1), a);
}
static inline vd vd_min(vd a, vd b) { return _mm256_min_pd(a, b); }
static inline vd vd_max(vd a, vd b) { return _mm256_max_pd(a, b); }

/* Of a mask only the sign bits are looked at. */
static inline vm vd_sign(vd a)
{
	return a;
}

static inline vm vd_abs_above(vd a, vd b)
{
	return _mm256_cmp_pd(_mm256_andnot_pd(_mm256_set1_pd(-0.0), a), b,
			     _CMP_GT_OQ);
}

static inline vm vm_or(vm a, vm b) { return _mm256_or_pd(a, b); }
static inline int vm_any(vm a) { return _mm256_movemask_pd(a) != 0; }

static inline uint64_t vm_bits8(const vm *m)
{
	return (uint64_t)(_mm256_movemask_pd(m[0]) | _mm256_movemask_pd(m[1])
							     << 4);
}

static inline vu vu_load(const uint64_t *p)
{
	return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

static inline void vu_store(uint64_t *p, vu a)
{
	_mm256_storeu_si256((__m256i *)(void *)p, a);
}

static inline vu vu_set1(uint64_t a)
{
	return _mm256_set1_epi64x((long long)a);
}

static inline vu vu_add(vu a, vu b) { return _mm256_add_epi64(a, b); }
static inline vu vu_xor(vu a, vu b) { return _mm256_xor_si256(a, b); }
static inline vu vu_or(vu a, vu b) { return _mm256_or_si256(a, b); }

#define vu_shl(a, n)  _mm256_slli_epi64(a, n)
#define vu_shr(a, n)  _mm256_srli_epi64(a, n)
#define vu_rotl(a, n) \
	((n) % 8 ? vu_or(vu_shl(a, n), vu_shr(a, 64 - (n))) : vu_rotl_bytes(a, n))

/* One shuffle of bytes, whose numbers are rotated as the bytes are to be. */
static inline vu vu_rotl_bytes(vu a, int n)
{
	uint64_t low = UINT64_C(0x0706050403020100);
	uint64_t high = UINT64_C(0x0F0E0D0C0B0A0908);
	long long l = (long long)(low << n | low >> (64 - n));
	long long h = (long long)(high << n | high >> (64 - n));

	return _mm256_shuffle_epi8(a, _mm256_set_epi64x(h, l, h, l));
}

static inline vu vu_of_bits(vd a) { return _mm256_castpd_si256(a); }
static inline vd vd_of_bits(vu a) { return _mm256_castsi256_pd(a); }

/* Four loads: faster than a gather wherever both were measured. */
static inline vd vd_lookup(const double *table, const uint64_t *w,
			   uint64_t mask)
{
	return _mm256_set_pd(table[w[3] & mask], table[w[2] & mask],
			     table[w[1] & mask], table[w[0] & mask]);
}

#endif
