/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_DD_H
#define GBM_DD_H

#include <math.h>
#include <stdint.h>

/* Numbers of twice the precision, hi + lo with |lo| <= ulp(hi) / 2. */
struct dd {
	double hi, lo;
};

static inline struct dd dd_renorm(double hi, double lo)
{
	struct dd r = { hi + lo, 0 };

	r.lo = lo - (r.hi - hi);
	return r;
}

static inline struct dd dd_of_count(uint64_t n)
{
	struct dd r = { (double)n, 0 };

	/* n <= 2^62, so that r.hi fits an int64_t as well. */
	r.lo = (double)((int64_t)n - (int64_t)r.hi);
	return r;
}

static inline struct dd dd_mul(struct dd a, struct dd b)
{
	double p = a.hi * b.hi;

	return dd_renorm(p, fma(a.hi, b.hi, -p) + (a.hi * b.lo + a.lo * b.hi));
}

static inline struct dd dd_sub(struct dd a, struct dd b)
{
	double s = a.hi - b.hi, t = s - a.hi;

	return dd_renorm(s, (a.hi - (s - t)) - (b.hi + t) + (a.lo - b.lo));
}

static inline struct dd dd_div(struct dd a, struct dd b)
{
	double q = a.hi / b.hi;
	struct dd r = dd_sub(a, dd_mul((struct dd){ q, 0 }, b));

	return dd_renorm(q, r.hi / b.hi);
}

static inline struct dd dd_ldexp(struct dd a, int e)
{
	return (struct dd){ ldexp(a.hi, e), ldexp(a.lo, e) };
}

#endif
