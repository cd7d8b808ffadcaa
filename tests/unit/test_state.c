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

#include "plugin/state.h"

#include "check_main.h"

#define M (UINT64_C(1) << 20)

static const char full[] = "gbm-state 1\njob 17\nuid 1000\ncap 1572864000\n"
			   "swap none\nreport off\n";

START_TEST(round_trips)
{
	static const struct swap swaps[] = { { SWAP_NONE, 0 },
					     { SWAP_ALLOW, 0 },
					     { SWAP_SIZE, 512 * M } };
	char text[STATE_TEXT_MAX];
	struct state in = { .job = UINT32_MAX, .uid = UINT32_MAX - 1 }, out;
	size_t len;

	in.limits.cap = 1500 * M;
	in.report = REPORT_JSON;
	for (size_t i = 0; i < sizeof(swaps) / sizeof(swaps[0]); i++) {
		in.limits.swap = swaps[i];
		len = state_format(&in, text);
		ck_assert_uint_gt(len, 0);
		ck_assert(state_parse(text, len, &out));
		ck_assert(out.job == in.job && out.uid == in.uid &&
			  !out.refused && out.limits.cap == in.limits.cap &&
			  out.limits.swap.mode == swaps[i].mode &&
			  out.limits.swap.bytes == swaps[i].bytes &&
			  out.report == in.report);
	}
	in.limits.cap = NO_CAP;
	len = state_format(&in, text);
	ck_assert(state_parse(text, len, &out));
	ck_assert_uint_eq(out.limits.cap, NO_CAP);
	in.refused = true;
	err_set(&in.reason, "%s", "--gbm-mem-cap=x is not a size");
	len = state_format(&in, text);
	ck_assert(state_parse(text, len, &out));
	ck_assert(out.refused);
	ck_assert_str_eq(out.reason.text, in.reason.text);
	/* The longest reason that there is. */
	err_set(&in.reason, "%0*d", ERR_TEXT_MAX + 9, 7);
	len = state_format(&in, text);
	ck_assert(state_parse(text, len, &out));
	ck_assert_str_eq(out.reason.text, in.reason.text);
}
END_TEST

static const char *const damaged[] = {
	"",
	"gbm-state 1\n",
	"gbm-state 2\njob 17\nuid 1000\ncap 1572864000\n"
	"swap none\nreport off\n",
	"gbm-state 11\njob 17\nuid 1000\ncap 1572864000\n"
	"swap none\nreport off\n",
	"job 17\nuid 1000\ncap 1572864000\nswap none\nreport off\n",
	"gbm-state 1\nuid 1000\njob 17\ncap 1572864000\n"
	"swap none\nreport off\n",
	"gbm-state 1\njob 17\ncap 1572864000\nswap none\nreport off\n",
	"gbm-state 1\njob 4294967296\nuid 1000\ncap 1572864000\n"
	"swap none\nreport off\n",
	"gbm-state 1\njob -1\nuid 1000\ncap 1572864000\n"
	"swap none\nreport off\n",
	"gbm-state 1\njob \nuid 1000\ncap 1572864000\nswap none\nreport off\n",
	"gbm-state 1\njob max\nuid 1000\ncap 1572864000\n"
	"swap none\nreport off\n",
	"gbm-state 1\njob 17\nuid max\ncap 1572864000\nswap none\nreport off\n",
	"gbm-state 1\njob 17\nuid 1000\ncap max\nswap none\nreport off\n",
	"gbm-state 1\njob 17\nuid 1000\ncap 0\nswap none\nreport off\n",
	"gbm-state 1\njob 17\nuid 1000\ncap 1572864001\n"
	"swap none\nreport off\n",
	"gbm-state 1\njob 17\nuid 1000\ncap 1500M\nswap none\nreport off\n",
	"gbm-state 1\njob 17\nuid 1000\ncap 18446744073709486080\n"
	"swap none\nreport off\n",
	"gbm-state 1\njob 17\nuid 1000\ncap 1572864000\nswap\nreport off\n",
	"gbm-state 1\njob 17\nuid 1000\ncap 1572864000\n"
	"swap maybe\nreport off\n",
	"gbm-state 1\njob 17\nuid 1000\ncap 1572864000\nswap max\nreport off\n",
	"gbm-state 1\njob 17\nuid 1000\ncap 1572864000\nswap 0\nreport off\n",
	"gbm-state 1\njob 17\nuid 1000\ncap 1572864000\nswap 5\nreport off\n",
	"gbm-state 1\njob 17\nuid 1000\ncap 1572864000\nswap none\nreport off",
	"gbm-state 1\njob 17\nuid 1000\ncap 1572864000\n"
	"swap none\nreport off\n\n",
	"gbm-state 1\njob 17\nuid 1000\ncap 1572864000\n"
	"swap none\nreport off\nx 1\n",
	"gbm-state 1\njob 17\nuid 1000\ncap 1572864000\ncap 1572864000\n",
	"gbm-state 1\njob 17\nuid 1000\nrefused \n",
	"gbm-state 1\njob 17\nuid 1000\nrefused a\tb\n",
	"gbm-state 1\njob 17\nuid 1000\nrefused a\ncap 1572864000\n",
	"gbm-state 1\r\njob 17\r\nuid 1000\r\ncap 1572864000\r\nswap none\r\n",
	"gbm-state 1\njob 17\nuid 1000\ncap 1572864000\nswap none\n",
	"gbm-state 1\njob 17\nuid 1000\ncap 1572864000\nswap none\nreport \n",
	"gbm-state 1\njob 17\nuid 1000\ncap 1572864000\nswap none\nreport no\n",
};

START_TEST(damaged_texts)
{
	struct state s;

	ck_assert_msg(!state_parse(damaged[_i], strlen(damaged[_i]), &s), "%s",
		      damaged[_i]);
}
END_TEST

START_TEST(mangled_texts)
{
	size_t len = sizeof(full) - 1;
	char *copy = malloc(len);
	struct state s;

	ck_assert_ptr_nonnull(copy);
	ck_assert(state_parse(full, len, &s));
	for (size_t i = 0; i < len; i++)
		ck_assert_msg(!state_parse(full, i, &s), "%zu", i);
	for (size_t i = 0; i < len; i++) {
		memcpy(copy, full, len);
		copy[i] = '\0';
		ck_assert_msg(!state_parse(copy, len, &s), "NUL at %zu", i);
	}
	free(copy);
}
END_TEST

static char tmp[] = "/tmp/gbm-test-XXXXXX";
static int root;
static uid_t me;

static void setup(void)
{
	umask(022);
	ck_assert_ptr_nonnull(mkdtemp(tmp));
	root = open(tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(root, 0);
	me = geteuid();
}

static void teardown(void)
{
	char command[64];

	close(root);
	snprintf(command, sizeof(command), "rm -rf %s", tmp);
	ck_assert_int_eq(system(command), 0);
}

static int open_dir(bool create, struct err *e)
{
	return state_open_dir(root, "/run/gbm", "pi1", create, me, e);
}

static void save(int dir, uint32_t uid)
{
	struct state s = { .job = 17, .uid = uid };
	struct err e;

	s.limits.cap = 1500 * M;
	ck_assert_int_eq(state_save(dir, &s, &e), 0);
}

START_TEST(save_load_remove)
{
	struct state s;
	struct stat st;
	struct err e;
	int dir;

	ck_assert_int_eq(open_dir(false, &e), STATE_NONE);
	dir = open_dir(true, &e);
	ck_assert_int_ge(dir, 0);
	ck_assert_int_ne(fcntl(dir, F_GETFD) & FD_CLOEXEC, 0);
	ck_assert_int_eq(state_load(dir, 17, 1000, me, &s, &e), 0);
	umask(077);
	save(dir, 1000);
	ck_assert_int_eq(fstatat(root, "run/gbm/pi1/job_17", &st, 0), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0644);
	ck_assert_int_eq(fstatat(root, "run/gbm/pi1", &st, 0), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0755);
	ck_assert_int_eq(state_load(dir, 17, 1000, me, &s, &e), 1);
	ck_assert_uint_eq(s.limits.cap, 1500 * M);
	ck_assert_int_eq(state_load(dir, 1, 1000, me, &s, &e), 0);
	ck_assert_int_eq(state_load(dir, 170, 1000, me, &s, &e), 0);
	/* Left by a job of the same id and another user. */
	ck_assert_int_eq(state_load(dir, 17, 1001, me, &s, &e), 0);
	save(dir, 1001);
	ck_assert_int_eq(state_load(dir, 17, 1001, me, &s, &e), 1);
	ck_assert_int_eq(state_remove(dir, 17), 0);
	ck_assert_int_eq(state_load(dir, 17, 1001, me, &s, &e), 0);
	ck_assert_int_eq(state_remove(dir, 17), 0);
	close(dir);
	dir = open_dir(false, &e);
	ck_assert_int_ge(dir, 0);
	ck_assert_int_eq(unlinkat(root, "run/gbm/pi1", AT_REMOVEDIR), 0);
	close(dir);
}
END_TEST

START_TEST(two_nodes_of_one_host)
{
	struct state s;
	struct err e;
	int one = state_open_dir(root, "/run/gbm", "pi1", true, me, &e);
	int two = state_open_dir(root, "/run/gbm", "pi2", true, me, &e);

	save(one, 1000);
	ck_assert_int_eq(state_load(two, 17, 1000, me, &s, &e), 0);
	ck_assert_int_eq(state_remove(two, 17), 0);
	ck_assert_int_eq(state_load(one, 17, 1000, me, &s, &e), 1);
	close(one);
	close(two);
}
END_TEST

START_TEST(interrupted_save)
{
	struct state s;
	struct err e;
	int dir = open_dir(true, &e);
	int fd = openat(dir, ".new_job_17", O_CREAT | O_WRONLY, 0600);

	ck_assert_int_ge(fd, 0);
	close(fd);
	ck_assert_int_eq(state_load(dir, 17, 1000, me, &s, &e), 0);
	save(dir, 1000);
	ck_assert_int_eq(state_load(dir, 17, 1000, me, &s, &e), 1);
	ck_assert_int_ne(faccessat(dir, ".new_job_17", F_OK, 0), 0);
	close(dir);
}
END_TEST

START_TEST(blocked)
{
	struct state s;
	struct err e = { { 0 } };
	int dir = open_dir(true, &e);

	ck_assert_int_eq(state_block(dir, 17), 0);
	ck_assert_int_eq(state_block(dir, 17), 0);
	ck_assert_int_eq(state_load(dir, 17, 1000, me, &s, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "damaged"));
	/* The next job with this id. */
	save(dir, 1000);
	ck_assert_int_eq(state_load(dir, 17, 1000, me, &s, &e), 1);
	ck_assert_int_eq(state_block(dir, 17), 0);
	ck_assert_int_eq(state_load(dir, 17, 1000, me, &s, &e), -1);
	ck_assert_int_eq(state_remove(dir, 17), 0);
	ck_assert_int_eq(state_load(dir, 17, 1000, me, &s, &e), 0);
	close(dir);
}
END_TEST

static void put(int dir, const char *name, const char *text, size_t len)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
	close(fd);
}

START_TEST(untrusted_files)
{
	static char large[STATE_TEXT_MAX];
	struct state s;
	struct err e = { { 0 } };
	int dir = open_dir(true, &e);

	put(dir, "job_17", full, sizeof(full) - 1);
	ck_assert_int_eq(state_load(dir, 17, 1000, me, &s, &e), 1);
	ck_assert_int_eq(state_load(dir, 17, 1000, me + 1, &s, &e), -1);
	ck_assert_int_eq(fchmodat(dir, "job_17", 0664, 0), 0);
	ck_assert_int_eq(state_load(dir, 17, 1000, me, &s, &e), -1);
	ck_assert_int_eq(fchmodat(dir, "job_17", 0646, 0), 0);
	ck_assert_int_eq(state_load(dir, 17, 1000, me, &s, &e), -1);
	ck_assert_int_eq(fchmodat(dir, "job_17", 0644, 0), 0);
	ck_assert_int_eq(linkat(dir, "job_17", dir, "other", 0), 0);
	ck_assert_int_eq(state_load(dir, 17, 1000, me, &s, &e), -1);
	ck_assert_int_eq(unlinkat(dir, "job_17", 0), 0);
	ck_assert_int_eq(symlinkat("other", dir, "job_17"), 0);
	ck_assert_int_eq(state_load(dir, 17, 1000, me, &s, &e), -1);
	ck_assert_int_eq(unlinkat(dir, "job_17", 0), 0);
	ck_assert_int_eq(mkfifoat(dir, "job_17", 0644), 0);
	ck_assert_int_eq(state_load(dir, 17, 1000, me, &s, &e), -1);
	ck_assert_int_eq(state_remove(dir, 17), 0);
	/* A file of another job's under this one's name. */
	put(dir, "job_18", full, sizeof(full) - 1);
	ck_assert_int_eq(state_load(dir, 18, 1000, me, &s, &e), -1);
	memset(large, 'x', sizeof(large));
	put(dir, "job_17", large, sizeof(large));
	ck_assert_int_eq(state_load(dir, 17, 1000, me, &s, &e), -1);
	put(dir, "job_17", "", 0);
	ck_assert_int_eq(state_load(dir, 17, 1000, me, &s, &e), -1);
	close(dir);
}
END_TEST

START_TEST(save_does_not_follow)
{
	struct state s;
	struct err e = { { 0 } };
	char text[8] = "";
	int dir = open_dir(true, &e), fd;

	put(root, "victim", "keep", 4);
	ck_assert_int_eq(symlinkat("../../../victim", dir, ".new_job_17"), 0);
	ck_assert_int_eq(symlinkat("../../../victim", dir, "job_17"), 0);
	save(dir, 1000);
	ck_assert_int_eq(state_load(dir, 17, 1000, me, &s, &e), 1);
	fd = openat(root, "victim", O_RDONLY);
	ck_assert_int_eq(read(fd, text, sizeof(text)), 4);
	ck_assert_str_eq(text, "keep");
	close(fd);
	close(dir);
}
END_TEST

START_TEST(untrusted_directories)
{
	struct err e = { { 0 } };
	int dir = open_dir(true, &e);

	close(dir);
	ck_assert_int_eq(fchmodat(root, "run/gbm", 0775, 0), 0);
	ck_assert_int_eq(open_dir(true, &e), -1);
	ck_assert_ptr_nonnull(strstr(e.text, "gbm must belong to root"));
	ck_assert_int_eq(fchmodat(root, "run/gbm", 0755, 0), 0);
	ck_assert_int_eq(fchmodat(root, "run", 0777, 0), 0);
	ck_assert_int_eq(open_dir(false, &e), -1);
	/* Like /tmp: nobody can replace what another owns. */
	ck_assert_int_eq(fchmodat(root, "run", 01777, 0), 0);
	dir = open_dir(false, &e);
	ck_assert_int_ge(dir, 0);
	close(dir);
	ck_assert_int_eq(fchmodat(root, "run/gbm/pi1", 01777, 0), 0);
	ck_assert_int_eq(open_dir(false, &e), -1);
	ck_assert_int_eq(fchmodat(root, "run/gbm/pi1", 0755, 0), 0);
	ck_assert_int_eq(
		state_open_dir(root, "/run/gbm", "pi1", false, me + 1, &e), -1);
	ck_assert_int_eq(renameat(root, "run/gbm", root, "run/real"), 0);
	ck_assert_int_eq(symlinkat("real", root, "run/gbm"), 0);
	ck_assert_int_eq(open_dir(true, &e), -1);
	ck_assert_int_eq(unlinkat(root, "run/gbm", 0), 0);
	put(root, "run/gbm", "", 0);
	ck_assert_int_eq(open_dir(true, &e), -1);
}
END_TEST

static const char *const bad_nodes[] = { "", ".", "..", ".hidden", "a/b", "/" };

START_TEST(bad_node_names)
{
	char name[600];
	struct err e;

	ck_assert_int_eq(
		state_open_dir(root, "/run/gbm", bad_nodes[_i], true, me, &e),
		-1);
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	ck_assert_int_eq(state_open_dir(root, "/run/gbm", name, true, me, &e),
			 -1);
	ck_assert_int_eq(openat(root, "run/gbm/x", O_RDONLY), -1);
}
END_TEST

#define LOOP(tc, test, table)                                                  \
	tcase_add_loop_test(tc, test, 0,                                       \
			    (int)(sizeof(table) / sizeof((table)[0])))

int main(void)
{
	Suite *s = suite_create("state");
	TCase *pure = tcase_create("text");
	TCase *files = tcase_create("files");

	tcase_add_test(pure, round_trips);
	LOOP(pure, damaged_texts, damaged);
	tcase_add_test(pure, mangled_texts);
	tcase_add_checked_fixture(files, setup, teardown);
	tcase_add_test(files, save_load_remove);
	tcase_add_test(files, two_nodes_of_one_host);
	tcase_add_test(files, interrupted_save);
	tcase_add_test(files, blocked);
	tcase_add_test(files, untrusted_files);
	tcase_add_test(files, save_does_not_follow);
	tcase_add_test(files, untrusted_directories);
	LOOP(files, bad_node_names, bad_nodes);
	suite_add_tcase(s, pure);
	suite_add_tcase(s, files);
	return gbm_check_main(s);
}
