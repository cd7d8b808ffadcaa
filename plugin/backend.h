/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The ways in which a kernel can keep a cap. cap.c asks each backend of its
 * table in turn whether a task is its own, and then uses that one for the whole
 * step; it holds no special case for any.
 *
 * The functions run as root in slurmstepd, allocate nothing, keep no state and
 * touch only files below host->root. A directory is a path relative to it.
 * Those that can fail return -1 and put into E what is wrong, worded to follow
 * "job 17 on pi03: ".
 */
#ifndef GBM_PLUGIN_BACKEND_H
#define GBM_PLUGIN_BACKEND_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "plugin/err.h"
#include "plugin/policy.h"
#include "plugin/procfs.h"

struct cap_host {
	int root;   /* the file system's root, see sysroot.h */
	pid_t self; /* slurmstepd: its mounts are the ones that count */
};

/*
 * Where a task is kept. path[0, job_len) is the job's directory, path[0,
 * step_len) the step's, and the whole of it the task's own. path[0, top_len) is
 * the directory above all jobs of this slurmd: 0 if slurmd cannot see it.
 */
struct cap_place {
	char path[PROCFS_PATH_MAX];
	size_t top_len;
	size_t job_len;
	size_t step_len;
};

/* The limit that holds in a directory. */
struct cap_limit {
	uint64_t bytes;
	bool foreign; /* lower than what was wanted: not ours, Slurm's */
	struct swap swap; /* as wanted, or what Slurm grants, if that is less */
};

#define CAP_UNKNOWN UINT64_MAX /* the kernel does not tell */

struct cap_events {
	uint64_t peak;	    /* bytes, most ever used, or CAP_UNKNOWN */
	uint64_t swap;	    /* bytes in use now, or CAP_UNKNOWN */
	uint64_t swap_peak; /* bytes, most ever used, or CAP_UNKNOWN */
	bool full;	    /* its own limit has been reached */
};

struct cap_backend {
	const char *name;

	/*
	 * Is the task PID of job JOB kept by this backend? Returns 1 and PLACE;
	 * 0 to let the next backend look; -1 if it is this backend's, but
	 * cannot be capped.
	 */
	int (*probe)(const struct cap_host *host, pid_t pid, uint32_t job,
		     struct cap_place *place, struct err *e);

	/*
	 * Makes WANT hold in DIR, the job's or a step's: lowers what is above
	 * it, leaves what is below it, raises nothing, and returns 0 only after
	 * having read back that it holds; GOT is then the limit in force. Other
	 * slurmstepd may be writing to the same directory, and what is in use
	 * may be more than WANT: it tries again for about two seconds.
	 */
	int (*apply)(const struct cap_host *host, const char *dir, bool is_job,
		     const struct limits *want, struct cap_limit *got,
		     struct err *e);

	/*
	 * What SWAP needs in the task's own directory, beyond apply() in those
	 * above it. May be NULL.
	 */
	int (*apply_task)(const struct cap_host *host, const char *dir,
			  const struct swap *swap, struct err *e);

	/* The limit in force in DIR, without changing it. */
	int (*limit)(const struct cap_host *host, const char *dir,
		     uint64_t *bytes, struct err *e);

	/*
	 * In the task itself, as its user and about to run the program: what a
	 * process must set for itself so that a step of N_TASKS tasks on this
	 * node keeps to CAP bytes. The only slot that is not called as root.
	 * May be NULL.
	 */
	int (*enter)(uint64_t cap, uint32_t n_tasks, struct err *e);

	/*
	 * How weakly CAP is kept, worded to follow "on pi03 there is no memory
	 * cgroup: ". NULL where it is kept in full.
	 */
	void (*notice)(uint64_t cap, uint32_t n_tasks, char *out, size_t size);

	/*
	 * Counters since DIR was made, whose limit has been SET bytes, or
	 * CAP_UNKNOWN: what the file says may be Slurm's for a moment. Those
	 * that cannot be read are 0 or unknown: they explain, they decide
	 * nothing. A backend without directories has this one and none of those
	 * after it.
	 */
	void (*events)(const struct cap_host *host, const char *dir,
		       uint64_t set, struct cap_events *out);

	/*
	 * Processes of DIR and of the directories below it that have been
	 * killed for want of memory.
	 */
	uint64_t (*kills)(const struct cap_host *host, const char *dir);

	/*
	 * Opens what poll(2) waits for: its event comes when memory runs short
	 * in DIR, through whichever limit of its own or above it, and perhaps
	 * before the kill. Returns -1 upon failure.
	 */
	int (*watch)(const struct cap_host *host, const char *dir,
		     struct pollfd *out);

	/*
	 * Sends SIGKILL to all processes of a step, but not to slurmstepd.
	 * Returns whether there were any.
	 */
	bool (*kill_all)(const struct cap_host *host, const char *dir);
};

extern const struct cap_backend cap_cgroup1;
extern const struct cap_backend cap_cgroup2;

/* For nodes on which none of the above finds its own. */
extern const struct cap_backend cap_rlimit;
extern const struct cap_backend cap_refuse_all;
extern const struct cap_backend cap_off;

#endif
