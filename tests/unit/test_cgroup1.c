/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cgroup v1 where it says no: a write(2) in the place of libc's does what the
 * kernel's memory controller does, and Slurm writes at the same time.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "plugin/cap.h"
#include "plugin/guard.h"
#include "tests/unit/tree.h"

#include "check_main.h"

#define M     (UINT64_C(1) << 20)
#define TASK  4242
#define STEPD 4000

#define TOP   "sys/fs/cgroup/memory/slurm_pi1"
#define JOB   TOP "/uid_1000/job_17"
#define STEP  JOB "/step_0"
#define LIMIT "memory.limit_in_bytes"
#define MEMSW "memory.memsw.limit_in_bytes"
#define USAGE "memory.usage_in_bytes"
#define BOTH  "memory.memsw.usage_in_bytes"

static struct cap_host host;
static struct conf conf;

/* Slurm's own limit of the job, right after each of this many of ours. */
static int slurms_writes;
/* After so many refusals for what is in use, it is given back. */
static int busy;
static char order[512]; /* of the files of JOB written to */

static void note(const char *file)
{
	if (strlen(order) + strlen(file) + 2 < sizeof(order)) {
		strcat(order, file);
		strcat(order, " ");
	}
}

static uint64_t get_or(const char *dir, const char *file, uint64_t otherwise)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	return faccessat(host.root, path, F_OK, 0) == 0 ? tree_get(dir, file)
							: otherwise;
}

static bool in_use(const char *dir, const char *file, uint64_t wanted)
{
	if (get_or(dir, file, 0) <= wanted)
		return false;
	if (busy > 0 && --busy == 0) {
		tree_put_u64(dir, USAGE, 100 * M);
		tree_put_u64(dir, BOTH, 100 * M);
	}
	return true;
}

/* 0, or the errno with which the kernel refuses. */
static int refused(const char *dir, const char *file, uint64_t wanted)
{
	if (strcmp(file, LIMIT) == 0) {
		if (wanted > get_or(dir, MEMSW, UINT64_MAX))
			return EINVAL;
		return in_use(dir, USAGE, wanted) ? EBUSY : 0;
	}
	if (strcmp(file, MEMSW) == 0) {
		if (wanted < tree_get(dir, LIMIT))
			return EINVAL;
		return in_use(dir, BOTH, wanted) ? EBUSY : 0;
	}
	return 0;
}

/* While the plugin works. What tests put is not refused. */
static bool is_kernel;

/* A file of the kernel's keeps its value until a write succeeds. */
int openat(int dir, const char *name, int flags, ...)
{
	va_list ap;
	int mode;

	va_start(ap, flags);
	mode = va_arg(ap, int);
	va_end(ap);
	if (is_kernel)
		flags &= ~O_TRUNC;
	return (int)syscall(SYS_openat, dir, name, flags, mode);
}

/* What openat() becomes where _FORTIFY_SOURCE is on, as in packages. */
int __openat64_2(int dir, const char *name, int flags);
int __openat64_2(int dir, const char *name, int flags)
{
	return openat(dir, name, flags, 0);
}

ssize_t write(int fd, const void *data, size_t len)
{
	char link[64], path[512] = "", text[32] = "";
	char *dir, *file;
	int error;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (!is_kernel || len >= sizeof(text) ||
	    readlink(link, path, sizeof(path) - 1) < 0)
		return syscall(SYS_write, fd, data, len);
	memcpy(text, data, len);
	dir = strstr(path, "sys/fs/cgroup");
	file = strrchr(path, '/');
	ck_assert(dir && file);
	*file++ = '\0';
	is_kernel = false;
	if (strcmp(dir, JOB) == 0)
		note(file);
	error = refused(dir, file, strtoull(text, NULL, 10));
	if (!error)
		tree_put(dir, file, text);
	if (slurms_writes > 0 && strcmp(dir, JOB) == 0 &&
	    strcmp(file, LIMIT) == 0) {
		slurms_writes--;
		tree_put_u64(JOB, LIMIT, 400 * M);
	}
	is_kernel = true;
	errno = error;
	return error ? -1 : (ssize_t)len;
}

/* Somebody else than who owns the directories, and what he makes his own. */
static bool other_user;
static char taken[512];

uid_t geteuid(void)
{
	return (uid_t)syscall(SYS_geteuid) + other_user;
}

int fchown(int fd, uid_t uid, gid_t gid)
{
	char link[64], path[512] = "";
	const char *step;

	(void)gid;
	ck_assert_uint_eq(uid, geteuid());
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ck_assert_int_gt(readlink(link, path, sizeof(path) - 1), 0);
	step = strstr(path, "job_17");
	ck_assert_ptr_nonnull(step);
	strcat(taken, step);
	strcat(taken, " ");
	return 0;
}

static void use(void)
{
	host.root = tree_open("cgroup1/hybrid");
	host.self = STEPD;
	order[0] = taken[0] = '\0';
}

/* A step of one task, below caps of CAP without swap, or else the reason. */
static const char *result(uint64_t cap, enum swap_mode mode, uint64_t swap)
{
	static char text[ERR_TEXT_MAX];
	struct limits l = { cap, { mode, swap } };
	struct cap_step *c = calloc(1, cap_size(1));
	const char *why;

	ck_assert_ptr_nonnull(c);
	cap_init(c, &host, &conf, "pi1", 17, 1, &l, &l);
	is_kernel = true;
	cap_place(c, 0, TASK);
	is_kernel = false;
	why = cap_verdict(c, 0);
	snprintf(text, sizeof(text), "%s", why ? why : "");
	free(c);
	return text;
}

/* Lowered, the limit has to come first. */
START_TEST(limit_goes_first)
{
	use();
	ck_assert_str_eq(result(150 * M, SWAP_NONE, 0), "");
	ck_assert_str_eq(order, LIMIT " memory.swappiness ");
	ck_assert_uint_eq(tree_get(STEP, LIMIT), 150 * M);
	ck_assert_uint_eq(tree_get(STEP, MEMSW), 150 * M);
}
END_TEST

/* The job's other steps give back what they have: it is waited for. */
START_TEST(in_use_for_a_while)
{
	use();
	tree_put_u64(JOB, USAGE, 200 * M);
	tree_put_u64(JOB, BOTH, 200 * M);
	busy = 3;
	ck_assert_str_eq(result(150 * M, SWAP_NONE, 0), "");
	ck_assert_uint_eq(tree_get(JOB, LIMIT), 150 * M);
}
END_TEST

/* They do not: no more than they have. */
START_TEST(in_use_for_good)
{
	use();
	tree_put_u64(JOB, USAGE, 200 * M + 4096);
	tree_put_u64(JOB, BOTH, 210 * M);
	ck_assert_str_eq(result(150 * M, SWAP_NONE, 0),
			 "job 17 on pi1: 210M are in use already, more than "
			 "the cap of 150M: let its other steps end first");
	ck_assert_uint_ge(tree_get(JOB, LIMIT), 200 * M + 4096);
	ck_assert_uint_le(tree_get(JOB, LIMIT), 201 * M);
}
END_TEST

/* Swap that is in use, of a step. */
START_TEST(swap_in_use)
{
	use();
	tree_put_u64(STEP, USAGE, 10 * M);
	tree_put_u64(STEP, BOTH, 200 * M);
	ck_assert_str_eq(result(150 * M, SWAP_SIZE, 16 * M),
			 "job 17 on pi1: 200M are in use already, more than "
			 "the cap of 150M: let its other steps end first");
	ck_assert_uint_eq(tree_get(STEP, LIMIT), 150 * M);
	ck_assert_uint_ge(tree_get(STEP, MEMSW), 200 * M);
	ck_assert_uint_le(tree_get(STEP, MEMSW), 201 * M);
}
END_TEST

/* Also between our write of the limit and the one of memsw (EINVAL). */
START_TEST(slurm_writes_as_well)
{
	use();
	slurms_writes = 5;
	ck_assert_str_eq(result(150 * M, SWAP_SIZE, 16 * M), "");
	ck_assert_int_eq(slurms_writes, 0);
	ck_assert_uint_eq(tree_get(JOB, LIMIT), 150 * M);
	ck_assert_uint_eq(tree_get(STEP, MEMSW), 166 * M);
}
END_TEST

START_TEST(read_back_must_hold)
{
	use();
	slurms_writes = 1000;
	ck_assert_str_eq(result(150 * M, SWAP_NONE, 0),
			 "job 17 on pi1: the cap of 150M was written, but does "
			 "not hold");
}
END_TEST

/* Slurm has made the step's directories the user's. */
START_TEST(directories_are_taken)
{
	use();
	other_user = true;
	ck_assert_str_eq(result(150 * M, SWAP_NONE, 0), "");
	ck_assert_str_eq(taken, "job_17/step_0 job_17/step_0/task_0 "
				"job_17/step_0/task_0 ");
}
END_TEST

/* All jobs together may use MB, without swap; they have LIMIT and use USED. */
static int guard(uint64_t mb, uint64_t limit, uint64_t used, struct err *e)
{
	static const struct swap none = { SWAP_NONE, 0 };
	struct guard g;
	int rc;

	use();
	tree_put_u64(TOP, LIMIT, limit * M);
	tree_put_u64(TOP, MEMSW, limit * M);
	tree_put_u64(TOP, USAGE, used * M + 4096);
	tree_put_u64(TOP, BOTH, used * M + 4096);
	tree_put_u64(TOP, "memory.swappiness", 60);
	tree_put_u64(TOP "/uid_1000", "memory.swappiness", 60);
	ck_assert_int_eq(guard_of_task(&host, TASK, 17, &g, e), 1);
	is_kernel = true;
	rc = guard_apply(&host, &g, mb * M, &none, e);
	is_kernel = false;
	return rc;
}

static const uint64_t guards[][2] = { { 300, 500 }, { 500, 300 } };

/* In the order that the kernel takes, downwards and upwards. */
START_TEST(guard_is_moved)
{
	struct err e;

	ck_assert_int_eq(guard(guards[_i][0], guards[_i][1], 50, &e), 1);
	ck_assert_uint_eq(tree_get(TOP, LIMIT), guards[_i][0] * M);
	ck_assert_uint_eq(tree_get(TOP, MEMSW), guards[_i][0] * M);
}
END_TEST

/* No more than a little for Slurm itself. */
START_TEST(guard_below_what_is_in_use)
{
	struct err e;

	ck_assert_int_eq(guard(300, 500, 400, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "all jobs together use 400M, more "
					     "than the 300M that they may"));
	ck_assert_uint_ge(tree_get(TOP, LIMIT), 416 * M);
	ck_assert_uint_le(tree_get(TOP, LIMIT), 433 * M);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("cgroup1");
	TCase *tc = tcase_create("cgroup1");

	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, NULL, tree_close);
	tcase_add_test(tc, limit_goes_first);
	tcase_add_test(tc, in_use_for_a_while);
	tcase_add_test(tc, in_use_for_good);
	tcase_add_test(tc, swap_in_use);
	tcase_add_test(tc, slurm_writes_as_well);
	tcase_add_test(tc, read_back_must_hold);
	tcase_add_test(tc, directories_are_taken);
	tcase_add_loop_test(tc, guard_is_moved, 0, 2);
	tcase_add_test(tc, guard_below_what_is_in_use);
	suite_add_tcase(s, tc);
	return gbm_check_main(s);
}
