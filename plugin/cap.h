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
#define CAP_TEXT_MAX 640
#define CAP_EXTERN   (-1) /* the extern step has no task: slurmstepd itself */

struct cap_task {
	bool placed;
	bool ended;  /* cap_explain() has been called */
	bool capped; /* a process of it was killed at a cap */
	pid_t pid;
	uint32_t rank; /* its number in the step; the caller's to set */
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

	/* The caller's to set, for texts. */
	uint64_t node_max; /* bytes, the most a job may ask for here, or 0 */
	bool whole_job;	   /* the step is what the user calls the job */

	/* Set by cap_refuse() or cap_place(): no task may run. */
	struct err why;

	/* Set by cap_forgo() or cap_place(): the tasks run, but nothing says
	 * that the cap is kept. */
	struct err unkept;

	/* Set by cap_place(). */
	const struct cap_backend *backend;
	char dir[PROCFS_PATH_MAX]; /* the step's, or "" */
	size_t job_len;		   /* dir[0, job_len) is the job's */
	size_t top_len;		   /* that of all jobs, or 0 */
	struct cap_limit job_got, step_got;

	/* Told of: kills in the step, and those in none of its tasks. */
	uint64_t seen, stray;

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

/* The swap that holds because Slurm grants no more, if that is less than what
 * the step wants; else NULL. */
const struct swap *cap_less_swap(const struct cap_step *c);

/*
 * Who is dead for want of memory, as far as nobody was told of it yet. OUT then
 * says so, unless it is CAP_NOBODY.
 */
enum cap_killed {
	CAP_NOBODY,
	CAP_BY_CAP,  /* the job or the step was at its limit, or at Slurm's */
	CAP_BY_OTHER /* it was not: the node's, or one that is not ours */
};

/*
 * TASK ended with the wait status STATUS: was it, or a process of its own? The
 * task's cgroup must still exist.
 */
enum cap_killed cap_explain(struct cap_step *c, uint32_t task, int status,
			    char out[CAP_TEXT_MAX]);

/* Is there anything for the next two functions to find? */
bool cap_news(struct cap_step *c);

/* A process of TASK, which itself lives on. Of one that does not, cap_explain()
 * will know more. */
enum cap_killed cap_look(struct cap_step *c, uint32_t task,
			 char out[CAP_TEXT_MAX]);

/* A process of the step that its user has moved out of all tasks' cgroups. */
enum cap_killed cap_look_around(struct cap_step *c, char out[CAP_TEXT_MAX]);

/* As cap_backend's watch() and kill_all(), of the whole step. */
int cap_watch(const struct cap_step *c, struct pollfd *out);
bool cap_kill_all(const struct cap_step *c);

/* "17.0", "17.batch". */
const char *cap_step_name(const struct cap_step *c);

/*
 * One line on the step or, if that is the whole job, on the job; for people and
 * for programs. Its cgroup must still exist. Return OUT.
 */
const char *cap_summary(const struct cap_step *c, char out[CAP_TEXT_MAX]);
const char *cap_json(const struct cap_step *c, char out[CAP_TEXT_MAX]);

#endif
