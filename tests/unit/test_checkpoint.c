/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Checkpoints: a run that was stopped and goes on has the bits of one that was
 * not, and what is damaged or of another run is refused.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gbm-mc/checkpoint.h>

#include "tests/unit/check_main.h"
#include "tests/unit/runs.h"

static char dir[] = "/tmp/gbm-checkpoint.XXXXXX";
static char file[64], old[64], partial[64];

static void enter(void)
{
	strcpy(dir + sizeof(dir) - 7, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/c", dir);
	snprintf(old, sizeof(old), "%s/c.old", dir);
	snprintf(partial, sizeof(partial), "%s/c.partial", dir);
}

static void leave(void)
{
	unlink(file);
	unlink(old);
	unlink(partial);
	ck_assert_int_eq(rmdir(dir), 0);
}

static struct gbm_functional others[1];

/* Two payoffs, with all that can be collected. */
static struct gbm_plan *plan_of(uint64_t n, unsigned threads)
{
	struct gbm_functional f = GBM_FUNCTIONAL_INIT;
	struct gbm_options o = GBM_OPTIONS_INIT;
	struct gbm_model m = GBM_MODEL_INIT;
	struct gbm_error err = { 0, "" };
	struct gbm_plan *plan;

	f.payoff = GBM_CALL;
	others[0] = f;
	others[0].payoff = GBM_ASIAN_PUT;
	m.steps = 3;
	o.threads = threads;
	o.collect = GBM_COLLECT_SKETCH | GBM_COLLECT_MOMENTS | GBM_COLLECT_FAN;
	o.others = others;
	o.n_others = 1;
	ck_assert_msg(!gbm_plan_create(&plan, &m, &f, n, &o, &err), "%s",
		      err.text);
	return plan;
}

static struct gbm_summary *summary_of(const struct gbm_plan *plan,
				      uint64_t first, uint64_t n)
{
	struct gbm_summary *s;

	ck_assert_int_eq(gbm_summary_create(&s, plan), GBM_OK);
	ck_assert_int_eq(gbm_run_summary(plan, first, n, s, NULL), GBM_OK);
	return s;
}

static void save(const struct gbm_plan *plan, uint64_t n)
{
	struct gbm_summary *s = summary_of(plan, 0, n);
	struct gbm_error err;

	ck_assert_msg(!gbm_checkpoint_save(file, plan, n, s, &err), "%s",
		      err.text);
	gbm_summary_destroy(&s);
}

/* Loads into an empty summary, which the caller frees. */
static int load(const struct gbm_plan *plan, uint64_t *n_done,
		struct gbm_summary **s, struct gbm_error *err)
{
	ck_assert_int_eq(gbm_summary_create(s, plan), GBM_OK);
	return gbm_checkpoint_load(file, plan, n_done, *s, err);
}

/* Nothing of use is there: the sentence says why, and nothing has changed. */
static void check_refused(const struct gbm_plan *plan, int status,
			  const char *why)
{
	struct gbm_summary *s, *empty;
	struct gbm_error err;
	uint64_t n = 77;

	ck_assert_int_eq(gbm_summary_create(&empty, plan), GBM_OK);
	ck_assert_int_eq(load(plan, &n, &s, &err), status);
	ck_assert_int_eq(err.status, status);
	ck_assert_msg(strstr(err.text, why) && strstr(err.text, dir), "%s: %s",
		      why, err.text);
	ck_assert_uint_eq(n, 0);
	check_equal_summaries(s, empty);
	gbm_summary_destroy(&s);
	gbm_summary_destroy(&empty);
}

START_TEST(goes_on_with_the_same_bits)
{
	const uint64_t n = 9 * GBM_BLOCK_PATHS + 77;
	struct gbm_plan *plan = plan_of(n, 1);
	struct gbm_plan *longer = plan_of(2 * n, 2);
	struct gbm_summary *want = summary_of(longer, 0, 2 * n), *s;
	struct gbm_error err = { 1, "" };
	uint64_t done;

	save(plan, 4 * GBM_BLOCK_PATHS);
	/* Other threads, more paths. */
	ck_assert_int_eq(load(longer, &done, &s, &err), GBM_OK);
	ck_assert_int_eq(err.status, 0);
	ck_assert_uint_eq(done, 4 * GBM_BLOCK_PATHS);
	ck_assert_int_eq(gbm_run_summary(longer, done, 2 * n - done, s, NULL),
			 GBM_OK);
	check_equal_summaries(s, want);
	gbm_summary_destroy(&s);
	gbm_summary_destroy(&want);
	gbm_plan_destroy(&plan);
	gbm_plan_destroy(&longer);
}
END_TEST

START_TEST(size_does_not_grow)
{
	struct gbm_plan *plan = plan_of(500 * GBM_BLOCK_PATHS, 1);
	struct stat a, b;

	save(plan, 0);
	ck_assert_int_eq(stat(file, &a), 0);
	save(plan, 500 * GBM_BLOCK_PATHS);
	ck_assert_int_eq(stat(file, &b), 0);
	ck_assert_int_eq(a.st_size, b.st_size);
	gbm_plan_destroy(&plan);
}
END_TEST

START_TEST(two_are_kept)
{
	struct gbm_plan *plan = plan_of(9 * GBM_BLOCK_PATHS, 1);
	struct gbm_summary *s, *want;
	struct gbm_error err;
	uint64_t done;

	check_refused(plan, GBM_ENOENT, "there is no checkpoint");
	save(plan, GBM_BLOCK_PATHS);
	save(plan, 2 * GBM_BLOCK_PATHS);
	save(plan, 3 * GBM_BLOCK_PATHS);
	ck_assert_int_eq(access(partial, F_OK), -1);
	want = summary_of(plan, 0, 2 * GBM_BLOCK_PATHS);

	/* As a kill between the two renames leaves it; then damaged. */
	ck_assert_int_eq(unlink(file), 0);
	for (int turn = 0; turn < 2; turn++) {
		ck_assert_int_eq(load(plan, &done, &s, &err), GBM_OK);
		ck_assert_uint_eq(done, 2 * GBM_BLOCK_PATHS);
		check_equal_summaries(s, want);
		ck_assert_int_eq(err.status, turn ? GBM_EDAMAGED : GBM_ENOENT);
		ck_assert_ptr_nonnull(strstr(err.text, file));
		gbm_summary_destroy(&s);
		if (!turn)
			close(creat(file, 0600));
	}
	gbm_summary_destroy(&want);
	gbm_plan_destroy(&plan);
}
END_TEST

/* Every byte counts, and every length. */
START_TEST(damage_is_seen)
{
	struct gbm_plan *plan = plan_of(GBM_BLOCK_PATHS, 1);
	struct stat st;
	int fd;

	save(plan, GBM_BLOCK_PATHS);
	ck_assert_int_eq(stat(file, &st), 0);
	fd = open(file, O_RDWR);
	for (off_t at = 0; at < st.st_size; at += at < 600 ? 13 : 40009) {
		unsigned char byte, other;

		ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
		other = byte ^ (unsigned char)(1 << at % 8);
		ck_assert_int_eq(pwrite(fd, &other, 1, at), 1);
		check_refused(plan, GBM_EDAMAGED, "it is damaged");
		ck_assert_int_eq(pwrite(fd, &byte, 1, at), 1);
	}
	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(ftruncate(fd, st.st_size * i / 20), 0);
		check_refused(plan, GBM_EDAMAGED, "it is damaged");
	}
	close(fd);
	unlink(file);
	ck_assert_int_eq(mkdir(file, 0700), 0);
	check_refused(plan, GBM_EDAMAGED, "it is no file");
	ck_assert_int_eq(rmdir(file), 0);
	gbm_plan_destroy(&plan);
}
END_TEST

START_TEST(other_runs_are_named)
{
	static const struct {
		const char *name;
		size_t at;
	} models[] = {
		{ "spot", offsetof(struct gbm_model, spot) },
		{ "rate", offsetof(struct gbm_model, rate) },
		{ "dividend", offsetof(struct gbm_model, dividend) },
		{ "drift", offsetof(struct gbm_model, drift) },
		{ "volatility", offsetof(struct gbm_model, vol) },
		{ "horizon", offsetof(struct gbm_model, horizon) },
	};
	struct gbm_plan *plan = plan_of(GBM_BLOCK_PATHS, 1), *other;
	struct gbm_functional f = GBM_FUNCTIONAL_INIT;

	save(plan, GBM_BLOCK_PATHS);
	f.payoff = GBM_CALL;
	for (unsigned i = 0; i < 12; i++) {
		struct gbm_options o = GBM_OPTIONS_INIT;
		struct gbm_model m = GBM_MODEL_INIT;
		struct gbm_functional g = f, second = others[0];
		const char *why = "";
		double x = 0.11;

		m.steps = 3;
		o.collect = GBM_COLLECT_SKETCH | GBM_COLLECT_MOMENTS |
			    GBM_COLLECT_FAN;
		o.others = &second;
		o.n_others = 1;
		if (i < 6) {
			memcpy((char *)&m + models[i].at, &x, sizeof(x));
			why = models[i].name;
		} else if (i == 6) {
			m.steps = 4;
			why = "number of steps";
		} else if (i == 7) {
			o.seed = 2;
			why = "seed";
		} else if (i == 8) {
			o.collect = GBM_COLLECT_SKETCH;
			why = "things to collect";
		} else if (i == 9) {
			o.n_others = 0;
			why = "number of functionals";
		} else if (i == 10) {
			g.strike = 99;
			why = "strike";
		} else {
			second.payoff = GBM_ASIAN_CALL;
			why = "payoff";
		}
		ck_assert_int_eq(gbm_plan_create(&other, &m, &g,
						 GBM_BLOCK_PATHS, &o, NULL),
				 GBM_OK);
		check_refused(other, GBM_EDAMAGED, why);
		gbm_plan_destroy(&other);
	}
	gbm_plan_destroy(&plan);
	plan = plan_of(GBM_BLOCK_PATHS - 1, 1);
	check_refused(plan, GBM_EDAMAGED, "more paths than this run");
	gbm_plan_destroy(&plan);
}
END_TEST

START_TEST(misuse)
{
	struct gbm_plan *plan = plan_of(GBM_BLOCK_PATHS, 1);
	struct gbm_summary *s = summary_of(plan, 0, GBM_BLOCK_PATHS);
	struct gbm_error err;
	uint64_t n;

	ck_assert_int_eq(gbm_checkpoint_save(NULL, plan, 0, s, &err),
			 GBM_EINVAL);
	ck_assert_int_eq(gbm_checkpoint_save("", plan, 0, s, &err), GBM_EINVAL);
	ck_assert_int_eq(gbm_checkpoint_save(file, NULL, 0, s, &err),
			 GBM_EINVAL);
	ck_assert_int_eq(gbm_checkpoint_save(file, plan, 0, NULL, &err),
			 GBM_EINVAL);
	ck_assert_int_eq(gbm_checkpoint_save(file, plan, 1, s, NULL),
			 GBM_EINVAL);
	ck_assert_int_eq(gbm_checkpoint_load(NULL, plan, &n, s, &err),
			 GBM_EINVAL);
	ck_assert_int_eq(gbm_checkpoint_load(file, plan, NULL, s, NULL),
			 GBM_EINVAL);
	ck_assert_int_eq(gbm_checkpoint_load(file, plan, &n, NULL, &err),
			 GBM_EINVAL);
	ck_assert_int_eq(gbm_checkpoint_save("/dev/null/c", plan,
					     GBM_BLOCK_PATHS, s, &err),
			 GBM_EIO);
	ck_assert_ptr_nonnull(strstr(err.text, "/dev/null/c: "));
	gbm_summary_destroy(&s);
	gbm_plan_destroy(&plan);
}
END_TEST

/* What is there already survives a disk that has no more room. */
START_TEST(full_disk)
{
	struct gbm_plan *plan = plan_of(2 * GBM_BLOCK_PATHS, 1);
	struct gbm_summary *s = summary_of(plan, 0, 2 * GBM_BLOCK_PATHS);
	struct gbm_error err;
	uint64_t done;

	save(plan, GBM_BLOCK_PATHS);
	ck_assert_int_eq(symlink("/dev/full", partial), 0);
	/* Nobody's link is followed, even so. */
	ck_assert_int_eq(
		gbm_checkpoint_save(file, plan, 2 * GBM_BLOCK_PATHS, s, &err),
		GBM_EIO);
	gbm_summary_destroy(&s);
	ck_assert_int_eq(load(plan, &done, &s, &err), GBM_OK);
	ck_assert_uint_eq(done, GBM_BLOCK_PATHS);
	gbm_summary_destroy(&s);
	gbm_plan_destroy(&plan);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("checkpoint");
	TCase *t = tcase_create("checkpoint");

	tcase_add_checked_fixture(t, enter, leave);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, goes_on_with_the_same_bits);
	tcase_add_test(t, size_does_not_grow);
	tcase_add_test(t, two_are_kept);
	tcase_add_test(t, damage_is_seen);
	tcase_add_test(t, other_runs_are_named);
	tcase_add_test(t, misuse);
	tcase_add_test(t, full_disk);
	suite_add_tcase(s, t);
	return gbm_check_main(s);
}
