/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Iterating over the paths of a plan, one chunk at a time. */
#include <stdlib.h>

#include "libgbm/plan.h"

struct gbm_stream {
	const struct gbm_plan *plan;
	uint64_t next, end;
	double *values;
};

int gbm_stream_open(struct gbm_stream **stream, const struct gbm_plan *plan,
		    uint64_t first_path, uint64_t n_paths)
{
	struct gbm_stream *s;

	if (!stream)
		return GBM_EINVAL;
	*stream = NULL;
	if (!plan || first_path > plan->n_paths ||
	    n_paths > plan->n_paths - first_path)
		return GBM_EINVAL;
	if (!plan->stream_chunk.paths)
		return GBM_ENOMEM;
	s = malloc(sizeof(*s));
	if (!s)
		return GBM_ENOMEM;
	s->plan = plan;
	s->next = first_path;
	s->end = first_path + n_paths;
	s->values = gbm_plan_alloc(plan->stream_chunk.bytes);
	if (!s->values) {
		free(s);
		return GBM_ENOMEM;
	}
	*stream = s;
	return GBM_OK;
}

int gbm_stream_next(struct gbm_stream *s, struct gbm_block *block)
{
	const struct gbm_plan *plan;
	uint64_t first, end, skip;

	if (!s || !block)
		return GBM_EINVAL;
	if (s->next == s->end)
		return 0;
	plan = s->plan;
	/* Chunks end at multiples of their size: groups stay in one piece. */
	end = (s->next / plan->stream_chunk.paths + 1) *
	      plan->stream_chunk.paths;
	if (end > s->end)
		end = s->end;
	first = s->next;
	skip = first % GBM_LANES;
	gbm_plan_paths(plan, first - skip, end - first + skip, s->values,
		       plan->stream_chunk.stride);
	block->values = s->values + skip;
	block->first_path = first;
	block->n_paths = (size_t)(end - first);
	block->n_times = (size_t)(plan->dynamics.steps + 1);
	block->stride = (size_t)plan->stream_chunk.stride;
	s->next = end;
	return 1;
}

void gbm_stream_close(struct gbm_stream **stream)
{
	if (!stream || !*stream)
		return;
	free((*stream)->values);
	free(*stream);
	*stream = NULL;
}
