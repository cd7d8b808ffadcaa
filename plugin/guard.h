/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What all jobs of a node may use together: a limit on the directory above
 * theirs, which no option of a job can lift and which holds while Slurm
 * rewrites a job's own at the start of each of its steps. Slurm makes this
 * directory before its first job's and never removes it or writes a limit
 * there, so the limit is ours to raise as well. systemd may lift it (v2: a
 * daemon-reload), therefore each step looks again.
 *
 * Works as root in slurmd and slurmstepd, on files below host->root only.
 */
#ifndef GBM_PLUGIN_GUARD_H
#define GBM_PLUGIN_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "plugin/backend.h"

struct guard {
	bool v2;
	/* path[0, top_len) is the directory above all jobs; what follows, if
	 * anything, leads to a task. */
	char path[PROCFS_PATH_MAX];
	size_t top_len;
};

/*
 * As the task PID of job JOB shows, seen from its slurmstepd. Returns 1; 0 if
 * it is in no memory cgroup; -1 and a sentence.
 */
int guard_of_task(const struct cap_host *host, pid_t pid, uint32_t job,
		  struct guard *g, struct err *e);

/*
 * In slurmd, host->self, which calls itself NODE. Slurm does not say where jobs
 * will be, so here alone names are composed, and only to look for what exists.
 * Returns 1; 0 if Slurm has not made it yet: then the first step finds it,
 * before any program of a user runs in it; -1 and a sentence if this node has
 * nothing that could hold such a limit.
 */
int guard_of_slurmd(const struct cap_host *host, const char *node,
		    struct guard *g, struct err *e);

/*
 * Makes BYTES (a multiple of SIZE_ROUND) and SWAP hold there, lower or higher
 * than before. Returns 0 when they do, 1 if something had to be changed for
 * that; -1 and a sentence in E if they do not: when more is in use already, it
 * cannot grow by more than a little, and nothing is killed for it.
 */
int guard_apply(const struct cap_host *host, const struct guard *g,
		uint64_t bytes, const struct swap *swap, struct err *e);

#endif
