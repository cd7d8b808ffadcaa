/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin/roster.h"

#include "check_main.h"

static char tmp[] = "/tmp/gbm-test-XXXXXX";
static int dir;
static struct timespec since;
static struct err e;

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(tmp));
	dir = open(tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(dir, 0);
}

static void teardown(void)
{
	char command[64];

	close(dir);
	snprintf(command, sizeof(command), "rm -rf %s", tmp);
	ck_assert_int_eq(system(command), 0);
}

/* Since the second S of the epoch. */
static void enter(uid_t uid, uint32_t job, const char *node, time_t s)
{
	struct timespec times[2] = { { s, 5 }, { s, 5 } };
	char name[64];

	ck_assert_int_eq(roster_enter(dir, uid, job, node, &e), 0);
	snprintf(name, sizeof(name), "%u.%u.%s", (unsigned)uid, (unsigned)job,
		 node);
	ck_assert_int_eq(utimensat(dir, name, times, 0), 0);
}

static int leave(uid_t uid, uint32_t job, const char *node)
{
	since.tv_sec = 0;
	return roster_leave(dir, uid, job, node, &since, &e);
}

START_TEST(one_job)
{
	enter(1000, 17, "pi1", 5000);
	ck_assert_int_eq(leave(1000, 17, "pi1"), 1);
	ck_assert_int_eq(since.tv_sec, 5000);
	ck_assert_int_eq(since.tv_nsec, 5);
	ck_assert_int_eq(leave(1000, 17, "pi1"), 0);
}
END_TEST

/* The plugin came while the job ran: its start is not known. */
START_TEST(unknown_job)
{
	ck_assert_int_eq(leave(1000, 17, "pi1"), 0);
}
END_TEST

START_TEST(last_job_answers_for_all)
{
	enter(1000, 17, "pi1", 5000);
	enter(1000, 18, "pi1", 6000);
	enter(1000, 19, "pi1", 7000);
	ck_assert_int_eq(leave(1000, 18, "pi1"), 0);
	ck_assert_int_eq(leave(1000, 17, "pi1"), 0);
	ck_assert_int_eq(leave(1000, 19, "pi1"), 1);
	ck_assert_int_eq(since.tv_sec, 5000);
}
END_TEST

START_TEST(another_users_job)
{
	enter(1000, 17, "pi1", 5000);
	enter(100, 18, "pi1", 4000);
	enter(10001, 19, "pi1", 4000);
	ck_assert_int_eq(leave(1000, 17, "pi1"), 1);
	ck_assert_int_eq(since.tv_sec, 5000);
	ck_assert_int_eq(leave(100, 18, "pi1"), 1);
	ck_assert_int_eq(leave(10001, 19, "pi1"), 1);
}
END_TEST

/* The same job on two nodes of one host. */
START_TEST(two_nodes)
{
	enter(1000, 17, "pi1", 5000);
	enter(1000, 17, "pi2", 5001);
	ck_assert_int_eq(leave(1000, 17, "pi1"), 0);
	ck_assert_int_eq(leave(1000, 17, "pi2"), 1);
	ck_assert_int_eq(since.tv_sec, 5000);
}
END_TEST

START_TEST(locked)
{
	struct stat st;
	int first = roster_lock(dir, &e), second;

	ck_assert_int_ge(first, 0);
	ck_assert_int_eq(fstat(first, &st), 0);
	ck_assert_uint_eq(st.st_mode & 077, 0);
	close(first);
	second = roster_lock(dir, &e);
	ck_assert_int_ge(second, 0);
	close(second);
}
END_TEST

START_TEST(lock_is_kept)
{
	int first = roster_lock(dir, &e);

	ck_assert_int_ge(first, 0);
	ck_assert_int_eq(roster_lock(dir, &e), -1);
	ck_assert_msg(strstr(e.text, "locked") != NULL, "%s", e.text);
	close(first);
}
END_TEST

START_TEST(odd_nodes)
{
	char name[300];

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	ck_assert_int_eq(roster_enter(dir, 1000, 17, name, &e), -1);
	ck_assert_int_eq(roster_enter(dir, 1000, 17, "../x", &e), -1);
	ck_assert_int_eq(leave(1000, 17, "../x"), -1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("roster");
	TCase *tc = tcase_create("roster");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, one_job);
	tcase_add_test(tc, unknown_job);
	tcase_add_test(tc, last_job_answers_for_all);
	tcase_add_test(tc, another_users_job);
	tcase_add_test(tc, two_nodes);
	tcase_add_test(tc, locked);
	tcase_add_test(tc, lock_is_kept);
	tcase_add_test(tc, odd_nodes);
	suite_add_tcase(s, tc);
	return gbm_check_main(s);
}
