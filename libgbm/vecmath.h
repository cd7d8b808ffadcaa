/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_VECMATH_H
#define GBM_VECMATH_H

/*
 * Elementary functions over the operations of a vec_<isa>.h, which must be
 * included before.  The same bits on every instruction set: nothing but IEEE
 * operations, in a fixed order.
 */

/* 1.5 * 2^52: adding it rounds to an integer, kept in the low bits. */
#define VM_ROUND 0x1.8p52

/* Beyond this |f| vm_exp2_slope() does not hold. */
#define VM_EXP2_SLOPE 0.5

/*
 * (2^f - 1) / f: minimax for the relative error of 2^f, 5.6e-18, found by
 * Sollya's fpminimax.  As c + f (even(f^2) + f odd(f^2)): two chains of half the
 * length, and the large terms added one after the other, by one rounding each.
 */
static inline vd vm_exp2_slope(vd f)
{
	vd f2 = vd_mul(f, f);
	vd odd = vd_set1(0x1.e9506e7458f2ep-32);
	vd even = vd_set1(0x1.e61c16c1056fp-28);
	vd p;

	odd = vd_fma(odd, f2, vd_set1(0x1.b525395b42f4fp-24));
	even = vd_fma(even, f2, vd_set1(0x1.62bfc71b3397fp-20));
	odd = vd_fma(odd, f2, vd_set1(0x1.ffcbfc5c18559p-17));
	even = vd_fma(even, f2, vd_set1(0x1.4309130f14ca6p-13));
	odd = vd_fma(odd, f2, vd_set1(0x1.5d87fe78a08fdp-10));
	even = vd_fma(even, f2, vd_set1(0x1.3b2ab6fb9ffafp-7));
	odd = vd_fma(odd, f2, vd_set1(0x1.c6b08d704a124p-5));
	even = vd_fma(even, f2, vd_set1(0x1.ebfbdff82c5a5p-3));
	p = vd_fma(odd, f, even);
	return vd_fma(p, f, vd_set1(0x1.62e42fefa39efp-1));
}

static inline vd vm_exp2_poly(vd f)
{
	return vd_fma(vm_exp2_slope(f), f, vd_set1(1.0));
}

/* 2^n for integral |n| <= 1022. */
static inline vd vm_ldexp1(vd n)
{
	vu k = vu_shl(vu_of_bits(vd_add(n, vd_set1(VM_ROUND))), 52);

	return vd_of_bits(vu_add(k, vu_of_bits(vd_set1(1.0))));
}

/* Beyond this vm_exp2_near() does not hold. */
#define VM_EXP2_NEAR 1020.0

/* 2^x for |x| <= VM_EXP2_NEAR, within 1 ulp. */
static inline vd vm_exp2_near(vd x)
{
	vd r = vd_add(x, vd_set1(VM_ROUND));
	vd p = vm_exp2_poly(vd_sub(x, vd_sub(r, vd_set1(VM_ROUND))));

	return vd_of_bits(vu_add(vu_of_bits(p), vu_shl(vu_of_bits(r), 52)));
}

/*
 * 2^x for any x but a NaN, the same bits: correct to the last place of the
 * subnormals, 0 and infinity beyond.  In two factors, so that only the last
 * product can round.
 */
static inline vd vm_exp2_far(vd x)
{
	vd n, n1, p;

	x = vd_max(vd_min(x, vd_set1(1200.0)), vd_set1(-1200.0));
	n = vd_sub(vd_add(x, vd_set1(VM_ROUND)), vd_set1(VM_ROUND));
	p = vm_exp2_poly(vd_sub(x, n));
	n1 = vd_mul(n, vd_set1(0.5));
	n1 = vd_sub(vd_add(n1, vd_set1(VM_ROUND)), vd_set1(VM_ROUND));
	return vd_mul(vd_mul(p, vm_ldexp1(n1)), vm_ldexp1(vd_sub(n, n1)));
}

static inline vd vm_exp2(vd x)
{
	return vm_any(vd_abs_above(x, vd_set1(VM_EXP2_NEAR))) ?
		       vm_exp2_far(x) :
		       vm_exp2_near(x);
}

#endif
