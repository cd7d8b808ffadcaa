/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a run collects, as a whole and as parts. */
#include <stdlib.h>
#include <string.h>

#include "libgbm/sketch.h"
#include "libgbm/summary.h"

static size_t size_of(size_t n_functionals)
{
	return sizeof(struct gbm_summary) +
	       n_functionals * sizeof(struct gbm_tally);
}

uint64_t gbm_summary_bytes(unsigned collect, size_t n_functionals)
{
	uint64_t bytes = size_of(n_functionals);

	if (collect & GBM_COLLECT_SKETCH)
		bytes += n_functionals *
			 gbm_sketch_size(GBM_SKETCH_OCTAVES, GBM_SKETCH_SIGNS);
	if (collect & GBM_COLLECT_MOMENTS)
		bytes += gbm_joint_size(n_functionals);
	return bytes;
}

struct gbm_summary *gbm_summary_make(unsigned collect, size_t n_functionals)
{
	struct gbm_summary *s = calloc(1, size_of(n_functionals));
	int status = GBM_OK;

	if (!s)
		return NULL;
	s->collect = collect;
	s->n_functionals = n_functionals;
	for (size_t i = 0; i < n_functionals; i++) {
		gbm_stats_zero(&s->tally[i].stats);
		if (collect & GBM_COLLECT_SKETCH && status == GBM_OK)
			status = gbm_sketch_create(&s->tally[i].sketch);
	}
	if (collect & GBM_COLLECT_MOMENTS) {
		s->joint = malloc(gbm_joint_size(n_functionals));
		if (s->joint)
			gbm_joint_zero(s->joint, n_functionals);
		else
			status = GBM_ENOMEM;
	}
	if (status != GBM_OK)
		gbm_summary_destroy(&s);
	return s;
}

struct gbm_summary *gbm_summary_like(const struct gbm_summary *summary)
{
	struct gbm_summary *s = gbm_summary_make(
		summary->collect & ~GBM_COLLECT_FAN, summary->n_functionals);

	if (s && s->joint) {
		memcpy(s->joint->center, summary->joint->center,
		       sizeof(s->joint->center));
		memcpy(s->joint->scale, summary->joint->scale,
		       sizeof(s->joint->scale));
	}
	return s;
}

void gbm_summary_destroy(struct gbm_summary **summary)
{
	struct gbm_summary *s = summary ? *summary : NULL;

	if (!s)
		return;
	for (size_t i = 0; i < s->n_functionals; i++)
		gbm_sketch_destroy(&s->tally[i].sketch);
	free(s->joint);
	free(s->fan);
	free(s);
	*summary = NULL;
}

void gbm_summary_clear(struct gbm_summary *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n_functionals; i++) {
		gbm_stats_zero(&s->tally[i].stats);
		if (s->tally[i].sketch)
			gbm_sketch_init(s->tally[i].sketch, GBM_SKETCH_OCTAVES,
					GBM_SKETCH_SIGNS);
	}
	if (s->joint)
		gbm_joint_clear(s->joint);
	if (s->fan)
		gbm_fan_clear(s->fan);
}

void gbm_tally_add(struct gbm_tally *tally, const struct gbm_kernel *kernel,
		   const double *values, size_t n)
{
	gbm_stats_add_block(&tally->stats, kernel, values, n);
	if (tally->sketch)
		gbm_sketch_add(tally->sketch, values, n);
}

struct gbm_stats *gbm_summary_stats(struct gbm_summary *s, size_t functional)
{
	return s && functional < s->n_functionals ? &s->tally[functional].stats
						  : NULL;
}

struct gbm_sketch *gbm_summary_sketch(struct gbm_summary *s, size_t functional)
{
	return s && functional < s->n_functionals ? s->tally[functional].sketch
						  : NULL;
}

int gbm_summary_shape(const struct gbm_summary *s, size_t functional,
		      struct gbm_shape *shape)
{
	if (!s || !s->joint || functional >= s->n_functionals || !shape ||
	    shape->size != sizeof(*shape))
		return GBM_EINVAL;
	*shape = (struct gbm_shape)GBM_SHAPE_INIT;
	shape->n = s->joint->n;
	gbm_joint_shape(s->joint, functional, shape);
	return GBM_OK;
}

int gbm_summary_covariance(const struct gbm_summary *s, size_t i, size_t j,
			   struct gbm_covariance *covariance)
{
	if (!s || !s->joint || i >= s->n_functionals || j >= s->n_functionals ||
	    !covariance || covariance->size != sizeof(*covariance))
		return GBM_EINVAL;
	*covariance = (struct gbm_covariance)GBM_COVARIANCE_INIT;
	covariance->n = s->joint->n;
	gbm_joint_covariance(s->joint, i, j, covariance);
	return GBM_OK;
}

struct gbm_sketch *gbm_summary_fan(struct gbm_summary *s, uint64_t step)
{
	return s && s->fan ? gbm_fan_at(s->fan, step) : NULL;
}

int gbm_summary_take(struct gbm_summary *into, const struct gbm_summary *from)
{
	/* First what may find that they are of different plans. */
	if (into->joint && gbm_joint_merge(into->joint, from->joint))
		return GBM_EINVAL;
	for (size_t i = 0; i < into->n_functionals; i++) {
		gbm_stats_merge(&into->tally[i].stats, &from->tally[i].stats);
		if (into->tally[i].sketch)
			gbm_sketch_merge(into->tally[i].sketch,
					 from->tally[i].sketch);
	}
	return GBM_OK;
}

int gbm_summary_merge(struct gbm_summary *into, const struct gbm_summary *from)
{
	if (!into || !from || into->collect != from->collect ||
	    into->n_functionals != from->n_functionals)
		return GBM_EINVAL;
	if (into->fan && !gbm_fan_same(into->fan, from->fan))
		return GBM_EINVAL;
	if (gbm_summary_take(into, from))
		return GBM_EINVAL;
	if (into->fan)
		gbm_fan_merge(into->fan, from->fan);
	return GBM_OK;
}

/* ---- parts: all statistics, all sketches, moments, the fan's steps */

enum kind { STATS, SKETCH, JOINT, FAN, NONE };

/* What a part is, and of which functional. */
static enum kind find(const struct gbm_summary *s, size_t *part)
{
	if (*part < s->n_functionals)
		return STATS;
	*part -= s->n_functionals;
	if (s->collect & GBM_COLLECT_SKETCH) {
		if (*part < s->n_functionals)
			return SKETCH;
		*part -= s->n_functionals;
	}
	if (s->joint && *part == 0)
		return JOINT;
	*part -= s->joint != NULL;
	return s->fan && gbm_fan_at(s->fan, *part + 1) ? FAN : NONE;
}

size_t gbm_summary_packed_size(const struct gbm_summary *s, size_t part)
{
	switch (find(s, &part)) {
	case STATS:
		return gbm_stats_packed_size();
	case SKETCH:
		return gbm_sketch_packed_size(s->tally[part].sketch);
	case JOINT:
		return gbm_joint_packed_size(s->joint);
	case FAN:
		return gbm_sketch_packed_size(gbm_fan_at(s->fan, part + 1));
	default:
		return 0;
	}
}

void gbm_summary_pack(const struct gbm_summary *s, size_t part, void *bytes)
{
	switch (find(s, &part)) {
	case STATS:
		gbm_stats_pack(&s->tally[part].stats, bytes);
		break;
	case SKETCH:
		gbm_sketch_pack(s->tally[part].sketch, bytes);
		break;
	case JOINT:
		gbm_joint_pack(s->joint, bytes);
		break;
	case FAN:
		gbm_sketch_pack(gbm_fan_at(s->fan, part + 1), bytes);
		break;
	default:
		break;
	}
}

int gbm_summary_unpack(struct gbm_summary *s, size_t part, const void *bytes,
		       size_t n)
{
	switch (find(s, &part)) {
	case STATS:
		return gbm_stats_unpack(&s->tally[part].stats, bytes, n);
	case SKETCH:
		return gbm_sketch_unpack(s->tally[part].sketch, bytes, n);
	case JOINT:
		return gbm_joint_unpack(s->joint, bytes, n);
	case FAN:
		return gbm_sketch_unpack(gbm_fan_at(s->fan, part + 1), bytes,
					 n);
	default:
		return GBM_EFORMAT;
	}
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
	return gbm_joint_is_packed(into, n)
		       ? gbm_joint_merge_packed(into, from, n)
		       : gbm_sketch_merge_packed(into, from, n);
}
