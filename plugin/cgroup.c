/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* nanosleep */
#endif

#include "plugin/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "plugin/procfs.h"
#include "plugin/sigkill.h"
#include "plugin/sysroot.h"

#include "plugin/banned.h"

#define TRIES  40
#define NAP_NS 50000000L

#define WALK_DIRS  300
#define WALK_DEPTH 8

/* A program that forks faster than this is killed the next time. */
#define KILL_ROUNDS 5

#define FILE_MAX_LEN (PROCFS_PATH_MAX + 40)

/* DIR/FILE; an over-long one comes out empty, which no function opens. */
static const char *file_in(char out[FILE_MAX_LEN], const char *dir,
			   const char *file)
{
	if (snprintf(out, FILE_MAX_LEN, "%s/%s", dir, file) >= FILE_MAX_LEN)
		out[0] = '\0';
	return out;
}

int cgroup_get(const struct cap_host *host, const char *dir, const char *file,
	       uint64_t *value)
{
	char path[FILE_MAX_LEN];

	return sysroot_read_u64(host->root, file_in(path, dir, file), value);
}

int cgroup_set(const struct cap_host *host, const char *dir, const char *file,
	       uint64_t value)
{
	char path[FILE_MAX_LEN];

	return sysroot_write_u64(host->root, file_in(path, dir, file), value);
}

int cgroup_open(const struct cap_host *host, const char *dir, const char *file,
		int flags)
{
	char path[FILE_MAX_LEN];

	return sysroot_open(host->root, file_in(path, dir, file), flags);
}

int cgroup_get_key(const struct cap_host *host, const char *dir,
		   const char *file, const char *key, uint64_t *value)
{
	char path[FILE_MAX_LEN], text[512];
	ssize_t n = sysroot_read(host->root, file_in(path, dir, file), text,
				 sizeof(text));

	if (n < 0)
		return (int)n;
	return procfs_key_u64(text, (size_t)n, key, value) ? 0 : -EINVAL;
}

int cgroup_limit(const struct cap_host *host, const char *dir, const char *file,
		 uint64_t *bytes, struct err *e)
{
	int rc = cgroup_get(host, dir, file, bytes);

	return rc == 0 ? 0
		       : err_set(e, "its limit cannot be read: %s",
				 err_cause(-rc));
}

int cgroup_lower(const struct cap_host *host, const char *dir, const char *file,
		 uint64_t most, uint64_t *now)
{
	int rc = cgroup_get(host, dir, file, now);

	if (rc < 0 || *now <= most)
		return rc;
	rc = cgroup_set(host, dir, file, most);
	if (rc == 0)
		rc = cgroup_get(host, dir, file, now);
	if (rc == 0 && *now > most)
		rc = -EAGAIN;
	return rc;
}

int cgroup_retry(int (*attempt)(void *ctx), void *ctx)
{
	static const struct timespec nap = { 0, NAP_NS };
	int rc = attempt(ctx);

	for (int i = 1; i < TRIES; i++) {
		if (rc != -EAGAIN && rc != -EBUSY && rc != -EINTR &&
		    rc != -EINVAL)
			break;
		nanosleep(&nap, NULL);
		rc = attempt(ctx);
	}
	return rc;
}

int cgroup_failed(int rc, const struct limits *want, struct err *e)
{
	char cap[SIZE_TEXT_MAX];

	if (want->cap == NO_CAP)
		return err_set(e, "swap cannot be limited: %s", err_cause(-rc));
	size_format(cap, want->cap);
	if (rc == -EAGAIN)
		return err_set(
			e, "the cap of %s was written, but does not hold", cap);
	return err_set(e, "the cap of %s cannot be set: %s", cap,
		       err_cause(-rc));
}

struct search {
	const char *controller;
	struct span cgroup;
	char *dir;
	size_t point_len; /* dir[0, point_len) is where it is mounted */
};

static bool mount_has_it(const char *line, size_t len, void *ctx)
{
	struct search *s = ctx;
	struct procfs_mount mount;

	if (!procfs_mount(line, len, s->controller, &mount) ||
	    procfs_join(&mount, s->cgroup, s->dir, PROCFS_PATH_MAX) == 0)
		return false;
	s->point_len = strlen(mount.point) - strspn(mount.point, "/");
	return true;
}

static ssize_t read_cgroup(const struct cap_host *host, pid_t pid, char *text,
			   size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "proc/%jd/cgroup", (intmax_t)pid);
	return sysroot_read(host->root, path, text, size);
}

/* Of which /proc tells no cgroup, though it tells of slurmstepd otherwise. */
static bool has_no_cgroups(const struct cap_host *host)
{
	char path[64], text[1];
	int fd;

	if (read_cgroup(host, host->self, text, sizeof(text)) != -ENOENT)
		return false;
	snprintf(path, sizeof(path), "proc/%jd/mountinfo",
		 (intmax_t)host->self);
	fd = sysroot_open(host->root, path, O_RDONLY);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* The path of PID in the hierarchy of CONTROLLER, in TEXT: 1, 0 or -1. */
static int cgroup_of(const struct cap_host *host, pid_t pid,
		     const char *controller, char *text, size_t size,
		     struct span *cgroup, struct err *e)
{
	ssize_t n = read_cgroup(host, pid, text, size);
	int rc;

	/* A kernel without cgroups, unless the process alone is missing, or
	 * all of /proc. */
	if (n == -ENOENT && has_no_cgroups(host))
		return 0;
	if (n < 0)
		return err_set(e, "cannot read /proc/%jd/cgroup: %s",
			       (intmax_t)pid, err_cause((int)-n));
	rc = procfs_cgroup(text, (size_t)n, controller, cgroup);
	if (rc < 0)
		return err_set(e, "/proc/%jd/cgroup names two memory cgroups",
			       (intmax_t)pid);
	return rc;
}

/* Where CGROUP is mounted: DIR, and DIR[0, *POINT_LEN) the hierarchy's root. */
static int mounted(const struct cap_host *host, const char *controller,
		   struct span cgroup, char dir[PROCFS_PATH_MAX],
		   size_t *point_len, struct err *e)
{
	struct search search = { controller, cgroup, dir, 0 };
	char path[64];
	int rc;

	snprintf(path, sizeof(path), "proc/%jd/mountinfo",
		 (intmax_t)host->self);
	rc = sysroot_lines(host->root, path, mount_has_it, &search);
	if (rc < 0)
		return err_set(e, "cannot read /%s: %s", path, err_cause(-rc));
	if (rc == 0)
		return err_set(e, "its memory cgroup is not mounted where "
				  "slurmd can see it");
	*point_len = search.point_len;
	return 0;
}

int cgroup_self(const struct cap_host *host, const char *controller,
		char dir[PROCFS_PATH_MAX], size_t *point_len, struct err *e)
{
	char text[8192];
	struct span cgroup;
	size_t len;
	int rc = cgroup_of(host, host->self, controller, text, sizeof(text),
			   &cgroup, e);

	if (rc <= 0)
		return rc;
	if (mounted(host, controller, cgroup, dir, point_len, e) < 0)
		return -1;
	len = strlen(dir);
	if (dir[len - 1] == '/') /* the hierarchy's root */
		dir[len - 1] = '\0';
	return 1;
}

int cgroup_find(const struct cap_host *host, pid_t pid, uint32_t job,
		const char *controller, int levels, struct cap_place *place,
		struct err *e)
{
	char text[8192], dir[PROCFS_PATH_MAX];
	struct span cgroup, job_dir;
	size_t job_len, step_len, point_len, below;
	int rc = cgroup_of(host, pid, controller, text, sizeof(text), &cgroup,
			   e);

	if (rc <= 0)
		return rc;
	if (!procfs_split(cgroup, job, &job_len, &step_len))
		return 0;
	job_dir.at = cgroup.at;
	job_dir.len = job_len;
	if (mounted(host, controller, job_dir, dir, &point_len, e) < 0)
		return -1;
	place->job_len = strlen(dir);
	place->top_len = procfs_above(dir, place->job_len, point_len, levels);
	below = cgroup.len - job_len;
	if (place->job_len + below >= sizeof(place->path) ||
	    memchr(cgroup.at, '\0', cgroup.len))
		return err_set(e, "the path of its memory cgroup is too long");
	memcpy(place->path, dir, place->job_len);
	memcpy(place->path + place->job_len, cgroup.at + job_len, below);
	place->path[place->job_len + below] = '\0';
	place->step_len = place->job_len + (step_len - job_len);
	return 1;
}

const char *cgroup_job_dir(const struct cap_place *place,
			   char out[PROCFS_PATH_MAX])
{
	memcpy(out, place->path, place->job_len);
	out[place->job_len] = '\0';
	return out;
}

struct walk {
	const struct cap_host *host;
	cgroup_visit *visit;
	void *ctx;
	int left, depth;
	size_t len;
	char path[PROCFS_PATH_MAX];
};

static void walk_here(struct walk *w);

static bool walk_into(const char *name, void *ctx)
{
	struct walk *w = ctx;
	size_t before = w->len;
	int n = snprintf(w->path + before, sizeof(w->path) - before, "/%s",
			 name);

	if (n > 0 && (size_t)n < sizeof(w->path) - before) {
		w->len += (size_t)n;
		walk_here(w);
	}
	w->len = before;
	w->path[before] = '\0';
	return false;
}

static void walk_here(struct walk *w)
{
	int fd;

	if (w->left == 0 || w->depth == WALK_DEPTH)
		return;
	w->left--;
	w->visit(w->host, w->path, w->ctx);
	fd = sysroot_open(w->host->root, w->path, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return;
	w->depth++;
	(void)sysroot_names(fd, true, walk_into, w);
	w->depth--;
	close(fd);
}

void cgroup_walk(const struct cap_host *host, const char *dir,
		 cgroup_visit *visit, void *ctx)
{
	struct walk w = { host, visit, ctx, WALK_DIRS, 0, strlen(dir), "" };

	if (w.len >= sizeof(w.path))
		return;
	memcpy(w.path, dir, w.len + 1);
	walk_here(&w);
}

struct victims {
	const struct cap_host *host;
	const char *step;
	bool kill; /* or only look for slurmstepd */
	bool found_self;
	unsigned n;
};

static bool one_process(const char *line, size_t len, void *ctx)
{
	struct victims *v = ctx;
	uint64_t pid;

	/* 0: one of another PID namespace. */
	if (!procfs_u64(line, len, &pid) || pid <= 1 || pid > INT32_MAX)
		return false;
	if ((pid_t)pid == v->host->self) {
		v->found_self = true;
		return true;
	}
	if (v->kill && sigkill_in(v->host->root, (pid_t)pid, v->step) == 0)
		v->n++;
	return false;
}

/* Where slurmstepd is, there are only processes of Slurm's. */
static void kill_here(const struct cap_host *host, const char *dir, void *ctx)
{
	struct victims *v = ctx;
	char path[FILE_MAX_LEN];

	file_in(path, dir, "cgroup.procs");
	v->kill = false;
	v->found_self = false;
	(void)sysroot_lines(host->root, path, one_process, v);
	if (v->found_self)
		return;
	v->kill = true;
	(void)sysroot_lines(host->root, path, one_process, v);
}

bool cgroup_kill_all(const struct cap_host *host, const char *dir)
{
	struct victims v = { .host = host, .step = dir };
	bool some = false;

	for (int i = 0; i < KILL_ROUNDS; i++) {
		v.n = 0;
		cgroup_walk(host, dir, kill_here, &v);
		if (v.n == 0)
			break;
		some = true;
	}
	return some;
}
