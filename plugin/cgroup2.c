/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cgroup v2: one hierarchy, in which Slurm makes TOP/job_J/step_S with the
 * directories slurm (slurmstepd itself), user/task_T and user/task_special. All
 * of them are root's.
 *
 * The step's cap goes to step_S, which Slurm leaves alone, and never to
 * step_S/user, which Slurm 26.05 rewrites. memory.oom.group must not be set on
 * the job's or the step's directory: slurmstepd is in both, and since 25.11 it
 * can be killed. Below, on step_S/user or a task's own, it cannot be hit.
 */
#include "plugin/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "plugin/sysroot.h"

#include "plugin/banned.h"

#define LIMIT	   "memory.max"
#define PEAK	   "memory.peak" /* since Linux 5.19 */
#define SWAP_LIMIT "memory.swap.max"
#define SWAP_USAGE "memory.swap.current"
#define SWAP_PEAK  "memory.swap.peak" /* since Linux 6.5 */

/* Of the directory alone (since Linux 5.2), and with those below it. */
#define EVENTS_LOCAL "memory.events.local"
#define EVENTS_ALL   "memory.events"

static int v2_limit(const struct cap_host *host, const char *dir,
		    uint64_t *bytes, struct err *e)
{
	return cgroup_limit(host, dir, LIMIT, bytes, e);
}

/*
 * Without the memory controller (turned off at boot, or in a v1 hierarchy)
 * Slurm makes the same directories, and they have no such file.
 */
static int v2_probe(const struct cap_host *host, pid_t pid, uint32_t job,
		    struct cap_place *place, struct err *e)
{
	char dir[PROCFS_PATH_MAX];
	uint64_t limit;
	int rc = cgroup_find(host, pid, job, NULL, 1, place, e);

	if (rc <= 0)
		return rc;
	cgroup_job_dir(place, dir);
	if (cgroup_get(host, dir, LIMIT, &limit) == -ENOENT)
		return 0;
	return v2_limit(host, dir, &limit, e) < 0 ? -1 : 1;
}

/* Whether there is swap that somebody could use; if unknown, yes. */
static bool has_swap(const struct cap_host *host)
{
	char text[8192];
	uint64_t bytes;
	ssize_t n =
		sysroot_read(host->root, "proc/meminfo", text, sizeof(text));

	return n < 0 || !procfs_swap_total(text, (size_t)n, &bytes) ||
	       bytes > 0;
}

struct goal {
	const struct cap_host *host;
	const char *dir;
	const struct limits *want;
	/* What holds, after an attempt that succeeded. */
	uint64_t limit, swap;
};

/*
 * Slurm up to 23.02.5 grants as much swap as RAM, and all versions write both
 * limits anew at each step's start; so swap is asked for once more at the end.
 */
static int lower_swap(struct goal *goal)
{
	const struct swap *swap = &goal->want->swap;
	int rc;

	if (swap->mode == SWAP_ALLOW)
		return 0;
	rc = cgroup_lower(goal->host, goal->dir, SWAP_LIMIT,
			  swap->mode == SWAP_SIZE ? swap->bytes : 0,
			  &goal->swap);
	if (rc == -ENOENT) /* a kernel without swap accounting */
		return has_swap(goal->host) ? -EOPNOTSUPP : 0;
	return rc;
}

/*
 * Swap first: RAM that is reclaimed for the lower limit must not go there.
 *
 * The kernel takes a limit below what is in use, and makes it true before the
 * write returns: it reclaims, then kills the largest process. A job may be
 * above its cap here only by what its other steps have taken since Slurm
 * raised its limit a moment ago, which without this step would have had them
 * killed. A step's directory is new: nobody but slurmstepd is in it.
 */
static int attempt(void *ctx)
{
	struct goal *goal = ctx;
	int rc = lower_swap(goal);

	if (rc == 0)
		rc = cgroup_lower(goal->host, goal->dir, LIMIT, goal->want->cap,
				  &goal->limit);
	return rc == 0 ? lower_swap(goal) : rc;
}

/* Slurm from 23.02.6 on grants what the administrator's AllowedSwapSpace= says,
 * which may be none. */
static struct swap swap_that_holds(const struct goal *goal)
{
	struct swap swap = goal->want->swap;

	if (swap.mode == SWAP_SIZE && goal->swap < swap.bytes) {
		swap.bytes = goal->swap - goal->swap % SIZE_ROUND;
		swap.mode = swap.bytes > 0 ? SWAP_SIZE : SWAP_NONE;
	}
	return swap;
}

static int v2_apply(const struct cap_host *host, const char *dir, bool is_job,
		    const struct limits *want, struct cap_limit *got,
		    struct err *e)
{
	struct goal goal = { host, dir, want, 0, UINT64_MAX };
	int rc = cgroup_retry(attempt, &goal);

	(void)is_job;
	if (rc == -EOPNOTSUPP)
		return err_set(e, "this node has swap, but its kernel does not "
				  "count it: use --gbm-swap=allow, or the "
				  "administrator turns swap off");
	if (rc < 0)
		return cgroup_failed(rc, want, e);
	got->bytes = goal.limit;
	got->foreign = goal.limit < want->cap;
	got->swap = swap_that_holds(&goal);
	return 0;
}

/* How often the limit of DIR itself could not be kept. */
static uint64_t ooms(const struct cap_host *host, const char *dir)
{
	uint64_t n;

	if (cgroup_get_key(host, dir, EVENTS_LOCAL, "oom", &n) == 0 ||
	    cgroup_get_key(host, dir, EVENTS_ALL, "oom", &n) == 0)
		return n;
	return 0;
}

static uint64_t get_or(const struct cap_host *host, const char *dir,
		       const char *file)
{
	uint64_t bytes;

	return cgroup_get(host, dir, file, &bytes) == 0 ? bytes : CAP_UNKNOWN;
}

/* Not the event "max": reclaim of page cache moves it, and nobody is killed. */
static void v2_events(const struct cap_host *host, const char *dir,
		      uint64_t set, struct cap_events *out)
{
	(void)set;
	out->full = ooms(host, dir) > 0;
	out->peak = get_or(host, dir, PEAK);
	out->swap = get_or(host, dir, SWAP_USAGE);
	out->swap_peak = get_or(host, dir, SWAP_PEAK);
}

static uint64_t v2_kills(const struct cap_host *host, const char *dir)
{
	uint64_t n;

	return cgroup_get_key(host, dir, EVENTS_ALL, "oom_kill", &n) == 0 ? n
									  : 0;
}

/* The kernel tells the directory of the process that it kills, and those above
 * that. */
static int v2_watch(const struct cap_host *host, const char *dir,
		    struct pollfd *out)
{
	out->fd = cgroup_open(host, dir, EVENTS_ALL, O_RDONLY);
	out->events = POLLPRI;
	return out->fd < 0 ? -1 : 0;
}

const struct cap_backend cap_cgroup2 = {
	.name = "cgroup v2",
	.probe = v2_probe,
	.apply = v2_apply,
	.limit = v2_limit,
	.events = v2_events,
	.kills = v2_kills,
	.watch = v2_watch,
	.kill_all = cgroup_kill_all,
};
