/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_KERNEL_H
#define GBM_KERNEL_H

/*
 * The path kernels, as a table of functions that kernel.c fills once per
 * instruction set.  All tables give the same bits.
 *
 * Paths come in groups of GBM_GROUP_PATHS = GBM_ROWS x GBM_LANES: path
 * group * 256 + row * 8 + lane takes, at step t, draw t * GBM_ROWS + row of the
 * stream (seed, GBM_PURPOSE_PATHS, group, lane).  So its normals depend on
 * nothing but seed, path and step.
 */

#include <stddef.h>
#include <stdint.h>

#include <gbm-mc/gbm.h>

#include "libgbm/rng.h"

#define GBM_ROWS	32
#define GBM_GROUP_PATHS (GBM_ROWS * GBM_LANES)

/* Partial sums of a block of values: see gbm_kernel.moments. */
#define GBM_SUM_LANES 32

/* What the kernels need of a model, in units that spare them work. */
struct gbm_dynamics {
	uint64_t seed;
	uint64_t steps;
	double spot;
	double drift2; /* (mu - sigma^2/2) dt log2(e): of log2 S per step */
	double vol2;   /* sigma sqrt(dt) log2(e) */
};

/* The state of one group of lanes. */
struct gbm_lanes {
	uint64_t a[GBM_LANES], b[GBM_LANES], c[GBM_LANES];
	uint64_t counter; /* the same for all lanes */
};

/* Of n finite values v: sum, sum of (v - sum / n)^2, extremes. */
struct gbm_moments {
	double sum;
	double m2;
	double min;
	double max;
};

/* Who takes a block of n values, n a multiple of GBM_GROUP_PATHS. */
struct gbm_take {
	void (*fn)(void *user, double *values, size_t n);
	void *user;
	double slope, offset; /* of gbm_kernel.value */
};

/*
 * Pointers need no alignment beyond their type's.  Thread-safe: no state but
 * what the caller passes.
 */
struct gbm_kernel {
	const char *name;

	/*
	 * Threefry2x64-20 (Salmon et al., SC11) of GBM_LANES counters
	 * (x0[l], x1[l]) under the key (k0, k1), in place.
	 */
	void (*threefry)(uint64_t *x0, uint64_t *x1, uint64_t k0, uint64_t k1);

	/* Puts lanes at the beginning of a group's streams. */
	void (*seed)(struct gbm_lanes *lanes, uint64_t seed,
		     enum gbm_purpose purpose, uint64_t index);

	/* The next rows x GBM_LANES words, row by row. */
	void (*words)(struct gbm_lanes *lanes, uint64_t *w, size_t rows);

	/* z[i] = normal of w[i], for n a multiple of GBM_LANES. */
	void (*normals)(const uint64_t *w, double *z, size_t n);

	/* z = normals of the next rows x GBM_LANES words. */
	void (*fill)(struct gbm_lanes *lanes, double *z, size_t rows);

	/* out[i] = 2^x[i], for n a multiple of GBM_LANES. */
	void (*exp2)(const double *x, double *out, size_t n);

	/*
	 * S(T) of the n_groups * GBM_GROUP_PATHS paths from group on;
	 * n_groups * d->steps < 2^63.  Some ten groups or more at a time
	 * run at full speed.  With take, blocks of GBM_BLOCK_PATHS, and what is
	 * left at the end, go there instead of to out.
	 */
	void (*terminal)(const struct gbm_dynamics *d, uint64_t group,
			 uint64_t n_groups, double *out,
			 const struct gbm_take *take);

	/*
	 * max(slope S(T) / S(0) + offset, 0), likewise, for take only.  Returns
	 * 0, and does nothing, where overflow or underflow may make that less
	 * exact than by way of S(T), else 1.
	 */
	int (*value)(const struct gbm_dynamics *d, uint64_t group,
		     uint64_t n_groups, const struct gbm_take *take);

	/* The mean of S over the steps 1..steps, likewise. */
	void (*average)(const struct gbm_dynamics *d, uint64_t group,
			uint64_t n_groups, double *out,
			const struct gbm_take *take);

	/*
	 * S at the steps 0..d->steps of the n_rows rows from row on, to
	 * out[t * stride + i], 0 <= i < n_rows * GBM_LANES.
	 */
	void (*paths)(const struct gbm_dynamics *d, uint64_t group,
		      size_t row, size_t n_rows, double *out, size_t stride);

	/* v[i] = scale * max(sign * (v[i] - strike), 0), sign = +-1. */
	void (*payoff)(double *v, size_t n, double sign, double strike,
		       double scale);

	/*
	 * Moments of n >= 1 values.  Sums run in GBM_SUM_LANES lanes, value i
	 * in lane i % GBM_SUM_LANES, which are then added up as a binary
	 * tree: one order for every instruction set.
	 */
	void (*moments)(const double *v, size_t n, struct gbm_moments *m);
};

extern const struct gbm_kernel gbm_kernel_scalar;
extern const struct gbm_kernel gbm_kernel_avx2, gbm_kernel_avx512; /* x86-64 */
extern const struct gbm_kernel gbm_kernel_neon;			   /* AArch64 */

#endif
