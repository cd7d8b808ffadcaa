/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The backends and the guard on real systems: on what tests/fixtures/capture
 * has kept of them, against where the files say that things are.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin/cap.h"
#include "plugin/guard.h"
#include "tests/unit/tree.h"

#include "check_main.h"

#define M    (UINT64_C(1) << 20)
#define REAL GBM_SRCDIR "/tests/fixtures/real"

static struct cap_host host;
static char words[16][2][PROCFS_PATH_MAX];
static int n_words;

static const char *expected(const char *word)
{
	for (int i = 0; i < n_words; i++)
		if (strcmp(words[i][0], word) == 0)
			return words[i][1];
	ck_abort_msg("no line '%s' in the capture", word);
}

static pid_t pid_of(const char *word)
{
	return (pid_t)atoi(expected(word));
}

/* With the directories that lead to it. */
static FILE *create(char *path)
{
	int fd;

	for (char *p = path; (p = strchr(p, '/')); *p++ = '/') {
		*p = '\0';
		mkdirat(host.root, path, 0755);
	}
	fd = openat(host.root, path, O_WRONLY | O_CREAT | O_EXCL, 0644);
	ck_assert_msg(fd >= 0, "%s", path);
	return fdopen(fd, "w");
}

/* Spreads the capture NAME over the tree. */
static void unpack(const char *name)
{
	char path[PROCFS_PATH_MAX], line[4096];
	FILE *in, *out = NULL;

	host.root = tree_open(NULL);
	snprintf(path, sizeof(path), REAL "/%s", name);
	in = fopen(path, "r");
	ck_assert_ptr_nonnull(in);
	n_words = 0;
	while (fgets(line, sizeof(line), in)) {
		if (line[0] == '@') {
			line[strcspn(line, "\n")] = '\0';
			if (out)
				fclose(out);
			out = strcmp(line, "@ expect") == 0 ? NULL
							    : create(line + 2);
		} else if (out) {
			fputs(line, out);
		} else if (line[0] != '#') {
			ck_assert_int_lt(n_words, 16);
			ck_assert_int_eq(sscanf(line, "%1023s %1023s",
						words[n_words][0],
						words[n_words][1]),
					 2);
			n_words++;
		}
	}
	ck_assert_ptr_nonnull(out);
	fclose(out);
	fclose(in);
	host.self = pid_of("stepd");
}

static char captures[32][64];
static int n_captures;

static void find_captures(void)
{
	DIR *d = opendir(REAL);
	const struct dirent *entry;

	while (d && (entry = readdir(d)))
		if (strstr(entry->d_name, ".txt") && n_captures < 32)
			snprintf(captures[n_captures++], sizeof(captures[0]),
				 "%.63s", entry->d_name);
	if (d)
		closedir(d);
}

static bool is_v1(void)
{
	return strcmp(expected("version"), "v1") == 0;
}

START_TEST(task_is_found)
{
	const struct cap_backend *own, *other;
	struct cap_place p;
	struct err e = { { 0 } };
	uint32_t job;
	int rc;

	unpack(captures[_i]);
	job = (uint32_t)pid_of("job");
	own = is_v1() ? &cap_cgroup1 : &cap_cgroup2;
	other = is_v1() ? &cap_cgroup2 : &cap_cgroup1;
	rc = own->probe(&host, pid_of("task"), job, &p, &e);
	ck_assert_msg(rc == 1, "%s: %s", captures[_i], e.text);
	ck_assert_str_eq(p.path, expected("leaf"));
	ck_assert_uint_eq(p.step_len, strlen(expected("step")));
	ck_assert_uint_eq(p.job_len, strlen(expected("dir")));
	ck_assert_uint_eq(p.top_len, strlen(expected("top")));
	/* A SLUID does not tell whose directory it is. */
	ck_assert_int_eq(own->probe(&host, pid_of("task"), job + 1000, &p, &e),
			 strstr(expected("dir"), "/job_") ? 0 : 1);
	ck_assert_int_eq(other->probe(&host, pid_of("task"), job, &p, &e), 0);
}
END_TEST

/* Of the limits in the hierarchy, those of JOB and STEP alone are ours. */
START_TEST(cap_is_set)
{
	struct limits l = { 100 * M, { SWAP_NONE, 0 } };
	struct conf conf = { .fallback = FALLBACK_REFUSE };
	struct cap_step *c = calloc(1, cap_size(1));
	const char *file;
	uint64_t top;

	ck_assert_ptr_nonnull(c);
	unpack(captures[_i]);
	file = is_v1() ? "memory.limit_in_bytes" : "memory.max";
	top = tree_get(expected("top"), file);
	ck_assert_uint_gt(tree_get(expected("dir"), file), 100 * M);
	cap_init(c, &host, &conf, "node01", (uint32_t)pid_of("job"), 1, &l, &l);
	cap_place(c, 0, pid_of("task"));
	ck_assert_msg(!cap_verdict(c, 0), "%s: %s", captures[_i],
		      cap_verdict(c, 0));
	ck_assert_uint_eq(tree_get(expected("dir"), file), 100 * M);
	ck_assert_uint_eq(tree_get(expected("step"), file), 100 * M);
	ck_assert_uint_eq(tree_get(expected("top"), file), top);
	ck_assert_uint_gt(tree_get(expected("leaf"), file), 100 * M);
	free(c);
}
END_TEST

/* slurmd, too, finds what is above all of its jobs, and not another's. */
START_TEST(slurmd_finds_its_jobs)
{
	static const struct swap none = { SWAP_NONE, 0 };
	struct guard g;
	struct err e = { { 0 } };
	int rc;

	unpack(captures[_i]);
	host.self = pid_of("slurmd");
	rc = guard_of_slurmd(&host, "node01", &g, &e);
	ck_assert_msg(rc == 1, "%s: %d %s", captures[_i], rc, e.text);
	ck_assert_str_eq(g.path, expected("top"));
	ck_assert_int_eq(g.v2, !is_v1());
	rc = guard_apply(&host, &g, 1700 * M, &none, &e);
	ck_assert_msg(rc >= 0, "%s: %s", captures[_i], e.text);
	ck_assert_uint_eq(tree_get(g.path, is_v1() ? "memory.limit_in_bytes"
						   : "memory.max"),
			  1700 * M);
}
END_TEST

START_TEST(there_are_captures)
{
	ck_assert_int_gt(n_captures, 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("fixtures");
	TCase *tc = tcase_create("fixtures");

	find_captures();
	tcase_set_timeout(tc, 30);
	tcase_add_checked_fixture(tc, NULL, tree_close);
	tcase_add_test(tc, there_are_captures);
	tcase_add_loop_test(tc, task_is_found, 0, n_captures);
	tcase_add_loop_test(tc, cap_is_set, 0, n_captures);
	tcase_add_loop_test(tc, slurmd_finds_its_jobs, 0, n_captures);
	suite_add_tcase(s, tc);
	return gbm_check_main(s);
}
