/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_SKETCH_H
#define GBM_SKETCH_H

/* A sketch's inside, and sketches smaller than the public one. */

#include <gbm-mc/summary.h>

/* Leading bits of the fraction: 2^GBM_SKETCH_BITS buckets an octave. */
#define GBM_SKETCH_BITS 10

/* Octaves and signs of the public sketch. */
#define GBM_SKETCH_OCTAVES 64
#define GBM_SKETCH_SIGNS   2

/* Counters beside a table: see sketch.c. */
#define GBM_SKETCH_ASIDE 8

/*
 * An octave is the values of one exponent field of a double.  The octaves from
 * top - octaves + 1, or 0, to top are counted, top being the largest that was
 * seen: so what is counted where depends on the values only.
 */
struct gbm_sketch {
	uint64_t n; /* all values, those below included */
	uint64_t n_nan, n_pos_inf, n_neg_inf, n_zero;
	uint64_t n_tiny[2]; /* below the octaves, by sign */
	int top;	    /* exponent field; -1: none yet */
	unsigned octaves;
	unsigned signs; /* 1: all that is negative counts as tiny */
	/* A table for each sign, by magnitude, and its aside counters. */
	uint64_t count[];
};

/* Bytes of such a sketch; octaves <= 64, signs 1 or 2. */
size_t gbm_sketch_size(unsigned octaves, unsigned signs);

/* Makes an empty sketch of that many bytes, all of which are touched. */
void gbm_sketch_init(struct gbm_sketch *sketch, unsigned octaves,
		     unsigned signs);

/* into += from, both packed, n bytes.  GBM_EFORMAT when they are no sketches.
 */
int gbm_sketch_merge_packed(void *into, const void *from, size_t n);

#endif
