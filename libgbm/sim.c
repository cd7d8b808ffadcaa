/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Running a plan: items of whole blocks, shared out to threads. */
#include <stdlib.h>
#include <string.h>

#include "libgbm/builtin.h"
#include "libgbm/plan.h"
#include "libgbm/share.h"
#include "libgbm/stats.h"
#include "libgbm/summary.h"

/* What a thread works with. */
struct worker {
	double *paths; /* rectangle of prices, for a callback */
	/* Of one item, a row for each functional, or one for all in turn. */
	double *values;
	struct gbm_summary *summary;
};

/* What the threads of a run share. */
struct run {
	const struct gbm_plan *plan;
	struct worker *workers;
	struct gbm_fan *fan; /* NULL: not collected */
};

/* Where the values of a built-in functional go. */
struct values {
	const struct gbm_kernel *kernel;
	struct gbm_tally *tally;
	double *row; /* where they are kept; NULL: nowhere */
};

static void take_values(void *user, double *values, size_t n)
{
	struct values *v = user;

	gbm_tally_add(v->tally, v->kernel, values, n);
	if (v->row) {
		memcpy(v->row, values, n * sizeof(*values));
		v->row += n;
	}
}

/* The callback's values of n paths to row; returns its code. */
static int run_callback(const struct gbm_plan *plan,
			const struct gbm_functional *f, uint64_t first,
			uint64_t n, double *paths, double *row)
{
	struct gbm_block block = {
		.values = paths,
		.n_times = (size_t)(plan->dynamics.steps + 1),
		.stride = (size_t)plan->chunk.stride,
	};
	int code;

	for (uint64_t i = 0; i < n; i += plan->chunk.paths) {
		uint64_t m =
			n - i < plan->chunk.paths ? n - i : plan->chunk.paths;

		gbm_plan_paths(plan, first + i, m, paths, block.stride);
		block.first_path = first + i;
		block.n_paths = (size_t)m;
		code = f->fn(&block, f->user, row + i);
		if (code)
			return code;
	}
	return 0;
}

/* Paths of the block from i on, of n. */
static size_t block_of(uint64_t i, uint64_t n)
{
	return n - i < GBM_BLOCK_PATHS ? (size_t)(n - i) : GBM_BLOCK_PATHS;
}

/* One item: n paths from first on, whole blocks but for the plan's end. */
static int run_item(const struct gbm_plan *plan, uint64_t first, uint64_t n,
		    struct worker *w)
{
	struct gbm_summary *s = w->summary;
	size_t stride = s->joint ? (size_t)plan->chunk.item : 0;

	for (size_t k = 0; k < s->n_functionals; k++) {
		const struct gbm_functional *f = gbm_plan_functional(plan, k);
		double *row = w->values ? w->values + k * stride : NULL;
		int code;

		if (!f->fn) {
			struct values v = { plan->kernel, s->tally + k,
					    s->joint ? row : NULL };

			gbm_builtin_run(plan, f, first, (size_t)n, take_values,
					&v);
			continue;
		}
		code = run_callback(plan, f, first, n, w->paths, row);
		if (code)
			return code;
		for (uint64_t i = 0; i < n; i += GBM_BLOCK_PATHS)
			gbm_tally_add(s->tally + k, plan->kernel, row + i,
				      block_of(i, n));
	}
	for (uint64_t i = 0; s->joint && i < n; i += GBM_BLOCK_PATHS)
		gbm_joint_add(s->joint, w->values + i, stride, block_of(i, n));
	return 0;
}

/* The same item's prices. */
static void add_prices(const struct gbm_plan *plan, struct gbm_fan *fan,
		       uint64_t first, uint64_t n, unsigned thread,
		       double *paths)
{
	uint64_t begin = thread * (plan->dynamics.steps / plan->threads);
	size_t stride = (size_t)plan->chunk.stride;

	for (uint64_t i = 0; i < n; i += plan->chunk.paths) {
		uint64_t m =
			n - i < plan->chunk.paths ? n - i : plan->chunk.paths;

		gbm_plan_paths(plan, first + i, m, paths, stride);
		gbm_fan_add(fan, paths, stride, (size_t)m, begin);
	}
}

static int run_share(void *user, unsigned thread, uint64_t first, uint64_t n)
{
	struct run *r = user;

	int code = run_item(r->plan, first, n, r->workers + thread);

	if (!code && r->fan)
		add_prices(r->plan, r->fan, first, n, thread,
			   r->workers[thread].paths);
	return code;
}

static void free_workers(struct worker *workers, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		gbm_summary_destroy(&workers[i].summary);
		free(workers[i].paths);
		free(workers[i].values);
	}
	free(workers);
}

static int make_worker(const struct gbm_plan *plan,
		       const struct gbm_summary *summary, struct worker *w)
{
	unsigned collect = summary ? summary->collect : 0;
	size_t rows = gbm_plan_rows(plan, collect);
	int with_paths = gbm_plan_needs_paths(plan);

	w->summary =
		summary ? gbm_summary_like(summary) : gbm_summary_make(0, 1);
	if (rows)
		w->values = gbm_plan_alloc(rows * plan->chunk.item *
					   sizeof(double));
	if (with_paths)
		w->paths = gbm_plan_alloc(plan->chunk.bytes);
	return w->summary && (!rows || w->values) && (!with_paths || w->paths);
}

/* Allocated here so that a failure is one, and touched by their threads. */
static struct worker *make_workers(const struct gbm_plan *plan,
				   const struct gbm_summary *summary,
				   unsigned n)
{
	struct worker *workers = calloc(n, sizeof(*workers));

	for (unsigned i = 0; workers && i < n; i++)
		if (!make_worker(plan, summary, workers + i)) {
			free_workers(workers, n);
			return NULL;
		}
	return workers;
}

/* Lets the plan's first block say where values are. */
static int find_centers(const struct gbm_plan *plan,
			struct gbm_summary *summary)
{
	uint64_t n = plan->n_paths < GBM_BLOCK_PATHS ? plan->n_paths
						     : GBM_BLOCK_PATHS;
	struct worker *w = make_workers(plan, summary, 1);
	int code;

	if (!w)
		return GBM_ENOMEM;
	code = run_item(plan, 0, n, w);
	for (size_t k = 0; !code && k < summary->n_functionals; k++)
		gbm_joint_center(summary->joint, k,
				 w->values + k * plan->chunk.item, (size_t)n);
	free_workers(w, 1);
	return code ? GBM_ECANCELED : GBM_OK;
}

int gbm_summary_create(struct gbm_summary **summary,
		       const struct gbm_plan *plan)
{
	int status = GBM_OK;

	if (!summary)
		return GBM_EINVAL;
	*summary = NULL;
	if (!plan || !plan->has_functional)
		return GBM_EINVAL;
	*summary = gbm_summary_make(plan->collect, 1 + plan->n_others);
	if (!*summary)
		return GBM_ENOMEM;
	if (plan->collect & GBM_COLLECT_FAN) {
		(*summary)->fan = gbm_fan_make(&plan->dynamics);
		if (!(*summary)->fan)
			status = GBM_ENOMEM;
	}
	if (status == GBM_OK && (*summary)->joint)
		status = find_centers(plan, *summary);
	if (status != GBM_OK)
		gbm_summary_destroy(summary);
	return status;
}

/* Into the summary or, when that is NULL, the statistics. */
static int run_share_of(const struct gbm_plan *plan, struct gbm_share *share,
			struct gbm_summary *summary, struct gbm_stats *stats,
			int *user_code)
{
	struct run r = { .plan = plan };
	unsigned threads;
	int status, code;

	share->fn = run_share;
	share->user = &r;
	share->item = plan->chunk.item;
	threads = gbm_share_threads(share);
	r.workers = make_workers(plan, summary, threads);
	if (!r.workers)
		return GBM_ENOMEM;
	if (summary && summary->fan) {
		r.fan = gbm_fan_like(summary->fan);
		if (!r.fan) {
			free_workers(r.workers, threads);
			return GBM_ENOMEM;
		}
	}
	status = gbm_share_run(share, &code);
	for (unsigned i = 0; i < threads && status == GBM_OK; i++)
		if (summary)
			gbm_summary_take(summary, r.workers[i].summary);
		else
			gbm_stats_merge(stats,
					&r.workers[i].summary->tally[0].stats);
	if (status == GBM_OK && r.fan)
		gbm_fan_merge(summary->fan, r.fan);
	free(r.fan);
	free_workers(r.workers, threads);
	if (user_code)
		*user_code = code;
	return status;
}

static int run_range(const struct gbm_plan *plan, uint64_t first_path,
		     uint64_t n_paths, struct gbm_summary *summary,
		     struct gbm_stats *stats, int *user_code)
{
	struct gbm_share share = { .plan = plan,
				   .first = first_path,
				   .n = n_paths };

	if (user_code)
		*user_code = 0;
	if (!plan || !plan->has_functional || first_path > plan->n_paths ||
	    n_paths > plan->n_paths - first_path ||
	    first_path % GBM_BLOCK_PATHS ||
	    (n_paths % GBM_BLOCK_PATHS && first_path + n_paths < plan->n_paths))
		return GBM_EINVAL;
	if (!n_paths)
		return GBM_OK;
	return run_share_of(plan, &share, summary, stats, user_code);
}

/* A summary that runs of the plan can be added to. */
static int suits(const struct gbm_plan *plan, const struct gbm_summary *summary)
{
	return summary->collect == plan->collect &&
	       summary->n_functionals == 1 + plan->n_others;
}

int gbm_run_range(const struct gbm_plan *plan, uint64_t first_path,
		  uint64_t n_paths, struct gbm_stats *stats, int *user_code)
{
	if (!stats)
		return GBM_EINVAL;
	return run_range(plan, first_path, n_paths, NULL, stats, user_code);
}

int gbm_run_summary(const struct gbm_plan *plan, uint64_t first_path,
		    uint64_t n_paths, struct gbm_summary *summary,
		    int *user_code)
{
	if (!plan || !summary || !suits(plan, summary))
		return GBM_EINVAL;
	return run_range(plan, first_path, n_paths, summary, NULL, user_code);
}

int gbm_run_fed(const struct gbm_plan *plan, const struct gbm_feed *feed,
		struct gbm_summary *summary, struct gbm_stats *stats,
		int *user_code)
{
	struct gbm_share share = { .plan = plan, .feed = feed };

	if (user_code)
		*user_code = 0;
	if (!plan || !plan->has_functional || !feed ||
	    feed->size != sizeof(*feed) || !feed->next || !summary == !stats ||
	    (summary && !suits(plan, summary)))
		return GBM_EINVAL;
	share.n = plan->n_paths;
	return run_share_of(plan, &share, summary, stats, user_code);
}

int gbm_run(const struct gbm_plan *plan, struct gbm_result *result)
{
	struct gbm_stats *stats;
	int status, code;

	if (!plan || !result || result->size != sizeof(*result))
		return GBM_EINVAL;
	status = gbm_stats_create(&stats);
	if (status)
		return status;
	status = gbm_run_range(plan, 0, plan->n_paths, stats, &code);
	if (!status)
		status = gbm_stats_result(stats, result);
	if (status == GBM_ECANCELED)
		result->user_code = code;
	gbm_stats_destroy(&stats);
	return status;
}
