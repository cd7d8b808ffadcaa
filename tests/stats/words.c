/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Raw words of the paths' streams on stdout, 64 bits little-endian, for as long
 * as somebody reads them:
 *
 *	words single|paths|starts|seeds SEED
 *
 * single	one stream
 * paths	4096 neighbouring paths by turns, a word each
 * starts	the first 32 words of 8 streams, then of the next 8, ...: what
 *		paths of one step use
 * seeds	the same 8 streams of 4096 neighbouring seeds by turns
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libgbm/isa.h"

#define MEMBERS 4096
#define ROW	(GBM_ROWS * GBM_LANES)

static const struct gbm_kernel *kernel;
static uint64_t seed;

static int put(const uint64_t *w, size_t n)
{
	return fwrite(w, sizeof(*w), n, stdout) == n;
}

static void seed_lanes(struct gbm_lanes *s, uint64_t of, uint64_t group)
{
	kernel->seed(s, of, GBM_PURPOSE_PATHS, group);
}

static void single(void)
{
	struct gbm_lanes s;
	uint64_t w[ROW], one[GBM_ROWS];

	seed_lanes(&s, seed, 0);
	do {
		kernel->words(&s, w, GBM_ROWS);
		for (size_t i = 0; i < GBM_ROWS; i++)
			one[i] = w[i * GBM_LANES];
	} while (put(one, GBM_ROWS));
}

static void paths(void)
{
	static struct gbm_lanes s[MEMBERS / ROW];
	uint64_t w[ROW];

	for (uint64_t g = 0; g < MEMBERS / ROW; g++)
		seed_lanes(s + g, seed, g);
	for (;;)
		for (size_t g = 0; g < MEMBERS / ROW; g++) {
			kernel->words(s + g, w, GBM_ROWS);
			if (!put(w, ROW))
				return;
		}
}

static void starts(void)
{
	struct gbm_lanes s;
	uint64_t w[ROW], group = 0;

	do {
		seed_lanes(&s, seed, group++);
		kernel->words(&s, w, GBM_ROWS);
	} while (put(w, ROW));
}

static void seeds(void)
{
	static struct gbm_lanes s[MEMBERS];
	uint64_t w[GBM_LANES];

	for (uint64_t k = 0; k < MEMBERS; k++)
		seed_lanes(s + k, seed + k, 0);
	for (;;)
		for (size_t k = 0; k < MEMBERS; k++) {
			kernel->words(s + k, w, 1);
			if (!put(w, GBM_LANES))
				return;
		}
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*write)(void);
	} orders[] = { { "single", single },
		       { "paths", paths },
		       { "starts", starts },
		       { "seeds", seeds } };

	kernel = gbm_kernel_select(NULL, NULL);
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	if (argc == 3)
		seed = strtoull(argv[2], NULL, 10);
	for (size_t i = 0; argc == 3 && i < sizeof(orders) / sizeof(*orders); i++)
		if (strcmp(argv[1], orders[i].name) == 0) {
			orders[i].write();
			return EXIT_SUCCESS;
		}
	fprintf(stderr, "usage: words single|paths|starts|seeds SEED\n");
	return EXIT_FAILURE;
}
