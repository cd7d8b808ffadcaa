/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_JOINT_H
#define GBM_JOINT_H

/*
 * Sums of powers 1 to 4 of several functionals of the same paths, and of their
 * products, exact above the block.
 *
 * A functional's values v go in as y = (v - center) * scale, so that no fourth
 * power leaves the range of doubles and nothing is lost when powers about the
 * center become powers about the mean.  Both come from the plan's first block
 * of paths: any partition has the same.
 */

#include <gbm-mc/summary.h>

#include "libgbm/stats.h"

#define GBM_POWERS 4

struct gbm_sum {
	uint64_t bad; /* blocks whose sum is not finite */
	struct gbm_acc acc;
};

struct gbm_joint {
	size_t k;   /* functionals */
	uint64_t n; /* paths */
	double center[GBM_MAX_FUNCTIONALS];
	double scale[GBM_MAX_FUNCTIONALS]; /* powers of two */
	/* The powers of each functional, then the products of each pair. */
	struct gbm_sum sum[];
};

size_t gbm_joint_size(size_t k);

/* Makes it empty; centers and scales are to be set. */
void gbm_joint_zero(struct gbm_joint *joint, size_t k);

/* Takes all values out; the centers stay. */
void gbm_joint_clear(struct gbm_joint *joint);

/* Sets center and scale by a functional's first n <= GBM_BLOCK_PATHS values. */
void gbm_joint_center(struct gbm_joint *joint, size_t functional,
		      const double *values, size_t n);

/* Adds a block of n <= GBM_BLOCK_PATHS paths: values[i + functional * stride]
 */
void gbm_joint_add(struct gbm_joint *joint, const double *values, size_t stride,
		   size_t n);

/* GBM_EINVAL when they are not of the same plan. */
int gbm_joint_merge(struct gbm_joint *into, const struct gbm_joint *from);

/* As for a sketch. */
size_t gbm_joint_packed_size(const struct gbm_joint *joint);
void gbm_joint_pack(const struct gbm_joint *joint, void *bytes);
int gbm_joint_unpack(struct gbm_joint *joint, const void *bytes, size_t n);
int gbm_joint_merge_packed(void *into, const void *from, size_t n);

/* Whether n bytes begin as a packed one. */
int gbm_joint_is_packed(const void *bytes, size_t n);

/* Without the size and n members. */
void gbm_joint_shape(const struct gbm_joint *joint, size_t functional,
		     struct gbm_shape *shape);
void gbm_joint_covariance(const struct gbm_joint *joint, size_t i, size_t j,
			  struct gbm_covariance *covariance);

#endif
