/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* O_PATH, getdents64 */
#endif

#include "plugin/sysroot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "plugin/procfs.h"

#include "plugin/banned.h"

#define LINE_MAX_BYTES 8192

int sysroot_real(void)
{
	int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int sysroot_open(int root, const char *path, int flags)
{
	char name[NAME_MAX + 1];
	int dir = root;

	path += strspn(path, "/");
	for (;;) {
		size_t len = strcspn(path, "/");
		bool last = path[len] == '\0';
		int fd, error = 0;

		if (len > NAME_MAX)
			error = ENAMETOOLONG;
		else if (len == 0 || (len == 1 && path[0] == '.') ||
			 (len == 2 && path[0] == '.' && path[1] == '.'))
			error = EINVAL;
		if (!error) {
			memcpy(name, path, len);
			name[len] = '\0';
			/* Not to wait for a writer, should it be a FIFO. */
			fd = openat(dir, name,
				    (last ? flags | O_NONBLOCK | O_NOCTTY
					  : O_PATH | O_DIRECTORY) |
					    O_NOFOLLOW | O_CLOEXEC);
			if (fd < 0)
				error = errno;
		}
		if (dir != root)
			close(dir);
		if (error)
			return -error;
		if (last)
			return fd;
		dir = fd;
		path += len + 1;
	}
}

static ssize_t read_some(int fd, char *buf, size_t size)
{
	ssize_t n;

	do
		n = read(fd, buf, size);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

ssize_t sysroot_read(int root, const char *path, char *buf, size_t size)
{
	int fd = sysroot_open(root, path, O_RDONLY);
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return fd;
	do {
		n = read_some(fd, buf + len, size - len);
		if (n > 0)
			len += (size_t)n;
	} while (n > 0 && len < size);
	close(fd);
	if (n < 0)
		return n;
	if (len == size)
		return -EFBIG;
	buf[len] = '\0';
	return (ssize_t)len;
}

int sysroot_read_u64(int root, const char *path, uint64_t *value)
{
	char text[32];
	ssize_t n = sysroot_read(root, path, text, sizeof(text));

	if (n < 0)
		return (int)n;
	return procfs_u64(text, (size_t)n, value) ? 0 : -EINVAL;
}

int sysroot_write_u64(int root, const char *path, uint64_t value)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%" PRIu64 "\n", value);
	int fd = sysroot_open(root, path, O_WRONLY | O_TRUNC);
	int rc = 0;
	ssize_t n;

	if (fd < 0)
		return fd;
	/* Since Linux 6.16 a limit of cgroup v2 that is written without waiting
	 * stands, but what is in use may stay above it. */
	(void)fcntl(fd, F_SETFL, 0);
	do
		n = write(fd, text, (size_t)len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		rc = -errno;
	else if (n != len)
		rc = -EIO;
	close(fd);
	return rc;
}

int sysroot_lines(int root, const char *path, sysroot_line *fn, void *ctx)
{
	char buf[LINE_MAX_BYTES];
	size_t len = 0;
	bool skipping = false;
	int fd = sysroot_open(root, path, O_RDONLY);
	int rc = 0;

	if (fd < 0)
		return fd;
	while (rc == 0) {
		ssize_t n = read_some(fd, buf + len, sizeof(buf) - len);
		char *line = buf, *end;

		if (n < 0) {
			rc = (int)n;
			break;
		}
		if (n == 0) {
			if (len > 0 && !skipping && fn(buf, len, ctx))
				rc = 1;
			break;
		}
		len += (size_t)n;
		while (rc == 0 && (end = memchr(line, '\n', len))) {
			size_t line_len = (size_t)(end - line);

			if (!skipping && fn(line, line_len, ctx))
				rc = 1;
			skipping = false;
			len -= line_len + 1;
			line = end + 1;
		}
		memmove(buf, line, len);
		if (len == sizeof(buf)) {
			skipping = true;
			len = 0;
		}
	}
	close(fd);
	return rc;
}

int sysroot_names(int dir, bool dirs_only, sysroot_name *fn, void *ctx)
{
	/* opendir() allocates. */
	_Alignas(struct dirent64) char buf[2048];
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = 0;
	ssize_t n = 0;

	if (fd < 0)
		return -errno;
	while (rc == 0 && (n = getdents64(fd, buf, sizeof(buf))) > 0) {
		const struct dirent64 *d;

		for (ssize_t at = 0; rc == 0 && at < n; at += d->d_reclen) {
			d = (const void *)(buf + at);
			if ((!dirs_only || d->d_type == DT_DIR) &&
			    strcmp(d->d_name, ".") != 0 &&
			    strcmp(d->d_name, "..") != 0)
				rc = fn(d->d_name, ctx);
		}
	}
	if (n < 0)
		rc = -errno;
	close(fd);
	return rc;
}
