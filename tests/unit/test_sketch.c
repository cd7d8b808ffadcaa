/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sketches against exact order statistics. */
#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "libgbm/sketch.h"
#include "tests/unit/check_main.h"

static uint64_t state = 1;

static uint64_t word(void)
{
	state = state * UINT64_C(6364136223846793005) +
		UINT64_C(1442695040888963407);
	return (state ^ state >> 29) * UINT64_C(0xBF58476D1CE4E5B9);
}

static double uniform(void)
{
	return ldexp((double)(word() >> 11) + 0.5, -53);
}

static double normal(void)
{
	return sqrt(-2 * log(uniform())) * cos(6.283185307179586 * uniform());
}

static double finite_bits(void)
{
	for (;;) {
		uint64_t w = word();
		double x;

		memcpy(&x, &w, sizeof(x));
		if (isfinite(x))
			return x;
	}
}

/* What values are like, and whether all of them are 2^-62 of the largest. */
enum kind {
	PRICES,
	CALLS,
	GAINS,
	SAME,
	FEW_LEVELS,
	ALL_BITS,
	WIDE,
	SUBNORMAL,
	KINDS
};

static double value_of(enum kind kind)
{
	double price = 100 * exp(0.2 * normal() + 0.03);

	switch (kind) {
	case PRICES:
		return price;
	case CALLS:
		return fmax(price - 105, 0);
	case GAINS:
		return price - 101;
	case SAME:
		return -17.25;
	case FEW_LEVELS:
		return (double)(word() >> 60) - 5;
	case ALL_BITS:
		return finite_bits();
	case WIDE:
		return exp(40 * normal());
	default:
		return ldexp((double)(word() >> 40) - 0x1p23, -1074);
	}
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static struct gbm_sketch *make(void)
{
	struct gbm_sketch *s = NULL;

	ck_assert_int_eq(gbm_sketch_create(&s), GBM_OK);
	return s;
}

static unsigned char *packed(const struct gbm_sketch *s)
{
	unsigned char *bytes = malloc(gbm_sketch_packed_size(s));

	ck_assert_ptr_nonnull(bytes);
	gbm_sketch_pack(s, bytes);
	return bytes;
}

static void check_same(const struct gbm_sketch *a, const struct gbm_sketch *b)
{
	unsigned char *pa = packed(a), *pb = packed(b);

	ck_assert_uint_eq(gbm_sketch_packed_size(a), gbm_sketch_packed_size(b));
	ck_assert(!memcmp(pa, pb, gbm_sketch_packed_size(a)));
	free(pa);
	free(pb);
}

#define N 20011

static double values[N], sorted[N];

static void fill(enum kind kind)
{
	for (size_t i = 0; i < N; i++)
		sorted[i] = values[i] = value_of(kind);
	qsort(sorted, N, sizeof(*sorted), compare);
}

static double largest(void)
{
	return fmax(fabs(sorted[0]), fabs(sorted[N - 1]));
}

/* The bound that the header gives. */
static double allowed(double exact)
{
	if (fabs(exact) < ldexp(largest(), -63))
		return ldexp(largest(), -62);
	if (fabs(exact) < DBL_MIN)
		return DBL_MIN * GBM_SKETCH_ERROR;
	return GBM_SKETCH_ERROR * fabs(exact);
}

static const double levels[] = { 0,   1e-4, 0.001, 0.01, 0.05, 0.1,    0.25,
				 0.5, 0.75, 0.9,   0.95, 0.99, 0.9999, 1 };

#define LEVELS (sizeof(levels) / sizeof(*levels))

/* The rank as the definition has it: the least k with k / n >= level. */
static size_t exact_rank(double level)
{
	size_t k = 1;

	while ((double)k < (double)N * level - 1e-9)
		k++;
	return k;
}

START_TEST(quantiles)
{
	struct gbm_sketch *s = make();

	fill((enum kind)_i);
	gbm_sketch_add(s, values, N);
	ck_assert_uint_eq(gbm_sketch_count(s), N);
	for (size_t l = 0; l < LEVELS; l++) {
		double exact = sorted[exact_rank(levels[l]) - 1];
		struct gbm_quantile q = GBM_QUANTILE_INIT;

		ck_assert_int_eq(gbm_sketch_quantile(s, levels[l], &q), GBM_OK);
		ck_assert(q.n == N && q.level == levels[l]);
		ck_assert_msg(q.lo <= exact && exact <= q.hi,
			      "kind %d, level %g: %.17g not in %.17g..%.17g",
			      _i, levels[l], exact, q.lo, q.hi);
		ck_assert_msg(fabs(q.value - exact) <= allowed(exact),
			      "kind %d, level %g: %.17g, not %.17g", _i,
			      levels[l], q.value, exact);
		ck_assert(q.lo <= q.value && q.value <= q.hi);
		ck_assert(q.ci_lo <= q.lo && q.hi <= q.ci_hi);
	}
	gbm_sketch_destroy(&s);
	ck_assert_ptr_null(s);
}
END_TEST

/* Smooth values: the place within a bucket is far better than its width. */
START_TEST(places_within_buckets)
{
	struct gbm_sketch *s = make();
	double worst = 0;

	for (unsigned turn = 0; turn < 200; turn++) {
		fill(PRICES);
		gbm_sketch_add(s, values, N);
	}
	for (size_t i = 1; i < 100; i++) {
		/* Of the uniform part: probit by bisection of erfc. */
		double lo = -9, hi = 9, level = (double)i / 100, exact;
		struct gbm_quantile q = GBM_QUANTILE_INIT;

		while (hi - lo > 1e-12) {
			double z = (lo + hi) / 2;

			*(erfc(-z / sqrt(2)) / 2 < level ? &lo : &hi) = z;
		}
		exact = 100 * exp(0.2 * lo + 0.03);
		ck_assert_int_eq(gbm_sketch_quantile(s, level, &q), GBM_OK);
		worst = fmax(worst,
			     fabs(q.value - exact) / (q.ci_hi - q.ci_lo));
	}
	/* The interval has 1.96 standard errors on each side. */
	ck_assert_msg(worst < 1, "%g", worst);
	gbm_sketch_destroy(&s);
}
END_TEST

/* The interval's share of hits, of values whose quantile is known. */
START_TEST(confidence)
{
	unsigned hits = 0;

	for (unsigned turn = 0; turn < 1000; turn++) {
		struct gbm_quantile q = GBM_QUANTILE_INIT;
		struct gbm_sketch *s = make();
		double v[400];

		for (size_t i = 0; i < 400; i++)
			v[i] = 1 + uniform();
		gbm_sketch_add(s, v, 400);
		ck_assert_int_eq(gbm_sketch_quantile(s, 0.9, &q), GBM_OK);
		hits += q.ci_lo <= 1.9 && 1.9 <= q.ci_hi;
		gbm_sketch_destroy(&s);
	}
	ck_assert_uint_ge(hits, 935);
	ck_assert_uint_le(hits, 985);
}
END_TEST

START_TEST(risks)
{
	static const double alphas[] = { 0.5, 0.9, 0.95, 0.99, 0.999, 0.99999 };
	struct gbm_sketch *s = make();

	fill((enum kind)_i);
	gbm_sketch_add(s, values, N);
	for (size_t l = 0; l < sizeof(alphas) / sizeof(*alphas); l++) {
		double level = alphas[l], cost = 3, tail = (1 - level) * N;
		double whole = floor(tail + 1e-9), es = 0, size = 0, slack;
		struct gbm_risk r = GBM_RISK_INIT;
		double var = cost - sorted[N - exact_rank(level)];

		/* In shares of the tail, or the largest doubles overflow. */
		for (size_t i = 0; i < (size_t)whole; i++) {
			es += (cost - sorted[i]) / tail;
			size += fabs(sorted[i]) / tail;
		}
		es += (tail - whole) / tail * (cost - sorted[(size_t)whole]);
		size += (tail - whole) / tail * fabs(sorted[(size_t)whole]);
		slack = 1e-12 * (size + cost) + ldexp(largest(), -62);
		ck_assert_int_eq(gbm_sketch_risk(s, cost, level, &r), GBM_OK);
		ck_assert(r.n == N && r.level == level && r.cost == cost);
		ck_assert(r.var_lo <= var && var <= r.var_hi);
		ck_assert(r.var_lo <= r.var && r.var <= r.var_hi);
		ck_assert_msg(r.es_lo - slack <= es && es <= r.es_hi + slack,
			      "kind %d, level %g: %.17g not in %.17g..%.17g",
			      _i, level, es, r.es_lo, r.es_hi);
		ck_assert_msg(fabs(r.es - es) <=
				      GBM_SKETCH_ERROR * size + slack,
			      "kind %d, level %g: %.17g, not %.17g", _i, level,
			      r.es, es);
	}
	gbm_sketch_destroy(&s);
}
END_TEST

/* es_std_error is how far expected shortfalls of many samples spread. */
START_TEST(spread_of_shortfall)
{
	enum { TURNS = 400, EACH = 5000 };
	double sum = 0, sum2 = 0, told = 0, spread;

	for (unsigned turn = 0; turn < TURNS; turn++) {
		struct gbm_risk r = GBM_RISK_INIT;
		struct gbm_sketch *s = make();

		for (size_t i = 0; i < EACH; i++) {
			double v = value_of(GAINS);

			gbm_sketch_add(s, &v, 1);
		}
		ck_assert_int_eq(gbm_sketch_risk(s, 0, 0.95, &r), GBM_OK);
		sum += r.es;
		sum2 += r.es * r.es;
		told += r.es_std_error / TURNS;
		gbm_sketch_destroy(&s);
	}
	spread = sqrt((sum2 - sum * sum / TURNS) / (TURNS - 1));
	/* Four standard errors of a standard deviation of 400. */
	ck_assert_msg(fabs(spread / told - 1) < 4 / sqrt(2.0 * TURNS) + 0.02,
		      "%g told, %g seen", told, spread);
}
END_TEST

static void shuffle(void)
{
	for (size_t i = N - 1; i; i--) {
		size_t j = (size_t)(word() >> 16) % (i + 1);
		double x = values[i];

		values[i] = values[j];
		values[j] = x;
	}
}

/* Adds v to s through a random tree of parts. */
static void add_tree(struct gbm_sketch *s, const double *v, size_t n,
		     unsigned depth)
{
	struct gbm_sketch *part[2];
	size_t cut = n ? (size_t)(word() >> 16) % n : 0;
	unsigned first = (unsigned)(word() >> 63);

	if (!depth) {
		gbm_sketch_add(s, v, cut);
		gbm_sketch_add(s, v + cut, n - cut);
		return;
	}
	part[0] = make();
	part[1] = make();
	add_tree(part[0], v, cut, depth - 1);
	add_tree(part[1], v + cut, n - cut, depth - 1);
	ck_assert_int_eq(gbm_sketch_merge(s, part[first]), GBM_OK);
	ck_assert_int_eq(gbm_sketch_merge(s, part[!first]), GBM_OK);
	gbm_sketch_destroy(part);
	gbm_sketch_destroy(part + 1);
}

START_TEST(order_and_partition)
{
	static const double special[] = { 0.0,	    -0.0,      DBL_MAX,
					  -DBL_MAX, 0x1p-1074, -DBL_MIN,
					  INFINITY, -INFINITY, NAN };

	for (unsigned turn = 0; turn < 6; turn++) {
		struct gbm_sketch *all = make(), *other = make();

		fill((enum kind)_i);
		for (size_t i = 0; turn % 2 && i < N; i += 101)
			values[i] = special[word() % 9];
		gbm_sketch_add(all, values, N);
		shuffle();
		add_tree(other, values, N, turn % 4);
		check_same(all, other);
		/* And something is counted at all. */
		gbm_sketch_add(other, values, 1);
		other->n--;
		ck_assert(memcmp(all, other,
				 gbm_sketch_size(GBM_SKETCH_OCTAVES,
						 GBM_SKETCH_SIGNS)) != 0);
		gbm_sketch_destroy(&all);
		gbm_sketch_destroy(&other);
	}
}
END_TEST

/* Counts of one value as of many: through every branch of a batch. */
START_TEST(batches_and_single_values)
{
	for (unsigned turn = 0; turn < 40; turn++) {
		struct gbm_sketch *all = make(), *single = make();
		enum kind kind = (enum kind)(turn % KINDS);
		size_t n = 1 + (size_t)(word() >> 20) % 5000;

		for (size_t i = 0; i < n; i++) {
			values[i] = value_of(kind);
			/* A sign that the guess does not see. */
			if (turn % 3 == 0 && i % 700 == 699)
				values[i] = -values[i];
		}
		gbm_sketch_add(all, values, n);
		for (size_t i = 0; i < n; i++)
			gbm_sketch_add(single, values + i, 1);
		check_same(all, single);
		gbm_sketch_destroy(&all);
		gbm_sketch_destroy(&single);
	}
}
END_TEST

/* Every value is within its bucket, and buckets are as narrow as promised. */
START_TEST(buckets)
{
	struct gbm_sketch *s = make();

	for (unsigned turn = 0; turn < 3000; turn++) {
		struct gbm_quantile q = GBM_QUANTILE_INIT;
		double v = finite_bits();

		if (turn % 2)
			v = ldexp(turn % 4 == 1 ? 1 : -1,
				  (int)(word() % 2040) - 1020);
		gbm_sketch_init(s, GBM_SKETCH_OCTAVES, GBM_SKETCH_SIGNS);
		gbm_sketch_add(s, &v, 1);
		ck_assert_int_eq(gbm_sketch_quantile(s, 0.5, &q), GBM_OK);
		ck_assert(q.lo <= v && v <= q.hi);
		ck_assert(fabs(v) < DBL_MIN ||
			  q.hi - q.lo <= GBM_SKETCH_ERROR * fabs(v));
		/* A single value: the middle. */
		ck_assert(fabs(v) < DBL_MIN ||
			  fabs(q.value - v) <= GBM_SKETCH_ERROR / 2 * fabs(v));
	}
	gbm_sketch_destroy(&s);
}
END_TEST

START_TEST(not_finite_and_none)
{
	static const double v[] = { -INFINITY, 1, 2, 3, INFINITY };
	static const double bad[] = { -0.1, 1.1, NAN, INFINITY };
	struct gbm_quantile q = GBM_QUANTILE_INIT;
	struct gbm_risk r = GBM_RISK_INIT;
	struct gbm_sketch *s = make();
	double edges[3];
	uint64_t counts[4];

	ck_assert_int_eq(gbm_sketch_quantile(s, 0.5, &q), GBM_OK);
	ck_assert(q.n == 0 && isnan(q.value) && isnan(q.lo) && isnan(q.ci_hi));
	ck_assert_int_eq(gbm_sketch_risk(s, 0, 0.5, &r), GBM_OK);
	ck_assert(r.n == 0 && isnan(r.var) && isnan(r.es));
	ck_assert_int_eq(gbm_sketch_histogram(s, NAN, NAN, 2, edges, counts),
			 GBM_OK);
	ck_assert(!counts[0] && !counts[1] && !counts[2] && !counts[3]);
	ck_assert_uint_eq(gbm_sketch_bins(s, 100), 1);

	gbm_sketch_add(s, v, 5);
	ck_assert_int_eq(gbm_sketch_quantile(s, 0, &q), GBM_OK);
	ck_assert(q.value == -INFINITY && q.lo == -INFINITY);
	ck_assert_int_eq(gbm_sketch_quantile(s, 1, &q), GBM_OK);
	ck_assert(q.value == INFINITY && q.hi == INFINITY);
	ck_assert_int_eq(gbm_sketch_quantile(s, 0.6, &q), GBM_OK);
	ck_assert(fabs(q.value - 2) < 2.0 / 1024);
	ck_assert_int_eq(gbm_sketch_risk(s, 0, 0.5, &r), GBM_OK);
	ck_assert(fabs(r.var + 2) < 2.0 / 1024 && r.es == INFINITY);

	for (size_t i = 0; i < 4; i++) {
		ck_assert_int_eq(gbm_sketch_quantile(s, bad[i], &q),
				 GBM_EINVAL);
		ck_assert_int_eq(gbm_sketch_risk(s, 0, bad[i], &r), GBM_EINVAL);
	}
	ck_assert_int_eq(gbm_sketch_risk(s, 0, 0, &r), GBM_EINVAL);
	ck_assert_int_eq(gbm_sketch_risk(s, 0, 1, &r), GBM_EINVAL);
	ck_assert_int_eq(gbm_sketch_risk(s, NAN, 0.5, &r), GBM_EINVAL);
	q.size--;
	r.size--;
	ck_assert_int_eq(gbm_sketch_quantile(s, 0.5, &q), GBM_EINVAL);
	ck_assert_int_eq(gbm_sketch_risk(s, 0, 0.5, &r), GBM_EINVAL);
	ck_assert_int_eq(gbm_sketch_create(NULL), GBM_EINVAL);
	ck_assert_int_eq(gbm_sketch_merge(NULL, s), GBM_EINVAL);
	gbm_sketch_destroy(NULL);

	q.size++;
	gbm_sketch_add(s, (const double[]){ NAN }, 1);
	ck_assert_int_eq(gbm_sketch_quantile(s, 0.5, &q), GBM_OK);
	ck_assert(q.n == 6 && isnan(q.value));
	gbm_sketch_destroy(&s);
}
END_TEST

START_TEST(kinds_do_not_mix)
{
	struct gbm_sketch *s = make();
	struct gbm_sketch *small = malloc(gbm_sketch_size(8, 1));
	unsigned char *bytes = packed(s);

	ck_assert_ptr_nonnull(small);
	gbm_sketch_init(small, 8, 1);
	ck_assert_int_eq(gbm_sketch_merge(s, small), GBM_EINVAL);
	ck_assert_int_eq(gbm_sketch_merge(small, s), GBM_EINVAL);
	ck_assert_uint_lt(gbm_sketch_packed_size(small),
			  gbm_sketch_packed_size(s));
	ck_assert_int_eq(
		gbm_sketch_unpack(small, bytes, gbm_sketch_packed_size(s)),
		GBM_EFORMAT);
	ck_assert_int_eq(
		gbm_sketch_unpack(small, bytes, gbm_sketch_packed_size(small)),
		GBM_EFORMAT);
	free(bytes);
	free(small);
	gbm_sketch_destroy(&s);
}
END_TEST

/* Fewer octaves and one sign: less is told, nothing is wrong. */
START_TEST(few_octaves)
{
	struct gbm_sketch *s = malloc(gbm_sketch_size(4, 1));

	ck_assert_ptr_nonnull(s);
	for (int kind = 0; kind < KINDS; kind++) {
		gbm_sketch_init(s, 4, 1);
		fill((enum kind)kind);
		gbm_sketch_add(s, values, N);
		for (size_t l = 0; l < LEVELS; l++) {
			double exact = sorted[exact_rank(levels[l]) - 1];
			struct gbm_quantile q = GBM_QUANTILE_INIT;

			ck_assert_int_eq(gbm_sketch_quantile(s, levels[l], &q),
					 GBM_OK);
			ck_assert(q.lo <= exact && exact <= q.hi);
			ck_assert(exact < ldexp(largest(), -3) ||
				  fabs(q.value - exact) <= allowed(exact));
		}
	}
	free(s);
}
END_TEST

START_TEST(pack_and_unpack)
{
	struct gbm_sketch *s = make(), *t = make(), *untouched = make();
	const size_t n = gbm_sketch_packed_size(s);
	const size_t size =
		gbm_sketch_size(GBM_SKETCH_OCTAVES, GBM_SKETCH_SIGNS);
	unsigned char *bytes;

	fill(GAINS);
	gbm_sketch_add(s, values, N);
	gbm_sketch_add(s, (const double[]){ 0, NAN, INFINITY, -INFINITY }, 4);
	bytes = packed(s);
	gbm_sketch_add(t, values, 7);
	ck_assert_int_eq(gbm_sketch_unpack(t, bytes, n), GBM_OK);
	ck_assert_mem_eq(s, t, size);
	/* Words, least byte first. */
	ck_assert_uint_eq(bytes[32], (N + 4) % 256);
	ck_assert_uint_eq(bytes[33], (N + 4) / 256 % 256);

	memcpy(untouched, t, size);
	for (size_t i = 0; i < n; i += i < 100 || i > n - 20 ? 1 : 1201) {
		bytes[i] ^= (unsigned char)(1u << i % 8);
		ck_assert_int_eq(gbm_sketch_unpack(t, bytes, n), GBM_EFORMAT);
		bytes[i] ^= (unsigned char)(1u << i % 8);
	}
	ck_assert_int_eq(gbm_sketch_unpack(t, bytes, n - 1), GBM_EFORMAT);
	ck_assert_int_eq(gbm_sketch_unpack(t, bytes, n - 8), GBM_EFORMAT);
	ck_assert_int_eq(gbm_sketch_unpack(t, bytes, 0), GBM_EFORMAT);
	ck_assert_int_eq(gbm_sketch_unpack(t, NULL, n), GBM_EFORMAT);
	ck_assert_mem_eq(t, untouched, size);

	/* What was unpacked goes on as what was packed; an empty one too. */
	gbm_sketch_add(s, values, 99);
	gbm_sketch_add(t, values, 99);
	check_same(s, t);
	free(bytes);
	gbm_sketch_init(s, GBM_SKETCH_OCTAVES, GBM_SKETCH_SIGNS);
	bytes = packed(s);
	ck_assert_int_eq(gbm_sketch_unpack(t, bytes, n), GBM_OK);
	check_same(s, t);
	free(bytes);
	gbm_sketch_destroy(&s);
	gbm_sketch_destroy(&t);
	gbm_sketch_destroy(&untouched);
}
END_TEST

/* Each count is that of the exact values between the edges that are told. */
START_TEST(histograms)
{
	enum { BINS = 37 };
	struct gbm_sketch *s = make();
	uint64_t counts[BINS + 2];
	double edges[BINS + 1];

	fill((enum kind)_i);
	gbm_sketch_add(s, values, N);
	gbm_sketch_add(s, (const double[]){ NAN, INFINITY, -INFINITY }, 3);
	for (unsigned turn = 0; turn < 2; turn++) {
		double lo = turn ? sorted[N / 4] : (double)NAN;
		double hi = turn ? sorted[3 * N / 4] : (double)NAN;
		uint64_t want[BINS + 2] = { 0 };

		if (turn && lo >= hi)
			continue;
		ck_assert_int_eq(
			gbm_sketch_histogram(s, lo, hi, BINS, edges, counts),
			GBM_OK);
		want[0]++;
		want[BINS + 1]++;
		for (size_t i = 0; i < N; i++) {
			size_t bin = 0;

			while (bin <= BINS &&
			       (edges[bin] < 0 ? sorted[i] > edges[bin]
					       : sorted[i] >= edges[bin]))
				bin++;
			want[bin]++;
		}
		for (size_t i = 0; i < BINS + 2; i++)
			ck_assert_msg(counts[i] == want[i],
				      "kind %d, turn %u, bin %zu: %llu, not "
				      "%llu",
				      _i, turn, i,
				      (unsigned long long)counts[i],
				      (unsigned long long)want[i]);
		for (size_t i = 0; i < BINS; i++)
			ck_assert(edges[i] <= edges[i + 1]);
		if (!turn)
			ck_assert(counts[0] == 1 && counts[BINS + 1] == 1);
	}
	ck_assert_int_eq(gbm_sketch_histogram(s, 1, 1, BINS, edges, counts),
			 GBM_EINVAL);
	ck_assert_int_eq(gbm_sketch_histogram(s, 0, 1, 0, edges, counts),
			 GBM_EINVAL);
	ck_assert_int_eq(gbm_sketch_histogram(s, 0, INFINITY, 1, edges, counts),
			 GBM_EINVAL);
	gbm_sketch_destroy(&s);
}
END_TEST

START_TEST(number_of_bins)
{
	struct gbm_sketch *s = make();
	size_t bins;

	for (size_t i = 0; i < N; i++)
		values[i] = normal();
	gbm_sketch_add(s, values, N);
	/* 2 x 1.349 / 27.1 wide, over about eight standard deviations. */
	bins = gbm_sketch_bins(s, 1000);
	ck_assert_uint_ge(bins, 60);
	ck_assert_uint_le(bins, 110);
	ck_assert_uint_eq(gbm_sketch_bins(s, 10), 10);
	gbm_sketch_destroy(&s);
}
END_TEST

/* Counts beyond what 32 bits and a double's mantissa hold, by doubling. */
START_TEST(very_many_values)
{
	struct gbm_sketch *s = make();
	struct gbm_quantile q = GBM_QUANTILE_INIT;
	struct gbm_risk r = GBM_RISK_INIT;

	gbm_sketch_add(s, (const double[]){ 1, 2, 3, 4 }, 4);
	for (unsigned i = 0; i < 60; i++)
		ck_assert_int_eq(gbm_sketch_merge(s, s), GBM_OK);
	ck_assert_int_eq(gbm_sketch_quantile(s, 0.5, &q), GBM_OK);
	ck_assert(q.n == UINT64_C(1) << 62);
	ck_assert(q.lo == 2 && q.ci_lo == 2);
	ck_assert_int_eq(gbm_sketch_risk(s, 0, 0.75, &r), GBM_OK);
	ck_assert(r.var_lo <= -2 && r.var_hi >= -2 && fabs(r.es + 1) < 1e-3);
	gbm_sketch_destroy(&s);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sketch");
	TCase *t = tcase_create("sketch");

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, quantiles, 0, KINDS);
	tcase_add_test(t, places_within_buckets);
	tcase_add_test(t, confidence);
	tcase_add_loop_test(t, risks, 0, KINDS);
	tcase_add_test(t, spread_of_shortfall);
	tcase_add_loop_test(t, order_and_partition, 0, KINDS);
	tcase_add_test(t, batches_and_single_values);
	tcase_add_test(t, buckets);
	tcase_add_test(t, not_finite_and_none);
	tcase_add_test(t, kinds_do_not_mix);
	tcase_add_test(t, few_octaves);
	tcase_add_test(t, pack_and_unpack);
	tcase_add_loop_test(t, histograms, 0, KINDS);
	tcase_add_test(t, number_of_bins);
	tcase_add_test(t, very_many_values);
	suite_add_tcase(s, t);
	return gbm_check_main(s);
}
