/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef GBM_MC_CHECKPOINT_H
#define GBM_MC_CHECKPOINT_H

/*
 * A run's state in a file: the summary of its first paths, so that it can go on
 * after it was stopped, in any way and at any moment.  It goes on with the bits
 * that it would have had, on any number of ranks and threads, with any chunk
 * and instruction set.  Its size does not depend on the number of paths.
 *
 * A checkpoint is replaced in one step, which is on the disk when a call
 * returns: at any moment FILE, or FILE.old, which is the one before, is whole.
 */

#include <gbm-mc/samples.h>
#include <gbm-mc/summary.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

/*
 * Writes the state after the paths 0 to n_done - 1, which are in the summary.
 * n_done is a multiple of GBM_BLOCK_PATHS and not above 2^62: a run that has
 * ended is extended from its last whole block on.  summary is of a run of the
 * plan.
 *
 * Returns 0; GBM_EINVAL; or GBM_ENOMEM or GBM_EIO, explains in *err, naming the
 * file, and what was there before is still there.  One process at a time.
 */
int gbm_checkpoint_save(const char *file, const struct gbm_plan *plan,
			uint64_t n_done, const struct gbm_summary *summary,
			struct gbm_error *err);

/*
 * Adds what a checkpoint holds to the summary, an empty one of this plan, and
 * sets *n_done, from where the run goes on.  The plan may have other options
 * and more paths than the one that it was saved by, but not another model,
 * seed, functionals or things to collect; a callback is taken for the one that
 * it was.  Where FILE is missing, damaged or of another run, FILE.old is tried.
 *
 * Returns 0, and if FILE.old was taken says in *err why FILE was not, else
 * err->status is 0; GBM_ENOENT when neither is there; GBM_EDAMAGED when none is
 * of any use, and explains in *err; GBM_EINVAL, GBM_ENOMEM, GBM_EIO.  The
 * summary is unchanged then, and *n_done 0.
 */
int gbm_checkpoint_load(const char *file, const struct gbm_plan *plan,
			uint64_t *n_done, struct gbm_summary *summary,
			struct gbm_error *err);

/*
 * The same of a run that writes samples.  n_done is what gbm_samples_front() of
 * all shards adds up to: what was written, which must be synced, on all
 * processes, before this claims it.  gbm_samples_resume() loads it.
 */
int gbm_checkpoint_save_samples(const char *file, const struct gbm_plan *plan,
				const struct gbm_samples *samples,
				const struct gbm_summary *summary,
				struct gbm_error *err);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
