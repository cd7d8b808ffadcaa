/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Samples by several processes, here threads, that stop and go on in other
 * numbers: the bytes of one process in one go.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <gbm-mc/checkpoint.h>
#include <gbm-mc/samples.h>

#include "libgbm/samples.h"
#include "tests/unit/check_main.h"
#include "tests/unit/runs.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define BLOCK	      ((uint64_t)GBM_BLOCK_PATHS)
#define MOST	      7 /* processes */

/* A disk that reserves nothing, in place of the C library's call. */
static int reserve_error, reserved;

int fallocate(int fd, int mode, off_t at, off_t n)
{
	reserved++;
	if (reserve_error) {
		errno = reserve_error;
		return -1;
	}
	return (int)syscall(SYS_fallocate, fd, mode, at, n);
}

static char directory[64];

static void enter(const char *where)
{
	snprintf(directory, sizeof(directory), "%s/gbm-resumed.XXXXXX", where);
	ck_assert_ptr_nonnull(mkdtemp(directory));
	ck_assert_int_eq(chdir(directory), 0);
}

/* In memory if possible: some disks take their time for hundreds of syncs. */
static void make_directory(void)
{
	enter(access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
}

static void make_on_disk(void)
{
	enter("/var/tmp");
}

static void remove_directory(void)
{
	char command[96];

	ck_assert_int_eq(chdir("/"), 0);
	snprintf(command, sizeof(command), "rm -rf '%s'", directory);
	ck_assert_int_eq(system(command), 0);
}

static void shell(const char *command)
{
	ck_assert_msg(system(command) == 0, "%s", command);
}

static struct gbm_plan *plan_with(struct gbm_functional f, uint64_t n,
				  unsigned threads, uint64_t seed)
{
	struct gbm_options o = GBM_OPTIONS_INIT;
	struct gbm_model model = GBM_MODEL_INIT;
	struct gbm_error err = { 0 };
	struct gbm_plan *plan;

	model.steps = 3;
	o.threads = threads;
	o.seed = seed;
	ck_assert_msg(gbm_plan_create(&plan, &model, &f, n, &o, &err) == GBM_OK,
		      "%s", err.text);
	return plan;
}

static struct gbm_plan *plan_of(uint64_t n, unsigned threads)
{
	struct gbm_functional f = GBM_FUNCTIONAL_INIT;

	f.payoff = GBM_ASIAN_CALL;
	return plan_with(f, n, threads, 1);
}

/* ---- several processes */

/* What they hand to each other; all is read between two barriers. */
struct crew {
	int size;
	pthread_barrier_t barrier;
	int status[MOST], code[MOST], value[MOST];
	struct gbm_error *err[MOST];
	uint64_t number[MOST], own[MOST];
	const void *bytes;
	struct gbm_samples *samples[MOST];
	struct gbm_stats *stats[MOST];
	int compares;
	/* The collective call, of those below, that fails on one of them. */
	int fails, who;
};

struct member {
	struct crew *crew;
	int rank;
	int calls;
	/* Its part of a run. */
	const struct gbm_plan *plan;
	const char *file;
	struct gbm_samples_options o;
	struct gbm_result result;
	struct gbm_error err;
	int status;
	int answers, answer; /* the last of so many; before: go on */
	int compares;	     /* what is there, instead */
};

static void meet(const struct member *m)
{
	pthread_barrier_wait(&m->crew->barrier);
}

static int outcome(struct member *m)
{
	return m->rank == m->crew->who && ++m->calls == m->crew->fails
		       ? GBM_EMPI
		       : GBM_OK;
}

static int agree(void *user, int status, int *code, struct gbm_error *err)
{
	struct member *m = user;
	struct crew *c = m->crew;
	int first = 0, agreed;

	c->status[m->rank] = status;
	c->code[m->rank] = *code;
	c->err[m->rank] = err;
	meet(m);
	while (first < c->size && c->status[first] == GBM_OK)
		first++;
	agreed = first < c->size ? c->status[first] : GBM_OK;
	if (first < c->size && first != m->rank) {
		*code = c->code[first];
		*err = *c->err[first];
	}
	meet(m);
	return agreed;
}

static int share(void *user, void *bytes, size_t n)
{
	struct member *m = user;

	if (m->rank == 0)
		m->crew->bytes = bytes;
	meet(m);
	if (m->rank != 0)
		memcpy(bytes, m->crew->bytes, n);
	meet(m);
	return outcome(m);
}

static int most(void *user, int *value)
{
	struct member *m = user;

	m->crew->value[m->rank] = *value;
	meet(m);
	for (int i = 0; i < m->crew->size; i++)
		if (m->crew->value[i] > *value)
			*value = m->crew->value[i];
	meet(m);
	return outcome(m);
}

static int collect(void *user, uint64_t mine, uint64_t *all)
{
	struct member *m = user;

	m->crew->number[m->rank] = mine;
	meet(m);
	memcpy(all, m->crew->number, (size_t)m->crew->size * sizeof(*all));
	meet(m);
	return outcome(m);
}

static int gather(void *user, struct gbm_samples *samples,
		  struct gbm_stats *stats)
{
	struct member *m = user;
	struct crew *c = m->crew;
	size_t n = gbm_samples_packed_size(samples);
	void *bytes = malloc(n);
	int status = bytes ? GBM_OK : GBM_ENOMEM;

	c->samples[m->rank] = samples;
	c->stats[m->rank] = stats;
	meet(m);
	for (int i = 1; m->rank == 0 && i < c->size && !status; i++) {
		gbm_samples_pack(c->samples[i], bytes);
		status = gbm_samples_merge(samples, bytes, n);
		if (stats)
			gbm_stats_merge(stats, c->stats[i]);
	}
	meet(m);
	free(bytes);
	return status ? status : outcome(m);
}

static int answer(void *user, uint64_t done)
{
	struct member *m = user;

	ck_assert_uint_le(done, m->plan->n_paths);
	return --m->answers == 0 ? m->answer : GBM_SAMPLES_GO_ON;
}

/* Nanoseconds that a path takes this process; of no use on several threads. */
static _Thread_local long path_ns;

static int takes_time(const struct gbm_block *b, void *user, double *out)
{
	struct timespec t = { 0, path_ns * (long)b->n_paths };

	(void)user;
	nanosleep(&t, NULL);
	for (size_t i = 0; i < b->n_paths; i++)
		out[i] = 1;
	return 0;
}

static void *work(void *user)
{
	struct member *m = user;
	const struct gbm_team team = { .rank = m->rank,
				       .size = m->crew->size,
				       .user = m,
				       .agree = agree,
				       .share = share,
				       .most = most,
				       .collect = collect,
				       .gather = gather };

	path_ns = m->rank == 1 ? 4000 : 1000;
	m->status = m->compares
			    ? gbm_team_verify_samples(m->plan, &team, m->file,
						      &m->err)
			    : gbm_team_run_samples(m->plan, &team, m->file,
						   &m->o, &m->result, &m->err);
	return NULL;
}

/*
 * Runs with the plan and options, in which shards is 0 or not; the last of them
 * gives the answer at the time.  All say the same in the end, which is
 * returned, and *one has what they say.
 */
static int run(struct crew *crew, const struct gbm_plan *plan, const char *file,
	       const struct gbm_samples_options *o, int answers, int last,
	       struct member *one)
{
	struct member m[MOST];
	pthread_t threads[MOST];

	ck_assert_int_eq(pthread_barrier_init(&crew->barrier, NULL,
					      (unsigned)crew->size),
			 0);
	for (int i = 0; i < crew->size; i++) {
		m[i] = (struct member){ .crew = crew,
					.rank = i,
					.plan = plan,
					.file = file,
					.o = *o,
					.result = GBM_RESULT_INIT,
					.compares = crew->compares,
					.answer = last };
		m[i].answers = i == crew->size - 1 ? answers : 0;
		m[i].o.ask = answer;
		m[i].o.ask_user = &m[i];
		m[i].o.n_own = &crew->own[i];
		ck_assert_int_eq(pthread_create(&threads[i], NULL, work, &m[i]),
				 0);
	}
	for (int i = 0; i < crew->size; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&crew->barrier);
	for (int i = 1; i < crew->size; i++) {
		ck_assert_int_eq(m[i].status, m[0].status);
		ck_assert_int_eq(m[i].err.status, m[0].status);
		ck_assert_str_eq(m[i].err.text, m[0].err.text);
		ck_assert_int_eq(m[i].result.user_code, m[0].result.user_code);
		if (m[0].status == GBM_OK)
			ck_assert_mem_eq(
				&m[i].result, &m[0].result,
				offsetof(struct gbm_result, user_code));
	}
	if (one)
		*one = m[0];
	return m[0].status;
}

/* By size processes, to the end. */
static struct gbm_result run_all(int size, const struct gbm_plan *plan,
				 const char *file,
				 const struct gbm_samples_options *o)
{
	struct crew crew = { .size = size };
	struct member one;

	ck_assert_msg(run(&crew, plan, file, o, 0, 0, &one) == GBM_OK, "%s",
		      one.err.text);
	return one.result;
}

/* What one process writes in one go, by the name of w.npy. */
static struct gbm_result whole(uint64_t paths,
			       const struct gbm_samples_options *like)
{
	struct gbm_samples_options o = GBM_SAMPLES_OPTIONS_INIT;
	struct gbm_result r = GBM_RESULT_INIT, want = GBM_RESULT_INIT;
	struct gbm_plan *plan = plan_of(paths, 2);
	struct gbm_error err;

	o.save = like->save;
	o.dtype = like->dtype;
	ck_assert_msg(gbm_run_samples(plan, "w.npy", &o, &r, &err) == GBM_OK,
		      "%s", err.text);
	ck_assert_int_eq(gbm_run(plan, &want), GBM_OK);
	ck_assert_mem_eq(&r, &want, offsetof(struct gbm_result, user_code));
	gbm_plan_destroy(&plan);
	return r;
}

#define SAME_FILE                                                              \
	"cmp a.npy w.npy && sed s/w.npy/a.npy/ w.npy.json | cmp - a.npy.json"

/* The parts of the file, in the right order. */
#define SAME_SHARDS                                                            \
	"tail -qc +4097 $(ls a.*.npy | sort -t. -nk2) | "                      \
	"cmp - <(tail -c +4097 w.npy)"

static void check_same(int shards)
{
	shell(shards ? "bash -c '" SAME_SHARDS "'" : SAME_FILE);
}

static void check_equal(const struct gbm_result *a, const struct gbm_result *b)
{
	ck_assert_mem_eq(a, b, offsetof(struct gbm_result, user_code));
}

static const struct {
	enum gbm_save save;
	enum gbm_dtype dtype;
	uint64_t paths;
	int size, shards;
	unsigned threads;
} runs[] = {
	{ GBM_SAVE_TERMINAL, GBM_F8, 100007, 1, 0, 2 },
	{ GBM_SAVE_TERMINAL, GBM_F8, 100007, 3, 0, 1 },
	{ GBM_SAVE_TERMINAL, GBM_F4, 300001, 7, 0, 1 },
	{ GBM_SAVE_PATHS, GBM_F8, 40960, 2, 0, 2 },
	{ GBM_SAVE_PATHS, GBM_F4, 50001, 5, 0, 1 },
	{ GBM_SAVE_TERMINAL, GBM_F8, 77, 3, 0, 1 },
	{ GBM_SAVE_TERMINAL, GBM_F8, 100007, 1, 1, 2 },
	{ GBM_SAVE_TERMINAL, GBM_F8, 100007, 3, 1, 1 },
	{ GBM_SAVE_PATHS, GBM_F4, 50001, 5, 1, 1 },
	{ GBM_SAVE_TERMINAL, GBM_F8, 2049, 7, 1,
	  1 }, /* of which most are empty */
};

static struct gbm_samples_options options_of(int i)
{
	struct gbm_samples_options o = GBM_SAMPLES_OPTIONS_INIT;

	o.save = runs[i].save;
	o.dtype = runs[i].dtype;
	o.shards = runs[i].shards ? 1 : 0;
	return o;
}

/* With a checkpoint and without one. */
START_TEST(team)
{
	struct gbm_samples_options o = options_of(_i);
	struct gbm_plan *plan = plan_of(runs[_i].paths, runs[_i].threads);
	struct gbm_result want = whole(runs[_i].paths, &o), got;

	got = run_all(runs[_i].size, plan, "a.npy", &o);
	check_equal(&got, &want);
	check_same(runs[_i].shards);
	shell("rm a.*");
	o.checkpoint = "c";
	got = run_all(runs[_i].size, plan, "a.npy", &o);
	check_equal(&got, &want);
	check_same(runs[_i].shards);
	shell("test -s c");
	gbm_plan_destroy(&plan);
}
END_TEST

/* Each time ended by one of them soon after, and gone on with by others. */
START_TEST(team_resumes)
{
	static const int sizes[] = { 2, 5, 1, 3, 7 };
	struct gbm_samples_options o = options_of(_i);
	struct gbm_result want = whole(runs[_i].paths, &o);
	struct crew crew = { .size = runs[_i].size };
	struct member one;
	struct gbm_plan *plan;
	int status, ends = 0;

	o.checkpoint = "c";
	do {
		plan = plan_of(runs[_i].paths, 1 + (unsigned)ends % 2);
		/* After the first question, which does not count. */
		status = run(&crew, plan, "a.npy", &o, 2 + ends % 3,
			     GBM_SAMPLES_END, &one);
		gbm_plan_destroy(&plan);
		ck_assert_msg(status == GBM_OK || status == GBM_ECANCELED, "%s",
			      one.err.text);
		if (status == GBM_ECANCELED)
			ck_assert_msg(strstr(one.err.text, "go on with"), "%s",
				      one.err.text);
		o.resume = 1;
		crew.size = sizes[ends % 5];
		ck_assert_int_lt(ends++, 1000);
	} while (status != GBM_OK);
	ck_assert(ends > 2 || runs[_i].paths < 10000);
	check_equal(&one.result, &want);
	check_same(runs[_i].shards);
	/* Once more, with nothing left to do. */
	plan = plan_of(runs[_i].paths, 1);
	one.result = run_all(4, plan, "a.npy", &o);
	check_equal(&one.result, &want);
	check_same(runs[_i].shards);
	gbm_plan_destroy(&plan);
}
END_TEST

/* More paths, several times, by others; shards are refused, and stay. */
START_TEST(team_extends)
{
	static const uint64_t paths[] = { 1, 2047, 50000, 51200, 100007 };
	struct gbm_samples_options o = options_of(_i);
	struct gbm_result want = whole(100007, &o), got;
	struct crew crew = { .size = 3 };
	struct gbm_plan *plan;

	o.checkpoint = "c";
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++, o.resume = 1) {
		plan = plan_of(paths[i], 2);
		if (i && o.shards) {
			struct member one;

			shell("cat a.* c | md5sum >before");
			ck_assert_int_eq(
				run(&crew, plan, "a.npy", &o, 0, 0, &one),
				GBM_EINVAL);
			ck_assert_msg(strstr(one.err.text, "into another file"),
				      "%s", one.err.text);
			shell("cat a.* c | md5sum | cmp - before");
		} else {
			got = run_all(1 + (int)i, plan, "a.npy", &o);
		}
		gbm_plan_destroy(&plan);
	}
	if (o.shards)
		return;
	check_equal(&got, &want);
	check_same(0);
}
END_TEST

/* One fails, all end, with what it said; and it can be gone on with. */
START_TEST(team_cancelled)
{
	struct gbm_functional f = GBM_FUNCTIONAL_INIT;
	struct gbm_samples_options o = GBM_SAMPLES_OPTIONS_INIT;
	struct crew crew = { .size = 3 };
	uint64_t at = 90000, none = UINT64_MAX;
	struct member one;
	struct gbm_plan *plan;

	f.fn = cancels_at;
	f.user = &at;
	o.shards = (unsigned)_i;
	plan = plan_with(f, 100007, 1, 1);
	ck_assert_int_eq(run(&crew, plan, "a.npy", &o, 0, 0, &one),
			 GBM_ECANCELED);
	ck_assert_int_eq(one.result.user_code, 42);
	o.force = 1;
	o.checkpoint = "c";
	ck_assert_int_eq(
		run(&crew, plan, "a.npy", &o, 2, GBM_SAMPLES_SAVE, &one),
		GBM_ECANCELED);
	ck_assert_int_eq(one.result.user_code, 42);
	gbm_plan_destroy(&plan);
	shell("grep -q '\"complete\": false' a.npy.json && test -s c");
	o.force = 0;
	o.resume = 1;
	f.user = &none;
	plan = plan_with(f, 100007, 1, 1);
	one.result = run_all(2, plan, "a.npy", &o);
	ck_assert_uint_eq(one.result.n, 100007);
	gbm_plan_destroy(&plan);
	o.checkpoint = NULL;
	o.resume = 0;
	whole(100007, &o);
	if (_i)
		check_same(1);
	else
		shell("cmp a.npy w.npy"); /* manifests name the payoff */
}
END_TEST

/*
 * One is four times slower than the other: it gets fewer paths, a fifth if this
 * machine does nothing else.
 */
START_TEST(team_of_unequals)
{
	const uint64_t paths = 1250001;
	struct gbm_functional f = GBM_FUNCTIONAL_INIT;
	struct gbm_samples_options o = GBM_SAMPLES_OPTIONS_INIT;
	struct crew crew = { .size = 2 };
	struct gbm_plan *plan;
	struct member one;

	f.fn = takes_time;
	plan = plan_with(f, paths, 1, 1);
	o.checkpoint = _i ? "c" : NULL;
	ck_assert_msg(run(&crew, plan, "a.npy", &o, 0, 0, &one) == GBM_OK, "%s",
		      one.err.text);
	ck_assert_uint_eq(crew.own[0] + crew.own[1], paths);
	ck_assert_uint_lt(crew.own[1], paths * 2 / 5);
	ck_assert_uint_gt(crew.own[1], paths / 20);
	gbm_plan_destroy(&plan);
	whole(paths, &o);
	shell("cmp a.npy w.npy"); /* manifests name the payoff */
}
END_TEST

/* Any number of them finds the same first difference. */
START_TEST(team_compares)
{
	struct gbm_samples_options o = options_of(_i);
	struct crew crew = { .size = runs[_i].size };
	struct gbm_plan *plan = plan_of(runs[_i].paths, 1);
	struct gbm_error first = { 0 };
	struct member one;

	run_all(runs[_i].size, plan, "a.npy", &o);
	crew.compares = 1;
	for (crew.size = 1; crew.size <= MOST; crew.size += 2)
		ck_assert_msg(run(&crew, plan, "a.npy", &o, 0, 0, &one) ==
				      GBM_OK,
			      "%s", one.err.text);
	/* A call that fails on any of them is no agreement. */
	crew.size = 3;
	for (crew.who = 0; crew.who < 3; crew.who++) {
		for (crew.fails = 1;
		     run(&crew, plan, "a.npy", &o, 0, 0, &one) != GBM_OK;
		     crew.fails++)
			ck_assert_int_eq(one.status, GBM_EMPI);
		/* Speeds, before and after a round; checksums. */
		ck_assert_int_gt(crew.fails, 3);
	}
	crew.fails = 0;
	/* A bit of the last row, and one in the middle of a file. */
	shell("for f in a*.npy; do test $(stat -c %s $f) = 4096 || last=$f; "
	      "done;"
	      "for at in 2 1; do printf '\\377' | dd of=$last bs=1 "
	      "conv=notrunc "
	      "seek=$((4096 + ($(stat -c %s $last) - 4096) / at - 1)); done "
	      "2>/dev/null");
	for (crew.size = 1; crew.size <= MOST; crew.size += 2) {
		ck_assert_int_eq(run(&crew, plan, "a.npy", &o, 0, 0, &one),
				 GBM_EDAMAGED);
		ck_assert_msg(strstr(one.err.text, "is the first that differs"),
			      "%s", one.err.text);
		if (crew.size == 1)
			first = one.err;
		ck_assert_str_eq(one.err.text, first.text);
	}
	crew.size = 2;
	ck_assert_int_eq(run(&crew, plan, "none.npy", &o, 0, 0, &one), GBM_EIO);
	gbm_plan_destroy(&plan);
}
END_TEST

/*
 * Any collective call fails on any of them: nobody waits for ever, and all say
 * so.  They are counted by a run in which none does.
 */
START_TEST(team_calls_fail)
{
	struct gbm_samples_options o = options_of(_i);
	struct gbm_plan *plan = plan_of(runs[_i].paths, 1);
	struct crew crew = { .size = 3 };
	int failed = 0, status;
	struct member one;

	o.checkpoint = "c";
	for (crew.who = 0; crew.who < 3; crew.who++) {
		for (crew.fails = 1;; crew.fails++) {
			shell("rm -f a.* c*");
			status = run(&crew, plan, "a.npy", &o, 2,
				     GBM_SAMPLES_SAVE, &one);
			if (status == GBM_OK)
				break;
			ck_assert_int_eq(status, GBM_EMPI);
			ck_assert_str_ne(one.err.text, "");
			failed++;
		}
	}
	/* Shards, head, front; round, question; sums; result. */
	ck_assert_int_gt(failed, 3 * 6);
	gbm_plan_destroy(&plan);
}
END_TEST

/* The file, or a shard of one of them, is in the way; what they made is gone.
 */
START_TEST(team_cannot_begin)
{
	struct gbm_samples_options o = GBM_SAMPLES_OPTIONS_INIT;
	struct crew crew = { .size = 3 };
	struct gbm_plan *plan = plan_of(100007, 1);
	struct member one;

	o.shards = (unsigned)_i;
	shell("echo precious >a.npy; echo precious >a.1.npy");
	ck_assert_int_eq(run(&crew, plan, "a.npy", &o, 0, 0, &one),
			 GBM_ECREATE);
	ck_assert_msg(strstr(one.err.text,
			     _i ? "a.1.npy is there" : "a.npy is there"),
		      "%s", one.err.text);
	shell("test \"$(echo a.*)\" = 'a.1.npy a.npy'");
	shell("cat a.* | uniq -c | grep -q '2 precious'");
	o.resume = 1;
	ck_assert_int_eq(run(&crew, plan, "b.npy", &o, 0, 0, &one), GBM_EINVAL);
	gbm_plan_destroy(&plan);
}
END_TEST

/* ---- one process */

static struct gbm_samples *samples_of(const struct gbm_plan *plan,
				      const struct gbm_samples_options *o)
{
	struct gbm_samples *s;
	struct gbm_error err;

	ck_assert_msg(gbm_samples_new(&s, "a.npy", plan, o, &err) == GBM_OK,
		      "%s", err.text);
	return s;
}

/*
 * A file that becomes longer may have larger blocks of checksums, from 64 GiB
 * on: the sums of the smaller ones are put together as if the rows had been
 * counted in these.  No file is written for it.
 */
START_TEST(restore)
{
	static const struct {
		uint64_t before, after, factor;
		enum gbm_save save;
	} lengths[] = {
		{ 1000, 1000, 1, GBM_SAVE_TERMINAL },
		{ 1000, 1 << 20, 1, GBM_SAVE_TERMINAL },
		{ (UINT64_C(1) << 33) - 5, UINT64_C(1) << 33, 1,
		  GBM_SAVE_TERMINAL },
		{ (UINT64_C(1) << 33) - 5, (UINT64_C(1) << 33) + 1, 2,
		  GBM_SAVE_TERMINAL },
		{ (UINT64_C(1) << 33) - 5, UINT64_C(1) << 36, 8,
		  GBM_SAVE_TERMINAL },
		{ UINT64_C(12345678), UINT64_C(1) << 35, 4, GBM_SAVE_TERMINAL },
		{ (UINT64_C(1) << 31) - 1, (UINT64_C(1) << 33) - 77, 4,
		  GBM_SAVE_PATHS },
	};
	struct gbm_samples_options o = GBM_SAMPLES_OPTIONS_INIT;
	struct gbm_plan *plan = plan_of(lengths[_i].before, 1),
			*longer = plan_of(lengths[_i].after, 1);
	struct gbm_samples *before, *after, *want;
	uint64_t rows = lengths[_i].before, sum = 0;
	unsigned char bytes[32 * 1000];
	size_t size;
	char *packed;

	o.save = lengths[_i].save;
	before = samples_of(plan, &o);
	after = samples_of(longer, &o);
	want = samples_of(longer, &o);
	ck_assert_uint_eq(after->m.block_rows,
			  before->m.block_rows * lengths[_i].factor);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * i % 251);
	/* Some everywhere, across the borders of blocks, and the last ones. */
	for (uint64_t i = 0; i < 97 && rows >= 1000; i++) {
		uint64_t first = i < 96 ? rows / 96 * i : rows - 1000;
		uint64_t n = i < 96 ? rows / 96 : 1000;

		n = n < 1000 ? n : 1000;
		if (i % 3 == 1 && first > before->m.block_rows)
			first -= first % before->m.block_rows + n / 2;
		if (i == 96 && rows < 100000)
			continue; /* done already */
		gbm_samples_count(before, first, n, bytes);
		gbm_samples_count(want, first, n, bytes);
		sum += n;
	}
	ck_assert_uint_gt(sum, 900);
	before->written[0] = rows;
	before->m.ticket = 12345;
	size = gbm_samples_packed_size(before);
	packed = malloc(size + gbm_samples_packed_size(after));
	ck_assert_ptr_nonnull(packed);
	gbm_samples_pack(before, packed);
	ck_assert_ptr_null(gbm_samples_restore(after, packed, size));
	ck_assert_uint_eq(after->m.ticket, 12345);
	ck_assert_uint_eq(gbm_samples_front(after, 0), rows);
	ck_assert_uint_eq(gbm_samples_front(after, 1), 0);
	ck_assert_mem_eq(after->crc, want->crc,
			 after->m.n_blocks * sizeof(*want->crc));
	ck_assert_mem_eq(after->done, want->done,
			 after->m.n_blocks * sizeof(*want->done));
	for (uint32_t i = 0; i < after->m.n_blocks; i++)
		sum -= after->done[i];
	ck_assert_uint_eq(sum, 0);
	/* As from a checkpoint, which has whole words; and cut short. */
	ck_assert_ptr_null(gbm_samples_restore(after, packed, size + 4));
	ck_assert_str_eq(gbm_samples_restore(after, packed, size - 1),
			 "a part is damaged");
	ck_assert_str_eq(gbm_samples_restore(after, packed, 15),
			 "a part is damaged");
	memset(packed, 0, 8);
	ck_assert_str_eq(gbm_samples_restore(after, packed, size),
			 "a part is damaged");
	if (rows < lengths[_i].after) {
		gbm_samples_pack(after, packed);
		ck_assert_str_eq(gbm_samples_restore(before, packed, size),
				 "it has more paths than this run");
	}
	gbm_samples_close(&before);
	gbm_samples_close(&after);
	gbm_samples_close(&want);
	gbm_plan_destroy(&plan);
	gbm_plan_destroy(&longer);
	free(packed);
}
END_TEST

/* Half of a file, with a checkpoint c, which were not completed. */
static void half(void)
{
	struct gbm_samples_options o = GBM_SAMPLES_OPTIONS_INIT;
	struct gbm_plan *plan = plan_of(100007, 1);
	struct crew crew = { .size = 1 };

	o.checkpoint = "c";
	ck_assert_int_eq(
		run(&crew, plan, "a.npy", &o, 4, GBM_SAMPLES_END, NULL),
		GBM_ECANCELED);
	gbm_plan_destroy(&plan);
}

static int resume(const struct gbm_plan *plan,
		  const struct gbm_samples_options *o, struct gbm_error *err)
{
	struct gbm_samples *s = (struct gbm_samples *)&s; /* none */
	struct gbm_summary *summary;
	int status;

	ck_assert_int_eq(gbm_summary_create(&summary, plan), GBM_OK);
	status = gbm_samples_resume(&s, "a.npy", plan, o, summary, err);
	ck_assert_int_eq(status == GBM_OK, s != NULL);
	gbm_samples_close(&s);
	gbm_summary_destroy(&summary);
	return status;
}

static const struct {
	const char *before; /* what is done to the half */
	uint64_t paths, seed;
	int dtype, payoff, status;
	const char *words;
} refused[] = {
	{ "true", 100006, 1, 0, 0, GBM_EINVAL, "more than this run's 100006" },
	{ "true", 100007, 2, 0, 0, GBM_EINVAL, "with another seed" },
	{ "true", 100007, 1, 1, 0, GBM_EINVAL, "with another --dtype" },
	{ "true", 100007, 1, 0, 1, GBM_EDAMAGED, "with another payoff" },
	{ "truncate -s 5000 a.npy", 100007, 1, 0, 0, GBM_EDAMAGED,
	  "by its checkpoint: bring it back" },
	{ "rm a.npy", 100007, 1, 0, 0, GBM_ECREATE, "No such file" },
	{ "rm a.npy && mkdir a.npy", 100007, 1, 0, 0, GBM_ECREATE,
	  "directory" },
	{ "mv a.npy b && ln -s b a.npy", 100007, 1, 0, 0, GBM_ECREATE,
	  "symbolic" },
	{ "rm a.npy.json", 100007, 1, 0, 0, GBM_EDAMAGED, "no manifest" },
	{ "echo >a.npy.json", 100007, 1, 0, 0, GBM_EFORMAT, "no manifest of" },
	{ "echo >c", 100007, 1, 0, 0, GBM_EDAMAGED, "it is damaged" },
	{ "sed -i 's/\"ticket\": [0-9]*/\"ticket\": 1/' a.npy.json", 100007, 1,
	  0, 0, GBM_EDAMAGED, "the checkpoint is not of this" },
};

/* One sentence, and not a byte is changed. */
START_TEST(refusals)
{
	struct gbm_functional f = GBM_FUNCTIONAL_INIT;
	struct gbm_samples_options o = GBM_SAMPLES_OPTIONS_INIT;
	struct gbm_error err = { 0 };
	struct gbm_plan *plan;

	half();
	shell(refused[_i].before);
	shell("tar -c . | md5sum >../$(basename $PWD).sum");
	f.payoff = refused[_i].payoff ? GBM_PUT : GBM_ASIAN_CALL;
	plan = plan_with(f, refused[_i].paths, 1, refused[_i].seed);
	o.checkpoint = "c";
	o.dtype = (enum gbm_dtype)refused[_i].dtype;
	ck_assert_int_eq(resume(plan, &o, &err), refused[_i].status);
	ck_assert_msg(strstr(err.text, refused[_i].words), "%s", err.text);
	shell("tar -c . | md5sum | cmp - ../$(basename $PWD).sum; "
	      "s=$?; rm ../$(basename $PWD).sum; exit $s");
	gbm_plan_destroy(&plan);
}
END_TEST

START_TEST(misuse)
{
	struct gbm_samples_options o = GBM_SAMPLES_OPTIONS_INIT;
	struct gbm_plan *plan = plan_of(2000, 1);
	struct gbm_samples *s;
	struct gbm_summary *summary;
	struct gbm_error err;

	ck_assert_int_eq(gbm_summary_create(&summary, plan), GBM_OK);
	ck_assert_int_eq(resume(plan, NULL, &err), GBM_EINVAL);
	ck_assert_int_eq(resume(plan, &o, &err), GBM_EINVAL);
	o.checkpoint = "c";
	ck_assert_int_eq(
		gbm_samples_resume(NULL, "a.npy", plan, &o, summary, &err),
		GBM_EINVAL);
	ck_assert_int_eq(gbm_samples_resume(&s, "a.npy", plan, &o, NULL, &err),
			 GBM_EINVAL);
	ck_assert_int_eq(gbm_samples_resume(&s, NULL, plan, &o, summary, &err),
			 GBM_EINVAL);
	o.size--;
	ck_assert_int_eq(resume(plan, &o, &err), GBM_EINVAL);
	shell("test \"$(echo *)\" = '*'");
	gbm_summary_destroy(&summary);
	gbm_plan_destroy(&plan);
}
END_TEST

/* Nothing there: it is created; complete without a checkpoint: it stays. */
START_TEST(resumed_anew)
{
	struct gbm_samples_options o = GBM_SAMPLES_OPTIONS_INIT;
	struct gbm_plan *plan = plan_of(2000, 1);
	struct gbm_error err;

	o.checkpoint = "c";
	ck_assert_int_eq(resume(plan, &o, &err), GBM_OK);
	shell("grep -q '\"complete\": false' a.npy.json");
	/* Not complete, nor a checkpoint: anew. */
	ck_assert_int_eq(resume(plan, &o, &err), GBM_OK);
	o.resume = 1;
	run_all(1, plan, "a.npy", &o);
	ck_assert_int_eq(resume(plan, &o, &err), GBM_OK);
	shell("rm c");
	ck_assert_int_eq(resume(plan, &o, &err), GBM_ECREATE);
	ck_assert_msg(strstr(err.text, "its checkpoint c is gone"), "%s",
		      err.text);
	shell("grep -q '\"complete\": true' a.npy.json");
	gbm_plan_destroy(&plan);
}
END_TEST

/* Neither an extension nor --force changes what is there, without room. */
START_TEST(no_room)
{
	struct gbm_samples_options o = GBM_SAMPLES_OPTIONS_INIT;
	struct rlimit limit = { 100000, RLIM_INFINITY };
	struct gbm_plan *plan = plan_of(10000, 1), *longer = plan_of(20000, 1);
	struct gbm_result want, got;
	struct gbm_error err;

	o.checkpoint = "c";
	want = run_all(1, plan, "a.npy", &o);
	shell("cat a.npy a.npy.json c | md5sum >before");
	o.resume = 1;
	if (reserved) { /* unless that is in memory, too */
		reserve_error = EDQUOT;
		ck_assert_int_eq(resume(longer, &o, &err), GBM_ECREATE);
		ck_assert_msg(
			strstr(err.text, "cannot be reserved: Disk quota"),
			"%s", err.text);
		shell("cat a.npy a.npy.json c | md5sum | cmp - before");
		reserve_error = 0;
	}
	signal(SIGXFSZ, SIG_DFL); /* would end the test */
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_int_eq(resume(longer, &o, &err), GBM_ECREATE);
	ck_assert_msg(strstr(err.text, "RLIMIT_FSIZE"), "%s", err.text);
	o.resume = 0;
	o.force = 1;
	got = (struct gbm_result)GBM_RESULT_INIT;
	ck_assert_int_eq(gbm_run_samples(longer, "a.npy", &o, &got, &err),
			 GBM_ECREATE);
	shell("cat a.npy a.npy.json c | md5sum | cmp - before");
	limit.rlim_cur = RLIM_INFINITY;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	/* So it can still be gone on with. */
	o.force = 0;
	o.resume = 1;
	got = run_all(2, plan, "a.npy", &o);
	check_equal(&got, &want);
	got = run_all(2, longer, "a.npy", &o);
	want = whole(20000, &o);
	check_equal(&got, &want);
	check_same(0);
	/* By force, nothing is left of the checkpoint of what is replaced. */
	o.resume = 0;
	o.force = 1;
	o.checkpoint = "c";
	shell("cp c c.old");
	run_all(1, plan, "a.npy", &o);
	shell("test -e c && test ! -e c.old");
	gbm_plan_destroy(&plan);
	gbm_plan_destroy(&longer);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("resumed");
	TCase *t = tcase_create("resumed"), *disk = tcase_create("disk");

	tcase_add_checked_fixture(t, make_directory, remove_directory);
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, team, 0, ARRAY_SIZE(runs));
	tcase_add_loop_test(t, team_resumes, 0, ARRAY_SIZE(runs));
	tcase_add_loop_test(t, team_extends, 0, ARRAY_SIZE(runs));
	tcase_add_loop_test(t, team_cancelled, 0, 2);
	tcase_add_loop_test(t, team_of_unequals, 0, 2);
	tcase_add_loop_test(t, team_compares, 0, ARRAY_SIZE(runs));
	tcase_add_loop_test(t, team_calls_fail, 7, 9);
	tcase_add_loop_test(t, team_cannot_begin, 0, 2);
	tcase_add_loop_test(t, restore, 0, 7);
	tcase_add_loop_test(t, refusals, 0, ARRAY_SIZE(refused));
	tcase_add_test(t, misuse);
	tcase_add_test(t, resumed_anew);
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(disk, make_on_disk, remove_directory);
	tcase_set_timeout(disk, 120);
	tcase_add_test(disk, no_room);
	suite_add_tcase(s, disk);
	return gbm_check_main(s);
}
