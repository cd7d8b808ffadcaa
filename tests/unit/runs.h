/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_TESTS_RUNS_H
#define GBM_TESTS_RUNS_H

/* What several tests run, and how they compare what came out. */

#include <stdint.h>
#include <stdlib.h>

#include <gbm-mc/summary.h>

#include "tests/unit/check_main.h"

/* A functional that ends its run with 42 at the path whose number is *user. */
static inline int cancels_at(const struct gbm_block *b, void *user, double *out)
{
	const uint64_t *at = user;

	for (size_t i = 0; i < b->n_paths; i++) {
		if (b->first_path + i == *at)
			return 42;
		out[i] = 1;
	}
	return 0;
}

/* All parts of two summaries, bit by bit. */
static inline void check_equal_summaries(const struct gbm_summary *a,
					 const struct gbm_summary *b)
{
	size_t n;

	for (size_t part = 0; (n = gbm_summary_packed_size(a, part)); part++) {
		void *x = malloc(n), *y = malloc(n);

		ck_assert_uint_eq(gbm_summary_packed_size(b, part), n);
		gbm_summary_pack(a, part, x);
		gbm_summary_pack(b, part, y);
		ck_assert_mem_eq(x, y, n);
		free(x);
		free(y);
	}
}

#endif
