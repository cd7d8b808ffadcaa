/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Ends a step, or its job, on all of its nodes, as Slurm itself does for
 * OOMKillStep from 24.11 on. The job's state stays OUT_OF_MEMORY: only to cancel
 * the job would make it CANCELLED.
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

/* Some releases want flags as well. */
typedef int kill_step(uint32_t, uint32_t, uint16_t);
typedef int kill_step_flags(uint32_t, uint32_t, uint16_t, uint16_t);

static int end_step(kill_step *ask, uint32_t job, uint32_t step)
{
	return ask(job, step, SIGKILL);
}

static int end_step_flags(kill_step_flags *ask, uint32_t job, uint32_t step)
{
	return ask(job, step, SIGKILL, 0);
}

/* clang-format off */
#define END_STEP \
	_Generic(slurm_kill_job_step, \
		 kill_step *: end_step, \
		 kill_step_flags *: end_step_flags)
/* clang-format on */

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
	/*
	 * By way of slurmctld. To ask the nodes' slurmd, as for a batch script,
	 * is to wait for this node's as well, which waits for this slurmstepd,
	 * in which srun's own way of ending the step sleeps for KillWait (30 s)
	 * with a lock held, while the step's exit waits for us. Fails when the
	 * step is over.
	 */
	if (step != SLURM_BATCH_SCRIPT &&
	    END_STEP(slurm_kill_job_step, job, step) != SLURM_SUCCESS)
		slurm_verbose("gbm: step %u.%u was not ended on all nodes: %s",
			      job, step, slurm_strerror(errno));
	if (whole_job)
		end_job(job);
}
