/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The hooks. Slurm loads this file into every srun, sbatch and salloc as the
 * user, into slurmd, and as root into each slurmstepd, where each process
 * serves one step.
 *
 * Of the hooks only task_init may fail: its -1 ends the task cleanly and leaves
 * the node idle, whereas a failure of any earlier hook in slurmstepd drains the
 * node. Whatever goes wrong before is therefore kept until then.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* MAP_ANONYMOUS, nanosleep, setenv */
#endif

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <slurm/slurm.h>
#include <slurm/spank.h>

#include "plugin/cap.h"
#include "plugin/conf.h"
#include "plugin/policy.h"
#include "plugin/procfs.h"
#include "plugin/state.h"
#include "plugin/sysroot.h"

#include "plugin/banned.h"

SPANK_PLUGIN(gbm, 1)

#define ROOT_UID ((uid_t)0)

/* More than any good value has: the rest only ends up in a "...". */
#define VALUE_MAX 256

enum { OPT_CAP, OPT_SWAP, N_OPTIONS };

static int option_given(int val, const char *text, int remote);

/* Slurm's structure has no const; it copies the strings. */
static char cap_name[] = "gbm-mem-cap";
static char cap_arg[] = "SIZE";
static char cap_usage[] = "keep the job within SIZE of RAM on each node: "
			  "1500M, 1.5G, or 80% of the node's RAM";
static char swap_name[] = "gbm-swap";
static char swap_arg[] = "none|SIZE|allow";
static char swap_usage[] = "swap that the job may use beyond --gbm-mem-cap "
			   "(default none)";

static struct spank_option options[N_OPTIONS] = {
	{ cap_name, cap_arg, cap_usage, 1, OPT_CAP, option_given },
	{ swap_name, swap_arg, swap_usage, 1, OPT_SWAP, option_given },
};

/* How a user may set an option without the command line, and where Slurm looks
 * for it. */
static const struct {
	const char *option;
	const char *variable;
	const char *slurms;
} names[N_OPTIONS] = {
	{ "--gbm-mem-cap", "SLURM_GBM_MEM_CAP",
	  "SLURM_SPANK__SLURM_SPANK_OPTION_gbm_gbm_mem_cap" },
	{ "--gbm-swap", "SLURM_GBM_SWAP",
	  "SLURM_SPANK__SLURM_SPANK_OPTION_gbm_gbm_swap" },
};

/* All there is to know of this process; zero until init. */
static struct {
	struct conf conf;
	struct err conf_bad; /* plugstack.conf cannot be followed */
	struct request request;
	struct err option_bad; /* a value that srun would have refused */

	/* Client: Slurm hands over the environment's value first. */
	bool from_environment[N_OPTIONS];
	bool ours[N_OPTIONS]; /* which we put there, from names[].variable */
	bool swap_given;      /* client: on the command line */

	int root;	       /* slurmstepd: "/", or -1 */
	struct cap_step *step; /* slurmstepd: NULL if there is nothing to do */
	bool refuse;	       /* slurmstepd: the above cannot be had */
	uint32_t job, node_id;
	uint32_t exited; /* tasks */
	uint64_t asked;	 /* cap that this step asked for, in bytes, or 0 */
	bool batch;
	bool first; /* likely the first step of the job */
} gbm = { .root = -1 };

static void say(const char *text)
{
	slurm_spank_log("gbm: %s", text);
}

static size_t value_len(const char *value)
{
	return strnlen(value, VALUE_MAX);
}

static int parse_option(int which, const char *name, const char *value,
			struct err *e)
{
	if (which == OPT_CAP)
		return policy_cap(&gbm.request, &gbm.conf, name, value,
				  value_len(value), e);
	return policy_swap(&gbm.request, name, value, value_len(value), e);
}

/*
 * In slurmstepd this may be called twice, first with the launch message's value
 * and then with that of the environment, which the user may have written by
 * hand: a bad one is remembered.
 */
static int option_given(int val, const char *text, int remote)
{
	const char *value = text ? text : "";
	const char *name;
	struct err e = { { 0 } };

	if (val < 0 || val >= N_OPTIONS)
		return -1;
	name = names[val].option;
	if (remote) {
		if (parse_option(val, name, value, &e) < 0)
			gbm.option_bad = e;
		return 0;
	}
	if (gbm.from_environment[val]) {
		gbm.from_environment[val] = false;
		if (gbm.ours[val])
			name = names[val].variable;
	} else if (val == OPT_SWAP) {
		gbm.swap_given = true;
	}
	if (parse_option(val, name, value, &e) < 0) {
		say(e.text);
		return -1;
	}
	return 0;
}

static int register_options(spank_t sp)
{
	for (int i = 0; i < N_OPTIONS; i++)
		if (spank_option_register(sp, &options[i]) != ESPANK_SUCCESS)
			return -1;
	return 0;
}

static int client_init(spank_t sp, int ac, char **av)
{
	struct err e = { { 0 } };

	if (conf_parse(&gbm.conf, ac, av, &e) < 0) {
		say(e.text);
		return -1;
	}
	if (register_options(sp) < 0) {
		say("Slurm did not take the options --gbm-mem-cap and "
		    "--gbm-swap");
		return -1;
	}
	/* Inside a job Slurm's own variable holds the job's value already. */
	for (int i = 0; i < N_OPTIONS; i++) {
		const char *value = getenv(names[i].variable);

		if (value && !getenv(names[i].slurms))
			gbm.ours[i] = setenv(names[i].slurms, value, 0) == 0;
		gbm.from_environment[i] = getenv(names[i].slurms) != NULL;
	}
	return 0;
}

int slurm_spank_init(spank_t sp, int ac, char **av)
{
	switch (spank_context()) {
	case S_CTX_LOCAL:
	case S_CTX_ALLOCATOR:
		return client_init(sp, ac, av);
	case S_CTX_REMOTE:
		conf_parse(&gbm.conf, ac, av, &gbm.conf_bad);
		if (register_options(sp) < 0)
			slurm_error("gbm: cannot register the options");
		return 0;
	case S_CTX_ERROR:
	case S_CTX_SLURMD:
	case S_CTX_JOB_SCRIPT:
	default:
		return 0;
	}
}

/* From the environment that slurmd made, which the user cannot reach. */
static const char *node_name(char *host, size_t size)
{
	const char *name = getenv("SLURMD_NODENAME");

	if (name && name[0] != '\0')
		return name;
	if (gethostname(host, size) < 0)
		return "";
	host[size - 1] = '\0';
	return host;
}

static uint64_t mem_total(int root)
{
	char text[8192];
	ssize_t n = sysroot_read(root, "proc/meminfo", text, sizeof(text));
	uint64_t bytes;

	if (n > 0 && procfs_mem_total(text, (size_t)n, &bytes))
		return bytes;
	return 0;
}

/* The job's limits for this node, or the sentence why it can have none. */
static void make_state(struct state *s, uint32_t job, uint32_t uid, int root)
{
	memset(s, 0, sizeof(*s));
	s->job = job;
	s->uid = uid;
	if (gbm.option_bad.text[0] != '\0') {
		s->refused = true;
		s->reason = gbm.option_bad;
	} else if (policy_resolve(&gbm.request, &gbm.conf, mem_total(root),
				  &s->limits, &s->reason) < 0) {
		s->refused = true;
	}
}

static int save_or_block(int dir, const struct state *s, struct err *e)
{
	if (state_save(dir, s, e) == 0)
		return 0;
	if (state_block(dir, s->job) < 0)
		slurm_error("gbm: job %" PRIu32 " cannot be kept from running "
			    "without its cap",
			    s->job);
	return -1;
}

static void read_job_options(spank_t sp)
{
	for (int i = 0; i < N_OPTIONS; i++) {
		char *value = NULL;

		if (spank_option_getopt(sp, &options[i], &value) !=
		    ESPANK_SUCCESS)
			continue;
		option_given(i, value, 1);
	}
}

/*
 * Opens the root and this node's states, for the hooks outside of steps, which
 * can only log. Returns the states' descriptor, or -1 when there are none.
 */
static int open_states(bool make, int *root)
{
	char host[HOST_NAME_MAX + 1];
	struct err e = { { 0 } };
	int dir;

	*root = sysroot_real();
	if (*root < 0) {
		slurm_error("gbm: cannot open /: %s", strerror(-*root));
		return -1;
	}
	dir = state_open_dir(*root, gbm.conf.state_dir,
			     node_name(host, sizeof(host)), make, ROOT_UID, &e);
	if (dir >= 0)
		return dir;
	if (dir != STATE_NONE)
		slurm_error("gbm: %s", e.text);
	close(*root);
	return -1;
}

static void forget(int dir, uint32_t job)
{
	int rc = state_remove(dir, job);

	if (rc < 0)
		slurm_error("gbm: job %" PRIu32 ": cannot remove its state: %s",
			    job, strerror(-rc));
}

/* Always 0: a failure would drain the node. */
int slurm_spank_job_prolog(spank_t sp, int ac, char **av)
{
	struct err e = { { 0 } };
	struct state state;
	uint32_t job;
	uid_t uid;
	int root, dir;
	bool wanted;

	if (conf_parse(&gbm.conf, ac, av, &e) < 0) {
		slurm_error("gbm: %s", e.text);
		return 0;
	}
	if (spank_get_item(sp, S_JOB_ID, &job) != ESPANK_SUCCESS ||
	    spank_get_item(sp, S_JOB_UID, &uid) != ESPANK_SUCCESS) {
		slurm_error("gbm: Slurm does not tell the job's id and user");
		return 0;
	}
	read_job_options(sp);
	wanted = gbm.request.has_cap || gbm.option_bad.text[0] != '\0';
	dir = open_states(wanted, &root);
	if (dir < 0)
		return 0;
	if (wanted) {
		make_state(&state, job, uid, root);
		if (save_or_block(dir, &state, &e) < 0)
			slurm_error("gbm: job %" PRIu32 ": %s", job, e.text);
	} else {
		/* Job ids start again when slurmctld loses its state. */
		forget(dir, job);
	}
	close(dir);
	close(root);
	return 0;
}

int slurm_spank_job_epilog(spank_t sp, int ac, char **av)
{
	struct err e = { { 0 } };
	uint32_t job;
	int root, dir;

	if (conf_parse(&gbm.conf, ac, av, &e) < 0) {
		slurm_error("gbm: %s", e.text);
		return 0;
	}
	if (spank_get_item(sp, S_JOB_ID, &job) != ESPANK_SUCCESS)
		return 0;
	dir = open_states(false, &root);
	if (dir < 0)
		return 0;
	forget(dir, job);
	close(dir);
	close(root);
	return 0;
}

static int client_post_opt(void)
{
	/* A variable may stand there for all jobs, an option is for this one.
	 */
	if (gbm.swap_given && !gbm.request.has_cap) {
		say("--gbm-swap needs --gbm-mem-cap: swap is counted beyond "
		    "the cap");
		return -1;
	}
	return 0;
}

/*
 * What this step has to keep. Returns 1 and the limits (HAS_JOB: the job has
 * some), 0 for nothing, -1 and a sentence for a step that must not run.
 */
static int find_limits(const char *node, uint32_t uid, bool carries_job,
		       bool *has_job, struct limits *job, struct limits *step,
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
	dir = state_open_dir(gbm.root, gbm.conf.state_dir, node,
			     wanted && carries_job, ROOT_UID, e);
	if (dir >= 0) {
		found = state_load(dir, gbm.job, uid, ROOT_UID, &state, e);
		/* Where Slurm runs no SPANK prolog (PrologFlags=RunInJob), the
		 * first step whose option is the job's does its work. */
		if (found == 0 && wanted && carries_job) {
			make_state(&state, gbm.job, uid, gbm.root);
			found = save_or_block(dir, &state, e) < 0 ? -1 : 1;
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
	return policy_step(&gbm.request, &gbm.conf, *has_job ? job : NULL,
			   mem_total(gbm.root), step, &gbm.asked, e);
}

static int stepd_post_opt(spank_t sp)
{
	char host[HOST_NAME_MAX + 1];
	const char *node = node_name(host, sizeof(host));
	uint32_t step_id = 0, n_tasks = 0;
	struct limits job = { 0 }, step = { 0 };
	struct cap_host where;
	struct err e = { { 0 } };
	bool has_job = false;
	uid_t uid = 0;
	void *page;
	int rc;

	gbm.root = sysroot_real();
	if (gbm.root < 0 ||
	    spank_get_item(sp, S_JOB_ID, &gbm.job) != ESPANK_SUCCESS ||
	    spank_get_item(sp, S_JOB_UID, &uid) != ESPANK_SUCCESS ||
	    spank_get_item(sp, S_JOB_STEPID, &step_id) != ESPANK_SUCCESS ||
	    spank_get_item(sp, S_JOB_NODEID, &gbm.node_id) != ESPANK_SUCCESS ||
	    spank_get_item(sp, S_JOB_LOCAL_TASK_COUNT, &n_tasks) !=
		    ESPANK_SUCCESS) {
		slurm_error("gbm: cannot learn what this step is");
		gbm.refuse = gbm.request.has_cap;
		return 0;
	}
	gbm.batch = step_id == SLURM_BATCH_SCRIPT;
	gbm.first = gbm.batch || step_id == SLURM_INTERACTIVE_STEP;
	rc = find_limits(node, uid, gbm.first, &has_job, &job, &step, &e);
	gbm.first = gbm.first || step_id == 0;
	if (rc == 0)
		return 0;
	page = mmap(NULL, cap_size(n_tasks), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED) {
		slurm_error("gbm: no memory: %s", strerror(errno));
		gbm.refuse = true;
		return 0;
	}
	gbm.step = page;
	where.root = gbm.root;
	where.self = getpid();
	cap_init(gbm.step, &where, node, gbm.job, n_tasks,
		 has_job ? &job : NULL, &step);
	if (rc < 0)
		cap_refuse(gbm.step, e.text);
	return 0;
}

int slurm_spank_init_post_opt(spank_t sp, int ac, char **av)
{
	(void)ac;
	(void)av;
	switch (spank_context()) {
	case S_CTX_LOCAL:
	case S_CTX_ALLOCATOR:
		return client_post_opt();
	case S_CTX_REMOTE:
		return stepd_post_opt(sp);
	case S_CTX_ERROR:
	case S_CTX_SLURMD:
	case S_CTX_JOB_SCRIPT:
	default:
		return 0;
	}
}

/*
 * By the first node only, and of Slurm's limit only once or twice a job. That a
 * step's --mem is below the cap is its user's wish and no news.
 */
static void tell_if_lowered(void)
{
	char had[SIZE_TEXT_MAX], wanted[SIZE_TEXT_MAX], text[CAP_TEXT_MAX];
	const struct cap_step *c = gbm.step;

	if (gbm.node_id != 0 || cap_verdict(c, 0))
		return;
	if (gbm.asked > c->step_want.cap)
		snprintf(text, sizeof(text),
			 "this step asks for --gbm-mem-cap=%s, but job %" PRIu32
			 " has a cap of %s, which holds",
			 size_format(wanted, gbm.asked), c->job,
			 size_format(had, c->step_want.cap));
	else if (cap_is_slurms(c) && gbm.first)
		snprintf(text, sizeof(text),
			 "--gbm-mem-cap=%s is above what Slurm allocated on "
			 "%.64s: %s holds (raise --mem)",
			 size_format(wanted, c->job_want.cap), c->node,
			 size_format(had, c->job_got.bytes));
	else
		return;
	say(text);
}

int slurm_spank_task_post_fork(spank_t sp, int ac, char **av)
{
	pid_t pid = 0;
	int task = CAP_EXTERN;

	(void)ac;
	(void)av;
	if (!gbm.step || spank_context() != S_CTX_REMOTE)
		return 0;
	if (spank_get_item(sp, S_TASK_ID, &task) != ESPANK_SUCCESS)
		task = CAP_EXTERN;
	if (task == CAP_EXTERN) {
		cap_place(gbm.step, CAP_EXTERN, getpid());
		/* Nobody's program to refuse, no stderr to tell. */
		if (gbm.step->why.text[0] != '\0')
			slurm_verbose("gbm: %s", gbm.step->why.text);
		return 0;
	}
	if (spank_get_item(sp, S_TASK_PID, &pid) != ESPANK_SUCCESS) {
		cap_refuse(gbm.step, "Slurm does not tell a task's process");
		return 0;
	}
	cap_place(gbm.step, task, pid);
	if (task == 0)
		tell_if_lowered();
	return 0;
}

int slurm_spank_task_init(spank_t sp, int ac, char **av)
{
	char bytes[24];
	const char *why;
	int task = -1;

	(void)ac;
	(void)av;
	if (spank_context() != S_CTX_REMOTE)
		return 0;
	if (gbm.refuse) {
		say("the cap cannot be kept here: the log of slurmd says why");
		return -1;
	}
	if (!gbm.step)
		return 0;
	if (spank_get_item(sp, S_TASK_ID, &task) != ESPANK_SUCCESS || task < 0)
		return -1;
	why = cap_verdict(gbm.step, (uint32_t)task);
	if (why) {
		/* Once a node is enough. */
		if (task == 0)
			say(why);
		return -1;
	}
	snprintf(bytes, sizeof(bytes), "%" PRIu64, cap_bytes(gbm.step));
	if (spank_setenv(sp, "GBM_MEM_CAP", bytes, 1) != ESPANK_SUCCESS) {
		say("GBM_MEM_CAP cannot be set");
		return -1;
	}
	return 0;
}

int slurm_spank_task_exit(spank_t sp, int ac, char **av)
{
	static const struct timespec in_flight = { 0, 100000000 };
	char text[CAP_TEXT_MAX], who[32] = "the batch script";
	bool killed;
	uint32_t rank = 0;
	int task = -1, status = 0;

	(void)ac;
	(void)av;
	if (!gbm.step || spank_context() != S_CTX_REMOTE)
		return 0;
	if (spank_get_item(sp, S_TASK_ID, &task) != ESPANK_SUCCESS ||
	    spank_get_item(sp, S_TASK_EXIT_STATUS, &status) != ESPANK_SUCCESS ||
	    task < 0 || cap_verdict(gbm.step, (uint32_t)task))
		return 0;
	if (!gbm.batch) {
		if (spank_get_item(sp, S_TASK_GLOBAL_ID, &rank) !=
		    ESPANK_SUCCESS)
			rank = (uint32_t)task;
		snprintf(who, sizeof(who), "task %" PRIu32, rank);
	}
	killed = cap_explain(gbm.step, (uint32_t)task, who, status, text);
	if (killed)
		say(text);
	/* Later is too late: at exit stderr is closed and the cgroup gone. */
	if (++gbm.exited == gbm.step->n_tasks)
		say(cap_summary(gbm.step, text));
	/* Where Slurm constrains no memory itself, srun learns of a SIGKILL and
	 * at once stops listening: let the text arrive first. */
	if (killed)
		nanosleep(&in_flight, NULL);
	return 0;
}

int slurm_spank_exit(spank_t sp, int ac, char **av)
{
	(void)sp;
	(void)ac;
	(void)av;
	if (gbm.step)
		munmap(gbm.step, cap_size(gbm.step->n_tasks));
	gbm.step = NULL;
	if (gbm.root >= 0)
		close(gbm.root);
	gbm.root = -1;
	return 0;
}
