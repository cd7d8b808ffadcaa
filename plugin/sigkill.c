/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* syscall */
#endif

#include "plugin/sigkill.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "plugin/procfs.h"
#include "plugin/sysroot.h"

#include "plugin/banned.h"

static bool is_in(const char *line, size_t len, void *ctx)
{
	const char *const *dir = ctx;

	return procfs_is_in(line, len, *dir);
}

/* Close on exec, as all such descriptors are. */
static int hold(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : fd;
}

static int send_to(int fd, pid_t pid)
{
	long rc = fd < 0 ? kill(pid, SIGKILL)
			 : syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);

	return rc < 0 ? -errno : 0;
}

/*
 * While it is held the number may pass on, but the signal does not go with it:
 * what is read is either of the process that is held, or that has ended.
 */
int sigkill_in(int root, pid_t pid, const char *dir)
{
	char path[64];
	int fd = hold(pid), rc;

	if (fd < 0 && fd != -ENOSYS) /* before Linux 5.3 */
		return fd;
	snprintf(path, sizeof(path), "proc/%jd/cgroup", (intmax_t)pid);
	rc = sysroot_lines(root, path, is_in, &dir);
	if (rc > 0)
		rc = send_to(fd, pid);
	else if (rc == 0 || rc == -ENOENT)
		rc = -ESRCH;
	if (fd >= 0)
		close(fd);
	return rc;
}
