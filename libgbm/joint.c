/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Higher moments, and how functionals of the same paths go together. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "libgbm/dd.h"
#include "libgbm/joint.h"
#include "libgbm/pack.h"

/* A block is summed in so many lanes: two vectors that every CPU has. */
#define LANES 4

typedef double double2 __attribute__((vector_size(16)));

static size_t sums(size_t k)
{
	return GBM_POWERS * k + k * (k - 1) / 2;
}

/* Of the product of functionals i < j. */
static size_t pair_at(const struct gbm_joint *joint, size_t i, size_t j)
{
	return GBM_POWERS * joint->k + j * (j - 1) / 2 + i;
}

size_t gbm_joint_size(size_t k)
{
	return sizeof(struct gbm_joint) + sums(k) * sizeof(struct gbm_sum);
}

void gbm_joint_zero(struct gbm_joint *joint, size_t k)
{
	memset(joint, 0, gbm_joint_size(k));
	joint->k = k;
	for (size_t i = 0; i < k; i++)
		joint->scale[i] = 1;
}

void gbm_joint_clear(struct gbm_joint *joint)
{
	joint->n = 0;
	memset(joint->sum, 0, sums(joint->k) * sizeof(*joint->sum));
}

void gbm_joint_center(struct gbm_joint *joint, size_t functional,
		      const double *values, size_t n)
{
	double mean = 0, most = 0;
	int exponent;

	for (size_t i = 0; i < n; i++)
		mean += values[i] / (double)n;
	for (size_t i = 0; i < n; i++)
		most = fmax(most, fabs(values[i] - mean));
	/* No loss of generality: any center is right, most are good. */
	if (!isfinite(mean) || !isfinite(most))
		return;
	joint->center[functional] = mean;
	if (most == 0)
		return;
	frexp(most, &exponent);
	if (exponent > 1000)
		exponent = 1000;
	if (exponent < -1000)
		exponent = -1000;
	joint->scale[functional] = ldexp(1, -exponent);
}

/* y of LANES values. */
static inline void load(double2 y[2], const double *v, double center,
			double scale)
{
	double2 c = { center, center }, s = { scale, scale };

	memcpy(y, v, LANES * sizeof(*v));
	y[0] = (y[0] - c) * s;
	y[1] = (y[1] - c) * s;
}

static void add(struct gbm_sum *sum, const double2 lane[2])
{
	double x = (lane[0][0] + lane[1][0]) + (lane[0][1] + lane[1][1]);

	if (isfinite(x))
		gbm_acc_add(&sum->acc, x);
	else
		sum->bad++;
}

/* The n values, and the center where there are less than a row of lanes. */
static const double *row(double last[LANES], const double *v, size_t n,
			 double center)
{
	if (n >= LANES)
		return v;
	for (size_t l = 0; l < LANES; l++)
		last[l] = l < n ? v[l] : center;
	return last;
}

static void add_powers(struct gbm_joint *joint, size_t f, const double *v,
		       size_t n)
{
	double center = joint->center[f], scale = joint->scale[f], last[LANES];
	double2 s[GBM_POWERS][2] = { 0 };

	for (size_t i = 0; i < n; i += LANES) {
		double2 y[2];

		load(y, row(last, v + i, n - i, center), center, scale);
		for (size_t l = 0; l < 2; l++) {
			double2 square = y[l] * y[l];

			s[0][l] += y[l];
			s[1][l] += square;
			s[2][l] += square * y[l];
			s[3][l] += square * square;
		}
	}
	for (size_t p = 0; p < GBM_POWERS; p++)
		add(joint->sum + GBM_POWERS * f + p, s[p]);
}

static void add_product(struct gbm_joint *joint, size_t f, size_t g,
			const double *v, const double *w, size_t n)
{
	double lastv[LANES], lastw[LANES];
	double2 s[2] = { { 0, 0 }, { 0, 0 } };

	for (size_t i = 0; i < n; i += LANES) {
		double2 x[2], y[2];

		load(x, row(lastv, v + i, n - i, joint->center[f]),
		     joint->center[f], joint->scale[f]);
		load(y, row(lastw, w + i, n - i, joint->center[g]),
		     joint->center[g], joint->scale[g]);
		s[0] += x[0] * y[0];
		s[1] += x[1] * y[1];
	}
	add(joint->sum + pair_at(joint, f, g), s);
}

void gbm_joint_add(struct gbm_joint *joint, const double *values, size_t stride,
		   size_t n)
{
	joint->n += n;
	for (size_t j = 0; j < joint->k; j++) {
		add_powers(joint, j, values + j * stride, n);
		for (size_t i = 0; i < j; i++)
			add_product(joint, i, j, values + i * stride,
				    values + j * stride, n);
	}
}

static int same_kind(const struct gbm_joint *a, const struct gbm_joint *b)
{
	return a->k == b->k &&
	       !memcmp(a->center, b->center, sizeof(a->center)) &&
	       !memcmp(a->scale, b->scale, sizeof(a->scale));
}

int gbm_joint_merge(struct gbm_joint *into, const struct gbm_joint *from)
{
	if (!same_kind(into, from))
		return GBM_EINVAL;
	into->n += from->n;
	for (size_t i = 0; i < sums(into->k); i++) {
		into->sum[i].bad += from->sum[i].bad;
		gbm_acc_merge(&into->sum[i].acc, &from->sum[i].acc);
	}
	return GBM_OK;
}

/* ---- results */

/* A sum divided by n, NAN when it is not finite. */
static struct dd mean_of(const struct gbm_joint *joint, size_t at)
{
	const struct gbm_sum *sum = joint->sum + at;
	struct gbm_acc acc = sum->acc;
	struct dd s;
	int e;

	if (sum->bad)
		return (struct dd){ (double)NAN, 0 };
	gbm_acc_round(&acc, &s.hi, &s.lo, &e);
	return dd_div(dd_ldexp(s, e), dd_of_count(joint->n));
}

static struct dd dd_times(struct dd a, double b)
{
	return dd_mul(a, (struct dd){ b, 0 });
}

static struct dd dd_plus(struct dd a, struct dd b)
{
	return dd_sub(a, (struct dd){ -b.hi, -b.lo });
}

/* Central moments 2 to 4 of y. */
static void central(const struct gbm_joint *joint, size_t f, struct dd m[3])
{
	struct dd p[GBM_POWERS], d, d2;

	for (size_t i = 0; i < GBM_POWERS; i++)
		p[i] = mean_of(joint, GBM_POWERS * f + i);
	d = p[0];
	d2 = dd_mul(d, d);
	m[0] = dd_sub(p[1], d2);
	m[1] = dd_plus(dd_sub(p[2], dd_times(dd_mul(d, p[1]), 3)),
		       dd_times(dd_mul(d, d2), 2));
	m[2] = dd_plus(dd_sub(p[3], dd_times(dd_mul(d, p[2]), 4)),
		       dd_sub(dd_times(dd_mul(d2, p[1]), 6),
			      dd_times(dd_mul(d2, d2), 3)));
	if (!(m[0].hi > 0))
		m[0] = (struct dd){ m[0].hi < 0 ? 0 : m[0].hi, 0 };
}

void gbm_joint_shape(const struct gbm_joint *joint, size_t functional,
		     struct gbm_shape *shape)
{
	struct dd m[3];
	double root;

	if (!joint->n)
		return;
	central(joint, functional, m);
	root = sqrt(m[0].hi);
	if (!(root > 0))
		return;
	shape->skewness = m[1].hi / (m[0].hi * root);
	shape->excess_kurtosis = m[2].hi / (m[0].hi * m[0].hi) - 3;
}

void gbm_joint_covariance(const struct gbm_joint *joint, size_t i, size_t j,
			  struct gbm_covariance *covariance)
{
	struct dd mi[3], mj[3], m;
	double unbiased, root;

	if (!joint->n)
		return;
	central(joint, i, mi);
	central(joint, j, mj);
	m = i == j ? mi[0]
		   : dd_sub(mean_of(joint, i < j ? pair_at(joint, i, j)
						 : pair_at(joint, j, i)),
			    dd_mul(mean_of(joint, GBM_POWERS * i),
				   mean_of(joint, GBM_POWERS * j)));
	root = sqrt(mi[0].hi) * sqrt(mj[0].hi);
	if (root > 0)
		covariance->correlation = fmax(-1, fmin(1, m.hi / root));
	if (joint->n < 2)
		return;
	unbiased = (double)joint->n / (double)(joint->n - 1);
	covariance->covariance =
		m.hi * unbiased / joint->scale[i] / joint->scale[j];
}

/* ---- packing */

/*
 * Packed form, all words little-endian: magic and version; k, n; centers,
 * scales; of each sum bad and limbs; check word.
 */
#define PACK_MAGIC (UINT64_C(0x30544e4a53534247) ^ GBM_STREAM_VERSION)
#define PACK_HEAD  3

static size_t packed_size(size_t k)
{
	return (PACK_HEAD + 2 * k + sums(k) * (1 + GBM_ACC_LIMBS) + 1) *
	       sizeof(uint64_t);
}

size_t gbm_joint_packed_size(const struct gbm_joint *joint)
{
	return packed_size(joint->k);
}

void gbm_joint_pack(const struct gbm_joint *joint, void *bytes)
{
	unsigned char *begin = bytes, *p = begin;
	size_t k = joint->k;

#define PUT(word) (gbm_put_word(p, word), p += 8)
	PUT(PACK_MAGIC);
	PUT(k);
	PUT(joint->n);
	for (size_t i = 0; i < k; i++)
		PUT(gbm_double_bits(joint->center[i]));
	for (size_t i = 0; i < k; i++)
		PUT(gbm_double_bits(joint->scale[i]));
	for (size_t i = 0; i < sums(k); i++) {
		struct gbm_acc acc = joint->sum[i].acc;

		gbm_acc_normalize(&acc);
		PUT(joint->sum[i].bad);
		for (size_t l = 0; l < GBM_ACC_LIMBS; l++)
			PUT((uint64_t)acc.limb[l]);
	}
	PUT(gbm_check_word(begin, (size_t)(p - begin) / 8));
#undef PUT
}

int gbm_joint_is_packed(const void *bytes, size_t n)
{
	return n >= 8 && gbm_get_word(bytes) == PACK_MAGIC;
}

int gbm_joint_unpack(struct gbm_joint *joint, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;
	size_t k = joint->k;

	if (!p || n != packed_size(k) || !gbm_joint_is_packed(p, n) ||
	    gbm_get_word(p + 8) != k ||
	    gbm_get_word(p + n - 8) != gbm_check_word(p, n / 8 - 1))
		return GBM_EFORMAT;
#define GET() (p += 8, gbm_get_word(p - 8))
	p += 16;
	joint->n = GET();
	for (size_t i = 0; i < k; i++)
		joint->center[i] = gbm_bits_double(GET());
	for (size_t i = 0; i < k; i++)
		joint->scale[i] = gbm_bits_double(GET());
	for (size_t i = 0; i < sums(k); i++) {
		joint->sum[i].bad = GET();
		for (size_t l = 0; l < GBM_ACC_LIMBS; l++)
			joint->sum[i].acc.limb[l] = (int64_t)GET();
		joint->sum[i].acc.pending = 0;
	}
#undef GET
	return GBM_OK;
}

static struct gbm_joint *unpacked(const unsigned char *p, size_t n, int *status)
{
	struct gbm_joint *joint;
	uint64_t k;

	*status = GBM_EFORMAT;
	if (n < PACK_HEAD * 8)
		return NULL;
	k = gbm_get_word(p + 8);
	if (k < 1 || k > GBM_MAX_FUNCTIONALS || n != packed_size((size_t)k))
		return NULL;
	joint = malloc(gbm_joint_size((size_t)k));
	if (!joint) {
		*status = GBM_ENOMEM;
		return NULL;
	}
	gbm_joint_zero(joint, (size_t)k);
	*status = gbm_joint_unpack(joint, p, n);
	return joint;
}

int gbm_joint_merge_packed(void *into, const void *from, size_t n)
{
	struct gbm_joint *a, *b = NULL;
	int status;

	a = unpacked(into, n, &status);
	if (status == GBM_OK)
		b = unpacked(from, n, &status);
	if (status == GBM_OK && gbm_joint_merge(a, b) != GBM_OK)
		status = GBM_EFORMAT;
	if (status == GBM_OK)
		gbm_joint_pack(a, into);
	free(a);
	free(b);
	return status;
}
