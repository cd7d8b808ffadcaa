/* SPDX-License-Identifier: GPL-3.0-or-later */
#define _GNU_SOURCE
#include <time.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#include "libgbm/share.h"

/* Least time between two calls of the progress function. */
#define PROGRESS_SECONDS 0.1

/* What the threads of a run share. */
struct run {
	const struct gbm_share *share;
	uint64_t next; /* the first item that no thread has taken */
	uint64_t done; /* paths */
	int stop;
	int code;	    /* a callback's non-zero return */
	uint64_t code_item; /* the least item that returned one */
	double last_report; /* seconds; of the thread that reports */
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void stop_with(struct run *r, uint64_t item, int code)
{
#ifdef _OPENMP
#pragma omp critical(gbm_stop)
#endif
	{
		if (!r->code || item < r->code_item) {
			r->code = code;
			r->code_item = item;
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
 * The next item to work on.  A worksharing loop could not be left before its
 * end, which for many paths is too far away for a run that was stopped.
 */
static uint64_t take_item(struct run *r)
{
	uint64_t k;

#ifdef _OPENMP
#pragma omp atomic capture
#endif
	k = r->next++;
	return k;
}

/* Counts an item; the calling thread reports now and then. */
static void item_done(struct run *r, unsigned thread, uint64_t n)
{
	const struct gbm_plan *plan = r->share->plan;
	uint64_t done, total = r->share->n;
	int code;

#ifdef _OPENMP
#pragma omp atomic capture
#endif
	done = r->done += n;
	if (thread != 0 || !plan->progress ||
	    now() - r->last_report < PROGRESS_SECONDS)
		return;
	r->last_report = now();
	if (r->share->scale > 0.0) {
		done = r->share->base +
		       (uint64_t)(r->share->scale * (double)done);
		total = r->share->total;
	}
	code = plan->progress(plan->progress_user, done, total);
	if (code)
		stop_with(r, UINT64_MAX, code);
}

static uint64_t count_items(const struct gbm_share *share)
{
	return share->n / share->item + (share->n % share->item != 0);
}

unsigned gbm_share_threads(const struct gbm_share *share)
{
	uint64_t items = count_items(share);

	return items < share->plan->threads ? (unsigned)items
					    : share->plan->threads;
}

int gbm_share_run(const struct gbm_share *share, int *code)
{
	struct run r = { .share = share, .last_report = now() };
	uint64_t items = count_items(share), size = share->item;

#ifdef _OPENMP
	unsigned threads = gbm_share_threads(share);
#pragma omp parallel num_threads(threads)
#endif
	{
		unsigned id = 0;
		uint64_t k;

#ifdef _OPENMP
		id = (unsigned)omp_get_thread_num();
#endif
		while (!stopped(&r) && (k = take_item(&r)) < items) {
			uint64_t n = k + 1 < items ? size : share->n - k * size;
			int c = share->fn(share->user, id,
					  share->first + k * size, n);

			if (c)
				stop_with(&r, k, c);
			else
				item_done(&r, id, n);
		}
	}
	*code = r.code;
	return r.stop ? GBM_ECANCELED : GBM_OK;
}
