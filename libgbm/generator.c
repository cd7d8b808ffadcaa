/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Generators for callers: one group of lanes, its words handed out row by row.
 */
#include <stdlib.h>
#include <string.h>

#include <gbm-mc/gbm.h>

#include "libgbm/isa.h"

_Static_assert(GBM_RNG_LANES == GBM_LANES, "the public lanes are the kernels'");

static struct gbm_lanes load(const struct gbm_rng *rng)
{
	struct gbm_lanes s;

	memcpy(s.a, rng->a, sizeof(s.a));
	memcpy(s.b, rng->b, sizeof(s.b));
	memcpy(s.c, rng->c, sizeof(s.c));
	s.counter = rng->counter;
	return s;
}

static void save(struct gbm_rng *rng, const struct gbm_lanes *s)
{
	memcpy(rng->a, s->a, sizeof(s->a));
	memcpy(rng->b, s->b, sizeof(s->b));
	memcpy(rng->c, s->c, sizeof(s->c));
	rng->counter = s->counter;
}

/* The one that gbm_rng_init() chose; a copy may have come to another CPU. */
static const struct gbm_kernel *kernel(const struct gbm_rng *rng)
{
	const struct gbm_kernel *k = NULL;

	if (rng->isa)
		k = gbm_kernel_available(rng->isa - 1);
	return k ? k : gbm_kernel_select(NULL, NULL);
}

/* What kernel() understands: 0 for the fastest, or 1 + its number. */
static uint32_t isa_of(const struct gbm_kernel *k)
{
	uint32_t i = 0;

	if (!k)
		return 0;
	while (gbm_kernel_available(i) != k)
		i++;
	return i + 1;
}

int gbm_rng_init(struct gbm_rng *rng, uint64_t seed, uint64_t stream)
{
	const char *name = getenv("GBM_ISA");
	const struct gbm_kernel *k = gbm_kernel_select(name, NULL);
	struct gbm_lanes s;

	memset(rng, 0, sizeof(*rng));
	rng->isa = name && *name ? isa_of(k) : 0;
	rng->next = GBM_LANES;
	kernel(rng)->seed(&s, seed, GBM_PURPOSE_USER, stream);
	save(rng, &s);
	return k ? GBM_OK : GBM_EISA;
}

/* The next row of words, to be handed out. */
static void draw(struct gbm_rng *rng)
{
	struct gbm_lanes s = load(rng);

	kernel(rng)->words(&s, rng->word, 1);
	save(rng, &s);
	rng->next = 0;
}

uint64_t gbm_rng_u64(struct gbm_rng *rng)
{
	if (rng->next == GBM_LANES)
		draw(rng);
	return rng->word[rng->next++];
}

double gbm_rng_uniform(struct gbm_rng *rng)
{
	return (double)(gbm_rng_u64(rng) >> 11) * 0x1p-53;
}

double gbm_rng_normal(struct gbm_rng *rng)
{
	uint64_t w[GBM_LANES] = { gbm_rng_u64(rng) };
	double z[GBM_LANES];

	kernel(rng)->normals(w, z, GBM_LANES);
	return z[0];
}

/* At most n normals of the words that are drawn; returns how many. */
static size_t hand_out_normals(struct gbm_rng *rng, double *out, size_t n)
{
	double z[GBM_LANES];
	size_t left = GBM_LANES - rng->next;

	n = n < left ? n : left;
	if (!n)
		return 0;
	/* All at once, since one alone costs as much. */
	kernel(rng)->normals(rng->word, z, GBM_LANES);
	memcpy(out, z + rng->next, n * sizeof(*out));
	rng->next += (uint32_t)n;
	return n;
}

void gbm_rng_fill_normal(struct gbm_rng *rng, double *out, size_t n)
{
	size_t first = hand_out_normals(rng, out, n), rows;
	struct gbm_lanes s;

	out += first;
	n -= first;
	rows = n / GBM_LANES;
	if (rows) {
		s = load(rng);
		kernel(rng)->fill(&s, out, rows);
		save(rng, &s);
		out += rows * GBM_LANES;
		n -= rows * GBM_LANES;
	}
	if (n) {
		draw(rng);
		hand_out_normals(rng, out, n);
	}
}
