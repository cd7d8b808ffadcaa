/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_MC_RUN_H
#define GBM_MC_RUN_H

/*
 * Runs that share their paths with other processes, and runs that end when
 * something is reached.
 */

#include <gbm-mc/summary.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/* What gbm_feed.next() returns: one of these or a negative gbm_status. */
enum gbm_fed {
	GBM_FEED_WAIT = 0,  /* nothing yet, ask again */
	GBM_FEED_RANGE = 1, /* a range */
	GBM_FEED_END = 2    /* nothing any more */
};

/*
 * Where a process gets its paths from, range by range, while others get theirs.
 */
struct gbm_feed {
	size_t size; /* sizeof(struct gbm_feed) */
	/*
	 * Called by the thread that runs, some hundred times a second and
	 * before it has nothing left.  want is how many paths would keep this
	 * process busy for a tenth of a second, and least how many are worth
	 * the asking; both 0: none are needed yet, the feed may do what else it
	 * has to, and says GBM_FEED_WAIT.  Sets *first and *n to a range as of
	 * gbm_run_range(), which may be less or more.  Ranges ascend.
	 */
	int (*next)(void *user, uint64_t want, uint64_t least, uint64_t *first,
		    uint64_t *n);
	void *user;
};

/*
 * As gbm_run_range() or, when stats is NULL, gbm_run_summary(), of all ranges
 * that the feed gives until it says that there are no more.  The plan's
 * progress function is told where the last range began, of the plan's paths.
 * An error of the feed's is returned.
 */
int gbm_run_fed(const struct gbm_plan *plan, const struct gbm_feed *feed,
		struct gbm_summary *summary, struct gbm_stats *stats,
		int *user_code);

/* What ends a run before the plan's last path. */
struct gbm_goal {
	size_t size; /* sizeof(struct gbm_goal) */
	/*
	 * Half the width of the 95 % interval of each functional's mean, 1.96
	 * standard errors, that will do: at most tolerance times the mean's
	 * magnitude, or at most abs_tolerance; 0: neither will do.
	 *
	 * It is looked at after fixed numbers of paths, gbm_goal_check(), with
	 * the exact statistics of all of them: a run ends after the same number
	 * on any number of ranks and threads, and however often it was paused.
	 * Values that are all equal tell nothing of their error and meet none,
	 * unless the model is without volatility.
	 */
	double tolerance;     /* finite, >= 0 */
	double abs_tolerance; /* finite, >= 0; in the values' unit */
	/*
	 * Seconds, 0: any number.  Ends at a whole block of paths, but after
	 * how many depends on the clock.
	 */
	double seconds; /* finite, >= 0 */
	uint64_t paths; /* whole blocks of the plan's, all in all; 0: all */
	/*
	 * Called some hundred times a second by the thread that runs, on every
	 * rank; non-zero from any of them pauses the run of all.  NULL: none.
	 */
	int (*pause)(void *user);
	void *pause_user;
};

#define GBM_GOAL_INIT                                                          \
	{                                                                      \
		sizeof(struct gbm_goal), 0.0, 0.0, 0.0, 0, NULL, NULL          \
	}

/*
 * The least number of paths above n_done after which a tolerance is looked at:
 * 65536, twice as many up to 524288, and from there on an eighth more each
 * time, in whole blocks.
 */
uint64_t gbm_goal_check(uint64_t n_done);

/*
 * Whether the statistics, of a functional of the plan, meet the goal's
 * tolerance.  Without one they never do.
 */
int gbm_goal_met(const struct gbm_goal *goal, const struct gbm_plan *plan,
		 const struct gbm_stats *stats);

/* Why a run has ended. */
enum gbm_why {
	GBM_WHY_PATHS,	   /* there are no more paths */
	GBM_WHY_TOLERANCE, /* the tolerance is met */
	GBM_WHY_SECONDS,   /* so many have passed */
	GBM_WHY_PAUSE	   /* pause() said so */
};

struct gbm_ending {
	size_t size;	  /* set by the caller: sizeof(struct gbm_ending) */
	enum gbm_why why; /* the first of them that holds, but see met */
	int met;	  /* the tolerance is met, if there is one */
	uint64_t n_own;	  /* paths that this process ran */
	int user_code;	  /* a callback's non-zero return, or 0 */
};

#define GBM_ENDING_INIT                                                        \
	{                                                                      \
		sizeof(struct gbm_ending), GBM_WHY_PATHS, 0, 0, 0              \
	}

/*
 * Runs the paths from *n_done on, a multiple of GBM_BLOCK_PATHS, until the plan
 * or the goal ends it, and adds them to the summary, which holds those before
 * it.  *n_done becomes where it goes on, another time; that need not be in this
 * process, see <gbm-mc/checkpoint.h>.  Returns as gbm_run_summary(), and
 * GBM_EINVAL for a goal that is none; after an error summary and *n_done are of
 * no use.
 */
int gbm_run_until(const struct gbm_plan *plan, const struct gbm_goal *goal,
		  struct gbm_summary *summary, uint64_t *n_done,
		  struct gbm_ending *ending);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
