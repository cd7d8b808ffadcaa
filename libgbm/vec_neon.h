/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_VEC_NEON_H
#define GBM_VEC_NEON_H

/* Vectors of two: AArch64, where NEON is always there.  See vec_scalar.h. */

#include <arm_neon.h>
#include <stdint.h>

#define VL 2

typedef float64x2_t vd;
typedef uint64x2_t vu;
typedef uint64x2_t vm;

static inline vd vd_load(const double *p) { return vld1q_f64(p); }
static inline void vd_store(double *p, vd a) { vst1q_f64(p, a); }
static inline vd vd_set1(double a) { return vdupq_n_f64(a); }
static inline double vd_first(vd a) { return vgetq_lane_f64(a, 0); }
static inline vd vd_keep(vd a) { return a; }
static inline vu vu_keep(vu a) { return a; }
static inline vd vd_add(vd a, vd b) { return vaddq_f64(a, b); }
static inline vd vd_sub(vd a, vd b) { return vsubq_f64(a, b); }
static inline vd vd_mul(vd a, vd b) { return vmulq_f64(a, b); }
static inline vd vd_add_by_product(vd a, vd b) { return vd_add(a, b); }
static inline vd vd_fma(vd a, vd b, vd c) { return vfmaq_f64(c, a, b); }
static inline vd vd_min(vd a, vd b) { return vminq_f64(a, b); }
static inline vd vd_max(vd a, vd b) { return vmaxq_f64(a, b); }

static inline vm vd_sign(vd a)
{
	return vcltzq_s64(vreinterpretq_s64_f64(a));
}

static inline vm vd_abs_above(vd a, vd b) { return vcagtq_f64(a, b); }
static inline vm vm_or(vm a, vm b) { return vorrq_u64(a, b); }

/* Half of each element is as good as the whole, and moves in one piece. */
static inline int vm_any(vm a)
{
	return vget_lane_u64(vreinterpret_u64_u32(vmovn_u64(a)), 0) != 0;
}

/* Narrowed to a byte each, of which a product takes one bit to the top. */
static inline uint64_t vm_bits8(const vm *m)
{
	uint32x4_t a = vuzp1q_u32(vreinterpretq_u32_u64(m[0]),
				  vreinterpretq_u32_u64(m[1]));
	uint32x4_t b = vuzp1q_u32(vreinterpretq_u32_u64(m[2]),
				  vreinterpretq_u32_u64(m[3]));
	uint16x8_t c =
		vuzp1q_u16(vreinterpretq_u16_u32(a), vreinterpretq_u16_u32(b));
	uint64_t bytes = vget_lane_u64(vreinterpret_u64_u8(vmovn_u16(c)), 0);

	return (bytes & UINT64_C(0x8040201008040201)) *
		       UINT64_C(0x0101010101010101) >>
	       56;
}

static inline vu vu_load(const uint64_t *p) { return vld1q_u64(p); }
static inline void vu_store(uint64_t *p, vu a) { vst1q_u64(p, a); }
static inline vu vu_set1(uint64_t a) { return vdupq_n_u64(a); }
static inline vu vu_add(vu a, vu b) { return vaddq_u64(a, b); }
static inline vu vu_xor(vu a, vu b) { return veorq_u64(a, b); }
static inline vu vu_or(vu a, vu b) { return vorrq_u64(a, b); }

#define vu_shl(a, n)  vshlq_n_u64(a, n)
#define vu_shr(a, n)  vshrq_n_u64(a, n)
#define vu_rotl(a, n) vsriq_n_u64(vshlq_n_u64(a, n), a, 64 - (n))

static inline vu vu_of_bits(vd a) { return vreinterpretq_u64_f64(a); }
static inline vd vd_of_bits(vu a) { return vreinterpretq_f64_u64(a); }

static inline vd vd_lookup(const double *table, const uint64_t *w,
			   uint64_t mask)
{
	vd r = vdupq_n_f64(table[w[0] & mask]);

	return vsetq_lane_f64(table[w[1] & mask], r, 1);
}

#endif
