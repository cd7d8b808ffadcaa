/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Runs that are fed and runs until a goal: the bits of a run in one go, however
 * they are cut.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <gbm-mc/run.h>

#include "tests/unit/check_main.h"
#include "tests/unit/runs.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define BLOCK	      ((uint64_t)GBM_BLOCK_PATHS)

/* Of no whole blocks. */
#define PATHS (70 * BLOCK + 77)

static struct gbm_functional others[1];

static struct gbm_plan *plan_with(struct gbm_functional f, uint64_t n,
				  unsigned threads)
{
	struct gbm_options o = GBM_OPTIONS_INIT;
	struct gbm_model m = GBM_MODEL_INIT;
	struct gbm_error err = { 0 };
	struct gbm_plan *plan;

	m.steps = 2;
	others[0] = f;
	o.threads = threads;
	o.others = others;
	o.n_others = 1;
	o.collect = GBM_COLLECT_SKETCH | GBM_COLLECT_FAN;
	ck_assert_msg(gbm_plan_create(&plan, &m, &f, n, &o, &err) == GBM_OK,
		      "%s", err.text);
	return plan;
}

static struct gbm_plan *plan_of(uint64_t n, unsigned threads)
{
	struct gbm_functional f = GBM_FUNCTIONAL_INIT;

	f.payoff = GBM_CALL;
	return plan_with(f, n, threads);
}

static struct gbm_summary *summary_of(const struct gbm_plan *plan)
{
	struct gbm_summary *s;

	ck_assert_int_eq(gbm_summary_create(&s, plan), GBM_OK);
	return s;
}

static struct gbm_summary *in_one_go(const struct gbm_plan *plan, uint64_t n)
{
	struct gbm_summary *s = summary_of(plan);

	ck_assert_int_eq(gbm_run_summary(plan, 0, n, s, NULL), GBM_OK);
	return s;
}

/* ---- fed */

/* Ranges of a list, with some waiting before each, and then a last word. */
struct list {
	uint64_t ranges[8][2];
	int waits;
	int last;
	int turn, calls, late; /* calls after the last word */
	int eager;	       /* answers also who needs nothing */
};

static int from_list(void *user, uint64_t want, uint64_t least, uint64_t *first,
		     uint64_t *n)
{
	struct list *l = user;

	ck_assert_uint_le(least, want);
	l->late += l->turn < 0;
	if ((!want && !l->eager) || l->turn < 0 || l->calls++ < l->waits)
		return GBM_FEED_WAIT;
	l->calls = 0;
	*first = l->ranges[l->turn][0];
	*n = l->ranges[l->turn][1];
	if (*first == UINT64_MAX) {
		l->turn = -1;
		return l->last;
	}
	l->turn++;
	return GBM_FEED_RANGE;
}

#define END                                                                    \
	{                                                                      \
		UINT64_MAX, 0                                                  \
	}

static int run_fed(const struct gbm_plan *plan, struct list *list,
		   struct gbm_summary *summary, struct gbm_stats *stats,
		   int *code)
{
	const struct gbm_feed feed = { sizeof(feed), from_list, list };

	return gbm_run_fed(plan, &feed, summary, stats, code);
}

/* What the ranges hold, each path once, on any number of threads. */
START_TEST(fed)
{
	struct list lists[] = {
		{ .ranges = { { 0, PATHS }, END } },
		{ .ranges = { { 0, 0 }, { 0, PATHS }, { 0, 0 }, END } },
		{ .ranges = { { 0, 69 * BLOCK },
			      { 69 * BLOCK, BLOCK + 77 },
			      END },
		  .waits = 100 },
		{ .ranges = { { 0, BLOCK },
			      { BLOCK, BLOCK },
			      { 2 * BLOCK, 30 * BLOCK },
			      { 32 * BLOCK, 38 * BLOCK },
			      { 70 * BLOCK, 77 },
			      END },
		  .waits = 1 },
	};
	struct list *l = &lists[_i % 4];
	struct gbm_plan *plan = plan_of(PATHS, _i < 4 ? 1 : 3);
	struct gbm_summary *want = in_one_go(plan, PATHS), *got;
	struct gbm_stats *stats;
	struct list again = *l;
	struct gbm_result r = GBM_RESULT_INIT, of_want = GBM_RESULT_INIT;
	int code = 77;

	l->last = again.last = GBM_FEED_END;
	got = summary_of(plan);
	ck_assert_int_eq(run_fed(plan, l, got, NULL, &code), GBM_OK);
	ck_assert_int_eq(code, 0);
	check_equal_summaries(got, want);
	ck_assert_int_eq(gbm_stats_create(&stats), GBM_OK);
	ck_assert_int_eq(run_fed(plan, &again, NULL, stats, NULL), GBM_OK);
	ck_assert_int_eq(gbm_stats_result(stats, &r), GBM_OK);
	ck_assert_int_eq(gbm_stats_result(gbm_summary_stats(want, 0), &of_want),
			 GBM_OK);
	ck_assert_mem_eq(&r, &of_want, offsetof(struct gbm_result, user_code));
	gbm_stats_destroy(&stats);
	gbm_summary_destroy(&got);
	gbm_summary_destroy(&want);
	gbm_plan_destroy(&plan);
}
END_TEST

/* Two processes with unequal parts, merged; one has none. */
START_TEST(fed_in_parts)
{
	struct list parts[] = {
		{ .ranges = { { 0, 3 * BLOCK },
			      { 50 * BLOCK, 20 * BLOCK },
			      END },
		  .last = GBM_FEED_END },
		{ .ranges = { { 3 * BLOCK, 47 * BLOCK },
			      { 70 * BLOCK, 77 },
			      END },
		  .last = GBM_FEED_END },
		{ .ranges = { END }, .last = GBM_FEED_END },
	};
	struct gbm_plan *plan = plan_of(PATHS, 2);
	struct gbm_summary *want = in_one_go(plan, PATHS),
			   *got = summary_of(plan), *part;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		part = summary_of(plan);
		ck_assert_int_eq(run_fed(plan, &parts[i], part, NULL, NULL),
				 GBM_OK);
		ck_assert_int_eq(gbm_summary_merge(got, part), GBM_OK);
		gbm_summary_destroy(&part);
	}
	check_equal_summaries(got, want);
	gbm_summary_destroy(&got);
	gbm_summary_destroy(&want);
	gbm_plan_destroy(&plan);
}
END_TEST

/* Its own error is returned, what is no range refused, nothing added. */
START_TEST(bad_feeds)
{
	struct list lists[] = {
		{ .ranges = { END }, .last = GBM_EMPI },
		{ .ranges = { { 0, 9 * BLOCK }, END }, .last = GBM_EMPI },
		{ .ranges = { { 1, BLOCK }, END } },
		{ .ranges = { { 0, BLOCK + 1 }, END } },
		{ .ranges = { { 0, PATHS + 1 }, END } },
		{ .ranges = { { 0, BLOCK }, { 70 * BLOCK, BLOCK }, END } },
		{ .ranges = { { 71 * BLOCK, 0 }, END } },
		{ .ranges = { { UINT64_MAX - BLOCK + 1, BLOCK }, END } },
		{ .ranges = { { 0, 40 * BLOCK },
			      { 40 * BLOCK, 20 * BLOCK },
			      { 60 * BLOCK, 2 * BLOCK },
			      END },
		  .eager = 1 },
	};
	struct list *l = &lists[_i];
	/* One thread has not begun with the second range at the third. */
	struct gbm_plan *plan = plan_of(PATHS, l->eager ? 1 : 2);
	int status = l->last ? l->last : GBM_EINVAL;
	struct gbm_summary *got = summary_of(plan), *empty = summary_of(plan);

	if (!l->last)
		l->last = GBM_FEED_END;
	ck_assert_int_eq(run_fed(plan, l, got, NULL, NULL), status);
	ck_assert_int_eq(l->late, 0);
	check_equal_summaries(got, empty);
	gbm_summary_destroy(&got);
	gbm_summary_destroy(&empty);
	gbm_plan_destroy(&plan);
}
END_TEST

static int cancels_soon(void *user, uint64_t done, uint64_t total)
{
	uint64_t *begun = user;

	ck_assert_uint_le(done, total);
	*begun = done;
	return -3;
}

/* By a functional and by the progress function; in both kinds of run. */
START_TEST(cancelled)
{
	struct gbm_functional f = GBM_FUNCTIONAL_INIT;
	struct gbm_options o = GBM_OPTIONS_INIT;
	struct gbm_goal goal = GBM_GOAL_INIT;
	struct gbm_ending e = GBM_ENDING_INIT;
	struct gbm_model m = GBM_MODEL_INIT;
	struct list l = { .ranges = { { 0, 60 * BLOCK }, END },
			  .last = GBM_FEED_END };
	uint64_t at = 33 * BLOCK + 5, n = 0;
	struct gbm_summary *s;
	struct gbm_plan *plan;
	int code = 0;

	f.fn = cancels_at;
	f.user = &at;
	plan = plan_with(f, PATHS, 2);
	s = summary_of(plan);
	ck_assert_int_eq(run_fed(plan, &l, s, NULL, &code), GBM_ECANCELED);
	ck_assert_int_eq(code, 42);
	ck_assert_int_eq(gbm_run_until(plan, &goal, s, &n, &e), GBM_ECANCELED);
	ck_assert_int_eq(e.user_code, 42);
	gbm_summary_destroy(&s);
	gbm_plan_destroy(&plan);

	m.steps = 100;
	o.progress = cancels_soon;
	o.progress_user = &at;
	ck_assert_int_eq(
		gbm_plan_create(&plan, &m, NULL, UINT64_C(1) << 40, &o, NULL),
		GBM_OK);
	gbm_plan_destroy(&plan);
	f = (struct gbm_functional)GBM_FUNCTIONAL_INIT;
	ck_assert_int_eq(
		gbm_plan_create(&plan, &m, &f, UINT64_C(1) << 40, &o, NULL),
		GBM_OK);
	s = summary_of(plan);
	n = 0;
	ck_assert_int_eq(gbm_run_until(plan, &goal, s, &n, &e), GBM_ECANCELED);
	ck_assert_int_eq(e.user_code, -3);
	gbm_summary_destroy(&s);
	gbm_plan_destroy(&plan);
}
END_TEST

/* ---- until a goal */

/* As the header has it: doubling, then an eighth more, in whole blocks. */
START_TEST(checks)
{
	uint64_t n = 0, last = 0;

	ck_assert_uint_eq(gbm_goal_check(0), 65536);
	ck_assert_uint_eq(gbm_goal_check(65535), 65536);
	ck_assert_uint_eq(gbm_goal_check(65536), 131072);
	ck_assert_uint_eq(gbm_goal_check(262144), 524288);
	ck_assert_uint_eq(gbm_goal_check(524288), 524288 / 8 * 9);
	while (n < UINT64_C(1) << 50) {
		last = n;
		n = gbm_goal_check(n);
		ck_assert_uint_gt(n, last);
		ck_assert_uint_eq(n % BLOCK, 0);
		ck_assert(last < 524288 || n - last <= last / 8);
		ck_assert_uint_eq(gbm_goal_check(n - 1), n);
	}
}
END_TEST

static int pause_at(void *user)
{
	int *calls = user;

	return --*calls <= 0;
}

/* Pauses and ends of its own change nothing. */
START_TEST(paused)
{
	struct gbm_plan *plan = plan_of(PATHS, 1 + (unsigned)_i % 2);
	struct gbm_summary *want = in_one_go(plan, PATHS),
			   *got = summary_of(plan);
	struct gbm_goal goal = GBM_GOAL_INIT;
	struct gbm_ending e;
	uint64_t n = 0, before, all = 0;
	int left, rounds = 0, pauses = 0;

	goal.pause = pause_at;
	goal.pause_user = &left;
	do {
		before = n;
		left = 1 + _i / 2 + rounds; /* so that it ends */
		goal.paths = rounds % 3 == 1 ? n + 5 * BLOCK : 0;
		goal.paths -= goal.paths % BLOCK;
		e = (struct gbm_ending)GBM_ENDING_INIT;
		ck_assert_int_eq(gbm_run_until(plan, &goal, got, &n, &e),
				 GBM_OK);
		ck_assert_uint_eq(e.n_own, n - before);
		ck_assert(n % BLOCK == 0 || n == PATHS);
		ck_assert(!e.met &&
			  (e.why == GBM_WHY_PATHS || e.why == GBM_WHY_PAUSE));
		if (goal.paths && e.why == GBM_WHY_PATHS)
			ck_assert_uint_eq(n, goal.paths < PATHS ? goal.paths
								: PATHS);
		pauses += e.why == GBM_WHY_PAUSE;
		all += e.n_own;
		ck_assert_int_lt(rounds++, 10000);
	} while (n < PATHS);
	ck_assert_uint_eq(all, PATHS);
	ck_assert_int_gt(pauses, 0);
	check_equal_summaries(got, want);
	/* Once more there is nothing to do. */
	goal.paths = 0;
	left = 1;
	ck_assert_int_eq(gbm_run_until(plan, &goal, got, &n, &e), GBM_OK);
	ck_assert(e.why == GBM_WHY_PATHS && e.n_own == 0);
	check_equal_summaries(got, want);
	gbm_summary_destroy(&got);
	gbm_summary_destroy(&want);
	gbm_plan_destroy(&plan);
}
END_TEST

/* The same number of paths, however often it was paused, and those bits. */
START_TEST(tolerance)
{
	const uint64_t n_paths = UINT64_C(1) << 40;
	struct gbm_plan *plan = plan_of(n_paths, 2);
	struct gbm_summary *want = summary_of(plan), *got = summary_of(plan);
	struct gbm_goal goal = GBM_GOAL_INIT;
	struct gbm_ending e = GBM_ENDING_INIT;
	struct gbm_result r = GBM_RESULT_INIT;
	uint64_t n = 0, m = 0;
	int left;

	goal.tolerance = _i ? 0 : 4e-3;
	goal.abs_tolerance = _i ? 0.03 : 0;
	ck_assert_int_eq(gbm_run_until(plan, &goal, want, &n, &e), GBM_OK);
	ck_assert(e.why == GBM_WHY_TOLERANCE && e.met);
	ck_assert_uint_eq(gbm_goal_check(n - 1), n);
	ck_assert_uint_gt(n, 65536); /* not met at once */
	ck_assert_int_eq(gbm_stats_result(gbm_summary_stats(want, 0), &r),
			 GBM_OK);
	ck_assert_double_le(1.96 * r.std_error,
			    1.0001 * (_i ? 0.03 : 4e-3 * r.mean));
	ck_assert(gbm_goal_met(&goal, plan, gbm_summary_stats(want, 0)));

	goal.pause = pause_at;
	goal.pause_user = &left;
	for (int rounds = 0; !e.met || m == 0; rounds++) {
		ck_assert_int_lt(rounds, 10000);
		left = 2 + rounds % 5;
		goal.paths = rounds % 2 ? m + 3 * BLOCK : 0;
		ck_assert_int_eq(gbm_run_until(plan, &goal, got, &m, &e),
				 GBM_OK);
	}
	ck_assert_uint_eq(m, n);
	check_equal_summaries(got, want);
	/* It stays met. */
	ck_assert_int_eq(gbm_run_until(plan, &goal, got, &m, &e), GBM_OK);
	ck_assert(e.why == GBM_WHY_TOLERANCE && e.met && e.n_own == 0);
	gbm_summary_destroy(&got);
	gbm_summary_destroy(&want);
	gbm_plan_destroy(&plan);
}
END_TEST

/* With fewer paths than it needs; and values that tell nothing. */
START_TEST(not_met)
{
	struct gbm_functional f = GBM_FUNCTIONAL_INIT;
	struct gbm_goal goal = GBM_GOAL_INIT;
	struct gbm_ending e = GBM_ENDING_INIT;
	uint64_t n = 0, none = UINT64_MAX;
	struct gbm_plan *plan = plan_of(PATHS, 2);
	struct gbm_summary *s = summary_of(plan);

	goal.tolerance = 1e-9;
	ck_assert_int_eq(gbm_run_until(plan, &goal, s, &n, &e), GBM_OK);
	ck_assert(e.why == GBM_WHY_PATHS && !e.met && n == PATHS);
	goal.tolerance = 0;
	ck_assert(!gbm_goal_met(&goal, plan, gbm_summary_stats(s, 0)));
	ck_assert(!gbm_goal_met(NULL, plan, gbm_summary_stats(s, 0)));
	ck_assert(!gbm_goal_met(&goal, plan, NULL));
	/* At the plan's end any number is looked at. */
	goal.tolerance = 1;
	ck_assert_int_eq(gbm_run_until(plan, &goal, s, &n, &e), GBM_OK);
	ck_assert(e.why == GBM_WHY_TOLERANCE && e.met && !e.n_own);
	gbm_summary_destroy(&s);
	gbm_plan_destroy(&plan);

	f.fn = cancels_at;
	f.user = &none;
	plan = plan_with(f, PATHS, 2);
	s = summary_of(plan);
	n = 0;
	ck_assert_int_eq(gbm_run_until(plan, &goal, s, &n, &e), GBM_OK);
	ck_assert(e.why == GBM_WHY_PATHS && !e.met);
	gbm_summary_destroy(&s);
	gbm_plan_destroy(&plan);
}
END_TEST

/* The clock ends a run that would take days, at a whole block. */
START_TEST(seconds)
{
	struct gbm_plan *plan = plan_of(UINT64_C(1) << 50, 2);
	struct gbm_summary *s = summary_of(plan), *want;
	struct gbm_goal goal = GBM_GOAL_INIT;
	struct gbm_ending e = GBM_ENDING_INIT;
	uint64_t n = 0;

	/* A busy machine may have done nothing by then. */
	for (goal.seconds = 0.1; n == 0; goal.seconds *= 2) {
		ck_assert_int_eq(gbm_run_until(plan, &goal, s, &n, &e), GBM_OK);
		ck_assert(e.why == GBM_WHY_SECONDS && !e.met);
		ck_assert(n % BLOCK == 0 && n < UINT64_C(1) << 50);
	}
	want = in_one_go(plan, n);
	check_equal_summaries(s, want);
	gbm_summary_destroy(&s);
	gbm_summary_destroy(&want);
	gbm_plan_destroy(&plan);
}
END_TEST

static const struct {
	double tolerance, abs_tolerance, seconds;
	uint64_t paths, n_done;
} bad[] = {
	{ -1, 0, 0, 0, 0 },	    { (double)NAN, 0, 0, 0, 0 },
	{ 0, -1, 0, 0, 0 },	    { 0, (double)INFINITY, 0, 0, 0 },
	{ 0, 0, -1, 0, 0 },	    { 0, 0, (double)NAN, 0, 0 },
	{ 0, 0, 0, BLOCK + 1, 0 },  { 0, 0, 0, 0, 1 },
	{ 0, 0, 0, 0, PATHS + 1 },  { 0, 0, 0, 0, 71 * BLOCK },
	{ 0, 0, 0, 0, UINT64_MAX },
};

START_TEST(misuse)
{
	struct gbm_plan *plan = plan_of(PATHS, 1);
	struct gbm_summary *s = summary_of(plan), *empty = summary_of(plan);
	const struct gbm_feed none = { sizeof(none), NULL, NULL };
	struct list l = { .ranges = { END }, .last = GBM_FEED_END };
	struct gbm_feed feed = { sizeof(feed), from_list, &l };
	struct gbm_goal goal = GBM_GOAL_INIT;
	struct gbm_ending e = GBM_ENDING_INIT;
	struct gbm_stats *stats;
	uint64_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		goal.tolerance = bad[i].tolerance;
		goal.abs_tolerance = bad[i].abs_tolerance;
		goal.seconds = bad[i].seconds;
		goal.paths = bad[i].paths;
		n = bad[i].n_done;
		ck_assert_int_eq(gbm_run_until(plan, &goal, s, &n, &e),
				 GBM_EINVAL);
		ck_assert_uint_eq(n, bad[i].n_done);
	}
	goal = (struct gbm_goal)GBM_GOAL_INIT;
	n = 0;
	ck_assert_int_eq(gbm_run_until(NULL, &goal, s, &n, &e), GBM_EINVAL);
	ck_assert_int_eq(gbm_run_until(plan, NULL, s, &n, &e), GBM_EINVAL);
	ck_assert_int_eq(gbm_run_until(plan, &goal, NULL, &n, &e), GBM_EINVAL);
	ck_assert_int_eq(gbm_run_until(plan, &goal, s, NULL, &e), GBM_EINVAL);
	e.size--;
	ck_assert_int_eq(gbm_run_until(plan, &goal, s, &n, &e), GBM_EINVAL);
	goal.size--;
	ck_assert_int_eq(gbm_run_until(plan, &goal, s, &n, NULL), GBM_EINVAL);

	ck_assert_int_eq(gbm_stats_create(&stats), GBM_OK);
	ck_assert_int_eq(gbm_run_fed(NULL, &feed, s, NULL, NULL), GBM_EINVAL);
	ck_assert_int_eq(gbm_run_fed(plan, NULL, s, NULL, NULL), GBM_EINVAL);
	ck_assert_int_eq(gbm_run_fed(plan, &none, s, NULL, NULL), GBM_EINVAL);
	ck_assert_int_eq(gbm_run_fed(plan, &feed, NULL, NULL, NULL),
			 GBM_EINVAL);
	ck_assert_int_eq(gbm_run_fed(plan, &feed, s, stats, NULL), GBM_EINVAL);
	feed.size--;
	ck_assert_int_eq(gbm_run_fed(plan, &feed, s, NULL, NULL), GBM_EINVAL);
	check_equal_summaries(s, empty);
	gbm_stats_destroy(&stats);
	gbm_summary_destroy(&s);
	gbm_summary_destroy(&empty);
	gbm_plan_destroy(&plan);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("until");
	TCase *t = tcase_create("until");

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, fed, 0, 8);
	tcase_add_test(t, fed_in_parts);
	tcase_add_loop_test(t, bad_feeds, 0, 9);
	tcase_add_test(t, cancelled);
	tcase_add_test(t, checks);
	tcase_add_loop_test(t, paused, 0, 4);
	tcase_add_loop_test(t, tolerance, 0, 2);
	tcase_add_test(t, not_met);
	tcase_add_test(t, seconds);
	tcase_add_test(t, misuse);
	suite_add_tcase(s, t);
	return gbm_check_main(s);
}
