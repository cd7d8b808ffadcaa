/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * One step on one node: from "its tasks are about to run" to "its last task is
 * gone". Chooses the backend, applies the limits to the job's and the step's
 * directories, keeps a verdict for each task, and words what happened.
 *
 * A struct cap_step lives in memory shared between slurmstepd, which places and
 * judges the tasks, and its forked children, which only ask for the verdict:
 * Slurm holds each child at a pipe until all have been placed, and that pipe
 * orders the accesses. It holds no pointer but to static data and no
 * descriptor but the root's. All strings are for people, end in no newline and
 * start with no program name.
 */
#ifndef GBM_PLUGIN_CAP_H
#define GBM_PLUGIN_CAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "plugin/backend.h"
#include "plugin/conf.h"

#define CAP_LEAF_MAX 64
#define CAP_NODE_MAX 256
#define CAP_TEXT_MAX 512
#define CAP_EXTERN   (-1) /* the extern step has no task: slurmstepd itself */

struct cap_task {
	bool placed;
	uint64_t kills;		 /* of its directory when it was placed */
	char leaf[CAP_LEAF_MAX]; /* its directory, below the step's */
};

struct cap_step {
	/* Set by cap_init(). */
	struct cap_host host;
	char node[CAP_NODE_MAX];
	uint32_t job;
	uint32_t n_tasks;
	enum conf_fallback fallback;
	bool warn; /* a cap that cannot be kept refuses nothing */
	struct limits job_want;
	struct limits step_want; /* at most the job's */

	/* Set by cap_refuse() or cap_place(): no task may run. */
	struct err why;

	/* Set by cap_forgo() or cap_place(): the tasks run, but nothing says
	 * that the cap is kept. */
	struct err unkept;

	/* Set by cap_place(). */
	const struct cap_backend *backend;
	char dir[PROCFS_PATH_MAX]; /* the step's, or "" */
	size_t job_len;		   /* dir[0, job_len) is the job's */
	struct cap_limit job_got, step_got;

	struct cap_task tasks[];
};

/* Bytes of a step with N_TASKS tasks on this node. */
size_t cap_size(uint32_t n_tasks);

/*
 * C is zeroed memory of cap_size(N_TASKS). The root in HOST stays the caller's.
 * Of CONF only fallback and warn count.
 */
void cap_init(struct cap_step *c, const struct cap_host *host,
	      const struct conf *conf, const char *node, uint32_t job,
	      uint32_t n_tasks, const struct limits *job_want,
	      const struct limits *step_want);

/* No task of this step may run, because of WHY; the first reason stays. */
void cap_refuse(struct cap_step *c, const char *why);

/* The tasks may run although their cap is not kept, because of WHY. */
void cap_forgo(struct cap_step *c, const char *why);

/*
 * Task TASK (its number on this node, or CAP_EXTERN) is the process PID, in its
 * final cgroup and not yet running the user's program. The first call applies
 * the limits. Upon failure the verdict of every task is a refusal, or there is
 * a notice.
 */
void cap_place(struct cap_step *c, int task, pid_t pid);

/* NULL if the task may run, else the sentence that says why not. */
const char *cap_verdict(const struct cap_step *c, uint32_t task);

/*
 * In the task, whose verdict is NULL: what it must set for itself. -1 and a
 * sentence in E upon failure.
 */
int cap_enter(const struct cap_step *c, struct err *e);

/*
 * What the user must know of how the cap is kept on this node, after the first
 * cap_place(): that it is not, or only weakly. Returns OUT, or NULL if it is
 * kept.
 */
const char *cap_notice(const struct cap_step *c, char out[CAP_TEXT_MAX]);

/* The least limit for the step's tasks, in bytes; after cap_place(). */
uint64_t cap_bytes(const struct cap_step *c);

/* Slurm's own limit on the job is below the job's cap and holds in its stead.
 */
bool cap_is_slurms(const struct cap_step *c);

/*
 * TASK, called WHO in messages ("task 2"), ended with the wait status STATUS.
 * Returns whether it or a process of its own was killed for want of memory; OUT
 * then says so. The task's cgroup must still exist.
 */
bool cap_explain(const struct cap_step *c, uint32_t task, const char *who,
		 int status, char out[CAP_TEXT_MAX]);

/* One line on the whole step; its cgroup must still exist. Returns OUT. */
const char *cap_summary(const struct cap_step *c, char out[CAP_TEXT_MAX]);

#endif
