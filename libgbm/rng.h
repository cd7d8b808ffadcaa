/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_RNG_H
#define GBM_RNG_H

/*
 * The streams.  One SFC64 generator (C. Doty-Humphrey, PractRand) for each
 * (seed, purpose, index, lane):
 *
 *	(a, b) = Threefry2x64-20 of (index, purpose | lane) under key (seed, 1)
 *	     c = the second word on the way there, after 12 rounds
 *	counter = 1
 *
 * For one seed (a, b) is a bijection of (index, purpose | lane).  SFC64's step
 * is a bijection of its state that adds one to the counter, so two streams
 * that ever share a state do so at the same step and began equal, which the
 * bijection excludes: streams do not overlap within 2^64 draws of each lane.
 * docs/numerics.md has the proof in full.
 */

#include <stdint.h>

/* A group of lanes is stepped together, whatever the width of the vectors. */
#define GBM_LANES 8

/* What a stream is for: bits 48.. of the second word of the counter. */
enum gbm_purpose {
	GBM_PURPOSE_PATHS = 0, /* index: group of paths */
	GBM_PURPOSE_USER = 1   /* index: stream of gbm_rng_init() */
};

/* Threefry's second key word; the first is the seed. */
#define GBM_KEY 1

static inline uint64_t gbm_counter1(enum gbm_purpose purpose, unsigned lane)
{
	return (uint64_t)purpose << 48 | lane;
}

/* Skein's key schedule constant (Threefish, version 1.3). */
#define GBM_THREEFRY_PARITY UINT64_C(0x1BD11BDAA9FC1A22)

/* SplitMix64's finalizer (Steele, Lea and Flood 2014): a bijection. */
static inline uint64_t gbm_mix64(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
	x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
	return x ^ x >> 31;
}

/* 2^64 / golden ratio: SplitMix64's increment. */
#define GBM_GOLDEN UINT64_C(0x9E3779B97F4A7C15)

#endif
