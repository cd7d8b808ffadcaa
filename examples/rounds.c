/* SPDX-License-Identifier: GPL-3.0-or-later */
#define _POSIX_C_SOURCE 200809L

#include "rounds.h"

#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <gbm-mc/checkpoint.h>
#include <gbm-mc/memory.h>
#include <gbm-mc/run.h>

/* A run that takes longer has a checkpoint in a job of Slurm... */
#define LONG_SECONDS 60.0

/* ... which is known after so long. */
#define TRIAL_SECONDS 1.0

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

/* Where the state of the run is kept. */
struct keeper {
	const struct world *world;
	const struct cli *cli;
	const struct progress *progress;
	char file[CLI_FILE]; /* empty: nowhere */
	bool automatic;	     /* not asked for */
	bool decided;	     /* whether the run is long enough for that */
	bool ours;	     /* what stands there is of this run */
	double begun, due;   /* seconds */
};

/* FNV-1a (Fowler, Noll, Vo). */
static uint32_t hash(uint32_t h, const void *bytes, size_t n)
{
	const unsigned char *b = bytes;

	while (n--)
		h = (h ^ *b++) * UINT32_C(16777619);
	return h;
}

/* Of what a checkpoint of another run would be refused for. */
static uint32_t hash_of_run(const struct cli *cli)
{
	const struct gbm_model *m = &cli->model;
	const double numbers[] = { m->spot,	    m->rate, m->dividend,
				   m->drift,	    m->vol,  m->horizon,
				   (double)m->steps };
	uint32_t h = hash(UINT32_C(2166136261), numbers, sizeof(numbers));

	h = hash(h, &cli->options.seed, sizeof(cli->options.seed));
	h = hash(h, &cli->options.collect, sizeof(cli->options.collect));
	for (size_t k = 0; k <= cli->options.n_others; k++) {
		const struct gbm_functional *f =
			k ? cli->others + k - 1 : &cli->functional;

		h = hash(h, &f->payoff, sizeof(f->payoff));
		h = hash(h, &f->strike, sizeof(f->strike));
	}
	return h;
}

/*
 * The name that a requeued job finds again, and of the job's runs only the same
 * one.
 */
static void name_automatic(struct keeper *k)
{
	const char *job = cli_job();

	if (k->cli->no_checkpoint || !job)
		return;
	k->automatic = true;
	snprintf(k->file, sizeof(k->file), "gbm_sim-%.20s-%08" PRIx32 ".ckpt",
		 job, hash_of_run(k->cli));
}

static bool name_file(struct keeper *k)
{
	if (!k->cli->checkpoint) {
		name_automatic(k);
		return true;
	}
	k->decided = true;
	return (size_t)snprintf(k->file, sizeof(k->file), "%s",
				k->cli->checkpoint) < sizeof(k->file);
}

unsigned memory_flags(const struct world *world, const struct cli *cli)
{
	struct keeper k = { .world = world, .cli = cli };
	unsigned flags = 0;

	if (world->size > 1)
		flags |= GBM_MEMORY_MERGES;
	if (world->rank != 0)
		return flags;
	if (world->size > 1)
		flags |= GBM_MEMORY_GATHERS;
	if (!name_file(&k) || !k.file[0])
		return flags;
	flags |= GBM_MEMORY_SAVES;
	if (cli->resume || is_restarted())
		flags |= GBM_MEMORY_RESUMES;
	return flags;
}

/* Something of that name that this run has not made. */
static bool is_foreign(const struct keeper *k)
{
	return !k->ours && access(k->file, F_OK) == 0;
}

/*
 * The run does without a checkpoint that nobody asked for.  Known on rank 0,
 * which alone reads the file: not every node may have it.
 */
static void do_without(struct keeper *k, const char *why)
{
	complain(k->world, "%s; this run goes on without a checkpoint", why);
	k->file[0] = '\0';
	k->due = 0.0;
}

static int load(struct keeper *k, const struct gbm_plan *plan,
		struct gbm_summary *summary, uint64_t *done)
{
	bool resume = k->cli->resume || is_restarted() || k->automatic;
	struct gbm_error err = { 0 };
	int status = GBM_OK;

	if (k->world->rank == 0 && resume)
		status =
			gbm_checkpoint_load(k->file, plan, done, summary, &err);
	else if (k->world->rank == 0 && is_foreign(k))
		status = GBM_ECREATE;
	if (status == GBM_OK && err.text[0])
		complain(k->world, "%s; the one before it is taken", err.text);
	if (status == GBM_ENOENT && !k->automatic)
		complain(k->world, "%s: the run begins with its first path",
			 err.text);
	if (status == GBM_ECREATE)
		complain(
			k->world,
			"%s: there is a checkpoint: go on with it by --resume, "
			"or remove it",
			k->file);
	else if (status != GBM_OK && status != GBM_ENOENT && k->automatic)
		do_without(k, err.text);
	else if (status != GBM_OK && status != GBM_ENOENT)
		complain(k->world, "%s", err.text);
	k->ours = status == GBM_OK && resume;
	return status == GBM_ENOENT || k->automatic ? GBM_OK : status;
}

static int begin(struct keeper *k, const struct gbm_plan *plan,
		 struct gbm_summary *summary, uint64_t *done)
{
	int status = GBM_OK;

	*done = 0;
	if (!name_file(k)) {
		complain(k->world, "--checkpoint: the file's name is too long");
		return EX_USAGE;
	}
	if (!k->file[0])
		return EX_OK;
	heed_signals();
	status = worst(k->world, load(k, plan, summary, done));
	*done = from_first(k->world, *done);
	if (status == GBM_OK && *done)
		complain(k->world, "%s: goes on after %" PRIu64 " paths",
			 k->file, *done);
	k->begun = now();
	if (k->ours)
		k->decided = true;
	if (k->decided && k->file[0])
		k->due = k->begun + k->cli->checkpoint_every;
	return exit_code(status);
}

/* By what the first moments say about the whole run. */
static void decide(struct keeper *k, double seconds)
{
	const struct progress *p = k->progress;
	double rate = (double)(p->done - p->start) / seconds;

	k->decided = true;
	if ((double)(p->paths - p->start) < rate * LONG_SECONDS)
		return;
	if (is_foreign(k)) {
		do_without(k, "a file is in the way of the checkpoint");
		return;
	}
	k->due = k->begun + k->cli->checkpoint_every;
	complain(k->world,
		 "keeps its state in %s, as this takes more than a minute of a "
		 "job (--checkpoint none: does not)",
		 k->file);
}

static int pause_now(void *user)
{
	struct keeper *k = user;
	double t;

	if (asked_to_end || asked_to_save)
		return 1;
	if (k->world->rank != 0 || !k->file[0])
		return 0;
	t = now();
	if (!k->decided && t - k->begun >= TRIAL_SECONDS &&
	    k->progress->done > k->progress->start)
		decide(k, t - k->begun);
	return k->due > 0.0 && t >= k->due;
}

/* Writes the state, on rank 0, if it is of whole blocks. */
static int save(struct keeper *k, const struct gbm_plan *plan, uint64_t done,
		const struct gbm_summary *summary, bool must)
{
	struct gbm_error err = { 0 };
	int status = GBM_OK;

	if (k->world->rank == 0 && k->file[0] && done % GBM_BLOCK_PATHS == 0) {
		if (k->automatic && is_foreign(k))
			do_without(k, "a file is in the way of the checkpoint");
		else
			status = gbm_checkpoint_save(k->file, plan, done,
						     summary, &err);
		if (status != GBM_OK && k->automatic && !must) {
			do_without(k, err.text);
			status = GBM_OK;
		} else if (status == GBM_OK && k->file[0]) {
			k->ours = true;
			k->due = now() + k->cli->checkpoint_every;
		}
	}
	status = worst(k->world, status);
	if (status != GBM_OK)
		complain(k->world, "%s",
			 err.text[0] ? err.text : gbm_strerror(status));
	return exit_code(status);
}

/* Nobody goes on with a run that has ended, unless it was to be kept. */
static void tidy(const struct keeper *k)
{
	char old[CLI_FILE + 4];

	if (!k->automatic || !k->ours || k->world->rank != 0 || !k->file[0])
		return;
	snprintf(old, sizeof(old), "%s.old", k->file);
	unlink(k->file);
	unlink(old);
}

/* What the ranks agree on in a pause. */
enum {
	GO_ON = GBM_SAMPLES_GO_ON,
	SAVE = GBM_SAMPLES_SAVE,
	END = GBM_SAMPLES_END
};

static int vote(const struct world *world)
{
	return -worst(world, -asked());
}

/* In one sentence, of the first payoff that does not meet it. */
static void tell_unmet(const struct world *world, const struct cli *cli,
		       const struct gbm_plan *plan, const struct gbm_goal *goal,
		       struct gbm_summary *summary, enum gbm_why why)
{
	struct gbm_result r = GBM_RESULT_INIT;
	double half;
	size_t k = 0;

	if (world->rank != 0)
		return;
	while (k < cli->options.n_others &&
	       gbm_goal_met(goal, plan, gbm_summary_stats(summary, k)))
		k++;
	gbm_stats_result(gbm_summary_stats(summary, k), &r);
	half = 1.959963984540054 * r.std_error;
	complain(world,
		 "the tolerance is not met: after %" PRIu64
		 " paths the mean %.6g has a 95 %% half-width of %.3g, and "
		 "%.3g was wanted: give more --%s",
		 r.n, r.mean, half,
		 fmax(goal->abs_tolerance, goal->tolerance * fabs(r.mean)),
		 why == GBM_WHY_SECONDS ? "max-time" : "paths");
}

static int failed(const struct world *world, int status)
{
	complain(world, "the run failed: %s", gbm_strerror(status));
	return exit_code(status);
}

/* Until nothing is left to do, or a signal ends it. */
static int run_on(struct keeper *k, const struct gbm_plan *plan,
		  struct gbm_goal *goal, struct gbm_summary *summary,
		  uint64_t *done, struct rounds *rounds)
{
	const uint64_t end = k->cli->paths,
		       blocks = end - end % GBM_BLOCK_PATHS;
	struct gbm_ending e = GBM_ENDING_INIT;
	double begun = now();
	int status, code, decision = GO_ON;

	for (;;) {
		/* The last paths, less than a block, are in no checkpoint. */
		goal->paths = k->file[0] && *done < blocks ? blocks : 0;
		goal->paths = from_first(k->world, goal->paths);
		if (k->cli->max_time > 0.0)
			goal->seconds =
				fmax(k->cli->max_time - (now() - begun), 1e-9);
		status = worst(k->world, run_until(k->world, plan, goal,
						   summary, done, &e));
		if (status != GBM_OK)
			return failed(k->world, status);
		rounds->own += e.n_own;
		rounds->met = e.met;
		decision = vote(k->world);
		if (e.why == GBM_WHY_TOLERANCE || e.why == GBM_WHY_SECONDS ||
		    *done == end)
			break;
		code = save(k, plan, *done, summary, decision == END);
		if (code != EX_OK)
			return code;
		if (decision == END && !k->file[0]) {
			complain(k->world,
				 "ended by a signal after %" PRIu64
				 " of %" PRIu64
				 " paths, of which nothing is kept",
				 *done, end);
			return EX_IOERR;
		}
		if (decision == END) {
			complain(k->world,
				 "ended by a signal after %" PRIu64
				 " of %" PRIu64
				 " paths: go on by --checkpoint %s --resume",
				 *done, end, k->file);
			return EX_TEMPFAIL;
		}
	}
	rounds->unmet =
		!e.met && (goal->tolerance > 0.0 || goal->abs_tolerance > 0.0);
	if (rounds->unmet)
		tell_unmet(k->world, k->cli, plan, goal, summary, e.why);
	if (!k->automatic)
		return save(k, plan, *done, summary, true);
	tidy(k);
	return EX_OK;
}

int run_rounds(const struct world *world, const struct cli *cli,
	       const struct gbm_plan *plan, struct progress *progress,
	       struct gbm_summary *summary, struct gbm_result *result,
	       struct rounds *rounds)
{
	struct keeper k = { .world = world, .cli = cli, .progress = progress };
	struct gbm_goal goal = GBM_GOAL_INIT;
	uint64_t done;
	int code = begin(&k, plan, summary, &done);

	if (code != EX_OK)
		return code;
	*rounds = (struct rounds){ .start = done };
	progress->start = progress->done = done;
	progress->open_end = cli->tolerance > 0.0 || cli->abs_tolerance > 0.0 ||
			     cli->max_time > 0.0;
	goal.tolerance = cli->tolerance;
	goal.abs_tolerance = cli->abs_tolerance;
	goal.pause = pause_now;
	goal.pause_user = &k;
	code = run_on(&k, plan, &goal, summary, &done, rounds);
	if (code == EX_OK && world->rank == 0 &&
	    gbm_stats_result(gbm_summary_stats(summary, 0), result) != GBM_OK)
		code = EX_SOFTWARE;
	return code;
}
