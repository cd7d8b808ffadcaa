/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runs that end when something is reached. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <time.h>

#include <gbm-mc/run.h>

#include "libgbm/plan.h"

/* The 97.5 % quantile of the normal distribution. */
#define Z95 1.959963984540054

/*
 * Blocks after which a tolerance is first looked at, as an error of so many
 * paths says something; up to where they double; and what share of them comes
 * on top each time from there on.
 */
#define FIRST_CHECK  64
#define DOUBLE_BELOW 512
#define CHECK_EVERY  8

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

uint64_t gbm_goal_check(uint64_t n_done)
{
	uint64_t blocks = FIRST_CHECK;

	while (blocks * GBM_BLOCK_PATHS <= n_done)
		blocks += blocks < DOUBLE_BELOW ? blocks : blocks / CHECK_EVERY;
	return blocks * GBM_BLOCK_PATHS;
}

int gbm_goal_met(const struct gbm_goal *goal, const struct gbm_plan *plan,
		 const struct gbm_stats *stats)
{
	struct gbm_result r = GBM_RESULT_INIT;
	double half;

	if (!goal || !plan || !stats ||
	    !(goal->tolerance > 0 || goal->abs_tolerance > 0) ||
	    gbm_stats_result(stats, &r) != GBM_OK || !isfinite(r.std_error))
		return 0;
	if (r.min == r.max && plan->model.vol > 0 && plan->model.horizon > 0)
		return 0;
	half = Z95 * r.std_error;
	return half <=
	       fmax(goal->abs_tolerance, goal->tolerance * fabs(r.mean));
}

static int is_goal(const struct gbm_goal *g)
{
	return g && g->size == sizeof(*g) && isfinite(g->tolerance) &&
	       isfinite(g->abs_tolerance) && isfinite(g->seconds) &&
	       g->tolerance >= 0 && g->abs_tolerance >= 0 && g->seconds >= 0 &&
	       g->paths % GBM_BLOCK_PATHS == 0;
}

/* Gives all paths up to an end to this process, unless it is to pause. */
struct source {
	const struct gbm_goal *goal;
	uint64_t next, end;
	double deadline;
	int closed;
	enum gbm_why why; /* if it is */
};

static int next(void *user, uint64_t want, uint64_t least, uint64_t *first,
		uint64_t *n)
{
	struct source *s = user;
	const struct gbm_goal *goal = s->goal;

	(void)least;
	if (!s->closed && goal->seconds > 0 && now() >= s->deadline) {
		s->closed = 1;
		s->why = GBM_WHY_SECONDS;
	}
	if (!s->closed && goal->pause && goal->pause(goal->pause_user)) {
		s->closed = 1;
		s->why = GBM_WHY_PAUSE;
	}
	if (!want)
		return GBM_FEED_WAIT;
	if (s->closed || s->next == s->end)
		return GBM_FEED_END;
	*first = s->next;
	*n = want < s->end - s->next ? want : s->end - s->next;
	s->next += *n;
	return GBM_FEED_RANGE;
}

static int all_met(const struct gbm_goal *goal, const struct gbm_plan *plan,
		   struct gbm_summary *summary)
{
	for (size_t k = 0; k <= plan->n_others; k++)
		if (!gbm_goal_met(goal, plan, gbm_summary_stats(summary, k)))
			return 0;
	return 1;
}

int gbm_run_until(const struct gbm_plan *plan, const struct gbm_goal *goal,
		  struct gbm_summary *summary, uint64_t *n_done,
		  struct gbm_ending *ending)
{
	struct source source = { .goal = goal };
	const struct gbm_feed feed = { sizeof(feed), next, &source };
	struct gbm_ending e = GBM_ENDING_INIT;
	uint64_t start, last;
	int status = GBM_OK, has_tolerance;

	if (!plan || !is_goal(goal) || !summary || !n_done ||
	    (ending && ending->size != sizeof(*ending)) ||
	    *n_done > plan->n_paths ||
	    (*n_done % GBM_BLOCK_PATHS && *n_done != plan->n_paths))
		return GBM_EINVAL;
	start = source.next = *n_done;
	source.deadline = now() + goal->seconds;
	last = goal->paths && goal->paths < plan->n_paths ? goal->paths
							  : plan->n_paths;
	has_tolerance = goal->tolerance > 0 || goal->abs_tolerance > 0;
	for (;;) {
		/* Also after what an earlier run has done. */
		if (has_tolerance &&
		    (source.next == plan->n_paths ||
		     (source.next &&
		      gbm_goal_check(source.next - 1) == source.next)))
			e.met = all_met(goal, plan, summary);
		if (e.met || source.next >= last || source.closed)
			break;
		source.end = has_tolerance ? gbm_goal_check(source.next) : last;
		if (source.end > last)
			source.end = last;
		status = gbm_run_fed(plan, &feed, summary, NULL, &e.user_code);
		if (status != GBM_OK)
			break;
	}
	e.why = e.met		      ? GBM_WHY_TOLERANCE
		: source.next >= last ? GBM_WHY_PATHS
				      : source.why;
	*n_done = source.next;
	e.n_own = source.next - start;
	if (ending)
		*ending = e;
	return status;
}
