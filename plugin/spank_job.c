/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Before a job's first step and after its last one, on each of its nodes, as
 * root, in a process of its own. All that can be done about an error here is to
 * log it: a failure would drain the node.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* gethostname */
#endif

#include "plugin/spank_gbm.h"

#include <inttypes.h>
#include <limits.h>
#include <slurm/slurm.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

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
			     gbm_node_name(host, sizeof(host)), make, ROOT_UID,
			     &e);
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

void job_prolog(spank_t sp, int ac, char **av)
{
	struct err e = { { 0 } };
	struct state state;
	uint32_t job;
	uid_t uid;
	int root, dir;
	bool wanted;

	if (conf_parse(&gbm.conf, ac, av, &e) < 0) {
		slurm_error("gbm: %s", e.text);
		return;
	}
	if (spank_get_item(sp, S_JOB_ID, &job) != ESPANK_SUCCESS ||
	    spank_get_item(sp, S_JOB_UID, &uid) != ESPANK_SUCCESS) {
		slurm_error("gbm: Slurm does not tell the job's id and user");
		return;
	}
	read_job_options(sp);
	wanted = gbm_asked();
	dir = open_states(wanted, &root);
	if (dir < 0)
		return;
	if (wanted) {
		if (job_note(dir, job, uid, root, &state, &e) < 0)
			slurm_error("gbm: job %" PRIu32 ": %s", job, e.text);
	} else {
		/* Job ids start again when slurmctld loses its state. */
		forget(dir, job);
	}
	close(dir);
	close(root);
}

void job_epilog(spank_t sp, int ac, char **av)
{
	struct err e = { { 0 } };
	uint32_t job;
	int root, dir;

	if (conf_parse(&gbm.conf, ac, av, &e) < 0) {
		slurm_error("gbm: %s", e.text);
		return;
	}
	if (spank_get_item(sp, S_JOB_ID, &job) != ESPANK_SUCCESS)
		return;
	dir = open_states(false, &root);
	if (dir < 0)
		return;
	forget(dir, job);
	close(dir);
	close(root);
}
