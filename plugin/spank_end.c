/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Ends a step, or its job, on all of its nodes, as Slurm itself does for
 * OOMKillStep from 24.11 on. The job's state stays OUT_OF_MEMORY: only to cancel
 * the job would make it CANCELLED.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* nanosleep */
#endif

/* From 26.05 on: jobs may still be named by their numbers. */
#define SLURM_BACKWARD_COMPAT

#include "plugin/spank_gbm.h"

#include <errno.h>
#include <signal.h>
#include <slurm/slurm.h>
#include <slurm/slurm_errno.h>
#include <string.h>
#include <time.h>

#include "plugin/banned.h"

#define TENTHS 30

/* What follows is slurm_*_job_step() with the parameters of every release. */
#if SLURM_VERSION_NUMBER >= SLURM_VERSION_NUM(25, 11, 0)
static slurm_step_id_t name_of(uint32_t job, uint32_t step)
{
	slurm_step_id_t id = SLURM_STEP_ID_INITIALIZER;

	id.job_id = job;
	id.step_id = step;
	return id;
}

static int terminate_step(uint32_t job, uint32_t step)
{
	slurm_step_id_t id = name_of(job, step);

	return slurm_terminate_job_step(&id);
}

static int kill_step(uint32_t job, uint32_t step)
{
	slurm_step_id_t id = name_of(job, step);

	return slurm_kill_job_step(&id, SIGKILL, 0);
}
#else
static int terminate_step(uint32_t job, uint32_t step)
{
	return slurm_terminate_job_step(job, step);
}

static int kill_step(uint32_t job, uint32_t step)
{
#if SLURM_VERSION_NUMBER >= SLURM_VERSION_NUM(23, 11, 0)
	return slurm_kill_job_step(job, step, SIGKILL, 0);
#else
	return slurm_kill_job_step(job, step, SIGKILL);
#endif
}
#endif

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

	if (terminate_step(job, SLURM_BATCH_SCRIPT) == SLURM_SUCCESS)
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
	/*
	 * By way of slurmctld. To ask the nodes' slurmd, as for a batch script,
	 * is to wait for this node's as well, which waits for this slurmstepd,
	 * in which srun's own way of ending the step sleeps for KillWait (30 s)
	 * with a lock held, while the step's exit waits for us. Fails when the
	 * step is over.
	 */
	if (step != SLURM_BATCH_SCRIPT &&
	    kill_step(job, step) != SLURM_SUCCESS)
		slurm_verbose("gbm: step %u.%u was not ended on all nodes: %s",
			      job, step, slurm_strerror(errno));
	if (whole_job)
		end_job(job);
}
