/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a run collects, as a whole and as parts. */
#include <stdlib.h>

#include "libgbm/pack.h"
#include "libgbm/plan.h"
#include "libgbm/sketch.h"
#include "libgbm/summary.h"

uint64_t gbm_summary_bytes(unsigned collect)
{
	return collect & GBM_COLLECT_SKETCH
		       ? gbm_sketch_size(GBM_SKETCH_OCTAVES, GBM_SKETCH_SIGNS)
		       : 0;
}

struct gbm_summary *gbm_summary_make(unsigned collect)
{
	struct gbm_summary *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->collect = collect;
	gbm_stats_zero(&s->tally.stats);
	if (collect & GBM_COLLECT_SKETCH &&
	    gbm_sketch_create(&s->tally.sketch) != GBM_OK)
		gbm_summary_destroy(&s);
	return s;
}

int gbm_summary_create(struct gbm_summary **summary,
		       const struct gbm_plan *plan)
{
	if (!summary)
		return GBM_EINVAL;
	*summary = NULL;
	if (!plan || !plan->has_functional)
		return GBM_EINVAL;
	*summary = gbm_summary_make(plan->collect);
	return *summary ? GBM_OK : GBM_ENOMEM;
}

void gbm_summary_destroy(struct gbm_summary **summary)
{
	if (!summary || !*summary)
		return;
	gbm_sketch_destroy(&(*summary)->tally.sketch);
	free(*summary);
	*summary = NULL;
}

void gbm_tally_add(struct gbm_tally *tally, const struct gbm_kernel *kernel,
		   const double *values, size_t n)
{
	gbm_stats_add_block(&tally->stats, kernel, values, n);
	if (tally->sketch)
		gbm_sketch_add(tally->sketch, values, n);
}

struct gbm_stats *gbm_summary_stats(struct gbm_summary *summary,
				    size_t functional)
{
	return summary && functional == 0 ? &summary->tally.stats : NULL;
}

struct gbm_sketch *gbm_summary_sketch(struct gbm_summary *summary,
				      size_t functional)
{
	return summary && functional == 0 ? summary->tally.sketch : NULL;
}

int gbm_summary_merge(struct gbm_summary *into, const struct gbm_summary *from)
{
	if (!into || !from || into->collect != from->collect)
		return GBM_EINVAL;
	gbm_stats_merge(&into->tally.stats, &from->tally.stats);
	if (into->tally.sketch)
		return gbm_sketch_merge(into->tally.sketch, from->tally.sketch);
	return GBM_OK;
}

/* ---- parts: statistics, then the sketch */

size_t gbm_summary_packed_size(const struct gbm_summary *s, size_t part)
{
	if (part == 0)
		return gbm_stats_packed_size();
	if (part == 1 && s->tally.sketch)
		return gbm_sketch_packed_size(s->tally.sketch);
	return 0;
}

void gbm_summary_pack(const struct gbm_summary *s, size_t part, void *bytes)
{
	if (part == 0)
		gbm_stats_pack(&s->tally.stats, bytes);
	else if (part == 1 && s->tally.sketch)
		gbm_sketch_pack(s->tally.sketch, bytes);
}

int gbm_summary_unpack(struct gbm_summary *s, size_t part, const void *bytes,
		       size_t n)
{
	if (part == 0)
		return gbm_stats_unpack(&s->tally.stats, bytes, n);
	if (part == 1 && s->tally.sketch)
		return gbm_sketch_unpack(s->tally.sketch, bytes, n);
	return GBM_EFORMAT;
}

static int merge_packed_stats(void *into, const void *from, size_t n)
{
	struct gbm_stats a, b;

	if (gbm_stats_unpack(&a, into, n) || gbm_stats_unpack(&b, from, n))
		return GBM_EFORMAT;
	gbm_stats_merge(&a, &b);
	gbm_stats_pack(&a, into);
	return GBM_OK;
}

int gbm_summary_merge_packed(void *into, const void *from, size_t n)
{
	if (!into || !from)
		return GBM_EFORMAT;
	if (n == gbm_stats_packed_size())
		return merge_packed_stats(into, from, n);
	return gbm_sketch_merge_packed(into, from, n);
}
