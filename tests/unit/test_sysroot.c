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

#include "plugin/sysroot.h"

#include "check_main.h"

static char dir[] = "/tmp/gbm-test-XXXXXX";
static int root;

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
	root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(root, 0);
	ck_assert_int_eq(mkdirat(root, "a", 0755), 0);
	ck_assert_int_eq(mkdirat(root, "a/b", 0755), 0);
	ck_assert_int_eq(symlinkat("b", root, "a/link"), 0);
	ck_assert_int_eq(symlinkat("/etc/hostname", root, "a/out"), 0);
	ck_assert_int_eq(mkfifoat(root, "a/fifo", 0600), 0);
}

static void teardown(void)
{
	static const char *const files[] = { "a/b/f", "a/link", "a/out",
					     "a/fifo" };

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		unlinkat(root, files[i], 0);
	unlinkat(root, "a/b", AT_REMOVEDIR);
	unlinkat(root, "a", AT_REMOVEDIR);
	close(root);
	ck_assert_int_eq(rmdir(dir), 0);
}

static void put(const char *path, const char *text, size_t len)
{
	int fd = openat(root, path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
	close(fd);
}

START_TEST(reads)
{
	char buf[8];
	uint64_t v = 77;

	put("a/b/f", "1234567", 7);
	ck_assert_int_eq(sysroot_read(root, "a/b/f", buf, sizeof(buf)), 7);
	ck_assert_str_eq(buf, "1234567");
	ck_assert_int_eq(sysroot_read(root, "/a/b/f", buf, sizeof(buf)), 7);
	ck_assert_int_eq(sysroot_read_u64(root, "a/b/f", &v), 0);
	ck_assert_uint_eq(v, 1234567);
	put("a/b/f", "12345678", 8);
	ck_assert_int_eq(sysroot_read(root, "a/b/f", buf, sizeof(buf)), -EFBIG);
	put("a/b/f", "", 0);
	ck_assert_int_eq(sysroot_read(root, "a/b/f", buf, sizeof(buf)), 0);
	ck_assert_int_eq(sysroot_read_u64(root, "a/b/f", &v), -EINVAL);
	put("a/b/f", "12\0", 3);
	ck_assert_int_eq(sysroot_read_u64(root, "a/b/f", &v), -EINVAL);
}
END_TEST

START_TEST(writes)
{
	uint64_t v = 77;

	put("a/b/f", "99999999999999999999999", 23);
	ck_assert_int_eq(sysroot_write_u64(root, "a/b/f", UINT64_MAX), 0);
	ck_assert_int_eq(sysroot_read_u64(root, "a/b/f", &v), 0);
	ck_assert_uint_eq(v, UINT64_MAX);
	ck_assert_int_eq(sysroot_write_u64(root, "a/b/g", 1), -ENOENT);
}
END_TEST

static const struct {
	const char *path;
	int error;
} refused[] = {
	{ "a/b/none", ENOENT }, { "a/none/f", ENOENT },
	{ "a/link", ELOOP },	{ "a/link/f", ENOTDIR },
	{ "a/out", ELOOP },	{ "a/../a/b/f", EINVAL },
	{ "..", EINVAL },	{ "a/./b/f", EINVAL },
	{ "a//b/f", EINVAL },	{ "", EINVAL },
	{ "/", EINVAL },	{ "a/b/", EINVAL },
	{ "a/b/f/g", ENOTDIR }, { "a/b", EISDIR },
};

START_TEST(paths_refused)
{
	char buf[64];
	const char *path = refused[_i].path;

	put("a/b/f", "1", 1);
	ck_assert_msg(sysroot_read(root, path, buf, sizeof(buf)) ==
			      -refused[_i].error,
		      "%s", path);
	ck_assert_msg(sysroot_write_u64(root, path, 1) == -refused[_i].error,
		      "%s", path);
}
END_TEST

START_TEST(name_too_long)
{
	char path[400] = "a/", buf[8];

	memset(path + 2, 'x', sizeof(path) - 3);
	ck_assert_int_eq(sysroot_read(root, path, buf, sizeof(buf)),
			 -ENAMETOOLONG);
}
END_TEST

START_TEST(fifo_does_not_block)
{
	char buf[8];

	ck_assert_int_eq(sysroot_read(root, "a/fifo", buf, sizeof(buf)), 0);
	ck_assert_int_eq(sysroot_write_u64(root, "a/fifo", 1), -ENXIO);
}
END_TEST

START_TEST(no_descriptor_leaks)
{
	char buf[8];
	int before = open("/dev/null", O_RDONLY), after;

	close(before);
	put("a/b/f", "1", 1);
	sysroot_read(root, "a/b/f", buf, sizeof(buf));
	sysroot_read(root, "a/b/none", buf, sizeof(buf));
	sysroot_read(root, "a/../b", buf, sizeof(buf));
	sysroot_write_u64(root, "a/b/f", 2);
	sysroot_write_u64(root, "a/link/f", 2);
	after = open("/dev/null", O_RDONLY);
	close(after);
	ck_assert_int_eq(before, after);
}
END_TEST

START_TEST(opened_close_on_exec)
{
	int fd;

	put("a/b/f", "1", 1);
	fd = sysroot_open(root, "a/b/f", O_RDONLY);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	close(fd);
	fd = sysroot_real();
	ck_assert_int_ge(fd, 0);
	ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	close(fd);
}
END_TEST

struct seen {
	int lines;
	size_t lens[8];
	const char *stop;
};

static bool see(const char *line, size_t len, void *ctx)
{
	struct seen *s = ctx;

	if (s->lines < 8)
		s->lens[s->lines] = len;
	s->lines++;
	return s->stop && len == strlen(s->stop) &&
	       memcmp(line, s->stop, len) == 0;
}

START_TEST(lines)
{
	struct seen s = { 0 };

	put("a/b/f", "one\n\ntwo\nlast", 13);
	ck_assert_int_eq(sysroot_lines(root, "a/b/f", see, &s), 0);
	ck_assert_int_eq(s.lines, 4);
	ck_assert_uint_eq(s.lens[0], 3);
	ck_assert_uint_eq(s.lens[1], 0);
	ck_assert_uint_eq(s.lens[3], 4);
	s = (struct seen){ .stop = "two" };
	ck_assert_int_eq(sysroot_lines(root, "a/b/f", see, &s), 1);
	ck_assert_int_eq(s.lines, 3);
	put("a/b/f", "", 0);
	s = (struct seen){ 0 };
	ck_assert_int_eq(sysroot_lines(root, "a/b/f", see, &s), 0);
	ck_assert_int_eq(s.lines, 0);
	ck_assert_int_eq(sysroot_lines(root, "a/b/none", see, &s), -ENOENT);
}
END_TEST

START_TEST(long_lines_are_left_out)
{
	static char text[60000];
	struct seen s = { .stop = "end" };

	memset(text, 'x', sizeof(text));
	memcpy(text, "one\n", 4);
	memcpy(text + 30000, "\ntwo\n", 5);
	memcpy(text + sizeof(text) - 5, "\nend\n", 5);
	put("a/b/f", text, sizeof(text));
	ck_assert_int_eq(sysroot_lines(root, "a/b/f", see, &s), 1);
	ck_assert_int_eq(s.lines, 3);
	ck_assert_uint_eq(s.lens[1], 3);
}
END_TEST

static bool collect(const char *name, void *ctx)
{
	char *all = ctx;
	size_t len = strlen(all);

	snprintf(all + len, 64 - len, "%s,", name);
	return false;
}

static bool count(const char *name, void *ctx)
{
	(void)name;
	return ++*(int *)ctx == 1000;
}

static int names(const char *path, bool dirs_only, sysroot_name *fn, void *ctx)
{
	int fd = sysroot_open(root, path, O_RDONLY | O_DIRECTORY);
	int rc;

	ck_assert_int_ge(fd, 0);
	rc = sysroot_names(fd, dirs_only, fn, ctx);
	close(fd);
	return rc;
}

START_TEST(directories)
{
	char all[64] = "";

	put("a/b/f", "", 0);
	ck_assert_int_eq(names("a", true, collect, all), 0);
	ck_assert_str_eq(all, "b,");
	ck_assert_int_eq(names("a/b", true, collect, all), 0);
	ck_assert_str_eq(all, "b,");
	ck_assert_int_eq(names("a/b", false, collect, all), 0);
	ck_assert_str_eq(all, "b,f,");
}
END_TEST

/* More than one call of the kernel's gives. */
START_TEST(many_directories)
{
	char name[32];
	int n = 0;

	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "a/b/directory-%d", i);
		ck_assert_int_eq(mkdirat(root, name, 0755), 0);
	}
	ck_assert_int_eq(names("a/b", true, count, &n), 0);
	ck_assert_int_eq(n, 300);
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "a/b/directory-%d", i);
		unlinkat(root, name, AT_REMOVEDIR);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sysroot");
	TCase *tc = tcase_create("sysroot");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, reads);
	tcase_add_test(tc, writes);
	tcase_add_loop_test(tc, paths_refused, 0,
			    (int)(sizeof(refused) / sizeof(refused[0])));
	tcase_add_test(tc, name_too_long);
	tcase_add_test(tc, fifo_does_not_block);
	tcase_add_test(tc, no_descriptor_leaks);
	tcase_add_test(tc, opened_close_on_exec);
	tcase_add_test(tc, lines);
	tcase_add_test(tc, long_lines_are_left_out);
	tcase_add_test(tc, directories);
	tcase_add_test(tc, many_directories);
	suite_add_tcase(s, tc);
	return gbm_check_main(s);
}
