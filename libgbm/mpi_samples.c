/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One file of samples, written or compared by all ranks. */
#include <stdlib.h>

#include "libgbm/mpi_team.h"

/*
 * Rank 0 merges the checksums of the others, one after the other: memory for
 * one of them.  On a communicator of their own, which no receive of the
 * caller's can match.
 */
static void gather(const struct team *team, struct gbm_samples *samples,
		   struct outcome *outcome)
{
	size_t n = gbm_samples_packed_size(samples);
	unsigned char *bytes = malloc(n);
	MPI_Comm own = MPI_COMM_NULL;

	if (!bytes)
		fail(outcome, GBM_ENOMEM, NULL);
	else
		mpi_ok(outcome, "MPI_Comm_dup", MPI_Comm_dup(team->comm, &own));
	/* n is below 200 KB. */
	if (agree(team, outcome) != GBM_OK)
		goto out;
	if (team->rank != 0) {
		gbm_samples_pack(samples, bytes);
		mpi_ok(outcome, "MPI_Send",
		       MPI_Send(bytes, (int)n, MPI_BYTE, 0, 0, own));
	} else {
		for (int rank = 1; rank < team->size; rank++)
			if (mpi_ok(outcome, "MPI_Recv",
				   MPI_Recv(bytes, (int)n, MPI_BYTE, rank, 0,
					    own, MPI_STATUS_IGNORE)))
				fail(outcome,
				     gbm_samples_merge(samples, bytes, n),
				     NULL);
	}
	agree(team, outcome);
out:
	if (own != MPI_COMM_NULL)
		mpi_ok(outcome, "MPI_Comm_free", MPI_Comm_free(&own));
	free(bytes);
}

static void explain(const struct outcome *outcome, struct gbm_error *err)
{
	if (!err)
		return;
	err->status = outcome->status;
	memcpy(err->text, outcome->text, sizeof(err->text));
}

/* ---- what gbm_team_run_samples() asks for; user is the struct team */

static int agree_on(void *user, int status, int *code, struct gbm_error *err)
{
	struct outcome outcome = { .status = status, .user_code = *code };

	if (status != GBM_OK)
		memcpy(outcome.text, err->text, sizeof(outcome.text));
	agree(user, &outcome);
	*code = outcome.user_code;
	if (outcome.status != GBM_OK)
		explain(&outcome, err);
	return outcome.status;
}

static int share_bytes(void *user, void *bytes, size_t n)
{
	const struct team *team = user;
	struct outcome outcome = { 0 };

	mpi_ok(&outcome, "MPI_Bcast",
	       MPI_Bcast(bytes, (int)n, MPI_BYTE, 0, team->comm));
	return outcome.status;
}

static int most_of(void *user, int *value)
{
	const struct team *team = user;
	struct outcome outcome = { 0 };
	int mine = *value;

	mpi_ok(&outcome, "MPI_Allreduce",
	       MPI_Allreduce(&mine, value, 1, MPI_INT, MPI_MAX, team->comm));
	return outcome.status;
}

static int collect_from(void *user, uint64_t mine, uint64_t *all)
{
	const struct team *team = user;
	struct outcome outcome = { 0 };

	mpi_ok(&outcome, "MPI_Allgather",
	       MPI_Allgather(&mine, 1, MPI_UINT64_T, all, 1, MPI_UINT64_T,
			     team->comm));
	return outcome.status;
}

static int gather_all(void *user, struct gbm_samples *samples,
		      struct gbm_stats *stats)
{
	const struct team *team = user;
	struct outcome outcome = { 0 };

	gather(team, samples, &outcome);
	if (outcome.status == GBM_OK && stats)
		fail(&outcome, gbm_mpi_stats_merge(stats, team->comm), NULL);
	return outcome.status;
}

static int as_team(struct team *team, struct gbm_team *all, MPI_Comm comm,
		   struct gbm_error *err)
{
	struct outcome outcome = { 0 };

	*all = (struct gbm_team){ .user = team,
				  .agree = agree_on,
				  .share = share_bytes,
				  .most = most_of,
				  .collect = collect_from,
				  .gather = gather_all };
	if (!join(team, comm, &outcome)) {
		explain(&outcome, err);
		return outcome.status;
	}
	all->rank = team->rank;
	all->size = team->size;
	return GBM_OK;
}

int gbm_mpi_run_samples(const struct gbm_plan *plan, MPI_Comm comm,
			const char *file,
			const struct gbm_samples_options *options,
			struct gbm_result *result, struct gbm_error *err)
{
	struct gbm_team all;
	struct team team;
	int status = as_team(&team, &all, comm, err);

	return status ? status
		      : gbm_team_run_samples(plan, &all, file, options, result,
					     err);
}

int gbm_mpi_verify_samples(const struct gbm_plan *plan, MPI_Comm comm,
			   const char *file, struct gbm_error *err)
{
	struct gbm_team all;
	struct team team;
	int status = as_team(&team, &all, comm, err);

	return status ? status : gbm_team_verify_samples(plan, &all, file, err);
}
