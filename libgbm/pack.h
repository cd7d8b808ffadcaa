/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_PACK_H
#define GBM_PACK_H

/* The packed form of statistics: 64-bit words, least byte first. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "libgbm/rng.h"

static inline void gbm_put_word(unsigned char *p, uint64_t w)
{
	for (int i = 0; i < 8; i++)
		p[i] = (unsigned char)(w >> (8 * i));
}

static inline uint64_t gbm_get_word(const unsigned char *p)
{
	uint64_t w = 0;

	for (int i = 0; i < 8; i++)
		w |= (uint64_t)p[i] << (8 * i);
	return w;
}

static inline uint64_t gbm_double_bits(double x)
{
	uint64_t w;

	memcpy(&w, &x, sizeof(w));
	return w;
}

static inline double gbm_bits_double(uint64_t w)
{
	double x;

	memcpy(&x, &w, sizeof(x));
	return x;
}

/* Of n packed words. */
static inline uint64_t gbm_check_word(const unsigned char *p, size_t n)
{
	uint64_t h = 0;

	for (size_t i = 0; i < n; i++)
		h = gbm_mix64((h ^ gbm_get_word(p + 8 * i)) + GBM_GOLDEN);
	return h;
}

#endif
