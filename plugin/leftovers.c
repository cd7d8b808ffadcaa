/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* statx, renameat2 */
#endif

#include "plugin/leftovers.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "plugin/procfs.h"
#include "plugin/size.h"
#include "plugin/sysroot.h"

#include "plugin/banned.h"

#define MOST_ENTRIES (1 << 20) /* looked at */
#define MOST_DEPTH   16	       /* of directories */
#define MOST_CGROUPS 4096
#define TRIES	     20
#define NAP_NS	     100000000L

struct search {
	int root;
	uid_t uid;
	pid_t found;
	int error;
};

/* A zombie holds no memory, and its parent may be anybody. */
static int runs_as(int root, uint64_t pid, uid_t uid)
{
	char path[64], text[8192];
	uint64_t uids[4];
	ssize_t n;

	snprintf(path, sizeof(path), "proc/%" PRIu64 "/status", pid);
	n = sysroot_read(root, path, text, sizeof(text));
	if (n == -ENOENT || n == -ESRCH) /* has ended meanwhile */
		return 0;
	if (n < 0 || !procfs_uids(text, (size_t)n, uids))
		return n < 0 ? (int)n : -EINVAL;
	if (procfs_is_zombie(text, (size_t)n))
		return 0;
	return uids[0] == uid || uids[1] == uid || uids[2] == uid ||
	       uids[3] == uid;
}

static bool is_users(const char *name, void *ctx)
{
	struct search *s = ctx;
	uint64_t pid;
	int rc;

	if (!procfs_u64(name, strlen(name), &pid) || pid > INT32_MAX)
		return false;
	rc = runs_as(s->root, pid, s->uid);
	if (rc < 0)
		s->error = -rc;
	else if (rc > 0)
		s->found = (pid_t)pid;
	return rc > 0;
}

pid_t leftovers_process(int root, uid_t uid)
{
	struct search search = { root, uid, 0, 0 };
	int dir = sysroot_open(root, "proc", O_RDONLY | O_DIRECTORY);
	int rc;

	if (dir < 0)
		return dir;
	rc = sysroot_names(dir, false, is_users, &search);
	close(dir);
	if (search.found)
		return search.found;
	return rc < 0 ? rc : -search.error;
}

struct stepd {
	int root;
	char title[40];
	bool found;
};

/* The one argument of TEXT is slurmstepd's file. Others that Slurm starts of
 * it, for the prolog or to keep a scope, have more. */
static bool is_untitled(const char *text, size_t len)
{
	const char *slash = strrchr(text, '/');

	return strlen(text) + 1 == len &&
	       strcmp(slash ? slash + 1 : text, "slurmstepd") == 0;
}

/*
 * It calls itself "slurmstepd: [17.batch]", as a user's process could. One that
 * has just been started does not yet: whose it is is not known.
 */
static bool is_stepd(const char *name, void *ctx)
{
	struct stepd *s = ctx;
	char path[64], text[PROCFS_PATH_MAX];
	uint64_t pid;
	ssize_t n = -1;
	int fd;

	if (!procfs_u64(name, strlen(name), &pid) || pid > INT32_MAX)
		return false;
	snprintf(path, sizeof(path), "proc/%" PRIu64 "/cmdline", pid);
	fd = sysroot_open(s->root, path, O_RDONLY);
	if (fd >= 0) {
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	if (n <= 0)
		return false;
	text[n] = '\0';
	s->found = (strncmp(text, s->title, strlen(s->title)) == 0 ||
		    is_untitled(text, (size_t)n)) &&
		   runs_as(s->root, pid, 0) != 0;
	return s->found;
}

bool leftovers_has_stepd(int root, uint32_t job)
{
	struct stepd stepd = { .root = root };
	int dir = sysroot_open(root, "proc", O_RDONLY | O_DIRECTORY);
	int rc;

	if (dir < 0)
		return true;
	snprintf(stepd.title, sizeof(stepd.title), "slurmstepd: [%" PRIu32 ".",
		 job);
	rc = sysroot_names(dir, true, is_stepd, &stepd);
	close(dir);
	return rc != 0 || stepd.found;
}

struct sweep {
	uid_t uid;
	const struct timespec *since;
	struct leftovers *out;
	uint32_t device_major, device_minor;
	uint32_t seen;
	uint32_t moved;
	int top;
	int dir; /* where we are */
	int depth;
};

/*
 * Made since then? Where the file system does not say when, the last change of
 * the inode counts: the other times are what its owner says they are.
 */
static bool is_new(const struct statx *sx, const struct timespec *since)
{
	const struct statx_timestamp *made =
		sx->stx_mask & STATX_BTIME ? &sx->stx_btime : &sx->stx_ctime;

	return made->tv_sec > since->tv_sec ||
	       (made->tv_sec == since->tv_sec &&
		(long)made->tv_nsec >= since->tv_nsec);
}

static void failed(struct leftovers *out, int error)
{
	out->failed++;
	out->error = error;
}

static bool sweep_one(const char *name, void *ctx);

/* Neither stack nor descriptors are enough for any depth: on with it later,
 * from further up. */
static void move_up(struct sweep *s, const char *name)
{
	char flat[32];

	snprintf(flat, sizeof(flat), "gbm-left-%" PRIu32, s->moved);
	if (renameat2(s->dir, name, s->top, flat, RENAME_NOREPLACE) == 0)
		s->moved++;
	else
		failed(s->out, errno);
}

/* Into a directory, whoever owns it, since the user may have files in it. */
static void sweep_below(struct sweep *s, const char *name, bool ours)
{
	int above = s->dir, rc;

	if (s->depth == MOST_DEPTH) {
		if (ours)
			move_up(s, name);
		return;
	}
	s->dir = openat(above, name,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (s->dir >= 0) {
		s->depth++;
		rc = sysroot_names(s->dir, false, sweep_one, s);
		s->depth--;
		close(s->dir);
		if (rc < 0)
			failed(s->out, -rc);
	} else if (errno != ENOENT) {
		failed(s->out, errno);
	}
	s->dir = above;
}

static bool sweep_one(const char *name, void *ctx)
{
	struct sweep *s = ctx;
	struct leftovers *out = s->out;
	struct statx sx;
	bool is_dir, ours;

	if (++s->seen > MOST_ENTRIES) {
		failed(out, E2BIG);
		return true;
	}
	if (statx(s->dir, name, AT_SYMLINK_NOFOLLOW,
		  STATX_BASIC_STATS | STATX_BTIME, &sx) < 0)
		return false;
	/* Something else that is mounted below is not ours to look into. */
	if (sx.stx_dev_major != s->device_major ||
	    sx.stx_dev_minor != s->device_minor)
		return false;
	is_dir = S_ISDIR(sx.stx_mode);
	ours = sx.stx_uid == s->uid && is_new(&sx, s->since);
	if (is_dir)
		sweep_below(s, name, ours);
	if (!ours)
		return false;
	if (unlinkat(s->dir, name, is_dir ? AT_REMOVEDIR : 0) == 0) {
		out->files++;
		if (S_ISREG(sx.stx_mode) && sx.stx_nlink == 1)
			out->file_bytes += sx.stx_blocks * 512;
	} else if (errno != ENOENT && errno != ENOTEMPTY) {
		failed(out, errno);
	}
	return false;
}

static void sweep_files(int root, struct sweep *s)
{
	struct statx sx;
	uint32_t moved;
	int rc;

	s->dir = sysroot_open(root, "dev/shm", O_RDONLY | O_DIRECTORY);
	if (s->dir == -ENOENT)
		return;
	if (s->dir < 0) {
		failed(s->out, -s->dir);
		return;
	}
	rc = statx(s->dir, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &sx) < 0
		     ? -errno
		     : 0;
	if (rc == 0) {
		s->device_major = sx.stx_dev_major;
		s->device_minor = sx.stx_dev_minor;
	}
	s->top = s->dir;
	do {
		moved = s->moved;
		if (rc == 0)
			rc = sysroot_names(s->dir, false, sweep_one, s);
	} while (rc == 0 && s->moved > moved);
	if (rc < 0)
		failed(s->out, -rc);
	close(s->dir);
}

struct segments {
	uid_t uid;
	const struct timespec *since;
	int (*remove)(int id);
	struct leftovers *out;
	uint32_t seen;
};

/* Times are in seconds there. */
static bool sweep_segment(const char *line, size_t len, void *ctx)
{
	struct segments *s = ctx;
	struct procfs_shm shm;

	if (!procfs_shm(line, len, &shm)) /* the heading */
		return false;
	if (++s->seen > MOST_ENTRIES) {
		failed(s->out, E2BIG);
		return true;
	}
	if (shm.uid != s->uid || shm.cuid != s->uid || shm.attached > 0 ||
	    shm.ctime < (uint64_t)s->since->tv_sec)
		return false;
	if (s->remove(shm.id) == 0) {
		s->out->segments++;
		s->out->segment_bytes += shm.bytes;
	} else if (errno != EINVAL && errno != EIDRM) {
		failed(s->out, errno);
	}
	return false;
}

void leftovers_remove(int root, uid_t uid, const struct timespec *since,
		      int (*remove)(int id), struct leftovers *out)
{
	struct sweep sweep = { .uid = uid, .since = since, .out = out };
	struct segments segments = { uid, since, remove, out, 0 };
	int rc;

	memset(out, 0, sizeof(*out));
	if (uid == 0)
		return;
	sweep_files(root, &sweep);
	rc = sysroot_lines(root, "proc/sysvipc/shm", sweep_segment, &segments);
	if (rc < 0 && rc != -ENOENT) /* a kernel without SysV IPC */
		failed(out, -rc);
}

const char *leftovers_text(const struct leftovers *l,
			   char out[LEFTOVERS_TEXT_MAX])
{
	char files[SIZE_TEXT_MAX], segments[SIZE_TEXT_MAX];
	char first[80] = "", second[80] = "";

	if (l->files)
		snprintf(first, sizeof(first),
			 "%" PRIu32 " file%s (%s) in "
			 "/dev/shm",
			 l->files, l->files == 1 ? "" : "s",
			 size_format(files, l->file_bytes));
	if (l->segments)
		snprintf(second, sizeof(second),
			 "%" PRIu32 " SysV segment%s (%s)", l->segments,
			 l->segments == 1 ? "" : "s",
			 size_format(segments, l->segment_bytes));
	snprintf(out, LEFTOVERS_TEXT_MAX, "%s%s%s", first,
		 l->files && l->segments ? ", " : "", second);
	return out;
}

struct tree {
	int root;
	int dir;
	int depth;
	uint32_t seen;
	uint64_t pid; /* of one process in there */
	uid_t uid;
	bool all;
	const char *path; /* of all of it */
	/* NULL: not yet */
	int (*end)(int root, pid_t pid, const char *dir);
};

static bool remove_cgroup(const char *name, void *ctx);

static bool see_process(const char *line, size_t len, void *ctx)
{
	struct tree *t = ctx;

	if (!procfs_u64(line, len, &t->pid) || t->pid > INT32_MAX)
		t->pid = 0;
	if (t->end && t->pid &&
	    (t->all || runs_as(t->root, t->pid, t->uid) > 0))
		(void)t->end(t->root, (pid_t)t->pid, t->path);
	return false;
}

/* The cgroups below T->dir; the files in them go with them. */
static void remove_below(struct tree *t)
{
	(void)sysroot_lines(t->dir, "cgroup.procs", see_process, t);
	if (t->depth < MOST_DEPTH)
		(void)sysroot_names(t->dir, false, remove_cgroup, t);
}

static bool remove_cgroup(const char *name, void *ctx)
{
	struct tree *t = ctx;
	int above = t->dir;

	if (++t->seen > MOST_CGROUPS)
		return true;
	t->dir = openat(above, name,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (t->dir >= 0) {
		t->depth++;
		remove_below(t);
		t->depth--;
		close(t->dir);
		(void)unlinkat(above, name, AT_REMOVEDIR);
	}
	t->dir = above;
	return false;
}

/* Slurm's own removal may still be under way, or a process dying. */
int leftovers_cgroup(int root, const char *dir, uid_t uid, bool all,
		     int (*end)(int root, pid_t pid, const char *dir),
		     struct err *e)
{
	static const struct timespec nap = { 0, NAP_NS };
	char parent[PROCFS_PATH_MAX], path[64], name[64];
	size_t above = procfs_above(dir, strlen(dir), 1, 1);
	struct tree tree = {
		.root = root, .uid = uid, .all = all, .path = dir
	};
	ssize_t n;
	int fd;

	memcpy(parent, dir, above);
	parent[above] = '\0';
	for (int i = 0; i < TRIES; i++) {
		if (i > 0)
			nanosleep(&nap, NULL);
		fd = sysroot_open(root, parent, O_RDONLY | O_DIRECTORY);
		if (fd < 0)
			return 0;
		tree.dir = fd;
		tree.seen = 0;
		tree.pid = 0;
		tree.end = i >= TRIES / 2 ? end : NULL;
		(void)remove_cgroup(dir + above + 1, &tree);
		n = faccessat(fd, dir + above + 1, F_OK, AT_SYMLINK_NOFOLLOW);
		close(fd);
		if (n < 0)
			return 0;
	}
	if (tree.pid == 0)
		return err_set(e, "its cgroup /%s cannot be removed", dir);
	snprintf(path, sizeof(path), "proc/%" PRIu64 "/comm", tree.pid);
	n = sysroot_read(root, path, name, sizeof(name));
	if (n > 0 && name[n - 1] == '\n')
		n--;
	return err_set(e, "process %" PRIu64 " (%s) is still in its cgroup /%s",
		       tree.pid, n > 0 ? err_quote(path, name, (size_t)n) : "?",
		       dir);
}
