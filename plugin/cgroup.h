/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the two cgroup backends do alike: finding a task's directories, and
 * bringing a limit down while others write to it. Functions return -errno upon
 * failure unless they say otherwise.
 */
#ifndef GBM_PLUGIN_CGROUP_H
#define GBM_PLUGIN_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "plugin/backend.h"

/*
 * As cap_backend's probe: by the v1 hierarchy of CONTROLLER, or v2 for NULL,
 * in which the directory above all jobs is LEVELS above a job's.
 */
int cgroup_find(const struct cap_host *host, pid_t pid, uint32_t job,
		const char *controller, int levels, struct cap_place *place,
		struct err *e);

/*
 * The directory of the process host->self in the same hierarchy, whose root is
 * DIR[0, *POINT_LEN). Returns 1, 0 if there is no such hierarchy, or -1.
 */
int cgroup_self(const struct cap_host *host, const char *controller,
		char dir[PROCFS_PATH_MAX], size_t *point_len, struct err *e);

/* The job's directory of PLACE; returns OUT. */
const char *cgroup_job_dir(const struct cap_place *place,
			   char out[PROCFS_PATH_MAX]);

int cgroup_get(const struct cap_host *host, const char *dir, const char *file,
	       uint64_t *value);
int cgroup_set(const struct cap_host *host, const char *dir, const char *file,
	       uint64_t value);

/* openat(2) with FLAGS; returns a descriptor. */
int cgroup_open(const struct cap_host *host, const char *dir, const char *file,
		int flags);

/* The number after KEY in DIR/FILE, a short file of "KEY NUMBER" lines. */
int cgroup_get_key(const struct cap_host *host, const char *dir,
		   const char *file, const char *key, uint64_t *value);

/* cap_backend's limit(), where FILE has it. */
int cgroup_limit(const struct cap_host *host, const char *dir, const char *file,
		 uint64_t *bytes, struct err *e);

/*
 * Writes MOST if the value is above it, and reads back: NOW is in force then,
 * or -EAGAIN if that is still above.
 */
int cgroup_lower(const struct cap_host *host, const char *dir, const char *file,
		 uint64_t most, uint64_t *now);

/*
 * Calls ATTEMPT until it returns something other than -EAGAIN, -EBUSY, -EINTR
 * and -EINVAL, which pass: Slurm was writing as well, or memory has to be given
 * back first. Gives up after about two seconds and returns the last error.
 */
int cgroup_retry(int (*attempt)(void *ctx), void *ctx);

/*
 * Calls VISIT with DIR and the directories below it. The user of a job may have
 * made any number of them (v1): after some hundreds, or at great depth, the
 * rest is left out.
 */
typedef void cgroup_visit(const struct cap_host *host, const char *dir,
			  void *ctx);
void cgroup_walk(const struct cap_host *host, const char *dir,
		 cgroup_visit *visit, void *ctx);

/* cap_backend's kill_all() */
bool cgroup_kill_all(const struct cap_host *host, const char *dir);

/* The sentence for RC, from bringing DIR down to WANT; returns -1. */
int cgroup_failed(int rc, const struct limits *want, struct err *e);

#endif
