/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "libgbm/builtin.h"

/* Where the kernels' blocks go. */
struct builtin {
	const struct gbm_plan *plan;
	const struct gbm_functional *f;
	void (*take)(void *user, double *values, size_t n);
	void *user;
	size_t left; /* paths: the last group may be cut */
	int is_paid; /* what the kernel gives needs no payoff any more */
};

static int is_call(const struct gbm_functional *f)
{
	return f->payoff == GBM_CALL || f->payoff == GBM_ASIAN_CALL;
}

static int is_asian(const struct gbm_functional *f)
{
	return f->payoff == GBM_ASIAN_CALL || f->payoff == GBM_ASIAN_PUT;
}

static void take_block(void *user, double *values, size_t n)
{
	struct builtin *b = user;

	if (n > b->left)
		n = b->left;
	b->left -= n;
	if (!b->is_paid)
		b->plan->kernel->payoff(values, n, is_call(b->f) ? 1 : -1,
					b->f->strike, b->plan->discount);
	b->take(b->user, values, n);
}

void gbm_builtin_run(const struct gbm_plan *plan,
		     const struct gbm_functional *f, uint64_t first, size_t n,
		     void (*take)(void *user, double *values, size_t n),
		     void *user)
{
	const struct gbm_kernel *kernel = plan->kernel;
	double scale = is_call(f) ? plan->discount : -plan->discount;
	struct builtin b = { plan, f, take, user, n, !is_asian(f) };
	const struct gbm_take blocks = { take_block, &b,
					 scale * plan->dynamics.spot,
					 -scale * f->strike };
	uint64_t groups = (n + GBM_GROUP_PATHS - 1) / GBM_GROUP_PATHS;

	first /= GBM_GROUP_PATHS;
	if (is_asian(f)) {
		kernel->average(&plan->dynamics, first, groups, NULL, &blocks);
	} else if (f->payoff == GBM_TERMINAL ||
		   !kernel->value(&plan->dynamics, first, groups, &blocks)) {
		b.is_paid = f->payoff == GBM_TERMINAL;
		kernel->terminal(&plan->dynamics, first, groups, NULL, &blocks);
	}
}
