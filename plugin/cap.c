/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* nanosleep */
#endif

#include "plugin/cap.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "plugin/sysroot.h"

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

/* The first LEN bytes of the step's. */
static const char *dir_above(const struct cap_step *c, size_t len,
			     char out[PROCFS_PATH_MAX])
{
	memcpy(out, c->dir, len);
	out[len] = '\0';
	return out;
}

static const char *job_dir(const struct cap_step *c, char out[PROCFS_PATH_MAX])
{
	return dir_above(c, c->job_len, out);
}

/* What the step's directory is called, after "step_": "0", "batch". */
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
	c->top_len = place->top_len;
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
	if (c->backend->kills)
		t->kills = c->backend->kills(&c->host, place.path);
	t->pid = pid;
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

/* The lesser of the job's and the step's. */
static const struct swap *swap_of(const struct cap_step *c)
{
	if (!is_counted(c))
		return &c->step_want.swap;
	return swap_less(&c->job_got.swap, &c->step_got.swap)
		       ? &c->job_got.swap
		       : &c->step_got.swap;
}

const struct swap *cap_less_swap(const struct cap_step *c)
{
	const struct swap *swap = swap_of(c);

	return swap_less(swap, &c->step_want.swap) ? swap : NULL;
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

static const char *advice(const struct cap_step *c,
			  const struct cap_limit *limit, char *out, size_t size)
{
	char most[SIZE_TEXT_MAX];
	bool own = limit == &c->step_got && is_limit(c->job_got.bytes);
	uint64_t bound = own ? c->job_got.bytes : c->node_max;

	if (limit->foreign)
		return "Raise --mem, use more nodes, or stream with libgbm.";
	if (bound != 0 && bound <= limit->bytes)
		return "Use more nodes or stream with libgbm: this node allows "
		       "no more.";
	if (bound == 0)
		return "Raise --gbm-mem-cap, use more nodes, or stream with "
		       "libgbm.";
	snprintf(out, size,
		 "Raise --gbm-mem-cap (this %s allows %s), use more nodes, or "
		 "stream with libgbm.",
		 own ? "job" : "node", size_format(most, bound));
	return out;
}

/* Not the job's own limit: the one of all jobs together, or somebody else's. */
static void blame_above(const struct cap_step *c, char *out, size_t size)
{
	char dir[PROCFS_PATH_MAX], most[SIZE_TEXT_MAX];
	struct cap_events top = { .full = false };
	struct err e;
	uint64_t limit;

	if (c->top_len > 0) {
		dir_above(c, c->top_len, dir);
		c->backend->events(&c->host, dir, CAP_UNKNOWN, &top);
		top.full = top.full &&
			   c->backend->limit(&c->host, dir, &limit, &e) == 0;
	}
	if (top.full)
		snprintf(out, size,
			 "The jobs of %.48s together reached the %s that they "
			 "may use: ask for --mem as large as the cap, and no "
			 "more jobs start there than fit.",
			 c->node, size_format(most, limit));
	else
		snprintf(out, size,
			 "The node, or a limit above the job, ran out of "
			 "memory.");
}

/*
 * Which limit killed, as far as the counters tell: "job 17 reached its 1500M
 * RAM cap (peak 1500M, swap none). Raise ...".
 */
static enum cap_killed blame(const struct cap_step *c, char *out, size_t size)
{
	char dir[PROCFS_PATH_MAX], swap[SWAP_TEXT_MAX], name[48], detail[160];
	char cap[SIZE_TEXT_MAX], peak[SIZE_TEXT_MAX], own[SIZE_TEXT_MAX];
	char text[224];
	const struct cap_limit *limit = &c->job_got;
	const struct limits *want = &c->job_want;
	const char *what = text;
	struct cap_events job, step;
	bool hit, shared = false;

	c->backend->events(&c->host, job_dir(c, dir), c->job_got.bytes, &job);
	c->backend->events(&c->host, c->dir, c->step_got.bytes, &step);
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
	swap_text(swap, limit == &c->job_got ? &limit->swap : swap_of(c));
	if (hit)
		what = advice(c, limit, text, sizeof(text));
	else
		blame_above(c, text, sizeof(text));
	snprintf(detail, sizeof(detail), "peak %s%s%s, swap %s", peak,
		 shared ? ", of which this step " : "", shared ? own : "",
		 swap);
	if (!hit && !is_limit(limit->bytes)) {
		snprintf(out, size, "%s has no limit of its own (%s). %s", name,
			 detail, what);
		return CAP_BY_OTHER;
	}
	snprintf(out, size, "%s %s its %s %s (%s). %s", name,
		 hit ? "reached" : "was below", size_format(cap, limit->bytes),
		 limit->foreign ? "Slurm allocation" : "RAM cap", detail, what);
	return hit && want->cap != NO_CAP ? CAP_BY_CAP : CAP_BY_OTHER;
}

/* WHO begins with who it is, and this puts the rest after it. */
static enum cap_killed sentence(const struct cap_step *c, const char *who,
				bool many, char out[CAP_TEXT_MAX])
{
	char reason[CAP_TEXT_MAX - 128];
	enum cap_killed killed = blame(c, reason, sizeof(reason));

	snprintf(out, CAP_TEXT_MAX, "%.100s %s killed: %s", who,
		 many ? "were" : "was", reason);
	return killed;
}

static void task_name(const struct cap_step *c, const struct cap_task *t,
		      char *out, size_t size)
{
	if (c->whole_job)
		snprintf(out, size, "%s",
			 strcmp(step_name(c), "batch") == 0
				 ? "the batch script"
				 : "the job's shell");
	else
		snprintf(out, size, "task %" PRIu32, t->rank);
}

static enum cap_killed tell(const struct cap_step *c, struct cap_task *t,
			    uint64_t kills, bool itself, char out[CAP_TEXT_MAX])
{
	char name[32], who[128];
	enum cap_killed killed;

	task_name(c, t, name, sizeof(name));
	if (itself)
		snprintf(who, sizeof(who), "%s on %.48s", name, c->node);
	else if (kills == 1)
		snprintf(who, sizeof(who), "a process started by %s on %.48s",
			 name, c->node);
	else
		snprintf(who, sizeof(who),
			 "%" PRIu64 " processes started by %s on %.40s", kills,
			 name, c->node);
	killed = sentence(c, who, !itself && kills > 1, out);
	if (killed == CAP_BY_CAP)
		t->capped = true;
	return killed;
}

static uint64_t task_kills(const struct cap_step *c, const struct cap_task *t)
{
	char dir[PROCFS_PATH_MAX + CAP_LEAF_MAX];

	snprintf(dir, sizeof(dir), "%s%s", c->dir, t->leaf);
	return c->backend->kills(&c->host, dir);
}

/* Kills that nobody was told of. Fewer than before: a directory is gone. */
static uint64_t new_kills(const struct cap_step *c, const struct cap_task *t,
			  uint64_t *now)
{
	*now = task_kills(c, t);
	return *now > t->kills ? *now - t->kills : 0;
}

enum cap_killed cap_explain(struct cap_step *c, uint32_t task, int status,
			    char out[CAP_TEXT_MAX])
{
	bool sigkill = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	struct cap_task *t;
	uint64_t kills, now;

	if (cap_verdict(c, task) || !is_counted(c))
		return CAP_NOBODY;
	t = &c->tasks[task];
	t->ended = true;
	kills = new_kills(c, t, &now);
	if (kills == 0)
		return CAP_NOBODY;
	t->kills = now;
	return tell(c, t, kills, sigkill, out);
}

bool cap_news(struct cap_step *c)
{
	uint64_t now;

	if (c->why.text[0] != '\0' || !is_counted(c))
		return false;
	now = c->backend->kills(&c->host, c->dir);
	if (now == c->seen)
		return false;
	c->seen = now;
	return true;
}

/*
 * The kernel counts a kill before it sends the signal, and on a busy machine
 * the one who does both may have to wait in between: hence the naps, 100 ms in
 * all.
 */
static bool is_dying(const struct cap_step *c, pid_t pid)
{
	static const struct timespec nap = { 0, 2000000 };
	char path[64], text[2048];
	ssize_t n;

	snprintf(path, sizeof(path), "proc/%jd/stat", (intmax_t)pid);
	for (int i = 0; i < 50; i++) {
		nanosleep(&nap, NULL);
		n = sysroot_read(c->host.root, path, text, sizeof(text));
		if (n < 0 || procfs_dying(text, (size_t)n))
			return true;
	}
	return false;
}

enum cap_killed cap_look(struct cap_step *c, uint32_t task,
			 char out[CAP_TEXT_MAX])
{
	struct cap_task *t = &c->tasks[task];
	uint64_t kills, now;

	if (t->ended || !t->placed)
		return CAP_NOBODY;
	kills = new_kills(c, t, &now);
	if (kills == 0 || is_dying(c, t->pid))
		return CAP_NOBODY;
	t->kills = now;
	return tell(c, t, kills, false, out);
}

enum cap_killed cap_look_around(struct cap_step *c, char out[CAP_TEXT_MAX])
{
	uint64_t all = c->backend->kills(&c->host, c->dir), tasks = 0, stray;
	char who[128];
	bool many;

	for (uint32_t i = 0; i < c->n_tasks; i++)
		if (c->tasks[i].placed)
			tasks += task_kills(c, &c->tasks[i]);
	stray = all > tasks ? all - tasks : 0;
	if (stray <= c->stray)
		return CAP_NOBODY;
	many = stray - c->stray > 1;
	if (many)
		snprintf(who, sizeof(who),
			 "%" PRIu64 " processes of step %" PRIu32
			 ".%.24s on %.40s",
			 stray - c->stray, c->job, step_name(c), c->node);
	else
		snprintf(who, sizeof(who),
			 "a process of step %" PRIu32 ".%.24s on %.48s", c->job,
			 step_name(c), c->node);
	c->stray = stray;
	return sentence(c, who, many, out);
}

int cap_watch(const struct cap_step *c, struct pollfd *out)
{
	if (c->why.text[0] != '\0' || !is_counted(c))
		return -1;
	return c->backend->watch(&c->host, c->dir, out);
}

bool cap_kill_all(const struct cap_step *c)
{
	return is_counted(c) && c->backend->kill_all(&c->host, c->dir);
}

const char *cap_step_name(const struct cap_step *c)
{
	return step_name(c);
}

/* The least limit in force. */
static const struct cap_limit *least(const struct cap_step *c)
{
	return c->step_got.bytes < c->job_got.bytes ? &c->step_got
						    : &c->job_got;
}

enum limit_by { BY_CAP, BY_SLURM, BY_NOBODY };

static enum limit_by limit_by(const struct cap_step *c)
{
	if (!is_limit(cap_bytes(c)))
		return BY_NOBODY;
	return c->step_want.cap == NO_CAP || least(c)->foreign ? BY_SLURM
							       : BY_CAP;
}

/* "1500M RAM cap", or what there is in its stead. */
static const char *limit_text(const struct cap_step *c, char out[64])
{
	char bytes[SIZE_TEXT_MAX];

	size_format(bytes, cap_bytes(c));
	switch (limit_by(c)) {
	case BY_CAP:
		snprintf(out, 64, "%s RAM cap", bytes);
		break;
	case BY_SLURM:
		snprintf(out, 64, "%s Slurm allocation", bytes);
		break;
	case BY_NOBODY:
	default:
		snprintf(out, 64, "no limit");
		break;
	}
	return out;
}

/* What a report is of: the step's directory, or the job's. */
static void counters(const struct cap_step *c, struct cap_events *out)
{
	char dir[PROCFS_PATH_MAX];

	c->backend->events(&c->host, c->whole_job ? job_dir(c, dir) : c->dir,
			   CAP_UNKNOWN, out);
}

const char *cap_summary(const struct cap_step *c, char out[CAP_TEXT_MAX])
{
	char peak[SIZE_TEXT_MAX], limit[64], swap[SWAP_TEXT_MAX];
	char used[SIZE_TEXT_MAX], name[48], killed[48] = "";
	struct cap_events now;
	const struct swap *may;
	uint64_t kills;
	bool tell_swap;

	limit_text(c, limit);
	if (!is_counted(c)) {
		snprintf(out, CAP_TEXT_MAX,
			 "job %" PRIu32 " on %s: peak not known of %s, which "
			 "was not kept by a cgroup",
			 c->job, c->node, limit);
		return out;
	}
	counters(c, &now);
	kills = c->backend->kills(&c->host, c->dir);
	if (c->whole_job)
		snprintf(name, sizeof(name), "job %" PRIu32, c->job);
	else
		snprintf(name, sizeof(name), "step %" PRIu32 ".%.24s", c->job,
			 step_name(c));
	if (kills > 0)
		snprintf(killed, sizeof(killed), ", kills %" PRIu64, kills);
	may = swap_of(c);
	tell_swap = may->mode != SWAP_NONE && now.swap_peak != CAP_UNKNOWN;
	snprintf(out, CAP_TEXT_MAX, "%s on %s: peak %s of %s, swap %s%s%s%s",
		 name, c->node, peak_text(peak, now.peak), limit,
		 tell_swap ? size_format(used, now.swap_peak) : "",
		 tell_swap ? " of " : "", swap_text(swap, may), killed);
	return out;
}

static const char *json_string(char *out, size_t size, const char *text)
{
	size_t n = 0;

	out[n++] = '"';
	for (; *text != '\0' && n + 8 < size; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte < ' ' || byte == '"' || byte == '\\' || byte > '~')
			n += (size_t)snprintf(out + n, size - n, "\\u%04x",
					      byte);
		else
			out[n++] = (char)byte;
	}
	out[n++] = '"';
	out[n] = '\0';
	return out;
}

static const char *json_number(char out[24], uint64_t n)
{
	if (n == CAP_UNKNOWN)
		snprintf(out, 24, "null");
	else
		snprintf(out, 24, "%" PRIu64, n);
	return out;
}

const char *cap_json(const struct cap_step *c, char out[CAP_TEXT_MAX])
{
	static const char *const by[] = {
		[BY_CAP] = "cap", [BY_SLURM] = "slurm", [BY_NOBODY] = "none"
	};
	char node[100], step[64], swap[SWAP_TEXT_MAX], numbers[4][24];
	struct cap_events now = { .peak = CAP_UNKNOWN,
				  .swap_peak = CAP_UNKNOWN };
	uint64_t kills = CAP_UNKNOWN, bytes = cap_bytes(c);
	enum limit_by who = BY_NOBODY;

	if (is_counted(c)) {
		counters(c, &now);
		kills = c->backend->kills(&c->host, c->dir);
		who = limit_by(c);
	}
	snprintf(out, CAP_TEXT_MAX,
		 "{\"gbm\":1,\"job\":%" PRIu32 ",\"step\":%s,\"node\":%s,"
		 "\"cap\":%s,\"limit_by\":\"%s\",\"peak\":%s,"
		 "\"swap\":\"%s\",\"swap_peak\":%s,\"kills\":%s}",
		 c->job,
		 json_string(step, sizeof(step),
			     is_counted(c) ? step_name(c) : "?"),
		 json_string(node, sizeof(node), c->node),
		 json_number(numbers[0], is_limit(bytes) ? bytes : CAP_UNKNOWN),
		 by[who], json_number(numbers[1], now.peak),
		 swap_text(swap, swap_of(c)),
		 json_number(numbers[2], now.swap_peak),
		 json_number(numbers[3], kills));
	return out;
}
