/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* nanosleep */
#endif

#include "plugin/cgroup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "plugin/sysroot.h"

#include "plugin/banned.h"

#define TRIES  40
#define NAP_NS 50000000L

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
				 strerror(-rc));
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
		return err_set(e, "swap cannot be limited: %s", strerror(-rc));
	size_format(cap, want->cap);
	if (rc == -EAGAIN)
		return err_set(
			e, "the cap of %s was written, but does not hold", cap);
	return err_set(e, "the cap of %s cannot be set: %s", cap,
		       strerror(-rc));
}

struct search {
	const char *controller;
	struct span job;
	char *dir;
	size_t point_len; /* dir[0, point_len) is where it is mounted */
};

static bool mount_has_it(const char *line, size_t len, void *ctx)
{
	struct search *s = ctx;
	struct procfs_mount mount;

	if (!procfs_mount(line, len, s->controller, &mount) ||
	    procfs_join(&mount, s->job, s->dir, PROCFS_PATH_MAX) == 0)
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

int cgroup_find(const struct cap_host *host, pid_t pid, uint32_t job,
		const char *controller, int levels, struct cap_place *place,
		struct err *e)
{
	char path[64], text[8192], dir[PROCFS_PATH_MAX];
	struct search search = { .controller = controller, .dir = dir };
	struct span cgroup;
	size_t job_len, step_len, below;
	ssize_t n = read_cgroup(host, pid, text, sizeof(text));
	int rc;

	/* A kernel without cgroups, unless the process alone is missing. */
	if (n == -ENOENT &&
	    read_cgroup(host, host->self, text, sizeof(text)) == -ENOENT)
		return 0;
	if (n < 0)
		return err_set(e, "cannot read /proc/%jd/cgroup: %s",
			       (intmax_t)pid, strerror((int)-n));
	rc = procfs_cgroup(text, (size_t)n, controller, &cgroup);
	if (rc < 0)
		return err_set(e, "/proc/%jd/cgroup names two memory cgroups",
			       (intmax_t)pid);
	if (rc == 0 || !procfs_split(cgroup, job, &job_len, &step_len))
		return 0;
	search.job.at = cgroup.at;
	search.job.len = job_len;
	snprintf(path, sizeof(path), "proc/%jd/mountinfo",
		 (intmax_t)host->self);
	rc = sysroot_lines(host->root, path, mount_has_it, &search);
	if (rc < 0)
		return err_set(e, "cannot read /%s: %s", path, strerror(-rc));
	if (rc == 0)
		return err_set(e, "its memory cgroup is not mounted where "
				  "slurmd can see it");
	place->job_len = strlen(dir);
	place->top_len =
		procfs_above(dir, place->job_len, search.point_len, levels);
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
