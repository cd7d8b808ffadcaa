/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Who was killed, who kills, and what is said of it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "plugin/cap.h"
#include "plugin/cgroup.h"

#include "check_main.h"
#include "tree.h"

#define M     (UINT64_C(1) << 20)
#define TASK  4242
#define STEPD 4000
#define TOP   "sys/fs/cgroup/memory/slurm_pi1"
#define JOB   TOP "/uid_1000/job_17"
#define STEP  JOB "/step_0"

#define TAIL                                                                   \
	"job 17 reached its 150M RAM cap (peak 150M, swap none). Raise "       \
	"--gbm-mem-cap, use more nodes, or stream with libgbm."

static struct cap_host host;
static struct conf conf;
static char text[CAP_TEXT_MAX];

static void make_dir(const char *path)
{
	ck_assert_int_eq(mkdirat(host.root, path, 0755), 0);
}

static void kills(const char *dir, int n)
{
	char file[80];

	snprintf(file, sizeof(file),
		 "oom_kill_disable 0\nunder_oom 0\noom_kill %d\n", n);
	tree_put(dir, "memory.oom_control", file);
}

static void stat_is(const char *state, unsigned flags, unsigned pending)
{
	char file[256];

	snprintf(file, sizeof(file),
		 "4242 (sh) %s 1 4242 4242 0 -1 %u 90 0 0 0 0 0 0 0 20 0 1 0 "
		 "177 2560000 200 1 1 1 0 0 0 %u 0 0 0 0 0 0 17 0 0 0\n",
		 state, flags, pending);
	tree_put("proc/4242", "stat", file);
}

/* A step of two tasks of a job capped at 150M, which it has reached; processes
 * 4242 (rank 2) and 4243 (rank 3) live. */
static struct cap_step *capped(void)
{
	struct limits l = { 150 * M, { SWAP_NONE, 0 } };
	struct cap_step *c;

	host.root = tree_open("cgroup1/hybrid");
	host.self = STEPD;
	stat_is("S", 0, 0);
	tree_put("proc/4243", "stat", "4243 (sh) S 1 1 1 0 -1 0 0\n");
	c = calloc(1, cap_size(2));
	ck_assert_ptr_nonnull(c);
	cap_init(c, &host, &conf, "pi1", 17, 2, &l, &l);
	for (int i = 0; i < 2; i++) {
		cap_place(c, i, TASK + i);
		c->tasks[i].rank = (uint32_t)i + 2;
		ck_assert_ptr_null(cap_verdict(c, (uint32_t)i));
	}
	tree_put_u64(JOB, "memory.max_usage_in_bytes", 150 * M);
	tree_put_u64(STEP, "memory.max_usage_in_bytes", 149 * M);
	return c;
}

START_TEST(child_of_a_task_that_lives)
{
	struct cap_step *c = capped();

	ck_assert(!cap_news(c));
	kills(STEP "/task_0", 1);
	ck_assert(cap_news(c));
	ck_assert_int_eq(cap_look(c, 1, text), CAP_NOBODY);
	ck_assert_int_eq(cap_look(c, 0, text), CAP_BY_CAP);
	ck_assert_str_eq(
		text, "a process started by task 2 on pi1 was killed: " TAIL);
	ck_assert(c->tasks[0].capped);
	/* Nobody says it again. */
	ck_assert(!cap_news(c));
	ck_assert_int_eq(cap_look(c, 0, text), CAP_NOBODY);
	ck_assert_int_eq(cap_look_around(c, text), CAP_NOBODY);
	ck_assert_int_eq(cap_explain(c, 0, 137 << 8, text), CAP_NOBODY);
	free(c);
}
END_TEST

START_TEST(task_that_is_dying)
{
	static const struct {
		const char *state;
		unsigned flags, pending;
	} ways[] = { { "Z", 0, 0 }, { "R", 4, 0 }, { "D", 0, 256 } };
	struct cap_step *c = capped();

	kills(STEP "/task_0", 1);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		stat_is(ways[i].state, ways[i].flags, ways[i].pending);
		ck_assert_int_eq(cap_look(c, 0, text), CAP_NOBODY);
	}
	tree_remove("proc/4242/stat"); /* slurmstepd has waited for it */
	ck_assert_int_eq(cap_look(c, 0, text), CAP_NOBODY);
	ck_assert_int_eq(cap_explain(c, 0, SIGKILL, text), CAP_BY_CAP);
	ck_assert_str_eq(text, "task 2 on pi1 was killed: " TAIL);
	stat_is("S", 0, 0); /* its number, again in use */
	kills(STEP "/task_0", 2);
	ck_assert_int_eq(cap_look(c, 0, text), CAP_NOBODY);
	free(c);
}
END_TEST

START_TEST(task_whose_signal_is_late)
{
	static const struct timespec late = { 0, 30000000 };
	struct cap_step *c = capped();
	pid_t killer;

	kills(STEP "/task_0", 1);
	killer = fork();
	ck_assert_int_ge(killer, 0);
	if (killer == 0) {
		nanosleep(&late, NULL);
		stat_is("Z", 0, 0);
		_exit(0);
	}
	ck_assert_int_eq(cap_look(c, 0, text), CAP_NOBODY);
	ck_assert_int_eq(waitpid(killer, NULL, 0), killer);
	free(c);
}
END_TEST

/* On v1 a user may make directories below his task's. */
START_TEST(directory_of_the_users)
{
	struct cap_step *c = capped();

	make_dir(STEP "/task_1/a");
	make_dir(STEP "/task_1/a/b");
	kills(STEP "/task_1/a/b", 2);
	ck_assert(cap_news(c));
	ck_assert_int_eq(cap_look(c, 0, text), CAP_NOBODY);
	ck_assert_int_eq(cap_look(c, 1, text), CAP_BY_CAP);
	ck_assert_str_eq(text, "2 processes started by task 3 on pi1 were "
			       "killed: " TAIL);
	ck_assert_int_eq(cap_look_around(c, text), CAP_NOBODY);
	free(c);
}
END_TEST

/* And beside them. */
START_TEST(directory_of_no_task)
{
	struct cap_step *c = capped();

	make_dir(STEP "/mine");
	kills(STEP "/mine", 1);
	kills(STEP "/task_1", 1);
	ck_assert_int_eq(cap_look_around(c, text), CAP_BY_CAP);
	ck_assert_str_eq(text,
			 "a process of step 17.0 on pi1 was killed: " TAIL);
	ck_assert_int_eq(cap_look_around(c, text), CAP_NOBODY);
	kills(STEP "/mine", 4);
	ck_assert_int_eq(cap_look_around(c, text), CAP_BY_CAP);
	ck_assert_str_eq(text,
			 "3 processes of step 17.0 on pi1 were killed: " TAIL);
	/* Removed, and its counter with it. */
	tree_remove(STEP "/mine/memory.oom_control");
	ck_assert_int_eq(cap_look_around(c, text), CAP_NOBODY);
	free(c);
}
END_TEST

static void count(const struct cap_host *h, const char *dir, void *ctx)
{
	(void)h;
	(void)dir;
	++*(unsigned *)ctx;
}

START_TEST(walks_are_bounded)
{
	char path[PROCFS_PATH_MAX] = STEP "/task_1";
	unsigned n = 0;

	host.root = tree_open("cgroup1/hybrid");
	cgroup_walk(&host, STEP, count, &n);
	ck_assert_uint_eq(n, 3);
	for (int i = 0; i < 40; i++) {
		strncat(path, "/deep", sizeof(path) - strlen(path) - 1);
		make_dir(path);
	}
	for (int i = 0; i < 1000; i++) {
		snprintf(path, sizeof(path), STEP "/task_0/%d", i);
		make_dir(path);
	}
	n = 0;
	cgroup_walk(&host, STEP, count, &n);
	ck_assert_uint_ge(n, 100);
	ck_assert_uint_le(n, 500);
}
END_TEST

START_TEST(advice)
{
	struct cap_step *c = capped();

	c->node_max = 1536 * M;
	kills(STEP "/task_0", 1);
	ck_assert_int_eq(cap_look(c, 0, text), CAP_BY_CAP);
	ck_assert_ptr_nonnull(strstr(text,
				     " Raise --gbm-mem-cap (this node allows "
				     "1536M), use more nodes, or stream with "
				     "libgbm."));
	c->node_max = 150 * M;
	kills(STEP "/task_0", 2);
	ck_assert_int_eq(cap_look(c, 0, text), CAP_BY_CAP);
	ck_assert_ptr_nonnull(strstr(text,
				     " Use more nodes or stream with "
				     "libgbm: this node allows no more."));
	free(c);
}
END_TEST

START_TEST(limit_above_all_jobs)
{
	struct cap_step *c = capped();

	tree_put_u64(JOB, "memory.max_usage_in_bytes", 80 * M);
	tree_put_u64(STEP, "memory.max_usage_in_bytes", 79 * M);
	tree_put_u64(TOP, "memory.limit_in_bytes", 1700 * M);
	tree_put_u64(TOP, "memory.max_usage_in_bytes", 1700 * M);
	kills(STEP "/task_0", 1);
	ck_assert_int_eq(cap_look(c, 0, text), CAP_BY_OTHER);
	ck_assert_str_eq(
		text,
		"a process started by task 2 on pi1 was killed: job 17 was "
		"below its 150M RAM cap (peak 80M, swap none). The jobs of pi1 "
		"together reached the 1700M that they may use: ask for --mem "
		"as large as the cap, and no more jobs start there than fit.");
	ck_assert(!c->tasks[0].capped);
	free(c);
}
END_TEST

/* Another step is about to start. */
START_TEST(limit_lifted_by_slurm)
{
	struct cap_step *c = capped();

	tree_put_u64(JOB, "memory.limit_in_bytes", 200 * M);
	tree_put_u64(TOP, "memory.limit_in_bytes", 1700 * M);
	tree_put_u64(TOP, "memory.max_usage_in_bytes", 1700 * M);
	kills(STEP "/task_0", 1);
	ck_assert_int_eq(cap_look(c, 0, text), CAP_BY_CAP);
	ck_assert_str_eq(
		text, "a process started by task 2 on pi1 was killed: " TAIL);
	free(c);
}
END_TEST

static pid_t sleeper(void)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		for (;;)
			pause();
	}
	return pid;
}

/* 0: one of another namespace, and 1: never. */
static void procs(const char *dir, pid_t a, pid_t b)
{
	char file[64];

	snprintf(file, sizeof(file), "0\n1\n%d\n%d\n", (int)a, (int)b);
	tree_put(dir, "cgroup.procs", file);
}

/* Where /proc says that PID is. */
static void is_in(pid_t pid, const char *cgroup)
{
	char dir[64], line[128];

	snprintf(dir, sizeof(dir), "proc/%d", (int)pid);
	make_dir(dir);
	snprintf(line, sizeof(line), "4:memory:/slurm_pi1/uid_1000/%s\n0::/\n",
		 cgroup);
	tree_put(dir, "cgroup", line);
}

START_TEST(kills_all_but_slurmstepd)
{
	struct cap_step *c = capped();
	pid_t task = sleeper(), child = sleeper(), slurms = sleeper();
	int status;

	make_dir(STEP "/task_1/a");
	is_in(task, "job_17/step_0/task_0");
	is_in(child, "job_17/step_0/task_1/a");
	is_in(slurms, "job_17/step_0");
	procs(STEP, slurms, STEPD);
	procs(STEP "/task_0", task, 0);
	procs(STEP "/task_1/a", child, 0);
	ck_assert(cap_kill_all(c));
	ck_assert_int_eq(waitpid(task, &status, 0), task);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	ck_assert_int_eq(waitpid(slurms, &status, WNOHANG), 0);
	ck_assert_int_eq(kill(slurms, SIGKILL), 0);
	ck_assert_int_eq(waitpid(slurms, &status, 0), slurms);
	ck_assert(!cap_kill_all(c));
	free(c);
}
END_TEST

static int next_descriptor(void)
{
	int fd = dup(0);

	ck_assert_int_ge(fd, 0);
	close(fd);
	return fd;
}

/*
 * Numbers whose processes have ended since cgroup.procs was read, and which
 * others have by now.
 */
START_TEST(numbers_that_others_have)
{
	static const char *const elsewhere[] = {
		"job_17/step_1/task_0",
		"job_18/step_0/task_0",
		"job_17/step_01",
		"job_17",
	};
	struct cap_step *c = capped();
	pid_t pids[4];
	int status, before;

	for (int i = 0; i < 4; i++) {
		pids[i] = sleeper();
		is_in(pids[i], elsewhere[i]);
	}
	procs(STEP, pids[0], pids[1]);
	procs(STEP "/task_0", pids[2], pids[3]);
	before = next_descriptor();
	ck_assert(!cap_kill_all(c));
	ck_assert_int_eq(next_descriptor(), before);
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(waitpid(pids[i], &status, WNOHANG), 0);
		ck_assert_int_eq(kill(pids[i], SIGKILL), 0);
		ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
	}
	/* And one that nobody has. */
	procs(STEP "/task_0", pids[2], pids[3]);
	ck_assert(!cap_kill_all(c));
	free(c);
}
END_TEST

START_TEST(reports)
{
	struct cap_step *c = capped();

	ck_assert_str_eq(cap_summary(c, text),
			 "step 17.0 on pi1: peak 149M of 150M RAM cap, swap "
			 "none");
	kills(STEP "/task_0", 2);
	ck_assert_str_eq(cap_summary(c, text),
			 "step 17.0 on pi1: peak 149M of 150M RAM cap, swap "
			 "none, kills 2");
	ck_assert_str_eq(cap_json(c, text),
			 "{\"gbm\":1,\"job\":17,\"step\":\"0\",\"node\":"
			 "\"pi1\",\"cap\":157286400,\"limit_by\":\"cap\","
			 "\"peak\":156237824,\"swap\":\"none\",\"swap_peak\":"
			 "null,\"kills\":2}");
	c->whole_job = true;
	snprintf(c->node, sizeof(c->node), "a\"b\\c\n\xff");
	c->job_got.bytes = 100 * M;
	c->job_got.foreign = true;
	ck_assert_str_eq(cap_json(c, text),
			 "{\"gbm\":1,\"job\":17,\"step\":\"0\",\"node\":"
			 "\"a\\u0022b\\u005cc\\u000a\\u00ff\",\"cap\":104857600"
			 ",\"limit_by\":\"slurm\",\"peak\":157286400,\"swap\":"
			 "\"none\",\"swap_peak\":null,\"kills\":2}");
	snprintf(c->node, sizeof(c->node), "pi1");
	ck_assert_str_eq(cap_summary(c, text),
			 "job 17 on pi1: peak 150M of 100M Slurm allocation, "
			 "swap none, kills 2");
	memset(c->node, '\n', sizeof(c->node) - 1);
	cap_json(c, text);
	ck_assert_str_eq(text + strlen(text) - 11, ",\"kills\":2}");
	free(c);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("kills");
	TCase *tc = tcase_create("kills");

	tcase_add_checked_fixture(tc, NULL, tree_close);
	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, child_of_a_task_that_lives);
	tcase_add_test(tc, task_that_is_dying);
	tcase_add_test(tc, task_whose_signal_is_late);
	tcase_add_test(tc, directory_of_the_users);
	tcase_add_test(tc, directory_of_no_task);
	tcase_add_test(tc, walks_are_bounded);
	tcase_add_test(tc, advice);
	tcase_add_test(tc, limit_above_all_jobs);
	tcase_add_test(tc, limit_lifted_by_slurm);
	tcase_add_test(tc, kills_all_but_slurmstepd);
	tcase_add_test(tc, numbers_that_others_have);
	tcase_add_test(tc, reports);
	suite_add_tcase(s, tc);
	return gbm_check_main(s);
}
