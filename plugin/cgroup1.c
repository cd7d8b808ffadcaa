/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cgroup v1: the memory controller has a hierarchy of its own, in which Slurm
 * makes [slurm|slurm_NODE]/uid_U/job_J/step_S/task_T.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* nanosleep */
#endif

#include "plugin/backend.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "plugin/sysroot.h"

#include "plugin/banned.h"

#define TRIES  40
#define NAP_NS 50000000L

#define LIMIT	    "memory.limit_in_bytes"
#define USAGE	    "memory.usage_in_bytes"
#define PEAK	    "memory.max_usage_in_bytes"
#define SW_LIMIT    "memory.memsw.limit_in_bytes"
#define SW_USAGE    "memory.memsw.usage_in_bytes"
#define SW_PEAK	    "memory.memsw.max_usage_in_bytes"
#define SWAPPINESS  "memory.swappiness"
#define OOM_CONTROL "memory.oom_control"

/* A limit that nobody has set reads as about 2^63, whatever the page size. */
#define UNLIMITED (UINT64_C(1) << 62)

/* The kernel takes pages in batches of 64, and a page may have 16 KiB. */
#define SLACK (UINT64_C(1) << 20)

#define FILE_MAX_LEN (PROCFS_PATH_MAX + 40)

/* DIR/FILE; an over-long one comes out empty, which no function opens. */
static const char *file_in(char out[FILE_MAX_LEN], const char *dir,
			   const char *file)
{
	if (snprintf(out, FILE_MAX_LEN, "%s/%s", dir, file) >= FILE_MAX_LEN)
		out[0] = '\0';
	return out;
}

static int get(const struct cap_host *host, const char *dir, const char *file,
	       uint64_t *value)
{
	char path[FILE_MAX_LEN];

	return sysroot_read_u64(host->root, file_in(path, dir, file), value);
}

static int set(const struct cap_host *host, const char *dir, const char *file,
	       uint64_t value)
{
	char path[FILE_MAX_LEN];

	return sysroot_write_u64(host->root, file_in(path, dir, file), value);
}

static int v1_limit(const struct cap_host *host, const char *dir,
		    uint64_t *bytes, struct err *e)
{
	int rc = get(host, dir, LIMIT, bytes);

	return rc == 0 ? 0
		       : err_set(e, "its limit cannot be read: %s",
				 strerror(-rc));
}

struct search {
	struct span job;
	char *dir;
	size_t point_len; /* dir[0, point_len) is where it is mounted */
};

static bool mount_has_it(const char *line, size_t len, void *ctx)
{
	struct search *s = ctx;
	struct procfs_mount mount;

	if (!procfs_mount(line, len, "memory", &mount) ||
	    procfs_join(&mount, s->job, s->dir, PROCFS_PATH_MAX) == 0)
		return false;
	s->point_len = strlen(mount.point) - strspn(mount.point, "/");
	return true;
}

static int v1_probe(const struct cap_host *host, pid_t pid, uint32_t job,
		    struct cap_place *place, struct err *e)
{
	char path[64], text[8192], dir[PROCFS_PATH_MAX];
	struct search search = { .dir = dir };
	struct span cgroup;
	size_t job_len, step_len, below;
	uint64_t limit;
	ssize_t n;
	int rc;

	snprintf(path, sizeof(path), "proc/%jd/cgroup", (intmax_t)pid);
	n = sysroot_read(host->root, path, text, sizeof(text));
	if (n < 0)
		return err_set(e, "cannot read /%s: %s", path,
			       strerror((int)-n));
	rc = procfs_cgroup(text, (size_t)n, "memory", &cgroup);
	if (rc < 0)
		return err_set(e, "/%s names two memory cgroups", path);
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
	/* Above uid_U. */
	place->top_len = procfs_above(dir, place->job_len, search.point_len, 2);
	below = cgroup.len - job_len;
	if (place->job_len + below >= sizeof(place->path) ||
	    memchr(cgroup.at, '\0', cgroup.len))
		return err_set(e, "the path of its memory cgroup is too long");
	memcpy(place->path, dir, place->job_len);
	memcpy(place->path + place->job_len, cgroup.at + job_len, below);
	place->path[place->job_len + below] = '\0';
	place->step_len = place->job_len + (step_len - job_len);
	return v1_limit(host, dir, &limit, e) < 0 ? -1 : 1;
}

/* Room for SWAP beside LIMIT; what does not fit is as good as no bound. */
static uint64_t with_swap(uint64_t limit, const struct swap *swap)
{
	return swap->bytes > UINT64_MAX - limit ? UINT64_MAX
						: limit + swap->bytes;
}

static int lower(const struct cap_host *host, const char *dir, const char *file,
		 uint64_t most, uint64_t *now)
{
	int rc = get(host, dir, file, now);

	if (rc < 0 || *now <= most)
		return rc;
	rc = set(host, dir, file, most);
	if (rc == 0)
		rc = get(host, dir, file, now);
	if (rc == 0 && *now > most)
		rc = -EAGAIN;
	return rc;
}

struct goal {
	const struct limits *want;
	bool is_job;
	uint64_t granted; /* the job's limit before we lowered it, or 0 */
};

/*
 * One attempt. The kernel keeps limit <= memsw, so lowering goes limit first;
 * EINVAL means that Slurm has raised the limit between the two writes.
 *
 * Slurm writes a job's limits anew at the start of each of its steps, the limit
 * first, and gives the step up when that is refused: a job's memsw must stay at
 * or above the limit that Slurm wrote, which we only know when we lower it.
 * What keeps a job of several steps from swapping is the swappiness of its
 * directories and the exact memsw of each step's own, which Slurm writes once.
 */
static int attempt(const struct cap_host *host, const char *dir,
		   struct goal *goal, uint64_t *limit)
{
	const struct limits *want = goal->want;
	uint64_t most, now;
	int rc = get(host, dir, LIMIT, &now);

	if (rc == 0 && now > want->cap && goal->granted < now)
		goal->granted = now;
	if (rc == 0)
		rc = lower(host, dir, LIMIT, want->cap, limit);
	if (rc == 0 && want->swap.mode == SWAP_NONE)
		rc = lower(host, dir, SWAPPINESS, 0, &now);
	if (rc < 0 || want->swap.mode == SWAP_ALLOW ||
	    (goal->is_job && goal->granted == 0))
		return rc;
	most = with_swap(*limit, &want->swap);
	if (goal->is_job && goal->granted < UNLIMITED && most < goal->granted)
		most = goal->granted;
	rc = lower(host, dir, SW_LIMIT, most, &now);
	if (rc == -ENOENT) /* a kernel without swap accounting */
		return want->swap.mode == SWAP_SIZE ? -EOPNOTSUPP : 0;
	if (rc == 0)
		rc = get(host, dir, LIMIT, limit);
	return rc == 0 && *limit > want->cap ? -EAGAIN : rc;
}

/*
 * More is in use than may be: at least let it not grow while we wait. A program
 * that goes on allocating is then killed here, and the next attempt succeeds.
 */
static void stop_growth(const struct cap_host *host, const char *dir,
			const char *limit_file, const char *usage_file,
			uint64_t most)
{
	uint64_t limit, usage;

	if (get(host, dir, limit_file, &limit) < 0 ||
	    get(host, dir, usage_file, &usage) < 0)
		return;
	usage += SIZE_ROUND - usage % SIZE_ROUND;
	if (usage > most && usage < limit)
		(void)set(host, dir, limit_file, usage);
}

static int v1_apply(const struct cap_host *host, const char *dir, bool is_job,
		    const struct limits *want, struct cap_limit *got,
		    struct err *e)
{
	struct goal goal = { want, is_job, 0 };
	static const struct timespec nap = { 0, NAP_NS };
	char cap[SIZE_TEXT_MAX], used[SIZE_TEXT_MAX];
	uint64_t limit = 0, usage = 0;
	int rc = 0;

	for (int i = 0; i < TRIES; i++) {
		if (i > 0)
			nanosleep(&nap, NULL);
		rc = attempt(host, dir, &goal, &limit);
		if (rc == 0) {
			got->bytes = limit;
			got->foreign = limit < want->cap;
			return 0;
		}
		if (rc != -EBUSY && rc != -EINVAL && rc != -EAGAIN &&
		    rc != -EINTR)
			break;
		if (rc == -EBUSY) {
			stop_growth(host, dir, LIMIT, USAGE, want->cap);
			if (!is_job && want->swap.mode != SWAP_ALLOW)
				stop_growth(host, dir, SW_LIMIT, SW_USAGE,
					    with_swap(want->cap, &want->swap));
		}
	}
	size_format(cap, want->cap);
	if (rc == -EOPNOTSUPP)
		return err_set(e, "this node's kernel does not count swap: "
				  "use --gbm-swap=none or --gbm-swap=allow");
	if (rc == -EBUSY && (get(host, dir, SW_USAGE, &usage) == 0 ||
			     get(host, dir, USAGE, &usage) == 0))
		return err_set(e,
			       "%s are in use already, more than the cap of "
			       "%s: let its other steps end first",
			       size_format(used, usage), cap);
	if (rc == -EAGAIN)
		return err_set(
			e, "the cap of %s was written, but does not hold", cap);
	return err_set(e, "the cap of %s cannot be set: %s", cap,
		       strerror(-rc));
}

/* Reclaim asks the directory that a page belongs to for its swappiness. */
static int v1_apply_task(const struct cap_host *host, const char *dir,
			 const struct swap *swap, struct err *e)
{
	uint64_t value;
	int rc;

	if (swap->mode != SWAP_NONE)
		return 0;
	rc = lower(host, dir, SWAPPINESS, 0, &value);
	return rc == 0 ? 0
		       : err_set(e, "swapping cannot be turned off: %s",
				 strerror(-rc));
}

static void v1_events(const struct cap_host *host, const char *dir,
		      struct cap_events *out)
{
	char path[FILE_MAX_LEN], text[256];
	uint64_t limit, peak, kills;
	ssize_t n;

	memset(out, 0, sizeof(*out));
	/* Not the failcnt files: page cache moves them as well, and since Linux
	 * 6.13 that of memsw, the one that fails when it is as low as the
	 * limit, does not move at all. */
	if (get(host, dir, PEAK, &peak) == 0) {
		out->peak = peak;
		out->full = get(host, dir, LIMIT, &limit) == 0 &&
			    peak + SLACK > limit;
	}
	if (get(host, dir, SW_PEAK, &peak) == 0 &&
	    get(host, dir, SW_LIMIT, &limit) == 0 && peak + SLACK > limit)
		out->full = true;
	n = sysroot_read(host->root, file_in(path, dir, OOM_CONTROL), text,
			 sizeof(text));
	if (n > 0 && procfs_key_u64(text, (size_t)n, "oom_kill", &kills))
		out->kills = kills;
}

const struct cap_backend cap_cgroup1 = {
	.name = "cgroup v1",
	.probe = v1_probe,
	.apply = v1_apply,
	.apply_task = v1_apply_task,
	.limit = v1_limit,
	.events = v1_events,
};
