/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * In slurmstepd, as root: one step on this node. What a hook finds wrong is
 * kept in the step's page until task_init, the only one that may fail.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* MAP_ANONYMOUS, nanosleep */
#endif

#include "plugin/spank_gbm.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <slurm/slurm.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "plugin/cap.h"
#include "plugin/sysroot.h"

#include "plugin/banned.h"

static struct {
	int root;	       /* "/", or -1 */
	struct cap_step *page; /* NULL if there is nothing to do */
	bool refuse;	       /* the above cannot be had */
	uint32_t job, node_id;
	uint32_t exited; /* tasks */
	uint64_t asked;	 /* cap that this step asked for, in bytes, or 0 */
	enum conf_report report;
	bool batch;
	bool first; /* likely the first step of the job */
} step = { .root = -1 };

int step_init(spank_t sp, int ac, char **av)
{
	conf_parse(&gbm.conf, ac, av, &gbm.conf_bad);
	if (gbm_register_options(sp) < 0)
		slurm_error("gbm: cannot register the options");
	return 0;
}

/*
 * What this step has to keep. Returns 1 and the limits (HAS_JOB: the job has
 * some), 0 for nothing, -1 and a sentence for a step that must not run.
 */
static int find_limits(const char *node, uint32_t uid, bool carries_job,
		       bool *has_job, struct limits *job, struct limits *own,
		       struct err *e)
{
	bool wanted = gbm.request.has_cap || gbm.option_bad.text[0] != '\0';
	struct state state;
	int dir, found = 0;

	if (gbm.conf_bad.text[0] != '\0') {
		slurm_error("gbm: %s", gbm.conf_bad.text);
		if (!wanted)
			return 0;
		return err_set(e, "%s: tell the administrator",
			       gbm.conf_bad.text);
	}
	dir = state_open_dir(step.root, gbm.conf.state_dir, node,
			     wanted && carries_job, ROOT_UID, e);
	if (dir >= 0) {
		found = state_load(dir, step.job, uid, ROOT_UID, &state, e);
		/* Where Slurm runs no SPANK prolog (PrologFlags=RunInJob), the
		 * first step whose option is the job's does its work. */
		if (found == 0 && wanted && carries_job) {
			found = 1;
			if (job_note(dir, step.job, uid, step.root, &state, e) <
			    0)
				found = -1;
		}
		close(dir);
	} else if (dir != STATE_NONE) {
		if (!wanted) {
			slurm_error("gbm: %s", e->text);
			return 0;
		}
		found = -1;
	}
	if (found < 0)
		return -1;
	if (gbm.option_bad.text[0] != '\0')
		return err_set(e, "%s", gbm.option_bad.text);
	if (found > 0 && state.refused)
		return err_set(e, "%s", state.reason.text);
	*has_job = found > 0;
	if (*has_job)
		*job = state.limits;
	step.report = policy_tells(&gbm.request, &gbm.conf,
				   *has_job ? &state.report : NULL);
	return policy_step(&gbm.request, &gbm.conf, *has_job ? job : NULL,
			   gbm_mem_total(step.root), own, &step.asked, e);
}

int step_post_opt(spank_t sp)
{
	char host[HOST_NAME_MAX + 1];
	const char *node = gbm_node_name(host, sizeof(host));
	uint32_t step_id = 0, n_tasks = 0;
	struct limits job = { 0 }, own = { 0 };
	struct cap_host where;
	struct err e = { { 0 } };
	bool has_job = false;
	uid_t uid = 0;
	void *page;
	int rc;

	step.root = sysroot_real();
	if (step.root < 0 ||
	    spank_get_item(sp, S_JOB_ID, &step.job) != ESPANK_SUCCESS ||
	    spank_get_item(sp, S_JOB_UID, &uid) != ESPANK_SUCCESS ||
	    spank_get_item(sp, S_JOB_STEPID, &step_id) != ESPANK_SUCCESS ||
	    spank_get_item(sp, S_JOB_NODEID, &step.node_id) != ESPANK_SUCCESS ||
	    spank_get_item(sp, S_JOB_LOCAL_TASK_COUNT, &n_tasks) !=
		    ESPANK_SUCCESS) {
		slurm_error("gbm: cannot learn what this step is");
		step.refuse = gbm.request.has_cap;
		return 0;
	}
	step.batch = step_id == SLURM_BATCH_SCRIPT;
	step.first = step.batch || step_id == SLURM_INTERACTIVE_STEP;
	rc = find_limits(node, uid, step.first, &has_job, &job, &own, &e);
	step.first = step.first || step_id == 0;
	if (rc == 0)
		return 0;
	page = mmap(NULL, cap_size(n_tasks), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED) {
		slurm_error("gbm: no memory: %s", strerror(errno));
		step.refuse = true;
		return 0;
	}
	step.page = page;
	where.root = step.root;
	where.self = getpid();
	cap_init(step.page, &where, &gbm.conf, node, step.job, n_tasks,
		 has_job ? &job : NULL, &own);
	if (rc < 0)
		cap_refuse(step.page, e.text);
	return 0;
}

/*
 * By the first node only, and of Slurm's limit only once or twice a job. That a
 * step's --mem is below the cap is its user's wish and no news.
 */
static void tell_if_lowered(void)
{
	char had[SIZE_TEXT_MAX], wanted[SIZE_TEXT_MAX], text[CAP_TEXT_MAX];
	const struct cap_step *c = step.page;

	if (step.node_id != 0 || cap_verdict(c, 0))
		return;
	if (step.asked > c->step_want.cap)
		snprintf(text, sizeof(text),
			 "this step asks for --gbm-mem-cap=%s, but job %" PRIu32
			 " has a cap of %s, which holds",
			 size_format(wanted, step.asked), c->job,
			 size_format(had, c->step_want.cap));
	else if (cap_is_slurms(c) && step.first)
		snprintf(text, sizeof(text),
			 "--gbm-mem-cap=%s is above what Slurm allocated on "
			 "%.64s: %s holds (raise --mem)",
			 size_format(wanted, c->job_want.cap), c->node,
			 size_format(had, c->job_got.bytes));
	else
		return;
	gbm_say(text);
}

/* A weaker cap is the node's nature: the first steps tell. One that could not
 * be made to hold is news each time. */
static void tell_how_kept(void)
{
	char text[CAP_TEXT_MAX];
	const char *notice = cap_notice(step.page, text);

	if (notice && (step.first || step.page->unkept.text[0] != '\0'))
		gbm_say(notice);
}

int step_post_fork(spank_t sp)
{
	pid_t pid = 0;
	int task = CAP_EXTERN;

	if (!step.page)
		return 0;
	if (spank_get_item(sp, S_TASK_ID, &task) != ESPANK_SUCCESS)
		task = CAP_EXTERN;
	if (task == CAP_EXTERN) {
		cap_place(step.page, CAP_EXTERN, getpid());
		/* Nobody's program to refuse, no stderr to tell. */
		if (step.page->why.text[0] != '\0')
			slurm_verbose("gbm: %s", step.page->why.text);
		else if (step.page->unkept.text[0] != '\0')
			slurm_verbose("gbm: %s", step.page->unkept.text);
		return 0;
	}
	if (spank_get_item(sp, S_TASK_PID, &pid) != ESPANK_SUCCESS) {
		cap_refuse(step.page, "Slurm does not tell a task's process");
		return 0;
	}
	cap_place(step.page, task, pid);
	if (task == 0) {
		tell_how_kept();
		tell_if_lowered();
	}
	return 0;
}

int step_task_init(spank_t sp)
{
	char bytes[24];
	struct err e = { { 0 } };
	const char *why;
	int task = -1;

	if (step.refuse) {
		gbm_say("the cap cannot be kept here: the log of slurmd says "
			"why");
		return -1;
	}
	if (!step.page)
		return 0;
	if (spank_get_item(sp, S_TASK_ID, &task) != ESPANK_SUCCESS || task < 0)
		return -1;
	why = cap_verdict(step.page, (uint32_t)task);
	if (why) {
		/* Once a node is enough. */
		if (task == 0)
			gbm_say(why);
		return -1;
	}
	if (cap_enter(step.page, &e) < 0) {
		gbm_say(e.text);
		if (!step.page->warn)
			return -1;
	}
	snprintf(bytes, sizeof(bytes), "%" PRIu64, cap_bytes(step.page));
	if (spank_setenv(sp, "GBM_MEM_CAP", bytes, 1) != ESPANK_SUCCESS) {
		gbm_say("GBM_MEM_CAP cannot be set");
		return -1;
	}
	return 0;
}

int step_task_exit(spank_t sp)
{
	static const struct timespec in_flight = { 0, 100000000 };
	char text[CAP_TEXT_MAX], who[32] = "the batch script";
	bool killed;
	uint32_t rank = 0;
	int task = -1, status = 0;

	if (!step.page)
		return 0;
	if (spank_get_item(sp, S_TASK_ID, &task) != ESPANK_SUCCESS ||
	    spank_get_item(sp, S_TASK_EXIT_STATUS, &status) != ESPANK_SUCCESS ||
	    task < 0 || cap_verdict(step.page, (uint32_t)task))
		return 0;
	if (!step.batch) {
		if (spank_get_item(sp, S_TASK_GLOBAL_ID, &rank) !=
		    ESPANK_SUCCESS)
			rank = (uint32_t)task;
		snprintf(who, sizeof(who), "task %" PRIu32, rank);
	}
	killed = cap_explain(step.page, (uint32_t)task, who, status, text);
	if (killed)
		gbm_say(text);
	/* Later is too late: at exit stderr is closed and the cgroup gone. */
	if (++step.exited == step.page->n_tasks && step.report != REPORT_OFF)
		gbm_say(cap_summary(step.page, text));
	/* Where Slurm constrains no memory itself, srun learns of a SIGKILL and
	 * at once stops listening: let the text arrive first. */
	if (killed)
		nanosleep(&in_flight, NULL);
	return 0;
}

void step_exit(void)
{
	if (step.page)
		munmap(step.page, cap_size(step.page->n_tasks));
	step.page = NULL;
	if (step.root >= 0)
		close(step.root);
	step.root = -1;
}
