/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * In slurmstepd, as root: one step on this node. What a hook finds wrong is
 * kept in the step's page until task_init, the only one that may fail.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* MAP_ANONYMOUS, nanosleep, syslog */
#endif

#include "plugin/spank_gbm.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <slurm/slurm.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "plugin/cap.h"
#include "plugin/sysroot.h"
#include "plugin/watch.h"

#include "plugin/banned.h"

/* A line for each kill, but so many on a node; the rest is counted. */
#define LINES_MAX 16

static struct {
	int root;	       /* "/", or -1 */
	struct cap_step *page; /* NULL if there is nothing to do */
	bool refuse;	       /* the above cannot be had */
	bool tacit; /* no cap and no wish: no news of how it is kept */
	uint32_t job, id, node_id, n_nodes, n_tasks;
	uint64_t asked;	 /* cap that this step asked for, in bytes, or 0 */
	enum conf_report report;
	bool batch;
	bool first;   /* likely the first step of the job */
	bool noted;   /* this step has noted what the job has, not a prolog */
	bool guarded; /* the node guard has been looked after */

	/*
	 * The hooks of slurmstepd's main thread (with contain_spank, of a
	 * process that shares its memory) and the watch both tell of kills.
	 */
	pthread_mutex_t lock; /* of the page and what follows */
	struct watch watch;
	uint32_t exited;	/* tasks */
	uint32_t lines, untold; /* of kills */
	bool ending;		/* a kill ends the step, or the job */
	bool ended;		/* on all nodes; the watch's own */
} step = { .root = -1, .lock = PTHREAD_MUTEX_INITIALIZER };

int step_init(spank_t sp, int ac, char **av)
{
	conf_parse(&gbm.conf, ac, av, &gbm.conf_bad);
	if (gbm_register_options(sp) < 0)
		slurm_error("gbm: cannot register the options");
	return 0;
}

enum found {
	NOTHING, /* to keep */
	LIMITS,
	REFUSED, /* the user's fault, or the administrator's */
	UNKNOWN	 /* this node's: what the job has cannot be learnt */
};

/*
 * What this step has to keep: with LIMITS, those of the job and its OWN; with
 * REFUSED and UNKNOWN, a sentence in E.
 */
static enum found find_limits(const char *node, uint32_t uid, bool carries_job,
			      struct limits *job, struct limits *own,
			      struct err *e)
{
	static const struct request nothing;
	uint64_t mem_total = gbm_mem_total(step.root);
	bool asked = gbm_asked();
	struct state state;
	int dir, noted = 0;

	if (gbm.conf_bad.text[0] != '\0') {
		slurm_error("gbm: %s", gbm.conf_bad.text);
		if (!asked)
			return NOTHING;
		err_set(e, "%s: tell the administrator", gbm.conf_bad.text);
		return REFUSED;
	}
	dir = state_open_dir(step.root, gbm.conf.state_dir, node,
			     asked && carries_job, ROOT_UID, e);
	if (dir >= 0) {
		noted = state_load(dir, step.job, uid, ROOT_UID, &state, e);
		/* Where Slurm runs no SPANK prolog (PrologFlags=RunInJob), the
		 * first step whose option is the job's does its work, and at
		 * its end that of the epilog. */
		if (noted == 0 && asked && carries_job) {
			noted = 1;
			step.noted = true;
			if (job_note(dir, step.job, uid, step.root, &state, e) <
			    0)
				noted = -1;
		}
		close(dir);
	} else if (dir != STATE_NONE) {
		slurm_error("gbm: %s", e->text);
		if (asked)
			noted = -1;
	}
	if (noted < 0)
		return UNKNOWN;
	if (gbm.option_bad.text[0] != '\0') {
		*e = gbm.option_bad;
		return REFUSED;
	}
	if (noted > 0 && state.refused) {
		*e = state.reason;
		return REFUSED;
	}
	if (noted > 0)
		*job = state.limits;
	else if (policy_job(&nothing, &gbm.conf, mem_total, job, e) < 0)
		return REFUSED;
	step.report = policy_tells(&gbm.request, &gbm.conf,
				   noted > 0 ? &state.report : NULL);
	if (policy_step(&gbm.request, &gbm.conf, job, mem_total, own,
			&step.asked, e) < 0)
		return REFUSED;
	/* What nobody asked for must not keep a job from running. */
	step.tacit = own->cap == NO_CAP && !gbm.request.has_swap && noted == 0;
	return LIMITS;
}

static int open_kernel(struct pollfd *kernel)
{
	return cap_watch(step.page, kernel);
}

static void look(void);

static const struct watch_owner watcher = { open_kernel, look };

/*
 * In init_post_opt and not later, since with contain_spank a thread of a later
 * hook would end with the hook's process. Without it the hooks tell.
 */
static void start_watch(void)
{
	int rc = watch_start(&step.watch, &watcher);

	if (rc < 0)
		slurm_error("gbm: no thread: %s", err_cause(-rc));
}

int step_post_opt(spank_t sp)
{
	char host[HOST_NAME_MAX + 1];
	const char *node = gbm_node_name(host, sizeof(host));
	uint32_t n_tasks = 0;
	struct limits job = { NO_CAP, { SWAP_ALLOW, 0 } }, own = job;
	struct conf conf = gbm.conf;
	struct cap_host where;
	struct err e = { { 0 } };
	uid_t uid = 0;
	enum found found;
	void *page;

	step.root = sysroot_real();
	if (step.root < 0 ||
	    spank_get_item(sp, S_JOB_ID, &step.job) != ESPANK_SUCCESS ||
	    spank_get_item(sp, S_JOB_UID, &uid) != ESPANK_SUCCESS ||
	    spank_get_item(sp, S_JOB_STEPID, &step.id) != ESPANK_SUCCESS ||
	    spank_get_item(sp, S_JOB_NODEID, &step.node_id) != ESPANK_SUCCESS ||
	    spank_get_item(sp, S_JOB_NNODES, &step.n_nodes) != ESPANK_SUCCESS ||
	    spank_get_item(sp, S_JOB_TOTAL_TASK_COUNT, &step.n_tasks) !=
		    ESPANK_SUCCESS ||
	    spank_get_item(sp, S_JOB_LOCAL_TASK_COUNT, &n_tasks) !=
		    ESPANK_SUCCESS) {
		slurm_error("gbm: cannot learn what this step is");
		step.refuse = gbm_asked();
		return 0;
	}
	step.batch = step.id == SLURM_BATCH_SCRIPT ||
		     step.id == SLURM_INTERACTIVE_STEP;
	step.first = step.batch;
	found = find_limits(node, uid, step.first, &job, &own, &e);
	step.first = step.first || step.id == 0;
	if (found == NOTHING)
		return 0;
	page = mmap(NULL, cap_size(n_tasks), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED) {
		slurm_error("gbm: no memory: %s", err_cause(errno));
		step.refuse = !step.tacit;
		return 0;
	}
	step.page = page;
	where.root = step.root;
	where.self = getpid();
	conf.warn = conf.warn || step.tacit;
	/* A share of no cap is no limit. */
	if (own.cap == NO_CAP)
		conf.fallback = FALLBACK_OFF;
	cap_init(step.page, &where, &conf, node, step.job, n_tasks, &job, &own);
	step.page->whole_job = step.batch;
	step.page->node_max = policy_most(&gbm.conf, gbm_mem_total(step.root));
	if (found == UNKNOWN && conf.warn)
		cap_forgo(step.page, e.text);
	else if (found != LIMITS)
		cap_refuse(step.page, e.text);
	else if (step.id != SLURM_EXTERN_CONT)
		start_watch();
	return 0;
}

/*
 * By the first node only, and of Slurm's limit only once or twice a job. That a
 * step's --mem is below the cap is its user's wish and no news.
 */
static void tell_if_lowered(void)
{
	char had[SIZE_TEXT_MAX], wanted[SIZE_TEXT_MAX], text[CAP_TEXT_MAX];
	char swap[SWAP_TEXT_MAX], more[SWAP_TEXT_MAX];
	const struct cap_step *c = step.page;
	const struct swap *less;

	if (step.node_id != 0 || cap_verdict(c, 0))
		return;
	less = cap_less_swap(c);
	swap_text(swap, &c->step_want.swap);
	if (step.asked > c->step_want.cap)
		snprintf(text, sizeof(text),
			 "this step asks for --gbm-mem-cap=%s, but job %" PRIu32
			 " has a cap of %s, which holds",
			 size_format(wanted, step.asked), c->job,
			 size_format(had, c->step_want.cap));
	else if (gbm.request.has_swap &&
		 swap_less(&c->step_want.swap, &gbm.request.swap))
		snprintf(text, sizeof(text),
			 "this step asks for --gbm-swap=%s, but job %" PRIu32
			 " has %s, which holds",
			 swap_text(more, &gbm.request.swap), c->job, swap);
	else if (cap_is_slurms(c) && step.first && gbm.request.has_cap)
		snprintf(text, sizeof(text),
			 "--gbm-mem-cap=%s is above what Slurm allocated on "
			 "%.64s: %s holds (raise --mem)",
			 size_format(wanted, c->job_want.cap), c->node,
			 size_format(had, c->job_got.bytes));
	else if (less && step.first && gbm.request.has_swap)
		snprintf(text, sizeof(text),
			 "--gbm-swap=%s is above what Slurm grants on %.64s: "
			 "%s holds (AllowedSwapSpace= in cgroup.conf)",
			 swap, c->node, swap_text(more, less));
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

	if (notice && step.tacit)
		slurm_verbose("gbm: %s", notice);
	else if (notice && (step.first || step.page->unkept.text[0] != '\0'))
		gbm_say(notice);
}

int step_post_fork(spank_t sp)
{
	pid_t pid = 0;
	uint32_t rank;
	int task = CAP_EXTERN;

	if (spank_get_item(sp, S_TASK_ID, &task) != ESPANK_SUCCESS ||
	    spank_get_item(sp, S_TASK_PID, &pid) != ESPANK_SUCCESS)
		pid = 0;
	if (!step.guarded && step.job != 0)
		node_guard(step.root, step.job, pid > 0 ? pid : getpid());
	step.guarded = true;
	if (!step.page)
		return 0;
	if (task == CAP_EXTERN) {
		cap_place(step.page, CAP_EXTERN, getpid());
		/* Nobody's program to refuse, no stderr to tell. */
		if (step.page->why.text[0] != '\0')
			slurm_verbose("gbm: %s", step.page->why.text);
		else if (step.page->unkept.text[0] != '\0')
			slurm_verbose("gbm: %s", step.page->unkept.text);
		return 0;
	}
	if (pid == 0) {
		cap_refuse(step.page, "Slurm does not tell a task's process");
		return 0;
	}
	if ((uint32_t)task < step.page->n_tasks &&
	    spank_get_item(sp, S_TASK_GLOBAL_ID, &rank) == ESPANK_SUCCESS)
		step.page->tasks[task].rank = rank;
	cap_place(step.page, task, pid);
	if (task == 0) {
		tell_how_kept();
		tell_if_lowered();
	}
	if ((uint32_t)task + 1 == step.page->n_tasks)
		watch_ring(&step.watch);
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
		return gbm.conf.warn ? 0 : -1;
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
	if (step.page->step_want.cap == NO_CAP)
		return 0;
	snprintf(bytes, sizeof(bytes), "%" PRIu64, cap_bytes(step.page));
	if (spank_setenv(sp, "GBM_MEM_CAP", bytes, 1) != ESPANK_SUCCESS) {
		gbm_say("GBM_MEM_CAP cannot be set");
		return -1;
	}
	return 0;
}

/*
 * An MPI program that has lost a rank would only hang. At once on this node;
 * the watch asks Slurm for the others, which may take its time.
 */
static void begin_end(bool whole_job)
{
	const struct cap_step *c = step.page;
	char text[CAP_TEXT_MAX];

	if (step.ending)
		return;
	step.ending = true;
	if (whole_job)
		snprintf(text, sizeof(text), "all of job %" PRIu32 " ends now",
			 c->job);
	else
		snprintf(text, sizeof(text),
			 "the other tasks of step %" PRIu32 ".%.24s end now",
			 c->job, cap_step_name(c));
	gbm_say(text);
	(void)cap_kill_all(c);
	watch_ring(&step.watch);
}

static void tell(enum cap_killed killed, const char *text)
{
	if (killed == CAP_NOBODY)
		return;
	if (step.lines == LINES_MAX) {
		step.untold++;
	} else {
		step.lines++;
		gbm_say(text);
		/* Under slurmstepd's name: openlog() would keep a pointer into
		 * this plugin, and PMIx has left a name of its own there, which
		 * closelog() forgets. */
		if (gbm.conf.syslog) {
			closelog();
			syslog(LOG_DAEMON | LOG_WARNING, "gbm: %s", text);
			closelog();
		}
	}
	if (killed == CAP_BY_CAP && gbm.conf.oom == OOM_JOB)
		begin_end(true);
}

/* In the watch's thread. */
static void look(void)
{
	struct cap_step *c = step.page;
	char text[CAP_TEXT_MAX];
	bool ending;

	pthread_mutex_lock(&step.lock);
	if (step.exited < c->n_tasks && cap_news(c)) {
		for (uint32_t i = 0; i < c->n_tasks; i++)
			tell(cap_look(c, i, text), text);
		tell(cap_look_around(c, text), text);
	}
	ending = step.ending;
	pthread_mutex_unlock(&step.lock);
	if (!ending)
		return;
	(void)cap_kill_all(c);
	if (!step.ended && (step.n_nodes > 1 || gbm.conf.oom == OOM_JOB))
		end_everywhere(step.job, step.id, gbm.conf.oom == OOM_JOB);
	step.ended = true;
}

/* Later is too late: at exit stderr is closed and the cgroup gone. */
static void tell_at_end(void)
{
	char text[CAP_TEXT_MAX];

	if (step.untold > 0) {
		snprintf(text, sizeof(text),
			 "%" PRIu32 " more times a process was killed on %.64s",
			 step.untold, step.page->node);
		gbm_say(text);
	}
	if (step.report == REPORT_SUMMARY)
		gbm_say(cap_summary(step.page, text));
	else if (step.report == REPORT_JSON)
		slurm_spank_log("%s", cap_json(step.page, text));
}

/*
 * A task counts as lost when it was killed, or failed after a process of its
 * own was: the latter is a wrapper's script around a rank. A batch script, or a
 * shell, goes on as it likes.
 */
int step_task_exit(spank_t sp)
{
	static const struct timespec in_flight = { 0, 100000000 };
	struct cap_step *c = step.page;
	char text[CAP_TEXT_MAX];
	enum cap_killed killed;
	int task = -1, status = 0;

	if (!c)
		return 0;
	if (spank_get_item(sp, S_TASK_ID, &task) != ESPANK_SUCCESS ||
	    spank_get_item(sp, S_TASK_EXIT_STATUS, &status) != ESPANK_SUCCESS ||
	    task < 0 || cap_verdict(c, (uint32_t)task))
		return 0;
	pthread_mutex_lock(&step.lock);
	killed = cap_explain(c, (uint32_t)task, status, text);
	tell(killed, text);
	if (status != 0 && c->tasks[task].capped && !step.batch &&
	    gbm.conf.oom == OOM_STEP && step.n_tasks > 1)
		begin_end(false);
	if (++step.exited == c->n_tasks)
		tell_at_end();
	pthread_mutex_unlock(&step.lock);
	/* Where Slurm constrains no memory itself, srun learns of a SIGKILL and
	 * at once stops listening: let the text arrive first. */
	if (killed != CAP_NOBODY)
		nanosleep(&in_flight, NULL);
	return 0;
}

static void forget_note(void)
{
	char host[HOST_NAME_MAX + 1];
	struct err e = { { 0 } };
	int dir = state_open_dir(step.root, gbm.conf.state_dir,
				 gbm_node_name(host, sizeof(host)), false,
				 ROOT_UID, &e);
	int rc;

	if (dir < 0)
		return;
	rc = state_remove(dir, step.job);
	if (rc < 0)
		slurm_info("gbm: job %" PRIu32 ": cannot remove its state: %s",
			   step.job, err_cause(-rc));
	close(dir);
}

void step_exit(void)
{
	watch_stop(&step.watch);
	if (step.noted)
		forget_note();
	if (step.page)
		munmap(step.page, cap_size(step.page->n_tasks));
	step.page = NULL;
	if (step.root >= 0)
		close(step.root);
	step.root = -1;
}
