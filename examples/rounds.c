/* SPDX-License-Identifier: GPL-3.0-or-later */
#define _POSIX_C_SOURCE 200809L

#include "rounds.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include <gbm-mc/checkpoint.h>

/* Seconds that a round is meant to take: all ranks end it together. */
#define ROUND_SECONDS 0.5

static volatile sig_atomic_t asked_to_save, asked_to_end;

static void on_signal(int number)
{
	if (number == SIGTERM)
		asked_to_end = 1;
	else
		asked_to_save = 1;
}

void heed_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal,
				    .sa_flags = SA_RESTART };

	sigemptyset(&action.sa_mask);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
}

int asked(void)
{
	int next = asked_to_end	   ? GBM_SAMPLES_END
		   : asked_to_save ? GBM_SAMPLES_SAVE
				   : GBM_SAMPLES_GO_ON;

	asked_to_save = 0;
	return next;
}

bool is_restarted(void)
{
	const char *count = getenv("SLURM_RESTART_COUNT");

	return count && atol(count) > 0;
}

/* Only rank 0 reads the file: not every node may have it. */
static int begin(const struct world *world, const struct cli *cli,
		 const struct gbm_plan *plan, struct gbm_summary *summary,
		 uint64_t *done)
{
	bool resume = cli->resume || is_restarted();
	struct gbm_error err = { 0 };
	int status = GBM_OK;

	*done = 0;
	if (world->rank == 0 && resume)
		status = gbm_checkpoint_load(cli->checkpoint, plan, done,
					     summary, &err);
	else if (world->rank == 0 && access(cli->checkpoint, F_OK) == 0)
		status = GBM_ECREATE;
	if (status == GBM_OK && err.text[0])
		complain(world, "%s; the one before it is taken", err.text);
	if (status == GBM_ENOENT) {
		complain(world, "%s: the run begins with its first path",
			 err.text);
		status = GBM_OK;
	}
	status = worst(world, status);
	if (status == GBM_ECREATE)
		complain(
			world,
			"%s: there is a checkpoint: go on with it by --resume, "
			"or remove it",
			cli->checkpoint);
	else if (status != GBM_OK)
		complain(world, "%s", err.text);
	*done = from_first(world, *done);
	if (status == GBM_OK && *done)
		complain(world, "%s: goes on after %" PRIu64 " paths",
			 cli->checkpoint, *done);
	return exit_code(status);
}

/*
 * What the ranks have since the last time, to the whole on rank 0, which writes
 * it.  *part is empty again.
 */
static int gather(const struct world *world, const struct cli *cli,
		  const struct gbm_plan *plan, struct gbm_summary **part,
		  struct gbm_summary *whole, uint64_t done)
{
	struct gbm_error err = { 0 };
	int status = merge_ranks(world, *part);

	if (status == GBM_OK && world->rank == 0)
		status = gbm_summary_merge(whole, *part);
	gbm_summary_destroy(part);
	if (status == GBM_OK)
		status = gbm_summary_create(part, plan);
	/* The last paths, less than a block, are no part of a checkpoint. */
	if (status == GBM_OK && world->rank == 0 && done % GBM_BLOCK_PATHS == 0)
		status = gbm_checkpoint_save(cli->checkpoint, plan, done, whole,
					     &err);
	status = worst(world, status);
	if (status != GBM_OK)
		complain(world, "%s",
			 err.text[0] ? err.text : gbm_strerror(status));
	return exit_code(status);
}

/* The next round's paths, after one of n in so many seconds. */
static uint64_t next_round(uint64_t n, double seconds)
{
	double factor = ROUND_SECONDS / (seconds > 1e-6 ? seconds : 1e-6);
	uint64_t blocks;

	factor = factor > 2.0 ? 2.0 : factor < 0.25 ? 0.25 : factor;
	blocks = (uint64_t)(factor * (double)(n / GBM_BLOCK_PATHS));
	return (blocks ? blocks : 1) * GBM_BLOCK_PATHS;
}

/* What the ranks agree on after a round. */
enum {
	GO_ON = GBM_SAMPLES_GO_ON,
	SAVE = GBM_SAMPLES_SAVE,
	END = GBM_SAMPLES_END
};

static int vote(const struct world *world, double due)
{
	int mine = asked();

	if (mine == GO_ON && world->rank == 0 && now() >= due)
		mine = SAVE;
	return -worst(world, -mine);
}

int run_rounds(const struct world *world, const struct cli *cli,
	       const struct gbm_plan *plan, struct progress *progress,
	       struct gbm_summary *summary, struct gbm_result *result,
	       uint64_t *start)
{
	const uint64_t end = cli->paths, blocks = end - end % GBM_BLOCK_PATHS;
	struct gbm_plan_info info = GBM_PLAN_INFO_INIT;
	struct gbm_summary *part = NULL;
	uint64_t done, round;
	double due;
	int status, code, decision = GO_ON;

	heed_signals();
	code = begin(world, cli, plan, summary, &done);
	if (code != EX_OK)
		return code;
	*start = progress->start = done;
	status = gbm_plan_info(plan, &info);
	if (status == GBM_OK)
		status = gbm_summary_create(&part, plan);
	if (worst(world, status) != GBM_OK) {
		complain(world,
			 "no memory for a checkpoint: give fewer threads "
			 "or ranks");
		gbm_summary_destroy(&part);
		return EX_OSERR;
	}
	round = (uint64_t)world->size * info.threads * GBM_BLOCK_PATHS;
	due = now() + cli->checkpoint_every;
	while (code == EX_OK && done < end && decision != END) {
		double begun = now();
		uint64_t n = done < blocks ? blocks - done : end - done;

		if (n > round)
			n = round;
		progress->base = done;
		progress->part = n;
		status = worst(world, run_part(world, plan, done, n, part));
		if (status != GBM_OK) {
			complain(world, "the run failed: %s",
				 gbm_strerror(status));
			code = exit_code(status);
			break;
		}
		done += n;
		round = from_first(world, next_round(n, now() - begun));
		decision = vote(world, due);
		if (decision == GO_ON && done != blocks && done != end)
			continue;
		code = gather(world, cli, plan, &part, summary, done);
		due = now() + cli->checkpoint_every;
	}
	gbm_summary_destroy(&part);
	if (code == EX_OK && done < end) {
		complain(world,
			 "ended by a signal after %" PRIu64 " of %" PRIu64
			 " paths: go on by --checkpoint %s --resume",
			 done, end, cli->checkpoint);
		code = EX_TEMPFAIL;
	}
	if (code == EX_OK && world->rank == 0 &&
	    gbm_stats_result(gbm_summary_stats(summary, 0), result) != GBM_OK)
		code = EX_SOFTWARE;
	return code;
}
