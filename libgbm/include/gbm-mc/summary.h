/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_MC_SUMMARY_H
#define GBM_MC_SUMMARY_H

/*
 * Quantiles, histograms and tail risks of any number of values, in memory that
 * does not grow with their number; and summaries, which collect them in a run.
 *
 * All of it merges exactly: the same values give the same bits in any order,
 * split in any way over calls, threads, ranks and merges.
 */

#include <gbm-mc/gbm.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/*
 * Counts of values in buckets cut from a double's bits: sign, exponent and
 * the ten leading bits of the fraction, 1024 buckets to each power of two.
 *
 * Counted are the 64 powers of two below the largest magnitude so far.  Lesser
 * values, below 2^-63 of that, share one bucket for each sign; exact zeros,
 * infinities and NaN have their own counts.  A sketch belongs to one thread at
 * a time and takes about a megabyte.
 */
struct gbm_sketch;

/*
 * No order statistic x that a sketch tells is further than this times |x| from
 * the exact one; but those below 2^-63 of the largest magnitude, and subnormal
 * numbers, are known to lie within lo and hi only.
 */
#define GBM_SKETCH_ERROR (1.0 / 1024)

/* Returns 0 and sets *sketch to an empty sketch, or GBM_EINVAL, GBM_ENOMEM. */
int gbm_sketch_create(struct gbm_sketch **sketch);

/* Frees *sketch and sets it to NULL; NULL, pointer to NULL are accepted. */
void gbm_sketch_destroy(struct gbm_sketch **sketch);

/* Adds n values.  Allocates nothing. */
void gbm_sketch_add(struct gbm_sketch *sketch, const double *values, size_t n);

/*
 * Adds what from holds to into; from is unchanged.  Returns 0, or GBM_EINVAL
 * when they are not of the same kind (see gbm_summary_fan()).
 */
int gbm_sketch_merge(struct gbm_sketch *into, const struct gbm_sketch *from);

/* Number of values, with those that are not finite. */
uint64_t gbm_sketch_count(const struct gbm_sketch *sketch);

/*
 * Bytes that gbm_sketch_pack() writes, whatever was added; little-endian, the
 * same on every machine.  Equal values give equal bytes.  Unpacking returns 0,
 * or GBM_EFORMAT and leaves the sketch as it was when the bytes are damaged,
 * or not of a sketch of the same kind and GBM_STREAM_VERSION.
 */
size_t gbm_sketch_packed_size(const struct gbm_sketch *sketch);
void gbm_sketch_pack(const struct gbm_sketch *sketch, void *bytes);
int gbm_sketch_unpack(struct gbm_sketch *sketch, const void *bytes, size_t n);

/* A quantile of n values; all in the values' unit. */
struct gbm_quantile {
	size_t size;  /* set by the caller: sizeof(struct gbm_quantile) */
	uint64_t n;   /* number of values */
	double level; /* as asked */
	double value; /* within GBM_SKETCH_ERROR of the order statistic */
	double lo;    /* lo <= the exact order statistic <= hi */
	double hi;
	/*
	 * A 95 % confidence interval of the quantile of the distribution that
	 * the values were drawn from, independently: order statistics
	 * 1.96 sqrt(n level (1 - level)) places away (Conover, "Practical
	 * Nonparametric Statistics", 1999, 3.2), each rounded outwards.  An
	 * end beyond the sample is -INFINITY or INFINITY.
	 */
	double ci_lo;
	double ci_hi;
};

#define GBM_QUANTILE_INIT                                                      \
	{                                                                      \
		sizeof(struct gbm_quantile), 0, (double)NAN, (double)NAN,      \
			(double)NAN, (double)NAN, (double)NAN, (double)NAN     \
	}

/*
 * The least value x such that a share level of the values, 0 <= level <= 1, is
 * not above x: the inverse of the empirical distribution function (type 1 of
 * Hyndman and Fan, "Sample quantiles in statistical packages", 1996); level 0
 * is the least value, 1 the largest.  Where n * level is a whole number but
 * for the rounding of level, it counts as one.
 *
 * Within its bucket a value is placed as if those there were evenly spread.
 * All members are NAN when there are no values, or NaN among them.  Returns 0,
 * or GBM_EINVAL for a level that is none or a wrong size.
 */
int gbm_sketch_quantile(const struct gbm_sketch *sketch, double level,
			struct gbm_quantile *quantile);

/*
 * The risk of the loss cost - value; in the values' unit, losses positive.
 */
struct gbm_risk {
	size_t size; /* set by the caller: sizeof(struct gbm_risk) */
	uint64_t n;
	double level;
	double cost;
	double var;    /* value at risk */
	double var_lo; /* var_lo <= that of the exact values <= var_hi */
	double var_hi;
	double es;    /* expected shortfall */
	double es_lo; /* es_lo <= that of the exact values <= es_hi */
	double es_hi;
	double es_std_error; /* of es, by the sampling of the values */
};

#define GBM_RISK_INIT                                                          \
	{                                                                      \
		sizeof(struct gbm_risk), 0, (double)NAN, (double)NAN,          \
			(double)NAN, (double)NAN, (double)NAN, (double)NAN,    \
			(double)NAN, (double)NAN, (double)NAN                  \
	}

/*
 * Value at risk and expected shortfall at a level 0 < level < 1, such as 0.99,
 * of the loss L = cost - value (McNeil, Frey and Embrechts, "Quantitative Risk
 * Management", 2nd ed. 2015, definitions 2.8 and 2.12):
 *
 *	VaR = least l such that P(L <= l) >= level
 *	ES = mean of VaR over the levels from level to 1
 *
 * with P the empirical distribution, so that ES is the mean of the
 * n (1 - level) largest losses, the last of them counted in part.  Exact
 * values would differ by less than GBM_SKETCH_ERROR times the value's
 * magnitude, for ES its mean magnitude over the tail; the bounds are given.
 *
 * es_std_error is that of Manistre and Hancock, "Variance of the CTE
 * estimator", North American Actuarial Journal 9 (2005).
 *
 * NAN and errors as for gbm_sketch_quantile(); cost must be finite.
 */
int gbm_sketch_risk(const struct gbm_sketch *sketch, double cost, double level,
		    struct gbm_risk *risk);

/*
 * A histogram of bins >= 1 equal bins from lo to hi, lo < hi; NAN for either
 * stands for the least or largest finite value.  Edges are moved to where the
 * sketch has one, by less than GBM_SKETCH_ERROR of themselves, so that counts
 * are exact: counts[1 + i] is that of the values from edges[i] on and below
 * edges[i + 1]; when edges[i] < 0, of those above edges[i] and up to
 * edges[i + 1].  counts[0] and counts[bins + 1] are what lies below and above.
 *
 * edges has room for bins + 1 numbers and counts for bins + 2; the caller's.
 * Returns 0 or GBM_EINVAL; without finite values everything is 0.
 */
int gbm_sketch_histogram(const struct gbm_sketch *sketch, double lo, double hi,
			 size_t bins, double *edges, uint64_t *counts);

/*
 * How many bins suit the values: the rule of Freedman and Diaconis, "On the
 * histogram as a density estimator" (1981), within 1 and most.
 */
size_t gbm_sketch_bins(const struct gbm_sketch *sketch, size_t most);

/*
 * What a run collects: statistics, and what the plan's option collect asks for.
 * It does not need the plan once it is made.  A summary belongs to one thread
 * at a time.
 */
struct gbm_summary;

/*
 * Returns 0 and sets *summary to an empty summary for runs of the plan, to be
 * freed by gbm_summary_destroy(); or GBM_EINVAL (no functional), GBM_ENOMEM.
 * Where moments are collected it runs the plan's first block, whose values say
 * about where the others will be: GBM_ECANCELED when a callback ends that.
 */
int gbm_summary_create(struct gbm_summary **summary,
		       const struct gbm_plan *plan);

/* Frees *summary and sets it to NULL; NULL, pointer to NULL are accepted. */
void gbm_summary_destroy(struct gbm_summary **summary);

/* Makes it as empty as it was; NULL is accepted. */
void gbm_summary_clear(struct gbm_summary *summary);

/*
 * As gbm_run_range(), into a summary of this plan: its statistics get the same
 * bits.  On an error the summary is unchanged.
 */
int gbm_run_summary(const struct gbm_plan *plan, uint64_t first_path,
		    uint64_t n_paths, struct gbm_summary *summary,
		    int *user_code);

/*
 * The statistics and the sketch of the plan's functional with that number, from
 * 0 on; NULL past the last, and where no sketch was asked for.  They belong to
 * the summary and end with it.
 */
struct gbm_stats *gbm_summary_stats(struct gbm_summary *summary,
				    size_t functional);
struct gbm_sketch *gbm_summary_sketch(struct gbm_summary *summary,
				      size_t functional);

/*
 * With GBM_COLLECT_FAN, a sketch of the prices S(step * horizon / steps), step
 * from 1 to the model's steps; NULL for others.  It has as many powers of two
 * as the model's prices spread over, and counts a negative value as such only:
 * it is of another kind than gbm_sketch_create()'s.  Twice
 * 8 KiB * steps * powers of two are part of the plan's need.  The paths are
 * simulated once more for it, step by step.
 */
struct gbm_sketch *gbm_summary_fan(struct gbm_summary *summary, uint64_t step);

/* What a functional's distribution looks like beside mean and variance. */
struct gbm_shape {
	size_t size;	 /* set by the caller: sizeof(struct gbm_shape) */
	uint64_t n;	 /* number of values */
	double skewness; /* m3 / m2^(3/2) */
	double excess_kurtosis; /* m4 / m2^2 - 3 */
};

#define GBM_SHAPE_INIT                                                         \
	{                                                                      \
		sizeof(struct gbm_shape), 0, (double)NAN, (double)NAN          \
	}

/* How two functionals of the same paths go together. */
struct gbm_covariance {
	size_t size; /* set by the caller: sizeof(struct gbm_covariance) */
	uint64_t n;  /* number of paths */
	double covariance;  /* unbiased, n - 1 */
	double correlation; /* Pearson's */
};

#define GBM_COVARIANCE_INIT                                                    \
	{                                                                      \
		sizeof(struct gbm_covariance), 0, (double)NAN, (double)NAN     \
	}

/*
 * These need GBM_COLLECT_MOMENTS.  mk is the mean of (v - mean)^k: g1 and g2 of
 * Joanes and Gill, "Comparing measures of sample skewness and kurtosis" (1998).
 * i and j are numbers of functionals; i = j gives the variance and 1.
 *
 * Members are NAN where they do not exist: without variance, and when a fourth
 * power (for a covariance, a square) of a value, in units of how far the first
 * paths' values spread, is beyond the range of doubles.  Returns 0, or
 * GBM_EINVAL for numbers past the last or what was not collected.
 */
int gbm_summary_shape(const struct gbm_summary *summary, size_t functional,
		      struct gbm_shape *shape);
int gbm_summary_covariance(const struct gbm_summary *summary, size_t i,
			   size_t j, struct gbm_covariance *covariance);

/*
 * Adds what from holds to into; from is unchanged.  Exact.  Returns 0, or
 * GBM_EINVAL when they are not of plans that collect the same.
 */
int gbm_summary_merge(struct gbm_summary *into, const struct gbm_summary *from);

/*
 * A summary consists of parts, which are packed one by one, so that whoever
 * sends or stores it needs memory for one of them.  Packed parts are
 * little-endian and checked; equal summaries give equal bytes.
 *
 * gbm_summary_pack() writes gbm_summary_packed_size() bytes of the part with
 * that number, from 0 on; 0 bytes for a number past the last part's.
 *
 * gbm_summary_unpack() returns 0, or GBM_EFORMAT and leaves the part as it was
 * when the bytes are damaged or not of that part.
 *
 * gbm_summary_merge_packed() does on packed bytes of the same part what merging
 * does: into += from.  Returns 0, GBM_EFORMAT, or GBM_ENOMEM.
 */
size_t gbm_summary_packed_size(const struct gbm_summary *summary, size_t part);
void gbm_summary_pack(const struct gbm_summary *summary, size_t part,
		      void *bytes);
int gbm_summary_unpack(struct gbm_summary *summary, size_t part,
		       const void *bytes, size_t n);
int gbm_summary_merge_packed(void *into, const void *from, size_t n);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
