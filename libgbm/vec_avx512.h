/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_VEC_AVX512_H
#define GBM_VEC_AVX512_H

/* Vectors of eight: x86-64 with AVX-512 F and DQ.  vec_scalar.h says more. */

#if !defined(__AVX512F__) || !defined(__AVX512DQ__)
#error "compile with -mavx512f -mavx512dq"
#endif

#include <immintrin.h>
#include <stdint.h>

#define VL 8

typedef __m512d vd;
typedef __m512i vu;
typedef __mmask8 vm;

static inline vd vd_load(const double *p) { return _mm512_loadu_pd(p); }
static inline void vd_store(double *p, vd a) { _mm512_storeu_pd(p, a); }
static inline vd vd_set1(double a) { return _mm512_set1_pd(a); }
static inline double vd_first(vd a) { return _mm512_cvtsd_f64(a); }

static inline vd vd_keep(vd a) { return a; }

/* Volatile, or gcc would keep the constant on the stack. */
static inline vu vu_keep(vu a)
{
	__asm__ volatile("" : "+v"(a));
	return a;
}

static inline vd vd_add(vd a, vd b) { return _mm512_add_pd(a, b); }
static inline vd vd_sub(vd a, vd b) { return _mm512_sub_pd(a, b); }
static inline vd vd_mul(vd a, vd b) { return _mm512_mul_pd(a, b); }
static inline vd vd_fma(vd a, vd b, vd c) { return _mm512_fmadd_pd(a, b, c); }
static inline vd vd_add_by_product(vd a, vd b)
{
	return _mm512_fmadd_pd(b, _mm512_set1_pd(1), a);
}
static inline vd vd_min(vd a, vd b) { return _mm512_min_pd(a, b); }
static inline vd vd_max(vd a, vd b) { return _mm512_max_pd(a, b); }

static inline vm vd_sign(vd a)
{
	return _mm512_movepi64_mask(_mm512_castpd_si512(a));
}

static inline vm vd_abs_above(vd a, vd b)
{
	return _mm512_cmp_pd_mask(_mm512_abs_pd(a), b, _CMP_GT_OQ);
}

static inline vm vm_or(vm a, vm b) { return (vm)(a | b); }
static inline int vm_any(vm a) { return a != 0; }
static inline uint64_t vm_bits8(const vm *m)
{
	return *m;
}

static inline vu vu_load(const uint64_t *p) { return _mm512_loadu_si512(p); }
static inline void vu_store(uint64_t *p, vu a) { _mm512_storeu_si512(p, a); }

static inline vu vu_set1(uint64_t a)
{
	return _mm512_set1_epi64((long long)a);
}

static inline vu vu_add(vu a, vu b) { return _mm512_add_epi64(a, b); }
static inline vu vu_xor(vu a, vu b) { return _mm512_xor_si512(a, b); }
static inline vu vu_or(vu a, vu b) { return _mm512_or_si512(a, b); }

#define vu_shl(a, n)  _mm512_slli_epi64(a, n)
#define vu_shr(a, n)  _mm512_srli_epi64(a, n)
#define vu_rotl(a, n) _mm512_rol_epi64(a, n)

static inline vu vu_of_bits(vd a) { return _mm512_castpd_si512(a); }
static inline vd vd_of_bits(vu a) { return _mm512_castsi512_pd(a); }

/* Eight loads: faster than a gather wherever both were measured. */
static inline vd vd_lookup(const double *table, const uint64_t *w,
			   uint64_t mask)
{
	return _mm512_set_pd(table[w[7] & mask], table[w[6] & mask],
			     table[w[5] & mask], table[w[4] & mask],
			     table[w[3] & mask], table[w[2] & mask],
			     table[w[1] & mask], table[w[0] & mask]);
}

#endif
