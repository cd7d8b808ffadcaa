/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Before a job's first step and after its last one, on each of its nodes, as
 * root, in a process of its own. All that can be done about an error here is to
 * log it: a failure would drain the node, which only drain=yes asks for.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* gethostname, O_PATH */
#endif

#include "plugin/spank_gbm.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <slurm/slurm.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <time.h>
#include <unistd.h>

#include "plugin/guard.h"
#include "plugin/leftovers.h"
#include "plugin/roster.h"
#include "plugin/sigkill.h"
#include "plugin/sysroot.h"

#include "plugin/banned.h"

static void make_state(struct state *s, uint32_t job, uint32_t uid, int root)
{
	memset(s, 0, sizeof(*s));
	s->job = job;
	s->uid = uid;
	s->report = policy_tells(&gbm.request, &gbm.conf, NULL);
	if (gbm.option_bad.text[0] != '\0') {
		s->refused = true;
		s->reason = gbm.option_bad;
	} else if (policy_job(&gbm.request, &gbm.conf, gbm_mem_total(root),
			      &s->limits, &s->reason) < 0) {
		s->refused = true;
	}
}

int job_note(int dir, uint32_t job, uint32_t uid, int root, struct state *s,
	     struct err *e)
{
	make_state(s, job, uid, root);
	if (state_save(dir, s, e) == 0)
		return 0;
	if (state_block(dir, job) < 0)
		slurm_error("gbm: job %" PRIu32 " cannot be kept from running "
			    "without its cap",
			    job);
	return -1;
}

static void read_job_options(spank_t sp)
{
	for (int i = 0; i < N_OPTIONS; i++) {
		char *value = NULL;

		if (spank_option_getopt(sp, &options[i], &value) !=
		    ESPANK_SUCCESS)
			continue;
		gbm_root_option(i, value);
	}
}

/* What the two hooks share. */
struct hook {
	int root;
	uint32_t job;
	uid_t uid;
	const char *node;
	char host[HOST_NAME_MAX + 1];
};

static bool begin(struct hook *h, spank_t sp, int ac, char **av)
{
	struct err e = { { 0 } };

	if (conf_parse(&gbm.conf, ac, av, &e) < 0) {
		slurm_error("gbm: %s", e.text);
		return false;
	}
	if (spank_get_item(sp, S_JOB_ID, &h->job) != ESPANK_SUCCESS ||
	    spank_get_item(sp, S_JOB_UID, &h->uid) != ESPANK_SUCCESS) {
		slurm_error("gbm: Slurm does not tell the job's id and user");
		return false;
	}
	h->node = gbm_node_name(h->host, sizeof(h->host));
	h->root = sysroot_real();
	if (h->root < 0)
		slurm_error("gbm: cannot open /: %s", err_cause(-h->root));
	return h->root >= 0;
}

/* The states of NODE, or -1 when there are none. */
static int open_states(const struct hook *h, const char *node, bool make)
{
	struct err e = { { 0 } };
	int dir = state_open_dir(h->root, gbm.conf.state_dir, node, make,
				 ROOT_UID, &e);

	if (dir < 0 && dir != STATE_NONE)
		slurm_error("gbm: %s", e.text);
	return dir < 0 ? -1 : dir;
}

static void log_error(const struct hook *h, const struct err *e)
{
	slurm_error("gbm: job %" PRIu32 ": %s", h->job, e->text);
}

/* Root's things are nobody's to remove. */
static void enter_roster(const struct hook *h)
{
	struct err e = { { 0 } };
	int dir = h->uid == 0 ? -1 : open_states(h, ROSTER_NODE, true);
	int lock;

	if (dir < 0)
		return;
	lock = roster_lock(dir, &e);
	if (lock < 0)
		log_error(h, &e);
	/* Also without the lock: who looks from now on will see it. */
	if (roster_enter(dir, h->uid, h->job, h->node, &e) < 0)
		log_error(h, &e);
	if (lock >= 0)
		close(lock);
	close(dir);
}

static void forget(const struct hook *h, int dir)
{
	int rc = state_remove(dir, h->job);

	if (rc < 0)
		slurm_error("gbm: job %" PRIu32 ": cannot remove its state: %s",
			    h->job, err_cause(-rc));
}

void job_prolog(spank_t sp, int ac, char **av)
{
	struct err e = { { 0 } };
	struct state state;
	struct hook h;
	int dir;
	bool wanted;

	if (!begin(&h, sp, ac, av))
		return;
	enter_roster(&h);
	read_job_options(sp);
	wanted = gbm_asked();
	dir = open_states(&h, h.node, wanted);
	if (dir >= 0) {
		if (!wanted) /* Job ids start again when slurmctld loses its
			      * state. */
			forget(&h, dir);
		else if (job_note(dir, h.job, h.uid, h.root, &state, &e) < 0)
			log_error(&h, &e);
		close(dir);
	}
	close(h.root);
}

static int remove_segment(int id)
{
	return shmctl(id, IPC_RMID, NULL);
}

/* Returns -1 if something stays that should not. */
static int sweep(const struct hook *h, const struct timespec *since)
{
	char text[LEFTOVERS_TEXT_MAX];
	struct leftovers left;
	pid_t pid = leftovers_process(h->root, h->uid);

	if (pid > 0) {
		slurm_info("gbm: job %" PRIu32 ": what it left in /dev/shm "
			   "stays, as its user has process %jd here",
			   h->job, (intmax_t)pid);
		return 0;
	}
	if (pid < 0) {
		slurm_error("gbm: job %" PRIu32 ": what it left in /dev/shm "
			    "stays: cannot look for its user's processes: %s",
			    h->job, err_cause(-pid));
		return -1;
	}
	leftovers_remove(h->root, h->uid, since, remove_segment, &left);
	leftovers_text(&left, text);
	if (text[0] != '\0')
		slurm_info("gbm: job %" PRIu32 " of user %ju left behind, and "
			   "this removed: %s",
			   h->job, (uintmax_t)h->uid, text);
	if (left.failed == 0)
		return 0;
	slurm_error("gbm: job %" PRIu32 ": %" PRIu32 " of the things it left "
		    "in /dev/shm or SysV segments cannot be removed: %s",
		    h->job, left.failed, err_cause(left.error));
	return -1;
}

static int leave_roster(const struct hook *h)
{
	int dir = h->uid == 0 ? -1 : open_states(h, ROSTER_NODE, false);
	struct timespec since;
	struct err e = { { 0 } };
	int lock, rc;

	if (dir < 0)
		return 0;
	lock = roster_lock(dir, &e);
	rc = lock < 0 ? -1
		      : roster_leave(dir, h->uid, h->job, h->node, &since, &e);
	if (rc < 0)
		log_error(h, &e);
	else if (rc > 0)
		rc = sweep(h, &since);
	if (lock >= 0)
		close(lock);
	close(dir);
	return rc;
}

/*
 * Slurm does not tell where it was; a name is composed only to look for it.
 * Returns 1 and DIR, or 0.
 */
static int cgroup_of_job(const struct hook *h, char dir[PROCFS_PATH_MAX])
{
	const struct cap_host host = { h->root, getpid() };
	struct guard guard;
	struct err e = { { 0 } };
	int n, fd;

	if (guard_of_slurmd(&host, h->node, &guard, &e) <= 0)
		return 0;
	if (guard.v2)
		n = snprintf(dir, PROCFS_PATH_MAX, "%s/job_%" PRIu32,
			     guard.path, h->job);
	else
		n = snprintf(dir, PROCFS_PATH_MAX, "%s/uid_%ju/job_%" PRIu32,
			     guard.path, (uintmax_t)h->uid, h->job);
	if (n < 0 || n >= PROCFS_PATH_MAX)
		return 0;
	fd = sysroot_open(h->root, dir, O_PATH | O_DIRECTORY);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* What the end of a job means here; -1 if something stays. */
static int job_end(const struct hook *h)
{
	int dir = open_states(h, h->node, false), rc = 0;
	char cgroup[PROCFS_PATH_MAX];
	struct err e = { { 0 } };

	if (dir >= 0) {
		forget(h, dir);
		close(dir);
	}
	/* A slurmstepd that is about to end shall do so by itself; without one,
	 * what it started runs on for ever. */
	if (cgroup_of_job(h, cgroup) &&
	    leftovers_cgroup(h->root, cgroup, h->uid,
			     !leftovers_has_stepd(h->root, h->job), sigkill_in,
			     &e) < 0) {
		log_error(h, &e);
		rc = -1;
	}
	return leave_roster(h) < 0 ? -1 : rc;
}

int job_epilog(spank_t sp, int ac, char **av)
{
	struct hook h;
	int rc;

	if (!begin(&h, sp, ac, av))
		return 0;
	rc = job_end(&h);
	close(h.root);
	return gbm.conf.drain ? rc : 0;
}

/* A job that is between two steps may have no slurmstepd and lives, but then it
 * has no cgroup, either. */
static bool end_if_lost(const char *name, void *ctx)
{
	struct hook *h = ctx;
	const char *job = strchr(name, '.');
	const char *node = job ? strchr(job + 1, '.') : NULL;
	char cgroup[PROCFS_PATH_MAX];
	uint64_t uid, id;

	if (!node || strcmp(node + 1, h->node) != 0 ||
	    !procfs_u64(name, (size_t)(job - name), &uid) ||
	    !procfs_u64(job + 1, (size_t)(node - job - 1), &id))
		return false;
	h->uid = (uid_t)uid;
	h->job = (uint32_t)id;
	if (leftovers_has_stepd(h->root, h->job) || !cgroup_of_job(h, cgroup))
		return false;
	slurm_info("gbm: job %" PRIu32 ": all of its slurmstepd have died: it "
		   "ends here",
		   h->job);
	(void)job_end(h);
	return false;
}

void job_lost(int root)
{
	struct hook h = { .root = root };
	int dir;

	h.node = gbm_node_name(h.host, sizeof(h.host));
	dir = open_states(&h, ROSTER_NODE, false);
	if (dir < 0)
		return;
	(void)sysroot_names(dir, false, end_if_lost, &h);
	close(dir);
}
