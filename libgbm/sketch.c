/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Counts in buckets, and what follows from them. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "libgbm/pack.h"
#include "libgbm/sketch.h"

#define SIGN_BIT   (UINT64_C(1) << 63)
#define KEY_SHIFT  (52 - GBM_SKETCH_BITS)
#define PER_OCTAVE (UINT64_C(1) << GBM_SKETCH_BITS)
#define INF_OCTAVE 0x7ff

/* Values counted in one go: the first-level cache has room for more. */
#define BATCH 1024

/* 97.5 % quantile of the normal distribution. */
#define Z95 1.959963984540054

/* A bucket's number: the sign, and this much of a double's magnitude. */
static uint64_t key_of(uint64_t bits)
{
	return (bits & ~SIGN_BIT) >> KEY_SHIFT;
}

static uint64_t buckets(const struct gbm_sketch *s)
{
	return s->octaves * PER_OCTAVE;
}

static size_t table_at(const struct gbm_sketch *s, unsigned negative)
{
	return negative * (buckets(s) + GBM_SKETCH_ASIDE);
}

static uint64_t *table(struct gbm_sketch *s, unsigned negative)
{
	return s->count + table_at(s, negative);
}

static const uint64_t *counted(const struct gbm_sketch *s, unsigned negative)
{
	return s->count + table_at(s, negative);
}

/* The key of the first bucket.  That of 0 has none: zeros are apart. */
static uint64_t base_key(const struct gbm_sketch *s)
{
	int octave = s->top - (int)s->octaves + 1;

	return octave > 0 ? (uint64_t)octave * PER_OCTAVE : 1;
}

static size_t words(unsigned octaves, unsigned signs)
{
	return signs * (octaves * PER_OCTAVE + GBM_SKETCH_ASIDE);
}

size_t gbm_sketch_size(unsigned octaves, unsigned signs)
{
	return sizeof(struct gbm_sketch) +
	       words(octaves, signs) * sizeof(uint64_t);
}

void gbm_sketch_init(struct gbm_sketch *sketch, unsigned octaves,
		     unsigned signs)
{
	memset(sketch, 0, gbm_sketch_size(octaves, signs));
	sketch->top = -1;
	sketch->octaves = octaves;
	sketch->signs = signs;
}

int gbm_sketch_create(struct gbm_sketch **sketch)
{
	if (!sketch)
		return GBM_EINVAL;
	*sketch = malloc(gbm_sketch_size(GBM_SKETCH_OCTAVES, GBM_SKETCH_SIGNS));
	if (!*sketch)
		return GBM_ENOMEM;
	gbm_sketch_init(*sketch, GBM_SKETCH_OCTAVES, GBM_SKETCH_SIGNS);
	return GBM_OK;
}

void gbm_sketch_destroy(struct gbm_sketch **sketch)
{
	if (!sketch)
		return;
	free(*sketch);
	*sketch = NULL;
}

uint64_t gbm_sketch_count(const struct gbm_sketch *sketch)
{
	return sketch->n;
}

/* ---- counting */

/* Makes top the uppermost octave; what falls below the others is tiny. */
static void raise_top(struct gbm_sketch *s, int top)
{
	uint64_t before = base_key(s), out;

	if (top <= s->top)
		return;
	s->top = top;
	out = base_key(s) - before;
	if (out > buckets(s))
		out = buckets(s);
	for (unsigned negative = 0; out && negative < s->signs; negative++) {
		uint64_t *count = table(s, negative);

		for (uint64_t i = 0; i < out; i++)
			s->n_tiny[negative] += count[i];
		memmove(count, count + out,
			(buckets(s) - out) * sizeof(*count));
		memset(count + buckets(s) - out, 0, out * sizeof(*count));
	}
}

/* Of any value. */
static void add_one(struct gbm_sketch *s, uint64_t bits)
{
	unsigned negative = (unsigned)(bits >> 63);
	int octave = (int)(key_of(bits) / PER_OCTAVE);

	if (octave == INF_OCTAVE) {
		if (bits << 12)
			s->n_nan++;
		else if (negative)
			s->n_neg_inf++;
		else
			s->n_pos_inf++;
		return;
	}
	if (!(bits << 1)) {
		s->n_zero++;
		return;
	}
	raise_top(s, octave);
	if (negative >= s->signs || key_of(bits) < base_key(s))
		s->n_tiny[negative]++;
	else
		table(s, negative)[key_of(bits) - base_key(s)]++;
}

/* The key of negative values has the sign's bit above the magnitude's. */
#define NEGATIVE_KEY (SIGN_BIT >> KEY_SHIFT)

/*
 * Counts a value when its key, with the sign above it, is within size of base;
 * or when, with both signs, its magnitude's is, in the table of its sign.
 * Others go to a counter beside the table, so that no branch depends on a
 * value; to eight in turn, as many equal values, such as the zeros of a payoff,
 * would each wait for the counter that the last one wrote.
 */
static inline void count_one(uint64_t *count, uint64_t base, uint64_t size,
			     int both, double v, unsigned turn)
{
	uint64_t bits = gbm_double_bits(v), off = bits >> KEY_SHIFT;

	if (both)
		off &= NEGATIVE_KEY - 1;
	off -= base;
	off = off < size + turn ? off : size + turn;
	if (both)
		off += (bits >> 63) * (size + GBM_SKETCH_ASIDE);
	count[off]++;
}

/* Of n values; returns how many went aside. */
static inline __attribute__((always_inline)) uint64_t
count_all(uint64_t *count, uint64_t base, uint64_t size, int both,
	  const double *v, size_t n)
{
	uint64_t outside = 0;
	size_t i = 0;

	for (; n - i >= GBM_SKETCH_ASIDE; i += GBM_SKETCH_ASIDE) {
		count_one(count, base, size, both, v[i], 0);
		count_one(count, base, size, both, v[i + 1], 1);
		count_one(count, base, size, both, v[i + 2], 2);
		count_one(count, base, size, both, v[i + 3], 3);
		count_one(count, base, size, both, v[i + 4], 4);
		count_one(count, base, size, both, v[i + 5], 5);
		count_one(count, base, size, both, v[i + 6], 6);
		count_one(count, base, size, both, v[i + 7], 7);
	}
	for (; i < n; i++)
		count_one(count, base, size, both, v[i], 0);
	for (int negative = 0; negative <= both; negative++) {
		uint64_t *aside =
			count + size +
			(unsigned)negative * (size + GBM_SKETCH_ASIDE);

		for (i = 0; i < GBM_SKETCH_ASIDE; i++) {
			outside += aside[i];
			aside[i] = 0;
		}
	}
	return outside;
}

/* Of 16 bytes, which every CPU we build for has, and compilers do well. */
typedef double double2 __attribute__((vector_size(16)));
typedef int64_t int64x2 __attribute__((vector_size(16)));

static uint64_t count_zeros(const double *v, size_t n)
{
	const double2 zero = { 0, 0 };
	int64x2 less[2] = { { 0, 0 }, { 0, 0 } };
	uint64_t zeros = 0;
	size_t i = 0;

	for (; n - i >= 4; i += 4) {
		double2 x[2];

		memcpy(x, v + i, sizeof(x));
		less[0] += x[0] == zero; /* -1 where it is */
		less[1] += x[1] == zero;
	}
	for (; i < n; i++)
		zeros += v[i] == 0;
	less[0] += less[1];
	return zeros - (uint64_t)(less[0][0] + less[0][1]);
}

/* A guess: those of one sign are counted faster by themselves. */
static int both_signs(const double *v, size_t n)
{
	int negative = 0;

	for (size_t i = 0; i < n; i += 1 + n / 8)
		negative |= v[i] < 0;
	return negative;
}

/* Of at most BATCH values. */
static void add_batch(struct gbm_sketch *s, const double *v, size_t n)
{
	const uint64_t base = base_key(s), size = buckets(s);
	int both = s->signs > 1 && both_signs(v, n);
	uint64_t left, zeros;

	left = both ? count_all(table(s, 0), base, size, 1, v, n)
		    : count_all(table(s, 0), base, size, 0, v, n);
	if (!left)
		return;
	zeros = count_zeros(v, n);
	s->n_zero += zeros;
	left -= zeros;
	if (left && !both && s->signs > 1)
		left -= n - count_all(table(s, 1), base | NEGATIVE_KEY, size, 0,
				      v, n);
	for (size_t i = 0; left && i < n; i++) {
		uint64_t bits = gbm_double_bits(v[i]);

		if (!(bits << 1) ||
		    (key_of(bits) - base < size && bits >> 63 < s->signs))
			continue;
		add_one(s, bits);
		left--;
	}
}

void gbm_sketch_add(struct gbm_sketch *s, const double *values, size_t n)
{
	s->n += n;
	/* The first value says where the octaves are. */
	for (; n && s->top < 0; n--)
		add_one(s, gbm_double_bits(*values++));
	while (n) {
		size_t some = n < BATCH ? n : BATCH;

		add_batch(s, values, some);
		values += some;
		n -= some;
	}
}

int gbm_sketch_merge(struct gbm_sketch *into, const struct gbm_sketch *from)
{
	if (!into || !from || into->octaves != from->octaves ||
	    into->signs != from->signs)
		return GBM_EINVAL;
	into->n += from->n;
	into->n_nan += from->n_nan;
	into->n_pos_inf += from->n_pos_inf;
	into->n_neg_inf += from->n_neg_inf;
	into->n_zero += from->n_zero;
	into->n_tiny[0] += from->n_tiny[0];
	into->n_tiny[1] += from->n_tiny[1];
	if (from->top < 0)
		return GBM_OK;
	raise_top(into, from->top);
	for (unsigned negative = 0; negative < into->signs; negative++) {
		const uint64_t *a = counted(from, negative);
		uint64_t *b = table(into, negative);
		uint64_t from_base = base_key(from), base = base_key(into);

		for (uint64_t i = 0; i < buckets(from); i++)
			if (from_base + i < base)
				into->n_tiny[negative] += a[i];
			else if (a[i])
				b[from_base + i - base] += a[i];
	}
	return GBM_OK;
}

/* ---- buckets in order */

/* All count values lie within lo <= hi. */
struct bucket {
	double lo, hi;
	uint64_t count;
};

/* All buckets, from -inf to inf. */
static uint64_t places(const struct gbm_sketch *s)
{
	return 2 * buckets(s) + 5;
}

static struct bucket mirrored(struct bucket b)
{
	return (struct bucket){ -b.hi, -b.lo, b.count };
}

/* Of positive values of that key. */
static struct bucket between(uint64_t first, uint64_t past, uint64_t count)
{
	return (struct bucket){
		gbm_bits_double(first << KEY_SHIFT ? first << KEY_SHIFT : 1),
		gbm_bits_double((past << KEY_SHIFT) - 1), count
	};
}

static struct bucket bucket_at(const struct gbm_sketch *s, uint64_t place)
{
	uint64_t size = buckets(s), base = base_key(s);

	if (place == 0)
		return (struct bucket){ -HUGE_VAL, -HUGE_VAL, s->n_neg_inf };
	if (place <= size) {
		uint64_t i = size - place;

		if (s->signs < 2)
			return (struct bucket){ 0, 0, 0 };
		return mirrored(
			between(base + i, base + i + 1, counted(s, 1)[i]));
	}
	place -= size + 1;
	if (place == 0 && s->signs < 2)
		return (struct bucket){ -DBL_MAX, 0, s->n_tiny[1] };
	if (place == 0)
		return mirrored(between(0, base, s->n_tiny[1]));
	if (place == 1)
		return (struct bucket){ 0, 0, s->n_zero };
	if (place == 2)
		return between(0, base, s->n_tiny[0]);
	place -= 3;
	if (place < size)
		return between(base + place, base + place + 1,
			       counted(s, 0)[place]);
	return (struct bucket){ HUGE_VAL, HUGE_VAL, s->n_pos_inf };
}

/* Counts alone, which is most of what a walk over the buckets asks for. */
static uint64_t count_at(const struct gbm_sketch *s, uint64_t place)
{
	uint64_t size = buckets(s);

	if (place > size + 3 && place < 2 * size + 4)
		return counted(s, 0)[place - size - 4];
	if (place > 0 && place <= size)
		return s->signs < 2 ? 0 : counted(s, 1)[size - place];
	return bucket_at(s, place).count;
}

/* The part of (b.lo, b.hi) below the share x of its values. */
static double within(struct bucket b, double x)
{
	return b.lo == b.hi ? b.lo : b.lo + (b.hi - b.lo) * x;
}

/* Where the order statistic of a rank, 1 to n, is. */
struct spot {
	struct bucket bucket;
	uint64_t place;
	uint64_t rank; /* in the bucket, from 1 */
	double value;
};

static struct spot find_rank(const struct gbm_sketch *s, uint64_t rank)
{
	struct spot spot = { .rank = rank };
	uint64_t last = places(s) - 1;

	for (; spot.place < last; spot.place++) {
		uint64_t count = count_at(s, spot.place);

		if (spot.rank <= count)
			break;
		spot.rank -= count;
	}
	spot.bucket = bucket_at(s, spot.place);
	spot.value = within(spot.bucket, ((double)spot.rank - 0.5) /
						 (double)spot.bucket.count);
	return spot;
}

/*
 * n * share; a whole number when it is one but for the rounding of share and of
 * this product.
 */
static double places_of(uint64_t n, double share)
{
	double x = (double)n * share, whole = nearbyint(x);

	return fabs(x - whole) <= 4 * DBL_EPSILON * x ? whole : x;
}

static uint64_t rank_of(uint64_t n, double places)
{
	double up = ceil(places);

	if (up < 1)
		return 1;
	return up < (double)n ? (uint64_t)up : n;
}

int gbm_sketch_quantile(const struct gbm_sketch *s, double level,
			struct gbm_quantile *q)
{
	double spread, places;
	struct spot spot;

	if (!s || !q || q->size != sizeof(*q) || !(level >= 0 && level <= 1))
		return GBM_EINVAL;
	*q = (struct gbm_quantile)GBM_QUANTILE_INIT;
	q->n = s->n;
	q->level = level;
	if (s->n_nan || !s->n)
		return GBM_OK;
	places = places_of(s->n, level);
	spot = find_rank(s, rank_of(s->n, places));
	q->value = spot.value;
	q->lo = spot.bucket.lo;
	q->hi = spot.bucket.hi;
	spread = Z95 * sqrt((double)s->n * level * (1 - level));
	q->ci_lo = places - spread < 1
			   ? -HUGE_VAL
			   : find_rank(s, rank_of(s->n, floor(places - spread)))
				     .bucket.lo;
	q->ci_hi = places + spread > (double)s->n - 1
			   ? HUGE_VAL
			   : find_rank(s, rank_of(s->n, places + spread + 1))
				     .bucket.hi;
	return GBM_OK;
}

/* ---- tails */

/* Means over the lowest values, and of their squared distances below one. */
struct tail {
	double value, lo, hi; /* by the bucket's middle and its ends */
	double square;
};

/* Adds a bucket's lowest values, up to a share of them, with a weight. */
static void add_tail(struct tail *tail, struct bucket b, double share,
		     double weight, double below)
{
	double value = within(b, share / 2), d = below - value;

	tail->value += weight * value;
	tail->lo += weight * b.lo;
	tail->hi += weight * b.hi;
	tail->square += weight * d * d;
}

int gbm_sketch_risk(const struct gbm_sketch *s, double cost, double level,
		    struct gbm_risk *r)
{
	struct tail tail = { 0 };
	uint64_t losses, rank;
	double certain, size, rest, excess;
	struct spot spot;

	if (!s || !r || r->size != sizeof(*r) || !(level > 0 && level < 1) ||
	    !isfinite(cost))
		return GBM_EINVAL;
	*r = (struct gbm_risk)GBM_RISK_INIT;
	r->n = s->n;
	r->level = level;
	r->cost = cost;
	if (s->n_nan || !s->n)
		return GBM_OK;
	/* The losses of this rank and above are the lowest values up to rank.
	 */
	certain = places_of(s->n, level);
	losses = rank_of(s->n, certain);
	rank = s->n - losses + 1;
	spot = find_rank(s, rank);
	r->var = cost - spot.value;
	r->var_lo = cost - spot.bucket.hi;
	r->var_hi = cost - spot.bucket.lo;

	size = (double)(s->n - losses) + ((double)losses - certain);
	for (uint64_t place = 0; place < spot.place; place++) {
		uint64_t count = count_at(s, place);

		if (count)
			add_tail(&tail, bucket_at(s, place), 1,
				 (double)count / size, spot.value);
	}
	rest = (double)(spot.rank - 1);
	if (rest > 0)
		add_tail(&tail, spot.bucket, rest / (double)spot.bucket.count,
			 rest / size, spot.value);
	/* The loss at the level itself, in part. */
	if ((double)losses > certain) {
		tail.value += ((double)losses - certain) / size * spot.value;
		tail.lo += ((double)losses - certain) / size * spot.bucket.lo;
		tail.hi += ((double)losses - certain) / size * spot.bucket.hi;
	}
	r->es = cost - tail.value;
	r->es_lo = cost - tail.hi;
	r->es_hi = cost - tail.lo;
	/* Of the excess max(L - VaR, 0), whose mean is a share 1 - level. */
	excess = spot.value - tail.value;
	r->es_std_error =
		sqrt(fmax(tail.square - (1 - level) * excess * excess, 0) /
		     ((1 - level) * (double)s->n));
	return GBM_OK;
}

/* ---- histograms */

/* The place of the least or largest finite value; false without any. */
static int finite_ends(const struct gbm_sketch *s, uint64_t *first,
		       uint64_t *last)
{
	if (s->n == s->n_nan + s->n_neg_inf + s->n_pos_inf)
		return 0;
	*first = 1;
	*last = places(s) - 2;
	while (!count_at(s, *first))
		++*first;
	while (!count_at(s, *last))
		--*last;
	return 1;
}

/*
 * A bucket's end that is an edge: what lies on it, when not 0, is on the side
 * away from 0.
 */
static double upper_edge(struct bucket b)
{
	return b.lo < 0 ? b.hi : nextafter(b.hi, HUGE_VAL);
}

static double lower_edge(struct bucket b)
{
	return b.lo < 0 ? nextafter(b.lo, -HUGE_VAL) : b.lo;
}

int gbm_sketch_histogram(const struct gbm_sketch *s, double lo, double hi,
			 size_t bins, double *edges, uint64_t *counts)
{
	uint64_t first, last, place;
	size_t bin = 0;

	if (!s || !edges || !counts || !bins || isinf(lo) || isinf(hi) ||
	    lo >= hi)
		return GBM_EINVAL;
	memset(edges, 0, (bins + 1) * sizeof(*edges));
	memset(counts, 0, (bins + 2) * sizeof(*counts));
	if (!finite_ends(s, &first, &last))
		return GBM_OK;
	if (isnan(lo))
		lo = fmax(lower_edge(bucket_at(s, first)), -DBL_MAX);
	if (isnan(hi))
		hi = fmin(upper_edge(bucket_at(s, last)), DBL_MAX);
	if (!(lo < hi))
		return GBM_EINVAL;
	for (size_t i = 0; i <= bins; i++) {
		double x = (double)i / (double)bins;

		edges[i] = lo * (1 - x) + hi * x;
	}
	/*
	 * A bucket goes to the bin that has its middle; an edge moves to the
	 * end of the last bucket that is below it.
	 */
	for (place = 0; place < places(s); place++) {
		uint64_t count = count_at(s, place);
		struct bucket b;
		double middle;

		b = bucket_at(s, place);
		middle = within(b, 0.5);
		while (bin <= bins && middle >= edges[bin]) {
			if (b.lo < b.hi || b.lo == 0)
				edges[bin] = lower_edge(b);
			bin++;
		}
		counts[bin] += count;
	}
	return GBM_OK;
}

size_t gbm_sketch_bins(const struct gbm_sketch *s, size_t most)
{
	struct gbm_quantile q[2] = { GBM_QUANTILE_INIT, GBM_QUANTILE_INIT };
	uint64_t first, last;
	double width, range, bins;

	if (most < 1 || !s || s->n_nan || !finite_ends(s, &first, &last))
		return 1;
	gbm_sketch_quantile(s, 0.25, q);
	gbm_sketch_quantile(s, 0.75, q + 1);
	range = bucket_at(s, last).hi - bucket_at(s, first).lo;
	width = 2 * (q[1].value - q[0].value) / pow((double)s->n, 1.0 / 3);
	bins = ceil(range / width);
	if (!(bins >= 1))
		return 1;
	return bins < (double)most ? (size_t)bins : most;
}

/* ---- packing */

/*
 * Packed form, all words little-endian: magic and version; octaves, signs, top;
 * n, n_nan, n_pos_inf, n_neg_inf, n_zero, n_tiny[2]; counts; check word.
 */
#define PACK_MAGIC (UINT64_C(0x3048434b53534247) ^ GBM_STREAM_VERSION)
#define PACK_HEAD  11

size_t gbm_sketch_packed_size(const struct gbm_sketch *s)
{
	return (PACK_HEAD + s->signs * buckets(s) + 1) * sizeof(uint64_t);
}

void gbm_sketch_pack(const struct gbm_sketch *s, void *bytes)
{
	const uint64_t head[PACK_HEAD] = {
		PACK_MAGIC, s->octaves,	  s->signs,	(uint64_t)s->top,
		s->n,	    s->n_nan,	  s->n_pos_inf, s->n_neg_inf,
		s->n_zero,  s->n_tiny[0], s->n_tiny[1],
	};
	unsigned char *p = bytes;
	size_t k = 0;

	for (; k < PACK_HEAD; k++)
		gbm_put_word(p + 8 * k, head[k]);
	for (unsigned negative = 0; negative < s->signs; negative++)
		for (uint64_t i = 0; i < buckets(s); i++, k++)
			gbm_put_word(p + 8 * k, counted(s, negative)[i]);
	gbm_put_word(p + 8 * k, gbm_check_word(p, k));
}

int gbm_sketch_unpack(struct gbm_sketch *s, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;
	uint64_t head[PACK_HEAD];
	size_t k, end;

	if (!s || !p || n != gbm_sketch_packed_size(s))
		return GBM_EFORMAT;
	end = n / sizeof(uint64_t) - 1;
	for (k = 0; k < PACK_HEAD; k++)
		head[k] = gbm_get_word(p + 8 * k);
	if (head[0] != PACK_MAGIC || head[1] != s->octaves ||
	    head[2] != s->signs || head[3] + 1 > INF_OCTAVE ||
	    gbm_get_word(p + 8 * end) != gbm_check_word(p, end))
		return GBM_EFORMAT;
	s->top = (int)(int64_t)head[3];
	s->n = head[4];
	s->n_nan = head[5];
	s->n_pos_inf = head[6];
	s->n_neg_inf = head[7];
	s->n_zero = head[8];
	s->n_tiny[0] = head[9];
	s->n_tiny[1] = head[10];
	for (unsigned negative = 0; negative < s->signs; negative++)
		for (uint64_t i = 0; i < buckets(s); i++, k++)
			table(s, negative)[i] = gbm_get_word(p + 8 * k);
	return GBM_OK;
}

static struct gbm_sketch *unpacked(const unsigned char *p, size_t n)
{
	struct gbm_sketch *s;
	uint64_t octaves, signs;

	if (n < PACK_HEAD * sizeof(uint64_t))
		return NULL;
	octaves = gbm_get_word(p + 8);
	signs = gbm_get_word(p + 16);
	if (octaves < 1 || octaves > GBM_SKETCH_OCTAVES || signs < 1 ||
	    signs > GBM_SKETCH_SIGNS)
		return NULL;
	s = malloc(gbm_sketch_size((unsigned)octaves, (unsigned)signs));
	if (!s)
		return NULL;
	gbm_sketch_init(s, (unsigned)octaves, (unsigned)signs);
	return s;
}

int gbm_sketch_merge_packed(void *into, const void *from, size_t n)
{
	struct gbm_sketch *a = unpacked(into, n), *b = unpacked(from, n);
	int status = a && b ? GBM_OK : GBM_EFORMAT;

	if (!status)
		status = gbm_sketch_unpack(a, into, n);
	if (!status)
		status = gbm_sketch_unpack(b, from, n);
	if (!status && gbm_sketch_merge(a, b))
		status = GBM_EFORMAT;
	if (!status)
		gbm_sketch_pack(a, into);
	free(a);
	free(b);
	return status;
}
