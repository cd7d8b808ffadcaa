/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "libgbm/err.h"
#include "libgbm/isa.h"
#include "libgbm/model.h"
#include "libgbm/plan.h"
#include "libgbm/summary.h"
#include "libgbm/topo.h"

#define MAX_PATHS (UINT64_C(1) << 62)

/* More threads than any machine has cores: a mistyped number. */
#define MAX_THREADS 4096

/*
 * The default chunk of plain values: enough that sharing out costs nothing, few
 * enough that threads end together.  Not less for few paths: memory is the
 * same for any number of them.
 */
#define DEFAULT_VALUES (UINT64_C(128) << 10)

/* No item is larger unless the caller chose the chunk. */
#define MOST_ITEM (DEFAULT_VALUES / sizeof(double))

/* Stack and bookkeeping of a thread, beyond its workspace. */
#define THREAD_OVERHEAD (UINT64_C(128) << 10)

static int check_options(const struct gbm_options *o, uint64_t n_paths,
			 struct gbm_error *err)
{
	if (o->size != sizeof(*o))
		return gbm_error_set(err, GBM_EINVAL,
				     "options: set them up with "
				     "GBM_OPTIONS_INIT");
	if (n_paths < 1 || n_paths > MAX_PATHS)
		return gbm_error_set(err, GBM_EINVAL,
				     "n_paths = %llu: must be 1 to 2^62",
				     (unsigned long long)n_paths);
	if (o->threads > MAX_THREADS)
		return gbm_error_set(err, GBM_EINVAL,
				     "threads = %u: must be 1 to %d, or 0 for "
				     "one per core",
				     o->threads, MAX_THREADS);
	if (o->ranks_on_node < 1)
		return gbm_error_set(err, GBM_EINVAL,
				     "ranks_on_node = 0: must be at least 1");
	if (o->n_others > GBM_MAX_FUNCTIONALS - 1)
		return gbm_error_set(err, GBM_EINVAL,
				     "n_others = %zu: must be at most %d",
				     o->n_others, GBM_MAX_FUNCTIONALS - 1);
	if (o->n_others && !o->others)
		return gbm_error_set(err, GBM_EINVAL,
				     "others: must not be NULL when n_others "
				     "is not 0");
	if (o->collect & ~GBM_COLLECT_ALL)
		return gbm_error_set(err, GBM_EINVAL,
				     "collect = %u: must be made of "
				     "GBM_COLLECT_*",
				     o->collect);
	return GBM_OK;
}

static uint64_t largest(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

const struct gbm_functional *gbm_plan_functional(const struct gbm_plan *plan,
						 size_t k)
{
	return k ? plan->others + k - 1 : &plan->functional;
}

int gbm_plan_needs_paths(const struct gbm_plan *plan)
{
	int callbacks = 0;

	for (size_t k = 0; k <= plan->n_others; k++)
		callbacks |= gbm_plan_functional(plan, k)->fn != NULL;
	return !plan->has_functional || callbacks ||
	       plan->collect & GBM_COLLECT_FAN;
}

size_t gbm_plan_rows(const struct gbm_plan *plan, unsigned collect)
{
	/* Moments need all functionals' values of a path at once. */
	if (collect & GBM_COLLECT_MOMENTS)
		return 1 + plan->n_others;
	return plan->has_functional && gbm_plan_needs_paths(plan);
}

static uint64_t summary_bytes(const struct gbm_plan *plan)
{
	return gbm_summary_bytes(plan->collect, 1 + plan->n_others);
}

/* What a thread needs beside its chunk, whose item is that of the rows. */
static uint64_t of_thread(const struct gbm_plan *plan, uint64_t item)
{
	size_t rows = gbm_plan_rows(plan, plan->collect);

	/* One row of values is part of the chunk. */
	return THREAD_OVERHEAD + summary_bytes(plan) +
	       (rows ? rows - 1 + !gbm_plan_needs_paths(plan) : 0) * item *
		       sizeof(double);
}

/*
 * What a process needs beside its threads: a summary, and while it runs another
 * fan.  Ranks that merge theirs hold a part of it twice packed and twice
 * unpacked, but have no threads then.
 */
static uint64_t of_process(const struct gbm_plan *plan)
{
	uint64_t bytes = summary_bytes(plan), fans = 0;

	if (plan->collect & GBM_COLLECT_FAN)
		fans = 2 * gbm_fan_bytes(&plan->dynamics);
	return fans + bytes +
	       (plan->ranks > 1 && plan->threads < 4
			? (4 - plan->threads) * bytes
			: 0);
}

/*
 * Chooses the chunk for plan->threads threads.  Unless the caller set one it
 * is what half a core's cache holds: the other half is for what the caller's
 * functional needs.
 */
static int choose_chunk(const struct gbm_plan *plan, int with_paths,
			uint64_t cache, uint64_t wanted,
			struct gbm_chunk *chunk)
{
	uint64_t left = 0, target = wanted;
	uint64_t times = plan->dynamics.steps + 1;

	if (plan->budget.bytes > plan->budget.resident + of_process(plan))
		left = (plan->budget.bytes - plan->budget.resident -
			of_process(plan)) /
		       plan->threads;
	left = left > of_thread(plan, MOST_ITEM)
		       ? left - of_thread(plan, MOST_ITEM)
		       : 0;
	if (!wanted) {
		target = cache / 2;
		if (!with_paths && target > DEFAULT_VALUES)
			target = DEFAULT_VALUES;
		/* Less than a group of paths wastes its random numbers. */
		if (with_paths)
			target = largest(target, (GBM_GROUP_PATHS + GBM_LANES) *
							 sizeof(double) * times);
	}
	return gbm_chunk_find(plan->dynamics.steps, with_paths, plan->n_paths,
			      target, left, chunk);
}

static int choose_memory(struct gbm_plan *plan, const struct gbm_options *o,
			 struct gbm_error *err)
{
	int with_paths = gbm_plan_needs_paths(plan);
	struct gbm_topo topo;
	int status;

	gbm_topo_read(&topo);
	plan->threads = o->threads ? o->threads : topo.cores;
#ifndef _OPENMP
	plan->threads = 1;
#endif
	for (;; plan->threads = (plan->threads + 1) / 2) {
		status = gbm_budget_find("", o->mem_cap, topo.memory_bytes,
					 o->ranks_on_node, plan->threads,
					 &plan->budget, err);
		if (status)
			return status;
		status = choose_chunk(plan, with_paths, topo.cache_bytes,
				      o->chunk_bytes, &plan->chunk);
		/* Only a number of threads that we chose is ours to lower. */
		if (status != GBM_ENOMEM || plan->threads == 1 || o->threads)
			break;
	}
	if (status == GBM_EINVAL)
		return gbm_error_set(err, status,
				     "steps = %llu: a path has more bytes than "
				     "can be counted; use fewer steps",
				     (unsigned long long)plan->dynamics.steps);
	plan->need = plan->budget.resident + of_process(plan) +
		     plan->threads * (plan->chunk.workspace +
				      of_thread(plan, plan->chunk.item));
	if (status)
		return gbm_error_set(
			err, status,
			"needs %llu bytes (%llu in use, %u threads), but the "
			"budget is %llu bytes by %s: raise that limit, or use "
			"fewer steps or threads",
			(unsigned long long)plan->need,
			(unsigned long long)plan->budget.resident,
			plan->threads, (unsigned long long)plan->budget.bytes,
			plan->budget.source);
	/* Any plan can be streamed, if its paths fit. */
	if (choose_chunk(plan, 1, topo.cache_bytes, o->chunk_bytes,
			 &plan->stream_chunk))
		plan->stream_chunk.paths = 0;
	return GBM_OK;
}

/*
 * exp(-rate T) by the kernels' function: the C library's has other last bits on
 * other systems, and payoffs are multiplied by it.  What is lost by rounding
 * the exponent to a double is put back, to first order.
 */
static double discount_factor(const struct gbm_kernel *kernel,
			      const struct gbm_model *model)
{
	/* log2(e) - GBM_LOG2E */
	const double log2e_rest = 0x1.777d0ffda0d24p-56;
	const double ln2 = 0x1.62e42fefa39efp-1;
	double rt = model->rate * model->horizon, rest;
	double x[GBM_LANES] = { -rt * GBM_LOG2E };

	rest = fma(-rt, GBM_LOG2E, -x[0]) - rt * log2e_rest;
	kernel->exp2(x, x, GBM_LANES);
	return fma(x[0], rest * ln2, x[0]);
}

int gbm_plan_create(struct gbm_plan **plan, const struct gbm_model *model,
		    const struct gbm_functional *functional, uint64_t n_paths,
		    const struct gbm_options *options, struct gbm_error *err)
{
	static const struct gbm_options defaults = GBM_OPTIONS_INIT;
	const struct gbm_options *o = options ? options : &defaults;
	struct gbm_plan *p;
	int status;

	if (!plan)
		return gbm_error_set(err, GBM_EINVAL, "plan: must not be NULL");
	*plan = NULL;
	status = gbm_model_check(model, err);
	if (!status && functional)
		status = gbm_functional_check(functional, err);
	if (!status)
		status = check_options(o, n_paths, err);
	if (!status && o->n_others && !functional)
		status =
			gbm_error_set(err, GBM_EINVAL,
				      "functional: must not be NULL when there "
				      "are others");
	for (size_t i = 0; !status && i < o->n_others; i++)
		status = gbm_functional_check(o->others + i, err);
	if (status)
		return status;

	p = calloc(1, sizeof(*p));
	if (!p)
		return gbm_error_set(err, GBM_ENOMEM,
				     "a plan of %zu bytes could not be "
				     "allocated",
				     sizeof(*p));
	p->model = *model;
	gbm_model_dynamics(model, o->seed, &p->dynamics);
	p->has_functional = functional != NULL;
	if (functional)
		p->functional = *functional;
	p->collect = o->collect;
	p->n_others = o->n_others;
	if (o->n_others)
		memcpy(p->others, o->others, o->n_others * sizeof(*o->others));
	p->n_paths = n_paths;
	p->ranks = o->ranks_on_node;
	p->progress = o->progress;
	p->progress_user = o->progress_user;
	p->kernel = gbm_kernel_select(getenv("GBM_ISA"), err);
	status = p->kernel ? choose_memory(p, o, err) : GBM_EISA;
	if (!status)
		p->discount = discount_factor(p->kernel, model);
	if (status) {
		free(p);
		return status;
	}
	*plan = p;
	return GBM_OK;
}

void gbm_plan_destroy(struct gbm_plan **plan)
{
	if (!plan)
		return;
	free(*plan);
	*plan = NULL;
}

int gbm_plan_info(const struct gbm_plan *plan, struct gbm_plan_info *info)
{
	if (!plan || !info || info->size != sizeof(*info))
		return GBM_EINVAL;
	info->n_paths = plan->n_paths;
	info->steps = plan->dynamics.steps;
	info->seed = plan->dynamics.seed;
	info->threads = plan->threads;
	info->ranks_on_node = plan->ranks;
	info->chunk_paths = plan->chunk.paths;
	info->chunk_bytes = plan->chunk.bytes;
	info->budget_bytes = plan->budget.bytes;
	info->budget_source = plan->budget.source;
	info->need_bytes = plan->need;
	info->isa = plan->kernel->name;
	return GBM_OK;
}

void *gbm_plan_alloc(uint64_t n)
{
	const uint64_t line = 64;

	if (n > PTRDIFF_MAX - line)
		return NULL;
	return aligned_alloc(line, (size_t)((n + line - 1) / line * line));
}

void gbm_plan_paths(const struct gbm_plan *plan, uint64_t first, uint64_t n,
		    double *out, size_t stride)
{
	uint64_t row = first / GBM_LANES;
	uint64_t rows = (n + GBM_LANES - 1) / GBM_LANES;

	while (rows) {
		uint64_t in_group = row % GBM_ROWS;
		uint64_t take = GBM_ROWS - in_group;

		if (take > rows)
			take = rows;
		plan->kernel->paths(&plan->dynamics, row / GBM_ROWS,
				    (size_t)in_group, (size_t)take, out,
				    stride);
		out += take * GBM_LANES;
		row += take;
		rows -= take;
	}
}
