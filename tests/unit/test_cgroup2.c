/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cgroup v2, by its backend and by cap.c, over tests/fixtures/cgroup2. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "plugin/cap.h"
#include "plugin/guard.h"
#include "tests/unit/tree.h"

#include "check_main.h"

#define M     (UINT64_C(1) << 20)
#define MAX   UINT64_MAX
#define TASK  4242
#define STEPD 4000

#define TOP  "sys/fs/cgroup/system.slice/pi1_slurmstepd.scope"
#define JOB  TOP "/job_17"
#define STEP JOB "/step_0"

static struct cap_host host;
static struct conf conf;

static void use(const char *tree)
{
	char name[64];

	snprintf(name, sizeof(name), "cgroup2/%s", tree);
	host.root = tree_open(name);
	host.self = STEPD;
}

static struct cap_step *step_of(const struct limits *job,
				const struct limits *step)
{
	struct cap_step *c = calloc(1, cap_size(2));

	ck_assert_ptr_nonnull(c);
	cap_init(c, &host, &conf, "pi1", 17, 2, job, step);
	return c;
}

static struct cap_step *placed(uint64_t cap, enum swap_mode mode, uint64_t swap)
{
	struct limits l = { cap, { mode, swap } };
	struct cap_step *c = step_of(&l, &l);

	cap_place(c, 0, TASK);
	ck_assert_msg(!cap_verdict(c, 0), "%s", cap_verdict(c, 0));
	return c;
}

static const char *refusal(uint64_t cap, enum swap_mode mode, uint64_t swap)
{
	static char text[ERR_TEXT_MAX];
	struct limits l = { cap, { mode, swap } };
	struct cap_step *c = step_of(&l, &l);
	const char *why;

	cap_place(c, 0, TASK);
	why = cap_verdict(c, 0);
	snprintf(text, sizeof(text), "%s", why ? why : "(none)");
	free(c);
	return text;
}

static const struct {
	const char *tree;
	size_t top_len, job_len, step_len; /* of the path */
	const char *path;
} places[] = {
	{ "scope", sizeof(TOP) - 1, sizeof(JOB) - 1, sizeof(STEP) - 1,
	  STEP "/user/task_0" },
#define SLICE "sys/fs/cgroup/hpc.slice/slurmstepd.scope"
	{ "sluid", sizeof(SLICE) - 1, sizeof(SLICE "/s409M8184CQC00") - 1,
	  sizeof(SLICE "/s409M8184CQC00/step_0+1") - 1,
	  SLICE "/s409M8184CQC00/step_0+1/user/task_7" },
#define INNER "sys/fs/cgroup/system.slice/slurmstepd.scope"
	{ "namespace", sizeof(INNER) - 1, sizeof(INNER "/job_17") - 1,
	  sizeof(INNER "/job_17/step_interactive") - 1,
	  INNER "/job_17/step_interactive/user/task_0" },
	{ "v1_cpuset", sizeof(TOP) - 1, sizeof(JOB) - 1,
	  sizeof(JOB "/step_batch") - 1, JOB "/step_batch/user/task_0" },
};

START_TEST(directories)
{
	struct cap_place p;
	struct err e = { { 0 } };
	int rc;

	use(places[_i].tree);
	rc = cap_cgroup2.probe(&host, TASK, 17, &p, &e);
	ck_assert_msg(rc == 1, "%s: %s", places[_i].tree, e.text);
	ck_assert_str_eq(p.path, places[_i].path);
	ck_assert_uint_eq(p.top_len, places[_i].top_len);
	ck_assert_uint_eq(p.job_len, places[_i].job_len);
	ck_assert_uint_eq(p.step_len, places[_i].step_len);
	/* slurmstepd is beside its tasks. */
	ck_assert_int_eq(cap_cgroup2.probe(&host, STEPD, 17, &p, &e), 1);
	ck_assert_uint_eq(p.step_len, places[_i].step_len);
	ck_assert_int_eq(cap_cgroup1.probe(&host, TASK, 17, &p, &e), 0);
}
END_TEST

START_TEST(job_and_step_are_lowered)
{
	struct cap_step *c;

	use("scope");
	c = placed(150 * M, SWAP_NONE, 0);
	ck_assert_uint_eq(cap_bytes(c), 150 * M);
	ck_assert(!cap_is_slurms(c));
	ck_assert_uint_eq(tree_get(JOB, "memory.max"), 150 * M);
	ck_assert_uint_eq(tree_get(JOB, "memory.swap.max"), 0);
	ck_assert_uint_eq(tree_get(STEP, "memory.max"), 150 * M);
	ck_assert_uint_eq(tree_get(STEP, "memory.swap.max"), 0);
	/* Slurm's, and slurmstepd's own. */
	ck_assert_uint_eq(tree_get(STEP "/user", "memory.max"), 400 * M);
	ck_assert_uint_eq(tree_get(STEP "/slurm", "memory.max"), MAX);
	ck_assert_uint_eq(tree_get(STEP "/user/task_0", "memory.max"), MAX);
	ck_assert_uint_eq(tree_get(TOP, "memory.max"), MAX);
	ck_assert_uint_eq(tree_get(JOB, "memory.oom.group"), 0);
	ck_assert_uint_eq(tree_get(STEP, "memory.oom.group"), 0);
	free(c);
}
END_TEST

/* Without a cap, the swap alone. */
START_TEST(no_cap)
{
	struct cap_step *c;

	use("scope");
	c = placed(NO_CAP, SWAP_NONE, 0);
	ck_assert(!cap_is_slurms(c));
	ck_assert_uint_eq(cap_bytes(c), 400 * M);
	ck_assert_uint_eq(tree_get(JOB, "memory.max"), 400 * M);
	ck_assert_uint_eq(tree_get(JOB, "memory.swap.max"), 0);
	ck_assert_uint_eq(tree_get(STEP, "memory.max"), MAX);
	ck_assert_uint_eq(tree_get(STEP, "memory.swap.max"), 0);
	free(c);
}
END_TEST

/* The same job on the host's other slurmd. */
START_TEST(other_node_is_left_alone)
{
	static const char other[] =
		"sys/fs/cgroup/system.slice/pi2_slurmstepd.scope/job_17";

	use("scope");
	free(placed(150 * M, SWAP_NONE, 0));
	ck_assert_uint_eq(tree_get(other, "memory.max"), 300 * M);
}
END_TEST

START_TEST(step_below_its_job)
{
	struct limits job = { 150 * M, { SWAP_SIZE, 64 * M } };
	struct limits own = { 64 * M, { SWAP_NONE, 0 } };
	struct cap_step *c;

	use("scope");
	c = step_of(&job, &own);
	cap_place(c, 0, TASK);
	ck_assert_ptr_null(cap_verdict(c, 0));
	ck_assert_uint_eq(tree_get(JOB, "memory.max"), 150 * M);
	ck_assert_uint_eq(tree_get(JOB, "memory.swap.max"), 64 * M);
	ck_assert_uint_eq(tree_get(STEP, "memory.max"), 64 * M);
	ck_assert_uint_eq(tree_get(STEP, "memory.swap.max"), 0);
	ck_assert_uint_eq(cap_bytes(c), 64 * M);
	free(c);
}
END_TEST

START_TEST(step_alone)
{
	struct limits none = { NO_CAP, { SWAP_ALLOW, 0 } };
	struct limits own = { 64 * M, { SWAP_NONE, 0 } };
	struct cap_step *c;

	use("scope");
	c = step_of(&none, &own);
	cap_place(c, 0, TASK);
	ck_assert_ptr_null(cap_verdict(c, 0));
	ck_assert_uint_eq(tree_get(JOB, "memory.max"), 400 * M);
	ck_assert_uint_eq(tree_get(JOB, "memory.swap.max"), 400 * M);
	ck_assert_uint_eq(tree_get(STEP, "memory.max"), 64 * M);
	ck_assert_uint_eq(cap_bytes(c), 64 * M);
	free(c);
}
END_TEST

START_TEST(nothing_is_raised)
{
	struct cap_step *c;

	use("scope");
	tree_put_u64(JOB, "memory.max", 100 * M);
	tree_put_u64(JOB, "memory.swap.max", 20 * M);
	tree_put_u64(STEP, "memory.max", 90 * M);
	tree_put_u64(STEP, "memory.swap.max", 0);
	c = placed(150 * M, SWAP_SIZE, 64 * M);
	ck_assert_uint_eq(tree_get(JOB, "memory.max"), 100 * M);
	ck_assert_uint_eq(tree_get(JOB, "memory.swap.max"), 20 * M);
	ck_assert_uint_eq(tree_get(STEP, "memory.max"), 90 * M);
	ck_assert_uint_eq(tree_get(STEP, "memory.swap.max"), 0);
	ck_assert_uint_eq(cap_bytes(c), 90 * M);
	ck_assert(cap_is_slurms(c));
	free(c);
}
END_TEST

START_TEST(swap_is_bounded)
{
	use("scope");
	free(placed(150 * M, SWAP_SIZE, 64 * M));
	ck_assert_uint_eq(tree_get(JOB, "memory.max"), 150 * M);
	ck_assert_uint_eq(tree_get(JOB, "memory.swap.max"), 64 * M);
	ck_assert_uint_eq(tree_get(STEP, "memory.swap.max"), 64 * M);
}
END_TEST

START_TEST(swap_is_left_alone)
{
	use("scope");
	free(placed(150 * M, SWAP_ALLOW, 0));
	ck_assert_uint_eq(tree_get(JOB, "memory.max"), 150 * M);
	ck_assert_uint_eq(tree_get(JOB, "memory.swap.max"), 400 * M);
	ck_assert_uint_eq(tree_get(STEP, "memory.swap.max"), MAX);
}
END_TEST

/* Pages of 16 KiB, of which Slurm's limit is a multiple and the cap as well. */
START_TEST(pages_of_16k)
{
#define SJOB SLICE "/s409M8184CQC00"
	struct cap_step *c;

	use("sluid");
	ck_assert_uint_eq(tree_get(SJOB, "memory.max") % 16384, 0);
	c = placed(150 * M, SWAP_NONE, 0);
	ck_assert_uint_eq(tree_get(SJOB, "memory.max"), 150 * M);
	ck_assert_uint_eq(tree_get(SJOB "/step_0+1", "memory.max"), 150 * M);
	ck_assert_uint_eq(cap_bytes(c), 150 * M);
	free(c);
	/* Above Slurm's, which was cut down to a page. */
	c = placed(401 * M, SWAP_NONE, 0);
	ck_assert(cap_is_slurms(c));
	free(c);
}
END_TEST

START_TEST(extern_step)
{
	struct limits l = { 150 * M, { SWAP_NONE, 0 } };
	struct cap_step *c;

	use("scope");
	c = step_of(&l, &l);
	cap_place(c, CAP_EXTERN, STEPD);
	ck_assert_str_eq(c->why.text, "");
	ck_assert_uint_eq(tree_get(JOB, "memory.max"), 150 * M);
	free(c);
}
END_TEST

static void no_swap_accounting(void)
{
	tree_remove(JOB "/memory.swap.max");
	tree_remove(STEP "/memory.swap.max");
}

START_TEST(no_swap_and_no_accounting)
{
	use("scope");
	no_swap_accounting();
	tree_put("proc", "meminfo",
		 "MemTotal:        1892528 kB\nSwapTotal:             0 kB\n");
	free(placed(150 * M, SWAP_NONE, 0));
	ck_assert_uint_eq(tree_get(STEP, "memory.max"), 150 * M);
	free(placed(140 * M, SWAP_SIZE, 64 * M));
	ck_assert_uint_eq(tree_get(STEP, "memory.max"), 140 * M);
}
END_TEST

START_TEST(swap_that_is_not_counted)
{
	static const char why[] =
		"job 17 on pi1: this node has swap, but its kernel does not "
		"count it: use --gbm-swap=allow, or the administrator turns "
		"swap off";

	use("scope");
	no_swap_accounting();
	ck_assert_str_eq(refusal(150 * M, SWAP_NONE, 0), why);
	ck_assert_str_eq(refusal(150 * M, SWAP_SIZE, 64 * M), why);
	free(placed(150 * M, SWAP_ALLOW, 0));
	tree_remove("proc/meminfo");
	ck_assert_str_eq(refusal(150 * M, SWAP_NONE, 0), why);
}
END_TEST

/* Booted with cgroup_disable=memory: the directories are there all the same. */
START_TEST(no_memory_controller)
{
	struct cap_place p;
	struct err e;

	use("scope");
	tree_remove(JOB "/memory.max");
	ck_assert_int_eq(cap_cgroup2.probe(&host, TASK, 17, &p, &e), 0);
}
END_TEST

START_TEST(memory_is_in_v1)
{
	struct cap_place p;
	struct err e;

	use("hybrid");
	ck_assert_int_eq(cap_cgroup1.probe(&host, TASK, 17, &p, &e), 0);
	ck_assert_int_eq(cap_cgroup2.probe(&host, TASK, 17, &p, &e), 0);
}
END_TEST

START_TEST(not_this_jobs)
{
	struct cap_place p;
	struct err e;

	use("scope");
	ck_assert_int_eq(cap_cgroup2.probe(&host, TASK, 18, &p, &e), 0);
	tree_put("proc/4242", "cgroup",
		 "0::/system.slice/pi1_slurmstepd.scope/job_18/step_0/user\n");
	ck_assert_str_eq(refusal(150 * M, SWAP_NONE, 0),
			 "job 17 on pi1: a task is in no cgroup of the job");
	ck_assert_uint_eq(tree_get(JOB, "memory.max"), 400 * M);
}
END_TEST

/* A limit that cannot be set refuses the step, and says so. */
START_TEST(not_to_be_written)
{
	use("scope");
	tree_remove(STEP "/memory.max");
	ck_assert_str_eq(refusal(150 * M, SWAP_NONE, 0),
			 "job 17 on pi1: the cap of 150M cannot be set: No "
			 "such file or directory");
	tree_put(JOB, "memory.max", "much\n");
	ck_assert_str_eq(refusal(150 * M, SWAP_NONE, 0),
			 "job 17 on pi1: its limit cannot be read: Invalid "
			 "argument");
	tree_put("proc/4000", "mountinfo", "1 1 0:1 / / rw - ext4 /dev/a rw\n");
	ck_assert_ptr_nonnull(strstr(refusal(150 * M, SWAP_NONE, 0),
				     "is not mounted where slurmd"));
}
END_TEST

/*
 * Slurm, which writes at the same time as we do: its own limit right after
 * ours, OTHERS times; and the job's swap right after our first limit of RAM.
 */
static int others;
static bool raise_swap;
static char order[256]; /* names of the files written to */

/* In the place of libc's. */
ssize_t write(int fd, const void *text, size_t len)
{
	static const char slurms[] = "419430400\n";
	char link[64], path[512] = "";
	const char *name;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (readlink(link, path, sizeof(path) - 1) < 0)
		return -1;
	/* Not waited for, a limit of Linux 6.16 does not hold at once. */
	ck_assert_int_eq(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	name = strrchr(path, '/');
	if (name && strlen(order) + strlen(name) < sizeof(order))
		memcpy(order + strlen(order), name, strlen(name) + 1);
	if (others > 0) {
		others--;
		if (syscall(SYS_write, fd, slurms, sizeof(slurms) - 1) < 0)
			return -1;
		return (ssize_t)len;
	}
	if (raise_swap && name && strcmp(name, "/memory.max") == 0) {
		raise_swap = false;
		tree_put(JOB, "memory.swap.max", slurms);
	}
	return syscall(SYS_write, fd, text, len);
}

START_TEST(swap_goes_first)
{
	use("scope");
	order[0] = '\0';
	free(placed(150 * M, SWAP_NONE, 0));
	ck_assert_str_eq(order, "/memory.swap.max/memory.max"
				"/memory.swap.max/memory.max");
}
END_TEST

START_TEST(swap_is_raised_meanwhile)
{
	use("scope");
	raise_swap = true;
	free(placed(150 * M, SWAP_NONE, 0));
	ck_assert(!raise_swap);
	ck_assert_uint_eq(tree_get(JOB, "memory.swap.max"), 0);
}
END_TEST

START_TEST(slurm_writes_as_well)
{
	use("scope");
	others = 5;
	free(placed(150 * M, SWAP_NONE, 0));
	ck_assert_int_eq(others, 0);
	ck_assert_uint_eq(tree_get(JOB, "memory.max"), 150 * M);
	ck_assert_uint_eq(tree_get(JOB, "memory.swap.max"), 0);
}
END_TEST

START_TEST(read_back_must_hold)
{
	use("scope");
	others = 1000;
	ck_assert_str_eq(refusal(150 * M, SWAP_NONE, 0),
			 "job 17 on pi1: the cap of 150M was written, but does "
			 "not hold");
}
END_TEST

static int guards_others;

static int guard(struct err *e)
{
	static const struct swap none = { SWAP_NONE, 0 };
	struct guard g;

	use("scope");
	tree_put_u64(TOP, "memory.current", 50 * M);
	tree_put(TOP, "memory.swap.max", "max\n");
	order[0] = '\0';
	ck_assert_int_eq(guard_of_task(&host, TASK, 17, &g, e), 1);
	others = guards_others;
	return guard_apply(&host, &g, 300 * M, &none, e);
}

START_TEST(guard_of_swap_goes_first)
{
	struct err e;

	ck_assert_int_eq(guard(&e), 1);
	ck_assert_str_eq(order, "/memory.swap.max/memory.max");
	ck_assert_uint_eq(tree_get(TOP, "memory.max"), 300 * M);
	ck_assert_uint_eq(tree_get(TOP, "memory.swap.max"), 0);
}
END_TEST

START_TEST(guard_is_read_back)
{
	struct err e;

	guards_others = 1000;
	ck_assert_int_eq(guard(&e), -1);
	ck_assert_str_eq(e.text, "the limit of all jobs together cannot be "
				 "set: Resource temporarily unavailable");
}
END_TEST

static struct cap_events events(const char *dir)
{
	struct cap_events v;

	memset(&v, 77, sizeof(v));
	cap_cgroup2.events(&host, dir, CAP_UNKNOWN, &v);
	return v;
}

#define EVENTS "low 0\nhigh 3\nmax 251\noom %d\noom_kill %d\n"

static void put_events(const char *dir, const char *file, int oom, int kill)
{
	char text[128];

	snprintf(text, sizeof(text), EVENTS, oom, kill);
	tree_put(dir, file, text);
}

START_TEST(counters)
{
	struct cap_events v;

	use("scope");
	put_events(STEP, "memory.events", 9, 8);
	put_events(STEP, "memory.events.local", 0, 2);
	tree_put_u64(STEP, "memory.peak", 77 * M);
	tree_put_u64(STEP, "memory.swap.current", 5 * M);
	v = events(STEP);
	ck_assert_uint_eq(cap_cgroup2.kills(&host, STEP), 8);
	ck_assert(!v.full);
	ck_assert_uint_eq(v.peak, 77 * M);
	ck_assert_uint_eq(v.swap, 5 * M);
	ck_assert_uint_eq(v.swap_peak, CAP_UNKNOWN);
	tree_put_u64(STEP, "memory.swap.peak", 6 * M);
	put_events(STEP, "memory.events.local", 1, 0);
	v = events(STEP);
	ck_assert(v.full);
	ck_assert_uint_eq(v.swap_peak, 6 * M);
}
END_TEST

START_TEST(counters_of_older_kernels)
{
	struct cap_events v;

	use("scope");
	put_events(STEP, "memory.events", 1, 8);
	tree_remove(STEP "/memory.events.local");
	tree_remove(STEP "/memory.peak");
	tree_remove(STEP "/memory.swap.current");
	v = events(STEP);
	ck_assert_uint_eq(cap_cgroup2.kills(&host, STEP), 8);
	ck_assert(v.full);
	ck_assert_uint_eq(v.peak, CAP_UNKNOWN);
	ck_assert_uint_eq(v.swap, CAP_UNKNOWN);
	v = events("nowhere");
	ck_assert_uint_eq(cap_cgroup2.kills(&host, "nowhere"), 0);
	ck_assert(!v.full);
	ck_assert_uint_eq(v.peak, CAP_UNKNOWN);
}
END_TEST

#define TAIL " Raise --gbm-mem-cap, use more nodes, or stream with libgbm."

START_TEST(explains)
{
	struct cap_step *c;
	char text[CAP_TEXT_MAX] = "";

	use("scope");
	put_events(STEP "/user/task_0", "memory.events", 0, 1);
	c = placed(150 * M, SWAP_NONE, 0);
	c->tasks[0].rank = 2;
	ck_assert(!cap_explain(c, 0, SIGKILL, text));
	put_events(STEP "/user/task_0", "memory.events", 0, 2);
	put_events(JOB, "memory.events.local", 1, 0);
	tree_put_u64(JOB, "memory.peak", 150 * M);
	tree_put_u64(STEP, "memory.peak", 149 * M);
	ck_assert(cap_explain(c, 0, SIGKILL, text));
	ck_assert_str_eq(text, "task 2 on pi1 was killed: job 17 reached its "
			       "150M RAM cap (peak 150M, swap none)." TAIL);
	ck_assert_str_eq(cap_summary(c, text),
			 "step 17.0 on pi1: peak 149M of 150M RAM cap, swap "
			 "none");
	tree_remove(STEP "/memory.peak");
	tree_remove(JOB "/memory.peak");
	put_events(STEP "/user/task_0", "memory.events", 0, 3);
	ck_assert(cap_explain(c, 0, SIGKILL, text));
	ck_assert_str_eq(text,
			 "task 2 on pi1 was killed: job 17 reached its 150M "
			 "RAM cap (peak not known, swap none)." TAIL);
	ck_assert_str_eq(cap_summary(c, text),
			 "step 17.0 on pi1: peak not known of 150M RAM cap, "
			 "swap none");
	free(c);
}
END_TEST

/* Told instead of what was asked for, wherever swap is told. */
START_TEST(swap_that_slurm_grants)
{
	struct cap_step *c;
	char text[CAP_TEXT_MAX] = "";

	use("scope");
	c = placed(150 * M, SWAP_SIZE, 64 * M);
	ck_assert_ptr_null(cap_less_swap(c));
	ck_assert_ptr_nonnull(strstr(cap_summary(c, text), "swap 64M"));
	free(c);

	tree_put_u64(JOB, "memory.swap.max", 20 * M);
	put_events(STEP "/user/task_0", "memory.events", 0, 0);
	c = placed(150 * M, SWAP_SIZE, 64 * M);
	ck_assert_ptr_nonnull(cap_less_swap(c));
	ck_assert_uint_eq(cap_less_swap(c)->bytes, 20 * M);
	put_events(STEP "/user/task_0", "memory.events", 0, 1);
	put_events(JOB, "memory.events.local", 1, 0);
	ck_assert(cap_explain(c, 0, SIGKILL, text));
	ck_assert_ptr_nonnull(strstr(text, ", swap 20M)"));
	free(c);

	tree_put_u64(JOB, "memory.swap.max", 0);
	c = placed(150 * M, SWAP_SIZE, 64 * M);
	ck_assert_ptr_nonnull(cap_less_swap(c));
	ck_assert_int_eq(cap_less_swap(c)->mode, SWAP_NONE);
	ck_assert_ptr_nonnull(strstr(cap_summary(c, text), ", swap none"));
	ck_assert_ptr_nonnull(strstr(cap_json(c, text), "\"swap\":\"none\""));
	free(c);
	c = placed(150 * M, SWAP_NONE, 0);
	ck_assert_ptr_null(cap_less_swap(c));
	free(c);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cgroup2");
	TCase *tc = tcase_create("cgroup2");

	tcase_add_checked_fixture(tc, NULL, tree_close);
	tcase_set_timeout(tc, 20);
	tcase_add_loop_test(tc, directories, 0,
			    sizeof(places) / sizeof(places[0]));
	tcase_add_test(tc, job_and_step_are_lowered);
	tcase_add_test(tc, no_cap);
	tcase_add_test(tc, other_node_is_left_alone);
	tcase_add_test(tc, step_below_its_job);
	tcase_add_test(tc, step_alone);
	tcase_add_test(tc, nothing_is_raised);
	tcase_add_test(tc, swap_is_bounded);
	tcase_add_test(tc, swap_is_left_alone);
	tcase_add_test(tc, pages_of_16k);
	tcase_add_test(tc, extern_step);
	tcase_add_test(tc, no_swap_and_no_accounting);
	tcase_add_test(tc, swap_that_is_not_counted);
	tcase_add_test(tc, no_memory_controller);
	tcase_add_test(tc, memory_is_in_v1);
	tcase_add_test(tc, not_this_jobs);
	tcase_add_test(tc, not_to_be_written);
	tcase_add_test(tc, swap_goes_first);
	tcase_add_test(tc, swap_is_raised_meanwhile);
	tcase_add_test(tc, slurm_writes_as_well);
	tcase_add_test(tc, read_back_must_hold);
	tcase_add_test(tc, guard_of_swap_goes_first);
	tcase_add_test(tc, guard_is_read_back);
	tcase_add_test(tc, counters);
	tcase_add_test(tc, counters_of_older_kernels);
	tcase_add_test(tc, explains);
	tcase_add_test(tc, swap_that_slurm_grants);
	suite_add_tcase(s, tc);
	return gbm_check_main(s);
}
