/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The backends and cap.c over the trees of tests/fixtures/cgroup1, of which
 * each test changes a copy.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin/cap.h"
#include "plugin/sysroot.h"

#include "check_main.h"

#define M     (UINT64_C(1) << 20)
#define TASK  4242
#define STEPD 4000
#define JOB   "sys/fs/cgroup/memory/slurm_pi1/uid_1000/job_17"

static char tmp[] = "/tmp/gbm-test-XXXXXX";
static struct cap_host host;
static struct conf conf; /* fallback=rlimit, on_error=refuse */

static void use(const char *tree)
{
	char command[512];

	ck_assert_ptr_nonnull(mkdtemp(tmp));
	snprintf(command, sizeof(command),
		 "cp -R '" GBM_SRCDIR "/tests/fixtures/cgroup1/%s/.' %s", tree,
		 tmp);
	ck_assert_int_eq(system(command), 0);
	host.root = open(tmp, O_PATH | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(host.root, 0);
	host.self = STEPD;
}

static void teardown(void)
{
	char command[64];

	close(host.root);
	snprintf(command, sizeof(command), "rm -rf %s", tmp);
	ck_assert_int_eq(system(command), 0);
}

static uint64_t at(const char *dir, const char *file)
{
	char path[256];
	uint64_t v = 0;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	ck_assert_msg(sysroot_read_u64(host.root, path, &v) == 0, "%s", path);
	return v;
}

static void put(const char *dir, const char *file, const char *text)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = openat(host.root, path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void put_u64(const char *dir, const char *file, uint64_t v)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64 "\n", v);
	put(dir, file, text);
}

static struct limits limits(uint64_t cap, enum swap_mode mode, uint64_t swap)
{
	struct limits l = { cap, { mode, swap } };

	return l;
}

static struct cap_step *step_of(const struct limits *job,
				const struct limits *step)
{
	struct cap_step *c = calloc(1, cap_size(2));

	ck_assert_ptr_nonnull(c);
	cap_init(c, &host, &conf, "pi1", 17, 2, job, step);
	return c;
}

/* A job capped at CAP, without swap, and both of its tasks placed. */
static struct cap_step *placed(uint64_t cap)
{
	struct limits l = limits(cap, SWAP_NONE, 0);
	struct cap_step *c = step_of(&l, &l);

	cap_place(c, 0, TASK);
	cap_place(c, 1, TASK + 1);
	ck_assert_msg(!cap_verdict(c, 0), "%s", cap_verdict(c, 0));
	ck_assert_msg(!cap_verdict(c, 1), "%s", cap_verdict(c, 1));
	return c;
}

START_TEST(job_and_step_are_lowered)
{
	struct cap_step *c;

	use("hybrid");
	c = placed(150 * M);
	ck_assert_uint_eq(cap_bytes(c), 150 * M);
	ck_assert(!cap_is_slurms(c));
	ck_assert_uint_eq(at(JOB, "memory.limit_in_bytes"), 150 * M);
	/* Slurm writes 400M into the limit at the next step's start, which the
	 * kernel refuses above memsw. */
	ck_assert_uint_eq(at(JOB, "memory.memsw.limit_in_bytes"), 400 * M);
	ck_assert_uint_eq(at(JOB, "memory.swappiness"), 0);
	ck_assert_uint_eq(at(JOB "/step_0", "memory.limit_in_bytes"), 150 * M);
	ck_assert_uint_eq(at(JOB "/step_0", "memory.memsw.limit_in_bytes"),
			  150 * M);
	ck_assert_uint_eq(at(JOB "/step_0", "memory.swappiness"), 0);
	ck_assert_uint_eq(at(JOB "/step_0/task_1", "memory.swappiness"), 0);
	ck_assert_uint_gt(at(JOB "/step_0/task_0", "memory.limit_in_bytes"),
			  UINT64_C(1) << 62);
	free(c);
}
END_TEST

START_TEST(directories)
{
	struct cap_place place;
	struct err e;

	use("hybrid");
	ck_assert_int_eq(cap_cgroup1.probe(&host, TASK, 17, &place, &e), 1);
	ck_assert_str_eq(place.path, JOB "/step_0/task_0");
	ck_assert_uint_eq(place.job_len, strlen(JOB));
	ck_assert_uint_eq(place.step_len, strlen(JOB "/step_0"));
	ck_assert_uint_eq(place.top_len,
			  strlen("sys/fs/cgroup/memory/slurm_pi1"));
}
END_TEST

/* Where Slurm sets no limit of its own it does not rewrite one either. */
START_TEST(unlimited_by_slurm)
{
	static const uint64_t none = INT64_MAX - 4095;
	struct cap_step *c;

	use("hybrid");
	put_u64(JOB, "memory.limit_in_bytes", none);
	put_u64(JOB, "memory.memsw.limit_in_bytes", none);
	c = placed(150 * M);
	ck_assert_uint_eq(at(JOB, "memory.limit_in_bytes"), 150 * M);
	ck_assert_uint_eq(at(JOB, "memory.memsw.limit_in_bytes"), 150 * M);
	free(c);
}
END_TEST

START_TEST(nothing_is_raised)
{
	struct cap_step *c;

	use("hybrid");
	put_u64(JOB, "memory.limit_in_bytes", 100 * M);
	put_u64(JOB, "memory.memsw.limit_in_bytes", 120 * M);
	put_u64(JOB "/step_0", "memory.limit_in_bytes", 90 * M);
	put_u64(JOB "/step_0", "memory.memsw.limit_in_bytes", 90 * M);
	c = placed(150 * M);
	ck_assert_uint_eq(at(JOB, "memory.limit_in_bytes"), 100 * M);
	ck_assert_uint_eq(at(JOB, "memory.memsw.limit_in_bytes"), 120 * M);
	ck_assert_uint_eq(at(JOB "/step_0", "memory.limit_in_bytes"), 90 * M);
	ck_assert_uint_eq(at(JOB "/step_0", "memory.memsw.limit_in_bytes"),
			  90 * M);
	ck_assert_uint_eq(cap_bytes(c), 90 * M);
	ck_assert(cap_is_slurms(c));
	free(c);
}
END_TEST

START_TEST(swap_is_bounded)
{
	struct limits l = limits(100 * M, SWAP_SIZE, 64 * M);
	struct cap_step *c;

	use("hybrid");
	c = step_of(&l, &l);
	cap_place(c, 0, TASK);
	ck_assert_ptr_null(cap_verdict(c, 0));
	ck_assert_uint_eq(at(JOB "/step_0", "memory.limit_in_bytes"), 100 * M);
	ck_assert_uint_eq(at(JOB "/step_0", "memory.memsw.limit_in_bytes"),
			  164 * M);
	ck_assert_uint_eq(at(JOB "/step_0", "memory.swappiness"), 60);
	ck_assert_uint_eq(at(JOB, "memory.swappiness"), 60);
	free(c);
}
END_TEST

START_TEST(swap_is_left_alone)
{
	struct limits l = limits(100 * M, SWAP_ALLOW, 0);
	struct cap_step *c;

	use("hybrid");
	c = step_of(&l, &l);
	cap_place(c, 0, TASK);
	ck_assert_ptr_null(cap_verdict(c, 0));
	ck_assert_uint_eq(at(JOB "/step_0", "memory.limit_in_bytes"), 100 * M);
	ck_assert_uint_eq(at(JOB "/step_0", "memory.memsw.limit_in_bytes"),
			  400 * M);
	free(c);
}
END_TEST

START_TEST(step_alone)
{
	struct limits l = limits(100 * M, SWAP_NONE, 0);
	struct limits none = limits(NO_CAP, SWAP_ALLOW, 0);
	struct cap_step *c;

	use("hybrid");
	c = step_of(&none, &l);
	cap_place(c, 0, TASK);
	ck_assert_ptr_null(cap_verdict(c, 0));
	ck_assert_uint_eq(at(JOB, "memory.limit_in_bytes"), 400 * M);
	ck_assert_uint_eq(at(JOB, "memory.swappiness"), 60);
	ck_assert_uint_eq(at(JOB "/step_0", "memory.limit_in_bytes"), 100 * M);
	ck_assert_uint_eq(cap_bytes(c), 100 * M);
	ck_assert(!cap_is_slurms(c));
	free(c);
}
END_TEST

/* Without a cap, the swap alone. */
START_TEST(no_cap)
{
	struct limits l = limits(NO_CAP, SWAP_NONE, 0);
	char text[CAP_TEXT_MAX];
	struct cap_step *c;

	use("hybrid");
	c = step_of(&l, &l);
	cap_place(c, 0, TASK);
	ck_assert_ptr_null(cap_verdict(c, 0));
	ck_assert_ptr_null(cap_notice(c, text));
	ck_assert_uint_eq(at(JOB, "memory.limit_in_bytes"), 400 * M);
	ck_assert_uint_eq(at(JOB, "memory.memsw.limit_in_bytes"), 400 * M);
	ck_assert_uint_eq(at(JOB, "memory.swappiness"), 0);
	ck_assert_uint_eq(at(JOB "/step_0", "memory.limit_in_bytes"), 400 * M);
	ck_assert_uint_eq(at(JOB "/step_0", "memory.memsw.limit_in_bytes"),
			  400 * M);
	ck_assert_uint_eq(at(JOB "/step_0", "memory.swappiness"), 0);
	ck_assert_uint_eq(at(JOB "/step_0/task_0", "memory.swappiness"), 0);
	ck_assert(!cap_is_slurms(c));
	put(JOB "/step_0/task_0", "memory.oom_control", "oom_kill 1\n");
	ck_assert(cap_explain(c, 0, SIGKILL, text));
	ck_assert_ptr_nonnull(strstr(text, "its 400M Slurm allocation"));
	cap_summary(c, text);
	ck_assert_ptr_nonnull(strstr(text, " of 400M Slurm allocation, swap"));
	free(c);
	/* Slurm has set no limit either. */
	put_u64(JOB, "memory.limit_in_bytes", INT64_MAX - 4095);
	put_u64(JOB, "memory.memsw.limit_in_bytes", INT64_MAX - 4095);
	put_u64(JOB "/step_0", "memory.limit_in_bytes", INT64_MAX - 4095);
	put_u64(JOB "/step_0", "memory.memsw.limit_in_bytes", INT64_MAX - 4095);
	c = step_of(&l, &l);
	cap_place(c, 0, TASK);
	ck_assert_ptr_null(cap_verdict(c, 0));
	put(JOB "/step_0/task_0", "memory.oom_control", "oom_kill 2\n");
	ck_assert(cap_explain(c, 0, SIGKILL, text));
	ck_assert_ptr_nonnull(strstr(text, "job 17 has no limit of its own"));
	cap_summary(c, text);
	ck_assert_ptr_nonnull(strstr(text, " of no limit, swap none"));
	free(c);
}
END_TEST

START_TEST(what_cannot_be_known_is_forgone)
{
	struct limits l = limits(NO_CAP, SWAP_ALLOW, 0);
	char text[CAP_TEXT_MAX];
	struct cap_step *c;
	struct err e;

	use("hybrid");
	c = step_of(&l, &l);
	cap_forgo(c, "no note");
	cap_place(c, 0, TASK);
	ck_assert_ptr_null(cap_verdict(c, 0));
	ck_assert_int_eq(cap_enter(c, &e), 0);
	ck_assert_str_eq(cap_notice(c, text),
			 "job 17 on pi1 runs without its cap: no note");
	ck_assert(!cap_explain(c, 0, SIGKILL, text));
	free(c);
}
END_TEST

START_TEST(each_step_lowers_again)
{
	struct cap_step *c;

	use("hybrid");
	free(placed(150 * M));
	put_u64(JOB, "memory.limit_in_bytes", 400 * M);
	c = placed(150 * M);
	ck_assert_uint_eq(at(JOB, "memory.limit_in_bytes"), 150 * M);
	free(c);
}
END_TEST

START_TEST(extern_step)
{
	struct limits l = limits(150 * M, SWAP_NONE, 0);
	struct cap_step *c;

	use("hybrid");
	c = step_of(&l, &l);
	cap_place(c, CAP_EXTERN, TASK);
	ck_assert_str_eq(c->why.text, "");
	ck_assert_uint_eq(at(JOB, "memory.limit_in_bytes"), 150 * M);
	free(c);
}
END_TEST

#define CJOB "mnt/mem ory/slurm/uid_0/job_17"

START_TEST(container)
{
	struct cap_step *c;
	struct limits l = limits(150 * M, SWAP_NONE, 0);
	char text[CAP_TEXT_MAX];

	use("container");
	c = step_of(&l, &l);
	cap_place(c, 0, TASK);
	ck_assert_msg(!cap_verdict(c, 0), "%s", cap_verdict(c, 0));
	ck_assert_uint_eq(at(CJOB, "memory.limit_in_bytes"), 150 * M);
	ck_assert_uint_eq(at(CJOB "/step_batch", "memory.limit_in_bytes"),
			  150 * M);
	ck_assert_uint_eq(at(CJOB, "memory.swappiness"), 0);
	ck_assert_uint_eq(at(CJOB "/step_batch", "memory.swappiness"), 0);
	ck_assert_uint_eq(at(CJOB "/step_batch/task_0", "memory.swappiness"),
			  0);
	ck_assert_str_eq(cap_summary(c, text),
			 "step 17.batch on pi1: peak 1M of 150M RAM cap, swap "
			 "none");
	free(c);
}
END_TEST

static const char *refusal(const struct limits *l, pid_t pid)
{
	static char text[ERR_TEXT_MAX];
	struct cap_step *c = step_of(l, l);

	cap_place(c, 0, pid);
	snprintf(text, sizeof(text), "%s",
		 cap_verdict(c, 0) ? cap_verdict(c, 0) : "(none)");
	ck_assert_ptr_nonnull(cap_verdict(c, 1));
	free(c);
	return text;
}

START_TEST(swap_size_without_accounting)
{
	struct limits l = limits(150 * M, SWAP_SIZE, 64 * M);

	use("container");
	ck_assert_str_eq(refusal(&l, TASK),
			 "job 17 on pi1: this node's kernel does not count "
			 "swap: use --gbm-swap=none or --gbm-swap=allow");
}
END_TEST

START_TEST(other_jobs_task)
{
	struct limits l = limits(150 * M, SWAP_NONE, 0);

	use("hybrid");
	put("proc/4242", "cgroup",
	    "4:memory:/slurm_pi1/uid_1000/job_18/step_0/task_0\n");
	ck_assert_str_eq(refusal(&l, TASK),
			 "job 17 on pi1: a task is in no cgroup of the job");
}
END_TEST

START_TEST(task_is_gone)
{
	struct limits l = limits(150 * M, SWAP_NONE, 0);

	use("hybrid");
	ck_assert_str_eq(refusal(&l, 1),
			 "job 17 on pi1: cannot read /proc/1/cgroup: No such "
			 "file or directory");
}
END_TEST

START_TEST(not_mounted)
{
	struct limits l = limits(150 * M, SWAP_NONE, 0);

	use("hybrid");
	put("proc/4000", "mountinfo", "1 1 0:1 / / rw - ext4 /dev/sda rw\n");
	ck_assert_ptr_nonnull(
		strstr(refusal(&l, TASK), "is not mounted where slurmd"));
}
END_TEST

START_TEST(mounted_below_the_job)
{
	struct limits l = limits(150 * M, SWAP_NONE, 0);

	use("hybrid");
	put("proc/4000", "mountinfo",
	    "1 1 0:1 /slurm_pi1/uid_1000/job_17/step_0 /" JOB
	    " rw - cgroup none rw,memory\n");
	ck_assert_ptr_nonnull(
		strstr(refusal(&l, TASK), "is not mounted where slurmd"));
	ck_assert_uint_eq(at(JOB, "memory.limit_in_bytes"), 400 * M);
}
END_TEST

START_TEST(limit_cannot_be_read_or_written)
{
	struct limits l = limits(150 * M, SWAP_NONE, 0);

	use("hybrid");
	put(JOB, "memory.limit_in_bytes", "much\n");
	ck_assert_ptr_nonnull(
		strstr(refusal(&l, TASK), "its limit cannot be read"));
	put_u64(JOB, "memory.limit_in_bytes", 400 * M);
	ck_assert_int_eq(unlinkat(host.root, JOB "/memory.swappiness", 0), 0);
	ck_assert_str_eq(refusal(&l, TASK),
			 "job 17 on pi1: the cap of 150M cannot be set: No "
			 "such file or directory");
	ck_assert_int_eq(
		symlinkat("/dev/null", host.root, JOB "/memory.swappiness"), 0);
	ck_assert_ptr_nonnull(strstr(refusal(&l, TASK), "symbolic links"));
}
END_TEST

START_TEST(limit_is_a_fifo)
{
	struct limits l = limits(150 * M, SWAP_NONE, 0);

	use("hybrid");
	ck_assert_int_eq(unlinkat(host.root, JOB "/memory.limit_in_bytes", 0),
			 0);
	ck_assert_int_eq(
		mkfifoat(host.root, JOB "/memory.limit_in_bytes", 0600), 0);
	ck_assert_ptr_nonnull(
		strstr(refusal(&l, TASK), "its limit cannot be read"));
}
END_TEST

/* A user's other process moves the task below a directory of his own. */
START_TEST(task_moved_by_its_user)
{
	struct limits l = limits(150 * M, SWAP_NONE, 0);

	use("hybrid");
	put("proc/4242", "cgroup",
	    "4:memory:/slurm_pi1/uid_1000/job_17/step_0/task_0/"
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "\n");
	ck_assert_ptr_nonnull(
		strstr(refusal(&l, TASK), "moved to another cgroup"));
	put("proc/4242", "cgroup",
	    "4:memory:/slurm_pi1/uid_1000/job_17/step_0/task_0/x\n"
	    "4:memory:/slurm_pi1/uid_1000/job_17/step_1/task_0\n");
	ck_assert_ptr_nonnull(
		strstr(refusal(&l, TASK), "names two memory cgroups"));
}
END_TEST

START_TEST(tasks_of_two_steps)
{
	struct limits l = limits(150 * M, SWAP_NONE, 0);
	struct cap_step *c;

	use("hybrid");
	put("proc/4243", "cgroup",
	    "4:memory:/slurm_pi1/uid_1000/job_17/step_1/task_0\n");
	c = step_of(&l, &l);
	cap_place(c, 0, TASK);
	ck_assert_ptr_null(cap_verdict(c, 0));
	cap_place(c, 1, TASK + 1);
	ck_assert_ptr_nonnull(
		strstr(cap_verdict(c, 0), "in different steps' cgroups"));
	ck_assert_ptr_nonnull(cap_verdict(c, 1));
	free(c);
}
END_TEST

START_TEST(unplaced_tasks_are_refused)
{
	struct limits l = limits(150 * M, SWAP_NONE, 0);
	struct cap_step *c;

	use("hybrid");
	c = step_of(&l, &l);
	ck_assert_ptr_nonnull(cap_verdict(c, 0));
	cap_place(c, 0, TASK);
	ck_assert_ptr_null(cap_verdict(c, 0));
	ck_assert_ptr_nonnull(cap_verdict(c, 1));
	ck_assert_ptr_nonnull(cap_verdict(c, 2));
	ck_assert_ptr_nonnull(cap_verdict(c, UINT32_MAX));
	cap_place(c, 2, TASK);
	ck_assert_ptr_nonnull(
		strstr(cap_verdict(c, 0), "task 2 is not one of the step's 2"));
	free(c);
}
END_TEST

START_TEST(first_refusal_stays)
{
	struct limits l = limits(150 * M, SWAP_NONE, 0);
	struct cap_step *c;

	use("hybrid");
	c = step_of(&l, &l);
	cap_refuse(c, "first");
	cap_refuse(c, "second");
	cap_place(c, 0, TASK);
	ck_assert_str_eq(cap_verdict(c, 0), "first");
	ck_assert_uint_eq(at(JOB, "memory.limit_in_bytes"), 400 * M);
	free(c);
}
END_TEST

static void kills(const char *dir, int n)
{
	char text[80];

	snprintf(text, sizeof(text),
		 "oom_kill_disable 0\nunder_oom 0\noom_kill %d\n", n);
	put(dir, "memory.oom_control", text);
}

#define TAIL " Raise --gbm-mem-cap, use more nodes, or stream with libgbm."

START_TEST(explains_the_jobs_cap)
{
	struct cap_step *c;
	char text[CAP_TEXT_MAX] = "";

	use("hybrid");
	kills(JOB "/step_0/task_1", 2); /* before this step's placing */
	c = placed(150 * M);
	c->tasks[0].rank = 2;
	ck_assert_int_eq(cap_explain(c, 0, SIGKILL, text), CAP_NOBODY);
	ck_assert_int_eq(cap_explain(c, 1, SIGKILL, text), CAP_NOBODY);
	ck_assert_str_eq(text, "");
	put_u64(JOB, "memory.max_usage_in_bytes", 150 * M - 4096);
	put_u64(JOB "/step_0", "memory.max_usage_in_bytes", 149 * M);
	kills(JOB "/step_0/task_0", 1);
	ck_assert_int_eq(cap_explain(c, 0, SIGKILL, text), CAP_BY_CAP);
	ck_assert_str_eq(text,
			 "task 2 on pi1 was killed: job 17 reached its 150M "
			 "RAM cap (peak 150M, swap none)." TAIL);
	ck_assert(c->tasks[0].capped);
	ck_assert(!c->tasks[1].capped);
	/* Not twice. */
	ck_assert_int_eq(cap_explain(c, 0, SIGKILL, text), CAP_NOBODY);
	kills(JOB "/step_0/task_0", 2);
	ck_assert_int_eq(cap_explain(c, 0, 137 << 8, text), CAP_BY_CAP);
	ck_assert_str_eq(text, "a process started by task 2 on pi1 was killed: "
			       "job 17 reached its 150M RAM cap (peak 150M, "
			       "swap none)." TAIL);
	kills(JOB "/step_0/task_0", 5);
	ck_assert_int_eq(cap_explain(c, 0, 0, text), CAP_BY_CAP);
	ck_assert_str_eq(text, "3 processes started by task 2 on pi1 were "
			       "killed: job 17 reached its 150M RAM cap "
			       "(peak 150M, swap none)." TAIL);
	ck_assert_int_eq(cap_explain(c, 1, SIGKILL, text), CAP_NOBODY);
	put_u64(JOB "/step_0", "memory.max_usage_in_bytes", 101 * M);
	kills(JOB "/step_0/task_0", 6);
	ck_assert_int_eq(cap_explain(c, 0, SIGKILL, text), CAP_BY_CAP);
	ck_assert_str_eq(text,
			 "task 2 on pi1 was killed: job 17 reached its 150M "
			 "RAM cap (peak 150M, of which this step 101M, swap "
			 "none)." TAIL);
	free(c);
}
END_TEST

/* With memsw as low as the limit, only memsw's peak tells. */
START_TEST(explains_by_memsw)
{
	struct limits l = limits(100 * M, SWAP_SIZE, 64 * M);
	struct cap_step *c;
	char text[CAP_TEXT_MAX];

	use("hybrid");
	c = step_of(&l, &l);
	cap_place(c, 0, TASK);
	put_u64(JOB "/step_0", "memory.memsw.max_usage_in_bytes", 164 * M);
	put_u64(JOB, "memory.max_usage_in_bytes", 98 * M);
	put_u64(JOB "/step_0", "memory.max_usage_in_bytes", 97 * M);
	kills(JOB "/step_0/task_0", 1);
	ck_assert(cap_explain(c, 0, SIGKILL, text));
	ck_assert_str_eq(text, "task 0 on pi1 was killed: job 17 reached its "
			       "100M RAM cap (peak 98M, swap 64M)." TAIL);
	free(c);
}
END_TEST

START_TEST(explains_the_steps_cap)
{
	struct limits job = limits(150 * M, SWAP_NONE, 0);
	struct limits step = limits(64 * M, SWAP_NONE, 0);
	struct cap_step *c;
	char text[CAP_TEXT_MAX];

	use("hybrid");
	c = step_of(&job, &step);
	cap_place(c, 0, TASK);
	ck_assert_uint_eq(cap_bytes(c), 64 * M);
	put_u64(JOB, "memory.max_usage_in_bytes", 66 * M);
	put_u64(JOB "/step_0", "memory.max_usage_in_bytes", 64 * M);
	kills(JOB "/step_0/task_0", 1);
	ck_assert(cap_explain(c, 0, SIGKILL, text));
	ck_assert_str_eq(text, "task 0 on pi1 was killed: step 17.0 reached "
			       "its 64M RAM cap (peak 64M, swap none). Raise "
			       "--gbm-mem-cap (this job allows 150M), use more "
			       "nodes, or stream with libgbm.");
	free(c);
}
END_TEST

START_TEST(explains_slurms_limit)
{
	struct cap_step *c;
	char text[CAP_TEXT_MAX];

	use("hybrid");
	put_u64(JOB, "memory.limit_in_bytes", 100 * M);
	put_u64(JOB "/step_0", "memory.limit_in_bytes", 100 * M);
	c = placed(150 * M);
	put_u64(JOB, "memory.max_usage_in_bytes", 100 * M);
	put_u64(JOB "/step_0", "memory.max_usage_in_bytes", 100 * M);
	kills(JOB "/step_0/task_0", 1);
	ck_assert(cap_explain(c, 0, SIGKILL, text));
	ck_assert_str_eq(text, "task 0 on pi1 was killed: job 17 reached its "
			       "100M Slurm allocation (peak 100M, swap none). "
			       "Raise --mem, use more nodes, or stream with "
			       "libgbm.");
	free(c);
}
END_TEST

START_TEST(explains_what_is_not_the_caps_doing)
{
	struct cap_step *c;
	char text[CAP_TEXT_MAX];

	use("hybrid");
	c = placed(150 * M);
	put_u64(JOB, "memory.max_usage_in_bytes", 80 * M);
	put_u64(JOB "/step_0", "memory.max_usage_in_bytes", 78 * M);
	kills(JOB "/step_0/task_0", 1);
	ck_assert(cap_explain(c, 0, SIGKILL, text));
	ck_assert_str_eq(text, "task 0 on pi1 was killed: job 17 was below its "
			       "150M RAM cap (peak 80M, swap none). The node, "
			       "or a limit above the job, ran out of memory.");
	free(c);
}
END_TEST

START_TEST(longest_texts_fit)
{
	struct limits l =
		limits(INT64_MAX - INT64_MAX % SIZE_ROUND, SWAP_SIZE,
		       INT64_MAX - INT64_MAX % SIZE_ROUND);
	struct cap_step *c;
	char text[CAP_TEXT_MAX], node[CAP_NODE_MAX];

	use("hybrid");
	memset(node, 'n', sizeof(node) - 1);
	node[sizeof(node) - 1] = '\0';
	c = calloc(1, cap_size(2));
	ck_assert_ptr_nonnull(c);
	cap_init(c, &host, &conf, node, 17, 2, &l, &l);
	cap_place(c, 0, TASK);
	ck_assert_ptr_null(cap_verdict(c, 0));
	put_u64(JOB, "memory.max_usage_in_bytes", UINT64_MAX);
	put_u64(JOB "/step_0", "memory.max_usage_in_bytes", INT64_MAX);
	kills(JOB "/step_0/task_0", 2000000000);
	c->tasks[0].rank = UINT32_MAX;
	c->node_max = UINT64_MAX;
	ck_assert(cap_explain(c, 0, 0, text));
	ck_assert_ptr_nonnull(strstr(text, "stream with libgbm."));
	ck_assert_ptr_nonnull(strstr(cap_summary(c, text), ", swap "));
	free(c);
}
END_TEST

START_TEST(counters_are_gone)
{
	struct cap_step *c;
	char text[CAP_TEXT_MAX], command[128];

	use("hybrid");
	c = placed(150 * M);
	snprintf(command, sizeof(command), "rm -rf %s/" JOB, tmp);
	ck_assert_int_eq(system(command), 0);
	ck_assert(!cap_explain(c, 0, SIGKILL, text));
	ck_assert_str_eq(cap_summary(c, text),
			 "step 17.0 on pi1: peak not known of 150M RAM cap, swap "
			 "none");
	free(c);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cap");
	TCase *limit = tcase_create("limits");
	TCase *refused = tcase_create("refusals");
	TCase *told = tcase_create("texts");

	tcase_add_checked_fixture(limit, NULL, teardown);
	tcase_add_checked_fixture(refused, NULL, teardown);
	tcase_add_checked_fixture(told, NULL, teardown);
	tcase_add_test(limit, job_and_step_are_lowered);
	tcase_add_test(limit, directories);
	tcase_add_test(limit, unlimited_by_slurm);
	tcase_add_test(limit, nothing_is_raised);
	tcase_add_test(limit, swap_is_bounded);
	tcase_add_test(limit, swap_is_left_alone);
	tcase_add_test(limit, step_alone);
	tcase_add_test(limit, no_cap);
	tcase_add_test(limit, what_cannot_be_known_is_forgone);
	tcase_add_test(limit, each_step_lowers_again);
	tcase_add_test(limit, extern_step);
	tcase_add_test(limit, container);
	tcase_add_test(refused, swap_size_without_accounting);
	tcase_add_test(refused, other_jobs_task);
	tcase_add_test(refused, task_is_gone);
	tcase_add_test(refused, not_mounted);
	tcase_add_test(refused, mounted_below_the_job);
	tcase_add_test(refused, limit_cannot_be_read_or_written);
	tcase_add_test(refused, limit_is_a_fifo);
	tcase_add_test(refused, task_moved_by_its_user);
	tcase_add_test(refused, tasks_of_two_steps);
	tcase_add_test(refused, unplaced_tasks_are_refused);
	tcase_add_test(refused, first_refusal_stays);
	tcase_add_test(told, explains_the_jobs_cap);
	tcase_add_test(told, explains_by_memsw);
	tcase_add_test(told, explains_the_steps_cap);
	tcase_add_test(told, explains_slurms_limit);
	tcase_add_test(told, explains_what_is_not_the_caps_doing);
	tcase_add_test(told, longest_texts_fit);
	tcase_add_test(told, counters_are_gone);
	suite_add_tcase(s, limit);
	suite_add_tcase(s, refused);
	suite_add_tcase(s, told);
	return gbm_check_main(s);
}
