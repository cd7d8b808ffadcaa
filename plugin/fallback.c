/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Nodes without a memory cgroup. Which of these serves there is the
 * administrator's choice; the others are never asked. None has directories, so
 * nothing can be written, counted or read back.
 */
#include "plugin/backend.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "plugin/banned.h"

static int any_task(const struct cap_host *host, pid_t pid, uint32_t job,
		    struct cap_place *place, struct err *e)
{
	(void)host;
	(void)pid;
	(void)job;
	(void)e;
	memset(place, 0, sizeof(*place));
	return 1;
}

static int take(const struct cap_host *host, const char *dir, bool is_job,
		const struct limits *want, struct cap_limit *got, struct err *e)
{
	(void)host;
	(void)dir;
	(void)is_job;
	(void)e;
	got->bytes = want->cap;
	got->foreign = false;
	got->swap = want->swap;
	return 0;
}

static int no_limit(const struct cap_host *host, const char *dir,
		    uint64_t *bytes, struct err *e)
{
	(void)host;
	(void)dir;
	(void)e;
	*bytes = UINT64_MAX;
	return 0;
}

static void no_events(const struct cap_host *host, const char *dir,
		      uint64_t set, struct cap_events *out)
{
	(void)set;
	(void)host;
	(void)dir;
	out->full = false;
	out->peak = out->swap = out->swap_peak = CAP_UNKNOWN;
}

/*
 * Private writable memory of one process. Not RLIMIT_AS: of its address space a
 * program uses a small part, under MPI a tenth. A child has the same limit once
 * more, and so have the job's other steps.
 */
static uint64_t share(uint64_t cap, uint32_t n_tasks)
{
	uint64_t bytes = cap / (n_tasks > 0 ? n_tasks : 1);

	return bytes - bytes % SIZE_ROUND;
}

/* Of both, whichever is lower stays: Slurm has set the user's own. */
static int rlimit_enter(uint64_t cap, uint32_t n_tasks, struct err *e)
{
	rlim_t most = (rlim_t)share(cap, n_tasks);
	struct rlimit r, now;

	if (cap == NO_CAP)
		return 0;
	if (getrlimit(RLIMIT_DATA, &r) < 0)
		return err_set(e, "its RLIMIT_DATA cannot be read: %s",
			       err_cause(errno));
	if (r.rlim_max > most)
		r.rlim_max = most;
	if (r.rlim_cur > most)
		r.rlim_cur = most;
	if (setrlimit(RLIMIT_DATA, &r) < 0)
		return err_set(e, "its RLIMIT_DATA cannot be set: %s",
			       err_cause(errno));
	if (getrlimit(RLIMIT_DATA, &now) < 0 || now.rlim_max > most ||
	    now.rlim_cur > most)
		return err_set(e, "its RLIMIT_DATA was set, but does not hold");
	return 0;
}

static void off_notice(uint64_t cap, uint32_t n_tasks, char *out, size_t size)
{
	char text[SIZE_TEXT_MAX];

	(void)n_tasks;
	if (cap == NO_CAP)
		snprintf(out, size, "nothing limits what the job swaps");
	else
		snprintf(out, size,
			 "nothing keeps the job within its cap of %s",
			 size_format(text, cap));
}

static void rlimit_notice(uint64_t cap, uint32_t n_tasks, char *out,
			  size_t size)
{
	char text[SIZE_TEXT_MAX];

	if (cap == NO_CAP)
		off_notice(cap, n_tasks, out, size);
	else
		snprintf(out, size,
			 "each process is kept to %s of private memory; shared "
			 "memory, swap and the job's sum are not counted",
			 size_format(text, share(cap, n_tasks)));
}

const struct cap_backend cap_rlimit = {
	.name = "rlimit",
	.probe = any_task,
	.apply = take,
	.limit = no_limit,
	.enter = rlimit_enter,
	.notice = rlimit_notice,
	.events = no_events,
};

const struct cap_backend cap_off = {
	.name = "off",
	.probe = any_task,
	.apply = take,
	.limit = no_limit,
	.notice = off_notice,
	.events = no_events,
};

static int refuse(const struct cap_host *host, pid_t pid, uint32_t job,
		  struct cap_place *place, struct err *e)
{
	(void)host;
	(void)pid;
	(void)job;
	(void)place;
	return err_set(e,
		       "Slurm keeps no memory cgroup for it, and without one "
		       "no cap can be kept: the administrator sets "
		       "TaskPlugin=task/cgroup and ConstrainRAMSpace=yes");
}

/* As its probe never succeeds, no other slot is ever called. */
const struct cap_backend cap_refuse_all = {
	.name = "refuse",
	.probe = refuse,
};
