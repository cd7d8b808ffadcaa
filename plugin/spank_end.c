/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Ends a step, or its job, on all of its nodes. What Slurm itself does for
 * OOMKillStep (24.11) is done here for every version: slurmd is asked to
 * terminate the tasks, which leaves the step's state as it is, OUT_OF_MEMORY;
 * to cancel the step or the job would make it CANCELLED.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* nanosleep */
#endif

#include "plugin/spank_gbm.h"

#include <errno.h>
#include <signal.h>
#include <slurm/slurm.h>
#include <slurm/slurm_errno.h>
#include <string.h>
#include <time.h>

#include "plugin/banned.h"

#define TENTHS 30

static bool is_running(uint32_t job)
{
	job_info_msg_t *info = NULL;
	bool running = false;

	if (slurm_load_job(&info, job, SHOW_ALL) != SLURM_SUCCESS)
		return false;
	for (uint32_t i = 0; i < info->record_count; i++)
		if ((info->job_array[i].job_state & JOB_STATE_BASE) ==
		    JOB_RUNNING)
			running = true;
	slurm_free_job_info_msg(info);
	return running;
}

/*
 * The batch script, if the job has one; srun ends its own job with its step.
 * What remains is a shell of salloc's, for which there is only scancel's way.
 */
static void end_job(uint32_t job)
{
	static const struct timespec tenth = { 0, 100000000 };

	if (slurm_terminate_job_step(job, SLURM_BATCH_SCRIPT) == SLURM_SUCCESS)
		return;
	for (int i = 0; i < TENTHS; i++) {
		if (!is_running(job))
			return;
		nanosleep(&tenth, NULL);
	}
	if (slurm_kill_job(job, SIGKILL, 0) != SLURM_SUCCESS)
		slurm_error("gbm: job %u cannot be ended: %s", job,
			    slurm_strerror(errno));
}

void end_everywhere(uint32_t job, uint32_t step, bool whole_job)
{
	/* Without slurmctld the calls below would hold up slurmstepd for half a
	 * minute each, only to fail. */
	if (slurm_ping(0) != SLURM_SUCCESS) {
		slurm_error("gbm: slurmctld does not answer: step %u.%u is "
			    "ended on this node only",
			    job, step);
		return;
	}
	/* It also fails when the step is over on one of the nodes. */
	if (slurm_terminate_job_step(job, step) != SLURM_SUCCESS)
		slurm_verbose("gbm: step %u.%u was not ended on all nodes", job,
			      step);
	if (whole_job)
		end_job(job);
}
