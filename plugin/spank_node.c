/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The node guard, as root: in slurmd when it starts (Slurm 23.11 and later
 * start it anew for a reconfigure), and in the slurmstepd of each step.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* gethostname */
#endif

#include "plugin/spank_gbm.h"

#include <inttypes.h>
#include <limits.h>
#include <slurm/slurm.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "plugin/guard.h"
#include "plugin/sysroot.h"

#include "plugin/banned.h"

/* What all jobs may use together: rounded as limits are, 0 for no guard. */
static uint64_t usable(int root)
{
	uint64_t bytes = conf_usable(&gbm.conf, gbm_mem_total(root));

	return gbm.conf.guard ? bytes - bytes % SIZE_ROUND : 0;
}

static void tell(uint64_t bytes)
{
	char size[SIZE_TEXT_MAX], swap[SWAP_TEXT_MAX];

	slurm_info("gbm: all jobs of this node together may use %s of RAM, "
		   "swap %s",
		   size_format(size, bytes),
		   swap_text(swap, &gbm.conf.swap_max));
}

static void guard_at_start(int root)
{
	struct cap_host host = { root, getpid() };
	char name[HOST_NAME_MAX + 1];
	struct guard guard;
	struct err e;
	uint64_t bytes = usable(root);
	int rc;

	if (!gbm.conf.guard) {
		slurm_info("gbm: no node guard: reserve=none");
		return;
	}
	if (bytes == 0) {
		slurm_error("gbm: no node guard: reserve= leaves no memory to "
			    "jobs");
		return;
	}
	rc = guard_of_slurmd(&host, gbm_node_name(name, sizeof(name)), &guard,
			     &e);
	if (rc == 0) {
		slurm_info("gbm: the node guard comes with the first step: "
			   "Slurm makes its cgroup then");
		return;
	}
	if (rc > 0)
		rc = guard_apply(&host, &guard, bytes, &gbm.conf.swap_max, &e);
	if (rc < 0)
		slurm_error("gbm: no node guard: %s", e.text);
	else
		tell(bytes);
}

void node_init(int ac, char **av)
{
	struct err e = { { 0 } };
	int root;

	if (conf_parse(&gbm.conf, ac, av, &e) < 0) {
		slurm_error("gbm: %s", e.text);
		return;
	}
	root = sysroot_real();
	if (root < 0) {
		slurm_error("gbm: cannot open /: %s", err_cause(-root));
		return;
	}
	guard_at_start(root);
	job_lost(root);
	close(root);
}

/* Not as an error: that would go to the user, who cannot do anything about it.
 */
void node_guard(int root, uint32_t job, pid_t pid)
{
	struct cap_host host = { root, getpid() };
	struct guard guard;
	struct err e;
	uint64_t bytes;
	int rc;

	if (gbm.conf_bad.text[0] != '\0' || !gbm.conf.guard)
		return;
	bytes = usable(root);
	if (bytes == 0)
		return;
	rc = guard_of_task(&host, pid, job, &guard, &e);
	if (rc == 0) /* Which slurmd has said when it started, most likely. */
		slurm_verbose("gbm: node guard: job %" PRIu32 " is in no "
			      "memory cgroup",
			      job);
	if (rc > 0)
		rc = guard_apply(&host, &guard, bytes, &gbm.conf.swap_max, &e);
	if (rc < 0)
		slurm_info("gbm: node guard: %s", e.text);
	else if (rc > 0)
		tell(bytes);
}
