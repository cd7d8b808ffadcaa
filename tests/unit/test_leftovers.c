/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is removed after a job and what is not. The owner of all files is
 * whoever runs this; root, who must be spared, runs it as a user.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "plugin/leftovers.h"

#include "check_main.h"

#define USER 65534

static char tmp[] = "/tmp/gbm-test-XXXXXX";
static int root;
static uid_t uid;
static struct timespec start;
static struct leftovers left;
static char text[LEFTOVERS_TEXT_MAX];

static int removed[8];
static int n_removed;
static int remove_error;

static int remove_id(int id)
{
	if (remove_error) {
		errno = remove_error;
		return -1;
	}
	ck_assert_int_lt(n_removed, 8);
	removed[n_removed++] = id;
	return 0;
}

static void put(const char *path, const char *content)
{
	int fd = openat(root, path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	ck_assert_msg(fd >= 0, "%s", path);
	ck_assert_int_eq(write(fd, content, strlen(content)),
			 (ssize_t)strlen(content));
	close(fd);
}

static void make_dir(const char *path)
{
	ck_assert_msg(mkdirat(root, path, 0755) == 0, "%s", path);
}

static bool there(const char *path)
{
	return faccessat(root, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void setup(void)
{
	uid = getuid();
	ck_assert_ptr_nonnull(mkdtemp(tmp));
	if (uid == 0) {
		uid = USER;
		ck_assert_int_eq(chown(tmp, uid, (gid_t)-1), 0);
	}
	root = open(tmp, O_PATH | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(root, 0);
	if (getuid() == 0)
		ck_assert_int_eq(seteuid(uid), 0);
	make_dir("proc");
	make_dir("proc/sysvipc");
	make_dir("dev");
	make_dir("dev/shm");
	/* Of the same clock as the times of files. */
	ck_assert_int_eq(clock_gettime(CLOCK_REALTIME_COARSE, &start), 0);
}

static void teardown(void)
{
	char command[80];

	close(root);
	snprintf(command, sizeof(command), "chmod -R u+rwx %s; rm -rf %s", tmp,
		 tmp);
	ck_assert_int_eq(system(command), 0);
	if (geteuid() != getuid())
		ck_assert_int_eq(seteuid(getuid()), 0);
	rmdir(tmp);
}

static void sweep(void)
{
	leftovers_remove(root, uid, &start, remove_id, &left);
	leftovers_text(&left, text);
}

/*
 * After the times of all files so far. These may be ahead of the coarse clock
 * by one of its ticks, 10 ms at most: Linux 6.13 gives files that are looked at
 * often a finer time.
 */
static void later(struct timespec *t)
{
	static const struct timespec pause = { 0, 30000000 };

	nanosleep(&pause, NULL);
	clock_gettime(CLOCK_REALTIME_COARSE, t);
}

START_TEST(nothing)
{
	sweep();
	ck_assert_str_eq(text, "");
	ck_assert_uint_eq(left.failed, 0);
	ck_assert_int_eq(unlinkat(root, "dev/shm", AT_REMOVEDIR), 0);
	sweep();
	ck_assert_uint_eq(left.failed, 0);
}
END_TEST

START_TEST(files_of_every_kind)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd;

	put("dev/shm/segment", "some bytes");
	make_dir("dev/shm/dir");
	make_dir("dev/shm/dir/dir");
	put("dev/shm/dir/dir/file", "more bytes");
	put("kept", "not to be followed to");
	make_dir("kept_dir");
	put("kept_dir/file", "nor this");
	ck_assert_int_eq(symlinkat("../../kept", root, "dev/shm/link"), 0);
	ck_assert_int_eq(symlinkat("../../kept_dir", root, "dev/shm/dir/link"),
			 0);
	ck_assert_int_eq(mkfifoat(root, "dev/shm/fifo", 0600), 0);
	snprintf(sun.sun_path, sizeof(sun.sun_path), "%s/dev/shm/socket", tmp);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	close(fd);
	sweep();
	ck_assert_uint_eq(left.failed, 0);
	ck_assert_uint_eq(left.files, 8);
	ck_assert(there("kept"));
	ck_assert(there("kept_dir/file"));
	ck_assert_int_eq(unlinkat(root, "dev/shm", AT_REMOVEDIR), 0);
}
END_TEST

START_TEST(older_files_stay)
{
	put("dev/shm/old", "");
	make_dir("dev/shm/dir");
	later(&start);
	put("dev/shm/dir/new", "");
	put("dev/shm/new", "");
	sweep();
	ck_assert_uint_eq(left.files, 2);
	ck_assert(there("dev/shm/old"));
	ck_assert(there("dev/shm/dir"));
	ck_assert(!there("dev/shm/new"));
	ck_assert(!there("dev/shm/dir/new"));
}
END_TEST

/* A time that the user has set is not believed. */
START_TEST(backdated)
{
	static const struct timespec long_ago[2] = { { 1000, 0 }, { 1000, 0 } };

	put("dev/shm/new", "");
	ck_assert_int_eq(utimensat(root, "dev/shm/new", long_ago, 0), 0);
	sweep();
	ck_assert(!there("dev/shm/new"));
}
END_TEST

START_TEST(other_users_files_stay)
{
	put("dev/shm/theirs", "");
	make_dir("dev/shm/dir");
	put("dev/shm/dir/theirs", "");
	uid = uid + 1;
	sweep();
	ck_assert_uint_eq(left.files, 0);
	ck_assert(there("dev/shm/theirs"));
	ck_assert(there("dev/shm/dir/theirs"));
}
END_TEST

START_TEST(roots_files_stay)
{
	put("dev/shm/file", "");
	uid = 0;
	sweep();
	ck_assert_uint_eq(left.files, 0);
	if (getuid() != 0)
		return;
	ck_assert_int_eq(seteuid(0), 0);
	put("dev/shm/roots", "");
	sweep();
	ck_assert(there("dev/shm/roots"));
	uid = USER;
	sweep();
	ck_assert(there("dev/shm/roots"));
	ck_assert(!there("dev/shm/file"));
}
END_TEST

/* In the place of libc's: what is called "mounted" is on another device. */
int statx(int dir, const char *restrict path, int flags, unsigned mask,
	  struct statx *restrict sx)
{
	int rc = (int)syscall(SYS_statx, dir, path, flags, mask, sx);

	if (strcmp(path, "mounted") == 0)
		sx->stx_dev_minor++;
	return rc;
}

START_TEST(what_is_mounted_stays)
{
	put("dev/shm/old", "");
	make_dir("dev/shm/mounted");
	put("dev/shm/mounted/file", "precious");
	sweep();
	ck_assert(!there("dev/shm/old"));
	ck_assert(there("dev/shm/mounted/file"));
}
END_TEST

START_TEST(deep)
{
	int dir, next;

	dir = openat(root, "dev/shm", O_RDONLY | O_DIRECTORY);
	for (int i = 0; i < 40; i++) {
		ck_assert_int_eq(mkdirat(dir, "d", 0700), 0);
		next = openat(dir, "d", O_RDONLY | O_DIRECTORY);
		close(dir);
		dir = next;
	}
	close(dir);
	sweep();
	ck_assert_uint_eq(left.failed, 0);
	ck_assert_uint_eq(left.files, 40);
	ck_assert_int_eq(unlinkat(root, "dev/shm", AT_REMOVEDIR), 0);
}
END_TEST

#define SHM_HEAD                                                               \
	"       key      shmid perms                  size  cpid  lpid "       \
	"nattch   uid   gid  cuid  cgid      atime      dtime      ctime     " \
	"              rss                  swap\n"

START_TEST(segments)
{
	char list[4096];
	int id = 1;
	size_t n;
	const unsigned u = uid, t = (unsigned)start.tv_sec;
	const struct {
		unsigned attached, owner, maker, time;
	} rows[] = {
		{ 0, u, u, t },	    /* 1: goes */
		{ 0, u, u, t + 5 }, /* 2: goes */
		{ 1, u, u, t },	    /* somebody uses it */
		{ 0, u, u, t - 1 }, /* older than the job */
		{ 0, 0, u, t },	    /* given to somebody else */
		{ 0, u, 0, t },	    /* given by somebody else */
		{ 0, u + 1, u + 1, t },
	};

	n = (size_t)snprintf(list, sizeof(list), SHM_HEAD);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		n += (size_t)snprintf(
			list + n, sizeof(list) - n,
			"%10d %10d  1600 %21lu %5u %5u  %5u %5u %5u %5u %5u "
			"%10u %10u %10u %21u %21u\n",
			-559038737, id++, 52428800UL, 77U, 77U,
			rows[i].attached, rows[i].owner, 100U, rows[i].maker,
			100U, t, t, rows[i].time, 52428800U, 0U);
	put("proc/sysvipc/shm", list);
	sweep();
	ck_assert_int_eq(n_removed, 2);
	ck_assert_int_eq(removed[0], 1);
	ck_assert_int_eq(removed[1], 2);
	ck_assert_str_eq(text, "2 SysV segments (100M)");
	put("dev/shm/one", "");
	sweep();
	ck_assert_msg(strncmp(text, "1 file (", 8) == 0, "%s", text);
	remove_error = EIDRM; /* somebody was faster */
	sweep();
	ck_assert_uint_eq(left.failed, 0);
	remove_error = EPERM;
	sweep();
	ck_assert_uint_eq(left.failed, 2);
	ck_assert_int_eq(left.error, EPERM);
	uid = 0;
	sweep();
	ck_assert_uint_eq(left.failed, 0);
}
END_TEST

static void process(const char *pid, const char *state, const char *uids)
{
	char path[64], status[256];

	snprintf(path, sizeof(path), "proc/%s", pid);
	make_dir(path);
	snprintf(path, sizeof(path), "proc/%s/status", pid);
	snprintf(
		status, sizeof(status),
		"Name:\tUid:\t7\nUmask:\t0022\nState:\t%s\nUid:\t%s\nGid:\t0\t0"
		"\t0\t0\n",
		state, uids);
	put(path, status);
}

START_TEST(processes)
{
	ck_assert_int_eq(leftovers_process(root, 1000), 0);
	process("1", "S (sleeping)", "0\t0\t0\t0");
	process("30", "Z (zombie)", "1000\t1000\t1000\t1000");
	process("self", "R (running)", "1000\t1000\t1000\t1000");
	make_dir("proc/31"); /* ended while we looked */
	ck_assert_int_eq(leftovers_process(root, 1000), 0);
	process("40", "S (sleeping)", "0\t0\t1001\t0");
	ck_assert_int_eq(leftovers_process(root, 1001), 40);
	ck_assert_int_eq(leftovers_process(root, 1000), 0);
	process("41", "R (running)", "1000\t0\t0\t0");
	ck_assert_int_eq(leftovers_process(root, 1000), 41);
	ck_assert_int_eq(leftovers_process(root, 100), 0);
	put("proc/31/status", "nonsense\n");
	ck_assert_int_eq(leftovers_process(root, 100), -EINVAL);
}
END_TEST

START_TEST(stepds)
{
	process("50", "S (sleeping)", "0\t0\t0\t0");
	process("51", "S (sleeping)", "1000\t1000\t1000\t1000");
	put("proc/50/cmdline", "slurmstepd: [17.batch]");
	put("proc/51/cmdline", "slurmstepd: [18.batch]");
	ck_assert(leftovers_has_stepd(root, 17));
	ck_assert(!leftovers_has_stepd(root, 1));
	ck_assert(!leftovers_has_stepd(root, 7));
	ck_assert(!leftovers_has_stepd(root, 18));
	put("proc/50/cmdline", "slurmstepd: [170.batch]");
	ck_assert(!leftovers_has_stepd(root, 17));
	put("proc/50/cmdline", "slurmstepd: [17.0 stepmgr]");
	ck_assert(leftovers_has_stepd(root, 17));
}
END_TEST

static void arguments(const char *path, const char *args, size_t len)
{
	int fd = openat(root, path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, args, len), (ssize_t)len);
	close(fd);
}

/* Any job's: slurmd has just started it. */
START_TEST(stepd_without_a_title)
{
#define ARGS(text) arguments("proc/50/cmdline", text, sizeof(text))
	process("50", "S (sleeping)", "0\t0\t0\t0");
	ARGS("/usr/sbin/slurmstepd");
	ck_assert(leftovers_has_stepd(root, 17));
	ARGS("/usr/sbin/slurmstepd\0infinity");
	ck_assert(!leftovers_has_stepd(root, 17));
	ARGS("/usr/sbin/slurmstepd\0spank\0epilog");
	ck_assert(!leftovers_has_stepd(root, 17));
	ARGS("/usr/sbin/slurmd");
	ck_assert(!leftovers_has_stepd(root, 17));
	ARGS("/slurmstepd");
	ck_assert(leftovers_has_stepd(root, 17));
	ARGS("stepd");
	ck_assert(!leftovers_has_stepd(root, 17));
	put("proc/50/status", "State:\tS\nUid:\t1000\t1000\t1000\t1000\n");
	ARGS("/usr/sbin/slurmstepd");
	ck_assert(!leftovers_has_stepd(root, 17));
}
END_TEST

static pid_t ended;

static int end(int at, pid_t pid, const char *dir)
{
	ck_assert_int_eq(at, root);
	ck_assert_str_eq(dir, "cg/job_17");
	ended = pid;
	return 0;
}

START_TEST(cgroups)
{
	struct err e;

	make_dir("cg");
	ck_assert_int_eq(
		leftovers_cgroup(root, "cg/job_17", 1000, false, end, &e), 0);
	make_dir("cg/job_17");
	make_dir("cg/job_17/step_0");
	make_dir("cg/job_17/step_0/task_0");
	ck_assert_int_eq(
		leftovers_cgroup(root, "cg/job_17", 1000, false, end, &e), 0);
	ck_assert(!there("cg/job_17"));
	ck_assert(there("cg"));

	make_dir("cg/job_17");
	make_dir("cg/job_17/step_0");
	put("cg/job_17/step_0/cgroup.procs", "4711\n4712\n");
	ck_assert_int_eq(
		leftovers_cgroup(root, "cg/job_17", 1000, false, end, &e), -1);
	ck_assert_str_eq(e.text, "process 4712 (?) is still in its cgroup "
				 "/cg/job_17");
	make_dir("proc/4712");
	put("proc/4712/comm", "a\nname\n");
	ck_assert_int_eq(
		leftovers_cgroup(root, "cg/job_17", 1000, false, end, &e), -1);
	ck_assert_str_eq(e.text, "process 4712 (a?name) is still in its "
				 "cgroup /cg/job_17");
	/* slurmstepd is root's and ends by itself. */
	ck_assert_int_eq(ended, 0);
	put("proc/4712/status", "State:\tS\nUid:\t1000\t1000\t1000\t1000\n");
	process("4713", "S (sleeping)", "0\t0\t0\t0");
	put("cg/job_17/step_0/cgroup.procs", "4711\n4712\n4713\n");
	ck_assert_int_eq(
		leftovers_cgroup(root, "cg/job_17", 1000, false, end, &e), -1);
	ck_assert_int_eq(ended, 4712);
	ck_assert_int_eq(
		leftovers_cgroup(root, "cg/job_17", 1000, true, end, &e), -1);
	ck_assert_int_eq(ended, 4713);
	put("cg/job_17/step_0/cgroup.procs", "");
	ck_assert_int_eq(
		leftovers_cgroup(root, "cg/job_17", 1000, false, end, &e), -1);
	ck_assert_str_eq(e.text, "its cgroup /cg/job_17 cannot be removed");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("leftovers");
	TCase *tc = tcase_create("leftovers");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, nothing);
	tcase_add_test(tc, files_of_every_kind);
	tcase_add_test(tc, older_files_stay);
	tcase_add_test(tc, backdated);
	tcase_add_test(tc, other_users_files_stay);
	tcase_add_test(tc, roots_files_stay);
	tcase_add_test(tc, what_is_mounted_stays);
	tcase_add_test(tc, deep);
	tcase_add_test(tc, segments);
	tcase_add_test(tc, processes);
	tcase_add_test(tc, stepds);
	tcase_add_test(tc, stepd_without_a_title);
	tcase_add_test(tc, cgroups);
	suite_add_tcase(s, tc);
	return gbm_check_main(s);
}
