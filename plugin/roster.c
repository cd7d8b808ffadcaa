/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* nanosleep, utimensat */
#endif

#include "plugin/roster.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "plugin/sysroot.h"

#include "plugin/banned.h"

#define TRIES  100
#define NAP_NS 100000000L

int roster_lock(int dir, struct err *e)
{
	static const struct timespec nap = { 0, NAP_NS };
	/* Of root's alone: whoever can open a file can lock it. */
	int fd = openat(dir, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
			0600);

	if (fd < 0)
		return err_set(e,
			       "cannot make the lock of the jobs' roster: "
			       "%s",
			       err_cause(errno));
	for (int i = 0; i < TRIES; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return fd;
		nanosleep(&nap, NULL);
	}
	close(fd);
	return err_set(e, "another prolog or epilog keeps the jobs' roster "
			  "locked");
}

/* "UID.JOB.NODE" */
static int entry(char out[NAME_MAX + 1], uid_t uid, uint32_t job,
		 const char *node, struct err *e)
{
	int n = snprintf(out, NAME_MAX + 1, "%ju.%" PRIu32 ".%s",
			 (uintmax_t)uid, job, node);

	if (n < 0 || n > NAME_MAX || strchr(node, '/'))
		return err_set(e, "the node's name cannot be a file name");
	return 0;
}

int roster_enter(int dir, uid_t uid, uint32_t job, const char *node,
		 struct err *e)
{
	char name[NAME_MAX + 1];
	int fd;

	if (entry(name, uid, job, node, e) < 0)
		return -1;
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return err_set(e, "cannot enter the job in the roster: %s",
			       err_cause(errno));
	close(fd);
	return 0;
}

struct others {
	int dir;
	char prefix[24];
	struct timespec since;
	int n;
	int error;
};

static bool earlier(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec
				      : a->tv_nsec < b->tv_nsec;
}

/* Another job of the user takes over from when the one that ends began. */
static bool hand_over(const char *name, void *ctx)
{
	struct others *o = ctx;
	struct timespec times[2];
	struct stat st;

	if (strncmp(name, o->prefix, strlen(o->prefix)) != 0)
		return false;
	o->n++;
	if (fstatat(o->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		o->error = errno;
		return false;
	}
	if (!earlier(&o->since, &st.st_mtim))
		return false;
	times[0] = times[1] = o->since;
	if (utimensat(o->dir, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		o->error = errno;
	return false;
}

int roster_leave(int dir, uid_t uid, uint32_t job, const char *node,
		 struct timespec *since, struct err *e)
{
	struct others others = { .dir = dir };
	char name[NAME_MAX + 1];
	struct stat st;
	int rc;

	if (entry(name, uid, job, node, e) < 0)
		return -1;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0
				       : err_set(e,
						 "cannot read the jobs' "
						 "roster: %s",
						 err_cause(errno));
	others.since = st.st_mtim;
	snprintf(others.prefix, sizeof(others.prefix), "%ju.", (uintmax_t)uid);
	if (unlinkat(dir, name, 0) < 0)
		return err_set(e, "cannot strike the job off the roster: %s",
			       err_cause(errno));
	rc = sysroot_names(dir, false, hand_over, &others);
	if (rc < 0 || others.error)
		return err_set(e, "cannot read the jobs' roster: %s",
			       err_cause(rc < 0 ? -rc : others.error));
	*since = others.since;
	return others.n == 0;
}
