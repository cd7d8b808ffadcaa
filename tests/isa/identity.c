/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Prints two hashes, over all that the kernel of GBM_ISA computes and over all
 * that the public calls give with it, for many inputs.  Compiled together with
 * the library, once for each compiler and level.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "libgbm/isa.h"
#include "tests/isa/hash.h"

#define GROUPS	16
#define N_PATHS (GROUPS * GBM_GROUP_PATHS)
#define STRIDE	(GBM_GROUP_PATHS + 8)

static uint64_t words[N_PATHS];
static double values[8 * N_PATHS];
static const struct gbm_kernel *kernel;
static uint64_t hash;

void hash_add(const void *data, size_t bytes)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < bytes; i++)
		hash = gbm_mix64((hash ^ p[i]) + GBM_GOLDEN);
}

static void add_values(size_t n)
{
	/* Infinities and numbers only: the bits of a NaN are the CPU's own. */
	hash_add(values, n * sizeof(*values));
}

static void hash_words_and_normals(void)
{
	struct gbm_lanes lanes;

	kernel->seed(&lanes, 7, GBM_PURPOSE_USER, UINT64_MAX - 1);
	hash_add(&lanes, sizeof(lanes));
	for (int i = 0; i < 100; i++) {
		kernel->words(&lanes, words, N_PATHS / GBM_LANES);
		hash_add(words, sizeof(words));
		kernel->normals(words, values, N_PATHS);
		add_values(N_PATHS);
	}
	for (size_t rows = 1; rows < 4 * GBM_ROWS; rows += 9) {
		kernel->fill(&lanes, values, rows);
		add_values(rows * GBM_LANES);
	}
}

/* Every exponent, and remainders all over. */
static void hash_exp2(void)
{
	double x[GBM_LANES];

	for (double k = -1200; k < 1200; k += 0.37) {
		for (int l = 0; l < GBM_LANES; l++)
			x[l] = k + l * 0x1.3p-7;
		kernel->exp2(x, values, GBM_LANES);
		add_values(GBM_LANES);
	}
}

static void hash_paths(const struct gbm_dynamics *d, int finite)
{
	struct gbm_moments m;

	kernel->terminal(d, 5, GROUPS, values, NULL);
	add_values(N_PATHS);
	for (size_t n = finite ? 1 : 1024; n < 1024; n += 93) {
		kernel->moments(values, n, &m);
		hash_add(&m, sizeof(m));
	}
	kernel->payoff(values, N_PATHS - 3, -1, 99, 0.95);
	add_values(N_PATHS);
	kernel->average(d, UINT64_C(1) << 50, GROUPS - 1, values, NULL);
	add_values(N_PATHS - GBM_GROUP_PATHS);
	kernel->payoff(values, N_PATHS - 3, 1, 99, 0.95);
	add_values(N_PATHS);
	if (d->steps > 7)
		return;
	for (size_t row = 0; row < GBM_ROWS; row += 5) {
		size_t rows = row ? (GBM_ROWS - row) / 2 + 1 : GBM_ROWS;

		kernel->paths(d, 9, row, rows, values, STRIDE);
		for (uint64_t t = 0; t <= d->steps; t++)
			hash_add(values + t * STRIDE,
				 rows * GBM_LANES * sizeof(*values));
	}
}

int main(void)
{
	static const struct gbm_dynamics d[] = {
		{ 1, 1, 100, 0.04, 0.28 },	  /* the usual */
		{ 2, 2, 100, 0.04, 0.28 },	  /* as long as the pipeline */
		{ 3, 3, 100, 0.04, 0.28 },
		{ UINT64_MAX, 252, 100, -1e-4, 0.018 },
		{ 4, 20, 100, 1e-3, 0.03 },	  /* larger steps */
		{ 5, 1, 42, 0, 0 },		  /* no randomness */
		{ 6, 1, 1, -50, 9 },		  /* huge volatility */
		{ 7, 5, 1e300, 1e-9, 1e-12 },	  /* tiny steps */
		{ 8, 3, 0x1p-1070, 0.5, 0.7 },	  /* subnormal prices */
		{ 9, 7, 1e-300, 300, 200 },	  /* 0, numbers and infinity */
	};

	kernel = gbm_kernel_select(getenv("GBM_ISA"), NULL);
	if (!kernel)
		return EXIT_FAILURE;
	hash_words_and_normals();
	hash_exp2();
	for (size_t i = 0; i < sizeof(d) / sizeof(d[0]); i++)
		hash_paths(&d[i], i + 1 < sizeof(d) / sizeof(d[0]));
	printf("%016" PRIx64, hash);
	hash = 0;
	hash_calls();
	printf(" %016" PRIx64 "\n", hash);
	return EXIT_SUCCESS;
}
