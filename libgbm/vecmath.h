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

/*
 * Terms of 2^f = 1 + c[0] f + c[1] f^2 + .., minimax for its relative error:
 * 5.6e-18 for |f| <= 1/2, found by Sollya's fpminimax, and
 */
#define VM_EXP2_HALF 0.5

static const double vm_exp2_half[] = {
	0x1.62e42fefa39efp-1,  0x1.ebfbdff82c5a5p-3,  0x1.c6b08d704a124p-5,
	0x1.3b2ab6fb9ffafp-7,  0x1.5d87fe78a08fdp-10, 0x1.4309130f14ca6p-13,
	0x1.ffcbfc5c18559p-17, 0x1.62bfc71b3397fp-20, 0x1.b525395b42f4fp-24,
	0x1.e61c16c1056fp-28,  0x1.e9506e7458f2ep-32
};

/* 1.7e-17 for |f| <= 1/4: Remez's algorithm, rounding term after term. */
#define VM_EXP2_QUARTER 0.25

static const double vm_exp2_quarter[] = {
	0x1.62e42fefa39efp-1, 0x1.ebfbdff82c469p-3,  0x1.c6b08d704a222p-5,
	0x1.3b2ab6fc53a03p-7, 0x1.5d87fe78d4c0bp-10, 0x1.43090ae4f2526p-13,
	0x1.ffcbefa7abaep-17, 0x1.630b77e7e055ep-20, 0x1.b5960cabceed7p-24
};

/*
 * 5.4e-17 at |f| = 0.08, 5e-18 up to 0.03: the least error relative to
 * 1 / 25 + (f / 0.08)^2, by Lawson's iterated least squares and rounding term
 * after term.  Most steps are small, and the errors of many add up.
 */
#define VM_EXP2_SMALL 0.08

static const double vm_exp2_small[] = {
	0x1.62e42fefa39efp-1,  0x1.ebfbdff82c8d2p-3,  0x1.c6b08d704981fp-5,
	0x1.3b2ab6e6abd7ap-7,  0x1.5d87feb1024ccp-10, 0x1.431066e30d489p-13,
	0x1.ffc31d29c875cp-17
};

/*
 * (2^f - 1) / f for |f| <= 1/2.  As c + f (even(f^2) + f odd(f^2)): two chains
 * of half the length, and the large terms added one after the other, by one
 * rounding each.
 */
static inline vd vm_exp2_slope(vd f)
{
	const double *c = vm_exp2_half;
	vd f2 = vd_mul(f, f);
	vd odd = vd_set1(c[10]), even = vd_set1(c[9]);
	vd p;

	for (unsigned k = 10; k > 2; k -= 2) {
		odd = vd_fma(odd, f2, vd_set1(c[k - 2]));
		even = vd_fma(even, f2, vd_set1(c[k - 3]));
	}
	p = vd_fma(odd, f, even);
	return vd_fma(p, f, vd_set1(c[0]));
}

/*
 * 2^(vol2 z + drift2) - 1 as a polynomial in z: its terms are those of 2^f
 * times powers of vol2 and 2^drift2.  Of degree 7 where |vol2 z| + |drift2|
 * cannot be above VM_EXP2_SMALL, 9 where VM_EXP2_QUARTER, 11 where
 * VM_EXP2_HALF.
 */
#define VM_GROWTH_TERMS 12
#define VM_GROWTH_VECS	4 /* the most at a time */

static inline void vm_growth_terms(double vol2, double drift2, unsigned degree,
				   double *terms)
{
	const double *c = degree == 7	? vm_exp2_small
			  : degree == 9 ? vm_exp2_quarter
					: vm_exp2_half;
	double power;

	terms[0] = vd_first(vm_exp2_slope(vd_set1(drift2))) * drift2;
	power = 1 + terms[0];
	for (unsigned k = 1; k <= degree; k++) {
		power *= vol2;
		terms[k] = c[k - 1] * power;
	}
}

/*
 * Of n vectors at a time, since one's chain of operations leaves a core
 * waiting. degree and n are constants: the loops must go away.
 */
static inline __attribute__((always_inline)) void
vm_growth(const vd *z, const vd *terms, unsigned degree, unsigned n, vd *out)
{
	vd z2[VM_GROWTH_VECS], odd[VM_GROWTH_VECS], even[VM_GROWTH_VECS];

	for (unsigned i = 0; i < n; i++) {
		z2[i] = vd_mul(z[i], z[i]);
		odd[i] = terms[degree];
		even[i] = terms[degree - 1];
	}
	for (unsigned k = degree; k > 1; k -= 2)
		for (unsigned i = 0; i < n; i++) {
			odd[i] = vd_fma(odd[i], z2[i], terms[k - 2]);
			even[i] = vd_fma(even[i], z2[i], terms[k - 3]);
		}
	for (unsigned i = 0; i < n; i++)
		out[i] = vd_fma(odd[i], z[i], even[i]);
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
	return vm_any(vd_abs_above(x, vd_set1(VM_EXP2_NEAR))) ? vm_exp2_far(x)
							      : vm_exp2_near(x);
}

#endif
