/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/cap.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "plugin/banned.h"

/* In the order in which they are asked; after them, the fallback. */
static const struct cap_backend *const cgroups[] = {
	&cap_cgroup1,
	&cap_cgroup2,
};

static const struct cap_backend *const fallbacks[] = {
	[FALLBACK_RLIMIT] = &cap_rlimit,
	[FALLBACK_REFUSE] = &cap_refuse_all,
	[FALLBACK_OFF] = &cap_off,
};

size_t cap_size(uint32_t n_tasks)
{
	return sizeof(struct cap_step) + n_tasks * sizeof(struct cap_task);
}

void cap_init(struct cap_step *c, const struct cap_host *host,
	      const struct conf *conf, const char *node, uint32_t job,
	      uint32_t n_tasks, const struct limits *job_want,
	      const struct limits *step_want)
{
	c->host = *host;
	snprintf(c->node, sizeof(c->node), "%s", node);
	c->job = job;
	c->n_tasks = n_tasks;
	c->fallback = conf->fallback;
	c->warn = conf->warn;
	c->job_want = *job_want;
	c->step_want = *step_want;
}

void cap_refuse(struct cap_step *c, const char *why)
{
	if (c->why.text[0] == '\0')
		err_set(&c->why, "%s", why);
}

void cap_forgo(struct cap_step *c, const char *why)
{
	err_set(&c->unkept,
		"job %" PRIu32 " on %.64s runs without its cap: %.260s", c->job,
		c->node, why);
}

static const char *job_dir(const struct cap_step *c, char out[PROCFS_PATH_MAX])
{
	memcpy(out, c->dir, c->job_len);
	out[c->job_len] = '\0';
	return out;
}

/* "17.0", "17.batch": what the step's directory is called, after "step_". */
static const char *step_name(const struct cap_step *c)
{
	const char *name = strchr(c->dir + c->job_len, '_');

	return name ? name + 1 : "?";
}

/* As a probe. A task that is elsewhere than slurmstepd has been moved there by
 * its user, and must not be kept less strictly for it. */
static int ask(const struct cap_step *c, const struct cap_backend *backend,
	       pid_t pid, struct cap_place *place, struct err *e)
{
	int rc = backend->probe(&c->host, pid, c->job, place, e);

	if (rc == 0 &&
	    backend->probe(&c->host, c->host.self, c->job, place, e) > 0)
		return err_set(e, "a task is in no cgroup of the job");
	return rc;
}

static int find(struct cap_step *c, pid_t pid, struct cap_place *place,
		struct err *e)
{
	const struct cap_backend *backend = c->backend;
	int rc = 0;

	if (backend) {
		rc = ask(c, backend, pid, place, e);
		return rc == 0 ? err_set(e, "its tasks are in different "
					    "hierarchies of cgroups")
			       : rc;
	}
	for (size_t i = 0; i < sizeof(cgroups) / sizeof(cgroups[0]); i++) {
		rc = ask(c, cgroups[i], pid, place, e);
		if (rc > 0)
			c->backend = cgroups[i];
		if (rc != 0)
			return rc;
	}
	c->backend = fallbacks[c->fallback];
	return c->backend->probe(&c->host, pid, c->job, place, e);
}

/* The job first: its limit protects the node. */
static int apply(struct cap_step *c, const struct cap_place *place,
		 struct err *e)
{
	char dir[PROCFS_PATH_MAX];

	memcpy(c->dir, place->path, place->step_len);
	c->dir[place->step_len] = '\0';
	c->job_len = place->job_len;
	job_dir(c, dir);
	if (c->backend->apply(&c->host, dir, true, &c->job_want, &c->job_got,
			      e) < 0)
		return -1;
	if (c->backend->apply(&c->host, c->dir, false, &c->step_want,
			      &c->step_got, e) < 0)
		return -1;
	return 0;
}

static int place_task(struct cap_step *c, int task, pid_t pid, struct err *e)
{
	struct cap_place place;
	struct cap_events events;
	struct cap_task *t;
	size_t leaf_len;
	bool first = !c->backend;
	int rc;

	if (task != CAP_EXTERN && (task < 0 || (uint32_t)task >= c->n_tasks))
		return err_set(e, "task %d is not one of the step's %" PRIu32,
			       task, c->n_tasks);
	if (find(c, pid, &place, e) < 0)
		return -1;
	if (first) {
		rc = apply(c, &place, e);
		if (rc < 0)
			return rc;
	} else if (strlen(c->dir) != place.step_len ||
		   memcmp(c->dir, place.path, place.step_len) != 0) {
		return err_set(e, "its tasks are in different steps' cgroups");
	}
	if (task == CAP_EXTERN)
		return 0;
	t = &c->tasks[task];
	leaf_len = strlen(place.path + place.step_len);
	if (leaf_len >= sizeof(t->leaf))
		return err_set(e, "a task has been moved to another cgroup");
	memcpy(t->leaf, place.path + place.step_len, leaf_len + 1);
	if (c->backend->apply_task &&
	    c->backend->apply_task(&c->host, place.path, &c->step_want.swap,
				   e) < 0)
		return -1;
	c->backend->events(&c->host, place.path, &events);
	t->kills = events.kills;
	t->placed = true;
	return 0;
}

void cap_place(struct cap_step *c, int task, pid_t pid)
{
	struct err e = { { 0 } }, why;

	if (c->why.text[0] != '\0' || c->unkept.text[0] != '\0' ||
	    place_task(c, task, pid, &e) == 0)
		return;
	if (c->warn && c->backend != &cap_refuse_all) {
		cap_forgo(c, e.text);
		return;
	}
	err_set(&why, "job %" PRIu32 " on %.64s: %.280s", c->job, c->node,
		e.text);
	cap_refuse(c, why.text);
}

const char *cap_verdict(const struct cap_step *c, uint32_t task)
{
	if (c->why.text[0] != '\0')
		return c->why.text;
	if (task >= c->n_tasks ||
	    (!c->tasks[task].placed && c->unkept.text[0] == '\0'))
		return "the cap was not applied to this task";
	return NULL;
}

/* Whether there is a directory to read of. */
static bool is_counted(const struct cap_step *c)
{
	return c->dir[0] != '\0' && c->unkept.text[0] == '\0';
}

int cap_enter(const struct cap_step *c, struct err *e)
{
	struct err why;

	if (c->unkept.text[0] != '\0' || !c->backend->enter ||
	    c->backend->enter(cap_bytes(c), c->n_tasks, &why) == 0)
		return 0;
	return err_set(e, "job %" PRIu32 " on %.64s: %.280s", c->job, c->node,
		       why.text);
}

const char *cap_notice(const struct cap_step *c, char out[CAP_TEXT_MAX])
{
	int n;

	if (c->unkept.text[0] != '\0')
		return c->unkept.text;
	if (c->why.text[0] != '\0' || !c->backend || !c->backend->notice)
		return NULL;
	n = snprintf(out, CAP_TEXT_MAX,
		     "on %.64s there is no memory cgroup: ", c->node);
	c->backend->notice(cap_bytes(c), c->n_tasks, out + n,
			   CAP_TEXT_MAX - (size_t)n);
	return out;
}

/* Where it is not kept, libgbm can still keep to it. */
uint64_t cap_bytes(const struct cap_step *c)
{
	if (c->unkept.text[0] != '\0')
		return c->step_want.cap;
	return c->step_got.bytes < c->job_got.bytes ? c->step_got.bytes
						    : c->job_got.bytes;
}

bool cap_is_slurms(const struct cap_step *c)
{
	return c->job_want.cap != NO_CAP && c->job_got.foreign;
}

static bool same_swap(const struct swap *a, const struct swap *b)
{
	return a->mode == b->mode && a->bytes == b->bytes;
}

static const char *peak_text(char out[SIZE_TEXT_MAX], uint64_t peak)
{
	if (peak != CAP_UNKNOWN)
		return size_format(out, peak);
	snprintf(out, SIZE_TEXT_MAX, "not known");
	return out;
}

/* One that nobody has set reads as about 2^63 on v1, and as "max" on v2. */
static bool is_limit(uint64_t bytes)
{
	return bytes <= INT64_MAX / 2;
}

/*
 * Which limit killed, as far as the counters tell: "job 17 reached its 1500M
 * RAM cap (peak 1500M, swap none). Raise ...".
 */
static void blame(const struct cap_step *c, char *out, size_t size)
{
	char dir[PROCFS_PATH_MAX], swap[SWAP_TEXT_MAX], name[48], detail[160];
	char cap[SIZE_TEXT_MAX], peak[SIZE_TEXT_MAX], own[SIZE_TEXT_MAX];
	const struct cap_limit *limit = &c->job_got;
	const struct limits *want = &c->job_want;
	const char *advice = "Raise --gbm-mem-cap or stream with libgbm.";
	struct cap_events job, step;
	bool hit, shared = false;

	c->backend->events(&c->host, job_dir(c, dir), &job);
	c->backend->events(&c->host, c->dir, &step);
	hit = step.full || job.full;
	peak_text(own, step.peak);
	if (step.full && (c->step_got.bytes < c->job_got.bytes ||
			  !same_swap(&c->step_want.swap, &want->swap))) {
		/* A limit of the step's own; one that equals the job's can only
		 * be reached together with that. */
		limit = &c->step_got;
		want = &c->step_want;
		snprintf(name, sizeof(name), "step %" PRIu32 ".%.24s", c->job,
			 step_name(c));
		peak_text(peak, step.peak);
	} else {
		snprintf(name, sizeof(name), "job %" PRIu32, c->job);
		peak_text(peak, job.peak);
		/* More of it is other steps' than Slurm's few megabytes. */
		shared = hit && job.peak != CAP_UNKNOWN &&
			 job.peak / 10 * 9 > step.peak;
	}
	swap_text(swap, &want->swap);
	if (limit->foreign)
		advice = "Raise --mem or stream with libgbm.";
	if (!hit)
		advice = "The node, or a limit above the job, ran out of "
			 "memory.";
	snprintf(detail, sizeof(detail), "peak %s%s%s, swap %s", peak,
		 shared ? ", of which this step " : "", shared ? own : "",
		 swap);
	if (!hit && !is_limit(limit->bytes)) {
		snprintf(out, size, "%s has no limit of its own (%s). %s", name,
			 detail, advice);
		return;
	}
	snprintf(out, size, "%s %s its %s %s (%s). %s", name,
		 hit ? "reached" : "was below", size_format(cap, limit->bytes),
		 limit->foreign ? "Slurm allocation" : "RAM cap", detail,
		 advice);
}

bool cap_explain(const struct cap_step *c, uint32_t task, const char *who,
		 int status, char out[CAP_TEXT_MAX])
{
	bool sigkill = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	char dir[PROCFS_PATH_MAX + CAP_LEAF_MAX], victim[128], reason[320];
	const struct cap_task *t;
	struct cap_events now;
	uint64_t kills;

	if (cap_verdict(c, task) || !is_counted(c))
		return false;
	t = &c->tasks[task];
	snprintf(dir, sizeof(dir), "%s%s", c->dir, t->leaf);
	c->backend->events(&c->host, dir, &now);
	if (now.kills <= t->kills)
		return false;
	kills = now.kills - t->kills;
	if (sigkill)
		snprintf(victim, sizeof(victim), "%.24s on %.64s was", who,
			 c->node);
	else if (kills == 1)
		snprintf(victim, sizeof(victim),
			 "a process started by %.24s on %.64s was", who,
			 c->node);
	else
		snprintf(victim, sizeof(victim),
			 "%" PRIu64 " processes started by %.24s on %.48s were",
			 kills, who, c->node);
	blame(c, reason, sizeof(reason));
	snprintf(out, CAP_TEXT_MAX, "%s killed: %s", victim, reason);
	return true;
}

/* "1500M RAM cap", or what there is in its stead. */
static const char *limit_text(const struct cap_step *c, char out[64])
{
	char bytes[SIZE_TEXT_MAX];

	size_format(bytes, cap_bytes(c));
	if (c->step_want.cap != NO_CAP)
		snprintf(out, 64, "%s RAM cap", bytes);
	else if (is_limit(cap_bytes(c)))
		snprintf(out, 64, "%s Slurm allocation", bytes);
	else
		snprintf(out, 64, "no limit");
	return out;
}

const char *cap_summary(const struct cap_step *c, char out[CAP_TEXT_MAX])
{
	char peak[SIZE_TEXT_MAX], limit[64], swap[SWAP_TEXT_MAX];
	struct cap_events step;

	limit_text(c, limit);
	if (!is_counted(c)) {
		snprintf(out, CAP_TEXT_MAX,
			 "job %" PRIu32 " on %s: peak not known of %s, which "
			 "was not kept by a cgroup",
			 c->job, c->node, limit);
		return out;
	}
	c->backend->events(&c->host, c->dir, &step);
	snprintf(out, CAP_TEXT_MAX,
		 "step %" PRIu32 ".%s on %s: peak %s of %s, swap %s", c->job,
		 step_name(c), c->node, peak_text(peak, step.peak), limit,
		 swap_text(swap, &c->step_want.swap));
	return out;
}
