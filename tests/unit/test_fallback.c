/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Nodes without a memory cgroup, and caps that cannot be made to hold. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plugin/cap.h"
#include "tests/unit/tree.h"

#include "check_main.h"

#define M     (UINT64_C(1) << 20)
#define TASK  4242
#define STEPD 4000

static struct cap_host host;
static struct conf conf;
static const struct limits job = { 150 * M, { SWAP_NONE, 0 } };

/* A step of two tasks, placed. */
static struct cap_step *placed(const char *tree)
{
	struct cap_step *c = calloc(1, cap_size(2));

	ck_assert_ptr_nonnull(c);
	host.root = tree_open(tree);
	host.self = STEPD;
	cap_init(c, &host, &conf, "pi1", 17, 2, &job, &job);
	cap_place(c, 0, TASK);
	cap_place(c, 1, TASK);
	return c;
}

static void expect_uncounted(struct cap_step *c)
{
	char text[CAP_TEXT_MAX];

	ck_assert_uint_eq(cap_bytes(c), 150 * M);
	ck_assert(!cap_is_slurms(c));
	ck_assert(!cap_explain(c, 0, SIGKILL, text));
	ck_assert_str_eq(cap_summary(c, text),
			 "job 17 on pi1: peak not known of 150M RAM cap, which "
			 "was not kept by a cgroup");
}

START_TEST(refused)
{
	static const char why[] =
		"job 17 on pi1: Slurm keeps no memory cgroup for it, and "
		"without one no cap can be kept: the administrator sets "
		"TaskPlugin=task/cgroup and ConstrainRAMSpace=yes";
	char text[CAP_TEXT_MAX];
	struct cap_step *c;

	conf.fallback = FALLBACK_REFUSE;
	conf.warn = _i > 0; /* does not undo it */
	c = placed("cgroup1/none");
	ck_assert_str_eq(cap_verdict(c, 0), why);
	ck_assert_str_eq(cap_verdict(c, 1), why);
	ck_assert_ptr_null(cap_notice(c, text));
	free(c);
}
END_TEST

START_TEST(off)
{
	struct rlimit before, after;
	char text[CAP_TEXT_MAX];
	struct cap_step *c;
	struct err e;

	conf.fallback = FALLBACK_OFF;
	c = placed("cgroup1/none");
	ck_assert_ptr_null(cap_verdict(c, 0));
	ck_assert_str_eq(cap_notice(c, text),
			 "on pi1 there is no memory cgroup: nothing keeps the "
			 "job within its cap of 150M");
	ck_assert_int_eq(getrlimit(RLIMIT_DATA, &before), 0);
	ck_assert_int_eq(cap_enter(c, &e), 0);
	ck_assert_int_eq(getrlimit(RLIMIT_DATA, &after), 0);
	ck_assert_int_eq(memcmp(&before, &after, sizeof(after)), 0);
	expect_uncounted(c);
	free(c);
}
END_TEST

/* Whether there is room for SIZE bytes more, which are given back. */
static bool has_room(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p != MAP_FAILED && munmap(p, size) == 0;
}

struct entered {
	int result;
	struct rlimit data;
	bool room; /* for 80M */
};

/*
 * What a task is left with that had LIMIT (or NULL: what this process has). In
 * a child that does nothing else: once the limit holds, not even a sanitizer
 * gets the memory that it needs to go on.
 */
static struct entered entered(struct cap_step *c, const struct rlimit *limit)
{
	struct entered *shared =
		mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct entered out;
	struct err e;
	int status;
	pid_t pid;

	ck_assert_ptr_ne(shared, MAP_FAILED);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		if (limit && setrlimit(RLIMIT_DATA, limit) < 0)
			_exit(1);
		shared->result = cap_enter(c, &e);
		if (getrlimit(RLIMIT_DATA, &shared->data) < 0)
			_exit(2);
		shared->room = has_room(80 * M);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	out = *shared;
	ck_assert_int_eq(munmap(shared, sizeof(*shared)), 0);
	ck_assert_int_eq(out.result, 0);
	return out;
}

START_TEST(rlimit_holds)
{
	char text[CAP_TEXT_MAX];
	struct cap_step *c;
	struct entered task;

	conf.fallback = FALLBACK_RLIMIT;
	c = placed("cgroup1/none");
	ck_assert_ptr_null(cap_verdict(c, 0));
	ck_assert_ptr_null(cap_verdict(c, 1));
	ck_assert_str_eq(cap_notice(c, text),
			 "on pi1 there is no memory cgroup: each process is "
			 "kept to 75M of private memory; shared memory, swap "
			 "and the job's sum are not counted");
	ck_assert(has_room(80 * M));
	task = entered(c, NULL);
	ck_assert_uint_eq(task.data.rlim_cur, 75 * M);
	ck_assert_uint_eq(task.data.rlim_max, 75 * M);
	ck_assert(!task.room);
	expect_uncounted(c);
	free(c);
}
END_TEST

START_TEST(rlimit_raises_nothing)
{
	static const struct rlimit lower = { 40 * M, 60 * M };
	struct cap_step *c = placed("cgroup1/none");
	struct entered task = entered(c, &lower);

	ck_assert_uint_eq(task.data.rlim_cur, 40 * M);
	ck_assert_uint_eq(task.data.rlim_max, 60 * M);
	free(c);
}
END_TEST

START_TEST(rlimit_keeps_a_lower_soft_limit)
{
	static const struct rlimit lower = { 40 * M, 90 * M };
	struct cap_step *c = placed("cgroup1/none");
	struct entered task = entered(c, &lower);

	ck_assert_uint_eq(task.data.rlim_cur, 40 * M);
	ck_assert_uint_eq(task.data.rlim_max, 75 * M);
	free(c);
}
END_TEST

/* In the place of libc's, which is not asked where the kernel does nothing. */
static bool setrlimit_is_deaf;

int setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
	return setrlimit_is_deaf ? 0 : prlimit(0, resource, limit, NULL);
}

START_TEST(rlimit_is_read_back)
{
	struct cap_step *c = placed("cgroup1/none");
	struct err e;

	setrlimit_is_deaf = true;
	ck_assert_int_eq(cap_enter(c, &e), -1);
	ck_assert_str_eq(e.text, "job 17 on pi1: its RLIMIT_DATA was set, but "
				 "does not hold");
	free(c);
}
END_TEST

/* A job that has only a swap policy. */
START_TEST(rlimit_without_a_cap)
{
	static const struct limits none = { NO_CAP, { SWAP_NONE, 0 } };
	struct cap_step *c = calloc(1, cap_size(1));
	struct rlimit before, after;
	char text[CAP_TEXT_MAX];
	struct err e;

	ck_assert_ptr_nonnull(c);
	host.root = tree_open("cgroup1/none");
	host.self = STEPD;
	cap_init(c, &host, &conf, "pi1", 17, 1, &none, &none);
	cap_place(c, 0, TASK);
	ck_assert_ptr_null(cap_verdict(c, 0));
	ck_assert_int_eq(getrlimit(RLIMIT_DATA, &before), 0);
	ck_assert_int_eq(cap_enter(c, &e), 0);
	ck_assert_int_eq(getrlimit(RLIMIT_DATA, &after), 0);
	ck_assert_int_eq(memcmp(&before, &after, sizeof(after)), 0);
	ck_assert_str_eq(cap_notice(c, text),
			 "on pi1 there is no memory cgroup: nothing limits "
			 "what the job swaps");
	free(c);
}
END_TEST

/* No /proc/PID/cgroup at all, and a step whose only process is slurmstepd. */
START_TEST(kernel_without_cgroups)
{
	struct cap_step *c = calloc(1, cap_size(0));
	char text[CAP_TEXT_MAX];

	ck_assert_ptr_nonnull(c);
	host.root = tree_open("cgroup1/none");
	host.self = STEPD;
	tree_remove("proc/4000/cgroup");
	tree_remove("proc/4242/cgroup");
	cap_init(c, &host, &conf, "pi1", 17, 0, &job, &job);
	cap_place(c, CAP_EXTERN, STEPD);
	ck_assert_str_eq(c->why.text, "");
	ck_assert_str_eq(cap_notice(c, text),
			 "on pi1 there is no memory cgroup: each process is "
			 "kept to 150M of private memory; shared memory, swap "
			 "and the job's sum are not counted");
	free(c);
}
END_TEST

/* Which says nothing of cgroups. */
START_TEST(no_proc)
{
	struct cap_step *c = calloc(1, cap_size(1));

	ck_assert_ptr_nonnull(c);
	host.root = tree_open("cgroup1/none");
	host.self = STEPD;
	tree_remove("proc/4000/cgroup");
	tree_remove("proc/4000/mountinfo");
	tree_remove("proc/4242/cgroup");
	cap_init(c, &host, &conf, "pi1", 17, 1, &job, &job);
	cap_place(c, 0, TASK);
	ck_assert_str_eq(cap_verdict(c, 0),
			 "job 17 on pi1: cannot read /proc/4242/cgroup: No "
			 "such file or directory");
	free(c);
}
END_TEST

/* With cgroup v2 but without its memory controller. */
START_TEST(v2_without_memory)
{
	char text[CAP_TEXT_MAX];
	struct cap_step *c;

	c = placed("cgroup2/hybrid");
	ck_assert_ptr_null(cap_verdict(c, 1));
	ck_assert_ptr_nonnull(strstr(cap_notice(c, text), "kept to 75M"));
	free(c);
}
END_TEST

START_TEST(nothing_to_notice)
{
	char text[CAP_TEXT_MAX];
	struct cap_step *c;
	struct err e;

	c = placed("cgroup2/scope");
	ck_assert_ptr_null(cap_verdict(c, 0));
	ck_assert_ptr_null(cap_notice(c, text));
	ck_assert_int_eq(cap_enter(c, &e), 0);
	free(c);
}
END_TEST

START_TEST(warned_of)
{
	char text[CAP_TEXT_MAX];
	struct cap_step *c = calloc(1, cap_size(2));
	struct err e;

	ck_assert_ptr_nonnull(c);
	conf.warn = true;
	host.root = tree_open("cgroup2/scope");
	host.self = STEPD;
	tree_remove("sys/fs/cgroup/system.slice/pi1_slurmstepd.scope/job_17/"
		    "step_0/memory.max");
	cap_init(c, &host, &conf, "pi1", 17, 2, &job, &job);
	ck_assert_ptr_nonnull(cap_verdict(c, 0));
	cap_place(c, 0, TASK);
	cap_place(c, 1, TASK);
	ck_assert_ptr_null(cap_verdict(c, 0));
	ck_assert_ptr_null(cap_verdict(c, 1));
	ck_assert_ptr_nonnull(cap_verdict(c, 2));
	ck_assert_str_eq(cap_notice(c, text),
			 "job 17 on pi1 runs without its cap: the cap of 150M "
			 "cannot be set: No such file or directory");
	ck_assert_int_eq(cap_enter(c, &e), 0);
	expect_uncounted(c);
	/* What has been asked for wrongly is refused all the same. */
	cap_refuse(c, "bad");
	ck_assert_str_eq(cap_verdict(c, 0), "bad");
	free(c);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fallback");
	TCase *tc = tcase_create("fallback");

	tcase_add_checked_fixture(tc, NULL, tree_close);
	tcase_add_loop_test(tc, refused, 0, 2);
	tcase_add_test(tc, off);
	tcase_add_test(tc, rlimit_holds);
	tcase_add_test(tc, rlimit_raises_nothing);
	tcase_add_test(tc, rlimit_keeps_a_lower_soft_limit);
	tcase_add_test(tc, rlimit_is_read_back);
	tcase_add_test(tc, rlimit_without_a_cap);
	tcase_add_test(tc, kernel_without_cgroups);
	tcase_add_test(tc, no_proc);
	tcase_add_test(tc, v2_without_memory);
	tcase_add_test(tc, nothing_to_notice);
	tcase_add_test(tc, warned_of);
	suite_add_tcase(s, tc);
	return gbm_check_main(s);
}
