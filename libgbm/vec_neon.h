/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_VEC_NEON_H
#define GBM_VEC_NEON_H

/* Vectors of two: AArch64, where NEON is always there.  See vec_scalar.h. */

#include <arm_neon.h>
#include <stdint.h>

#define VL 2

typedef float64x2_t vd;
typedef uint64x2_t vu;

static inline vd vd_load(const double *p) { return vld1q_f64(p); }
static inline void vd_store(double *p, vd a) { vst1q_f64(p, a); }
static inline vd vd_set1(double a) { return vdupq_n_f64(a); }
static inline double vd_first(vd a) { return vgetq_lane_f64(a, 0); }
static inline vd vd_add(vd a, vd b) { return vaddq_f64(a, b); }
static inline vd vd_sub(vd a, vd b) { return vsubq_f64(a, b); }
static inline vd vd_mul(vd a, vd b) { return vmulq_f64(a, b); }
static inline vd vd_fma(vd a, vd b, vd c) { return vfmaq_f64(c, a, b); }
static inline vd vd_min(vd a, vd b) { return vminq_f64(a, b); }
static inline vd vd_max(vd a, vd b) { return vmaxq_f64(a, b); }
static inline vd vd_abs(vd a) { return vabsq_f64(a); }

static inline unsigned mask_of(uint64x2_t m)
{
	return (unsigned)((vgetq_lane_u64(m, 0) & 1) |
			  (vgetq_lane_u64(m, 1) & 2));
}

static inline unsigned vd_gt_mask(vd a, vd b)
{
	return mask_of(vcgtq_f64(a, b));
}

static inline unsigned vd_zero_mask(vd a)
{
	return mask_of(vceqzq_f64(a));
}

static inline vu vu_load(const uint64_t *p) { return vld1q_u64(p); }
static inline void vu_store(uint64_t *p, vu a) { vst1q_u64(p, a); }
static inline vu vu_set1(uint64_t a) { return vdupq_n_u64(a); }
static inline vu vu_add(vu a, vu b) { return vaddq_u64(a, b); }
static inline vu vu_xor(vu a, vu b) { return veorq_u64(a, b); }
static inline vu vu_or(vu a, vu b) { return vorrq_u64(a, b); }

static inline vu vu_shl(vu a, int n)
{
	return vshlq_u64(a, vdupq_n_s64(n));
}

static inline vu vu_shr(vu a, int n)
{
	return vshlq_u64(a, vdupq_n_s64(-n));
}

static inline vu vu_rotl(vu a, int n)
{
	return vu_or(vu_shl(a, n), vu_shr(a, 64 - n));
}

static inline vu vu_of_bits(vd a) { return vreinterpretq_u64_f64(a); }
static inline vd vd_of_bits(vu a) { return vreinterpretq_f64_u64(a); }

static inline vd vd_lookup(const double *table, const uint64_t *w,
			   uint64_t mask)
{
	vd r = vdupq_n_f64(table[w[0] & mask]);

	return vsetq_lane_f64(table[w[1] & mask], r, 1);
}

#endif
