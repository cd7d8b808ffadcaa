/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A file of samples as a run of one or more processes: in rounds, between which
 * they agree on what comes next and write a checkpoint now and then.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <gbm-mc/checkpoint.h>

#include "libgbm/err.h"
#include "libgbm/rounds.h"
#include "libgbm/samples.h"
#include "libgbm/summary.h"

#define EVERY_SECONDS 60.0

struct run {
	const struct gbm_plan *plan;
	const struct gbm_team *team;
	const char *file;
	struct gbm_samples_options o;
	struct gbm_samples *samples;
	struct gbm_stats *part;	   /* of this process, since the last save */
	struct gbm_summary *whole; /* on rank 0 */
	uint64_t *front;	   /* rows of each file that are done */
	uint64_t done;		   /* of all files */
	struct gbm_rounds rounds;
	uint64_t own; /* paths that this process has run */
	double due;   /* when the next checkpoint is */
	int status, code;
	struct gbm_error err;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Notes the first failure. */
static void note(struct run *r, int status)
{
	if (status == GBM_OK || r->status != GBM_OK)
		return;
	r->status = status;
	if (!r->err.text[0])
		gbm_error_set(&r->err, status, "%s", gbm_strerror(status));
}

/* With a text that a function has given; what it gives later is no failure. */
static void note_why(struct run *r, int status, const struct gbm_error *why)
{
	if (status != GBM_OK && r->status == GBM_OK)
		r->err = *why;
	note(r, status);
}

static int agree(struct run *r)
{
	const struct gbm_team *t = r->team;

	if (t->size > 1)
		r->status = t->agree(t->user, r->status, &r->code, &r->err);
	return r->status;
}

static void share(struct run *r, void *bytes, size_t n)
{
	if (r->team->size > 1)
		note(r, r->team->share(r->team->user, bytes, n));
}

/* ---- the beginning */

static int make(struct run *r, struct gbm_error *why)
{
	struct gbm_samples_info info = GBM_SAMPLES_INFO_INIT;
	const char *checkpoint = r->o.checkpoint;

	if (checkpoint && r->o.resume)
		return gbm_samples_resume(&r->samples, r->file, r->plan, &r->o,
					  r->whole, why);
	/* What stands in the way of the file itself is said by who makes it. */
	if (checkpoint && access(checkpoint, F_OK) == 0 && !r->o.force &&
	    gbm_samples_info(r->file, &info, NULL) == GBM_EIO)
		return gbm_error_set(why, GBM_ECREATE,
				     "%s: there is a checkpoint: go on with it "
				     "by --resume, or begin anew by force "
				     "(--force)",
				     gbm_shown(checkpoint).text);
	return gbm_samples_create(&r->samples, r->file, r->plan, &r->o, why);
}

/* As many shards as there are; of a file that is not there, one for each. */
static void choose_shards(struct run *r)
{
	struct gbm_samples_info info = GBM_SAMPLES_INFO_INIT;
	uint64_t shards = (uint64_t)r->team->size;

	if (r->o.shards && r->o.resume && r->team->rank == 0 &&
	    gbm_samples_info(r->file, &info, NULL) == GBM_OK && info.shards)
		shards = info.shards;
	share(r, &shards, sizeof(shards));
	if (!r->o.shards)
		return;
	r->o.shards = (unsigned)shards;
	r->o.shard = (unsigned)r->team->rank % r->o.shards;
}

/* Those that are missing, and room for all. */
static void revive_shards(struct run *r)
{
	struct gbm_error why = { 0 };

	for (unsigned i = (unsigned)r->team->rank;
	     i < r->o.shards && r->status == GBM_OK;
	     i += (unsigned)r->team->size)
		note_why(r, gbm_samples_move(r->samples, i, &why), &why);
	agree(r);
}

static void begin(struct run *r)
{
	uint64_t head[2] = { 0, 0 }; /* ticket, complete */
	struct gbm_error why = { 0 };
	unsigned files;

	choose_shards(r);
	files = r->o.shards ? r->o.shards : 1;
	r->front = calloc(files, sizeof(*r->front));
	if (gbm_rounds_open(&r->rounds, r->team, files) != GBM_OK || !r->front)
		note(r, GBM_ENOMEM);
	if (agree(r) != GBM_OK)
		return;
	note(r, gbm_rounds_begin(&r->rounds, r->plan->threads));
	if (r->team->rank == 0)
		note_why(r, make(r, &why), &why);
	if (r->samples) {
		head[0] = r->samples->m.ticket;
		head[1] = (uint64_t)r->samples->m.complete;
		memcpy(r->front, r->samples->written,
		       files * sizeof(*r->front));
	}
	share(r, head, sizeof(head));
	share(r, r->front, files * sizeof(*r->front));
	if (agree(r) != GBM_OK)
		return;
	if (r->team->rank != 0 && !head[1]) {
		note_why(r,
			 gbm_samples_join(&r->samples, r->file, r->plan, &r->o,
					  head[0], &why),
			 &why);
	} else if (r->team->rank != 0) {
		/* Nothing is left to write: only what was written counts. */
		note_why(r,
			 gbm_samples_new(&r->samples, r->file, r->plan, &r->o,
					 &why),
			 &why);
		if (r->samples)
			r->samples->m.complete = 1;
	}
	if (agree(r) != GBM_OK) {
		if (!r->o.resume && (r->team->rank == 0 || r->o.shards))
			gbm_samples_remove(r->samples);
		return;
	}
	r->samples->kept = r->o.checkpoint != NULL;
	for (unsigned i = 0; i < files; i++) {
		gbm_samples_set_front(r->samples, i, r->front[i]);
		r->done += r->front[i];
	}
	if (r->o.shards && r->o.resume && !r->samples->m.complete)
		revive_shards(r);
}

/* ---- rounds */

/* Deals out whole blocks, or with last all that is left: how many paths. */
static uint64_t plan_round(struct run *r, int last)
{
	const struct gbm_manifest *m = &r->samples->m;

	for (unsigned file = 0; file < r->samples->n_files; file++) {
		uint64_t first = m->first_path, rows = m->rows, end;

		if (m->shards)
			gbm_manifest_shard(m, file, &first, &rows);
		end = first + rows;
		if (!last)
			end -= end % GBM_BLOCK_PATHS;
		gbm_rounds_left(&r->rounds, file, first + r->front[file], end);
	}
	return gbm_rounds_deal(&r->rounds, last);
}

/* The last paths of a file that is complete: only their values are missing. */
static void estimate_tail(struct run *r, uint64_t first, uint64_t n)
{
	note(r, gbm_run_range(r->plan, first, n, r->part, &r->code));
}

static void do_part(struct run *r, const struct gbm_part *part, uint64_t all)
{
	struct gbm_samples *s = r->samples;
	struct gbm_error why = { 0 };

	if (s->m.complete) {
		estimate_tail(r, part->first, part->n);
		return;
	}
	s->progress_base = r->done;
	s->progress_scale = (double)all / (double)part->n;
	note_why(r, gbm_samples_move(s, part->file, &why), &why);
	if (r->status == GBM_OK)
		note_why(r,
			 gbm_samples_run(s, part->first, part->n, r->part,
					 &r->code, &why),
			 &why);
}

/*
 * All paths of a round that was planned.  Returns the seconds that this
 * process' own part took; 0: it had none.
 */
static double do_round(struct run *r, uint64_t all)
{
	const struct gbm_part *part = r->rounds.parts + r->team->rank;
	double begun = now(), seconds = 0.0;

	if (part->n) {
		do_part(r, part, all);
		seconds = now() - begun;
	}
	if (agree(r) != GBM_OK)
		return seconds;
	for (int rank = 0; rank < r->team->size; rank++) {
		const struct gbm_part *theirs = r->rounds.parts + rank;

		if (theirs->n)
			r->front[theirs->file] += theirs->n;
	}
	r->done += all;
	r->own += part->n;
	return seconds;
}

/* The checksums and sums of all, to rank 0. */
static void gather(struct run *r)
{
	struct gbm_error why = { 0 };

	if (!r->samples->m.complete)
		note_why(r, gbm_samples_sync(r->samples, &why), &why);
	if (agree(r) != GBM_OK)
		return;
	if (r->team->size > 1)
		note(r, r->team->gather(r->team->user, r->samples, r->part));
	if (agree(r) != GBM_OK)
		return;
	if (r->team->rank != 0)
		gbm_samples_forget(r->samples);
	if (!r->part)
		return;
	if (r->team->rank == 0)
		gbm_stats_merge(gbm_summary_stats(r->whole, 0), r->part);
	gbm_stats_zero(r->part);
}

/* All that it claims is on the disk by then. */
static void save(struct run *r)
{
	struct gbm_error why = { 0 };

	gather(r);
	if (r->status == GBM_OK && r->team->rank == 0)
		note_why(r,
			 gbm_checkpoint_save_samples(r->o.checkpoint, r->plan,
						     r->samples, r->whole,
						     &why),
			 &why);
	agree(r);
	r->due = now() + (r->o.every > 0.0 ? r->o.every : EVERY_SECONDS);
}

/* What all do next, as the most demanding wants it. */
static int decide(struct run *r)
{
	int next = GBM_SAMPLES_GO_ON;

	if (r->o.ask)
		next = r->o.ask(r->o.ask_user, r->done);
	if (r->team->rank == 0 && next == GBM_SAMPLES_GO_ON && now() >= r->due)
		next = GBM_SAMPLES_SAVE;
	if (r->team->size > 1)
		note(r, r->team->most(r->team->user, &next));
	return next;
}

/* Several processes work on one file. */
static int shared(const struct run *r)
{
	return r->samples->n_files < (unsigned)r->team->size;
}

static void keep_rounds(struct run *r)
{
	int next = GBM_SAMPLES_GO_ON;
	uint64_t saved = r->done, all;

	r->due = now() + (r->o.every > 0.0 ? r->o.every : EVERY_SECONDS);
	if (r->o.ask)
		r->o.ask(r->o.ask_user, r->done);
	all = plan_round(r, 0);
	while (all && next != GBM_SAMPLES_END) {
		double seconds = do_round(r, all);

		if (r->status != GBM_OK)
			return;
		note(r, gbm_rounds_learn(&r->rounds, seconds));
		if (r->o.checkpoint)
			next = decide(r);
		if (agree(r) != GBM_OK)
			return;
		all = plan_round(r, 0);
		if (r->o.checkpoint && (next != GBM_SAMPLES_GO_ON || !all)) {
			save(r);
			saved = r->done;
		}
		if (r->status != GBM_OK)
			return;
	}
	if (!r->o.checkpoint)
		return;
	/* So that a run of less than a block can be extended. */
	if (saved == 0 && r->done == 0)
		save(r);
	if (r->status == GBM_OK && next == GBM_SAMPLES_END &&
	    r->done < r->samples->m.rows) {
		r->status = gbm_error_set(
			&r->err, GBM_ECANCELED,
			"%s: ended by a signal after %llu of %llu paths: go "
			"on with --resume",
			gbm_shown(r->file).text, (unsigned long long)r->done,
			(unsigned long long)r->samples->m.rows);
	}
}

/* The result, on all. */
static void tell(struct run *r, struct gbm_result *result)
{
	size_t n = gbm_stats_packed_size();
	void *bytes = malloc(n);

	if (!bytes)
		note(r, GBM_ENOMEM);
	if (agree(r) != GBM_OK)
		goto out;
	gbm_stats_pack(gbm_summary_stats(r->whole, 0), bytes);
	share(r, bytes, n);
	note(r, gbm_stats_unpack(r->part, bytes, n));
	if (r->status == GBM_OK)
		note(r, gbm_stats_result(r->part, result));
out:
	free(bytes);
	agree(r);
}

static void complete(struct run *r)
{
	struct gbm_error why = { 0 };

	do_round(r, plan_round(r, 1));
	if (r->status != GBM_OK)
		return;
	gather(r);
	if (r->status == GBM_OK && r->team->rank == 0)
		note_why(r, gbm_samples_finish(r->samples, &why), &why);
	agree(r);
}

static void check(struct run *r, const struct gbm_result *result,
		  const struct gbm_samples_options *options)
{
	struct gbm_samples_options *o = &r->o;

	if (!r->plan || !r->file || (result && result->size != sizeof(*result)))
		note(r, gbm_error_set(&r->err, GBM_EINVAL,
				      "plan, file and result: must be given, "
				      "result set up with GBM_RESULT_INIT"));
	else if (options && options->size != sizeof(*o))
		note(r, gbm_error_set(&r->err, GBM_EINVAL,
				      "samples' options: set them up with "
				      "GBM_SAMPLES_OPTIONS_INIT"));
	else if (o->first_path && (result || o->checkpoint))
		note(r, gbm_error_set(&r->err, GBM_EINVAL,
				      "first_path: must be 0 for a result or a "
				      "checkpoint"));
	else if ((result || o->checkpoint) && !r->plan->has_functional)
		note(r, gbm_error_set(&r->err, GBM_EINVAL,
				      "a result or a checkpoint needs a plan "
				      "with a functional"));
	else if (o->checkpoint && (r->plan->n_others || r->plan->collect))
		note(r, gbm_error_set(&r->err, GBM_EINVAL,
				      "a checkpoint of samples is of a plan "
				      "with one functional and nothing else to "
				      "collect"));
	else if (o->resume && (!o->checkpoint || o->force))
		note(r, gbm_error_set(&r->err, GBM_EINVAL,
				      "resume: needs a checkpoint and excludes "
				      "force"));
	else if (result || o->checkpoint)
		note(r, gbm_stats_create(&r->part));
	if (r->part)
		note(r, gbm_summary_create(&r->whole, r->plan));
}

int gbm_team_run_samples(const struct gbm_plan *plan,
			 const struct gbm_team *team, const char *file,
			 const struct gbm_samples_options *options,
			 struct gbm_result *result, struct gbm_error *err)
{
	struct run r = { .plan = plan,
			 .team = team,
			 .file = file,
			 .o = GBM_SAMPLES_OPTIONS_INIT };

	if (options && options->size == sizeof(r.o))
		r.o = *options;
	check(&r, result, options);
	if (agree(&r) == GBM_OK)
		begin(&r);
	if (r.status == GBM_OK && (r.o.checkpoint || shared(&r)))
		keep_rounds(&r);
	if (r.status == GBM_OK)
		complete(&r);
	if (r.status == GBM_OK && result)
		tell(&r, result);
	if (r.status == GBM_ECANCELED && result)
		result->user_code = r.code;
	if (r.o.n_own)
		*r.o.n_own = r.own;
	gbm_samples_close(&r.samples);
	gbm_stats_destroy(&r.part);
	gbm_summary_destroy(&r.whole);
	free(r.front);
	gbm_rounds_close(&r.rounds);
	if (err) {
		*err = r.err;
		err->status = r.status;
	}
	return r.status;
}

/* ---- comparing */

/* In rounds: the lowest rank that fails has the least path that differs. */
static void compare(struct run *r, uint64_t first, uint64_t end)
{
	const struct gbm_part *part = r->rounds.parts + r->team->rank;
	struct gbm_samples *s = r->samples;
	struct gbm_error why = { 0 };
	uint64_t all;

	note(r, gbm_rounds_begin(&r->rounds, r->plan->threads));
	while (agree(r) == GBM_OK) {
		double begun = now();

		gbm_rounds_left(&r->rounds, 0, first + r->done, end);
		all = gbm_rounds_deal(&r->rounds, 0);
		if (!all)
			return;
		s->progress_base = r->done;
		s->progress_scale =
			part->n ? (double)all / (double)part->n : 0.0;
		note_why(
			r,
			gbm_samples_verify(s, part->first, part->n, NULL, &why),
			&why);
		if (agree(r) != GBM_OK)
			return;
		r->done += all;
		note(r, gbm_rounds_learn(&r->rounds, now() - begun));
	}
}

int gbm_team_verify_samples(const struct gbm_plan *plan,
			    const struct gbm_team *team, const char *file,
			    struct gbm_error *err)
{
	struct gbm_samples_info info = GBM_SAMPLES_INFO_INIT;
	struct run r = { .plan = plan, .team = team, .file = file };
	struct gbm_error why = { 0 };

	if (!plan || !file)
		note(&r, gbm_error_set(&r.err, GBM_EINVAL,
				       "plan and file: must be given"));
	else if (gbm_rounds_open(&r.rounds, team, 1) != GBM_OK)
		note(&r, GBM_ENOMEM);
	else
		note_why(&r, gbm_samples_info(file, &info, &why), &why);
	if (r.status == GBM_OK)
		note_why(&r, gbm_samples_open(&r.samples, file, plan, &why),
			 &why);
	if (agree(&r) == GBM_OK)
		compare(&r, info.first_path, info.first_path + info.n_paths);
	if (r.status == GBM_OK && team->size > 1)
		note(&r, team->gather(team->user, r.samples, NULL));
	if (agree(&r) == GBM_OK && team->rank == 0)
		note_why(&r, gbm_samples_finish(r.samples, &why), &why);
	agree(&r);
	gbm_samples_close(&r.samples);
	gbm_rounds_close(&r.rounds);
	if (err) {
		*err = r.err;
		err->status = r.status;
	}
	return r.status;
}

int gbm_run_samples(const struct gbm_plan *plan, const char *file,
		    const struct gbm_samples_options *options,
		    struct gbm_result *result, struct gbm_error *err)
{
	static const struct gbm_team alone = { .size = 1 };

	if (!result)
		return gbm_error_set(err, GBM_EINVAL,
				     "plan and result: must be given, result "
				     "set up with GBM_RESULT_INIT");
	return gbm_team_run_samples(plan, &alone, file, options, result, err);
}
