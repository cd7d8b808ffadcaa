/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "libgbm/dd.h"
#include "libgbm/pack.h"
#include "libgbm/stats.h"

#define MANTISSA_MASK ((UINT64_C(1) << 52) - 1)

/* A limb takes 2^30 additions of less than 2^32 before it must be carried. */
#define MAX_PENDING (UINT32_C(1) << 30)

void gbm_acc_zero(struct gbm_acc *acc)
{
	memset(acc, 0, sizeof(*acc));
}

/* x = *mant * 2^*exp with an integral *mant < 2^53; returns x < 0. */
static int split(double x, uint64_t *mant, int *exp)
{
	uint64_t bits;
	int e;

	memcpy(&bits, &x, sizeof(bits));
	e = (int)(bits >> 52 & 0x7ff);
	*mant = bits & MANTISSA_MASK;
	if (e)
		*mant |= UINT64_C(1) << 52;
	else
		e = 1;
	*exp = e - 1075;
	return (int)(bits >> 63);
}

/* Adds +-(high 2^64 + low) * 2^exp, high < 2^42. */
static void add_scaled(struct gbm_acc *acc, int negative, uint64_t high,
		       uint64_t low, int exp)
{
	unsigned pos = (unsigned)(exp + GBM_ACC_BIAS);
	unsigned shift = pos % 32;
	int64_t *limb = acc->limb + pos / 32;
	/* In two steps, as a shift by 64 is none. */
	uint64_t up = low >> 1 >> (63 - shift) | high << shift;
	int64_t part[5], sign = negative ? -1 : 1;

	low <<= shift;
	part[0] = (int64_t)(low & 0xffffffff);
	part[1] = (int64_t)(low >> 32);
	part[2] = (int64_t)(up & 0xffffffff);
	part[3] = (int64_t)(up >> 32);
	part[4] = (int64_t)(high >> 1 >> (63 - shift));
	for (unsigned i = 0; i < 5; i++)
		limb[i] += sign * part[i];
	if (++acc->pending == MAX_PENDING)
		gbm_acc_normalize(acc);
}

void gbm_acc_add(struct gbm_acc *acc, double x)
{
	uint64_t mant;
	int exp, negative = split(x, &mant, &exp);

	add_scaled(acc, negative, 0, mant, exp);
}

void gbm_acc_add_product(struct gbm_acc *acc, double a, double b)
{
	uint64_t ma, mb, mid, high, low;
	int ea, eb, negative;

	negative = split(a, &ma, &ea);
	negative ^= split(b, &mb, &eb);
	/* 53 x 53 bits by halves of 27 and 26: low + mid 2^27 + high 2^54 */
	const uint64_t mask = (UINT64_C(1) << 27) - 1;

	low = (ma & mask) * (mb & mask);
	mid = (ma & mask) * (mb >> 27) + (ma >> 27) * (mb & mask);
	high = (ma >> 27) * (mb >> 27);
	/* What is left of low is above 2^27. */
	mid += low >> 27;
	low = (low & mask) | (mid & mask) << 27;
	high += mid >> 27;
	add_scaled(acc, negative, high >> 10, low | high << 54, ea + eb);
}

void gbm_acc_normalize(struct gbm_acc *acc)
{
	int64_t carry = 0;

	for (unsigned i = 0; i < GBM_ACC_LIMBS - 1; i++) {
		int64_t v = acc->limb[i] + carry;

		/* Floor division: the low 32 bits are never negative. */
		acc->limb[i] = v & INT64_C(0xffffffff);
		carry = (v - acc->limb[i]) / (INT64_C(1) << 32);
	}
	acc->limb[GBM_ACC_LIMBS - 1] += carry;
	acc->pending = 0;
}

void gbm_acc_merge(struct gbm_acc *into, const struct gbm_acc *from)
{
	struct gbm_acc copy = *from;

	gbm_acc_normalize(&copy);
	gbm_acc_normalize(into);
	for (unsigned i = 0; i < GBM_ACC_LIMBS; i++)
		into->limb[i] += copy.limb[i];
	gbm_acc_normalize(into);
}

/*
 * Rounds to 53 bits, to nearest even: *value in [0.5, 1) or 0 in absolute
 * value, times 2^*exp.  acc is normalized.
 */
static void round_once(const struct gbm_acc *acc, double *value, int *exp)
{
	uint32_t mag[GBM_ACC_LIMBS];
	int negative = acc->limb[GBM_ACC_LIMBS - 1] < 0, top;
	uint64_t carry = negative ? 1 : 0, m = 0;
	unsigned bits = 0, half, sticky = 0;

	for (unsigned i = 0; i < GBM_ACC_LIMBS; i++) {
		uint64_t v = (uint64_t)acc->limb[i] & 0xffffffff;

		v = (negative ? v ^ 0xffffffff : v) + carry;
		mag[i] = (uint32_t)v;
		carry = v >> 32;
	}
	for (top = GBM_ACC_LIMBS - 1; top >= 0 && !mag[top]; top--)
		;
	*value = 0;
	*exp = 0;
	if (top < 0)
		return;

	/* The 54 leading bits into m, the rest into sticky. */
	for (int i = top; i >= 0; i--)
		for (int b = 31; b >= 0; b--) {
			unsigned bit = mag[i] >> b & 1;

			if (!m && !bit)
				continue;
			if (bits == 0)
				*exp = 32 * i + b + 1 - GBM_ACC_BIAS;
			if (bits < 54) {
				m = m << 1 | bit;
				bits++;
			} else {
				sticky |= bit;
			}
		}
	m <<= 54 - bits;
	half = m & 1;
	m >>= 1;
	if (half && (sticky || (m & 1)))
		m++;
	*value = (double)m * 0x1p-53;
	if (*value == 1) {
		*value = 0.5;
		++*exp;
	}
	if (negative)
		*value = -*value;
}

void gbm_acc_round(struct gbm_acc *acc, double *hi, double *lo, int *exp)
{
	struct gbm_acc rest;
	uint64_t mant;
	int e, negative, lo_exp;

	gbm_acc_normalize(acc);
	round_once(acc, hi, exp);
	*lo = 0;
	if (*hi == 0)
		return;
	rest = *acc;
	negative = split(*hi, &mant, &e);
	add_scaled(&rest, !negative, 0, mant, e + *exp);
	gbm_acc_normalize(&rest);
	round_once(&rest, lo, &lo_exp);
	*lo = ldexp(*lo, lo_exp - *exp);
}

int gbm_stats_create(struct gbm_stats **stats)
{
	*stats = malloc(sizeof(**stats));
	if (!*stats)
		return GBM_ENOMEM;
	gbm_stats_zero(*stats);
	return GBM_OK;
}

void gbm_stats_destroy(struct gbm_stats **stats)
{
	if (!stats)
		return;
	free(*stats);
	*stats = NULL;
}

void gbm_stats_zero(struct gbm_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	stats->min = HUGE_VAL;
	stats->max = -HUGE_VAL;
}

/* Adding 0 makes -0 a +0: which of the two is less depends on the order. */
static void add_extremes(struct gbm_stats *stats, double min, double max)
{
	if (min + 0.0 < stats->min)
		stats->min = min + 0.0;
	if (max + 0.0 > stats->max)
		stats->max = max + 0.0;
}

void gbm_stats_add(struct gbm_stats *stats, const double *values, size_t n)
{
	stats->n += n;
	for (size_t i = 0; i < n; i++) {
		double v = values[i];

		if (isnan(v)) {
			stats->n_nan++;
			continue;
		}
		add_extremes(stats, v, v);
		if (isinf(v)) {
			if (v > 0)
				stats->n_pos_inf++;
			else
				stats->n_neg_inf++;
			continue;
		}
		gbm_acc_add(&stats->sum, v);
		gbm_acc_add_product(&stats->sum2, v, v);
	}
}

void gbm_stats_add_block(struct gbm_stats *stats,
			 const struct gbm_kernel *kernel, const double *values,
			 size_t n)
{
	struct gbm_moments m;
	double mean, largest;

	kernel->moments(values, n, &m);
	largest = fmax(fabs(m.min), fabs(m.max));
	/* Not false for a NaN: then values are not finite. */
	if (!(m.m2 <= 0x1p900 && largest <= 0x1p400 &&
	      (largest >= 0x1p-400 || largest == 0))) {
		gbm_stats_add(stats, values, n);
		return;
	}
	stats->n += n;
	add_extremes(stats, m.min, m.max);
	gbm_acc_add(&stats->sum, m.sum);
	/*
	 * sum v^2 = m2 + 2 mean sum - n mean^2 = m2 + mean (sum + rest), where
	 * rest = sum - n mean is exact: mean is sum / n rounded.
	 */
	mean = m.sum / (double)n;
	gbm_acc_add(&stats->sum2, m.m2);
	gbm_acc_add_product(&stats->sum2, mean, m.sum);
	gbm_acc_add_product(&stats->sum2, mean,
			    fma(-(double)n, mean, m.sum));
}

void gbm_stats_merge(struct gbm_stats *into, const struct gbm_stats *from)
{
	into->n += from->n;
	into->n_nan += from->n_nan;
	into->n_pos_inf += from->n_pos_inf;
	into->n_neg_inf += from->n_neg_inf;
	add_extremes(into, from->min, from->max);
	gbm_acc_merge(&into->sum, &from->sum);
	gbm_acc_merge(&into->sum2, &from->sum2);
}

/* Mean and variance of stats->n >= 1 finite values. */
static void finite_moments(const struct gbm_stats *stats,
			   struct gbm_result *result)
{
	struct gbm_acc sum = stats->sum, sum2 = stats->sum2;
	struct dd n = dd_of_count(stats->n), s, s2, var;
	int e, e2, shift;

	gbm_acc_round(&sum, &s.hi, &s.lo, &e);
	gbm_acc_round(&sum2, &s2.hi, &s2.lo, &e2);
	result->mean = ldexp(dd_div(s, n).hi, e);
	if (stats->n < 2)
		return;
	/*
	 * (sum2 - sum^2 / n) / (n - 1), in units of the larger one's power: a
	 * sum of 0 has none.
	 */
	shift = s.hi != 0 && 2 * e > e2 ? 2 * e : e2;
	var = dd_sub(dd_ldexp(s2, e2 - shift),
		     dd_ldexp(dd_div(dd_mul(s, s), n), 2 * e - shift));
	var = dd_div(var, dd_of_count(stats->n - 1));
	/* Twice the precision leaves a trace of equal values' squares. */
	if (!(var.hi > 0) || stats->min == stats->max)
		var.hi = 0;
	result->variance = ldexp(var.hi, shift);
	/* An even power keeps the root's mantissa in range. */
	if (shift % 2) {
		var.hi *= 2;
		shift--;
	}
	result->std_error = ldexp(sqrt(var.hi / n.hi), shift / 2);
}

int gbm_stats_result(const struct gbm_stats *stats, struct gbm_result *result)
{
	if (!stats || !result || result->size != sizeof(*result))
		return GBM_EINVAL;
	*result = (struct gbm_result)GBM_RESULT_INIT;
	result->n = stats->n;
	if (stats->n > stats->n_nan) {
		result->min = stats->min;
		result->max = stats->max;
	}
	if (stats->n_nan || (stats->n_pos_inf && stats->n_neg_inf) || !stats->n)
		return GBM_OK;
	if (stats->n_pos_inf || stats->n_neg_inf) {
		result->mean = stats->n_pos_inf ? HUGE_VAL : -HUGE_VAL;
		return GBM_OK;
	}
	finite_moments(stats, result);
	return GBM_OK;
}

/*
 * Packed form, all words little-endian: magic and version; n, n_nan,
 * n_pos_inf, n_neg_inf; min, max; limbs of sum, sum2; check word.
 */
#define PACK_MAGIC (UINT64_C(0x3053544154534247) ^ GBM_STREAM_VERSION)
#define PACK_WORDS (7 + 2 * GBM_ACC_LIMBS + 1)

size_t gbm_stats_packed_size(void)
{
	return PACK_WORDS * sizeof(uint64_t);
}

void gbm_stats_pack(const struct gbm_stats *stats, void *bytes)
{
	const struct gbm_acc *acc[2] = { &stats->sum, &stats->sum2 };
	uint64_t word[PACK_WORDS] = { PACK_MAGIC,
				      stats->n,
				      stats->n_nan,
				      stats->n_pos_inf,
				      stats->n_neg_inf,
				      gbm_double_bits(stats->min),
				      gbm_double_bits(stats->max) };
	unsigned char *p = bytes;
	size_t k = 7;

	for (unsigned a = 0; a < 2; a++) {
		struct gbm_acc copy = *acc[a];

		gbm_acc_normalize(&copy);
		for (unsigned i = 0; i < GBM_ACC_LIMBS; i++)
			word[k++] = (uint64_t)copy.limb[i];
	}
	for (size_t i = 0; i < k; i++)
		gbm_put_word(p + 8 * i, word[i]);
	gbm_put_word(p + 8 * k, gbm_check_word(p, k));
}

int gbm_stats_unpack(struct gbm_stats *stats, const void *bytes, size_t n)
{
	struct gbm_acc *acc[2] = { &stats->sum, &stats->sum2 };
	const unsigned char *p = bytes;
	uint64_t word[PACK_WORDS];
	size_t k = 7;

	if (n != gbm_stats_packed_size())
		return GBM_EFORMAT;
	for (size_t i = 0; i < PACK_WORDS; i++)
		word[i] = gbm_get_word(p + 8 * i);
	if (word[0] != PACK_MAGIC ||
	    word[PACK_WORDS - 1] != gbm_check_word(p, PACK_WORDS - 1))
		return GBM_EFORMAT;
	stats->n = word[1];
	stats->n_nan = word[2];
	stats->n_pos_inf = word[3];
	stats->n_neg_inf = word[4];
	stats->min = gbm_bits_double(word[5]);
	stats->max = gbm_bits_double(word[6]);
	for (unsigned a = 0; a < 2; a++) {
		for (unsigned i = 0; i < GBM_ACC_LIMBS; i++)
			acc[a]->limb[i] = (int64_t)word[k++];
		acc[a]->pending = 0;
	}
	return GBM_OK;
}
