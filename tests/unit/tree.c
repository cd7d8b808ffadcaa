/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* O_PATH */
#endif

#include "tree.h"

#include <check.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char tmp[] = "/tmp/gbm-test-XXXXXX";
static int root = -1;

int tree_open(const char *name)
{
	char command[512];

	ck_assert_ptr_nonnull(mkdtemp(tmp));
	if (name) {
		snprintf(command, sizeof(command),
			 "cp -R '" GBM_SRCDIR "/tests/fixtures/%s/.' %s", name,
			 tmp);
		ck_assert_int_eq(system(command), 0);
	}
	root = open(tmp, O_PATH | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(root, 0);
	return root;
}

void tree_close(void)
{
	char command[64];

	if (root < 0)
		return;
	close(root);
	snprintf(command, sizeof(command), "rm -rf %s", tmp);
	ck_assert_int_eq(system(command), 0);
}

uint64_t tree_get(const char *dir, const char *file)
{
	char path[512], text[64];
	uint64_t v = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = openat(root, path, O_RDONLY | O_CLOEXEC);
	ck_assert_msg(fd >= 0, "%s", path);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	ck_assert_int_gt(n, 0);
	text[n] = '\0';
	if (strcmp(text, "max\n") == 0)
		return UINT64_MAX;
	ck_assert_msg(sscanf(text, "%" SCNu64, &v) == 1, "%s: %s", path, text);
	return v;
}

void tree_put(const char *dir, const char *file, const char *text)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = openat(root, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	ck_assert_msg(fd >= 0, "%s", path);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

void tree_put_u64(const char *dir, const char *file, uint64_t v)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRIu64 "\n", v);
	tree_put(dir, file, text);
}

void tree_remove(const char *path)
{
	ck_assert_msg(unlinkat(root, path, 0) == 0, "%s", path);
}
