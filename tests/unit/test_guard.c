/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The node guard over small trees that each test makes as Slurm and systemd
 * make the real ones.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin/guard.h"
#include "plugin/sysroot.h"

#include "check_main.h"

#define M      UINT64_C(1048576)
#define NONE   "9223372036854771712\n" /* v1, 4 KiB pages */
#define SLURMD 4000
#define TASK   4242
#define V1     "sys/fs/cgroup/memory"
#define V2     "sys/fs/cgroup"
#define SCOPE  V2 "/system.slice/slurmstepd.scope"
#define V1_LINE                                                                \
	"34 30 0:31 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
#define V2_LINE "30 22 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"

static char tmp[] = "/tmp/gbm-test-XXXXXX";
static struct cap_host host;
static struct guard guard;
static struct err e;

static const struct swap no_swap = { SWAP_NONE, 0 };
static const struct swap any_swap = { SWAP_ALLOW, 0 };
static const struct swap some_swap = { SWAP_SIZE, 100 * M };

static void setup(void)
{
	memcpy(tmp, "/tmp/gbm-test-XXXXXX", sizeof(tmp));
	ck_assert_ptr_nonnull(mkdtemp(tmp));
	host.root = open(tmp, O_PATH | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(host.root, 0);
	host.self = SLURMD;
}

static void teardown(void)
{
	char command[64];

	close(host.root);
	snprintf(command, sizeof(command), "rm -rf %s", tmp);
	ck_assert_int_eq(system(command), 0);
}

/* With the directories that lead to it. */
static void put(const char *dir, const char *file, const char *text)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	for (char *p = path; (p = strchr(p, '/')); *p++ = '/') {
		*p = '\0';
		mkdirat(host.root, path, 0755);
	}
	fd = openat(host.root, path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static uint64_t at(const char *dir, const char *file)
{
	char path[256];
	uint64_t v = 0;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	ck_assert_msg(sysroot_read_u64(host.root, path, &v) == 0, "%s", path);
	return v;
}

static void v1_dir(const char *dir)
{
	put(dir, "memory.limit_in_bytes", NONE);
	put(dir, "memory.usage_in_bytes", "50000000\n");
	put(dir, "memory.memsw.limit_in_bytes", NONE);
	put(dir, "memory.memsw.usage_in_bytes", "60000000\n");
	put(dir, "memory.swappiness", "60\n");
}

static void v2_dir(const char *dir)
{
	put(dir, "memory.max", "max\n");
	put(dir, "memory.high", "max\n");
	put(dir, "memory.current", "50000000\n");
	put(dir, "memory.swap.max", "max\n");
	put(dir, "memory.swap.current", "0\n");
}

static void process(int pid, const char *cgroup, const char *mounts)
{
	char dir[32];

	snprintf(dir, sizeof(dir), "proc/%d", pid);
	put(dir, "cgroup", cgroup);
	put(dir, "mountinfo", mounts);
}

static void v1_slurmd(const char *own)
{
	char cgroup[128];

	snprintf(cgroup, sizeof(cgroup), "4:memory:%s\n0::/\n", own);
	process(SLURMD, cgroup, V1_LINE);
	put(V1, "memory.limit_in_bytes", NONE);
	put(V1, "memory.swappiness", "60\n");
}

static void v2_slurmd(const char *own)
{
	char cgroup[128];

	snprintf(cgroup, sizeof(cgroup), "0::%s\n", own);
	process(SLURMD, cgroup, V2_LINE);
	put(V2, "cgroup.controllers", "cpuset cpu io memory pids\n");
}

static void found(const char *dir)
{
	ck_assert_int_eq(guard_of_slurmd(&host, "pi1", &guard, &e), 1);
	ck_assert_uint_eq(guard.top_len, strlen(guard.path));
	ck_assert_str_eq(guard.path, dir);
}

static void not_yet(void)
{
	ck_assert_int_eq(guard_of_slurmd(&host, "pi1", &guard, &e), 0);
}

static void never(const char *word)
{
	ck_assert_int_eq(guard_of_slurmd(&host, "pi1", &guard, &e), -1);
	ck_assert_msg(strstr(e.text, word) != NULL, "%s", e.text);
}

START_TEST(v1_by_slurmds_own)
{
	v1_dir(V1 "/slurm_other/system");
	v1_dir(V1 "/slurm_other");
	v1_dir(V1 "/slurm_pi1");
	v1_slurmd("/slurm_other/system");
	found(V1 "/slurm_other");
}
END_TEST

START_TEST(v1_by_name)
{
	v1_slurmd("/");
	not_yet();
	v1_dir(V1 "/slurm_pi2");
	not_yet();
	v1_dir(V1 "/slurm");
	found(V1 "/slurm");
	v1_dir(V1 "/slurm_pi1");
	found(V1 "/slurm_pi1");
	v1_slurmd("/system.slice/slurmd.service");
	found(V1 "/slurm_pi1");
}
END_TEST

/* The limit of the root would be that of the whole machine. */
START_TEST(v1_never_the_root)
{
	v1_slurmd("/system");
	not_yet();
}
END_TEST

START_TEST(v2_places)
{
	v2_slurmd("/system.slice/slurmd.service");
	not_yet();
	v2_dir(SCOPE);
	found(SCOPE);
	v2_dir(V2 "/system.slice/pi1_slurmstepd.scope");
	found(V2 "/system.slice/pi1_slurmstepd.scope");
	/* slurmd of a shell, which Slurm 22.05 leaves where it was. */
	v2_slurmd("/user.slice/user-0.slice/session-1.scope");
	found(V2 "/system.slice/pi1_slurmstepd.scope");
	v2_slurmd("/");
	found(V2 "/system.slice/pi1_slurmstepd.scope");
	/* CgroupSlice= of Slurm 25.11 */
	v2_dir(V2 "/jobs.slice/slurmstepd.scope");
	v2_slurmd("/jobs.slice/slurmd.service");
	found(V2 "/jobs.slice/slurmstepd.scope");
	v2_slurmd("/jobs.slice/slurmd.service/slurmd"); /* 26.05 */
	found(V2 "/jobs.slice/slurmstepd.scope");
	v2_slurmd("/any.slice/pi7_slurmstepd.scope/slurmd");
	v2_dir(V2 "/any.slice/pi7_slurmstepd.scope");
	found(V2 "/any.slice/pi7_slurmstepd.scope");
}
END_TEST

START_TEST(cannot_be_had)
{
	never("cannot read /proc/4000/cgroup");
	put("proc/4000", "mountinfo", "22 1 0:21 / / rw - ext4 root rw\n");
	never("memory controller");
	v2_slurmd("/system.slice/slurmd.service");
	put(V2, "cgroup.controllers", "cpuset cpu io pids\n");
	never("cgroup_enable=memory");
	process(SLURMD, "4:memory:/\n", V2_LINE);
	never("not mounted");
}
END_TEST

#define UID  V1 "/slurm_pi1/uid_1000"
#define STEP UID "/job_17/step_0"

static void v1_task(void)
{
	v1_slurmd("/");
	process(TASK, "4:memory:/slurm_pi1/uid_1000/job_17/step_0/task_0\n",
		V1_LINE);
	v1_dir(V1 "/slurm_pi1");
	v1_dir(UID);
	v1_dir(UID "/job_17");
	v1_dir(STEP);
	v1_dir(STEP "/task_0");
	ck_assert_int_eq(guard_of_task(&host, TASK, 17, &guard, &e), 1);
	ck_assert_uint_eq(guard.top_len, strlen(V1 "/slurm_pi1"));
}

static void v2_scope(void)
{
	v2_slurmd("/system.slice/slurmd.service");
	v2_dir(SCOPE);
	found(SCOPE);
}

static int apply(uint64_t bytes, const struct swap *swap)
{
	return guard_apply(&host, &guard, bytes, swap, &e);
}

static void v1_has(uint64_t limit, uint64_t memsw, uint64_t swappiness)
{
	ck_assert_uint_eq(at(V1 "/slurm_pi1", "memory.limit_in_bytes"), limit);
	ck_assert_uint_eq(at(V1 "/slurm_pi1", "memory.memsw.limit_in_bytes"),
			  memsw);
	ck_assert_uint_eq(at(V1 "/slurm_pi1", "memory.swappiness"), swappiness);
}

START_TEST(v1_follows_the_setting)
{
	static const uint64_t none = INT64_MAX - 4095;

	v1_task();
	ck_assert_int_eq(apply(1740 * M, &any_swap), 1);
	v1_has(1740 * M, none, 60);
	ck_assert_int_eq(apply(1740 * M, &any_swap), 0);
	ck_assert_int_eq(apply(1000 * M, &some_swap), 1);
	v1_has(1000 * M, 1100 * M, 60);
	ck_assert_int_eq(apply(1000 * M, &some_swap), 0);
	ck_assert_int_eq(apply(1500 * M, &no_swap), 1);
	v1_has(1500 * M, 1500 * M, 0);
	ck_assert_int_eq(apply(1500 * M, &no_swap), 0);
	ck_assert_int_eq(apply(1500 * M, &any_swap), 1);
	v1_has(1500 * M, INT64_MAX, 60);
	/* Nothing but the one directory has got a limit. */
	ck_assert_uint_eq(at(UID, "memory.limit_in_bytes"), none);
	ck_assert_uint_eq(at(V1, "memory.limit_in_bytes"), none);
}
END_TEST

START_TEST(v1_no_swap_on_the_way_to_the_task)
{
	v1_task();
	ck_assert_int_eq(apply(1740 * M, &no_swap), 1);
	ck_assert_uint_eq(at(UID, "memory.swappiness"), 0);
	ck_assert_uint_eq(at(UID "/job_17", "memory.swappiness"), 0);
	ck_assert_uint_eq(at(STEP, "memory.swappiness"), 0);
	ck_assert_uint_eq(at(STEP "/task_0", "memory.swappiness"), 0);
	ck_assert_uint_eq(at(V1, "memory.swappiness"), 60);
}
END_TEST

START_TEST(v1_swap_is_not_counted)
{
	v1_task();
	ck_assert_int_eq(unlinkat(host.root,
				  V1 "/slurm_pi1/memory.memsw.limit_in_bytes",
				  0),
			 0);
	ck_assert_int_eq(apply(1740 * M, &no_swap), 1);
	ck_assert_uint_eq(at(V1 "/slurm_pi1", "memory.swappiness"), 0);
	ck_assert_int_eq(apply(1740 * M, &some_swap), -1);
	ck_assert_msg(strstr(e.text, "swap_max=") != NULL, "%s", e.text);
	ck_assert_uint_eq(at(V1 "/slurm_pi1", "memory.limit_in_bytes"),
			  1740 * M);
}
END_TEST

static void v2_has(uint64_t max, uint64_t swap)
{
	ck_assert_uint_eq(at(SCOPE, "memory.max"), max);
	ck_assert_uint_eq(at(SCOPE, "memory.swap.max"), swap);
}

START_TEST(v2_follows_the_setting)
{
	v2_scope();
	ck_assert_int_eq(apply(1740 * M, &any_swap), 1);
	v2_has(1740 * M, UINT64_MAX);
	ck_assert_int_eq(apply(1740 * M, &any_swap), 0);
	ck_assert_int_eq(apply(1000 * M, &some_swap), 1);
	v2_has(1000 * M, 100 * M);
	ck_assert_int_eq(apply(1500 * M, &no_swap), 1);
	v2_has(1500 * M, 0);
	ck_assert_int_eq(apply(1500 * M, &no_swap), 0);
	/* systemd, upon a daemon-reload */
	put(SCOPE, "memory.max", "max\n");
	ck_assert_int_eq(apply(1500 * M, &no_swap), 1);
	v2_has(1500 * M, 0);
}
END_TEST

START_TEST(v2_kills_nothing)
{
	v2_scope();
	put(SCOPE, "memory.current", "1800000000\n");
	ck_assert_int_eq(apply(1500 * M, &any_swap), -1);
	ck_assert_msg(strstr(e.text, "use 1717M, more than the 1500M") != NULL,
		      "%s", e.text);
	ck_assert_uint_ge(at(SCOPE, "memory.max"), 1800000000);
	ck_assert_uint_le(at(SCOPE, "memory.max"), 1800000000 + 32 * M);
	ck_assert_uint_gt(at(SCOPE, "memory.swap.max"), UINT64_C(1) << 62);
	ck_assert_uint_gt(at(SCOPE, "memory.high"), UINT64_C(1) << 62);
	put(SCOPE, "memory.current", "1000000000\n");
	ck_assert_int_eq(apply(1500 * M, &any_swap), 1);
	v2_has(1500 * M, UINT64_MAX);
}
END_TEST

START_TEST(task_without_memory_cgroup)
{
	v1_slurmd("/");
	process(TASK, "4:memory:/\n", V1_LINE);
	ck_assert_int_eq(guard_of_task(&host, TASK, 17, &guard, &e), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("guard");
	TCase *tc = tcase_create("guard");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, v1_by_slurmds_own);
	tcase_add_test(tc, v1_by_name);
	tcase_add_test(tc, v1_never_the_root);
	tcase_add_test(tc, v2_places);
	tcase_add_test(tc, cannot_be_had);
	tcase_add_test(tc, v1_follows_the_setting);
	tcase_add_test(tc, v1_no_swap_on_the_way_to_the_task);
	tcase_add_test(tc, v1_swap_is_not_counted);
	tcase_add_test(tc, v2_follows_the_setting);
	tcase_add_test(tc, v2_kills_nothing);
	tcase_add_test(tc, task_without_memory_cgroup);
	suite_add_tcase(s, tc);
	return gbm_check_main(s);
}
