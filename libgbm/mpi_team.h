/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_MPI_TEAM_H
#define GBM_MPI_TEAM_H

/*
 * What libgbm_mpi's collective calls have in common.
 *
 * A rank whose own part failed still joins every collective call that the
 * others make, and says so in the next agree(): returning early would leave
 * them waiting for ever.
 */

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <gbm-mc/mpi.h>
#include <gbm-mc/run.h>

struct team {
	MPI_Comm comm;
	int rank;
	int size;
};

/* How this rank fared, and after agree() how the run did. */
struct outcome {
	int status;
	int user_code;
	char text[sizeof(((struct gbm_error *)0)->text)];
};

/* Notes the first failure; GBM_OK is none. */
static inline void fail(struct outcome *outcome, int status, const char *text)
{
	if (status == GBM_OK || outcome->status != GBM_OK)
		return;
	outcome->status = status;
	snprintf(outcome->text, sizeof(outcome->text), "%s",
		 text ? text : gbm_strerror(status));
}

/* Returns whether an MPI call succeeded; notes which did not, and why. */
static inline bool mpi_ok(struct outcome *outcome, const char *call, int code)
{
	char why[MPI_MAX_ERROR_STRING] = "";
	char text[sizeof(outcome->text)];
	int n = 0;

	if (code == MPI_SUCCESS)
		return true;
	if (MPI_Error_string(code, why, &n) != MPI_SUCCESS)
		why[0] = '\0';
	for (char *c = why; *c; c++)
		if (*c == '\n')
			*c = ' ';
	snprintf(text, sizeof(text), "%s failed: %.200s", call,
		 why[0] ? why : "no reason given");
	fail(outcome, GBM_EMPI, text);
	return false;
}

static inline bool join(struct team *team, MPI_Comm comm,
			struct outcome *outcome)
{
	int begun = 0, ended = 0;

	if (!mpi_ok(outcome, "MPI_Initialized", MPI_Initialized(&begun)) ||
	    !mpi_ok(outcome, "MPI_Finalized", MPI_Finalized(&ended)))
		return false;
	if (!begun || ended) {
		fail(outcome, GBM_EMPI,
		     "MPI is not running: call between MPI_Init and "
		     "MPI_Finalize");
		return false;
	}
	if (comm == MPI_COMM_NULL) {
		fail(outcome, GBM_EINVAL,
		     "the communicator is MPI_COMM_NULL: give one that this "
		     "rank belongs to");
		return false;
	}
	team->comm = comm;
	return mpi_ok(outcome, "MPI_Comm_rank",
		      MPI_Comm_rank(comm, &team->rank)) &&
	       mpi_ok(outcome, "MPI_Comm_size",
		      MPI_Comm_size(comm, &team->size));
}

static inline void name_rank(const struct team *team, struct outcome *outcome)
{
	char node[MPI_MAX_PROCESSOR_NAME] = "";
	char text[sizeof(outcome->text)];
	int n = 0;

	if (MPI_Get_processor_name(node, &n) != MPI_SUCCESS)
		node[0] = '\0';
	memcpy(text, outcome->text, sizeof(text));
	if (snprintf(outcome->text, sizeof(outcome->text), "rank %d%s%.64s: %s",
		     team->rank, node[0] ? " on " : "", node,
		     text) >= (int)sizeof(outcome->text))
		memcpy(outcome->text + sizeof(outcome->text) - 4, "...", 4);
}

/* Collective: the lowest failing rank's outcome becomes that of all. */
static inline int agree(const struct team *team, struct outcome *outcome)
{
	int mine = outcome->status == GBM_OK ? team->size : team->rank;
	int lowest = mine, numbers[2];

	if (!mpi_ok(outcome, "MPI_Allreduce",
		    MPI_Allreduce(&mine, &lowest, 1, MPI_INT, MPI_MIN,
				  team->comm)) ||
	    lowest == team->size)
		return outcome->status;

	if (lowest == team->rank && team->size > 1)
		name_rank(team, outcome);
	numbers[0] = outcome->status;
	numbers[1] = outcome->user_code;
	if (!mpi_ok(outcome, "MPI_Bcast",
		    MPI_Bcast(numbers, 2, MPI_INT, lowest, team->comm)) ||
	    !mpi_ok(outcome, "MPI_Bcast",
		    MPI_Bcast(outcome->text, (int)sizeof(outcome->text),
			      MPI_CHAR, lowest, team->comm)))
		return outcome->status;
	outcome->status = numbers[0];
	outcome->user_code = numbers[1];
	return outcome->status;
}

/* This rank's share of n_paths paths: whole blocks. */
static inline void range_of(const struct team *team, uint64_t n_paths,
			    uint64_t *first, uint64_t *count)
{
	uint64_t blocks = (n_paths + GBM_BLOCK_PATHS - 1) / GBM_BLOCK_PATHS;
	uint64_t size = (uint64_t)team->size, rank = (uint64_t)team->rank;
	uint64_t each = blocks / size, extra = blocks % size;
	uint64_t begin = rank * each + (rank < extra ? rank : extra);
	uint64_t end = begin + each + (rank < extra ? 1 : 0);

	begin *= GBM_BLOCK_PATHS;
	end *= GBM_BLOCK_PATHS;
	*first = begin < n_paths ? begin : n_paths;
	*count = (end < n_paths ? end : n_paths) - *first;
}

/*
 * The ranks take the paths up to an end in turns: a counter on rank 0, which
 * the others ask for their next by message.  All paths below it have been
 * handed to a rank; so a run that is to pause ends where the counter stands.
 *
 * Messages and not MPI's one-sided calls: Debian's Open MPI 4.1 has none
 * between nodes (its osc components that could are switched off), and where
 * there are, they wait for rank 0 to call MPI in the same way, several times
 * for each. Rank 0's calling thread looks for messages between any two items of
 * its own work, every few milliseconds; the others ask while they still have
 * some left.
 */
struct counter {
	const struct team *team;
	MPI_Comm own; /* MPI_COMM_NULL: one rank */
	const struct gbm_goal *goal;
	double deadline; /* of rank 0's clock; 0: none */
	uint64_t own_paths;
	uint64_t begin[2]; /* what this rank has to begin with: first, how many */
	bool closing; /* this rank wants no more to be handed out */
	struct outcome failure;
	/* On rank 0. */
	uint64_t next, end;
	bool closed, late;
	int told; /* ranks that know that there are no more */
	/* On the others. */
	bool asked, over;
	uint64_t answer[2];
	MPI_Request request;
};

/* Collective, as the others are; close it in any case. */
int gbm_counter_open(struct counter *counter, const struct team *team,
		     const struct gbm_goal *goal, struct outcome *outcome);
void gbm_counter_close(struct counter *counter, struct outcome *outcome);

/*
 * Runs the plan's paths from *next to end into summary or stats, until the goal
 * has them pause; *next becomes what is not handed out, the same on all ranks.
 */
int gbm_counter_run(struct counter *counter, const struct gbm_plan *plan,
		    uint64_t *next, uint64_t end, struct gbm_summary *summary,
		    struct gbm_stats *stats, struct outcome *outcome);

#endif
