/* SPDX-License-Identifier: GPL-3.0-or-later */
#define _POSIX_C_SOURCE 200809L
#include <time.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#include "libgbm/share.h"

/* Least time between two calls of the progress function. */
#define PROGRESS_SECONDS 0.1

/*
 * Of a fed run.  An item's, so that the feed is looked after; of all the paths
 * that are asked for at a time; and of those that are worth it.
 */
#define ITEM_SECONDS  2e-3
#define WANT_SECONDS  0.1
#define LEAST_SECONDS 1e-3

/* Items of each thread that are left when more are asked for. */
#define ITEMS_AHEAD 2

struct range {
	uint64_t next, end;
};

/* What the threads of a run share. */
struct run {
	const struct gbm_share *share;
	unsigned threads;
	struct range now, then; /* what is worked on, and what will be */
	int ended;		/* nothing follows these */
	uint64_t done;		/* paths; of a feed, before its last range */
	int stop;
	int status;	     /* a feed's failure */
	int code;	     /* a callback's non-zero return */
	uint64_t code_first; /* of the least item that returned one */
	double last_report;  /* seconds; of the thread that reports */
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void stop_with(struct run *r, uint64_t first, int code)
{
#ifdef _OPENMP
#pragma omp critical(gbm_stop)
#endif
	{
		if (!r->code || first < r->code_first) {
			r->code = code;
			r->code_first = first;
		}
#ifdef _OPENMP
#pragma omp atomic write
#endif
		r->stop = 1;
	}
}

static int stopped(struct run *r)
{
	int stop;

#ifdef _OPENMP
#pragma omp atomic read
#endif
	stop = r->stop;
	return stop;
}

/*
 * The next item to work on, of most paths at most; returns 0 when there will be
 * none, and sets *n to 0 when there is none yet.  A worksharing loop could not
 * be left before its end, which for many paths is too far away for a run that
 * was stopped.
 */
static int take_item(struct run *r, uint64_t most, uint64_t *first, uint64_t *n)
{
	int more;

#ifdef _OPENMP
#pragma omp critical(gbm_take)
#endif
	{
		if (r->now.next == r->now.end) {
			r->now = r->then;
			r->then = (struct range){ 0, 0 };
		}
		*first = r->now.next;
		*n = r->now.end - r->now.next;
		if (*n > most)
			*n = most;
		r->now.next += *n;
		more = *n || !r->ended;
	}
	return more;
}

/* What is left of the range that is worked on, and whether there is another. */
static uint64_t left_of(struct run *r, int *spare)
{
	uint64_t left;

#ifdef _OPENMP
#pragma omp critical(gbm_take)
#endif
	{
		left = r->now.end - r->now.next;
		*spare = r->then.next < r->then.end;
	}
	return left;
}

static void add_range(struct run *r, uint64_t first, uint64_t n)
{
#ifdef _OPENMP
#pragma omp critical(gbm_take)
#endif
	{
		r->then = (struct range){ first, first + n };
		r->done = first;
	}
}

static void end_ranges(struct run *r, int status)
{
#ifdef _OPENMP
#pragma omp critical(gbm_take)
#endif
	r->ended = 1;
	if (status >= 0)
		return;
	r->status = status;
#ifdef _OPENMP
#pragma omp atomic write
#endif
	r->stop = 1;
}

/* Paths of whole blocks that a thread needs so long for. */
static uint64_t paths_in(double seconds, double block_seconds)
{
	double blocks = seconds / block_seconds;

	return (blocks < 1     ? 1
		: blocks < 1e9 ? (uint64_t)blocks
			       : 1000000000) *
	       GBM_BLOCK_PATHS;
}

/* What gbm_run_range() would take of the plan. */
static int is_range(const struct gbm_plan *plan, uint64_t first, uint64_t n)
{
	return first <= plan->n_paths && n <= plan->n_paths - first &&
	       first % GBM_BLOCK_PATHS == 0 &&
	       (n % GBM_BLOCK_PATHS == 0 || first + n == plan->n_paths);
}

/* Looks after the feed; most paths are an item. */
static void tend(struct run *r, double block_seconds, uint64_t most)
{
	const struct gbm_feed *feed = r->share->feed;
	uint64_t want = 0, least = 0, first, n, left;
	int spare, answer;

	left = left_of(r, &spare);
	if (!spare && !r->ended && left < ITEMS_AHEAD * r->threads * most) {
		want = r->threads * paths_in(WANT_SECONDS, block_seconds);
		least = r->threads * paths_in(LEAST_SECONDS, block_seconds);
	}
	answer = feed->next(feed->user, want, least, &first, &n);
	/* A third range, or a part of a block, would give wrong results. */
	if (answer == GBM_FEED_RANGE &&
	    (spare || !is_range(r->share->plan, first, n)))
		answer = GBM_EINVAL;
	if (answer == GBM_FEED_RANGE)
		add_range(r, first, n);
	else if (answer != GBM_FEED_WAIT)
		end_ranges(r, answer);
}

/* Counts an item; the calling thread reports now and then. */
static void item_done(struct run *r, unsigned thread, uint64_t n)
{
	const struct gbm_share *share = r->share;
	const struct gbm_plan *plan = share->plan;
	uint64_t done, total = share->feed ? plan->n_paths : share->n;
	int code;

	if (share->feed)
		n = 0;
#ifdef _OPENMP
#pragma omp atomic capture
#endif
	done = r->done += n;
	if (thread != 0 || !plan->progress ||
	    now() - r->last_report < PROGRESS_SECONDS)
		return;
	r->last_report = now();
	if (share->scale > 0.0) {
		done = share->base + (uint64_t)(share->scale * (double)done);
		total = share->total;
	}
	code = plan->progress(plan->progress_user, done, total);
	if (code)
		stop_with(r, UINT64_MAX, code);
}

static uint64_t count_items(const struct gbm_share *share)
{
	uint64_t item = share->feed ? GBM_BLOCK_PATHS : share->item;

	return share->n / item + (share->n % item != 0);
}

unsigned gbm_share_threads(const struct gbm_share *share)
{
	uint64_t items = count_items(share);

	return items < share->plan->threads ? (unsigned)items
					    : share->plan->threads;
}

/* Lets others run: there may be more processes than cores. */
static void wait_a_little(void)
{
	const struct timespec little = { 0, 20000 };

	nanosleep(&little, NULL);
}

/* What one thread does. */
static void work(struct run *r, unsigned id)
{
	const struct gbm_share *share = r->share;
	/* Until it is known, a block is an item, and all that is asked for. */
	double block_seconds = share->feed ? WANT_SECONDS : 0, begun = 0;
	uint64_t most = share->feed ? GBM_BLOCK_PATHS : share->item, first, n;
	int known = 0, code;

	while (!stopped(r)) {
		if (share->feed && id == 0)
			tend(r, block_seconds, most);
		if (!take_item(r, most, &first, &n))
			break;
		if (!n) {
			wait_a_little();
			continue;
		}
		if (share->feed)
			begun = now();
		code = share->fn(share->user, id, first, n);
		if (code)
			stop_with(r, first, code);
		else
			item_done(r, id, n);
		if (share->feed) {
			double mine =
				(now() - begun) * GBM_BLOCK_PATHS / (double)n;

			block_seconds =
				known ? (block_seconds + mine) / 2 : mine;
			if (block_seconds < 1e-9)
				block_seconds = 1e-9;
			known = 1;
			most = paths_in(ITEM_SECONDS, block_seconds);
			if (most > share->item)
				most = share->item;
		}
	}
}

int gbm_share_run(const struct gbm_share *share, int *code)
{
	struct run r = { .share = share,
			 .threads = gbm_share_threads(share),
			 .last_report = now() };

	if (!share->feed) {
		r.now = (struct range){ share->first, share->first + share->n };
		r.ended = 1;
	}
#ifdef _OPENMP
#pragma omp parallel num_threads(r.threads)
	work(&r, (unsigned)omp_get_thread_num());
#else
	work(&r, 0);
#endif
	*code = r.code;
	if (r.status)
		return r.status;
	return r.stop ? GBM_ECANCELED : GBM_OK;
}
