/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Ranks that take their paths in turns. */
#define _POSIX_C_SOURCE 200809L
#include <time.h>

#include "libgbm/mpi_team.h"

/*
 * What a rank sends to rank 0: how many paths it wants and how many are worth
 * asking for, 0 to have no more handed out to anyone; and what it gets: its
 * first path and how many, 0 when there are no more.
 */
#define WORDS 2

/*
 * What each rank begins with, without asking, if there is much more than that:
 * rank 0's first answer takes some milliseconds.
 */
#define FIRST_PATHS (UINT64_C(32) * GBM_BLOCK_PATHS)

static uint64_t to_blocks(uint64_t paths)
{
	return paths / GBM_BLOCK_PATHS + (paths % GBM_BLOCK_PATHS != 0);
}

/* Hands out paths, on rank 0: less and less, so that all end together. */
static void grant(struct counter *c, uint64_t want, uint64_t least,
		  uint64_t range[WORDS])
{
	uint64_t left = c->closed ? 0 : c->end - c->next;
	uint64_t fair = left / (2 * (uint64_t)c->team->size), n = want;

	if (n > fair)
		n = fair > least ? fair : least;
	n = to_blocks(n) * GBM_BLOCK_PATHS;
	if (n > left)
		n = left;
	range[0] = c->next;
	range[1] = n;
	c->next += n;
}

/* Answers one rank. */
static bool serve(struct counter *c, const MPI_Status *from)
{
	uint64_t ask[WORDS], range[WORDS];

	if (!mpi_ok(&c->failure, "MPI_Recv",
		    MPI_Recv(ask, WORDS, MPI_UINT64_T, from->MPI_SOURCE, 0,
			     c->own, MPI_STATUS_IGNORE)))
		return false;
	if (!ask[0])
		c->closed = true;
	grant(c, ask[0], ask[1], range);
	c->told += !range[1];
	return mpi_ok(&c->failure, "MPI_Send",
		      MPI_Send(range, WORDS, MPI_UINT64_T, from->MPI_SOURCE, 0,
			       c->own));
}

/* All that have asked. */
static bool serve_all(struct counter *c)
{
	int there = c->own != MPI_COMM_NULL;
	MPI_Status from;

	while (there) {
		if (!mpi_ok(&c->failure, "MPI_Iprobe",
			    MPI_Iprobe(MPI_ANY_SOURCE, 0, c->own, &there,
				       &from)))
			return false;
		if (there && !serve(c, &from))
			return false;
	}
	return true;
}

static bool ask(struct counter *c, uint64_t want, uint64_t least)
{
	uint64_t words[WORDS] = { want, least };

	c->asked = true;
	return mpi_ok(&c->failure, "MPI_Irecv",
		      MPI_Irecv(c->answer, WORDS, MPI_UINT64_T, 0, 0, c->own,
				&c->request)) &&
	       mpi_ok(&c->failure, "MPI_Send",
		      MPI_Send(words, WORDS, MPI_UINT64_T, 0, 0, c->own));
}

static void look_at_goal(struct counter *c)
{
	if (!c->goal || c->closing)
		return;
	if (c->deadline > 0 && MPI_Wtime() >= c->deadline)
		c->closing = c->late = true;
	else if (c->goal->pause && c->goal->pause(c->goal->pause_user))
		c->closing = true;
}

static int next_of_first(struct counter *c, uint64_t want, uint64_t least,
			 uint64_t range[WORDS])
{
	if (c->closing)
		c->closed = true;
	if (!serve_all(c))
		return GBM_EMPI;
	if (!want)
		return GBM_FEED_WAIT;
	grant(c, want, least, range);
	return range[1] ? GBM_FEED_RANGE : GBM_FEED_END;
}

static int next_of_other(struct counter *c, uint64_t want, uint64_t least,
			 uint64_t range[WORDS])
{
	int there = 0;

	if (c->over)
		return want ? GBM_FEED_END : GBM_FEED_WAIT;
	if (!c->asked && c->closing && !ask(c, 0, 0))
		return GBM_EMPI;
	if (!c->asked && want && !ask(c, want, least))
		return GBM_EMPI;
	if (c->asked &&
	    !mpi_ok(&c->failure, "MPI_Test",
		    MPI_Test(&c->request, &there, MPI_STATUS_IGNORE)))
		return GBM_EMPI;
	if (!there)
		return GBM_FEED_WAIT;
	c->asked = false;
	memcpy(range, c->answer, sizeof(c->answer));
	c->over = !range[1];
	return c->over ? GBM_FEED_END : GBM_FEED_RANGE;
}

static int next(void *user, uint64_t want, uint64_t least, uint64_t *first,
		uint64_t *n)
{
	struct counter *c = user;
	uint64_t range[WORDS] = { 0, 0 };
	int answer;

	if (want && c->begin[1]) {
		*first = c->begin[0];
		*n = c->begin[1];
		c->begin[1] = 0;
		c->own_paths += *n;
		return GBM_FEED_RANGE;
	}
	look_at_goal(c);
	answer = c->team->rank == 0 ? next_of_first(c, want, least, range)
				    : next_of_other(c, want, least, range);
	*first = range[0];
	*n = range[1];
	if (answer == GBM_FEED_RANGE)
		c->own_paths += range[1];
	return answer;
}

/*
 * This rank has done what it got, or failed.  Nobody leaves before all know
 * that there are no more: none would be left to answer, or to ask.
 */
static void leave(struct counter *c, bool failed)
{
	/* Not MPI_Probe(), which would take the time of a rank on this core. */
	const struct timespec little = { 0, 20000 };

	if (c->own == MPI_COMM_NULL || c->failure.status != GBM_OK)
		return;
	if (c->team->rank == 0) {
		c->closed = c->closed || failed;
		while (serve_all(c) && c->told < c->team->size - 1)
			nanosleep(&little, NULL);
		return;
	}
	while (!c->over) {
		if ((!c->asked && !ask(c, 0, 0)) ||
		    !mpi_ok(&c->failure, "MPI_Wait",
			    MPI_Wait(&c->request, MPI_STATUS_IGNORE)))
			return;
		c->asked = false;
		c->over = !c->answer[1];
	}
}

int gbm_counter_open(struct counter *c, const struct team *team,
		     const struct gbm_goal *goal, struct outcome *outcome)
{
	*c = (struct counter){ .team = team,
			       .own = MPI_COMM_NULL,
			       .goal = goal,
			       .request = MPI_REQUEST_NULL };
	if (goal && goal->seconds > 0 && team->rank == 0)
		c->deadline = MPI_Wtime() + goal->seconds;
	if (team->size > 1)
		mpi_ok(outcome, "MPI_Comm_dup",
		       MPI_Comm_dup(team->comm, &c->own));
	return agree(team, outcome);
}

void gbm_counter_close(struct counter *c, struct outcome *outcome)
{
	if (c->own != MPI_COMM_NULL)
		mpi_ok(outcome, "MPI_Comm_free", MPI_Comm_free(&c->own));
}

int gbm_counter_run(struct counter *c, const struct gbm_plan *plan,
		    uint64_t *at, uint64_t end, struct gbm_summary *summary,
		    struct gbm_stats *stats, struct outcome *outcome)
{
	const struct gbm_feed feed = { sizeof(feed), next, c };
	uint64_t words[3], size = (uint64_t)c->team->size;
	int status;

	c->next = *at;
	c->end = end;
	c->begin[1] = 0;
	if (size > 1 && (end - *at) / FIRST_PATHS >= 8 * size) {
		c->begin[0] = *at + (uint64_t)c->team->rank * FIRST_PATHS;
		c->begin[1] = FIRST_PATHS;
		c->next += size * FIRST_PATHS;
	}
	c->told = 0;
	c->over = c->asked = false;
	status = gbm_run_fed(plan, &feed, summary, stats, &outcome->user_code);
	leave(c, status != GBM_OK);
	if (c->failure.status != GBM_OK)
		fail(outcome, c->failure.status, c->failure.text);
	fail(outcome, status, NULL);
	words[0] = c->next;
	words[1] = c->closed;
	words[2] = c->late;
	mpi_ok(outcome, "MPI_Bcast",
	       MPI_Bcast(words, 3, MPI_UINT64_T, 0, c->team->comm));
	*at = words[0];
	c->closed = words[1] != 0;
	c->late = words[2] != 0;
	return agree(c->team, outcome);
}
