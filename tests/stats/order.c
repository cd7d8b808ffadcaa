/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "libgbm/isa.h"
#include "tests/stats/order.h"

#define MEMBERS 4096
#define ROW	(GBM_ROWS * GBM_LANES)

static const struct gbm_kernel *kernel;
static struct gbm_lanes lanes[MEMBERS];
static uint64_t first_seed, next_group;

static void seed_lanes(struct gbm_lanes *s, uint64_t seed, uint64_t group)
{
	kernel->seed(s, seed, GBM_PURPOSE_PATHS, group);
}

static void single_start(uint64_t seed, uint64_t part)
{
	seed_lanes(lanes, seed, part);
}

static void single_next(uint64_t *w)
{
	uint64_t all[ROW];

	for (size_t i = 0; i < ORDER_WORDS; i++) {
		if (i % GBM_ROWS == 0)
			kernel->words(lanes, all, GBM_ROWS);
		w[i] = all[i % GBM_ROWS * GBM_LANES];
	}
}

static void paths_start(uint64_t seed, uint64_t part)
{
	for (uint64_t g = 0; g < MEMBERS / ROW; g++)
		seed_lanes(lanes + g, seed, part * (MEMBERS / ROW) + g);
}

static void paths_next(uint64_t *w)
{
	for (size_t i = 0; i < ORDER_WORDS; i += ROW)
		kernel->words(lanes + i / ROW % (MEMBERS / ROW), w + i,
			      GBM_ROWS);
}

static void starts_start(uint64_t seed, uint64_t part)
{
	first_seed = seed;
	next_group = part << 32;
}

static void starts_next(uint64_t *w)
{
	for (size_t i = 0; i < ORDER_WORDS; i += ROW) {
		seed_lanes(lanes, first_seed, next_group++);
		kernel->words(lanes, w + i, GBM_ROWS);
	}
}

static void seeds_start(uint64_t seed, uint64_t part)
{
	for (uint64_t k = 0; k < MEMBERS; k++)
		seed_lanes(lanes + k, seed + part * MEMBERS + k, 0);
}

_Static_assert(ORDER_WORDS == MEMBERS * GBM_LANES, "a row of every seed");

static void seeds_next(uint64_t *w)
{
	for (size_t k = 0; k < MEMBERS; k++)
		kernel->words(lanes + k, w + k * GBM_LANES, 1);
}

static void thirds_next(uint64_t *w)
{
	for (size_t i = 0; i < ORDER_WORDS; i += GBM_LANES) {
		seed_lanes(lanes, first_seed, next_group++);
		memcpy(w + i, lanes->c, sizeof(lanes->c));
	}
}

static const struct order orders[] = {
	{ "single", single_start, single_next },
	{ "paths", paths_start, paths_next },
	{ "starts", starts_start, starts_next },
	{ "seeds", seeds_start, seeds_next },
	{ "thirds", starts_start, thirds_next },
};

const struct order *order_find(const char *name)
{
	kernel = gbm_kernel_select(NULL, NULL);
	for (size_t i = 0; i < sizeof(orders) / sizeof(*orders); i++)
		if (strcmp(orders[i].name, name) == 0)
			return orders + i;
	return NULL;
}
