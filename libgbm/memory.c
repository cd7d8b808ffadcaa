/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a run takes, as far as it can be known before. */
#include <gbm-mc/memory.h>

#include "libgbm/err.h"
#include "libgbm/samples.h"
#include "libgbm/sketch.h"
#include "libgbm/summary.h"

#define KIB UINT64_C(1024)

/*
 * Measured, x86-64 with glibc 2.36: pages of libraries that are first touched
 * while it runs, and when the result is told; and what a thread touches of its
 * stack and OpenMP of its own.
 */
#define RUN_CODE    (64 * KIB)
#define RESULT_CODE (512 * KIB)
#define STACK_BYTES (32 * KIB)

/*
 * Likewise, Linux 6.18: page tables and what else the kernel has of a process;
 * of a thread; of files that are written; and one in so many bytes of page
 * cache, for what finds it.
 */
#define KERNEL_PROCESS (160 * KIB)
#define KERNEL_THREAD  (24 * KIB)
#define KERNEL_FILES   (64 * KIB)
#define KERNEL_CACHE   32

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* The largest part of a summary, packed. */
static uint64_t part_bytes(const struct gbm_plan *plan)
{
	uint64_t most = gbm_stats_packed_size();

	if (plan->collect & GBM_COLLECT_MOMENTS)
		most = larger(most, gbm_joint_size(1 + plan->n_others));
	if (plan->collect & GBM_COLLECT_FAN)
		most = larger(most, gbm_fan_bytes(&plan->dynamics) /
					    plan->dynamics.steps);
	if (plan->collect & GBM_COLLECT_SKETCH)
		most = larger(most, gbm_sketch_size(GBM_SKETCH_OCTAVES,
						    GBM_SKETCH_SIGNS));
	return most;
}

/* What is left when it is told. */
static uint64_t of_result(const struct gbm_plan *plan)
{
	uint64_t bytes = gbm_summary_bytes(plan->collect, 1 + plan->n_others);

	if (plan->collect & GBM_COLLECT_FAN)
		bytes += gbm_fan_bytes(&plan->dynamics);
	return bytes;
}

/* A run into a summary: the largest of what it holds one after the other. */
static void of_summary(const struct gbm_plan *plan, unsigned flags,
		       struct gbm_memory *m)
{
	uint64_t each = gbm_summary_bytes(plan->collect, 1 + plan->n_others);
	uint64_t part = part_bytes(plan), copies = 0, most, saved;
	uint64_t summaries = of_result(plan), fan = summaries - each;
	uint64_t rows = gbm_plan_rows(plan, plan->collect);

	m->threads = plan->threads *
		     (STACK_BYTES + rows * plan->chunk.item * sizeof(double) +
		      (gbm_plan_needs_paths(plan) ? plan->chunk.bytes : 0));
	m->summaries = summaries + fan + plan->threads * each;
	/* Between runs: threads have no summaries then. */
	if (flags & GBM_MEMORY_SAVES)
		copies = part;
	/* One packed and one merged; of what it receives, MPI's as well. */
	if (flags & GBM_MEMORY_MERGES)
		copies = (flags & GBM_MEMORY_GATHERS ? 4 : 2) * part;
	if (flags & GBM_MEMORY_RESUMES) {
		copies = larger(copies, part);
		summaries *= 2;
	}
	if (copies + summaries > m->summaries + m->threads) {
		m->copies = copies;
		m->summaries = summaries;
		m->threads = plan->threads * STACK_BYTES;
	}
	/* The file is as large as what it holds, and is written after that. */
	most = m->threads + m->summaries + m->copies;
	saved = part + 2 * of_result(plan);
	if (flags & (GBM_MEMORY_SAVES | GBM_MEMORY_RESUMES) && saved > most)
		m->cache = saved - most;
}

/* A run that writes samples. */
static int of_samples(const struct gbm_plan *plan, unsigned flags,
		      const struct gbm_samples_options *options,
		      struct gbm_memory *m, struct gbm_error *err)
{
	struct gbm_samples *s;
	uint64_t packed, part;
	int status = gbm_samples_new(&s, "the samples", plan, options, err);

	if (!status) {
		packed = gbm_samples_packed_size(s);
		part = s->capacity * s->row.bytes;
		m->threads =
			plan->threads *
			(STACK_BYTES + sizeof(struct gbm_stats) +
			 gbm_rows_bytes(plan, &s->row, s->capacity) - part);
		m->summaries =
			gbm_summary_bytes(plan->collect, 1 + plan->n_others);
		m->writers = packed + part * plan->threads;
		if (part * plan->threads > s->bytes)
			m->writers = packed + s->bytes;
		if (flags || options->checkpoint)
			m->copies = packed;
		/* A write comes on top of what is waited for then. */
		m->cache = plan->threads *
			   (s->window + (part < s->window ? part : s->window));
		if (m->cache > s->bytes)
			m->cache = s->bytes;
	}
	gbm_samples_close(&s);
	return status;
}

int gbm_plan_memory(const struct gbm_plan *plan, unsigned flags,
		    const struct gbm_samples_options *samples,
		    struct gbm_memory *memory, struct gbm_error *err)
{
	struct gbm_memory m = GBM_MEMORY_INIT;
	int status = GBM_OK;
	uint64_t run, kept;

	if (!plan || !memory || memory->size != sizeof(*memory) ||
	    flags & ~(unsigned)(GBM_MEMORY_MERGES | GBM_MEMORY_GATHERS |
				GBM_MEMORY_SAVES | GBM_MEMORY_RESUMES))
		return gbm_error_set(err, GBM_EINVAL,
				     "plan and memory: must be given, memory "
				     "set up with GBM_MEMORY_INIT, flags of "
				     "GBM_MEMORY_*");
	m.held = plan->budget.resident;
	m.files = plan->budget.files;
	if (samples)
		status = of_samples(plan, flags, samples, &m, err);
	else if (plan->has_functional)
		of_summary(plan, flags, &m);
	else
		m.threads = plan->stream_chunk.bytes;
	if (status)
		return status;
	m.kernel = KERNEL_PROCESS + plan->threads * KERNEL_THREAD +
		   (samples ? KERNEL_FILES : 0) + m.cache / KERNEL_CACHE;
	run = m.held + m.threads + m.summaries + m.writers + m.copies;
	m.charged = run + m.cache + m.kernel;
	kept = m.held + of_result(plan);
	m.code = run + RUN_CODE > kept + RESULT_CODE ? RUN_CODE : RESULT_CODE;
	m.peak = m.files + larger(run + RUN_CODE, kept + RESULT_CODE);
	m.peak = larger(m.peak, plan->budget.peak);
	*memory = m;
	return GBM_OK;
}
