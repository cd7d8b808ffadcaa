/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_STATS_H
#define GBM_STATS_H

/*
 * Exact statistics.  A sum is a fixed-point number as long as the range of
 * doubles and of their squares, so that adding is exact, hence associative:
 * no order and no partition changes a bit.  Rounding happens once, at the end.
 */

#include <stddef.h>
#include <stdint.h>

#include <gbm-mc/gbm.h>

#include "libgbm/kernel.h"

/*
 * value = sum of limb[i] * 2^(32 i - GBM_ACC_BIAS).  Limbs are signed and may
 * exceed 32 bits until gbm_acc_normalize(), which leaves all but the topmost
 * in [0, 2^32): the form in which equal values have equal limbs.
 *
 * Range: squares of the least subnormal (2^-2148), and below it room for the
 * mantissa of their sum, to 2^62 squares of the largest double (2^2110).
 */
#define GBM_ACC_BIAS  2240
#define GBM_ACC_LIMBS 138

struct gbm_acc {
	int64_t limb[GBM_ACC_LIMBS];
	uint32_t pending; /* additions since the last normalization */
};

void gbm_acc_zero(struct gbm_acc *acc);

/* x finite. */
void gbm_acc_add(struct gbm_acc *acc, double x);

/* Adds the product of two finite doubles, unrounded. */
void gbm_acc_add_product(struct gbm_acc *acc, double a, double b);

void gbm_acc_merge(struct gbm_acc *into, const struct gbm_acc *from);

void gbm_acc_normalize(struct gbm_acc *acc);

/*
 * The value as (hi + lo) * 2^*exp: hi in [0.5, 1) in absolute value or 0,
 * rounded to nearest even, lo the rounded remainder.  Normalizes acc.
 */
void gbm_acc_round(struct gbm_acc *acc, double *hi, double *lo, int *exp);

struct gbm_stats {
	uint64_t n; /* all values, those below included */
	uint64_t n_nan, n_pos_inf, n_neg_inf;
	double min, max; /* of what is a number; +inf, -inf when empty */
	struct gbm_acc sum, sum2;
};

void gbm_stats_zero(struct gbm_stats *stats);

/*
 * Adds a block of 1 <= n <= GBM_BLOCK_PATHS values through the kernel's
 * rounded moments: fast, and the same bits as long as blocks are the same.
 * Values whose squares leave the range of doubles are added one by one.
 */
void gbm_stats_add_block(struct gbm_stats *stats,
			 const struct gbm_kernel *kernel, const double *values,
			 size_t n);

#endif
