/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_MC_MEMORY_H
#define GBM_MC_MEMORY_H

/* What a run will take of memory, told before it is run. */

#include <gbm-mc/samples.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/* What a run does beside simulating. */
enum {
	GBM_MEMORY_MERGES = 1,	/* it is one rank of several */
	GBM_MEMORY_GATHERS = 2, /* of which others send it what they have */
	GBM_MEMORY_SAVES = 4,	/* it writes checkpoints */
	GBM_MEMORY_RESUMES = 8	/* it goes on from one */
};

/* In bytes, of this process. */
struct gbm_memory {
	size_t size; /* set by the caller: sizeof(struct gbm_memory) */
	/*
	 * The largest resident memory (VmHWM in proc(5)), and what a memory
	 * cgroup is charged: held, and all that follows it here.  That has no
	 * pages of programs and libraries in it; the cgroup that is the first
	 * on its node to read them is charged for these as well.
	 */
	uint64_t peak;
	uint64_t charged;
	/* There when the plan was made. */
	uint64_t held;	/* data of the program and its libraries, such as MPI */
	uint64_t files; /* pages of programs and libraries */
	uint64_t code;	/* such pages that only a run touches */
	/* What the run adds, at the moment when this is most. */
	uint64_t threads;   /* chunks of values, and stacks */
	uint64_t summaries; /* sketches, moments, fan: of the run and threads */
	uint64_t writers;   /* samples on their way to the file, checksums */
	uint64_t copies;    /* summaries packed, for a file or another rank */
	/* What is not resident memory of the process. */
	uint64_t cache;	 /* page cache beyond that: files being written */
	uint64_t kernel; /* the kernel's own: page tables, stacks, buffers */
};

#define GBM_MEMORY_INIT                                                        \
	{                                                                      \
		sizeof(struct gbm_memory), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0     \
	}

/*
 * Tells what a run of the plan will take, by this process as it was when the
 * plan was made: after MPI_Init(), that is, in a rank.  flags are of
 * GBM_MEMORY_*.  samples are the options of a run that writes samples, as of
 * gbm_run_samples(), or NULL.  A plan without a functional is streamed.
 *
 * Returns 0; or GBM_EINVAL; or GBM_ENOMEM when the plan's budget does not hold
 * what is written with, explained in *err.  Nothing is run or written.
 */
int gbm_plan_memory(const struct gbm_plan *plan, unsigned flags,
		    const struct gbm_samples_options *samples,
		    struct gbm_memory *memory, struct gbm_error *err);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
