/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Running a plan: items of whole blocks, shared out to threads. */
#include <stdlib.h>

#include "libgbm/plan.h"
#include "libgbm/share.h"
#include "libgbm/stats.h"
#include "libgbm/summary.h"

/* What a thread works with. */
struct worker {
	double *paths;	/* rectangle of prices, for a callback */
	double *values; /* the callback's of one item */
	struct gbm_summary *summary;
};

/* What the threads of a run share. */
struct run {
	const struct gbm_plan *plan;
	struct worker *workers;
};

static int is_call(const struct gbm_functional *f)
{
	return f->payoff == GBM_CALL || f->payoff == GBM_ASIAN_CALL;
}

static int is_asian(const struct gbm_functional *f)
{
	return f->payoff == GBM_ASIAN_CALL || f->payoff == GBM_ASIAN_PUT;
}

/* Where the kernels' blocks of an item go. */
struct builtin {
	const struct gbm_plan *plan;
	struct gbm_tally *tally;
	size_t left; /* paths of the item: its last group may be cut */
	int is_paid; /* what the kernel gives needs no payoff any more */
};

static void take_block(void *user, double *values, size_t n)
{
	struct builtin *b = user;
	const struct gbm_plan *plan = b->plan;
	const struct gbm_functional *f = &plan->functional;

	if (n > b->left)
		n = b->left;
	b->left -= n;
	if (!b->is_paid)
		plan->kernel->payoff(values, n, is_call(f) ? 1 : -1, f->strike,
				     plan->discount);
	gbm_tally_add(b->tally, plan->kernel, values, n);
}

/* The built-in functional of the n paths from first on. */
static void run_builtin(const struct gbm_plan *plan, uint64_t first, size_t n,
			struct worker *w)
{
	const struct gbm_kernel *kernel = plan->kernel;
	const struct gbm_functional *f = &plan->functional;
	double scale = is_call(f) ? plan->discount : -plan->discount;
	struct builtin b = { plan, &w->summary->tally, n, f->payoff == GBM_TERMINAL };
	struct gbm_take take = { take_block, &b, scale * plan->dynamics.spot,
				 -scale * f->strike };
	uint64_t groups = (n + GBM_GROUP_PATHS - 1) / GBM_GROUP_PATHS;

	first /= GBM_GROUP_PATHS;
	if (is_asian(f)) {
		kernel->average(&plan->dynamics, first, groups, NULL, &take);
		return;
	}
	if (!b.is_paid) {
		b.is_paid = 1;
		if (kernel->value(&plan->dynamics, first, groups, &take))
			return;
		b.is_paid = 0;
	}
	kernel->terminal(&plan->dynamics, first, groups, NULL, &take);
}

/* The callback's values of n paths; returns its code. */
static int run_callback(const struct gbm_plan *plan, uint64_t first, uint64_t n,
			struct worker *w)
{
	const struct gbm_functional *f = &plan->functional;
	struct gbm_block block = {
		.values = w->paths,
		.n_times = (size_t)(plan->dynamics.steps + 1),
		.stride = (size_t)plan->chunk.stride,
	};
	int code;

	for (uint64_t i = 0; i < n; i += plan->chunk.paths) {
		uint64_t m =
			n - i < plan->chunk.paths ? n - i : plan->chunk.paths;

		gbm_plan_paths(plan, first + i, m, w->paths, block.stride);
		block.first_path = first + i;
		block.n_paths = (size_t)m;
		code = f->fn(&block, f->user, w->values + i);
		if (code)
			return code;
	}
	return 0;
}

/* One item: n paths from first on, whole blocks but for the plan's end. */
static int run_item(const struct gbm_plan *plan, uint64_t first, uint64_t n,
		    struct worker *w)
{
	int code;

	if (!plan->functional.fn) {
		run_builtin(plan, first, (size_t)n, w);
		return 0;
	}
	code = run_callback(plan, first, n, w);
	if (code)
		return code;
	for (uint64_t i = 0; i < n; i += GBM_BLOCK_PATHS)
		gbm_tally_add(&w->summary->tally, plan->kernel, w->values + i,
			      n - i < GBM_BLOCK_PATHS ? (size_t)(n - i)
						      : GBM_BLOCK_PATHS);
	return 0;
}

static int run_share(void *user, unsigned thread, uint64_t first, uint64_t n)
{
	struct run *r = user;

	return run_item(r->plan, first, n, r->workers + thread);
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

/* Allocated here so that a failure is one, and touched by their threads. */
static struct worker *make_workers(const struct gbm_plan *plan,
				   unsigned collect, unsigned n)
{
	struct worker *workers = calloc(n, sizeof(*workers));

	if (!workers)
		return NULL;
	for (unsigned i = 0; i < n; i++) {
		struct worker *w = workers + i;

		w->summary = gbm_summary_make(collect);
		if (plan->functional.fn) {
			w->values = gbm_plan_alloc(plan->chunk.item *
						   sizeof(double));
			w->paths = gbm_plan_alloc(plan->chunk.bytes);
		}
		if (!w->summary ||
		    (plan->functional.fn && (!w->values || !w->paths))) {
			free_workers(workers, n);
			return NULL;
		}
	}
	return workers;
}

/* Into the summary or, when that is NULL, the statistics. */
static int run_range(const struct gbm_plan *plan, uint64_t first_path,
		     uint64_t n_paths, struct gbm_summary *summary,
		     struct gbm_stats *stats, int *user_code)
{
	struct run r = { .plan = plan };
	struct gbm_share share = {
		plan, first_path, n_paths, 0, run_share, &r
	};
	unsigned threads;
	int status, code;

	if (user_code)
		*user_code = 0;
	if (!plan || !plan->has_functional || first_path > plan->n_paths ||
	    n_paths > plan->n_paths - first_path ||
	    first_path % GBM_BLOCK_PATHS ||
	    (n_paths % GBM_BLOCK_PATHS && first_path + n_paths < plan->n_paths))
		return GBM_EINVAL;
	if (!n_paths)
		return GBM_OK;
	share.item = plan->chunk.item;
	threads = gbm_share_threads(&share);
	r.workers = make_workers(plan, summary ? summary->collect : 0, threads);
	if (!r.workers)
		return GBM_ENOMEM;
	status = gbm_share_run(&share, &code);
	for (unsigned i = 0; i < threads && status == GBM_OK; i++)
		if (summary)
			gbm_summary_merge(summary, r.workers[i].summary);
		else
			gbm_stats_merge(stats,
					&r.workers[i].summary->tally.stats);
	free_workers(r.workers, threads);
	if (user_code)
		*user_code = code;
	return status;
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
	if (!plan || !summary || summary->collect != plan->collect)
		return GBM_EINVAL;
	return run_range(plan, first_path, n_paths, summary, NULL, user_code);
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
