/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cgroup v1: the memory controller has a hierarchy of its own, in which Slurm
 * makes [slurm|slurm_NODE]/uid_U/job_J/step_S/task_T.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* O_DIRECTORY, fchown */
#endif

#include "plugin/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin/sysroot.h"

#include "plugin/banned.h"

#define LIMIT	    "memory.limit_in_bytes"
#define USAGE	    "memory.usage_in_bytes"
#define PEAK	    "memory.max_usage_in_bytes"
#define SW_LIMIT    "memory.memsw.limit_in_bytes"
#define SW_USAGE    "memory.memsw.usage_in_bytes"
#define SW_PEAK	    "memory.memsw.max_usage_in_bytes"
#define SWAPPINESS  "memory.swappiness"
#define OOM_CONTROL "memory.oom_control"
#define EVENT_CONTROL "cgroup.event_control"

/* A limit that nobody has set reads as about 2^63, whatever the page size. */
#define UNLIMITED (UINT64_C(1) << 62)

/* The kernel takes pages in batches of 64, and a page may have 16 KiB. */
#define SLACK (UINT64_C(1) << 20)

static int v1_limit(const struct cap_host *host, const char *dir,
		    uint64_t *bytes, struct err *e)
{
	return cgroup_limit(host, dir, LIMIT, bytes, e);
}

/* Above a job's directory is uid_U. */
static int v1_probe(const struct cap_host *host, pid_t pid, uint32_t job,
		    struct cap_place *place, struct err *e)
{
	char dir[PROCFS_PATH_MAX];
	uint64_t limit;
	int rc = cgroup_find(host, pid, job, "memory", 2, place, e);

	if (rc > 0 && v1_limit(host, cgroup_job_dir(place, dir), &limit, e) < 0)
		return -1;
	return rc;
}

/* Room for SWAP beside LIMIT; what does not fit is as good as no bound. */
static uint64_t with_swap(uint64_t limit, const struct swap *swap)
{
	return swap->bytes > UINT64_MAX - limit ? UINT64_MAX
						: limit + swap->bytes;
}

struct goal {
	const struct cap_host *host;
	const char *dir;
	const struct limits *want;
	bool is_job;
	uint64_t granted; /* the job's limit before we lowered it, or 0 */
	uint64_t limit;	  /* that holds, after an attempt that succeeded */
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
static int lower_all(struct goal *goal)
{
	const struct cap_host *host = goal->host;
	const struct limits *want = goal->want;
	const char *dir = goal->dir;
	uint64_t most, now;
	int rc = cgroup_get(host, dir, LIMIT, &now);

	if (rc == 0 && now > want->cap && goal->granted < now)
		goal->granted = now;
	if (rc == 0)
		rc = cgroup_lower(host, dir, LIMIT, want->cap, &goal->limit);
	if (rc == 0 && want->swap.mode == SWAP_NONE)
		rc = cgroup_lower(host, dir, SWAPPINESS, 0, &now);
	if (rc < 0 || want->swap.mode == SWAP_ALLOW ||
	    (goal->is_job && goal->granted == 0))
		return rc;
	most = with_swap(goal->limit, &want->swap);
	if (goal->is_job && goal->granted < UNLIMITED && most < goal->granted)
		most = goal->granted;
	rc = cgroup_lower(host, dir, SW_LIMIT, most, &now);
	if (rc == -ENOENT) /* a kernel without swap accounting */
		return want->swap.mode == SWAP_SIZE ? -EOPNOTSUPP : 0;
	if (rc == 0)
		rc = cgroup_get(host, dir, LIMIT, &goal->limit);
	return rc == 0 && goal->limit > want->cap ? -EAGAIN : rc;
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

	if (cgroup_get(host, dir, limit_file, &limit) < 0 ||
	    cgroup_get(host, dir, usage_file, &usage) < 0)
		return;
	usage += SIZE_ROUND - usage % SIZE_ROUND;
	if (usage > most && usage < limit)
		(void)cgroup_set(host, dir, limit_file, usage);
}

static int attempt(void *ctx)
{
	struct goal *goal = ctx;
	const struct limits *want = goal->want;
	int rc = lower_all(goal);

	if (rc != -EBUSY)
		return rc;
	stop_growth(goal->host, goal->dir, LIMIT, USAGE, want->cap);
	if (!goal->is_job && want->swap.mode != SWAP_ALLOW)
		stop_growth(goal->host, goal->dir, SW_LIMIT, SW_USAGE,
			    with_swap(want->cap, &want->swap));
	return rc;
}

/*
 * Slurm gives the directories of a step to its user, who can nest others in
 * them: pages of those are swapped as he likes, since each has a swappiness of
 * its own, who is killed there is not counted where we look, and Slurm cannot
 * remove the step's directory any more. Slurm itself uses them as root.
 */
static int take_over(const struct cap_host *host, const char *dir,
		     struct err *e)
{
	int fd = sysroot_open(host->root, dir, O_RDONLY | O_DIRECTORY);
	int error = fd < 0 ? -fd : 0;
	struct stat st;

	if (!error &&
	    (fstat(fd, &st) < 0 ||
	     (st.st_uid != geteuid() && fchown(fd, geteuid(), getegid()) < 0)))
		error = errno;
	if (fd >= 0)
		close(fd);
	return error && error != ENOENT
		       ? err_set(e,
				 "its cgroup cannot be taken from its user: "
				 "%s",
				 err_cause(error))
		       : 0;
}

/* The extern step has a task of its own, which no hook tells of. */
static int take_step_over(const struct cap_host *host, const char *dir,
			  struct err *e)
{
	char task[PROCFS_PATH_MAX + 8];

	snprintf(task, sizeof(task), "%s/task_0", dir);
	return take_over(host, dir, e) < 0 ? -1 : take_over(host, task, e);
}

static int v1_apply(const struct cap_host *host, const char *dir, bool is_job,
		    const struct limits *want, struct cap_limit *got,
		    struct err *e)
{
	struct goal goal = { host, dir, want, is_job, 0, 0 };
	char cap[SIZE_TEXT_MAX], used[SIZE_TEXT_MAX];
	uint64_t usage;
	int rc = cgroup_retry(attempt, &goal);

	if (rc == 0) {
		got->bytes = goal.limit;
		got->foreign = goal.limit < want->cap;
		got->swap = want->swap;
		return is_job ? 0 : take_step_over(host, dir, e);
	}
	if (rc == -EOPNOTSUPP)
		return err_set(e, "this node's kernel does not count swap: "
				  "use --gbm-swap=none or --gbm-swap=allow");
	if (rc == -EBUSY && (cgroup_get(host, dir, SW_USAGE, &usage) == 0 ||
			     cgroup_get(host, dir, USAGE, &usage) == 0))
		return err_set(e,
			       "%s are in use already, more than the cap of "
			       "%s: let its other steps end first",
			       size_format(used, usage),
			       size_format(cap, want->cap));
	return cgroup_failed(rc, want, e);
}

/* Reclaim asks the directory that a page belongs to for its swappiness. */
static int v1_apply_task(const struct cap_host *host, const char *dir,
			 const struct swap *swap, struct err *e)
{
	uint64_t value;
	int rc;

	if (take_over(host, dir, e) < 0)
		return -1;
	if (swap->mode != SWAP_NONE)
		return 0;
	rc = cgroup_lower(host, dir, SWAPPINESS, 0, &value);
	return rc == 0 ? 0
		       : err_set(e, "swapping cannot be turned off: %s",
				 err_cause(-rc));
}

/*
 * full: not by the failcnt files, which page cache moves as well; and since
 * Linux 6.13 that of memsw, the one that fails when it is as low as the limit,
 * does not move at all. The most swap ever used is not recorded.
 */
static void v1_events(const struct cap_host *host, const char *dir,
		      uint64_t set, struct cap_events *out)
{
	uint64_t limit, peak, usage, both;

	out->peak = out->swap = out->swap_peak = CAP_UNKNOWN;
	out->full = false;
	if (cgroup_get(host, dir, PEAK, &peak) == 0) {
		out->peak = peak;
		out->full = cgroup_get(host, dir, LIMIT, &limit) == 0 &&
			    peak + SLACK > (set < limit ? set : limit);
	}
	if (cgroup_get(host, dir, SW_PEAK, &peak) == 0 &&
	    cgroup_get(host, dir, SW_LIMIT, &limit) == 0 &&
	    peak + SLACK > limit)
		out->full = true;
	if (cgroup_get(host, dir, USAGE, &usage) == 0 &&
	    cgroup_get(host, dir, SW_USAGE, &both) == 0)
		out->swap = both > usage ? both - usage : 0;
}

static void add_kills(const struct cap_host *host, const char *dir, void *ctx)
{
	uint64_t *sum = ctx, n;

	if (cgroup_get_key(host, dir, OOM_CONTROL, "oom_kill", &n) == 0)
		*sum += n;
}

/* Each directory counts only its own, and a user may make more of them. */
static uint64_t v1_kills(const struct cap_host *host, const char *dir)
{
	uint64_t sum = 0;

	cgroup_walk(host, dir, add_kills, &sum);
	return sum;
}

/*
 * The kernel tells all directories below the one whose limit was hit. The two
 * files need not stay open.
 */
static int v1_watch(const struct cap_host *host, const char *dir,
		    struct pollfd *out)
{
	int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int file = cgroup_open(host, dir, OOM_CONTROL, O_RDONLY);
	int control = cgroup_open(host, dir, EVENT_CONTROL, O_WRONLY);
	char text[48];
	int len = snprintf(text, sizeof(text), "%d %d", event, file);
	bool good = event >= 0 && file >= 0 && control >= 0 &&
		    write(control, text, (size_t)len) == len;

	if (file >= 0)
		close(file);
	if (control >= 0)
		close(control);
	if (!good && event >= 0)
		close(event);
	out->fd = good ? event : -1;
	out->events = POLLIN;
	return good ? 0 : -1;
}

const struct cap_backend cap_cgroup1 = {
	.name = "cgroup v1",
	.probe = v1_probe,
	.apply = v1_apply,
	.apply_task = v1_apply_task,
	.limit = v1_limit,
	.events = v1_events,
	.kills = v1_kills,
	.watch = v1_watch,
	.kill_all = cgroup_kill_all,
};
